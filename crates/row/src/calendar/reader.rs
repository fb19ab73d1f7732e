//! The fields of a date and time, put in their places one by one: what a number means depends on those before it.

use chrono_tz::Tz;

use super::tokens::{self, Field, FieldKind};
use super::{
    CalendarError, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND, days_from_ymd, days_in_month, parse_zone,
};

/// A day (unless only a time was asked for), a time of day and perhaps a zone.
pub(super) struct Point {
    pub year: i32,
    pub month: u32,
    pub day: u32,
    pub time: i64,
    pub zone: Option<Zone>,
}

#[derive(Clone, Copy)]
pub(super) enum Zone {
    Offset(i32),
    Named(Tz),
}

impl Point {
    pub fn days(&self) -> Option<i32> {
        days_from_ymd(self.year, self.month, self.day)
    }
}

/// Why a text is refused; the caller adds the text.
pub(super) enum Refusal {
    Format,
    Range,
    Other(CalendarError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meridian {
    Am,
    Pm,
}

/// What the next number must be, said by a word before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Time,
    JulianDay,
}

/// The fields met so far.
pub(super) struct Reader<'a> {
    text: &'a str,
    time_only: bool,
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    time: Option<i64>,
    zone: Option<Zone>,
    meridian: Option<Meridian>,
    before_christ: Option<bool>,
    month_is_text: bool,
    year_is_short: bool,
    /// The date came as a Julian day, which knows year zero.
    julian: bool,
    week_day_seen: bool,
    expected: Option<Expected>,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str, time_only: bool) -> Reader<'a> {
        Reader {
            text,
            time_only,
            year: None,
            month: None,
            day: None,
            day_of_year: None,
            time: None,
            zone: None,
            meridian: None,
            before_christ: None,
            month_is_text: false,
            year_is_short: false,
            julian: false,
            week_day_seen: false,
            expected: None,
        }
    }

    pub fn read(&mut self, fields: &[Field]) -> Result<(), Refusal> {
        for (index, field) in fields.iter().enumerate() {
            match field.kind {
                FieldKind::Date => self.date_field(&field.text)?,
                FieldKind::Time => {
                    if self.expected.take().is_some_and(|expected| expected != Expected::Time) {
                        return Err(Refusal::Format);
                    }
                    self.set_time(colon_time(&field.text)?)?;
                }
                FieldKind::Signed => {
                    let offset = tokens::zone_offset(&field.text, self.text).ok_or(Refusal::Format)?;
                    self.set_zone(Zone::Offset(offset.map_err(Refusal::Other)?))?;
                }
                FieldKind::Number => self.number_field(&field.text)?,
                FieldKind::Word | FieldKind::Special => self.word(&field.text, fields.get(index + 1), fields.len())?,
            }
        }
        if self.expected.is_some() { Err(Refusal::Format) } else { Ok(()) }
    }

    fn has_date(&self) -> bool {
        self.year.is_some() && self.month.is_some() && self.day.is_some()
    }

    fn date_field(&mut self, text: &str) -> Result<(), Refusal> {
        let expected = self.expected.take();
        let is_zone_or_time = expected.is_some()
            || (self.month.is_some() && self.day.is_some())
            || self.time_only && !text.starts_with(|c: char| c.is_ascii_digit());
        if !is_zone_or_time {
            return self.delimited_date(text);
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            // A time without colons and the zone behind it: 040506-08.
            if self.time.is_some() || expected == Some(Expected::JulianDay) {
                return Err(Refusal::Format);
            }
            let at = text.find('-').ok_or(Refusal::Format)?;
            let offset = tokens::zone_offset(&text[at..], self.text).ok_or(Refusal::Format)?;
            self.set_zone(Zone::Offset(offset.map_err(Refusal::Other)?))?;
            return self.concatenated(&text[..at]);
        }
        let zone = parse_zone(text).map_err(Refusal::Other)?;
        self.set_zone(Zone::Named(zone))
    }

    fn delimited_date(&mut self, text: &str) -> Result<(), Refusal> {
        // PostgreSQL wants such a date before everything but a zone.
        if self.time.is_some() || self.week_day_seen || self.meridian.is_some() || self.before_christ.is_some() {
            return Err(Refusal::Format);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let length = if digits > 0 { digits } else { rest.bytes().take_while(u8::is_ascii_alphabetic).count() };
            if length == 0 {
                return Err(Refusal::Format);
            }
            parts.push(&rest[..length]);
            rest = &rest[length..];
            // One separator, if any.
            rest = rest.strip_prefix(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest);
        }
        for part in parts.iter().filter(|part| !part.as_bytes()[0].is_ascii_digit()) {
            let month = tokens::month(part).filter(|_| self.month.is_none()).ok_or(Refusal::Format)?;
            self.month = Some(month);
            self.month_is_text = true;
        }
        for part in parts.iter().filter(|part| part.as_bytes()[0].is_ascii_digit()) {
            if self.has_date() {
                return Err(Refusal::Format);
            }
            self.date_number(part)?;
        }
        if self.year.is_some() && self.day_of_year.is_some() || self.has_date() { Ok(()) } else { Err(Refusal::Format) }
    }

    fn number_field(&mut self, text: &str) -> Result<(), Refusal> {
        match self.expected.take() {
            Some(Expected::JulianDay) => return self.julian_day(text),
            Some(Expected::Time) => return self.concatenated_time(text),
            None => {}
        }
        if self.time_only {
            return self.concatenated_time(text);
        }
        let date_done = self.has_date() || self.day_of_year.is_some();
        let whole = text.find('.').unwrap_or(text.len());
        if whole < text.len() && !date_done && self.year.is_none() && self.month.is_none() && whole <= 4 {
            return self.delimited_date(text);
        }
        if whole < text.len() && whole > 2 {
            return self.concatenated(text);
        }
        if text.len() >= 6 && (!date_done || self.time.is_none()) {
            return self.concatenated(text);
        }
        self.date_number(text)
    }

    /// One number of a date, by its length and by what is known already.
    fn date_number(&mut self, text: &str) -> Result<(), Refusal> {
        if text.contains('.') {
            return if text.find('.').is_some_and(|whole| whole > 2) {
                self.concatenated(text)
            } else {
                Err(Refusal::Format)
            };
        }
        let value: u32 = text.parse().map_err(|_| Refusal::Range)?;
        let long = text.len() >= 3;
        if self.day_of_year.is_some() {
            return self.concatenated_time(text);
        }
        if text.len() == 3
            && self.year.is_some()
            && self.month.is_none()
            && self.day.is_none()
            && (1..=366).contains(&value)
        {
            self.day_of_year = Some(value);
            return Ok(());
        }
        match (self.year, self.month, self.day) {
            (None, None, None) if long => self.set_year(text, value),
            (None, None, None) | (Some(_), None, None) | (None, None, Some(_)) => {
                self.month = Some(value);
                Ok(())
            }
            (None, Some(_), None) if self.month_is_text && long => self.set_year(text, value),
            (None, Some(_), None) => {
                self.day = Some(value);
                Ok(())
            }
            (Some(year), Some(_), None) if self.month_is_text && long && self.year_is_short => {
                // The first number was the day after all: 1-Mar-2024 read year first.
                self.day = u32::try_from(year).ok();
                self.set_year(text, value)
            }
            (Some(_), Some(_), None) => {
                self.day = Some(value);
                Ok(())
            }
            (None, Some(_), Some(_)) => self.set_year(text, value),
            _ => self.concatenated_time(text),
        }
    }

    fn set_year(&mut self, text: &str, value: u32) -> Result<(), Refusal> {
        self.year = Some(i32::try_from(value).map_err(|_| Refusal::Range)?);
        self.year_is_short = text.len() <= 2;
        Ok(())
    }

    /// 20240301, 240301, or a time such as 040506.789.
    fn concatenated(&mut self, text: &str) -> Result<(), Refusal> {
        if text.contains('.') || self.has_date() || self.day_of_year.is_some() {
            return self.concatenated_time(text);
        }
        if text.len() < 6 || self.year.is_some() || self.month.is_some() || self.day.is_some() || !text.is_ascii() {
            return self.concatenated_time(text);
        }
        let (rest, day) = text.split_at(text.len() - 2);
        let (year, month) = rest.split_at(rest.len() - 2);
        let number = |part: &str| part.parse::<u32>().map_err(|_| Refusal::Range);
        self.month = Some(number(month)?);
        self.day = Some(number(day)?);
        self.set_year(year, number(year)?)
    }

    /// HHMMSS, HHMMSS.fff or HHMM.
    fn concatenated_time(&mut self, text: &str) -> Result<(), Refusal> {
        let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
        let number = |at: usize| whole.get(at..at + 2).and_then(|part| part.parse::<i64>().ok()).ok_or(Refusal::Format);
        let seconds = match whole.len() {
            6 => clock_seconds(number(0)?, number(2)?, number(4)?)?,
            4 => clock_seconds(number(0)?, number(2)?, 0)?,
            _ => return Err(Refusal::Format),
        };
        self.set_time(seconds * MICROS_PER_SECOND + fraction_micros(fraction)?)
    }

    fn set_time(&mut self, time: i64) -> Result<(), Refusal> {
        if time > MICROS_PER_DAY {
            return Err(Refusal::Range);
        }
        if self.time.replace(time).is_some() { Err(Refusal::Format) } else { Ok(()) }
    }

    fn set_zone(&mut self, zone: Zone) -> Result<(), Refusal> {
        if self.zone.replace(zone).is_some() { Err(Refusal::Format) } else { Ok(()) }
    }

    fn julian_day(&mut self, text: &str) -> Result<(), Refusal> {
        let day: i64 = text.parse().map_err(|_| Refusal::Format)?;
        if self.year.is_some() || self.month.is_some() || self.day.is_some() {
            return Err(Refusal::Format);
        }
        let days = i32::try_from(day - 2_440_588).map_err(|_| Refusal::Range)?;
        let (year, month, day) = super::ymd_from_days(days);
        (self.year, self.month, self.day, self.julian) = (Some(year), Some(month), Some(day), true);
        Ok(())
    }

    fn word(&mut self, word: &str, next: Option<&Field>, fields: usize) -> Result<(), Refusal> {
        if let Some(month) = tokens::month(word) {
            // A number before the month was the day: 1 March 2024.
            if let (Some(number), false, None) = (self.month, self.month_is_text, self.day) {
                self.day = Some(number);
            } else if self.month.is_some() {
                return Err(Refusal::Format);
            }
            self.month = Some(month);
            self.month_is_text = true;
            return Ok(());
        }
        if tokens::is_week_day(word) {
            return if std::mem::replace(&mut self.week_day_seen, true) { Err(Refusal::Format) } else { Ok(()) };
        }
        match word {
            "at" | "on" => Ok(()),
            "am" | "pm" => {
                let meridian = if word == "am" { Meridian::Am } else { Meridian::Pm };
                if self.meridian.replace(meridian).is_some() { Err(Refusal::Format) } else { Ok(()) }
            }
            "ad" | "bc" => {
                if self.before_christ.replace(word == "bc").is_some() {
                    Err(Refusal::Format)
                } else {
                    Ok(())
                }
            }
            "t" => {
                let sensible =
                    next.is_some_and(|next| matches!(next.kind, FieldKind::Number | FieldKind::Time | FieldKind::Date));
                if !sensible || !(self.has_date() || self.day_of_year.is_some() || self.time_only) {
                    return Err(Refusal::Format);
                }
                self.expected = Some(Expected::Time);
                Ok(())
            }
            "j" | "jd" | "julian" => {
                self.expected = Some(Expected::JulianDay);
                Ok(())
            }
            "allballs" => {
                self.set_time(0)?;
                self.set_zone(Zone::Offset(0))
            }
            "now" | "today" | "tomorrow" | "yesterday" if fields <= 2 => {
                Err(Refusal::Other(CalendarError::ClockWord(self.text.to_string())))
            }
            _ => {
                let zone = match tokens::zone_abbreviation(word) {
                    Some(seconds) => Zone::Offset(seconds),
                    None => Zone::Named(parse_zone(word).map_err(|_| Refusal::Format)?),
                };
                self.set_zone(zone)
            }
        }
    }

    pub fn finish(mut self) -> Result<Point, Refusal> {
        let mut time = self.time;
        if let (Some(meridian), Some(micros)) = (self.meridian, time) {
            let hour = micros / MICROS_PER_HOUR;
            let shift = match meridian {
                _ if hour > 12 => return Err(Refusal::Range),
                Meridian::Am if hour == 12 => -12,
                Meridian::Pm if hour != 12 => 12,
                _ => 0,
            };
            time = Some(micros + shift * MICROS_PER_HOUR);
        }
        if self.time_only {
            let time = time.ok_or(Refusal::Format)?;
            return Ok(Point { year: 1970, month: 1, day: 1, time, zone: self.zone });
        }
        let before_christ = self.before_christ == Some(true);
        let year = match self.year {
            Some(year) if self.julian => Some(year),
            Some(year) if self.year_is_short && !before_christ => Some(year + if year < 70 { 2000 } else { 1900 }),
            // There is no year zero: 1 BC comes before 1 AD.
            Some(..=0) => return Err(Refusal::Range),
            Some(year) if before_christ => Some(1 - year),
            year => year,
        };
        // A month that cannot be is out of range even where the rest of the date is missing.
        if self.month.is_some_and(|month| !(1..=12).contains(&month))
            || self.day.is_some_and(|day| !(1..=31).contains(&day))
        {
            return Err(Refusal::Range);
        }
        let year = year.ok_or(Refusal::Format)?;
        if let Some(mut left) = self.day_of_year {
            let mut month = 1;
            while month <= 12 && left > days_in_month(year, month) {
                left -= days_in_month(year, month);
                month += 1;
            }
            if month > 12 {
                return Err(Refusal::Range);
            }
            (self.month, self.day) = (Some(month), Some(left));
        }
        let (month, day) = (self.month.ok_or(Refusal::Format)?, self.day.ok_or(Refusal::Format)?);
        if day > days_in_month(year, month) {
            return Err(Refusal::Range);
        }
        Ok(Point { year, month, day, time: time.unwrap_or(0), zone: self.zone })
    }
}

/// HH:MM, HH:MM:SS or HH:MM:SS.fff in microseconds; MM:SS.fff too, as PostgreSQL has it.
fn colon_time(text: &str) -> Result<i64, Refusal> {
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let micros = fraction_micros(fraction)?;
    let number = |part: &str| match part.parse::<i64>() {
        Ok(value) => Ok(value),
        Err(_) if part.is_empty() => Err(Refusal::Format),
        Err(_) => Err(Refusal::Range),
    };
    let parts: Vec<&str> = whole.split(':').collect();
    let seconds = match parts.as_slice() {
        [minutes, seconds] if !fraction.is_empty() => clock_seconds(0, number(minutes)?, number(seconds)?)?,
        [hours, minutes] => clock_seconds(number(hours)?, number(minutes)?, 0)?,
        [hours, minutes, seconds] => clock_seconds(number(hours)?, number(minutes)?, number(seconds)?)?,
        _ => return Err(Refusal::Format),
    };
    Ok(seconds * MICROS_PER_SECOND + micros)
}

fn clock_seconds(hours: i64, minutes: i64, seconds: i64) -> Result<i64, Refusal> {
    // Second 60 is the start of the next minute.
    if hours > 24 || minutes > 59 || seconds > 60 {
        return Err(Refusal::Range);
    }
    Ok(hours * 3_600 + minutes * 60 + seconds)
}

/// `.123456` (or nothing) in microseconds, rounded as PostgreSQL rounds it.
pub(super) fn fraction_micros_of(fraction: &str) -> Option<i64> {
    let digits = fraction.strip_prefix('.').unwrap_or(fraction);
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let value: f64 = if digits.is_empty() { 0.0 } else { format!("0.{digits}").parse().ok()? };
    Some((value * 1_000_000.0).round_ties_even() as i64)
}

fn fraction_micros(fraction: &str) -> Result<i64, Refusal> {
    fraction_micros_of(fraction).ok_or(Refusal::Format)
}
