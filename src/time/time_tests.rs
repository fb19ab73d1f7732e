//! The clock alone: ticks, days and what never goes back.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

const MINUTE: i64 = 60_000_000;

fn micros(text: &str) -> i64 {
    calendar::parse_timestamptz(text, Tz::UTC).unwrap()
}

fn settings(mode: ClockMode, time_zone: Tz) -> ClockSettings {
    ClockSettings { mode, time_zone, tick: Duration::from_secs(60) }
}

fn needs(now: bool, date: bool) -> ClockNeeds {
    ClockNeeds { now, date, filters: false }
}

/// A wall clock that a test turns.
fn wall(at: &str) -> (Arc<AtomicI64>, WallTime) {
    let time = Arc::new(AtomicI64::new(micros(at)));
    let read = time.clone();
    (time, WallTime::from_fn(move || read.load(Ordering::SeqCst)))
}

#[test]
fn midnight_in_berlin_is_due_and_not_midnight_in_utc() {
    let (time, source) = wall("2025-03-29 22:59:59+00");
    let settings = settings(ClockMode::Wall, Tz::Europe__Berlin);
    let mut clock = Clock::new(settings, None, needs(false, true), source);
    let first = clock.advance();
    assert!(!clock.is_due(Due::default()));
    time.store(micros("2025-03-29 23:00:00+00"), Ordering::SeqCst);
    assert!(clock.is_due(Due::default()), "30 March begins in Berlin");
    assert_eq!(clock.advance().date, first.date + 1);
    // The clocks go forward: this day has 23 hours.
    time.store(micros("2025-03-30 21:59:59.999999+00"), Ordering::SeqCst);
    assert!(!clock.is_due(Due::default()));
    time.store(micros("2025-03-30 22:00:00+00"), Ordering::SeqCst);
    assert!(clock.is_due(Due::default()));
    assert_eq!(clock.advance().date, first.date + 2);
}

#[test]
fn the_day_on_which_clocks_go_back_has_25_hours() {
    let day = |at: &str| Moment::new(micros(at), Tz::Europe__Berlin).date;
    let start = day("2025-10-25 22:00:00+00");
    assert_eq!(day("2025-10-25 21:59:59+00"), start - 1);
    assert_eq!(day("2025-10-26 22:59:59+00"), start);
    assert_eq!(day("2025-10-26 23:00:00+00"), start + 1);
}

#[test]
fn now_as_a_value_moves_in_ticks_and_filters_alone_do_not() {
    let (time, source) = wall("2025-01-01 12:00:30.5+00");
    let mut ticking = Clock::new(settings(ClockMode::Wall, Tz::UTC), None, needs(true, false), source.clone());
    assert_eq!(ticking.advance().now, micros("2025-01-01 12:00:00+00"));
    let mut plain = Clock::new(settings(ClockMode::Wall, Tz::UTC), None, ClockNeeds::default(), source);
    assert_eq!(plain.advance().now, micros("2025-01-01 12:00:30.5+00"));
    time.fetch_add(MINUTE / 4, Ordering::SeqCst);
    assert!(!ticking.is_due(Due::default()));
    time.fetch_add(MINUTE / 4, Ordering::SeqCst);
    assert!(ticking.is_due(Due::default()));
    assert!(!plain.is_due(Due { now: Some(0), date: None }), "no plan asks for the clock");
}

#[test]
fn a_wall_clock_that_was_set_back_waits_where_it_was() {
    let (time, source) = wall("2025-01-01 12:00:00+00");
    let stored = micros("2025-01-02 00:00:00+00");
    let mut clock = Clock::new(settings(ClockMode::Wall, Tz::UTC), Some(stored), needs(false, true), source);
    assert_eq!(clock.moment().now, stored);
    assert_eq!(clock.advance().now, stored);
    time.store(stored + 5, Ordering::SeqCst);
    assert_eq!(clock.advance().now, stored + 5);
}

#[test]
fn an_event_clock_follows_the_greatest_event_and_no_wall() {
    let (time, source) = wall("2025-06-01 00:00:00+00");
    let mut clock = Clock::new(settings(ClockMode::Event, Tz::UTC), None, needs(false, true), source);
    clock.see(micros("2025-01-05 00:00:00+00"));
    clock.see(micros("2025-01-03 00:00:00+00"));
    time.fetch_add(1_000 * MINUTE, Ordering::SeqCst);
    assert!(!clock.is_due(Due { now: Some(0), date: Some(0) }));
    assert_eq!(clock.advance().now, micros("2025-01-05 00:00:00+00"));
    assert!(clock.is_plausible(micros("2026-05-01 00:00:00+00")));
    assert!(!clock.is_plausible(micros("2106-01-01 00:00:00+00")));
}

#[test]
fn a_fixed_clock_stands_still() {
    let at = micros("2025-01-31 12:00:07+00");
    let (_, source) = wall("2030-01-01 00:00:00+00");
    let mut clock = Clock::new(settings(ClockMode::Fixed(at), Tz::UTC), Some(5), needs(true, true), source);
    clock.see(micros("2029-01-01 00:00:00+00"));
    assert_eq!(clock.advance().now, at);
    assert!(!clock.is_due(Due { now: Some(0), date: Some(0) }));
}
