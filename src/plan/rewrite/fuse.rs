//! Adjacent row-wise nodes become one, and what changes nothing goes.
//!
//! Projections rise through filters and maps, so that a chain of row-wise nodes ends as `Project(Map(Filter(input)))`.

use std::sync::Arc;

use eval::{AggregateCall, Expr};

use crate::plan::expr::{conjuncts, is_trivial, renumber, transform};
use crate::plan::tree::{Shared, rewrite_bottom_up};
use crate::plan::{Column, JoinKind, Plan, TypeCache};

pub(super) fn fuse(plan: &Arc<Plan>) -> Arc<Plan> {
    let mut types = TypeCache::default();
    rewrite_bottom_up(plan, &mut |plan, shared| {
        let mut plan = Arc::new(plan);
        // Each step leaves one node less, or a projection one level higher.
        while let Some(fused) = fuse_node(&plan, shared, &mut types) {
            plan = fused;
        }
        plan
    })
}

fn fuse_node(plan: &Plan, shared: &Shared, types: &mut TypeCache) -> Option<Arc<Plan>> {
    match plan {
        Plan::Filter { input, predicates } => fuse_filter(input, predicates, shared),
        Plan::Map { input, exprs } => fuse_map(input, exprs, shared, types),
        Plan::Project { input, columns } => fuse_project(input, columns, types),
        Plan::Union { inputs } => fuse_union(inputs, shared),
        Plan::Reduce { input, group, aggregates } => fuse_reduce(input, group, aggregates, types),
        Plan::Join { kind: JoinKind::Inner, left, right, on, residual } if on.is_empty() => {
            let other = if is_unit(left) { right } else { left };
            if !is_unit(left) && !is_unit(right) {
                return None;
            }
            Some(Arc::new(Plan::Filter { input: Arc::clone(other), predicates: residual.clone() }))
        }
        Plan::Negate { input } => match &**input {
            Plan::Negate { input } => Some(Arc::clone(input)),
            _ => None,
        },
        _ => None,
    }
}

fn fuse_filter(input: &Arc<Plan>, predicates: &[Expr], shared: &Shared) -> Option<Arc<Plan>> {
    if predicates.is_empty() {
        return Some(Arc::clone(input));
    }
    if predicates.iter().any(|predicate| matches!(predicate, Expr::And(_))) {
        let mut split = Vec::new();
        predicates.iter().for_each(|predicate| conjuncts(predicate.clone(), &mut split));
        return Some(Arc::new(Plan::Filter { input: Arc::clone(input), predicates: split }));
    }
    match &**input {
        Plan::Filter { input: below, predicates: first } if !shared.has(input) => {
            let mut all = first.clone();
            all.extend(predicates.iter().filter(|predicate| !first.contains(predicate)).cloned());
            Some(Arc::new(Plan::Filter { input: Arc::clone(below), predicates: all }))
        }
        Plan::Project { input: below, columns } => {
            let predicates =
                predicates.iter().map(|predicate| renumber(predicate, &mut |column| columns[column])).collect();
            let filter = fuse_all(Arc::new(Plan::Filter { input: Arc::clone(below), predicates }), shared);
            Some(Arc::new(Plan::Project { input: filter, columns: columns.clone() }))
        }
        _ => None,
    }
}

/// Fuses a filter that has just moved down with what it now stands on.
fn fuse_all(mut plan: Arc<Plan>, shared: &Shared) -> Arc<Plan> {
    while let Plan::Filter { input, predicates } = &*plan
        && let Some(next) = fuse_filter(input, predicates, shared)
    {
        plan = next;
    }
    plan
}

fn fuse_map(input: &Arc<Plan>, exprs: &[(Expr, Column)], shared: &Shared, types: &mut TypeCache) -> Option<Arc<Plan>> {
    if exprs.is_empty() {
        return Some(Arc::clone(input));
    }
    match &**input {
        Plan::Project { input: below, columns } => {
            let width = types.typ(below).columns.len();
            let moved: Vec<(Expr, Column)> = (exprs.iter())
                .map(|(expr, column)| (renumber(expr, &mut |position| columns[position]), column.clone()))
                .collect();
            let positions = columns.iter().copied().chain(width..width + exprs.len()).collect();
            let mut map = Arc::new(Plan::Map { input: Arc::clone(below), exprs: moved });
            while let Plan::Map { input, exprs } = &*map
                && let Some(next) = fuse_map(input, exprs, shared, types)
            {
                map = next;
            }
            Some(Arc::new(Plan::Project { input: map, columns: positions }))
        }
        Plan::Map { input: below, exprs: first } => {
            let width = types.typ(below).columns.len();
            let uses = |expr: &Expr, index: usize| {
                let mut count = 0;
                expr.for_each_column(&mut |column| count += usize::from(column == width + index));
                count
            };
            // A computed value may be put where it is read only if that computes it no more often, and not inside a
            // CASE that would keep it from failing: so only columns and literals move.
            let movable = first.iter().enumerate().all(|(index, (expr, column))| {
                exprs.iter().all(|(outer, _)| uses(outer, index) == 0) || is_alias(expr, column, below, types)
            });
            if !movable || (shared.has(input) && first.iter().any(|(expr, _)| !is_trivial(expr))) {
                return None;
            }
            let mut all = first.clone();
            all.extend(exprs.iter().map(|(expr, column)| {
                let moved = transform(expr, &mut |part| match part {
                    Expr::Column(position) if *position >= width => Some(first[*position - width].0.clone()),
                    _ => None,
                });
                (moved, column.clone())
            }));
            Some(Arc::new(Plan::Map { input: Arc::clone(below), exprs: all }))
        }
        _ => None,
    }
}

/// A literal, or a column under another name with its type unchanged.
fn is_alias(expr: &Expr, column: &Column, input: &Arc<Plan>, types: &mut TypeCache) -> bool {
    match expr {
        Expr::Literal { ty, .. } => *ty == column.ty,
        Expr::Column(position) => types.typ(input).columns[*position].ty == column.ty,
        _ => false,
    }
}

fn fuse_project(input: &Arc<Plan>, columns: &[usize], types: &mut TypeCache) -> Option<Arc<Plan>> {
    let width = types.typ(input).columns.len();
    if columns.iter().copied().eq(0..width) {
        return Some(Arc::clone(input));
    }
    match &**input {
        Plan::Project { input: below, columns: first } => {
            let columns = columns.iter().map(|column| first[*column]).collect();
            Some(Arc::new(Plan::Project { input: Arc::clone(below), columns }))
        }
        Plan::Map { input: below, exprs } => {
            let width = types.typ(below).columns.len();
            let resolved: Vec<usize> = columns
                .iter()
                .map(|column| match column.checked_sub(width).map(|index| &exprs[index]) {
                    Some((expr @ Expr::Column(from), column)) if is_alias(expr, column, below, types) => *from,
                    _ => *column,
                })
                .collect();
            if resolved.iter().all(|column| *column < width) && exprs.iter().all(|(expr, _)| !expr.is_fallible()) {
                return Some(Arc::new(Plan::Project { input: Arc::clone(below), columns: resolved }));
            }
            (resolved != columns).then(|| Arc::new(Plan::Project { input: Arc::clone(input), columns: resolved }))
        }
        _ => None,
    }
}

/// One row without columns: crossing with it changes nothing.
fn is_unit(plan: &Plan) -> bool {
    matches!(plan, Plan::Constant { rows, typ } if typ.columns.is_empty() && matches!(rows.as_slice(), [(_, 1)]))
}

/// What a reduction reads under another name it reads under its own, so that the renaming map can go.
fn fuse_reduce(
    input: &Arc<Plan>,
    group: &[(Expr, Column)],
    aggregates: &[(AggregateCall, Column)],
    types: &mut TypeCache,
) -> Option<Arc<Plan>> {
    let Plan::Map { input: below, exprs } = &**input else { return None };
    let width = types.typ(below).columns.len();
    let mut changed = false;
    let mut unalias = |expr: &Expr| {
        transform(expr, &mut |part| match part {
            Expr::Column(position) if *position >= width => {
                let (from, column) = &exprs[*position - width];
                let alias = is_alias(from, column, below, types);
                changed |= alias;
                alias.then(|| from.clone())
            }
            _ => None,
        })
    };
    let group = group.iter().map(|(expr, column)| (unalias(expr), column.clone())).collect();
    let mut calls = aggregates.to_vec();
    for (call, _) in &mut calls {
        call.exprs_mut().for_each(|expr| *expr = unalias(expr));
    }
    changed.then(|| Arc::new(Plan::Reduce { input: Arc::clone(input), group, aggregates: calls }))
}

fn fuse_union(inputs: &[Arc<Plan>], shared: &Shared) -> Option<Arc<Plan>> {
    if let [only] = inputs {
        return Some(Arc::clone(only));
    }
    if !inputs.iter().any(|input| matches!(**input, Plan::Union { .. }) && !shared.has(input)) {
        return None;
    }
    let mut flat = Vec::new();
    for input in inputs {
        match &**input {
            Plan::Union { inputs: nested } if !shared.has(input) => flat.extend(nested.iter().cloned()),
            _ => flat.push(Arc::clone(input)),
        }
    }
    Some(Arc::new(Plan::Union { inputs: flat }))
}
