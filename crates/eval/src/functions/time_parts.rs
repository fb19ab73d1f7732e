//! What `to_date` and `to_timestamp` found in a text, put together to a day and a time.
//!
//! 1. Of two ways to name a day (month and day, week, day of the year, Julian day) the more particular wins, as in PostgreSQL.
//! 2. A part that is out of range fails with the whole text in the error.

use row::calendar;

use super::fail;
use crate::EvalError;

/// Which calendar the fields of a picture count by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Convention {
    Gregorian,
    IsoWeek,
}

/// What a text gave; zero is "not given", as no field of a date can be zero.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) convention: Option<Convention>,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) second_of_day: i64,
    /// As many digits as were read, filled up.
    pub(super) millis: i64,
    pub(super) micros: i64,
    pub(super) is_12_hour: bool,
    pub(super) is_pm: i64,
    pub(super) is_bc: i64,
    pub(super) year: i64,
    /// How many digits of the year the keyword has.
    pub(super) year_digits: u8,
    pub(super) century: i64,
    pub(super) month: i64,
    /// 1 is Sunday.
    pub(super) week_day: i64,
    pub(super) day: i64,
    pub(super) day_of_year: i64,
    pub(super) week: i64,
    pub(super) week_of_month: i64,
    pub(super) julian: i64,
    pub(super) zone_sign: i64,
    pub(super) zone_hour: i64,
    pub(super) zone_minute: i64,
}

impl Parts {
    fn out_of_range<T>(value: &str) -> Result<T, EvalError> {
        fail(format!("date/time field value out of range: \"{value}\""))
    }

    /// The astronomical year: 0 is 1 BC.
    fn full_year(&self) -> i64 {
        let century = if self.is_bc != 0 { -self.century } else { self.century };
        match (self.year, self.century) {
            (0, 0) => 0,
            (0, _) if century >= 0 => (century - 1) * 100 + 1,
            (0, _) => century * 100 + 1,
            // A short year within a century.
            (year, century_given) if century_given != 0 && self.year_digits <= 2 => match year % 100 {
                0 => century * 100 + i64::from(century < 0),
                short if century >= 0 => short + (century - 1) * 100,
                short => (century + 1) * 100 - short + 1,
            },
            (year, _) => {
                let year = if self.is_bc != 0 { -year } else { year };
                if year < 0 { year + 1 } else { year }
            }
        }
    }

    /// The day; what was not given is the first of its kind. `value` is the whole text, for the error.
    pub(super) fn days(&self, value: &str) -> Result<i32, EvalError> {
        self.clock_micros(value)?;
        let mut year = self.full_year();
        let (mut month, mut day) = (1, 1);
        if self.julian != 0 {
            (year, month, day) = ymd(self.julian - JULIAN_DAY_OF_EPOCH, value)?;
        }
        let mut day_of_year = self.day_of_year;
        if self.week != 0 {
            if self.convention == Some(Convention::IsoWeek) {
                let monday = iso_monday(year, self.week, value)?;
                let offset = match self.week_day {
                    0 => 0,
                    1 => 6,
                    week_day => week_day - 2,
                };
                (year, month, day) = ymd(monday + offset, value)?;
            } else {
                day_of_year = (self.week - 1) * 7 + 1;
            }
        }
        if self.week_of_month != 0 {
            day = (self.week_of_month - 1) * 7 + 1;
        }
        if self.day != 0 {
            day = self.day;
        }
        if self.month != 0 {
            month = self.month;
        }
        if day_of_year != 0 && (month <= 1 || day <= 1) {
            if year == 0 && self.is_bc == 0 {
                return fail("cannot calculate day of year without year information");
            }
            if self.convention == Some(Convention::IsoWeek) {
                (year, month, day) = ymd(iso_monday(year, 1, value)? - 1 + day_of_year, value)?;
            } else {
                let length = if i32::try_from(year).is_ok_and(calendar::is_leap_year) { 366 } else { 365 };
                if !(1..=length).contains(&day_of_year) {
                    return Parts::out_of_range(value);
                }
                let (_, found_month, found_day) = ymd(first_of_year(year, value)? + day_of_year - 1, value)?;
                if month <= 1 {
                    month = found_month;
                }
                if day <= 1 {
                    day = found_day;
                }
            }
        }
        let found = match (i32::try_from(year), u32::try_from(month), u32::try_from(day)) {
            (Ok(year), Ok(month), Ok(day)) => calendar::days_from_ymd(year, month, day),
            _ => None,
        };
        found.map_or_else(|| Parts::out_of_range(value), Ok)
    }

    /// Microseconds since midnight.
    pub(super) fn clock_micros(&self, value: &str) -> Result<i64, EvalError> {
        let (mut hour, mut minute, mut second) = (self.hour, self.minute, self.second);
        if self.second_of_day != 0 {
            (hour, minute, second) = (self.second_of_day / 3600, self.second_of_day / 60 % 60, self.second_of_day % 60);
        }
        if self.is_12_hour {
            if !(1..=12).contains(&hour) {
                return fail(format!("hour \"{hour}\" is invalid for the 12-hour clock"));
            }
            hour = hour % 12 + if self.is_pm != 0 { 12 } else { 0 };
        }
        let fraction = self.millis.saturating_mul(1000).saturating_add(self.micros);
        let is_in_range = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
        if !is_in_range || !(0..calendar::MICROS_PER_SECOND).contains(&fraction) {
            return Parts::out_of_range(value);
        }
        Ok(((hour * 60 + minute) * 60 + second) * calendar::MICROS_PER_SECOND + fraction)
    }

    /// How far the text's own zone is ahead of UTC, if it names one.
    pub(super) fn zone_offset_micros(&self, value: &str) -> Result<Option<i64>, EvalError> {
        if self.zone_sign == 0 {
            return Ok(None);
        }
        if !(0..=15).contains(&self.zone_hour) || !(0..60).contains(&self.zone_minute) {
            return fail(format!("time zone displacement out of range: \"{value}\""));
        }
        let micros = self.zone_hour * calendar::MICROS_PER_HOUR + self.zone_minute * calendar::MICROS_PER_MINUTE;
        Ok(Some(self.zone_sign * micros))
    }
}

const JULIAN_DAY_OF_EPOCH: i64 = 2_440_588;

/// Calendar fields of a day number.
fn ymd(days: i64, value: &str) -> Result<(i64, i64, i64), EvalError> {
    match i32::try_from(days) {
        Ok(days) => {
            let (year, month, day) = calendar::ymd_from_days(days);
            Ok((i64::from(year), i64::from(month), i64::from(day)))
        }
        Err(_) => Parts::out_of_range(value),
    }
}

fn first_of_year(year: i64, value: &str) -> Result<i64, EvalError> {
    let found = i32::try_from(year).ok().and_then(|year| calendar::days_from_ymd(year, 1, 1));
    found.map_or_else(|| Parts::out_of_range(value), |days| Ok(i64::from(days)))
}

/// The Monday of an ISO week: the first week is the one with 4 January.
fn iso_monday(year: i64, week: i64, value: &str) -> Result<i64, EvalError> {
    let fourth = first_of_year(year, value)? + 3;
    let monday = fourth - i64::from(calendar::iso_week_day(fourth as i32)) + 1;
    Ok(monday + (week - 1) * 7)
}
