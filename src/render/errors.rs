//! Rows of the error collections: what failed, where, and on which row.

use row::{Datum, Row, RowRef};

/// What an operator says of a failing expression; one per step, made when the operator is rendered.
#[derive(Clone, Debug)]
pub struct Blame {
    pub model: String,
    pub expression: String,
}

/// Columns of an error row.
pub struct ErrorColumns<'a> {
    pub model: &'a str,
    pub expression: &'a str,
    pub reason: &'a str,
    pub record: &'a str,
}

/// Longest text of a row that is kept with its error, in bytes.
const RECORD_BYTES_MAX: usize = 2048;

impl Blame {
    /// The error row for one failing input row.
    pub fn row<'a>(&self, reason: &str, record: impl Iterator<Item = Datum<'a>>) -> Row {
        let mut text = format!("{:?}", Row::pack(record));
        if text.len() > RECORD_BYTES_MAX {
            let cut = (0..=RECORD_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(cut);
            text.push('…');
        }
        Row::pack([Datum::Text(&self.model), Datum::Text(&self.expression), Datum::Text(reason), Datum::Text(&text)])
    }
}

/// Reads an error row back.
pub fn columns(row: RowRef<'_>) -> ErrorColumns<'_> {
    let mut texts = row.iter().map(|datum| match datum {
        Datum::Text(text) => text,
        _ => "",
    });
    let mut next = || texts.next().unwrap_or("");
    ErrorColumns { model: next(), expression: next(), reason: next(), record: next() }
}
