//! How the bytes of a record become values: JSON, CSV, Avro, and the typed reading of one value.
//!
//! ```text
//!   bytes ──json / csv / avro──> Value (borrowed) ──scalar (type, encoding)──> Datum ──> packed row
//!                                             ├─ decimal: exact, never through a double
//!                                             ├─ moment:  ISO text to days and microseconds
//!                                             └─ binary:  base64 and hex
//! ```
//!
//! 1. A value of a text is a slice of the record until the column's type reads it; binary values lie in the record's arena.
//! 2. Nothing is guessed from a value's looks; where text leaves a choice, the column's `Encoding` decides.
//! 3. Any bytes give a value or an error, never a panic.

pub mod avro;
pub mod binary;
pub mod connect;
pub mod csv;
pub mod decimal;
pub mod json;
pub mod moment;
pub mod scalar;
