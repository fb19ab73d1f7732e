//! What a line of `--log-format json` says beside its words: dbt's name and code of the event, and its data. Tools that run dbt read these.

use serde_json::{Value as Json, json};

use super::words::{Outcome, Status};
use crate::project::{Node, ResourceType};

#[derive(Clone, Debug)]
pub struct Event {
    pub name: &'static str,
    pub code: &'static str,
    pub data: Json,
}

impl Event {
    pub fn new(name: &'static str, code: &'static str, data: Json) -> Event {
        Event { name, code, data }
    }

    /// A line that is nothing but its words.
    pub fn note(text: &str) -> Event {
        let (name, code) = if text.is_empty() { ("Formatting", "Z017") } else { ("Note", "Z050") };
        Event::new(name, code, json!({"msg": text}))
    }

    pub fn start(index: usize, total: usize, node: &Node, description: &str) -> Event {
        let data = json!({
            "index": index, "total": total, "description": description, "node_info": node_info(node, "started"),
        });
        Event::new("LogStartLine", "Q011", data)
    }

    pub fn outcome(index: usize, total: usize, node: &Node, description: &str, outcome: &Outcome) -> Event {
        let status = status_word(&outcome.status);
        let (name, code) = match (node.resource_type, &outcome.status) {
            (_, Status::Skipped) => ("SkippingDetails", "Q033"),
            (ResourceType::Test, _) => ("LogTestResult", "Q007"),
            (ResourceType::Snapshot, _) => ("LogSnapshotResult", "Q015"),
            (ResourceType::Seed, _) => ("LogSeedResult", "Q016"),
            _ => ("LogModelResult", "Q012"),
        };
        let failures = match outcome.status {
            Status::Warn(count) | Status::Fail(count) => count,
            _ => 0,
        };
        let data = json!({
            "index": index, "total": total, "name": node.name, "description": description, "status": status,
            "num_failures": failures, "execution_time": outcome.seconds, "node_info": node_info(node, status),
        });
        Event::new(name, code, data)
    }
}

fn node_info(node: &Node, status: &str) -> Json {
    json!({
        "unique_id": node.unique_id, "node_name": node.name, "resource_type": node.resource_type.name(),
        "materialized": node.config.get("materialized"), "node_path": node.path, "node_status": status,
        "node_checksum": node.checksum, "meta": node.meta(),
        "node_relation": {
            "database": node.database, "schema": node.schema, "alias": node.alias, "relation_name": node.relation_name,
        },
    })
}

fn status_word(status: &Status) -> &'static str {
    match status {
        Status::Success(_) => "success",
        Status::Pass => "pass",
        Status::Warn(_) => "warn",
        Status::Fail(_) => "fail",
        Status::Error => "error",
        Status::Skipped => "skipped",
        Status::NoOp => "no-op",
    }
}
