//! JSON text: checked, walked without building anything, or built as a tree and printed as `jsonb` is.
//!
//! ```text
//!   text ──check──> json (kept as it came) ──member, element──> a slice of it
//!     └──parse──> Json (a tree) ──write──> jsonb: keys by length then bytes, last one wins, numbers as numeric prints them
//! ```
//!
//! 1. A value of type json or jsonb has passed `check` or `canonical`, so walking it need not check again.
//! 2. Nesting is bounded: "stack depth limit exceeded" instead of a crash.

mod parse;
mod walk;

use std::borrow::Cow;
use std::fmt::Write;

use row::Numeric;

use crate::EvalError;
pub(crate) use parse::parse;
pub(crate) use walk::{element, elements, member, unquoted};

/// A JSON value. Numbers keep their text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Cow<'a, str>),
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Checks that a text is one JSON value.
pub(crate) fn check(text: &str, type_name: &'static str) -> Result<(), EvalError> {
    parse(text, type_name).map(drop)
}

/// The text in jsonb's print.
pub(crate) fn canonical(text: &str) -> Result<String, EvalError> {
    let mut out = String::with_capacity(text.len() + 8);
    parse(text, "json")?.canonical()?.write(&mut out);
    Ok(out)
}

/// "object", "array", "string", "number", "boolean", "null", by the first character of a checked text.
pub(crate) fn type_of(text: &str) -> &'static str {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

impl<'a> Json<'a> {
    /// What jsonb makes of it: sorted unique keys, numbers as numeric prints them.
    pub(crate) fn canonical(self) -> Result<Json<'a>, EvalError> {
        Ok(match self {
            Json::Number(text) => {
                let number = Numeric::parse(&text).map_err(EvalError::from_value)?.to_string();
                Json::Number(if number == text { text } else { Cow::Owned(number) })
            }
            Json::Array(elements) => Json::Array(elements.into_iter().map(Json::canonical).collect::<Result<_, _>>()?),
            Json::Object(members) => {
                let members: Result<Vec<_>, EvalError> =
                    members.into_iter().map(|(key, value)| Ok((key, value.canonical()?))).collect();
                Json::Object(sorted(members?))
            }
            other => other,
        })
    }

    /// Prints as jsonb does: one blank behind `:` and `,`.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) => out.push_str(text),
            Json::String(text) => push_quoted(out, text),
            Json::Array(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    element.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    push_quoted(out, key);
                    out.push_str(": ");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    pub(crate) fn member(&self, wanted: &str) -> Option<&Json<'a>> {
        match self {
            Json::Object(members) => members.iter().rev().find(|(key, _)| key == wanted).map(|(_, value)| value),
            _ => None,
        }
    }

    /// jsonb's `@>`: objects by key, arrays as sets; an array also contains a bare scalar at its top level.
    pub(crate) fn contains(&self, other: &Json<'_>) -> bool {
        match (self, other) {
            (Json::Array(elements), scalar) if !matches!(scalar, Json::Array(_) | Json::Object(_)) => {
                elements.iter().any(|element| element.is_equal(scalar))
            }
            _ => self.contains_inside(other),
        }
    }

    fn contains_inside(&self, other: &Json<'_>) -> bool {
        match (self, other) {
            (Json::Object(_), Json::Object(wanted)) => {
                wanted.iter().all(|(key, value)| self.member(key).is_some_and(|mine| mine.contains_inside(value)))
            }
            (Json::Array(mine), Json::Array(wanted)) => {
                wanted.iter().all(|value| mine.iter().any(|element| element.contains_inside(value)))
            }
            _ => self.is_equal(other),
        }
    }

    /// Equality of values: numbers by value.
    fn is_equal(&self, other: &Json<'_>) -> bool {
        match (self, other) {
            (Json::Null, Json::Null) => true,
            (Json::Bool(a), Json::Bool(b)) => a == b,
            (Json::String(a), Json::String(b)) => a == b,
            (Json::Number(a), Json::Number(b)) => match (Numeric::parse(a), Numeric::parse(b)) {
                (Ok(a), Ok(b)) => a.cmp(&b).is_eq(),
                _ => a == b,
            },
            _ => false,
        }
    }

    /// Leaves out object members that are null, at every level.
    pub(crate) fn strip_nulls(self) -> Json<'a> {
        match self {
            Json::Array(elements) => Json::Array(elements.into_iter().map(Json::strip_nulls).collect()),
            Json::Object(members) => {
                let kept = members.into_iter().filter(|(_, value)| *value != Json::Null);
                Json::Object(kept.map(|(key, value)| (key, value.strip_nulls())).collect())
            }
            other => other,
        }
    }
}

/// Members in jsonb's order; of equal keys the last.
pub(crate) fn sorted<'a>(mut members: Vec<(Cow<'a, str>, Json<'a>)>) -> Vec<(Cow<'a, str>, Json<'a>)> {
    members.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes())));
    let mut unique: Vec<(Cow<'a, str>, Json<'a>)> = Vec::with_capacity(members.len());
    for member in members {
        match unique.last_mut() {
            Some(last) if last.0 == member.0 => *last = member,
            _ => unique.push(member),
        }
    }
    unique
}

/// A JSON string literal.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{C}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
