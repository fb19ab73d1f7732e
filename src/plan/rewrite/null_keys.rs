//! `key is not null` directly below a join on that key goes: a NULL key meets nothing anyway.
//!
//! The filter would save a few rows and cost a shared arrangement: without it the input may be one that others read too.

use std::collections::BTreeSet;
use std::sync::Arc;

use eval::Expr;

use crate::plan::tree::rewrite_bottom_up;
use crate::plan::{EquiTerm, JoinKind, Plan};

pub(super) fn drop_null_checks(plan: &Arc<Plan>) -> Arc<Plan> {
    rewrite_bottom_up(plan, &mut |plan, _| {
        let Plan::Join { kind, left, right, on, residual } = plan else { return Arc::new(plan) };
        // Rows that the join keeps without a match must stay away.
        let left_is_matched = matches!(kind, JoinKind::Inner | JoinKind::Right | JoinKind::Semi);
        let right_is_matched = !matches!(kind, JoinKind::Right | JoinKind::Full);
        let left = if left_is_matched { unchecked(&left, &keys(&on, |term| &term.left)) } else { left };
        let right = if right_is_matched { unchecked(&right, &keys(&on, |term| &term.right)) } else { right };
        Arc::new(Plan::Join { kind, left, right, on, residual })
    })
}

/// Columns whose NULL matches nothing.
fn keys<'t>(on: &'t [EquiTerm], side: impl Fn(&'t EquiTerm) -> &'t Expr) -> BTreeSet<usize> {
    let keys = on.iter().filter(|term| !term.null_equal).filter_map(|term| match side(term) {
        Expr::Column(column) => Some(*column),
        _ => None,
    });
    keys.collect()
}

/// The input without checks of these columns.
fn unchecked(plan: &Arc<Plan>, keys: &BTreeSet<usize>) -> Arc<Plan> {
    match &**plan {
        Plan::Project { input, columns } => {
            let below = columns.iter().enumerate().filter(|(position, _)| keys.contains(position));
            let new = unchecked(input, &below.map(|(_, column)| *column).collect());
            if Arc::ptr_eq(&new, input) {
                return Arc::clone(plan);
            }
            Arc::new(Plan::Project { input: new, columns: columns.clone() })
        }
        Plan::Filter { input, predicates } => {
            let is_check = |predicate: &Expr| match predicate {
                Expr::Not(inner) => match &**inner {
                    Expr::IsNull(inner) => matches!(**inner, Expr::Column(column) if keys.contains(&column)),
                    _ => false,
                },
                _ => false,
            };
            let kept: Vec<Expr> = predicates.iter().filter(|predicate| !is_check(predicate)).cloned().collect();
            if kept.len() == predicates.len() {
                return Arc::clone(plan);
            }
            if kept.is_empty() {
                Arc::clone(input)
            } else {
                Arc::new(Plan::Filter { input: Arc::clone(input), predicates: kept })
            }
        }
        _ => Arc::clone(plan),
    }
}
