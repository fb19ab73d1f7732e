//! The upsert envelope: the value is the row, a null value deletes the record's key.
//!
//! This is also what Debezium's flattening (ExtractNewRecordState) and compacted topics write: `__deleted: "true"` deletes too.
//! Key columns that the value lacks are taken from the message's key.

use super::{Changes, Desk, Payload};
use crate::source::Change;
use crate::source::format::json::Value;

pub fn decode<'a>(desk: &mut Desk<'a, '_>, payload: &Payload<'a>) -> Changes {
    let table = desk.columns.table;
    let Some(value) = payload.value else {
        return match desk.message_key(payload) {
            Some(key) => Changes::one(Change::Delete { table, key, moves: false }),
            None => desk.refused(payload, "a null value whose message key does not hold the table's key"),
        };
    };
    let slots = desk.columns.slots(desk.arena);
    if let Err(error) = desk.columns.collect(value, slots) {
        return desk.refused(payload, error.to_string());
    }
    if payload.scan.flat_deleted.is_some_and(|deleted| is_true(&deleted)) {
        return match desk.row_key(payload, slots) {
            Ok(key) => Changes::one(Change::Delete { table, key, moves: false }),
            Err(error) => desk.malformed(payload, None, error),
        };
    }
    desk.row(payload, slots)
}

fn is_true(value: &Value<'_>) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Text(text) => text.raw == "true",
        _ => false,
    }
}
