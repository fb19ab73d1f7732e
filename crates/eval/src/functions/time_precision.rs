//! `timestamp(n)`, `time(n)` and `interval(n)`: seconds rounded to n digits.
//!
//! 1. Rounding is half away from zero, and PostgreSQL's zero of timestamps is 2000-01-01.

use row::{Datum, Interval, calendar};

use super::Param::{self, Int32, Time, Timestamp, TimestampTz};
use super::{Implementation, Value, fail, partial, total};
use crate::{Arena, EvalError};

const INTERVAL: Param = Param::Interval;

/// 2000-01-01 in microseconds since 1970.
const POSTGRES_ZERO: i64 = 946_684_800_000_000;

pub(super) const ROWS: &[Implementation] = &[
    partial("timestamp", &[Timestamp, Int32], Timestamp, |a, _| round_moment(a)),
    partial("timestamptz", &[TimestampTz, Int32], TimestampTz, |a, _| round_moment(a)),
    total("time", &[Time, Int32], Time, round_rest),
    partial("interval", &[INTERVAL, Int32], INTERVAL, round_rest),
];

/// Rounds to a precision of 0 to 6 digits; more change nothing. `None` beyond 64 bits.
fn rounded(micros: i64, digits: i64) -> Option<i64> {
    let unit = 10i64.pow(6 - digits.clamp(0, 6) as u32);
    let half = unit / 2;
    let shifted = if micros >= 0 { micros.checked_add(half)? } else { micros.checked_sub(half)? };
    Some(shifted / unit * unit)
}

fn round_moment<'a>(args: &[Datum<'a>]) -> Value<'a> {
    let (Datum::Timestamp(micros) | Datum::TimestampTz(micros)) = args[0] else { return Ok(args[0].clone()) };
    if calendar::is_infinite_timestamp(micros) {
        return Ok(args[0].clone());
    }
    let moment = micros
        .checked_sub(POSTGRES_ZERO)
        .and_then(|since| rounded(since, args[1].unwrap_int()))
        .and_then(|since| since.checked_add(POSTGRES_ZERO))
        .filter(|micros| (calendar::TIMESTAMP_MIN..=calendar::TIMESTAMP_MAX).contains(micros));
    match (moment, &args[0]) {
        (None, _) => fail("timestamp out of range"),
        (Some(micros), Datum::Timestamp(_)) => Ok(Datum::Timestamp(micros)),
        (Some(micros), _) => Ok(Datum::TimestampTz(micros)),
    }
}

fn round_rest<'a>(args: &[Datum<'a>], _: &'a Arena) -> Value<'a> {
    let digits = args[1].unwrap_int();
    match &args[0] {
        Datum::Time(micros) => Ok(Datum::Time(rounded(*micros, digits).unwrap_or(*micros))),
        Datum::Interval(interval) => match rounded(interval.micros, digits) {
            Some(micros) => Ok(Datum::Interval(Interval { micros, ..*interval })),
            None => Err(EvalError::new("interval out of range")),
        },
        other => Ok(other.clone()),
    }
}
