//! Which alerts `serve` raises: tests, freshness, lag, rows set aside.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::instance::{self, VerbError};
use super::test::verdict;
use super::words::Status;
use crate::artifact::freshness::threshold;
use crate::engine::{Assembled, CommitReport};
use crate::observe::Observer;
use crate::observe::alerts::{Alerts, Problem};
use crate::project::{AlertKind, AlertsConfig, Project, TestSettings};

/// How often what moves with the clock alone is looked at.
const LOOK: Duration = Duration::from_secs(1);

pub struct Watch {
    alerts: Alerts,
    config: AlertsConfig,
    /// In the order of the deployment's tests.
    tests: Vec<(String, TestSettings)>,
    /// (table, warn_after, error_after) in seconds.
    limits: Vec<(String, Option<f64>, Option<f64>)>,
    /// Since when a source has records that are still to be read.
    behind_since: BTreeMap<String, Instant>,
    looked_at: Option<Instant>,
}

impl Watch {
    /// None where livemart.yml names no webhook.
    pub fn start(project: &Project, assembled: &Assembled, observer: &Observer) -> Result<Option<Watch>, VerbError> {
        let Some(config) = project.target.alerts.clone() else { return Ok(None) };
        let alerts = Alerts::start(config.webhook.clone(), &instance::instance_name(project), observer.clone())
            .map_err(|error| VerbError::new(format!("could not start the alerts' thread: {error}")))?;
        let tests = assembled.tests.iter().filter_map(|id| project.nodes.get(id));
        let limits = project.sources.values().filter_map(|source| {
            let (warn, error) = (threshold(source, "warn_after"), threshold(source, "error_after"));
            let table = format!("{}.{}", source.source_name, source.name);
            (warn.is_some() || error.is_some()).then_some((table, warn, error))
        });
        Ok(Some(Watch {
            alerts,
            tests: tests.map(|node| (node.name.clone(), node.test_settings())).collect(),
            limits: limits.collect(),
            config,
            behind_since: BTreeMap::new(),
            looked_at: None,
        }))
    }

    fn watches(&self, kind: AlertKind) -> bool {
        self.config.on.contains(&kind)
    }

    pub fn committed(&self, report: &CommitReport) {
        if self.watches(AlertKind::Test) {
            for (test, failures) in &report.tests {
                let Some((name, settings)) = self.tests.get(*test) else { continue };
                let problem = |severity, rows: i64| Problem {
                    severity,
                    summary: format!("{} fail {name}", counted(rows, "row")),
                };
                let problem = match verdict(name, settings, *failures, 0.0, false).status {
                    Status::Fail(rows) => Some(problem("critical", rows)),
                    Status::Warn(rows) => Some(problem("warning", rows)),
                    Status::Error => {
                        Some(Problem { severity: "critical", summary: format!("the verdict of {name} cannot be told") })
                    }
                    _ => None,
                };
                self.alerts.set("LivemartTestFails", name, problem);
            }
        }
        if self.watches(AlertKind::Errors) {
            for (kind, errors) in &report.errors {
                let rows = i64::try_from(*errors).unwrap_or(i64::MAX);
                let problem = (rows > 0).then(|| Problem {
                    severity: "warning",
                    summary: format!("{} set aside ({kind}); see the errors table", counted(rows, "row")),
                });
                self.alerts.set("LivemartRowsSetAside", kind, problem);
            }
        }
    }

    /// Records of each (source, partition) that are still to be read.
    pub fn lag(&mut self, remaining: &[(Arc<str>, Arc<str>, Option<u64>)], now: Instant) {
        if !self.watches(AlertKind::Lag) {
            return;
        }
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for (source, _, records) in remaining {
            *sums.entry(source).or_default() += records.unwrap_or(0);
        }
        for (source, records) in sums {
            if records == 0 {
                self.behind_since.remove(source);
                self.alerts.set("LivemartSourceLags", source, None);
                continue;
            }
            let since = *self.behind_since.entry(source.to_string()).or_insert(now);
            let behind = now.saturating_duration_since(since);
            if behind >= self.config.lag_after {
                let summary = format!("{source} has been behind for {} s; {records} records wait", behind.as_secs());
                self.alerts.set("LivemartSourceLags", source, Some(Problem { severity: "warning", summary }));
            }
        }
    }

    /// Called at least every second: a source grows stale without an event.
    pub fn turn(&mut self, observer: &Observer, now: Instant) {
        if !self.watches(AlertKind::Freshness) || self.looked_at.is_some_and(|at| now.duration_since(at) < LOOK) {
            return;
        }
        self.looked_at = Some(now);
        let lags = observer.lags();
        for (table, warn, error) in &self.limits {
            let Some(lag) = lags.get(table) else { continue };
            let beyond = |limit: &Option<f64>| limit.is_some_and(|limit| lag.as_secs_f64() > limit);
            let severity = if beyond(error) {
                Some("critical")
            } else if beyond(warn) {
                Some("warning")
            } else {
                None
            };
            let summary = format!("the newest event of {table} is {} s old", lag.as_secs());
            self.alerts.set("LivemartSourceStale", table, severity.map(|severity| Problem { severity, summary }));
        }
    }
}

fn counted(count: i64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
