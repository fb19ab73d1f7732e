//! What an operator sees: log lines, metrics, health, progress.
//!
//! ```text
//!   engine ──"a cut was committed"──> Observer ──> log line
//!                                        ├──────> counters ──> /metrics
//!                                        ├──────> health   ──> /healthz, /readyz
//!                                        └──────> progress bar, or a line now and then
//! ```
//!
//! 1. An event is said once, here; the log line and the counters come from the same call and agree.
//! 2. Nothing here blocks or fails: an engine never waits for its observer.
//! 3. Metric names end in their unit. Labels are names from the project (sources, tables, tests), never values from data.

pub mod alerts;
mod health;
mod http;
mod metrics;
pub mod page;
mod progress;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub use health::{HealthLimits, Verdict};
pub use http::HttpServer;
pub use progress::Progress;

use crate::sink::changelog::Backlog;
use crate::state::KeeperStatus;
use crate::time::wall_micros;
use health::Health;
use metrics::Metrics;

/// A handle that every part of the engine holds; a clone is the same observer.
#[derive(Clone)]
pub struct Observer(Arc<Inner>);

struct Inner {
    metrics: Metrics,
    health: Health,
    page: OnceLock<Arc<page::Page>>,
    /// By source table.
    newest: Mutex<BTreeMap<String, i64>>,
}

/// What a committed cut was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutCommitted {
    pub seq: u64,
    /// Microseconds since 1970 UTC: the logical time of the cut.
    pub clock: i64,
    /// Rows written to all tables: inserts, updates and deletes.
    pub rows: u64,
    /// From handing the cut to the sink until its answer, retries included.
    pub took: Duration,
}

impl Observer {
    pub fn new(limits: HealthLimits) -> Observer {
        Observer(Arc::new(Inner {
            metrics: Metrics::new(),
            health: Health::new(limits, Instant::now()),
            page: OnceLock::new(),
            newest: Mutex::default(),
        }))
    }

    /// What `/` shows from now on; the first one stays.
    pub fn show_page(&self, page: page::Page) {
        let _ = self.0.page.set(Arc::new(page));
    }

    fn page(&self) -> Option<Arc<page::Page>> {
        self.0.page.get().cloned()
    }

    /// Records of a source were taken in, whatever became of them.
    pub fn records_read(&self, source: &str, records: u64) {
        self.0.metrics.source_records.with_label_values(&[source]).inc_by(records);
    }

    /// Records were set aside because they could not be decoded; what they were is in `errors`.
    pub fn records_set_aside(&self, source: &str, records: u64) {
        if records > 0 {
            self.0.metrics.source_decode_errors.with_label_values(&[source]).inc_by(records);
            tracing::debug!(source, records, "set records aside");
        }
    }

    /// Records of a partition that are still to be read, where the transport knows.
    pub fn lag(&self, source: &str, partition: &str, records: u64) {
        self.0.metrics.source_lag_records.with_label_values(&[source, partition]).set(to_gauge(records));
    }

    /// The newest event of a source table that was read, microseconds since 1970 UTC. Its lag is told when it is asked for, and grows
    /// while nothing new comes.
    pub fn newest_event(&self, table: &str, at: i64) {
        let mut newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match newest.get_mut(table) {
            Some(known) => *known = at,
            None => drop(newest.insert(table.to_string(), at)),
        }
    }

    /// From which lag on a source table is stale: a `severity` is `warn` or `error`.
    pub fn freshness_limit(&self, table: &str, severity: &str, limit: Duration) {
        self.0.metrics.freshness_limit_seconds.with_label_values(&[table, severity]).set(limit.as_secs_f64());
    }

    /// How far the newest event of each source table lies in the past.
    pub fn lags(&self) -> BTreeMap<String, Duration> {
        let now = wall_micros();
        let newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = |at: i64| Duration::from_micros(u64::try_from(now - at).unwrap_or(0));
        newest.iter().map(|(table, at)| (table.clone(), behind(*at))).collect()
    }

    /// The webhook of alerts was told, or could not be.
    pub fn alerts_told(&self, sent: bool) {
        self.0.metrics.alert_posts.with_label_values(&[if sent { "sent" } else { "failed" }]).inc();
    }

    pub fn dataflow_built(&self, operators: usize) {
        self.0.metrics.operators.set(to_gauge(operators as u64));
        tracing::info!(operators, "built the dataflow");
    }

    pub fn epoch_closed(&self, epoch: u64, updates: u64) {
        self.0.metrics.epochs.inc();
        self.0.metrics.epoch_updates.inc_by(updates);
        tracing::trace!(epoch, updates, "closed an epoch");
    }

    /// Rows, and bytes of memory for them, that are held of a source table to know the row before a change.
    pub fn state_measured(&self, table: &str, rows: u64, bytes: u64) {
        self.0.metrics.state_rows.with_label_values(&[table]).set(to_gauge(rows));
        self.0.metrics.state_bytes.with_label_values(&[table]).set(to_gauge(bytes));
    }

    /// Rows and bytes that the operators of each model hold.
    pub fn operators_measured(&self, models: &BTreeMap<&str, (u64, u64)>) {
        for (model, (rows, bytes)) in models {
            self.0.metrics.operator_rows.with_label_values(&[model]).set(to_gauge(*rows));
            self.0.metrics.operator_bytes.with_label_values(&[model]).set(to_gauge(*bytes));
        }
    }

    /// What state has on the disk, and whether it can be written.
    pub fn state_kept(&self, status: &KeeperStatus) {
        use std::sync::atomic::Ordering::Relaxed;
        self.0.metrics.state_disk_bytes.set(to_gauge(status.stored.load(Relaxed)));
        self.0.metrics.state_written_bytes.set(to_gauge(status.written.load(Relaxed)));
        self.0.metrics.state_cpu_seconds.set(status.cpu_micros.load(Relaxed) as f64 / 1e6);
        self.0.health.state_failed(status.failure());
    }

    /// Reading has stopped for this reason, or goes on.
    pub fn obstructed(&self, reason: Option<&str>) {
        if let Some(reason) = reason {
            tracing::warn!(reason, "a source does not go on");
        }
        self.0.health.obstructed(reason);
    }

    pub fn held_back(&self, reason: Option<&str>) {
        self.0.health.held_back(reason);
        match reason {
            Some(reason) => tracing::warn!(reason, "reading stops"),
            None => tracing::info!("reading goes on"),
        }
    }

    /// What of the changelog waits to be shipped.
    pub fn changelog(&self, backlog: &Backlog) {
        let metrics = self.0.metrics.changelog();
        metrics.waiting_records.set(to_gauge(backlog.records));
        metrics.waiting_bytes.set(to_gauge(backlog.bytes));
        metrics.lag_seconds.set(backlog.lag.as_secs_f64());
        metrics.shipped_cuts.inc_by(backlog.shipped_cuts.saturating_sub(metrics.shipped_cuts.get()));
        metrics.shipped_records.inc_by(backlog.shipped_records.saturating_sub(metrics.shipped_records.get()));
    }

    /// Collections were filled from the state.
    pub fn restored(&self, rows: u64, took: Duration) {
        tracing::info!(rows, took_ms = took.as_millis() as u64, "took collections from the state");
    }

    /// The sink has a cut from an earlier process: its tables can be relied on as soon as this one has caught up.
    pub fn cut_found(&self) {
        self.0.health.cut_found();
    }

    pub fn table_changed(&self, table: &str, rows: u64) {
        self.0.metrics.delta_rows.with_label_values(&[table]).inc_by(rows);
    }

    pub fn cut_committed(&self, cut: CutCommitted) {
        let CutCommitted { seq, clock, rows, took } = cut;
        let metrics = &self.0.metrics;
        metrics.cut_seq.set(to_gauge(seq));
        metrics.cut_clock_seconds.set(clock as f64 / 1e6);
        metrics.commit_seconds.observe(took.as_secs_f64());
        self.0.health.cut_committed(Instant::now());
        tracing::debug!(seq, rows, took_ms = took.as_millis() as u64, "published a cut");
    }

    /// The sink could not be reached or was busy; the same cut will be tried again.
    pub fn commit_retried(&self, seq: u64, attempt: u32, reason: &str) {
        self.0.metrics.commit_retries.inc();
        self.0.health.sink_failed(reason);
        tracing::warn!(seq, attempt, reason, "could not publish a cut; trying again");
    }

    /// How many rows fail a test at the published cut.
    pub fn test_evaluated(&self, test: &str, severity: &str, failures: u64) {
        let gauge = self.0.metrics.test_failures.with_label_values(&[test, severity]);
        let before = gauge.get();
        gauge.set(to_gauge(failures));
        match (before, failures) {
            (0, 1..) => tracing::warn!(test, severity, failures, "a test fails"),
            (1.., 0) => tracing::info!(test, severity, "a test passes again"),
            _ => {}
        }
    }

    /// How many errors of a kind (`decode`, `expression`) are set aside at the published cut.
    pub fn errors_set_aside(&self, kind: &str, errors: u64) {
        let gauge = self.0.metrics.errors.with_label_values(&[kind]);
        let before = gauge.get();
        gauge.set(to_gauge(errors));
        match (before, errors) {
            (0, 1..) => tracing::warn!(kind, errors, "rows are set aside; see the errors table"),
            (1.., 0) => tracing::info!(kind, "no row is set aside any more"),
            _ => {}
        }
    }

    /// Of what more errors are set aside than are kept one by one: somebody should look.
    pub fn errors_flooded(&self, floods: Vec<(String, u64)>) {
        self.0.health.flooded(floods);
    }

    /// The engine's loop went round once. Called at least every second, whatever there is to do.
    pub fn loop_turned(&self) {
        self.0.health.loop_turned(Instant::now());
    }

    /// Everything that was read is published. Called by the loop when that is so: without new input there is no new cut, and
    /// an old cut is then no fault.
    pub fn caught_up(&self) {
        self.0.health.caught_up(Instant::now());
    }

    /// This process owns the instance, or stands by while another does.
    pub fn ownership(&self, owner: bool) {
        self.0.health.ownership(owner);
        tracing::info!(owner, "{}", if owner { "took ownership" } else { "standing by" });
    }

    pub fn hydrated(&self, took: Duration) {
        self.0.health.hydrated();
        self.0.metrics.hydration_seconds.set(took.as_secs_f64());
        tracing::info!(took_ms = took.as_millis() as u64, "hydrated");
    }

    /// The text that Prometheus scrapes.
    pub fn metrics_text(&self) -> String {
        let now = Instant::now();
        for (table, lag) in self.lags() {
            self.0.metrics.source_lag_seconds.with_label_values(&[table.as_str()]).set(lag.as_secs_f64());
        }
        self.0.metrics.text(self.0.health.cut_age(now), self.0.health.ready(now).ok)
    }

    /// Does the loop turn? Also while hydrating, standing by, or while the sink is down.
    pub fn live(&self) -> Verdict {
        self.0.health.live(Instant::now())
    }

    /// May traffic rely on the tables: owner, hydrated, and not behind by more than the limit?
    pub fn ready(&self) -> Verdict {
        self.0.health.ready(Instant::now())
    }
}

/// Gauges are signed; a count beyond them does not exist.
fn to_gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "observe_tests.rs"]
mod tests;
