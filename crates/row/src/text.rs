//! The text of any value, as PostgreSQL's output functions give it.

use std::fmt::Write;

use chrono_tz::Tz;

use crate::{Datum, ScalarType, calendar, float_text};

impl Datum<'_> {
    /// Appends what PostgreSQL prints: `t` for true, `\x6869` for bytes, `{a,"b c",NULL}` for an array; nothing for NULL.
    ///
    /// `zone` is the session's time zone, which only timestamps with time zone look at.
    pub fn write_text(&self, ty: &ScalarType, zone: Tz, out: &mut String) {
        match self {
            Datum::Null => {}
            Datum::Bool(value) => out.push(if *value { 't' } else { 'f' }),
            // Writing to a String cannot fail.
            Datum::Int(value) => drop(write!(out, "{value}")),
            Datum::Float32(value) => float_text::write_float4(*value, out),
            Datum::Float64(value) => float_text::write_float8(*value, out),
            Datum::Numeric(value) => drop(write!(out, "{value}")),
            Datum::Text(value) => out.push_str(value),
            Datum::Bytes(value) => {
                out.push_str("\\x");
                for byte in *value {
                    out.push(char::from(HEX[usize::from(byte >> 4)]));
                    out.push(char::from(HEX[usize::from(byte & 15)]));
                }
            }
            Datum::Date(days) => calendar::write_date(*days, out),
            Datum::Time(micros) => calendar::write_time(*micros, out),
            Datum::Timestamp(micros) => calendar::write_timestamp(*micros, out),
            Datum::TimestampTz(micros) => calendar::write_timestamptz(*micros, zone, out),
            Datum::Interval(interval) => calendar::write_interval(*interval, out),
            Datum::Packed(value) => value.iter().for_each(|value| value.write_text(ty, zone, out)),
            Datum::Array(elements) => {
                let element_type = match ty {
                    ScalarType::Array(of) => of,
                    other => other,
                };
                out.push('{');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_element(&element, element_type, zone, out);
                }
                out.push('}');
            }
        }
    }

    /// Appends what a cast to text gives. It differs from `write_text` in booleans: `true` and `false`.
    pub fn write_cast_text(&self, ty: &ScalarType, zone: Tz, out: &mut String) {
        match self {
            Datum::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            other => other.write_text(ty, zone, out),
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// One element of an array, in quotes where it could be misread.
fn write_element(element: &Datum<'_>, ty: &ScalarType, zone: Tz, out: &mut String) {
    if element.is_null() {
        out.push_str("NULL");
        return;
    }
    let start = out.len();
    element.write_text(ty, zone, out);
    if matches!(element, Datum::Array(_)) {
        return;
    }
    let text = &out[start..];
    let special = |c: char| matches!(c, '"' | '\\' | '{' | '}' | ',' | ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
    if !text.is_empty() && !text.contains(special) && !text.eq_ignore_ascii_case("null") {
        return;
    }
    let text = text.to_string();
    out.truncate(start);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
