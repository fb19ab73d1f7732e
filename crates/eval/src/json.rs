//! JSON text: checked, walked without building anything, or built as a tree and printed as `jsonb` is.
//!
//! ```text
//!   text ──check──> json (kept as it came) ──member, element──> a slice of it
//!     └──parse──> Json (a tree) ──write──> jsonb: keys by length then bytes, last one wins, numbers as numeric prints them
//! ```
//!
//! 1. A value of type json or jsonb has passed `check` or `canonical`, so walking it need not check again.
//! 2. Nesting is bounded: "stack depth limit exceeded" instead of a crash.

use std::borrow::Cow;
use std::fmt::Write;

use row::Numeric;

use crate::EvalError;

const DEPTH_MAX: usize = 1_000;

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

pub(crate) fn parse<'a>(text: &'a str, type_name: &'static str) -> Result<Json<'a>, EvalError> {
    let mut parser = Parser { text, at: 0, type_name };
    parser.skip_space();
    let value = parser.value(0)?;
    parser.skip_space();
    if parser.at == text.len() { Ok(value) } else { parser.fail() }
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

struct Parser<'a> {
    text: &'a str,
    at: usize,
    type_name: &'static str,
}

impl<'a> Parser<'a> {
    fn fail<T>(&self) -> Result<T, EvalError> {
        Err(EvalError::new(format!("invalid input syntax for type {}", self.type_name)))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, EvalError> {
        if depth > DEPTH_MAX {
            return Err(EvalError::new("stack depth limit exceeded"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::String),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, EvalError> {
        let rest = &self.text[self.at..];
        let ends = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'_';
        if rest.starts_with(word) && rest.as_bytes().get(word.len()).is_none_or(|byte| ends(*byte)) {
            self.at += word.len();
            return Ok(value);
        }
        self.fail()
    }

    fn number(&mut self) -> Result<Json<'a>, EvalError> {
        let start = self.at;
        self.take(b'-');
        let whole = self.digits();
        let starts_with_zero = self.text.as_bytes().get(self.at - whole) == Some(&b'0');
        if whole == 0 || whole > 1 && starts_with_zero {
            return self.fail();
        }
        if self.take(b'.') && self.digits() == 0 {
            return self.fail();
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return self.fail();
            }
        }
        if self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            return self.fail();
        }
        Ok(Json::Number(Cow::Borrowed(&self.text[start..self.at])))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<Cow<'a, str>, EvalError> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
                }
                Some(b'\\') => break,
                None | Some(0..0x20) => return self.fail(),
                Some(_) => self.at += 1,
            }
        }
        let mut out = self.text[start..self.at].to_owned();
        loop {
            let plain = self.at;
            while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            out.push_str(&self.text[plain..self.at]);
            if self.take(b'"') {
                return Ok(Cow::Owned(out));
            }
            if !self.take(b'\\') {
                return self.fail();
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, EvalError> {
        let Some(byte) = self.peek() else { return self.fail() };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{C}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hexadecimal()?;
                let code = if (0xD800..0xDC00).contains(&first) && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    let second = self.hexadecimal()?;
                    if !(0xDC00..0xE000).contains(&second) {
                        return self.fail();
                    }
                    0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
                } else {
                    first
                };
                match char::from_u32(code) {
                    Some('\0') => return Err(EvalError::new("unsupported Unicode escape sequence")),
                    Some(character) => character,
                    None => return self.fail(),
                }
            }
            _ => return self.fail(),
        })
    }

    fn hexadecimal(&mut self) -> Result<u32, EvalError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
            Some(code) => {
                self.at += 4;
                Ok(code)
            }
            None => self.fail(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, EvalError> {
        self.at += 1;
        let mut elements = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::Array(elements));
        }
        loop {
            self.skip_space();
            elements.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::Array(elements));
            }
            if !self.take(b',') {
                return self.fail();
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, EvalError> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return self.fail();
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return self.fail();
            }
            self.skip_space();
            members.push((key, self.value(depth + 1)?));
            self.skip_space();
            if self.take(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.take(b',') {
                return self.fail();
            }
        }
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

/// Walks a checked text without building it.
struct Walker<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walker<'a> {
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn skip_string(&mut self) {
        self.at += 1;
        while self.at < self.text.len() && self.byte() != b'"' {
            self.at += 1 + usize::from(self.byte() == b'\\');
        }
        self.at += 1;
    }

    /// The next value's text.
    fn value(&mut self) -> &'a str {
        self.skip_space();
        let start = self.at;
        let mut depth = 0usize;
        while self.at < self.text.len() {
            match self.byte() {
                b'"' => {
                    self.skip_string();
                    if depth == 0 {
                        break;
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth <= 1 => {
                    self.at += depth;
                    break;
                }
                b'}' | b']' => depth -= 1,
                b',' if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        self.text[start..self.at.min(self.text.len())].trim_end_matches([' ', '\t', '\n', '\r'])
    }
}

/// The members of an object's text as (key as written, value's text); nothing for other values.
fn members<'a>(text: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut walker = Walker { text, at: 0 };
    walker.skip_space();
    let is_object = walker.byte() == b'{';
    walker.at += 1;
    std::iter::from_fn(move || {
        walker.skip_space();
        if !is_object || walker.byte() != b'"' {
            return None;
        }
        let key = walker.value();
        walker.skip_space();
        walker.at += 1;
        let value = walker.value();
        walker.skip_space();
        walker.at += 1;
        Some((key, value))
    })
}

/// The texts of an array's elements; nothing for other values.
pub(crate) fn elements<'a>(text: &'a str) -> impl Iterator<Item = &'a str> {
    let mut walker = Walker { text, at: 0 };
    walker.skip_space();
    let is_array = walker.byte() == b'[';
    walker.at += 1;
    std::iter::from_fn(move || {
        walker.skip_space();
        if !is_array || walker.at >= text.len() || walker.byte() == b']' {
            return None;
        }
        let value = walker.value();
        walker.skip_space();
        walker.at += 1;
        Some(value)
    })
}

/// The text of an object's member; of equal keys the last.
pub(crate) fn member<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    members(text).filter(|(key, _)| unquoted(key) == wanted).last().map(|(_, value)| value)
}

/// The text of an array's element, from 0; negative from the end.
pub(crate) fn element(text: &str, index: i64) -> Option<&str> {
    let index = if index < 0 { elements(text).count() as i64 + index } else { index };
    usize::try_from(index).ok().and_then(|index| elements(text).nth(index))
}

/// The value of a checked string literal.
pub(crate) fn unquoted(text: &str) -> Cow<'_, str> {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
        _ => match parse(text, "json") {
            Ok(Json::String(value)) => value,
            _ => Cow::Borrowed(text),
        },
    }
}
