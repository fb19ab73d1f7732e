//! Is the process alive, and may one rely on its tables?
//!
//! ```text
//!   /healthz  the loop turned lately                                       no: restart the process
//!   /readyz   owner, hydrated, and what was read is published soon after   no: do not send traffic
//! ```
//!
//! The age that readiness looks at starts when there is something to publish: a quiet source has an old cut and is ready.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// When to give an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthLimits {
    /// A loop that did not turn for so long is stuck.
    pub loop_silence_max: Duration,
    /// Input that waits longer for its cut makes the tables too old to rely on.
    pub unpublished_age_max: Duration,
}

impl Default for HealthLimits {
    fn default() -> HealthLimits {
        HealthLimits { loop_silence_max: Duration::from_secs(30), unpublished_age_max: Duration::from_secs(60) }
    }
}

/// An answer with its reasons, one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub ok: bool,
    pub text: String,
}

pub(super) struct Health {
    limits: HealthLimits,
    facts: Mutex<Facts>,
}

#[derive(Debug)]
struct Facts {
    turned_at: Instant,
    owner: bool,
    hydrated: bool,
    cut_at: Option<Instant>,
    /// When everything read was last seen published.
    current_at: Instant,
    sink_failure: Option<String>,
    /// The sink has a cut, of this process or of an earlier one.
    has_cut: bool,
    state_failure: Option<String>,
    /// Why reading has stopped.
    held_back: Option<String>,
    /// Why a source does not go on.
    obstacle: Option<String>,
    /// Errors set aside beyond what is kept of them one by one: what of, and how many.
    flood: Vec<(String, u64)>,
}

impl Health {
    pub fn new(limits: HealthLimits, now: Instant) -> Health {
        let facts = Facts {
            turned_at: now,
            owner: false,
            hydrated: false,
            cut_at: None,
            current_at: now,
            sink_failure: None,
            has_cut: false,
            state_failure: None,
            held_back: None,
            obstacle: None,
            flood: Vec::new(),
        };
        Health { limits, facts: Mutex::new(facts) }
    }

    pub fn loop_turned(&self, now: Instant) {
        self.facts().turned_at = now;
    }

    pub fn ownership(&self, owner: bool) {
        self.facts().owner = owner;
    }

    pub fn hydrated(&self) {
        self.facts().hydrated = true;
    }

    pub fn cut_committed(&self, now: Instant) {
        let mut facts = self.facts();
        facts.cut_at = Some(now);
        facts.has_cut = true;
        facts.current_at = now;
        facts.sink_failure = None;
    }

    pub fn caught_up(&self, now: Instant) {
        self.facts().current_at = now;
    }

    pub fn cut_found(&self) {
        self.facts().has_cut = true;
    }

    pub fn state_failed(&self, reason: Option<String>) {
        self.facts().state_failure = reason;
    }

    pub fn held_back(&self, reason: Option<&str>) {
        self.facts().held_back = reason.map(str::to_owned);
    }

    pub fn obstructed(&self, reason: Option<&str>) {
        self.facts().obstacle = reason.map(str::to_owned);
    }

    pub fn flooded(&self, flood: Vec<(String, u64)>) {
        self.facts().flood = flood;
    }

    pub fn sink_failed(&self, reason: &str) {
        self.facts().sink_failure = Some(reason.to_string());
    }

    /// `None` before the first cut of this process.
    pub fn cut_age(&self, now: Instant) -> Option<Duration> {
        self.facts().cut_at.map(|at| now.saturating_duration_since(at))
    }

    pub fn live(&self, now: Instant) -> Verdict {
        let silence = now.saturating_duration_since(self.facts().turned_at);
        let ok = silence <= self.limits.loop_silence_max;
        let word = if ok { "ok" } else { "stuck" };
        Verdict { ok, text: format!("{word}: the loop turned {:.1} s ago\n", silence.as_secs_f64()) }
    }

    pub fn ready(&self, now: Instant) -> Verdict {
        let facts = self.facts();
        let mut reasons = Vec::new();
        if !facts.owner {
            reasons.push("not the owner: standing by".to_string());
        }
        if !facts.hydrated {
            reasons.push("hydrating".to_string());
        }
        if !facts.has_cut {
            reasons.push("nothing is published yet".to_string());
        }
        if let Some(reason) = &facts.held_back {
            reasons.push(format!("reading has stopped: {reason}"));
        } else if let Some(reason) = &facts.state_failure {
            reasons.push(format!("state: {reason}"));
        }
        reasons.extend(facts.obstacle.clone());
        for (what, errors) in &facts.flood {
            reasons.push(format!("a flood of errors: {errors} set aside, {what}"));
        }
        let waiting = now.saturating_duration_since(facts.current_at);
        if waiting > self.limits.unpublished_age_max {
            let limit = self.limits.unpublished_age_max.as_secs_f64();
            reasons.push(format!("input waits {:.1} s for its cut, more than {limit:.1} s", waiting.as_secs_f64()));
        }
        if !reasons.is_empty()
            && let Some(failure) = &facts.sink_failure
        {
            reasons.push(format!("sink: {failure}"));
        }
        match reasons.is_empty() {
            true => Verdict { ok: true, text: "ready\n".into() },
            false => Verdict { ok: false, text: reasons.join("\n") + "\n" },
        }
    }

    /// A panic elsewhere does not make the facts wrong: each is one store.
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_loop_that_stops_is_not_live() {
        let start = Instant::now();
        let health = Health::new(HealthLimits::default(), start);
        assert!(health.live(start + 29 * SECOND).ok);
        let verdict = health.live(start + 31 * SECOND);
        assert!(!verdict.ok && verdict.text.starts_with("stuck: the loop turned 31.0 s ago"), "{}", verdict.text);
        health.loop_turned(start + 31 * SECOND);
        assert!(health.live(start + 32 * SECOND).ok);
    }

    #[test]
    fn readiness_names_everything_that_is_missing() {
        let start = Instant::now();
        let health = Health::new(HealthLimits::default(), start);
        assert_eq!(health.ready(start).text, "not the owner: standing by\nhydrating\nnothing is published yet\n");
        health.ownership(true);
        health.hydrated();
        assert_eq!(health.ready(start).text, "nothing is published yet\n", "a new instance has empty tables");
        assert_eq!(health.cut_age(start), None);
        health.cut_found();
        assert!(health.ready(start).ok, "an earlier process has published");
        health.held_back(Some("memory"));
        health.flooded(vec![("decode, raw.orders".into(), 5_000)]);
        let text = "reading has stopped: memory\na flood of errors: 5000 set aside, decode, raw.orders\n";
        assert_eq!(health.ready(start).text, text);
        health.held_back(None);
        health.flooded(Vec::new());
        health.cut_committed(start + SECOND);
        assert_eq!(health.cut_age(start + 3 * SECOND), Some(2 * SECOND));
    }

    #[test]
    fn an_old_cut_is_no_fault_while_nothing_waits() {
        let start = Instant::now();
        let health = Health::new(HealthLimits::default(), start);
        health.ownership(true);
        health.hydrated();
        health.cut_committed(start);
        health.caught_up(start + 300 * SECOND);
        assert!(health.ready(start + 330 * SECOND).ok);
        health.sink_failed("connection refused");
        let verdict = health.ready(start + 400 * SECOND);
        assert!(
            !verdict.ok && verdict.text.contains("100.0 s") && verdict.text.contains("connection refused"),
            "{}",
            verdict.text
        );
        health.cut_committed(start + 401 * SECOND);
        assert_eq!(health.ready(start + 402 * SECOND).text, "ready\n");
    }
}
