//! The state alone: against a plain double loop, and what a change costs.

use std::time::Instant;

use row::{Datum, Row, RowRef, SortDirection, push_order_key};
use smallvec::SmallVec;

use super::*;

fn int(row: RowRef<'_>, column: usize) -> i64 {
    row.iter().nth(column).map_or(0, |datum| datum.unwrap_int())
}

fn key(value: i64) -> Row {
    let mut bytes = SmallVec::new();
    push_order_key(&mut bytes, &Datum::Int(value), SortDirection::ASCENDING);
    Row::from_bytes(&bytes)
}

/// Left rows are (id, at), right rows (id, low, high); they meet where low <= at < high.
struct Within;

impl RangeLogic for Within {
    fn place(&mut self, side: JoinSide, row: RowRef<'_>) -> Place {
        match side {
            JoinSide::Left => Place::Point(key(int(row, 1))),
            JoinSide::Right if int(row, 1) < int(row, 2) => Place::Span(key(int(row, 1)), key(int(row, 2))),
            JoinSide::Right => Place::Nowhere,
        }
    }

    fn holds(&mut self, _: RowRef<'_>, _: RowRef<'_>, _: bool) -> Result<bool, Row> {
        Ok(true)
    }

    fn joined(&mut self, left: Option<RowRef<'_>>, right: Option<RowRef<'_>>) -> Row {
        let id = |row: Option<RowRef<'_>>| row.map_or(Datum::Null, |row| Datum::Int(int(row, 0)));
        Row::pack([id(left), id(right)])
    }
}

fn value(side: JoinSide, columns: &[i64]) -> Row {
    Row::pack(std::iter::once(tag(side, true)).chain(columns.iter().map(|value| Datum::Int(*value))))
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound as u64) as i64
    }
}

#[test]
fn a_full_join_is_what_a_double_loop_gives() {
    let mut random = Random(7);
    let mut join = RangeJoin::new(RangeJoinKind::Full, JoinSide::Left, Box::new(Within));
    let (mut left, mut right): (Vec<[i64; 2]>, Vec<[i64; 3]>) = Default::default();
    let mut shown: BTreeMap<Row, Diff> = BTreeMap::new();
    for _ in 0..600 {
        let change = if random.below(2) == 0 {
            let row = [random.below(4), random.below(12)];
            let diff = match left.iter().position(|known| *known == row) {
                Some(index) if random.below(2) == 0 => {
                    left.swap_remove(index);
                    -1
                }
                _ => {
                    left.push(row);
                    1
                }
            };
            (value(JoinSide::Left, &row), diff)
        } else {
            let row = [random.below(4), random.below(12), random.below(14)];
            let diff = match right.iter().position(|known| *known == row) {
                Some(index) if random.below(2) == 0 => {
                    right.swap_remove(index);
                    -1
                }
                _ => {
                    right.push(row);
                    1
                }
            };
            (value(JoinSide::Right, &row), diff)
        };
        let mut changes = Changes::default();
        join.update(Row::default().as_ref(), &[change], &mut changes);
        for (row, diff) in changes.rows {
            *shown.entry(row).or_default() += diff;
        }
        shown.retain(|_, diff| *diff != 0);
        let mut expected: BTreeMap<Row, Diff> = BTreeMap::new();
        let meets = |l: &[i64; 2], r: &[i64; 3]| r[1] <= l[1] && l[1] < r[2];
        let mut add = |l: Option<i64>, r: Option<i64>| {
            let datum = |id: Option<i64>| id.map_or(Datum::Null, Datum::Int);
            *expected.entry(Row::pack([datum(l), datum(r)])).or_default() += 1;
        };
        for l in &left {
            right.iter().filter(|r| meets(l, r)).for_each(|r| add(Some(l[0]), Some(r[0])));
            if !right.iter().any(|r| meets(l, r)) {
                add(Some(l[0]), None);
            }
        }
        right.iter().filter(|r| !left.iter().any(|l| meets(l, r))).for_each(|r| add(None, Some(r[0])));
        assert_eq!(shown, expected);
    }
    assert!(!join.groups.is_empty());
}

/// Prints what one change costs: `cargo test -p flow range_join -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn cost_of_a_change_among_100_000_points_and_1_000_spans() {
    for kind in [RangeJoinKind::Inner, RangeJoinKind::Left] {
        let mut random = Random(11);
        let mut join = RangeJoin::new(kind, JoinSide::Left, Box::new(Within));
        let mut changes = Changes::default();
        let empty = Row::default();
        for id in 0..1_000 {
            join.update(empty.as_ref(), &[(value(JoinSide::Right, &[id, id * 100, id * 100 + 100]), 1)], &mut changes);
        }
        for id in 0..100_000 {
            join.update(empty.as_ref(), &[(value(JoinSide::Left, &[id, random.below(100_000)]), 1)], &mut changes);
            changes.rows.clear();
        }
        for (what, side) in [("a point", JoinSide::Left), ("a span (100 points)", JoinSide::Right)] {
            let (rounds, mut rows) = (20_000, 0);
            let begin = Instant::now();
            for round in 0..rounds {
                let (columns, diff) = match side {
                    JoinSide::Left => (vec![200_000 + round / 2, (round / 2 * 37) % 100_000], 1 - 2 * (round % 2)),
                    JoinSide::Right => {
                        let low = (round / 2 * 37) % 99_900;
                        (vec![200_000 + round / 2, low, low + 100], 1 - 2 * (round % 2))
                    }
                };
                join.update(empty.as_ref(), &[(value(side, &columns), diff)], &mut changes);
                rows += changes.rows.len();
                changes.rows.clear();
            }
            let each = begin.elapsed().as_nanos() as f64 / rounds as f64 / 1_000.0;
            println!("{kind:?}: {what} comes or goes: {each:.2} µs, {:.1} rows", rows as f64 / rounds as f64);
        }
    }
}
