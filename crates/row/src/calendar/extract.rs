//! `extract`: one field of a date or time as a numeric, with PostgreSQL's result scales.
//!
//! `None` is SQL's NULL: an infinity has no day or hour. Its year, epoch and the like are infinite.

use chrono_tz::Tz;

use super::{
    CalendarError, DATE_INFINITY, DateUnit, Interval, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE,
    TIMESTAMP_INFINITY, days_in_month, is_infinite_date, is_infinite_timestamp, iso_week, iso_week_day,
    timestamp_in_zone, timestamp_to_date, utc_offset_seconds, ymd_from_days,
};
use crate::Numeric;

const DATE: &str = "date";
const TIME: &str = "time without time zone";
const TIMESTAMP: &str = "timestamp without time zone";
const TIMESTAMPTZ: &str = "timestamp with time zone";
const INTERVAL: &str = "interval";
/// The Julian day number of 1970-01-01.
const JULIAN_DAY_OF_EPOCH: i64 = 2_440_588;

pub fn extract_date(unit: DateUnit, days: i32) -> Result<Option<Numeric>, CalendarError> {
    if is_infinite_date(days) {
        return of_infinity(unit, days == DATE_INFINITY, DATE);
    }
    Ok(Some(match unit {
        DateUnit::Epoch => Numeric::from_i64(i64::from(days) * 86_400),
        DateUnit::Julian => Numeric::from_i64(i64::from(days) + JULIAN_DAY_OF_EPOCH),
        unit => Numeric::from_i64(day_field(unit, days).ok_or_else(|| unit.unsupported(DATE))?),
    }))
}

pub fn extract_time(unit: DateUnit, micros: i64) -> Result<Numeric, CalendarError> {
    match unit {
        DateUnit::Epoch => Ok(Numeric::from_parts(micros.into(), 6)),
        unit => time_field(unit, micros).ok_or_else(|| unit.unsupported(TIME)),
    }
}

pub fn extract_timestamp(unit: DateUnit, micros: i64) -> Result<Option<Numeric>, CalendarError> {
    extract_local(unit, micros, TIMESTAMP)
}

/// Fields are those of the zone's wall clock; the epoch is the instant's.
pub fn extract_timestamptz(unit: DateUnit, micros: i64, zone: Tz) -> Result<Option<Numeric>, CalendarError> {
    if is_infinite_timestamp(micros) {
        return of_infinity(unit, micros == TIMESTAMP_INFINITY, TIMESTAMPTZ);
    }
    let offset = || i64::from(utc_offset_seconds(micros, zone));
    match unit {
        DateUnit::Epoch => extract_local(unit, micros, TIMESTAMPTZ),
        DateUnit::Timezone => Ok(Some(Numeric::from_i64(offset()))),
        DateUnit::TimezoneHour => Ok(Some(Numeric::from_i64(offset() / 3_600))),
        DateUnit::TimezoneMinute => Ok(Some(Numeric::from_i64(offset() / 60 % 60))),
        unit => extract_local(unit, timestamp_in_zone(micros, zone)?, TIMESTAMPTZ),
    }
}

pub fn extract_interval(unit: DateUnit, interval: Interval) -> Result<Numeric, CalendarError> {
    let Interval { months, days, micros } = interval;
    let years = i64::from(months / 12);
    let whole = match unit {
        DateUnit::Hour => micros / MICROS_PER_HOUR,
        DateUnit::Day => days.into(),
        DateUnit::Month => i64::from(months % 12),
        DateUnit::Quarter => i64::from(months % 12 / 3) + 1,
        DateUnit::Year => years,
        DateUnit::Decade => years / 10,
        DateUnit::Century => years / 100,
        DateUnit::Millennium => years / 1000,
        DateUnit::Epoch => {
            // A year counts 365.25 days here, a month 30.
            let quarter_days = years * 1461 + i64::from(months % 12) * 120 + i64::from(days) * 4;
            let seconds = i128::from(quarter_days) * (86_400 / 4);
            return Ok(Numeric::from_parts(seconds * 1_000_000 + i128::from(micros), 6));
        }
        unit => return time_field(unit, micros).ok_or_else(|| unit.unsupported(INTERVAL)),
    };
    Ok(Numeric::from_i64(whole))
}

fn extract_local(unit: DateUnit, micros: i64, type_name: &'static str) -> Result<Option<Numeric>, CalendarError> {
    if is_infinite_timestamp(micros) {
        return of_infinity(unit, micros == TIMESTAMP_INFINITY, type_name);
    }
    let days = timestamp_to_date(micros);
    let time = micros.rem_euclid(MICROS_PER_DAY);
    Ok(Some(match unit {
        DateUnit::Epoch => Numeric::from_parts(micros.into(), 6),
        DateUnit::Julian => {
            let day = Numeric::from_i64(i64::from(days) + JULIAN_DAY_OF_EPOCH);
            let part = Numeric::from_i64(time).div(&Numeric::from_i64(MICROS_PER_DAY));
            part.and_then(|part| day.add(&part)).map_err(|_| CalendarError::TimestampOutOfRange)?
        }
        unit => match day_field(unit, days) {
            Some(field) => Numeric::from_i64(field),
            None => time_field(unit, time).ok_or_else(|| unit.unsupported(type_name))?,
        },
    }))
}

fn time_field(unit: DateUnit, micros: i64) -> Option<Numeric> {
    let in_minute = i128::from(micros % MICROS_PER_MINUTE);
    Some(match unit {
        DateUnit::Microsecond => Numeric::from_parts(in_minute, 0),
        DateUnit::Millisecond => Numeric::from_parts(in_minute, 3),
        DateUnit::Second => Numeric::from_parts(in_minute, 6),
        DateUnit::Minute => Numeric::from_i64(micros / MICROS_PER_MINUTE % 60),
        DateUnit::Hour => Numeric::from_i64(micros / MICROS_PER_HOUR),
        _ => return None,
    })
}

fn day_field(unit: DateUnit, days: i32) -> Option<i64> {
    let (year, month, day) = ymd_from_days(days);
    // There is no year zero: 1 BC is -1 where a year is shown.
    let shown = |year: i32| i64::from(if year > 0 { year } else { year - 1 });
    Some(match unit {
        DateUnit::Day => day.into(),
        DateUnit::Month => month.into(),
        DateUnit::Quarter => i64::from((month - 1) / 3 + 1),
        DateUnit::Year => shown(year),
        DateUnit::Decade if year >= 0 => i64::from(year / 10),
        DateUnit::Decade => i64::from(-((8 - (year - 1)) / 10)),
        DateUnit::Century if year > 0 => i64::from((year + 99) / 100),
        DateUnit::Century => i64::from(-((99 - (year - 1)) / 100)),
        DateUnit::Millennium if year > 0 => i64::from((year + 999) / 1000),
        DateUnit::Millennium => i64::from(-((999 - (year - 1)) / 1000)),
        DateUnit::Week => iso_week(days).1.into(),
        DateUnit::IsoYear => shown(iso_week(days).0),
        DateUnit::DayOfWeek => i64::from(iso_week_day(days) % 7),
        DateUnit::IsoDayOfWeek => iso_week_day(days).into(),
        DateUnit::DayOfYear => {
            (1..month).map(|month| i64::from(days_in_month(year, month))).sum::<i64>() + i64::from(day)
        }
        _ => return None,
    })
}

fn of_infinity(unit: DateUnit, positive: bool, type_name: &'static str) -> Result<Option<Numeric>, CalendarError> {
    let timed = type_name != DATE;
    match unit {
        DateUnit::Year
        | DateUnit::Decade
        | DateUnit::Century
        | DateUnit::Millennium
        | DateUnit::Julian
        | DateUnit::IsoYear
        | DateUnit::Epoch => Ok(Some(if positive { Numeric::INFINITY } else { Numeric::NEG_INFINITY })),
        DateUnit::Day
        | DateUnit::Month
        | DateUnit::Quarter
        | DateUnit::Week
        | DateUnit::DayOfWeek
        | DateUnit::IsoDayOfWeek
        | DateUnit::DayOfYear => Ok(None),
        // PostgreSQL answers NULL for the zone of an infinity even where the type has none.
        DateUnit::Microsecond
        | DateUnit::Millisecond
        | DateUnit::Second
        | DateUnit::Minute
        | DateUnit::Hour
        | DateUnit::Timezone
        | DateUnit::TimezoneHour
        | DateUnit::TimezoneMinute
            if timed =>
        {
            Ok(None)
        }
        unit => Err(unit.unsupported(type_name)),
    }
}
