//! The one table that a bench prints.

use std::fmt;

use super::measure::Samples;

/// A thing that was measured: ours, and the limit's where there is one.
pub struct Line {
    pub what: String,
    pub unit: &'static str,
    pub ours: Samples,
    pub limit: Option<Samples>,
    /// The limit program has such a figure, whether or not it was run.
    pub has_limit: bool,
}

/// Lines under a heading, printed in columns.
#[derive(Default)]
pub struct Report {
    pub head: Vec<String>,
    pub lines: Vec<Line>,
    pub tail: Vec<String>,
}

const NOT_MEASURED: &str = "not measured (give --limit)";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.head {
            writeln!(f, "{line}")?;
        }
        let header = ["", "unit", "min", "median", "limit min", "limit median", "ratio of medians"];
        let mut table = vec![header.map(str::to_owned)];
        table.extend(self.lines.iter().map(cells));
        let widths: Vec<usize> = (0..header.len())
            .map(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        writeln!(f)?;
        for row in table {
            let [what, unit, figures @ ..] = &row;
            let mut line = format!("{what:<0$}  {unit:<1$}", widths[0], widths[1]);
            for (figure, width) in figures.iter().zip(&widths[2..]) {
                line.push_str(&format!("  {figure:>width$}"));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f)?;
        for line in &self.tail {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

fn cells(line: &Line) -> [String; 7] {
    let limit = |of: fn(&Samples) -> Option<f64>| line.limit.as_ref().and_then(of);
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), figure);
    let ratio = match (line.ours.median(), limit(Samples::median)) {
        (Some(ours), Some(limit)) if limit > 0.0 => format!("{:.2}", ours / limit),
        _ if line.has_limit => NOT_MEASURED.to_owned(),
        _ => "-".to_owned(),
    };
    [
        line.what.clone(),
        line.unit.to_owned(),
        shown(line.ours.min()),
        shown(line.ours.median()),
        shown(limit(Samples::min)),
        shown(limit(Samples::median)),
        ratio,
    ]
}

/// Three digits that matter; whole numbers above a thousand in groups.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.3}"),
        size if size < 100.0 => format!("{value:.1}"),
        size if size < 1_000.0 => format!("{value:.0}"),
        _ => grouped(value.round() as i64),
    }
}

pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if value < 0 { format!("-{grouped}") } else { grouped }
}
