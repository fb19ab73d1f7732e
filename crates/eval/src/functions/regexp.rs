//! `~` and its kin, `substring(… from pattern)`, and the `regexp_*` functions.
//!
//! 1. Searching goes on after a match as PostgreSQL does: an empty match moves the search on by one character.
//! 2. A constant pattern that compiles makes a call infallible.

use regex::{Captures, Regex};
use row::Datum;

use super::Param::{Bool, Int32, Text, TextArray};
use super::regex_dialect::{Flags, compile};
use super::text::{slice, str};
use super::{Implementation, Value, array, fail, partial, text, unwrap_i32};
use crate::{Arena, EvalError};

pub(super) const ROWS: &[Implementation] = &[
    partial("~", &[Text, Text], Bool, |a, _| is_match(a, Flags::NONE, false)).unless(1, compiles),
    partial("~*", &[Text, Text], Bool, |a, _| is_match(a, Flags::CASE_INSENSITIVE, false)).unless(1, compiles),
    partial("!~", &[Text, Text], Bool, |a, _| is_match(a, Flags::NONE, true)).unless(1, compiles),
    partial("!~*", &[Text, Text], Bool, |a, _| is_match(a, Flags::CASE_INSENSITIVE, true)).unless(1, compiles),
    partial("substring", &[Text, Text], Text, |a, _| first_part(a)).unless(1, compiles),
    partial("regexp_like", &[Text, Text], Bool, |a, _| is_match(a, Flags::NONE, false)).unless(1, compiles),
    partial("regexp_like", &[Text, Text, Text], Bool, |a, _| is_match(a, no_global(&a[2], "regexp_like()")?, false)),
    partial("regexp_match", &[Text, Text], TextArray, |a, arena| first_groups(a, Flags::NONE, arena))
        .unless(1, compiles),
    partial("regexp_match", &[Text, Text, Text], TextArray, |a, arena| {
        first_groups(a, no_global(&a[2], "regexp_match()")?, arena)
    }),
    partial("regexp_replace", &[Text, Text, Text], Text, |a, arena| {
        replace(str(a, 0), str(a, 1), str(a, 2), 0, Some(1), Flags::NONE, arena)
    })
    .unless(1, compiles),
    partial("regexp_replace", &[Text, Text, Text, Text], Text, |a, arena| {
        // A digit here means that the caller wanted the form with a start.
        if str(a, 3).starts_with(|first: char| first.is_ascii_digit()) {
            return fail(format!("invalid regular expression option: \"{}\"", &str(a, 3)[..1]));
        }
        let flags = Flags::parse(str(a, 3))?;
        let nth = if flags.is_global { None } else { Some(1) };
        replace(str(a, 0), str(a, 1), str(a, 2), 0, nth, flags, arena)
    }),
    partial("regexp_replace", &[Text, Text, Text, Int32], Text, |a, arena| {
        replace(str(a, 0), str(a, 1), str(a, 2), start_byte(str(a, 0), &a[3])?, Some(1), Flags::NONE, arena)
    }),
    partial("regexp_replace", &[Text, Text, Text, Int32, Int32], Text, |a, arena| {
        replace(str(a, 0), str(a, 1), str(a, 2), start_byte(str(a, 0), &a[3])?, nth(&a[4])?, Flags::NONE, arena)
    }),
    partial("regexp_replace", &[Text, Text, Text, Int32, Int32, Text], Text, |a, arena| {
        let flags = Flags::parse(str(a, 5))?;
        replace(str(a, 0), str(a, 1), str(a, 2), start_byte(str(a, 0), &a[3])?, nth(&a[4])?, flags, arena)
    }),
    partial("regexp_split_to_array", &[Text, Text], TextArray, |a, arena| split(a, Flags::NONE, arena))
        .unless(1, compiles),
    partial("regexp_split_to_array", &[Text, Text, Text], TextArray, |a, arena| {
        split(a, no_global(&a[2], "regexp_split_to_array()")?, arena)
    }),
    partial("regexp_count", &[Text, Text], Int32, |a, _| count(a, 0, Flags::NONE)).unless(1, compiles),
    partial("regexp_count", &[Text, Text, Int32], Int32, |a, _| count(a, start_byte(str(a, 0), &a[2])?, Flags::NONE)),
    partial("regexp_count", &[Text, Text, Int32, Text], Int32, |a, _| {
        count(a, start_byte(str(a, 0), &a[2])?, no_global(&a[3], "regexp_count()")?)
    }),
    partial("regexp_substr", &[Text, Text], Text, |a, _| nth_match(a, 0, 1, Flags::NONE)).unless(1, compiles),
    partial("regexp_substr", &[Text, Text, Int32], Text, |a, _| {
        nth_match(a, start_byte(str(a, 0), &a[2])?, 1, Flags::NONE)
    }),
    partial("regexp_substr", &[Text, Text, Int32, Int32], Text, |a, _| {
        let wanted = positive(&a[3], "n")?;
        nth_match(a, start_byte(str(a, 0), &a[2])?, wanted, Flags::NONE)
    }),
    partial("regexp_substr", &[Text, Text, Int32, Int32, Text], Text, |a, _| {
        let wanted = positive(&a[3], "n")?;
        nth_match(a, start_byte(str(a, 0), &a[2])?, wanted, no_global(&a[4], "regexp_substr()")?)
    }),
    partial("regexp_substr", &[Text, Text, Int32, Int32, Text, Int32], Text, |a, _| {
        let group = not_negative(&a[5], "subexpr")?;
        let found = nth_place(a, &a[2], &a[3], no_global(&a[4], "regexp_substr()")?, group)?;
        Ok(found.map_or(Datum::Null, |place| Datum::Text(&str(a, 0)[place])))
    }),
    partial("regexp_instr", &[Text, Text], Int32, |a, _| instr(a)).unless(1, compiles),
    partial("regexp_instr", &[Text, Text, Int32], Int32, |a, _| instr(a)),
    partial("regexp_instr", &[Text, Text, Int32, Int32], Int32, |a, _| instr(a)),
    partial("regexp_instr", &[Text, Text, Int32, Int32, Int32], Int32, |a, _| instr(a)),
    partial("regexp_instr", &[Text, Text, Int32, Int32, Int32, Text], Int32, |a, _| instr(a)),
    partial("regexp_instr", &[Text, Text, Int32, Int32, Int32, Text, Int32], Int32, |a, _| instr(a)),
];

fn compiles(pattern: &Datum<'_>) -> bool {
    compile(pattern.unwrap_text(), Flags::NONE).is_ok()
}

fn no_global(flags: &Datum<'_>, function: &str) -> Result<Flags, EvalError> {
    let flags = Flags::parse(flags.unwrap_text())?;
    if flags.is_global { fail(format!("{function} does not support the \"global\" option")) } else { Ok(flags) }
}

fn positive(value: &Datum<'_>, parameter: &str) -> Result<usize, EvalError> {
    match unwrap_i32(value) {
        value if value <= 0 => fail(format!("invalid value for parameter \"{parameter}\": {value}")),
        value => Ok(value as usize),
    }
}

/// The byte where a search from this character position starts.
fn start_byte(value: &str, start: &Datum<'_>) -> Result<usize, EvalError> {
    Ok(slice(value, 0, positive(start, "start")? - 1).len())
}

/// Which match to replace: 0 is all.
fn nth(value: &Datum<'_>) -> Result<Option<usize>, EvalError> {
    match unwrap_i32(value) {
        value if value < 0 => fail(format!("invalid value for parameter \"n\": {value}")),
        0 => Ok(None),
        value => Ok(Some(value as usize)),
    }
}

fn is_match<'a>(args: &[Datum<'a>], flags: Flags, is_negated: bool) -> Value<'a> {
    Ok(Datum::Bool(compile(str(args, 1), flags)?.is_match(str(args, 0)) != is_negated))
}

/// The first bracketed part of the first match, or all of it when the pattern has no brackets.
fn first_part<'a>(args: &[Datum<'a>]) -> Value<'a> {
    let regex = compile(str(args, 1), Flags::NONE)?;
    let Some(captures) = regex.captures(str(args, 0)) else { return Ok(Datum::Null) };
    let part = captures.get(usize::from(regex.captures_len() > 1));
    Ok(part.map_or(Datum::Null, |part| Datum::Text(part.as_str())))
}

fn first_groups<'a>(args: &[Datum<'a>], flags: Flags, arena: &'a Arena) -> Value<'a> {
    let regex = compile(str(args, 1), flags)?;
    let Some(captures) = regex.captures(str(args, 0)) else { return Ok(Datum::Null) };
    let skipped = usize::from(regex.captures_len() > 1);
    Ok(array(
        captures.iter().skip(skipped).map(|group| group.map_or(Datum::Null, |group| Datum::Text(group.as_str()))),
        arena,
    ))
}

/// Calls `visit` for each match from `start` on, until it returns false.
fn for_each_match<'h>(regex: &Regex, value: &'h str, start: usize, mut visit: impl FnMut(&Captures<'h>) -> bool) {
    let mut search = start;
    while search <= value.len() {
        let Some(captures) = regex.captures_at(value, search) else { return };
        let Some(whole) = captures.get(0) else { return };
        if !visit(&captures) {
            return;
        }
        search = whole.end();
        if whole.is_empty() {
            search += value[search..].chars().next().map_or(1, char::len_utf8);
        }
    }
}

fn replace<'a>(
    value: &'a str,
    pattern: &str,
    by: &str,
    start: usize,
    nth: Option<usize>,
    flags: Flags,
    arena: &'a Arena,
) -> Value<'a> {
    let regex = compile(pattern, flags)?;
    let mut out = String::new();
    let (mut copied, mut seen) = (0, 0);
    for_each_match(&regex, value, start, |captures| {
        seen += 1;
        if nth.is_some_and(|nth| seen < nth) {
            return true;
        }
        let whole = captures.get(0).map_or(0..0, |whole| whole.range());
        out.push_str(&value[copied..whole.start]);
        push_replacement(&mut out, by, captures);
        copied = whole.end;
        nth.is_none()
    });
    if copied == 0 && out.is_empty() {
        return Ok(Datum::Text(value));
    }
    out.push_str(&value[copied..]);
    super::text::check_length(out.len())?;
    Ok(text(&out, arena))
}

/// `\1` … `\9` are the bracketed parts, `\&` the match, `\\` a backslash.
fn push_replacement(out: &mut String, by: &str, captures: &Captures<'_>) {
    let group = |index: usize| captures.get(index).map_or("", |group| group.as_str());
    let mut characters = by.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.peek().copied() {
            Some(digit @ '1'..='9') => out.push_str(group(digit as usize - '0' as usize)),
            Some('&') => out.push_str(group(0)),
            Some('\\') => out.push('\\'),
            // Any other backslash stands for itself, and so does what follows it.
            _ => {
                out.push('\\');
                continue;
            }
        }
        characters.next();
    }
}

/// Splits at matches; an empty match at either end, or right behind the last match, does not count.
fn split<'a>(args: &[Datum<'a>], flags: Flags, arena: &'a Arena) -> Value<'a> {
    let value = str(args, 0);
    let regex = compile(str(args, 1), flags)?;
    let mut parts = Vec::new();
    let mut copied = 0;
    for_each_match(&regex, value, 0, |captures| {
        let whole = captures.get(0).map_or(0..0, |whole| whole.range());
        if whole.start < value.len() && whole.end > copied {
            parts.push(Datum::Text(&value[copied..whole.start]));
            copied = whole.end;
        }
        true
    });
    parts.push(Datum::Text(&value[copied..]));
    Ok(array(parts, arena))
}

fn count<'a>(args: &[Datum<'a>], start: usize, flags: Flags) -> Value<'a> {
    let mut count = 0;
    for_each_match(&*compile(str(args, 1), flags)?, str(args, 0), start, |_| {
        count += 1;
        true
    });
    Ok(Datum::Int(count))
}

fn nth_match<'a>(args: &[Datum<'a>], start: usize, wanted: usize, flags: Flags) -> Value<'a> {
    let (mut seen, mut found) = (0, Datum::Null);
    for_each_match(&*compile(str(args, 1), flags)?, str(args, 0), start, |captures| {
        seen += 1;
        if seen == wanted {
            found = captures.get(0).map_or(Datum::Null, |whole| Datum::Text(whole.as_str()));
        }
        seen < wanted
    });
    Ok(found)
}

fn not_negative(value: &Datum<'_>, parameter: &str) -> Result<usize, EvalError> {
    match usize::try_from(unwrap_i32(value)) {
        Ok(value) => Ok(value),
        Err(_) => fail(format!("invalid value for parameter \"{parameter}\": {}", unwrap_i32(value))),
    }
}

/// Where the wanted match, or a bracketed part of it, lies; a group that the pattern lacks is nowhere.
fn nth_place<'a>(
    args: &[Datum<'a>],
    start: &Datum<'a>,
    wanted: &Datum<'a>,
    flags: Flags,
    group: usize,
) -> Result<Option<std::ops::Range<usize>>, EvalError> {
    let (start, wanted) = (positive(start, "start")?, positive(wanted, "n")?);
    let from = slice(str(args, 0), 0, start - 1).len();
    let (mut seen, mut found) = (0, None);
    for_each_match(&*compile(str(args, 1), flags)?, str(args, 0), from, |captures| {
        seen += 1;
        if seen == wanted {
            found = captures.get(group).map(|part| part.range());
        }
        seen < wanted
    });
    Ok(found)
}

fn instr<'a>(args: &[Datum<'a>]) -> Value<'a> {
    let one = Datum::Int(1);
    let is_behind = match args.get(4).map_or(0, unwrap_i32) {
        0 => false,
        1 => true,
        other => return fail(format!("invalid value for parameter \"endoption\": {other}")),
    };
    let flags = args.get(5).map_or(Ok(Flags::NONE), |flags| no_global(flags, "regexp_instr()"))?;
    let group = args.get(6).map_or(Ok(0), |group| not_negative(group, "subexpr"))?;
    let place = nth_place(args, args.get(2).unwrap_or(&one), args.get(3).unwrap_or(&one), flags, group)?;
    let byte = place.map(|place| if is_behind { place.end } else { place.start });
    Ok(Datum::Int(byte.map_or(0, |byte| super::text::char_count(&str(args, 0)[..byte]) + 1)))
}
