//! Day numbers and calendar fields.

use super::{
    CalendarError, DATE_INFINITY, DATE_MAX, DATE_MIN, DATE_NEG_INFINITY, MICROS_PER_DAY, MICROS_PER_HOUR,
    MICROS_PER_MINUTE, MICROS_PER_SECOND, TIMESTAMP_INFINITY, TIMESTAMP_MAX, TIMESTAMP_MIN, TIMESTAMP_NEG_INFINITY,
};

/// A timestamp taken apart. Year 0 is 1 BC, year -1 is 2 BC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    pub year: i32,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub micros: u32,
}

/// Year (0 is 1 BC), month 1..=12 and day 1..=31 of a day number. Total: the bounds are taken as plain numbers.
pub fn ymd_from_days(days: i32) -> (i32, u32, u32) {
    // Years begin in March here, so that the leap day is the last of its year.
    let shifted = i64::from(days) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}

/// The day number of a date that exists and lies within PostgreSQL's range; otherwise `None`.
pub fn days_from_ymd(year: i32, month: u32, day: u32) -> Option<i32> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let days = i32::try_from(day_number(i64::from(year), month, day)).ok()?;
    (DATE_MIN..=DATE_MAX).contains(&days).then_some(days)
}

fn day_number(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

pub fn is_leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month 1..=12.
pub fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Calendar fields of a finite timestamp.
pub fn split_timestamp(micros: i64) -> CivilTime {
    let (year, month, day) = ymd_from_days(micros.div_euclid(MICROS_PER_DAY) as i32);
    let time = micros.rem_euclid(MICROS_PER_DAY);
    CivilTime {
        year,
        month,
        day,
        hour: (time / MICROS_PER_HOUR) as u32,
        minute: (time / MICROS_PER_MINUTE % 60) as u32,
        second: (time / MICROS_PER_SECOND % 60) as u32,
        micros: (time % MICROS_PER_SECOND) as u32,
    }
}

/// The inverse of `split_timestamp`; `None` for a date that does not exist or a result out of range.
pub fn join_timestamp(civil: &CivilTime) -> Option<i64> {
    let days = days_from_ymd(civil.year, civil.month, civil.day)?;
    let time = i64::from(civil.hour) * MICROS_PER_HOUR
        + i64::from(civil.minute) * MICROS_PER_MINUTE
        + i64::from(civil.second) * MICROS_PER_SECOND
        + i64::from(civil.micros);
    i64::from(days).checked_mul(MICROS_PER_DAY)?.checked_add(time).filter(|micros| *micros <= TIMESTAMP_MAX)
}

/// Midnight of a day.
pub fn date_to_timestamp(days: i32) -> Result<i64, CalendarError> {
    match days {
        DATE_INFINITY => Ok(TIMESTAMP_INFINITY),
        DATE_NEG_INFINITY => Ok(TIMESTAMP_NEG_INFINITY),
        days => i64::from(days)
            .checked_mul(MICROS_PER_DAY)
            .filter(|micros| (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(micros))
            .ok_or(CalendarError::DateOutOfRangeForTimestamp),
    }
}

/// The day of a timestamp.
pub fn timestamp_to_date(micros: i64) -> i32 {
    match micros {
        TIMESTAMP_INFINITY => DATE_INFINITY,
        TIMESTAMP_NEG_INFINITY => DATE_NEG_INFINITY,
        micros => micros.div_euclid(MICROS_PER_DAY) as i32,
    }
}

/// Microseconds since midnight; `None` (PostgreSQL's NULL) for infinities.
pub fn timestamp_to_time(micros: i64) -> Option<i64> {
    (!super::is_infinite_timestamp(micros)).then(|| micros.rem_euclid(MICROS_PER_DAY))
}

/// 1 (Monday) ..= 7 (Sunday).
pub fn iso_week_day(days: i32) -> u32 {
    (i64::from(days) + 3).rem_euclid(7) as u32 + 1
}

/// ISO year and week: week 1 is the one with the year's first Thursday.
pub fn iso_week(days: i32) -> (i32, u32) {
    // The Thursday of the week lies in the ISO year.
    let thursday = i64::from(days) + 4 - i64::from(iso_week_day(days));
    let (year, _, _) = ymd_from_days(thursday as i32);
    let first = day_number(i64::from(year), 1, 1);
    (year, ((thursday - first) / 7) as u32 + 1)
}
