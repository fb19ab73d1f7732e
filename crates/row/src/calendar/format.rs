//! Dates and times as text: DateStyle ISO.

use chrono_tz::Tz;

use super::{
    DATE_INFINITY, DATE_NEG_INFINITY, MICROS_PER_DAY, MICROS_PER_SECOND, TIMESTAMP_INFINITY, TIMESTAMP_NEG_INFINITY,
    utc_offset_seconds, ymd_from_days,
};

pub fn format_date(days: i32) -> String {
    let mut out = String::with_capacity(10);
    write_date(days, &mut out);
    out
}

pub fn format_time(micros: i64) -> String {
    let mut out = String::with_capacity(15);
    write_time(micros, &mut out);
    out
}

pub fn format_timestamp(micros: i64) -> String {
    let mut out = String::with_capacity(26);
    write_timestamp(micros, &mut out);
    out
}

/// The instant on the zone's wall clock, with the offset: `2025-03-01 14:05:06+00`.
pub fn format_timestamptz(micros: i64, zone: Tz) -> String {
    let mut out = String::with_capacity(32);
    write_timestamptz(micros, zone, &mut out);
    out
}

pub fn write_date(days: i32, out: &mut String) {
    match days {
        DATE_INFINITY => out.push_str("infinity"),
        DATE_NEG_INFINITY => out.push_str("-infinity"),
        days => {
            let before_christ = write_day(days, out);
            push_era(before_christ, out);
        }
    }
}

/// A time of day; 24:00:00 is the end of the day.
pub fn write_time(micros: i64, out: &mut String) {
    let seconds = micros / MICROS_PER_SECOND;
    push_padded(seconds / 3_600, 2, out);
    out.push(':');
    push_padded(seconds / 60 % 60, 2, out);
    out.push(':');
    push_padded(seconds % 60, 2, out);
    push_fraction(micros % MICROS_PER_SECOND, out);
}

pub fn write_timestamp(micros: i64, out: &mut String) {
    if !push_infinity(micros, out) {
        let before_christ = write_local(micros, out);
        push_era(before_christ, out);
    }
}

/// As `format_timestamptz`.
pub fn write_timestamptz(micros: i64, zone: Tz, out: &mut String) {
    if push_infinity(micros, out) {
        return;
    }
    let offset = utc_offset_seconds(micros, zone);
    let local = micros.saturating_add(i64::from(offset) * MICROS_PER_SECOND);
    let before_christ = write_local(local, out);
    push_offset(offset, out);
    push_era(before_christ, out);
}

fn push_infinity(micros: i64, out: &mut String) -> bool {
    match micros {
        TIMESTAMP_INFINITY => out.push_str("infinity"),
        TIMESTAMP_NEG_INFINITY => out.push_str("-infinity"),
        _ => return false,
    }
    true
}

/// Returns whether the year is before Christ, which is said at the very end.
fn write_local(micros: i64, out: &mut String) -> bool {
    let before_christ = write_day(micros.div_euclid(MICROS_PER_DAY) as i32, out);
    out.push(' ');
    write_time(micros.rem_euclid(MICROS_PER_DAY), out);
    before_christ
}

fn write_day(days: i32, out: &mut String) -> bool {
    let (year, month, day) = ymd_from_days(days);
    push_padded(i64::from(if year > 0 { year } else { 1 - year }), 4, out);
    out.push('-');
    push_padded(month.into(), 2, out);
    out.push('-');
    push_padded(day.into(), 2, out);
    year <= 0
}

fn push_era(before_christ: bool, out: &mut String) {
    if before_christ {
        out.push_str(" BC");
    }
}

fn push_offset(seconds: i32, out: &mut String) {
    out.push(if seconds < 0 { '-' } else { '+' });
    let seconds = i64::from(seconds.abs());
    push_padded(seconds / 3_600, 2, out);
    if seconds % 3_600 != 0 {
        out.push(':');
        push_padded(seconds / 60 % 60, 2, out);
    }
    if seconds % 60 != 0 {
        out.push(':');
        push_padded(seconds % 60, 2, out);
    }
}

/// A number that is not negative, with leading zeros to `width`.
pub(super) fn push_padded(value: i64, width: usize, out: &mut String) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    let mut left = value.unsigned_abs();
    while left > 0 {
        start -= 1;
        digits[start] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    let start = start.min(digits.len() - width);
    out.extend(digits[start..].iter().map(|digit| char::from(*digit)));
}

/// The point and the digits of a fraction of a second, without trailing zeros; nothing for a whole second.
pub(super) fn push_fraction(micros: i64, out: &mut String) {
    if micros != 0 {
        out.push('.');
        push_padded(micros, 6, out);
        out.truncate(out.trim_end_matches('0').len());
    }
}
