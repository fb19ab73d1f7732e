//! From what survived to where the sink's cut is, and only then on.
//!
//! ```text
//!   state ──rows, silently──> collections at T ──records T..S, silently──> at S ──gate opens──> everything new is published
//! ```
//!
//! 1. Nothing is published before the collections stand where the sink's cut does; readers wait at the cut, so that what lies
//!    beyond it does not pile up here.
//! 2. Where the cut cannot be rebuilt (the state is ahead of a restored sink, a source is taken anew) collections go to the present,
//!    and the first commit corrects the tables by the row-level difference, together with the positions.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::sync::Arc;

use row::{Diff, Row};

use super::drive::{Drive, EngineError, EngineEvent, IDLE_WAIT, decode_error};
use super::publish::{Publish, position_row};
use super::versions::Updates;
use crate::sink::{ProgressRow, SinkState};
use crate::source::feed::Feed;
use crate::source::{Batch, Gate, Positions, Resolver, TableIndex};
use crate::state::{KeeperLimits, Keeping, Resume, StateError, StateFolder, StoredTable};

/// Rows of a table that are fed at a time.
const CHUNK_ROWS: usize = 16_384;

/// What a start takes over besides the sink: the state's folder, and how far it is taken.
pub struct Inheritance {
    pub folder: StateFolder,
    pub tables: Vec<StoredTable>,
    /// The positions of what is taken from the folder.
    pub positions: Positions,
    /// The tables are corrected to the present instead of continued from the sink's cut.
    pub corrects: bool,
    /// Sources that are read from their beginning to their present end before anything is published.
    pub anew: BTreeSet<String>,
    pub limits: KeeperLimits,
}

impl Inheritance {
    pub fn new(folder: StateFolder, tables: Vec<StoredTable>, resume: Resume, anew: BTreeSet<String>) -> Inheritance {
        let kept = resume.from.into_iter().filter(|(place, _)| !resume.rebuilt.contains_key(place));
        Inheritance {
            folder,
            tables,
            positions: kept.collect(),
            corrects: resume.is_ahead || !anew.is_empty(),
            anew,
            limits: KeeperLimits::default(),
        }
    }
}

/// What goes on after the start.
pub(super) struct Kept {
    pub keeping: Keeping,
    /// Held as long as the folder is written.
    pub _lock: Option<File>,
}

impl Drive<'_> {
    /// Fills the collections from the state, without publishing.
    pub(super) fn restore(&mut self, inheritance: Inheritance) -> Result<(), EngineError> {
        let started = self.stage.now();
        let Inheritance { folder, tables, positions, corrects, anew, limits } = inheritance;
        self.corrects = corrects;
        self.anew = anew;
        let loaded = self.fill(positions, |resolver, appended| folder.load(&tables, resolver, appended))?;
        let keeping = Keeping::new(loaded.log, loaded.raw_bytes, limits, &self.stage);
        self.kept = Some(Kept { keeping, _lock: loaded.lock });
        self.tell_restored(started);
        Ok(())
    }

    pub(super) fn tell_restored(&mut self, started: std::time::Instant) {
        let rows = std::mem::take(&mut self.report.records);
        self.report.restored_rows = rows;
        (self.on_event)(EngineEvent::Restored { rows, took: self.stage.since(started) });
    }

    /// Fills the collections from what `load` gives, which stands at `positions`.
    pub(super) fn fill<T>(
        &mut self,
        positions: Positions,
        load: impl FnOnce(&mut Resolver, &mut dyn FnMut(TableIndex, Row)) -> Result<T, StateError>,
    ) -> Result<T, EngineError> {
        // The resolver is filled beside the drive, which closes epochs meanwhile.
        let mut resolver = std::mem::replace(&mut self.resolver, Resolver::new(&[], []));
        let mut rows = Rows::default();
        let mut outcome = Ok(());
        let loaded = load(&mut resolver, &mut |table, row| {
            if outcome.is_ok() {
                outcome = rows.push(self, table, row, 1);
            }
        })?;
        resolver.each_row(|table, row, diff| {
            if outcome.is_ok() {
                outcome = rows.push(self, table, row, diff);
            }
        });
        outcome.and_then(|()| rows.feed_all(self))?;
        self.open.faults.extend(resolver.all_faults().into_iter().map(|(fault, diff)| (decode_error(fault), diff)));
        self.resolver = resolver;
        for ((source, partition), (position, mark)) in positions {
            let place = (Arc::from(source.as_str()), Arc::from(partition.as_str()));
            let progress = ProgressRow { source, partition, position, mark };
            if !self.corrects {
                self.workers.feed_positions(vec![(position_row(&progress), 1)])?;
            }
            self.positions.insert(place, progress);
        }
        if self.open.records > 0 || !self.open.faults.is_empty() {
            self.close(Publish::Hydrate)?;
        }
        Ok(loaded)
    }

    /// Where readers wait until the sink's cut is rebuilt.
    pub(super) fn gate(&self, state: &SinkState) -> Gate {
        Gate::at(limits_of(state))
    }

    /// Feeds what the sink already has, and opens the gate. `held` gets what came beyond: at most a batch of each partition. False
    /// when it was stopped on the way: what the collections hold then is no cut, and nothing of it may be published.
    pub(super) fn hydrate(
        &mut self,
        feed: &Feed,
        state: &SinkState,
        gate: &Gate,
        held: &mut VecDeque<Batch>,
    ) -> Result<bool, EngineError> {
        let started = self.stage.now();
        self.catch_up(feed, state, held)?;
        if self.stop.is_set() {
            return Ok(false);
        }
        gate.let_all_go();
        self.hydrating = false;
        if !self.anew.is_empty() {
            for batch in std::mem::take(held) {
                self.take_in(batch)?;
            }
            self.read_anew(feed)?;
            if self.stop.is_set() {
                return Ok(false);
            }
        }
        self.settle_silently(state)?;
        self.report.hydrated_records = std::mem::take(&mut self.report.records);
        self.report.set_aside = 0;
        let took = self.stage.since(started);
        let event = EngineEvent::Hydrated { records: self.report.hydrated_records, took };
        (self.on_event)(event);
        if self.corrects {
            self.correct()?;
        }
        Ok(true)
    }

    /// Closes the epoch that the sink has already. Also without a record: constants and the clock stood in the cut.
    pub(super) fn settle_silently(&mut self, state: &SinkState) -> Result<(), EngineError> {
        if self.open.records > 0 || state.cut.is_some() && self.is_first_epoch() {
            self.close(Publish::Hydrate)?;
        }
        while self.in_flight() > 0 {
            self.await_published()?;
        }
        Ok(())
    }

    /// Takes in what is below a cut's positions; what comes beyond waits in `held`.
    pub(super) fn catch_up(
        &mut self,
        feed: &Feed,
        state: &SinkState,
        held: &mut VecDeque<Batch>,
    ) -> Result<(), EngineError> {
        let reached = |progress: &ProgressRow| {
            let place = (Arc::from(progress.source.as_str()), Arc::from(progress.partition.as_str()));
            self.positions.get(&place).is_some_and(|at| at.position >= progress.position)
        };
        let mut targets: HashMap<(String, String), &ProgressRow> = HashMap::new();
        for progress in state.progress.iter().filter(|progress| progress.position > 0 && !reached(progress)) {
            targets.insert((progress.source.clone(), progress.partition.clone()), progress);
        }
        let mut before = std::mem::take(held);
        while !targets.is_empty() && !self.stop.is_set() {
            self.turn(feed, false);
            let next = match before.pop_front() {
                Some(batch) => Some(batch),
                None => self.next_batch(feed, IDLE_WAIT)?,
            };
            let Some(mut batch) = next else {
                if let Some((name, target)) = targets.iter().next().filter(|_| self.readers == 0) {
                    return Err(EngineError::Rewritten {
                        message: format!(
                            "{} partition {} ends before record {}, up to which the sink has been published",
                            name.0, name.1, target.position
                        ),
                        hint: "the source was cut short or replaced: restore it, or publish to a new sink".to_owned(),
                    });
                }
                continue;
            };
            let name = (batch.source.to_string(), batch.partition.to_string());
            let Some(target) = targets.get(&name) else {
                held.push_back(batch);
                continue;
            };
            let beyond = batch.records.iter().position(|record| record.offset >= target.position);
            let reached = beyond.is_some() || batch.position >= target.position;
            if let Some(at) = beyond {
                let records = batch.records.split_off(at);
                held.push_back(Batch { records, ..batch.clone() });
                batch.position = target.position;
                batch.mark = target.mark.clone();
            }
            if reached {
                targets.remove(&name);
            }
            self.take_in(batch)?;
            if self.is_full() {
                self.close(Publish::Hydrate)?;
            }
        }
        held.extend(before);
        Ok(())
    }

    /// Reads on until the sources that are taken anew are at their present end.
    fn read_anew(&mut self, feed: &Feed) -> Result<(), EngineError> {
        while self.readers > 0 && !self.stop.is_set() {
            self.turn(feed, false);
            match self.next_batch(feed, IDLE_WAIT)? {
                Some(batch) => self.take_in(batch)?,
                None => {
                    let reports = feed.reports();
                    let left = |(source, _, left): &(Arc<str>, Arc<str>, Option<u64>)| {
                        self.anew.contains(&**source) && *left != Some(0)
                    };
                    let has_told = reports.iter().all(|report| !report.remaining.is_empty());
                    if has_told
                        && self.groups.is_empty()
                        && feed.is_empty()
                        && !reports.iter().flat_map(|it| &it.remaining).any(left)
                    {
                        return Ok(());
                    }
                }
            }
            if self.is_full() {
                self.close(Publish::Hydrate)?;
            }
        }
        Ok(())
    }

    /// Publishes what the tables differ by, with all positions.
    fn correct(&mut self) -> Result<(), EngineError> {
        self.corrects = false;
        let positions = self.positions.values().map(|progress| (position_row(progress), 1)).collect();
        self.workers.feed_positions(positions)?;
        self.close(Publish::Always)
    }
}

/// How far a cut lets readers go.
pub(super) fn limits_of(state: &SinkState) -> BTreeMap<(String, String), u64> {
    let limit = |row: &ProgressRow| ((row.source.clone(), row.partition.clone()), row.position);
    state.progress.iter().map(limit).collect()
}

/// Rows on their way into the dataflow, by table.
#[derive(Default)]
struct Rows {
    by_table: BTreeMap<usize, Vec<(Row, Diff)>>,
}

impl Rows {
    fn push(&mut self, drive: &mut Drive<'_>, table: usize, row: Row, diff: Diff) -> Result<(), EngineError> {
        let rows = self.by_table.entry(table).or_default();
        rows.push((row, diff));
        if rows.len() < CHUNK_ROWS {
            return Ok(());
        }
        let rows = std::mem::take(rows);
        feed(drive, table, rows)
    }

    fn feed_all(self, drive: &mut Drive<'_>) -> Result<(), EngineError> {
        self.by_table.into_iter().try_for_each(|(table, rows)| feed(drive, table, rows))
    }
}

fn feed(drive: &mut Drive<'_>, table: usize, rows: Vec<(Row, Diff)>) -> Result<(), EngineError> {
    let count = rows.len() as u64;
    let mut versions = Updates::new();
    rows.iter().for_each(|(row, diff)| drive.versions.at_rest(table, row, *diff, &mut versions));
    drive.feed_versions(versions)?;
    drive.workers.feed(table, rows)?;
    drive.open.records += count;
    drive.open.updates += count;
    drive.report.records += count;
    if drive.is_full() {
        (drive.on_event)(EngineEvent::Turn { idle: false });
        drive.close(Publish::Hydrate)?;
    }
    Ok(())
}
