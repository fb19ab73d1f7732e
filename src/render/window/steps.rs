//! What is the same over stretches of rows: ntile's buckets, the outcomes of atoms.
//!
//! ```text
//!   before   │  less  │  less  │  greater  │          the rows between the old and the new boundary
//!   after    │  less  │ greater│  greater  │          are those whose outcome differs
//! ```

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use eval::Arena;
use row::Datum;

use super::atoms::Atom;
use super::call::Kind;
use super::moves::{Moves, Range};
use super::view::{View, first_of_bucket};

/// What the rows of a stretch have in common.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Null,
    Is(Ordering),
    Bucket(i64),
    Failed(String),
}

/// The first rank of each stretch, and its outcome; the first begins at rank 0. Empty over no rows.
pub type Stretches = Vec<(i64, Outcome)>;

/// The buckets of an ntile.
pub fn buckets(view: &View<'_>, call: usize) -> Stretches {
    let rows = view.index.len();
    if rows == 0 {
        return Vec::new();
    }
    match view.buckets(call) {
        Err(error) => vec![(0, Outcome::Failed(error.0))],
        Ok(None) => vec![(0, Outcome::Null)],
        Ok(Some(buckets)) => (0..buckets.min(rows))
            .map(|bucket| (first_of_bucket(bucket, rows, buckets), Outcome::Bucket(bucket)))
            .collect(),
    }
}

/// The stretches of an atom, found from `hints`: ranks where stretches may begin. `None`: the value does not only grow.
pub fn stretches(view: &View<'_>, atom: &Atom, hints: &[i64]) -> Option<Stretches> {
    let rows = view.index.len();
    if rows == 0 {
        return Some(Vec::new());
    }
    let all_that_add = totals(view, atom);
    if all_that_add == Totals::Fall {
        return None;
    }
    let mut probes: BTreeMap<i64, Outcome> = BTreeMap::new();
    let probe = |rank: i64, probes: &mut BTreeMap<i64, Outcome>| -> Option<()> {
        if (0..rows).contains(&rank)
            && let Entry::Vacant(place) = probes.entry(rank)
        {
            place.insert(outcome(view, atom, rank)?);
        }
        Some(())
    };
    hints.iter().flat_map(|hint| [hint - 1, *hint]).try_for_each(|rank| probe(rank, &mut probes))?;
    let (first, last) = (probes.values().next().cloned(), probes.values().next_back().cloned());
    // Beyond a boundary from less to greater (or back) there is no other; only NULL may come before.
    let is_extreme = |outcome: &Outcome| matches!(outcome, Outcome::Is(Ordering::Less | Ordering::Greater));
    let has_both = !(atom.may_fail_late || all_that_add == Totals::Fail)
        && matches!((&first, &last), (Some(first), Some(last)) if first != last && is_extreme(first) && is_extreme(last));
    if !has_both {
        probe(rows - 1, &mut probes)?;
    }
    if !has_both || atom.calls.iter().any(|call| matches!(view.call(*call).kind, Kind::Sum(_))) {
        probe(0, &mut probes)?;
    }
    let mut probes = probes.into_iter();
    let (mut at, first) = probes.next()?;
    let mut stretches = vec![(0, first)];
    for (rank, found) in probes {
        while let Some((_, current)) = stretches.last()
            && *current != found
        {
            at = first_other(view, atom, at, rank, &current.clone())?;
            let next = if at == rank { found.clone() } else { outcome(view, atom, at)? };
            stretches.push((at, next));
        }
        at = rank;
    }
    Some(stretches)
}

/// What the running sums of an atom come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Totals {
    Grow,
    /// Some argument is negative.
    Fall,
    /// A sum over all rows fails, and so do those from some row on.
    Fail,
}

fn totals(view: &View<'_>, atom: &Atom) -> Totals {
    let mut lanes = Vec::new();
    let reading = &view.spec.reading;
    let width = view.spec.sums.width();
    let mut totals = Totals::Grow;
    for call in &atom.calls {
        let Kind::Sum(sum) = view.call(*call).kind else { continue };
        if view.call(*call).is_whole() {
            continue;
        }
        if lanes.is_empty() {
            view.lanes.to_lanes(&view.index.total(), &mut lanes);
        }
        let growing = reading.growing.iter().position(|growing| *growing == sum);
        let negative = growing.and_then(|growing| lanes.get(width + growing)).copied().unwrap_or(0);
        if negative != 0 {
            return Totals::Fall;
        }
        if view.spec.sums.finish(sum, &lanes).is_err() {
            totals = Totals::Fail;
        }
    }
    totals
}

/// The first rank after `low` whose outcome is not `current`, which is that of `low` and not of `high`. Looks near both ends first.
fn first_other(view: &View<'_>, atom: &Atom, low: i64, high: i64, current: &Outcome) -> Option<i64> {
    let (mut low, mut high, mut step) = (low, high, 1);
    let mut gallops = true;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        for rank in if gallops {
            [low.saturating_add(step).min(middle), high.saturating_sub(step).max(middle)]
        } else {
            [middle; 2]
        } {
            if !(low < rank && rank < high) {
                continue;
            }
            if outcome(view, atom, rank)? == *current {
                gallops &= rank < middle;
                low = rank;
            } else {
                gallops &= rank > middle;
                high = rank;
            }
        }
        step *= 4;
    }
    Some(high)
}

fn outcome(view: &View<'_>, atom: &Atom, rank: i64) -> Option<Outcome> {
    let spec = view.spec;
    let entry = view.index.at(rank)?;
    let arena = Arena::new();
    let mut columns = vec![Datum::Null; spec.arity + spec.calls.len()];
    for call in &atom.calls {
        match view.value(*call, &entry, rank, &arena) {
            Ok(value) => columns[spec.arity + call] = value,
            Err(error) => return Some(Outcome::Failed(error.0)),
        }
    }
    let compared = atom.left.eval(&columns, &arena).and_then(|left| Ok((left, atom.right.eval(&columns, &arena)?)));
    Some(match compared {
        Err(error) => Outcome::Failed(error.0),
        Ok((left, right)) if left.is_null() || right.is_null() => Outcome::Null,
        // Of types that are compared without a cast, which no order is known for.
        Ok((left, right)) if std::mem::discriminant(&left) != std::mem::discriminant(&right) => return None,
        Ok((left, right)) => Outcome::Is(left.sql_cmp(&right)),
    })
}

/// The rows some of whose copies lie in one stretch and some in the next.
pub fn divided(view: &View<'_>, stretches: &Stretches, spans: &mut Vec<Range>) {
    for (rank, _) in stretches {
        if let Some(entry) = view.index.at(*rank).filter(|entry| entry.rank < *rank) {
            spans.push((entry.rank, entry.rank + entry.copies));
        }
    }
}

/// The rows, by their ranks after the changes, whose outcome differs; those that have changed may or may not be among them.
pub fn differing(old: &Stretches, new: &Stretches, moves: &Moves, rows: i64, spans: &mut Vec<Range>) {
    let (mut i, mut j, mut from) = (0, 0, 0);
    while let (Some((_, before)), Some((_, after))) = (old.get(i), new.get(j)) {
        let next_old = old.get(i + 1).map(|(rank, _)| moves.to_after(*rank));
        let next_new = new.get(j + 1).map(|(rank, _)| *rank);
        let to = next_old.into_iter().chain(next_new).min().unwrap_or(rows);
        if before != after {
            spans.push((from, to));
        }
        if next_old.is_none() && next_new.is_none() {
            break;
        }
        from = to;
        i += usize::from(next_old == Some(to));
        j += usize::from(next_new == Some(to));
    }
}
