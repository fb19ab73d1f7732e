//! What each stage on the way from the file's bytes to the sink's rows costs, one after the other.
//!
//! ```text
//!   events.jsonl ──reader──> records ──resolver──> updates ──grouped, fed──> workers ──> changes ──added up──> ──SQLite──> marts.db
//!                  decoding            and journal             feeding        dataflow             netting     sink
//! ```
//!
//! 1. Stages of this thread are measured by its own clock; what the process took beyond them is the dataflow's.
//! 2. Epochs are of so many records as a reader that is behind makes them, and every one is committed.

use std::path::Path;
use std::time::Duration;

use livemart::engine::{Changes, Deployment, Output, Workers, WorkersGone};
use livemart::sink::sqlite::SqliteSink;
use livemart::sink::{Commit, Sink, SinkError, net};
use livemart::source::{Batch, Poll, Positions, Resolved, Resolver, Until, open_readers};
use row::{Diff, Row};

use super::super::measure::{process_cpu, thread_cpu};
use super::{InProcessError, POLL_WAIT};

/// CPU time of each stage, over all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stages {
    pub events: usize,
    pub decoding: Duration,
    pub resolving: Duration,
    pub feeding: Duration,
    pub dataflow: Duration,
    pub netting: Duration,
    pub sink: Duration,
    /// Rows that came and went in the sink.
    pub written: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum StagesError {
    #[error(transparent)]
    InProcess(#[from] InProcessError),
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// Runs all events to a new database at `path`, in epochs of about `epoch_records`.
pub fn stages(deployment: &Deployment, path: &Path, epoch_records: usize) -> Result<Stages, StagesError> {
    let mut readers =
        open_readers(deployment.sources.clone(), &Positions::new(), Until::End).map_err(InProcessError::from)?;
    if readers.len() != 1 {
        return Err(InProcessError::Readers(readers.len()).into());
    }
    let mut reader = readers.remove(0).reader;
    let mut sink = SqliteSink::open(path, "bench", "bench")?;
    let state = sink.state()?;
    sink.deploy(deployment.deploys(&state, false), false)?;
    let workers = Workers::start(deployment.dataflow(), 1);
    let mut resolver = Resolver::new(&deployment.source_specs(), []);
    resolver.keep_journal();
    let mut run = Run { deployment, workers, resolver, sink, epoch: 0, stages: Stages::default() };
    let (process, mut waiting): (_, Vec<Batch>) = (process_cpu(), Vec::new());
    loop {
        let poll = timed(&mut run.stages.decoding, || reader.poll(POLL_WAIT)).map_err(InProcessError::from)?;
        match poll {
            Poll::Batch(batch) => {
                run.stages.events += batch.records.len();
                waiting.push(batch);
                if waiting.iter().map(|batch| batch.records.len()).sum::<usize>() >= epoch_records {
                    run.epoch(std::mem::take(&mut waiting))?;
                }
            }
            Poll::Idle => {}
            Poll::End => break,
        }
    }
    run.epoch(waiting)?;
    let Run { workers, sink, mut stages, .. } = run;
    let closed = timed(&mut stages.sink, || Box::new(sink).close());
    let Stages { decoding, resolving, feeding, netting, sink, .. } = stages;
    stages.dataflow = (process_cpu() - process).saturating_sub(decoding + resolving + feeding + netting + sink);
    workers.stop();
    closed?;
    Ok(stages)
}

struct Run<'a> {
    deployment: &'a Deployment,
    workers: Workers,
    resolver: Resolver,
    sink: SqliteSink,
    epoch: u64,
    stages: Stages,
}

impl Run<'_> {
    fn epoch(&mut self, batches: Vec<Batch>) -> Result<(), StagesError> {
        let Run { deployment, workers, resolver, sink, epoch, stages } = self;
        let resolved = timed(&mut stages.resolving, || {
            let mut resolved = Resolved::default();
            batches.into_iter().for_each(|batch| resolver.resolve_batch(batch, &mut resolved));
            drop(resolver.take_journal());
            resolved
        });
        let changes = timed(&mut stages.feeding, || {
            let mut by_table: Vec<Vec<(Row, Diff)>> = vec![Vec::new(); deployment.sources.len()];
            resolved.updates.into_iter().for_each(|(table, row, diff)| by_table[table].push((row, diff)));
            let fed = by_table.into_iter().enumerate().try_for_each(|(table, updates)| workers.feed(table, updates));
            fed.and_then(|()| workers.close(*epoch))?;
            workers.changes().recv().unwrap_or(Err(WorkersGone))
        });
        let Changes { mut outputs, .. } = changes.map_err(InProcessError::from)?;
        *epoch += 1;
        let outputs = deployment.published.iter().map(|model| outputs.remove(&Output::Model(model.model)));
        let mut deltas: Vec<(usize, Vec<(Row, Diff)>)> =
            outputs.enumerate().filter_map(|(table, updates)| Some((table, updates?))).collect();
        timed(&mut stages.netting, || deltas.iter_mut().for_each(|(_, updates)| net::add_up(updates)));
        deltas.retain(|(_, updates)| !updates.is_empty());
        stages.written += deltas.iter().map(|(_, updates)| updates.len()).sum::<usize>();
        let seq = sink.state()?.cut.map_or(0, |cut| cut.seq) + 1;
        let (progress, errors, tests) = (Vec::new(), Vec::new(), Vec::new());
        let commit = Commit { seq, clock: seq as i64, deltas, progress, errors, resets_errors: false, tests };
        Ok(timed(&mut stages.sink, || sink.commit(&commit))?)
    }
}

fn timed<T>(sum: &mut Duration, work: impl FnOnce() -> T) -> T {
    let begun = thread_cpu();
    let done = work();
    *sum += thread_cpu() - begun;
    done
}
