//! What a piece of work cost: CPU time of this process, of a child, and how samples are summed up.

mod child;

use std::time::Duration;

pub use child::{Cost, Failure, kill_child, run_child, stop_child};

/// CPU time, user and system, of all threads of this process.
pub fn process_cpu() -> Duration {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of this thread.
pub fn thread_cpu() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Resident memory of this process.
pub fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    // SAFETY: asks for a number and touches no memory of ours.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.unsigned_abs()
}

fn clock(which: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer, and both clocks exist on every Linux.
    let answer = unsafe { libc::clock_gettime(which, &mut time) };
    assert_eq!(answer, 0, "the kernel has no CPU clock {which}");
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Measurements of one thing, sorted.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn min(&self) -> Option<f64> {
        self.0.first().copied()
    }

    pub fn median(&self) -> Option<f64> {
        self.percentile(50.0)
    }

    /// The sample at or above which lie `100 - percent` of a hundred; `None` without samples.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let last = self.0.len().checked_sub(1)?;
        self.0.get((last as f64 * percent / 100.0).round() as usize).copied()
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(samples: I) -> Samples {
        let mut samples: Vec<f64> = samples.into_iter().collect();
        samples.sort_by(f64::total_cmp);
        Samples(samples)
    }
}
