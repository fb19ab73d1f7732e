//! Bytes whose order is that of ORDER BY: what ordered indexes, min, max and top-k compare.

use smallvec::SmallVec;

use crate::Datum;

/// One ORDER BY term: direction and where NULLs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct SortDirection {
    pub descending: bool,
    pub nulls_first: bool,
}

impl SortDirection {
    /// PostgreSQL's default: ascending, NULLs last.
    pub const ASCENDING: SortDirection = SortDirection { descending: false, nulls_first: false };
}

/// Appends the order key of one value. Keys built from the same terms compare by `memcmp` as ORDER BY compares the values;
/// no key is a proper prefix of another.
pub fn push_order_key(key: &mut SmallVec<[u8; 32]>, datum: &Datum<'_>, direction: SortDirection) {
    if datum.is_null() {
        key.push(if direction.nulls_first { 0 } else { 2 });
        return;
    }
    key.push(1);
    let start = key.len();
    push_value(key, datum);
    if direction.descending {
        key[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

fn push_value(key: &mut SmallVec<[u8; 32]>, datum: &Datum<'_>) {
    match datum {
        Datum::Null => unreachable!("NULL is handled by the caller"),
        Datum::Bool(value) => key.push(u8::from(*value)),
        Datum::Int(value) | Datum::Time(value) | Datum::Timestamp(value) | Datum::TimestampTz(value) => {
            push_i64(key, *value);
        }
        Datum::Date(days) => push_i64(key, i64::from(*days)),
        Datum::Float32(value) => push_f64(key, f64::from(*value)),
        Datum::Float64(value) => push_f64(key, *value),
        Datum::Numeric(value) => value.push_order_key(key),
        Datum::Text(value) => push_escaped(key, value.as_bytes()),
        Datum::Bytes(value) => push_escaped(key, value),
        Datum::Interval(value) => {
            key.extend_from_slice(&((value.comparison_micros() as u128) ^ (1 << 127)).to_be_bytes())
        }
        Datum::Packed(value) => value.iter().for_each(|value| push_value(key, &value)),
        Datum::Array(elements) => {
            for element in elements.iter() {
                push_order_key(key, &element, SortDirection::ASCENDING);
            }
            key.push(0);
        }
    }
}

fn push_i64(key: &mut SmallVec<[u8; 32]>, value: i64) {
    key.extend_from_slice(&((value as u64) ^ (1 << 63)).to_be_bytes());
}

fn push_f64(key: &mut SmallVec<[u8; 32]>, value: f64) {
    let value = if value == 0.0 { 0.0 } else { value };
    let bits = if value.is_nan() { f64::NAN.to_bits() & !(1 << 63) } else { value.to_bits() };
    let ordered = if bits >> 63 == 1 { !bits } else { bits | (1 << 63) };
    key.extend_from_slice(&ordered.to_be_bytes());
}

/// Zero bytes become `00 FF`, the end is `00 00`: prefix-free and ordered as the bytes are.
fn push_escaped(key: &mut SmallVec<[u8; 32]>, bytes: &[u8]) {
    for byte in bytes {
        key.push(*byte);
        if *byte == 0 {
            key.push(0xFF);
        }
    }
    key.extend_from_slice(&[0, 0]);
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
