//! Intervals from and to text: PostgreSQL's verbose form, SQL's, and ISO 8601; IntervalStyle postgres.

use super::format::{push_fraction, push_padded};
use super::tokens::{self, Field, FieldKind};
use super::{CalendarError, DateUnit, Interval, MICROS_PER_DAY, MICROS_PER_SECOND};

/// Reads `1 month 2 days 03:04:05`, `1-2`, `1.5 hours ago`, `P1Y2M3DT4H5M6.7S` and the like.
pub fn parse_interval(text: &str) -> Result<Interval, CalendarError> {
    let worded = match tokens::split(text) {
        Some(fields) => read_fields(&fields),
        None => Err(Refusal::Format),
    };
    // PostgreSQL tries the ISO form only when the usual one does not parse.
    let read = match worded {
        Err(Refusal::Format) => iso_8601(text),
        decided => decided,
    };
    read.map_err(|refusal| match refusal {
        Refusal::Format => CalendarError::InvalidSyntax { type_name: "interval", text: text.to_string() },
        Refusal::Field => CalendarError::IntervalFieldOutOfRange(text.to_string()),
        Refusal::Range => CalendarError::IntervalOutOfRange,
    })
}

pub fn format_interval(interval: Interval) -> String {
    let mut out = String::new();
    write_interval(interval, &mut out);
    out
}

/// `1 year 2 mons -3 days +04:05:06.7`: a plus only after a negative field.
pub fn write_interval(interval: Interval, out: &mut String) {
    let Interval { months, days, micros } = interval;
    let start = out.len();
    let mut after_negative = false;
    for (value, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if value == 0 {
            continue;
        }
        if out.len() > start {
            out.push(' ');
        }
        if value < 0 {
            out.push('-');
        } else if after_negative {
            out.push('+');
        }
        push_padded(i64::from(value), 1, out);
        out.push(' ');
        out.push_str(unit);
        if value != 1 {
            out.push('s');
        }
        after_negative = value < 0;
    }
    if micros != 0 || out.len() == start {
        if out.len() > start {
            out.push(' ');
        }
        if micros < 0 {
            out.push('-');
        } else if after_negative {
            out.push('+');
        }
        // The size of i64::MIN is one above i64::MAX: seconds and fraction are taken apart first.
        let (seconds, fraction) = ((micros / MICROS_PER_SECOND).abs(), (micros % MICROS_PER_SECOND).abs());
        push_padded(seconds / 3_600, 2, out);
        out.push(':');
        push_padded(seconds / 60 % 60, 2, out);
        out.push(':');
        push_padded(seconds % 60, 2, out);
        push_fraction(fraction, out);
    }
}

enum Refusal {
    Format,
    /// One field is too great.
    Field,
    /// The interval as a whole is.
    Range,
}

/// Sums fields of any unit. PostgreSQL keeps years and months apart in 32 bits until the end.
#[derive(Default)]
struct Sum {
    years: i32,
    months: i32,
    days: i32,
    micros: i64,
}

impl Sum {
    /// Adds `whole + fraction` units; a fraction of a month or longer goes into days, of a day into time.
    fn add(&mut self, unit: DateUnit, whole: i64, fraction: f64) -> Result<(), Refusal> {
        let small = |factor: i64| whole.checked_mul(factor).and_then(|value| i32::try_from(value).ok());
        let add = |sum: &mut i32, value: Option<i32>| {
            *sum = value.and_then(|value| sum.checked_add(value)).ok_or(Refusal::Field)?;
            Ok(())
        };
        match unit {
            DateUnit::Microsecond => {
                self.add_micros(whole, 1)?;
                self.add_fraction_of_time(fraction, 1.0)
            }
            DateUnit::Millisecond => self.add_time(whole, fraction, 1_000),
            DateUnit::Second => self.add_time(whole, fraction, MICROS_PER_SECOND),
            DateUnit::Minute => self.add_time(whole, fraction, super::MICROS_PER_MINUTE),
            DateUnit::Hour => self.add_time(whole, fraction, super::MICROS_PER_HOUR),
            DateUnit::Day => {
                add(&mut self.days, small(1))?;
                self.add_fraction_of_time(fraction, MICROS_PER_DAY as f64)
            }
            DateUnit::Week => {
                add(&mut self.days, small(7))?;
                self.add_fraction_of_days(fraction, 7.0)
            }
            DateUnit::Month => {
                add(&mut self.months, small(1))?;
                self.add_fraction_of_days(fraction, 30.0)
            }
            DateUnit::Year | DateUnit::Decade | DateUnit::Century | DateUnit::Millennium => {
                let years = match unit {
                    DateUnit::Year => 1,
                    DateUnit::Decade => 10,
                    DateUnit::Century => 100,
                    _ => 1_000,
                };
                add(&mut self.years, small(years))?;
                let months = (fraction * years as f64 * 12.0).round_ties_even();
                add(&mut self.months, Some(months as i32))
            }
            _ => Err(Refusal::Format),
        }
    }

    fn add_time(&mut self, whole: i64, fraction: f64, scale: i64) -> Result<(), Refusal> {
        self.add_micros(whole, scale)?;
        self.add_fraction_of_time(fraction, scale as f64)
    }

    fn add_micros(&mut self, whole: i64, scale: i64) -> Result<(), Refusal> {
        let sum = whole.checked_mul(scale).and_then(|micros| self.micros.checked_add(micros));
        self.micros = sum.ok_or(Refusal::Field)?;
        Ok(())
    }

    fn add_fraction_of_time(&mut self, fraction: f64, scale: f64) -> Result<(), Refusal> {
        let exact = fraction * scale;
        let mut micros = exact as i64;
        let rest = exact - micros as f64;
        if rest > 0.5 {
            micros += 1;
        } else if rest < -0.5 {
            micros -= 1;
        }
        self.add_micros(micros, 1)
    }

    fn add_fraction_of_days(&mut self, fraction: f64, scale: f64) -> Result<(), Refusal> {
        let exact = fraction * scale;
        let days = exact as i32;
        self.days = self.days.checked_add(days).ok_or(Refusal::Field)?;
        self.add_fraction_of_time(exact - f64::from(days), MICROS_PER_DAY as f64)
    }

    fn negated(self) -> Result<Sum, Refusal> {
        let negated = || {
            Some(Sum {
                years: self.years.checked_neg()?,
                months: self.months.checked_neg()?,
                days: self.days.checked_neg()?,
                micros: self.micros.checked_neg()?,
            })
        };
        negated().ok_or(Refusal::Field)
    }

    fn finish(self) -> Result<Interval, Refusal> {
        let months = i64::from(self.years) * 12 + i64::from(self.months);
        let months = i32::try_from(months).map_err(|_| Refusal::Range)?;
        Ok(Interval { months, days: self.days, micros: self.micros })
    }
}

/// Reads from right to left, because a unit follows its number.
fn read_fields(fields: &[Field]) -> Result<Interval, Refusal> {
    let mut sum = Sum::default();
    let mut unit = None;
    let mut ago = false;
    let mut seen: Vec<DateUnit> = Vec::new();
    let mut time_seen = false;
    for field in fields.iter().rev() {
        match field.kind {
            FieldKind::Word | FieldKind::Special => {
                if field.text == "ago" {
                    ago = true;
                    unit = None;
                } else {
                    unit = Some(DateUnit::of_interval_word(&field.text).ok_or(Refusal::Format)?);
                }
            }
            FieldKind::Time => {
                mark_time(&mut seen, &mut time_seen)?;
                sum.add_micros(clock_micros(&field.text)?, 1)?;
                unit = Some(DateUnit::Day);
            }
            FieldKind::Signed if field.text.contains(':') => {
                mark_time(&mut seen, &mut time_seen)?;
                let micros = clock_micros(&field.text[1..])?;
                sum.add_micros(if field.text.starts_with('-') { -micros } else { micros }, 1)?;
                unit = Some(DateUnit::Day);
            }
            FieldKind::Signed | FieldKind::Date | FieldKind::Number => {
                let (whole, fraction, is_years_months) = number(&field.text)?;
                let of = if is_years_months { DateUnit::Month } else { unit.unwrap_or(DateUnit::Second) };
                unit = Some(of);
                let repeated = seen.contains(&of) || (time_seen && of < DateUnit::Day);
                // Seconds with a fraction stand for milliseconds and microseconds too.
                let overlaps = of == DateUnit::Second
                    && fraction != 0.0
                    && (seen.contains(&DateUnit::Millisecond) || seen.contains(&DateUnit::Microsecond));
                if repeated || overlaps {
                    return Err(Refusal::Format);
                }
                seen.push(of);
                sum.add(of, whole, fraction)?;
            }
        }
    }
    if seen.is_empty() && !time_seen {
        return Err(Refusal::Format);
    }
    if ago { sum.negated()?.finish() } else { sum.finish() }
}

fn mark_time(seen: &mut [DateUnit], time_seen: &mut bool) -> Result<(), Refusal> {
    let repeated = std::mem::replace(time_seen, true);
    if repeated || seen.iter().any(|unit| *unit < DateUnit::Day) { Err(Refusal::Format) } else { Ok(()) }
}

/// Whole part, fraction with its sign, and whether it was SQL's `years-months`.
fn number(text: &str) -> Result<(i64, f64, bool), Refusal> {
    let negative = text.starts_with('-');
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    let (whole_text, rest) = body.split_at(digits);
    let whole: i64 = if whole_text.is_empty() { 0 } else { whole_text.parse().map_err(|_| Refusal::Field)? };
    let signed = |value: i64| if negative { -value } else { value };
    if let Some(months) = rest.strip_prefix('-') {
        let months: i64 = match months.parse() {
            Ok(months @ 0..12) => months,
            Ok(_) => return Err(Refusal::Field),
            Err(_) => return Err(Refusal::Format),
        };
        let total = whole.checked_mul(12).and_then(|total| total.checked_add(months)).ok_or(Refusal::Field)?;
        return Ok((signed(total), 0.0, true));
    }
    if rest.is_empty() && !whole_text.is_empty() {
        return Ok((signed(whole), 0.0, false));
    }
    let fraction = rest.strip_prefix('.').ok_or(Refusal::Format)?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Format);
    }
    let fraction: f64 =
        if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().map_err(|_| Refusal::Format)? };
    Ok((signed(whole), if negative { -fraction } else { fraction }, false))
}

/// HH:MM, HH:MM:SS[.fff] or MM:SS.fff, with hours without a bound.
fn clock_micros(text: &str) -> Result<i64, Refusal> {
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let fraction_micros = super::reader::fraction_micros_of(fraction).ok_or(Refusal::Format)?;
    let number = |part: &str| match part.parse::<i64>() {
        Ok(value) => Ok(value),
        Err(_) if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) => Err(Refusal::Field),
        Err(_) => Err(Refusal::Format),
    };
    let parts: Vec<&str> = whole.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [minutes, seconds] if !fraction.is_empty() => (0, number(minutes)?, number(seconds)?),
        [hours, minutes] => (number(hours)?, number(minutes)?, 0),
        [hours, minutes, seconds] => (number(hours)?, number(minutes)?, number(seconds)?),
        _ => return Err(Refusal::Format),
    };
    if minutes > 59 || seconds > 60 {
        return Err(Refusal::Field);
    }
    let micros = hours.checked_mul(super::MICROS_PER_HOUR);
    let rest = (minutes * 60 + seconds) * MICROS_PER_SECOND + fraction_micros;
    micros.and_then(|micros| micros.checked_add(rest)).ok_or(Refusal::Field)
}

/// `P1Y2M3W4DT5H6M7.8S`, and the form `P0001-02-03T04:05:06`.
fn iso_8601(text: &str) -> Result<Interval, Refusal> {
    let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or(Refusal::Format)?;
    let mut sum = Sum::default();
    let mut in_time = false;
    let mut any = false;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            if in_time {
                return Err(Refusal::Format);
            }
            (rest, in_time) = (time, true);
            continue;
        }
        if !any && !in_time && is_alternative_date(rest) {
            return iso_8601_alternative(rest);
        }
        if in_time && rest.contains(':') {
            sum.add_micros(clock_micros(rest)?, 1)?;
            break;
        }
        let sign = usize::from(rest.starts_with(['-', '+']));
        let length = rest[sign..].bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count() + sign;
        let (whole, fraction, _) = number(&rest[..length])?;
        let unit = match (rest[length..].chars().next(), in_time) {
            (Some('Y'), false) => DateUnit::Year,
            (Some('M'), false) => DateUnit::Month,
            (Some('W'), false) => DateUnit::Week,
            (Some('D'), false) => DateUnit::Day,
            (Some('H'), true) => DateUnit::Hour,
            (Some('M'), true) => DateUnit::Minute,
            (Some('S'), true) => DateUnit::Second,
            _ => return Err(Refusal::Format),
        };
        sum.add(unit, whole, fraction)?;
        rest = &rest[length + 1..];
        any = true;
    }
    sum.finish()
}

fn is_alternative_date(text: &str) -> bool {
    let date = text.split('T').next().unwrap_or(text);
    date.strip_prefix('-').unwrap_or(date).contains('-') && !date.contains(|c: char| c.is_ascii_alphabetic())
}

fn iso_8601_alternative(text: &str) -> Result<Interval, Refusal> {
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let mut sum = Sum::default();
    let (sign, date) = match date.strip_prefix('-') {
        Some(date) => (-1, date),
        None => (1, date),
    };
    let mut units = [DateUnit::Year, DateUnit::Month, DateUnit::Day].into_iter();
    for (index, part) in date.split('-').enumerate() {
        let unit = units.next().ok_or(Refusal::Format)?;
        let value: i64 = part.parse().map_err(|_| Refusal::Format)?;
        sum.add(unit, if index == 0 { sign * value } else { value }, 0.0)?;
    }
    if !time.is_empty() {
        sum.add_micros(clock_micros(time)?, 1)?;
    }
    sum.finish()
}
