//! How many columns a node has, without working out their types.

use super::{JoinKind, Plan};

impl Plan {
    /// The number of output columns.
    pub fn arity(&self) -> usize {
        match self {
            Plan::Get { typ, .. }
            | Plan::Constant { typ, .. }
            | Plan::Recursion { typ, .. }
            | Plan::Snapshot { typ, .. } => typ.columns.len(),
            Plan::Map { input, exprs } => input.arity() + exprs.len(),
            Plan::FlatMap { input, calls, ordinality, .. } => {
                input.arity() + calls.len() + usize::from(ordinality.is_some())
            }
            Plan::Window { input, calls, .. } => input.arity() + calls.len(),
            Plan::Project { columns, .. } => columns.len(),
            Plan::Join { kind: JoinKind::Semi | JoinKind::Anti, left, .. } => left.arity(),
            Plan::Join { left, right, .. } => left.arity() + right.arity(),
            Plan::Reduce { group, aggregates, .. } => group.len() + aggregates.len(),
            Plan::Recursive { base: input, .. }
            | Plan::Filter { input, .. }
            | Plan::Temporal { input, .. }
            | Plan::Distinct { input }
            | Plan::TopK { input, .. }
            | Plan::Negate { input }
            | Plan::Threshold { input } => input.arity(),
            Plan::Union { inputs } => inputs.first().map_or(0, |input| input.arity()),
        }
    }
}
