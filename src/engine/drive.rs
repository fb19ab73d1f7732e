//! Takes in batches, cuts epochs, and sees them committed.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flow::Turn;
use row::{Diff, Epoch, Row};

use super::deployment::{Deployment, event_time};
use super::hydrate::{Inheritance, Kept};
use super::memory::MemoryGuard;
use super::publish::{
    CommitReport, EpochNotes, Note, Owned, Publish, Published, Publisher, PublisherEnd, position_row,
};
use super::versions::{Updates, VersionFeed};
use super::workers::{OperatorState, Workers, WorkersGone};
use crate::sink::changelog::{Backlog, Shipping};
use crate::sink::{Deploy, ErrorRow, ProgressRow, Sink, SinkError, SinkState};
use crate::source::feed::{Event, Feed};
use crate::source::{Batch, Gate, OpenReader, Record, Resolved, Resolver, SourceError, SourceFault};
use crate::state::{KeeperStatus, StateError};
use crate::time::{Clock, Due, Moment, Stage};

/// Epochs closed but not yet committed. At this many the drive goes on reading into the open epoch and closes no further one.
const EPOCHS_IN_FLIGHT_MAX: usize = 2;
/// While readers have more than is taken in, cuts come at so many times the interval at most: a cut of more records costs less by the
/// record, and whoever is behind is not made fresher by the next cut but by the last.
const BEHIND_FACTOR: u32 = 5;
/// How long the drive waits for a batch when nothing is open; also how soon a stop is noticed.
pub(super) const IDLE_WAIT: Duration = Duration::from_millis(20);
/// Without a change of any table for so long, the positions alone are published, so that a restart need not read them again.
const POSITIONS_INTERVAL: Duration = Duration::from_secs(10);
/// When nothing has come for so long, a cut that is due to tables which were deployed, and not to an event, is made.
const QUIET: Duration = Duration::from_secs(1);
/// How long an epoch stays open for the second half of a changed key, should that never come.
const MOVE_MAX: Duration = Duration::from_secs(2);
/// How long a stop waits for the rest of a group of batches; without it nothing of the open epoch is published.
const GROUP_MAX: Duration = Duration::from_secs(5);
/// How often it is told how far the readers are behind.
const LAG_INTERVAL: Duration = Duration::from_millis(500);

/// How epochs are cut.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A cut at most this often; events arriving after a quiet interval are cut at once.
    pub commit_interval: Duration,
    /// An epoch never holds more records than this.
    pub epoch_records_max: u64,
    /// Near it nothing more is read.
    pub memory_bytes_max: Option<u64>,
}

/// Asks the drive to stop at the next moment that is whole.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What happens, for whoever shows or counts it.
#[derive(Debug)]
pub enum EngineEvent<'a> {
    /// The dataflow stands.
    Built {
        operators: usize,
    },
    /// The sink could not be reached; the same cut is tried again.
    Retrying {
        seq: u64,
        attempt: u32,
        reason: &'a str,
    },
    /// Records taken in; `set_aside` of them as errors.
    Records {
        source: &'a str,
        records: u64,
        set_aside: u64,
        /// The greatest time of an event so far, by source table (as the deployment counts them), microseconds since 1970 UTC.
        newest_of_tables: &'a [Option<i64>],
    },
    /// An epoch was closed, with so many changes of input rows.
    Closed {
        epoch: Epoch,
        updates: u64,
    },
    /// The loop went round; `idle` when nothing waits to be published.
    Turn {
        idle: bool,
    },
    /// Records of each (source, partition) that are still to be read, where the transport knows.
    Lag {
        remaining: &'a [(Arc<str>, Arc<str>, Option<u64>)],
    },
    /// Collections were filled from the state.
    Restored {
        rows: u64,
        took: Duration,
    },
    /// Reading has stopped for this reason, or goes on (None).
    HeldBack {
        reason: Option<&'a str>,
    },
    /// A reader cannot go on for this reason (None: all can): what it reads is not whole, or cannot be decoded yet.
    Obstacle {
        reason: Option<&'a str>,
    },
    /// (source table, rows, bytes of memory) of what is held to know the row before, and what state has on the disk.
    Sizes {
        tables: &'a [(&'a str, u64, u64)],
        /// What operators held when they were looked at last, those that hold most first.
        operators: &'a [OperatorState],
        state: Option<&'a KeeperStatus>,
    },
    /// What of the changelog waits to be shipped.
    Changelog {
        backlog: &'a Backlog,
    },
    /// Collections stand where the sink's cut does.
    Hydrated {
        records: u64,
        took: Duration,
    },
    /// The elder has let the sink go, at this cut.
    TookOver {
        seq: u64,
    },
    Committed(&'a CommitReport),
}

/// What a whole run came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub records: u64,
    pub set_aside: u64,
    pub cuts: u64,
    pub seq: u64,
    pub hydrated_records: u64,
    /// Who asked for the sink, and has it now.
    pub heir: Option<String>,
    /// Rows that were taken from the state.
    pub restored_rows: u64,
    /// Rows that came and went, by table, over the run.
    pub tables: BTreeMap<usize, (u64, u64)>,
    /// Failures of each maintained test; None where its `fail_calc` gave no whole number.
    pub failures: Vec<Option<i64>>,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Workers(#[from] WorkersGone),
    /// The elder's place cannot be taken warm; a start from the beginning can take it.
    #[error("{0}")]
    NotWarm(String),
    /// The source no longer has what the sink was published from.
    #[error("{message}")]
    Rewritten { message: String, hint: String },
}

/// A running instance: readers, dataflow and publisher.
pub struct Drive<'a> {
    pub(super) stage: Stage,
    limits: Limits,
    pub(super) clock: Clock,
    pub(super) stop: StopFlag,
    pub(super) on_event: &'a mut dyn FnMut(EngineEvent<'_>),
    pub(super) workers: Workers,
    pub(super) resolver: Resolver,
    pub(super) versions: VersionFeed,
    pub(super) publisher: PublisherEnd,
    /// The epoch that is open.
    epoch: Epoch,
    /// Epochs that are closed and not dealt with, in order.
    in_flight: VecDeque<(Epoch, Publish)>,
    pub(super) open: OpenEpoch,
    /// Last position of each partition.
    pub(super) positions: HashMap<(Arc<str>, Arc<str>), ProgressRow>,
    pub(super) report: Report,
    /// Readers that have not ended.
    pub(super) readers: usize,
    lag_told: Instant,
    pub(super) kept: Option<Kept>,
    /// The first commit is a correction of the tables (see `hydrate`).
    pub(super) corrects: bool,
    /// Sources that are read to their present end before anything is published.
    pub(super) anew: BTreeSet<String>,
    /// Tables were deployed, and no cut has shown them yet.
    owes_cut: bool,
    /// When a cut was committed last, and the records of closed epochs since.
    committed_at: Instant,
    uncommitted_records: u64,
    /// Why reading was stopped when it was told last.
    held_back: Option<String>,
    /// The clock that the workers have.
    told: Option<Moment>,
    /// Columns that tell events' times, by table.
    event_times: BTreeMap<usize, usize>,
    /// The greatest time of an event so far, by table.
    newest: Vec<Option<i64>>,
    /// When rows move next by time alone; not known while an epoch is on its way.
    due: Due,
    /// Collections go to the sink's cut: the clock stays where the cut has it.
    pub(super) hydrating: bool,
    pub(super) memory: MemoryGuard,
    /// When operators were looked at last, and how many records there had been.
    pub(super) measured: Option<(Instant, u64)>,
    /// Since when the epoch waits for the second half of a changed key.
    moving_since: Option<Instant>,
    /// Groups of batches that are not complete in the open epoch.
    pub(super) groups: BTreeSet<u64>,
    /// What keeps a reader from going on, as it was told last.
    obstacle: Option<String>,
    /// Ends when another process asks for the sink.
    yields: bool,
    /// What ships the sink's changelog.
    pub(super) shipping: Option<Arc<Shipping>>,
}

#[derive(Default)]
pub(super) struct OpenEpoch {
    pub records: u64,
    /// Changes of input rows.
    pub updates: u64,
    pub since: Option<Instant>,
    pub faults: Vec<(ErrorRow, i64)>,
}

impl<'a> Drive<'a> {
    /// Deploys the tables, and starts the dataflow and the publisher's thread. `state` is what the open sink said.
    pub fn start(
        deployment: &Deployment,
        state: &SinkState,
        sink: Box<dyn Sink>,
        adopt: bool,
        workers: usize,
        clock: Clock,
        limits: Limits,
        stop: StopFlag,
        readers: &[OpenReader],
        on_event: &'a mut dyn FnMut(EngineEvent<'_>),
    ) -> Result<Drive<'a>, EngineError> {
        let stage = Stage::Threads;
        let mut drive =
            Drive::without_sink(deployment, state, workers, adopt, clock, limits, stop, readers, stage, on_event);
        drive.own(deployment, state, sink, adopt)?;
        Ok(drive)
    }

    /// Starts dataflow and publisher; what `state` says was published, by whoever has the sink.
    pub fn without_sink(
        deployment: &Deployment,
        state: &SinkState,
        workers: usize,
        adopt: bool,
        clock: Clock,
        limits: Limits,
        stop: StopFlag,
        readers: &[OpenReader],
        stage: Stage,
        on_event: &'a mut dyn FnMut(EngineEvent<'_>),
    ) -> Drive<'a> {
        let workers = Workers::start_on(&stage, deployment.dataflow(), workers);
        for (number, snapshot) in deployment.stored.iter().enumerate() {
            // A worker that is gone already says so when it is asked for its first epoch.
            let _ = workers.feed(deployment.sources.len() + number, snapshot.versions.clone());
        }
        let seq = state.cut.as_ref().map_or(0, |cut| cut.seq);
        let tables = deployment.table_outputs(state, adopt);
        let evolves = tables.iter().any(|table| table.evolves);
        let tests = deployment.test_outputs();
        let publisher = Publisher::new(stage.clone(), workers.changes(), workers.count(), tables, tests, evolves)
            .failing_on(deployment.fails.clone())
            .parting_on(stop.clone());
        let publisher = PublisherEnd::start(publisher, EPOCHS_IN_FLIGHT_MAX);
        let several = readers.iter().flat_map(|reader| &reader.tables).filter(|(_, several)| *several);
        let several: Vec<usize> = several.map(|(table, _)| *table).collect();
        let versions = VersionFeed::new(deployment, state);
        let mut resolver = Resolver::new(&deployment.source_specs(), several);
        if versions.is_needed() {
            resolver.tell_times();
        }
        Drive {
            limits,
            clock,
            stop,
            on_event,
            workers,
            resolver,
            versions,
            publisher,
            epoch: 0,
            in_flight: VecDeque::new(),
            open: OpenEpoch::default(),
            positions: HashMap::new(),
            report: Report { seq, ..Report::default() },
            readers: 0,
            lag_told: stage.now(),
            kept: None,
            corrects: false,
            anew: BTreeSet::new(),
            owes_cut: evolves || seq == 0,
            committed_at: stage.now(),
            uncommitted_records: 0,
            held_back: None,
            told: None,
            event_times: deployment.event_times.clone(),
            newest: Vec::new(),
            moving_since: None,
            groups: BTreeSet::new(),
            obstacle: None,
            due: Due::default(),
            hydrating: true,
            memory: MemoryGuard::new(limits.memory_bytes_max),
            measured: None,
            yields: false,
            shipping: None,
            stage,
        }
    }

    /// Lets the sink go to who asks for it, when all that was read is published.
    pub fn yielding(mut self) -> Drive<'a> {
        self.yields = true;
        self
    }

    /// Takes a sink that is ours, and says what the first commit deploys.
    pub fn own(
        &mut self,
        deployment: &Deployment,
        state: &SinkState,
        mut sink: Box<dyn Sink>,
        adopt: bool,
    ) -> Result<(), EngineError> {
        let mut existing = BTreeMap::new();
        let deploys = deployment.deploys(state, adopt);
        for (table, (spec, deploy)) in deploys.iter().enumerate() {
            if *deploy == Deploy::Evolve {
                // What the table holds is taken away from what hydration finds: the first commit writes only the difference.
                let rows = sink.read_table(spec)?.into_iter().map(|(row, count)| (row, -count));
                existing.insert(table, rows.collect::<Vec<_>>());
            }
        }
        sink.note_hooks(deployment.run_hooks.clone());
        sink.deploy(deploys, adopt)?;
        self.shipping = sink.shipping();
        self.owes_cut |= sink.owes_cut();
        let seq = state.cut.as_ref().map_or(0, |cut| cut.seq);
        self.report.seq = seq;
        match self.publisher.send(Note::Sink(Box::new(Owned { sink, seq, existing }))) {
            true => Ok(()),
            false => Err(WorkersGone.into()),
        }
    }

    /// Rebuilds the collections to the sink's positions, then follows the readers to their end or until stopped, publishing.
    pub fn run(
        mut self,
        readers: Vec<OpenReader>,
        state: &SinkState,
        inheritance: Option<Inheritance>,
    ) -> Result<Report, EngineError> {
        (self.on_event)(EngineEvent::Built { operators: self.workers.statistics.operators });
        self.readers = readers.len();
        let restored = inheritance.map_or(Ok(()), |inheritance| self.restore(inheritance));
        let outcome = restored.and_then(|()| {
            let gate = self.gate(state);
            let feed = self.feed(readers, &gate)?;
            let mut held = VecDeque::new();
            match self.hydrate(&feed, state, &gate, &mut held)? {
                true => self.follow(&feed, held),
                false => Ok(()),
            }
        });
        self.end(outcome)
    }

    pub(super) fn feed(&self, readers: Vec<OpenReader>, gate: &Gate) -> Result<Feed, EngineError> {
        let readers = readers.into_iter().map(|open| open.reader).collect();
        Ok(Feed::start_at(readers, gate.clone(), &self.stage)?)
    }

    /// Sees what was closed committed, and lets go of everything.
    pub(super) fn end(mut self, outcome: Result<(), EngineError>) -> Result<Report, EngineError> {
        // The publisher ends when its notes are closed.
        self.publisher.close();
        let closed = self.drain();
        if let Some(kept) = self.kept.take() {
            kept.keeping.finish();
        }
        self.workers.stop();
        outcome.and(closed)?;
        Ok(self.report)
    }

    pub(super) fn follow(&mut self, feed: &Feed, held: VecDeque<Batch>) -> Result<(), EngineError> {
        let mut last_cut: Option<Instant> = None;
        let mut held = held.into_iter();
        let mut heard = self.stage.now();
        let mut stopped = None;
        loop {
            if self.stop.is_set() {
                // The rest of a group is on its way: nothing is published without it.
                let since = *stopped.get_or_insert_with(|| self.stage.now());
                if self.groups.is_empty() {
                    break;
                }
                if self.stage.since(since) > GROUP_MAX {
                    return Ok(());
                }
            }
            let batch = match held.next() {
                Some(batch) => Some(batch),
                None if self.is_held_back() => {
                    self.stage.sleep(IDLE_WAIT);
                    None
                }
                None => self.next_batch(feed, self.wait(last_cut, feed))?,
            };
            match batch {
                Some(batch) => {
                    heard = self.stage.now();
                    self.take_in(batch)?;
                }
                None if self.readers == 0 && self.held_back.is_none() && self.groups.is_empty() => break,
                None => {}
            }
            self.note_published()?;
            self.turn(feed, self.open.since.is_none() && self.in_flight.is_empty());
            // A load that is to be one cut has no other before it.
            let wants_positions = self.limits.commit_interval < Duration::MAX
                && self.stage.since(self.committed_at) >= POSITIONS_INTERVAL;
            let mode = match self.owes_cut && self.stage.since(heard) >= QUIET || wants_positions {
                true => Publish::Always,
                false => Publish::Changed,
            };
            let waits = self.open.records > 0 || self.uncommitted_records > 0 || self.owes_cut;
            let is_due = self.is_due(last_cut, feed)
                || self.is_clock_due(last_cut)
                || mode == Publish::Always && waits && self.in_flight.is_empty();
            if is_due && self.groups.is_empty() && !self.is_mid_move() {
                self.close(mode)?;
                last_cut = Some(self.stage.now());
                if mode == Publish::Always {
                    // Once is enough, whatever came of it.
                    self.owes_cut = false;
                    self.committed_at = self.stage.now();
                }
            }
        }
        self.close(Publish::Always)
    }

    /// Whether a row has left its old key and not reached its new one. Should it never come, the wait ends.
    fn is_mid_move(&mut self) -> bool {
        self.moving_since = match self.resolver.is_moving() {
            true => Some(self.moving_since.unwrap_or_else(|| self.stage.now())),
            false => None,
        };
        self.moving_since.is_some_and(|since| self.stage.since(since) < MOVE_MAX)
    }

    /// Tells when reading stops, and when it goes on.
    fn is_held_back(&mut self) -> bool {
        let reason = self.holds_back();
        if reason.is_some() != self.held_back.is_some() {
            (self.on_event)(EngineEvent::HeldBack { reason: reason.as_deref() });
        }
        self.held_back = reason;
        self.held_back.is_some()
    }

    /// The next batch; None after `wait` without one, or when a reader has ended.
    pub(super) fn next_batch(&mut self, feed: &Feed, wait: Duration) -> Result<Option<Batch>, EngineError> {
        match feed.next(wait) {
            Some(Event::Batch(_, batch)) => Ok(Some(batch)),
            Some(Event::End(_)) => {
                self.readers -= 1;
                Ok(None)
            }
            Some(Event::Failed(_, error)) => Err(error.into()),
            None => Ok(None),
        }
    }

    /// Says that the loop went round, and now and then how far the readers are behind.
    pub(super) fn turn(&mut self, feed: &Feed, idle: bool) {
        (self.on_event)(EngineEvent::Turn { idle });
        if self.stage.since(self.lag_told) >= LAG_INTERVAL {
            self.lag_told = self.stage.now();
            let mut obstacle = None;
            for report in feed.reports() {
                (self.on_event)(EngineEvent::Lag { remaining: &report.remaining });
                obstacle = obstacle.or(report.obstacle);
            }
            if obstacle != self.obstacle {
                (self.on_event)(EngineEvent::Obstacle { reason: obstacle.as_deref() });
                self.obstacle = obstacle;
            }
            self.tell_sizes();
        }
    }

    /// How long to wait for a batch: until the open epoch is due, or a while when nothing is open.
    fn wait(&self, last_cut: Option<Instant>, feed: &Feed) -> Duration {
        if self.open.since.is_none() {
            return IDLE_WAIT;
        }
        let interval = self.interval(feed);
        let since_cut = last_cut.map_or(interval, |at| self.stage.since(at));
        interval.saturating_sub(since_cut).max(Duration::from_micros(200)).min(IDLE_WAIT)
    }

    /// The time from cut to cut.
    fn interval(&self, feed: &Feed) -> Duration {
        match feed.is_empty() {
            true => self.limits.commit_interval,
            false => self.limits.commit_interval.saturating_mul(BEHIND_FACTOR),
        }
    }

    fn is_due(&self, last_cut: Option<Instant>, feed: &Feed) -> bool {
        if self.open.since.is_none() || self.in_flight.len() >= EPOCHS_IN_FLIGHT_MAX && !self.is_full() {
            return false;
        }
        // The first events are cut at once, unless all of them are to be one cut.
        let interval = self.interval(feed);
        self.is_full() || interval < Duration::MAX && last_cut.is_none_or(|at| self.stage.since(at) >= interval)
    }

    /// Whether no epoch has been closed yet.
    pub(super) fn is_first_epoch(&self) -> bool {
        self.epoch == 0
    }

    /// Whether the clock alone has moved some row, and the last cut is long enough ago.
    fn is_clock_due(&self, last_cut: Option<Instant>) -> bool {
        let interval = self.limits.commit_interval;
        self.in_flight.is_empty()
            && interval < Duration::MAX
            && last_cut.is_none_or(|at| self.stage.since(at) >= interval)
            && self.clock.is_due(self.due)
    }

    pub(super) fn is_full(&self) -> bool {
        self.open.records >= self.limits.epoch_records_max
    }

    /// Resolves a batch's records into the open epoch.
    pub(super) fn take_in(&mut self, batch: Batch) -> Result<(), EngineError> {
        match batch.group {
            Some((group, 0)) => drop(self.groups.remove(&group)),
            Some((group, _)) => drop(self.groups.insert(group)),
            None => {}
        }
        let (source, partition) = (batch.source.clone(), batch.partition.clone());
        let records = batch.records.len() as u64;
        let (untimely, newest) = self.see_times(&batch);
        let progress = ProgressRow {
            source: source.to_string(),
            partition: partition.to_string(),
            position: batch.position,
            mark: batch.mark.clone(),
        };
        let mut resolved = Resolved::default();
        self.resolver.resolve_batch(batch, &mut resolved);
        let updates = resolved.updates.len() as u64;
        let moved = !resolved.updates.is_empty() || !resolved.faults.is_empty() || !untimely.is_empty();
        if self.versions.is_needed() {
            let versions =
                if self.hydrating { self.versions.quietly(&resolved) } else { self.versions.live(&resolved) };
            self.feed_versions(versions)?;
        }
        let mut by_table: Vec<Vec<(Row, Diff)>> = Vec::new();
        for (table, row, diff) in resolved.updates {
            if by_table.len() <= table {
                by_table.resize_with(table + 1, Vec::new);
            }
            by_table[table].push((row, diff));
        }
        for (table, updates) in by_table.into_iter().enumerate().filter(|(_, updates)| !updates.is_empty()) {
            self.workers.feed(table, updates)?;
        }
        let new = position_row(&progress);
        let mut moves = vec![(new, 1)];
        if let Some(old) = self.positions.insert((source.clone(), partition), progress) {
            moves.push((position_row(&old), -1));
        }
        if !self.corrects {
            self.workers.feed_positions(moves)?;
        }
        self.stage_part();
        let set_aside = resolved.faults.iter().filter(|(_, diff)| *diff > 0).count() as u64;
        self.open.faults.extend(resolved.faults.into_iter().map(|(fault, diff)| (decode_error(fault), diff)));
        self.open.faults.extend(untimely.into_iter().map(|fault| (fault, 1)));
        self.open.records += records;
        self.open.updates += updates;
        if moved {
            // Records that change nothing open no epoch: their position rides with the next one.
            let now = self.stage.now();
            self.open.since.get_or_insert(now);
        }
        self.report.records += records;
        self.report.set_aside += set_aside;
        let newest_of_tables = if newest.is_some() { self.newest.as_slice() } else { &[] };
        (self.on_event)(EngineEvent::Records { source: &source, records, set_aside, newest_of_tables });
        Ok(())
    }

    pub(super) fn feed_versions(&self, updates: Updates) -> Result<(), WorkersGone> {
        updates.into_iter().try_for_each(|(input, updates)| self.workers.feed(input, updates))
    }

    /// Takes note of the events' times. Gives back errors for those that cannot be (their rows count, their times do not), and the
    /// greatest time where all can be.
    fn see_times(&mut self, batch: &Batch) -> (Vec<ErrorRow>, Option<i64>) {
        let mut untimely = Vec::new();
        let (mut greatest, mut latest) = (Vec::new(), None);
        for record in &batch.records {
            let time = event_time(&self.event_times, record);
            note_newest(&mut greatest, record, time);
            latest = latest.max(time);
        }
        let Some(latest) = latest else { return (untimely, None) };
        if self.clock.is_plausible(latest) {
            if !self.hydrating {
                self.clock.see(latest);
            }
            self.newest.resize(self.newest.len().max(greatest.len()), None);
            self.newest.iter_mut().zip(greatest).for_each(|(newest, greatest)| *newest = (*newest).max(greatest));
            return (untimely, Some(latest));
        }
        let mut last_offset = None;
        for record in &batch.records {
            let Some(time) = event_time(&self.event_times, record) else { continue };
            if self.clock.is_plausible(time) {
                note_newest(&mut self.newest, record, Some(time));
                if !self.hydrating {
                    self.clock.see(time);
                }
            } else if last_offset.replace(record.offset) != Some(record.offset) {
                untimely.push(untimely_error(batch, record.offset, time));
            }
        }
        (untimely, None)
    }

    pub(super) fn close(&mut self, mode: Publish) -> Result<(), EngineError> {
        while self.in_flight.len() >= EPOCHS_IN_FLIGHT_MAX {
            self.await_published()?;
        }
        let open = std::mem::take(&mut self.open);
        let moment = if mode == Publish::Hydrate { self.clock.moment() } else { self.clock.advance() };
        if self.told != Some(moment) {
            self.workers.set_clock(moment)?;
            self.told = Some(moment);
        }
        self.due = Due::default();
        let note = EpochNotes {
            epoch: self.epoch,
            clock: moment.now,
            faults: open.faults,
            mode,
            since: open.since.unwrap_or_else(|| self.stage.now()),
            records: open.records,
        };
        self.stage(self.epoch, note.clock, mode);
        if mode != Publish::Hydrate {
            self.uncommitted_records += note.records;
        }
        self.workers.turn(Turn { now: moment.now, live: mode != Publish::Hydrate })?;
        self.workers.close(self.epoch)?;
        let rest = self.versions.rest();
        self.feed_versions(rest)?;
        (self.on_event)(EngineEvent::Closed { epoch: self.epoch, updates: open.updates });
        let sent = self.publisher.send(Note::Epoch(note));
        self.in_flight.push_back((self.epoch, mode));
        self.epoch += 1;
        if !sent {
            // The publisher has ended: it has said why.
            return self.await_published();
        }
        Ok(())
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    fn note_published(&mut self) -> Result<(), EngineError> {
        while let Some(published) = self.publisher.told() {
            self.settle(published)?;
        }
        let Some(shipping) = &self.shipping else { return Ok(()) };
        self.owes_cut |= shipping.owes_cut();
        shipping.end().map_or(Ok(()), |error| Err(error.into()))
    }

    pub(super) fn await_published(&mut self) -> Result<(), EngineError> {
        match self.publisher.await_told() {
            Some(published) => self.settle(published),
            None => Err(WorkersGone.into()),
        }
    }

    /// Takes what is still published after the notes were closed.
    fn drain(&mut self) -> Result<(), EngineError> {
        while let Some(published) = self.publisher.await_told() {
            self.settle(published)?;
        }
        // The publisher ends without a word when a worker is gone.
        if self.in_flight.is_empty() { Ok(()) } else { Err(WorkersGone.into()) }
    }

    fn settle(&mut self, published: Published) -> Result<(), EngineError> {
        match published {
            Published::Epoch { committed, failures, due } => {
                let dealt_with = self.in_flight.pop_front();
                if self.in_flight.is_empty() {
                    self.due = due;
                }
                self.report.failures = failures;
                // What hydration rebuilds the sink has, unless tables are corrected.
                let is_known = |mode| committed.is_some() || mode == Publish::Hydrate && !self.corrects;
                let known = dealt_with.filter(|(_, mode)| is_known(*mode)).map(|(epoch, _)| epoch);
                if let Some(report) = committed {
                    self.owes_cut = false;
                    self.committed_at = self.stage.now();
                    self.uncommitted_records = 0;
                    self.report.cuts += 1;
                    self.report.seq = report.seq;
                    for (table, came, went) in &report.tables {
                        let total = self.report.tables.entry(*table).or_default();
                        total.0 += came;
                        total.1 += went;
                    }
                    (self.on_event)(EngineEvent::Committed(&report));
                }
                if let Some(epoch) = known {
                    self.let_go(epoch);
                }
                Ok(())
            }
            Published::Retrying { seq, attempt, reason } => {
                (self.on_event)(EngineEvent::Retrying { seq, attempt, reason: &reason });
                Ok(())
            }
            Published::Heir(heir) => {
                // What was read is published, and then the sink is let go.
                if self.yields {
                    self.report.heir.get_or_insert(heir);
                    self.stop.stop();
                }
                Ok(())
            }
            Published::Failed(error) => Err(error.into()),
        }
    }
}

fn untimely_error(batch: &Batch, offset: u64, time: i64) -> ErrorRow {
    let shown = row::calendar::format_timestamptz(time, chrono_tz::Tz::UTC);
    ErrorRow {
        kind: "event_time".to_owned(),
        model: None,
        source: Some(batch.source.to_string()),
        partition: Some(batch.partition.to_string()),
        position: Some(offset),
        key: None,
        column_name: None,
        expression: None,
        reason: format!("the event's time {shown} is far in the future: the clock does not follow it"),
        record: None,
    }
}

pub(super) fn decode_error(fault: SourceFault) -> ErrorRow {
    ErrorRow {
        kind: "decode".to_owned(),
        model: None,
        source: Some(fault.table.unwrap_or_else(|| fault.source.to_string())),
        partition: Some(fault.partition.to_string()),
        position: Some(fault.position),
        key: fault.key,
        column_name: fault.column,
        expression: None,
        reason: fault.reason,
        record: Some(fault.record),
    }
}

/// Keeps the greatest time by table.
fn note_newest(newest: &mut Vec<Option<i64>>, record: &Record, time: Option<i64>) {
    let (Some(table), Some(time)) = (record.change.table(), time) else { return };
    if newest.len() <= table {
        newest.resize(table + 1, None);
    }
    newest[table] = newest[table].max(Some(time));
}
