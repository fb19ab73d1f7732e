//! Where the engine plays: on threads with the system's time, or alone, in an order and a time that a seed gives.
//!
//! ```text
//!   Threads   readers │ drive │ workers │ publisher │ keeper      as the system likes
//!   Alone     one thread; each part goes a step when the dice say so; time passes when somebody sleeps or waits
//! ```
//!
//! 1. Alone, the same seed and the same world give the same steps at the same times: a run can be told again from its seed.
//! 2. Alone, nobody waits for real: a sleep of a minute takes no time and makes the clock a minute later.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the parts of an engine run on.
#[derive(Clone, Debug, Default)]
pub enum Stage {
    #[default]
    Threads,
    Alone(Schedule),
}

/// Time and order from a seed.
#[derive(Clone, Debug)]
pub struct Schedule(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    elapsed_nanos: AtomicU64,
    seed: Mutex<u64>,
}

impl Stage {
    pub fn alone(seed: u64) -> Stage {
        Stage::Alone(Schedule(Arc::new(Inner {
            began: Instant::now(),
            elapsed_nanos: AtomicU64::new(0),
            seed: Mutex::new(seed),
        })))
    }

    pub fn is_alone(&self) -> bool {
        matches!(self, Stage::Alone(_))
    }

    pub fn now(&self) -> Instant {
        match self {
            Stage::Threads => Instant::now(),
            Stage::Alone(schedule) => schedule.0.began + schedule.elapsed(),
        }
    }

    pub fn since(&self, at: Instant) -> Duration {
        self.now().saturating_duration_since(at)
    }

    /// Since the beginning; nothing with threads, where nobody asks.
    pub fn elapsed(&self) -> Duration {
        match self {
            Stage::Threads => Duration::ZERO,
            Stage::Alone(schedule) => schedule.elapsed(),
        }
    }

    pub fn sleep(&self, duration: Duration) {
        match self {
            Stage::Threads => std::thread::sleep(duration),
            Stage::Alone(schedule) => schedule.pass(duration),
        }
    }
}

impl Schedule {
    /// A number below `sides`, and a microsecond: whoever asks does something.
    pub fn throw(&self, sides: u64) -> u64 {
        self.pass(Duration::from_micros(1));
        let mut seed = self.0.seed.lock().unwrap_or_else(PoisonError::into_inner);
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % sides.max(1)
    }

    pub fn pass(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.elapsed_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Since the beginning.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.elapsed_nanos.load(Ordering::Relaxed))
    }
}
