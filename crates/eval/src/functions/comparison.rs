//! `= <> < <= > >=` for every type, and the functions that choose among values by comparing them.
//!
//! 1. Integers of any widths, and both floats, compare without a cast; numerics, dates and timestamps are cast by resolution.
//! 2. `char(n)` compares without its trailing blanks: resolution asks for casts that take them off.

use std::cmp::Ordering;

use row::Datum;

use super::{Implementation, Param, Value, total};
use crate::Arena;

/// The types that have comparison operators, both sides.
const PAIRS: &[[Param; 2]] = {
    use Param::*;
    &[
        [Int16, Int16],
        [Int16, Int32],
        [Int16, Int64],
        [Int32, Int16],
        [Int32, Int32],
        [Int32, Int64],
        [Int64, Int16],
        [Int64, Int32],
        [Int64, Int64],
        [Numeric, Numeric],
        [Float32, Float32],
        [Float32, Float64],
        [Float64, Float32],
        [Float64, Float64],
        [Text, Text],
        [CharValue, CharValue],
        [Bool, Bool],
        [Bytes, Bytes],
        [Date, Date],
        [Time, Time],
        [Timestamp, Timestamp],
        [TimestampTz, TimestampTz],
        [Interval, Interval],
        [Uuid, Uuid],
        [AnyArray, AnyArray],
    ]
};

const OPERATORS: [(&str, super::Eval); 6] = [
    ("=", equal),
    ("<>", |a, _| Ok(Datum::Bool(!is_equal(&a[0], &a[1])))),
    ("<", |a, _| ordering(a, |ordering| ordering.is_lt())),
    ("<=", |a, _| ordering(a, |ordering| ordering.is_le())),
    (">", |a, _| ordering(a, |ordering| ordering.is_gt())),
    (">=", |a, _| ordering(a, |ordering| ordering.is_ge())),
];

const ROW_COUNT: usize = OPERATORS.len() * PAIRS.len();

pub(super) const ROWS: &[Implementation] = &{
    let mut rows = [total("=", &PAIRS[0], Param::Bool, equal); ROW_COUNT];
    let (mut at, mut operator) = (0, 0);
    while operator < OPERATORS.len() {
        let (name, eval) = OPERATORS[operator];
        let mut pair = 0;
        while pair < PAIRS.len() {
            rows[at] = total(name, &PAIRS[pair], Param::Bool, eval);
            at += 1;
            pair += 1;
        }
        operator += 1;
    }
    rows
};

pub(super) const CONDITIONAL: &[Implementation] = &[
    total("greatest", &[Param::AnyElement], Param::AnyElement, |a, _| extreme(a, Ordering::Greater))
        .lenient()
        .variadic(),
    total("least", &[Param::AnyElement], Param::AnyElement, |a, _| extreme(a, Ordering::Less)).lenient().variadic(),
    // The parameters of `nullif` are those of the `=` it implies: see `resolve`.
    total("nullif", &[Param::Any, Param::Any], Param::Any, |a, _| {
        let is_null = !a[0].is_null() && !a[1].is_null() && is_equal(&a[0], &a[1]);
        Ok(if is_null { Datum::Null } else { a[0].clone() })
    })
    .lenient(),
    // The value of a subquery used as an expression, of which there were so many. No SQL can call it: a name has no blanks.
    Implementation {
        is_fallible: true,
        ..total("only value", &[Param::Int64, Param::AnyElement], Param::AnyElement, |a, _| match a[0] {
            Datum::Int(count) if count > 1 => {
                Err(crate::EvalError::new("more than one row returned by a subquery used as an expression"))
            }
            _ => Ok(a[1].clone()),
        })
        .lenient()
    },
    // What a cast written as a call (`date(x)`, `text(x)`) comes to once its argument is cast.
    total("identity", &[Param::AnyElement], Param::AnyElement, |a, _| Ok(a[0].clone())),
    total("num_nulls", &[Param::Any], Param::Int32, |a, _| {
        Ok(Datum::Int(a.iter().filter(|value| value.is_null()).count() as i64))
    })
    .lenient()
    .variadic(),
    total("num_nonnulls", &[Param::Any], Param::Int32, |a, _| {
        Ok(Datum::Int(a.iter().filter(|value| !value.is_null()).count() as i64))
    })
    .lenient()
    .variadic(),
];

fn equal<'a>(args: &[Datum<'a>], _: &'a Arena) -> Value<'a> {
    Ok(Datum::Bool(is_equal(&args[0], &args[1])))
}

/// Equality of two values that are not NULL.
pub(crate) fn is_equal(left: &Datum<'_>, right: &Datum<'_>) -> bool {
    match (left, right) {
        (Datum::Int(a), Datum::Int(b)) => a == b,
        (Datum::Text(a), Datum::Text(b)) => a == b,
        _ => compare(left, right).is_eq(),
    }
}

/// The order of two values that are not NULL, a float of one width against one of the other too.
pub(crate) fn compare(left: &Datum<'_>, right: &Datum<'_>) -> Ordering {
    match (left, right) {
        (Datum::Float32(a), Datum::Float64(_)) => Datum::Float64(f64::from(*a)).sql_cmp(right),
        (Datum::Float64(_), Datum::Float32(b)) => left.sql_cmp(&Datum::Float64(f64::from(*b))),
        _ => left.sql_cmp(right),
    }
}

fn ordering<'a>(args: &[Datum<'a>], holds: fn(Ordering) -> bool) -> Value<'a> {
    Ok(Datum::Bool(holds(compare(&args[0], &args[1]))))
}

/// The greatest or the least value, NULLs left out.
fn extreme<'a>(args: &[Datum<'a>], wanted: Ordering) -> Value<'a> {
    let mut best = &Datum::Null;
    for value in args.iter().filter(|value| !value.is_null()) {
        if best.is_null() || compare(value, best) == wanted {
            best = value;
        }
    }
    Ok(best.clone())
}
