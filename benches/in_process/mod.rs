//! The engine without readers and sink: from decoded records through resolver and dataflow to the changes of each epoch.
//!
//! ```text
//!   events.jsonl ──reader──> records in memory │ ──resolver──> feed ──close(epoch)──> workers ──> changes
//!                            not measured      │                    measured
//! ```
//!
//! 1. Epochs are of 10,000 events, then of 100, then of one, split as the limit program splits them.
//! 2. An epoch begins when the one before has come out, so the time of an epoch is its own.
//! 3. The changes are kept in the order in which they came and added up after the measuring: their sum is the mart.

mod deploy;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use livemart::engine::{Changes, Deployment, Output, Workers, WorkersGone};
use livemart::source::{Batch, Poll, Positions, Record, Resolved, Resolver, SourceError, Until, open_readers};
use row::{Datum, Diff, Epoch, Row};

use super::mart::{Mart, MartRow, cents};
use super::measure::{Samples, process_cpu, thread_cpu};

pub use deploy::deployment;

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
    #[error("the project publishes {0} tables where the bench knows one")]
    Tables(usize),
    #[error("the records come from {0} readers where the bench wants one shared file")]
    Readers(usize),
    #[error("{0} records were set aside; the workload has none that should be")]
    SetAside(usize),
    #[error("a row of the result is not what the bench knows: {0}")]
    Row(String),
}

/// What Q1 cost.
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
    pub mart: Mart,
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
    let [published] = &deployment.published[..] else {
        return Err(InProcessError::Tables(deployment.published.len()));
    };
    let mut running = Running::start(deployment, Output::Model(published.model), workers);
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
    let mart = running.finish()?;
    Ok(Outcome {
        operators,
        catch_up_events,
        catch_up_cpu,
        resolver_cpu,
        catch_up_wall,
        middle_cpu_us,
        single_cpu_us,
        single_wall_us,
        mart,
    })
}

struct Running {
    workers: Workers,
    resolver: Resolver,
    resolver_cpu: Duration,
    output: Output,
    epoch: Epoch,
    tables: usize,
    changes: Vec<(Row, Diff)>,
    set_aside: usize,
}

impl Running {
    fn start(deployment: &Deployment, output: Output, workers: usize) -> Running {
        Running {
            workers: Workers::start(deployment.dataflow(), workers),
            resolver: Resolver::new(&deployment.source_specs(), []),
            resolver_cpu: Duration::ZERO,
            output,
            epoch: 0,
            tables: deployment.sources.len(),
            changes: Vec::new(),
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
        self.workers.close(self.epoch)?;
        self.epoch += 1;
        let changes = self.workers.changes();
        for _ in 0..self.workers.count() {
            let Changes { mut outputs, .. } = changes.recv().unwrap_or(Err(WorkersGone))?;
            self.set_aside += outputs.get(&Output::Errors).map_or(0, Vec::len);
            self.changes.extend(outputs.remove(&self.output).unwrap_or_default());
        }
        Ok(())
    }

    /// Adds up all changes.
    fn finish(self) -> Result<Mart, InProcessError> {
        self.workers.stop();
        if self.set_aside > 0 {
            return Err(InProcessError::SetAside(self.set_aside));
        }
        let mut counts: HashMap<Row, Diff> = HashMap::new();
        for (row, diff) in self.changes {
            *counts.entry(row).or_default() += diff;
        }
        counts.retain(|_, count| *count != 0);
        let copies = counts.iter().find(|(_, count)| **count != 1);
        if let Some((row, count)) = copies {
            return Err(InProcessError::Row(format!("{count} copies of {row:?}")));
        }
        counts.keys().map(|row| mart_row(row).ok_or_else(|| InProcessError::Row(format!("{row:?}")))).collect()
    }
}

/// Reads a packed row of the model `q1`.
fn mart_row(row: &Row) -> Option<MartRow> {
    let datums: Vec<Datum<'_>> = row.iter().collect();
    let [
        Datum::Int(customer_id),
        Datum::Text(first_name),
        Datum::Text(last_name),
        Datum::Text(email),
        Datum::Int(total_orders),
        order_value,
        payments,
        Datum::Int(page_views),
    ] = &datums[..]
    else {
        return None;
    };
    let money = |datum: &Datum<'_>| match datum {
        Datum::Numeric(value) => cents(&value.to_string()),
        _ => None,
    };
    Some(MartRow {
        customer_id: *customer_id,
        first_name: (*first_name).to_owned(),
        last_name: (*last_name).to_owned(),
        email: (*email).to_owned(),
        total_orders: *total_orders,
        total_order_cents: money(order_value)?,
        total_payment_cents: money(payments)?,
        page_views: *page_views,
    })
}
