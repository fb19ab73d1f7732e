//! The engine without sink: from decoded records, or from the file's bytes, through resolver and dataflow to the changes of each
//! epoch.
//!
//! ```text
//!   run:     events.jsonl ──reader──> records in memory │ ──resolver──> feed ──close(epoch)──> workers ──> changes
//!                                     not measured      │                    measured
//!   stream:  events.jsonl ──reader──> ──resolver──> feed ──close(epoch)──> workers ──> changes
//!                                        all of it measured
//! ```
//!
//! 1. Epochs are of 10,000 events, then of 100, then of one, split as the limit program splits them.
//! 2. An epoch begins when the one before has come out, so the time of an epoch is its own.
//! 3. `run` keeps the changes in the order in which they came and adds them up after the measuring: their sum is the answer.
//!    `stream` keeps nothing, so that what the process has grown by is the state.

mod deploy;
mod stages;
mod whole_project;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use livemart::engine::{Changes, Deployment, OperatorState, Output, Workers, WorkersGone};
use livemart::source::{Batch, Poll, Positions, Record, Resolved, Resolver, SourceError, Until, open_readers};
use row::{Diff, Epoch, Row, ScalarType};

use super::mart::{Answer, Answers, Columns, Query};
use super::measure::{Samples, process_cpu, resident_bytes, thread_cpu};

pub use deploy::deployment;
pub use stages::{Stages, stages};
pub use whole_project::{epoch_price, whole_project};

const CATCH_UP_EVENTS: usize = 10_000;
const MIDDLE_EVENTS: usize = 100;
const SINGLES_MAX: usize = 10_000;
const MIDDLES_MAX: usize = 200;
/// How long one poll may wait; the file is there, so this only bounds a fault.
const POLL_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum InProcessError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Workers(#[from] WorkersGone),
    #[error("the records come from {0} readers where the bench wants one shared file")]
    Readers(usize),
    #[error("{0} records were set aside; the workload has none that should be")]
    SetAside(usize),
    #[error("a row of the result is not what the bench knows: {0}")]
    Row(String),
}

/// What a case cost.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Operators of the dataflow: each of them is paid for by every epoch.
    pub operators: usize,
    pub catch_up_events: usize,
    pub catch_up_cpu: Duration,
    /// The part of it that the resolver took.
    pub resolver_cpu: Duration,
    pub catch_up_wall: Duration,
    /// CPU microseconds of each epoch of 100 events, of all threads.
    pub middle_cpu_us: Samples,
    /// CPU microseconds of each epoch of one event, of all threads.
    pub single_cpu_us: Samples,
    /// The same as the caller's clock saw it.
    pub single_wall_us: Samples,
    pub answers: Answers,
}

/// All records of the deployment's sources, decoded, in epochs as they will be fed.
pub struct Records {
    catch_up: Vec<Batch>,
    middles: Vec<Batch>,
    singles: Vec<Batch>,
    catch_up_events: usize,
}

/// The rows that the sources come to, all columns of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct PackedRows {
    pub rows: u64,
    pub bytes: u64,
    /// Memory that the resolver takes for them.
    pub held_bytes: u64,
}

pub fn packed_rows(mut deployment: Deployment) -> Result<PackedRows, InProcessError> {
    for source in &mut deployment.sources {
        source.spec.keeps_all = true;
        source.spec.demanded.fill(true);
    }
    let mut resolver = Resolver::new(&deployment.source_specs(), []);
    for open in open_readers(deployment.sources.clone(), &Positions::new(), Until::End)? {
        let mut reader = open.reader;
        loop {
            match reader.poll(POLL_WAIT)? {
                Poll::Batch(batch) => resolver.resolve_batch(batch, &mut Resolved::default()),
                Poll::Idle => {}
                Poll::End => break,
            }
        }
    }
    let mut packed = PackedRows::default();
    resolver.each_row(|_, row, copies| {
        packed.rows += copies.unsigned_abs();
        packed.bytes += row.bytes().len() as u64 * copies.unsigned_abs();
    });
    packed.held_bytes = resolver.sizes().map(|(_, _, bytes)| bytes).sum();
    Ok(packed)
}

/// Reads the sources to their end.
pub fn read_records(deployment: &Deployment) -> Result<Records, InProcessError> {
    let mut readers = open_readers(deployment.sources.clone(), &Positions::new(), Until::End)?;
    if readers.len() != 1 {
        return Err(InProcessError::Readers(readers.len()));
    }
    let mut reader = readers.remove(0).reader;
    let mut records: Vec<Record> = Vec::new();
    let mut last: Option<Batch> = None;
    loop {
        match reader.poll(POLL_WAIT)? {
            Poll::Batch(mut batch) => {
                records.append(&mut batch.records);
                last = Some(batch);
            }
            Poll::Idle => {}
            Poll::End => break,
        }
    }
    Ok(cut(records, &last))
}

/// The last records become epochs of one, those before of 100, all others of 10,000.
fn cut(records: Vec<Record>, like: &Option<Batch>) -> Records {
    let events = records.len();
    let singles = SINGLES_MAX.min(events / 10);
    let middles = MIDDLES_MAX.min(events / 500);
    let catch_up_events = events - singles - middles * MIDDLE_EVENTS;
    let mut records = records.into_iter();
    let mut take = |events: usize, size: usize| -> Vec<Batch> {
        let Some(like) = like else { return Vec::new() };
        (0..events.div_ceil(size))
            .map(|at| Batch { records: records.by_ref().take(size.min(events - at * size)).collect(), ..like.clone() })
            .collect()
    };
    Records {
        catch_up: take(catch_up_events, CATCH_UP_EVENTS),
        middles: take(middles * MIDDLE_EVENTS, MIDDLE_EVENTS),
        singles: take(singles, 1),
        catch_up_events,
    }
}

/// Runs the deployment over the records.
pub fn run(deployment: &Deployment, records: Records, workers: usize) -> Result<Outcome, InProcessError> {
    let mut running = Running::start(deployment, workers);
    let operators = running.workers.statistics.operators;
    let (cpu, wall) = (process_cpu(), Instant::now());
    for batch in records.catch_up {
        running.epoch(batch)?;
    }
    let (catch_up_cpu, catch_up_wall) = (process_cpu() - cpu, wall.elapsed());
    let resolver_cpu = running.resolver_cpu;
    let (middle_cpu_us, _) = running.epochs_one_by_one(records.middles)?;
    let (single_cpu_us, single_wall_us) = running.epochs_one_by_one(records.singles)?;
    let catch_up_events = records.catch_up_events;
    let answers = running.finish()?;
    Ok(Outcome {
        operators,
        catch_up_events,
        catch_up_cpu,
        resolver_cpu,
        catch_up_wall,
        middle_cpu_us,
        single_cpu_us,
        single_wall_us,
        answers,
    })
}

/// What a case cost from the file's bytes on.
#[derive(Clone, Debug)]
pub struct Streamed {
    pub events: usize,
    pub cpu: Duration,
    /// The reader's part of it: bytes to records.
    pub decoding_cpu: Duration,
    pub resolver_cpu: Duration,
    /// What the process grew by; the rows that the resolver holds are in it.
    pub state_bytes: u64,
    pub resolver_bytes: u64,
    pub live_rows: u64,
    /// What operators hold, those that hold most first.
    pub operators: Vec<OperatorState>,
}

/// Reads and runs in epochs of about 10,000 events.
pub fn stream(deployment: &Deployment, workers: usize) -> Result<Streamed, InProcessError> {
    let mut readers = open_readers(deployment.sources.clone(), &Positions::new(), Until::End)?;
    if readers.len() != 1 {
        return Err(InProcessError::Readers(readers.len()));
    }
    let mut reader = readers.remove(0).reader;
    let mut running = Running::start(deployment, workers);
    running.keeps_changes = false;
    let (resident, cpu) = (resident_bytes(), process_cpu());
    let (mut events, mut decoding_cpu) = (0, Duration::ZERO);
    let mut waiting: Option<Batch> = None;
    loop {
        let begun = thread_cpu();
        let poll = reader.poll(POLL_WAIT)?;
        decoding_cpu += thread_cpu() - begun;
        match poll {
            Poll::Batch(batch) => {
                events += batch.records.len();
                match &mut waiting {
                    None => waiting = Some(batch),
                    Some(waiting) => waiting.records.extend(batch.records),
                }
                if let Some(batch) = waiting.take_if(|waiting| waiting.records.len() >= CATCH_UP_EVENTS) {
                    running.epoch(batch)?;
                }
            }
            Poll::Idle => {}
            Poll::End => break,
        }
    }
    if let Some(batch) = waiting {
        running.epoch(batch)?;
    }
    let cpu = process_cpu() - cpu;
    let state_bytes = resident_bytes().saturating_sub(resident);
    let mut live_rows = 0;
    running.resolver.each_row(|_, _, copies| live_rows += copies.unsigned_abs());
    let resolver_bytes = running.resolver.sizes().map(|(_, _, bytes)| bytes).sum();
    let resolver_cpu = running.resolver_cpu;
    // The epoch after it ends when the workers have come to it.
    running.workers.measure()?;
    running.close()?;
    let operators = running.workers.measured();
    running.finish()?;
    Ok(Streamed { events, cpu, decoding_cpu, resolver_cpu, state_bytes, resolver_bytes, live_rows, operators })
}

struct Running {
    workers: Workers,
    resolver: Resolver,
    resolver_cpu: Duration,
    published: Vec<Published>,
    epoch: Epoch,
    tables: usize,
    keeps_changes: bool,
    set_aside: usize,
}

/// A query's output, its columns' types, and what it gave.
struct Published {
    query: Query,
    output: Output,
    types: Vec<ScalarType>,
    changes: Vec<(Row, Diff)>,
}

impl Running {
    fn start(deployment: &Deployment, workers: usize) -> Running {
        let published = deployment.published.iter().filter_map(|published| {
            Some(Published {
                query: Query::ALL.into_iter().find(|query| query.model() == published.table.model)?,
                output: Output::Model(published.model),
                types: published.table.columns.iter().map(|column| column.ty.clone()).collect(),
                changes: Vec::new(),
            })
        });
        Running {
            workers: Workers::start(deployment.dataflow(), workers),
            resolver: Resolver::new(&deployment.source_specs(), []),
            resolver_cpu: Duration::ZERO,
            published: published.collect(),
            epoch: 0,
            tables: deployment.sources.len(),
            keeps_changes: true,
            set_aside: 0,
        }
    }

    /// CPU and wall microseconds of each epoch.
    fn epochs_one_by_one(&mut self, batches: Vec<Batch>) -> Result<(Samples, Samples), InProcessError> {
        let (mut cpu_us, mut wall_us) = (Vec::new(), Vec::new());
        for batch in batches {
            let (cpu, wall) = (process_cpu(), Instant::now());
            self.epoch(batch)?;
            wall_us.push(wall.elapsed().as_secs_f64() * 1e6);
            cpu_us.push((process_cpu() - cpu).as_secs_f64() * 1e6);
        }
        Ok((cpu_us.into_iter().collect(), wall_us.into_iter().collect()))
    }

    /// Feeds a batch, closes the epoch, and waits for what it changed.
    fn epoch(&mut self, batch: Batch) -> Result<(), InProcessError> {
        let begun = thread_cpu();
        let mut resolved = Resolved::default();
        self.resolver.resolve_batch(batch, &mut resolved);
        self.resolver_cpu += thread_cpu() - begun;
        self.set_aside += resolved.faults.len();
        let mut by_table: Vec<Vec<(Row, Diff)>> = vec![Vec::new(); self.tables];
        for (table, row, diff) in resolved.updates {
            by_table[table].push((row, diff));
        }
        for (table, updates) in by_table.into_iter().enumerate().filter(|(_, updates)| !updates.is_empty()) {
            self.workers.feed(table, updates)?;
        }
        self.close()
    }

    fn close(&mut self) -> Result<(), InProcessError> {
        self.workers.close(self.epoch)?;
        self.epoch += 1;
        let changes = self.workers.changes();
        for _ in 0..self.workers.count() {
            let Changes { mut outputs, .. } = changes.recv().unwrap_or(Err(WorkersGone))?;
            self.set_aside += outputs.get(&Output::Errors).map_or(0, Vec::len);
            for published in self.published.iter_mut().filter(|_| self.keeps_changes) {
                published.changes.extend(outputs.remove(&published.output).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Adds up all changes.
    fn finish(self) -> Result<Answers, InProcessError> {
        self.workers.stop();
        if self.set_aside > 0 {
            return Err(InProcessError::SetAside(self.set_aside));
        }
        let answer = |published: Published| Ok((published.query, published.answer()?));
        self.published.into_iter().map(answer).collect::<Result<BTreeMap<_, _>, _>>()
    }
}

impl Published {
    fn answer(self) -> Result<Answer, InProcessError> {
        let mut counts: HashMap<Row, Diff> = HashMap::new();
        for (row, diff) in self.changes {
            *counts.entry(row).or_default() += diff;
        }
        counts.retain(|_, count| *count != 0);
        if let Some((row, count)) = counts.iter().find(|(_, count)| **count != 1) {
            return Err(InProcessError::Row(format!("{count} copies of {row:?}")));
        }
        let read = |row: &Row| {
            let columns = row.iter().zip(&self.types).map(|(datum, ty)| {
                let mut text = String::new();
                datum.write_text(ty, chrono_tz::Tz::UTC, &mut text);
                (!datum.is_null()).then_some(text)
            });
            let columns: Columns = columns.collect();
            self.query.row(&columns).ok_or_else(|| InProcessError::Row(format!("{columns:?}")))
        };
        counts.keys().map(read).collect()
    }
}
