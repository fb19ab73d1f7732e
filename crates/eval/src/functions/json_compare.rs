//! The order of `jsonb` values.
//!
//! ```text
//!   null < string < number < boolean < array < object        arrays and objects: the shorter first, then part by part
//! ```
//!
//! 1. Numbers are equal by value, so texts that differ may be equal values.
//! 2. A scalar alone counts as an array of one, which PostgreSQL keeps for the sake of its own past.

use std::cmp::Ordering;

use row::{Datum, Numeric};

use super::{Implementation, Param, Value, total};
use crate::json::{self, Json};

const SIDES: &[Param] = &[Param::Jsonb, Param::Jsonb];

pub(super) const ROWS: &[Implementation] = &[
    total("=", SIDES, Param::Bool, |a, _| holds(a, Ordering::is_eq)),
    total("<>", SIDES, Param::Bool, |a, _| holds(a, Ordering::is_ne)),
    total("<", SIDES, Param::Bool, |a, _| holds(a, Ordering::is_lt)),
    total("<=", SIDES, Param::Bool, |a, _| holds(a, Ordering::is_le)),
    total(">", SIDES, Param::Bool, |a, _| holds(a, Ordering::is_gt)),
    total(">=", SIDES, Param::Bool, |a, _| holds(a, Ordering::is_ge)),
];

/// What `greatest`, `least` and `nullif` are for values of jsonb. No SQL can call them: a name has no blanks.
pub(super) const CONDITIONAL: &[Implementation] = &[
    total("greatest jsonb", &[Param::Jsonb], Param::Jsonb, |a, _| Ok(extreme(a, Ordering::Greater)))
        .lenient()
        .variadic(),
    total("least jsonb", &[Param::Jsonb], Param::Jsonb, |a, _| Ok(extreme(a, Ordering::Less))).lenient().variadic(),
    total("nullif jsonb", SIDES, Param::Jsonb, |a, _| {
        let is_null = !a[0].is_null() && !a[1].is_null() && order(&a[0], &a[1]).is_eq();
        Ok(if is_null { Datum::Null } else { a[0].clone() })
    })
    .lenient(),
];

/// The greatest or the least value, NULLs left out; of equal ones the first.
fn extreme<'a>(args: &[Datum<'a>], wanted: Ordering) -> Datum<'a> {
    let mut best = &Datum::Null;
    for value in args.iter().filter(|value| !value.is_null()) {
        if best.is_null() || order(value, best) == wanted {
            best = value;
        }
    }
    best.clone()
}

fn holds<'a>(args: &[Datum<'a>], wanted: fn(Ordering) -> bool) -> Value<'a> {
    Ok(Datum::Bool(wanted(order(&args[0], &args[1]))))
}

fn order(left: &Datum<'_>, right: &Datum<'_>) -> Ordering {
    let (left, right) = (left.unwrap_text(), right.unwrap_text());
    // What is printed alike is equal; nearly every equality that holds ends here.
    if left == right {
        return Ordering::Equal;
    }
    match (json::parse(left, "json"), json::parse(right, "json")) {
        (Ok(left), Ok(right)) => compare(&left, &right),
        // A value of jsonb has been parsed once, so it is never seen here.
        _ => left.cmp(right),
    }
}

fn compare(left: &Json<'_>, right: &Json<'_>) -> Ordering {
    let count = |value: &Json<'_>| match value {
        Json::Array(elements) => elements.len(),
        _ => 1,
    };
    match (left, right) {
        (Json::Object(_), _) | (_, Json::Object(_)) => compare_inside(left, right),
        (Json::Array(_), Json::Array(_)) => compare_inside(left, right),
        (Json::Array(_), _) => count(left).cmp(&1).then(Ordering::Greater),
        (_, Json::Array(_)) => 1.cmp(&count(right)).then(Ordering::Less),
        _ => compare_inside(left, right),
    }
}

fn rank(value: &Json<'_>) -> u8 {
    match value {
        Json::Null => 0,
        Json::String(_) => 1,
        Json::Number(_) => 2,
        Json::Bool(_) => 3,
        Json::Array(_) => 4,
        Json::Object(_) => 5,
    }
}

fn compare_inside(left: &Json<'_>, right: &Json<'_>) -> Ordering {
    match (left, right) {
        (Json::String(a), Json::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        (Json::Number(a), Json::Number(b)) => match (Numeric::parse(a), Numeric::parse(b)) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => a.cmp(b),
        },
        (Json::Array(a), Json::Array(b)) => a.len().cmp(&b.len()).then_with(|| {
            a.iter().zip(b).map(|(a, b)| compare_inside(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        }),
        (Json::Object(a), Json::Object(b)) => a.len().cmp(&b.len()).then_with(|| {
            let pairs = a.iter().zip(b).map(|((key, value), (other_key, other))| {
                key.as_bytes().cmp(other_key.as_bytes()).then_with(|| compare_inside(value, other))
            });
            pairs.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        }),
        _ => rank(left).cmp(&rank(right)),
    }
}
