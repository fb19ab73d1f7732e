//! `left join … where right.key is null` keeps the left rows without a match: an anti join.
//!
//! The column asked for must be NULL only where there is no match: a join key, or a column that is never NULL by itself.

use std::sync::Arc;

use eval::Expr;

use crate::plan::expr::literal_null;
use crate::plan::tree::rewrite_bottom_up;
use crate::plan::{Column, JoinKind, Plan, TypeCache};

pub(super) fn to_anti_joins(plan: &Arc<Plan>) -> Arc<Plan> {
    let mut types = TypeCache::default();
    rewrite_bottom_up(plan, &mut |plan, shared| {
        let plan = Arc::new(plan);
        let Plan::Filter { input, predicates } = &*plan else { return plan };
        let Plan::Join { kind: JoinKind::Left, left, right, on, residual } = &**input else { return plan };
        if !residual.is_empty() || on.is_empty() || shared.has(input) {
            return plan;
        }
        let width = types.typ(left).columns.len();
        let right_type = types.typ(right);
        let tells_absence = |column: usize| {
            let is_key = on.iter().any(|term| !term.null_equal && term.right == Expr::Column(column));
            is_key || !right_type.columns[column].nullable
        };
        let asked = predicates.iter().position(|predicate| match predicate {
            Expr::IsNull(inner) => {
                matches!(**inner, Expr::Column(column) if column >= width && tells_absence(column - width))
            }
            _ => false,
        });
        let Some(asked) = asked else { return plan };
        let anti = Plan::Join {
            kind: JoinKind::Anti,
            left: Arc::clone(left),
            right: Arc::clone(right),
            on: on.clone(),
            residual: Vec::new(),
        };
        let exprs = right_type
            .columns
            .iter()
            .map(|column| (literal_null(column.ty.clone()), Column { nullable: true, ..column.clone() }));
        let filled = Arc::new(Plan::Map { input: Arc::new(anti), exprs: exprs.collect() });
        let mut rest = predicates.clone();
        rest.remove(asked);
        if rest.is_empty() { filled } else { Arc::new(Plan::Filter { input: filled, predicates: rest }) }
    })
}
