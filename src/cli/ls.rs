//! `livemart ls`: the project's nodes, one per line on stdout.

use std::io::Write;

use serde_json::{Map as JsonMap, Value as Json, json};

use super::args::{Args, LsArgs, LsOutput};
use super::parse;
use super::talk::Speaker;
use crate::project::{LISTED_TYPES, Project, ProjectError, ResourceType, Selection, python_json};

/// Exit code 0 even when nothing matches, as in dbt; 2 when the project or the selection cannot be read.
pub fn run(args: &Args, ls: &LsArgs, speaker: &Speaker) -> i32 {
    let listed = args.project_options().and_then(|options| {
        let project = parse::load(options, speaker)?;
        speaker.found(&project);
        let (lines, warnings) = lines(&project, ls)?;
        warnings.iter().for_each(|warning| speaker.notice(warning));
        if lines.is_empty() {
            speaker.notice("No nodes selected!");
        }
        Ok(lines)
    });
    match listed {
        Ok(lines) => {
            let mut out = std::io::stdout().lock();
            for line in lines {
                // A closed pipe (`ls | head`) ends the listing quietly.
                if writeln!(out, "{line}").is_err() {
                    break;
                }
            }
            0
        }
        Err(error) => speaker.fail(&error),
    }
}

/// The lines, sorted by unique id, and what the selection warns of.
pub fn lines(project: &Project, ls: &LsArgs) -> Result<(Vec<String>, Vec<String>), ProjectError> {
    // `--models` has always meant models only.
    let types: &[ResourceType] = if ls.select.models.is_empty() { &LISTED_TYPES } else { &[ResourceType::Model] };
    let selection = Selection { include_empty: true, ..ls.select.selection(types)? };
    let selected = project.select(&selection)?;
    let mut ids = selected.ids;
    ids.sort();
    let lines = ids
        .iter()
        .map(|id| match ls.output {
            LsOutput::Selector => project.selector_name(id),
            LsOutput::Name => name(project, id),
            LsOutput::Path => path(project, id),
            LsOutput::Json => python_json(&Json::Object(shown(&member(project, id), &ls.output_keys))),
        })
        .collect();
    Ok((lines, selected.warnings))
}

fn name(project: &Project, id: &str) -> String {
    if let Some(node) = project.nodes.get(id) {
        return node.version.as_ref().map_or(node.name.clone(), |version| format!("{}.v{version}", node.name));
    }
    if let Some(source) = project.sources.get(id) {
        return format!("{}.{}", source.source_name, source.name);
    }
    id.rsplit('.').next().unwrap_or(id).to_string()
}

fn path(project: &Project, id: &str) -> String {
    let node = project.nodes.get(id).map(|node| &node.original_file_path);
    let source = || project.sources.get(id).map(|source| &source.original_file_path);
    let exposure = || project.exposures.get(id).map(|exposure| &exposure.original_file_path);
    let unit_test = || project.unit_tests.get(id).map(|test| &test.original_file_path);
    node.or_else(source).or_else(exposure).or_else(unit_test).cloned().unwrap_or_default()
}

/// Everything known of a member of the graph.
fn member(project: &Project, id: &str) -> JsonMap<String, Json> {
    let json = if let Some(node) = project.nodes.get(id) {
        node.to_json()
    } else if let Some(source) = project.sources.get(id) {
        let mut json = source.to_json();
        json["config"]["freshness"] = source.whole_freshness();
        json
    } else if let Some(exposure) = project.exposures.get(id) {
        json!({
            "name": exposure.name, "resource_type": "exposure", "package_name": exposure.package, "path": exposure.path,
            "original_file_path": exposure.original_file_path, "unique_id": exposure.unique_id, "fqn": exposure.fqn,
            "description": exposure.description, "tags": exposure.tags, "config": exposure.config,
            "depends_on": {"macros": [], "nodes": exposure.depends_on},
        })
    } else if let Some(test) = project.unit_tests.get(id) {
        json!({
            "name": test.name, "resource_type": "unit_test", "package_name": test.package, "path": test.path,
            "original_file_path": test.original_file_path, "unique_id": test.unique_id, "fqn": test.fqn, "model": test.model,
            "description": test.description, "config": test.config,
            "depends_on": {"macros": [], "nodes": test.depends_on},
        })
    } else {
        Json::Null
    };
    json.as_object().cloned().unwrap_or_default()
}

/// The keys that dbt shows, in its order, or those that were asked for.
fn shown(member: &JsonMap<String, Json>, keys: &[String]) -> JsonMap<String, Json> {
    const DEFAULT: [&str; 11] = [
        "name",
        "resource_type",
        "package_name",
        "original_file_path",
        "unique_id",
        "alias",
        "source_name",
        "config",
        "tags",
        "depends_on",
        "metrics",
    ];
    let wanted: Vec<&str> = if keys.is_empty() {
        DEFAULT.to_vec()
    } else {
        keys.iter().flat_map(|key| key.split([' ', ','])).filter(|key| !key.is_empty()).collect()
    };
    let mut shown = JsonMap::new();
    for key in wanted {
        let mut parts = key.split('.');
        let first = parts.next().and_then(|part| member.get(part));
        if let Some(value) = parts.try_fold(first, |value, part| value.map(|value| value.get(part))).flatten() {
            shown.insert(key.to_string(), value.clone());
        }
    }
    shown
}
