//! Window calls of a plan: what is computed over the rows of a partition, beside each row.

use eval::{AggregateCall, Expr};
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
