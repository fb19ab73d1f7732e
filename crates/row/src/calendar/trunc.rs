//! `date_trunc`: a timestamp cut to the start of its unit.

use chrono_tz::Tz;

use super::{
    CalendarError, DateUnit, Interval, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND,
    check_timestamp, days_from_ymd, is_infinite_timestamp, iso_week_day, timestamp_in_zone, utc_offset_seconds,
    ymd_from_days, zone_to_utc,
};

const TIMESTAMP: &str = "timestamp without time zone";
const TIMESTAMPTZ: &str = "timestamp with time zone";
const INTERVAL: &str = "interval";

/// Cuts a timestamp without time zone.
pub fn date_trunc(unit: DateUnit, micros: i64) -> Result<i64, CalendarError> {
    trunc_local(unit, micros, TIMESTAMP)
}

/// An infinity stays what it is, whatever the unit.
fn trunc_local(unit: DateUnit, micros: i64, type_name: &'static str) -> Result<i64, CalendarError> {
    if is_infinite_timestamp(micros) {
        return Ok(micros);
    }
    let cut = |step: i64| Ok(micros - micros.rem_euclid(step));
    let days = micros.div_euclid(MICROS_PER_DAY) as i32;
    let (year, month, _) = ymd_from_days(days);
    let first_of = |year: i32, month: u32| {
        check_timestamp(days_from_ymd(year, month, 1).and_then(|days| i64::from(days).checked_mul(MICROS_PER_DAY)))
    };
    match unit {
        DateUnit::Microsecond => Ok(micros),
        DateUnit::Millisecond => cut(1_000),
        DateUnit::Second => cut(MICROS_PER_SECOND),
        DateUnit::Minute => cut(MICROS_PER_MINUTE),
        DateUnit::Hour => cut(MICROS_PER_HOUR),
        DateUnit::Day => cut(MICROS_PER_DAY),
        DateUnit::Week => {
            let monday = i64::from(days) - i64::from(iso_week_day(days) - 1);
            check_timestamp(monday.checked_mul(MICROS_PER_DAY))
        }
        DateUnit::Month => first_of(year, month),
        DateUnit::Quarter => first_of(year, (month - 1) / 3 * 3 + 1),
        DateUnit::Year => first_of(year, 1),
        DateUnit::Decade if year > 0 => first_of(year / 10 * 10, 1),
        DateUnit::Decade => first_of(-((8 - (year - 1)) / 10) * 10, 1),
        DateUnit::Century if year > 0 => first_of((year + 99) / 100 * 100 - 99, 1),
        DateUnit::Century => first_of(-((99 - (year - 1)) / 100) * 100 + 1, 1),
        DateUnit::Millennium if year > 0 => first_of((year + 999) / 1000 * 1000 - 999, 1),
        DateUnit::Millennium => first_of(-((999 - (year - 1)) / 1000) * 1000 + 1, 1),
        other => Err(refused(other, type_name)),
    }
}

/// Cuts a timestamp with time zone on the zone's wall clock.
pub fn date_trunc_tz(unit: DateUnit, micros: i64, zone: Tz) -> Result<i64, CalendarError> {
    let local = trunc_local(unit, timestamp_in_zone(micros, zone)?, TIMESTAMPTZ)?;
    if unit < DateUnit::Day && !is_infinite_timestamp(micros) {
        // Within an hour that a zone repeats, the offset stays the one of the instant.
        let offset = i64::from(utc_offset_seconds(micros, zone)) * MICROS_PER_SECOND;
        return check_timestamp(local.checked_sub(offset));
    }
    zone_to_utc(local, zone)
}

/// Cuts an interval: smaller fields become zero.
pub fn date_trunc_interval(unit: DateUnit, interval: Interval) -> Result<Interval, CalendarError> {
    let Interval { months, days, micros } = interval;
    let cut_time = |step: i64| Ok(Interval::new(months, days, micros - micros % step));
    let cut_months = |step: i32| Ok(Interval::new(months - months % step, 0, 0));
    match unit {
        DateUnit::Microsecond => Ok(interval),
        DateUnit::Millisecond => cut_time(1_000),
        DateUnit::Second => cut_time(MICROS_PER_SECOND),
        DateUnit::Minute => cut_time(MICROS_PER_MINUTE),
        DateUnit::Hour => cut_time(MICROS_PER_HOUR),
        DateUnit::Day => Ok(Interval::new(months, days, 0)),
        DateUnit::Month => cut_months(1),
        DateUnit::Quarter => cut_months(3),
        DateUnit::Year => cut_months(12),
        DateUnit::Decade => cut_months(120),
        DateUnit::Century => cut_months(1_200),
        DateUnit::Millennium => cut_months(12_000),
        other => Err(refused(other, INTERVAL)),
    }
}

/// PostgreSQL does not look up `extract`'s own words here.
fn refused(unit: DateUnit, type_name: &'static str) -> CalendarError {
    match unit {
        DateUnit::DayOfWeek
        | DateUnit::IsoDayOfWeek
        | DateUnit::DayOfYear
        | DateUnit::IsoYear
        | DateUnit::Julian
        | DateUnit::Epoch => CalendarError::UnitNotRecognized { unit: unit.name().to_string(), type_name },
        other => other.unsupported(type_name),
    }
}
