//! Outer joins whose filled rows a filter above rejects are inner joins on that side.

use std::sync::Arc;

use row::ScalarType;

use crate::plan::expr::rejects_null;
use crate::plan::tree::rewrite_bottom_up;
use crate::plan::{JoinKind, Plan, TypeCache};

pub(super) fn reduce_outer_joins(plan: &Arc<Plan>) -> Arc<Plan> {
    let mut types = TypeCache::default();
    rewrite_bottom_up(plan, &mut |plan, shared| {
        let plan = Arc::new(plan);
        let Plan::Filter { input, predicates } = &*plan else { return plan };
        let Plan::Join { kind, left, right, on, residual } = &**input else { return plan };
        if shared.has(input) || !matches!(kind, JoinKind::Left | JoinKind::Right | JoinKind::Full) {
            return plan;
        }
        let width = types.typ(left).columns.len();
        let columns: Vec<ScalarType> = types.typ(input).columns.iter().map(|column| column.ty.clone()).collect();
        let rejects = |absent: &dyn Fn(usize) -> bool| {
            predicates.iter().any(|predicate| rejects_null(predicate, absent, &columns))
        };
        let needs_left = rejects(&|column| column < width);
        let needs_right = rejects(&|column| column >= width);
        let reduced = match (kind, needs_left, needs_right) {
            (JoinKind::Left, _, true) | (JoinKind::Right, true, _) | (JoinKind::Full, true, true) => JoinKind::Inner,
            (JoinKind::Full, true, false) => JoinKind::Left,
            (JoinKind::Full, false, true) => JoinKind::Right,
            _ => return plan,
        };
        let join = Plan::Join {
            kind: reduced,
            left: Arc::clone(left),
            right: Arc::clone(right),
            on: on.clone(),
            residual: residual.clone(),
        };
        Arc::new(Plan::Filter { input: Arc::new(join), predicates: predicates.clone() })
    })
}
