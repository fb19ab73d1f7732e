//! Operators and functions of `json` and `jsonb`.
//!
//! 1. `json` keeps its text: a part of it is a slice. `jsonb` is text in canonical print, so a part of it is one too.
//! 2. What builds jsonb prints it canonically; what builds json prints as PostgreSQL's own builders do (` : `, `, `).

use std::borrow::Cow;

use row::{Datum, RowRef, calendar};

use super::Param::{AnyToJson, Bool, Int32, Json as JsonType, Jsonb, Text, TextArray};
use super::{Implementation, Value, fail, partial, push_text, text, total, unwrap_array};
use crate::json::{self, Json};
use crate::{Arena, EvalError, zone};

pub(super) const ROWS: &[Implementation] = &[
    total("->", &[JsonType, Text], JsonType, |a, _| Ok(part(member(a)))),
    total("->", &[JsonType, Int32], JsonType, |a, _| Ok(part(element(a)))),
    total("->", &[Jsonb, Text], Jsonb, |a, _| Ok(part(member(a)))),
    total("->", &[Jsonb, Int32], Jsonb, |a, _| Ok(part(jsonb_element(a)))),
    total("->>", &[JsonType, Text], Text, |a, arena| Ok(part_text(member(a), arena))),
    total("->>", &[JsonType, Int32], Text, |a, arena| Ok(part_text(element(a), arena))),
    total("->>", &[Jsonb, Text], Text, |a, arena| Ok(part_text(member(a), arena))),
    total("->>", &[Jsonb, Int32], Text, |a, arena| Ok(part_text(jsonb_element(a), arena))),
    total("#>", &[JsonType, TextArray], JsonType, |a, _| Ok(part(array_path(a)))),
    total("#>", &[Jsonb, TextArray], Jsonb, |a, _| Ok(part(array_path(a)))),
    total("#>>", &[JsonType, TextArray], Text, |a, arena| Ok(part_text(array_path(a), arena))),
    total("#>>", &[Jsonb, TextArray], Text, |a, arena| Ok(part_text(array_path(a), arena))),
    total("json_extract_path", &[JsonType, Text], JsonType, |a, _| Ok(part(argument_path(a)))).variadic(),
    total("jsonb_extract_path", &[Jsonb, Text], Jsonb, |a, _| Ok(part(argument_path(a)))).variadic(),
    total("json_extract_path_text", &[JsonType, Text], Text, |a, arena| Ok(part_text(argument_path(a), arena)))
        .variadic(),
    total("jsonb_extract_path_text", &[Jsonb, Text], Text, |a, arena| Ok(part_text(argument_path(a), arena)))
        .variadic(),
    partial("@>", &[Jsonb, Jsonb], Bool, |a, _| Ok(Datum::Bool(tree(&a[0])?.contains(&tree(&a[1])?)))),
    partial("<@", &[Jsonb, Jsonb], Bool, |a, _| Ok(Datum::Bool(tree(&a[1])?.contains(&tree(&a[0])?)))),
    total("?", &[Jsonb, Text], Bool, |a, _| Ok(Datum::Bool(has_key(a[0].unwrap_text(), a[1].unwrap_text())))),
    total("?|", &[Jsonb, TextArray], Bool, |a, _| {
        Ok(Datum::Bool(keys(&a[1]).any(|key| has_key(a[0].unwrap_text(), key))))
    }),
    total("?&", &[Jsonb, TextArray], Bool, |a, _| {
        Ok(Datum::Bool(keys(&a[1]).all(|key| has_key(a[0].unwrap_text(), key))))
    }),
    partial("||", &[Jsonb, Jsonb], Jsonb, |a, arena| Ok(print(&concatenate(tree(&a[0])?, tree(&a[1])?), arena))),
    partial("-", &[Jsonb, Text], Jsonb, |a, arena| Ok(print(&without_key(tree(&a[0])?, a[1].unwrap_text())?, arena))),
    partial("-", &[Jsonb, Int32], Jsonb, |a, arena| {
        Ok(print(&without_element(tree(&a[0])?, a[1].unwrap_int())?, arena))
    }),
    partial("json_array_length", &[JsonType], Int32, |a, _| array_length(a[0].unwrap_text())),
    partial("jsonb_array_length", &[Jsonb], Int32, |a, _| array_length(a[0].unwrap_text())),
    total("json_typeof", &[JsonType], Text, |a, _| Ok(Datum::Text(json::type_of(a[0].unwrap_text())))),
    total("jsonb_typeof", &[Jsonb], Text, |a, _| Ok(Datum::Text(json::type_of(a[0].unwrap_text())))),
    partial("jsonb_strip_nulls", &[Jsonb], Jsonb, |a, arena| Ok(print(&tree(&a[0])?.strip_nulls(), arena))),
    partial("to_json", &[AnyToJson], JsonType, |a, arena| Ok(text(&to_json(&a[0])?, arena))),
    partial("to_jsonb", &[AnyToJson], Jsonb, |a, arena| Ok(text(&json::canonical(&to_json(&a[0])?)?, arena))),
    total("json_build_array", &[], JsonType, |_, _| Ok(Datum::Text("[]"))),
    partial("json_build_array", &[AnyToJson], JsonType, |a, arena| Ok(text(&build_array(a)?, arena)))
        .lenient()
        .variadic(),
    total("jsonb_build_array", &[], Jsonb, |_, _| Ok(Datum::Text("[]"))),
    partial("jsonb_build_array", &[AnyToJson], Jsonb, |a, arena| Ok(text(&json::canonical(&build_array(a)?)?, arena)))
        .lenient()
        .variadic(),
    total("json_build_object", &[], JsonType, |_, _| Ok(Datum::Text("{}"))),
    partial("json_build_object", &[AnyToJson], JsonType, |a, arena| {
        Ok(text(&build_object(a, " cannot be null")?, arena))
    })
    .lenient()
    .variadic(),
    total("jsonb_build_object", &[], Jsonb, |_, _| Ok(Datum::Text("{}"))),
    partial("jsonb_build_object", &[AnyToJson], Jsonb, |a, arena| {
        Ok(text(&json::canonical(&build_object(a, ": key must not be null")?)?, arena))
    })
    .lenient()
    .variadic(),
];

fn member<'a>(args: &[Datum<'a>]) -> Option<&'a str> {
    json::member(args[0].unwrap_text(), args[1].unwrap_text())
}

fn element<'a>(args: &[Datum<'a>]) -> Option<&'a str> {
    json::element(args[0].unwrap_text(), args[1].unwrap_int())
}

/// As `element`; a scalar of jsonb is an array of itself here.
fn jsonb_element<'a>(args: &[Datum<'a>]) -> Option<&'a str> {
    let value = args[0].unwrap_text();
    match (json::type_of(value), args[1].unwrap_int()) {
        ("array" | "object", _) => element(args),
        (_, 0 | -1) => Some(value),
        _ => None,
    }
}

fn part(found: Option<&str>) -> Datum<'_> {
    found.map_or(Datum::Null, Datum::Text)
}

/// A string's value, anything else's text; JSON's null is NULL.
fn part_text<'a>(found: Option<&'a str>, arena: &'a Arena) -> Datum<'a> {
    match found {
        None | Some("null") => Datum::Null,
        Some(quoted) if quoted.starts_with('"') => match json::unquoted(quoted) {
            Cow::Borrowed(plain) => Datum::Text(plain),
            Cow::Owned(value) => text(&value, arena),
        },
        Some(other) => Datum::Text(other),
    }
}

/// Goes down a path of keys; in an array a key is an index.
fn path<'a, 'k>(start: &'a str, keys: impl Iterator<Item = Option<&'k str>>) -> Option<&'a str> {
    let mut at = start;
    for key in keys {
        let key = key?;
        at = match json::type_of(at) {
            "array" => json::element(at, key.trim().parse().ok()?)?,
            _ => json::member(at, key)?,
        };
    }
    Some(at)
}

fn array_path<'a>(args: &[Datum<'a>]) -> Option<&'a str> {
    let keys = unwrap_array(&args[1]).iter().map(|key| if key.is_null() { None } else { Some(key.unwrap_text()) });
    path(args[0].unwrap_text(), keys)
}

fn argument_path<'a>(args: &[Datum<'a>]) -> Option<&'a str> {
    path(args[0].unwrap_text(), args[1..].iter().map(|key| Some(key.unwrap_text())))
}

pub(super) fn tree<'a>(datum: &Datum<'a>) -> Result<Json<'a>, EvalError> {
    json::parse(datum.unwrap_text(), "json")
}

pub(super) fn print<'a>(value: &Json<'_>, arena: &'a Arena) -> Datum<'a> {
    let mut out = String::new();
    value.write(&mut out);
    text(&out, arena)
}

/// A key of an object, a string of an array, or the string itself.
pub(super) fn has_key(value: &str, key: &str) -> bool {
    match json::type_of(value) {
        "object" => json::member(value, key).is_some(),
        "array" => json::elements(value).any(|element| element.starts_with('"') && json::unquoted(element) == key),
        "string" => json::unquoted(value) == key,
        _ => false,
    }
}

fn keys<'d, 'a: 'd>(array: &'d Datum<'a>) -> impl Iterator<Item = &'a str> + use<'d, 'a> {
    let array: RowRef<'a> = unwrap_array(array);
    array.iter().filter(|key| !key.is_null()).map(|key| key.unwrap_text())
}

/// Two objects merge; anything else is put into one array.
pub(super) fn concatenate<'a>(left: Json<'a>, right: Json<'a>) -> Json<'a> {
    match (left, right) {
        (Json::Object(mut left), Json::Object(right)) => {
            left.extend(right);
            Json::Object(json::sorted(left))
        }
        (left, right) => {
            let part = |value| match value {
                Json::Array(elements) => elements,
                single => vec![single],
            };
            let mut elements = part(left);
            elements.extend(part(right));
            Json::Array(elements)
        }
    }
}

fn without_key<'a>(value: Json<'a>, key: &str) -> Result<Json<'a>, EvalError> {
    match value {
        Json::Object(mut members) => {
            members.retain(|(name, _)| name != key);
            Ok(Json::Object(members))
        }
        Json::Array(mut elements) => {
            elements.retain(|element| !matches!(element, Json::String(text) if text == key));
            Ok(Json::Array(elements))
        }
        _ => fail("cannot delete from scalar"),
    }
}

fn without_element(value: Json<'_>, index: i64) -> Result<Json<'_>, EvalError> {
    match value {
        Json::Array(mut elements) => {
            let index = if index < 0 { elements.len() as i64 + index } else { index };
            if let Ok(index) = usize::try_from(index)
                && index < elements.len()
            {
                elements.remove(index);
            }
            Ok(Json::Array(elements))
        }
        Json::Object(_) => fail("cannot delete from object using integer index"),
        _ => fail("cannot delete from scalar"),
    }
}

fn array_length<'a>(value: &str) -> Value<'a> {
    match json::type_of(value) {
        "array" => Ok(Datum::Int(json::elements(value).count() as i64)),
        "object" => fail("cannot get array length of a non-array"),
        _ => fail("cannot get array length of a scalar"),
    }
}

/// The JSON text of a value. JSON itself arrives as bytes.
fn to_json(datum: &Datum<'_>) -> Result<String, EvalError> {
    let mut out = String::new();
    push_json(&mut out, datum)?;
    Ok(out)
}

pub(super) fn push_json(out: &mut String, datum: &Datum<'_>) -> Result<(), EvalError> {
    match datum {
        Datum::Null => out.push_str("null"),
        Datum::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Datum::Bytes(json) => out.push_str(&String::from_utf8_lossy(json)),
        Datum::Text(text) => json::push_quoted(out, text),
        Datum::Int(_) => push_text(out, datum),
        Datum::Float32(value) if value.is_finite() => push_text(out, datum),
        Datum::Float64(value) if value.is_finite() => push_text(out, datum),
        Datum::Numeric(value) if !value.is_nan() && !value.is_infinite() => push_text(out, datum),
        Datum::Timestamp(micros) => push_moment(out, &calendar::format_timestamp(*micros)),
        Datum::TimestampTz(micros) => {
            let shown = zone::format_timestamptz(*micros);
            // ISO 8601 has the minutes of the offset always.
            let is_short = shown.len() > 3 && matches!(shown.as_bytes()[shown.len() - 3], b'+' | b'-');
            push_moment(out, &if is_short { format!("{shown}:00") } else { shown });
        }
        Datum::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                push_json(out, &element)?;
            }
            out.push(']');
        }
        other => {
            let mut shown = String::new();
            push_text(&mut shown, other);
            json::push_quoted(out, &shown);
        }
    }
    Ok(())
}

/// A timestamp with a `T` between date and time.
fn push_moment(out: &mut String, shown: &str) {
    json::push_quoted(out, &shown.replacen(' ', "T", 1));
}

fn build_array(args: &[Datum<'_>]) -> Result<String, EvalError> {
    let mut out = String::from("[");
    for (index, value) in args.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        push_json(&mut out, value)?;
    }
    out.push(']');
    Ok(out)
}

fn build_object(args: &[Datum<'_>], null_key: &str) -> Result<String, EvalError> {
    if !args.len().is_multiple_of(2) {
        return fail("argument list must have even number of elements");
    }
    let mut out = String::from("{");
    for (index, pair) in args.chunks_exact(2).enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        match &pair[0] {
            Datum::Null => return fail(format!("argument {}{null_key}", index * 2 + 1)),
            Datum::Array(_) | Datum::Bytes(_) => {
                return fail("key value must be scalar, not array, composite, or json");
            }
            key => {
                let mut shown = String::new();
                push_text(&mut shown, key);
                // A boolean key is written in full.
                let shown = match key {
                    Datum::Bool(value) => value.to_string(),
                    _ => shown,
                };
                json::push_quoted(&mut out, &shown);
            }
        }
        out.push_str(" : ");
        push_json(&mut out, &pair[1])?;
    }
    out.push('}');
    Ok(out)
}
