//! `format`, `quote_ident`, `quote_literal`: text put together for SQL or for people.

use row::Datum;

use super::Param::{Any, AnyNonArray, Text};
use super::{Implementation, Value, fail, partial, push_text, text, total};
use crate::{Arena, EvalError};

pub(super) const ROWS: &[Implementation] = &[
    total("quote_ident", &[Text], Text, |a, arena| Ok(text(&quote_ident(a[0].unwrap_text()), arena))),
    total("quote_literal", &[Text], Text, |a, arena| Ok(text(&quote_literal(a[0].unwrap_text()), arena))),
    total("quote_literal", &[AnyNonArray], Text, |a, arena| Ok(text(&quote_literal(a[0].unwrap_text()), arena))),
    total("quote_nullable", &[AnyNonArray], Text, quote_nullable).lenient(),
    total("quote_nullable", &[Text], Text, quote_nullable).lenient(),
    partial("format", &[Text], Text, format).lenient(),
    partial("format", &[Text, Any], Text, format).lenient().variadic(),
];

fn quote_nullable<'a>(args: &[Datum<'a>], arena: &'a Arena) -> Value<'a> {
    Ok(if args[0].is_null() { Datum::Text("NULL") } else { text(&quote_literal(args[0].unwrap_text()), arena) })
}

/// Words that PostgreSQL's grammar keeps for itself, so that an identifier of that name needs quotes.
const RESERVED: &str = " all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean \
    both case cast char character check coalesce collate collation column concurrently constraint create cross \
    current_catalog current_date current_role current_schema current_time current_timestamp current_user dec decimal \
    default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full \
    grant greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull \
    join lateral leading least left like limit localtime localtimestamp national natural nchar none normalize not \
    notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary \
    real references returning right row select session_user setof similar smallint some substring symmetric table \
    tablesample then time timestamp to trailing treat trim true union unique user using values varchar variadic \
    verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi \
    xmlroot xmlserialize xmltable ";

pub(crate) fn quote_ident(name: &str) -> String {
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    let is_plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    if starts_well && name.chars().all(is_plain) && !RESERVED.contains(&format!(" {name} ")) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn quote_literal(value: &str) -> String {
    let quoted = value.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// One `%[position][-][width]type` of a format.
struct Specifier {
    position: Option<usize>,
    is_left: bool,
    /// The width; `Some(None)`: an argument gives it.
    width: Option<Width>,
    conversion: char,
}

enum Width {
    Fixed(i64),
    /// `*` or `*n$`.
    Argument(Option<usize>),
}

fn format<'a>(args: &[Datum<'a>], arena: &'a Arena) -> Value<'a> {
    if args[0].is_null() {
        return Ok(Datum::Null);
    }
    let mut out = String::new();
    let mut rest = args[0].unwrap_text();
    let mut next = 1;
    while let Some(percent) = rest.find('%') {
        out.push_str(&rest[..percent]);
        rest = &rest[percent + 1..];
        if let Some(tail) = rest.strip_prefix('%') {
            out.push('%');
            rest = tail;
            continue;
        }
        let specifier;
        (specifier, rest) = parse_specifier(rest)?;
        let width = match specifier.width {
            None => 0,
            Some(Width::Fixed(width)) => width,
            Some(Width::Argument(position)) => {
                let value = argument(args, position, &mut next)?;
                match value {
                    Datum::Int(width) => *width,
                    Datum::Null => 0,
                    other => {
                        let mut shown = String::new();
                        push_text(&mut shown, other);
                        shown.trim().parse().map_err(|_| {
                            EvalError::new(format!("invalid input syntax for type integer: \"{shown}\""))
                        })?
                    }
                }
            }
        };
        let value = argument(args, specifier.position, &mut next)?;
        let shown = convert(value, specifier.conversion)?;
        let missing = (width.unsigned_abs() as usize).saturating_sub(shown.chars().count());
        super::text::check_length(missing)?;
        let padding = " ".repeat(missing);
        if specifier.is_left || width < 0 {
            out.push_str(&shown);
            out.push_str(&padding);
        } else {
            out.push_str(&padding);
            out.push_str(&shown);
        }
    }
    out.push_str(rest);
    Ok(text(&out, arena))
}

fn argument<'d, 'a>(
    args: &'d [Datum<'a>],
    position: Option<usize>,
    next: &mut usize,
) -> Result<&'d Datum<'a>, EvalError> {
    let index = position.unwrap_or(*next);
    *next = index + 1;
    if index == 0 {
        return fail("format specifies argument 0, but arguments are numbered from 1");
    }
    args.get(index).ok_or_else(|| EvalError::new("too few arguments for format()"))
}

fn parse_specifier(text: &str) -> Result<(Specifier, &str), EvalError> {
    let unterminated = || EvalError::new("unterminated format() type specifier");
    let number = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        (text[..digits].parse::<i32>().ok(), digits)
    };
    let mut rest = text;
    let mut specifier = Specifier { position: None, is_left: false, width: None, conversion: 's' };
    let (leading, digits) = number(rest);
    if digits > 0 && rest[digits..].starts_with('$') {
        specifier.position = leading.map(|position| position as usize);
        rest = &rest[digits + 1..];
    }
    while let Some(tail) = rest.strip_prefix('-') {
        specifier.is_left = true;
        rest = tail;
    }
    if let Some(tail) = rest.strip_prefix('*') {
        rest = tail;
        let (position, digits) = number(rest);
        let mut from = None;
        if digits > 0 && rest[digits..].starts_with('$') {
            from = position.map(|position| position as usize);
            rest = &rest[digits + 1..];
        }
        specifier.width = Some(Width::Argument(from));
    } else {
        let (width, digits) = number(rest);
        if digits > 0 {
            let width = width.ok_or_else(|| EvalError::new("number is out of range"))?;
            specifier.width = Some(Width::Fixed(i64::from(width)));
            rest = &rest[digits..];
        }
    }
    let conversion = rest.chars().next().ok_or_else(unterminated)?;
    if !matches!(conversion, 's' | 'I' | 'L') {
        return fail(format!("unrecognized format() type specifier \"{conversion}\""));
    }
    specifier.conversion = conversion;
    Ok((specifier, &rest[1..]))
}

fn convert(value: &Datum<'_>, conversion: char) -> Result<String, EvalError> {
    if value.is_null() {
        return match conversion {
            's' => Ok(String::new()),
            'L' => Ok("NULL".to_owned()),
            _ => fail("null values cannot be formatted as an SQL identifier"),
        };
    }
    let mut shown = String::new();
    push_text(&mut shown, value);
    Ok(match conversion {
        'I' => quote_ident(&shown),
        'L' => quote_literal(&shown),
        _ => shown,
    })
}
