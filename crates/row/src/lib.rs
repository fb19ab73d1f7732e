//! Values and rows: what flows through every operator.
//!
//! ```text
//!   text / JSON ──parse──> Datum ──pack──> Row (bytes) ──unpack──> Datum ──display──> text
//!                                           │
//!                                           └─ order_key: bytes whose memcmp is ORDER BY
//! ```
//!
//! 1. Two rows are equal exactly when their bytes are equal, so differential may compare bytes.
//! 2. Key rows hold normalised values (`1.0` and `1.00` are one key); value rows keep the display scale.
//! 3. Nothing here knows SQL text, files or clocks.

pub mod calendar;
mod datum;
pub mod float_text;
pub mod numeric;
mod order;
mod packed;
#[cfg(test)]
mod strategies;
mod text;
mod types;

pub use calendar::{CalendarError, DateUnit, Interval};
pub use datum::{Datum, OwnedDatum};
pub use float_text::FloatError;
pub use numeric::{Numeric, NumericError};
pub use order::{SortDirection, push_order_key};
pub use packed::{DatumIter, Row, RowBuilder, RowRef};
pub use types::{NumericTypmod, ScalarType};

/// One atomic step of all inputs; totally ordered.
pub type Epoch = u64;

/// A signed count of copies of a row.
pub type Diff = i64;
