//! What an epoch costs in which one row of one source changes, with a whole project and all its tests maintained.
//!
//! ```text
//!   dataflows/ + fixtures ──read──> all records but the last of each source ──feed──> workers
//!                                   the last records, one source after the other, an epoch each ──> CPU
//! ```

use std::path::Path;
use std::time::Duration;

use livemart::engine::{Deployment, Wanted, Workers, assemble};
use livemart::project::{Project, ProjectOptions};
use livemart::source::{Batch, Poll, Positions, Resolved, Resolver, Until, open_readers};
use livemart::time::Moment;
use row::{Diff, Epoch, Row};

use super::super::measure::{Samples, process_cpu};
use super::deploy::DeployError;
use super::{InProcessError, POLL_WAIT};

/// Single-row epochs of each source.
const SINGLES_PER_READER: usize = 150;

/// What epochs of a whole project cost.
#[derive(Clone, Debug)]
pub struct EpochPrice {
    pub models: usize,
    pub operators: usize,
    /// CPU microseconds of epochs of one record.
    pub single_us: Samples,
    /// CPU microseconds of epochs without any.
    pub empty_us: Samples,
    pub set_aside: usize,
}

/// Plans every model and test of a project.
pub fn whole_project(project_dir: &Path, target: &str) -> Result<Deployment, DeployError> {
    let mut options = ProjectOptions::new(project_dir);
    options.target = Some(target.to_owned());
    let mut project = Project::load(options)?;
    project.compile_all()?;
    let of_kind = |kind: &str| project.nodes.keys().filter(|id| id.starts_with(kind)).cloned().collect();
    let wanted = Wanted { models: of_kind("model."), tests: of_kind("test."), ..Wanted::default() };
    Ok(assemble(&project, &format!("{}.bench", project.name), &wanted)?.deployment)
}

pub fn epoch_price(deployment: &Deployment) -> Result<EpochPrice, InProcessError> {
    let mut singles: Vec<Vec<Batch>> = Vec::new();
    let mut running = Whole::start(deployment);
    for open in open_readers(deployment.sources.clone(), &Positions::new(), Until::End)? {
        let mut reader = open.reader;
        let mut read: Vec<Batch> = Vec::new();
        loop {
            match reader.poll(POLL_WAIT)? {
                Poll::Batch(batch) => read.push(batch),
                Poll::Idle => {}
                Poll::End => break,
            }
        }
        let one_by_one = |mut batch: Batch| {
            let records = std::mem::take(&mut batch.records);
            records.into_iter().map(move |record| Batch { records: vec![record], ..batch.clone() })
        };
        let mut one_by_one: Vec<Batch> = read.into_iter().flat_map(one_by_one).collect();
        let last = one_by_one.split_off(one_by_one.len().saturating_sub(SINGLES_PER_READER));
        one_by_one.into_iter().for_each(|batch| running.take(deployment, batch));
        singles.push(last);
    }
    // The clock stands still from here on: an epoch is to cost what its row costs.
    singles.iter().flatten().for_each(|batch| running.see(deployment, batch));
    running.workers.set_clock(Moment::new(running.clock, chrono_tz::Tz::UTC))?;
    running.close()?;
    let mut single_us = Vec::new();
    let most = singles.iter().map(Vec::len).max().unwrap_or(0);
    let mut singles: Vec<_> = singles.into_iter().map(Vec::into_iter).collect();
    for _ in 0..most {
        for batch in singles.iter_mut().filter_map(Iterator::next) {
            running.take(deployment, batch);
            single_us.push(running.close()?.as_secs_f64() * 1e6);
        }
    }
    let empty_us = (0..500).map(|_| Ok(running.close()?.as_secs_f64() * 1e6)).collect::<Result<_, InProcessError>>()?;
    let operators = running.workers.statistics.operators;
    running.workers.stop();
    let single_us = single_us.into_iter().collect();
    Ok(EpochPrice { models: deployment.models.len(), operators, single_us, empty_us, set_aside: running.set_aside })
}

struct Whole {
    workers: Workers,
    resolver: Resolver,
    by_table: Vec<Vec<(Row, Diff)>>,
    epoch: Epoch,
    /// The latest event's time.
    clock: i64,
    set_aside: usize,
}

impl Whole {
    fn start(deployment: &Deployment) -> Whole {
        Whole {
            workers: Workers::start(deployment.dataflow(), 1),
            resolver: Resolver::new(&deployment.source_specs(), []),
            by_table: vec![Vec::new(); deployment.sources.len()],
            epoch: 0,
            clock: 0,
            set_aside: 0,
        }
    }

    fn see(&mut self, deployment: &Deployment, batch: &Batch) {
        let times = batch.records.iter().filter_map(|record| deployment.event_time(record));
        self.clock = times.fold(self.clock, i64::max);
    }

    fn take(&mut self, deployment: &Deployment, batch: Batch) {
        self.see(deployment, &batch);
        let mut resolved = Resolved::default();
        self.resolver.resolve_batch(batch, &mut resolved);
        self.set_aside += resolved.faults.len();
        for (table, row, diff) in resolved.updates {
            self.by_table[table].push((row, diff));
        }
    }

    /// Feeds what was taken and closes the epoch; gives the CPU time of it.
    fn close(&mut self) -> Result<Duration, InProcessError> {
        let begun = process_cpu();
        for (table, updates) in self.by_table.iter_mut().enumerate().filter(|(_, updates)| !updates.is_empty()) {
            self.workers.feed(table, std::mem::take(updates))?;
        }
        self.workers.close(self.epoch)?;
        self.epoch += 1;
        self.workers.changes().recv().map_err(|_| livemart::engine::WorkersGone)??;
        Ok(process_cpu() - begun)
    }
}
