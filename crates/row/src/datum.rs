//! One value, borrowed from a packed row or from an arena.

use std::cmp::Ordering;

use crate::{Interval, Numeric, Row, RowBuilder, RowRef};

/// A value. Its SQL type is known from the plan, so types that share a representation share a variant:
/// smallint, integer and bigint are `Int`; text, varchar, char, json, jsonb and uuid are `Text`.
#[derive(Clone, Debug)]
pub enum Datum<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float32(f32),
    Float64(f64),
    Numeric(Numeric),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01 00:00:00, without a zone.
    Timestamp(i64),
    /// Microseconds since 1970-01-01 00:00:00 UTC.
    TimestampTz(i64),
    Interval(Interval),
    /// Elements as a packed row; one dimension.
    Array(RowRef<'a>),
    /// Any value as it lies in a row, a row of one column: for what is only moved from one row to another. Nothing else is done
    /// with it but asking whether it is NULL.
    Packed(RowRef<'a>),
}

impl<'a> Datum<'a> {
    pub fn is_null(&self) -> bool {
        match self {
            Datum::Null => true,
            Datum::Packed(value) => value.is_null(),
            _ => false,
        }
    }

    pub fn from_bool(value: Option<bool>) -> Datum<'static> {
        match value {
            Some(value) => Datum::Bool(value),
            None => Datum::Null,
        }
    }

    /// The integer inside. Panics on another variant: the plan's types are wrong then.
    pub fn unwrap_int(&self) -> i64 {
        match self {
            Datum::Int(value) => *value,
            other => panic!("expected an integer, found {other:?}"),
        }
    }

    /// The text inside. Panics on another variant: the plan's types are wrong then.
    pub fn unwrap_text(&self) -> &'a str {
        match self {
            Datum::Text(value) => value,
            other => panic!("expected text, found {other:?}"),
        }
    }

    /// The boolean inside, `None` for NULL. Panics on another variant: the plan's types are wrong then.
    pub fn unwrap_bool(&self) -> Option<bool> {
        match self {
            Datum::Null => None,
            Datum::Bool(value) => Some(*value),
            other => panic!("expected a boolean, found {other:?}"),
        }
    }

    /// PostgreSQL's ascending order of two values of one type: NULLs last, NaN above every number, text by bytes ("C").
    ///
    /// Panics when the variants differ and neither is NULL: the plan's types are wrong then.
    pub fn sql_cmp(&self, other: &Datum<'_>) -> Ordering {
        match (self, other) {
            (Datum::Null, Datum::Null) => Ordering::Equal,
            (Datum::Null, _) => Ordering::Greater,
            (_, Datum::Null) => Ordering::Less,
            (Datum::Bool(a), Datum::Bool(b)) => a.cmp(b),
            (Datum::Int(a), Datum::Int(b)) => a.cmp(b),
            (Datum::Float32(a), Datum::Float32(b)) => float_cmp(*a as f64, *b as f64),
            (Datum::Float64(a), Datum::Float64(b)) => float_cmp(*a, *b),
            (Datum::Numeric(a), Datum::Numeric(b)) => a.cmp(b),
            (Datum::Text(a), Datum::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Datum::Bytes(a), Datum::Bytes(b)) => a.cmp(b),
            (Datum::Date(a), Datum::Date(b)) => a.cmp(b),
            (Datum::Time(a), Datum::Time(b)) => a.cmp(b),
            (Datum::Timestamp(a), Datum::Timestamp(b)) => a.cmp(b),
            (Datum::TimestampTz(a), Datum::TimestampTz(b)) => a.cmp(b),
            (Datum::Interval(a), Datum::Interval(b)) => a.cmp(b),
            (Datum::Array(a), Datum::Array(b)) => {
                let (mut a, mut b) = (a.iter(), b.iter());
                loop {
                    match (a.next(), b.next()) {
                        (None, None) => return Ordering::Equal,
                        (None, Some(_)) => return Ordering::Less,
                        (Some(_), None) => return Ordering::Greater,
                        (Some(a), Some(b)) => match a.sql_cmp(&b) {
                            Ordering::Equal => {}
                            unequal => return unequal,
                        },
                    }
                }
            }
            (a, b) => panic!("cannot compare {a:?} with {b:?}: the plan's types are wrong"),
        }
    }

    /// The form a key is compared by: numerics without trailing zeros, `-0.0` as `0.0`, one NaN, one interval of all equal
    /// ones. An array is left as it is, being borrowed: `RowBuilder::push_normalized` does its elements too.
    pub fn normalized(self) -> Datum<'a> {
        match self {
            Datum::Numeric(value) => Datum::Numeric(value.normalized()),
            Datum::Float64(0.0) => Datum::Float64(0.0),
            Datum::Float64(value) if value.is_nan() => Datum::Float64(f64::NAN),
            Datum::Float32(0.0) => Datum::Float32(0.0),
            Datum::Float32(value) if value.is_nan() => Datum::Float32(f32::NAN),
            Datum::Interval(value) => Datum::Interval(value.normalized()),
            other => other,
        }
    }
}

/// PostgreSQL's order of doubles: NaN equals NaN and is above infinity; -0 equals 0.
fn float_cmp(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// A value that owns its bytes: a literal in a plan, a parameter, an expected value in a test.
///
/// Held as a row of one column, so that equality, hashing and order are those of the packed bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct OwnedDatum(Row);

impl OwnedDatum {
    pub fn new(datum: &Datum<'_>) -> OwnedDatum {
        let mut builder = RowBuilder::default();
        builder.push(datum);
        OwnedDatum(builder.finish())
    }

    pub fn null() -> OwnedDatum {
        OwnedDatum::new(&Datum::Null)
    }

    pub fn datum(&self) -> Datum<'_> {
        self.0.iter().next().expect("an owned datum is a row of one column")
    }
}

impl std::fmt::Debug for OwnedDatum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.datum().fmt(f)
    }
}
