//! Changed keys whose halves lie in different partitions: the delete of the old one and the row under the new one.
//!
//! ```text
//!   partition 0:  insert 9 (was 1), its note left out ──> waits ────────────┐
//!   partition 1:  delete 1 ──> the row that left, with its note ────────────┴──> 9 with its note
//! ```
//!
//! 1. Either half may be read first. Both have the same sequence, that of their transaction, so an earlier life of the old key does
//!    not count.
//! 2. What comes for the new key in the meantime and lacks the same value waits behind it; what is complete, or deletes it, ends
//!    the waiting.
//! 3. Both lists are bounded: beyond `BYTES_MAX` the oldest are forgotten, and a row that has waited stays set aside. Nothing of this
//!    outlives the process; where transactions are kept whole nothing waits at the end of an epoch.

use std::collections::VecDeque;

use row::Row;

use super::versions::Rank;

const BYTES_MAX: usize = 4 << 20;

/// A row without the values that were left out of it.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub key: Row,
    pub row: Row,
    /// Columns whose values were left out.
    pub kept: Vec<usize>,
    pub moved_from: Option<Row>,
    pub rank: Rank,
}

#[derive(Debug, Default)]
pub struct Halves {
    /// (key, row, sequence) of what left its key.
    left: VecDeque<(Row, Row, i64)>,
    left_bytes: usize,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
}

impl Halves {
    /// A row is deleted under its key, to come again under another one.
    pub fn leave(&mut self, key: Row, row: Row, sequence: i64) {
        self.left_bytes += key.bytes().len() + row.bytes().len();
        self.left.push_back((key, row, sequence));
        while self.left_bytes > BYTES_MAX
            && let Some((key, row, _)) = self.left.pop_front()
        {
            self.left_bytes -= key.bytes().len() + row.bytes().len();
        }
    }

    /// The row that left a key in a transaction of that sequence.
    pub fn left(&self, key: &Row, sequence: i64) -> Option<&Row> {
        self.left.iter().rev().find(|(left, _, at)| left == key && *at == sequence).map(|(_, row, _)| row)
    }

    /// A row that lacks values waits: for the delete of its old key, or behind one that does.
    pub fn wait(&mut self, row: Waiting) {
        let is_behind = |other: &Waiting| other.key == row.key && other.rank.partition == row.rank.partition;
        if row.moved_from.is_none() && !self.waiting.iter().any(is_behind) {
            return;
        }
        self.waiting_bytes += row.bytes();
        self.waiting.push_back(row);
        while self.waiting_bytes > BYTES_MAX
            && let Some(row) = self.waiting.pop_front()
        {
            self.waiting_bytes -= row.bytes();
        }
    }

    /// What waited for this delete, and what came behind it, in its order.
    pub fn take(&mut self, old_key: &Row, sequence: i64) -> Vec<Waiting> {
        let is_of = |row: &&Waiting| row.moved_from.as_ref() == Some(old_key) && row.rank.sequence == sequence;
        let Some(first) = self.waiting.iter().find(is_of) else { return Vec::new() };
        let (key, partition) = (first.key.clone(), first.rank.partition);
        self.remove(&key, partition)
    }

    /// Something complete has come for a key.
    pub fn forget(&mut self, key: &Row, partition: u32) {
        if !self.waiting.is_empty() {
            self.remove(key, partition);
        }
    }

    fn remove(&mut self, key: &Row, partition: u32) -> Vec<Waiting> {
        let is_it = |row: &Waiting| row.key == *key && row.rank.partition == partition;
        let (taken, left): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(is_it);
        self.waiting = left.into();
        self.waiting_bytes = self.waiting.iter().map(Waiting::bytes).sum();
        taken
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.key.bytes().len() + self.row.bytes().len()
    }
}
