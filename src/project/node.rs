//! The project's nodes, with dbt's names for their parts.

use std::fmt;

use serde_json::{Map as JsonMap, Value as Json};

use super::jinja::scope::RefArgs;

/// What a node is. The order is dbt's order of counting them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    Model,
    Analysis,
    Test,
    Snapshot,
    Operation,
    Seed,
    Source,
    Exposure,
    UnitTest,
}

impl ResourceType {
    pub fn name(self) -> &'static str {
        match self {
            ResourceType::Model => "model",
            ResourceType::Analysis => "analysis",
            ResourceType::Test => "test",
            ResourceType::Snapshot => "snapshot",
            ResourceType::Operation => "operation",
            ResourceType::Seed => "seed",
            ResourceType::Source => "source",
            ResourceType::Exposure => "exposure",
            ResourceType::UnitTest => "unit_test",
        }
    }

    /// The type of that name, as `--resource-type` and `resource_type:` take it.
    pub fn named(name: &str) -> Option<ResourceType> {
        const ALL: [ResourceType; 9] = [
            ResourceType::Model,
            ResourceType::Analysis,
            ResourceType::Test,
            ResourceType::Snapshot,
            ResourceType::Operation,
            ResourceType::Seed,
            ResourceType::Source,
            ResourceType::Exposure,
            ResourceType::UnitTest,
        ];
        ALL.into_iter().find(|ty| ty.name() == name)
    }

    /// Whether `ref` can name it.
    pub fn is_refable(self) -> bool {
        matches!(self, ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot)
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a model is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Materialization {
    View,
    Table,
    Incremental,
    MaterializedView,
    Ephemeral,
    Seed,
    Snapshot,
    Test,
}

impl Materialization {
    pub fn named(name: &str) -> Option<Materialization> {
        Some(match name {
            "view" => Materialization::View,
            "table" => Materialization::Table,
            "incremental" => Materialization::Incremental,
            "materialized_view" => Materialization::MaterializedView,
            "ephemeral" => Materialization::Ephemeral,
            "seed" => Materialization::Seed,
            "snapshot" => Materialization::Snapshot,
            "test" => Materialization::Test,
            _ => return None,
        })
    }
}

/// A column as property files declare it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    pub name: String,
    pub description: String,
    pub data_type: Option<String>,
    pub meta: JsonMap<String, Json>,
    pub tags: Vec<String>,
    pub quote: Option<bool>,
    pub constraints: Vec<Json>,
    /// Unique ids of the docs blocks that its description names.
    pub doc_blocks: Vec<String>,
}

/// What makes a node a generic test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestMetadata {
    pub namespace: Option<String>,
    pub name: String,
    /// The arguments, not yet rendered; `model` and `column_name` among them.
    pub kwargs: JsonMap<String, Json>,
}

/// What only tests have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestFacts {
    /// None for a singular test.
    pub metadata: Option<TestMetadata>,
    pub column_name: Option<String>,
    /// The node a generic test hangs on; none for tests of sources.
    pub attached_node: Option<String>,
    /// `models.stg_orders`: the entry of the property file.
    pub file_key_name: String,
}

/// A model, seed, snapshot, analysis, test or operation.
#[derive(Clone, Debug)]
pub struct Node {
    pub unique_id: String,
    pub resource_type: ResourceType,
    pub package: String,
    pub name: String,
    pub version: Option<String>,
    pub is_latest_version: bool,
    pub fqn: Vec<String>,
    /// Relative to the folder of its kind.
    pub path: String,
    /// Relative to the project's (or package's) folder.
    pub original_file_path: String,
    /// The property file that speaks of it, as `package://path`.
    pub patch_path: Option<String>,
    /// Line of the definition: of the block in a file of blocks, of the test in a property file.
    pub line: usize,
    pub raw_code: String,
    pub database: String,
    pub schema: String,
    pub alias: String,
    /// `"db"."schema"."alias"`; none for what has no table of its own.
    pub relation_name: Option<String>,
    pub config: JsonMap<String, Json>,
    pub tags: Vec<String>,
    pub description: String,
    pub columns: Vec<Column>,
    pub constraints: Vec<Json>,
    pub refs: Vec<RefArgs>,
    pub sources: Vec<(String, String)>,
    /// Unique ids of nodes and sources, in order of first mention.
    pub depends_on: Vec<String>,
    pub depends_on_macros: Vec<String>,
    pub test: Option<TestFacts>,
    /// sha256 of the file's text; of a seed, of its bytes.
    pub checksum: String,
    /// Filled by `Project::compile`.
    pub compiled_code: Option<String>,
    /// (unique id, sql) of each ephemeral model that was injected.
    pub extra_ctes: Vec<(String, String)>,
    pub lineage: Lineage,
}

/// What nobody but the manifest's readers asks of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lineage {
    /// What the project's files say of its configuration, without defaults; the last word of each key.
    pub own_config: JsonMap<String, Json>,
    /// Unique ids of the docs blocks that its description names.
    pub doc_blocks: Vec<String>,
    /// Of a model with versions.
    pub latest_version: Option<String>,
    pub deprecation_date: Option<String>,
}

impl Node {
    pub fn config_text(&self, key: &str) -> Option<&str> {
        self.config.get(key).and_then(Json::as_str)
    }

    pub fn materialized(&self) -> Option<Materialization> {
        self.config_text("materialized").and_then(Materialization::named)
    }

    pub fn is_ephemeral(&self) -> bool {
        self.resource_type == ResourceType::Model && self.materialized() == Some(Materialization::Ephemeral)
    }

    /// `meta`, wherever it was set.
    pub fn meta(&self) -> JsonMap<String, Json> {
        self.config.get("meta").and_then(Json::as_object).cloned().unwrap_or_default()
    }

    /// What an error's first line calls it: `model stg_orders`.
    pub fn title(&self) -> String {
        format!("{} {}", self.resource_type, self.name)
    }

    /// Which test verdicts count: the query of failing rows is in `compiled_code`.
    pub fn test_settings(&self) -> TestSettings {
        let text = |key: &str, default: &str| self.config_text(key).unwrap_or(default).to_string();
        TestSettings {
            severity: if self.config_text("severity").is_some_and(|severity| severity.eq_ignore_ascii_case("warn")) {
                Severity::Warn
            } else {
                Severity::Error
            },
            fail_calc: text("fail_calc", "count(*)"),
            warn_if: text("warn_if", "!= 0"),
            error_if: text("error_if", "!= 0"),
            limit: self.config.get("limit").and_then(Json::as_u64),
            store_failures: self.config.get("store_failures").and_then(Json::as_bool).unwrap_or(false),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warn,
}

/// How the failing rows of a test become a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestSettings {
    pub severity: Severity,
    pub fail_calc: String,
    /// A comparison with the number of failures: `!= 0`, `>10`.
    pub warn_if: String,
    pub error_if: String,
    pub limit: Option<u64>,
    pub store_failures: bool,
}

/// A table of a source.
#[derive(Clone, Debug)]
pub struct SourceTable {
    pub unique_id: String,
    pub package: String,
    pub source_name: String,
    pub name: String,
    pub identifier: String,
    pub database: String,
    pub schema: String,
    pub relation_name: String,
    pub fqn: Vec<String>,
    pub original_file_path: String,
    /// Line of the table's entry.
    pub line: usize,
    pub source_description: String,
    pub description: String,
    pub loader: String,
    pub columns: Vec<Column>,
    pub constraints: Vec<Json>,
    pub loaded_at_field: Option<String>,
    pub loaded_at_query: Option<String>,
    /// dbt's `freshness` object, or null.
    pub freshness: Json,
    pub quoting: JsonMap<String, Json>,
    pub source_meta: JsonMap<String, Json>,
    pub config: JsonMap<String, Json>,
    pub tags: Vec<String>,
    /// Columns that are declared unique and not null by tests or by a primary key.
    pub declared_key: Option<Vec<String>>,
    pub doc_blocks: Vec<String>,
    /// The schema, where the property file names one; else the schema has the source's name.
    pub named_schema: Option<String>,
    pub named_database: Option<String>,
    /// What the property files say of its configuration, without defaults.
    pub own_config: JsonMap<String, Json>,
}

/// A use of models outside of the project.
#[derive(Clone, Debug)]
pub struct Exposure {
    pub unique_id: String,
    pub package: String,
    pub name: String,
    pub fqn: Vec<String>,
    pub original_file_path: String,
    pub path: String,
    pub description: String,
    pub tags: Vec<String>,
    pub refs: Vec<RefArgs>,
    pub sources: Vec<(String, String)>,
    pub depends_on: Vec<String>,
    pub config: JsonMap<String, Json>,
    /// The entry as it was written, for the manifest.
    pub raw: Json,
}

/// A unit test's definition.
#[derive(Clone, Debug)]
pub struct UnitTest {
    pub unique_id: String,
    pub package: String,
    pub name: String,
    pub model: String,
    pub fqn: Vec<String>,
    pub original_file_path: String,
    pub path: String,
    pub line: usize,
    pub description: String,
    pub given: Vec<Json>,
    pub expect: Json,
    pub overrides: Json,
    pub config: JsonMap<String, Json>,
    pub tags: Vec<String>,
    pub depends_on: Vec<String>,
}

impl Column {
    pub fn to_json(&self) -> Json {
        serde_json::json!({
            "name": self.name, "description": self.description, "meta": self.meta, "data_type": self.data_type,
            "constraints": self.constraints, "quote": self.quote, "config": {"meta": self.meta, "tags": self.tags}, "tags": self.tags,
        })
    }
}

impl Node {
    /// The node as templates (`model`, `graph`) and the manifest show it.
    pub fn to_json(&self) -> Json {
        let columns: JsonMap<String, Json> =
            self.columns.iter().map(|column| (column.name.clone(), column.to_json())).collect();
        let refs: Vec<Json> = self
            .refs
            .iter()
            .map(|r| serde_json::json!({"name": r.name, "package": r.package, "version": r.version}))
            .collect();
        let mut json = serde_json::json!({
            "database": self.database, "schema": self.schema, "name": self.name, "resource_type": self.resource_type.name(),
            "package_name": self.package, "path": self.path, "original_file_path": self.original_file_path,
            "unique_id": self.unique_id, "fqn": self.fqn, "alias": self.alias,
            "checksum": {"name": "sha256", "checksum": self.checksum}, "config": self.config, "tags": self.tags,
            "description": self.description, "columns": columns, "meta": self.meta(), "group": self.config.get("group"),
            "docs": self.config.get("docs"), "patch_path": self.patch_path, "relation_name": self.relation_name,
            "raw_code": self.raw_code, "language": "sql", "refs": refs, "sources": self.sources,
            "depends_on": {"macros": self.depends_on_macros, "nodes": self.depends_on},
            "compiled_code": self.compiled_code, "version": self.version, "constraints": self.constraints,
        });
        if let Some(test) = &self.test {
            json["column_name"] = test.column_name.clone().into();
            json["attached_node"] = test.attached_node.clone().into();
            json["file_key_name"] = test.file_key_name.clone().into();
            if let Some(metadata) = &test.metadata {
                json["test_metadata"] = serde_json::json!({"name": metadata.name, "kwargs": metadata.kwargs, "namespace": metadata.namespace});
            }
        }
        json
    }
}

impl SourceTable {
    /// `freshness` with all its keys.
    pub fn whole_freshness(&self) -> Json {
        SourceTable::freshness_with_all_keys(&self.freshness)
    }

    /// Thresholds with all their keys; what nobody set is null, as dbt shows it.
    pub fn freshness_with_all_keys(written: &Json) -> Json {
        let threshold = |key: &str| {
            let part =
                |part: &str| written.get(key).and_then(|threshold| threshold.get(part)).cloned().unwrap_or(Json::Null);
            serde_json::json!({"count": part("count"), "period": part("period")})
        };
        serde_json::json!({
            "warn_after": threshold("warn_after"), "error_after": threshold("error_after"),
            "filter": written.get("filter").cloned().unwrap_or(Json::Null),
        })
    }

    /// The table as templates and the manifest show it.
    pub fn to_json(&self) -> Json {
        let columns: JsonMap<String, Json> =
            self.columns.iter().map(|column| (column.name.clone(), column.to_json())).collect();
        serde_json::json!({
            "database": self.database, "schema": self.schema, "name": self.name, "resource_type": "source",
            "package_name": self.package, "path": self.original_file_path, "original_file_path": self.original_file_path,
            "unique_id": self.unique_id, "fqn": self.fqn, "source_name": self.source_name,
            "source_description": self.source_description, "loader": self.loader, "identifier": self.identifier,
            "quoting": self.quoting, "loaded_at_field": self.loaded_at_field, "loaded_at_query": self.loaded_at_query,
            "freshness": self.freshness, "description": self.description, "columns": columns,
            "meta": self.config.get("meta"), "source_meta": self.source_meta, "tags": self.tags, "config": self.config,
            "relation_name": self.relation_name,
        })
    }
}
