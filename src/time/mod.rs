//! The only door to wall time, and the clock that cuts carry.
//!
//! 1. A cut's clock never goes back: it is the greatest of what was stored and what is new.
//! 2. Nothing else in livemart asks the system for the time; durations are measured with `Instant` where they are reported.

use std::time::{SystemTime, UNIX_EPOCH};

/// How a target's clock moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockMode {
    /// The system's time.
    Wall,
    /// The greatest time that an event has shown.
    Event,
    /// One moment, microseconds since 1970 UTC.
    Fixed(i64),
}

/// The logical clock of an instance, in microseconds since 1970 UTC.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    mode: ClockMode,
    now: i64,
}

impl Clock {
    /// A clock that goes on from the stored time of the last cut.
    pub fn new(mode: ClockMode, stored: Option<i64>) -> Clock {
        let now = match mode {
            ClockMode::Fixed(at) => at,
            ClockMode::Wall | ClockMode::Event => stored.unwrap_or(0),
        };
        Clock { mode, now }
    }

    /// Takes note of an event's time.
    pub fn see(&mut self, event_time: i64) {
        if self.mode == ClockMode::Event {
            self.now = self.now.max(event_time);
        }
    }

    /// The time of an epoch that closes now.
    pub fn close_epoch(&mut self) -> i64 {
        if self.mode == ClockMode::Wall {
            self.now = self.now.max(wall_micros());
        }
        self.now
    }
}

/// Microseconds since 1970 UTC.
pub fn wall_micros() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}
