//! Evaluates a deployment once, in memory: what `show`, `test` and comparisons look at. Nothing is published.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use flow::Turn;
use row::{Diff, Row};

use super::deployment::Deployment;
use super::drive::EngineError;
use super::succession::Beside;
use super::versions::{Updates, VersionFeed};
use super::workers::{OperatorState, Output, Workers, WorkersGone};
use crate::sink::{ProgressRow, SinkState};
use crate::source::{Batch, Poll, Positions, Resolved, Resolver, TableSource, Until, first_position, open_readers};
use crate::state::{StateFolder, StoredTable};
use crate::time::Clock;

/// What a deployment's models hold.
#[derive(Clone, Debug, Default)]
pub struct Evaluated {
    /// Rows with their counts, by model.
    pub models: Vec<BTreeMap<Row, Diff>>,
    /// Error rows (see `render::error_columns`) with their counts.
    pub errors: BTreeMap<Row, Diff>,
    pub records: u64,
    /// What operators hold at the end, those that hold most first.
    pub operators: Vec<OperatorState>,
}

/// Reads every source up to the given positions, or to its end where `positions` is None, and evaluates all models. What state has
/// (`beside`) is not read again.
///
/// At given positions the clock is where it stands; at the sources' end it moves on.
pub fn evaluate(
    deployment: &Deployment,
    positions: Option<&[ProgressRow]>,
    mut clock: Clock,
    beside: Option<Beside>,
) -> Result<Evaluated, EngineError> {
    // A source that no longer has its beginning would give another answer, and is refused.
    let first = |row: &ProgressRow| {
        let place = (row.source.clone(), row.partition.clone());
        (place, (first_position(&row.mark), row.mark.clone()))
    };
    let from: Positions = match &beside {
        Some(beside) => beside.from.clone(),
        None => positions.unwrap_or_default().iter().map(first).collect(),
    };
    // Everything up to the positions is wanted, and nothing beyond: no transaction needs to be waited for.
    let sources = deployment.sources.iter().map(|source| TableSource { transactions: None, ..source.clone() });
    let readers = open_readers(sources.collect(), &from, Until::End)?;
    let several = readers.iter().flat_map(|reader| &reader.tables).filter(|(_, several)| *several);
    let mut resolver = Resolver::new(&deployment.source_specs(), several.map(|(table, _)| *table).collect::<Vec<_>>());
    let limits: Option<HashMap<(&str, &str), u64>> = positions.map(|positions| {
        positions.iter().map(|row| ((row.source.as_str(), row.partition.as_str()), row.position)).collect()
    });
    let workers = Workers::start(deployment.dataflow(), 1);
    for (number, snapshot) in deployment.stored.iter().enumerate() {
        workers.feed(deployment.sources.len() + number, snapshot.versions.clone())?;
    }
    // Only the rows as they stand in the end are looked at.
    let versions = VersionFeed::new(deployment, &SinkState::default());
    let mut evaluated = Evaluated { models: vec![BTreeMap::new(); deployment.models.len()], ..Evaluated::default() };
    if let Some(Beside { folder: Some(mut folder), tables, .. }) = beside {
        restore(&workers, &mut resolver, &versions, &mut folder, &tables)?;
    }
    for open in readers {
        let mut reader = open.reader;
        loop {
            let batch = match reader.poll(Duration::from_millis(100))? {
                Poll::Batch(batch) => batch,
                Poll::Idle => continue,
                Poll::End => break,
            };
            let batch = match &limits {
                Some(limits) => up_to(batch, limits),
                None => batch,
            };
            evaluated.records += batch.records.len() as u64;
            let times = batch.records.iter().filter_map(|record| deployment.event_time(record));
            if let Some(latest) = times.filter(|time| clock.is_plausible(*time)).max() {
                clock.see(latest);
            }
            let mut resolved = Resolved::default();
            resolver.resolve_batch(batch, &mut resolved);
            feed_all(&workers, versions.quietly(&resolved))?;
            let mut by_table: BTreeMap<usize, Vec<(Row, Diff)>> = BTreeMap::new();
            for (table, row, diff) in resolved.updates {
                by_table.entry(table).or_default().push((row, diff));
            }
            for (table, updates) in by_table {
                workers.feed(table, updates)?;
            }
        }
    }
    let moment = if positions.is_some() { clock.moment() } else { clock.advance() };
    workers.set_clock(moment)?;
    // At a published cut the versions are those that were published with it.
    workers.turn(Turn { now: moment.now, live: positions.is_none() })?;
    workers.close(0)?;
    let changes = workers.changes().recv().unwrap_or(Err(super::WorkersGone))?;
    // The epoch after it ends when the worker has come to it.
    workers.measure()?;
    workers.close(1)?;
    workers.changes().recv().unwrap_or(Err(super::WorkersGone))?;
    evaluated.operators = workers.measured();
    workers.stop();
    for (output, updates) in changes.outputs {
        let rows = match output {
            Output::Model(model) => &mut evaluated.models[model],
            Output::Errors => &mut evaluated.errors,
            Output::Positions => continue,
        };
        for (row, diff) in updates {
            *rows.entry(row).or_default() += diff;
        }
        rows.retain(|_, count| *count != 0);
    }
    Ok(evaluated)
}

/// Rows of the state that are fed at a time.
const CHUNK_ROWS: usize = 16_384;

/// Fills the collections with what a folder holds.
fn restore(
    workers: &Workers,
    resolver: &mut Resolver,
    versions: &VersionFeed,
    folder: &mut StateFolder,
    tables: &[StoredTable],
) -> Result<(), EngineError> {
    let mut rows: BTreeMap<usize, Vec<(Row, Diff)>> = BTreeMap::new();
    let mut outcome = Ok(());
    let mut push = |table: usize, row: Row, diff: Diff| {
        let mut at_rest = Updates::new();
        versions.at_rest(table, &row, diff, &mut at_rest);
        at_rest.insert(table, vec![(row, diff)]);
        for (input, more) in at_rest {
            let rows = rows.entry(input).or_default();
            rows.extend(more);
            if rows.len() >= CHUNK_ROWS && outcome.is_ok() {
                outcome = workers.feed(input, std::mem::take(rows));
            }
        }
    };
    folder.read(tables, resolver, &mut |table, row| push(table, row, 1))?;
    resolver.each_row(&mut push);
    outcome?;
    Ok(rows.into_iter().try_for_each(|(table, rows)| workers.feed(table, rows))?)
}

fn feed_all(workers: &Workers, updates: Updates) -> Result<(), WorkersGone> {
    updates.into_iter().try_for_each(|(input, updates)| workers.feed(input, updates))
}

/// The part of a batch that lies below its partition's position; a partition without one has nothing.
fn up_to(mut batch: Batch, limits: &HashMap<(&str, &str), u64>) -> Batch {
    let limit = limits.get(&(&*batch.source, &*batch.partition)).copied().unwrap_or(0);
    batch.records.retain(|record| record.offset < limit);
    batch
}
