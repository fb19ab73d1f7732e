//! Generic tests of property files: on models, seeds, snapshots and sources, of whole tables and of columns.

use std::sync::Arc;

use minijinja::Value;
use serde_json::{Map as JsonMap, Value as Json};

use super::Loader;
use super::sql_nodes::{duplicate, fqn_of};
use crate::project::error::Result;
use crate::project::generic_test::{self, Definition, Target};
use crate::project::jinja::macros::INTERNAL_PACKAGE;
use crate::project::jinja::relation::quoted;
use crate::project::jinja::scope::{Record, RefArgs, Scope};
use crate::project::jinja::value::{from_json, list, text_dict, to_json};
use crate::project::jinja::{failure::Failure, has_jinja, render_value};
use crate::project::node::{Column, Lineage, Node, ResourceType, TestFacts, TestMetadata};
use crate::project::properties::{self, Entry};
use crate::project::render::failed;
use crate::project::settings::{from_json as yaml_from_json, texts};
use crate::project::yaml::Yaml;

/// The name under which a test's macro finds its rendered arguments.
pub const KWARGS: &str = "_dbt_generic_test_kwargs";

/// One test about to become a node.
struct Wanted<'a> {
    package: usize,
    entry: &'a Entry,
    target: Target<'a>,
    test: &'a Yaml,
    column: Option<&'a Column>,
    /// `models.stg_orders`.
    file_key_name: String,
    attached_node: Option<String>,
    quote_columns: bool,
    /// Of the source and its table.
    tags: Vec<String>,
}

impl Loader {
    pub(super) fn load_generic_tests(&mut self) -> Result<()> {
        let entries = self.entries.clone();
        for (package, entry) in &entries {
            match entry.section.as_str() {
                "models" | "seeds" | "snapshots" => self.tests_of_node(*package, entry)?,
                "sources" => self.tests_of_source(*package, entry)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn tests_of_node(&mut self, package: usize, entry: &Entry) -> Result<()> {
        let package_name = self.packages[package].name.clone();
        let kind = match entry.section.as_str() {
            "models" => ResourceType::Model,
            "seeds" => ResourceType::Seed,
            _ => ResourceType::Snapshot,
        };
        let prefix = format!("{kind}.{package_name}.{}", entry.name);
        let is_this =
            |id: &str| id == prefix || id.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with(".v"));
        let versions: Vec<(String, Option<String>)> = self
            .nodes
            .values()
            .filter(|node| is_this(&node.unique_id))
            .map(|n| (n.unique_id.clone(), n.version.clone()))
            .collect();
        if versions.is_empty() {
            if self.disabled.keys().any(|id| is_this(id)) {
                return Ok(());
            }
            self.warn(format!(
                "Did not find matching node for patch with name '{}' in the '{}' section of file '{}'",
                entry.name, entry.section, entry.file
            ));
        }
        let columns = properties::columns_of(&entry.yaml, &entry.file)?;
        let tests = entry.tests()?;
        let quote_columns = entry.yaml.get("quote_columns").and_then(Yaml::as_bool).unwrap_or(false);
        let targets = if versions.is_empty() { vec![(String::new(), None)] } else { versions };
        for (unique_id, version) in &targets {
            let on_columns =
                columns.iter().flat_map(|column| column.tests.iter().map(move |test| (Some(&column.column), test)));
            for (column, test) in on_columns.chain(tests.iter().map(|test| (None, test))) {
                self.add_test(Wanted {
                    package,
                    entry,
                    target: Target::Node { name: &entry.name, version: version.as_deref() },
                    test,
                    column,
                    file_key_name: format!("{}.{}", entry.section, entry.name),
                    attached_node: (!unique_id.is_empty()).then(|| unique_id.clone()),
                    quote_columns,
                    tags: Vec::new(),
                })?;
            }
        }
        Ok(())
    }

    fn tests_of_source(&mut self, package: usize, entry: &Entry) -> Result<()> {
        let package_name = self.packages[package].name.clone();
        for table in entry.yaml.get("tables").and_then(Yaml::as_list).unwrap_or_default() {
            let name = table.get("name").and_then(Yaml::scalar_text).unwrap_or_default();
            if !self.sources.contains_key(&format!("source.{package_name}.{}.{name}", entry.name)) {
                continue;
            }
            let columns = properties::columns_of(table, &entry.file)?;
            let tests = properties::tests_of(table, &entry.file)?;
            let on_columns =
                columns.iter().flat_map(|column| column.tests.iter().map(move |test| (Some(&column.column), test)));
            for (column, test) in on_columns.chain(tests.iter().map(|test| (None, test))) {
                self.add_test(Wanted {
                    package,
                    entry,
                    target: Target::Source { source: &entry.name, table: &name },
                    test,
                    column,
                    file_key_name: format!("sources.{}", entry.name),
                    attached_node: None,
                    quote_columns: false,
                    tags: [&entry.yaml, table]
                        .into_iter()
                        .filter_map(|yaml| yaml.get("tags"))
                        .flat_map(texts)
                        .collect(),
                })?;
            }
        }
        Ok(())
    }

    fn add_test(&mut self, wanted: Wanted<'_>) -> Result<()> {
        let file = wanted.entry.file.as_str();
        let package_name = self.packages[wanted.package].name.clone();
        let column_name = wanted.column.map(|column| {
            let quote = column.quote.unwrap_or(wanted.quote_columns);
            if quote { quoted(&column.name) } else { column.name.clone() }
        });
        let mut definition = generic_test::read(wanted.test, &wanted.target, column_name.as_deref(), file)?;
        definition.config = self.render_config(&definition, &package_name, file)?;
        let metadata = definition.metadata.clone();
        let folders: Vec<String> = file.split('/').skip(1).map(String::from).collect();
        let folders = &folders[..folders.len().saturating_sub(1)];
        let fqn = fqn_of(&package_name, folders, &definition.name);
        let mut tags = wanted.tags;
        tags.extend(wanted.column.into_iter().flat_map(|column| column.tags.clone()));
        tags.extend(crate::project::config::tags(&definition.config));
        tags.sort();
        tags.dedup();
        let base = self.base_config(wanted.package, ResourceType::Test, &fqn, &definition.config);
        let target = |key: &str| self.world.target.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
        let mut node = Node {
            unique_id: format!(
                "test.{package_name}.{}.{}",
                definition.name,
                generic_test::hash(&definition.name, &metadata)
            ),
            resource_type: ResourceType::Test,
            alias: definition.name.clone(),
            name: definition.name.clone(),
            version: None,
            is_latest_version: true,
            fqn,
            path: format!("{}.sql", definition.short_name),
            original_file_path: file.to_string(),
            patch_path: None,
            line: definition.line,
            raw_code: generic_test::raw_code(&metadata, &definition.config),
            database: target("database"),
            schema: target("schema"),
            relation_name: None,
            config: base.clone(),
            tags,
            description: definition.description.clone(),
            columns: Vec::new(),
            constraints: Vec::new(),
            refs: Vec::new(),
            sources: Vec::new(),
            depends_on: Vec::new(),
            depends_on_macros: Vec::new(),
            test: Some(TestFacts {
                metadata: Some(metadata.clone()),
                column_name: column_name.clone(),
                attached_node: wanted.attached_node.clone(),
                file_key_name: wanted.file_key_name.clone(),
            }),
            checksum: String::new(),
            compiled_code: None,
            extra_ctes: Vec::new(),
            lineage: Lineage::default(),
            package: package_name,
        };
        let record = match self.known_refs(&node, &wanted.target, &metadata) {
            Some(record) => record,
            None => {
                let scope = Arc::new(self.parse_scope(&node));
                let kwargs = render_kwargs(&scope, &metadata.kwargs, file)?;
                let mut record = self.parse(&node, &[(KWARGS.to_string(), kwargs)])?;
                let asked = scope.record().clone();
                record.refs.splice(0..0, asked.refs);
                record.sources.splice(0..0, asked.sources);
                record.macros.extend(asked.macros);
                // The configuration in the test's code repeats what the entry said: it is in the base already.
                record.config.retain(|(key, _)| !definition.config.contains_key(key));
                record
            }
        };
        self.settle(wanted.package, &mut node, base, &definition.config, record)?;
        if let Some(other) = self.nodes.get(&node.unique_id) {
            return Err(duplicate(other, &node));
        }
        self.keep(node)
    }

    /// dbt's own `unique` and `not_null` ask for nothing but their table: no need to render them to know it.
    fn known_refs(&self, node: &Node, target: &Target<'_>, metadata: &TestMetadata) -> Option<Record> {
        if metadata.namespace.is_some() || !matches!(metadata.name.as_str(), "unique" | "not_null") {
            return None;
        }
        let name = format!("test_{}", metadata.name);
        let found = self.world.macros.find(&name, &node.package, &self.world.project_name)?;
        if found.package != INTERNAL_PACKAGE {
            return None;
        }
        let mut record = Record { macros: vec![found.unique_id.clone()], ..Record::default() };
        match target {
            Target::Node { name, version } => {
                record.refs.push(RefArgs { package: None, name: name.to_string(), version: version.map(String::from) })
            }
            Target::Source { source, table } => record.sources.push((source.to_string(), table.to_string())),
        }
        Some(record)
    }

    fn render_config(&self, definition: &Definition, package: &str, file: &str) -> Result<JsonMap<String, Json>> {
        let scope = self.yaml_scope(package);
        let mut rendered = JsonMap::new();
        for (key, value) in &definition.config {
            let value = match value.as_str().filter(|text| has_jinja(text)) {
                Some(text) => to_json(
                    &render_value(&scope, text, file)
                        .map_err(|failure| failed(failure, text).in_file(file).at_line(definition.line))?,
                ),
                None => value.clone(),
            };
            if !value.is_null() {
                rendered.insert(key.clone(), value);
            }
        }
        Ok(rendered)
    }
}

/// A test's arguments as its macro gets them: texts are rendered natively, `ref('x')` without braces is understood.
pub fn render_kwargs(scope: &Arc<Scope>, kwargs: &JsonMap<String, Json>, file: &str) -> Result<Value> {
    let mut rendered = Vec::new();
    for (key, value) in kwargs {
        let value = match value {
            // A column's name is a name, whatever it looks like.
            Json::String(text) if key == "column_name" => Value::from(text.as_str()),
            value => render_argument(scope, value, file).map_err(|failure| failed(failure, &yaml_text(value)))?,
        };
        rendered.push((key.as_str(), value));
    }
    Ok(text_dict(rendered))
}

fn render_argument(scope: &Arc<Scope>, value: &Json, file: &str) -> std::result::Result<Value, Failure> {
    match value {
        Json::String(text) => {
            let source = if looks_like_a_call(text) { format!("{{{{ {text} }}}}") } else { text.clone() };
            render_value(scope, &source, file)
        }
        Json::Array(items) => {
            let items = items
                .iter()
                .map(|item| render_argument(scope, item, file))
                .collect::<std::result::Result<Vec<_>, _>>()?;
            Ok(list(items))
        }
        Json::Object(map) => {
            let mut items = Vec::new();
            for (key, item) in map {
                items.push((key.as_str(), render_argument(scope, item, file)?));
            }
            Ok(text_dict(items))
        }
        other => Ok(from_json(other)),
    }
}

fn yaml_text(value: &Json) -> String {
    yaml_from_json(value, 0).scalar_text().unwrap_or_default()
}

/// `ref('x')`, `source('a', 'b')`, `var('x')`, … as a whole text.
fn looks_like_a_call(text: &str) -> bool {
    let text = text.trim();
    let names = ["env_var", "ref", "var", "source", "doc"];
    names.iter().any(|name| {
        let rest = text.strip_prefix(name).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with('(') && rest.ends_with(')') && rest.len() > 2)
    })
}
