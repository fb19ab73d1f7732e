//! What the user wrote: a dbt project and the target it is kept in.
//!
//! ```text
//!   dbt_project.yml, models, macros, YAML ──load──> Project {nodes, sources, graph} ──compile──> SQL per node
//!   profiles.yml, livemart.yml ───────────────────> Project::target                 ──select───> unique ids
//! ```
//!
//! 1. Unique ids, names, configuration and compiled text are dbt 1.11's for the postgres adapter.
//! 2. Loading and compiling need no network, no database and no clock: time and environment come in as arguments.
//! 3. An error names the object, the file and the line, in dbt's words, and says what to do next where that is known.

mod compile;
mod config;
mod error;
mod files;
mod generic_test;
mod jinja;
mod load;
mod node;
mod profile;
mod properties;
mod render;
mod seed;
mod select;
mod select_methods;
mod settings;
mod target;
mod unit_test;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

pub use compile::Compiled;
pub use error::{ErrorKind, ProjectError, Result};
pub use files::nearest;
pub use jinja::DBT_VERSION;
pub use jinja::builtins::{md5_hex, python_json};
pub use jinja::macros::Macro;
pub use jinja::relation::quoted;
pub use jinja::scope::{Introspect, NoIntrospection, RefArgs, Table, Talk};
pub use load::{Described, Group, ListedPackages, MacroProperties, PackageSource, listed_packages};
pub use node::{
    Column, Exposure, Lineage, Materialization, Node, ResourceType, Severity, SourceTable, TestFacts, TestMetadata,
    TestSettings, UnitTest,
};
pub use seed::SeedTable;
pub use select::{Indirect, LISTED_TYPES, Selected, Selection};
pub use settings::Settings;
pub use target::{
    AlertFormat, AlertKind, AlertsConfig, ClockConfig, ClockMode, Connector, EnvelopeKind, Format, RegistryConfig,
    Retain, SinkConfig, SourceSettings, TargetConfig, WebhookConfig, parse_duration,
};
pub use unit_test::{Fixture, Given, UnitTestCase};
pub use yaml::{Value as YamlValue, Yaml, parse as parse_yaml};

/// What the caller decides about loading.
pub struct ProjectOptions {
    pub project_dir: PathBuf,
    pub profiles_dir: Option<PathBuf>,
    pub profile: Option<String>,
    pub target: Option<String>,
    /// `--vars`.
    pub vars: JsonMap<String, Json>,
    pub target_path: Option<PathBuf>,
    pub threads: Option<u64>,
    pub full_refresh: bool,
    pub store_failures: bool,
    /// The verb: templates see it as `flags.WHICH`.
    pub command: String,
    /// Environment variables that templates may read.
    pub env: BTreeMap<String, String>,
    pub current_dir: PathBuf,
    pub invocation_id: String,
    /// The moment the command started, microseconds since 1970 UTC: `run_started_at`.
    pub started_at: i64,
    pub introspect: Arc<dyn Introspect>,
    /// A folder with the manifest that `state:` selectors compare with; relative to `current_dir`. Read by the command line.
    pub state: Option<PathBuf>,
}

impl ProjectOptions {
    /// A project in this folder with everything else at its default.
    pub fn new(project_dir: impl Into<PathBuf>) -> ProjectOptions {
        let project_dir = project_dir.into();
        ProjectOptions {
            current_dir: project_dir.clone(),
            project_dir,
            profiles_dir: None,
            profile: None,
            target: None,
            vars: JsonMap::new(),
            target_path: None,
            threads: None,
            full_refresh: false,
            store_failures: false,
            command: "compile".into(),
            env: BTreeMap::new(),
            invocation_id: "00000000-0000-0000-0000-000000000000".into(),
            started_at: 0,
            introspect: Arc::new(NoIntrospection),
            state: None,
        }
    }
}

/// A loaded project.
pub struct Project {
    pub name: String,
    pub root: PathBuf,
    /// Where artifacts go; absolute or relative to where the process runs, like `root`.
    pub target_path: PathBuf,
    pub profile_name: Option<String>,
    pub target_name: String,
    pub target: TargetConfig,
    /// The project's settings, then those of its packages.
    pub packages: Vec<Settings>,
    /// Models, seeds, snapshots, analyses and tests, by unique id; enabled ones only.
    pub nodes: BTreeMap<String, Node>,
    pub disabled: BTreeMap<String, Node>,
    pub sources: BTreeMap<String, SourceTable>,
    pub exposures: BTreeMap<String, Exposure>,
    pub unit_tests: BTreeMap<String, UnitTest>,
    /// What is said of macros and groups.
    pub described: Described,
    /// The ids that each `state:` selector names, where a manifest was given to compare with.
    pub states: Option<BTreeMap<String, BTreeSet<String>>>,
    /// Direct ancestors of each node.
    pub parents: BTreeMap<String, Vec<String>>,
    pub children: BTreeMap<String, Vec<String>>,
    /// What is harmless but worth knowing: semicolons that were dropped.
    pub notes: Vec<String>,
    /// What dbt warns of: tests of models that are not there, entries of property files that describe nothing.
    pub warnings: Vec<String>,
    pub(in crate::project) world: Arc<jinja::scope::World>,
    pub(in crate::project) refs: Arc<jinja::scope::RefTable>,
    pub(in crate::project) introspect: Arc<dyn Introspect>,
}

/// Templates call each other, and each call is several frames of the template engine.
const STACK_BYTES: usize = 256 << 20;

/// Runs on a thread whose stack is deep enough for templates.
fn deep<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("templates".into()).stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let joined = thread
            .map_err(|error| ProjectError::runtime(format!("could not start a thread for templates: {error}")))?
            .join();
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Project {
    /// Reads the project and renders every template once.
    pub fn load(options: ProjectOptions) -> Result<Project> {
        deep(|| load::load(options))
    }

    /// The node, source, exposure or unit test's type; none for an id that the project does not have.
    pub fn resource_type(&self, unique_id: &str) -> Option<ResourceType> {
        if let Some(node) = self.nodes.get(unique_id) {
            return Some(node.resource_type);
        }
        match unique_id.split('.').next()? {
            "source" if self.sources.contains_key(unique_id) => Some(ResourceType::Source),
            "exposure" if self.exposures.contains_key(unique_id) => Some(ResourceType::Exposure),
            "unit_test" if self.unit_tests.contains_key(unique_id) => Some(ResourceType::UnitTest),
            _ => None,
        }
    }

    /// The model, seed, snapshot or source that a relation's name in compiled SQL means.
    ///
    /// `parts` are the name's parts without quotes: identifier, schema and identifier, or all three. Where two sources name one
    /// relation, the first by unique id that livemart.yml knows answers for both, so that it is read once.
    pub fn relation(&self, parts: &[String]) -> Option<&str> {
        let (database, schema, identifier) = match parts {
            [identifier] => (None, None, identifier),
            [schema, identifier] => (None, Some(schema), identifier),
            [database, schema, identifier] => (Some(database), Some(schema), identifier),
            _ => return None,
        };
        let default_schema = self.world.target.get("schema").and_then(Json::as_str).unwrap_or_default();
        let schema = schema.map_or(default_schema, String::as_str);
        let fits = |database_of: &str, schema_of: &str, identifier_of: &str, same: fn(&str, &str) -> bool| {
            database.is_none_or(|database| same(database, database_of))
                && same(schema, schema_of)
                && same(identifier, identifier_of)
        };
        // A quoted name means itself; a bare one is tried without regard to case when nothing has exactly that name.
        let compare: [fn(&str, &str) -> bool; 2] = [|a, b| a == b, |a, b| a.eq_ignore_ascii_case(b)];
        for same in compare {
            let nodes =
                self.nodes.values().filter(|node| node.resource_type.is_refable() && node.relation_name.is_some());
            if let Some(node) = nodes.into_iter().find(|node| fits(&node.database, &node.schema, &node.alias, same)) {
                return Some(&node.unique_id);
            }
            let named = |source: &&SourceTable| fits(&source.database, &source.schema, &source.identifier, same);
            let configured = |source: &&SourceTable| self.target.sources.contains_key(&source.unique_id);
            let mut sources = self.sources.values().filter(named);
            if let Some(source) = sources.clone().find(configured).or_else(|| sources.next()) {
                return Some(&source.unique_id);
            }
        }
        None
    }

    /// All ids of the graph, parents before children; by name where the graph leaves it open.
    pub fn order(&self) -> Vec<String> {
        let mut missing: BTreeMap<&str, usize> =
            self.parents.iter().map(|(id, parents)| (id.as_str(), parents.len())).collect();
        let mut ready: BTreeSet<&str> = missing.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
        let mut order = Vec::new();
        while let Some(next) = ready.pop_first() {
            order.push(next.to_string());
            for child in self.children.get(next).into_iter().flatten() {
                if let Some(count) = missing.get_mut(child.as_str()) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(child);
                    }
                }
            }
        }
        order
    }

    /// The name that templates know a target's database and schema by.
    pub fn target_fact(&self, key: &str) -> Option<&Json> {
        self.world.target.get(key)
    }

    pub fn macros(&self) -> impl Iterator<Item = &Arc<Macro>> {
        self.world.macros.iter()
    }

    /// Docs blocks: (package, name) and text.
    pub fn docs(&self) -> &BTreeMap<(String, String), String> {
        &self.world.docs
    }

    /// Where a docs block stands: below its folder, and below the project.
    pub fn doc_file(&self, package: &str, name: &str) -> Option<&(String, String)> {
        self.world.doc_files.get(&(package.to_string(), name.to_string()))
    }

    /// The macros that a macro's text calls, as far as its text tells.
    pub fn macros_called(&self, caller: &Macro) -> Vec<String> {
        jinja::calls::macros_called(&self.world, caller)
    }

    /// When the command started, microseconds since 1970 UTC.
    pub fn started_at(&self) -> i64 {
        self.world.started_at
    }

    /// The environment that templates may read.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.world.env_vars
    }

    /// What templates said with `log`, `print` and `exceptions.warn` since the last call.
    pub fn take_talk(&self) -> Vec<Talk> {
        self.world.take_talk()
    }

    pub fn invocation_id(&self) -> &str {
        &self.world.invocation_id
    }

    /// The folder of a package's files.
    pub fn package_root(&self, package: &str) -> Option<&std::path::Path> {
        self.packages.iter().find(|settings| settings.name == package).map(|settings| settings.root.as_path())
    }
}

/// Every target of a `livemart.yml` by itself: for the source `raw` with the table `orders`, and without variables.
pub fn read_targets(text: &str) -> Result<Vec<TargetConfig>> {
    use jinja::scope::{Scope, World, WorldParts};
    let file = target::TargetsFile::parse(text, std::path::Path::new("."))?;
    let world = World::new(WorldParts { project_name: "shop".into(), ..WorldParts::default() });
    let scope = Arc::new(Scope::for_yaml(Arc::new(world)));
    let orders = target::DeclaredTable {
        unique_id: "source.shop.raw.orders",
        source: "raw",
        table: "orders",
        identifier: "orders",
    };
    let target = |name: &String| {
        let target = file.target(name, &scope)?;
        let sink = target.sink()?.unwrap_or(SinkConfig::Sqlite { path: "marts.db".into() });
        target.resolve(sink, std::slice::from_ref(&orders))
    };
    file.names().iter().map(target).collect()
}

#[cfg(test)]
#[path = "project_tests.rs"]
mod tests;
