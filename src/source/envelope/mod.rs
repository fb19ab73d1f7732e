//! What a record says about its table: the envelope around the row.
//!
//! ```text
//!   Debezium {"op":"u","after":{…}} ─┐
//!   upsert   {…} or null             ├─> Upsert, Delete, Insert, Remove, Truncate, Malformed, or nothing
//!   append   {…}                    ─┘
//! ```
//!
//! 1. Old values are never taken from a message for a table with a key: the `Resolver` has the row.
//! 2. A record that cannot be read becomes `Malformed` with its column and reason, and with its key if that can be read.

pub mod append;
pub mod debezium;
pub mod upsert;

use bumpalo::Bump as Arena;
use row::{Row, RowBuilder};

use super::columns::{ColumnError, Columns, Key, Slots};
use super::format::json::Value;
use super::scan::Scan;
use super::{Change, Malformed};

/// One value with all that its envelope may look at.
pub struct Payload<'a> {
    /// The value, without the wrapper of a schema; None for a null value, and where only its text is known.
    pub value: Option<Value<'a>>,
    /// Its text, for errors, where it is one.
    pub text: &'a str,
    pub scan: &'a Scan<'a>,
    pub key: Option<Key<'a>>,
    /// A header's value by its name.
    pub header: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

impl Payload<'_> {
    /// The value as an error shows it.
    pub fn excerpt(&self) -> String {
        match self.value {
            Some(value) if self.text.is_empty() => {
                let mut text = String::new();
                value.write_json(&mut text);
                excerpt(&text)
            }
            _ => excerpt(self.text),
        }
    }
}

/// What an envelope made of a record; a keyless update makes two changes.
#[derive(Debug, Default)]
pub struct Changes(pub [Option<Change>; 2]);

impl Changes {
    pub const NONE: Changes = Changes([None, None]);

    pub fn one(change: Change) -> Changes {
        Changes([Some(change), None])
    }
}

/// Tools that the envelopes share.
pub struct Desk<'a, 'b> {
    pub columns: &'b mut Columns,
    pub arena: &'a Arena,
    pub builder: &'b mut RowBuilder,
}

impl<'a> Desk<'a, '_> {
    /// The record set aside; its key from the row's own columns, else from the message's key.
    pub fn malformed(&mut self, payload: &Payload<'a>, key: Option<Row>, error: ColumnError) -> Changes {
        let key = key.or_else(|| self.message_key(payload));
        Changes::one(Change::Malformed(Box::new(Malformed {
            table: Some(self.columns.table),
            key,
            column: Some(error.column).filter(|column| !column.is_empty()),
            reason: error.reason,
            record: payload.excerpt(),
        })))
    }

    /// The record set aside for a reason that concerns no column.
    pub fn refused(&mut self, payload: &Payload<'a>, reason: impl Into<String>) -> Changes {
        self.malformed(payload, None, ColumnError { column: String::new(), reason: reason.into() })
    }

    /// The row in `slots`: one more copy where the table has no key, else the key's row. Key columns that the row lacks come from
    /// the message's key.
    pub fn row(&mut self, payload: &Payload<'a>, slots: &mut Slots<'a>) -> Changes {
        let table = self.columns.table;
        if self.columns.key.is_none() {
            return match self.columns.pack(slots, self.arena, self.builder) {
                Ok((row, _)) => Changes::one(Change::Insert { table, row }),
                Err(error) => self.malformed(payload, None, error),
            };
        }
        let key = match self.row_key(payload, slots) {
            Ok(key) => key,
            Err(error) => return self.malformed(payload, None, error),
        };
        match self.columns.pack(slots, self.arena, self.builder) {
            Ok((row, _)) => Changes::one(Change::Upsert { table, key, row }),
            Err(error) => self.malformed(payload, Some(key), error),
        }
    }

    pub fn row_key(&mut self, payload: &Payload<'a>, slots: &mut Slots<'a>) -> Result<Row, ColumnError> {
        if let Some(key) = payload.key {
            self.columns.fill_from_key(key, slots, self.arena);
        }
        self.columns.pack_key(slots, self.arena, self.builder)
    }

    pub fn message_key(&mut self, payload: &Payload<'a>) -> Option<Row> {
        self.columns.key.as_ref()?;
        self.columns.message_key(payload.key?, self.arena, self.builder)
    }
}

/// Bytes of a record's text that an error keeps.
pub const RECORD_BYTES_MAX: usize = 4096;

/// The text, cut at `RECORD_BYTES_MAX` between two characters.
pub fn excerpt(text: &str) -> String {
    if text.len() <= RECORD_BYTES_MAX {
        return text.to_string();
    }
    let end = (0..=RECORD_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}
