//! Debezium's envelope: `{"op","before","after","source","ts_ms"}`.
//!
//! | op | table with a key | table without one |
//! |---|---|---|
//! | `r` snapshot, `c` insert | upsert of `after` | insert of `after` |
//! | `u` update | upsert of `after` | remove `before`, insert `after` |
//! | `d` delete | delete of the key | remove `before` |
//! | `t` truncate | truncate | truncate |
//! | `m` logical message | nothing | nothing |
//!
//! - The key of an upsert is read from `after`. That of a delete comes from the message's key, else from a top-level `key`,
//!   else from `before`: under PostgreSQL's default replica identity only the key columns of `before` are true, the others are
//!   made up, and no other column of it is looked at.
//! - A changed key is a `d` of the old one and a `c` of the new one, each a record of its own; the `d` says so, and no epoch is
//!   closed before the `c`. Tombstones say nothing new.
//! - A value left out because it is large and did not change (TOAST) makes a `Patch`: the resolver puts in what the row had.
//! - Heartbeats and transaction marks that come along are no rows and are skipped.
//! - A table without a key needs REPLICA IDENTITY FULL, so that `before` is the whole row.

use row::Row;

use super::{Changes, Desk, Payload};
use crate::source::columns::{ColumnError, Key, Slots};
use crate::source::format::json::Value;
use crate::source::{Change, Patch};

/// Names the new key in the `d` of a changed key.
const NEW_KEY_HEADER: &str = "__debezium.newkey";
/// Names the old key in the `c` of a changed key.
const OLD_KEY_HEADER: &str = "__debezium.oldkey";

pub fn decode<'a>(desk: &mut Desk<'a, '_>, payload: &Payload<'a>) -> Changes {
    if payload.value.is_none() {
        return Changes::NONE; // a tombstone: the `d` before it said it all
    }
    let scan = payload.scan;
    let op = match scan.op {
        Some(Value::Text(op)) => op.raw,
        _ if scan.after.is_none() && scan.before.is_none() && (scan.is_heartbeat() || scan.is_transaction_mark()) => {
            return Changes::NONE;
        }
        _ => {
            return desk.refused(
                payload,
                "no \"op\": the value is no Debezium change; a plain row wants envelope: upsert or append",
            );
        }
    };
    let has_key = desk.columns.key.is_some();
    match (op, has_key) {
        ("r" | "c" | "u", true) => upsert(desk, payload),
        ("d", true) => delete(desk, payload),
        ("r" | "c", false) => keyless(desk, payload, false, true),
        ("u", false) => keyless(desk, payload, true, true),
        ("d", false) => keyless(desk, payload, true, false),
        ("t", _) => Changes::one(Change::Truncate { table: desk.columns.table }),
        ("m", _) => Changes::NONE,
        _ => desk.refused(payload, format!("unknown op \"{op}\"")),
    }
}

fn upsert<'a>(desk: &mut Desk<'a, '_>, payload: &Payload<'a>) -> Changes {
    let slots = desk.columns.slots(desk.arena);
    if let Err(error) = object(desk, payload.scan.after, "after", slots) {
        return desk.malformed(payload, None, error);
    }
    let mut key = desk.columns.pack_key(slots, desk.arena, desk.builder);
    if key.is_err()
        && let Some(message_key) = payload.key
        && desk.columns.fill_from_key(message_key, slots, desk.arena)
    {
        key = desk.columns.pack_key(slots, desk.arena, desk.builder);
    }
    let key = match key {
        Ok(key) => key,
        Err(error) => return desk.malformed(payload, None, error),
    };
    let table = desk.columns.table;
    match desk.columns.pack(slots, desk.arena, desk.builder) {
        Ok((row, unavailable)) if unavailable.is_empty() => Changes::one(Change::Upsert { table, key, row }),
        Ok((row, kept)) => {
            let old_key = (payload.header)(OLD_KEY_HEADER);
            let old_key = old_key.map(|bytes| Key::Bytes(desk.arena.alloc_slice_copy(&bytes)));
            let moved_from = old_key.and_then(|key| desk.columns.message_key(key, desk.arena, desk.builder));
            let column = desk.columns.column_name(kept[0]).to_string();
            let record = payload.excerpt();
            Changes::one(Change::Patch(Box::new(Patch { table, key, row, kept, column, moved_from, record })))
        }
        Err(error) => desk.malformed(payload, Some(key), error),
    }
}

fn delete<'a>(desk: &mut Desk<'a, '_>, payload: &Payload<'a>) -> Changes {
    match desk.message_key(payload).map_or_else(|| delete_key(desk, payload), Ok) {
        Ok(key) => {
            let moves = (payload.header)(NEW_KEY_HEADER).is_some();
            Changes::one(Change::Delete { table: desk.columns.table, key, moves })
        }
        Err(error) => desk.malformed(payload, None, error),
    }
}

/// The key of a delete whose message has no key that fits.
fn delete_key<'a>(desk: &mut Desk<'a, '_>, payload: &Payload<'a>) -> Result<Row, ColumnError> {
    let slots = desk.columns.slots(desk.arena);
    if let Some(Value::Object(_) | Value::Record(_)) = payload.scan.key {
        object(desk, payload.scan.key, "key", slots)?;
        if let Ok(key) = desk.columns.pack_key(slots, desk.arena, desk.builder) {
            return Ok(key);
        }
    }
    object(desk, payload.scan.before, "before", slots)?;
    desk.columns.pack_key(slots, desk.arena, desk.builder)
}

fn keyless<'a>(desk: &mut Desk<'a, '_>, payload: &Payload<'a>, removes: bool, inserts: bool) -> Changes {
    let table = desk.columns.table;
    let removed = if removes {
        match whole_row(desk, payload.scan.before, "before") {
            Ok(row) => Some(Change::Remove { table, row }),
            Err(error) => return desk.malformed(payload, None, error),
        }
    } else {
        None
    };
    let inserted = if inserts {
        match whole_row(desk, payload.scan.after, "after") {
            Ok(row) => Some(Change::Insert { table, row }),
            Err(error) => return desk.malformed(payload, None, error),
        }
    } else {
        None
    };
    Changes([removed, inserted])
}

fn whole_row<'a>(desk: &mut Desk<'a, '_>, value: Option<Value<'a>>, field: &str) -> Result<Row, ColumnError> {
    let slots = desk.columns.slots(desk.arena);
    object(desk, value, field, slots)?;
    let (row, unavailable) = desk.columns.pack(slots, desk.arena, desk.builder)?;
    match unavailable.first() {
        None => Ok(row),
        Some(column) => Err(ColumnError {
            column: desk.columns.column_name(*column).to_string(),
            reason: "its unchanged large value was left out, and a table without a key cannot look it up; \
                     set REPLICA IDENTITY FULL on the table"
                .into(),
        }),
    }
}

fn object<'a>(
    desk: &mut Desk<'a, '_>,
    value: Option<Value<'a>>,
    field: &str,
    slots: &mut Slots<'a>,
) -> Result<(), ColumnError> {
    let error = |reason: String| ColumnError { column: String::new(), reason };
    match value {
        Some(value @ (Value::Object(_) | Value::Record(_))) => {
            desk.columns.collect(value, slots).map_err(|cause| error(cause.to_string()))?;
            Ok(())
        }
        Some(Value::Null) | None if field == "before" && desk.columns.key.is_none() => {
            Err(error("\"before\" is null; a table without a key needs REPLICA IDENTITY FULL, or give it a key".into()))
        }
        Some(Value::Null) | None => Err(error(format!("\"{field}\" is null"))),
        Some(_) => Err(error(format!("\"{field}\" is no object"))),
    }
}
