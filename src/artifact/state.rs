//! `state:`: how a project differs from a manifest that was kept (`--state FOLDER`), ours or dbt's.
//!
//! ```text
//!   manifest of the folder ─┐
//!   manifest of the project ┴─> ids that are new, old, modified, unmodified, modified.body, modified.configs, …
//! ```
//!
//! What counts as a change is dbt's list: text, configuration as written, persisted descriptions, names, contracts, and macros that a node
//! calls. Macros of dbt itself and of livemart are not compared: the two bring different ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map as JsonMap, Value as Json};

use super::ArtifactError;
use super::manifest::manifest;
use crate::project::Project;

/// Macros that a project neither wrote nor installed.
const OUTSIDE: [&str; 3] = ["dbt", "dbt_postgres", "dbt_duckdb"];
/// Configuration whose change is none, in dbt's eyes.
const NO_CHANGE: [&str; 6] = ["alias", "schema", "database", "tags", "group", "access"];
/// What configures a test's verdict; nothing else of a test's configuration counts.
const OF_TESTS: [&str; 8] =
    ["severity", "where", "limit", "fail_calc", "warn_if", "error_if", "store_failures", "store_failures_as"];

/// Reads `manifest.json` of a folder.
pub fn read(folder: &Path) -> Result<Json, ArtifactError> {
    let path = folder.join("manifest.json");
    let bytes = std::fs::read(&path).map_err(|cause| ArtifactError::Read { path: path.clone(), cause })?;
    let wrong = |reason: String| ArtifactError::NotAManifest { path: path.clone(), reason };
    let json: Json = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    match json.get("nodes").is_some_and(Json::is_object) {
        true => Ok(json),
        false => Err(wrong("it has no nodes".into())),
    }
}

/// The ids of each `state:` selector.
pub fn compare(project: &Project, old: &Json) -> BTreeMap<String, BTreeSet<String>> {
    let new = manifest(project, &BTreeSet::new(), 0);
    let changed_macros = changed_macros(&new, old);
    let mut found: BTreeMap<String, BTreeSet<String>> =
        SELECTORS.iter().map(|name| (name.to_string(), BTreeSet::new())).collect();
    for section in ["nodes", "sources", "exposures", "unit_tests"] {
        for (id, node) in new.get(section).and_then(Json::as_object).into_iter().flatten() {
            let before = old.get(section).and_then(|section| section.get(id));
            for name in selectors_of(section, node, before, &new, &changed_macros) {
                found.entry(name.to_string()).or_default().insert(id.clone());
            }
        }
    }
    found
}

const SELECTORS: [&str; 10] = [
    "new",
    "old",
    "modified",
    "unmodified",
    "modified.body",
    "modified.configs",
    "modified.persisted_descriptions",
    "modified.relation",
    "modified.macros",
    "modified.contract",
];

fn selectors_of(
    section: &str,
    node: &Json,
    before: Option<&Json>,
    new: &Json,
    changed_macros: &BTreeSet<String>,
) -> Vec<&'static str> {
    let mut found = Vec::new();
    let calls_changed = calls_any(node, new, changed_macros, &mut BTreeSet::new());
    let Some(before) = before else {
        found.extend(["new", "modified"]);
        if section == "nodes" {
            found.extend([
                "modified.body",
                "modified.configs",
                "modified.persisted_descriptions",
                "modified.relation",
                "modified.contract",
            ]);
        } else if section != "unit_tests" {
            found.push("modified.configs");
        }
        if calls_changed {
            found.push("modified.macros");
        }
        // A source or an exposure that was not there before has not changed, says dbt.
        if matches!(section, "sources" | "exposures") {
            found.retain(|name| *name != "modified");
            found.push("unmodified");
        }
        return found;
    };
    found.push("old");
    let same = |keys: &[&str]| keys.iter().all(|key| node.get(*key) == before.get(*key));
    let is_generic = node.get("test_metadata").is_some();
    let body = match node.get("resource_type").and_then(Json::as_str) {
        Some("seed") => same(&["checksum"]),
        _ => same(&["raw_code"]),
    };
    let configs = same_config(node, before);
    let descriptions = same_descriptions(node, before);
    let relation = match section {
        "sources" => same(&["database", "schema", "identifier"]),
        _ => ["database", "schema", "alias"].iter().all(|key| own(node, key) == own(before, key)),
    };
    let contract = node.get("resource_type").and_then(Json::as_str) != Some("model") || same_contract(node, before);
    let is_same = match section {
        "sources" => {
            relation
                && configs
                && same(&["fqn", "freshness", "loaded_at_field", "external"])
                && same_quoting(node, before)
        }
        "exposures" => {
            configs
                && same(&["fqn", "type", "owner", "maturity", "url", "description", "label"])
                && depends_on(node) == depends_on(before)
        }
        "unit_tests" => same(&["model", "given", "expect", "overrides"]),
        _ if is_generic => configs && same(&["fqn"]),
        _ => body && configs && descriptions && relation && contract && same(&["fqn"]),
    };
    found.push(if is_same && !calls_changed { "unmodified" } else { "modified" });
    if section == "nodes" {
        let parts = [
            ("modified.body", body),
            ("modified.persisted_descriptions", descriptions),
            ("modified.contract", contract),
        ];
        found.extend(parts.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name));
    }
    if section != "unit_tests" && !configs {
        found.push("modified.configs");
    }
    if matches!(section, "nodes" | "sources") && !relation {
        found.push("modified.relation");
    }
    if calls_changed {
        found.push("modified.macros");
    }
    found
}

/// Configuration as the files say it.
fn own<'a>(node: &'a Json, key: &str) -> Option<&'a Json> {
    node.get("unrendered_config").and_then(|config| config.get(key)).filter(|value| !value.is_null())
}

fn same_config(node: &Json, before: &Json) -> bool {
    let is_test = node.get("resource_type").and_then(Json::as_str) == Some("test");
    let keys = |node: &Json| -> BTreeSet<String> {
        let map = node.get("unrendered_config").and_then(Json::as_object).cloned().unwrap_or_default();
        map.keys().map(|key| key.replace("pre_hook", "pre-hook").replace("post_hook", "post-hook")).collect()
    };
    let counts = |key: &String| match is_test {
        true => OF_TESTS.contains(&key.as_str()),
        false => !NO_CHANGE.contains(&key.as_str()),
    };
    let value = |node: &Json, key: &str| {
        let old_name = key.replace("e-hook", "e_hook").replace("t-hook", "t_hook");
        own(node, key).or_else(|| own(node, &old_name)).cloned().filter(|value| *value != Json::Object(JsonMap::new()))
    };
    keys(node).union(&keys(before)).filter(|key| counts(key)).all(|key| value(node, key) == value(before, key))
}

/// Descriptions count where they are persisted in the database.
fn same_descriptions(node: &Json, before: &Json) -> bool {
    let persists = |part: &str| {
        let config = node.get("config").and_then(|config| config.get("persist_docs")).and_then(|docs| docs.get(part));
        config.and_then(Json::as_bool).unwrap_or(false)
    };
    let columns = |node: &Json| -> BTreeMap<String, Option<Json>> {
        let columns = node.get("columns").and_then(Json::as_object).cloned().unwrap_or_default();
        columns.into_iter().map(|(name, column)| (name, column.get("description").cloned())).collect()
    };
    (!persists("relation") || node.get("description") == before.get("description"))
        && (!persists("columns") || columns(node) == columns(before))
}

/// An enforced contract is its columns' names and types, and its constraints.
fn same_contract(node: &Json, before: &Json) -> bool {
    let enforced =
        |node: &Json| node.get("contract").and_then(|c| c.get("enforced")).and_then(Json::as_bool).unwrap_or(false);
    let columns = |node: &Json| -> BTreeMap<String, (Option<Json>, Option<Json>)> {
        let columns = node.get("columns").and_then(Json::as_object).cloned().unwrap_or_default();
        let part = |column: &Json, key: &str| column.get(key).cloned();
        columns.into_iter().map(|(name, c)| (name, (part(&c, "data_type"), part(&c, "constraints")))).collect()
    };
    enforced(node) == enforced(before)
        && (!enforced(node)
            || (columns(node) == columns(before) && node.get("constraints") == before.get("constraints")))
}

/// A part that is not said is said as null by dbt.
fn same_quoting(node: &Json, before: &Json) -> bool {
    let quotes = |node: &Json, part: &str| {
        node.get("quoting").and_then(|quoting| quoting.get(part)).filter(|value| !value.is_null()).cloned()
    };
    ["database", "schema", "identifier"].iter().all(|part| quotes(node, part) == quotes(before, part))
}

fn depends_on(node: &Json) -> BTreeSet<String> {
    let nodes = node.get("depends_on").and_then(|depends_on| depends_on.get("nodes")).and_then(Json::as_array);
    nodes.into_iter().flatten().filter_map(|id| id.as_str().map(String::from)).collect()
}

fn macros_of(json: &Json) -> impl Iterator<Item = (&String, &Json)> {
    let outside = |id: &str| id.split('.').nth(1).is_none_or(|package| OUTSIDE.contains(&package));
    json.get("macros").and_then(Json::as_object).into_iter().flatten().filter(move |(id, _)| !outside(id))
}

fn changed_macros(new: &Json, old: &Json) -> BTreeSet<String> {
    let texts = |json: &Json| -> BTreeMap<String, String> {
        let text = |found: &Json| found.get("macro_sql").and_then(Json::as_str).unwrap_or_default().trim().to_string();
        macros_of(json).map(|(id, found)| (id.clone(), text(found))).collect()
    };
    let (new, old) = (texts(new), texts(old));
    new.keys().chain(old.keys()).filter(|id| new.get(*id) != old.get(*id)).cloned().collect()
}

fn calls_any(node: &Json, new: &Json, changed: &BTreeSet<String>, seen: &mut BTreeSet<String>) -> bool {
    let called = node.get("depends_on").and_then(|depends_on| depends_on.get("macros")).and_then(Json::as_array);
    called.into_iter().flatten().filter_map(Json::as_str).any(|id| {
        seen.insert(id.to_string())
            && (changed.contains(id)
                || new
                    .get("macros")
                    .and_then(|macros| macros.get(id))
                    .is_some_and(|found| calls_any(found, new, changed, seen)))
    })
}
