//! A JSON reader that hands out slices.
//!
//! ```text
//!   {"op":"c","after":{"id":7,"name":"ada"}}
//!    └─ object() calls back per field; value() gives Number("7"), Text("ada"), or the whole slice of an inner object
//! ```
//!
//! 1. Nothing is allocated, except for text with escapes (in the caller's arena).
//! 2. Inner objects and arrays are stepped over by counting brackets outside of strings; whoever opens the slice checks it.
//! 3. Strings are looked through eight bytes at a time, and a field that comes where it came before is found by one comparison.

use std::borrow::Cow;

use bumpalo::Bump as Arena;

/// Where a text stops being JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON: {what} at byte {at}")]
pub struct JsonError {
    pub at: usize,
    pub what: &'static str,
}

/// A value as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// The digits as written.
    Number(&'a str),
    Text(RawText<'a>),
    /// The slice from brace to brace; its inside is not checked.
    Object(&'a str),
    /// The slice from bracket to bracket; its inside is not checked.
    Array(&'a str),
    // Of binary formats:
    Int(i64),
    Float(f32),
    Double(f64),
    Bytes(&'a [u8]),
    /// Names and values of fields.
    Record(&'a [(&'a str, Value<'a>)]),
    List(&'a [Value<'a>]),
}

impl Value<'_> {
    /// Appends the value as JSON; bytes as base64 in a string, numbers that JSON lacks as words.
    pub fn write_json(&self, out: &mut String) {
        use std::fmt::Write;
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Number(text) | Value::Object(text) | Value::Array(text) => out.push_str(text),
            Value::Text(RawText { raw, escaped: true }) => {
                out.push('"');
                out.push_str(raw);
                out.push('"');
            }
            Value::Text(RawText { raw, escaped: false }) => write_text(raw, out),
            // Writing to a String cannot fail.
            Value::Int(value) => drop(write!(out, "{value}")),
            Value::Float(value) if value.is_finite() => drop(write!(out, "{value}")),
            Value::Double(value) if value.is_finite() => drop(write!(out, "{value}")),
            Value::Float(value) => write_text(word(f64::from(*value)), out),
            Value::Double(value) => write_text(word(*value), out),
            Value::Bytes(bytes) => {
                out.push('"');
                super::binary::write_base64(bytes, out);
                out.push('"');
            }
            Value::Record(fields) => {
                out.push('{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    write_text(name, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
            Value::List(values) => {
                out.push('[');
                for (at, value) in values.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    value.write_json(out);
                }
                out.push(']');
            }
        }
    }
}

/// What a number is called that is none.
pub fn word(value: f64) -> &'static str {
    match (value.is_nan(), value > 0.0) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    }
}

fn write_text(text: &str, out: &mut String) {
    use std::fmt::Write;
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => drop(write!(out, "\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// The inside of a JSON string, still escaped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawText<'a> {
    pub raw: &'a str,
    pub escaped: bool,
}

impl<'a> RawText<'a> {
    /// Text that is already plain.
    pub fn plain(raw: &'a str) -> RawText<'a> {
        RawText { raw, escaped: false }
    }

    /// Writes `"name":`, as `Cursor::skip_known` finds it again; the text is that of a field's name, or plain.
    pub fn write_field(self, out: &mut String) {
        out.clear();
        out.push('"');
        out.push_str(self.raw);
        out.push_str("\":");
    }

    /// The text without escapes; copied into the arena only when it has some. A lone surrogate is an error.
    pub fn unescape(self, arena: &'a Arena) -> Result<&'a str, JsonError> {
        match self.to_cow()? {
            Cow::Borrowed(text) => Ok(text),
            Cow::Owned(text) => Ok(arena.alloc_str(&text)),
        }
    }

    #[inline]
    pub fn to_cow(self) -> Result<Cow<'a, str>, JsonError> {
        match self.escaped {
            false => Ok(Cow::Borrowed(self.raw)),
            true => self.unescaped().map(Cow::Owned),
        }
    }

    #[cold]
    fn unescaped(self) -> Result<String, JsonError> {
        let mut text = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some(at) = rest.find('\\') {
            text.push_str(&rest[..at]);
            let (character, length) = escape(&rest[at..])?;
            text.push(character);
            rest = &rest[at + length..];
        }
        text.push_str(rest);
        Ok(text)
    }
}

/// The character that an escape stands for and how many bytes it takes; `text` starts with the backslash.
fn escape(text: &str) -> Result<(char, usize), JsonError> {
    let fail = |what| JsonError { at: 0, what };
    let plain = match text.as_bytes().get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let first = four_hex(text.as_bytes(), 2).ok_or(fail("an incomplete \\u escape"))?;
            if !(0xD800..0xE000).contains(&first) {
                return Ok((char::from_u32(first).ok_or(fail("an invalid \\u escape"))?, 6));
            }
            let second = match text.as_bytes().get(6..8) {
                Some(b"\\u") => four_hex(text.as_bytes(), 8),
                _ => None,
            };
            return match second {
                Some(second) if first < 0xDC00 && (0xDC00..0xE000).contains(&second) => {
                    let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                    Ok((char::from_u32(code).ok_or(fail("an invalid \\u escape"))?, 12))
                }
                _ => Err(fail("half of a surrogate pair")),
            };
        }
        _ => return Err(fail("an unknown escape")),
    };
    Ok((plain, 2))
}

fn four_hex(bytes: &[u8], from: usize) -> Option<u32> {
    let digits = bytes.get(from..from + 4)?;
    digits.iter().try_fold(0, |code, digit| Some(code * 16 + (*digit as char).to_digit(16)?))
}

/// A place in a JSON text.
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    fn fail<T>(&self, what: &'static str) -> Result<T, JsonError> {
        Err(JsonError { at: self.at, what })
    }

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Reads one value and moves past it.
    #[inline]
    pub fn value(&mut self) -> Result<Value<'a>, JsonError> {
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'{') => Ok(Value::Object(self.nested()?)),
            Some(b'[') => Ok(Value::Array(self.nested()?)),
            Some(b'-' | b'0'..=b'9') => Ok(Value::Number(self.number()?)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(_) => self.fail("no value"),
            None => self.fail("the end"),
        }
    }

    /// Requires that nothing but blanks follows.
    pub fn end(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail("more after the value"),
        }
    }

    /// Calls `visit` with each field's name; `visit` must read the field's value.
    pub fn object(
        &mut self,
        mut visit: impl FnMut(Cow<'a, str>, &mut Cursor<'a>) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.fields(|cursor| {
            let name = cursor.field_name()?.to_cow()?;
            visit(name, cursor)
        })
    }

    /// Calls `visit` at each field's name; `visit` must read the name, by `field_name` or `skip_known`, and the value.
    #[inline]
    pub fn fields(&mut self, mut visit: impl FnMut(&mut Cursor<'a>) -> Result<(), JsonError>) -> Result<(), JsonError> {
        if self.peek() != Some(b'{') {
            return self.fail("no object");
        }
        self.at += 1;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            visit(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("no comma or closing brace"),
            }
        }
    }

    /// Reads a field's name and the colon behind it.
    #[inline]
    pub fn field_name(&mut self) -> Result<RawText<'a>, JsonError> {
        if self.peek() != Some(b'"') {
            return self.fail("no field name");
        }
        let name = self.string()?;
        if self.peek() != Some(b':') {
            return self.fail("no colon after a field name");
        }
        self.at += 1;
        Ok(name)
    }

    /// Calls `visit` once per element; `visit` must read it.
    pub fn array(&mut self, mut visit: impl FnMut(&mut Cursor<'a>) -> Result<(), JsonError>) -> Result<(), JsonError> {
        if self.peek() != Some(b'[') {
            return self.fail("no array");
        }
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            visit(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("no comma or closing bracket"),
            }
        }
    }

    /// If the text goes on with exactly `known`, moves past it: a cheap way over a part that repeats in each record.
    #[inline]
    pub fn skip_known(&mut self, known: &str) -> bool {
        self.peek();
        let found = !known.is_empty() && self.text.as_bytes()[self.at..].starts_with(known.as_bytes());
        if found {
            self.at += known.len();
        }
        found
    }

    fn word(&mut self, word: &'static str, value: Value<'a>) -> Result<Value<'a>, JsonError> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            self.fail("an unknown word")
        }
    }

    /// At the opening quote.
    #[inline]
    fn string(&mut self) -> Result<RawText<'a>, JsonError> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            at = plain_end(bytes, at);
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += 2;
                }
                Some(_) => {
                    self.at = at;
                    return self.fail("a control character inside a string");
                }
                None => return self.fail("a string without an end"),
            }
        }
        self.at = at + 1;
        Ok(RawText { raw: &self.text[start..at], escaped })
    }

    /// At the opening brace or bracket: the slice up to its closing one.
    fn nested(&mut self) -> Result<&'a str, JsonError> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start;
        let mut depth = 0usize;
        loop {
            match bytes.get(at) {
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                Some(b'"') => {
                    at += 1;
                    loop {
                        at = plain_end(bytes, at);
                        match bytes.get(at) {
                            Some(b'"') => break,
                            Some(b'\\') => at += 2,
                            Some(_) => at += 1,
                            None => return self.fail("an object or array without an end"),
                        }
                    }
                }
                Some(_) => {}
                None => return self.fail("an object or array without an end"),
            }
            at += 1;
        }
        self.at = at + 1;
        Ok(&self.text[start..=at])
    }

    fn number(&mut self) -> Result<&'a str, JsonError> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let integer = if bytes[start] == b'-' { start + 1 } else { start };
        let mut at = digits(integer);
        if at == integer {
            return self.fail("a number without digits");
        }
        if bytes.get(at) == Some(&b'.') {
            let fraction = at + 1;
            at = digits(fraction);
            if at == fraction {
                return self.fail("a number without digits after its point");
            }
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = at + 1;
            let exponent = if matches!(bytes.get(sign), Some(b'+' | b'-')) { sign + 1 } else { sign };
            at = digits(exponent);
            if at == exponent {
                return self.fail("a number without digits in its exponent");
            }
        }
        self.at = at;
        Ok(&self.text[start..at])
    }
}

/// From `at` on, the place of the first quote, backslash or control character, or the end.
///
/// Eight bytes are looked at together. A byte that is looked for leaves its highest bit set; carries spoil only bits above it.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x80 * ONES;
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*eight);
        let (quote, slash) = (word ^ (ONES * u64::from(b'"')), word ^ (ONES * u64::from(b'\\')));
        let found = quote.wrapping_sub(ONES) & !quote
            | slash.wrapping_sub(ONES) & !slash
            | word.wrapping_sub(ONES * 0x20) & !word;
        if found & HIGHEST != 0 {
            return at + ((found & HIGHEST).trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let is_plain = |byte: &&u8| !matches!(**byte, b'"' | b'\\' | 0..0x20);
    at + bytes.get(at..).map_or(0, |rest| rest.iter().take_while(is_plain).count())
}

/// Whether the text is one whole JSON value: for slices that are kept as JSON.
pub fn is_valid(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
