use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::strategies::any_interval;

const ZONES: [Tz; 5] =
    [Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York, Tz::Asia__Kolkata, Tz::Australia__Lord_Howe];

fn ts(text: &str) -> i64 {
    parse_timestamp(text).expect("a timestamp")
}

#[test]
fn the_first_and_the_last_day_print_and_read_back() {
    assert_eq!(format_date(DATE_MIN), "4714-11-24 BC");
    assert_eq!(format_date(DATE_MAX), "5874897-12-31");
    assert_eq!(parse_date("4714-11-24 BC"), Ok(DATE_MIN));
    assert_eq!(parse_date("5874897-12-31"), Ok(DATE_MAX));
    assert_eq!(parse_date("5874898-01-01").unwrap_err().to_string(), "date out of range: \"5874898-01-01\"");
    assert_eq!(format_timestamp(TIMESTAMP_MIN), "4714-11-24 00:00:00 BC");
    assert_eq!(date_to_timestamp(DATE_MAX), Err(CalendarError::DateOutOfRangeForTimestamp));
}

#[test]
fn the_forms_that_machines_write_are_read() {
    let noon = ts("2024-03-01 12:00:00.5");
    for text in [
        "2024-03-01T12:00:00.5Z",
        "2024-03-01T12:00:00.500000Z",
        "2024-03-01 13:00:00.5+01",
        "2024-03-01T07:00:00.5-05:00",
    ] {
        assert_eq!(parse_timestamptz(text, Tz::America__New_York), Ok(noon), "{text}");
    }
    assert_eq!(parse_timestamptz("2024-03-01T07:00:00.5", Tz::America__New_York), Ok(noon));
    assert_eq!(parse_timestamp("2024-03-01T12:00:00.5Z"), Ok(noon));
}

#[test]
fn infinities_pass_through() {
    assert_eq!(parse_date("infinity"), Ok(DATE_INFINITY));
    assert_eq!(date_to_timestamp(DATE_NEG_INFINITY), Ok(TIMESTAMP_NEG_INFINITY));
    assert_eq!(timestamp_to_date(TIMESTAMP_INFINITY), DATE_INFINITY);
    assert_eq!(add_interval_timestamp(TIMESTAMP_INFINITY, Interval::new(1, 0, 0)), Ok(TIMESTAMP_INFINITY));
    assert_eq!(zone_to_utc(TIMESTAMP_NEG_INFINITY, Tz::Europe__Berlin), Ok(TIMESTAMP_NEG_INFINITY));
    assert_eq!(format_timestamptz(TIMESTAMP_NEG_INFINITY, Tz::UTC), "-infinity");
    assert_eq!(sub_timestamps(TIMESTAMP_INFINITY, 0), Err(CalendarError::SubtractInfiniteTimestamps));
}

#[test]
fn words_that_depend_on_the_clock_are_refused() {
    for text in ["now", "today", "Tomorrow", "yesterday 12:00"] {
        assert_eq!(parse_timestamp(text), Err(CalendarError::ClockWord(text.to_string())));
    }
}

#[test]
fn a_month_after_the_last_of_january_is_the_last_of_february() {
    let month = Interval::new(1, 0, 0);
    assert_eq!(add_interval_timestamp(ts("2024-01-31"), month), Ok(ts("2024-02-29")));
    assert_eq!(add_interval_timestamp(ts("2025-01-31"), month), Ok(ts("2025-02-28")));
    assert_eq!(sub_interval_timestamp(ts("2024-03-31"), month), Ok(ts("2024-02-29")));
}

#[test]
fn a_day_across_a_clock_change_keeps_the_wall_time() {
    let berlin = Tz::Europe__Berlin;
    let before = parse_timestamptz("2024-03-30 12:00", berlin).unwrap();
    let day = add_interval_timestamptz(before, Interval::new(0, 1, 0), berlin).unwrap();
    assert_eq!(format_timestamptz(day, berlin), "2024-03-31 12:00:00+02");
    let hours = add_interval_timestamptz(before, Interval::new(0, 0, MICROS_PER_DAY), berlin).unwrap();
    assert_eq!(format_timestamptz(hours, berlin), "2024-03-31 13:00:00+02");
}

#[test]
fn a_skipped_hour_is_read_as_before_the_change_and_a_repeated_one_as_after() {
    let zone = Tz::America__New_York;
    assert_eq!(zone_to_utc(ts("2024-03-10 02:30"), zone), Ok(ts("2024-03-10 07:30")));
    assert_eq!(zone_to_utc(ts("2024-11-03 01:30"), zone), Ok(ts("2024-11-03 06:30")));
}

#[test]
fn summer_time_goes_on_after_the_tables_end() {
    let berlin = Tz::Europe__Berlin;
    for year in [2090, 2095, 2096, 2100, 2101, 2437, 9999] {
        let noon = |day: &str| parse_timestamptz(&format!("{year}-{day} 12:00"), berlin).unwrap();
        assert_eq!(utc_offset_seconds(noon("07-01"), berlin), 7_200, "summer {year}");
        assert_eq!(utc_offset_seconds(noon("01-02"), berlin), 3_600, "winter {year}");
    }
}

#[test]
fn zones_are_found_in_any_case() {
    assert_eq!(parse_zone("europe/berlin"), Ok(Tz::Europe__Berlin));
    assert_eq!(parse_zone("utc"), Ok(Tz::UTC));
    assert_eq!(parse_zone("Mars/Olympus").unwrap_err().to_string(), "time zone \"Mars/Olympus\" not recognized");
}

#[test]
fn a_hostile_text_is_an_error_and_not_a_crash() {
    let long = "9".repeat(100_000);
    for text in [
        long.as_str(),
        "-",
        "+",
        "::",
        "1:",
        ":1",
        "1-",
        "--",
        "é",
        "1é",
        "P",
        "PT",
        "P-",
        "P1",
        "1e",
        "\u{0}",
        "1 \u{7f}",
    ] {
        let _ = parse_date(text);
        let _ = parse_time(text);
        let _ = parse_timestamptz(text, Tz::UTC);
        let _ = parse_interval(text);
    }
    assert!(parse_date(&long).is_err());
}

fn same_fields(a: Interval, b: Interval) -> bool {
    (a.months, a.days, a.micros) == (b.months, b.days, b.micros)
}

proptest! {
    #[test]
    fn dates_read_back(days in DATE_MIN..=DATE_MAX) {
        prop_assert_eq!(parse_date(&format_date(days)), Ok(days));
        let (year, month, day) = ymd_from_days(days);
        prop_assert_eq!(days_from_ymd(year, month, day), Some(days));
        let next = ymd_from_days(days.saturating_add(1));
        prop_assert!(days == DATE_MAX || (year, month, day) < next);
    }

    #[test]
    fn timestamps_read_back(micros in TIMESTAMP_MIN..=TIMESTAMP_MAX) {
        prop_assert_eq!(parse_timestamp(&format_timestamp(micros)), Ok(micros));
        prop_assert_eq!(join_timestamp(&split_timestamp(micros)), Some(micros));
    }

    #[test]
    fn instants_read_back_in_every_zone(micros in -62_000_000_000_000_000..250_000_000_000_000_000_i64, zone in 0..5_usize) {
        let zone = ZONES[zone];
        let text = format_timestamptz(micros, zone);
        prop_assert_eq!(parse_timestamptz(&text, Tz::UTC), Ok(micros), "{}", text);
        // A repeated hour may come back as its second pass.
        let back = zone_to_utc(timestamp_in_zone(micros, zone).unwrap(), zone).unwrap();
        prop_assert!(back == micros || back - micros == MICROS_PER_HOUR || back - micros == MICROS_PER_HOUR / 2);
    }

    #[test]
    fn times_read_back(micros in 0..=MICROS_PER_DAY) {
        prop_assert_eq!(parse_time(&format_time(micros)), Ok(micros));
    }

    #[test]
    fn intervals_read_back(interval in any_interval()) {
        let text = format_interval(interval);
        match parse_interval(&text) {
            Ok(read) => prop_assert!(same_fields(read, interval), "{}", text),
            // The size of the least integer does not fit, in PostgreSQL neither.
            Err(error) => prop_assert!(interval.micros == i64::MIN, "{}: {}", text, error),
        }
    }

    #[test]
    fn equal_intervals_have_one_normal_form(a in any_interval(), b in any_interval()) {
        prop_assert_eq!(a.normalized(), a);
        prop_assert!(same_fields(a.normalized().normalized(), a.normalized()));
        prop_assert_eq!(same_fields(a.normalized(), b.normalized()), a == b);
    }

    #[test]
    fn a_difference_added_back_is_the_later_timestamp(a in -10_i64.pow(17)..10_i64.pow(17), b in -10_i64.pow(17)..10_i64.pow(17)) {
        let difference = sub_timestamps(a, b).unwrap();
        prop_assert_eq!(add_interval_timestamp(b, difference), Ok(a));
    }

    #[test]
    fn truncating_twice_changes_nothing(micros in -10_i64.pow(17)..10_i64.pow(17), unit in 0..13_usize) {
        let units = [
            DateUnit::Microsecond, DateUnit::Millisecond, DateUnit::Second, DateUnit::Minute, DateUnit::Hour, DateUnit::Day,
            DateUnit::Week, DateUnit::Month, DateUnit::Quarter, DateUnit::Year, DateUnit::Decade, DateUnit::Century,
            DateUnit::Millennium,
        ];
        let cut = date_trunc(units[unit], micros).unwrap();
        prop_assert!(cut <= micros);
        prop_assert_eq!(date_trunc(units[unit], cut), Ok(cut));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[0-9a-zA-Z:. +/,-]{0,24}") {
        let _ = (parse_date(&text), parse_time(&text), parse_timestamptz(&text, Tz::UTC), parse_interval(&text));
    }
}
