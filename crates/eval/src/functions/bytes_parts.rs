//! Parts of `bytea`: cut, trimmed, searched, read bit by bit, and turned to text and back.
//!
//! 1. Positions count bytes from 1, as those of text count characters; `get_byte` and its kin count from 0.

use row::Datum;

use super::Param::{Bytes, Int32, Int64, Text};
use super::{Implementation, Value, fail, partial, text, total, unwrap_bytes};
use crate::{Arena, EvalError};

pub(super) const ROWS: &[Implementation] = &[
    total("substr", &[Bytes, Int32], Bytes, |a, _| Ok(Datum::Bytes(tail(unwrap_bytes(&a[0]), a[1].unwrap_int())))),
    partial("substr", &[Bytes, Int32, Int32], Bytes, |a, _| substring(a)),
    total("substring", &[Bytes, Int32], Bytes, |a, _| Ok(Datum::Bytes(tail(unwrap_bytes(&a[0]), a[1].unwrap_int())))),
    partial("substring", &[Bytes, Int32, Int32], Bytes, |a, _| substring(a)),
    total("btrim", &[Bytes, Bytes], Bytes, |a, _| Ok(Datum::Bytes(trim(a, true, true)))),
    total("ltrim", &[Bytes, Bytes], Bytes, |a, _| Ok(Datum::Bytes(trim(a, true, false)))),
    total("rtrim", &[Bytes, Bytes], Bytes, |a, _| Ok(Datum::Bytes(trim(a, false, true)))),
    total("position", &[Bytes, Bytes], Int32, |a, _| {
        Ok(Datum::Int(position(unwrap_bytes(&a[0]), unwrap_bytes(&a[1]))))
    }),
    partial("overlay", &[Bytes, Bytes, Int32], Bytes, |a, arena| overlay(a, unwrap_bytes(&a[1]).len() as i64, arena)),
    partial("overlay", &[Bytes, Bytes, Int32, Int32], Bytes, |a, arena| overlay(a, a[3].unwrap_int(), arena)),
    partial("get_byte", &[Bytes, Int32], Int32, |a, _| {
        let value = unwrap_bytes(&a[0]);
        Ok(Datum::Int(i64::from(value[index(a[1].unwrap_int(), value.len())?])))
    }),
    partial("set_byte", &[Bytes, Int32, Int32], Bytes, |a, arena| {
        let value = unwrap_bytes(&a[0]);
        let at = index(a[1].unwrap_int(), value.len())?;
        let changed = arena.alloc_slice_copy(value);
        changed[at] = a[2].unwrap_int() as u8;
        Ok(Datum::Bytes(changed))
    }),
    partial("get_bit", &[Bytes, Int64], Int32, |a, _| {
        let value = unwrap_bytes(&a[0]);
        let bit = index(a[1].unwrap_int(), value.len() * 8)?;
        Ok(Datum::Int(i64::from(value[bit / 8] >> (bit % 8) & 1)))
    }),
    partial("set_bit", &[Bytes, Int64, Int32], Bytes, |a, arena| {
        let value = unwrap_bytes(&a[0]);
        let bit = index(a[1].unwrap_int(), value.len() * 8)?;
        let changed = arena.alloc_slice_copy(value);
        match a[2].unwrap_int() {
            0 => changed[bit / 8] &= !(1 << (bit % 8)),
            1 => changed[bit / 8] |= 1 << (bit % 8),
            _ => return fail("new bit must be 0 or 1"),
        }
        Ok(Datum::Bytes(changed))
    }),
    total("bit_count", &[Bytes], Int64, |a, _| {
        Ok(Datum::Int(unwrap_bytes(&a[0]).iter().map(|byte| i64::from(byte.count_ones())).sum()))
    }),
    partial("convert_from", &[Bytes, Text], Text, |a, arena| {
        convert_from(unwrap_bytes(&a[0]), a[1].unwrap_text(), arena)
    }),
    partial("convert_to", &[Text, Text], Bytes, |a, arena| convert_to(a[0].unwrap_text(), a[1].unwrap_text(), arena)),
];

/// An index from 0 that lies inside.
fn index(wanted: i64, length: usize) -> Result<usize, EvalError> {
    match usize::try_from(wanted) {
        Ok(index) if index < length => Ok(index),
        _ => fail(format!("index {wanted} out of valid range, 0..{}", length as i64 - 1)),
    }
}

fn tail(value: &[u8], start: i64) -> &[u8] {
    &value[usize::try_from(start - 1).unwrap_or(0).min(value.len())..]
}

fn substring<'a>(args: &[Datum<'a>]) -> Value<'a> {
    let (value, start, length) = (unwrap_bytes(&args[0]), args[1].unwrap_int(), args[2].unwrap_int());
    if length < 0 {
        return fail("negative substring length not allowed");
    }
    let inside = |position: i64| usize::try_from(position - 1).unwrap_or(0).min(value.len());
    // A start before the value uses up length.
    let (from, end) = (inside(start), inside(start + length));
    Ok(Datum::Bytes(&value[from..end.max(from)]))
}

fn trim<'a>(args: &[Datum<'a>], at_start: bool, at_end: bool) -> &'a [u8] {
    let (mut value, bytes) = (unwrap_bytes(&args[0]), unwrap_bytes(&args[1]));
    while let [first, rest @ ..] = value
        && at_start
        && bytes.contains(first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && at_end
        && bytes.contains(last)
    {
        value = rest;
    }
    value
}

fn position(value: &[u8], part: &[u8]) -> i64 {
    if part.is_empty() {
        return 1;
    }
    value.windows(part.len()).position(|window| window == part).map_or(0, |at| at as i64 + 1)
}

fn overlay<'a>(args: &[Datum<'a>], length: i64, arena: &'a Arena) -> Value<'a> {
    let (value, by, start) = (unwrap_bytes(&args[0]), unwrap_bytes(&args[1]), args[2].unwrap_int());
    if start <= 0 {
        return fail("negative substring length not allowed");
    }
    let head = &value[..usize::try_from(start - 1).unwrap_or(0).min(value.len())];
    Ok(Datum::Bytes(arena.alloc_slice_copy(&[head, by, tail(value, start + length)].concat())))
}

/// The encodings that text is converted from and to.
enum Encoding {
    Utf8,
    Latin1,
}

fn encoding(name: &str, role: &str) -> Result<Encoding, EvalError> {
    match name.to_ascii_lowercase().replace(['-', '_', ' '], "").as_str() {
        "utf8" | "unicode" => Ok(Encoding::Utf8),
        "latin1" | "iso88591" => Ok(Encoding::Latin1),
        _ => fail(format!("invalid {role} encoding name \"{name}\"")),
    }
}

fn convert_from<'a>(value: &'a [u8], name: &str, arena: &'a Arena) -> Value<'a> {
    let shown_null = || EvalError::new("invalid byte sequence for encoding \"UTF8\": 0x00");
    match encoding(name, "source")? {
        Encoding::Utf8 => match std::str::from_utf8(value) {
            Ok(value) if value.contains('\0') => Err(shown_null()),
            Ok(value) => Ok(Datum::Text(value)),
            Err(error) => {
                let bad = &value[error.valid_up_to()..];
                let length = match bad.first() {
                    Some(0xC0..=0xDF) => 2,
                    Some(0xE0..=0xEF) => 3,
                    Some(0xF0..=0xF7) => 4,
                    _ => 1,
                };
                let shown: Vec<String> = bad.iter().take(length).map(|byte| format!("0x{byte:02x}")).collect();
                fail(format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")))
            }
        },
        Encoding::Latin1 if value.contains(&0) => Err(shown_null()),
        Encoding::Latin1 => Ok(text(&value.iter().map(|byte| char::from(*byte)).collect::<String>(), arena)),
    }
}

fn convert_to<'a>(value: &'a str, name: &str, arena: &'a Arena) -> Value<'a> {
    match encoding(name, "destination")? {
        Encoding::Utf8 => Ok(Datum::Bytes(value.as_bytes())),
        Encoding::Latin1 => {
            let mut bytes = Vec::with_capacity(value.len());
            for character in value.chars() {
                let Ok(byte) = u8::try_from(u32::from(character)) else {
                    let mut buffer = [0; 4];
                    let shown: Vec<String> =
                        character.encode_utf8(&mut buffer).bytes().map(|byte| format!("0x{byte:02x}")).collect();
                    return fail(format!(
                        "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
                        shown.join(" ")
                    ));
                };
                bytes.push(byte);
            }
            Ok(Datum::Bytes(arena.alloc_slice_copy(&bytes)))
        }
    }
}
