//! dbt's words on what was found, on how each node ended, and on the whole.

use serde_json::json;

use super::talk::Level;
use crate::project::{Node, Project, ResourceType};

/// The width that dbt pads its lines to.
const LINE_WIDTH: usize = 80;

/// How one node ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub unique_id: String,
    pub status: Status,
    pub seconds: f64,
    /// What went wrong, or what was said of it.
    pub message: Option<String>,
    pub compiled_path: Option<String>,
    /// Where the failing rows of a test are kept.
    pub failures_relation: Option<String>,
}

impl Outcome {
    /// dbt's words on the failing rows of a test.
    pub fn verdict_words(&self, project: &Project) -> Option<String> {
        let settings = project.nodes.get(&self.unique_id)?.test_settings();
        let (count, word, rule) = match &self.status {
            Status::Fail(count) => (*count, "fail", settings.error_if),
            Status::Warn(count) => (*count, "warn", settings.warn_if),
            _ => return None,
        };
        let results = if count == 1 { "result" } else { "results" };
        Some(format!("Got {count} {results}, configured to {word} if {rule}"))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// A model, seed or snapshot; the text is dbt's: `SELECT 12`, `INSERT 3`, `OK`.
    Success(String),
    Pass,
    Warn(i64),
    Fail(i64),
    Error,
    Skipped,
    NoOp,
}

pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A line with its dots.
pub fn padded(index: usize, total: usize, text: &str, label: &str, seconds: Option<f64>) -> String {
    let prefix = format!("{index} of {total} {text} ");
    let dots = ".".repeat(LINE_WIDTH.saturating_sub(prefix.chars().count()));
    let time = seconds.map_or(String::new(), |seconds| format!(" in {seconds:.2}s"));
    format!("{prefix}{dots} [{label}{time}]")
}

/// `sql table model marts.revenue`, `seed file main.prices`, `test unique_x`.
pub fn description(node: &Node) -> String {
    let place = format!("{}.{}", node.schema, node.alias);
    match node.resource_type {
        ResourceType::Seed => format!("seed file {place}"),
        ResourceType::Snapshot => format!("snapshot {place}"),
        ResourceType::Test => format!("test {}", node.name),
        _ => format!("sql {} {} {place}", node.config_text("materialized").unwrap_or("view"), node.resource_type),
    }
}

/// The words, the label and the level of a result.
pub fn result_words(node: &Node, status: &Status) -> (String, String, Level) {
    let verb = match node.resource_type {
        ResourceType::Seed => "loaded",
        ResourceType::Snapshot => "snapshotted",
        _ => "created",
    };
    let doing = match node.resource_type {
        ResourceType::Seed => "loading",
        ResourceType::Snapshot => "snapshotting",
        _ => "creating",
    };
    if node.resource_type == ResourceType::Test {
        let (words, level) = test_words(status);
        return (words.clone(), words, level);
    }
    match status {
        Status::Success(label) => (format!("OK {verb}"), label.clone(), Level::Info),
        Status::Error => (format!("ERROR {doing}"), "ERROR".into(), Level::Error),
        Status::Skipped => ("SKIP relation".into(), "SKIP".into(), Level::Info),
        status => {
            let (words, level) = test_words(status);
            (words.clone(), words, level)
        }
    }
}

/// The word and the level of a test's result.
pub fn test_words(status: &Status) -> (String, Level) {
    match status {
        Status::Success(_) | Status::Pass => ("PASS".into(), Level::Info),
        Status::Warn(count) => (format!("WARN {count}"), Level::Warn),
        Status::Fail(count) => (format!("FAIL {count}"), Level::Error),
        Status::Error => ("ERROR".into(), Level::Error),
        Status::Skipped => ("SKIP".into(), Level::Info),
        Status::NoOp => ("NO-OP".into(), Level::Info),
    }
}

/// `10 models, 2 snapshots, 1 analysis, 24 data tests, …`
pub fn statistics(project: &Project) -> String {
    let count = |ty: ResourceType| project.nodes.values().filter(|node| node.resource_type == ty).count();
    let hooks: usize =
        project.packages.iter().map(|package| package.on_run_start.len() + package.on_run_end.len()).sum();
    [
        (count(ResourceType::Model), "model", "models"),
        (count(ResourceType::Snapshot), "snapshot", "snapshots"),
        (count(ResourceType::Analysis), "analysis", "analyses"),
        (count(ResourceType::Test), "data test", "data tests"),
        (count(ResourceType::Seed), "seed", "seeds"),
        (hooks, "operation", "operations"),
        (project.sources.len(), "source", "sources"),
        (project.exposures.len(), "exposure", "exposures"),
        (project.macros().count(), "macro", "macros"),
        (project.unit_tests.len(), "unit test", "unit tests"),
    ]
    .into_iter()
    .filter(|(count, _, _)| *count > 0)
    .map(|(count, one, many)| counted(count, one, many))
    .collect::<Vec<_>>()
    .join(", ")
}

pub fn finished_running(project: &Project, outcomes: &[Outcome], seconds: f64) -> String {
    let mut counts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let units = outcomes.iter().filter(|outcome| project.unit_tests.contains_key(&outcome.unique_id)).count();
    if units > 0 {
        counts.insert("unit test".into(), units);
    }
    for node in outcomes.iter().filter_map(|outcome| project.nodes.get(&outcome.unique_id)) {
        let kind = match node.resource_type {
            ResourceType::Model => {
                format!("{} model", node.config_text("materialized").unwrap_or("view").replace('_', " "))
            }
            ResourceType::Test => "data test".into(),
            other => other.name().to_string(),
        };
        *counts.entry(kind).or_default() += 1;
    }
    let kinds: Vec<String> =
        counts.into_iter().map(|(kind, count)| counted(count, &kind, &format!("{kind}s"))).collect();
    finished(&kinds.join(", "), seconds)
}

/// `Finished running 1 source in 0 hours 0 minutes and 0.64 seconds (0.64s).`
pub fn finished(what: &str, seconds: f64) -> String {
    let (hours, minutes) = ((seconds / 3600.0) as u64, (seconds / 60.0) as u64 % 60);
    let rest = seconds - (hours * 3600 + minutes * 60) as f64;
    format!("Finished running {what} in {hours} hours {minutes} minutes and {rest:.2} seconds ({seconds:.2}s).")
}

pub fn stats(outcomes: &[Outcome]) -> serde_json::Value {
    let count = |fits: fn(&Status) -> bool| outcomes.iter().filter(|outcome| fits(&outcome.status)).count();
    json!({
        "pass": count(|status| matches!(status, Status::Success(_) | Status::Pass)),
        "warn": count(|status| matches!(status, Status::Warn(_))),
        "error": count(|status| matches!(status, Status::Error | Status::Fail(_))),
        "skip": count(|status| *status == Status::Skipped),
        "noop": count(|status| *status == Status::NoOp),
        "total": outcomes.len(),
    })
}

pub fn done(outcomes: &[Outcome]) -> String {
    let stats = stats(outcomes);
    format!(
        "Done. PASS={} WARN={} ERROR={} SKIP={} NO-OP={} TOTAL={}",
        stats["pass"], stats["warn"], stats["error"], stats["skip"], stats["noop"], stats["total"]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_pad_a_line_to_eighty() {
        let line = padded(1, 3, "START sql table model marts.x", "RUN", None);
        assert_eq!(line, format!("1 of 3 START sql table model marts.x {} [RUN]", ".".repeat(43)));
        assert_eq!(line.find(" [RUN]"), Some(80));
        let long = padded(1, 3, &"x".repeat(90), "OK", Some(0.125));
        assert!(long.ends_with("x  [OK in 0.12s]") || long.ends_with("x  [OK in 0.13s]"), "{long}");
    }

    #[test]
    fn the_last_line_counts_the_outcomes() {
        let outcome = |status| Outcome {
            unique_id: "x".into(),
            status,
            seconds: 0.0,
            message: None,
            compiled_path: None,
            failures_relation: None,
        };
        let all = [
            Status::Success("SELECT 1".into()),
            Status::Pass,
            Status::Warn(2),
            Status::Fail(1),
            Status::Skipped,
            Status::NoOp,
        ];
        let outcomes: Vec<Outcome> = all.into_iter().map(outcome).collect();
        assert_eq!(done(&outcomes), "Done. PASS=2 WARN=1 ERROR=1 SKIP=1 NO-OP=1 TOTAL=6");
    }
}
