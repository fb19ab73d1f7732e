//! Functions of text that count, cut, pad and search. Positions are characters from 1.
//!
//! 1. What is a part of the argument borrows from it; only new text is put into the arena.
//! 2. Text never grows past PostgreSQL's limit of one gigabyte: "requested length too large".

use row::Datum;

use super::Param::{Any, AnyNonArray, Bool, Bytes, Char, Int32, Text};
use super::{Implementation, Value, fail, partial, push_text, text, total, unwrap_bytes, unwrap_i32};
use crate::{Arena, EvalError};

const BYTES_MAX: usize = 0x3FFF_FFFF;

pub(super) const ROWS: &[Implementation] = &[
    total("||", &[Text, Text], Text, |a, arena| Ok(join(&[str(a, 0), str(a, 1)], arena))),
    total("||", &[Text, AnyNonArray], Text, |a, arena| Ok(join(&[str(a, 0), str(a, 1)], arena))),
    total("||", &[AnyNonArray, Text], Text, |a, arena| Ok(join(&[str(a, 0), str(a, 1)], arena))),
    total("concat", &[Any], Text, |a, arena| Ok(text(&concat(a, ""), arena))).lenient().variadic(),
    total("concat_ws", &[Text, Any], Text, |a, arena| {
        Ok(if a[0].is_null() { Datum::Null } else { text(&concat(&a[1..], str(a, 0)), arena) })
    })
    .lenient()
    .variadic(),
    total("length", &[Text], Int32, |a, _| Ok(Datum::Int(char_count(str(a, 0))))),
    total("length", &[Bytes], Int32, |a, _| Ok(Datum::Int(unwrap_bytes(&a[0]).len() as i64))),
    total("char_length", &[Text], Int32, |a, _| Ok(Datum::Int(char_count(str(a, 0))))),
    total("character_length", &[Text], Int32, |a, _| Ok(Datum::Int(char_count(str(a, 0))))),
    total("octet_length", &[Text], Int32, |a, _| Ok(Datum::Int(str(a, 0).len() as i64))),
    total("octet_length", &[Char], Int32, |a, _| Ok(Datum::Int(str(a, 0).len() as i64))),
    total("octet_length", &[Bytes], Int32, |a, _| Ok(Datum::Int(unwrap_bytes(&a[0]).len() as i64))),
    total("bit_length", &[Text], Int32, |a, _| Ok(Datum::Int(str(a, 0).len() as i64 * 8))),
    total("trim", &[Text], Text, |a, _| Ok(Datum::Text(str(a, 0).trim_matches(' ')))),
    total("trim", &[Text, Text], Text, |a, _| Ok(Datum::Text(trim(str(a, 0), str(a, 1), true, true)))),
    total("btrim", &[Text], Text, |a, _| Ok(Datum::Text(str(a, 0).trim_matches(' ')))),
    total("btrim", &[Text, Text], Text, |a, _| Ok(Datum::Text(trim(str(a, 0), str(a, 1), true, true)))),
    total("ltrim", &[Text], Text, |a, _| Ok(Datum::Text(str(a, 0).trim_start_matches(' ')))),
    total("ltrim", &[Text, Text], Text, |a, _| Ok(Datum::Text(trim(str(a, 0), str(a, 1), true, false)))),
    total("rtrim", &[Text], Text, |a, _| Ok(Datum::Text(str(a, 0).trim_end_matches(' ')))),
    total("rtrim", &[Text, Text], Text, |a, _| Ok(Datum::Text(trim(str(a, 0), str(a, 1), false, true)))),
    total("substr", &[Text, Int32], Text, |a, _| Ok(Datum::Text(tail(str(a, 0), a[1].unwrap_int())))),
    partial("substr", &[Text, Int32, Int32], Text, |a, _| substring(a)).unless(2, is_not_negative),
    total("substring", &[Text, Int32], Text, |a, _| Ok(Datum::Text(tail(str(a, 0), a[1].unwrap_int())))),
    partial("substring", &[Text, Int32, Int32], Text, |a, _| substring(a)).unless(2, is_not_negative),
    total("left", &[Text, Int32], Text, |a, _| Ok(Datum::Text(left(str(a, 0), a[1].unwrap_int())))),
    total("right", &[Text, Int32], Text, |a, _| Ok(Datum::Text(right(str(a, 0), a[1].unwrap_int())))),
    partial("overlay", &[Text, Text, Int32], Text, |a, arena| {
        overlay(str(a, 0), str(a, 1), a[2].unwrap_int(), char_count(str(a, 1)), arena)
    }),
    partial("overlay", &[Text, Text, Int32, Int32], Text, |a, arena| {
        overlay(str(a, 0), str(a, 1), a[2].unwrap_int(), a[3].unwrap_int(), arena)
    }),
    partial("split_part", &[Text, Text, Int32], Text, |a, _| split_part(str(a, 0), str(a, 1), a[2].unwrap_int()))
        .unless(2, |field| field.unwrap_int() != 0),
    total("strpos", &[Text, Text], Int32, |a, _| Ok(Datum::Int(position(str(a, 0), str(a, 1))))),
    // As PostgreSQL's own function has it: `position(part in text)` is `position(text, part)`.
    total("position", &[Text, Text], Int32, |a, _| Ok(Datum::Int(position(str(a, 0), str(a, 1))))),
    total("starts_with", &[Text, Text], Bool, |a, _| Ok(Datum::Bool(str(a, 0).starts_with(str(a, 1))))),
    total("^@", &[Text, Text], Bool, |a, _| Ok(Datum::Bool(str(a, 0).starts_with(str(a, 1))))),
    partial("replace", &[Text, Text, Text], Text, |a, arena| replace(str(a, 0), str(a, 1), str(a, 2), arena))
        .unless(2, |by| by.unwrap_text().is_empty()),
    total("translate", &[Text, Text, Text], Text, |a, arena| {
        Ok(text(&translate(str(a, 0), str(a, 1), str(a, 2)), arena))
    }),
    partial("repeat", &[Text, Int32], Text, |a, arena| {
        let times = usize::try_from(a[1].unwrap_int()).unwrap_or(0);
        check_length(str(a, 0).len().saturating_mul(times))?;
        Ok(text(&str(a, 0).repeat(times), arena))
    }),
    total("reverse", &[Text], Text, |a, arena| Ok(text(&str(a, 0).chars().rev().collect::<String>(), arena))),
    partial("lpad", &[Text, Int32], Text, |a, arena| pad(str(a, 0), a[1].unwrap_int(), " ", true, arena)),
    partial("lpad", &[Text, Int32, Text], Text, |a, arena| pad(str(a, 0), a[1].unwrap_int(), str(a, 2), true, arena)),
    partial("rpad", &[Text, Int32], Text, |a, arena| pad(str(a, 0), a[1].unwrap_int(), " ", false, arena)),
    partial("rpad", &[Text, Int32, Text], Text, |a, arena| pad(str(a, 0), a[1].unwrap_int(), str(a, 2), false, arena)),
    total("ascii", &[Text], Int32, |a, _| {
        Ok(Datum::Int(str(a, 0).chars().next().map_or(0, |first| i64::from(u32::from(first)))))
    }),
    partial("chr", &[Int32], Text, |a, arena| character(unwrap_i32(&a[0]), arena)),
];

pub(super) fn str<'a>(args: &[Datum<'a>], index: usize) -> &'a str {
    args[index].unwrap_text()
}

fn is_not_negative(datum: &Datum<'_>) -> bool {
    datum.unwrap_int() >= 0
}

pub(super) fn check_length(bytes: usize) -> Result<(), EvalError> {
    if bytes > BYTES_MAX { fail("requested length too large") } else { Ok(()) }
}

/// The parts one after the other, in the arena.
fn join<'a>(parts: &[&str], arena: &'a Arena) -> Datum<'a> {
    let bytes = arena.alloc_slice_fill_copy(parts.iter().map(|part| part.len()).sum(), 0u8);
    let mut at = 0;
    for part in parts {
        bytes[at..at + part.len()].copy_from_slice(part.as_bytes());
        at += part.len();
    }
    // SAFETY: whole texts one after the other are a text.
    Datum::Text(unsafe { std::str::from_utf8_unchecked(bytes) })
}

fn concat(values: &[Datum<'_>], separator: &str) -> String {
    let mut out = String::new();
    let mut is_first = true;
    for value in values.iter().filter(|value| !value.is_null()) {
        if !is_first {
            out.push_str(separator);
        }
        is_first = false;
        push_text(&mut out, value);
    }
    out
}

pub(super) fn char_count(value: &str) -> i64 {
    if value.is_ascii() { value.len() as i64 } else { value.chars().count() as i64 }
}

/// The byte at which the character of this index (from 0) starts, or the end.
fn byte_at(value: &str, index: usize) -> usize {
    if value.is_ascii() {
        return index.min(value.len());
    }
    value.char_indices().nth(index).map_or(value.len(), |(byte, _)| byte)
}

/// The characters from index `start` (from 0) up to index `end`.
pub(super) fn slice(value: &str, start: usize, end: usize) -> &str {
    let from = byte_at(value, start);
    let rest = &value[from..];
    &rest[..byte_at(rest, end.saturating_sub(start))]
}

fn trim<'a>(value: &'a str, characters: &str, at_start: bool, at_end: bool) -> &'a str {
    let is_trimmed = |character: char| characters.contains(character);
    let value = if at_start { value.trim_start_matches(is_trimmed) } else { value };
    if at_end { value.trim_end_matches(is_trimmed) } else { value }
}

fn tail(value: &str, start: i64) -> &str {
    &value[byte_at(value, usize::try_from(start - 1).unwrap_or(0))..]
}

fn substring<'a>(args: &[Datum<'a>]) -> Value<'a> {
    let (start, length) = (args[1].unwrap_int(), args[2].unwrap_int());
    if length < 0 {
        return fail("negative substring length not allowed");
    }
    // A start before the text uses up length.
    let from = usize::try_from(start - 1).unwrap_or(0);
    let end = usize::try_from(start - 1 + length).unwrap_or(0);
    Ok(Datum::Text(if end <= from { "" } else { slice(str(args, 0), from, end) }))
}

fn left(value: &str, count: i64) -> &str {
    let count = if count < 0 { char_count(value) + count } else { count };
    slice(value, 0, usize::try_from(count).unwrap_or(0))
}

fn right(value: &str, count: i64) -> &str {
    let start = if count < 0 { -count } else { char_count(value) - count };
    &value[byte_at(value, usize::try_from(start).unwrap_or(0))..]
}

fn overlay<'a>(value: &'a str, by: &'a str, start: i64, length: i64, arena: &'a Arena) -> Value<'a> {
    if start <= 0 {
        return fail("negative substring length not allowed");
    }
    let head = slice(value, 0, (start - 1) as usize);
    Ok(join(&[head, by, tail(value, start + length)], arena))
}

fn split_part<'a>(value: &'a str, delimiter: &str, field: i64) -> Value<'a> {
    if field == 0 {
        return fail("field position must not be zero");
    }
    if delimiter.is_empty() {
        return Ok(Datum::Text(if field.abs() == 1 { value } else { "" }));
    }
    let part = if field > 0 {
        value.split(delimiter).nth((field - 1) as usize)
    } else {
        // Counting the parts first keeps the cuts those of a scan from the left.
        let count = value.split(delimiter).count() as i64;
        usize::try_from(count + field).ok().and_then(|index| value.split(delimiter).nth(index))
    };
    Ok(Datum::Text(part.unwrap_or("")))
}

fn position(value: &str, part: &str) -> i64 {
    value.find(part).map_or(0, |byte| char_count(&value[..byte]) + 1)
}

fn replace<'a>(value: &'a str, part: &str, by: &str, arena: &'a Arena) -> Value<'a> {
    if part.is_empty() || !value.contains(part) {
        return Ok(Datum::Text(value));
    }
    if by.len() > part.len() {
        check_length(value.matches(part).count().saturating_mul(by.len()).saturating_add(value.len()))?;
    }
    Ok(text(&value.replace(part, by), arena))
}

fn translate(value: &str, from: &str, to: &str) -> String {
    let to: Vec<char> = to.chars().collect();
    value
        .chars()
        .filter_map(|character| match from.chars().position(|candidate| candidate == character) {
            Some(index) => to.get(index).copied(),
            None => Some(character),
        })
        .collect()
}

fn pad<'a>(value: &'a str, length: i64, fill: &str, at_start: bool, arena: &'a Arena) -> Value<'a> {
    let length = usize::try_from(length).unwrap_or(0);
    let missing = length.saturating_sub(char_count(value) as usize);
    if missing == 0 || fill.is_empty() {
        return Ok(Datum::Text(slice(value, 0, length)));
    }
    check_length(missing.saturating_mul(4).saturating_add(value.len()))?;
    let padding: String = fill.chars().cycle().take(missing).collect();
    Ok(join(&if at_start { [padding.as_str(), value] } else { [value, padding.as_str()] }, arena))
}

fn character<'a>(code: i32, arena: &'a Arena) -> Value<'a> {
    match u32::try_from(code) {
        Err(_) => fail("character number must be positive"),
        Ok(0) => fail("null character not permitted"),
        Ok(code) => match char::from_u32(code) {
            Some(character) => Ok(text(character.encode_utf8(&mut [0; 4]), arena)),
            None if code > 0x0010_FFFF => fail(format!("requested character too large for encoding: {code}")),
            None => fail(format!("requested character not valid for encoding: {code}")),
        },
    }
}
