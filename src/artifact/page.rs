//! The documentation page: one file of HTML, with its data, style and script inside; nothing is fetched but `live.json` beside it.
//!
//! ```text
//!   Project + planned columns + what is published ──> data (JSON) ──┐
//!                                   page.html (markup, script) ─────┴──> index.html
//! ```
//!
//! 1. Texts of the project get into the page as text, never as markup.
//! 2. What moves (rows, verdicts, the cut) is in `live`: the page as written holds it as it was, a server gives it as it is.

use std::collections::BTreeMap;

use serde_json::{Map as JsonMap, Value as Json, json};

use super::catalog::PlannedColumns;
use super::moment;
use crate::project::{Column, Project};
use crate::sink::Published;

const PAGE: &str = include_str!("page.html");
/// Where the data stand in the page.
const MARK: &str = "__DATA__";

/// The page of a project. Without `published` it shows no rows and no verdicts.
pub fn page(project: &Project, planned: &PlannedColumns, published: Option<&Published>, now: i64) -> String {
    let mut data = data(project, planned, now);
    data["live"] = live(published);
    // A closing tag within a text would end the script element.
    PAGE.replacen(MARK, &data.to_string().replace("</", "<\\/").replace("<!--", "<\\u0021--"), 1)
}

/// What moves: rows by unique id, failing rows by test's name, and the cut.
pub fn live(published: Option<&Published>) -> Json {
    let Some(published) = published else { return Json::Null };
    let tests: JsonMap<String, Json> = published
        .tests
        .iter()
        .map(|test| (test.test.clone(), json!({"failures": test.failures, "severity": test.severity})))
        .collect();
    json!({
        "cut": published.cut.seq, "clock": moment(published.cut.clock), "rows": published.rows, "tests": tests,
        "errors": published.errors,
    })
}

fn data(project: &Project, planned: &PlannedColumns, now: i64) -> Json {
    let mut members = JsonMap::new();
    let tests = tests_by_node(project);
    for node in project.nodes.values().filter(|node| node.test.is_none()) {
        let id = node.unique_id.as_str();
        let columns = columns(planned.get(id), &node.columns);
        let json = json!({
            "name": node.name, "type": node.resource_type.name(), "package": node.package, "relation": node.relation_name,
            "path": node.original_file_path, "description": node.description, "tags": node.tags,
            "materialized": node.config.get("materialized"), "columns": columns, "tests": tests.get(id),
            "raw": node.raw_code, "compiled": node.compiled_code, "parents": project.parents.get(id),
        });
        members.insert(id.to_string(), json);
    }
    for source in project.sources.values() {
        let id = source.unique_id.as_str();
        let json = json!({
            "name": format!("{}.{}", source.source_name, source.name), "type": "source", "package": source.package,
            "relation": source.relation_name, "path": source.original_file_path, "description": source.description,
            "tags": source.tags, "columns": columns(None, &source.columns), "tests": tests.get(id), "parents": [],
        });
        members.insert(id.to_string(), json);
    }
    for exposure in project.exposures.values() {
        let json = json!({
            "name": exposure.name, "type": "exposure", "package": exposure.package, "path": exposure.original_file_path,
            "description": exposure.description, "tags": exposure.tags, "parents": exposure.depends_on,
        });
        members.insert(exposure.unique_id.clone(), json);
    }
    json!({"project": project.name, "target": project.target_name, "generated_at": moment(now), "members": members})
}

/// Columns as planned, or as declared where nothing was planned; with what is said of them.
fn columns(planned: Option<&Vec<(String, String)>>, described: &[Column]) -> Vec<Json> {
    let said = |name: &str| described.iter().find(|column| column.name.eq_ignore_ascii_case(name));
    match planned {
        Some(planned) => planned
            .iter()
            .map(|(name, ty)| json!({"name": name, "type": ty, "description": said(name).map(|column| &column.description)}))
            .collect(),
        None => described
            .iter()
            .map(|column| json!({"name": column.name, "type": column.data_type, "description": column.description}))
            .collect(),
    }
}

/// The tests of each model and source, with the column they are of.
fn tests_by_node(project: &Project) -> BTreeMap<&str, Vec<Json>> {
    let mut found: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
    for node in project.nodes.values() {
        let Some(test) = &node.test else { continue };
        let kind = test.metadata.as_ref().map_or("singular", |metadata| metadata.name.as_str());
        let json =
            json!({"name": node.name, "kind": kind, "column": test.column_name, "description": node.description});
        // A test of one table hangs on that; one that compares several hangs on the table it is written at.
        let on = test.attached_node.iter().chain(node.depends_on.iter().filter(|_| test.attached_node.is_none()));
        for id in on {
            found.entry(id).or_default().push(json.clone());
        }
    }
    found
}
