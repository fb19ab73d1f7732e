//! Sums and differences of timestamps.

use chrono_tz::Tz;

use super::{
    CalendarError, Interval, MICROS_PER_DAY, check_timestamp, days_from_ymd, days_in_month, is_infinite_date,
    is_infinite_timestamp, split_timestamp, timestamp_in_zone, ymd_from_days, zone_to_utc,
};

/// A timestamp plus months (the day is cut to the month's last), then days, then time.
pub fn add_interval_timestamp(micros: i64, interval: Interval) -> Result<i64, CalendarError> {
    if is_infinite_timestamp(micros) {
        return Ok(micros);
    }
    let local = add_months_and_days(micros, interval.months, interval.days)?;
    check_timestamp(local.checked_add(interval.micros))
}

/// As `add_interval_timestamp`, with months and days counted on the zone's wall clock.
pub fn add_interval_timestamptz(micros: i64, interval: Interval, zone: Tz) -> Result<i64, CalendarError> {
    if is_infinite_timestamp(micros) {
        return Ok(micros);
    }
    let mut at = micros;
    // PostgreSQL goes back to UTC after the months and again after the days.
    if interval.months != 0 {
        at = zone_to_utc(add_months_and_days(timestamp_in_zone(at, zone)?, interval.months, 0)?, zone)?;
    }
    if interval.days != 0 {
        at = zone_to_utc(add_months_and_days(timestamp_in_zone(at, zone)?, 0, interval.days)?, zone)?;
    }
    check_timestamp(at.checked_add(interval.micros))
}

pub fn sub_interval_timestamp(micros: i64, interval: Interval) -> Result<i64, CalendarError> {
    add_interval_timestamp(micros, interval.neg()?)
}

pub fn sub_interval_timestamptz(micros: i64, interval: Interval, zone: Tz) -> Result<i64, CalendarError> {
    add_interval_timestamptz(micros, interval.neg()?, zone)
}

fn add_months_and_days(micros: i64, months: i32, days: i32) -> Result<i64, CalendarError> {
    let (mut day_number, time) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
    if months != 0 {
        let (year, month, day) = ymd_from_days(day_number as i32);
        let total = i64::from(year) * 12 + i64::from(month) - 1 + i64::from(months);
        let year = i32::try_from(total.div_euclid(12)).map_err(|_| CalendarError::TimestampOutOfRange)?;
        let month = total.rem_euclid(12) as u32 + 1;
        let day = day.min(days_in_month(year, month));
        day_number = days_from_ymd(year, month, day).ok_or(CalendarError::TimestampOutOfRange)?.into();
    }
    day_number += i64::from(days);
    check_timestamp(day_number.checked_mul(MICROS_PER_DAY).and_then(|midnight| midnight.checked_add(time)))
}

/// The days between two dates.
pub fn sub_dates(a: i32, b: i32) -> Result<i32, CalendarError> {
    if is_infinite_date(a) || is_infinite_date(b) {
        return Err(CalendarError::SubtractInfiniteDates);
    }
    a.checked_sub(b).ok_or(CalendarError::DateOutOfRange)
}

/// The difference as days and time, without months.
pub fn sub_timestamps(a: i64, b: i64) -> Result<Interval, CalendarError> {
    if is_infinite_timestamp(a) || is_infinite_timestamp(b) {
        return Err(CalendarError::SubtractInfiniteTimestamps);
    }
    let micros = a.checked_sub(b).ok_or(CalendarError::IntervalOutOfRange)?;
    Interval::new(0, 0, micros).justify_hours()
}

/// The difference as years, months, days and time, as a person would count it. Two timestamps with time zone are taken to
/// their zone's wall clock first (`timestamp_in_zone`).
pub fn age(a: i64, b: i64) -> Result<Interval, CalendarError> {
    if is_infinite_timestamp(a) || is_infinite_timestamp(b) {
        return Err(CalendarError::TimestampOutOfRange);
    }
    let (from, to) = if a < b { (a, b) } else { (b, a) };
    let (earlier, later) = (split_timestamp(from), split_timestamp(to));
    let mut months =
        (i64::from(later.year) - i64::from(earlier.year)) * 12 + i64::from(later.month) - i64::from(earlier.month);
    let mut days = i64::from(later.day) - i64::from(earlier.day);
    let mut micros = to.rem_euclid(MICROS_PER_DAY) - from.rem_euclid(MICROS_PER_DAY);
    if micros < 0 {
        micros += MICROS_PER_DAY;
        days -= 1;
    }
    // A borrowed month is the earlier one's, whichever argument came first.
    while days < 0 {
        days += i64::from(days_in_month(earlier.year, earlier.month));
        months -= 1;
    }
    let interval = Interval::new(months as i32, days as i32, micros);
    if a < b { interval.neg() } else { Ok(interval) }
}
