//! Interval literals with a unit or a range of units behind the text: `interval '1' month`, `interval '3 4:05' day to minute`.
//!
//! 1. The last unit of the range is what a bare number at the end of the text counts, and nothing below it is kept.
//! 2. An expression instead of a text (`interval n day`) is the number times the unit.

use eval::Expr;
use row::{Datum, Interval, OwnedDatum, ScalarType};
use sqlparser::ast::{self, DateTimeField, Value};

use super::coerce::{binary, function};
use super::literal::{field_name, int4, unknown};
use super::{Binder, Bound, unsupported};
use crate::plan::PlanError;

const MICROS_PER_MINUTE: i64 = 60_000_000;
const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;

impl<'q> Binder<'q> {
    /// `interval '90 days'`, `interval '90' day`, `interval 90 day`, `interval n day`.
    pub(super) fn interval(&mut self, interval: &'q ast::Interval) -> Result<Bound, PlanError> {
        let units: Vec<String> = interval
            .leading_field
            .iter()
            .chain(&interval.last_field)
            .map(|field| singular(field).to_string())
            .collect();
        let text = match &*interval.value {
            ast::Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => text.clone(),
                Value::Number(text, _) if units.len() == 1 => text.clone(),
                other => return Err(unsupported(format!("interval {other}"))),
            },
            value => match units.as_slice() {
                [unit] => {
                    let one = unknown(&format!("1 {unit}")).cast(&ScalarType::Interval, true)?;
                    return binary("*", self.expr(value)?, one);
                }
                _ => {
                    return Err(
                        unsupported(format!("interval {value}")).with_hint("multiply: <number> * interval '1 day'")
                    );
                }
            },
        };
        let is_number = matches!(&*interval.value, ast::Expr::Value(value) if matches!(value.value, Value::Number(..)));
        let bound = unknown(&spelled_out(&text, &units)).cast(&ScalarType::Interval, true)?;
        // `interval 1.5 hour` is another dialect's, and means what it says.
        let bound = if is_number { bound } else { cut_below(bound, units.last().map(String::as_str)) };
        let precision = interval.fractional_seconds_precision.or(match interval.leading_field {
            Some(DateTimeField::Second) => interval.leading_precision,
            _ => None,
        });
        match precision {
            Some(digits @ 0..6) => function("interval", vec![bound, int4(digits as i32)]),
            _ => Ok(bound),
        }
    }
}

fn singular(field: &DateTimeField) -> &'static str {
    match field_name(field).trim_end_matches('s') {
        "year" => "year",
        "month" => "month",
        "week" => "week",
        "day" => "day",
        "hour" => "hour",
        "minute" => "minute",
        "second" => "second",
        "quarter" => "quarter",
        "milli" | "millisecond" => "millisecond",
        "micro" | "microsecond" => "microsecond",
        _ => "",
    }
}

/// The text with the units written that the range implies: `3 4` of `day to hour` is `3 day 4 hour`.
fn spelled_out(text: &str, units: &[String]) -> String {
    let Some(last) = units.last() else { return text.to_string() };
    let mut words: Vec<String> = text.split_whitespace().map(str::to_string).collect();
    let Some(end) = words.last_mut() else { return text.to_string() };
    let is_bare = |word: &str| {
        word.strip_prefix(['-', '+']).unwrap_or(word).bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    if last == "quarter" && is_bare(end) {
        return match end.parse::<i64>() {
            Ok(quarters) => format!("{} month", quarters.saturating_mul(3)),
            Err(_) => text.to_string(),
        };
    }
    if is_bare(end) {
        end.push_str(&format!(" {last}"));
    } else if end.matches(':').count() == 1 && last == "second" {
        // Minutes and seconds, where hours are not of the range.
        if units.first().is_some_and(|first| first == "minute") {
            let (sign, digits) = match end.strip_prefix('-') {
                Some(digits) => ("-", digits.to_string()),
                None => ("", end.clone()),
            };
            *end = format!("{sign}0:{digits}");
        }
    }
    if let [.., before, _] = words.as_mut_slice()
        && is_bare(before)
        && units.len() == 2
        && units[0] == "day"
    {
        before.push_str(" day");
    }
    words.join(" ")
}

/// Leaves out what is smaller than the range's last unit, as PostgreSQL does: months only under a year or a month.
fn cut_below(bound: Bound, unit: Option<&str>) -> Bound {
    let Expr::Literal { value, .. } = &bound.expr else { return bound };
    let Datum::Interval(Interval { months, days, micros }) = value.datum() else { return bound };
    let kept = match unit {
        Some("year") => Interval { months: months / 12 * 12, days: 0, micros: 0 },
        Some("month") => Interval { months, days: 0, micros: 0 },
        Some("day") => Interval { months, days, micros: 0 },
        Some("hour") => Interval { months, days, micros: micros / MICROS_PER_HOUR * MICROS_PER_HOUR },
        Some("minute") => Interval { months, days, micros: micros / MICROS_PER_MINUTE * MICROS_PER_MINUTE },
        _ => return bound,
    };
    let expr = Expr::Literal { value: OwnedDatum::new(&Datum::Interval(kept)), ty: ScalarType::Interval };
    Bound { expr, ..bound }
}
