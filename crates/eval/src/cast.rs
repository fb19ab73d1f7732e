//! Casts: every pair of the matrix in `types`, with PostgreSQL's rounding and errors.
//!
//! ```text
//!   value of `from` ──to what? ──┬─ number ── from number: range check, rounding ──┐
//!                                ├─ text ──── written as output functions do ──────┤── then length or precision ──> value of `to`
//!                                ├─ date, time …: from each other, in the session's zone
//!                                └─ anything from text: parsed, or "invalid input syntax for type …"
//! ```
//!
//! 1. A numeric becomes an integer half away from zero, a double half to even.
//! 2. `varchar(n)` cuts when the cast is explicit; otherwise only spaces may go, and more is an error.
//! 3. Two casts exist for resolution only: json to bytea, which marks JSON on its way into a JSON function.

use row::calendar;
use row::{Datum, Interval, Numeric, NumericTypmod, ScalarType};

use crate::functions::bytes::{decode_escape, decode_hex};
use crate::functions::{self, Value, fail, push_text, text};
use crate::types::type_name;
use crate::{Arena, EvalError, array_text, json, zone};

/// Casts a value that is not NULL.
pub(crate) fn cast<'a>(
    value: Datum<'a>,
    from: &ScalarType,
    to: &ScalarType,
    explicit: bool,
    arena: &'a Arena,
) -> Value<'a> {
    use ScalarType as T;
    match to {
        T::Unknown => Ok(value),
        T::Bool => to_bool(value, from),
        T::Int16 => to_integer(value, from, i64::from(i16::MIN), i64::from(i16::MAX), "smallint"),
        T::Int32 => to_integer(value, from, i64::from(i32::MIN), i64::from(i32::MAX), "integer"),
        T::Int64 => to_integer(value, from, i64::MIN, i64::MAX, "bigint"),
        T::Numeric(typmod) => to_numeric(value, from, *typmod),
        T::Float32 => to_float32(value, from),
        T::Float64 => to_float64(value, from),
        T::Text => to_text(value, from, arena),
        T::Varchar(length) => {
            let value = to_text(value, from, arena)?;
            length.map_or(Ok(value.clone()), |length| to_varchar(value, length, explicit))
        }
        T::Char(length) => to_char(value, from, *length, explicit, arena),
        T::Bytes => to_bytes(value, from, arena),
        T::Date => to_date(value, from),
        T::Time => to_time(value, from),
        T::Timestamp => to_timestamp(value, from),
        T::TimestampTz => to_timestamptz(value, from),
        T::Interval => match value {
            Datum::Text(text) => calendar::parse_interval(text).map(Datum::Interval).map_err(EvalError::from_value),
            Datum::Time(micros) => Ok(Datum::Interval(Interval { months: 0, days: 0, micros })),
            value => Ok(value),
        },
        T::Json => match (value, from) {
            (value, T::Json | T::Jsonb) => Ok(value),
            (value, _) => {
                json::check(value.unwrap_text(), "json")?;
                Ok(value)
            }
        },
        T::Jsonb => match (value, from) {
            (value, T::Jsonb) => Ok(value),
            (value, _) => Ok(text(&json::canonical(value.unwrap_text())?, arena)),
        },
        T::Uuid => match (value, from) {
            (value, T::Uuid) => Ok(value),
            (value, _) => to_uuid(value.unwrap_text(), arena),
        },
        T::Array(to_element) => match (value, from) {
            (Datum::Array(elements), T::Array(from_element)) => {
                let cast_one = |element: Datum<'a>| match element {
                    Datum::Null => Ok(Datum::Null),
                    element => cast(element, from_element, to_element, explicit, arena),
                };
                let elements = elements.iter().map(cast_one).collect::<Result<Vec<_>, _>>()?;
                Ok(functions::array(elements, arena))
            }
            (value, _) => array_text::parse(value.unwrap_text(), to_element, explicit, arena),
        },
    }
}

/// Whether some value of `from` has no value of `to`.
pub(crate) fn is_fallible(from: &ScalarType, to: &ScalarType, explicit: bool) -> bool {
    use ScalarType as T;
    match (from, to) {
        (_, T::Unknown | T::Text | T::Varchar(None) | T::Char(0)) => false,
        (_, T::Varchar(Some(_)) | T::Char(_)) => !explicit,
        (T::Array(from), T::Array(to)) => is_fallible(from, to, explicit),
        (from, to) if from == to => false,
        (T::Numeric(_), T::Numeric(None)) => false,
        (T::Int16 | T::Int32 | T::Int64, T::Numeric(None) | T::Float32 | T::Float64 | T::Int64 | T::Bool) => false,
        (T::Int16, T::Int32) | (T::Float32, T::Float64) | (T::Float32 | T::Float64, T::Numeric(None)) => false,
        (T::Bool, T::Int32) | (T::Time, T::Interval) | (T::Interval, T::Time) => false,
        (T::Timestamp, T::Date | T::Time) | (T::Jsonb, T::Json) => false,
        (T::Json | T::Jsonb, T::Bytes) => false,
        _ => true,
    }
}

fn no_cast<'a>(from: &ScalarType, to: &str) -> Value<'a> {
    fail(format!("cannot cast type {} to {to}", type_name(from)))
}

fn invalid_syntax<T>(type_name: &str, text: &str) -> Result<T, EvalError> {
    fail(format!("invalid input syntax for type {type_name}: \"{text}\""))
}

/// PostgreSQL's idea of white space around numbers and booleans.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\u{B}', '\u{C}'])
}

fn to_bool<'a>(value: Datum<'a>, from: &ScalarType) -> Value<'a> {
    match value {
        Datum::Bool(_) => Ok(value),
        Datum::Int(value) => Ok(Datum::Bool(value != 0)),
        Datum::Text(text) if *from == ScalarType::Jsonb => match text {
            "true" => Ok(Datum::Bool(true)),
            "false" => Ok(Datum::Bool(false)),
            other => fail(format!("cannot cast jsonb {} to type boolean", json::type_of(other))),
        },
        Datum::Text(text) => match parse_bool(trimmed(text)) {
            Some(value) => Ok(Datum::Bool(value)),
            None => invalid_syntax("boolean", text),
        },
        _ => no_cast(from, "boolean"),
    }
}

/// Any unambiguous beginning of true, false, yes, no, on, off; and 1, 0.
fn parse_bool(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let begins = |word: &str| !text.is_empty() && word.starts_with(&text);
    match text.as_str() {
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        _ if begins("true") || begins("yes") => Some(true),
        _ if begins("false") || begins("no") => Some(false),
        _ => None,
    }
}

fn to_integer<'a>(value: Datum<'a>, from: &ScalarType, least: i64, greatest: i64, name: &'static str) -> Value<'a> {
    let out_of_range = || EvalError::new(format!("{name} out of range"));
    let integer = match value {
        Datum::Int(value) => Some(value),
        Datum::Bool(value) => Some(i64::from(value)),
        Datum::Numeric(value) => {
            if value.is_nan() || value.is_infinite() {
                let shown = if value.is_nan() { "NaN" } else { "infinity" };
                return fail(format!("cannot convert {shown} to {name}"));
            }
            value.to_i64_rounded()
        }
        Datum::Float64(value) => round_float(value),
        Datum::Float32(value) => round_float(f64::from(value)),
        Datum::Text(text) if *from == ScalarType::Jsonb => {
            let number = jsonb_number(text, name)?;
            return to_integer(Datum::Numeric(number), &ScalarType::NUMERIC, least, greatest, name);
        }
        Datum::Text(text) => return parse_integer(text, least, greatest, name),
        _ => return no_cast(from, name),
    };
    match integer.filter(|value| (least..=greatest).contains(value)) {
        Some(value) => Ok(Datum::Int(value)),
        None => Err(out_of_range()),
    }
}

/// Half to even; `None` beyond 64 bits and for NaN.
fn round_float(value: f64) -> Option<i64> {
    let rounded = value.round_ties_even();
    // 2^63 itself is a double and does not fit.
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded).then_some(rounded as i64)
}

fn parse_integer<'a>(text: &str, least: i64, greatest: i64, name: &str) -> Value<'a> {
    let digits = trimmed(text);
    let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return invalid_syntax(name, text);
    }
    match digits.parse::<i64>().ok().filter(|value| (least..=greatest).contains(value)) {
        Some(value) => Ok(Datum::Int(value)),
        None => fail(format!("value \"{text}\" is out of range for type {name}")),
    }
}

fn jsonb_number(text: &str, name: &str) -> Result<Numeric, EvalError> {
    match json::type_of(text) {
        "number" => Numeric::parse(text).map_err(EvalError::from_value),
        kind => fail(format!("cannot cast jsonb {kind} to type {name}")),
    }
}

fn to_numeric<'a>(value: Datum<'a>, from: &ScalarType, typmod: Option<NumericTypmod>) -> Value<'a> {
    let numeric = match value {
        Datum::Numeric(value) => value,
        Datum::Int(value) => Numeric::from_i64(value),
        Datum::Float64(value) => Numeric::from_f64(value),
        Datum::Float32(value) => Numeric::from_f32(value),
        Datum::Text(text) if *from == ScalarType::Jsonb => jsonb_number(text, "numeric")?,
        Datum::Text(text) => Numeric::parse(text).map_err(EvalError::from_value)?,
        _ => return no_cast(from, "numeric"),
    };
    match typmod {
        Some(typmod) => numeric.with_typmod(typmod).map(Datum::Numeric).map_err(EvalError::from_value),
        None => Ok(Datum::Numeric(numeric)),
    }
}

fn to_float64<'a>(value: Datum<'a>, from: &ScalarType) -> Value<'a> {
    Ok(Datum::Float64(match value {
        Datum::Float64(value) => value,
        Datum::Float32(value) => f64::from(value),
        Datum::Int(value) => value as f64,
        Datum::Numeric(value) => {
            let converted = value.to_f64();
            if converted.is_infinite() && !value.is_infinite() {
                return fail(format!("\"{value}\" is out of range for type double precision"));
            }
            converted
        }
        Datum::Text(text) if *from == ScalarType::Jsonb => jsonb_number(text, "double precision")?.to_f64(),
        Datum::Text(text) => row::float_text::parse_float8(text).map_err(EvalError::from_value)?,
        _ => return no_cast(from, "double precision"),
    }))
}

fn to_float32<'a>(value: Datum<'a>, from: &ScalarType) -> Value<'a> {
    Ok(Datum::Float32(match value {
        Datum::Float32(value) => value,
        Datum::Float64(value) => narrow_float(value)?,
        Datum::Int(value) => value as f32,
        Datum::Numeric(value) => {
            let converted = value.to_f32();
            if converted.is_infinite() && !value.is_infinite() {
                return fail(format!("\"{value}\" is out of range for type real"));
            }
            converted
        }
        Datum::Text(text) if *from == ScalarType::Jsonb => narrow_float(jsonb_number(text, "real")?.to_f64())?,
        Datum::Text(text) => row::float_text::parse_float4(text).map_err(EvalError::from_value)?,
        _ => return no_cast(from, "real"),
    }))
}

fn narrow_float(value: f64) -> Result<f32, EvalError> {
    let narrow = value as f32;
    if narrow.is_infinite() && !value.is_infinite() {
        return fail("value out of range: overflow");
    }
    if narrow == 0.0 && value != 0.0 {
        return fail("value out of range: underflow");
    }
    Ok(narrow)
}

fn to_text<'a>(value: Datum<'a>, from: &ScalarType, arena: &'a Arena) -> Value<'a> {
    Ok(match value {
        // The blanks that pad a `char(n)` are not part of its value.
        Datum::Text(text) if matches!(from, ScalarType::Char(_)) => Datum::Text(text.trim_end_matches(' ')),
        Datum::Text(_) => value,
        // The cast has words of its own; output functions write `t` and `f`.
        Datum::Bool(true) => Datum::Text("true"),
        Datum::Bool(false) => Datum::Text("false"),
        Datum::TimestampTz(micros) => text(&zone::format_timestamptz(micros), arena),
        value => {
            let mut out = String::new();
            push_text(&mut out, &value);
            text(&out, arena)
        }
    })
}

/// The first `length` characters, and whether only blanks were left behind.
fn cut(value: &str, length: u32) -> (&str, bool) {
    match value.char_indices().nth(length as usize) {
        None => (value, true),
        Some((byte, _)) => (&value[..byte], value[byte..].bytes().all(|byte| byte == b' ')),
    }
}

fn to_varchar<'a>(value: Datum<'a>, length: u32, explicit: bool) -> Value<'a> {
    let (kept, only_blanks_cut) = cut(value.unwrap_text(), length);
    if !explicit && !only_blanks_cut {
        return fail(format!("value too long for type character varying({length})"));
    }
    Ok(Datum::Text(kept))
}

fn to_char<'a>(value: Datum<'a>, from: &ScalarType, length: u32, explicit: bool, arena: &'a Arena) -> Value<'a> {
    let value = match (value, from) {
        (value, ScalarType::Char(_)) => value,
        (value, _) => to_text(value, from, arena)?,
    };
    // What a comparison looks at.
    if length == 0 {
        return Ok(Datum::Text(value.unwrap_text().trim_end_matches(' ')));
    }
    let (kept, only_blanks_cut) = cut(value.unwrap_text(), length);
    if !explicit && !only_blanks_cut {
        return fail(format!("value too long for type character({length})"));
    }
    let missing = length as usize - kept.chars().count();
    Ok(if missing == 0 { Datum::Text(kept) } else { text(&format!("{kept}{}", " ".repeat(missing)), arena) })
}

fn to_bytes<'a>(value: Datum<'a>, from: &ScalarType, arena: &'a Arena) -> Value<'a> {
    let bytes = match value {
        Datum::Bytes(_) => return Ok(value),
        Datum::Text(text) if matches!(from, ScalarType::Json | ScalarType::Jsonb) => {
            return Ok(Datum::Bytes(text.as_bytes()));
        }
        Datum::Text(text) => match text.strip_prefix("\\x") {
            Some(digits) => decode_hex(digits)?,
            None => decode_escape(text)?,
        },
        _ => return no_cast(from, "bytea"),
    };
    Ok(Datum::Bytes(arena.alloc_slice_copy(&bytes)))
}

fn to_date<'a>(value: Datum<'a>, from: &ScalarType) -> Value<'a> {
    match value {
        Datum::Date(_) => Ok(value),
        Datum::Timestamp(micros) => Ok(Datum::Date(calendar::timestamp_to_date(micros))),
        Datum::TimestampTz(micros) => {
            Ok(Datum::Date(calendar::timestamp_to_date(zone::to_local(micros).map_err(EvalError::from_value)?)))
        }
        Datum::Text(text) => calendar::parse_date(text).map(Datum::Date).map_err(EvalError::from_value),
        _ => no_cast(from, "date"),
    }
}

fn to_time<'a>(value: Datum<'a>, from: &ScalarType) -> Value<'a> {
    let of_timestamp = |micros| calendar::timestamp_to_time(micros).map_or(Datum::Null, Datum::Time);
    match value {
        Datum::Time(_) => Ok(value),
        Datum::Timestamp(micros) => Ok(of_timestamp(micros)),
        Datum::TimestampTz(micros) => Ok(of_timestamp(zone::to_local(micros).map_err(EvalError::from_value)?)),
        Datum::Interval(interval) => Ok(Datum::Time(interval.micros.rem_euclid(calendar::MICROS_PER_DAY))),
        Datum::Text(text) => calendar::parse_time(text).map(Datum::Time).map_err(EvalError::from_value),
        _ => no_cast(from, "time without time zone"),
    }
}

fn to_timestamp<'a>(value: Datum<'a>, from: &ScalarType) -> Value<'a> {
    let micros = match value {
        Datum::Timestamp(_) => return Ok(value),
        Datum::Date(days) => calendar::date_to_timestamp(days),
        Datum::TimestampTz(micros) => zone::to_local(micros),
        Datum::Text(text) => calendar::parse_timestamp(text),
        _ => return no_cast(from, "timestamp without time zone"),
    };
    micros.map(Datum::Timestamp).map_err(EvalError::from_value)
}

fn to_timestamptz<'a>(value: Datum<'a>, from: &ScalarType) -> Value<'a> {
    let micros = match value {
        Datum::TimestampTz(_) => return Ok(value),
        Datum::Date(days) => calendar::date_to_timestamp(days).and_then(zone::to_utc),
        Datum::Timestamp(micros) => zone::to_utc(micros),
        Datum::Text(text) => zone::parse_timestamptz(text),
        _ => return no_cast(from, "timestamp with time zone"),
    };
    micros.map(Datum::TimestampTz).map_err(EvalError::from_value)
}

/// Thirty-two hexadecimal digits, a hyphen allowed behind every fourth, braces around; printed 8-4-4-4-12.
fn to_uuid<'a>(value: &str, arena: &'a Arena) -> Value<'a> {
    let inner = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(value);
    let mut out = String::with_capacity(36);
    let mut digits = 0;
    for (index, character) in inner.char_indices() {
        if character == '-' && digits % 4 == 0 && digits > 0 && !inner[..index].ends_with('-') && digits < 32 {
            continue;
        }
        if !character.is_ascii_hexdigit() || digits == 32 {
            return invalid_syntax("uuid", value);
        }
        if matches!(digits, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(character.to_ascii_lowercase());
        digits += 1;
    }
    if digits == 32 { Ok(text(&out, arena)) } else { invalid_syntax("uuid", value) }
}
