//! What the recursive part of a WITH RECURSIVE may be.
//!
//! The part reads the recursion once and row by row: through maps, filters, unions and joins with what does not depend on it. Then
//! the rows that a row leads to depend on that row alone, and a change of an input changes what it led to and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::tree::{NodeMap, post_order};
use super::{JoinKind, Plan, PlanError, RelationType};

/// Rounds of a recursion. A row that is still new in the last one is set aside as an error: it is one that would not end, in all
/// likelihood. Enough for the days of 27 years, one by one.
pub const ROUNDS_MAX: u32 = 10_000;

/// What the row of the last round is set aside with.
pub fn too_deep(name: &str) -> String {
    format!("recursive query \"{name}\" goes on after {ROUNDS_MAX} rounds")
}

/// The nodes that read the recursion `name`, themselves or through others.
pub(crate) fn dependents(step: &Arc<Plan>, name: &str) -> NodeMap<()> {
    let mut found = NodeMap::default();
    for node in post_order(step) {
        let reads = match &*node {
            Plan::Recursion { name: read, .. } => read == name,
            // Inside its step the name means that recursion.
            Plan::Recursive { name: inner, base, .. } if inner == name => found.get(base).is_some(),
            other => other.children().into_iter().any(|child| found.get(child).is_some()),
        };
        if reads {
            found.insert(&node, ());
        }
    }
    found
}

/// Whether the plan is part of a step: it reads a recursion that begins above it.
pub(crate) fn is_in_step(plan: &Arc<Plan>) -> bool {
    let mut open: NodeMap<BTreeSet<String>> = NodeMap::default();
    for node in post_order(plan) {
        let of = |child: &Arc<Plan>| open.get(child).cloned().unwrap_or_default();
        let names: BTreeSet<String> = match &*node {
            Plan::Recursion { name, .. } => BTreeSet::from([name.clone()]),
            Plan::Recursive { name, base, step, .. } => {
                let mut names = of(step);
                names.remove(name);
                names.extend(of(base));
                names
            }
            other => other.children().into_iter().flat_map(of).collect(),
        };
        open.insert(&node, names);
    }
    open.get(plan).is_some_and(|names| !names.is_empty())
}

/// The step with the recursion replaced by a plan of the same columns.
pub(crate) fn unrolled(step: &Arc<Plan>, name: &str, rows: &Arc<Plan>) -> Arc<Plan> {
    super::tree::rewrite_bottom_up(step, &mut |plan, _| match &plan {
        Plan::Recursion { name: read, .. } if read == name => Arc::clone(rows),
        _ => Arc::new(plan),
    })
}

/// Columns of a recursion whose types come from its first part; every one may be NULL in a later round.
pub(crate) fn recursion_type(base: &RelationType) -> RelationType {
    let mut typ = RelationType { columns: base.columns.clone(), keys: Vec::new() };
    for column in &mut typ.columns {
        column.nullable = true;
        column.scale_max = None;
    }
    typ
}

/// Refuses a recursive part that is not of the form above, in PostgreSQL's words where it refuses too.
pub(crate) fn check_step(step: &Arc<Plan>, name: &str, distinct: bool) -> Result<(), PlanError> {
    let reads = dependents(step, name);
    let check = Check { name, distinct, reads: &reads };
    if reads.get(step).is_none() {
        return Err(PlanError::new(format!("recursive query \"{name}\" does not read itself in its recursive term")));
    }
    check.node(step)
}

struct Check<'a> {
    name: &'a str,
    distinct: bool,
    reads: &'a NodeMap<()>,
}

impl Check<'_> {
    fn within(&self, what: &str) -> PlanError {
        PlanError::new(format!("recursive reference to query \"{}\" must not appear within {what}", self.name))
    }

    fn unsupported(&self, what: &str) -> PlanError {
        PlanError::new(format!("{what} over the recursive reference to query \"{}\" is not supported", self.name))
            .with_hint("move it behind the recursion: read the WITH RECURSIVE query in a further query")
    }

    fn node(&self, plan: &Arc<Plan>) -> Result<(), PlanError> {
        let reads: Vec<&Arc<Plan>> =
            plan.children().into_iter().filter(|child| self.reads.get(child).is_some()).collect();
        match &**plan {
            Plan::Recursion { .. } => return Ok(()),
            Plan::Map { .. } | Plan::Project { .. } | Plan::Filter { .. } | Plan::FlatMap { .. } => {}
            Plan::Union { inputs } => {
                if !self.distinct && reads.len() < inputs.len() {
                    return Err(PlanError::new(format!(
                        "a part of the recursive term of query \"{}\" does not read it, so that UNION ALL would never end",
                        self.name
                    ))
                    .with_hint("move the part to the non-recursive term, or write UNION"));
                }
            }
            Plan::Distinct { .. } if self.distinct => {}
            Plan::Distinct { .. } => {
                return Err(PlanError::new(format!(
                    "DISTINCT in the recursive term of query \"{}\" is not supported",
                    self.name
                ))
                .with_hint("write UNION instead of UNION ALL"));
            }
            Plan::Join { kind, left, residual, .. } => {
                let on_left = self.reads.get(left).is_some();
                match (kind, on_left) {
                    (JoinKind::Inner, _) => {}
                    (JoinKind::Left | JoinKind::Semi | JoinKind::Anti, true) | (JoinKind::Right, false) => {
                        if !residual.is_empty() {
                            return Err(self.unsupported("an outer join with more than equalities"));
                        }
                    }
                    (JoinKind::Semi | JoinKind::Anti, false) => return Err(self.within("a subquery")),
                    _ => return Err(self.within("an outer join")),
                }
            }
            Plan::Reduce { .. } => {
                return Err(PlanError::new(
                    "aggregate functions are not allowed in a recursive query's recursive term",
                ));
            }
            Plan::TopK { .. } => return Err(self.unsupported("LIMIT or DISTINCT ON")),
            Plan::Window { .. } => return Err(self.unsupported("a window function")),
            Plan::Temporal { .. } => return Err(self.unsupported("a filter by the clock")),
            Plan::Negate { .. } | Plan::Threshold { .. } => return Err(self.within("EXCEPT")),
            Plan::Recursive { .. } => return Err(self.unsupported("a further recursion")),
            Plan::Snapshot { .. } => return Err(self.unsupported("a snapshot of the recursive rows")),
            Plan::Get { .. } | Plan::Constant { .. } => {}
        }
        if reads.len() > 1 && !matches!(**plan, Plan::Union { .. }) {
            return Err(PlanError::new(format!(
                "recursive reference to query \"{}\" must not appear more than once",
                self.name
            ))
            .with_hint("write conditions on it (EXISTS, scalar subqueries) as joins"));
        }
        reads.into_iter().try_for_each(|child| self.node(child))
    }
}
