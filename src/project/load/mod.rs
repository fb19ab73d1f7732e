//! Loads a project: files become nodes, nodes become a graph.
//!
//! ```text
//!   dbt_project.yml ─► settings ┐
//!   profiles.yml, livemart.yml ─► target ┤
//!   packages.yml ─► packages ┤─► World (macros, docs, vars) ─► property files ─► nodes ─► tests ─► links ─► Project
//! ```
//!
//! 1. Every template is rendered once with `execute` false: what it refs, and how it is configured, is known afterwards.
//! 2. Nothing is read but the project's own files, the profile and what the caller passed in.

mod described;
mod exposures;
mod generic_tests;
mod link;
mod packages;
mod seeds;
mod sources;
mod sql_nodes;
mod targeting;
mod unit_tests;

pub use described::{Described, Group, MacroProperties};
pub(super) use generic_tests::{KWARGS, render_kwargs};
pub use packages::{ListedPackages, PackageSource, listed_packages};

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use super::config;
use super::error::{ProjectError, Result};
use super::files;
use super::jinja::failure::failure_of;
use super::jinja::macros::{self, INTERNAL_PACKAGE};
use super::jinja::relation::Relation;
use super::jinja::scope::{NodeFacts, Phase, Scope, Vars, World, WorldParts};
use super::jinja::segments::{BlockKind, Syntax, blocks};
use super::jinja::{INTERNAL_MACROS, has_jinja, render_text};
use super::node::{Exposure, Node, ResourceType, SourceTable, UnitTest};
use super::properties::{self, Entry};
use super::render::failed;
use super::settings::{self, Settings};
use super::yaml::Yaml;
use super::{Project, ProjectOptions};

/// Everything found so far.
pub(super) struct Loader {
    pub world: Arc<World>,
    /// The project first, then its packages.
    pub packages: Vec<Settings>,
    pub entries: Vec<(usize, Entry)>,
    pub nodes: BTreeMap<String, Node>,
    pub disabled: BTreeMap<String, Node>,
    pub sources: BTreeMap<String, SourceTable>,
    pub disabled_sources: BTreeSet<(String, String)>,
    pub exposures: BTreeMap<String, Exposure>,
    pub unit_tests: BTreeMap<String, UnitTest>,
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
    pub described: Described,
}

pub(super) fn load(options: ProjectOptions) -> Result<Project> {
    let raw = settings::read(&options.project_dir)?;
    let boot = boot_scope(&options, &raw, JsonMap::new());
    let found = targeting::select_target(&options, &raw, &boot)?;
    let yaml_scope = boot_scope(&options, &raw, found.facts.clone());
    let root = settings::resolve(&options.project_dir, &raw, &yaml_scope)?;
    let all = packages::find(&root, &yaml_scope)?;
    let world = Arc::new(world(&options, &all, found.facts)?);
    let mut loader = Loader {
        world: Arc::clone(&world),
        packages: all,
        entries: Vec::new(),
        nodes: BTreeMap::new(),
        disabled: BTreeMap::new(),
        sources: BTreeMap::new(),
        disabled_sources: BTreeSet::new(),
        exposures: BTreeMap::new(),
        unit_tests: BTreeMap::new(),
        notes: Vec::new(),
        warnings: Vec::new(),
        described: Described::default(),
    };
    loader.read_properties()?;
    loader.described = described::read(&loader.packages, &loader.entries);
    for at in 0..loader.packages.len() {
        loader.load_sql_nodes(at)?;
        loader.load_seeds(at)?;
    }
    loader.load_sources()?;
    loader.load_generic_tests()?;
    loader.load_exposures()?;
    loader.load_unit_tests()?;
    loader.render_descriptions()?;
    let links = loader.link()?;
    let tables = loader.declared_tables();
    let target = found.target.resolve(found.sink, &tables)?;
    drop(tables);
    let target_path = options.target_path.clone().unwrap_or_else(|| PathBuf::from(&loader.packages[0].target_path));
    let named = |id: &String| {
        let node = loader.nodes.get(id).map(|node| (&node.database, &node.schema, &node.alias));
        node.or_else(|| loader.sources.get(id).map(|source| (&source.database, &source.schema, &source.identifier)))
    };
    for (id, columns) in &links.refs.declared_columns {
        if let Some((database, schema, name)) = named(id) {
            options.introspect.declared(id, &[database.clone(), schema.clone(), name.clone()], columns);
        }
    }
    Ok(Project {
        name: loader.packages[0].name.clone(),
        root: options.project_dir.clone(),
        target_path: options.project_dir.join(target_path),
        profile_name: found.profile_name,
        target_name: target.name.clone(),
        target,
        packages: loader.packages,
        nodes: loader.nodes,
        disabled: loader.disabled,
        sources: loader.sources,
        exposures: loader.exposures,
        unit_tests: loader.unit_tests,
        described: loader.described,
        states: None,
        parents: links.parents,
        children: links.children,
        notes: loader.notes,
        warnings: loader.warnings,
        world,
        refs: Arc::new(links.refs),
        introspect: options.introspect,
    })
}

/// The scope of files that are read before the project's own world exists.
fn boot_scope(options: &ProjectOptions, raw: &Yaml, target: JsonMap<String, Json>) -> Arc<Scope> {
    let world = World::new(WorldParts {
        project_name: raw.get("name").and_then(Yaml::scalar_text).unwrap_or_default(),
        target,
        vars: Vars { cli: options.vars.clone(), of_package: BTreeMap::new() },
        env_vars: options.env.clone(),
        flags: flags(options),
        invocation_id: options.invocation_id.clone(),
        started_at: options.started_at,
        ..WorldParts::default()
    });
    let mut scope = Scope::for_yaml(Arc::new(world));
    scope.may_read_secrets = true;
    Arc::new(scope)
}

fn flags(options: &ProjectOptions) -> JsonMap<String, Json> {
    let flags = serde_json::json!({
        "FULL_REFRESH": options.full_refresh, "STORE_FAILURES": options.store_failures, "WHICH": options.command,
        "INVOCATION_COMMAND": format!("livemart {}", options.command), "USE_COLORS": false, "DEBUG": false, "FAIL_FAST": false,
        "WARN_ERROR": false, "QUIET": false, "NO_PRINT": false, "PRINT": true, "EMPTY": false,
        "PROFILES_DIR": options.profiles_dir.as_ref().map(|dir| dir.display().to_string()),
        "REQUIRE_SQL_HEADER_IN_TEST_CONFIGS": false,
    });
    flags.as_object().cloned().unwrap_or_default()
}

fn world(options: &ProjectOptions, packages: &[Settings], target: JsonMap<String, Json>) -> Result<World> {
    let root = &packages[0];
    let mut world = World::new(WorldParts {
        project_name: root.name.clone(),
        dispatch: root.dispatch.clone(),
        packages: packages.iter().map(|package| package.name.clone()).collect(),
        target,
        vars: Vars {
            cli: options.vars.clone(),
            of_package: packages.iter().map(|package| (package.name.clone(), package.vars.clone())).collect(),
        },
        env_vars: options.env.clone(),
        flags: flags(options),
        invocation_id: options.invocation_id.clone(),
        started_at: options.started_at,
    });
    for (file, text) in INTERNAL_MACROS {
        macros::load(&mut world, INTERNAL_PACKAGE, file, text).map_err(|error| syntax_error(error, file))?;
    }
    for package in packages {
        let mut found = files::find(&package.root, &package.macro_paths, &["sql"])?;
        let generic: Vec<String> = package.test_paths.iter().map(|path| format!("{path}/generic")).collect();
        found.extend(files::find(&package.root, &generic, &["sql"])?);
        for file in found {
            let text = files::read(&file.path, &file.original)?;
            macros::load(&mut world, &package.name, &file.original, &text)
                .map_err(|error| syntax_error(error, &file.original))?;
        }
        for file in files::find(&package.root, &package.docs_paths, &["md"])? {
            let text = files::read(&file.path, &file.original)?;
            for block in blocks(&text).map_err(|error| syntax_error(error, &file.original))? {
                if block.kind == BlockKind::Docs {
                    let key = (package.name.clone(), block.header.to_string());
                    world.docs.insert(key.clone(), block.body.trim().to_string());
                    world.doc_files.insert(key, (file.relative.clone(), file.original.clone()));
                }
            }
        }
    }
    Ok(world)
}

fn syntax_error(error: Syntax, file: &str) -> ProjectError {
    ProjectError::compilation(error.message).in_file(file).at_line(error.line)
}

impl Loader {
    pub(super) fn root(&self) -> &Settings {
        &self.packages[0]
    }

    fn yaml_scope(&self, package: &str) -> Arc<Scope> {
        let node = NodeFacts { package: package.to_string(), ..NodeFacts::default() };
        Arc::new(Scope::new(Arc::clone(&self.world), Phase::Yaml, node))
    }

    fn read_properties(&mut self) -> Result<()> {
        for (at, package) in self.packages.iter().enumerate() {
            let scope = self.yaml_scope(&package.name);
            for found in files::find(&package.root, &package.source_paths(), &["yml", "yaml"])? {
                self.entries.extend(properties::read(&found, &scope)?.into_iter().map(|entry| (at, entry)));
            }
        }
        Ok(())
    }

    /// The configuration of a node but for its own `config()` calls: defaults, trees, property file.
    pub(super) fn base_config(
        &self,
        package: usize,
        resource_type: ResourceType,
        fqn: &[String],
        patch: &JsonMap<String, Json>,
    ) -> JsonMap<String, Json> {
        let mut config = config::defaults(resource_type);
        for layer in self.tree_layers(package, resource_type, fqn) {
            config::merge(&mut config, &layer);
        }
        config::merge(&mut config, patch);
        config
    }

    /// What dbt_project.yml and the property file say of a node, the last word of each key; nothing is merged.
    pub(super) fn own_config(
        &self,
        package: usize,
        resource_type: ResourceType,
        fqn: &[String],
        patch: &JsonMap<String, Json>,
    ) -> JsonMap<String, Json> {
        let mut own = JsonMap::new();
        for layer in self.tree_layers(package, resource_type, fqn) {
            own.extend(layer);
        }
        own.extend(patch.clone());
        own
    }

    /// What the root project says of a package's node: it goes above the node's own word.
    pub(super) fn finish_config(
        &self,
        package: usize,
        resource_type: ResourceType,
        fqn: &[String],
        config: &mut JsonMap<String, Json>,
    ) {
        if package != 0 {
            for layer in self.tree_layers(0, resource_type, fqn) {
                config::merge(config, &layer);
            }
        }
    }

    fn tree_layers(&self, package: usize, resource_type: ResourceType, fqn: &[String]) -> Vec<JsonMap<String, Json>> {
        let trees = &self.packages[package].trees;
        let names: &[&str] = match resource_type {
            ResourceType::Model => &["models"],
            ResourceType::Seed => &["seeds"],
            ResourceType::Snapshot => &["snapshots"],
            ResourceType::Test => &["tests", "data_tests"],
            ResourceType::Source => &["sources"],
            ResourceType::Exposure => &["exposures"],
            ResourceType::UnitTest => &["unit_tests"],
            // dbt has no tree of their own for these.
            ResourceType::Analysis | ResourceType::Operation => &["models"],
        };
        names.iter().flat_map(|name| config::tree_layers(trees.get(*name), fqn)).collect()
    }

    /// The scope that renders a node's templates for the first time.
    pub(super) fn parse_scope(&self, node: &Node) -> Scope {
        Scope::new(Arc::clone(&self.world), Phase::Parse, self.facts(node))
    }

    pub(super) fn facts(&self, node: &Node) -> NodeFacts {
        node_facts(node, &self.quoting())
    }

    pub(super) fn quoting(&self) -> [bool; 3] {
        quoting_of(&self.root().quoting)
    }

    /// Database, schema, alias and the relation they name, by the project's `generate_…_name` macros.
    pub(super) fn name_relation(&self, node: &mut Node) -> Result<()> {
        let scope = Arc::new(self.parse_scope(node));
        let text = |key: &str| node.config.get(key).filter(|value| !value.is_null()).cloned().unwrap_or(Json::Null);
        let node_json = node.to_json();
        let call = |component: &str, custom: Json| -> Result<String> {
            let name = format!("generate_{component}_name");
            let Some(definition) = self.world.macros.find(&name, &node.package, &self.world.project_name) else {
                return Err(ProjectError::compilation(format!("the macro '{name}' is missing")));
            };
            let args = [super::jinja::value::from_json(&custom), super::jinja::value::from_json(&node_json)];
            let value = macros::call(&scope, definition, &args).map_err(|error| {
                failed(failure_of(error), &node.raw_code)
                    .in_object(node.title())
                    .in_file(node.original_file_path.clone())
            })?;
            Ok(value.to_string().trim().to_string())
        };
        let database = call("database", text("database"))?;
        let schema = call("schema", text("schema"))?;
        let alias = call("alias", text("alias"))?;
        (node.database, node.schema, node.alias) = (database, schema, alias);
        if node.resource_type == ResourceType::Snapshot {
            for (key, part) in [("target_database", &mut node.database), ("target_schema", &mut node.schema)] {
                if let Some(text) = node.config.get(key).and_then(Json::as_str) {
                    *part = text.to_string();
                }
            }
        }
        let has_relation = match node.resource_type {
            ResourceType::Model => !node.is_ephemeral(),
            ResourceType::Seed | ResourceType::Snapshot => true,
            ResourceType::Test => {
                node.test_settings().store_failures || self.world.flags.get("STORE_FAILURES") == Some(&Json::Bool(true))
            }
            _ => false,
        };
        node.relation_name = has_relation.then(|| relation_of(node, &self.quoting()).text());
        Ok(())
    }

    /// Renders `{{ doc('…') }}` and other Jinja of descriptions, and notes which docs blocks they name.
    fn render_descriptions(&mut self) -> Result<()> {
        let world = Arc::clone(&self.world);
        let render = |text: &mut String, package: &str, unique_id: &str, file: &str| -> Result<Vec<String>> {
            if !has_jinja(text) {
                return Ok(Vec::new());
            }
            let blocks = docs_named(&world, text, package);
            let node = NodeFacts {
                package: package.into(),
                unique_id: unique_id.into(),
                file: file.into(),
                ..NodeFacts::default()
            };
            let scope = Arc::new(Scope::new(Arc::clone(&world), Phase::Yaml, node));
            *text = render_text(&scope, text, "description").map_err(|failure| failed(failure, text))?;
            Ok(blocks)
        };
        for node in self.nodes.values_mut() {
            let (package, id, file) = (node.package.clone(), node.unique_id.clone(), node.original_file_path.clone());
            node.lineage.doc_blocks = render(&mut node.description, &package, &id, &file)?;
            for column in &mut node.columns {
                column.doc_blocks = render(&mut column.description, &package, &id, &file)?;
            }
        }
        for source in self.sources.values_mut() {
            let (package, id, file) =
                (source.package.clone(), source.unique_id.clone(), source.original_file_path.clone());
            source.doc_blocks = render(&mut source.description, &package, &id, &file)?;
            render(&mut source.source_description, &package, &id, &file)?;
            for column in &mut source.columns {
                column.doc_blocks = render(&mut column.description, &package, &id, &file)?;
            }
        }
        for exposure in self.exposures.values_mut() {
            let (package, id, file) =
                (exposure.package.clone(), exposure.unique_id.clone(), exposure.original_file_path.clone());
            render(&mut exposure.description, &package, &id, &file)?;
        }
        for known in self.described.macros.values_mut() {
            render(&mut known.description, &known.package, &known.name, &known.file)?;
        }
        Ok(())
    }

    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }
}

/// Unique ids of the docs blocks that a description calls for, in order.
fn docs_named(world: &World, text: &str, package: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("doc(") {
        let inside = &text[at + 4..];
        let arguments = &inside[..inside.find(')').unwrap_or(inside.len())];
        let words: Vec<&str> = arguments.split(',').map(|word| word.trim().trim_matches(['\'', '"'])).collect();
        let block = match words.as_slice() {
            [name] => [package, &world.project_name]
                .into_iter()
                .map(|package| (package.to_string(), name.to_string()))
                .find(|key| world.docs.contains_key(key))
                .or_else(|| world.docs.keys().find(|(_, known)| known == name).cloned()),
            [package, name] => Some((package.to_string(), name.to_string())),
            _ => None,
        };
        found.extend(block.map(|(package, name)| format!("doc.{package}.{name}")));
    }
    found
}

/// A project's `quoting:`; everything is quoted unless it says otherwise.
pub(super) fn quoting_of(quoting: &JsonMap<String, Json>) -> [bool; 3] {
    ["database", "schema", "identifier"].map(|part| quoting.get(part).and_then(Json::as_bool).unwrap_or(true))
}

pub(super) fn relation_of(node: &Node, quoting: &[bool; 3]) -> Relation {
    let mut relation = Relation::new(&node.database, &node.schema, &node.alias);
    relation.quote = *quoting;
    relation.kind = match node.materialized() {
        Some(super::node::Materialization::View) => Some("view".into()),
        _ => Some("table".into()),
    };
    relation
}

/// What a node's templates see of it.
pub(super) fn node_facts(node: &Node, quoting: &[bool; 3]) -> NodeFacts {
    NodeFacts {
        unique_id: node.unique_id.clone(),
        name: node.name.clone(),
        resource_type: node.resource_type.name().to_string(),
        package: node.package.clone(),
        file: node.original_file_path.clone(),
        this: Some(relation_of(node, quoting)),
        config: node.config.clone(),
        model: node.to_json(),
    }
}
