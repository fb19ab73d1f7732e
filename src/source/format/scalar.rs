//! One value, read as the type that its column declares.
//!
//! | type | JSON that is read |
//! |---|---|
//! | smallint … bigint | a number without a fraction, or one in a string |
//! | numeric | a number or a string, exactly; base64 of the unscaled number where the scale is known; `{"scale","value"}` |
//! | real, double | a number, a string with one, `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | boolean | `true`, `false`, 0, 1, PostgreSQL's words for them |
//! | text, varchar, char | a string; other values keep their JSON text |
//! | json, jsonb | an object, an array, a number …: its text; a string: the JSON inside it; jsonb in PostgreSQL's print |
//! | date | days since 1970, or text as ISO or PostgreSQL writes it |
//! | time | a number since midnight, or such text |
//! | timestamp, timestamptz | a number since 1970, or such text; without an offset a timestamptz is UTC |
//! | interval | a number, or a duration as ISO or PostgreSQL writes it |
//! | bytea | base64, `\x…`, or hex where the encoding says so |
//! | uuid | its text, in any case |
//! | arrays | a JSON array of the element type |
//!
//! Binary formats have integers, floats and bytes of their own; they are read like their text, bytes as they are.
//!
//! **Units of numbers.** A column's `Encoding` says them: from the schema that travels with the message, else from the table's
//! settings. Without either: microseconds in a Debezium envelope (its default for `timestamp` and `time`; Debezium writes
//! milliseconds for `timestamp(0..3)` and says so only in the schema), milliseconds in a plain row; intervals are microseconds.

use std::sync::LazyLock;

use bumpalo::Bump as Arena;
use eval::Expr;
use row::{Datum, Interval, Numeric, NumericTypmod, RowBuilder, RowRef, ScalarType, calendar};

use super::binary;
use super::decimal::{self, quoted};
use super::json::{self, Cursor, RawText, Value};
use super::moment::{self, Offset};

/// How a column's values are written where its type leaves a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Seconds,
    Millis,
    Micros,
    Nanos,
    Base64,
    Hex,
    /// Base64 of a big-endian unscaled number with so many digits after the point.
    Decimal(i32),
}

impl Encoding {
    /// Reads the word of a settings file: `s`, `ms`, `us`, `ns`, `base64`, `hex`, `decimal(2)`.
    pub fn parse(word: &str) -> Option<Encoding> {
        Some(match word {
            "s" => Encoding::Seconds,
            "ms" => Encoding::Millis,
            "us" => Encoding::Micros,
            "ns" => Encoding::Nanos,
            "base64" => Encoding::Base64,
            "hex" => Encoding::Hex,
            _ => Encoding::Decimal(word.strip_prefix("decimal(")?.strip_suffix(')')?.parse().ok()?),
        })
    }

    /// Microseconds for a number of this unit; nanoseconds are rounded down.
    fn micros(self, count: i64) -> Option<i128> {
        let count = i128::from(count);
        match self {
            Encoding::Seconds => Some(count * 1_000_000),
            Encoding::Millis => Some(count * 1_000),
            Encoding::Micros => Some(count),
            Encoding::Nanos => Some(count.div_euclid(1_000)),
            Encoding::Base64 | Encoding::Hex | Encoding::Decimal(_) => None,
        }
    }
}

/// pgjdbc's numbers for `infinity` and `-infinity`, which Debezium passes on as milliseconds times the unit of the column.
const INFINITY_MILLIS: i64 = 9_223_372_036_825_200;
const NEG_INFINITY_MILLIS: i64 = -9_223_372_036_832_400;
/// Debezium's day for the date `infinity`.
const INFINITY_DAYS: i64 = -2_147_472_692;

/// The same two as Debezium's ISO text: days that neither PostgreSQL nor a calendar has.
const INFINITY_ISO_DATE: &str = "-5877611-06-21Z";
const INFINITY_ISO_TIMESTAMP: &str = "+294247-01-10T04:00:25.2Z";

/// How one column is read.
#[derive(Clone, Debug)]
pub struct Reading {
    pub ty: ScalarType,
    /// From the schema or the settings.
    pub encoding: Option<Encoding>,
    /// The unit of numbers where `encoding` says nothing.
    pub unit: Encoding,
}

/// Reads one value; the error says what was wrong, without the column's name.
pub fn read<'a>(value: Value<'a>, reading: &Reading, arena: &'a Arena) -> Result<Datum<'a>, String> {
    read_as(value, &reading.ty, reading, arena)
}

/// Appends a value in the form in which values come by the million: digits for an integer, text without escapes for a text,
/// `2024-03-01 12:00:00` for a timestamp. False, and nothing is appended, where `read` has to look.
#[inline]
pub fn push_plain(value: &Value<'_>, ty: &ScalarType, builder: &mut RowBuilder) -> bool {
    let datum = match (value, ty) {
        (Value::Null, _) => Datum::Null,
        (Value::Number(text), ScalarType::Int64) => match short_integer(text) {
            Some(number) => Datum::Int(number),
            None => return false,
        },
        (Value::Number(text), ScalarType::Int32) => match short_integer(text) {
            Some(number) if i32::try_from(number).is_ok() => Datum::Int(number),
            _ => return false,
        },
        (Value::Text(RawText { raw, escaped: false }), ScalarType::Text | ScalarType::Varchar(None))
            if !raw.as_bytes().contains(&0) =>
        {
            Datum::Text(raw)
        }
        (Value::Text(text), ScalarType::Timestamp) => match moment::plain_timestamp(text.raw) {
            Some(micros) => Datum::Timestamp(micros),
            None => return false,
        },
        _ => return false,
    };
    builder.push(&datum);
    true
}

/// An integer of at most 18 digits.
#[inline]
fn short_integer(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut number = 0i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(if is_negative { -number } else { number })
}

fn read_as<'a>(value: Value<'a>, ty: &ScalarType, how: &Reading, arena: &'a Arena) -> Result<Datum<'a>, String> {
    if value == Value::Null {
        return Ok(Datum::Null);
    }
    match ty {
        ScalarType::Int16 => integer(value, i64::from(i16::MIN), i64::from(i16::MAX), ty).map(Datum::Int),
        ScalarType::Int32 => integer(value, i64::from(i32::MIN), i64::from(i32::MAX), ty).map(Datum::Int),
        ScalarType::Int64 => integer(value, i64::MIN, i64::MAX, ty).map(Datum::Int),
        ScalarType::Numeric(typmod) => numeric(value, *typmod, how.encoding).map(Datum::Numeric),
        ScalarType::Float32 => match value {
            Value::Float(value) => Ok(Datum::Float32(value)),
            Value::Double(wide) if wide.is_finite() && !(wide as f32).is_finite() => Err(refused(value, ty)),
            Value::Double(value) => Ok(Datum::Float32(value as f32)),
            Value::Int(value) => Ok(Datum::Float32(value as f32)),
            _ => float(value, ty, |text| text.parse().ok().filter(|value: &f32| value.is_finite())).map(Datum::Float32),
        },
        ScalarType::Float64 => match value {
            Value::Float(value) => Ok(Datum::Float64(f64::from(value))),
            Value::Double(value) => Ok(Datum::Float64(value)),
            Value::Int(value) => Ok(Datum::Float64(value as f64)),
            _ => float(value, ty, |text| text.parse().ok().filter(|value: &f64| value.is_finite())).map(Datum::Float64),
        },
        ScalarType::Bool => boolean(value).map(Datum::Bool),
        ScalarType::Text | ScalarType::Unknown | ScalarType::Varchar(None) => text(value, arena).map(Datum::Text),
        ScalarType::Varchar(Some(length)) => varchar(value, *length, arena).map(Datum::Text),
        ScalarType::Char(length) => padded(value, *length, arena).map(Datum::Text),
        ScalarType::Json => json_text(value, arena).map(Datum::Text),
        ScalarType::Jsonb => jsonb_text(value, arena),
        ScalarType::Uuid => uuid(value, arena).map(Datum::Text),
        ScalarType::Bytes => bytes(value, how.encoding, arena).map(Datum::Bytes),
        ScalarType::Date => date(value).map(Datum::Date),
        ScalarType::Time => time(value, how).map(Datum::Time),
        ScalarType::Timestamp => timestamp(value, how, ty, Offset::Ignored).map(Datum::Timestamp),
        ScalarType::TimestampTz => timestamp(value, how, ty, Offset::Applied).map(Datum::TimestampTz),
        ScalarType::Interval => interval(value, how).map(Datum::Interval),
        ScalarType::Array(element) => array(value, element, how, arena).map(Datum::Array),
    }
}

/// The message for a value that the type cannot take.
fn refused(value: Value<'_>, ty: impl std::fmt::Display) -> String {
    match value {
        Value::Null => format!("null is no {ty}"),
        Value::Bool(value) => format!("{value} is no {ty}"),
        Value::Number(text) => format!("{} is no {ty}", quoted(text).trim_matches('"')),
        Value::Text(text) => format!("{} is no {ty}", quoted(&text.to_cow().unwrap_or(text.raw.into()))),
        Value::Object(_) | Value::Record(_) => format!("an object is no {ty}"),
        Value::Array(_) | Value::List(_) => format!("an array is no {ty}"),
        Value::Int(value) => format!("{value} is no {ty}"),
        Value::Float(value) => format!("{value} is no {ty}"),
        Value::Double(value) => format!("{value} is no {ty}"),
        Value::Bytes(bytes) => format!("{} bytes are no {ty}", bytes.len()),
    }
}

/// Numbers, and strings as their text: what number-like types are read from.
fn digits<'a>(value: Value<'a>, ty: &ScalarType) -> Result<&'a str, String> {
    match value {
        Value::Number(text) => Ok(text),
        Value::Text(RawText { raw, escaped: false }) => Ok(raw.trim()),
        other => Err(refused(other, ty)),
    }
}

fn integer(value: Value<'_>, least: i64, most: i64, ty: &ScalarType) -> Result<i64, String> {
    let number = match value {
        Value::Int(number) => number,
        _ => integer_of(digits(value, ty)?, value, ty)?,
    };
    if (least..=most).contains(&number) { Ok(number) } else { Err(format!("{number} is out of range for type {ty}")) }
}

fn integer_of(text: &str, value: Value<'_>, ty: &ScalarType) -> Result<i64, String> {
    Ok(match text.parse::<i64>() {
        Ok(number) => number,
        // `1.0` and `1e3` are integers too; `NaN` and fractions are not.
        Err(_) => match decimal::numeric(text, None).ok().and_then(|number| number.small_parts()) {
            Some((mantissa, scale)) => {
                let unit = 10i128.checked_pow(u32::from(scale)).filter(|unit| mantissa % unit == 0);
                let unit = unit.ok_or_else(|| refused(value, ty))?;
                i64::try_from(mantissa / unit).map_err(|_| format!("{} is out of range for type {ty}", quoted(text)))?
            }
            None => return Err(refused(value, ty)),
        },
    })
}

fn numeric(value: Value<'_>, typmod: Option<NumericTypmod>, encoding: Option<Encoding>) -> Result<Numeric, String> {
    match (value, encoding) {
        (Value::Number(text), _) => decimal::numeric(text, typmod),
        (Value::Text(text), Some(Encoding::Decimal(scale))) => {
            let bytes = binary::base64(text.raw).ok_or_else(|| refused(value, "base64 of a decimal"))?;
            decimal::unscaled(&bytes, i64::from(scale), typmod)
        }
        (Value::Text(text), _) => {
            let text = text.to_cow().map_err(|error| error.to_string())?;
            decimal::numeric(&text, typmod).map_err(|reason| {
                let looks_precise = !text.is_empty() && binary::base64(&text).is_some();
                if looks_precise && reason.ends_with("is no number") {
                    format!("{reason}: it looks like Debezium's precise mode, whose scale travels only in a schema; set decimal.handling.mode=string")
                } else {
                    reason
                }
            })
        }
        (Value::Object(text), _) => variable_scale(text, typmod),
        (Value::Int(value), _) => decimal::whole(value, typmod),
        (Value::Float(value), _) => decimal::numeric(&value.to_string(), typmod),
        (Value::Double(value), _) => decimal::numeric(&value.to_string(), typmod),
        (Value::Bytes(bytes), Some(Encoding::Decimal(scale))) => decimal::unscaled(bytes, i64::from(scale), typmod),
        (Value::Record([("scale", Value::Int(scale)), ("value", Value::Bytes(bytes))]), _) => {
            decimal::unscaled(bytes, *scale, typmod)
        }
        (other, _) => Err(refused(other, "numeric")),
    }
}

/// Debezium's struct for a `numeric` without a declared scale: `{"scale":2,"value":"A+c="}`.
fn variable_scale(text: &str, typmod: Option<NumericTypmod>) -> Result<Numeric, String> {
    let (mut scale, mut bytes) = (None, None);
    let read = Cursor::new(text).object(|name, cursor| {
        match (name.as_ref(), cursor.value()?) {
            ("scale", Value::Number(text)) => scale = text.parse::<i64>().ok(),
            ("value", Value::Text(text)) => bytes = binary::base64(text.raw),
            _ => {}
        }
        Ok(())
    });
    match (read, scale, bytes) {
        (Ok(()), Some(scale), Some(bytes)) => decimal::unscaled(&bytes, scale, typmod),
        _ => Err(refused(Value::Object(text), "numeric, unless it holds a scale and a base64 value")),
    }
}

fn float<F: From<f32>>(value: Value<'_>, ty: &ScalarType, parse: impl Fn(&str) -> Option<F>) -> Result<F, String> {
    let text = digits(value, ty)?;
    match text {
        "NaN" => Ok(F::from(f32::NAN)),
        "Infinity" => Ok(F::from(f32::INFINITY)),
        "-Infinity" => Ok(F::from(f32::NEG_INFINITY)),
        _ => parse(text).ok_or_else(|| refused(value, ty)),
    }
}

fn boolean(value: Value<'_>) -> Result<bool, String> {
    let word = match value {
        Value::Bool(value) => return Ok(value),
        Value::Int(0) => return Ok(false),
        Value::Int(1) => return Ok(true),
        Value::Number(text) => text,
        Value::Text(text) => text.raw,
        other => return Err(refused(other, "boolean")),
    };
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "y" | "on" => Ok(true),
        "false" | "f" | "0" | "no" | "n" | "off" => Ok(false),
        _ => Err(refused(value, "boolean")),
    }
}

fn text<'a>(value: Value<'a>, arena: &'a Arena) -> Result<&'a str, String> {
    match value {
        Value::Text(text) => {
            let text = text.unescape(arena).map_err(|error| error.to_string())?;
            if text.as_bytes().contains(&0) {
                return Err("the text holds the character U+0000, which PostgreSQL's text cannot".into());
            }
            Ok(text)
        }
        Value::Number(text) => Ok(text),
        Value::Bool(true) => Ok("true"),
        Value::Bool(false) => Ok("false"),
        Value::Object(text) | Value::Array(text) => valid_json(text),
        Value::Null => Ok(""),
        Value::Float(number) if !number.is_finite() => Ok(json::word(f64::from(number))),
        Value::Double(number) if !number.is_finite() => Ok(json::word(number)),
        Value::Bytes(_) => Err(refused(value, "text")),
        Value::Int(_) | Value::Float(_) | Value::Double(_) | Value::Record(_) | Value::List(_) => {
            let mut text = String::new();
            value.write_json(&mut text);
            Ok(arena.alloc_str(&text))
        }
    }
}

fn valid_json(text: &str) -> Result<&str, String> {
    if json::is_valid(text) { Ok(text) } else { Err("invalid JSON inside the value".into()) }
}

fn varchar<'a>(value: Value<'a>, length: u32, arena: &'a Arena) -> Result<&'a str, String> {
    let text = text(value, arena)?;
    let fits = text.len() <= length as usize || text.chars().count() <= length as usize;
    if fits { Ok(text) } else { Err(format!("{} is too long for character varying({length})", quoted(text))) }
}

fn padded<'a>(value: Value<'a>, length: u32, arena: &'a Arena) -> Result<&'a str, String> {
    let text = text(value, arena)?;
    let characters = text.chars().count();
    if characters == length as usize {
        return Ok(text);
    }
    if characters > length as usize {
        return Err(format!("{} is too long for character({length})", quoted(text)));
    }
    Ok(arena.alloc_str(&format!("{text}{}", " ".repeat(length as usize - characters))))
}

fn json_text<'a>(value: Value<'a>, arena: &'a Arena) -> Result<&'a str, String> {
    let text = text(value, arena)?;
    match value {
        Value::Text(_) if !json::is_valid(text) => Err(format!("{} is no JSON", quoted(text))),
        _ => Ok(text),
    }
}

/// As PostgreSQL prints it: keys sorted, the last of equal ones, numbers as numeric prints them.
fn jsonb_text<'a>(value: Value<'a>, arena: &'a Arena) -> Result<Datum<'a>, String> {
    static CAST: LazyLock<Expr> = LazyLock::new(|| Expr::Cast {
        input: Box::new(Expr::Column(0)),
        from: ScalarType::Text,
        to: ScalarType::Jsonb,
        explicit: true,
    });
    CAST.eval(&[Datum::Text(json_text(value, arena)?)], arena).map_err(|error| error.to_string())
}

/// Lower case with hyphens, as PostgreSQL prints it.
fn uuid<'a>(value: Value<'a>, arena: &'a Arena) -> Result<&'a str, String> {
    let raw = match value {
        Value::Text(RawText { raw, .. }) => raw,
        Value::Bytes(bytes) if bytes.len() == 16 => {
            arena.alloc_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        _ => return Err(refused(value, "uuid")),
    };
    let is_plain = |at: usize, byte: u8| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    if raw.len() == 36 && raw.bytes().enumerate().all(|(at, byte)| is_plain(at, byte)) {
        return Ok(raw);
    }
    let inside = raw.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(raw);
    let digits: String = inside.chars().filter(|character| *character != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refused(value, "uuid"));
    }
    let digits = digits.to_ascii_lowercase();
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Ok(arena.alloc_str(&parts.join("-")))
}

fn bytes<'a>(value: Value<'a>, encoding: Option<Encoding>, arena: &'a Arena) -> Result<&'a [u8], String> {
    if let Value::Bytes(bytes) = value {
        return Ok(bytes);
    }
    let Value::Text(text) = value else { return Err(refused(value, "bytea")) };
    let text = text.to_cow().map_err(|error| error.to_string())?;
    let bytes = match text.strip_prefix("\\x") {
        Some(digits) => binary::hex(digits),
        None if encoding == Some(Encoding::Hex) => binary::hex(&text),
        None => binary::base64(&text),
    };
    Ok(arena.alloc_slice_copy(&bytes.ok_or_else(|| refused(value, "bytea (base64, or hex after \\x)"))?))
}

fn date(value: Value<'_>) -> Result<i32, String> {
    let from_days = |days: i64| match days {
        INFINITY_DAYS => Ok(calendar::DATE_INFINITY),
        _ => moment::date_from_days(days).ok_or_else(|| format!("date out of range: day {days}")),
    };
    match value {
        Value::Int(days) => from_days(days),
        Value::Number(text) => text.parse::<i64>().map_err(|_| refused(value, "date")).and_then(from_days),
        Value::Text(RawText { raw: INFINITY_ISO_DATE, .. }) => Ok(calendar::DATE_INFINITY),
        Value::Text(text) => moment::date(text.raw).ok_or_else(|| refused(value, "date")),
        other => Err(refused(other, "date")),
    }
}

/// A count of the column's unit, in microseconds.
fn count(value: Value<'_>, how: &Reading) -> Option<i128> {
    let count = match value {
        Value::Int(count) => count,
        Value::Number(text) => text.parse::<i64>().ok()?,
        _ => return None,
    };
    how.encoding.unwrap_or(how.unit).micros(count).or_else(|| how.unit.micros(count))
}

fn time(value: Value<'_>, how: &Reading) -> Result<i64, String> {
    let time = match value {
        Value::Number(_) | Value::Int(_) => count(value, how)
            .and_then(|micros| i64::try_from(micros).ok())
            .filter(|micros| (0..=calendar::MICROS_PER_DAY).contains(micros)),
        Value::Text(text) => moment::time(text.raw),
        _ => None,
    };
    time.ok_or_else(|| refused(value, "time"))
}

fn timestamp(value: Value<'_>, how: &Reading, ty: &ScalarType, offset: Offset) -> Result<i64, String> {
    match value {
        Value::Number(_) | Value::Int(_) => {
            let micros = count(value, how).ok_or_else(|| refused(value, ty))?;
            if micros == i128::from(INFINITY_MILLIS) * 1_000 {
                return Ok(calendar::TIMESTAMP_INFINITY);
            }
            if micros == i128::from(NEG_INFINITY_MILLIS) * 1_000 {
                return Ok(calendar::TIMESTAMP_NEG_INFINITY);
            }
            moment::timestamp_from_micros(micros).ok_or_else(|| {
                let mut text = String::new();
                value.write_json(&mut text);
                format!("timestamp out of range: {text}")
            })
        }
        Value::Text(RawText { raw: INFINITY_ISO_TIMESTAMP, .. }) => Ok(calendar::TIMESTAMP_INFINITY),
        Value::Text(text) => moment::timestamp(text.raw, offset).ok_or_else(|| refused(value, ty)),
        other => Err(refused(other, ty)),
    }
}

fn interval(value: Value<'_>, how: &Reading) -> Result<Interval, String> {
    let interval = match value {
        Value::Number(_) | Value::Int(_) => {
            let unit = how.encoding.unwrap_or(Encoding::Micros);
            let count = match value {
                Value::Number(text) => text.parse::<i64>().ok(),
                Value::Int(count) => Some(count),
                _ => None,
            };
            let micros = count.and_then(|count| unit.micros(count));
            let micros = micros.and_then(|micros| i64::try_from(micros).ok());
            micros.map(|micros| Interval { months: 0, days: 0, micros })
        }
        Value::Text(text) => calendar::parse_interval(text.raw).ok(),
        _ => None,
    };
    interval.ok_or_else(|| refused(value, "interval (a number, or an ISO duration such as P1DT2H)"))
}

fn array<'a>(value: Value<'a>, element: &ScalarType, how: &Reading, arena: &'a Arena) -> Result<RowRef<'a>, String> {
    let mut builder = RowBuilder::default();
    if let Value::List(values) = value {
        for value in values {
            builder.push(&read_as(*value, element, how, arena)?);
        }
        return Ok(RowRef::new(arena.alloc_slice_copy(builder.as_ref().bytes())));
    }
    let Value::Array(text) = value else { return Err(refused(value, format!("{element}[]"))) };
    let mut failed = None;
    let read = Cursor::new(text).array(|cursor| {
        let value = cursor.value()?;
        match read_as(value, element, how, arena) {
            Ok(datum) => builder.push(&datum),
            Err(reason) => failed = Some(reason),
        }
        Ok(())
    });
    read.map_err(|error| error.to_string())?;
    match failed {
        Some(reason) => Err(reason),
        None => Ok(RowRef::new(arena.alloc_slice_copy(builder.as_ref().bytes()))),
    }
}

#[cfg(test)]
#[path = "scalar_tests.rs"]
mod tests;
