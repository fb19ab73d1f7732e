//! The metrics by name. One registry per observer, so that two engines in one test do not count into each other.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// From a SQLite commit without a wait (half a millisecond) to a first load of minutes.
const COMMIT_SECONDS_BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

pub(super) struct Metrics {
    registry: Registry,
    pub source_records: IntCounterVec,
    pub source_decode_errors: IntCounterVec,
    pub source_lag_records: IntGaugeVec,
    pub source_lag_seconds: GaugeVec,
    pub freshness_limit_seconds: GaugeVec,
    pub operators: IntGauge,
    pub epochs: IntCounter,
    pub epoch_updates: IntCounter,
    pub state_rows: IntGaugeVec,
    pub state_bytes: IntGaugeVec,
    pub operator_rows: IntGaugeVec,
    pub operator_bytes: IntGaugeVec,
    pub state_disk_bytes: IntGauge,
    pub state_written_bytes: IntGauge,
    pub state_cpu_seconds: Gauge,
    pub delta_rows: IntCounterVec,
    pub cut_seq: IntGauge,
    pub cut_clock_seconds: Gauge,
    pub commit_seconds: Histogram,
    pub commit_retries: IntCounter,
    pub test_failures: IntGaugeVec,
    pub errors: IntGaugeVec,
    pub alert_posts: IntCounterVec,
    pub hydration_seconds: Gauge,
    cut_age_seconds: GaugeVec,
    ready: IntGauge,
    changelog: OnceLock<ChangelogMetrics>,
}

/// There only when the sink has a changelog.
pub(super) struct ChangelogMetrics {
    pub waiting_records: IntGauge,
    pub waiting_bytes: IntGauge,
    pub lag_seconds: Gauge,
    pub shipped_cuts: IntCounter,
    pub shipped_records: IntCounter,
}

impl Metrics {
    pub fn new() -> Metrics {
        let r = Registry::new();
        let metrics = Metrics {
            source_records: counters(&r, "livemart_source_records_total", "Records read from a source.", &["source"]),
            source_decode_errors: counters(
                &r,
                "livemart_source_decode_errors_total",
                "Records of a source that could not be decoded and were set aside.",
                &["source"],
            ),
            source_lag_records: gauges(
                &r,
                "livemart_source_lag_records",
                "Records of a partition still to be read.",
                &["source", "partition"],
            ),
            source_lag_seconds: registered(
                &r,
                GaugeVec::new(
                    Opts::new("livemart_source_lag_seconds", "How far the newest event read lies in the past."),
                    &["source"],
                ),
            ),
            freshness_limit_seconds: registered(
                &r,
                GaugeVec::new(
                    Opts::new(
                        "livemart_source_freshness_limit_seconds",
                        "From which lag on a source is stale (its freshness).",
                    ),
                    &["source", "severity"],
                ),
            ),
            operators: gauge(&r, "livemart_dataflow_operators", "Operators of the dataflow, all workers."),
            epochs: counter(&r, "livemart_epochs_total", "Epochs closed."),
            epoch_updates: counter(&r, "livemart_epoch_updates_total", "Input updates in closed epochs."),
            state_rows: gauges(&r, "livemart_state_rows", "Rows held of a source table.", &["table"]),
            state_bytes: gauges(
                &r,
                "livemart_state_bytes",
                "Bytes of memory for the rows of a source table.",
                &["table"],
            ),
            operator_rows: gauges(
                &r,
                "livemart_operator_rows",
                "Rows held by the operators that were built for a model.",
                &["model"],
            ),
            operator_bytes: gauges(
                &r,
                "livemart_operator_bytes",
                "Bytes of memory for what the operators of a model hold.",
                &["model"],
            ),
            state_disk_bytes: gauge(&r, "livemart_state_disk_bytes", "Bytes of state on the disk."),
            state_written_bytes: gauge(&r, "livemart_state_written_bytes", "Bytes of state written by this process."),
            state_cpu_seconds: registered(
                &r,
                Gauge::new("livemart_state_cpu_seconds", "CPU time that writing state has taken in this process."),
            ),
            delta_rows: counters(&r, "livemart_table_delta_rows_total", "Rows written to a table.", &["table"]),
            cut_seq: gauge(&r, "livemart_cut_seq", "Number of the published cut."),
            cut_clock_seconds: registered(
                &r,
                Gauge::new("livemart_cut_clock_seconds", "Logical time of the published cut, since 1970 UTC."),
            ),
            commit_seconds: registered(
                &r,
                Histogram::with_opts(
                    HistogramOpts::new("livemart_sink_commit_seconds", "From handing a cut to the sink to its answer.")
                        .buckets(COMMIT_SECONDS_BUCKETS.to_vec()),
                ),
            ),
            commit_retries: counter(
                &r,
                "livemart_sink_retries_total",
                "Commits tried again because the sink was away.",
            ),
            test_failures: gauges(
                &r,
                "livemart_test_failures_rows",
                "Rows that fail a test at the published cut.",
                &["test", "severity"],
            ),
            errors: gauges(&r, "livemart_errors_rows", "Rows set aside at the published cut.", &["kind"]),
            alert_posts: counters(&r, "livemart_alert_posts_total", "Posts to the webhook of alerts.", &["outcome"]),
            hydration_seconds: registered(
                &r,
                Gauge::new("livemart_hydration_seconds", "How long the last hydration took."),
            ),
            cut_age_seconds: registered(
                &r,
                GaugeVec::new(Opts::new("livemart_cut_age_seconds", "Since the last cut was published."), &[]),
            ),
            ready: gauge(&r, "livemart_ready", "1 when /readyz answers 200."),
            changelog: OnceLock::new(),
            registry: r,
        };
        // A series that starts with the first error cannot be alerted on with a rate: start at zero.
        for kind in ["decode", "expression"] {
            metrics.errors.with_label_values(&[kind]).set(0);
        }
        metrics
    }

    pub fn changelog(&self) -> &ChangelogMetrics {
        let r = &self.registry;
        self.changelog.get_or_init(|| ChangelogMetrics {
            waiting_records: gauge(r, "livemart_changelog_waiting_records", "Records in the outbox of the changelog."),
            waiting_bytes: gauge(r, "livemart_changelog_waiting_bytes", "Bytes of keys and values in the outbox."),
            lag_seconds: registered(
                r,
                Gauge::new("livemart_changelog_lag_seconds", "How long the oldest cut in the outbox has waited."),
            ),
            shipped_cuts: counter(r, "livemart_changelog_shipped_cuts_total", "Cuts whose records are in Kafka."),
            shipped_records: counter(r, "livemart_changelog_shipped_records_total", "Records that are in Kafka."),
        })
    }

    /// `cut_age` is none before the first cut of this process; there is then no such series.
    pub fn text(&self, cut_age: Option<Duration>, ready: bool) -> String {
        if let Some(age) = cut_age {
            self.cut_age_seconds.with_label_values::<&str>(&[]).set(age.as_secs_f64());
        }
        self.ready.set(i64::from(ready));
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            Ok(()) => String::from_utf8_lossy(&text).into_owned(),
            Err(cause) => {
                tracing::error!(%cause, "could not print the metrics");
                String::new()
            }
        }
    }
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    registered(registry, IntCounter::new(name, help))
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    registered(registry, IntGauge::new(name, help))
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}

/// The names are all above: a wrong or double one is our own mistake and shows in every test.
fn registered<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    collector: prometheus::Result<C>,
) -> C {
    let collector = collector.expect("a metric name that Prometheus allows");
    registry.register(Box::new(collector.clone())).expect("a metric name that is not taken");
    collector
}
