//! `(start, end) overlaps (start, end)`: whether two spans share a moment.
//!
//! 1. A span holds its start but not its end, unless both are one moment; its ends may come in either order.
//! 2. A missing end leaves the answer open where it matters.

use std::cmp::Ordering;

use row::Datum;

use super::Param::{Bool, Time, Timestamp, TimestampTz};
use super::{Implementation, Value, total};
use crate::Arena;

pub(super) const ROWS: &[Implementation] = &[
    total("overlaps", &[Time, Time, Time, Time], Bool, overlaps).lenient(),
    total("overlaps", &[Timestamp, Timestamp, Timestamp, Timestamp], Bool, overlaps).lenient(),
    total("overlaps", &[TimestampTz, TimestampTz, TimestampTz, TimestampTz], Bool, overlaps).lenient(),
];

/// A span's start, and its end if it is known; `None` where neither is.
fn span<'d, 'a>(start: &'d Datum<'a>, end: &'d Datum<'a>) -> Option<(&'d Datum<'a>, Option<&'d Datum<'a>>)> {
    match (start.is_null(), end.is_null()) {
        (true, true) => None,
        (true, false) => Some((end, None)),
        (false, true) => Some((start, None)),
        (false, false) if start.sql_cmp(end).is_gt() => Some((end, Some(start))),
        (false, false) => Some((start, Some(end))),
    }
}

fn overlaps<'a>(args: &[Datum<'a>], _: &'a Arena) -> Value<'a> {
    let (Some((start, end)), Some((other_start, other_end))) = (span(&args[0], &args[1]), span(&args[2], &args[3]))
    else {
        return Ok(Datum::Null);
    };
    let (later, earlier_end, later_end) = match start.sql_cmp(other_start) {
        Ordering::Equal => {
            return Ok(if end.is_none() || other_end.is_none() { Datum::Null } else { Datum::Bool(true) });
        }
        Ordering::Greater => (start, other_end, end),
        Ordering::Less => (other_start, end, other_end),
    };
    Ok(match earlier_end {
        None => Datum::Null,
        Some(earlier_end) if later.sql_cmp(earlier_end).is_lt() => Datum::Bool(true),
        Some(_) if later_end.is_none() => Datum::Null,
        Some(_) => Datum::Bool(false),
    })
}
