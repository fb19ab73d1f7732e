//! The text form of arrays: `{1,2,NULL,"a b"}`, one dimension.

use row::{Datum, ScalarType};

use crate::functions::{Value, array};
use crate::{Arena, EvalError, cast};

/// Reads an array whose elements are read as `element` is.
pub(crate) fn parse<'a>(text: &'a str, element: &ScalarType, explicit: bool, arena: &'a Arena) -> Value<'a> {
    let malformed = || EvalError::new(format!("malformed array literal: \"{text}\""));
    let inner = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(malformed)?;
    let mut elements = Vec::new();
    let mut rest = inner.trim_start();
    if rest.is_empty() {
        return Ok(array([], arena));
    }
    loop {
        let value;
        (value, rest) = take_element(rest, arena).ok_or_else(malformed)?;
        elements.push(match value {
            Datum::Null => Datum::Null,
            value => cast::cast(value, &ScalarType::Unknown, element, explicit, arena)?,
        });
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(tail) => rest = tail.trim_start(),
            None if rest.is_empty() => return Ok(array(elements, arena)),
            None => return Err(malformed()),
        }
    }
}

/// One element as text, quoted or bare, and what follows it.
fn take_element<'a>(text: &'a str, arena: &'a Arena) -> Option<(Datum<'a>, &'a str)> {
    let (is_quoted, body) = match text.strip_prefix('"') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let mut value = String::new();
    let mut characters = body.char_indices();
    let mut end = body.len();
    let mut is_closed = !is_quoted;
    let mut has_escape = false;
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => {
                has_escape = true;
                value.push(characters.next()?.1);
            }
            '"' if is_quoted => {
                end = at;
                is_closed = true;
                break;
            }
            ',' if !is_quoted => {
                end = at;
                break;
            }
            '"' | '{' | '}' if !is_quoted => return None,
            character => value.push(character),
        }
    }
    if !is_closed {
        return None;
    }
    if is_quoted {
        return Some((Datum::Text(arena.alloc_str(&value)), &body[end + 1..]));
    }
    let bare = value.trim_end();
    if bare.is_empty() {
        return None;
    }
    let datum =
        if !has_escape && bare.eq_ignore_ascii_case("null") { Datum::Null } else { Datum::Text(arena.alloc_str(bare)) };
    Some((datum, &body[end..]))
}
