//! `to_char` of dates, timestamps and intervals.
//!
//! 1. Numbers are padded with zeros, names with blanks, unless `FM` stands before the field.
//! 2. What an interval does not have (a day's name, an era, a zone) is an error, not a guess.

use std::fmt::Write;

use row::calendar::{self, MICROS_PER_DAY};
use row::{Datum, Interval};

use super::Param::{Interval as IntervalType, Text, Timestamp, TimestampTz};
use super::time_picture::{Case, DAYS, Field, MONTHS, Node, ROMAN_MONTHS, Unit, nodes, ordinal_suffix};
use super::{Implementation, Value, fail, partial, text};
use crate::{Arena, EvalError, zone};

pub(super) const ROWS: &[Implementation] = &[
    partial("to_char", &[Timestamp, Text], Text, |a, arena| match &a[0] {
        Datum::Timestamp(micros) if !calendar::is_infinite_timestamp(*micros) => {
            show(&Moment::of_local(*micros, None), a[1].unwrap_text(), arena)
        }
        _ => Ok(Datum::Null),
    }),
    partial("to_char", &[TimestampTz, Text], Text, |a, arena| match &a[0] {
        Datum::TimestampTz(micros) if !calendar::is_infinite_timestamp(*micros) => {
            let local = zone::to_local(*micros).map_err(EvalError::from_value)?;
            let offset_seconds = zone::utc_offset_seconds(*micros);
            show(&Moment::of_local(local, Some(offset_seconds)), a[1].unwrap_text(), arena)
        }
        _ => Ok(Datum::Null),
    }),
    partial("to_char", &[IntervalType, Text], Text, |a, arena| match &a[0] {
        Datum::Interval(interval) => show(&Moment::of_interval(*interval), a[1].unwrap_text(), arena),
        _ => Ok(Datum::Null),
    }),
];

/// The fields that pictures show. The year is astronomical (0 is 1 BC); of an interval it is a count.
struct Moment {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    day_of_year: i64,
    /// Days since 1970, for what depends on the calendar.
    days: i64,
    /// Of a timestamp with time zone.
    offset_seconds: Option<i32>,
    is_interval: bool,
}

impl Moment {
    fn of_local(micros: i64, offset_seconds: Option<i32>) -> Moment {
        let civil = calendar::split_timestamp(micros);
        let days = micros.div_euclid(MICROS_PER_DAY);
        let new_year = calendar::days_from_ymd(civil.year, 1, 1).map_or(days, i64::from);
        Moment {
            year: i64::from(civil.year),
            month: i64::from(civil.month),
            day: i64::from(civil.day),
            hour: i64::from(civil.hour),
            minute: i64::from(civil.minute),
            second: i64::from(civil.second),
            micros: i64::from(civil.micros),
            day_of_year: days - new_year + 1,
            days,
            offset_seconds,
            is_interval: false,
        }
    }

    fn of_interval(interval: Interval) -> Moment {
        let (year, month) = (i64::from(interval.months / 12), i64::from(interval.months % 12));
        let day = i64::from(interval.days);
        let seconds = interval.micros / calendar::MICROS_PER_SECOND;
        Moment {
            year,
            month,
            day,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            micros: interval.micros % calendar::MICROS_PER_SECOND,
            // The days it spans, with months of thirty.
            day_of_year: (year * 12 + month) * 30 + day,
            days: julian_day(year, month, day) - EPOCH_JULIAN_DAY,
            offset_seconds: None,
            is_interval: true,
        }
    }

    /// The year as people count it: 1 BC is 1.
    fn shown_year(&self, year: i64) -> i64 {
        if year <= 0 && !self.is_interval { 1 - year } else { year }
    }

    fn iso_year_and_week(&self) -> (i64, i64) {
        let (year, week) = calendar::iso_week(self.days as i32);
        (i64::from(year), i64::from(week))
    }

    /// 0 is Sunday.
    fn week_day(&self) -> usize {
        calendar::iso_week_day(self.days as i32) as usize % 7
    }
}

const EPOCH_JULIAN_DAY: i64 = 2_440_588;

/// The Julian day of calendar fields, also of fields that no date has (month 0).
fn julian_day(year: i64, month: i64, day: i64) -> i64 {
    // Years start in March here, so that leap days come last.
    let (year, month) = if month > 2 { (year + 4800, month + 1) } else { (year + 4799, month + 13) };
    let century = year / 100;
    year * 365 - 32167 + year / 4 - century + century / 4 + 7834 * month / 256 + day
}

fn show<'a>(moment: &Moment, picture: &str, arena: &'a Arena) -> Value<'a> {
    if picture.is_empty() {
        return Ok(Datum::Null);
    }
    let mut out = String::with_capacity(picture.len() + 16);
    for node in nodes(picture).iter() {
        match node {
            Node::Separator(character) | Node::Space(character) | Node::Character(character) => out.push(*character),
            Node::Field(field) => show_field(moment, field, &mut out)?,
        }
    }
    Ok(text(&out, arena))
}

/// A number, padded with zeros to `width` unless FM says otherwise; a minus sign comes on top.
fn push_number(field: &Field, value: i64, width: usize, out: &mut String) {
    let start = out.len();
    let width = if field.is_fill_mode { 0 } else { width + usize::from(value < 0) };
    // Writing to a String cannot fail.
    let _ = write!(out, "{value:0width$}");
    push_ordinal(field, start, out);
}

/// As `push_number`, with the minus sign inside the width.
fn push_count(field: &Field, value: i64, width: usize, out: &mut String) {
    push_number(field, value, width - usize::from(value < 0), out);
}

fn push_ordinal(field: &Field, start: usize, out: &mut String) {
    if let Some(case) = field.ordinal {
        let suffix = ordinal_suffix(&out[start..], case);
        out.push_str(suffix);
    }
}

/// A name in the case its keyword has; padded to `width` with blanks.
fn push_name(field: &Field, name: &str, width: usize, out: &mut String) {
    let shown = match field.case {
        Case::Upper => name.to_uppercase(),
        Case::Capital => name.to_owned(),
        Case::Lower => name.to_lowercase(),
    };
    let width = if field.is_fill_mode { 0 } else { width };
    // Writing to a String cannot fail.
    let _ = write!(out, "{shown:<width$}");
}

fn push_marker(field: &Field, marker: [&str; 2], is_dotted: bool, second: bool, out: &mut String) {
    let marker = marker[usize::from(second)];
    let shown = if is_dotted { marker.chars().flat_map(|letter| [letter, '.']).collect() } else { marker.to_owned() };
    out.push_str(&if field.case == Case::Lower { shown.to_lowercase() } else { shown });
}

fn show_field(moment: &Moment, field: &Field, out: &mut String) -> Result<(), EvalError> {
    if moment.is_interval && !has_interval_meaning(field.unit) {
        return fail("invalid format specification for an interval value");
    }
    let offset = i64::from(moment.offset_seconds.unwrap_or(0));
    match field.unit {
        Unit::Meridiem { is_dotted } => push_marker(field, ["AM", "PM"], is_dotted, moment.hour % 24 >= 12, out),
        Unit::Era { is_dotted } => push_marker(field, ["AD", "BC"], is_dotted, moment.year <= 0, out),
        Unit::Hour12 => {
            let hour = moment.hour % 12;
            push_number(field, if hour == 0 { 12 } else { hour }, 2, out);
        }
        Unit::Hour24 => push_number(field, moment.hour, 2, out),
        Unit::Minute => push_number(field, moment.minute, 2, out),
        Unit::Second => push_number(field, moment.second, 2, out),
        Unit::Fraction(digits) => {
            let start = out.len();
            let value = moment.micros / 10i64.pow(6 - u32::from(digits));
            // Writing to a String cannot fail. FM does not shorten a fraction.
            let _ = write!(out, "{value:0width$}", width = usize::from(digits));
            push_ordinal(field, start, out);
        }
        Unit::SecondOfDay => {
            push_number(field, moment.hour * 3600 + moment.minute * 60 + moment.second, 1, out);
        }
        Unit::ZoneName => {
            if moment.offset_seconds.is_some() {
                let name = zone::session_time_zone();
                out.push_str(&if field.case == Case::Lower { name.to_lowercase() } else { name.to_owned() });
            }
        }
        Unit::ZoneHour => push_offset_hour(offset, 2, out),
        Unit::ZoneMinute => push_digits(offset.abs() % 3600 / 60, 2, out),
        Unit::ZoneOffset => {
            push_offset_hour(offset, if field.is_fill_mode { 1 } else { 2 }, out);
            if offset % 3600 != 0 {
                out.push(':');
                push_digits(offset.abs() % 3600 / 60, 2, out);
            }
        }
        Unit::MonthName => push_name(field, MONTHS[moment.month as usize - 1], 9, out),
        Unit::MonthShort => push_name(field, &MONTHS[moment.month as usize - 1][..3], 0, out),
        Unit::Month => push_number(field, moment.month, 2, out),
        Unit::DayName => push_name(field, DAYS[moment.week_day()], 9, out),
        Unit::DayShort => push_name(field, &DAYS[moment.week_day()][..3], 0, out),
        Unit::DayOfYear => push_count(field, moment.day_of_year, 3, out),
        Unit::IsoDayOfYear => {
            let (_, week) = moment.iso_year_and_week();
            push_count(field, (week - 1) * 7 + i64::from(calendar::iso_week_day(moment.days as i32)), 3, out);
        }
        Unit::Day => push_count(field, moment.day, 2, out),
        Unit::WeekDay => push_number(field, moment.week_day() as i64 + 1, 1, out),
        Unit::IsoWeekDay => push_number(field, i64::from(calendar::iso_week_day(moment.days as i32)), 1, out),
        Unit::Week => push_count(field, (moment.day_of_year - 1) / 7 + 1, 2, out),
        Unit::IsoWeek => push_count(field, moment.iso_year_and_week().1, 2, out),
        Unit::WeekOfMonth => push_number(field, (moment.day - 1) / 7 + 1, 1, out),
        Unit::Quarter => {
            if moment.month != 0 {
                push_number(field, (moment.month - 1) / 3 + 1, 1, out);
            }
        }
        Unit::Century => push_number(field, century(moment), 2, out),
        Unit::YearWithComma => {
            let start = out.len();
            let year = moment.shown_year(moment.year);
            // Writing to a String cannot fail.
            let _ = write!(out, "{},{:03}", year / 1000, year % 1000);
            push_ordinal(field, start, out);
        }
        Unit::Year(digits) => push_year(field, moment.shown_year(moment.year), digits, out),
        Unit::IsoYear(digits) => push_year(field, moment.shown_year(moment.iso_year_and_week().0), digits, out),
        Unit::RomanMonth => {
            if moment.month != 0 || moment.year != 0 {
                // An interval's whole years show as December; negative months count backwards.
                let index = match moment.month {
                    0 if moment.year >= 0 => 11,
                    0 => 0,
                    month if month < 0 => 12 + month,
                    month => month - 1,
                };
                push_name(field, ROMAN_MONTHS[index as usize], 4, out);
            }
        }
        Unit::Julian => push_number(field, moment.days + EPOCH_JULIAN_DAY, 1, out),
        Unit::FixedWidth => {}
    }
    Ok(())
}

fn has_interval_meaning(unit: Unit) -> bool {
    !matches!(
        unit,
        Unit::Era { .. }
            | Unit::ZoneName
            | Unit::ZoneHour
            | Unit::ZoneMinute
            | Unit::ZoneOffset
            | Unit::MonthName
            | Unit::MonthShort
            | Unit::DayName
            | Unit::DayShort
            | Unit::WeekDay
            | Unit::IsoWeekDay
    )
}

fn push_digits(value: i64, width: usize, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value:0width$}");
}

fn push_offset_hour(offset_seconds: i64, width: usize, out: &mut String) {
    out.push(if offset_seconds >= 0 { '+' } else { '-' });
    push_digits(offset_seconds.abs() / 3600, width, out);
}

/// The years 1901 to 2000 are the 20th century, 600 to 501 BC the sixth before Christ.
fn century(moment: &Moment) -> i64 {
    match moment.year {
        year if moment.is_interval => year / 100,
        year if year > 0 => (year - 1) / 100 + 1,
        year => year / 100 - 1,
    }
}

fn push_year(field: &Field, year: i64, digits: u8, out: &mut String) {
    match digits {
        4 => push_number(field, year, 4, out),
        1 => push_number(field, year % 10, 1, out),
        digits => {
            let value = year % 10i64.pow(u32::from(digits));
            // The room for a sign is the year's, even where the shortened number has none.
            let width = usize::from(digits) + usize::from(year < 0 && value >= 0);
            push_number(field, value, width, out);
        }
    }
}
