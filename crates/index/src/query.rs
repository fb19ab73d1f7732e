//! Looking things up: ranks, sums and greatest marks of ranges, walks.

use row::RowRef;
use smallvec::SmallVec;

use crate::leaf::Leaf;
use crate::node::{Body, Node};
use crate::sums::{GROUPS, Lanes, OWN, ROWS};
use crate::target::{Target, head};
use crate::{Entry, Index};

impl Index {
    /// Rows before (the first copy of) a row, whether or not it is there.
    pub fn rank(&self, key: &[u8], row: RowRef<'_>) -> i64 {
        self.rows_before(&Target::row(key, row))
    }

    /// Rows up to and with (the copies of) a row, whether or not it is there.
    pub fn rank_after(&self, key: &[u8], row: RowRef<'_>) -> i64 {
        self.rows_before(&Target::after_row(key, row))
    }

    /// Rows whose key is less.
    pub fn rank_of_key(&self, key: &[u8]) -> i64 {
        self.rows_before(&Target::before(key))
    }

    /// Rows whose key is not greater.
    pub fn rank_after_key(&self, key: &[u8]) -> i64 {
        self.rows_before(&Target::after(key))
    }

    fn rows_before(&self, target: &Target<'_>) -> i64 {
        self.search(target).0
    }

    /// The rank of a row and its copies.
    pub(crate) fn find(&self, key: &[u8], row: RowRef<'_>) -> (i64, i64) {
        self.search(&Target::row(key, row))
    }

    /// Rows before a target, and its copies where it is a row that is there.
    fn search(&self, target: &Target<'_>) -> (i64, i64) {
        self.leaf_of(target).search(target)
    }

    /// The leaf in which a target lies or would be put.
    fn leaf_of(&self, target: &Target<'_>) -> LeafAt<'_> {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match &node.body {
                Body::Inner(inner) => {
                    let child = inner.child_of(target);
                    rank += node.sums.rows_among_first(child);
                    node = &inner.children[child];
                }
                Body::Leaf(leaf) => return LeafAt { node, leaf, rank },
            }
        }
    }

    /// Looks rows up that come in order.
    pub fn finder(&self) -> Finder<'_> {
        Finder { index: self, last: None }
    }

    /// The row of a rank.
    pub fn at(&self, rank: i64) -> Option<Entry<'_>> {
        self.iter_from(rank).next()
    }

    /// Walks entries in order, from the one that holds the row of this rank on.
    pub fn iter_from(&self, rank: i64) -> Iter<'_> {
        let mut iter = Iter { above: SmallVec::new(), leaf: None, slot: 0, rank: 0 };
        if rank < 0 || rank >= self.len() {
            return iter;
        }
        let mut node = &self.root;
        loop {
            let (child, before) = child_at(node, rank - iter.rank);
            iter.rank += before;
            match &node.body {
                Body::Inner(inner) => {
                    iter.above.push((node, child));
                    node = &inner.children[child];
                }
                Body::Leaf(leaf) => {
                    iter.leaf = Some((node, leaf));
                    iter.slot = child;
                    return iter;
                }
            }
        }
    }

    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(0)
    }

    /// How many groups of peers begin among the first `rows` rows: of the row of rank `rows - 1`, its dense rank.
    pub fn groups_among_first(&self, rows: i64) -> i64 {
        self.first(rows)[GROUPS]
    }

    /// The lanes of the first `rows` rows; all rows if there are fewer.
    pub fn sum_of_first(&self, rows: i64) -> Lanes {
        let mut lanes = self.first(rows);
        lanes.drain(..OWN);
        lanes
    }

    /// The lanes of the rows of ranks `from..to`.
    pub fn sum(&self, from: i64, to: i64) -> Lanes {
        let mut lanes = self.sum_of_first(to.max(from));
        if from > 0 {
            let before = self.sum_of_first(from);
            lanes.iter_mut().zip(before).for_each(|(lane, before)| *lane -= before);
        }
        lanes
    }

    /// The lanes of all rows.
    pub fn total(&self) -> Lanes {
        let mut lanes = self.root.sums.totals();
        lanes.drain(..OWN);
        lanes
    }

    fn first(&self, rows: i64) -> Lanes {
        let mut lanes = Lanes::from_slice(&[0; OWN]);
        let mut left = rows.min(self.len());
        let mut node = &self.root;
        while left > 0 {
            let (child, before) = child_at(node, left - 1);
            node.sums.add_first(child, &mut lanes);
            left -= before;
            match &node.body {
                Body::Inner(inner) => node = &inner.children[child],
                Body::Leaf(_) => {
                    add_copies(node.sums.row(child), left, &mut lanes);
                    break;
                }
            }
        }
        lanes
    }

    /// The greatest mark among the rows of ranks `from..to`.
    pub fn greatest(&self, mark: usize, from: i64, to: i64) -> Option<&[u8]> {
        let to = to.min(self.len());
        if from < to && mark < self.root.marks.width() { greatest(&self.root, mark, from.max(0), to) } else { None }
    }

    /// The most rows that can be taken from the front so that `keeps` holds for their number and lanes.
    ///
    /// `keeps` holds for no rows, and once it fails it fails for more rows too.
    pub fn longest_prefix(&self, mut keeps: impl FnMut(i64, &[i64]) -> bool) -> i64 {
        let mut taken = Lanes::from_slice(&[0; OWN]);
        let mut holds = |lanes: &Lanes| keeps(lanes[ROWS], &lanes[OWN..]);
        let mut node = &self.root;
        loop {
            let with = |children: usize| {
                let mut lanes = taken.clone();
                node.sums.add_first(children, &mut lanes);
                lanes
            };
            // The most children that can be taken whole.
            let (mut low, mut high) = (0, node.sums.len());
            while low < high {
                let middle = (low + high).div_ceil(2);
                if holds(&with(middle)) { low = middle } else { high = middle - 1 }
            }
            let all = low == node.sums.len();
            taken = with(low);
            match &node.body {
                _ if all => return taken[ROWS],
                Body::Inner(inner) => node = &inner.children[low],
                Body::Leaf(_) => {
                    let row = node.sums.row(low);
                    let with = |copies| {
                        let mut lanes = taken.clone();
                        add_copies(row, copies, &mut lanes);
                        lanes
                    };
                    let (mut low, mut high) = (0, row[ROWS] - 1);
                    while low < high {
                        let middle = low + (high - low + 1) / 2;
                        if holds(&with(middle)) { low = middle } else { high = middle - 1 }
                    }
                    return taken[ROWS] + low;
                }
            }
        }
    }
}

/// The child (or slot) that holds the row of a rank inside the node, and the rows before that child. The rank is below the
/// node's rows.
fn child_at(node: &Node, rank: i64) -> (usize, i64) {
    let mut before = 0;
    for child in 0..node.sums.len() {
        let rows = node.sums.row(child)[ROWS];
        if rank < before + rows {
            return (child, before);
        }
        before += rows;
    }
    unreachable!("the rank lies in the node")
}

/// Adds some copies of an entry whose sums are of all its copies.
fn add_copies(row: &[i64], copies: i64, lanes: &mut Lanes) {
    if copies == 0 {
        return;
    }
    if lanes.len() < row.len() {
        lanes.resize(row.len(), 0);
    }
    lanes[ROWS] += copies;
    lanes[GROUPS] += row[GROUPS];
    lanes[OWN..].iter_mut().zip(&row[OWN..]).for_each(|(lane, all)| *lane += all / row[ROWS] * copies);
}

fn greatest(node: &Node, mark: usize, from: i64, to: i64) -> Option<&[u8]> {
    let (mut before, mut found) = (0, None);
    for child in 0..node.sums.len() {
        let rows = node.sums.row(child)[ROWS];
        let (start, end) = (before, before + rows);
        before = end;
        if end <= from || start >= to {
            continue;
        }
        let is_whole = from <= start && end <= to;
        let here = match &node.body {
            Body::Inner(inner) if !is_whole => {
                greatest(&inner.children[child], mark, (from - start).max(0), (to - start).min(rows))
            }
            _ => node.marks.get(child, mark),
        };
        found = found.max(here);
    }
    found
}

/// A leaf, and the rows before it.
#[derive(Clone, Copy)]
struct LeafAt<'a> {
    node: &'a Node,
    leaf: &'a Leaf,
    rank: i64,
}

impl LeafAt<'_> {
    fn search(&self, target: &Target<'_>) -> (i64, i64) {
        let (slot, found) = self.leaf.search(target);
        let copies = if found { self.node.sums.row(slot)[ROWS] } else { 0 };
        (self.rank + self.node.sums.rows_among_first(slot), copies)
    }

    /// Whether a target lies among the leaf's entries.
    fn surrounds(&self, target: &Target<'_>) -> bool {
        let Some(last) = self.leaf.len().checked_sub(1) else { return false };
        let stands = |slot: usize| {
            let (key, row) = self.leaf.entry(slot);
            target.compare_with_head(head(key), key, row)
        };
        stands(last).is_ge() && stands(0).is_le()
    }
}

/// Finds rows one after the other: one that lies beside the last is found without a walk from the root.
pub struct Finder<'a> {
    index: &'a Index,
    last: Option<LeafAt<'a>>,
}

impl Finder<'_> {
    /// The rank of a row, whether or not it is there, and its copies.
    pub fn find(&mut self, key: &[u8], row: RowRef<'_>) -> (i64, i64) {
        let target = Target::row(key, row);
        let leaf = match self.last {
            Some(leaf) if leaf.surrounds(&target) => leaf,
            _ => self.index.leaf_of(&target),
        };
        self.last = Some(leaf);
        leaf.search(&target)
    }
}

/// Entries in order.
pub struct Iter<'a> {
    /// The inner nodes above the leaf, each with the child that was taken.
    above: SmallVec<[(&'a Node, usize); 8]>,
    leaf: Option<(&'a Node, &'a Leaf)>,
    slot: usize,
    /// Rows before the slot.
    rank: i64,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        let (node, leaf) = self.leaf?;
        let (key, row) = leaf.entry(self.slot);
        let sums = node.sums.row(self.slot);
        let entry =
            Entry { key, row, copies: sums[ROWS], rank: self.rank, is_first_peer: sums[GROUPS] == 1, lanes: sums };
        self.rank += entry.copies;
        self.slot += 1;
        if self.slot == leaf.len() {
            self.slot = 0;
            self.leaf = self.next_leaf();
        }
        Some(entry)
    }
}

impl<'a> Iter<'a> {
    /// The rank of the next entry's first row.
    pub fn rank(&self) -> i64 {
        self.rank
    }

    /// Goes to the entry that holds the row of a rank; a few entries on, it is reached without a walk from the root.
    pub fn seek(&mut self, index: &'a Index, rank: i64) {
        if let Some((node, leaf)) = self.leaf
            && self.rank <= rank
        {
            while self.slot < leaf.len() {
                let copies = node.sums.row(self.slot)[ROWS];
                if rank < self.rank + copies {
                    return;
                }
                self.rank += copies;
                self.slot += 1;
            }
        }
        *self = index.iter_from(rank);
    }

    fn next_leaf(&mut self) -> Option<(&'a Node, &'a Leaf)> {
        while let Some((node, child)) = self.above.pop() {
            let Body::Inner(inner) = &node.body else { unreachable!("inner nodes are above leaves") };
            let Some(mut below) = inner.children.get(child + 1) else { continue };
            self.above.push((node, child + 1));
            loop {
                match &below.body {
                    Body::Leaf(leaf) => return Some((below, leaf)),
                    Body::Inner(inner) => {
                        self.above.push((below, 0));
                        below = &inner.children[0];
                    }
                }
            }
        }
        None
    }
}
