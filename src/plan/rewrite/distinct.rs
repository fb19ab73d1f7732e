//! A DISTINCT over rows that cannot repeat goes, and so does one whose repetitions nobody sees.
//!
//! Only keys known from structure count: GROUP BY, DISTINCT, a source's enforced key.

use std::sync::Arc;

use crate::plan::tree::rewrite_bottom_up;
use crate::plan::{JoinKind, Plan, TypeCache};

pub(super) fn drop_distincts(plan: &Arc<Plan>) -> Arc<Plan> {
    let mut types = TypeCache::default();
    rewrite_bottom_up(plan, &mut |plan, shared| match plan {
        Plan::Distinct { input } if !types.typ(&input).keys.is_empty() => input,
        Plan::Distinct { input } if !shared.has(&input) => {
            let Plan::Union { inputs } = &*input else { return Arc::new(Plan::Distinct { input }) };
            let inputs = inputs.iter().map(|input| match &**input {
                Plan::Distinct { input: below } if !shared.has(input) => Arc::clone(below),
                _ => Arc::clone(input),
            });
            Arc::new(Plan::Distinct { input: Arc::new(Plan::Union { inputs: inputs.collect() }) })
        }
        Plan::Join { kind: kind @ (JoinKind::Semi | JoinKind::Anti), left, right, on, residual } => {
            let right = match &*right {
                Plan::Distinct { input } => Arc::clone(input),
                _ => right,
            };
            Arc::new(Plan::Join { kind, left, right, on, residual })
        }
        other => Arc::new(other),
    })
}
