//! Evaluating beside a live owner: collections come from its state, and only what came since is read.

use super::instance::{self, VerbError};
use super::resumption;
use crate::engine::{Deployment, EngineError, Evaluated, evaluate};
use crate::project::Project;
use crate::sink::SinkState;
use crate::time::Clock;

/// A sweep of the owner may remove what is being read; then the state is looked at again so often.
const LOOKS_MAX: usize = 3;

/// Evaluates at the cut `at`, or at the sources' end where it is None.
pub fn evaluate_beside(
    project: &Project,
    deployment: &mut Deployment,
    at: Option<SinkState>,
    clock: Clock,
) -> Result<Evaluated, VerbError> {
    // State keeps all declared columns, and so must what is compared with it.
    let demanded: Vec<bool> = deployment.sources.iter().map(|source| source.spec.keeps_all).collect();
    deployment.sources.iter_mut().for_each(|source| source.spec.keeps_all = true);
    let positions = at.as_ref().map(|state| state.progress.clone());
    for _ in 0..LOOKS_MAX {
        let look = || {
            Ok::<_, VerbError>(match &at {
                Some(state) => state.clone(),
                None => instance::published_state(project)?.unwrap_or_default(),
            })
        };
        let (Some(beside), _) = resumption::beside(project, &deployment.sources, look)? else { break };
        if beside.folder.is_none() {
            break;
        }
        match evaluate(deployment, positions.as_deref(), clock.clone(), Some(beside)) {
            Err(EngineError::State(_)) => {}
            outcome => return Ok(outcome?),
        }
    }
    deployment.sources.iter_mut().zip(demanded).for_each(|(source, keeps_all)| source.spec.keeps_all = keeps_all);
    Ok(evaluate(deployment, positions.as_deref(), clock, None)?)
}
