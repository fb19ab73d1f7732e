//! The session's time zone, and what the calendar does in it.
//!
//! 1. This is the one place that knows the zone: casts, `date_trunc`, `extract` and interval arithmetic on
//!    `timestamp with time zone` all come here.
//! 2. A process has one session: its zone is set before the first expression is planned, and then stays.

use std::any::Any;
use std::cell::OnceCell;
use std::sync::OnceLock;

use row::calendar::{self, CalendarError, DateUnit};
use row::{Datum, Interval, Numeric, ScalarType};

static SESSION: OnceLock<String> = OnceLock::new();

/// The name of the zone in which timestamps with time zone are read, shown and cut.
pub fn session_time_zone() -> &'static str {
    SESSION.get_or_init(|| "UTC".to_owned())
}

/// Sets the session's zone. False when the process has already used another one: then that one stays.
///
/// Panics on a name that no zone has: the caller has looked it up.
pub fn set_session_time_zone(name: &str) -> bool {
    if let Err(error) = calendar::parse_zone(name) {
        panic!("the session's time zone must be known: {error}");
    }
    SESSION.get_or_init(|| name.to_owned()) == name
}

/// The parsed zone, looked up once per thread. Generic, because its type belongs to the calendar.
fn session<Z: Copy + 'static>(parse: fn(&str) -> Result<Z, CalendarError>) -> Z {
    thread_local! {
        static ZONE: OnceCell<Box<dyn Any>> = const { OnceCell::new() };
    }
    ZONE.with(|zone| {
        let parsed = zone.get_or_init(|| match parse(session_time_zone()) {
            Ok(parsed) => Box::new(parsed),
            Err(error) => panic!("the session's time zone must be known: {error}"),
        });
        *parsed.downcast_ref::<Z>().expect("the calendar has one zone type")
    })
}

/// The wall clock's reading at an instant.
pub(crate) fn to_local(micros: i64) -> Result<i64, CalendarError> {
    calendar::timestamp_in_zone(micros, session(calendar::parse_zone))
}

/// The instant at which the wall clock reads this.
pub(crate) fn to_utc(local: i64) -> Result<i64, CalendarError> {
    calendar::zone_to_utc(local, session(calendar::parse_zone))
}

pub(crate) fn parse_timestamptz(text: &str) -> Result<i64, CalendarError> {
    calendar::parse_timestamptz(text, session(calendar::parse_zone))
}

pub(crate) fn format_timestamptz(micros: i64) -> String {
    calendar::format_timestamptz(micros, session(calendar::parse_zone))
}

pub(crate) fn add_interval(micros: i64, interval: Interval) -> Result<i64, CalendarError> {
    calendar::add_interval_timestamptz(micros, interval, session(calendar::parse_zone))
}

pub(crate) fn sub_interval(micros: i64, interval: Interval) -> Result<i64, CalendarError> {
    calendar::sub_interval_timestamptz(micros, interval, session(calendar::parse_zone))
}

pub(crate) fn date_trunc(unit: DateUnit, micros: i64) -> Result<i64, CalendarError> {
    calendar::date_trunc_tz(unit, micros, session(calendar::parse_zone))
}

pub(crate) fn extract(unit: DateUnit, micros: i64) -> Result<Option<Numeric>, CalendarError> {
    calendar::extract_timestamptz(unit, micros, session(calendar::parse_zone))
}

pub(crate) fn utc_offset_seconds(micros: i64) -> i32 {
    calendar::utc_offset_seconds(micros, session(calendar::parse_zone))
}

/// Appends what PostgreSQL's output functions print.
pub(crate) fn write_text(datum: &Datum<'_>, out: &mut String) {
    // The type is looked at for the elements of arrays of arrays only, which there are none of.
    datum.write_text(&ScalarType::Unknown, session(calendar::parse_zone), out);
}
