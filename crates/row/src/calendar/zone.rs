//! Time zones: from UTC to a wall clock and back.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::{
    CalendarError, MICROS_PER_DAY, MICROS_PER_SECOND, check_timestamp, days_from_ymd, is_infinite_timestamp,
    is_leap_year, iso_week_day, tokens, ymd_from_days,
};

/// The tables of `chrono-tz` end in 2100. Later years follow the rules of an earlier year with the same calendar.
const TABLE_YEAR_MAX: i32 = 2095;

/// Seconds that the zone is ahead of UTC at an instant.
pub fn utc_offset_seconds(micros: i64, zone: Tz) -> i32 {
    if zone == Tz::UTC || is_infinite_timestamp(micros) {
        return 0;
    }
    let seconds = (micros - shift_into_tables(micros)).div_euclid(MICROS_PER_SECOND);
    match DateTime::from_timestamp(seconds, 0) {
        Some(at) => zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc(),
        None => 0,
    }
}

/// An instant on the zone's wall clock (`AT TIME ZONE` of a timestamp with time zone).
pub fn timestamp_in_zone(micros: i64, zone: Tz) -> Result<i64, CalendarError> {
    if zone == Tz::UTC || is_infinite_timestamp(micros) {
        return Ok(micros);
    }
    check_timestamp(micros.checked_add(i64::from(utc_offset_seconds(micros, zone)) * MICROS_PER_SECOND))
}

/// The instant of a wall clock time (`AT TIME ZONE` of a timestamp without time zone).
///
/// A time that the zone skips is read with the offset before the change, one that it repeats with the offset after it.
pub fn zone_to_utc(local: i64, zone: Tz) -> Result<i64, CalendarError> {
    if zone == Tz::UTC || is_infinite_timestamp(local) {
        return Ok(local);
    }
    let seconds = (local - shift_into_tables(local)).div_euclid(MICROS_PER_SECOND);
    let mapped = DateTime::from_timestamp(seconds, 0).map(|at| zone.offset_from_local_datetime(&at.naive_utc()));
    let offset = match mapped.and_then(|mapped| mapped.latest()) {
        Some(offset) => offset.fix().local_minus_utc(),
        None => utc_offset_seconds(local.saturating_sub(MICROS_PER_DAY), zone),
    };
    check_timestamp(local.checked_sub(i64::from(offset) * MICROS_PER_SECOND))
}

/// Finds a zone by name, in any case (`Europe/Berlin`, `utc`), or by an abbreviation that is itself a zone (`EST`).
pub fn parse_zone(name: &str) -> Result<Tz, CalendarError> {
    if let Ok(zone) = name.parse() {
        return Ok(zone);
    }
    if tokens::zone_abbreviation(&name.to_ascii_lowercase()) == Some(0) {
        return Ok(Tz::UTC);
    }
    let found = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name));
    found.copied().ok_or_else(|| CalendarError::ZoneNotRecognized(name.to_string()))
}

/// Whole days, as microseconds, from a year of the tables with the same calendar to the year of this timestamp.
fn shift_into_tables(micros: i64) -> i64 {
    let days = micros.div_euclid(MICROS_PER_DAY) as i32;
    // 2095-01-01: nearly every call ends here.
    if days < 45_656 {
        return 0;
    }
    let (year, _, _) = ymd_from_days(days);
    let first_day = |year: i32| days_from_ymd(year, 1, 1);
    let Some(start) = first_day(year) else { return 0 };
    let same_calendar = |earlier: &i32| {
        is_leap_year(*earlier) == is_leap_year(year)
            && first_day(*earlier).map(iso_week_day) == Some(iso_week_day(start))
    };
    let twin = (TABLE_YEAR_MAX - 28..TABLE_YEAR_MAX).find(same_calendar).and_then(first_day);
    twin.map_or(0, |twin| i64::from(start - twin) * MICROS_PER_DAY)
}
