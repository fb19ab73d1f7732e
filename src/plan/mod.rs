//! From SQL to what is maintained.
//!
//! ```text
//!   compiled SQL ──sql::bind──> Plan (typed by PostgreSQL's rules, subqueries decorrelated)
//!                ──rewrite────> the same Plan, pushed down and pruned ──catalog──> arrangements to share
//! ```
//!
//! 1. A plan holds no names of SQL and no AST: `sql` alone knows the parser.
//! 2. What cannot be maintained is refused here, with model, line, reason and what to write instead; `render` never meets it.
//! 3. No IO, no clock.

mod arity;
pub mod clock;
mod cost;
mod describe;
mod error;
mod expr;
mod inline;
mod on_error;
#[cfg(test)]
mod probe_tests;
pub(crate) mod range;
pub mod recursion;
pub mod rewrite;
#[cfg(test)]
mod scalar_probe_tests;
pub mod snapshot;
pub mod sql;
pub mod temporal;
pub(crate) mod tree;
pub(crate) mod typ;
pub mod versions;
pub(crate) mod window;

use clock::ClockReading;
pub use cost::{Cost, CostClass};
pub use describe::{PlanLine, describe_expr};
pub use error::PlanError;
pub use inline::{Inliner, inline};
pub use on_error::null_on_error;
pub use sql::{BoundModel, ResolveRelation, bind, bind_query, shown_order};
pub use tree::post_order as nodes;
pub use typ::TypeCache;
pub use window::{Frame, FrameBound, FrameUnits, WindowCall, WindowFunction};

use std::sync::Arc;

use eval::{AggregateCall, Expr, OrderTerm, TableCall};
use row::{Row, ScalarType};
use snapshot::Snapshot;

/// What a `Plan::Get` reads: a source table or another model, by its unique name in the project's graph
/// (dbt's unique_id: `source.shop.raw_data.orders`, `model.shop.stg_orders`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationId(pub Arc<str>);

/// One output column of a relation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Column {
    pub name: String,
    pub ty: ScalarType,
    pub nullable: bool,
    /// For numerics: an upper bound of the digits after the point, where one is known.
    pub scale_max: Option<u16>,
}

/// Columns and structural facts of a relation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RelationType {
    pub columns: Vec<Column>,
    /// Column sets known to be unique from structure (GROUP BY, DISTINCT ON, envelope keys), never from tests alone.
    pub keys: Vec<Vec<usize>>,
}

/// The maintained plan. Children are shared by `Arc`: a CTE read twice is one node.
///
/// Column numbering: a join's output is left columns then right columns (left only for semi and anti joins); a reduce's output is
/// its group expressions then its aggregates; `Map` and `Window` append their expressions to their input's columns.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Plan {
    Get {
        relation: RelationId,
        typ: RelationType,
    },
    /// Literal rows with their multiplicities.
    Constant {
        rows: Vec<(Row, i64)>,
        typ: RelationType,
    },
    Map {
        input: Arc<Plan>,
        exprs: Vec<(Expr, Column)>,
    },
    /// For each row the rows of its calls, side by side, the shorter ones filled with NULLs: appends a column for each call.
    FlatMap {
        input: Arc<Plan>,
        calls: Vec<(TableCall, Column)>,
        /// A last column that counts the rows from 1 (WITH ORDINALITY).
        ordinality: Option<Column>,
        /// A row for which no call gives a row is kept once, with NULLs.
        keeps_input: bool,
    },
    Project {
        input: Arc<Plan>,
        columns: Vec<usize>,
    },
    /// Keeps rows for which every predicate is true.
    Filter {
        input: Arc<Plan>,
        predicates: Vec<Expr>,
    },
    /// `on`: pairs of (expression over left, expression over right) that must be equal; each pair has one type.
    /// `residual`: further predicates over left ++ right columns, part of the join condition.
    Join {
        kind: JoinKind,
        left: Arc<Plan>,
        right: Arc<Plan>,
        on: Vec<EquiTerm>,
        residual: Vec<Expr>,
    },
    /// Group by `group`; with no group expressions there is always exactly one output row.
    Reduce {
        input: Arc<Plan>,
        group: Vec<(Expr, Column)>,
        aggregates: Vec<(AggregateCall, Column)>,
    },
    Distinct {
        input: Arc<Plan>,
    },
    /// The first `limit` rows after `offset` of each group, in order; ties broken by all columns.
    TopK {
        input: Arc<Plan>,
        group: Vec<usize>,
        order_by: Vec<OrderTerm>,
        limit: Option<u64>,
        offset: u64,
    },
    /// Appends each call's value over the rows of the partition, in order. NULL partition values are one partition; ties that the
    /// order leaves open are broken by all columns of the input, for the functions that tell peers apart.
    Window {
        input: Arc<Plan>,
        partition: Vec<Expr>,
        order_by: Vec<OrderTerm>,
        calls: Vec<(WindowCall, Column)>,
    },
    /// Keeps rows for which every predicate is true, at the cost of the rows that move when the clock does. The predicates are over
    /// the input's columns and then a reading of the clock; each turns at most once for a row (`temporal::temporal_bound`).
    Temporal {
        input: Arc<Plan>,
        reading: ClockReading,
        predicates: Vec<Expr>,
    },
    Union {
        inputs: Vec<Arc<Plan>>,
    },
    /// Every diff with its sign turned.
    Negate {
        input: Arc<Plan>,
    },
    /// The rows of `base`, and those that `step` derives from them, from those, and so on (WITH RECURSIVE).
    Recursive {
        /// What `Recursion` nodes inside the step name.
        name: String,
        base: Arc<Plan>,
        step: Arc<Plan>,
        /// UNION: a row that is there already is not derived from again. UNION ALL: a row is there as often as it is derived.
        distinct: bool,
    },
    /// Inside the step of a `Recursive` of that name: its rows.
    Recursion {
        name: String,
        typ: RelationType,
    },
    /// Rows with a positive count, with that count (EXCEPT ALL).
    Threshold {
        input: Arc<Plan>,
    },
    /// The versions that the rows of `input` have had; `stored` are those of before the start, followed by their keys.
    Snapshot {
        input: Arc<Plan>,
        stored: Arc<Plan>,
        snapshot: Arc<Snapshot>,
        typ: RelationType,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EquiTerm {
    pub left: Expr,
    pub right: Expr,
    /// NULL equals NULL (IS NOT DISTINCT FROM, set operations, decorrelated keys).
    pub null_equal: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    /// Left rows with a match; columns of the left only.
    Semi,
    /// Left rows without a match; columns of the left only.
    Anti,
}
