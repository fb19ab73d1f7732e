//! From a compiled project to a deployment: every model planned, in one graph, with its table and its sources.
//!
//! ```text
//!   compiled models ──bind──> plans ──row-wise views into their readers──> optimize ──inline──> one graph
//!   declared sources ─────────┘                                                       └─> tables, tests, demanded columns
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use md5::{Digest, Md5};
use row::ScalarType;
use serde_json::Value as Json;

use super::changelog::check_changelog;
use super::condition::condition_holds;
use super::contract::check_contract;
use super::deployment::{Counts, Deployment, ModelPlan, PublishedModel, StoredSnapshot, TestPlan, demanded_columns};
use super::properties::table_properties;
use super::seeds::seed_plan;
use super::snapshots::snapshot_plan;
use super::source_tables::{event_times, source_type, sources};
use crate::plan::rewrite::{RewriteOptions, optimize};
use crate::plan::{self, BoundModel, Column, Plan, RelationId, RelationType};
use crate::project::{self, Materialization, Node, Project, ResourceType, SourceTable, TestSettings};
use crate::sink::{TableColumn, TableSpec};
use crate::source::TableSource;

/// Part of every fingerprint: raised when the engine gives other values for the same plan.
const SEMANTICS_VERSION: u32 = 1;

/// What to deploy.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Unique ids of the selected models, seeds and snapshots.
    pub models: BTreeSet<String>,
    /// Unique ids of the tests to maintain.
    pub tests: BTreeSet<String>,
    /// (model, fingerprint) of what the sink has: these tables advance in every cut, selected or not.
    pub deployed: BTreeMap<String, String>,
    /// Deploy the selected models whether or not they have tables of their own: for `show` and `explain`.
    pub without_tables: bool,
}

/// Why a project cannot be deployed: names the model or source, the place, and the way out.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}\n  {message}")]
pub struct AssembleError {
    /// `Compilation Error in model stg_orders (models/staging/stg_orders.sql)`.
    pub what: String,
    pub message: String,
    pub hint: Option<String>,
}

impl AssembleError {
    pub(super) fn node(node: &Node, message: impl Into<String>, hint: Option<String>) -> AssembleError {
        AssembleError {
            what: format!("Compilation Error in {} ({})", node.title(), node.original_file_path),
            message: message.into(),
            hint,
        }
    }

    pub(super) fn source(table: &SourceTable, message: impl Into<String>, hint: impl Into<String>) -> AssembleError {
        AssembleError {
            what: format!(
                "Configuration Error in source {}.{} ({})",
                table.source_name, table.name, table.original_file_path
            ),
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

/// A deployment, and what planning wants to say about it.
#[derive(Clone, Debug, Default)]
pub struct Assembled {
    pub deployment: Deployment,
    /// (model, warning).
    pub warnings: Vec<(String, String)>,
    /// Columns of each planned model, in the order of `deployment.models`.
    pub columns: Vec<Vec<Column>>,
    /// Unique ids of the tests, in the order of `deployment.tests`.
    pub tests: Vec<String>,
}

/// Plans a compiled project. Every wanted model and test, and all that they read, must have been compiled.
pub fn assemble(project: &Project, instance: &str, wanted: &Wanted) -> Result<Assembled, AssembleError> {
    let roots = roots(project, wanted);
    if roots.is_empty() && !wanted.without_tables {
        return Err(AssembleError {
            what: "Runtime Error".to_owned(),
            message: "no selected model is published, so there is nothing to keep current".to_owned(),
            hint: Some(
                "select a model that is a table, or publish a view with meta: {livemart: {publish: true}}".to_owned(),
            ),
        });
    }
    let order = dependency_order(project, roots.iter().chain(&wanted.models).chain(&wanted.tests));
    let mut planner = Planner::new(project);
    for id in &order {
        planner.plan(id)?;
    }
    planner.finish(instance, wanted, &roots)
}

/// Plans one query over a project: `sql` may name any source and any model whose SQL is compiled and can be planned.
pub fn assemble_query(project: &Project, instance: &str, sql: &str) -> Result<Assembled, AssembleError> {
    let is_known = |node: &&Node| node.compiled_code.is_some() || node.resource_type == ResourceType::Seed;
    let models: Vec<&String> = project.nodes.values().filter(is_known).map(|node| &node.unique_id).collect();
    let mut planner = Planner::new(project);
    for id in dependency_order(project, models.into_iter()) {
        if project.nodes[&id].resource_type.is_refable() {
            // A node that cannot be planned is only unknown to the query.
            let _ = planner.plan(&id);
        }
    }
    for table in project.sources.values() {
        if let Ok(typ) = source_type(project, table) {
            planner.sources.entry(table.unique_id.clone()).or_insert(typ);
        }
    }
    planner.finish_query(instance, sql)
}

/// The models that are published: the selected ones, and those that the sink has already.
fn roots(project: &Project, wanted: &Wanted) -> BTreeSet<String> {
    let selected =
        wanted.models.iter().filter(|id| project.nodes.get(*id).is_some_and(|node| is_published(project, node)));
    let deployed = wanted.deployed.keys().filter(|id| project.nodes.contains_key(*id));
    let mut roots: BTreeSet<String> = selected.chain(deployed).cloned().collect();
    if !wanted.without_tables {
        let stored = wanted.tests.iter().filter(|id| stores_failures(&project.nodes[*id]));
        roots.extend(stored.cloned());
        // What a snapshot has seen is in its table and nowhere else: who reads it needs it there.
        let read = dependency_order(project, roots.iter().chain(&wanted.models).chain(&wanted.tests));
        let is_snapshot = |id: &String| project.nodes[id].resource_type == ResourceType::Snapshot;
        roots.extend(read.into_iter().filter(is_snapshot));
    }
    roots
}

/// Whether a node has a table in the sink: tables and seeds always, views when no model reads them or an exposure does.
pub fn is_published(project: &Project, node: &Node) -> bool {
    if !node.resource_type.is_refable() || node.is_ephemeral() {
        return false;
    }
    let publish =
        node.meta().get("livemart").and_then(|livemart| livemart.get("publish")).and_then(|value| value.as_bool());
    if let Some(publish) = publish {
        return publish;
    }
    match node.materialized() {
        Some(
            Materialization::Table
            | Materialization::Incremental
            | Materialization::MaterializedView
            | Materialization::Seed
            | Materialization::Snapshot,
        ) => true,
        Some(Materialization::View) => {
            let read = project.nodes.values().any(|reader| {
                matches!(reader.resource_type, ResourceType::Model | ResourceType::Snapshot)
                    && reader.depends_on.contains(&node.unique_id)
            });
            let exposed = project.exposures.values().any(|exposure| exposure.depends_on.contains(&node.unique_id));
            !read || exposed
        }
        _ => false,
    }
}

/// All nodes that `ids` read, and they, each after what it reads.
fn dependency_order<'a>(project: &Project, ids: impl Iterator<Item = &'a String>) -> Vec<String> {
    fn visit(project: &Project, id: &str, seen: &mut BTreeSet<String>, order: &mut Vec<String>) {
        if !seen.insert(id.to_owned()) {
            return;
        }
        if let Some(node) = project.nodes.get(id) {
            for parent in &node.depends_on {
                visit(project, parent, seen, order);
            }
            order.push(id.to_owned());
        }
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for id in ids {
        visit(project, id, &mut seen, &mut order);
    }
    order
}

struct Planned {
    id: String,
    bound: BoundModel,
    /// Types for the models that read it.
    typ: RelationType,
    fingerprint: String,
    row_wise: bool,
}

pub(super) struct Planner<'p> {
    project: &'p Project,
    sources: BTreeMap<String, RelationType>,
    planned: Vec<Planned>,
    by_id: BTreeMap<String, usize>,
    warnings: Vec<(String, String)>,
    /// Plans of the failures of tests with a `fail_calc` of their own.
    calculated: BTreeMap<String, Arc<Plan>>,
}

impl<'p> Planner<'p> {
    pub(super) fn new(project: &'p Project) -> Planner<'p> {
        Planner {
            project,
            sources: BTreeMap::new(),
            planned: Vec::new(),
            by_id: BTreeMap::new(),
            warnings: Vec::new(),
            calculated: BTreeMap::new(),
        }
    }

    fn plan(&mut self, id: &str) -> Result<(), AssembleError> {
        let node = &self.project.nodes[id];
        if node.resource_type == ResourceType::Seed {
            let (plan, typ) = seed_plan(self.project, node)?;
            let bound = BoundModel { plan, columns: typ.columns, warnings: Vec::new() };
            self.keep(node, bound);
            return Ok(());
        }
        for parent in &node.depends_on {
            let Some(table) = self.project.sources.get(parent) else { continue };
            // Several sources may name one relation: one of them answers for all.
            let named = [table.database.clone(), table.schema.clone(), table.identifier.clone()];
            let answers = self.project.relation(&named).and_then(|id| self.project.sources.get(id)).unwrap_or(table);
            if !self.sources.contains_key(&answers.unique_id) {
                let typ = source_type(self.project, answers)?;
                self.sources.insert(answers.unique_id.clone(), typ);
            }
        }
        let sql = node.compiled_code.as_deref().unwrap_or_default();
        if node.is_ephemeral() {
            // Its SQL stands in its readers'.
            return Ok(());
        }
        let limited = limited_sql(node, sql);
        let sql = limited.as_deref().unwrap_or(sql);
        let binds = if node.resource_type == ResourceType::Test { plan::bind_query } else { plan::bind };
        let mut bound = binds(sql, &|parts| self.resolve(parts))
            .map_err(|error| AssembleError::node(node, error.to_string(), error.hint))?;
        if node.resource_type == ResourceType::Snapshot {
            let direct = self.over_sources(&bound.plan);
            let is_whole = |relation: &RelationId| {
                self.project.target.sources.get(&*relation.0).is_none_or(|settings| settings.retain.is_none())
            };
            bound = snapshot_plan(node, bound, &direct, &is_whole, &self.project.target.sink)?;
        }
        if node.resource_type == ResourceType::Model {
            check_contract(node, &bound.columns)?;
            if on_error(node)? == OnError::Null {
                bound.plan = plan::null_on_error(&bound.plan);
                let typ = bound.plan.typ();
                for (column, planned) in bound.columns.iter_mut().zip(typ.columns) {
                    column.nullable = planned.nullable;
                }
            }
        }
        self.keep(node, bound);
        if node.resource_type == ResourceType::Test && !counts_rows(&node.test_settings()) {
            let fail_calc = node.test_settings().fail_calc;
            let sql = format!("select ({fail_calc})::numeric as failures from (\n{sql}\n) as dbt_internal_test");
            let bound = plan::bind_query(&sql, &|parts| self.resolve(parts))
                .map_err(|error| AssembleError::node(node, format!("fail_calc: {error}"), error.hint))?;
            self.calculated.insert(id.to_owned(), bound.plan);
        }
        Ok(())
    }

    /// A plan over sources only.
    fn over_sources(&self, plan: &Arc<Plan>) -> Arc<Plan> {
        let mut inliner = plan::Inliner::default();
        for planned in &self.planned {
            let plan = inliner.plan(&planned.bound.plan);
            inliner.add(RelationId(planned.id.as_str().into()), plan);
        }
        inliner.plan(plan)
    }

    /// Notes what a node is bound to, for those that read it.
    fn keep(&mut self, node: &Node, bound: BoundModel) {
        let id = node.unique_id.clone();
        self.warnings.extend(bound.warnings.iter().map(|warning| (id.clone(), warning.clone())));
        let typ = RelationType { columns: bound.columns.clone(), keys: bound.plan.typ().keys };
        let fingerprint = self.fingerprint(node, &bound);
        self.by_id.insert(id.clone(), self.planned.len());
        self.planned.push(Planned { id, row_wise: is_row_wise(&bound.plan), typ, fingerprint, bound });
    }

    fn finish_query(self, instance: &str, sql: &str) -> Result<Assembled, AssembleError> {
        let error = |message: String, hint: Option<String>| AssembleError {
            what: "Compilation Error in inline query".to_owned(),
            message,
            hint,
        };
        let bound =
            plan::bind(sql, &|parts| self.resolve(parts)).map_err(|cause| error(cause.to_string(), cause.hint))?;
        let relation = |id: &str| RelationId(id.into());
        let mut readers = plan::Inliner::default();
        for (relation, plan) in self.retained()? {
            readers.add(relation, plan);
        }
        let mut plans: Vec<_> =
            self.planned.iter().map(|planned| (relation(&planned.id), readers.plan(&planned.bound.plan))).collect();
        plans.push((relation("inline query"), readers.plan(&bound.plan)));
        let mut plans = plan::inline(optimize(plans, &RewriteOptions::default()));
        let (_, plan) = plans.pop().expect("the query is the last plan");
        let sources = sources(self.project, &demanded_columns(std::slice::from_ref(&plan)), &self.sources)?;
        let versions = versioned(std::slice::from_ref(&plan), &sources);
        let models = vec![ModelPlan { id: "inline query".to_owned(), plan }];
        let event_times = event_times(self.project, &sources, &self.sources)?;
        let stored = stored_snapshots(&models, &self)?;
        let instance = instance.to_owned();
        let deployment =
            Deployment { instance, models, sources, stored, versions, event_times, ..Deployment::default() };
        Ok(Assembled { deployment, columns: vec![bound.columns], warnings: Vec::new(), tests: Vec::new() })
    }

    /// Columns of a node or source table, which is planned for that, and all that it reads.
    pub(super) fn type_of(&mut self, id: &str) -> Result<RelationType, AssembleError> {
        if let Some(table) = self.project.sources.get(id) {
            return source_type(self.project, table);
        }
        for id in dependency_order(self.project, std::iter::once(&id.to_owned())) {
            if !self.by_id.contains_key(&id) {
                self.plan(&id)?;
            }
        }
        if let Some(planned) = self.by_id.get(id) {
            return Ok(self.planned[*planned].typ.clone());
        }
        // An ephemeral model: its SQL stands in its readers', but has types of its own.
        let Some(node) = self.project.nodes.get(id) else { return Ok(RelationType::default()) };
        let sql = node.compiled_code.as_deref().unwrap_or_default();
        let bound = plan::bind(sql, &|parts| self.resolve(parts))
            .map_err(|error| AssembleError::node(node, error.to_string(), error.hint))?;
        Ok(RelationType { columns: bound.columns, keys: Vec::new() })
    }

    /// Sources of which only the younger rows count: what stands for them in every plan. A row without a time stays.
    fn retained(&self) -> Result<Vec<(RelationId, Arc<Plan>)>, AssembleError> {
        let mut retained = Vec::new();
        for (id, typ) in &self.sources {
            let table = &self.project.sources[id];
            let settings = self.project.target.sources.get(id);
            let Some(retain) = settings.and_then(|settings| settings.retain.as_ref()) else { continue };
            let wrong = |message: String| {
                AssembleError::source(table, message, "name a declared column of type timestamp, timestamptz or date")
            };
            let column = typ.columns.iter().find(|column| column.name.eq_ignore_ascii_case(&retain.column));
            let column = column
                .ok_or_else(|| wrong(format!("retain names the column \"{}\", which it has not", retain.column)))?;
            let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let name = quoted(&column.name);
            let time = match column.ty {
                ScalarType::Timestamp => format!("coalesce({name}, 'infinity'::timestamp)"),
                ScalarType::TimestampTz => format!("coalesce({name}, 'infinity'::timestamptz)"),
                ScalarType::Date => format!("coalesce({name}, 'infinity'::date)::timestamp"),
                _ => return Err(wrong(format!("retain's column \"{name}\" is of type {}", column.ty))),
            };
            let relation = [&table.database, &table.schema, &table.identifier].map(|part| quoted(part)).join(".");
            let seconds = retain.keep.as_secs();
            let sql = format!("select * from {relation} where {time} >= now() - interval '{seconds} seconds'");
            let bound = plan::bind(&sql, &|parts| self.resolve(parts)).map_err(|error| wrong(error.to_string()))?;
            retained.push((RelationId(id.as_str().into()), bound.plan));
        }
        Ok(retained)
    }

    /// What a relation's name in compiled SQL stands for.
    fn resolve(&self, parts: &[String]) -> Option<(RelationId, RelationType)> {
        let id = self.project.relation(parts)?.to_owned();
        let typ = match self.by_id.get(&id) {
            Some(planned) => self.planned[*planned].typ.clone(),
            None => self.sources.get(&id)?.clone(),
        };
        Some((RelationId(id.as_str().into()), typ))
    }

    /// What a model's table depends on: its plan as bound, and the fingerprints of what it reads. What seeds below it hold comes
    /// after a hyphen: their rows are data.
    fn fingerprint(&self, node: &Node, bound: &BoundModel) -> String {
        let (mut hash, mut data) = (Md5::new(), None);
        hash.update(SEMANTICS_VERSION.to_le_bytes());
        match &*bound.plan {
            Plan::Constant { rows, typ } if node.resource_type == ResourceType::Seed => {
                hash.update(format!("{typ:?}"));
                data.get_or_insert_with(Md5::new).update(format!("{rows:?}"));
            }
            plan => hash.update(format!("{plan:?}")),
        }
        let time_zone = &self.project.target.clock.time_zone;
        if time_zone != "UTC" {
            hash.update(time_zone);
        }
        let names: Vec<&str> = bound.columns.iter().map(|column| column.name.as_str()).collect();
        hash.update(format!("{names:?}"));
        for parent in self.read_by(node) {
            hash.update(&parent);
            if let Some(planned) = self.by_id.get(&parent) {
                let (definition, rows) = parts(&self.planned[*planned].fingerprint);
                hash.update(definition);
                if let Some(rows) = rows {
                    data.get_or_insert_with(Md5::new).update(rows);
                }
            }
            if let Some(settings) = self.project.target.sources.get(&parent) {
                hash.update(format!("{:?}{:?}", settings.envelope, settings.key));
                if let Some(retain) = &settings.retain {
                    hash.update(format!("{retain:?}"));
                }
            }
        }
        let hex = |hash: Md5| hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match data {
            Some(data) => format!("{}-{}", hex(hash), hex(data)),
            None => hex(hash),
        }
    }

    /// What a node reads, an ephemeral model's parents in its place.
    fn read_by(&self, node: &Node) -> Vec<String> {
        let parents = node.depends_on.iter().flat_map(|parent| match self.project.nodes.get(parent) {
            Some(ephemeral) if ephemeral.is_ephemeral() => self.read_by(ephemeral),
            _ => vec![parent.clone()],
        });
        parents.collect()
    }

    fn finish(self, instance: &str, wanted: &Wanted, roots: &BTreeSet<String>) -> Result<Assembled, AssembleError> {
        self.refuse_changed(wanted)?;
        let is_root = |id: &str| {
            roots.contains(id) || wanted.tests.contains(id) || wanted.without_tables && wanted.models.contains(id)
        };
        // A view that only renames and computes row by row is planned into each of its readers, so that filters and unread
        // columns go through it; everything else is one shared node.
        let mut readers = plan::Inliner::default();
        for (relation, plan) in self.retained()? {
            readers.add(relation, plan);
        }
        let mut plans = Vec::new();
        for planned in &self.planned {
            let relation = RelationId(planned.id.as_str().into());
            let inlined = readers.plan(&planned.bound.plan);
            if planned.row_wise && !roots.contains(&planned.id) {
                readers.add(relation.clone(), inlined.clone());
            }
            plans.push((relation, inlined));
        }
        for (id, plan) in &self.calculated {
            plans.push((RelationId(format!("livemart.failures.{id}").into()), readers.plan(plan)));
        }
        let mut plans = plan::inline(optimize(plans, &RewriteOptions::default()));
        let calculated = plans.split_off(self.planned.len());
        let calculated: BTreeMap<&String, Arc<Plan>> =
            self.calculated.keys().zip(calculated.into_iter().map(|(_, plan)| plan)).collect();
        let mut deployment = Deployment { instance: instance.to_owned(), ..Deployment::default() };
        let (mut columns, mut tests) = (Vec::new(), Vec::new());
        for (planned, (_, plan)) in self.planned.iter().zip(&plans) {
            if !is_root(&planned.id) {
                continue;
            }
            let node = &self.project.nodes[&planned.id];
            let failures = calculated.get(&planned.id);
            if roots.contains(&planned.id) || failures.is_none() {
                let model = deployment.models.len();
                deployment.models.push(ModelPlan { id: planned.id.clone(), plan: plan.clone() });
                columns.push(planned.typ.columns.clone());
                if roots.contains(&planned.id) {
                    let table = table(node, planned, plan)?;
                    check_changelog(self.project, node, &table)?;
                    deployment.published.push(PublishedModel { model, table });
                }
            }
            if let Some(failures) = failures {
                deployment.models.push(ModelPlan { id: planned.id.clone(), plan: failures.clone() });
                columns.push(failures.typ().columns);
            }
            if node.resource_type == ResourceType::Model && on_error(node)? == OnError::Fail {
                deployment.fails.insert(planned.id.clone());
            }
            if node.resource_type == ResourceType::Test {
                deployment.tests.push(test_plan(self.project, node, deployment.models.len() - 1)?);
                tests.push(planned.id.clone());
            }
        }
        deployment.stored = stored_snapshots(&deployment.models, &self)?;
        refuse_twins(self.project, &deployment)?;
        let plans: Vec<Arc<Plan>> = deployment.models.iter().map(|model| model.plan.clone()).collect();
        deployment.sources = sources(self.project, &demanded_columns(&plans), &self.sources)?;
        deployment.versions = versioned(&plans, &deployment.sources);
        deployment.event_times = event_times(self.project, &deployment.sources, &self.sources)?;
        Ok(Assembled { deployment, warnings: self.warnings, columns, tests })
    }

    /// A model that is published, has changed, and is not selected would leave the cut without a truth. A seed's rows are no
    /// change: the tables that read them follow, like those of any input.
    fn refuse_changed(&self, wanted: &Wanted) -> Result<(), AssembleError> {
        for (model, fingerprint) in &wanted.deployed {
            let Some(planned) = self.by_id.get(model) else { continue };
            let node = &self.project.nodes[model];
            // The failing rows of a test follow its definition, selected or not.
            let is_test = node.resource_type == ResourceType::Test;
            let is_same = parts(&self.planned[*planned].fingerprint).0 == parts(fingerprint).0;
            if !is_test && !wanted.models.contains(model) && !is_same {
                return Err(AssembleError::node(
                    node,
                    "it is published and has changed, but it is not selected: its table could not be kept current",
                    Some(format!("select it too: --select {}", node.name)),
                ));
            }
        }
        Ok(())
    }
}

/// A fingerprint's definition, and what the seeds below it hold.
fn parts(fingerprint: &str) -> (&str, Option<&str>) {
    fingerprint.split_once('-').map_or((fingerprint, None), |(definition, rows)| (definition, Some(rows)))
}

/// Whether a plan maps each row of one relation to at most one row, by itself.
fn is_row_wise(plan: &Plan) -> bool {
    match plan {
        Plan::Get { .. } => true,
        Plan::Map { input, .. } | Plan::Project { input, .. } | Plan::Filter { input, .. } => is_row_wise(input),
        _ => false,
    }
}

fn table(node: &Node, planned: &Planned, plan: &Arc<Plan>) -> Result<TableSpec, AssembleError> {
    let keys = plan.typ().keys;
    let columns: Vec<TableColumn> = (planned.typ.columns.iter())
        .map(|column| TableColumn { name: column.name.clone(), ty: column.ty.clone(), nullable: column.nullable })
        .collect();
    Ok(TableSpec {
        properties: table_properties(node, &columns)?,
        model: node.unique_id.clone(),
        schema: node.schema.clone(),
        name: node.alias.clone(),
        columns,
        key: keys.into_iter().min_by_key(Vec::len).filter(|key| !key.is_empty()),
        fingerprint: planned.fingerprint.clone(),
        compiled_sql: node.compiled_code.clone().unwrap_or_default(),
    })
}

/// What becomes of a row on which an expression of a model fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnError {
    /// It is set aside with its reason.
    Quarantine,
    /// The expression is NULL.
    Null,
    /// The cut is not published, and the engine stops.
    Fail,
}

/// `meta: {livemart: {on_error: …}}`
fn on_error(node: &Node) -> Result<OnError, AssembleError> {
    let meta = node.meta();
    match meta.get("livemart").and_then(|livemart| livemart.get("on_error")) {
        None => Ok(OnError::Quarantine),
        Some(Json::String(word)) if word == "quarantine" => Ok(OnError::Quarantine),
        // YAML reads the bare word as nothing.
        Some(Json::Null) => Ok(OnError::Null),
        Some(Json::String(word)) if word == "null" => Ok(OnError::Null),
        Some(Json::String(word)) if word == "fail" => Ok(OnError::Fail),
        Some(other) => Err(AssembleError::node(
            node,
            format!("meta.livemart.on_error: {other} is not known"),
            Some("write quarantine, null or fail".to_owned()),
        )),
    }
}

/// Whether a test's failures are the rows that its query gives.
fn counts_rows(settings: &TestSettings) -> bool {
    settings.fail_calc.replace(char::is_whitespace, "").eq_ignore_ascii_case("count(*)")
}

/// Whether a test's rows have a table.
fn stores_failures(node: &Node) -> bool {
    node.resource_type == ResourceType::Test
        && node.relation_name.is_some()
        && node.config_text("store_failures_as") != Some("ephemeral")
}

/// The query of a test with its limit where that decides which rows are stored, as dbt writes it.
fn limited_sql(node: &Node, sql: &str) -> Option<String> {
    let settings = node.test_settings();
    let limit = settings.limit.filter(|_| node.resource_type == ResourceType::Test)?;
    // A count of rows is capped without looking at them.
    (stores_failures(node) || !counts_rows(&settings))
        .then(|| format!("select * from (\n{sql}\n) as model_limit_subq limit {limit}"))
}

fn test_plan(project: &Project, node: &Node, model: usize) -> Result<TestPlan, AssembleError> {
    let settings = node.test_settings();
    for condition in [&settings.warn_if, &settings.error_if] {
        condition_holds(condition, 0).map_err(|error| AssembleError::node(node, error.to_string(), error.hint))?;
    }
    let counts = match counts_rows(&settings) {
        true => Counts::Rows { limit: settings.limit },
        false => Counts::Value,
    };
    let tested = node.test.as_ref().and_then(|test| test.attached_node.clone());
    let tested = tested.or_else(|| node.depends_on.first().cloned()).unwrap_or_default();
    let tested_name = project.nodes.get(&tested).map_or(tested.clone(), |node| node.name.clone());
    let severity = match settings.severity {
        project::Severity::Error => "error",
        project::Severity::Warn => "warn",
    };
    Ok(TestPlan { model, name: node.name.clone(), tested: tested_name, severity: severity.to_owned(), counts })
}

/// The sources of which some plan reads every version.
fn versioned(plans: &[Arc<Plan>], sources: &[TableSource]) -> Vec<usize> {
    let mut found = BTreeSet::new();
    for node in plans.iter().flat_map(plan::nodes) {
        if let Plan::Get { relation, .. } = &*node
            && let Some(source) = plan::versions::source_of(relation)
        {
            found.extend(sources.iter().position(|table| table.spec.relation == source));
        }
    }
    found.into_iter().collect()
}

/// The snapshots that some model reads, with their tables.
fn stored_snapshots(models: &[ModelPlan], planner: &Planner<'_>) -> Result<Vec<StoredSnapshot>, AssembleError> {
    let mut found = BTreeMap::new();
    for node in models.iter().flat_map(|model| plan::nodes(&model.plan)) {
        if let Plan::Snapshot { snapshot, .. } = &*node
            && let Some(planned) = planner.by_id.get(&snapshot.id)
        {
            let (planned, own) = (&planner.planned[*planned], &planner.project.nodes[&snapshot.id]);
            let snapshot = StoredSnapshot { table: table(own, planned, &node)?, versions: Vec::new() };
            found.insert(snapshot.table.model.clone(), snapshot);
        }
    }
    Ok(found.into_values().collect())
}

/// On SQLite two models of one alias would be one table; on PostgreSQL two of one schema and alias.
fn refuse_twins(project: &Project, deployment: &Deployment) -> Result<(), AssembleError> {
    let sqlite = matches!(project.target.sink, project::SinkConfig::Sqlite { .. });
    let mut seen: BTreeMap<(String, String), &str> = BTreeMap::new();
    for published in &deployment.published {
        let schema = if sqlite { String::new() } else { published.table.schema.clone() };
        let place = (schema, published.table.name.to_lowercase());
        if let Some(other) = seen.insert(place, &published.table.model) {
            let node = &project.nodes[&published.table.model];
            return Err(AssembleError::node(
                node,
                format!("it and {other} would both be the table \"{}\"", published.table.name),
                Some("give one of them another alias".to_owned()),
            ));
        }
    }
    Ok(())
}
