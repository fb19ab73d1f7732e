//! What PostgreSQL knows about types: categories, which cast is allowed where, and the common type of several.
//!
//! ```text
//!   int2 ─> int4 ─> int8 ─> numeric ─> float4 ─> float8        date ─> timestamp ─> timestamptz       time ─> interval
//!                                 (implicit: along the arrows, also over several; the way back is an assignment cast)
//! ```
//!
//! 1. `cast_context` is the whole cast matrix; everything else asks it.
//! 2. An untyped literal may become anything: whether its text is good is seen when it is evaluated.

use row::ScalarType;

use crate::resolve::ResolveError;

/// The least solemn context in which PostgreSQL makes a cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CastContext {
    /// Anywhere, unasked.
    Implicit,
    /// When a value is put into a column.
    Assignment,
    /// Only with CAST or `::`.
    Explicit,
}

/// PostgreSQL's type categories: overload resolution prefers a category's preferred type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Boolean,
    Number,
    String,
    DateTime,
    Timespan,
    Array,
    Unknown,
    User,
}

pub(crate) fn category(ty: &ScalarType) -> Category {
    match ty {
        ScalarType::Unknown => Category::Unknown,
        ScalarType::Bool => Category::Boolean,
        ScalarType::Int16
        | ScalarType::Int32
        | ScalarType::Int64
        | ScalarType::Numeric(_)
        | ScalarType::Float32
        | ScalarType::Float64 => Category::Number,
        ScalarType::Text | ScalarType::Varchar(_) | ScalarType::Char(_) => Category::String,
        ScalarType::Date | ScalarType::Time | ScalarType::Timestamp | ScalarType::TimestampTz => Category::DateTime,
        ScalarType::Interval => Category::Timespan,
        ScalarType::Bytes | ScalarType::Json | ScalarType::Jsonb | ScalarType::Uuid => Category::User,
        ScalarType::Array(_) => Category::Array,
    }
}

pub(crate) fn is_preferred(ty: &ScalarType) -> bool {
    matches!(
        ty,
        ScalarType::Bool | ScalarType::Float64 | ScalarType::Text | ScalarType::TimestampTz | ScalarType::Interval
    )
}

/// The type's name in error messages: without length or precision.
pub fn type_name(ty: &ScalarType) -> String {
    match ty {
        ScalarType::Char(_) => "character".to_owned(),
        ScalarType::Array(of) => format!("{}[]", type_name(of)),
        other => other.base().to_string(),
    }
}

/// The same type, lengths and precisions aside. `varchar` is not `text` here.
pub(crate) fn is_same_base(a: &ScalarType, b: &ScalarType) -> bool {
    match (a, b) {
        (ScalarType::Char(_), ScalarType::Char(_)) => true,
        (ScalarType::Array(a), ScalarType::Array(b)) => is_same_base(a, b),
        (ScalarType::Numeric(_), ScalarType::Numeric(_)) | (ScalarType::Varchar(_), ScalarType::Varchar(_)) => true,
        _ => a == b,
    }
}

/// The place of a number type on the promotion ladder.
fn number_rank(ty: &ScalarType) -> Option<u8> {
    Some(match ty {
        ScalarType::Int16 => 0,
        ScalarType::Int32 => 1,
        ScalarType::Int64 => 2,
        ScalarType::Numeric(_) => 3,
        ScalarType::Float32 => 4,
        ScalarType::Float64 => 5,
        _ => return None,
    })
}

/// The cast matrix. `None`: there is no such cast.
pub fn cast_context(from: &ScalarType, to: &ScalarType) -> Option<CastContext> {
    use CastContext::{Assignment, Explicit, Implicit};
    use ScalarType as T;
    if *from == T::Unknown || is_same_base(from, to) {
        return Some(Implicit);
    }
    if let (Some(from), Some(to)) = (number_rank(from), number_rank(to)) {
        return Some(if from < to { Implicit } else { Assignment });
    }
    match (from, to) {
        (T::Text | T::Varchar(_) | T::Char(_), T::Text | T::Varchar(_) | T::Char(_)) => Some(Implicit),
        (T::Date, T::Timestamp | T::TimestampTz) | (T::Timestamp, T::TimestampTz) | (T::Time, T::Interval) => {
            Some(Implicit)
        }
        (T::Timestamp | T::TimestampTz, T::Date | T::Time) | (T::TimestampTz, T::Timestamp) => Some(Assignment),
        (T::Interval, T::Time) | (T::Json, T::Jsonb) | (T::Jsonb, T::Json) => Some(Assignment),
        (T::Bool, T::Int32) | (T::Int32, T::Bool) => Some(Explicit),
        (T::Jsonb, to) if *to == T::Bool || number_rank(to).is_some() => Some(Explicit),
        (T::Array(from), T::Array(to)) => cast_context(from, to),
        // Through the text form: everything has one, and every text may turn out to be a value.
        (_, T::Text | T::Varchar(_) | T::Char(_)) => Some(Assignment),
        (T::Text | T::Varchar(_) | T::Char(_), to) if *to != T::Unknown => Some(Explicit),
        _ => None,
    }
}

/// Whether `from` becomes `to` unasked.
pub(crate) fn is_implicit(from: &ScalarType, to: &ScalarType) -> bool {
    cast_context(from, to) == Some(CastContext::Implicit)
}

/// PostgreSQL 10.5: see `resolve::common_type`.
pub(crate) fn common_type(what: &str, types: &[ScalarType]) -> Result<ScalarType, ResolveError> {
    let mut known = types.iter().filter(|ty| **ty != ScalarType::Unknown);
    let Some(first) = known.next() else { return Ok(ScalarType::Text) };
    if types.iter().all(|ty| ty == first) {
        return Ok(first.clone());
    }
    let mut chosen = first;
    for ty in known {
        if is_same_base(chosen, ty) {
            continue;
        }
        let matched = match (chosen, ty) {
            // Two array types or two types without a category have nothing in common.
            _ if category(chosen) != category(ty) => false,
            _ if matches!(category(ty), Category::User) => false,
            (ScalarType::Array(a), ScalarType::Array(b)) => is_implicit(a, b) || is_implicit(b, a),
            _ => true,
        };
        if !matched {
            let (left, right) = (type_name(chosen), type_name(ty));
            return Err(ResolveError::new(format!("{what} types {left} and {right} cannot be matched")));
        }
        if !is_preferred(chosen) && is_implicit(chosen, ty) && !is_implicit(ty, chosen) {
            chosen = ty;
        }
    }
    for ty in types {
        if !is_implicit(ty, chosen) {
            let (from, to) = (type_name(ty), type_name(chosen));
            let what = if what == "CASE" { "CASE/WHEN" } else { what };
            return Err(ResolveError::new(format!("{what} could not convert type {from} to {to}")));
        }
    }
    // A length or precision survives only where all have it.
    let keeps_length =
        types.iter().all(|ty| ty == chosen || *ty == ScalarType::Unknown) && !types.contains(&ScalarType::Unknown);
    Ok(match chosen {
        chosen if keeps_length => chosen.clone(),
        // Compared without trailing blanks, and never seen outside the comparison.
        ScalarType::Char(_) if what == "IN" => ScalarType::Char(0),
        // `char` of no fixed length has no name in SQL: it is text.
        ScalarType::Char(_) => ScalarType::Text,
        chosen => chosen.base(),
    })
}
