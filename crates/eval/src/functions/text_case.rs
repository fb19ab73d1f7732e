//! `lower`, `upper`, `initcap`: one character becomes one character, as in PostgreSQL with a UTF-8 locale and no ICU.

use row::Datum;

use super::Param::Text;
use super::{Implementation, text, total};
use crate::Arena;

pub(super) const ROWS: &[Implementation] = &[
    total("lower", &[Text], Text, |a, arena| Ok(Datum::Text(lower(a[0].unwrap_text(), arena)))),
    total("upper", &[Text], Text, |a, arena| Ok(Datum::Text(upper(a[0].unwrap_text(), arena)))),
    total("initcap", &[Text], Text, |a, arena| Ok(text(&initcap(a[0].unwrap_text()), arena))),
];

/// The lower-case text; the argument itself when nothing changes.
pub(crate) fn lower<'a>(value: &'a str, arena: &'a Arena) -> &'a str {
    if !value.is_ascii() {
        return arena.alloc_str(&value.chars().map(lower_char).collect::<String>());
    }
    if !value.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return value;
    }
    let copy = arena.alloc_str(value);
    copy.make_ascii_lowercase();
    copy
}

fn upper<'a>(value: &'a str, arena: &'a Arena) -> &'a str {
    if !value.is_ascii() {
        return arena.alloc_str(&value.chars().map(upper_char).collect::<String>());
    }
    if !value.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return value;
    }
    let copy = arena.alloc_str(value);
    copy.make_ascii_uppercase();
    copy
}

/// The simple mapping: a character whose lower case is several ones stays, but for the dotted capital I.
pub(super) fn lower_char(character: char) -> char {
    if character == '\u{130}' {
        return 'i';
    }
    single(character, character.to_lowercase())
}

/// `ß` stays: its upper case is two characters.
pub(super) fn upper_char(character: char) -> char {
    single(character, character.to_uppercase())
}

fn single(character: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => character,
    }
}

pub(super) fn initcap(value: &str) -> String {
    let mut is_inside_word = false;
    value
        .chars()
        .map(|character| {
            let mapped = if is_inside_word { lower_char(character) } else { upper_char(character) };
            is_inside_word = character.is_alphanumeric();
            mapped
        })
        .collect()
}
