//! `to_date` and `to_timestamp` with a format picture.
//!
//! ```text
//!   text + picture ──read──> Parts (what stood there) ──date, clock──> days, microseconds
//! ```
//!
//! 1. Blanks before fields are skipped and separators match any separator, unless the picture starts with `FX`.
//! 2. A number takes as many digits as its keyword has letters only where another number follows directly.
//! 3. What the picture does not give is the first of its kind: month 1, day 1, midnight.

use row::Datum;
use row::calendar;

use super::Param::{Date, Text, TimestampTz};
use super::time_parts::{Convention, Parts};
use super::time_picture::{Case, DAYS, Field, MONTHS, Node, ROMAN_MONTHS, Unit, is_separator, is_space, nodes};
use super::{Implementation, fail, partial};
use crate::{EvalError, zone};

pub(super) const ROWS: &[Implementation] = &[
    partial("to_date", &[Text, Text], Date, |a, _| {
        let value = a[0].unwrap_text();
        Ok(Datum::Date(read(value, a[1].unwrap_text())?.days(value)?))
    }),
    partial("to_timestamp", &[Text, Text], TimestampTz, |a, _| {
        let value = a[0].unwrap_text();
        let parts = read(value, a[1].unwrap_text())?;
        let days = parts.days(value)?;
        let clock = parts.clock_micros(value)?;
        let out_of_range = || EvalError::new("timestamp out of range");
        let local = calendar::date_to_timestamp(days)
            .ok()
            .and_then(|midnight| midnight.checked_add(clock))
            .ok_or_else(out_of_range)?;
        let utc = match parts.zone_offset_micros(value)? {
            Some(ahead) => local.checked_sub(ahead).ok_or_else(out_of_range)?,
            None => zone::to_utc(local).map_err(EvalError::from_value)?,
        };
        Ok(Datum::TimestampTz(utc))
    }),
];

struct Reader<'t> {
    rest: &'t str,
    /// The character read last, which may be a sign that passed for a separator.
    previous: Option<char>,
    parts: Parts,
}

fn read(value: &str, picture: &str) -> Result<Parts, EvalError> {
    let mut reader = Reader { rest: value, previous: None, parts: Parts::default() };
    let nodes = nodes(picture);
    let mut is_fixed = false;
    // Characters skipped beyond what the picture asked for.
    let mut extra: i64 = 0;
    for (index, node) in nodes.iter().enumerate() {
        if reader.rest.is_empty() {
            break;
        }
        let is_fixed_switch = matches!(node, Node::Field(Field { unit: Unit::FixedWidth, .. }));
        if !is_fixed && !is_fixed_switch && (matches!(node, Node::Field(_)) || index == 0) {
            extra += reader.skip_spaces();
        }
        match node {
            Node::Separator(_) | Node::Space(_) if is_fixed => reader.skip_one(),
            Node::Separator(_) | Node::Space(_) => {
                extra -= 1;
                if reader.rest.starts_with(|next| is_space(next) || is_separator(next)) {
                    reader.skip_one();
                    extra += 1;
                }
            }
            Node::Character(_) if !is_fixed && extra > 0 => extra -= 1,
            Node::Character(_) => reader.skip_one(),
            Node::Field(field) => {
                is_fixed |= is_fixed_switch;
                reader.field(field, is_open_ended(field, nodes.get(index + 1)), extra)?;
                if !is_fixed {
                    extra = reader.skip_spaces();
                }
            }
        }
    }
    Ok(reader.parts)
}

/// Whether a number may take all digits there are: nothing that starts with a digit follows.
fn is_open_ended(field: &Field, next: Option<&Node>) -> bool {
    field.is_fill_mode
        || field.ordinal.is_some()
        || match next {
            None => true,
            Some(Node::Field(next)) => !next.unit.is_digits() || next.name.starts_with(['F', 'f']),
            Some(Node::Separator(character) | Node::Space(character) | Node::Character(character)) => {
                !character.is_ascii_digit()
            }
        }
}

/// Where a number read from the text goes.
fn set(slot: &mut i64, value: i64, field: &Field) -> Result<(), EvalError> {
    if *slot != 0 && *slot != value {
        return fail(format!("conflicting values for \"{}\" field in formatting string", field.name));
    }
    *slot = value;
    Ok(())
}

impl Reader<'_> {
    fn skip_one(&mut self) {
        let mut characters = self.rest.chars();
        self.previous = characters.next();
        self.rest = characters.as_str();
    }

    fn skip_spaces(&mut self) -> i64 {
        let mut count = 0;
        while self.rest.starts_with(is_space) {
            self.skip_one();
            count += 1;
        }
        count
    }

    /// Reads an integer; gives its value and the characters it took.
    fn integer(&mut self, field: &Field, length: usize, is_open_ended: bool) -> Result<(i64, usize), EvalError> {
        let not_an_integer = |shown: &str| EvalError::new(format!("invalid value \"{shown}\" for \"{}\"", field.name));
        self.skip_spaces();
        let copy = super::text::slice(self.rest, 0, length);
        let used = if is_open_ended {
            integer_length(self.rest)
        } else {
            if copy.chars().count() < length {
                return fail(format!("source string too short for \"{}\" formatting field", field.name));
            }
            let used = integer_length(copy);
            if used > 0 && used < length {
                return Err(not_an_integer(copy));
            }
            used
        };
        if used == 0 {
            return Err(not_an_integer(copy));
        }
        let parsed = self.rest[..used].parse::<i32>();
        let value = parsed
            .map_err(|_| EvalError::new(format!("value for \"{}\" in source string is out of range", field.name)))?;
        self.previous = self.rest[..used].chars().next_back();
        self.rest = &self.rest[used..];
        Ok((i64::from(value), used))
    }

    /// Reads one of several names, in any case.
    fn name(&mut self, field: &Field, names: &[&str]) -> Result<usize, EvalError> {
        for (index, name) in names.iter().enumerate() {
            if self.rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
                self.previous = name.chars().next_back();
                self.rest = &self.rest[name.len()..];
                return Ok(index);
            }
        }
        let shown = self.rest.split(is_space).next().unwrap_or("");
        fail(format!("invalid value \"{shown}\" for \"{}\"", field.name))
    }

    fn skip_ordinal(&mut self, field: &Field) {
        if field.ordinal.is_some() {
            self.skip_one();
            self.skip_one();
        }
    }

    fn convention(&mut self, convention: Convention) -> Result<(), EvalError> {
        match self.parts.convention.replace(convention) {
            Some(other) if other != convention => fail("invalid combination of date conventions"),
            _ => Ok(()),
        }
    }

    fn field(&mut self, field: &Field, is_open: bool, extra: i64) -> Result<(), EvalError> {
        if let Some(convention) = convention_of(field.unit) {
            self.convention(convention)?;
        }
        let length = field.name.len();
        match field.unit {
            Unit::FixedWidth => {}
            Unit::Meridiem { is_dotted } => {
                let index = self.name(field, if is_dotted { &["a.m.", "p.m."] } else { &["am", "pm"] })?;
                set(&mut self.parts.is_pm, index as i64, field)?;
                self.parts.is_12_hour = true;
            }
            Unit::Era { is_dotted } => {
                let index = self.name(field, if is_dotted { &["a.d.", "b.c."] } else { &["ad", "bc"] })?;
                set(&mut self.parts.is_bc, index as i64, field)?;
            }
            Unit::MonthName => {
                let index = self.name(field, &MONTHS)?;
                set(&mut self.parts.month, index as i64 + 1, field)?;
            }
            Unit::MonthShort => {
                let index = self.name(field, &MONTHS.map(|name| &name[..3]))?;
                set(&mut self.parts.month, index as i64 + 1, field)?;
            }
            Unit::RomanMonth => {
                // Longest first, so that VIII is not taken for V.
                let reversed: Vec<&str> = ROMAN_MONTHS.iter().rev().copied().collect();
                let index = self.name(field, &reversed)?;
                set(&mut self.parts.month, 12 - index as i64, field)?;
            }
            Unit::DayName => self.parts.week_day = self.name(field, &DAYS)? as i64 + 1,
            Unit::DayShort => self.parts.week_day = self.name(field, &DAYS.map(|name| &name[..3]))? as i64 + 1,
            Unit::ZoneName | Unit::ZoneOffset => {
                let shown = if field.case == Case::Lower { field.name.to_lowercase() } else { field.name.to_owned() };
                return fail(format!("formatting field \"{shown}\" is only supported in to_char"));
            }
            Unit::ZoneHour => {
                self.parts.zone_sign = match self.rest.chars().next() {
                    Some(sign @ ('+' | '-' | ' ')) => {
                        self.skip_one();
                        if sign == '-' { -1 } else { 1 }
                    }
                    // The sign may have passed for a separator.
                    _ if extra > 0 && self.previous == Some('-') => -1,
                    _ => 1,
                };
                let (value, _) = self.integer(field, 2, is_open)?;
                set(&mut self.parts.zone_hour, value, field)?;
            }
            Unit::ZoneMinute => {
                if self.parts.zone_sign == 0 {
                    self.parts.zone_sign = 1;
                }
                let (value, _) = self.integer(field, 2, is_open)?;
                set(&mut self.parts.zone_minute, value, field)?;
            }
            Unit::YearWithComma => {
                let value = self.year_with_comma()?;
                set(&mut self.parts.year, value, field)?;
                self.parts.year_digits = 4;
                self.skip_ordinal(field);
            }
            Unit::Year(digits) | Unit::IsoYear(digits) => {
                let (value, used) = self.integer(field, length, is_open)?;
                set(&mut self.parts.year, value, field)?;
                if digits < 4 && used < 4 {
                    self.parts.year = near_2020(value);
                }
                self.parts.year_digits = digits;
                self.skip_ordinal(field);
            }
            Unit::Fraction(digits) => {
                let is_millis = field.name.eq_ignore_ascii_case("ms");
                let (value, used) = self.integer(field, usize::from(digits), is_open)?;
                let slot = if is_millis { &mut self.parts.millis } else { &mut self.parts.micros };
                set(slot, value, field)?;
                // 25 behind the point is 250 thousandths.
                let places: usize = if is_millis { 3 } else { 6 };
                *slot = value.saturating_mul(10i64.pow(places.saturating_sub(used) as u32));
                self.skip_ordinal(field);
            }
            unit => {
                let length = match unit {
                    Unit::Hour12 | Unit::Hour24 => 2,
                    Unit::IsoDayOfYear => 3,
                    Unit::IsoWeekDay => 1,
                    _ => length,
                };
                let (value, _) = self.integer(field, length, is_open)?;
                self.number(field, value)?;
                self.skip_ordinal(field);
            }
        }
        Ok(())
    }

    /// Fields that are a plain number.
    fn number(&mut self, field: &Field, value: i64) -> Result<(), EvalError> {
        let parts = &mut self.parts;
        let slot = match field.unit {
            Unit::Hour12 => {
                parts.is_12_hour = true;
                &mut parts.hour
            }
            Unit::Hour24 => &mut parts.hour,
            Unit::Minute => &mut parts.minute,
            Unit::Second => &mut parts.second,
            Unit::SecondOfDay => &mut parts.second_of_day,
            Unit::Month => &mut parts.month,
            Unit::Day => &mut parts.day,
            Unit::DayOfYear | Unit::IsoDayOfYear => &mut parts.day_of_year,
            Unit::WeekDay => &mut parts.week_day,
            Unit::IsoWeekDay => {
                set(&mut parts.week_day, value, field)?;
                // From Monday = 1 to Sunday = 1.
                parts.week_day = if value + 1 > 7 { 1 } else { value + 1 };
                return Ok(());
            }
            Unit::Week | Unit::IsoWeek => &mut parts.week,
            Unit::WeekOfMonth => &mut parts.week_of_month,
            Unit::Century => &mut parts.century,
            Unit::Julian => &mut parts.julian,
            // A quarter is read and not used: it names no one day.
            _ => return Ok(()),
        };
        set(slot, value, field)
    }

    fn year_with_comma(&mut self) -> Result<i64, EvalError> {
        let invalid = || EvalError::new("invalid input string for \"Y,YYY\"");
        let thousands = integer_length(self.rest);
        let tail = self.rest[thousands..].strip_prefix(',').ok_or_else(invalid)?;
        let years = tail.bytes().take(3).take_while(u8::is_ascii_digit).count();
        let whole: i64 = self.rest[..thousands].trim().parse().map_err(|_| invalid())?;
        let rest: i64 = tail[..years].parse().map_err(|_| invalid())?;
        self.rest = &tail[years..];
        i32::try_from(whole.saturating_mul(1000) + rest)
            .map(i64::from)
            .map_err(|_| EvalError::new("value for \"Y,YYY\" in source string is out of range"))
    }
}

fn convention_of(unit: Unit) -> Option<Convention> {
    Some(match unit {
        Unit::DayOfYear
        | Unit::Day
        | Unit::WeekDay
        | Unit::Month
        | Unit::MonthName
        | Unit::MonthShort
        | Unit::RomanMonth
        | Unit::Week
        | Unit::WeekOfMonth
        | Unit::YearWithComma
        | Unit::Year(_) => Convention::Gregorian,
        Unit::IsoDayOfYear | Unit::IsoWeekDay | Unit::IsoWeek | Unit::IsoYear(_) => Convention::IsoWeek,
        _ => return None,
    })
}

/// The length of an integer with its sign, blanks before it counted.
fn integer_length(text: &str) -> usize {
    let blanks = text.len() - text.trim_start_matches(is_space).len();
    let sign = usize::from(text[blanks..].starts_with(['-', '+']));
    let digits = text[blanks + sign..].bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 { 0 } else { blanks + sign + digits }
}

/// A year of fewer than four digits is the one nearest to 2020.
fn near_2020(year: i64) -> i64 {
    match year {
        ..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}
