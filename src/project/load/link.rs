//! Links: names become unique ids, and the nodes a graph without cycles.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value as Json, json};

use super::{Loader, relation_of};
use crate::project::error::{ProjectError, Result};
use crate::project::files;
use crate::project::jinja::builtins::missing_message;
use crate::project::jinja::relation::Relation;
use crate::project::jinja::scope::{RefArgs, RefTable, RefTarget};
use crate::project::node::{Node, ResourceType};
use crate::project::seed;

/// The graph, both ways, and the table that `ref` and `source` look in.
pub(super) struct Links {
    pub parents: BTreeMap<String, Vec<String>>,
    pub children: BTreeMap<String, Vec<String>>,
    pub refs: RefTable,
}

impl Loader {
    pub(super) fn link(&mut self) -> Result<Links> {
        let mut refs = self.ref_table();
        self.check_names()?;
        self.link_nodes(&refs)?;
        self.link_others(&refs)?;
        self.declare_keys();
        let mut parents: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut children: BTreeMap<String, Vec<String>> =
            self.sources.keys().map(|id| (id.clone(), Vec::new())).collect();
        let nodes = self.nodes.values().map(|node| (&node.unique_id, &node.depends_on));
        let exposures = self.exposures.values().map(|exposure| (&exposure.unique_id, &exposure.depends_on));
        let unit_tests = self.unit_tests.values().map(|test| (&test.unique_id, &test.depends_on));
        for (id, depends_on) in nodes.chain(exposures).chain(unit_tests) {
            parents.insert(id.clone(), depends_on.clone());
            children.entry(id.clone()).or_default();
            for parent in depends_on {
                children.entry(parent.clone()).or_default().push(id.clone());
            }
        }
        parents.extend(self.sources.keys().map(|id| (id.clone(), Vec::new())));
        if let Some(cycle) = find_cycle(&parents) {
            return Err(ProjectError::runtime(format!("Found a cycle: {}", cycle.join(" --> "))));
        }
        refs.graph = self.graph_json();
        Ok(Links { parents, children, refs })
    }

    fn ref_table(&self) -> RefTable {
        let mut table = RefTable::default();
        let typed = |columns: &[crate::project::node::Column]| -> Option<Vec<(String, String)>> {
            let typed: Vec<_> =
                columns.iter().filter_map(|c| c.data_type.clone().map(|ty| (c.name.clone(), ty))).collect();
            (!typed.is_empty() && typed.len() == columns.len()).then_some(typed)
        };
        for node in self.nodes.values().filter(|node| node.resource_type.is_refable()) {
            let target = RefTarget {
                unique_id: node.unique_id.clone(),
                package: node.package.clone(),
                name: node.name.clone(),
                version: node.version.clone(),
                is_latest_version: node.is_latest_version,
                is_ephemeral: node.is_ephemeral(),
                relation: relation_of(node, &self.quoting()),
            };
            table.by_relation.insert(target.relation.text(), node.unique_id.clone());
            if let Some(columns) = typed(&node.columns).or_else(|| self.seed_columns(node)) {
                table.declared_columns.insert(node.unique_id.clone(), columns);
            }
            table.nodes.entry(node.name.clone()).or_default().push(target);
        }
        for source in self.sources.values() {
            let mut relation = Relation::new(&source.database, &source.schema, &source.identifier);
            relation.quote = self.quoting();
            for (at, part) in ["database", "schema", "identifier"].into_iter().enumerate() {
                if let Some(quote) = source.quoting.get(part).and_then(Json::as_bool) {
                    relation.quote[at] = quote;
                }
            }
            let target = RefTarget {
                unique_id: source.unique_id.clone(),
                package: source.package.clone(),
                name: source.name.clone(),
                version: None,
                is_latest_version: true,
                is_ephemeral: false,
                relation,
            };
            table.by_relation.entry(target.relation.text()).or_insert_with(|| source.unique_id.clone());
            if let Some(columns) = typed(&source.columns) {
                table.declared_columns.insert(source.unique_id.clone(), columns);
            }
            table.sources.entry((source.source_name.clone(), source.name.clone())).or_default().push(target);
        }
        table
    }

    /// A seed's columns are those of its file.
    fn seed_columns(&self, node: &Node) -> Option<Vec<(String, String)>> {
        if node.resource_type != ResourceType::Seed {
            return None;
        }
        let root = &self.packages.iter().find(|package| package.name == node.package)?.root;
        let table = seed::read(root, node).ok()?;
        Some(table.columns.into_iter().map(|column| (column.name, column.data_type)).collect())
    }

    /// Within a package no two nodes share a name, and no two tables a place.
    fn check_names(&self) -> Result<()> {
        let mut names: HashMap<(&str, &str, Option<&str>), &Node> = HashMap::new();
        let mut places: HashMap<(String, String, String), &Node> = HashMap::new();
        for node in self.nodes.values().filter(|node| node.resource_type.is_refable()) {
            if let Some(other) = names.insert((&node.package, &node.name, node.version.as_deref()), node) {
                return Err(super::sql_nodes::duplicate(other, node));
            }
            if node.relation_name.is_none() {
                continue;
            }
            let place = (node.database.to_lowercase(), node.schema.to_lowercase(), node.alias.to_lowercase());
            if let Some(other) = places.insert(place, node) {
                return Err(ProjectError::compilation(format!(
                    "dbt found two resources with the database representation \"{}.{}.{}\".\ndbt cannot create two resources with identical \
                     database representations. To fix this,\nchange the configuration of one of these resources:\n- {} ({})\n- {} ({})",
                    node.database,
                    node.schema,
                    node.alias,
                    other.unique_id,
                    other.original_file_path,
                    node.unique_id,
                    node.original_file_path
                )));
            }
        }
        Ok(())
    }

    fn link_nodes(&mut self, refs: &RefTable) -> Result<()> {
        let mut dropped = Vec::new();
        let mut linked = Vec::new();
        for node in self.nodes.values() {
            match self.dependencies(refs, &Named::of(node), &node.refs, &node.sources) {
                Ok(depends_on) => linked.push((node.unique_id.clone(), depends_on)),
                Err(error) if node.resource_type == ResourceType::Test => {
                    dropped.push((node.unique_id.clone(), error.message))
                }
                Err(error) => return Err(error),
            }
        }
        for (id, depends_on) in linked {
            if let Some(node) = self.nodes.get_mut(&id) {
                node.depends_on = depends_on;
            }
        }
        for (id, message) in dropped {
            self.warn(message);
            if let Some(mut node) = self.nodes.remove(&id) {
                node.config.insert("enabled".into(), false.into());
                self.disabled.insert(id, node);
            }
        }
        Ok(())
    }

    fn link_others(&mut self, refs: &RefTable) -> Result<()> {
        let mut linked = Vec::new();
        for exposure in self.exposures.values() {
            let named = Named {
                kind: ResourceType::Exposure,
                unique_id: &exposure.unique_id,
                file: &exposure.original_file_path,
                package: &exposure.package,
                line: None,
            };
            linked.push((
                exposure.unique_id.clone(),
                self.dependencies(refs, &named, &exposure.refs, &exposure.sources)?,
            ));
        }
        for (id, depends_on) in linked {
            if let Some(exposure) = self.exposures.get_mut(&id) {
                exposure.depends_on = depends_on;
            }
        }
        let mut dropped = Vec::new();
        for test in self.unit_tests.values_mut() {
            match refs.node(None, &test.model, None, &test.package, &self.world.project_name) {
                Some(target) => test.depends_on = vec![target.unique_id.clone()],
                None => dropped.push(test.unique_id.clone()),
            }
        }
        for id in dropped {
            if let Some(test) = self.unit_tests.remove(&id) {
                let is_disabled = self.disabled.values().any(|node| node.name == test.model);
                if !is_disabled {
                    return Err(ProjectError::parsing(format!(
                        "Unable to find model '{}.{}' for unit test '{}' in {}",
                        test.package, test.model, test.name, test.original_file_path
                    ))
                    .in_file(test.original_file_path)
                    .at_line(test.line));
                }
            }
        }
        Ok(())
    }

    fn dependencies(
        &self,
        refs: &RefTable,
        node: &Named<'_>,
        asked: &[RefArgs],
        sources: &[(String, String)],
    ) -> Result<Vec<String>> {
        let root = &self.world.project_name;
        let mut found: Vec<String> = Vec::new();
        let mut push = |id: &String| {
            if !found.contains(id) {
                found.push(id.clone());
            }
        };
        for (source, table) in sources {
            match refs.source(source, table, node.package, root) {
                Some(target) => push(&target.unique_id),
                None => {
                    let is_disabled = self.disabled_sources.contains(&(source.clone(), table.clone()));
                    let known: Vec<String> =
                        refs.sources.keys().map(|(source, table)| format!("{source}.{table}")).collect();
                    return Err(node.missing("source", &format!("{source}.{table}"), None, None, is_disabled, &known));
                }
            }
        }
        for r in asked {
            match refs.node(r.package.as_deref(), &r.name, r.version.as_deref(), node.package, root) {
                Some(target) => push(&target.unique_id),
                None => {
                    let is_disabled =
                        self.disabled.values().any(|other| other.name == r.name && other.resource_type.is_refable());
                    let known: Vec<String> = refs.nodes.keys().cloned().collect();
                    return Err(node.missing(
                        "node",
                        &r.name,
                        r.version.as_deref(),
                        r.package.as_deref(),
                        is_disabled,
                        &known,
                    ));
                }
            }
        }
        Ok(found)
    }

    /// A source's key where tests say `unique` and `not_null` of the same column.
    fn declare_keys(&mut self) {
        let mut tested: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
        for node in self.nodes.values() {
            let Some(test) = &node.test else { continue };
            let (Some(metadata), Some(column), [parent]) =
                (&test.metadata, &test.column_name, node.depends_on.as_slice())
            else {
                continue;
            };
            let is_plain = node.config.get("where").is_none_or(Json::is_null) && metadata.namespace.is_none();
            if is_plain && matches!(metadata.name.as_str(), "unique" | "not_null") {
                tested.entry(parent).or_default().entry(column).or_default().insert(&metadata.name);
            }
        }
        let keys: Vec<(String, String)> = tested
            .into_iter()
            .filter_map(|(parent, columns)| {
                let (column, _) = columns.into_iter().find(|(_, names)| names.len() == 2)?;
                Some((parent.to_string(), column.trim_matches('"').to_string()))
            })
            .collect();
        for (parent, column) in keys {
            if let Some(source) = self.sources.get_mut(&parent) {
                source.declared_key.get_or_insert_with(|| vec![column]);
            }
        }
    }

    /// The template's `graph`.
    fn graph_json(&self) -> Json {
        let nodes: serde_json::Map<String, Json> =
            self.nodes.values().map(|node| (node.unique_id.clone(), node.to_json())).collect();
        let sources: serde_json::Map<String, Json> =
            self.sources.values().map(|source| (source.unique_id.clone(), source.to_json())).collect();
        let exposures: serde_json::Map<String, Json> = self
            .exposures
            .values()
            .map(|exposure| {
                (
                    exposure.unique_id.clone(),
                    json!({"name": exposure.name, "unique_id": exposure.unique_id, "fqn": exposure.fqn}),
                )
            })
            .collect();
        json!({"nodes": nodes, "sources": sources, "exposures": exposures, "metrics": {}, "groups": {}, "semantic_models": {}, "saved_queries": {}})
    }
}

/// Who asks, for the error's words.
struct Named<'a> {
    kind: ResourceType,
    unique_id: &'a str,
    file: &'a str,
    package: &'a str,
    line: Option<usize>,
}

impl<'a> Named<'a> {
    fn of(node: &'a Node) -> Named<'a> {
        Named {
            kind: node.resource_type,
            unique_id: &node.unique_id,
            file: &node.original_file_path,
            package: &node.package,
            line: None,
        }
    }

    fn missing(
        &self,
        kind: &str,
        name: &str,
        version: Option<&str>,
        package: Option<&str>,
        is_disabled: bool,
        known: &[String],
    ) -> ProjectError {
        let reason = if is_disabled { "is disabled" } else { "was not found" };
        let message =
            missing_message(self.kind.name(), self.unique_id, self.file, kind, name, version, package, reason);
        let mut error = ProjectError::compilation(message);
        error.line = self.line;
        match files::nearest(name, known.iter().map(String::as_str)).filter(|near| *near != name) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error,
        }
    }
}

/// A cycle's nodes, the first repeated at the end.
fn find_cycle(parents: &BTreeMap<String, Vec<String>>) -> Option<Vec<String>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Open,
        Done,
    }
    let mut marks: HashMap<&str, Mark> = HashMap::new();
    for start in parents.keys() {
        if marks.contains_key(start.as_str()) {
            continue;
        }
        // Each step of the walk: a node and how many of its parents were visited.
        let mut walk: Vec<(&str, usize)> = vec![(start, 0)];
        marks.insert(start, Mark::Open);
        while let Some((node, at)) = walk.last_mut() {
            let next = parents.get(*node).and_then(|list| list.get(*at));
            *at += 1;
            match next {
                None => {
                    marks.insert(*node, Mark::Done);
                    walk.pop();
                }
                Some(next) => match marks.get(next.as_str()) {
                    Some(Mark::Done) => {}
                    Some(Mark::Open) => {
                        let from = walk.iter().position(|(node, _)| *node == next).unwrap_or(0);
                        // The walk goes against the arrows; dbt prints along them.
                        let mut cycle: Vec<String> = walk[from..].iter().map(|(node, _)| node.to_string()).collect();
                        cycle.push(next.clone());
                        cycle.reverse();
                        return Some(cycle);
                    }
                    None => {
                        marks.insert(next, Mark::Open);
                        walk.push((next, 0));
                    }
                },
            }
        }
    }
    None
}
