//! Sorts the net change of one table into what a sink has to do.
//!
//! ```text
//!   key:     (7, 'a') -1, (7, 'b') +1  ──> update (7, 'b')        only + : insert        only - : delete
//!   no key:  row -2 ──> delete two copies of exactly that row     row +3 ──> insert three copies
//! ```
//!
//! 1. A key appears in at most one of insert, update and delete.
//! 2. Changes are sorted once, by their keys' bytes, which lie end to end.
//! 3. Keys, and the rows of deletes without a key, are compared normalised (1.0 = 1.00), as the sinks compare them.

use row::{Datum, Row, RowBuilder, RowRef};

use super::{SinkError, TableSpec, net};

/// Changes of a table with a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Keyed<'a> {
    pub inserts: Vec<&'a Row>,
    /// The new rows; the key finds the old ones.
    pub updates: Vec<&'a Row>,
    pub deletes: Vec<&'a Row>,
}

/// Changes of a multiset, with the number of copies.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Copies<'a> {
    pub inserts: Vec<(&'a Row, u64)>,
    pub deletes: Vec<(&'a Row, u64)>,
}

impl Copies<'_> {
    pub fn deleted(&self) -> u64 {
        self.deletes.iter().map(|(_, copies)| copies).sum()
    }
}

/// Takes consolidated changes. Two rows of one key on one side are refused: the key is not one.
pub(super) fn by_key<'a>(table: &TableSpec, key: &[usize], delta: &'a [(Row, i64)]) -> Result<Keyed<'a>, SinkError> {
    let (mut keys, mut builder, mut datums) = (Vec::new(), RowBuilder::default(), Vec::new());
    let mut sorted: Vec<OfKey<'_>> = Vec::with_capacity(delta.len());
    for (row, diff) in delta.iter().filter(|(_, diff)| *diff != 0) {
        datums.clear();
        row.unpack_into(&mut datums);
        builder.clear();
        key.iter().for_each(|column| push_normalized(&mut builder, &datums[*column]));
        let from = keys.len();
        keys.extend_from_slice(builder.as_ref().bytes());
        sorted.push(OfKey { head: net::head(&keys[from..]), key: (from, keys.len()), diff: *diff, row });
    }
    let key_of = |change: &OfKey<'_>| &keys[change.key.0..change.key.1];
    sorted.sort_unstable_by(|a, b| {
        a.head.cmp(&b.head).then_with(|| key_of(a).cmp(key_of(b))).then_with(|| a.diff.cmp(&b.diff))
    });

    let mut changes = Keyed::default();
    for group in sorted.chunk_by(|a, b| a.head == b.head && key_of(a) == key_of(b)) {
        match group {
            [OfKey { diff: 1, row, .. }] => changes.inserts.push(row),
            [OfKey { diff: -1, row, .. }] => changes.deletes.push(row),
            [OfKey { diff: -1, .. }, OfKey { diff: 1, row, .. }] => changes.updates.push(row),
            _ => {
                let names: Vec<_> = key.iter().map(|column| table.columns[*column].name.as_str()).collect();
                return Err(SinkError::refused(
                    format!(
                        "the key ({}) of {} is not unique: one change holds {} row versions of the key {:?}",
                        names.join(", "),
                        table.model,
                        group.len(),
                        RowRef::new(key_of(&group[0]))
                    ),
                    "this is a fault of livemart's key inference; please report the model's SQL",
                ));
            }
        }
    }
    Ok(changes)
}

/// A change with its normalised key, which lies among those of all changes.
struct OfKey<'a> {
    head: u64,
    key: (usize, usize),
    diff: i64,
    row: &'a Row,
}

/// Takes consolidated changes.
pub(super) fn by_copies(delta: &[(Row, i64)]) -> Copies<'_> {
    let mut changes = Copies::default();
    let mut deletes: Vec<(Row, u64, &Row)> = Vec::new();
    let mut builder = RowBuilder::default();
    for (row, diff) in delta {
        match diff {
            0 => {}
            1.. => changes.inserts.push((row, diff.unsigned_abs())),
            _ => {
                row.iter().for_each(|datum| push_normalized(&mut builder, &datum));
                deletes.push((builder.finish(), diff.unsigned_abs(), row));
            }
        }
    }
    deletes.sort_by(|a, b| a.0.cmp(&b.0));
    for group in deletes.chunk_by(|a, b| a.0 == b.0) {
        changes.deletes.push((group[0].2, group.iter().map(|(_, copies, _)| copies).sum()));
    }
    changes
}

/// Appends the form by which sinks compare a value; also inside an array.
fn push_normalized(builder: &mut RowBuilder, datum: &Datum<'_>) {
    match datum {
        Datum::Array(elements) => {
            let mut inside = RowBuilder::default();
            elements.iter().for_each(|element| push_normalized(&mut inside, &element));
            builder.push(&Datum::Array(inside.as_ref()));
        }
        other => builder.push(&other.clone().normalized()),
    }
}

#[cfg(test)]
#[path = "delta_tests.rs"]
mod tests;
