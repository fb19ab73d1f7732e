//! Plans that give the same rows for less work.
//!
//! ```text
//!   fold ─> fuse ─> [ pushdown ─> outer_join ─> anti_join ] twice ─> or_join ─> temporal ─> first_rows ─> windows ─> distinct ─> demand ─> null_keys ─> intern (all models)
//! ```
//!
//! 1. Each rule can be switched off; with all off the plan is what `sql` bound, and the rows are the same.
//! 2. An expression that can fail never moves below a filter or a join, nor out of a CASE or COALESCE. The one exception is an
//!    equality between two inputs, which is what they are joined by. A rule may keep a row from reaching an expression that
//!    would fail on it.
//! 3. A node that is read twice stays one node: nothing is pushed into it for one of its readers.
//! 4. `Get` of another model stays a `Get`: models are collections that are shared, never inlined.

mod anti_join;
mod demand;
mod distinct;
mod first_rows;
mod fold;
mod fuse;
mod intern;
mod null_keys;
mod or_join;
mod outer_join;
mod pushdown;
mod temporal;
mod windows;

#[cfg(test)]
mod rewrite_tests;

use std::sync::Arc;

pub use self::intern::PlanInterner;
use super::{Plan, RelationId};

/// Which rules run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RewriteOptions {
    /// Constant expressions are evaluated; filters that are always true or never true go.
    pub fold: bool,
    /// Adjacent maps, projections, filters and unions become one.
    pub fuse: bool,
    /// Filters move towards the sources; comparisons between two inputs become join keys.
    pub pushdown: bool,
    /// An outer join whose filled rows a filter above rejects is an inner one.
    pub outer_join: bool,
    /// `left join … where right.key is null` is an anti join.
    pub anti_join: bool,
    /// A filter that compares a row with the clock costs the rows that move.
    pub temporal: bool,
    /// `row_number() <= k` keeps the first rows of each partition and numbers none.
    pub first_rows: bool,
    /// A join on one equality or another is a sum of joins.
    pub or_join: bool,
    /// Windows over one partition that can share an order become one.
    pub windows: bool,
    /// A DISTINCT over rows that are distinct already goes.
    pub distinct: bool,
    /// Columns that nobody reads are not carried along.
    pub demand: bool,
    /// `key is not null` below a join on that key goes.
    pub null_keys: bool,
    /// Equal parts of all models are one node.
    pub intern: bool,
}

impl RewriteOptions {
    pub const ALL: RewriteOptions = RewriteOptions {
        fold: true,
        fuse: true,
        pushdown: true,
        outer_join: true,
        anti_join: true,
        temporal: true,
        or_join: true,
        first_rows: true,
        windows: true,
        distinct: true,
        demand: true,
        null_keys: true,
        intern: true,
    };

    pub const NONE: RewriteOptions = RewriteOptions {
        fold: false,
        fuse: false,
        pushdown: false,
        outer_join: false,
        anti_join: false,
        temporal: false,
        or_join: false,
        first_rows: false,
        windows: false,
        distinct: false,
        demand: false,
        null_keys: false,
        intern: false,
    };
}

impl Default for RewriteOptions {
    fn default() -> RewriteOptions {
        RewriteOptions::ALL
    }
}

/// Rewrites the plans of a whole project; the order of models is kept, and so are each plan's columns.
pub fn optimize(models: Vec<(RelationId, Arc<Plan>)>, options: &RewriteOptions) -> Vec<(RelationId, Arc<Plan>)> {
    let mut interner = PlanInterner::default();
    models
        .into_iter()
        .map(|(relation, plan)| {
            let plan = optimize_one(&plan, options);
            (relation, if options.intern { interner.intern(&plan) } else { plan })
        })
        .collect()
}

/// Rewrites one model's plan by all rules that look at one model alone.
pub(crate) fn optimize_one(plan: &Arc<Plan>, options: &RewriteOptions) -> Arc<Plan> {
    // Equal parts of the model itself first, so that they count as shared from here on.
    let mut plan = if options.intern { PlanInterner::default().intern(plan) } else { Arc::clone(plan) };
    let mut run = |wanted: bool, rule: &dyn Fn(&Arc<Plan>) -> Arc<Plan>| {
        if wanted {
            plan = rule(&plan);
        }
    };
    run(options.fold, &fold::fold);
    run(options.fuse, &fuse::fuse);
    for _ in 0..2 {
        run(options.pushdown, &pushdown::push_down);
        run(options.outer_join, &outer_join::reduce_outer_joins);
        run(options.anti_join, &anti_join::to_anti_joins);
        run(options.fold, &fold::fold);
        run(options.fuse, &fuse::fuse);
    }
    run(options.or_join, &or_join::split_or_joins);
    run(options.pushdown, &pushdown::push_down);
    run(options.temporal, &temporal::to_temporal_filters);
    run(options.first_rows, &first_rows::keep_first_rows);
    run(options.windows, &windows::join_windows);
    run(options.fuse, &fuse::fuse);
    run(options.distinct, &distinct::drop_distincts);
    run(options.demand, &demand::prune);
    run(options.fuse, &fuse::fuse);
    run(options.distinct, &distinct::drop_distincts);
    run(options.fuse, &fuse::fuse);
    run(options.null_keys, &null_keys::drop_null_checks);
    plan
}
