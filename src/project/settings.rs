//! `dbt_project.yml`: names, folders, variables and the configuration trees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use super::error::{ProjectError, Result};
use super::files;
use super::jinja::scope::Scope;
use super::jinja::value::to_json;
use super::jinja::{has_jinja, render_value};
use super::render::failed;
use super::yaml::{self, Map, Value, Yaml};

pub const FILE: &str = "dbt_project.yml";

/// A project's or a package's own settings.
#[derive(Clone, Debug)]
pub struct Settings {
    pub root: PathBuf,
    pub name: String,
    pub version: Option<String>,
    pub profile: Option<String>,
    pub model_paths: Vec<String>,
    pub seed_paths: Vec<String>,
    pub test_paths: Vec<String>,
    pub analysis_paths: Vec<String>,
    pub macro_paths: Vec<String>,
    pub snapshot_paths: Vec<String>,
    pub docs_paths: Vec<String>,
    pub target_path: String,
    pub log_path: String,
    pub clean_targets: Vec<String>,
    pub packages_install_path: String,
    pub vars: JsonMap<String, Json>,
    /// `models`, `seeds`, `snapshots`, `tests`, `sources`, …: the trees of configuration by folder.
    pub trees: BTreeMap<String, Json>,
    pub dispatch: BTreeMap<String, Vec<String>>,
    pub quoting: JsonMap<String, Json>,
    pub on_run_start: Vec<String>,
    pub on_run_end: Vec<String>,
    pub flags: JsonMap<String, Json>,
}

impl Settings {
    /// Every folder in which dbt looks for property files.
    pub fn source_paths(&self) -> Vec<String> {
        let all = [
            &self.model_paths,
            &self.seed_paths,
            &self.snapshot_paths,
            &self.analysis_paths,
            &self.macro_paths,
            &self.test_paths,
        ];
        let mut paths: Vec<String> = Vec::new();
        for path in all.into_iter().flatten() {
            if !paths.contains(path) {
                paths.push(path.clone());
            }
        }
        paths
    }
}

/// Reads the file without rendering it.
pub fn read(root: &Path) -> Result<Yaml> {
    let path = root.join(FILE);
    if !path.is_file() {
        return Err(ProjectError::runtime(format!("No {FILE} found at expected path {}", path.display()))
            .hint("run the command in a dbt project's folder, or name it with --project-dir"));
    }
    let yaml = yaml::parse(&files::read(&path, FILE)?, FILE)?;
    if yaml.as_map().is_none() {
        return Err(ProjectError::runtime("dbt_project.yml does not parse to a dictionary").in_file(FILE));
    }
    Ok(yaml)
}

/// Project settings that a tree of configuration may hang under.
const TREES: [&str; 11] = [
    "models",
    "seeds",
    "snapshots",
    "tests",
    "data_tests",
    "sources",
    "exposures",
    "unit_tests",
    "analyses",
    "metrics",
    "semantic-models",
];

/// The settings of a project whose file was read; Jinja in them is rendered with `scope`, which knows the target.
pub fn resolve(root: &Path, raw: &Yaml, scope: &Arc<Scope>) -> Result<Settings> {
    let rendered = render(raw, &mut Vec::new(), scope)?;
    let map = rendered.as_map().cloned().unwrap_or_default();
    let text = |key: &str| map.get(key).and_then(Yaml::scalar_text);
    let name = text("name")
        .ok_or_else(|| ProjectError::runtime("'name' is a required property").in_file(FILE).at_line(rendered.line))?;
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || name.starts_with(|c: char| c.is_ascii_digit()) {
        let line = map.get("name").map_or(1, |name| name.line);
        return Err(ProjectError::runtime(format!("'{name}' is not a valid project name"))
            .in_file(FILE)
            .at_line(line)
            .hint("a project's name holds letters, digits and underscores only"));
    }
    let paths = |key: &str, default: &[&str]| -> Vec<String> {
        let old = if key == "model-paths" {
            map.get("source-paths")
        } else if key == "seed-paths" {
            map.get("data-paths")
        } else {
            None
        };
        map.get(key).or(old).map_or_else(|| default.iter().map(ToString::to_string).collect(), texts)
    };
    let mut settings = Settings {
        root: root.to_path_buf(),
        name,
        version: text("version"),
        profile: text("profile"),
        model_paths: paths("model-paths", &["models"]),
        seed_paths: paths("seed-paths", &["seeds"]),
        test_paths: paths("test-paths", &["tests"]),
        analysis_paths: paths("analysis-paths", &["analyses"]),
        macro_paths: paths("macro-paths", &["macros"]),
        snapshot_paths: paths("snapshot-paths", &["snapshots"]),
        docs_paths: paths("docs-paths", &[]),
        target_path: text("target-path").unwrap_or_else(|| "target".into()),
        log_path: text("log-path").unwrap_or_else(|| "logs".into()),
        clean_targets: paths("clean-targets", &["target"]),
        packages_install_path: text("packages-install-path").unwrap_or_else(|| "dbt_packages".into()),
        vars: object(map.get("vars")),
        trees: TREES.iter().filter_map(|tree| map.get(tree).map(|yaml| (tree.to_string(), yaml.to_json()))).collect(),
        dispatch: dispatch(map.get("dispatch")),
        quoting: object(map.get("quoting")),
        on_run_start: run_hooks(map.get("on-run-start"), "on-run-start")?,
        on_run_end: run_hooks(map.get("on-run-end"), "on-run-end")?,
        flags: object(map.get("flags")),
    };
    if settings.docs_paths.is_empty() {
        settings.docs_paths = settings.source_paths();
    }
    Ok(settings)
}

/// A list of texts, or one text.
pub fn texts(yaml: &Yaml) -> Vec<String> {
    match &yaml.value {
        Value::List(list) => list.iter().filter_map(Yaml::scalar_text).collect(),
        _ => yaml.scalar_text().into_iter().collect(),
    }
}

/// dbt takes texts here and nothing else; a text may be the JSON of a map, as what Jinja gives for it.
fn run_hooks(yaml: Option<&Yaml>, which: &str) -> Result<Vec<String>> {
    let Some(yaml) = yaml.filter(|yaml| !yaml.is_null()) else { return Ok(Vec::new()) };
    let items = yaml.as_list().unwrap_or(std::slice::from_ref(yaml));
    let text = |item: &Yaml| {
        item.scalar_text().ok_or_else(|| {
            ProjectError::runtime(format!("{which} holds something that is no text"))
                .in_file(FILE)
                .at_line(item.line)
                .hint("dbt takes texts here; a map is written as one: '{\"sql\": \"vacuum\", \"transaction\": false}'")
        })
    };
    items.iter().filter(|item| !item.is_null()).map(text).collect()
}

fn object(yaml: Option<&Yaml>) -> JsonMap<String, Json> {
    match yaml.map(Yaml::to_json) {
        Some(Json::Object(map)) => map,
        _ => JsonMap::new(),
    }
}

fn dispatch(yaml: Option<&Yaml>) -> BTreeMap<String, Vec<String>> {
    let entries = yaml.and_then(Yaml::as_list).unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| Some((entry.get("macro_namespace")?.scalar_text()?, entry.get("search_order").map(texts)?)))
        .collect()
}

/// Renders every text but those that dbt renders later: variables and hooks.
fn render(yaml: &Yaml, path: &mut Vec<String>, scope: &Arc<Scope>) -> Result<Yaml> {
    let is_late = match path.first().map(String::as_str) {
        Some("on-run-start" | "on-run-end" | "query-comment" | "vars") => true,
        Some("models" | "seeds" | "snapshots" | "tests" | "data_tests") => path.iter().any(|key| {
            matches!(key.trim_start_matches(['+', ' ']), "pre-hook" | "post-hook" | "pre_hook" | "post_hook")
        }),
        _ => false,
    };
    if is_late {
        return Ok(yaml.clone());
    }
    let value = match &yaml.value {
        Value::Text(text) if has_jinja(text) => {
            let value = render_value(scope, text, FILE)
                .map_err(|failure| failed(failure, text).in_file(FILE).at_line(yaml.line))?;
            from_json(&to_json(&value), yaml.line).value
        }
        Value::List(list) => Value::List(list.iter().map(|item| render(item, path, scope)).collect::<Result<_>>()?),
        Value::Map(map) => {
            let mut rendered = Map::default();
            for (key, item) in map.iter() {
                path.push(key.scalar_text().unwrap_or_default());
                rendered.insert(key.clone(), render(item, path, scope)?);
                path.pop();
            }
            Value::Map(rendered)
        }
        other => other.clone(),
    };
    Ok(Yaml { value, line: yaml.line })
}

/// A rendered value in place of the text it came from.
pub fn from_json(json: &Json, line: usize) -> Yaml {
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(0.0)), Value::Int)
        }
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(|item| from_json(item, line)).collect()),
        Json::Object(map) => {
            let mut yaml = Map::default();
            for (key, item) in map {
                yaml.insert(Yaml { value: Value::Text(key.clone()), line }, from_json(item, line));
            }
            Value::Map(yaml)
        }
    };
    Yaml { value, line }
}
