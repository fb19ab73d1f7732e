//! Columns that nobody reads: kept for a model that comes later, and not shown until then.
//!
//! A value of such a column that cannot be decoded does not set its record aside: nobody misses it. Its place is taken by an
//! unread value, which holds the reason and the text as it came. When a model comes to read the column, the row is set aside then.

use row::{Datum, Row, RowBuilder, RowRef};

use super::TableSpec;

/// Which columns of a table the dataflow sees.
#[derive(Clone, Debug)]
pub struct Shown {
    columns: Vec<bool>,
    all: bool,
}

impl Shown {
    pub fn new(spec: &TableSpec) -> Shown {
        let is_key = |column: usize| spec.key.as_ref().is_some_and(|key| key.contains(&column));
        let is_demanded = |column: usize| spec.demanded.get(column).copied().unwrap_or(true);
        let columns: Vec<bool> = (0..spec.columns.len()).map(|at| is_demanded(at) || is_key(at)).collect();
        // Where undemanded columns are not kept they are NULL already.
        let all = !spec.keeps_all || columns.iter().all(|is_shown| *is_shown);
        Shown { columns, all }
    }

    pub fn shows(&self, column: usize) -> bool {
        self.columns.get(column).copied().unwrap_or(true)
    }

    /// The row with NULL in place of what is not shown.
    #[inline]
    pub fn row(&self, bytes: &[u8]) -> Row {
        if self.all {
            return Row::from_bytes(bytes);
        }
        let mut builder = RowBuilder::default();
        let mut values = RowRef::new(bytes).iter();
        for is_shown in &self.columns {
            let before = values.rest();
            if !values.skip_one() {
                break;
            }
            match is_shown {
                true => builder.push_row(RowRef::new(&before[..before.len() - values.rest().len()])),
                false => builder.push(&Datum::Null),
            }
        }
        builder.finish()
    }

    /// The same of a row that is not needed otherwise.
    #[inline]
    pub fn of(&self, row: Row) -> Row {
        if self.all { row } else { self.row(row.bytes()) }
    }

    /// The first shown column whose value is unread: (column, reason, text).
    pub fn unread<'a>(&self, bytes: &'a [u8]) -> Option<(usize, &'a str, &'a str)> {
        let values = RowRef::new(bytes).iter().enumerate().filter(|(column, _)| self.shows(*column));
        let mut unread = values.filter_map(|(column, value)| Some((column, as_unread(&value)?)));
        unread.next().map(|(column, (reason, text))| (column, reason, text))
    }
}

/// Appends an unread value: an array of unlike elements, which no column's type allows.
pub fn push(builder: &mut RowBuilder, reason: &str, text: &str) {
    let value = Row::pack([Datum::Bool(true), Datum::Text(reason), Datum::Text(text)]);
    builder.push(&Datum::Array(value.as_ref()));
}

fn as_unread<'a>(value: &Datum<'a>) -> Option<(&'a str, &'a str)> {
    let Datum::Array(elements) = value else { return None };
    let mut elements = elements.iter();
    match (elements.next(), elements.next(), elements.next(), elements.next()) {
        (Some(Datum::Bool(true)), Some(Datum::Text(reason)), Some(Datum::Text(text)), None) => Some((reason, text)),
        _ => None,
    }
}
