//! Half-open intervals of byte strings, asked for those that hold a point.
//!
//! ```text
//!   ordered by (low, high, row); each node knows the greatest high below it
//!
//!   holding p:   a subtree whose greatest high is not above p has none; a node whose low is above p has none to its right
//! ```
//!
//! A treap: insertion and removal take O(log n), a question O(log n) for each interval that it finds, and where all intervals
//! share their low (a single inequality) O(log n) and the number found. Depth is logarithmic whatever the order of insertions.

use std::cmp::Ordering;

use row::Row;

/// A place in the arena; `NONE` is no node.
type At = u32;
const NONE: At = u32::MAX;

struct Node<E> {
    low: Row,
    high: Row,
    row: Row,
    entry: E,
    priority: u64,
    left: At,
    right: At,
    /// The node with the greatest high among this one and those below it.
    greatest: At,
}

/// Intervals `[low, high)`, each with a row and an entry; (low, high, row) is the identity.
pub struct IntervalTree<E> {
    nodes: Vec<Option<Node<E>>>,
    free: Vec<At>,
    root: At,
    /// State of the priorities' generator (splitmix64).
    seed: u64,
}

impl<E> Default for IntervalTree<E> {
    fn default() -> IntervalTree<E> {
        IntervalTree { nodes: Vec::new(), free: Vec::new(), root: NONE, seed: 0 }
    }
}

impl<E> IntervalTree<E> {
    pub fn is_empty(&self) -> bool {
        self.root == NONE
    }

    fn node(&self, at: At) -> &Node<E> {
        self.nodes[at as usize].as_ref().expect("links lead to nodes")
    }

    fn node_mut(&mut self, at: At) -> &mut Node<E> {
        self.nodes[at as usize].as_mut().expect("links lead to nodes")
    }

    fn compare(&self, at: At, low: &Row, high: &Row, row: &Row) -> Ordering {
        let node = self.node(at);
        (&node.low, &node.high, &node.row).cmp(&(low, high, row))
    }

    pub fn get_mut(&mut self, low: &Row, high: &Row, row: &Row) -> Option<&mut E> {
        let mut at = self.root;
        while at != NONE {
            match self.compare(at, low, high, row) {
                Ordering::Equal => return Some(&mut self.node_mut(at).entry),
                Ordering::Less => at = self.node(at).right,
                Ordering::Greater => at = self.node(at).left,
            }
        }
        None
    }

    /// Adds an interval that is not there yet.
    pub fn insert(&mut self, low: Row, high: Row, row: Row, entry: E) {
        let (below, above) = self.split(self.root, &low, &high, &row);
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut priority = self.seed;
        priority = (priority ^ (priority >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        priority = (priority ^ (priority >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let at = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(None);
            At::try_from(self.nodes.len() - 1).expect("fewer than 2^32 intervals of one key")
        });
        let node = Node { low, high, row, entry, priority, left: NONE, right: NONE, greatest: at };
        self.nodes[at as usize] = Some(node);
        let below = self.merge(below, at);
        self.root = self.merge(below, above);
    }

    /// Takes an interval out; nothing happens when it is not there.
    pub fn remove(&mut self, low: &Row, high: &Row, row: &Row) {
        self.root = self.remove_below(self.root, low, high, row);
    }

    fn remove_below(&mut self, at: At, low: &Row, high: &Row, row: &Row) -> At {
        if at == NONE {
            return NONE;
        }
        let (left, right) = (self.node(at).left, self.node(at).right);
        match self.compare(at, low, high, row) {
            Ordering::Equal => {
                self.nodes[at as usize] = None;
                self.free.push(at);
                return self.merge(left, right);
            }
            Ordering::Less => self.node_mut(at).right = self.remove_below(right, low, high, row),
            Ordering::Greater => self.node_mut(at).left = self.remove_below(left, low, high, row),
        }
        self.find_greatest(at);
        at
    }

    /// Calls `visit` with low, high, row and entry of each interval that holds the point.
    pub fn holding(&self, point: &Row, visit: &mut dyn FnMut(&Row, &Row, &Row, &E)) {
        self.holding_below(self.root, point, visit);
    }

    fn holding_below(&self, at: At, point: &Row, visit: &mut dyn FnMut(&Row, &Row, &Row, &E)) {
        if at == NONE || self.node(self.node(at).greatest).high <= *point {
            return;
        }
        let (left, right) = (self.node(at).left, self.node(at).right);
        self.holding_below(left, point, visit);
        let node = self.node(at);
        if node.low > *point {
            return;
        }
        if *point < node.high {
            visit(&node.low, &node.high, &node.row, &node.entry);
        }
        self.holding_below(right, point, visit);
    }

    pub fn for_each(&self, visit: &mut dyn FnMut(&Row, &Row, &Row, &E)) {
        for node in self.nodes.iter().flatten() {
            visit(&node.low, &node.high, &node.row, &node.entry);
        }
    }

    fn find_greatest(&mut self, at: At) {
        let node = self.node(at);
        let mut greatest = at;
        for below in [node.left, node.right] {
            if below != NONE {
                let candidate = self.node(below).greatest;
                if self.node(candidate).high > self.node(greatest).high {
                    greatest = candidate;
                }
            }
        }
        self.node_mut(at).greatest = greatest;
    }

    /// Two trees: the intervals before the given one, and the others.
    fn split(&mut self, at: At, low: &Row, high: &Row, row: &Row) -> (At, At) {
        if at == NONE {
            return (NONE, NONE);
        }
        if self.compare(at, low, high, row).is_lt() {
            let (before, after) = self.split(self.node(at).right, low, high, row);
            self.node_mut(at).right = before;
            self.find_greatest(at);
            (at, after)
        } else {
            let (before, after) = self.split(self.node(at).left, low, high, row);
            self.node_mut(at).left = after;
            self.find_greatest(at);
            (before, at)
        }
    }

    /// One tree of two, the first of which lies before the second.
    fn merge(&mut self, before: At, after: At) -> At {
        if before == NONE {
            return after;
        }
        if after == NONE {
            return before;
        }
        if self.node(before).priority > self.node(after).priority {
            let right = self.merge(self.node(before).right, after);
            self.node_mut(before).right = right;
            self.find_greatest(before);
            before
        } else {
            let left = self.merge(before, self.node(after).left);
            self.node_mut(after).left = left;
            self.find_greatest(after);
            after
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: u8) -> Row {
        Row::from_bytes(&[value])
    }

    #[test]
    fn intervals_that_hold_a_point_are_found_while_others_come_and_go() {
        let mut tree = IntervalTree::default();
        let mut plain: Vec<(u8, u8, u8)> = Vec::new();
        let mut random = 1_u32;
        let mut next = |bound: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((random >> 16) % bound) as u8
        };
        for step in 0..4_000 {
            let interval = (next(40), next(60), next(3));
            match plain.iter().position(|known| *known == interval) {
                Some(index) => {
                    plain.swap_remove(index);
                    tree.remove(&bytes(interval.0), &bytes(interval.1), &bytes(interval.2));
                }
                None if plain.len() < 300 => {
                    plain.push(interval);
                    tree.insert(bytes(interval.0), bytes(interval.1), bytes(interval.2), interval);
                }
                None => continue,
            }
            if step % 7 == 0 {
                let point = next(60);
                let mut found = Vec::new();
                tree.holding(&bytes(point), &mut |_, _, _, entry| found.push(*entry));
                found.sort_unstable();
                let mut expected: Vec<_> =
                    plain.iter().copied().filter(|(low, high, _)| *low <= point && point < *high).collect();
                expected.sort_unstable();
                assert_eq!(found, expected);
            }
        }
        for (low, high, row) in plain {
            assert!(tree.get_mut(&bytes(low), &bytes(high), &bytes(row)).is_some());
            tree.remove(&bytes(low), &bytes(high), &bytes(row));
        }
        assert!(tree.is_empty());
    }
}
