//! Dates and times from text as PostgreSQL reads them: DateStyle ISO, MDY.

use chrono_tz::Tz;

use super::reader::{Point, Reader, Refusal, Zone};
use super::{
    CalendarError, DATE_INFINITY, DATE_NEG_INFINITY, MICROS_PER_DAY, MICROS_PER_SECOND, TIMESTAMP_INFINITY,
    TIMESTAMP_MAX, TIMESTAMP_MIN, TIMESTAMP_NEG_INFINITY, days_in_month, tokens, zone_to_utc,
};

/// Days since 1970-01-01.
pub fn parse_date(text: &str) -> Result<i32, CalendarError> {
    match read(text, "date", false)? {
        Reading::Epoch => Ok(0),
        Reading::Infinity => Ok(DATE_INFINITY),
        Reading::NegInfinity => Ok(DATE_NEG_INFINITY),
        Reading::At(at) => at.days().ok_or_else(|| CalendarError::DateTextOutOfRange(text.to_string())),
    }
}

/// Microseconds since midnight; `24:00:00` is allowed.
pub fn parse_time(text: &str) -> Result<i64, CalendarError> {
    match read(text, "time", true)? {
        Reading::At(at) => Ok(at.time),
        _ => Err(CalendarError::InvalidSyntax { type_name: "time", text: text.to_string() }),
    }
}

/// Microseconds since 1970-01-01 00:00:00; a zone in the text is read and left out, as in PostgreSQL.
pub fn parse_timestamp(text: &str) -> Result<i64, CalendarError> {
    let reading = read(text, "timestamp", false)?;
    reading.timestamp().ok_or_else(|| CalendarError::TimestampTextOutOfRange(text.to_string()))
}

/// Microseconds since 1970-01-01 00:00:00 UTC; a text without a zone is in `zone`.
pub fn parse_timestamptz(text: &str, zone: Tz) -> Result<i64, CalendarError> {
    let reading = read(text, "timestamp with time zone", false)?;
    let out_of_range = || CalendarError::TimestampTextOutOfRange(text.to_string());
    let local = reading.timestamp().ok_or_else(out_of_range)?;
    let Reading::At(at) = reading else { return Ok(local) };
    match at.zone.unwrap_or(Zone::Named(zone)) {
        Zone::Named(zone) => zone_to_utc(local, zone).map_err(|_| out_of_range()),
        Zone::Offset(seconds) => local
            .checked_sub(i64::from(seconds) * MICROS_PER_SECOND)
            .filter(|micros| (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(micros))
            .ok_or_else(out_of_range),
    }
}

enum Reading {
    Epoch,
    Infinity,
    NegInfinity,
    At(Point),
}

impl Reading {
    fn timestamp(&self) -> Option<i64> {
        match self {
            Reading::Epoch => Some(0),
            Reading::Infinity => Some(TIMESTAMP_INFINITY),
            Reading::NegInfinity => Some(TIMESTAMP_NEG_INFINITY),
            Reading::At(at) => i64::from(at.days()?)
                .checked_mul(MICROS_PER_DAY)?
                .checked_add(at.time)
                .filter(|micros| *micros <= TIMESTAMP_MAX),
        }
    }
}

fn read(text: &str, type_name: &'static str, time_only: bool) -> Result<Reading, CalendarError> {
    // The forms that machines write need no tokens.
    if !time_only && let Some(point) = read_iso(text.as_bytes()) {
        return Ok(Reading::At(point));
    }
    let refused = |refusal: Refusal| match refusal {
        Refusal::Format => CalendarError::InvalidSyntax { type_name, text: text.to_string() },
        Refusal::Range => CalendarError::FieldOutOfRange(text.to_string()),
        Refusal::Other(error) => error,
    };
    let fields = tokens::split(text).ok_or_else(|| refused(Refusal::Format))?;
    if let [field] = fields.as_slice() {
        match field.text.as_str() {
            "epoch" if !time_only => return Ok(Reading::Epoch),
            "infinity" | "+infinity" if !time_only => return Ok(Reading::Infinity),
            "-infinity" if !time_only => return Ok(Reading::NegInfinity),
            _ => {}
        }
    }
    let mut reader = Reader::new(text, time_only);
    reader.read(&fields).and_then(|()| reader.finish()).map(Reading::At).map_err(refused)
}

/// `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS[.ffffff][Z]` of a valid day and time, and nothing else.
fn read_iso(bytes: &[u8]) -> Option<Point> {
    let (bytes, zone) = match bytes {
        [local @ .., b'Z'] if local.len() >= 19 => (local, Some(Zone::Offset(0))),
        local => (local, None),
    };
    let number = |range: std::ops::Range<usize>| {
        bytes
            .get(range)?
            .iter()
            .try_fold(0_u32, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
    };
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(0..4)? as i32, number(5..7)?, number(8..10)?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let time = if bytes.len() == 10 {
        0
    } else {
        if bytes.len() < 19 || !matches!(bytes[10], b' ' | b'T') || bytes[13] != b':' || bytes[16] != b':' {
            return None;
        }
        let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
        let micros = match bytes.len() {
            19 => 0,
            21..=26 if bytes[19] == b'.' => number(20..bytes.len())? * 10_u32.pow(26 - bytes.len() as u32),
            _ => return None,
        };
        seconds * MICROS_PER_SECOND + i64::from(micros)
    };
    Some(Point { year, month, day, time, zone })
}
