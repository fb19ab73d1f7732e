//! Ranks before an epoch's changes and after them.
//!
//! ```text
//!   before     0   1   2      3   4            a place between two rows has a rank in both; only in the copies of a changed row
//!              │   │   │  +   │   ×  │         it has none of its own, and is moved to where these begin or end
//!   after      0   1   2  3   4      5
//! ```

use super::reach::Change;

/// Rows of the ranks `from..to`.
pub type Range = (i64, i64);

/// Where the changed rows stood and stand.
pub struct Moves {
    /// Of each change in order: the ranks of the row's copies before it and after it.
    rows: Vec<[Range; 2]>,
}

const BEFORE: usize = 0;
const AFTER: usize = 1;

impl Moves {
    /// The changes are in order, and know where they stand.
    pub fn of(changes: &[Change<'_>]) -> Moves {
        let mut shift = 0;
        let rows = changes.iter().map(|change| {
            let (from, to) = (change.rank, change.rank + change.copies);
            let moved = from + shift;
            shift += change.diff;
            [(from, to), (moved, to + shift)]
        });
        Moves { rows: rows.collect() }
    }

    /// The changed rows, by their ranks before the changes.
    pub fn before(&self) -> impl Iterator<Item = Range> {
        self.rows.iter().map(|row| row[BEFORE])
    }

    /// The changed rows, by their ranks after the changes.
    pub fn after(&self) -> impl Iterator<Item = Range> {
        self.rows.iter().map(|row| row[AFTER])
    }

    /// The rank that a place has after the changes.
    pub fn to_after(&self, rank: i64) -> i64 {
        self.moved(rank, false, BEFORE, AFTER)
    }

    /// The rows of a range, by their ranks after the changes; those that have changed may or may not be among them.
    pub fn range_after(&self, (from, to): Range) -> Range {
        (self.moved(from, false, BEFORE, AFTER), self.moved(to, true, BEFORE, AFTER))
    }

    /// The rows of a range, by their ranks before the changes; those that have changed may or may not be among them.
    pub fn range_before(&self, (from, to): Range) -> Range {
        (self.moved(from, false, AFTER, BEFORE), self.moved(to, true, AFTER, BEFORE))
    }

    /// The rank before the changes of a row that has not changed, by its rank after them.
    pub fn row_before(&self, rank: i64) -> i64 {
        let next = self.rows.partition_point(|row| row[AFTER].1 <= rank);
        next.checked_sub(1).map_or(rank, |last| rank - self.rows[last][AFTER].1 + self.rows[last][BEFORE].1)
    }

    fn moved(&self, rank: i64, is_end: bool, from: usize, to: usize) -> i64 {
        let next = self.rows.partition_point(|row| row[from].0 < rank);
        let Some(last) = next.checked_sub(1).map(|last| &self.rows[last]) else { return rank };
        let ((_, end), (first, new_end)) = (last[from], last[to]);
        match rank < end {
            false => rank - end + new_end,
            true if is_end => new_end,
            true => first,
        }
    }
}

/// The ranges' rows, in order and apart from each other.
pub fn merged(ranges: impl Iterator<Item = Range>) -> Vec<Range> {
    let mut ranges: Vec<Range> = ranges.filter(|(from, to)| from < to).collect();
    if !ranges.is_sorted() {
        ranges.sort_unstable();
    }
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// What lies in both; both are in order and apart from each other.
pub fn within(ranges: Vec<Range>, live: &[Range]) -> Vec<Range> {
    if let ([(from, to)], Some((first, _)), Some((_, last))) = (live, ranges.first(), ranges.last())
        && from <= first
        && last <= to
    {
        return ranges;
    }
    let both = ranges.iter().flat_map(|(from, to)| {
        live.iter().map(|(start, end)| (*from.max(start), *to.min(end))).filter(|(from, to)| from < to)
    });
    both.collect()
}

/// The ranks of `all` that are not in `gone`; both are in order and apart from each other.
pub fn without(all: &[Range], gone: &[Range]) -> Vec<Range> {
    let mut left = Vec::with_capacity(all.len());
    let mut gone = gone.iter().copied().peekable();
    for (mut from, to) in all.iter().copied() {
        while gone.next_if(|(_, end)| *end <= from).is_some() {}
        while let Some((start, end)) = gone.peek().copied().filter(|(start, _)| *start < to) {
            if from < start {
                left.push((from, start));
            }
            from = end.max(from);
            if end > to {
                break;
            }
            gone.next();
        }
        if from < to {
            left.push((from, to));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Draw(u64);

    impl Draw {
        fn below(&mut self, bound: i64) -> i64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as i64 % bound
        }
    }

    #[test]
    fn ranks_taken_out_of_ranks_leave_the_others() {
        let mut draw = Draw(5);
        for _ in 0..500 {
            let mut ranges = || {
                let mut ranges = Vec::new();
                let mut at = 0;
                for _ in 0..5 {
                    let from = at + 1 + draw.below(4);
                    at = from + 1 + draw.below(6);
                    ranges.push((from, at));
                }
                ranges
            };
            let (all, gone) = (ranges(), ranges());
            let holds = |ranges: &[Range], rank: i64| ranges.iter().any(|(from, to)| (*from..*to).contains(&rank));
            let (left, both) = (without(&all, &gone), within(all.clone(), &gone));
            assert!(left.iter().chain(&both).all(|(from, to)| from < to), "{left:?} {both:?}");
            for rank in 0..70 {
                assert_eq!(holds(&left, rank), holds(&all, rank) && !holds(&gone, rank), "{rank} of {all:?}, {gone:?}");
                assert_eq!(holds(&both, rank), holds(&all, rank) && holds(&gone, rank), "{rank} of {all:?}, {gone:?}");
            }
        }
    }

    /// Rows with their copies: every range keeps its unchanged rows, and gets none, whichever way it is moved.
    #[test]
    fn a_range_keeps_its_unchanged_rows() {
        let mut draw = Draw(11);
        for _ in 0..2_000 {
            // Each row: copies before, copies after.
            let rows: Vec<(i64, i64)> = (0..8)
                .map(|_| match draw.below(4) {
                    0 => (draw.below(3), draw.below(3)),
                    _ => (1, 1),
                })
                .collect();
            let (mut old, mut new, mut moves) = (Vec::new(), Vec::new(), Vec::new());
            for (row, (before, after)) in rows.iter().enumerate() {
                let (from, moved) = (old.len() as i64, new.len() as i64);
                old.extend((0..*before).map(|_| (row, before == after)));
                new.extend((0..*after).map(|_| (row, before == after)));
                if before != after {
                    moves.push([(from, old.len() as i64), (moved, new.len() as i64)]);
                }
            }
            let moves = Moves { rows: moves };
            let unchanged = |rows: &[(usize, bool)], (from, to): Range| -> Vec<usize> {
                let inside = rows.iter().skip(from as usize).take((to - from).max(0) as usize);
                inside.filter(|(_, unchanged)| *unchanged).map(|(row, _)| *row).collect()
            };
            for from in 0..=old.len() as i64 {
                for to in from..=old.len() as i64 {
                    let kept = unchanged(&new, moves.range_after((from, to)));
                    assert_eq!(kept, unchanged(&old, (from, to)), "{rows:?} {from}..{to}");
                }
            }
            for (rank, (row, _)) in new.iter().enumerate().filter(|(_, (_, unchanged))| *unchanged) {
                assert_eq!(old[moves.row_before(rank as i64) as usize].0, *row, "{rows:?} {rank}");
            }
            for from in 0..=new.len() as i64 {
                for to in from..=new.len() as i64 {
                    let kept = unchanged(&old, moves.range_before((from, to)));
                    assert_eq!(kept, unchanged(&new, (from, to)), "{rows:?} {from}..{to} back");
                }
            }
        }
    }
}
