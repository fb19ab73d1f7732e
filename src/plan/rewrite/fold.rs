//! Constant expressions become literals, decided filters go, and what is computed from literal rows becomes literal rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use eval::table_function::side_by_side;
use eval::{Arena, Expr};
use row::{Datum, OwnedDatum, Row, RowBuilder};

use crate::plan::expr::{conjuncts, renumber};
use crate::plan::recursion::{ROUNDS_MAX, recursion_type, unrolled};
use crate::plan::tree::{post_order, rewrite_bottom_up};
use crate::plan::{Column, JoinKind, Plan, RelationType, TypeCache};

/// Literal rows that a node is turned into; more are left to the operator.
const ROWS_MAX: usize = 10_000;

pub(super) fn fold(plan: &Arc<Plan>) -> Arc<Plan> {
    let mut types = TypeCache::default();
    rewrite_bottom_up(plan, &mut |plan, _| {
        let folded = fold_exprs(plan, &mut types);
        Arc::new(fold_rows(&folded).unwrap_or(folded))
    })
}

fn fold_exprs(plan: Plan, types: &mut TypeCache) -> Plan {
    match plan {
        Plan::Map { input, exprs } => {
            Plan::Map { input, exprs: exprs.into_iter().map(|(expr, column)| (expr.fold(), column)).collect() }
        }
        Plan::FlatMap { input, mut calls, ordinality, keeps_input } => {
            calls.iter_mut().flat_map(|(call, _)| &mut call.args).for_each(|arg| *arg = arg.clone().fold());
            Plan::FlatMap { input, calls, ordinality, keeps_input }
        }
        Plan::Filter { input, predicates } => {
            let mut kept = Vec::new();
            for predicate in predicates {
                conjuncts(predicate.fold(), &mut kept);
            }
            if kept.iter().any(is_never_true) {
                return constant(Vec::new(), types.typ(&input).columns.clone());
            }
            kept.retain(|predicate| !is_true(predicate));
            Plan::Filter { input, predicates: kept }
        }
        Plan::Join { kind, left, right, mut on, residual } => {
            for term in &mut on {
                term.left = term.left.clone().fold();
                term.right = term.right.clone().fold();
            }
            let mut kept = Vec::new();
            for predicate in residual {
                conjuncts(predicate.fold(), &mut kept);
            }
            kept.retain(|predicate| !is_true(predicate));
            Plan::Join { kind, left, right, on, residual: kept }
        }
        Plan::Reduce { input, group, mut aggregates } => {
            for (call, _) in &mut aggregates {
                call.exprs_mut().for_each(|expr| *expr = expr.clone().fold());
                call.filter = call.filter.take().filter(|filter| !is_true(filter));
            }
            let group = group.into_iter().map(|(expr, column)| (expr.fold(), column)).collect();
            Plan::Reduce { input, group, aggregates }
        }
        Plan::Window { input, partition, mut order_by, mut calls } => {
            order_by.iter_mut().for_each(|term| term.expr = term.expr.clone().fold());
            calls.iter_mut().for_each(|(call, _)| call.map_exprs(&mut |expr| expr.clone().fold()));
            Plan::Window { input, partition: partition.into_iter().map(Expr::fold).collect(), order_by, calls }
        }
        other => other,
    }
}

/// A row-wise node over literal rows, computed. Nothing when an expression fails: its row is an error at run time.
fn fold_rows(plan: &Plan) -> Option<Plan> {
    let rows_of = |input: &Arc<Plan>| match &**input {
        Plan::Constant { rows, typ } => Some((rows.clone(), typ.columns.clone())),
        _ => None,
    };
    match plan {
        Plan::Map { input, exprs } => {
            let (rows, mut columns) = rows_of(input)?;
            columns.extend(exprs.iter().map(|(_, column)| column.clone()));
            let mapped = rows.into_iter().map(|(row, count)| {
                let mut values: Vec<OwnedDatum> = row.iter().map(|datum| OwnedDatum::new(&datum)).collect();
                for (expr, _) in exprs {
                    values.push(evaluate(expr, &row)?);
                }
                Some((Row::pack(values.iter().map(OwnedDatum::datum)), count))
            });
            Some(constant(mapped.collect::<Option<_>>()?, columns))
        }
        Plan::FlatMap { input, calls, ordinality, keeps_input } => {
            let (rows, mut columns) = rows_of(input)?;
            columns.extend(calls.iter().map(|(_, column)| column.clone()).chain(ordinality.clone()));
            let mut flat = Vec::new();
            for (row, count) in rows {
                let datums: Vec<Datum<'_>> = row.iter().collect();
                let results = calls.iter().map(|(call, _)| call.rows(&datums).ok()).collect::<Option<Vec<_>>>()?;
                for beside in side_by_side(&results, ordinality.is_some(), *keeps_input) {
                    if flat.len() >= ROWS_MAX {
                        return None;
                    }
                    flat.push((concatenated(&row, &beside), count));
                }
            }
            Some(constant(flat, columns))
        }
        Plan::Join { kind: JoinKind::Inner, left, right, on, residual } => {
            let ((left, mut columns), (right, right_columns)) = (rows_of(left)?, rows_of(right)?);
            if left.len().saturating_mul(right.len()) > ROWS_MAX {
                return None;
            }
            columns.extend(right_columns);
            let mut joined = Vec::new();
            for (left, left_count) in &left {
                for (right, right_count) in &right {
                    let pair = concatenated(left, right);
                    let width = left.iter().count();
                    let equal = on.iter().map(|term| {
                        let right = renumber(&term.right, &mut |column| column + width);
                        let (left, right) = (evaluate(&term.left, &pair)?, evaluate(&right, &pair)?);
                        Some(match (left.datum().is_null(), right.datum().is_null()) {
                            (false, false) => left.datum().sql_cmp(&right.datum()).is_eq(),
                            (left, right) => term.null_equal && left == right,
                        })
                    });
                    let holds = residual.iter().map(|predicate| {
                        evaluate(predicate, &pair).map(|value| matches!(value.datum(), Datum::Bool(true)))
                    });
                    if equal.chain(holds).collect::<Option<Vec<_>>>()?.into_iter().all(|holds| holds) {
                        joined.push((pair, left_count * right_count));
                    }
                }
            }
            Some(constant(joined, columns))
        }
        Plan::Recursive { name, base, step, distinct } => fold_recursion(name, base, step, *distinct),
        Plan::Filter { input, predicates } => {
            let (rows, columns) = rows_of(input)?;
            let mut kept = Vec::new();
            for (row, count) in rows {
                let values =
                    predicates.iter().map(|predicate| evaluate(predicate, &row)).collect::<Option<Vec<_>>>()?;
                if values.iter().all(|value| matches!(value.datum(), Datum::Bool(true))) {
                    kept.push((row, count));
                }
            }
            Some(constant(kept, columns))
        }
        Plan::Project { input, columns: positions } => {
            let (rows, columns) = rows_of(input)?;
            let projected = rows.into_iter().map(|(row, count)| {
                let datums: Vec<Datum<'_>> = row.iter().collect();
                (Row::pack(positions.iter().map(|position| datums[*position].clone())), count)
            });
            let columns = positions.iter().map(|position| columns[*position].clone()).collect();
            Some(constant(projected.collect(), columns))
        }
        Plan::Union { inputs } => {
            let parts = inputs.iter().map(rows_of).collect::<Option<Vec<_>>>()?;
            let columns = parts.first()?.1.clone();
            Some(constant(parts.into_iter().flat_map(|(rows, _)| rows).collect(), columns))
        }
        _ => None,
    }
}

fn concatenated(left: &Row, right: &Row) -> Row {
    let mut builder = RowBuilder::default();
    builder.push_row(left.as_ref());
    builder.push_row(right.as_ref());
    builder.finish()
}

fn evaluate(expr: &Expr, row: &Row) -> Option<OwnedDatum> {
    let datums: Vec<Datum<'_>> = row.iter().collect();
    let arena = Arena::new();
    expr.eval(&datums, &arena).ok().map(|datum| OwnedDatum::new(&datum))
}

/// A recursion over literal rows, computed round by round. Nothing when a round is not literal rows, or when there are too many.
fn fold_recursion(name: &str, base: &Arc<Plan>, step: &Arc<Plan>, distinct: bool) -> Option<Plan> {
    let Plan::Constant { rows, typ } = &**base else { return None };
    if post_order(step).iter().any(|node| matches!(**node, Plan::Get { .. } | Plan::Recursive { .. })) {
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut unseen = |rows: Vec<(Row, i64)>| -> Vec<(Row, i64)> {
        if !distinct {
            return rows;
        }
        let normal = |row: &Row| Row::pack(row.iter().map(Datum::normalized));
        rows.into_iter().filter(|(row, _)| seen.insert(normal(row))).map(|(row, _)| (row, 1)).collect()
    };
    let mut working = unseen(rows.clone());
    let mut all = working.clone();
    let columns = recursion_type(typ).columns;
    for _ in 0..ROUNDS_MAX {
        let literal =
            Plan::Constant { rows: working, typ: RelationType { columns: columns.clone(), keys: Vec::new() } };
        let next = fold(&unrolled(step, name, &Arc::new(literal)));
        let Plan::Constant { rows, .. } = &*next else { return None };
        working = unseen(rows.clone());
        if working.is_empty() {
            return Some(constant(all, columns));
        }
        all.extend(working.iter().cloned());
        if all.len() > ROWS_MAX {
            return None;
        }
    }
    None
}

/// Literal rows; their columns are nullable where a NULL is seen.
fn constant(rows: Vec<(Row, i64)>, mut columns: Vec<Column>) -> Plan {
    for (position, column) in columns.iter_mut().enumerate() {
        column.nullable = rows.iter().any(|(row, _)| row.iter().nth(position).is_some_and(|datum| datum.is_null()));
    }
    Plan::Constant { rows, typ: RelationType { columns, keys: Vec::new() } }
}

fn is_true(predicate: &Expr) -> bool {
    matches!(predicate, Expr::Literal { value, .. } if matches!(value.datum(), Datum::Bool(true)))
}

fn is_never_true(predicate: &Expr) -> bool {
    matches!(predicate, Expr::Literal { value, .. } if matches!(value.datum(), Datum::Bool(false) | Datum::Null))
}
