//! `manifest.json`, version 12: the project as a graph, with everything that its files say.
//!
//! 1. Keys, names and order of lists are dbt's; keys of things that livemart does not have (metrics, semantic models) are empty.
//! 2. Macros are the project's and its packages', and livemart's own where dbt has its adapters'.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map as JsonMap, Value as Json, json};

use super::{code, metadata};
use crate::project::{Column, Exposure, Macro, Node, Project, ResourceType, SourceTable, UnitTest, md5_hex};

/// The manifest of a project whose nodes are compiled as far as they can be.
///
/// `ran` are the nodes whose statement is below `target/run`.
pub fn manifest(project: &Project, ran: &BTreeSet<String>, now: i64) -> Json {
    let created_at = project.started_at() as f64 / 1e6;
    let nodes: JsonMap<String, Json> =
        project.nodes.values().map(|node| (node.unique_id.clone(), node_json(project, node, created_at))).collect();
    let sources: JsonMap<String, Json> =
        project.sources.values().map(|source| (source.unique_id.clone(), source_json(source, created_at))).collect();
    let exposures: JsonMap<String, Json> =
        project.exposures.values().map(|e| (e.unique_id.clone(), exposure_json(e, created_at))).collect();
    let unit_tests: JsonMap<String, Json> =
        project.unit_tests.values().map(|t| (t.unique_id.clone(), unit_test_json(project, t, created_at))).collect();
    let macros: JsonMap<String, Json> =
        project.macros().map(|m| (m.unique_id.clone(), macro_json(project, m, created_at))).collect();
    let disabled: JsonMap<String, Json> = project
        .disabled
        .values()
        .map(|node| (node.unique_id.clone(), json!([node_json(project, node, created_at)])))
        .collect();
    let nodes = with_build_paths(project, nodes, ran);
    // A source that nobody reads has no children, and stands in the map all the same.
    let mut children = project.children.clone();
    for id in project.parents.keys() {
        children.entry(id.clone()).or_default();
    }
    json!({
        "metadata": manifest_metadata(project, now),
        "nodes": nodes, "sources": sources, "macros": macros, "docs": docs(project), "exposures": exposures,
        "metrics": {}, "groups": groups(project), "selectors": project.selector_definitions(), "disabled": disabled,
        "parent_map": edges(&project.parents), "child_map": edges(&children), "group_map": group_map(project),
        "saved_queries": {}, "semantic_models": {}, "unit_tests": unit_tests, "functions": {},
    })
}

fn with_build_paths(
    project: &Project,
    mut nodes: JsonMap<String, Json>,
    ran: &BTreeSet<String>,
) -> JsonMap<String, Json> {
    for id in ran {
        if let (Some(json), Some(node)) = (nodes.get_mut(id), project.nodes.get(id)) {
            json["build_path"] = code::relative_run_path(project, node).into();
        }
    }
    nodes
}

fn manifest_metadata(project: &Project, now: i64) -> Json {
    let mut map = metadata(project, "manifest/v12", now);
    let quoting = &project.packages[0].quoting;
    let quotes = |part: &str| quoting.get(part).and_then(Json::as_bool).unwrap_or(true);
    let started = super::moment(project.started_at()).replace('Z', "+00:00");
    let more = json!({
        "project_name": project.name, "project_id": md5_hex(&project.name), "user_id": null,
        "send_anonymous_usage_stats": false, "adapter_type": "postgres",
        "quoting": {"database": quotes("database"), "schema": quotes("schema"), "identifier": quotes("identifier"), "column": null},
        "run_started_at": started,
    });
    map.extend(more.as_object().cloned().unwrap_or_default());
    Json::Object(map)
}

/// Edges with their ends in order of name.
fn edges(edges: &BTreeMap<String, Vec<String>>) -> Json {
    let sorted: BTreeMap<&String, BTreeSet<&String>> =
        edges.iter().map(|(from, to)| (from, to.iter().collect())).collect();
    json!(sorted)
}

fn columns(columns: &[Column]) -> JsonMap<String, Json> {
    columns
        .iter()
        .map(|column| {
            let json = json!({
                "name": column.name, "description": column.description, "meta": column.meta, "data_type": column.data_type,
                "constraints": column.constraints, "quote": column.quote, "config": {"meta": column.meta, "tags": column.tags},
                "tags": column.tags, "granularity": null, "doc_blocks": column.doc_blocks,
            });
            (column.name.clone(), json)
        })
        .collect()
}

/// A node as every kind has it, then what its kind adds.
fn node_json(project: &Project, node: &Node, created_at: f64) -> Json {
    let is_generic = node.test.as_ref().is_some_and(|test| test.metadata.is_some());
    let checksum = match is_generic {
        true => json!({"name": "none", "checksum": ""}),
        false => json!({"name": "sha256", "checksum": node.checksum}),
    };
    let refs: Vec<Json> = node
        .refs
        .iter()
        .map(|r| json!({"name": r.name, "package": r.package, "version": version(&r.version)}))
        .collect();
    let mut json = json!({
        "database": node.database, "schema": node.schema, "name": node.name, "resource_type": node.resource_type.name(),
        "package_name": node.package, "path": node.path, "original_file_path": node.original_file_path,
        "unique_id": node.unique_id, "fqn": node.fqn, "alias": node.alias, "checksum": checksum, "config": node.config,
        "tags": node.tags, "description": node.description, "columns": columns(&node.columns), "meta": node.meta(),
        "group": node.config.get("group"), "docs": docs_of(node), "patch_path": node.patch_path, "build_path": null,
        "unrendered_config": node.lineage.own_config, "created_at": created_at, "relation_name": node.relation_name,
        "raw_code": node.raw_code, "doc_blocks": node.lineage.doc_blocks,
    });
    let Some(map) = json.as_object_mut() else { return json };
    if node.resource_type == ResourceType::Seed {
        let root = project.package_root(&node.package).map(|root| root.display().to_string());
        map.extend(object(json!({"root_path": root, "depends_on": {"macros": []}})));
        return json;
    }
    let compiled_path = (node.resource_type != ResourceType::Snapshot && node.compiled_code.is_some())
        .then(|| code::relative_compiled_path(project, node));
    let ctes: Vec<Json> = node.extra_ctes.iter().map(|(id, sql)| json!({"id": id, "sql": sql})).collect();
    let contract = node.config.get("contract").and_then(Json::as_object);
    let contract = |key: &str| contract.and_then(|contract| contract.get(key));
    map.extend(object(json!({
        "language": "sql", "refs": refs, "sources": node.sources, "metrics": [], "functions": [],
        "depends_on": {"macros": node.depends_on_macros, "nodes": node.depends_on},
        "compiled_path": compiled_path, "compiled": node.compiled_code.is_some(), "compiled_code": node.compiled_code,
        "extra_ctes_injected": node.compiled_code.is_some(), "extra_ctes": ctes,
        "contract": {
            "enforced": contract("enforced").cloned().unwrap_or(Json::Bool(false)),
            "alias_types": contract("alias_types").cloned().unwrap_or(Json::Bool(true)),
            "checksum": null,
        },
    })));
    if node.resource_type == ResourceType::Model {
        map.extend(object(json!({
            "access": node.config_text("access").unwrap_or("protected"), "constraints": node.constraints,
            "version": version(&node.version), "latest_version": version(&node.lineage.latest_version),
            "deprecation_date": node.lineage.deprecation_date, "primary_key": primary_key(project, node), "time_spine": null,
        })));
    }
    if let Some(test) = &node.test
        && let Some(metadata) = &test.metadata
    {
        map.extend(object(json!({
            "column_name": test.column_name, "file_key_name": test.file_key_name, "attached_node": test.attached_node,
            "test_metadata": {"name": metadata.name, "kwargs": metadata.kwargs, "namespace": metadata.namespace},
        })));
    }
    json
}

/// A version is a number where it is written as one.
fn version(version: &Option<String>) -> Json {
    version.as_ref().map_or(Json::Null, |text| text.parse::<i64>().map_or_else(|_| text.clone().into(), Json::from))
}

fn docs_of(node: &Node) -> Json {
    node.config.get("docs").cloned().unwrap_or_else(|| json!({"show": true, "node_color": null}))
}

fn object(json: Json) -> JsonMap<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => JsonMap::new(),
    }
}

/// A primary key that is declared, else columns whose tests say `unique` and `not_null`, else those that say `unique`.
fn primary_key(project: &Project, model: &Node) -> Vec<String> {
    let is_primary = |constraint: &Json| constraint.get("type").and_then(Json::as_str) == Some("primary_key");
    if let Some(constraint) = model.constraints.iter().find(|constraint| is_primary(constraint)) {
        let columns = constraint.get("columns").and_then(Json::as_array).into_iter().flatten();
        return columns.filter_map(|column| column.as_str().map(String::from)).collect();
    }
    if let Some(column) = model.columns.iter().find(|column| column.constraints.iter().any(is_primary)) {
        return vec![column.name.clone()];
    }
    let (mut unique, mut not_null) = (BTreeSet::new(), BTreeSet::new());
    // A test of several tables hangs on each of them here, as it does in dbt.
    for test in project.children.get(&model.unique_id).into_iter().flatten().filter_map(|id| project.nodes.get(id)) {
        let Some(metadata) = test.test.as_ref().and_then(|test| test.metadata.as_ref()) else { continue };
        let columns: Vec<String> =
            match (metadata.kwargs.get("column_name"), metadata.kwargs.get("combination_of_columns")) {
                (Some(Json::String(column)), _) => vec![column.clone()],
                (_, Some(Json::Array(columns))) => {
                    columns.iter().filter_map(|c| c.as_str().map(String::from)).collect()
                }
                _ => Vec::new(),
            };
        match metadata.name.as_str() {
            "unique" | "unique_combination_of_columns" => unique.extend(columns),
            "not_null" => not_null.extend(columns),
            _ => {}
        }
    }
    let both: Vec<String> = unique.intersection(&not_null).cloned().collect();
    if both.is_empty() { unique.into_iter().collect() } else { both }
}

fn source_json(source: &SourceTable, created_at: f64) -> Json {
    let quoting = |part: &str| source.quoting.get(part).cloned().unwrap_or(Json::Null);
    let mut config = source.config.clone();
    config.insert("freshness".into(), source.whole_freshness());
    let mut own = object(json!({"loaded_at_field": null, "loaded_at_query": null, "meta": {}, "tags": []}));
    own.extend(source.own_config.clone());
    if let Some(written) = own.get_mut("freshness") {
        *written = SourceTable::freshness_with_all_keys(written);
    }
    json!({
        "database": source.database, "schema": source.schema, "name": source.name, "resource_type": "source",
        "package_name": source.package, "path": source.original_file_path, "original_file_path": source.original_file_path,
        "unique_id": source.unique_id, "fqn": source.fqn, "source_name": source.source_name,
        "source_description": source.source_description, "loader": source.loader, "identifier": source.identifier,
        "quoting": {"database": quoting("database"), "schema": quoting("schema"), "identifier": quoting("identifier"), "column": quoting("column")},
        "loaded_at_field": source.loaded_at_field, "loaded_at_query": source.loaded_at_query,
        "freshness": source.whole_freshness(), "external": null, "description": source.description,
        "columns": columns(&source.columns), "meta": source.config.get("meta"), "source_meta": source.source_meta,
        "tags": source.tags, "config": config, "patch_path": null, "unrendered_config": own,
        "relation_name": source.relation_name, "created_at": created_at, "unrendered_database": source.named_database,
        "unrendered_schema": source.named_schema, "doc_blocks": source.doc_blocks,
    })
}

fn exposure_json(exposure: &Exposure, created_at: f64) -> Json {
    let raw = |key: &str| exposure.raw.get(key).cloned().unwrap_or(Json::Null);
    let owner = |key: &str| exposure.raw.get("owner").and_then(|owner| owner.get(key)).cloned().unwrap_or(Json::Null);
    let refs: Vec<Json> = exposure
        .refs
        .iter()
        .map(|r| json!({"name": r.name, "package": r.package, "version": version(&r.version)}))
        .collect();
    json!({
        "name": exposure.name, "resource_type": "exposure", "package_name": exposure.package, "path": exposure.path,
        "original_file_path": exposure.original_file_path, "unique_id": exposure.unique_id, "fqn": exposure.fqn,
        "type": raw("type"), "owner": {"email": owner("email"), "name": owner("name")}, "description": exposure.description,
        "label": raw("label"), "maturity": raw("maturity"), "meta": exposure.config.get("meta"), "tags": exposure.tags,
        "config": exposure.config, "unrendered_config": {}, "url": raw("url"),
        "depends_on": {"macros": [], "nodes": exposure.depends_on}, "refs": refs, "sources": exposure.sources,
        "metrics": [], "created_at": created_at,
    })
}

fn unit_test_json(project: &Project, test: &UnitTest, created_at: f64) -> Json {
    let rows = |given: &Json| {
        let mut map = given.as_object().cloned().unwrap_or_default();
        for key in ["rows", "fixture"] {
            map.entry(key.to_string()).or_insert(Json::Null);
        }
        map.entry("format".to_string()).or_insert_with(|| "dict".into());
        map
    };
    let given: Vec<Json> = test.given.iter().map(|given| Json::Object(rows(given))).collect();
    let mut expect = rows(&test.expect);
    if let Some(Json::Array(rows)) = expect.get_mut("rows") {
        promote_a_full_row(rows);
    }
    let overrides = match test.overrides.as_object() {
        None => Json::Null,
        Some(written) => {
            let part = |key: &str| written.get(key).cloned().unwrap_or_else(|| json!({}));
            json!({"macros": part("macros"), "vars": part("vars"), "env_vars": part("env_vars")})
        }
    };
    let said = format!("{}-{given:?}-{expect:?}-{overrides}", test.model);
    let model = test.depends_on.first().and_then(|id| project.nodes.get(id));
    json!({
        "model": test.model, "given": given, "expect": expect, "name": test.name, "resource_type": "unit_test",
        "package_name": test.package, "path": test.path, "original_file_path": test.original_file_path,
        "unique_id": test.unique_id, "fqn": test.fqn, "description": test.description, "overrides": overrides,
        "depends_on": {"macros": [], "nodes": test.depends_on}, "config": test.config, "checksum": code::sha256(said.as_bytes()),
        "schema": model.map(|model| model.schema.clone()), "created_at": created_at, "versions": null, "version": null,
    })
}

/// dbt puts the first row without a NULL at the head: some databases take types from there.
fn promote_a_full_row(rows: &mut [Json]) {
    let is_full = |row: &Json| row.as_object().is_some_and(|row| row.values().all(|value| !value.is_null()));
    if let Some(at) = rows.iter().position(is_full) {
        rows.swap(0, at);
    }
}

fn macro_json(project: &Project, found: &Macro, created_at: f64) -> Json {
    let said = project.described.macros.get(&found.unique_id).cloned().unwrap_or_default();
    let docs = said.docs.clone().unwrap_or_else(|| json!({"show": true, "node_color": null}));
    let arguments: Vec<Json> = said
        .arguments
        .iter()
        .map(|(name, ty, description)| json!({"name": name, "type": ty, "description": description}))
        .collect();
    let patch_path = (!said.file.is_empty()).then(|| format!("{}://{}", said.package, said.file));
    json!({
        "name": found.name, "resource_type": "macro", "package_name": found.package, "path": found.file,
        "original_file_path": found.file, "unique_id": found.unique_id, "macro_sql": found.source,
        "depends_on": {"macros": project.macros_called(found)}, "description": said.description, "meta": said.meta, "docs": docs,
        "config": {"meta": said.meta, "docs": docs}, "patch_path": patch_path, "arguments": arguments,
        "created_at": created_at, "supported_languages": null,
    })
}

fn docs(project: &Project) -> JsonMap<String, Json> {
    project
        .docs()
        .iter()
        .map(|((package, name), text)| {
            let (path, original) = project.doc_file(package, name).cloned().unwrap_or_default();
            let unique_id = format!("doc.{package}.{name}");
            let json = json!({
                "name": name, "resource_type": "doc", "package_name": package, "path": path, "original_file_path": original,
                "unique_id": unique_id, "block_contents": text,
            });
            (unique_id, json)
        })
        .collect()
}

fn groups(project: &Project) -> JsonMap<String, Json> {
    project
        .described
        .groups
        .values()
        .map(|group| {
            let unique_id = format!("group.{}.{}", group.package, group.name);
            let path = group.file.split_once('/').map_or(group.file.as_str(), |(_, rest)| rest);
            let json = json!({
                "name": group.name, "resource_type": "group", "package_name": group.package, "path": path,
                "original_file_path": group.file, "unique_id": unique_id, "owner": group.owner, "description": group.description,
                "config": {"meta": group.meta},
            });
            (unique_id, json)
        })
        .collect()
}

/// The members of each group.
fn group_map(project: &Project) -> BTreeMap<String, Vec<String>> {
    let mut map: BTreeMap<String, Vec<String>> =
        project.described.groups.keys().map(|name| (name.clone(), Vec::new())).collect();
    for node in project.nodes.values() {
        if let Some(members) = node.config_text("group").and_then(|group| map.get_mut(group)) {
            members.push(node.unique_id.clone());
        }
    }
    map
}
