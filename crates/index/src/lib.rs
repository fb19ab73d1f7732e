//! An ordered multiset of rows that knows ranks, peers and sums of every range: what windows, percentiles and ordered
//! aggregates look things up in.
//!
//! ```text
//!                    ┌ sums of each child: rows, peer groups, lanes; greatest marks ┐
//!   inner node       │  [120 rows, 17 groups, 930 cents]  [88, 9, 412]  …           │     at most 64 children
//!                    └───────┬───────────────────────────────┬──────────────────────┘
//!   leaf     key│row key│row key│row …  (bytes end to end)  …                              at most 64 entries
//! ```
//!
//! 1. Entries are in the order of their keys (`memcmp`, see `row::push_order_key`) and, where keys are equal, of their rows' columns.
//!    Entries with equal keys are **peers**. Equal rows of equal keys are one entry with as many **copies**.
//! 2. A **rank** is a number of rows before: the first row has rank 0, and copies have ranks of their own.
//! 3. Every operation is O(log n): a tree of wide nodes, whose nodes keep the sums of their children.
//! 4. An index of a few rows is one small leaf. An entry costs 8 bytes beside its key and row, 16 for its own counts, 8 per lane.

mod leaf;
mod node;
mod path;
mod query;
mod sums;
mod target;

#[cfg(test)]
mod index_tests;

use row::RowRef;
use smallvec::SmallVec;

pub use query::{Finder, Iter};
pub use sums::Lanes;
pub use target::compare_rows;

use node::Node;
use path::Path;
use sums::{GROUPS, OWN, ROWS};
use target::Target;

/// An ordered multiset of (key, row) with sums.
#[derive(Default)]
pub struct Index {
    root: Node,
}

/// What one copy of a row adds to the sums of every range that holds it.
///
/// Lanes are numbers that add up; an index whose rows give different numbers of lanes takes the missing ones as zero. Marks are
/// bytes of which a range knows the greatest; all rows of an index give the same number of them.
#[derive(Clone, Copy, Default)]
pub struct Weight<'a> {
    pub lanes: &'a [i64],
    pub marks: &'a [Option<&'a [u8]>],
}

/// One entry as it lies in the index.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub key: &'a [u8],
    pub row: RowRef<'a>,
    pub copies: i64,
    /// Rows before the first copy.
    pub rank: i64,
    /// No entry before has this key.
    pub is_first_peer: bool,
    lanes: &'a [i64],
}

impl Entry<'_> {
    /// What all copies together add to lane `lane`.
    pub fn lane(&self, lane: usize) -> i64 {
        self.lanes.get(OWN + lane).copied().unwrap_or(0)
    }

    /// What all copies together add to the lanes; may be cut short where only zeros follow.
    pub fn lanes(&self) -> &[i64] {
        self.lanes.get(OWN..).unwrap_or(&[])
    }
}

impl Index {
    pub fn new() -> Index {
        Index::default()
    }

    /// Rows, copies counted.
    pub fn len(&self) -> i64 {
        self.root.sums.total(ROWS)
    }

    /// Memory that it has allocated. Looks at every node.
    pub fn heap_bytes(&self) -> usize {
        self.root.heap_bytes()
    }

    pub fn is_empty(&self) -> bool {
        self.root.sums.is_empty()
    }

    /// Groups of peers: distinct keys.
    pub fn peer_groups(&self) -> i64 {
        self.root.sums.total(GROUPS)
    }

    /// Copies of a row.
    pub fn copies(&self, key: &[u8], row: RowRef<'_>) -> i64 {
        let path = self.root.locate(&Target::row(key, row));
        if path.found { self.root.leaf_at(&path).sums.row(path.slot)[ROWS] } else { 0 }
    }

    /// The ranks of a row's copies, from the first to the one after the last.
    pub fn ranks(&self, key: &[u8], row: RowRef<'_>) -> (i64, i64) {
        let (rank, copies) = self.find(key, row);
        (rank, rank + copies)
    }

    /// Adds `diff` copies of a row (takes them away where negative), each of which weighs `weight`; gives the copies that are left.
    ///
    /// Panics when more copies are taken away than there are: the caller keeps those that come too early. A row's weight is
    /// the same each time.
    pub fn change(&mut self, key: &[u8], row: RowRef<'_>, diff: i64, weight: Weight<'_>) -> i64 {
        if diff == 0 {
            return self.copies(key, row);
        }
        let path = self.root.locate(&Target::row(key, row));
        let mut delta: SmallVec<[i64; 16]> = smallvec::smallvec![diff, 0];
        delta.extend(weight.lanes.iter().map(|lane| lane * diff));
        if !path.found {
            assert!(diff > 0, "more copies taken away than there are");
            if !self.has_peer_before(&path, key) {
                delta[GROUPS] = 1;
                self.mark_first(&path, false, key, -1);
            }
            self.insert(&path, key, row, &delta, weight.marks);
            return diff;
        }
        let sums = self.root.leaf_at(&path).sums.row(path.slot);
        let (copies, is_first) = (sums[ROWS] + diff, sums[GROUPS] == 1);
        assert!(copies >= 0, "more copies taken away than there are");
        if copies > 0 {
            self.root.add(&path.steps, path.slot, &delta);
            return copies;
        }
        if is_first {
            delta[GROUPS] = -1;
            self.mark_first(&path, true, key, 1);
        }
        self.root.remove(&path.steps, path.slot, &delta);
        self.root.shrink();
        0
    }

    fn insert(&mut self, path: &Path, key: &[u8], row: RowRef<'_>, delta: &[i64], marks: &[Option<&[u8]>]) {
        if let Some((bound, right)) = self.root.insert(&path.steps, path.slot, key, row, delta, marks) {
            let left = std::mem::take(&mut self.root);
            self.root = Node::over(left, bound, right);
        }
    }

    /// Whether the entry before a place has this key.
    fn has_peer_before(&self, path: &Path, key: &[u8]) -> bool {
        match path.slot.checked_sub(1) {
            Some(slot) => self.root.key_in_leaf(path, slot) == key,
            None => self.before(path).is_some_and(|at| self.root.key_in_leaf(&at, at.slot) == key),
        }
    }

    /// The entry after the one that left or came becomes (or is no longer) the first of its peers, if it is a peer.
    fn mark_first(&mut self, path: &Path, holds_entry: bool, key: &[u8], change: i64) {
        let slot = path.slot + usize::from(holds_entry);
        if slot < self.root.leaf_at(path).sums.len() {
            // Nearly always its neighbour in the leaf.
            if self.root.key_in_leaf(path, slot) == key {
                self.root.add(&path.steps, slot, &[0, change]);
            }
        } else if let Some(at) = self.after(path, holds_entry)
            && self.root.key_in_leaf(&at, at.slot) == key
        {
            self.root.add(&at.steps, at.slot, &[0, change]);
        }
    }
}
