//! An ordered index that bears copies taken away before they came.
//!
//! What an epoch brings to a key is net, but an input may hold a row less than no times for a while. Such debts are remembered beside
//! the index, and are no members.

use std::collections::BTreeMap;

use flow::StateSize;
use index::{Index, Weight};
use row::{Diff, Row, RowRef};

/// Rows in the order of their keys.
#[derive(Default)]
pub struct Multiset {
    index: Index,
    owed: Option<Box<Owed>>,
}

type Owed = BTreeMap<(Vec<u8>, Row), Diff>;

impl Multiset {
    /// The members, for looking things up.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What it holds.
    pub fn size(&self) -> StateSize {
        StateSize { rows: self.index.len() as usize, bytes: self.index.heap_bytes() }
    }

    /// Whether nothing is there and nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty() && self.owed.is_none()
    }

    /// Adds copies of a row, or takes some away; gives how many there were and are.
    pub fn update(&mut self, key: &[u8], row: RowRef<'_>, diff: Diff) -> (Diff, Diff) {
        let diff = if self.owed.is_some() { self.settle(key, row, diff) } else { diff };
        let before = if diff > 0 { 0 } else { self.index.copies(key, row) };
        if diff < -before {
            let owed = self.owed.get_or_insert_default();
            *owed.entry((key.to_vec(), row.to_row())).or_default() += -diff - before;
            if before > 0 {
                self.index.change(key, row, -before, Weight::default());
            }
            return (before, 0);
        }
        let after = self.index.change(key, row, diff, Weight::default());
        (after - diff, after)
    }

    /// What is left of a change when it has met what is owed.
    fn settle(&mut self, key: &[u8], row: RowRef<'_>, diff: Diff) -> Diff {
        let Some(owed) = &mut self.owed else { return diff };
        let place = (key.to_vec(), row.to_row());
        let Some(copies) = owed.get_mut(&place).filter(|_| diff > 0) else { return diff };
        let paid = diff.min(*copies);
        *copies -= paid;
        if *copies == 0 {
            owed.remove(&place);
        }
        if owed.is_empty() {
            self.owed = None;
        }
        diff - paid
    }
}
