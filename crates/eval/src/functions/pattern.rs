//! LIKE, ILIKE and SIMILAR TO.
//!
//! 1. LIKE walks text and pattern side by side: nothing is compiled, nothing allocated.
//! 2. ILIKE compares the lower-case forms of both, SIMILAR TO is a regular expression for the whole text.

use row::Datum;

use super::Param::{Bool, Char, Text};
use super::{Implementation, Value, fail, partial, regex_dialect, text_case};
use crate::{Arena, EvalError};

pub(super) const ROWS: &[Implementation] = &[
    partial("like", &[Text, Text], Bool, |a, _| like(a, false)).unless(1, ends_whole),
    partial("like", &[Char, Text], Bool, |a, _| like(a, false)).unless(1, ends_whole),
    partial("not like", &[Text, Text], Bool, |a, _| like(a, true)).unless(1, ends_whole),
    partial("not like", &[Char, Text], Bool, |a, _| like(a, true)).unless(1, ends_whole),
    partial("ilike", &[Text, Text], Bool, |a, arena| ilike(a, false, arena)).unless(1, ends_whole),
    partial("ilike", &[Char, Text], Bool, |a, arena| ilike(a, false, arena)).unless(1, ends_whole),
    partial("not ilike", &[Text, Text], Bool, |a, arena| ilike(a, true, arena)).unless(1, ends_whole),
    partial("not ilike", &[Char, Text], Bool, |a, arena| ilike(a, true, arena)).unless(1, ends_whole),
    partial("similar to", &[Text, Text], Bool, |a, _| similar(a, false)),
    partial("not similar to", &[Text, Text], Bool, |a, _| similar(a, true)),
    // With ESCAPE.
    partial("like", &[Text, Text, Text], Bool, |a, _| like(a, false)),
    partial("not like", &[Text, Text, Text], Bool, |a, _| like(a, true)),
    partial("ilike", &[Text, Text, Text], Bool, |a, arena| ilike(a, false, arena)),
    partial("not ilike", &[Text, Text, Text], Bool, |a, arena| ilike(a, true, arena)),
    partial("similar to", &[Text, Text, Text], Bool, |a, _| similar(a, false)),
    partial("not similar to", &[Text, Text, Text], Bool, |a, _| similar(a, true)),
];

/// Whether the pattern does not end in the middle of an escape: its only way to fail.
fn ends_whole(pattern: &Datum<'_>) -> bool {
    pattern.unwrap_text().bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 0
}

/// The escape character of the call; `None`: no escaping at all.
fn escape_of(args: &[Datum<'_>]) -> Result<Option<char>, EvalError> {
    let Some(escape) = args.get(2) else { return Ok(Some('\\')) };
    let mut characters = escape.unwrap_text().chars();
    match (characters.next(), characters.next()) {
        (_, Some(_)) => fail("invalid escape string"),
        (escape, None) => Ok(escape),
    }
}

fn like<'a>(args: &[Datum<'a>], is_negated: bool) -> Value<'a> {
    let matched = matches(args[0].unwrap_text(), args[1].unwrap_text(), escape_of(args)?)?;
    Ok(Datum::Bool(matched != is_negated))
}

fn ilike<'a>(args: &[Datum<'a>], is_negated: bool, arena: &'a Arena) -> Value<'a> {
    let [value, pattern] = [0, 1].map(|index| text_case::lower(args[index].unwrap_text(), arena));
    Ok(Datum::Bool(matches(value, pattern, escape_of(args)?)? != is_negated))
}

/// LIKE itself. On a mismatch behind a `%` the walk goes back to the last `%` and lets it take one character more;
/// earlier ones need not be tried again.
pub(super) fn matches(value: &str, pattern: &str, escape: Option<char>) -> Result<bool, EvalError> {
    let (mut value, mut pattern) = (value, pattern);
    let mut retry: Option<(&str, &str)> = None;
    loop {
        let mut rest = pattern.chars();
        let is_step_good = match rest.next() {
            // Only text that is still to be matched looks behind an escape.
            Some(escaping) if Some(escaping) == escape && !value.is_empty() => {
                let Some(literal) = rest.next() else {
                    return fail("LIKE pattern must not end with escape character");
                };
                take_literal(&mut value, literal)
            }
            Some(escaping) if Some(escaping) == escape => false,
            Some('%') => {
                pattern = rest.as_str();
                if pattern.is_empty() {
                    return Ok(true);
                }
                retry = Some((value, pattern));
                continue;
            }
            Some('_') => take_any(&mut value),
            Some(literal) => take_literal(&mut value, literal),
            None if value.is_empty() => return Ok(true),
            None => false,
        };
        if is_step_good {
            pattern = rest.as_str();
            continue;
        }
        let Some((mut retry_value, retry_pattern)) = retry else { return Ok(false) };
        if !take_any(&mut retry_value) {
            return Ok(false);
        }
        // What comes behind the `%` starts at its first character: the places between need no try.
        let first = retry_pattern.chars().next().filter(|first| !matches!(first, '%' | '_') && Some(*first) != escape);
        if let Some(first) = first {
            match retry_value.find(first) {
                Some(at) => retry_value = &retry_value[at..],
                None => return Ok(false),
            }
        }
        retry = Some((retry_value, retry_pattern));
        (value, pattern) = (retry_value, retry_pattern);
    }
}

fn take_any(value: &mut &str) -> bool {
    let mut rest = value.chars();
    let is_taken = rest.next().is_some();
    *value = rest.as_str();
    is_taken
}

fn take_literal(value: &mut &str, literal: char) -> bool {
    match value.strip_prefix(literal) {
        Some(rest) => {
            *value = rest;
            true
        }
        None => false,
    }
}

fn similar<'a>(args: &[Datum<'a>], is_negated: bool) -> Value<'a> {
    let escape = escape_of(args)?;
    let regex = regex_dialect::similar(args[1].unwrap_text(), escape)?;
    Ok(Datum::Bool(regex.is_match(args[0].unwrap_text()) != is_negated))
}
