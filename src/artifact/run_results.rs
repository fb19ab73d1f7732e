//! `run_results.json`, version 6: how each node of a command ended.

use serde_json::{Map as JsonMap, Value as Json, json};

use super::{metadata, moment};
use crate::project::{Project, ResourceType};

/// How one node ended.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeResult {
    pub unique_id: String,
    /// dbt's word: `success`, `error`, `skipped`, `pass`, `fail`, `warn`, `no-op`.
    pub status: &'static str,
    pub message: Option<String>,
    /// Rows that fail a test.
    pub failures: Option<i64>,
    pub seconds: f64,
    /// Rows that came and went, where they are known.
    pub rows_affected: Option<i64>,
}

/// `finished_at` is when the command's last node ended, microseconds since 1970.
pub fn run_results(
    project: &Project,
    results: &[NodeResult],
    args: &JsonMap<String, Json>,
    elapsed: f64,
    finished_at: i64,
) -> Json {
    let listed: Vec<Json> = results.iter().map(|result| result_json(project, result, finished_at)).collect();
    json!({
        "metadata": metadata(project, "run-results/v6", finished_at), "results": listed, "elapsed_time": elapsed, "args": args,
    })
}

fn result_json(project: &Project, result: &NodeResult, finished_at: i64) -> Json {
    let node = project.nodes.get(&result.unique_id);
    let began = finished_at - (result.seconds * 1e6) as i64;
    let has_code = node.is_some_and(|node| node.resource_type != ResourceType::Seed);
    // All nodes are compiled before the first runs, and run together: they share one span.
    let timing = match result.status {
        "skipped" | "no-op" => json!([]),
        _ => json!([
            {"name": "compile", "started_at": moment(began), "completed_at": moment(began)},
            {"name": "execute", "started_at": moment(began), "completed_at": moment(finished_at)},
        ]),
    };
    let response = match (result.status, result.rows_affected) {
        ("success", Some(rows)) => json!({"_message": result.message, "code": "SELECT", "rows_affected": rows}),
        ("success", None) => json!({"_message": result.message}),
        _ => json!({}),
    };
    json!({
        "status": result.status, "timing": timing, "thread_id": "MainThread", "execution_time": result.seconds,
        "adapter_response": response, "message": result.message, "failures": result.failures, "unique_id": result.unique_id,
        "compiled": has_code.then(|| node.is_some_and(|node| node.compiled_code.is_some())),
        "compiled_code": node.and_then(|node| node.compiled_code.clone()),
        "relation_name": node.and_then(|node| node.relation_name.clone()), "batch_results": null,
    })
}
