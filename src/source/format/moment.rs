//! ISO dates, times and timestamps, as databases and connectors write them.
//!
//! ```text
//!   2024-03-01   2024-03-01 12:00:00   2024-03-01T12:00:00.123456Z   +5874897-12-31Z   0044-03-15 BC   -0043-03-15
//!   12:00:00.5   24:00:00              infinity
//! ```
//!
//! Years count as in ISO 8601 when they carry a sign (-0043 is 44 BC); " BC" counts as PostgreSQL does.
//! Fractions beyond a microsecond are rounded, as PostgreSQL does. These are the forms that come in by the million, so they have
//! a reader of their own; any other text goes to PostgreSQL's rules in `row::calendar`.

use row::calendar::{
    self, DATE_INFINITY, DATE_MAX, DATE_MIN, DATE_NEG_INFINITY, MICROS_PER_DAY, MICROS_PER_SECOND, TIMESTAMP_INFINITY,
    TIMESTAMP_MAX, TIMESTAMP_MIN, TIMESTAMP_NEG_INFINITY,
};

/// A day number, if PostgreSQL's `date` can hold it.
pub fn date_from_days(days: i64) -> Option<i32> {
    i32::try_from(days).ok().filter(|days| (DATE_MIN..=DATE_MAX).contains(days))
}

/// Microseconds, if a timestamp can hold them.
pub fn timestamp_from_micros(micros: i128) -> Option<i64> {
    i64::try_from(micros).ok().filter(|micros| (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(micros))
}

/// What becomes of an offset at the end of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// `timestamp`: the clock's face counts, as in PostgreSQL's cast.
    Ignored,
    /// `timestamptz`: moved to UTC; without an offset the text is UTC.
    Applied,
}

/// Days since 1970; a time after the date is dropped, as PostgreSQL does.
pub fn date(text: &str) -> Option<i32> {
    match text {
        "infinity" => Some(DATE_INFINITY),
        "-infinity" => Some(DATE_NEG_INFINITY),
        _ => iso_date(text).or_else(|| calendar::parse_date(text).ok()),
    }
}

fn iso_date(text: &str) -> Option<i32> {
    let mut scan = Scan::new(text);
    let days = scan.date()?;
    if scan.eat(b'T') || scan.eat(b' ') {
        scan.time()?;
    }
    scan.offset()?;
    if scan.at_end() { date_from_days(days) } else { None }
}

/// Microseconds since 1970; a date alone is its midnight.
pub fn timestamp(text: &str, offset: Offset) -> Option<i64> {
    let by_rules = || match offset {
        Offset::Ignored => calendar::parse_timestamp(text).ok(),
        Offset::Applied => calendar::parse_timestamptz(text, chrono_tz::UTC).ok(),
    };
    match text {
        "infinity" => Some(TIMESTAMP_INFINITY),
        "-infinity" => Some(TIMESTAMP_NEG_INFINITY),
        _ => iso_timestamp(text, offset).or_else(by_rules),
    }
}

/// `2024-03-01 12:00:00`, also with a `T`: what needs no look at its other forms, which it gives back as `None`.
#[inline]
pub fn plain_timestamp(text: &str) -> Option<i64> {
    let text: &[u8; 19] = text.as_bytes().try_into().ok()?;
    let two = |at: usize| {
        let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
    };
    let has_signs =
        (text[4], text[7], text[13], text[16]) == (b'-', b'-', b':', b':') && matches!(text[10], b' ' | b'T');
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hours, minutes, seconds) = (two(11)?, two(14)?, two(17)?);
    if !has_signs || year == 0 || hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day)?;
    Some(days * MICROS_PER_DAY + ((hours * 60 + minutes) * 60 + seconds) * MICROS_PER_SECOND)
}

fn iso_timestamp(text: &str, offset: Offset) -> Option<i64> {
    let mut scan = Scan::new(text);
    let days = scan.date()?;
    let time = if scan.eat(b'T') || scan.eat(b' ') { scan.time()? } else { 0 };
    let east = scan.offset()?;
    let moved = if offset == Offset::Applied { east } else { 0 };
    if !scan.at_end() {
        return None;
    }
    timestamp_from_micros(i128::from(days) * i128::from(MICROS_PER_DAY) + i128::from(time - moved))
}

/// Microseconds since midnight; `24:00:00` is allowed. An offset is dropped, as in a cast to `time`.
pub fn time(text: &str) -> Option<i64> {
    let iso = || {
        let mut scan = Scan::new(text);
        let time = scan.time()?;
        scan.offset()?;
        scan.at_end().then_some(time)
    };
    iso().or_else(|| calendar::parse_time(text).ok())
}

/// A place in a text of ASCII digits and signs.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The text ended in " BC".
    before_christ: bool,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Scan<'a> {
        let text = text.trim();
        let (text, before_christ) = match text.strip_suffix(" BC") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        Scan { bytes: text.as_bytes(), at: 0, before_christ }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn digits(&mut self, at_least: usize, at_most: usize) -> Option<i64> {
        let start = self.at;
        let mut value = 0i64;
        while self.at - start < at_most
            && let Some(digit) = self.bytes.get(self.at).filter(|byte| byte.is_ascii_digit())
        {
            value = value * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        (self.at - start >= at_least).then_some(value)
    }

    /// Digits after a point, as microseconds, rounded at the seventh.
    fn fraction(&mut self) -> Option<i64> {
        let start = self.at;
        let mut micros = self.digits(1, 6)?;
        for _ in self.at - start..6 {
            micros *= 10;
        }
        if let Some(next) = self.bytes.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            micros += i64::from(*next >= b'5');
            while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
                self.at += 1;
            }
        }
        Some(micros)
    }

    fn date(&mut self) -> Option<i64> {
        let negative = self.eat(b'-');
        if !negative {
            self.eat(b'+');
        }
        let year = self.digits(4, 7)?;
        let year = match (negative, self.before_christ) {
            (true, false) => -year,
            (false, true) => 1 - year,
            (false, false) => year,
            (true, true) => return None,
        };
        let month = if self.eat(b'-') { self.digits(2, 2)? } else { return None };
        let day = if self.eat(b'-') { self.digits(2, 2)? } else { return None };
        days_from_civil(year, month, day)
    }

    fn time(&mut self) -> Option<i64> {
        let hours = self.digits(2, 2)?;
        let minutes = if self.eat(b':') { self.digits(2, 2)? } else { return None };
        let seconds = if self.eat(b':') { self.digits(2, 2)? } else { 0 };
        let micros = if self.eat(b'.') { self.fraction()? } else { 0 };
        if hours > 24 || minutes > 59 || seconds > 60 {
            return None;
        }
        let time = ((hours * 60 + minutes) * 60 + seconds) * MICROS_PER_SECOND + micros;
        (time <= MICROS_PER_DAY).then_some(time)
    }

    /// Microseconds east of UTC: nothing, `Z`, `+02`, `+02:00`, `+0200`, `+02:00:30`.
    fn offset(&mut self) -> Option<i64> {
        self.eat(b' ');
        if self.at_end() || self.eat(b'Z') {
            return Some(0);
        }
        let west = self.eat(b'-');
        if !west && !self.eat(b'+') {
            return None;
        }
        let hours = self.digits(2, 2)?;
        let minutes = if self.eat(b':') || !self.at_end() { self.digits(2, 2)? } else { 0 };
        let seconds = if self.eat(b':') { self.digits(2, 2)? } else { 0 };
        if hours > 15 || minutes > 59 || seconds > 59 {
            return None;
        }
        let east = ((hours * 60 + minutes) * 60 + seconds) * MICROS_PER_SECOND;
        Some(if west { -east } else { east })
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar; `None` for a day that does not exist.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years start in March, so that the leap day is the last of its year; an era is 400 years.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_as_databases_and_connectors_write_them() {
        let noon = 1_709_294_400_000_000;
        for text in ["2024-03-01 12:00:00", "2024-03-01T12:00:00Z", "2024-03-01T12:00", " 2024-03-01 12:00:00.0 "] {
            assert_eq!(timestamp(text, Offset::Ignored), Some(noon), "{text}");
        }
        assert_eq!(timestamp("2024-03-01 14:00:00+02", Offset::Applied), Some(noon));
        assert_eq!(timestamp("2024-03-01 14:00:00+02", Offset::Ignored), Some(noon + 7_200_000_000));
        assert_eq!(timestamp("2024-03-01T06:30:00-05:30", Offset::Applied), Some(noon));
        assert_eq!(timestamp("2024-03-01T12:00:00.0000005Z", Offset::Applied), Some(noon + 1));
        assert_eq!(timestamp("2024-03-01", Offset::Ignored), Some(noon - 43_200_000_000));
        assert_eq!(timestamp("1969-12-31 23:59:59.999999", Offset::Ignored), Some(-1));
    }

    #[test]
    fn the_plain_form_is_read_as_the_other_forms_are() {
        for text in ["2024-03-01 12:00:00", "1969-12-31T23:59:59", "0001-01-01 00:00:00", "9999-12-31 23:59:59"] {
            let micros = plain_timestamp(text);
            assert!(micros.is_some(), "{text}");
            assert_eq!(micros, iso_timestamp(text, Offset::Ignored), "{text}");
        }
        let others = [
            "0000-01-01 00:00:00",
            "2024-02-30 12:00:00",
            "2024-03-01 24:00:00",
            "2024-03-01 12:00:6x",
            "+024-03-01 12:00:00",
        ];
        for text in others {
            assert_eq!(plain_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_timestamp() {
        for text in
            ["", "2024-02-30", "2024-13-01", "2024-03-01 25:00:00", "2024-03-01x", "2024-03-01 12:00:00+", "24-03-01"]
        {
            assert_eq!(timestamp(text, Offset::Applied), None, "{text}");
        }
        assert_eq!(timestamp("+294276-12-31T23:59:59.999999Z", Offset::Applied), None, "beyond 64 bits");
    }

    #[test]
    fn years_before_the_first() {
        assert_eq!(date("0044-03-15 BC"), Some(-735_160));
        assert_eq!(date("-0043-03-15Z"), Some(-735_160));
        assert_eq!(date("0001-01-01"), Some(-719_162));
        assert_eq!(timestamp("0044-03-15 12:00:00 BC", Offset::Ignored), Some(-63_517_780_800_000_000));
        assert_eq!(date("+5874897-12-31Z"), Some(2_145_042_905));
        assert_eq!(date("-5877611-06-21Z"), None);
        assert_eq!(date("infinity"), Some(DATE_INFINITY));
    }

    #[test]
    fn midnight_at_the_end_of_the_day() {
        assert_eq!(time("24:00:00"), Some(MICROS_PER_DAY));
        assert_eq!(time("24:00:01"), None);
        assert_eq!(time("13:14:15.123456Z"), Some(47_655_123_456));
        assert_eq!(time("11:14"), Some(40_440_000_000));
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let mut expected = days_from_civil(1600, 1, 1).expect("a day");
        for year in 1600..2400 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(days) = days_from_civil(year, month, day) {
                        assert_eq!(days, expected, "{year}-{month}-{day}");
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(days_from_civil(1970, 1, 1), Some(0));
    }
}
