//! Places in a partition's order that mean the same before and after an epoch, and spans between them.

use std::cmp::Ordering;
use std::rc::Rc;

use index::{Entry, Index, compare_rows};
use row::{Row, RowRef};

/// A place between two entries.
#[derive(Clone, Debug)]
pub enum Place {
    Start,
    /// Before all rows of a key.
    BeforeKey(Rc<[u8]>),
    /// Before (the copies of) a row.
    Before(Rc<[u8]>, Rc<Row>),
    /// After the copies of a row.
    After(Rc<[u8]>, Rc<Row>),
    AfterKey(Rc<[u8]>),
    End,
}

/// Rows from one place to another; empty when they are the wrong way round.
pub type Span = (Place, Place);

impl Place {
    pub fn before(entry: &Entry<'_>) -> Place {
        Place::Before(entry.key.into(), Rc::new(entry.row.to_row()))
    }

    pub fn after(entry: &Entry<'_>) -> Place {
        Place::After(entry.key.into(), Rc::new(entry.row.to_row()))
    }

    /// Before the row of a rank.
    pub fn before_rank(index: &Index, rank: i64) -> Place {
        if rank <= 0 { Place::Start } else { index.at(rank).map_or(Place::End, |entry| Place::before(&entry)) }
    }

    /// After the row before a rank.
    pub fn after_rank(index: &Index, rank: i64) -> Place {
        if rank >= index.len() {
            Place::End
        } else {
            index.at(rank - 1).map_or(Place::Start, |entry| Place::after(&entry))
        }
    }

    /// The rank that the place has in an index.
    pub fn rank(&self, index: &Index) -> i64 {
        match self {
            Place::Start => 0,
            Place::BeforeKey(key) => index.rank_of_key(key),
            Place::Before(key, row) => index.rank(key, row.as_ref().as_ref()),
            Place::After(key, row) => index.rank_after(key, row.as_ref().as_ref()),
            Place::AfterKey(key) => index.rank_after_key(key),
            Place::End => index.len(),
        }
    }

    /// Which of two places comes first.
    pub fn order(&self, other: &Place) -> Ordering {
        let (Some(a), Some(b)) = (self.parts(), other.parts()) else { return self.group().cmp(&other.group()) };
        let side = |place: &Place| match place {
            Place::BeforeKey(_) => 0,
            Place::AfterKey(_) => 4,
            _ => 2,
        };
        let within = |place: &Place| matches!(place, Place::After(..));
        a.0.cmp(b.0)
            .then_with(|| side(self).cmp(&side(other)))
            .then_with(|| compare_rows(a.1, b.1))
            .then_with(|| within(self).cmp(&within(other)))
    }

    fn group(&self) -> u8 {
        match self {
            Place::Start => 0,
            Place::End => 2,
            _ => 1,
        }
    }

    /// The key, and the row (or an empty one where the place is beside a whole key).
    fn parts(&self) -> Option<(&[u8], RowRef<'_>)> {
        match self {
            Place::Start | Place::End => None,
            Place::BeforeKey(key) | Place::AfterKey(key) => Some((key, RowRef::new(&[]))),
            Place::Before(key, row) | Place::After(key, row) => Some((key, row.as_ref().as_ref())),
        }
    }
}

/// The spans' rows as ranks of an index: in order, apart from each other, and only within `live`, which is so too.
pub fn ranks(spans: &[Span], index: &Index, live: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let range = |(from, to): &Span| match (from, to) {
        // Most spans are of one row, which is looked up once.
        (Place::Before(key, row), Place::After(other_key, other))
            if Rc::ptr_eq(key, other_key) && Rc::ptr_eq(row, other) =>
        {
            index.ranks(key, row.as_ref().as_ref())
        }
        _ => (from.rank(index), to.rank(index)),
    };
    let mut ranges: Vec<(i64, i64)> = spans.iter().map(range).collect();
    ranges.retain(|(from, to)| from < to);
    ranges.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    let mut kept = Vec::with_capacity(merged.len());
    for (from, to) in merged {
        for (start, end) in live {
            let (from, to) = (from.max(*start), to.min(*end));
            if from < to {
                kept.push((from, to));
            }
        }
    }
    kept
}

/// The ranks of `all` that are not in `gone`; both are in order and apart from each other.
pub fn without(all: &[(i64, i64)], gone: &[(i64, i64)]) -> Vec<(i64, i64)> {
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

    #[test]
    fn ranks_taken_out_of_ranks_leave_the_others() {
        let mut seed = 5_u64;
        for _ in 0..500 {
            let mut draw = || {
                let mut ranges = Vec::new();
                let mut at = 0;
                for _ in 0..5 {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let from = at + 1 + (seed >> 60) as i64 % 4;
                    at = from + 1 + (seed >> 55) as i64 % 6;
                    ranges.push((from, at));
                }
                ranges
            };
            let (all, gone) = (draw(), draw());
            let holds = |ranges: &[(i64, i64)], rank: i64| ranges.iter().any(|(from, to)| (*from..*to).contains(&rank));
            let left = without(&all, &gone);
            assert!(left.iter().all(|(from, to)| from < to), "{left:?}");
            for rank in 0..70 {
                assert_eq!(holds(&left, rank), holds(&all, rank) && !holds(&gone, rank), "{rank} of {all:?}, {gone:?}");
            }
        }
    }
}
