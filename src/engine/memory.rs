//! Near `memory_max` nothing more is read; what has been read is published, and metrics go on.

use std::time::{Duration, Instant};

/// Reading stops above this share of the limit, and goes on below the other.
const STOP_AT: f64 = 0.9;
const GO_ON_AT: f64 = 0.85;
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub struct MemoryGuard {
    bytes_max: Option<u64>,
    looked_at: Option<Instant>,
    resident_bytes: u64,
    is_near: bool,
}

impl MemoryGuard {
    pub fn new(bytes_max: Option<u64>) -> MemoryGuard {
        MemoryGuard { bytes_max, looked_at: None, resident_bytes: 0, is_near: false }
    }

    /// (in use, limit) while the limit is near. `resident` is asked now and then.
    pub fn is_near(&mut self, now: Instant, resident: impl Fn() -> Option<u64>) -> Option<(u64, u64)> {
        let bytes_max = self.bytes_max?;
        if self.looked_at.is_none_or(|at| now.duration_since(at) >= LOOK_INTERVAL) {
            self.looked_at = Some(now);
            self.resident_bytes = resident().unwrap_or(0);
            let share = self.resident_bytes as f64 / bytes_max as f64;
            self.is_near = share > if self.is_near { GO_ON_AT } else { STOP_AT };
        }
        self.is_near.then_some((self.resident_bytes, bytes_max))
    }
}

/// What the process has of the machine's memory, where the system tells.
pub fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    // SAFETY: the call takes a number and gives one.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * u64::try_from(page_bytes).ok()?)
}

/// `1.5 GiB`.
pub fn shown(bytes: u64) -> String {
    match bytes {
        0x4000_0000.. => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
        _ => format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_stops_near_the_limit_and_goes_on_well_below_it() {
        let (mut guard, start) = (MemoryGuard::new(Some(1000)), Instant::now());
        let mut look = |step: u32, bytes: u64| guard.is_near(start + LOOK_INTERVAL * step, || Some(bytes)).is_some();
        assert!(!look(0, 900));
        assert!(look(1, 901));
        assert!(look(2, 880), "a little less is not enough");
        assert!(!look(3, 840));
        assert!(!look(4, 880));
        assert!(MemoryGuard::new(None).is_near(start, || Some(u64::MAX)).is_none());
    }

    #[test]
    fn the_process_knows_what_it_has() {
        assert!(resident_bytes().is_none_or(|bytes| bytes > 1 << 20));
    }
}
