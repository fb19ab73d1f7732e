//! Sources: the tables that models read from.

use serde_json::{Map as JsonMap, Value as Json};

use super::Loader;
use super::sql_nodes::fqn_of;
use crate::project::config;
use crate::project::error::Result;
use crate::project::jinja::relation::Relation;
use crate::project::node::{Column, ResourceType, SourceTable};
use crate::project::properties::{self, Entry};
use crate::project::target::DeclaredTable;
use crate::project::yaml::Yaml;

/// Keys that may stand in `config:` or beside it.
const CONFIG_KEYS: [&str; 7] =
    ["enabled", "event_time", "freshness", "loaded_at_field", "loaded_at_query", "meta", "tags"];

impl Loader {
    pub(super) fn load_sources(&mut self) -> Result<()> {
        let entries: Vec<(usize, Entry)> =
            self.entries.iter().filter(|(_, entry)| entry.section == "sources").cloned().collect();
        for (package, entry) in &entries {
            for table in entry.yaml.get("tables").and_then(Yaml::as_list).unwrap_or_default() {
                self.add_source(*package, entry, table)?;
            }
        }
        Ok(())
    }

    fn add_source(&mut self, package: usize, entry: &Entry, table: &Yaml) -> Result<()> {
        let Some(name) = table.get("name").and_then(Yaml::scalar_text) else {
            return Err(entry
                .error(format!("Invalid sources config given in {} @ sources: a table has no 'name'", entry.file))
                .at_line(table.line));
        };
        let package_name = self.packages[package].name.clone();
        let folders: Vec<String> = entry.folders.iter().cloned().chain([entry.name.clone()]).collect();
        let fqn = fqn_of(&package_name, &folders, &name);
        let (own, of_table) = (entry.config(&CONFIG_KEYS), properties::config_of(table, &CONFIG_KEYS));
        let mut config = self.base_config(package, ResourceType::Source, &fqn, &JsonMap::new());
        for layer in [&own, &of_table] {
            let mut layer = layer.clone();
            if let Some(freshness) = layer.get("freshness") {
                layer.insert("freshness".into(), merged_freshness(config.get("freshness"), freshness));
            }
            config::merge(&mut config, &layer);
        }
        self.finish_config(package, ResourceType::Source, &fqn, &mut config);
        if config.get("enabled") == Some(&Json::Bool(false)) {
            self.disabled_sources.insert((entry.name.clone(), name));
            return Ok(());
        }
        let identifier = table.get("identifier").and_then(Yaml::scalar_text).unwrap_or_else(|| name.clone());
        let database = entry.text("database").or_else(|| entry.text("catalog")).unwrap_or_else(|| {
            self.world.target.get("database").and_then(Json::as_str).unwrap_or_default().to_string()
        });
        let schema = entry.text("schema").unwrap_or_else(|| entry.name.clone());
        let mut quoting: JsonMap<String, Json> = JsonMap::new();
        for layer in [entry.yaml.get("quoting"), table.get("quoting")].into_iter().flatten() {
            if let Json::Object(map) = layer.to_json() {
                quoting.extend(map);
            }
        }
        let mut relation = Relation::new(&database, &schema, &identifier);
        relation.quote = self.quoting();
        for (at, part) in ["database", "schema", "identifier"].into_iter().enumerate() {
            if let Some(quote) = quoting.get(part).and_then(Json::as_bool) {
                relation.quote[at] = quote;
            }
        }
        let columns = properties::columns_of(table, &entry.file)?;
        let text = |key: &str| config.get(key).and_then(Json::as_str).map(String::from);
        let constraints =
            table.get("constraints").and_then(Yaml::as_list).unwrap_or_default().iter().map(Yaml::to_json).collect();
        let mut source = SourceTable {
            unique_id: format!("source.{package_name}.{}.{name}", entry.name),
            package: package_name,
            source_name: entry.name.clone(),
            name,
            identifier,
            database,
            schema,
            relation_name: relation.text(),
            fqn,
            original_file_path: entry.file.clone(),
            line: table.line,
            source_description: entry.description(),
            description: table.get("description").and_then(Yaml::scalar_text).unwrap_or_default(),
            loader: entry.text("loader").unwrap_or_default(),
            columns: columns.into_iter().map(|column| column.column).collect(),
            constraints,
            loaded_at_field: text("loaded_at_field"),
            loaded_at_query: text("loaded_at_query"),
            freshness: config.get("freshness").cloned().unwrap_or(Json::Null),
            quoting,
            source_meta: own.get("meta").and_then(Json::as_object).cloned().unwrap_or_default(),
            tags: config::tags(&config),
            config,
            declared_key: None,
            doc_blocks: Vec::new(),
            named_schema: entry.text("schema"),
            named_database: entry.text("database").or_else(|| entry.text("catalog")),
            own_config: {
                let mut all = own;
                all.extend(of_table);
                all
            },
        };
        source.declared_key = primary_key(&source.constraints, &source.columns);
        if self.sources.contains_key(&source.unique_id) {
            let message = format!(
                "dbt found two sources with the name \"{}_{}\".\n\nSince these resources have the same name, dbt will be unable to find the correct \
                 resource\nwhen looking for source(\"{}\", \"{}\").",
                source.source_name, source.name, source.source_name, source.name
            );
            return Err(crate::project::ProjectError::compilation(message)
                .in_file(entry.file.clone())
                .at_line(table.line));
        }
        self.sources.insert(source.unique_id.clone(), source);
        Ok(())
    }

    /// The source tables as livemart.yml speaks of them.
    pub(super) fn declared_tables(&self) -> Vec<DeclaredTable<'_>> {
        self.sources
            .values()
            .map(|source| DeclaredTable {
                unique_id: &source.unique_id,
                source: &source.source_name,
                table: &source.name,
                identifier: &source.identifier,
            })
            .collect()
    }
}

/// Thresholds of a table go over its source's; `null` turns freshness off.
fn merged_freshness(base: Option<&Json>, own: &Json) -> Json {
    match (base.and_then(Json::as_object), own.as_object()) {
        (Some(base), Some(own)) => {
            let mut map = base.clone();
            map.extend(own.clone());
            Json::Object(map)
        }
        _ => own.clone(),
    }
}

/// The columns of a primary key constraint, of the table or of one column.
fn primary_key(constraints: &[Json], columns: &[Column]) -> Option<Vec<String>> {
    let is_primary = |constraint: &Json| constraint.get("type").and_then(Json::as_str) == Some("primary_key");
    let of_table =
        constraints.iter().find(|constraint| is_primary(constraint)).and_then(|constraint| constraint.get("columns"));
    if let Some(columns) = of_table.and_then(Json::as_array) {
        return Some(columns.iter().filter_map(|column| column.as_str().map(String::from)).collect());
    }
    columns.iter().find(|column| column.constraints.iter().any(is_primary)).map(|column| vec![column.name.clone()])
}
