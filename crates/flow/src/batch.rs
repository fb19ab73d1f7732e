//! What comes in from outside: rows end to end in one piece of memory.
//!
//! A batch crosses from the thread that read it to the worker's. Its rows are read where they lie, by as many readers as there are, so
//! that no row is allocated on one thread and freed on another.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use row::{Diff, Row, RowRef};

/// Rows with their diffs.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each row ends, and its diff.
    updates: Vec<(usize, Diff)>,
}

impl Batch {
    pub fn with_capacity(rows: usize, bytes: usize) -> Batch {
        Batch { bytes: Vec::with_capacity(bytes), updates: Vec::with_capacity(rows) }
    }

    /// Packs updates.
    pub fn pack(updates: &[(Row, Diff)]) -> Batch {
        let bytes = updates.iter().map(|(row, _)| row.bytes().len()).sum();
        let mut batch = Batch::with_capacity(updates.len(), bytes);
        updates.iter().for_each(|(row, diff)| batch.push(row.as_ref(), *diff));
        batch
    }

    pub fn push(&mut self, row: RowRef<'_>, diff: Diff) {
        self.bytes.extend_from_slice(row.bytes());
        self.updates.push((self.bytes.len(), diff));
    }

    pub fn len(&self) -> usize {
        self.updates.len()
    }

    pub fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    /// The updates of a range.
    fn iter(&self, range: Range<usize>) -> impl Iterator<Item = (RowRef<'_>, Diff)> {
        let mut start = if range.start == 0 { 0 } else { self.updates[range.start - 1].0 };
        self.updates[range].iter().map(move |(end, diff)| {
            let row = RowRef::new(&self.bytes[start..*end]);
            start = *end;
            (row, *diff)
        })
    }
}

/// A part of a batch, added or taken away.
#[derive(Clone)]
pub(crate) struct Slice {
    batch: Rc<Batch>,
    range: Range<usize>,
    is_negated: bool,
}

impl Slice {
    /// A batch in parts of so many rows.
    pub fn parts(batch: Batch, rows: usize) -> impl Iterator<Item = Slice> {
        let total = batch.len();
        let batch = Rc::new(batch);
        (0..total).step_by(rows).map(move |start| Slice {
            batch: batch.clone(),
            range: start..total.min(start + rows),
            is_negated: false,
        })
    }

    pub fn negated(mut self, is_negated: bool) -> Slice {
        self.is_negated ^= is_negated;
        self
    }

    pub fn iter(&self) -> impl Iterator<Item = (RowRef<'_>, Diff)> {
        let sign = if self.is_negated { -1 } else { 1 };
        self.batch.iter(self.range.clone()).map(move |(row, diff)| (row, sign * diff))
    }
}

/// Slices that wait for their reader.
pub(crate) type SliceInbox = Rc<RefCell<Vec<Slice>>>;

#[cfg(test)]
mod tests {
    use row::Datum;

    use super::*;

    #[test]
    fn parts_of_a_batch_are_the_batch() {
        let updates: Vec<(Row, Diff)> = (0..10_i64)
            .map(|id| (Row::pack([Datum::Int(id), Datum::Text(&"x".repeat(id as usize))]), id - 5))
            .collect();
        for rows in [1, 3, 10, 11] {
            let parts: Vec<Slice> = Slice::parts(Batch::pack(&updates), rows).collect();
            let read = |parts: &[Slice]| -> Vec<(Row, Diff)> {
                parts
                    .iter()
                    .flat_map(|part| part.iter().map(|(row, diff)| (row.to_row(), diff)).collect::<Vec<_>>())
                    .collect()
            };
            assert_eq!(read(&parts), updates);
            let negated: Vec<Slice> = parts.into_iter().map(|part| part.negated(true)).collect();
            assert!(read(&negated).iter().zip(&updates).all(|(a, b)| a.0 == b.0 && a.1 == -b.1));
        }
        assert_eq!(Slice::parts(Batch::default(), 5).count(), 0);
    }
}
