//! `sources.json`, version 3: how old the newest row of each source table is, and what its thresholds say of that.

use serde_json::{Map as JsonMap, Value as Json, json};

use super::{metadata, moment};
use crate::project::{Project, SourceTable};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Warn,
    /// Older than `error_after`: stale.
    Error,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Warn => "warn",
            Verdict::Error => "error",
        }
    }
}

/// What was found of one source table.
#[derive(Clone, Debug)]
pub struct Freshness {
    pub unique_id: String,
    /// The newest row's time and when it was looked at, microseconds since 1970; or why it is not known.
    pub found: Result<(i64, i64), String>,
    pub seconds: f64,
}

/// Whether a table has a threshold: only those are looked at.
pub fn has_criteria(source: &SourceTable) -> bool {
    ["warn_after", "error_after"].iter().any(|key| threshold(source, key).is_some())
}

/// A threshold in seconds. `{count: 12, period: hour}`
pub fn threshold(source: &SourceTable, key: &str) -> Option<f64> {
    let threshold = source.freshness.get(key)?;
    let count = threshold.get("count")?.as_f64()?;
    let seconds = match threshold.get("period")?.as_str()? {
        "minute" => 60.0,
        "hour" => 3_600.0,
        "day" => 86_400.0,
        _ => return None,
    };
    Some(count * seconds)
}

/// What the thresholds say of a table whose newest row is so old.
pub fn verdict(source: &SourceTable, age_seconds: f64) -> Verdict {
    let is_beyond = |key: &str| threshold(source, key).is_some_and(|limit| age_seconds > limit);
    if is_beyond("error_after") {
        Verdict::Error
    } else if is_beyond("warn_after") {
        Verdict::Warn
    } else {
        Verdict::Pass
    }
}

/// Between two moments, in seconds.
pub fn age_seconds(newest: i64, looked_at: i64) -> f64 {
    (looked_at - newest) as f64 / 1e6
}

pub fn sources(project: &Project, found: &[Freshness], elapsed: f64, now: i64) -> Json {
    let results: Vec<Json> = found
        .iter()
        .filter_map(|one| project.sources.get(&one.unique_id).map(|source| result(source, one, now)))
        .collect();
    json!({"metadata": metadata(project, "sources/v3", now), "results": results, "elapsed_time": elapsed})
}

fn result(source: &SourceTable, one: &Freshness, now: i64) -> Json {
    let (newest, looked_at) = match &one.found {
        Err(reason) => return json!({"unique_id": one.unique_id, "error": reason, "status": "runtime error"}),
        Ok(found) => *found,
    };
    let age = age_seconds(newest, looked_at);
    let offset = |micros: i64| moment(micros).replace('Z', "+00:00");
    let began = now - (one.seconds * 1e6) as i64;
    let timing = [("compile", began, began), ("execute", began, now)]
        .map(|(name, from, to)| json!({"name": name, "started_at": moment(from), "completed_at": moment(to)}));
    let mut json = JsonMap::new();
    json.insert("unique_id".into(), one.unique_id.clone().into());
    json.insert("max_loaded_at".into(), offset(newest).into());
    json.insert("snapshotted_at".into(), offset(looked_at).into());
    json.insert("max_loaded_at_time_ago_in_s".into(), age.into());
    json.insert("status".into(), verdict(source, age).name().into());
    json.insert("criteria".into(), source.whole_freshness());
    json.insert("adapter_response".into(), json!({}));
    json.insert("timing".into(), json!(timing));
    json.insert("thread_id".into(), "MainThread".into());
    json.insert("execution_time".into(), one.seconds.into());
    Json::Object(json)
}
