//! The form in which values of `jsonb` are keys: bytes that are equal exactly when the values are, and stand in their order.
//!
//! ```text
//!   {"a": 1.0}  ──>  object, 1 pair, 'a', number 1        the same bytes as of {"a": 1.00}
//! ```
//!
//! 1. The order is that of `json_compare`: null, string, number, boolean, array, object; of arrays and objects the shorter first.
//! 2. A scalar alone is an array of one, before a real array of one, for the sake of PostgreSQL's own past.
//! 3. No key is the beginning of another, so that the keys of parts may stand side by side.
//!
//! The planner puts these where rows are compared by a `jsonb` (`eval::by_value`); no SQL can call them: a name has no blanks.

use row::{Datum, Numeric};
use smallvec::SmallVec;

use super::{Implementation, Param, array, total, unwrap_array};
use crate::json::{self, Json};

const NULL: u8 = 0;
const STRING: u8 = 1;
const NUMBER: u8 = 2;
const BOOL: u8 = 3;
const ARRAY: u8 = 4;
const OBJECT: u8 = 5;
/// At the place of an array's mark, for a scalar alone.
const ALONE: u8 = 0;
const IN_ARRAY: u8 = 1;

/// The function of one value.
pub(crate) const OF_VALUE: &str = "jsonb key";
/// The function of an array of values.
pub(crate) const OF_ARRAY: &str = "jsonb keys";

pub(super) const ROWS: &[Implementation] = &[
    total(OF_VALUE, &[Param::Jsonb], Param::Bytes, |a, arena| {
        Ok(Datum::Bytes(arena.alloc_slice_copy(&key(a[0].unwrap_text()))))
    }),
    total(OF_ARRAY, &[Param::AnyArray], Param::AnyArray, |a, arena| {
        let keys: Vec<Option<Key>> = unwrap_array(&a[0])
            .iter()
            .map(|element| (!element.is_null()).then(|| key(element.unwrap_text())))
            .collect();
        Ok(array(keys.iter().map(|key| key.as_ref().map_or(Datum::Null, |key| Datum::Bytes(key))), arena))
    }),
];

type Key = SmallVec<[u8; 32]>;

fn key(text: &str) -> Key {
    let mut key = Key::new();
    match json::parse(text, "json") {
        Ok(Json::Array(elements)) => push_array(&mut key, &elements, Some(IN_ARRAY)),
        Ok(object @ Json::Object(_)) => push(&mut key, &object),
        Ok(scalar) => push_array(&mut key, &[scalar], Some(ALONE)),
        // A value of jsonb has been parsed once, so it is never seen here.
        Err(_) => push_text(&mut key, text),
    }
    key
}

fn push(key: &mut Key, value: &Json<'_>) {
    match value {
        Json::Null => key.push(NULL),
        Json::String(text) => {
            key.push(STRING);
            push_text(key, text);
        }
        Json::Number(text) => {
            key.push(NUMBER);
            match Numeric::parse(text) {
                Ok(number) => number.push_order_key(key),
                Err(_) => push_text(key, text),
            }
        }
        Json::Bool(value) => key.extend([BOOL, u8::from(*value)]),
        Json::Array(elements) => push_array(key, elements, None),
        Json::Object(members) => {
            key.push(OBJECT);
            push_count(key, members.len());
            for (name, value) in members {
                push_text(key, name);
                push(key, value);
            }
        }
    }
}

/// `outermost` tells a scalar alone from an array of one.
fn push_array(key: &mut Key, elements: &[Json<'_>], outermost: Option<u8>) {
    key.push(ARRAY);
    push_count(key, elements.len());
    key.extend(outermost);
    elements.iter().for_each(|element| push(key, element));
}

fn push_count(key: &mut Key, count: usize) {
    // A text of 4 GiB is no value.
    key.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

/// Zero bytes become `00 FF`, the end is `00 00`.
fn push_text(key: &mut Key, text: &str) {
    for byte in text.bytes() {
        key.push(byte);
        if byte == 0 {
            key.push(0xFF);
        }
    }
    key.extend_from_slice(&[0, 0]);
}

#[cfg(test)]
#[path = "json_key_tests.rs"]
mod tests;
