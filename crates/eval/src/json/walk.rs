//! Parts of a checked JSON text, as slices of it: nothing is built.

use std::borrow::Cow;

use super::{Json, parse};

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
fn members(text: &str) -> impl Iterator<Item = (&str, &str)> {
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
pub(crate) fn elements(text: &str) -> impl Iterator<Item = &str> {
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
