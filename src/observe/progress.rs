//! How far catching up has come: a bar on a terminal, a log line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

const LINE_INTERVAL: Duration = Duration::from_secs(5);
const BAR: &str = "{msg} [{bar:30}] {human_pos}/{human_len} records, {per_sec}, {eta} left";
const SPINNER: &str = "{msg} {spinner} {human_pos} records, {per_sec}";

/// One long reading. Gone when dropped.
pub struct Progress {
    what: String,
    started_at: Instant,
    said_at: Instant,
    bar: Option<ProgressBar>,
    quiet: bool,
}

impl Progress {
    /// `what` is what goes on ("reading raw_data"). Nothing is shown when `quiet`.
    pub fn start(what: &str, quiet: bool, now: Instant) -> Progress {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner().with_message(what.to_string());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Progress { what: what.into(), started_at: now, said_at: now, bar, quiet }
    }

    /// `done` records of `total`, where the sources know how many there are; both may grow.
    pub fn advance_to(&mut self, done: u64, total: Option<u64>, now: Instant) {
        if let Some(bar) = &self.bar {
            match total {
                Some(total) if bar.length() != Some(total) => {
                    bar.set_style(style(BAR));
                    bar.set_length(total);
                }
                Some(_) => {}
                None => bar.set_style(style(SPINNER)),
            }
            bar.set_position(done);
        } else if !self.quiet && now.duration_since(self.said_at) >= LINE_INTERVAL {
            self.said_at = now;
            tracing::info!("{}", line(&self.what, done, total, now.duration_since(self.started_at)));
        }
    }

    /// Takes the bar away and says the sum.
    pub fn finish(self, done: u64, now: Instant) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !self.quiet {
            tracing::info!("{}", line(&self.what, done, Some(done), now.duration_since(self.started_at)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `reading raw_data: 1,200 of 4,800 records (25 %), 600/s, 6 seconds left`
fn line(what: &str, done: u64, total: Option<u64>, elapsed: Duration) -> String {
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    let pace = format!("{}/s", HumanCount(rate as u64));
    match total {
        Some(total) if done >= total => {
            format!("{what}: {} records in {:.1} s, {pace}", HumanCount(done), elapsed.as_secs_f64())
        }
        Some(total) => {
            let left = match rate {
                rate if rate > 0.0 => {
                    let seconds = ((total - done) as f64 / rate).min(1e9);
                    format!("{} left", HumanDuration(Duration::from_secs_f64(seconds)))
                }
                _ => "no end in sight".into(),
            };
            let percent = done as f64 * 100.0 / total as f64;
            format!("{what}: {} of {} records ({percent:.0} %), {pace}, {left}", HumanCount(done), HumanCount(total))
        }
        None => format!("{what}: {} records, {pace}", HumanCount(done)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_rate_and_rest() {
        let two = Duration::from_secs(2);
        assert_eq!(
            line("reading", 1_200, Some(4_800), two),
            "reading: 1,200 of 4,800 records (25 %), 600/s, 6 seconds left"
        );
        assert_eq!(line("reading", 4_800, Some(4_800), two), "reading: 4,800 records in 2.0 s, 2,400/s");
        assert_eq!(line("reading", 10, None, two), "reading: 10 records, 5/s");
        assert_eq!(line("reading", 0, Some(5), two), "reading: 0 of 5 records (0 %), 0/s, no end in sight");
        assert_eq!(line("reading", 0, Some(0), Duration::ZERO), "reading: 0 records in 0.0 s, 0/s");
    }
}
