//! The dataflow operators, each generic one instantiated once behind a plain function.
//!
//! ```text
//!   Rows ──map──> Rows | Keyed | Accums                one fused chain of map, filter and project
//!   Keyed ──arrange──> Arrangement ──read──> …         rows by key, shared by every reader
//!   (Keyed | Arrangement)² ──join──> …                 matches of equal keys, and rows without one
//!   Accums (× Keyed | Arrangement) ──groups──> …       groups whose aggregates ride in lanes, beside a hub's rows
//!   Keyed ──keyed──> Rows                              states that see an epoch's net changes: windows, ordered multisets, joins by order
//!   Keyed × ticks ──temporal──> Rows                   rows that come and go by the clock
//!   Keyed × Keyed × turns ──history──> Rows            versions of a key's rows, which stay
//!   Rows ──iterate──> Rows                             a collection defined by itself, with rounds beside epochs
//! ```
//!
//! 1. Epochs are totally ordered and one is worked on at a time (`graph`), so an update is a record and what it adds.
//! 2. Closures are boxed: a plan adds operators, never machine code. The compiler meets each operator once, here.
//! 3. An operator whose logic can fail has two outputs, rows and errors, each with the diff of the input row.

mod accum;
mod arrange;
mod bag;
mod batch;
mod collection;
mod exchange;
mod graph;
mod groups;
mod history;
mod interval;
mod iterate;
mod join;
mod key_table;
mod keyed;
mod map;
mod range_join;
mod temporal;

pub use accum::Accum;
pub use arrange::{Arrangement, arrange};
pub use batch::Batch;
pub use collection::{Collection, Record};
pub use exchange::{Address, Post, addresses};
pub use graph::{Captured, Graph, Input, StateSize};
pub use groups::{Copies, GroupEmit, GroupLogic, GroupView, groups_to_accums, groups_to_keyed, groups_to_rows};
pub use history::{HistoryLogic, IsOpen, KeyOutcome, KeyView, Turn, history};
pub use iterate::{LoopOp, Recursion, iterate};
pub use join::{Gives, JoinInput, JoinLogic, join_to_accums, join_to_keyed, join_to_rows};
pub use keyed::{Changes, KeyedState, keyed};
pub use map::{
    Emit, PairLogic, RowLogic, map_to_accums, map_to_keyed, map_to_rows, read_to_accums, read_to_keyed, read_to_rows,
};
pub use range_join::{JoinSide, Place, RangeJoin, RangeJoinKind, RangeLogic, tag};
pub use temporal::{NextTurn, temporal};

use row::Row;

/// A collection of rows.
pub type Rows = Collection<Row>;

/// A collection of (key, value) rows.
pub type Keyed = Collection<(Row, Row)>;

/// A collection of accumulators by group.
pub type Accums = Collection<(Row, Accum)>;
