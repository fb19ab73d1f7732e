//! The dataflow operators, each generic one instantiated once behind a plain function.
//!
//! ```text
//!   Rows ──map──> Rows | Keyed | Accums            one fused chain of map, filter and project
//!   Keyed ──arrange──> Arrangement ──read──> …     rows by key, shared by every reader
//!   Arrangement × Arrangement ──join──> …          matches of equal keys
//!   Accums ──accumulate──> Arrangement             groups whose aggregates ride in the difference
//!   Arrangement ──reduce──> Arrangement            groups that need to see their values
//!   Keyed × ticks ──temporal──> Rows               rows that come and go by the clock
//!   Keyed × Keyed × turns ──history──> Rows        versions of a key's rows, which stay
//!   Keyed ──keyed──> Rows                          states of their own in epoch order: windows, ordered multisets, joins by order
//!   Keyed × Keyed ──keyed_join──> …                a join whose sides nobody else reads by this key
//!   Accums (× Keyed) ──keyed_groups──> …           groups (beside a hub's rows) that nobody reads as an arrangement
//!   Rows ──iterate──> Rows                         a collection defined by itself, with rounds beside epochs
//! ```
//!
//! 1. Every collection is (row, epoch, diff); times are totally ordered.
//! 2. Closures are boxed: a plan adds operators, never machine code. The compiler meets each operator once, here.
//! 3. An operator whose logic can fail has two outputs, rows and errors, each with the diff of the input row.

mod accum;
mod arrange;
mod bag;
mod history;
mod interval;
mod iterate;
mod join;
mod key_table;
mod keyed;
mod keyed_groups;
mod keyed_join;
mod map;
mod range_join;
mod reduce;
mod slab;
mod temporal;
mod waiting;

pub use accum::Accum;
pub use arrange::{Arrangement, Batches, arrange, arrange_accums};
pub use history::{HistoryLogic, IsOpen, KeyOutcome, KeyView, Turn, history};
pub use iterate::{LoopOp, Recursion, iterate};
pub use join::{join_to_accums, join_to_keyed, join_to_rows};
pub use keyed::{Changes, KeyedState, keyed};
pub use keyed_groups::{keyed_groups_to_accums, keyed_groups_to_keyed, keyed_groups_to_rows};
pub use keyed_join::{Gives, keyed_join_to_accums, keyed_join_to_keyed, keyed_join_to_rows};
pub use map::{
    Emit, map_to_accums, map_to_keyed, map_to_rows, read_to_accums, read_to_keyed, read_to_rows, split_failed,
};
pub use range_join::{JoinSide, Place, RangeJoin, RangeJoinKind, RangeLogic, tag};
pub use reduce::{Group, accumulate, reduce};
pub use slab::Slab;
pub use temporal::{NextTurn, temporal};

use differential_dataflow::VecCollection;
use row::{Diff, Epoch, Row};

/// A collection of rows.
pub type Rows<'scope> = VecCollection<'scope, Epoch, Row, Diff>;

/// A collection of (key, value) rows on their way to an arrangement.
pub type Keyed<'scope> = VecCollection<'scope, Epoch, (Row, Row), Diff>;

/// A collection of keys whose differences are accumulators.
pub type Accums<'scope> = VecCollection<'scope, Epoch, Row, Accum>;

/// Marks a value row of a reduce whose finishing failed: its columns are an error's. No packed value begins with it.
pub const FAILED: u8 = 0x7F;

/// Whether a value row carries an error instead of columns.
pub fn is_failed(row: row::RowRef<'_>) -> bool {
    row.bytes().first() == Some(&FAILED)
}

/// Turns an error row into a value row that `is_failed`.
pub fn failed_row(error: &Row) -> Row {
    let mut bytes = Vec::with_capacity(error.bytes().len() + 1);
    bytes.push(FAILED);
    bytes.extend_from_slice(error.bytes());
    Row::from_bytes(&bytes)
}
