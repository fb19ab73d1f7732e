//! Rows for a person's eyes, laid out as dbt lays them out.
//!
//! ```text
//!   | id | name                 |       amount | paid  | day        | … five more columns are "..."
//!   | -- | -------------------- | ------------ | ----- | ---------- |
//!   |  1 | a long name, long... | 1,000,000.25 |  True | 2024-01-02 |
//! ```
//!
//! 1. At most six columns and twenty characters of a cell; whoever wants all takes JSON.
//! 2. Texts stand on the left, everything else on the right. Numbers with a point show the digits that the column needs, three at
//!    most.

use row::{Datum, Row, ScalarType};

use super::show::texts;
use crate::plan::Column;

const COLUMNS_MAX: usize = 6;
const CELL_CHARS_MAX: usize = 20;
/// The same where all columns are shown.
const TEXT_CHARS_MAX: usize = 40;
/// Digits after the point. What is cut off of them is marked.
const PLACES_MAX: usize = 3;
const CUT: &str = "...";

/// The table of these rows.
pub fn preview(columns: &[Column], rows: &[&Row]) -> String {
    let shown = &columns[..columns.len().min(COLUMNS_MAX)];
    let mut cells: Vec<Vec<String>> = rows.iter().map(|row| cells_of(row, shown)).collect();
    for (i, column) in shown.iter().enumerate() {
        if column.ty.is_numeric() || column.ty.is_float() {
            with_places(cells.iter_mut().map(|row| &mut row[i]));
        }
    }
    let mut head: Vec<String> = shown.iter().map(|column| column.name.clone()).collect();
    if shown.len() < columns.len() {
        head.push(CUT.to_owned());
        cells.iter_mut().for_each(|row| row.push(CUT.to_owned()));
    }
    cells.iter_mut().flatten().chain(&mut head).for_each(|cell| cut(cell, CELL_CHARS_MAX));
    let on_the_right = |i: usize| columns.get(i).is_some_and(|column| is_on_the_right(&column.ty));
    aligned(&head, &cells, &on_the_right)
}

/// Texts in columns, all of them; long ones are cut.
pub fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let cut_all = |row: &Vec<String>| {
        let mut row = row.clone();
        row.iter_mut().for_each(|cell| cut(cell, TEXT_CHARS_MAX));
        row
    };
    aligned(head, &rows.iter().map(cut_all).collect::<Vec<_>>(), &|_| false)
}

/// `| a | b |` with a rule below the head.
fn aligned(head: &[String], rows: &[Vec<String>], on_the_right: &dyn Fn(usize) -> bool) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = |(i, cell): (usize, &String)| {
            let space = " ".repeat(widths[i] - cell.chars().count());
            if on_the_right(i) { format!("{space}{cell}") } else { format!("{cell}{space}") }
        };
        let cells: Vec<String> = cells.iter().enumerate().map(padded).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = line(head);
    text.push_str(&line(&rule));
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text
}

fn cells_of(row: &Row, columns: &[Column]) -> Vec<String> {
    let written = |(text, datum): (String, Datum<'_>)| match datum {
        Datum::Bool(true) => "True".to_owned(),
        Datum::Bool(false) => "False".to_owned(),
        _ => text,
    };
    texts(row, columns).into_iter().zip(row.iter()).map(written).collect()
}

/// dbt has moments as texts.
fn is_on_the_right(ty: &ScalarType) -> bool {
    ty.is_number() || matches!(ty, ScalarType::Bool | ScalarType::Date)
}

fn cut(cell: &mut String, chars_max: usize) {
    if cell.chars().count() > chars_max
        && let Some((at, _)) = cell.char_indices().nth(chars_max - CUT.len())
    {
        cell.truncate(at);
        cell.push_str(CUT);
    }
}

/// Gives the numbers of a column as many digits after the point as the longest of them needs, and groups of three before it.
fn with_places<'a>(cells: impl Iterator<Item = &'a mut String>) {
    let mut numbers: Vec<(&mut String, Number)> =
        cells.filter_map(|cell| Number::read(cell).map(|number| (cell, number))).collect();
    let needed = numbers.iter().map(|(_, number)| number.fraction.len()).max().unwrap_or(0);
    let mark = if needed > PLACES_MAX { "…" } else { "" };
    for (cell, number) in &mut numbers {
        **cell = number.write(needed.min(PLACES_MAX)) + mark;
    }
}

/// A number's digits.
struct Number {
    is_negative: bool,
    whole: Vec<u8>,
    /// Without zeros at the end.
    fraction: Vec<u8>,
}

impl Number {
    /// None for what has no plain digits: NULL, NaN, Infinity, 1e+20.
    fn read(text: &str) -> Option<Number> {
        let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_plain = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        let fraction = fraction.trim_end_matches('0');
        is_plain.then(|| Number { is_negative, whole: whole.into(), fraction: fraction.into() })
    }

    /// With so many digits after the point, halves to the even digit.
    fn write(&self, places: usize) -> String {
        let mut digits = self.whole.clone();
        digits.extend(self.fraction.iter().copied().chain(std::iter::repeat(b'0')).take(places));
        let rest = self.fraction.get(places..).unwrap_or_default();
        let is_odd = digits.last().is_some_and(|digit| digit % 2 == 1);
        let rounds_up = match rest.split_first() {
            Some((b'5', after)) => is_odd || !after.is_empty(),
            Some((digit, _)) => *digit > b'5',
            None => false,
        };
        if rounds_up {
            let nines = digits.iter().rev().take_while(|digit| **digit == b'9').count();
            let kept = digits.len() - nines;
            digits[kept..].fill(b'0');
            match digits[..kept].last_mut() {
                Some(digit) => *digit += 1,
                None => digits.insert(0, b'1'),
            }
        }
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let mut text = String::new();
        if self.is_negative && digits.iter().any(|digit| *digit != b'0') {
            text.push('-');
        }
        for (i, digit) in whole.iter().enumerate() {
            if i > 0 && (whole.len() - i) % 3 == 0 {
                text.push(',');
            }
            text.push(char::from(*digit));
        }
        if !fraction.is_empty() {
            text.push('.');
            text.extend(fraction.iter().map(|digit| char::from(*digit)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(column: &[&str]) -> Vec<String> {
        let mut cells: Vec<String> = column.iter().map(|cell| (*cell).to_owned()).collect();
        with_places(cells.iter_mut());
        cells
    }

    #[test]
    fn numbers_show_the_digits_that_their_column_needs() {
        assert_eq!(places(&["12.500", "1000000.25", "", "-3"]), ["12.50", "1,000,000.25", "", "-3.00"]);
        assert_eq!(places(&["7.00", "1234"]), ["7", "1,234"]);
        assert_eq!(places(&["0.3333333333333333", "1", "0.0625"]), ["0.333…", "1.000…", "0.062…"]);
        assert_eq!(places(&["999.9996", "-0.0001", "0.0015"]), ["1,000.000…", "0.000…", "0.002…"]);
        assert_eq!(places(&["NaN", "1e+20", "2.5"]), ["NaN", "1e+20", "2.5"]);
    }

    #[test]
    fn a_long_cell_is_cut_to_twenty_characters() {
        let mut cell = "Zoë, longer than twenty characters".to_owned();
        cut(&mut cell, CELL_CHARS_MAX);
        assert_eq!((cell.as_str(), cell.chars().count()), ("Zoë, longer than ...", 20));
    }
}
