//! Tells a webhook when something turns red, and when it is green again.
//!
//! ```text
//!   "this is wrong now" / "this is right now" ──> wanted ─┐
//!                                                         ├──difference──> one POST ──answered 2xx──> told
//!   what the webhook was told ────────────────────────────┘         └──else: again, 1 s to 1 min later
//! ```
//!
//! 1. A transition is told once; what turns red and green again while the webhook is away is never told.
//! 2. What is kept is the state, not a queue: a webhook that is away for a week costs nothing.
//! 3. The engine never waits for the webhook. Its address and headers are secrets: they are in no log line.
//!
//! The body for Alertmanager (`POST /api/v2/alerts`) is a list of
//! `{"labels": {"alertname", "instance", "severity", "object"}, "annotations": {"summary"}, "startsAt", "endsAt"}`. An alert that still
//! holds is told again each minute with an `endsAt` some minutes ahead, so that it ends by itself when livemart does; one that is over has the
//! moment when it ended. The body for Slack is `{"text"}`, a line per transition.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::Observer;
use crate::artifact::moment;
use crate::project::{AlertFormat, WebhookConfig};
use crate::time::wall_micros;

/// How long the webhook may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(60);
/// How often Alertmanager is told that an alert still holds, and how far ahead it then ends by itself.
const REPEAT: Duration = Duration::from_secs(60);
const ENDS_AFTER: Duration = Duration::from_secs(300);

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `critical` or `warning`.
    pub severity: &'static str,
    /// One line for people.
    pub summary: String,
}

/// (name of the alert, what it is about).
type Key = (&'static str, String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Red {
    problem: Problem,
    /// Microseconds since 1970 UTC.
    since: i64,
}

#[derive(Default)]
struct State {
    wanted: BTreeMap<Key, Red>,
    stopped: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// A panic elsewhere does not make the state wrong: each change is one step.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The alerts of an instance. Dropped, it tells what is untold once more and ends.
pub struct Alerts {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Alerts {
    pub fn start(webhook: WebhookConfig, instance: &str, observer: Observer) -> std::io::Result<Alerts> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let teller = Teller {
            shared: Arc::clone(&shared),
            agent: agent(),
            webhook,
            instance: instance.to_string(),
            observer,
            told: BTreeMap::new(),
            told_at: Instant::now(),
        };
        let thread = std::thread::Builder::new().name("livemart-alerts".into()).spawn(move || teller.run())?;
        Ok(Alerts { shared, thread: Some(thread) })
    }

    /// This is wrong now, or (None) right.
    pub fn set(&self, name: &'static str, object: &str, problem: Option<Problem>) {
        let mut state = self.shared.state();
        let key = (name, object.to_string());
        match (problem, state.wanted.get_mut(&key)) {
            (None, None) => return,
            (None, Some(_)) => drop(state.wanted.remove(&key)),
            // What is told of it is as of now; since when it holds stays.
            (Some(problem), Some(red)) => {
                if red.problem.severity == problem.severity {
                    red.problem = problem;
                    return;
                }
                *red = Red { problem, since: red.since };
            }
            (Some(problem), None) => drop(state.wanted.insert(key, Red { problem, since: wall_micros() })),
        }
        self.shared.changed.notify_one();
    }
}

impl Drop for Alerts {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the alerts' thread panicked");
        }
    }
}

fn agent() -> ureq::Agent {
    let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier).build();
    let config =
        ureq::Agent::config_builder().timeout_global(Some(ANSWER_TIMEOUT)).http_status_as_error(false).tls_config(tls);
    ureq::Agent::new_with_config(config.build())
}

/// The thread that posts.
struct Teller {
    shared: Arc<Shared>,
    agent: ureq::Agent,
    webhook: WebhookConfig,
    instance: String,
    observer: Observer,
    told: BTreeMap<Key, Red>,
    told_at: Instant,
}

impl Teller {
    fn run(mut self) {
        let mut pause = RETRY_FIRST;
        let mut wait = REPEAT;
        loop {
            let (wanted, stopped) = self.wait(wait);
            let repeats = self.webhook.format == AlertFormat::Alertmanager && self.told_at.elapsed() >= REPEAT;
            if is_told(&self.told, &wanted) && (wanted.is_empty() || !repeats) {
                if stopped {
                    return;
                }
                wait = REPEAT;
                continue;
            }
            let body = self.body(&wanted);
            match self.post(&body) {
                Ok(()) => {
                    self.observer.alerts_told(true);
                    self.told = wanted;
                    self.told_at = Instant::now();
                    (pause, wait) = (RETRY_FIRST, REPEAT);
                }
                Err(reason) => {
                    self.observer.alerts_told(false);
                    tracing::warn!(reason, "the alerts' webhook was not told; trying again");
                    wait = pause;
                    pause = (pause * 2).min(RETRY_LAST);
                }
            }
            if stopped {
                return;
            }
        }
    }

    /// Sleeps until something is to be told, at most so long; after a failure exactly so long.
    fn wait(&self, at_most: Duration) -> (BTreeMap<Key, Red>, bool) {
        let state = self.shared.state();
        let retries = at_most < REPEAT;
        let is_idle = |state: &mut State| !state.stopped && (retries || is_told(&self.told, &state.wanted));
        let (state, _) =
            self.shared.changed.wait_timeout_while(state, at_most, is_idle).unwrap_or_else(PoisonError::into_inner);
        (state.wanted.clone(), state.stopped)
    }

    fn post(&self, body: &Json) -> Result<(), String> {
        let mut request = self.agent.post(&self.webhook.url).header("Content-Type", "application/json");
        for (name, value) in &self.webhook.headers {
            request = request.header(name, value);
        }
        // The address may be the secret.
        let hidden = |error: ureq::Error| error.to_string().replace(&self.webhook.url, "the webhook");
        let response = request.send(body.to_string()).map_err(hidden)?;
        match response.status().as_u16() {
            200..=299 => Ok(()),
            status => Err(format!("it answered {status}")),
        }
    }

    fn body(&self, wanted: &BTreeMap<Key, Red>) -> Json {
        let over = self.told.iter().filter(|(key, _)| !wanted.contains_key(*key));
        let now = wall_micros();
        match self.webhook.format {
            AlertFormat::Alertmanager => {
                let held = wanted.iter().map(|(key, red)| self.alert(key, red, now + ENDS_AFTER.as_micros() as i64));
                Json::Array(held.chain(over.map(|(key, red)| self.alert(key, red, now))).collect())
            }
            AlertFormat::Slack => {
                let is_new = |(key, red): &(&Key, &Red)| {
                    self.told.get(*key).is_none_or(|told| told.problem.severity != red.problem.severity)
                };
                let sign = |red: &Red| {
                    if red.problem.severity == "critical" { ":red_circle:" } else { ":large_yellow_circle:" }
                };
                let red = wanted.iter().filter(is_new);
                let lines = red.map(|(_, red)| format!("{} {}: {}", sign(red), self.instance, red.problem.summary));
                let green = over.map(|((name, object), _)| {
                    format!(":large_green_circle: {}: {name} {object} is over", self.instance)
                });
                json!({"text": lines.chain(green).collect::<Vec<_>>().join("\n")})
            }
        }
    }

    fn alert(&self, (name, object): &Key, red: &Red, ends_at: i64) -> Json {
        json!({
            "labels": {"alertname": name, "instance": self.instance, "severity": red.problem.severity, "object": object},
            "annotations": {"summary": red.problem.summary},
            "startsAt": moment(red.since), "endsAt": moment(ends_at),
        })
    }
}

/// Whether the same things are red, as severely; their words may differ.
fn is_told(told: &BTreeMap<Key, Red>, wanted: &BTreeMap<Key, Red>) -> bool {
    told.len() == wanted.len()
        && told.iter().zip(wanted).all(|((a, x), (b, y))| a == b && x.problem.severity == y.problem.severity)
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
