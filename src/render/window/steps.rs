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
use super::place::{Place, Span};
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

/// The same by places.
pub type Marked = Vec<(Place, Outcome)>;

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
    if !grows(view, atom) {
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
    let has_both = !atom.may_fail_late
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

/// Whether all sums of the atom only grow: none has a negative argument.
fn grows(view: &View<'_>, atom: &Atom) -> bool {
    let mut lanes = Vec::new();
    let reading = &view.spec.reading;
    let width = view.spec.sums.width();
    atom.calls.iter().all(|call| match view.call(*call).kind {
        Kind::Sum(sum) if !view.call(*call).is_whole() => {
            let Some(growing) = reading.growing.iter().position(|growing| *growing == sum) else { return true };
            if lanes.is_empty() {
                view.lanes.to_lanes(&view.index.total(), &mut lanes);
            }
            lanes.get(width + growing).is_none_or(|negative| *negative == 0)
        }
        _ => true,
    })
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

/// Stretches by places, and spans of the rows some of whose copies lie in one stretch and some in the next.
pub fn mark(view: &View<'_>, stretches: &Stretches, spans: &mut Vec<Span>) -> Marked {
    stretches
        .iter()
        .map(|(rank, outcome)| {
            if *rank == 0 {
                return (Place::Start, outcome.clone());
            }
            let place = match view.index.at(*rank) {
                Some(entry) => {
                    if entry.rank < *rank {
                        spans.push((Place::before(&entry), Place::after(&entry)));
                    }
                    Place::before(&entry)
                }
                None => Place::End,
            };
            (place, outcome.clone())
        })
        .collect()
}

/// The spans whose outcome differs.
pub fn differing(old: &Marked, new: &Marked, spans: &mut Vec<Span>) {
    let (mut i, mut j) = (0, 0);
    let mut from = Place::Start;
    while let (Some((_, before)), Some((_, after))) = (old.get(i), new.get(j)) {
        let (next_old, next_new) = (old.get(i + 1).map(|next| &next.0), new.get(j + 1).map(|next| &next.0));
        let (to, takes_old, takes_new) = match (next_old, next_new) {
            (None, None) => (&Place::End, true, true),
            (Some(old), None) => (old, true, false),
            (None, Some(new)) => (new, false, true),
            (Some(old), Some(new)) => match old.order(new) {
                Ordering::Less => (old, true, false),
                Ordering::Greater => (new, false, true),
                Ordering::Equal => (old, true, true),
            },
        };
        if before != after {
            spans.push((from, to.clone()));
        }
        from = to.clone();
        i += usize::from(takes_old);
        j += usize::from(takes_new);
    }
}
