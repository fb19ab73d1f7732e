//! Avro: schemas as a registry holds them, and the binary encoding.
//!
//! ```text
//!   0 │ id (4 bytes) │ body ──schema of that id──> Value (borrowed from bytes, schema and arena), and back
//! ```
//!
//! 1. A body is read with the schema that wrote it; columns are then taken by name, so a reader needs no schema of its own.
//! 2. A logical type that is not valid is ignored, as the specification wants it: one odd column does not lose a table.
//! 3. Any bytes give a value or an error; what they can make us allocate is bounded by their length and `EMPTY_VALUES_MAX`.

mod meaning;
mod read;
mod schema;
mod write;

pub use meaning::{column_types, encodings};
pub use read::read;
pub use schema::{Field, Node, Schema, Shape};
pub use write::{frame, write};

/// The first byte of Confluent's wire format.
const MAGIC: u8 = 0;

/// The schema's id and the body behind it; None where the bytes do not begin as the wire format does.
pub fn unframe(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, body) = bytes.split_at_checked(5)?;
    if head[0] != MAGIC {
        return None;
    }
    Some((u32::from_be_bytes([head[1], head[2], head[3], head[4]]), body))
}

#[cfg(test)]
mod tests;
