//! Dates, times, timestamps and intervals with PostgreSQL's rules, without a clock.
//!
//! ```text
//!   text ──tokens──parse──> i32 days · i64 microseconds · Interval ──format──> text (DateStyle ISO, IntervalStyle postgres)
//!                                    │            ▲
//!                                    ├─ zone ─────┤   local time <─> UTC
//!                                    ├─ arithmetic┤   +, -, age, months that end on the month's last day
//!                                    └─ trunc, extract
//! ```
//!
//! 1. Days count from 1970-01-01 and microseconds from its midnight, in the proleptic Gregorian calendar; the integer bounds
//!    stand for `-infinity` and `infinity`.
//! 2. Dates reach from 4714-11-24 BC to 5874897-12-31 as in PostgreSQL; timestamps end 30 years before PostgreSQL's, in the
//!    year 294247, because they count from 1970 and not from 2000.
//! 3. What depends on the wall clock (`'now'`, `'today'`) is refused: nothing here knows the time.

mod arithmetic;
mod days;
mod error;
mod extract;
mod format;
mod interval;
mod interval_text;
mod parse;
mod reader;
mod tokens;
mod trunc;
mod unit;
mod zone;

pub use arithmetic::{
    add_interval_timestamp, add_interval_timestamptz, age, sub_dates, sub_interval_timestamp, sub_interval_timestamptz,
    sub_timestamps,
};
pub use days::{
    CivilTime, date_to_timestamp, days_from_ymd, days_in_month, is_leap_year, iso_week, iso_week_day, join_timestamp,
    split_timestamp, timestamp_to_date, timestamp_to_time, ymd_from_days,
};
pub use error::CalendarError;
pub use extract::{extract_date, extract_interval, extract_time, extract_timestamp, extract_timestamptz};
pub use format::{
    format_date, format_time, format_timestamp, format_timestamptz, write_date, write_time, write_timestamp,
    write_timestamptz,
};
pub use interval::Interval;
pub use interval_text::{format_interval, parse_interval, write_interval};
pub use parse::{parse_date, parse_time, parse_timestamp, parse_timestamptz};
pub use trunc::{date_trunc, date_trunc_interval, date_trunc_tz};
pub use unit::DateUnit;
pub use zone::{parse_zone, timestamp_in_zone, utc_offset_seconds, zone_to_utc};

pub const MICROS_PER_SECOND: i64 = 1_000_000;
pub const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
pub const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;
pub const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

pub const DATE_INFINITY: i32 = i32::MAX;
pub const DATE_NEG_INFINITY: i32 = i32::MIN;
pub const TIMESTAMP_INFINITY: i64 = i64::MAX;
pub const TIMESTAMP_NEG_INFINITY: i64 = i64::MIN;

/// 4714-11-24 BC, the first day of the Julian day count.
pub const DATE_MIN: i32 = -2_440_588;
/// 5874897-12-31.
pub const DATE_MAX: i32 = 2_145_042_905;
pub const TIMESTAMP_MIN: i64 = DATE_MIN as i64 * MICROS_PER_DAY;
pub const TIMESTAMP_MAX: i64 = i64::MAX - 1;

/// True for `infinity` and `-infinity`.
pub fn is_infinite_timestamp(micros: i64) -> bool {
    matches!(micros, TIMESTAMP_INFINITY | TIMESTAMP_NEG_INFINITY)
}

/// True for `infinity` and `-infinity`.
pub fn is_infinite_date(days: i32) -> bool {
    matches!(days, DATE_INFINITY | DATE_NEG_INFINITY)
}

/// A finite timestamp as it is, or PostgreSQL's error.
fn check_timestamp(micros: Option<i64>) -> Result<i64, CalendarError> {
    micros.filter(|micros| (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(micros)).ok_or(CalendarError::TimestampOutOfRange)
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
