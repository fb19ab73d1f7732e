//! Values in SQLite's storage classes.
//!
//! ```text
//!   boolean 0 / 1     smallint, integer, bigint INTEGER     real, double REAL ('NaN' as text: SQLite has no NaN)
//!   numeric NUMERIC: an INTEGER or a REAL, exact to 15 digits     bytea BLOB     array JSON text
//!   date, time, timestamp ISO text (see `text`)     everything else TEXT
//! ```
//!
//! 1. A value read back equals the value written: exactly, except that a numeric comes back with the scale of its type
//!    (`numeric(12,2)`: two digits) or, without one, with no trailing zeros. Whoever compares rows of a table with rows of a
//!    plan compares numerics without a fixed scale by value (`Datum::normalized`).
//! 2. Numerics of more than 15 digits are rounded to a double by SQLite, on the way in and when compared, in the same way.

use row::{Datum, Numeric, Row, RowBuilder, RowRef, ScalarType, calendar};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use serde_json::Value as Json;

use super::text;
/// The declared type of a column. Its affinity is what stores the value right, its name is what tools reflect: no name here
/// gives `INTEGER` affinity by accident (as "INTERVAL" would) or turns text to numbers (as "JSON" would).
pub fn declared(ty: &ScalarType) -> String {
    match ty {
        ScalarType::Bool => "BOOLEAN".into(),
        ScalarType::Int16 => "SMALLINT".into(),
        ScalarType::Int32 => "INTEGER".into(),
        ScalarType::Int64 => "BIGINT".into(),
        ScalarType::Numeric(None) => "NUMERIC".into(),
        ScalarType::Numeric(Some(typmod)) => format!("NUMERIC({},{})", typmod.precision, typmod.scale),
        ScalarType::Float32 => "REAL".into(),
        ScalarType::Float64 => "DOUBLE PRECISION".into(),
        ScalarType::Varchar(Some(length)) => format!("VARCHAR({length})"),
        ScalarType::Varchar(None) => "VARCHAR".into(),
        ScalarType::Char(length) => format!("CHAR({length})"),
        ScalarType::Bytes => "BLOB".into(),
        ScalarType::Date => "DATE".into(),
        ScalarType::Time => "TIME".into(),
        ScalarType::Timestamp | ScalarType::TimestampTz => "TIMESTAMP".into(),
        ScalarType::Text
        | ScalarType::Unknown
        | ScalarType::Interval
        | ScalarType::Json
        | ScalarType::Jsonb
        | ScalarType::Uuid
        | ScalarType::Array(_) => "TEXT".into(),
    }
}

/// Values of two declared types that share a class are stored alike, so a column may pass from one to the other.
pub fn storage_class(declared: &str) -> &'static str {
    let declared = declared.to_ascii_uppercase();
    let name = declared.split('(').next().unwrap_or_default().trim();
    match name {
        "SMALLINT" | "INTEGER" | "BIGINT" | "INT" => "integer",
        "NUMERIC" | "DECIMAL" => "numeric",
        "REAL" | "DOUBLE PRECISION" | "DOUBLE" | "FLOAT" => "real",
        "TEXT" | "VARCHAR" | "CHAR" => "text",
        "BOOLEAN" => "boolean",
        "BLOB" => "blob",
        "DATE" => "date",
        "TIME" => "time",
        "TIMESTAMP" => "timestamp",
        _ => "other",
    }
}

/// What is bound for a value.
pub fn bound<'a>(datum: &Datum<'a>) -> ToSqlOutput<'a> {
    let text = |text: String| ToSqlOutput::Owned(Value::Text(text));
    match datum {
        Datum::Null => ToSqlOutput::Owned(Value::Null),
        Datum::Packed(value) => bound(&value.iter().next().unwrap_or(Datum::Null)),
        Datum::Bool(value) => ToSqlOutput::Owned(Value::Integer(i64::from(*value))),
        Datum::Int(value) => ToSqlOutput::Owned(Value::Integer(*value)),
        // The shortest decimal of a float, not its widening: 0.1 stays 0.1.
        Datum::Float32(value) => float(value.to_string().parse().unwrap_or(f64::from(*value))),
        Datum::Float64(value) => float(*value),
        Datum::Numeric(value) => match whole(value) {
            Some(integer) => ToSqlOutput::Owned(Value::Integer(integer)),
            None => match short_decimal(value) {
                Some(double) => ToSqlOutput::Owned(Value::Real(double)),
                None => text(value.to_string()),
            },
        },
        Datum::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
        Datum::Bytes(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value)),
        Datum::Date(days) => text(calendar::format_date(*days)),
        Datum::Time(micros) => text(text::time_text(*micros)),
        Datum::Timestamp(micros) => text(text::timestamp_text(*micros)),
        Datum::TimestampTz(micros) => text(text::timestamptz_text(*micros)),
        Datum::Interval(interval) => text(calendar::format_interval(*interval)),
        Datum::Array(elements) => text(array_json(*elements).to_string()),
    }
}

/// A number without digits after its point.
fn whole(value: &Numeric) -> Option<i64> {
    let (mantissa, scale) = value.small_parts()?;
    i64::try_from(mantissa).ok().filter(|_| scale == 0)
}

/// The double that the text of a decimal of at most 15 digits is nearest to, which is what the column makes of that text: both
/// numbers of the division are exact, so its result is rounded once.
fn short_decimal(value: &Numeric) -> Option<f64> {
    const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (mantissa, scale) = value.small_parts()?;
    let power = POWERS.get(usize::from(scale))?;
    (mantissa.unsigned_abs() < 1_000_000_000_000_000).then(|| mantissa as f64 / power)
}

fn float<'a>(value: f64) -> ToSqlOutput<'a> {
    ToSqlOutput::Owned(if value.is_nan() { Value::Text("NaN".into()) } else { Value::Real(value) })
}

/// Appends a stored value as one of type `ty`. False when it is none.
pub fn push_stored(builder: &mut RowBuilder, ty: &ScalarType, stored: ValueRef<'_>) -> bool {
    let Some(datum) = datum_of(ty, stored) else {
        return match (ty, stored) {
            (ScalarType::Array(of), ValueRef::Text(text)) => match array_of(of, text) {
                Some(elements) => {
                    builder.push(&Datum::Array(elements.as_ref()));
                    true
                }
                None => false,
            },
            _ => false,
        };
    };
    builder.push(&datum);
    true
}

/// `None` also for arrays, whose elements need a place to live.
fn datum_of<'a>(ty: &ScalarType, stored: ValueRef<'a>) -> Option<Datum<'a>> {
    if matches!(stored, ValueRef::Null) {
        return Some(Datum::Null);
    }
    let text = || stored.as_str().ok();
    Some(match ty {
        ScalarType::Bool => Datum::Bool(match stored {
            ValueRef::Integer(0) => false,
            ValueRef::Integer(1) => true,
            _ => return None,
        }),
        ScalarType::Int16 | ScalarType::Int32 | ScalarType::Int64 => Datum::Int(stored.as_i64().ok()?),
        ScalarType::Float32 => Datum::Float32(float_of(stored)? as f32),
        ScalarType::Float64 => Datum::Float64(float_of(stored)?),
        ScalarType::Numeric(typmod) => {
            let scale = typmod.map_or(0, |typmod| u16::try_from(typmod.scale).unwrap_or(0));
            Datum::Numeric(stored_numeric(stored, scale)?)
        }
        ScalarType::Bytes => Datum::Bytes(stored.as_blob().ok()?),
        ScalarType::Date => Datum::Date(calendar::parse_date(text()?).ok()?),
        ScalarType::Time => Datum::Time(calendar::parse_time(text()?).ok()?),
        ScalarType::Timestamp => Datum::Timestamp(calendar::parse_timestamp(text()?).ok()?),
        ScalarType::TimestampTz => Datum::TimestampTz(text::parse_timestamptz(text()?)?),
        ScalarType::Interval => Datum::Interval(calendar::parse_interval(text()?).ok()?),
        ScalarType::Array(_) => return None,
        ScalarType::Text
        | ScalarType::Unknown
        | ScalarType::Varchar(_)
        | ScalarType::Char(_)
        | ScalarType::Json
        | ScalarType::Jsonb
        | ScalarType::Uuid => Datum::Text(text()?),
    })
}

fn float_of(stored: ValueRef<'_>) -> Option<f64> {
    match stored {
        ValueRef::Real(value) => Some(value),
        ValueRef::Integer(value) => Some(value as f64),
        ValueRef::Text(b"NaN") => Some(f64::NAN),
        _ => None,
    }
}

/// At least `scale` digits after the point.
fn stored_numeric(stored: ValueRef<'_>, scale: u16) -> Option<Numeric> {
    let value = match stored {
        ValueRef::Integer(value) => Numeric::from(value),
        // The shortest decimal that is this double is the one that was written, if that had no more than 15 digits.
        ValueRef::Real(value) => Numeric::parse(&value.to_string()).ok()?,
        ValueRef::Text(_) => Numeric::parse(stored.as_str().ok()?).ok()?,
        _ => return None,
    };
    let finite = !value.is_nan() && !value.is_infinite();
    if finite && value.scale() < scale { value.rescale(scale).ok() } else { Some(value) }
}

/// Numbers and booleans as JSON has them, everything else as the text it would be in a column of its own.
fn array_json(elements: RowRef<'_>) -> Json {
    let element = |datum: Datum<'_>| match bound(&datum) {
        ToSqlOutput::Owned(Value::Integer(value)) => match datum {
            Datum::Bool(value) => Json::Bool(value),
            _ => Json::from(value),
        },
        ToSqlOutput::Owned(Value::Real(value)) if value.is_finite() => match &datum {
            Datum::Numeric(exact) => Json::from(exact.to_string()),
            _ => Json::from(value),
        },
        ToSqlOutput::Owned(Value::Real(value)) => Json::from(value.to_string()),
        ToSqlOutput::Owned(Value::Text(text)) => Json::from(text),
        ToSqlOutput::Borrowed(ValueRef::Text(text)) => Json::from(String::from_utf8_lossy(text)),
        ToSqlOutput::Borrowed(ValueRef::Blob(bytes)) => {
            Json::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        _ => match datum {
            Datum::Array(elements) => array_json(elements),
            _ => Json::Null,
        },
    };
    Json::Array(elements.iter().map(element).collect())
}

fn array_of(of: &ScalarType, text: &[u8]) -> Option<Row> {
    let Json::Array(elements) = serde_json::from_slice(text).ok()? else { return None };
    let mut builder = RowBuilder::default();
    for element in elements {
        let stored = match (&element, of) {
            (Json::Null, _) => Value::Null,
            (Json::Bool(value), _) => Value::Integer(i64::from(*value)),
            (Json::Number(number), _) => match number.as_i64() {
                Some(integer) => Value::Integer(integer),
                None => Value::Real(number.as_f64()?),
            },
            (Json::String(text), ScalarType::Bytes) => Value::Blob(bytes_of_hex(text)?),
            (Json::String(text), ScalarType::Float32 | ScalarType::Float64) => match text.as_str() {
                "NaN" => Value::Text(text.clone()),
                _ => Value::Real(text.parse().ok()?),
            },
            (Json::String(text), _) => Value::Text(text.clone()),
            _ => return None,
        };
        if !push_stored(&mut builder, of, ValueRef::from(&stored)) {
            return None;
        }
    }
    Some(builder.finish())
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits?;
    let whole = digits.len() % 2 == 0;
    whole.then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
