//! A small multiset of rows in one piece of memory: what a keyed operator holds of one key.

use std::collections::BTreeMap;

use row::{Diff, Row, RowRef};
use smallvec::SmallVec;

use crate::graph::StateSize;

/// Packed rows longer than this all together are held in a tree: finding one among them must not cost their number.
const PACKED_BYTES_MAX: usize = 512;

/// About what a row takes in a tree besides its own heap: row, count and its share of half empty nodes.
const TREE_ROW_BYTES: usize = 60;

/// Rows with their counts, none of them zero.
///
/// Packed: count (zigzag, LEB128), length (LEB128) and bytes of a row after the other. Few short rows take no allocation.
#[derive(Clone, Debug)]
pub enum Bag {
    Packed(SmallVec<[u8; 24]>),
    Tree(BTreeMap<Row, Diff>),
}

impl Default for Bag {
    fn default() -> Bag {
        Bag::Packed(SmallVec::new())
    }
}

impl Bag {
    pub fn is_empty(&self) -> bool {
        match self {
            Bag::Packed(bytes) => bytes.is_empty(),
            Bag::Tree(rows) => rows.is_empty(),
        }
    }

    /// Adds to a row's count.
    pub fn add(&mut self, row: RowRef<'_>, diff: Diff) {
        match self {
            Bag::Packed(bytes) => {
                if let Some((start, end, count)) = find(bytes, row) {
                    bytes.drain(start..end);
                    if count + diff != 0 {
                        push(bytes, row, count + diff);
                    }
                } else if diff != 0 {
                    push(bytes, row, diff);
                }
                if bytes.len() > PACKED_BYTES_MAX {
                    *self = Bag::Tree(self.iter().map(|(row, diff)| (row.to_row(), diff)).collect());
                }
            }
            Bag::Tree(rows) => {
                let count = rows.entry(row.to_row()).or_default();
                *count += diff;
                if *count == 0 {
                    rows.remove(&row.to_row());
                }
                if rows.is_empty() {
                    *self = Bag::default();
                }
            }
        }
    }

    /// How many different rows there are.
    pub fn len(&self) -> usize {
        match self {
            Bag::Packed(_) => self.iter().count(),
            Bag::Tree(rows) => rows.len(),
        }
    }

    /// A row's count.
    pub fn count(&self, row: RowRef<'_>) -> Diff {
        match self {
            Bag::Packed(bytes) => find(bytes, row).map_or(0, |(_, _, count)| count),
            Bag::Tree(rows) => rows.get(&row.to_row()).copied().unwrap_or(0),
        }
    }

    /// Whether nothing was there before these changes, each row named once, which are in the bag already.
    pub fn was_empty<'a>(&self, changes: impl Iterator<Item = (RowRef<'a>, Diff)>) -> bool {
        // Rows that were there: those of now, less those that came, and those that went.
        let mut there = self.len() as i64;
        for (row, diff) in changes {
            match self.count(row) {
                0 => there += 1,
                count if count == diff => there -= 1,
                _ => {}
            }
        }
        there == 0
    }

    /// Its rows, and what they take outside of the bag itself.
    pub fn size(&self) -> StateSize {
        match self {
            Bag::Packed(bytes) => {
                StateSize { rows: self.len(), bytes: if bytes.spilled() { bytes.capacity() } else { 0 } }
            }
            Bag::Tree(rows) => {
                let bytes = rows.keys().map(|row| TREE_ROW_BYTES + row.heap_bytes()).sum();
                StateSize { rows: rows.len(), bytes }
            }
        }
    }

    /// The rows, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (RowRef<'_>, Diff)> {
        let (mut packed, tree): (&[u8], _) = match self {
            Bag::Packed(bytes) => (bytes, None),
            Bag::Tree(rows) => (&[], Some(rows.iter())),
        };
        let packed = std::iter::from_fn(move || {
            if packed.is_empty() {
                return None;
            }
            let (row, count, rest) = first(packed);
            packed = rest;
            Some((row, count))
        });
        packed.chain(tree.into_iter().flatten().map(|(row, diff)| (row.as_ref(), *diff)))
    }
}

/// Where a row lies, and its count.
fn find(bytes: &[u8], row: RowRef<'_>) -> Option<(usize, usize, Diff)> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let start = bytes.len() - rest.len();
        let (other, count, after) = first(rest);
        if other == row {
            return Some((start, bytes.len() - after.len(), count));
        }
        rest = after;
    }
    None
}

fn first(bytes: &[u8]) -> (RowRef<'_>, Diff, &[u8]) {
    let (count, bytes) = read(bytes);
    let (length, bytes) = read(bytes);
    let (row, rest) = bytes.split_at(length as usize);
    (RowRef::new(row), (count >> 1) as i64 ^ -((count & 1) as i64), rest)
}

#[inline]
fn read(bytes: &[u8]) -> (u64, &[u8]) {
    if bytes[0] < 0x80 {
        return (u64::from(bytes[0]), &bytes[1..]);
    }
    let (mut value, mut at) = (0, 0);
    loop {
        value |= u64::from(bytes[at] & 0x7F) << (7 * at);
        if bytes[at] < 0x80 {
            return (value, &bytes[at + 1..]);
        }
        at += 1;
    }
}

fn push(bytes: &mut SmallVec<[u8; 24]>, row: RowRef<'_>, count: Diff) {
    write(bytes, ((count << 1) ^ (count >> 63)) as u64);
    write(bytes, row.bytes().len() as u64);
    bytes.extend_from_slice(row.bytes());
}

#[inline]
fn write(bytes: &mut SmallVec<[u8; 24]>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use row::Datum;

    use super::*;

    #[test]
    fn a_bag_is_a_multiset_however_large() {
        let mut bag = Bag::default();
        let mut model: BTreeMap<Row, Diff> = BTreeMap::new();
        let mut seed = 7_u64;
        for step in 0..20_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let range = if step % 4_000 < 2_000 { 300 } else { 3 };
            let (value, diff) = ((seed >> 33) as i64 % range, (seed >> 60) as i64 % 5 - 2);
            let text = "x".repeat((value % 200) as usize);
            let row = Row::pack([Datum::Int(value), Datum::Text(&text)]);
            bag.add(row.as_ref(), diff);
            *model.entry(row).or_default() += diff;
            model.retain(|_, diff| *diff != 0);
            if step % 500 == 0 {
                let held: BTreeMap<Row, Diff> = bag.iter().map(|(row, diff)| (row.to_row(), diff)).collect();
                assert_eq!(held, model);
            }
        }
        for (row, diff) in model {
            bag.add(row.as_ref(), -diff);
        }
        assert!(bag.is_empty());
    }
}
