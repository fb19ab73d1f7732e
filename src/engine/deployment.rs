//! What is deployed: the plans of all models and tests, the tables they publish, and the sources they read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use row::{Datum, Diff, Row};

use super::publish::{TableOutput, TestOutput};
use super::workers::Dataflow;
use crate::plan::clock::{ClockNeeds, ClockReading};
use crate::plan::snapshot::{stored, stored_id};
use crate::plan::versions::{OWN_COLUMNS, source_of, versions};
use crate::plan::{Plan, RelationId};
use crate::render::RenderModel;
use crate::sink::{Deploy, RunHooks, SinkState, TableSpec};
use crate::source::{Change, Record, TableSource, TableSpec as SourceSpec};

/// A model to maintain, its plan over sources only (references to other models have been replaced by their plans).
#[derive(Clone, Debug)]
pub struct ModelPlan {
    /// dbt's unique id.
    pub id: String,
    pub plan: Arc<Plan>,
}

/// A published model: its plan by index, and its table.
#[derive(Clone, Debug)]
pub struct PublishedModel {
    pub model: usize,
    pub table: TableSpec,
}

/// A maintained test: the model whose rows are its violations.
#[derive(Clone, Debug)]
pub struct TestPlan {
    pub model: usize,
    pub name: String,
    pub tested: String,
    pub severity: String,
    pub counts: Counts,
}

/// What the failures of a test are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// The rows of its plan, up to a limit.
    Rows { limit: Option<u64> },
    /// The number in the only row of its plan: the test's `fail_calc`.
    Value,
}

impl Counts {
    /// The failures in a plan's rows. None where `fail_calc` gave no whole number.
    pub fn failures<'a>(self, rows: impl Iterator<Item = (&'a Row, &'a Diff)>) -> Option<i64> {
        match self {
            Counts::Rows { limit } => {
                let count: i64 = rows.map(|(_, count)| count).sum();
                Some(limit.map_or(count, |limit| count.min(i64::try_from(limit).unwrap_or(i64::MAX))))
            }
            Counts::Value => rows.filter(|(_, count)| **count > 0).find_map(|(row, _)| match row.iter().next()? {
                Datum::Int(value) => Some(value),
                Datum::Numeric(value) => value.to_string().parse().ok(),
                _ => None,
            }),
        }
    }
}

/// A snapshot that some plan reads: its table, and what the sink holds of it at the start.
#[derive(Clone, Debug)]
pub struct StoredSnapshot {
    pub table: TableSpec,
    pub versions: Vec<(Row, i64)>,
}

/// Everything that the engine runs for a target.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// `project.target`.
    pub instance: String,
    pub models: Vec<ModelPlan>,
    pub published: Vec<PublishedModel>,
    pub tests: Vec<TestPlan>,
    /// Models of which a failing expression stops the engine.
    pub fails: BTreeSet<String>,
    /// Snapshots that some plan reads, by the index that their inputs have after the sources'.
    pub stored: Vec<StoredSnapshot>,
    /// Sources of which some snapshot keeps every version; their inputs come last.
    pub versions: Vec<usize>,
    /// Sources that some plan reads, by the index that inputs and resolved updates use.
    pub sources: Vec<TableSource>,
    /// The column that tells an event's time where its record does not, by source.
    pub event_times: BTreeMap<usize, usize>,
    /// What the project wants run around a deploy.
    pub run_hooks: RunHooks,
}

impl Deployment {
    pub fn dataflow(&self) -> Dataflow {
        Dataflow {
            arranged_only: false,
            inputs: (self.sources.iter().map(|source| source.spec.relation.clone()))
                .chain(self.stored.iter().map(|snapshot| stored(&snapshot.table.model)))
                .chain(self.versions.iter().map(|source| versions(&self.sources[*source].spec.relation)))
                .collect(),
            models: self
                .models
                .iter()
                .map(|model| RenderModel { id: model.id.clone(), plan: model.plan.clone() })
                .collect(),
        }
    }

    /// An event's time, microseconds since 1970 UTC: its record's, else its row's.
    pub fn event_time(&self, record: &Record) -> Option<i64> {
        event_time(&self.event_times, record)
    }

    /// What the models ask of the clock.
    pub fn clock_needs(&self) -> ClockNeeds {
        ClockNeeds::of(self.models.iter().map(|model| &model.plan))
    }

    pub fn source_specs(&self) -> Vec<SourceSpec> {
        self.sources.iter().map(|source| source.spec.clone()).collect()
    }

    /// What the first commit does with each table, given what the sink has.
    ///
    /// Adopting corrects every table by the row-level difference, whoever wrote into it.
    pub fn deploys(&self, state: &SinkState, adopt: bool) -> Vec<(TableSpec, Deploy)> {
        let kept: BTreeSet<(&str, &str)> =
            state.models.iter().map(|(model, _, fingerprint)| (model.as_str(), fingerprint.as_str())).collect();
        let deploy = |table: &TableSpec| {
            let keeps =
                !adopt && state.cut.is_some() && kept.contains(&(table.model.as_str(), table.fingerprint.as_str()));
            if keeps { Deploy::Keep } else { Deploy::Evolve }
        };
        self.published.iter().map(|model| (model.table.clone(), deploy(&model.table))).collect()
    }

    pub(super) fn table_outputs(&self, state: &SinkState, adopt: bool) -> Vec<TableOutput> {
        self.published
            .iter()
            .zip(self.deploys(state, adopt))
            .map(|(model, (_, deploy))| TableOutput { output: model.model, evolves: deploy == Deploy::Evolve })
            .collect()
    }

    pub(super) fn test_outputs(&self) -> Vec<TestOutput> {
        self.tests
            .iter()
            .map(|test| TestOutput {
                output: test.model,
                name: test.name.clone(),
                model: test.tested.clone(),
                severity: test.severity.clone(),
                counts: test.counts,
            })
            .collect()
    }
}

/// See `Deployment::event_time`.
pub(super) fn event_time(columns: &BTreeMap<usize, usize>, record: &Record) -> Option<i64> {
    if record.event_time.is_some() || columns.is_empty() {
        return record.event_time;
    }
    let (table, row) = match &record.change {
        Change::Upsert { table, row, .. } | Change::Insert { table, row } => (table, row),
        Change::Patch(patch) => (&patch.table, &patch.row),
        _ => return None,
    };
    match row.iter().nth(*columns.get(table)?)? {
        Datum::Timestamp(micros) | Datum::TimestampTz(micros) => Some(micros),
        Datum::Date(days) => Some(i64::from(days) * row::calendar::MICROS_PER_DAY),
        _ => None,
    }
}

/// Which columns of each source relation the plans read.
pub fn demanded_columns(plans: &[Arc<Plan>]) -> BTreeMap<RelationId, BTreeSet<usize>> {
    let mut demanded: BTreeMap<RelationId, BTreeSet<usize>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut queue: Vec<(Arc<Plan>, Option<Vec<usize>>)> = plans.iter().map(|plan| (plan.clone(), None)).collect();
    while let Some((plan, columns)) = queue.pop() {
        if let Plan::Get { relation, typ } = &*plan {
            if ClockReading::of(relation).is_some() || stored_id(relation).is_some() {
                continue;
            }
            let columns = columns.unwrap_or_else(|| (0..typ.columns.len()).collect());
            match source_of(relation) {
                Some(source) => {
                    let of_row = typ.columns.len() - OWN_COLUMNS;
                    let columns = columns.into_iter().filter(|column| *column < of_row);
                    demanded.entry(source).or_default().extend(columns);
                }
                None => demanded.entry(relation.clone()).or_default().extend(columns),
            }
            continue;
        }
        // A filter passes on what its reader demands, so each reader is looked at.
        let passes_on = matches!(&*plan, Plan::Filter { .. }) && columns.is_some();
        if !passes_on && !seen.insert(Arc::as_ptr(&plan) as usize) {
            continue;
        }
        for child in plan.children() {
            let below = match &*plan {
                Plan::Project { columns, .. } => Some(columns.clone()),
                Plan::Filter { predicates, .. } => columns.clone().map(|mut demanded| {
                    predicates
                        .iter()
                        .for_each(|predicate| predicate.for_each_column(&mut |column| demanded.push(column)));
                    demanded
                }),
                _ => None,
            };
            queue.push((child.clone(), below));
        }
    }
    demanded
}
