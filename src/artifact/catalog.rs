//! `catalog.json`, version 1: the columns and types of every relation, and how many rows the published ones hold.
//!
//! Types come from the plan: they are PostgreSQL's whatever the sink stores, and views that are not published have them, too.

use std::collections::BTreeMap;

use serde_json::{Map as JsonMap, Value as Json, json};

use super::metadata;
use crate::project::{Column, Materialization, Node, Project};

/// A model's columns as planned, (name, type).
pub type PlannedColumns = BTreeMap<String, Vec<(String, String)>>;

/// `rows` are those of published tables, by unique id.
pub fn catalog(project: &Project, planned: &PlannedColumns, rows: &BTreeMap<String, u64>, now: i64) -> Json {
    let nodes: JsonMap<String, Json> = planned
        .iter()
        .filter_map(|(id, columns)| {
            let node = project.nodes.get(id).filter(|node| node.relation_name.is_some())?;
            Some((id.clone(), node_json(node, columns, rows.get(id).copied())))
        })
        .collect();
    let sources: JsonMap<String, Json> = project
        .sources
        .values()
        .map(|source| {
            let columns: Vec<(String, String)> = source
                .columns
                .iter()
                .map(|column| (column.name.clone(), column.data_type.clone().unwrap_or_default()))
                .collect();
            let metadata = json!({
                "type": "BASE TABLE", "schema": source.schema, "name": source.identifier, "database": source.database,
                "comment": null, "owner": null,
            });
            let json = json!({
                "metadata": metadata, "columns": columns_json(&columns, &source.columns), "stats": stats(None),
                "unique_id": source.unique_id,
            });
            (source.unique_id.clone(), json)
        })
        .collect();
    json!({"metadata": metadata(project, "catalog/v1", now), "nodes": nodes, "sources": sources, "errors": null})
}

fn node_json(node: &Node, columns: &[(String, String)], rows: Option<u64>) -> Json {
    // What is published is a table, whatever dbt would make of it.
    let kind = match (rows, node.materialized()) {
        (None, Some(Materialization::View)) => "VIEW",
        _ => "BASE TABLE",
    };
    let persists = node.config.get("persist_docs").and_then(|docs| docs.get("relation")).and_then(Json::as_bool);
    let comment = (persists == Some(true) && !node.description.is_empty()).then(|| node.description.clone());
    json!({
        "metadata": {
            "type": kind, "schema": node.schema, "name": node.alias, "database": node.database, "comment": comment, "owner": null,
        },
        "columns": columns_json(columns, &node.columns), "stats": stats(rows), "unique_id": node.unique_id,
    })
}

fn columns_json(columns: &[(String, String)], described: &[Column]) -> JsonMap<String, Json> {
    columns
        .iter()
        .enumerate()
        .map(|(at, (name, ty))| {
            let known = described.iter().find(|column| column.name.eq_ignore_ascii_case(name));
            let comment = known.map(|column| column.description.clone()).filter(|text| !text.is_empty());
            (name.clone(), json!({"type": ty, "index": at + 1, "name": name, "comment": comment}))
        })
        .collect()
}

fn stats(rows: Option<u64>) -> Json {
    let has = json!({
        "id": "has_stats", "label": "Has Stats?", "value": rows.is_some(), "include": false,
        "description": "Indicates whether there are statistics for this table",
    });
    match rows {
        None => json!({"has_stats": has}),
        Some(rows) => json!({
            "row_count": {
                "id": "row_count", "label": "# Rows", "value": rows, "include": true,
                "description": "Rows of the published table when the catalog was written",
            },
            "has_stats": has,
        }),
    }
}
