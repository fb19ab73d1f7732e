//! What has a plan but no way to be kept current is refused here.

use std::sync::Arc;

use crate::plan::tree::post_order;
use crate::plan::{Plan, PlanError};

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
