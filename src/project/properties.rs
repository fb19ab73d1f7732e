//! Property files: the YAML that describes sources, models, seeds, tests and the rest.
//!
//! Texts are rendered as they are read, except those that dbt renders later: tests' arguments, descriptions and hooks.

use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use super::error::{ProjectError, Result};
use super::files::{self, Found};
use super::jinja::scope::Scope;
use super::jinja::value::to_json;
use super::jinja::{has_jinja, render_value};
use super::node::Column;
use super::render::failed;
use super::settings::{from_json, texts};
use super::yaml::{self, Map, Value, Yaml};

/// One entry of a section, with its file.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The section's key: `models`, `sources`, …
    pub section: String,
    /// Relative to the project's folder.
    pub file: String,
    /// Folders between the searched folder and the file.
    pub folders: Vec<String>,
    pub name: String,
    pub yaml: Yaml,
}

/// The sections that dbt knows.
const SECTIONS: [&str; 14] = [
    "models",
    "seeds",
    "snapshots",
    "analyses",
    "macros",
    "sources",
    "exposures",
    "unit_tests",
    "data_tests",
    "metrics",
    "semantic_models",
    "saved_queries",
    "groups",
    "functions",
];

/// All entries of one file. An empty file has none.
pub fn read(found: &Found, scope: &Arc<Scope>) -> Result<Vec<Entry>> {
    let file = found.original.as_str();
    let root = yaml::parse(&files::read(&found.path, file)?, file)?;
    if root.is_null() {
        return Ok(Vec::new());
    }
    let Some(map) = root.as_map() else {
        return Err(ProjectError::parsing(format!(
            "The schema file at {file} is invalid because it is not a dictionary"
        ))
        .in_file(file));
    };
    let mut entries = Vec::new();
    for (key, list) in map.iter() {
        let section = key.scalar_text().unwrap_or_default();
        if !SECTIONS.contains(&section.as_str()) || list.is_null() {
            continue;
        }
        let items = list.as_list().ok_or_else(|| {
            ProjectError::parsing(format!("Invalid {section} config given in {file}: '{section}' is not a list"))
                .in_file(file)
                .at_line(list.line)
        })?;
        for item in items {
            let Some(name) = item.get("name").and_then(Yaml::scalar_text) else {
                return Err(ProjectError::parsing(format!(
                    "Invalid {section} config given in {file} @ {section}: 'name' is missing"
                ))
                .in_file(file)
                .at_line(item.line));
            };
            let yaml = render(item, &section, &mut Vec::new(), file, scope)?;
            entries.push(Entry {
                section: section.clone(),
                file: file.to_string(),
                folders: found.folders(),
                name,
                yaml,
            });
        }
    }
    Ok(entries)
}

/// A step of a key path: a map's key, or a list's index.
type Path = Vec<String>;

fn render(yaml: &Yaml, section: &str, path: &mut Path, file: &str, scope: &Arc<Scope>) -> Result<Yaml> {
    if is_late(section, path) {
        return Ok(yaml.clone());
    }
    let value = match &yaml.value {
        Value::Text(text) if has_jinja(text) => {
            let value = render_value(scope, text, file)
                .map_err(|failure| failed(failure, text).in_file(file).at_line(yaml.line))?;
            from_json(&to_json(&value), yaml.line).value
        }
        Value::List(list) => {
            let mut rendered = Vec::new();
            for (at, item) in list.iter().enumerate() {
                path.push(at.to_string());
                rendered.push(render(item, section, path, file, scope)?);
                path.pop();
            }
            Value::List(rendered)
        }
        Value::Map(map) => {
            let mut rendered = Map::default();
            for (key, item) in map.iter() {
                path.push(key.scalar_text().unwrap_or_default());
                rendered.insert(key.clone(), render(item, section, path, file, scope)?);
                path.pop();
            }
            Value::Map(rendered)
        }
        other => other.clone(),
    };
    Ok(Yaml { value, line: yaml.line })
}

/// Whether dbt renders this value later, or never.
fn is_late(section: &str, path: &[String]) -> bool {
    let Some(last) = path.last().map(String::as_str) else { return false };
    let in_config = path.iter().any(|key| key == "config");
    match last {
        "tests" | "data_tests" => !in_config,
        "description" | "loaded_at_query" => true,
        "pre_hook" | "post_hook" | "pre-hook" | "post-hook" => in_config,
        // Rows of unit tests are data; their `given` inputs are rendered when they are run.
        "given" | "expect" | "overrides" => section == "unit_tests",
        "depends_on" => section == "exposures",
        _ => false,
    }
}

impl Entry {
    pub fn text(&self, key: &str) -> Option<String> {
        self.yaml.get(key).and_then(Yaml::scalar_text)
    }

    pub fn line(&self) -> usize {
        self.yaml.line
    }

    pub fn description(&self) -> String {
        self.text("description").unwrap_or_default()
    }

    /// `config:`, with the keys that used to stand beside it.
    pub fn config(&self, old_keys: &[&str]) -> JsonMap<String, Json> {
        config_of(&self.yaml, old_keys)
    }

    /// The entry's tests, under either key.
    pub fn tests(&self) -> Result<Vec<Yaml>> {
        tests_of(&self.yaml, &self.file)
    }

    pub fn error(&self, message: impl Into<String>) -> ProjectError {
        ProjectError::parsing(message).in_file(self.file.clone()).at_line(self.yaml.line)
    }
}

pub fn config_of(yaml: &Yaml, old_keys: &[&str]) -> JsonMap<String, Json> {
    let mut config = JsonMap::new();
    for key in old_keys {
        if let Some(value) = yaml.get(key) {
            config.insert(key.to_string(), value.to_json());
        }
    }
    if let Some(Json::Object(map)) = yaml.get("config").map(Yaml::to_json) {
        for (key, value) in map {
            match (config.get_mut(&key), &value) {
                (Some(Json::Object(old)), Json::Object(new)) => old.extend(new.clone()),
                _ => {
                    config.insert(key, value);
                }
            }
        }
    }
    config
}

pub fn tests_of(yaml: &Yaml, file: &str) -> Result<Vec<Yaml>> {
    let (old, new) = (yaml.get("tests"), yaml.get("data_tests"));
    if let (Some(old), Some(_)) = (old, new) {
        return Err(ProjectError::parsing("Invalid test config: cannot have both 'tests' and 'data_tests' defined")
            .in_file(file)
            .at_line(old.line));
    }
    match new.or(old) {
        None => Ok(Vec::new()),
        Some(tests) => tests.as_list().map(<[Yaml]>::to_vec).ok_or_else(|| {
            ProjectError::parsing("Invalid test config: 'data_tests' is not a list").in_file(file).at_line(tests.line)
        }),
    }
}

/// A column's entry and its tests.
pub struct ColumnEntry {
    pub column: Column,
    pub tests: Vec<Yaml>,
}

pub fn columns_of(yaml: &Yaml, file: &str) -> Result<Vec<ColumnEntry>> {
    let mut found = Vec::new();
    for item in yaml.get("columns").and_then(Yaml::as_list).unwrap_or_default() {
        let Some(name) = item.get("name").and_then(Yaml::scalar_text) else {
            return Err(ProjectError::parsing("Invalid column config: 'name' is missing")
                .in_file(file)
                .at_line(item.line));
        };
        let config = config_of(item, &["meta", "tags"]);
        let column = Column {
            doc_blocks: Vec::new(),
            name,
            description: item.get("description").and_then(Yaml::scalar_text).unwrap_or_default(),
            data_type: item.get("data_type").and_then(Yaml::scalar_text),
            meta: config.get("meta").and_then(Json::as_object).cloned().unwrap_or_default(),
            tags: config.get("tags").map_or_else(Vec::new, |tags| texts(&from_json(tags, item.line))),
            quote: item.get("quote").and_then(Yaml::as_bool),
            constraints: item
                .get("constraints")
                .and_then(Yaml::as_list)
                .unwrap_or_default()
                .iter()
                .map(Yaml::to_json)
                .collect(),
        };
        found.push(ColumnEntry { column, tests: tests_of(item, file)? });
    }
    Ok(found)
}
