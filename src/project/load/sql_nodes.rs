//! Nodes that are written in SQL: models, snapshots, singular tests and analyses.

use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};
use sha2::{Digest, Sha256};

use super::{Loader, syntax_error};
use crate::project::config;
use crate::project::error::{ProjectError, Result};
use crate::project::files::{self, Found};
use crate::project::jinja::render_text;
use crate::project::jinja::scope::{Record, Scope};
use crate::project::jinja::segments::{BlockKind, blocks};
use crate::project::node::{Column, Lineage, Materialization, Node, ResourceType, TestFacts};
use crate::project::properties::{self, Entry};
use crate::project::render::failed;
use crate::project::yaml::Yaml;

/// What a property file says of a node.
#[derive(Default)]
pub(super) struct Patch {
    pub file: Option<String>,
    pub description: String,
    pub columns: Vec<Column>,
    pub constraints: Vec<Json>,
    pub config: JsonMap<String, Json>,
    pub latest_version: Option<String>,
    pub deprecation_date: Option<String>,
}

/// A node about to be read.
struct Draft<'a> {
    package: usize,
    resource_type: ResourceType,
    found: &'a Found,
    name: String,
    version: Option<String>,
    is_latest_version: bool,
    fqn: Vec<String>,
    path: String,
    /// The text as it stands in the file, and the line it starts on.
    text: &'a str,
    line: usize,
    /// The file's text, where the node is a block in it.
    whole_file: Option<&'a str>,
    patch: Patch,
}

/// A version of a model: the file's stem, the model's name, the version.
struct Version {
    stem: String,
    model: String,
    version: String,
    is_latest: bool,
    entry: Yaml,
}

impl Loader {
    pub(super) fn load_sql_nodes(&mut self, package: usize) -> Result<()> {
        self.load_models(package)?;
        self.load_snapshots(package)?;
        self.load_yaml_snapshots(package)?;
        self.load_singular_tests(package)?;
        self.load_analyses(package)
    }

    fn load_models(&mut self, package: usize) -> Result<()> {
        let settings = self.packages[package].clone();
        let versions = self.versions(package);
        for found in files::find(&settings.root, &settings.model_paths, &["sql", "py"])? {
            let stem = found.stem().to_string();
            let version = versions.iter().find(|version| version.stem == stem);
            let name = version.map_or(stem, |version| version.model.clone());
            let mut fqn = fqn_of(&settings.name, &found.folders(), &name);
            let mut patch = self.patch(package, &["models"], &name)?;
            if let Some(version) = version {
                fqn.push(format!("v{}", version.version));
                apply_version(&mut patch, &version.entry, &found.original)?;
            }
            if found.relative.ends_with(".py") {
                self.refuse_python(package, &found, &name, &fqn, &patch)?;
                continue;
            }
            let text = files::read(&found.path, &found.original)?;
            let draft = Draft {
                package,
                resource_type: ResourceType::Model,
                name,
                version: version.map(|version| version.version.clone()),
                is_latest_version: version.is_none_or(|version| version.is_latest),
                fqn,
                path: found.relative.clone(),
                found: &found,
                text: &text,
                whole_file: None,
                line: 1,
                patch,
            };
            self.add(draft)?;
        }
        Ok(())
    }

    fn refuse_python(&self, package: usize, found: &Found, name: &str, fqn: &[String], patch: &Patch) -> Result<()> {
        let config = self.base_config(package, ResourceType::Model, fqn, &patch.config);
        if config.get("enabled") == Some(&Json::Bool(false)) {
            return Ok(());
        }
        Err(ProjectError::compilation("Python models cannot be maintained")
            .in_object(format!("model {name}"))
            .in_file(found.original.clone())
            .hint("write the model in SQL, or disable it with `+enabled: false` in dbt_project.yml"))
    }

    fn versions(&self, package: usize) -> Vec<Version> {
        let mut found = Vec::new();
        for (_, entry) in self.entries.iter().filter(|(at, entry)| *at == package && entry.section == "models") {
            let listed = entry.yaml.get("versions").and_then(Yaml::as_list).unwrap_or_default();
            let all: Vec<String> = listed.iter().filter_map(|item| item.get("v").and_then(Yaml::scalar_text)).collect();
            let latest = entry.text("latest_version").or_else(|| greatest(&all));
            for item in listed {
                let Some(version) = item.get("v").and_then(Yaml::scalar_text) else { continue };
                let is_latest = Some(&version) == latest.as_ref();
                let stem = item
                    .get("defined_in")
                    .and_then(Yaml::scalar_text)
                    .unwrap_or_else(|| format!("{}_v{version}", entry.name));
                let of = |stem: String| Version {
                    stem,
                    model: entry.name.clone(),
                    version: version.clone(),
                    is_latest,
                    entry: item.clone(),
                };
                found.push(of(stem));
                if is_latest {
                    found.push(of(entry.name.clone()));
                }
            }
        }
        found
    }

    fn load_snapshots(&mut self, package: usize) -> Result<()> {
        let settings = self.packages[package].clone();
        for found in files::find(&settings.root, &settings.snapshot_paths, &["sql"])? {
            let text = files::read(&found.path, &found.original)?;
            for block in blocks(&text).map_err(|error| syntax_error(error, &found.original))? {
                if block.kind != BlockKind::Snapshot {
                    continue;
                }
                let name = block.header.to_string();
                let mut fqn = fqn_of(&settings.name, &found.folders(), found.stem());
                fqn.push(name.clone());
                let draft = Draft {
                    package,
                    resource_type: ResourceType::Snapshot,
                    patch: self.patch(package, &["snapshots"], &name)?,
                    path: found.relative.clone(),
                    found: &found,
                    version: None,
                    is_latest_version: true,
                    text: block.body,
                    whole_file: Some(&text),
                    line: block.body_line,
                    name,
                    fqn,
                };
                self.add(draft)?;
            }
        }
        Ok(())
    }

    /// Snapshots that are written in a property file: `relation:` names what is snapshotted.
    fn load_yaml_snapshots(&mut self, package: usize) -> Result<()> {
        let entries: Vec<Entry> = self
            .entries
            .iter()
            .filter(|(at, entry)| {
                *at == package && entry.section == "snapshots" && entry.yaml.get("relation").is_some()
            })
            .map(|(_, entry)| entry.clone())
            .collect();
        let settings = self.packages[package].clone();
        for entry in entries {
            let relation = entry.text("relation").unwrap_or_default();
            let text = format!("select * from {{{{ {relation} }}}}");
            let below = entry.file.rsplit('/').take(entry.folders.len() + 1).collect::<Vec<_>>();
            let path = below.into_iter().rev().collect::<Vec<_>>().join("/");
            let found = Found {
                path: settings.root.join(&entry.file),
                relative: entry.file.clone(),
                original: entry.file.clone(),
            };
            let draft = Draft {
                package,
                resource_type: ResourceType::Snapshot,
                patch: self.patch(package, &["snapshots"], &entry.name)?,
                path: format!("{path}/{}.sql", entry.name),
                found: &found,
                version: None,
                is_latest_version: true,
                text: &text,
                whole_file: None,
                line: entry.line(),
                name: entry.name.clone(),
                fqn: fqn_of(&settings.name, &entry.folders, &entry.name),
            };
            self.add(draft)?;
        }
        Ok(())
    }

    fn load_singular_tests(&mut self, package: usize) -> Result<()> {
        let settings = self.packages[package].clone();
        for found in files::find(&settings.root, &settings.test_paths, &["sql"])? {
            if found.relative.starts_with("generic/") {
                continue;
            }
            let text = files::read(&found.path, &found.original)?;
            let name = found.stem().to_string();
            let draft = Draft {
                package,
                resource_type: ResourceType::Test,
                fqn: fqn_of(&settings.name, &found.folders(), &name),
                patch: self.patch(package, &["data_tests"], &name)?,
                path: found.relative.clone(),
                found: &found,
                version: None,
                is_latest_version: true,
                text: &text,
                whole_file: None,
                line: 1,
                name,
            };
            self.add(draft)?;
        }
        Ok(())
    }

    fn load_analyses(&mut self, package: usize) -> Result<()> {
        let settings = self.packages[package].clone();
        for found in files::find(&settings.root, &settings.analysis_paths, &["sql"])? {
            let text = files::read(&found.path, &found.original)?;
            let name = found.stem().to_string();
            let folders: Vec<String> = std::iter::once("analysis".to_string()).chain(found.folders()).collect();
            let draft = Draft {
                package,
                resource_type: ResourceType::Analysis,
                fqn: fqn_of(&settings.name, &folders, &name),
                patch: self.patch(package, &["analyses"], &name)?,
                path: format!("analysis/{}", found.relative),
                found: &found,
                version: None,
                is_latest_version: true,
                text: &text,
                whole_file: None,
                line: 1,
                name,
            };
            self.add(draft)?;
        }
        Ok(())
    }

    /// The property file's word on a node of this name.
    pub(super) fn patch(&self, package: usize, sections: &[&str], name: &str) -> Result<Patch> {
        let mut patch = Patch::default();
        for (_, entry) in self
            .entries
            .iter()
            .filter(|(at, e)| *at == package && sections.contains(&e.section.as_str()) && e.name == name)
        {
            if let Some(first) = &patch.file {
                let message = format!(
                    "dbt found two schema.yml entries for the same resource named {name}. Resources and their associated columns may only be \
                     described a single time. To fix this, remove the resource entry for {name} in one of these files:\n - {first}\n - {}",
                    entry.file
                );
                return Err(ProjectError::compilation(message).in_file(entry.file.clone()).at_line(entry.line()));
            }
            patch.file = Some(entry.file.clone());
            patch.description = entry.description();
            patch.columns =
                properties::columns_of(&entry.yaml, &entry.file)?.into_iter().map(|column| column.column).collect();
            patch.constraints = entry
                .yaml
                .get("constraints")
                .and_then(Yaml::as_list)
                .unwrap_or_default()
                .iter()
                .map(Yaml::to_json)
                .collect();
            patch.config = entry.config(&["meta", "docs", "group", "access", "tags"]);
            patch.latest_version = entry.text("latest_version");
            patch.deprecation_date = entry.text("deprecation_date");
        }
        Ok(patch)
    }

    /// Renders a draft for the first time and keeps the node.
    fn add(&mut self, draft: Draft<'_>) -> Result<()> {
        let package = self.packages[draft.package].name.clone();
        let base = self.base_config(draft.package, draft.resource_type, &draft.fqn, &draft.patch.config);
        let version = draft.version.as_ref().map_or(String::new(), |version| format!(".v{version}"));
        // dbt keeps the space within a block of a snapshot, and takes the whole file's hash for it.
        let (code, hashed) = match draft.whole_file {
            Some(whole) => (draft.text, whole.trim()),
            None => (draft.text.trim(), draft.text.trim()),
        };
        let leading = draft.text.len() - draft.text.trim_start().len();
        let skipped = if draft.whole_file.is_some() { 0 } else { leading };
        let line = draft.line + draft.text[..skipped].matches('\n').count();
        let target = |key: &str| self.world.target.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
        let mut node = Node {
            unique_id: format!("{}.{package}.{}{version}", draft.resource_type, draft.name),
            resource_type: draft.resource_type,
            patch_path: draft.patch.file.as_ref().map(|file| format!("{package}://{file}")),
            package,
            alias: draft.name.clone(),
            name: draft.name,
            version: draft.version,
            is_latest_version: draft.is_latest_version,
            fqn: draft.fqn,
            path: draft.path,
            original_file_path: draft.found.original.clone(),
            line,
            raw_code: code.to_string(),
            database: target("database"),
            schema: target("schema"),
            relation_name: None,
            config: base.clone(),
            tags: Vec::new(),
            description: draft.patch.description,
            columns: draft.patch.columns,
            constraints: draft.patch.constraints,
            refs: Vec::new(),
            sources: Vec::new(),
            depends_on: Vec::new(),
            depends_on_macros: Vec::new(),
            test: (draft.resource_type == ResourceType::Test).then(TestFacts::default),
            checksum: sha256(hashed.as_bytes()),
            compiled_code: None,
            extra_ctes: Vec::new(),
            lineage: Lineage {
                latest_version: draft.patch.latest_version,
                deprecation_date: draft.patch.deprecation_date,
                ..Lineage::default()
            },
        };
        let record = self.parse(&node, &[])?;
        self.settle(draft.package, &mut node, base, &draft.patch.config, record)?;
        self.keep(node)
    }

    /// Renders a node's text with `execute` false and gives what it asked for.
    pub(super) fn parse(&self, node: &Node, extra: &[(String, minijinja::Value)]) -> Result<Record> {
        let mut scope: Scope = self.parse_scope(node);
        scope.extra = extra.to_vec();
        let scope = Arc::new(scope);
        let source = node.source_text();
        render_text(&scope, &source, &node.original_file_path).map_err(|failure| failed(failure, &source))?;
        let record = scope.record().clone();
        Ok(record)
    }

    /// Puts the configuration together and names the node's relation.
    pub(super) fn settle(
        &mut self,
        package: usize,
        node: &mut Node,
        base: JsonMap<String, Json>,
        patch: &JsonMap<String, Json>,
        record: Record,
    ) -> Result<()> {
        let mut own = self.own_config(package, node.resource_type, &node.fqn, patch);
        own.extend(record.config.iter().cloned());
        if package != 0 {
            own.extend(self.own_config(0, node.resource_type, &node.fqn, &JsonMap::new()));
        }
        node.lineage.own_config = own;
        let mut config = base;
        for (key, value) in record.config {
            config::merge(&mut config, &JsonMap::from_iter([(key, value)]));
        }
        self.finish_config(package, node.resource_type, &node.fqn, &mut config);
        if node.resource_type == ResourceType::Test {
            config::settle_store_failures(&mut config);
        }
        node.config = config;
        for tag in config::tags(&node.config) {
            if !node.tags.contains(&tag) {
                node.tags.push(tag);
            }
        }
        node.refs = record.refs;
        node.sources = unique(record.sources);
        node.depends_on_macros = unique(record.macros);
        self.name_relation(node)
    }

    /// Keeps a node, or puts it aside where it is disabled. A second node of one name is an error.
    pub(super) fn keep(&mut self, node: Node) -> Result<()> {
        let enabled = node.config.get("enabled").cloned().unwrap_or(Json::Bool(true));
        match enabled {
            Json::Bool(true) | Json::Null => {}
            Json::Bool(false) => {
                self.disabled.insert(node.unique_id.clone(), node);
                return Ok(());
            }
            other => {
                return Err(ProjectError::parsing(format!("at path ['enabled']: {other} is not of type 'boolean'"))
                    .in_object(node.title())
                    .in_file(node.original_file_path.clone()));
            }
        }
        check_materialization(&node)?;
        if let Some(other) = self.nodes.get(&node.unique_id) {
            return Err(duplicate(other, &node));
        }
        if node.raw_code.ends_with(';') && node.resource_type != ResourceType::Operation {
            self.notes.push(format!(
                "{} ({}): the semicolon at the end is ignored",
                node.title(),
                node.original_file_path
            ));
        }
        self.nodes.insert(node.unique_id.clone(), node);
        Ok(())
    }
}

impl Node {
    /// The code with as many empty lines before it as the file has, so that errors name the file's lines.
    pub fn source_text(&self) -> String {
        format!("{}{}", "\n".repeat(self.line.saturating_sub(1)), self.raw_code)
    }
}

fn check_materialization(node: &Node) -> Result<()> {
    if node.resource_type != ResourceType::Model {
        return Ok(());
    }
    let name = node.config.get("materialized").and_then(Json::as_str).unwrap_or("view");
    let is_known = Materialization::named(name).is_some_and(|materialization| {
        !matches!(materialization, Materialization::Seed | Materialization::Snapshot | Materialization::Test)
    });
    if is_known {
        return Ok(());
    }
    Err(ProjectError::compilation(format!("the materialization '{name}' is not known to livemart"))
        .in_object(node.title())
        .in_file(node.original_file_path.clone())
        .hint("use view, table, incremental, materialized_view or ephemeral"))
}

fn apply_version(patch: &mut Patch, entry: &Yaml, file: &str) -> Result<()> {
    if let Some(description) = entry.get("description").and_then(Yaml::scalar_text) {
        patch.description = description;
    }
    config::merge(&mut patch.config, &properties::config_of(entry, &[]));
    for item in entry.get("columns").and_then(Yaml::as_list).unwrap_or_default() {
        if item.get("include").is_some() || item.get("exclude").is_some() {
            let excluded = item.get("exclude").map_or_else(Vec::new, crate::project::settings::texts);
            patch.columns.retain(|column| !excluded.contains(&column.name));
        }
    }
    for column in properties::columns_of(&without_filters(entry), file)? {
        patch.columns.retain(|known| known.name != column.column.name);
        patch.columns.push(column.column);
    }
    Ok(())
}

/// A version's columns without its `include`/`exclude` lines.
fn without_filters(entry: &Yaml) -> Yaml {
    let mut entry = entry.clone();
    if let crate::project::yaml::Value::Map(map) = &mut entry.value
        && let Some(columns) = map.get("columns").and_then(Yaml::as_list)
    {
        let named: Vec<Yaml> = columns.iter().filter(|item| item.get("name").is_some()).cloned().collect();
        let line = entry.line;
        map.insert(Yaml::text("columns"), Yaml { value: crate::project::yaml::Value::List(named), line });
    }
    entry
}

fn greatest(versions: &[String]) -> Option<String> {
    let number = |version: &String| version.parse::<f64>().ok();
    if versions.iter().all(|version| number(version).is_some()) {
        return versions.iter().max_by(|a, b| number(a).unwrap_or(0.0).total_cmp(&number(b).unwrap_or(0.0))).cloned();
    }
    versions.iter().max().cloned()
}

pub(super) fn fqn_of(package: &str, folders: &[String], name: &str) -> Vec<String> {
    std::iter::once(package.to_string()).chain(folders.iter().cloned()).chain([name.to_string()]).collect()
}

pub(super) fn unique<T: PartialEq>(items: Vec<T>) -> Vec<T> {
    items.into_iter().fold(Vec::new(), |mut kept, item| {
        if !kept.contains(&item) {
            kept.push(item);
        }
        kept
    })
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// dbt's words for two resources of one name.
pub(super) fn duplicate(first: &Node, second: &Node) -> ProjectError {
    let kind = match first.resource_type {
        _ if first.resource_type != second.resource_type => "resources".to_string(),
        ResourceType::Analysis => "analyses".to_string(),
        other => format!("{other}s"),
    };
    let (mut name, mut action, mut formatted) = (first.name.clone(), "looking for", first.name.clone());
    if first.resource_type.is_refable() {
        formatted = format!("ref(\"{name}\")");
    } else if let Some(test) = first.test.as_ref().filter(|test| test.metadata.is_some()) {
        let column = test.column_name.as_ref().map_or(String::new(), |column| format!("column \"{column}\" in "));
        name = format!("{name}\" defined on {column}\"{}", test.file_key_name);
        (action, formatted) = ("running", "tests".to_string());
    }
    ProjectError::compilation(format!(
        "dbt found two {kind} with the name \"{name}\".\n\nSince these resources have the same name, dbt will be unable to find the correct \
         resource\nwhen {action} {formatted}.\n\nTo fix this, change the name of one of these resources:\n- {} ({})\n- {} ({})",
        first.unique_id, first.original_file_path, second.unique_id, second.original_file_path
    ))
}
