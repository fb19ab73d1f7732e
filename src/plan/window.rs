//! Window calls of a plan: what is computed over the rows of a partition, beside each row.

use std::collections::BTreeSet;

use eval::{AggregateCall, Expr, OrderTerm};
use row::ScalarType;

/// One window function over the partition and order of its `Plan::Window`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WindowCall {
    pub function: WindowFunction,
    /// Over the input's columns. `ntile`: the number of buckets; `lag` and `lead`: value, offset (a bigint), default;
    /// `first_value` and `last_value`: the value; `nth_value`: value, n (a bigint). Others: none.
    pub args: Vec<Expr>,
    /// The rows that `first_value`, `last_value`, `nth_value` and aggregates see; others see the whole partition.
    pub frame: Frame,
    pub returns: ScalarType,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WindowFunction {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile,
    Lag,
    Lead,
    FirstValue,
    LastValue,
    NthValue,
    /// Its argument and filter are over the input's columns. DISTINCT is refused, as PostgreSQL refuses it.
    Aggregate(AggregateCall),
}

/// Which rows around the current one a call sees.
///
/// Two rows are peers when their order terms are equal; without order terms all rows of a partition are peers. In `Rows`, peers are
/// told apart by all columns of the input, so that the answer is determined.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame {
    pub units: FrameUnits,
    pub start: FrameBound,
    pub end: FrameBound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrameUnits {
    Rows,
    Range,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrameBound {
    /// UNBOUNDED PRECEDING as a start, UNBOUNDED FOLLOWING as an end.
    Unbounded,
    /// This row under ROWS; the first (or last) of its peers under RANGE.
    CurrentRow,
    /// ROWS: so many rows before (negative) or after the current one.
    Offset(i64),
    /// RANGE with an offset: the value of the (only) order term at the bound, over the input's columns, as in
    /// `ordered_at - interval '7 days'`. NULL for a row whose order term is NULL: its frame is its peers.
    Value(Expr),
}

impl Frame {
    /// What SQL takes without a frame clause: up to the current row's last peer.
    pub fn default_range() -> Frame {
        Frame { units: FrameUnits::Range, start: FrameBound::Unbounded, end: FrameBound::CurrentRow }
    }

    /// The whole partition.
    pub fn whole() -> Frame {
        Frame { units: FrameUnits::Range, start: FrameBound::Unbounded, end: FrameBound::Unbounded }
    }
}

impl WindowCall {
    /// Calls `visit` for every expression over the input's columns.
    pub fn for_each_expr<'c>(&'c self, visit: &mut dyn FnMut(&'c Expr)) {
        self.args.iter().for_each(&mut *visit);
        if let WindowFunction::Aggregate(call) = &self.function {
            call.exprs().for_each(&mut *visit);
        }
        for bound in [&self.frame.start, &self.frame.end] {
            if let FrameBound::Value(expr) = bound {
                visit(expr);
            }
        }
    }

    /// Replaces every expression over the input's columns.
    pub fn map_exprs(&mut self, replace: &mut dyn FnMut(&Expr) -> Expr) {
        self.args.iter_mut().for_each(|arg| *arg = replace(arg));
        if let WindowFunction::Aggregate(call) = &mut self.function {
            call.exprs_mut().for_each(|expr| *expr = replace(expr));
        }
        for bound in [&mut self.frame.start, &mut self.frame.end] {
            if let FrameBound::Value(expr) = bound {
                *expr = replace(expr);
            }
        }
    }

    /// Whether peers (rows that the order leaves equal) may get different values.
    pub fn tells_peers_apart(&self) -> bool {
        match self.function {
            WindowFunction::Rank
            | WindowFunction::DenseRank
            | WindowFunction::PercentRank
            | WindowFunction::CumeDist => false,
            // A list shows in which order its frame's rows stand.
            WindowFunction::Aggregate(ref call) => self.frame.units == FrameUnits::Rows || call.function.is_list(),
            WindowFunction::RowNumber
            | WindowFunction::Ntile
            | WindowFunction::Lag
            | WindowFunction::Lead
            | WindowFunction::FirstValue
            | WindowFunction::LastValue
            | WindowFunction::NthValue => true,
        }
    }
}

impl WindowFunction {
    /// The function's name in SQL.
    pub fn name(&self) -> &'static str {
        match self {
            WindowFunction::RowNumber => "row_number",
            WindowFunction::Rank => "rank",
            WindowFunction::DenseRank => "dense_rank",
            WindowFunction::PercentRank => "percent_rank",
            WindowFunction::CumeDist => "cume_dist",
            WindowFunction::Ntile => "ntile",
            WindowFunction::Lag => "lag",
            WindowFunction::Lead => "lead",
            WindowFunction::FirstValue => "first_value",
            WindowFunction::LastValue => "last_value",
            WindowFunction::NthValue => "nth_value",
            WindowFunction::Aggregate(_) => "aggregate",
        }
    }
}

/// Columns whose values two rows of one partition that are peers have in common.
pub(crate) fn decided_columns(partition: &[Expr], order_by: &[OrderTerm]) -> BTreeSet<usize> {
    let terms = order_by.iter().map(|term| &term.expr);
    partition.iter().chain(terms).filter_map(distinguished).collect()
}

/// The column that an expression shows, if different values of it always give different values of the expression.
fn distinguished(expr: &Expr) -> Option<usize> {
    use ScalarType as T;
    match expr {
        Expr::Column(column) => Some(*column),
        Expr::Cast { input, from, to, .. } => {
            let keeps = match (from, to) {
                (T::Int16 | T::Int32, T::Int64) | (T::Int16, T::Int32) | (T::Date, T::Timestamp) => true,
                (from, T::Numeric(None)) => from.is_integer(),
                _ => false,
            };
            if keeps { distinguished(input) } else { None }
        }
        _ => None,
    }
}
