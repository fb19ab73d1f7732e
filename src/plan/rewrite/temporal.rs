//! Comparisons of rows with the clock become filters of their own.
//!
//! ```text
//!   Filter paid_at >= now - interval '90 days'
//!     Join cross                                       Temporal paid_at >= now() - interval '90 days'
//!       payments                              ──>        payments
//!       Get livemart.clock.now
//! ```
//!
//! 1. Beside the clock, a tick compares every row again; a temporal filter waits for each row's turn.
//! 2. Only comparisons that turn once are taken (`plan::temporal`); the others stay, and so does the clock beside the rows as long
//!    as one of them, or anything above, reads it.
//! 3. The filter sinks through joins to the side whose rows it compares, if it cannot fail there.

use std::sync::Arc;

use eval::Expr;
use row::ScalarType;

use crate::plan::clock::ClockReading;
use crate::plan::expr::{columns_of, reads_only, renumber};
use crate::plan::recursion::is_in_step;
use crate::plan::temporal::temporal_bound;
use crate::plan::tree::{Shared, post_order, rewrite_bottom_up};
use crate::plan::{JoinKind, Plan, TypeCache};

pub(super) fn to_temporal_filters(plan: &Arc<Plan>) -> Arc<Plan> {
    let mut types = TypeCache::default();
    let is_recursive = post_order(plan).iter().any(|node| matches!(**node, Plan::Recursion { .. }));
    rewrite_bottom_up(plan, &mut |plan, shared| {
        // A round does not wait for the clock.
        if is_recursive && plan.children().into_iter().any(is_in_step) {
            return Arc::new(plan);
        }
        let taken = match &plan {
            Plan::Filter { input, predicates } if !shared.has(input) => {
                take(input, predicates, shared, &mut types).map(|(input, rest)| filter(input, rest))
            }
            Plan::Join { .. } => take_from_residual(&plan, shared, &mut types),
            _ => None,
        };
        taken.unwrap_or_else(|| Arc::new(plan))
    })
}

fn filter(input: Arc<Plan>, predicates: Vec<Expr>) -> Arc<Plan> {
    if predicates.is_empty() { input } else { Arc::new(Plan::Filter { input, predicates }) }
}

/// Rows with a reading of the clock as their last column.
fn clock_beside(plan: &Plan) -> Option<(&Arc<Plan>, &Arc<Plan>, ClockReading)> {
    let Plan::Join { kind: JoinKind::Inner, left, right, on, .. } = plan else { return None };
    let Plan::Get { relation, .. } = &**right else { return None };
    let reading = ClockReading::of(relation)?;
    on.is_empty().then_some((left, right, reading))
}

/// Puts those of the predicates over rows beside the clock that turn once into filters of the rows. Gives back the others.
fn take(
    plan: &Arc<Plan>,
    predicates: &[Expr],
    shared: &Shared,
    types: &mut TypeCache,
) -> Option<(Arc<Plan>, Vec<Expr>)> {
    let (rows, clock, reading) = clock_beside(plan)?;
    let Plan::Join { residual, .. } = &**plan else { return None };
    let columns: Vec<ScalarType> = types.typ(rows).columns.iter().map(|column| column.ty.clone()).collect();
    let width = columns.len();
    let turns_once = |predicate: &Expr| temporal_bound(predicate, width, reading, &columns).is_some();
    let (mut temporal, rest): (Vec<Expr>, Vec<Expr>) = predicates.iter().cloned().partition(turns_once);
    let (inner, residual): (Vec<Expr>, Vec<Expr>) = residual.iter().cloned().partition(turns_once);
    temporal.extend(inner);
    // What does not read this clock may read another one below.
    let (below, mut rest): (Vec<Expr>, Vec<Expr>) =
        rest.into_iter().partition(|predicate| reads_only(predicate, &|column| column < width));
    let mut rows = rows.clone();
    let mut moved = !temporal.is_empty();
    if shared.has(&rows) {
        rest.extend(below);
    } else {
        match take(&rows, &below, shared, types) {
            Some((taken, left)) => {
                (rows, moved) = (taken, true);
                rest.extend(left);
            }
            None => rest.extend(below),
        }
    }
    if !moved {
        return None;
    }
    let rows = sink(rows, reading, temporal, shared, types);
    let plan = Plan::Join { kind: JoinKind::Inner, left: rows, right: clock.clone(), on: Vec::new(), residual };
    Some((Arc::new(plan), rest))
}

/// The clock beside a join's right side, read by the join's condition alone; or a condition over rows beside the clock.
fn take_from_residual(plan: &Plan, shared: &Shared, types: &mut TypeCache) -> Option<Arc<Plan>> {
    let Plan::Join { kind, left, right, on, residual } = plan else { return None };
    if residual.is_empty() {
        return None;
    }
    if clock_beside(plan).is_some() {
        let (taken, rest) = take(&Arc::new(plan.clone()), &[], shared, types)?;
        return Some(filter(taken, rest));
    }
    // Rows of the right side that no row on the left may meet need not be there.
    if !matches!(kind, JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti) || shared.has(right) {
        return None;
    }
    let width = types.typ(left).columns.len();
    let (own, other): (Vec<Expr>, Vec<Expr>) =
        residual.iter().cloned().partition(|predicate| reads_only(predicate, &|column| column >= width));
    let own: Vec<Expr> = own.iter().map(|predicate| renumber(predicate, &mut |column| column - width)).collect();
    let (right, rest) = take(right, &own, shared, types)?;
    let rest = rest.iter().map(|predicate| renumber(predicate, &mut |column| column + width));
    let residual = other.into_iter().chain(rest).collect();
    Some(Arc::new(Plan::Join { kind: *kind, left: left.clone(), right, on: on.clone(), residual }))
}

/// Filters rows by the clock, as near to where they come from as that keeps them what they are.
fn sink(
    rows: Arc<Plan>,
    reading: ClockReading,
    predicates: Vec<Expr>,
    shared: &Shared,
    types: &mut TypeCache,
) -> Arc<Plan> {
    if predicates.is_empty() {
        return rows;
    }
    let columns: Vec<ScalarType> = types.typ(&rows).columns.iter().map(|column| column.ty.clone()).collect();
    let clock = columns.len();
    let stays = |input: Arc<Plan>, predicates: Vec<Expr>| -> Arc<Plan> {
        if predicates.is_empty() { input } else { Arc::new(Plan::Temporal { input, reading, predicates }) }
    };
    if shared.has(&rows) {
        return stays(rows, predicates);
    }
    let (fixed, free): (Vec<Expr>, Vec<Expr>) = predicates.into_iter().partition(|predicate| {
        temporal_bound(predicate, clock, reading, &columns).is_none_or(|bound| bound.value.is_fallible())
    });
    match &*rows {
        Plan::Project { input, columns } => {
            let below = types.typ(input).columns.len();
            let place = |column: usize| if column == clock { below } else { columns[column] };
            let free = free.iter().map(|predicate| renumber(predicate, &mut |column| place(column))).collect();
            let input = sink(input.clone(), reading, free, shared, types);
            stays(Arc::new(Plan::Project { input, columns: columns.clone() }), fixed)
        }
        Plan::Join { kind, left, right, on, residual } => {
            let width = types.typ(left).columns.len();
            let left_shrinks = !matches!(kind, JoinKind::Right | JoinKind::Full);
            let right_shrinks = matches!(kind, JoinKind::Inner | JoinKind::Right);
            let (mut to_left, mut to_right, mut above) = (Vec::new(), Vec::new(), fixed);
            for predicate in free {
                let read = columns_of(&predicate);
                let mut own = read.iter().filter(|column| **column != clock);
                if left_shrinks && own.clone().all(|column| *column < width) {
                    to_left.push(renumber(&predicate, &mut |column| if column == clock { width } else { column }));
                } else if right_shrinks && own.all(|column| *column >= width) {
                    to_right.push(renumber(&predicate, &mut |column| column - width));
                } else {
                    above.push(predicate);
                }
            }
            let left = sink(left.clone(), reading, to_left, shared, types);
            let right = sink(right.clone(), reading, to_right, shared, types);
            let (on, residual) = (on.clone(), residual.clone());
            stays(Arc::new(Plan::Join { kind: *kind, left, right, on, residual }), above)
        }
        _ => {
            let predicates = fixed.into_iter().chain(free).collect();
            stays(rows, predicates)
        }
    }
}
