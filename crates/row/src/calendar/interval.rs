//! Intervals: months, days and microseconds, kept apart because a month has no fixed length.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use super::{CalendarError, MICROS_PER_DAY};

/// A PostgreSQL `interval`. Equality and order are SQL's: `1 month` equals `30 days`.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

const SECONDS_PER_DAY: f64 = 86_400.0;
const DAYS_PER_MONTH: f64 = 30.0;

impl Interval {
    pub const ZERO: Interval = Interval { months: 0, days: 0, micros: 0 };

    pub const fn new(months: i32, days: i32, micros: i64) -> Interval {
        Interval { months, days, micros }
    }

    /// Total microseconds with 30-day months and 24-hour days, as PostgreSQL compares intervals.
    pub fn comparison_micros(&self) -> i128 {
        (i128::from(self.months) * 30 + i128::from(self.days)) * i128::from(MICROS_PER_DAY) + i128::from(self.micros)
    }

    /// The one interval that stands for all equal ones (`1 month` = `30 days`) in keys: days and microseconds of one sign,
    /// and months only where the days do not fit.
    pub fn normalized(self) -> Interval {
        let total = self.comparison_micros();
        let day = i128::from(MICROS_PER_DAY);
        let fit = |value: i128| value.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        let total_days = total / day;
        let months = if i32::try_from(total_days).is_ok() { 0 } else { fit(total_days / 30) };
        let days = fit(total_days - i128::from(months) * 30);
        let rest = total - (i128::from(months) * 30 + i128::from(days)) * day;
        Interval { months, days, micros: rest as i64 }
    }

    pub fn add(&self, other: Interval) -> Result<Interval, CalendarError> {
        self.checked_add(other).ok_or(CalendarError::IntervalOutOfRange)
    }

    pub fn sub(&self, other: Interval) -> Result<Interval, CalendarError> {
        let difference = || {
            Some(Interval {
                months: self.months.checked_sub(other.months)?,
                days: self.days.checked_sub(other.days)?,
                micros: self.micros.checked_sub(other.micros)?,
            })
        };
        difference().ok_or(CalendarError::IntervalOutOfRange)
    }

    pub fn neg(&self) -> Result<Interval, CalendarError> {
        Interval::ZERO.sub(*self)
    }

    /// Each field times the factor; what is left of months goes into days (30 a month), what is left of days into time.
    pub fn mul(&self, factor: f64) -> Result<Interval, CalendarError> {
        self.scale(|value| value * factor)
    }

    /// As `mul`, by division.
    pub fn div(&self, divisor: f64) -> Result<Interval, CalendarError> {
        if divisor == 0.0 {
            return Err(CalendarError::DivisionByZero);
        }
        self.scale(|value| value / divisor)
    }

    fn scale(self, apply: impl Fn(f64) -> f64) -> Result<Interval, CalendarError> {
        let out_of_range = || CalendarError::IntervalOutOfRange;
        let months_exact = apply(f64::from(self.months));
        let days_exact = apply(f64::from(self.days));
        let (months, days) = (cut_to_i32(months_exact)?, cut_to_i32(days_exact)?);
        // PostgreSQL rounds both remainders to a microsecond before it cascades them.
        let month_days = round_to_micros((months_exact - f64::from(months)) * DAYS_PER_MONTH);
        let mut seconds =
            round_to_micros((days_exact - f64::from(days) + month_days - month_days.trunc()) * SECONDS_PER_DAY);
        let mut days = days;
        if seconds.abs() >= SECONDS_PER_DAY {
            let whole = (seconds / SECONDS_PER_DAY).trunc();
            days = days.checked_add(whole as i32).ok_or_else(out_of_range)?;
            seconds -= whole * SECONDS_PER_DAY;
        }
        days = days.checked_add(month_days as i32).ok_or_else(out_of_range)?;
        let micros = (apply(self.micros as f64) + seconds * 1_000_000.0).round_ties_even();
        // 2^63 is the first double that does not fit.
        if micros.is_nan() || !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&micros) {
            return Err(out_of_range());
        }
        Ok(Interval { months, days, micros: micros as i64 })
    }

    pub(super) fn checked_add(self, other: Interval) -> Option<Interval> {
        Some(Interval {
            months: self.months.checked_add(other.months)?,
            days: self.days.checked_add(other.days)?,
            micros: self.micros.checked_add(other.micros)?,
        })
    }

    /// PostgreSQL's `justify_hours`: whole days of the time become days, all of one sign.
    pub fn justify_hours(self) -> Result<Interval, CalendarError> {
        let whole = (self.micros / MICROS_PER_DAY) as i32;
        let mut days = self.days.checked_add(whole).ok_or(CalendarError::IntervalOutOfRange)?;
        let mut micros = self.micros % MICROS_PER_DAY;
        if days > 0 && micros < 0 {
            micros += MICROS_PER_DAY;
            days -= 1;
        } else if days < 0 && micros > 0 {
            micros -= MICROS_PER_DAY;
            days += 1;
        }
        Ok(Interval { days, micros, ..self })
    }

    /// PostgreSQL's `justify_days`: every 30 days become a month, both of one sign.
    pub fn justify_days(self) -> Result<Interval, CalendarError> {
        let mut months = self.months.checked_add(self.days / 30).ok_or(CalendarError::IntervalOutOfRange)?;
        let mut days = self.days % 30;
        if months > 0 && days < 0 {
            days += 30;
            months -= 1;
        } else if months < 0 && days > 0 {
            days -= 30;
            months += 1;
        }
        Ok(Interval { months, days, ..self })
    }

    /// PostgreSQL's `justify_interval`: days into months, hours into days, all fields of one sign.
    pub fn justify_interval(self) -> Result<Interval, CalendarError> {
        let out_of_range = || CalendarError::IntervalOutOfRange;
        let Interval { mut months, mut days, mut micros } = self;
        // Days of the other sign than the time are taken down first, so that both steps cannot overflow needlessly.
        if (days > 0 && micros > 0) || (days < 0 && micros < 0) {
            months = months.checked_add(days / 30).ok_or_else(out_of_range)?;
            days %= 30;
        }
        days = days.checked_add((micros / MICROS_PER_DAY) as i32).ok_or_else(out_of_range)?;
        micros %= MICROS_PER_DAY;
        months = months.checked_add(days / 30).ok_or_else(out_of_range)?;
        days %= 30;
        if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
            days += 30;
            months -= 1;
        } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
            days -= 30;
            months += 1;
        }
        if days > 0 && micros < 0 {
            micros += MICROS_PER_DAY;
            days -= 1;
        } else if days < 0 && micros > 0 {
            micros -= MICROS_PER_DAY;
            days += 1;
        }
        Ok(Interval { months, days, micros })
    }
}

fn cut_to_i32(value: f64) -> Result<i32, CalendarError> {
    if value.is_nan() || value > f64::from(i32::MAX) || value < f64::from(i32::MIN) {
        return Err(CalendarError::IntervalOutOfRange);
    }
    Ok(value as i32)
}

fn round_to_micros(value: f64) -> f64 {
    (value * 1_000_000.0).round_ties_even() / 1_000_000.0
}

impl Ord for Interval {
    fn cmp(&self, other: &Interval) -> Ordering {
        self.comparison_micros().cmp(&other.comparison_micros())
    }
}

impl PartialOrd for Interval {
    fn partial_cmp(&self, other: &Interval) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Interval {
    fn eq(&self, other: &Interval) -> bool {
        self.comparison_micros() == other.comparison_micros()
    }
}

impl Eq for Interval {}

impl Hash for Interval {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.comparison_micros().hash(state);
    }
}
