//! The only door to wall time, and the clock that cuts carry.
//!
//! ```text
//!   wall time ─┐                       ┌─> Moment { now, date in the zone } ──> the epoch's clock relations, the cut's clock
//!   event time ┼─ Clock: max, in ticks ┤
//!   fixed      ┘                       └─> is an epoch due although no event came?
//! ```
//!
//! 1. A cut's clock never goes back: it is the greatest of what was stored and what is new.
//! 2. Nothing else in livemart asks the system for the time; durations are measured with `Instant` where they are reported.
//! 3. Where a model reads `now()` as a value the clock itself moves in ticks, so that at every cut `now()` is the cut's clock.

mod stage;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono_tz::Tz;
use row::{Datum, Row, calendar};

use crate::plan::clock::{ClockNeeds, ClockReading};

pub use stage::{Schedule, Stage};

/// How far an event's time may lie beyond the wall clock. A later one is a mistake, which would stop an event clock for ever.
const EVENT_AHEAD_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

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

/// How a clock moves, and what day it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSettings {
    pub mode: ClockMode,
    /// Whose midnight begins a day.
    pub time_zone: Tz,
    /// How far apart the values of `now()` are, where models read it as a value.
    pub tick: Duration,
}

/// A value of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Microseconds since 1970 UTC.
    pub now: i64,
    /// Days since 1970-01-01, in the clock's time zone.
    pub date: i32,
}

/// When rows move next if nothing but time comes: each the least of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    pub now: Option<i64>,
    pub date: Option<i64>,
}

/// Where wall time comes from, in microseconds since 1970 UTC: the system, or a test.
#[derive(Clone)]
pub struct WallTime(Arc<dyn Fn() -> i64 + Send + Sync>);

/// The logical clock of an instance.
#[derive(Clone, Debug)]
pub struct Clock {
    settings: ClockSettings,
    wall: WallTime,
    needs: ClockNeeds,
    now: i64,
    /// The greatest time that an event has shown.
    seen: i64,
}

impl Moment {
    pub fn new(now: i64, time_zone: Tz) -> Moment {
        // Beyond the calendar's end there is no wall clock; no clock gets there.
        let local = calendar::timestamp_in_zone(now, time_zone).unwrap_or(now);
        let days = local.div_euclid(calendar::MICROS_PER_DAY);
        Moment { now, date: i32::try_from(days).unwrap_or(i32::MAX) }
    }

    /// All readings in one row of integers, for what waits for the clock.
    pub fn tick(&self) -> Row {
        Row::pack(ClockReading::ALL.map(|reading| match reading {
            ClockReading::Now => Datum::Int(self.now),
            ClockReading::Date => Datum::Int(i64::from(self.date)),
        }))
    }

    /// The row of one of the clock's relations.
    pub fn row(&self, reading: ClockReading) -> Row {
        Row::pack([match reading {
            ClockReading::Now => Datum::TimestampTz(self.now),
            ClockReading::Date => Datum::Date(self.date),
        }])
    }
}

impl Due {
    /// The earlier of both, reading by reading.
    pub fn or_earlier(self, other: Due) -> Due {
        fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
            match (a, b) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            }
        }
        Due { now: earlier(self.now, other.now), date: earlier(self.date, other.date) }
    }
}

impl WallTime {
    pub fn system() -> WallTime {
        WallTime(Arc::new(wall_micros))
    }

    /// Another source of time, for tests.
    pub fn from_fn(micros: impl Fn() -> i64 + Send + Sync + 'static) -> WallTime {
        WallTime(Arc::new(micros))
    }

    fn micros(&self) -> i64 {
        (self.0)()
    }
}

impl Default for WallTime {
    fn default() -> WallTime {
        WallTime::system()
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallTime")
    }
}

impl Clock {
    /// A clock that goes on from the stored time of the last cut. `needs` is what the deployed models ask of it.
    pub fn new(settings: ClockSettings, stored: Option<i64>, needs: ClockNeeds, wall: WallTime) -> Clock {
        let start = match settings.mode {
            ClockMode::Fixed(at) => at,
            ClockMode::Wall | ClockMode::Event => 0,
        };
        let now = stored.unwrap_or(start);
        Clock { settings, wall, needs, now, seen: now }
    }

    /// Whether an event may bear this time.
    pub fn is_plausible(&self, event_time: i64) -> bool {
        self.settings.mode != ClockMode::Event
            || event_time <= self.wall.micros().saturating_add(EVENT_AHEAD_MAX.as_micros() as i64)
    }

    /// Follows a cut that somebody else has published.
    pub fn follow(&mut self, published: i64) {
        self.now = self.now.max(published);
        self.seen = self.seen.max(published);
    }

    /// Takes note of an event's time.
    pub fn see(&mut self, event_time: i64) {
        self.seen = self.seen.max(event_time);
    }

    /// The clock as the last epoch left it; at first, as it was stored.
    pub fn moment(&self) -> Moment {
        Moment::new(self.now, self.settings.time_zone)
    }

    /// Moves the clock to where it stands for an epoch that closes now.
    pub fn advance(&mut self) -> Moment {
        self.now = self.reading();
        self.moment()
    }

    /// Whether some row moves by time alone: the clock has reached a value that some model or filter waits for.
    ///
    /// Only the wall clock moves without events.
    pub fn is_due(&self, due: Due) -> bool {
        if self.settings.mode != ClockMode::Wall || !self.needs.any() {
            return false;
        }
        let (old, new) = (self.moment(), Moment::new(self.reading(), self.settings.time_zone));
        self.needs.now && new.now > old.now
            || self.needs.date && new.date > old.date
            || due.now.is_some_and(|at| at <= new.now)
            || due.date.is_some_and(|at| at <= i64::from(new.date))
    }

    fn reading(&self) -> i64 {
        let new = match self.settings.mode {
            ClockMode::Wall => self.wall.micros(),
            ClockMode::Event => self.seen,
            ClockMode::Fixed(at) => return self.now.max(at),
        };
        self.now.max(if self.needs.now { self.round_down(new) } else { new })
    }

    fn round_down(&self, micros: i64) -> i64 {
        let tick = i64::try_from(self.settings.tick.as_micros()).unwrap_or(i64::MAX).max(1);
        micros.div_euclid(tick) * tick
    }
}

/// Microseconds since 1970 UTC.
pub fn wall_micros() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
