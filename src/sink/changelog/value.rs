//! Rows as JSON, so that equal values have equal texts.
//!
//! | type | JSON |
//! |---|---|
//! | smallint, integer, bigint | a number |
//! | boolean | `true`, `false` |
//! | numeric | a string with its digits: a reader's doubles must not round it; without a scale of its type no trailing zeros |
//! | real, double | a number; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | timestamp, timestamptz | `"2026-01-31T12:00:00.25"`, `"2026-01-31T12:00:00.25+00:00"` |
//! | array | an array |
//! | anything else | a string with what PostgreSQL prints: `"2026-01-31"`, `"\\x6869"`, json's text |

use std::fmt::Write;

use chrono_tz::Tz;
use row::{Datum, Row, ScalarType};

use crate::sink::TableSpec;

/// Appends `{"column":value,…}` with the given columns of a row.
pub fn write_columns(out: &mut String, table: &TableSpec, row: &Row, columns: impl Iterator<Item = usize>) {
    let datums: Vec<Datum<'_>> = row.iter().collect();
    out.push('{');
    for (at, column) in columns.enumerate() {
        if at > 0 {
            out.push(',');
        }
        let spec = &table.columns[column];
        write_string(out, &spec.name);
        out.push(':');
        write_value(out, &spec.ty, &datums[column]);
    }
    out.push('}');
}

pub fn write_row(out: &mut String, table: &TableSpec, row: &Row) {
    write_columns(out, table, row, 0..table.columns.len());
}

fn write_value(out: &mut String, ty: &ScalarType, datum: &Datum<'_>) {
    let is_finite = match datum {
        Datum::Float32(value) => value.is_finite(),
        Datum::Float64(value) => value.is_finite(),
        _ => false,
    };
    match datum {
        Datum::Null => out.push_str("null"),
        Datum::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Datum::Int(value) => drop(write!(out, "{value}")), // writing to a String cannot fail
        // Zero has two signs, which are one value.
        Datum::Float32(_) | Datum::Float64(_) if is_finite => {
            datum.clone().normalized().write_text(ty, Tz::UTC, out);
        }
        Datum::Numeric(_) if matches!(ty, ScalarType::Numeric(None)) => {
            write_text(out, ty, &datum.clone().normalized());
        }
        Datum::Timestamp(_) | Datum::TimestampTz(_) => {
            let mut text = String::new();
            datum.write_text(ty, Tz::UTC, &mut text);
            write_string(out, &iso(text));
        }
        Datum::Array(elements) => {
            let of = match ty {
                ScalarType::Array(of) => of,
                other => other,
            };
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(out, of, &element);
            }
            out.push(']');
        }
        _ => write_text(out, ty, datum),
    }
}

fn write_text(out: &mut String, ty: &ScalarType, datum: &Datum<'_>) {
    let mut text = String::new();
    datum.write_text(ty, Tz::UTC, &mut text);
    write_string(out, &text);
}

/// `2026-01-31 12:00:00+00` as PostgreSQL's JSON has it; infinity and years before Christ as they are.
fn iso(mut text: String) -> String {
    if text.len() > 10 && text.as_bytes().get(10) == Some(&b' ') && !text.ends_with("BC") {
        text.replace_range(10..11, "T");
        if text.ends_with("+00") {
            text.push_str(":00");
        }
    }
    text
}

pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
