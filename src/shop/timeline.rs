//! Changes in the order of their delivery, whatever order the stories told them in.
//!
//! ```text
//!   a story tells an order's whole life at once ──> [ due … due … due ] ──(a day is over)──> changes up to its end
//! ```
//!
//! 1. What is due earlier is delivered earlier; what is due at one moment is delivered as it was told.
//! 2. Memory holds what is still to come, not what has been: late payments, later status changes, open invoices.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use super::tables::{Change, Op, Row, Table};

pub const SECOND: i64 = 1000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

pub struct Timeline {
    begin_ms: i64,
    told: u64,
    due: BinaryHeap<Reverse<Due>>,
    /// What has happened on purpose, and how often.
    pub situations: BTreeMap<&'static str, u64>,
}

struct Due {
    number: u64,
    change: Change,
}

impl Due {
    fn order(&self) -> (i64, u64) {
        (self.change.at_ms, self.number)
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl Timeline {
    pub fn new(begin_ms: i64) -> Timeline {
        Timeline { begin_ms, told: 0, due: BinaryHeap::new(), situations: BTreeMap::new() }
    }

    /// Tells one change. Nothing is delivered before the beginning.
    pub fn at(&mut self, at_ms: i64, table: &'static Table, op: Op, row: Row) {
        let at_ms = at_ms.max(self.begin_ms);
        self.told += 1;
        self.due.push(Reverse(Due { number: self.told, change: Change { at_ms, table, op, row } }));
    }

    pub fn saw(&mut self, situation: &'static str) {
        *self.situations.entry(situation).or_default() += 1;
    }

    /// The next change that is due before `end_ms`.
    pub fn next_before(&mut self, end_ms: i64) -> Option<Change> {
        if self.due.peek()?.0.change.at_ms >= end_ms {
            return None;
        }
        self.due.pop().map(|Reverse(due)| due.change)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::{ORDERS, Value};
    use super::*;

    #[test]
    fn what_is_due_at_one_moment_comes_as_it_was_told() {
        let mut timeline = Timeline::new(100);
        for (at, id) in [(300, 1), (200, 2), (50, 3), (200, 4), (400, 5)] {
            timeline.at(at, ORDERS, Op::Create, vec![("id", Value::Int(id))]);
        }
        let mut told = Vec::new();
        while let Some(change) = timeline.next_before(400) {
            told.push((change.at_ms, change.row[0].1.clone()));
        }
        let expected = [(100, 3), (200, 2), (200, 4), (300, 1)].map(|(at, id)| (at, Value::Int(id)));
        assert_eq!(told, expected);
    }
}
