//! Dates and times as SQLite stores them: text that sorts in time order and that SQLite's own date functions read.
//!
//! ```text
//!   date 2024-03-01     timestamp 2024-03-01 12:00:00.250000     timestamptz 2024-03-01 11:00:00.250000+00:00
//! ```
//!
//! As PostgreSQL prints them, but for two things: the offset is `+00:00`, because SQLite's `date()` and Python's `fromisoformat`
//! read nothing of `+00`; and six digits follow the point, or none, because some readers take `.5` for five microseconds.

use chrono_tz::Tz;
use row::calendar::{self, MICROS_PER_SECOND, is_infinite_timestamp};

pub fn time_text(micros: i64) -> String {
    with_six_digits(&calendar::format_time(micros), micros)
}

pub fn timestamp_text(micros: i64) -> String {
    if is_infinite_timestamp(micros) {
        return calendar::format_timestamp(micros);
    }
    let (text, era) = local(micros);
    text + era
}

/// On UTC's wall clock.
pub fn timestamptz_text(micros: i64) -> String {
    if is_infinite_timestamp(micros) {
        return calendar::format_timestamp(micros);
    }
    let (text, era) = local(micros);
    text + "+00:00" + era
}

pub fn parse_timestamptz(text: &str) -> Option<i64> {
    calendar::parse_timestamptz(text, Tz::UTC).ok()
}

/// The text without, and then with what follows the offset: ` BC` or nothing.
fn local(micros: i64) -> (String, &'static str) {
    let text = calendar::format_timestamp(micros);
    match text.strip_suffix(" BC") {
        Some(text) => (with_six_digits(text, micros), " BC"),
        None => (with_six_digits(&text, micros), ""),
    }
}

fn with_six_digits(text: &str, micros: i64) -> String {
    let fraction = micros.rem_euclid(MICROS_PER_SECOND);
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    if fraction == 0 { whole.to_string() } else { format!("{whole}.{fraction:06}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_the_same_after_their_text() {
        assert_eq!(timestamptz_text(250_000), "1970-01-01 00:00:00.250000+00:00");
        assert_eq!(timestamp_text(-1), "1969-12-31 23:59:59.999999");
        assert_eq!(timestamptz_text(-62_135_596_800_500_000), "0001-12-31 23:59:59.500000+00:00 BC");
        assert_eq!(time_text(500_000), "00:00:00.500000");
        for micros in [0, -1, 1_709_290_800_250_000, i64::MAX, i64::MIN, -62_135_596_800_000_001] {
            assert_eq!(parse_timestamptz(&timestamptz_text(micros)), Some(micros));
            assert_eq!(calendar::parse_timestamp(&timestamp_text(micros)), Ok(micros));
        }
    }

    #[test]
    fn later_instants_have_greater_texts() {
        let micros = [0, 250_000, 500_000, 1_000_000, 1_000_001, 60_000_000];
        assert!(micros.map(timestamptz_text).is_sorted());
        assert!(micros.map(timestamp_text).is_sorted());
    }
}
