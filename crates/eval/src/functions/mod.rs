//! The built-in functions and operators: one static table, a row per implementation.
//!
//! ```text
//!   comparison::ROWS ┐
//!   arithmetic::ROWS ├─ join ─> TABLE[FunctionId] = name, parameters, result, strict?, fallible?, fn(&[Datum], arena)
//!   text::ROWS …     ┘
//! ```
//!
//! 1. An implementation gets arguments of exactly its parameters' representation; a strict one never sees NULL.
//! 2. A row not marked `fallible` never returns an error.
//! 3. Operators are rows whose name is their symbol; `like`, `not like`, `[]` and `= any` are operators too.

mod arithmetic;
mod array;
mod array_parts;
pub(crate) mod bytes;
mod bytes_parts;
pub(crate) mod comparison;
mod date_time;
mod hyperbolic;
mod json;
mod json_compare;
mod json_edit;
pub(crate) mod json_key;
mod math;
mod number_picture;
mod overlaps;
mod pattern;
mod pattern_cache;
mod regex_branches;
mod regex_dialect;
mod regexp;
mod text;
mod text_case;
pub(crate) mod text_format;
mod time_parts;
mod time_picture;
mod time_precision;
mod to_char_number;
mod to_char_time;
mod to_number;
mod to_time;

use std::collections::HashMap;
use std::sync::LazyLock;

use row::{Datum, RowBuilder, RowRef, ScalarType};

use crate::{Arena, EvalError, Expr, zone};

/// What an implementation returns.
pub(crate) type Value<'a> = Result<Datum<'a>, EvalError>;

pub(crate) type Eval = for<'a> fn(&[Datum<'a>], &'a Arena) -> Value<'a>;

/// The type of a parameter or a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    Bool,
    Int16,
    Int32,
    Int64,
    Numeric,
    Float32,
    Float64,
    Text,
    /// `char(n)` with its padding.
    Char,
    /// `char(n)` to be compared: trailing blanks do not count, so they go unless both sides are padded alike.
    CharValue,
    Bytes,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    Json,
    Jsonb,
    Uuid,
    TextArray,
    Int32Array,
    Float64Array,
    /// Any type, the same (or their common type) for all of a call's elements.
    AnyElement,
    /// An array of the call's element type.
    AnyArray,
    /// Anything but an array; taken as its text.
    AnyNonArray,
    /// Anything, as it is.
    Any,
    /// Anything, on its way into JSON: json arrives as `Bytes` so that it can be told from text.
    AnyToJson,
}

impl Param {
    /// The type; `None` for the polymorphic ones.
    pub(crate) fn ty(self) -> Option<ScalarType> {
        Some(match self {
            Param::Bool => ScalarType::Bool,
            Param::Int16 => ScalarType::Int16,
            Param::Int32 => ScalarType::Int32,
            Param::Int64 => ScalarType::Int64,
            Param::Numeric => ScalarType::NUMERIC,
            Param::Float32 => ScalarType::Float32,
            Param::Float64 => ScalarType::Float64,
            Param::Text => ScalarType::Text,
            Param::Char | Param::CharValue => ScalarType::Char(0),
            Param::Bytes => ScalarType::Bytes,
            Param::Date => ScalarType::Date,
            Param::Time => ScalarType::Time,
            Param::Timestamp => ScalarType::Timestamp,
            Param::TimestampTz => ScalarType::TimestampTz,
            Param::Interval => ScalarType::Interval,
            Param::Json => ScalarType::Json,
            Param::Jsonb => ScalarType::Jsonb,
            Param::Uuid => ScalarType::Uuid,
            Param::TextArray => ScalarType::Array(Box::new(ScalarType::Text)),
            Param::Int32Array => ScalarType::Array(Box::new(ScalarType::Int32)),
            Param::Float64Array => ScalarType::Array(Box::new(ScalarType::Float64)),
            Param::AnyElement | Param::AnyArray | Param::AnyNonArray | Param::Any | Param::AnyToJson => return None,
        })
    }
}

/// One row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Implementation {
    pub(crate) name: &'static str,
    /// For a variadic one, the last parameter may repeat (one or more times).
    pub(crate) params: &'static [Param],
    pub(crate) returns: Param,
    pub(crate) is_variadic: bool,
    /// NULL when an argument is; evaluation sees to it.
    pub(crate) is_strict: bool,
    pub(crate) is_fallible: bool,
    /// A fallible call whose argument here is a literal that passes the check cannot fail.
    pub(crate) safe_literal: Option<(usize, fn(&Datum<'_>) -> bool)>,
    pub(crate) eval: Eval,
}

/// A strict implementation that cannot fail.
pub(crate) const fn total(name: &'static str, params: &'static [Param], returns: Param, eval: Eval) -> Implementation {
    Implementation {
        name,
        params,
        returns,
        is_variadic: false,
        is_strict: true,
        is_fallible: false,
        safe_literal: None,
        eval,
    }
}

/// A strict implementation that some arguments make fail.
pub(crate) const fn partial(
    name: &'static str,
    params: &'static [Param],
    returns: Param,
    eval: Eval,
) -> Implementation {
    Implementation { is_fallible: true, ..total(name, params, returns, eval) }
}

impl Implementation {
    /// Sees NULL arguments itself.
    pub(crate) const fn lenient(self) -> Implementation {
        Implementation { is_strict: false, ..self }
    }

    /// Cannot fail when argument `position` is a literal (not NULL) for which `is_safe` holds.
    pub(crate) const fn unless(self, position: usize, is_safe: fn(&Datum<'_>) -> bool) -> Implementation {
        Implementation { safe_literal: Some((position, is_safe)), ..self }
    }

    pub(crate) const fn variadic(self) -> Implementation {
        Implementation { is_variadic: true, ..self }
    }

    /// Whether a call with these arguments can fail for some row.
    pub(crate) fn can_fail(&self, args: &[Expr]) -> bool {
        self.is_fallible
            && !self.safe_literal.is_some_and(|(position, is_safe)| match &args[position] {
                Expr::Literal { value, .. } => {
                    value.datum().is_null() && self.is_strict || !value.datum().is_null() && is_safe(&value.datum())
                }
                _ => false,
            })
    }
}

const PARTS: &[&[Implementation]] = &[
    comparison::ROWS,
    comparison::CONDITIONAL,
    arithmetic::ROWS,
    math::ROWS,
    text::ROWS,
    text_case::ROWS,
    text_format::ROWS,
    bytes::ROWS,
    pattern::ROWS,
    regexp::ROWS,
    array::ROWS,
    date_time::ARITHMETIC,
    date_time::FUNCTIONS,
    to_char_time::ROWS,
    to_char_number::ROWS,
    to_number::ROWS,
    to_time::ROWS,
    json::ROWS,
    json_edit::ROWS,
    json_compare::ROWS,
    array_parts::ROWS,
    bytes_parts::ROWS,
    hyperbolic::ROWS,
    overlaps::ROWS,
    time_precision::ROWS,
    json_key::ROWS,
    json_compare::CONDITIONAL,
];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
};

/// All implementations; `FunctionId` is an index into it.
pub(crate) static TABLE: [Implementation; COUNT] = {
    let mut table = [PARTS[0][0]; COUNT];
    let (mut at, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut index = 0;
        while index < PARTS[part].len() {
            table[at] = PARTS[part][index];
            at += 1;
            index += 1;
        }
        part += 1;
    }
    table
};

static BY_NAME: LazyLock<HashMap<&'static str, Vec<u16>>> = LazyLock::new(|| {
    let mut by_name: HashMap<&'static str, Vec<u16>> = HashMap::new();
    for (id, implementation) in TABLE.iter().enumerate() {
        by_name.entry(implementation.name).or_default().push(id as u16);
    }
    by_name
});

/// The implementations of a name, all arities.
pub(crate) fn named(name: &str) -> &'static [u16] {
    BY_NAME.get(name).map_or(&[], Vec::as_slice)
}

/// Copies a text into the arena.
pub(crate) fn text<'a>(value: &str, arena: &'a Arena) -> Datum<'a> {
    Datum::Text(arena.alloc_str(value))
}

/// The text a value is shown as (`f` for false, as output functions have it).
pub(crate) fn push_text(out: &mut String, datum: &Datum<'_>) {
    zone::write_text(datum, out);
}

/// Packs values as an array in the arena.
pub(crate) fn array<'a, 'b>(elements: impl IntoIterator<Item = Datum<'b>>, arena: &'a Arena) -> Datum<'a> {
    let mut builder = RowBuilder::default();
    for element in elements {
        builder.push(&element);
    }
    Datum::Array(RowRef::new(arena.alloc_slice_copy(builder.as_ref().bytes())))
}

/// An argument that the resolved types promise to be an array.
pub(crate) fn unwrap_array<'a>(datum: &Datum<'a>) -> RowRef<'a> {
    match datum {
        Datum::Array(elements) => *elements,
        other => panic!("expected an array, found {other:?}: the plan's types are wrong"),
    }
}

/// An integer argument that fits 32 bits by its type.
pub(crate) fn unwrap_i32(datum: &Datum<'_>) -> i32 {
    datum.unwrap_int().clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// A double argument, from either width.
pub(crate) fn unwrap_f64(datum: &Datum<'_>) -> f64 {
    match datum {
        Datum::Float64(value) => *value,
        Datum::Float32(value) => f64::from(*value),
        other => panic!("expected a double, found {other:?}: the plan's types are wrong"),
    }
}

pub(crate) fn unwrap_bytes<'a>(datum: &Datum<'a>) -> &'a [u8] {
    match datum {
        Datum::Bytes(value) => value,
        other => panic!("expected bytes, found {other:?}: the plan's types are wrong"),
    }
}

pub(crate) fn unwrap_numeric<'d>(datum: &'d Datum<'_>) -> &'d row::Numeric {
    match datum {
        Datum::Numeric(value) => value,
        other => panic!("expected a numeric, found {other:?}: the plan's types are wrong"),
    }
}

/// Shorthand for the many failures that are one sentence.
pub(crate) fn fail<T>(message: impl Into<String>) -> Result<T, EvalError> {
    Err(EvalError::new(message))
}
