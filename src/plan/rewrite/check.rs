//! What has a plan but no affordable way to be kept current is refused here.

use std::sync::Arc;

use crate::plan::tree::post_order;
use crate::plan::{JoinKind, Plan, PlanError, TypeCache};

/// Refuses windows: they have a plan but no operator yet.
pub(crate) fn refuse_windows(plan: &Arc<Plan>) -> Result<(), PlanError> {
    for node in post_order(plan) {
        if let Plan::Window { calls, .. } = &*node {
            let name = calls.first().map_or("", |(call, _)| call.function.name());
            return Err(PlanError::new(format!("window function {name}() OVER (…) is not supported")));
        }
    }
    Ok(())
}

/// Refuses joins in which every row meets every row.
pub(crate) fn refuse_unmaintainable(plan: &Arc<Plan>) -> Result<(), PlanError> {
    let mut types = TypeCache::default();
    for node in post_order(plan) {
        let Plan::Join { kind, left, right, on, residual } = &*node else { continue };
        if !on.is_empty() {
            continue;
        }
        let mut is_small = |side: &Arc<Plan>| types.typ(side).keys.iter().any(Vec::is_empty);
        let affordable = match kind {
            JoinKind::Inner => is_small(left) || is_small(right) || is_static(left) || is_static(right),
            JoinKind::Left | JoinKind::Semi | JoinKind::Anti => is_small(right),
            JoinKind::Right => is_small(left),
            JoinKind::Full => is_small(left) && is_small(right),
        };
        if !affordable {
            let why = if residual.is_empty() { "has no condition" } else { "has no equality between the two" };
            let message = format!(
                "the join of {} and {} {why}: each change of one would be compared with every row of the other",
                relations(left),
                relations(right)
            );
            let hint = "add an equality to the join condition; ranges alone are not maintained yet";
            return Err(PlanError::new(message).with_hint(hint));
        }
    }
    Ok(())
}

/// Rows that no input changes, such as VALUES: their number is known when the plan is made.
fn is_static(plan: &Arc<Plan>) -> bool {
    post_order(plan).iter().all(|node| !matches!(**node, Plan::Get { .. }))
}

/// The relations a plan reads, for an error message.
fn relations(plan: &Arc<Plan>) -> String {
    let mut names: Vec<String> = Vec::new();
    for node in post_order(plan) {
        if let Plan::Get { relation, .. } = &*node {
            let name = relation.0.rsplit('.').next().unwrap_or(&relation.0).to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    match names.as_slice() {
        [] => "constant rows".to_string(),
        names => names.join("/"),
    }
}
