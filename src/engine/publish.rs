//! From the changes of an epoch to a commit.
//!
//! ```text
//!   Changes(worker 0) ┐
//!   Changes(worker 1) ┴─ all of epoch e + EpochNotes(e) ──> Commit ──> sink ──> Published(e)
//! ```
//!
//! 1. An epoch is committed when every worker has given its part, in order, on one thread that alone owns the sink.
//! 2. An epoch that changes no table, no error and no test is not committed; its positions ride with the next one that is, or
//!    with the last when the engine stops.
//! 3. A process that takes over has no sink at first: it gets it when the elder has let it go.
//! 4. While the sink is unreachable the same commit is tried again, slower and slower; nothing is skipped, and the bounded
//!    queues hold the readers back.

mod end;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use row::{Datum, Diff, Epoch, Row};

pub use self::end::PublisherEnd;
use super::deployment::Counts;
use super::drive::StopFlag;
use super::workers::{Changes, Output, WorkersGone};
use crate::render::error_columns;
use crate::sink::{Commit, ERRORS_KEPT_MAX, ErrorRow, ProgressRow, Sink, SinkError, TestRow, net};
use crate::time::{Due, Stage};

/// What the engine knows about an epoch when it closes it.
#[derive(Clone, Debug)]
pub struct EpochNotes {
    pub epoch: Epoch,
    /// Microseconds since 1970 UTC.
    pub clock: i64,
    /// Decode errors that came (+1) and went (-1).
    pub faults: Vec<(ErrorRow, i64)>,
    pub mode: Publish,
    /// When the first event of the epoch was taken in.
    pub since: Instant,
    pub records: u64,
}

/// What the engine hands to the publisher, in order.
pub enum Note {
    Sink(Box<Owned>),
    Epoch(EpochNotes),
}

/// A sink that is ours from now on.
pub struct Owned {
    pub sink: Box<dyn Sink>,
    /// Its last cut; 0 before the first.
    pub seq: u64,
    /// Rows (negative) of tables that the first commit creates or changes.
    pub existing: BTreeMap<usize, Vec<(Row, Diff)>>,
}

/// What to do with an epoch's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// The sink has them: they are at or below its cut. Tables that are being deployed keep them for their first commit.
    Hydrate,
    /// Commit, unless nothing changed.
    Changed,
    /// Commit even if only positions moved: the engine stops after this, or tables were deployed.
    Always,
}

/// A maintained test, as its counts are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestOutput {
    /// Output whose rows are the violations.
    pub output: usize,
    pub name: String,
    pub model: String,
    pub severity: String,
    pub counts: Counts,
}

/// What the publisher tells the engine.
#[derive(Debug)]
pub enum Published {
    /// The next epoch has been dealt with; with a report when it was committed. `failures`: of each test, as of this epoch.
    /// `due`: when rows move next by time alone.
    Epoch { committed: Option<CommitReport>, failures: Vec<Option<i64>>, due: Due },
    /// The sink could not be reached; the same cut is tried again.
    Retrying { seq: u64, attempt: u32, reason: String },
    /// Another process asks for the sink.
    Heir(String),
    /// The sink refused for good; the engine stops.
    Failed(SinkError),
}

/// One committed cut, in numbers.
#[derive(Clone, Debug)]
pub struct CommitReport {
    pub seq: u64,
    pub clock: i64,
    /// (table, rows that came, rows that went).
    pub tables: Vec<(usize, u64, u64)>,
    /// (test, failures) of the tests whose count was written.
    pub tests: Vec<(usize, Option<i64>)>,
    /// How many errors of each kind are set aside now.
    pub errors: Vec<(String, u64)>,
    /// Of what more errors are set aside than are kept one by one, and how many.
    pub floods: Vec<(String, u64)>,
    pub took: Duration,
    /// From the first event taken in to the commit.
    pub latency: Duration,
    pub records: u64,
}

/// Which output feeds which table, and what hydration does with it.
#[derive(Clone, Debug)]
pub struct TableOutput {
    pub output: usize,
    /// The table is created or changed by the first commit: what hydration finds is its content.
    pub evolves: bool,
}

/// The thread that owns the sink.
pub struct Publisher {
    sink: Option<Box<dyn Sink>>,
    stage: Stage,
    changes: Receiver<Result<Changes, WorkersGone>>,
    told: Told,
    heir_looked: Instant,
    workers: usize,
    tables: Vec<TableOutput>,
    /// Of each table: no later one has the same output, so that the changes are its own.
    reads_last: Vec<bool>,
    tests: Vec<TestOutput>,
    /// Failure counts of all tests, and which of them are yet to be written.
    failures: Vec<Option<i64>>,
    /// Rows of each test: one whose plan gives a number has that row, the others an empty one with their count.
    test_rows: Vec<BTreeMap<Row, Diff>>,
    tests_unwritten: Vec<bool>,
    /// A count changed since the last commit.
    tests_moved: bool,
    /// Errors set aside now, by kind, and by (kind, model or source, expression).
    errors: BTreeMap<String, i64>,
    error_groups: BTreeMap<(String, String, Option<String>), i64>,
    /// The last committed cut; 0 before the first.
    seq: u64,
    /// The error multiset is written anew by the next commit: what the sink holds came from other models.
    resets_errors: bool,
    /// Models of which an error is no row set aside but the end.
    fails: BTreeSet<String>,
    /// Somebody wants the process to end.
    stop: StopFlag,
    /// Partly arrived epochs.
    arriving: BTreeMap<Epoch, (usize, Outputs, Due)>,
    /// What waits for a commit: table deltas of a hydration, positions, errors.
    pending: Pending,
}

type Outputs = BTreeMap<Output, Vec<(Row, Diff)>>;

#[derive(Default)]
struct Pending {
    deltas: BTreeMap<usize, Vec<(Row, Diff)>>,
    progress: BTreeMap<(String, String), ProgressRow>,
    errors: Vec<(ErrorRow, i64)>,
    records: u64,
    since: Option<Instant>,
}

/// Where the publisher tells.
enum Told {
    Queue(Sender<Published>),
    Here(VecDeque<Published>),
}

/// How often it is looked whether somebody asks for the sink.
const HEIR_INTERVAL: Duration = Duration::from_millis(250);
/// Waits between tries of a commit while the sink is unreachable.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How long a process that is to end goes on trying.
const PARTING_MAX: Duration = Duration::from_secs(8);
const PARTING_WAIT_MAX: Duration = Duration::from_millis(500);

impl Publisher {
    /// `resets_errors`: the deployed models changed, so the stored errors no longer hold.
    pub fn new(
        stage: Stage,
        changes: Receiver<Result<Changes, WorkersGone>>,
        workers: usize,
        tables: Vec<TableOutput>,
        tests: Vec<TestOutput>,
        resets_errors: bool,
    ) -> Publisher {
        let mut later = BTreeSet::new();
        let mut reads_last: Vec<bool> = tables.iter().rev().map(|table| later.insert(table.output)).collect();
        reads_last.reverse();
        Publisher {
            reads_last,
            sink: None,
            heir_looked: stage.now(),
            stage,
            changes,
            told: Told::Here(VecDeque::new()),
            workers,
            failures: tests.iter().map(|test| test.counts.failures(std::iter::empty())).collect(),
            test_rows: vec![BTreeMap::new(); tests.len()],
            tests_unwritten: vec![true; tests.len()],
            tests_moved: false,
            tables,
            tests,
            errors: BTreeMap::new(),
            error_groups: BTreeMap::new(),
            seq: 0,
            resets_errors,
            fails: BTreeSet::new(),
            stop: StopFlag::default(),
            arriving: BTreeMap::new(),
            pending: Pending::default(),
        }
    }

    /// A failing expression of one of these models ends the run, and its cut is not published.
    /// Once this is set, a sink that cannot be reached is tried for `PARTING_MAX` and no longer.
    pub fn parting_on(mut self, stop: StopFlag) -> Publisher {
        self.stop = stop;
        self
    }

    pub fn failing_on(mut self, models: BTreeSet<String>) -> Publisher {
        self.fails = models;
        self
    }

    /// Runs until the notes' queue is closed and every noted epoch is dealt with; then closes the sink.
    fn run(mut self, notes: &Receiver<Note>) {
        loop {
            match notes.recv_timeout(HEIR_INTERVAL) {
                Ok(note) => {
                    if !self.deal(note) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.look_for_heir();
        }
        self.finish();
    }

    /// False when nothing more can be dealt with.
    fn deal(&mut self, note: Note) -> bool {
        let note = match note {
            Note::Sink(owned) => {
                self.seq = owned.seq;
                for (table, rows) in owned.existing {
                    self.pending.deltas.entry(table).or_default().extend(rows);
                }
                self.sink = Some(owned.sink);
                return true;
            }
            Note::Epoch(note) => note,
        };
        let Some((outputs, due)) = self.await_epoch(note.epoch) else { return false };
        match self.take(&note, outputs) {
            Ok(committed) => {
                let failures = self.failures.clone();
                self.tell(Published::Epoch { committed, failures, due })
            }
            Err(error) => {
                self.tell(Published::Failed(error));
                false
            }
        }
    }

    fn finish(&mut self) {
        if let Some(sink) = self.sink.take()
            && let Err(error) = sink.close()
        {
            self.tell(Published::Failed(error));
        }
    }

    /// False when nobody listens any more.
    fn tell(&mut self, published: Published) -> bool {
        match &mut self.told {
            Told::Queue(queue) => queue.send(published).is_ok(),
            Told::Here(told) => {
                told.push_back(published);
                true
            }
        }
    }

    /// When the queue is full the engine waits for this very commit; it has been told before.
    fn mention(&mut self, published: Published) {
        match &mut self.told {
            Told::Queue(queue) => drop(queue.try_send(published)),
            Told::Here(told) => told.push_back(published),
        }
    }

    fn look_for_heir(&mut self) {
        if self.stage.since(self.heir_looked) < HEIR_INTERVAL {
            return;
        }
        self.heir_looked = self.stage.now();
        if let Some(heir) = self.sink.as_mut().and_then(|sink| sink.heir()) {
            self.mention(Published::Heir(heir));
        }
    }

    /// All workers' changes of an epoch; None when a worker is gone.
    fn await_epoch(&mut self, epoch: Epoch) -> Option<(Outputs, Due)> {
        loop {
            if let Some((count, ..)) = self.arriving.get(&epoch)
                && *count == self.workers
            {
                return self.arriving.remove(&epoch).map(|(_, outputs, due)| (outputs, due));
            }
            let arrived = self.changes.recv().ok()?.ok()?;
            let (count, outputs, due) = self.arriving.entry(arrived.epoch).or_default();
            *count += 1;
            *due = due.or_earlier(arrived.due);
            for (output, updates) in arrived.outputs {
                append(outputs.entry(output).or_default(), updates);
            }
        }
    }

    fn take(&mut self, note: &EpochNotes, mut outputs: Outputs) -> Result<Option<CommitReport>, SinkError> {
        let hydrating = note.mode == Publish::Hydrate;
        for (i, test) in self.tests.iter().enumerate() {
            if let Some(updates) = outputs.get(&Output::Model(test.output)) {
                let rows = &mut self.test_rows[i];
                for (row, diff) in updates {
                    let row = if test.counts == Counts::Value { row.clone() } else { Row::default() };
                    *rows.entry(row).or_default() += diff;
                }
                rows.retain(|_, count| *count != 0);
                let failures = test.counts.failures(rows.iter());
                let moved = failures != std::mem::replace(&mut self.failures[i], failures);
                self.tests_unwritten[i] |= moved;
                self.tests_moved |= moved && !hydrating;
            }
        }
        for (table, spec) in self.tables.iter().enumerate() {
            if hydrating && !spec.evolves {
                continue;
            }
            let output = Output::Model(spec.output);
            let updates = match self.reads_last[table] {
                true => outputs.remove(&output),
                false => outputs.get(&output).cloned(),
            };
            if let Some(updates) = updates {
                append(self.pending.deltas.entry(table).or_default(), updates);
            }
        }
        let mut errors = note.faults.clone();
        let updates = outputs.remove(&Output::Errors).unwrap_or_default();
        errors.extend(updates.iter().map(|(row, diff)| (expression_error(row), *diff)));
        let fatal = |(error, diff): &&(ErrorRow, i64)| {
            *diff > 0 && error.model.as_ref().is_some_and(|model| self.fails.contains(model))
        };
        if let Some((error, _)) = errors.iter().find(fatal) {
            let (model, expression) = (error.model.as_deref(), error.expression.as_deref());
            let message = format!(
                "{} in {} of {} (on_error: fail), for {}",
                error.reason,
                expression.unwrap_or("an expression"),
                model.unwrap_or_default(),
                error.record.as_deref().unwrap_or("a row")
            );
            let hint =
                "correct the row at its source, or set it aside: meta: {livemart: {on_error: quarantine}}".to_owned();
            return Err(SinkError::Refused { message, hint: Some(hint), cause: None });
        }
        for (error, diff) in &errors {
            *self.errors.entry(error.kind.clone()).or_default() += diff;
            let what = error.model.as_ref().or(error.source.as_ref()).cloned().unwrap_or_default();
            let group = (error.kind.clone(), what, error.expression.clone());
            let count = self.error_groups.entry(group.clone()).or_default();
            *count += diff;
            if *count == 0 {
                self.error_groups.remove(&group);
            }
        }
        if !hydrating || self.resets_errors {
            self.pending.errors.extend(errors);
        }
        if !hydrating {
            self.pending.note_positions(outputs.remove(&Output::Positions).unwrap_or_default());
            self.pending.records += note.records;
            self.pending.since.get_or_insert(note.since);
        }
        if hydrating || !(note.mode == Publish::Always || self.has_changes()) {
            return Ok(None);
        }
        if note.mode == Publish::Always && !self.has_changes() && self.pending.progress.is_empty() && self.seq > 0 {
            return Ok(None);
        }
        self.commit(note).map(Some)
    }

    fn has_changes(&mut self) -> bool {
        self.pending.deltas.values_mut().for_each(net::add_up);
        differential_dataflow::consolidation::consolidate(&mut self.pending.errors);
        self.resets_errors
            || self.sink.as_ref().is_some_and(|sink| sink.owes_cut())
            || !self.pending.errors.is_empty()
            || self.pending.deltas.values().any(|updates| !updates.is_empty())
            || self.tests_unwritten.contains(&true) && self.seq == 0
            || self.tests_moved
    }

    fn commit(&mut self, note: &EpochNotes) -> Result<CommitReport, SinkError> {
        let started = self.stage.now();
        let pending = std::mem::take(&mut self.pending);
        let commit = Commit {
            seq: self.seq + 1,
            clock: note.clock,
            deltas: pending.deltas.into_iter().filter(|(_, updates)| !updates.is_empty()).collect(),
            progress: pending.progress.into_values().collect(),
            errors: pending.errors,
            resets_errors: self.resets_errors,
            tests: self.changed_tests(),
        };
        let (mut wait, mut attempt) = (RETRY_FIRST, 0);
        let mut parting: Option<Instant> = None;
        loop {
            let sink = self.sink.as_mut().expect("who publishes has a sink");
            match sink.commit(&commit) {
                Ok(()) => break,
                Err(SinkError::Unreachable { message, cause }) => {
                    attempt += 1;
                    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                    let reason = format!("{message}{cause}");
                    self.mention(Published::Retrying { seq: commit.seq, attempt, reason: reason.clone() });
                    if self.stop.is_set() {
                        let since = *parting.get_or_insert_with(|| self.stage.now());
                        if self.stage.since(since) >= PARTING_MAX {
                            return Err(unpublished(&commit, pending.records, &reason));
                        }
                        wait = wait.min(PARTING_WAIT_MAX);
                    }
                    self.wait_unless_stopped(wait);
                    wait = (wait * 2).min(RETRY_MAX);
                }
                Err(error) => return Err(error),
            }
        }
        self.seq = commit.seq;
        self.resets_errors = false;
        let unwritten = self.tests_unwritten.iter().enumerate().filter(|(_, unwritten)| **unwritten);
        let tests = unwritten.map(|(test, _)| (test, self.failures[test])).collect();
        self.tests_unwritten.fill(false);
        self.tests_moved = false;
        let tables = commit.deltas.iter().map(|(table, updates)| {
            let came: i64 = updates.iter().map(|(_, diff)| (*diff).max(0)).sum();
            let went: i64 = updates.iter().map(|(_, diff)| (-*diff).max(0)).sum();
            (*table, came as u64, went as u64)
        });
        Ok(CommitReport {
            seq: commit.seq,
            clock: commit.clock,
            tables: tables.collect(),
            tests,
            errors: self
                .errors
                .iter()
                .map(|(kind, count)| (kind.clone(), u64::try_from(*count).unwrap_or(0)))
                .collect(),
            floods: self.floods(),
            took: self.stage.since(started),
            latency: pending.since.map_or(Duration::ZERO, |since| self.stage.since(since)),
            records: pending.records,
        })
    }

    /// Waits; a stop that comes meanwhile ends the long pauses.
    fn wait_unless_stopped(&self, wait: Duration) {
        let was_stopped = self.stop.is_set();
        let mut left = wait;
        while left > Duration::ZERO && (was_stopped || !self.stop.is_set()) {
            let slice = left.min(PARTING_WAIT_MAX);
            self.stage.sleep(slice);
            left -= slice;
        }
    }

    fn floods(&self) -> Vec<(String, u64)> {
        let counted = self.error_groups.iter().map(|(group, count)| (group, u64::try_from(*count).unwrap_or(0)));
        let flooded = counted.filter(|(_, count)| *count > ERRORS_KEPT_MAX);
        let named = flooded.map(|((kind, what, expression), count)| {
            let expression = expression.as_ref().map(|text| format!(", {text}")).unwrap_or_default();
            (format!("{kind} in {what}{expression}"), count)
        });
        named.collect()
    }

    fn changed_tests(&self) -> Vec<TestRow> {
        let changed =
            self.tests.iter().zip(&self.failures).zip(&self.tests_unwritten).filter(|(_, unwritten)| **unwritten);
        changed
            .map(|((test, failures), _)| TestRow {
                test: test.name.clone(),
                model: test.model.clone(),
                severity: test.severity.clone(),
                // A `fail_calc` without a number has no count; its verdict says so.
                failures: failures.unwrap_or(0),
            })
            .collect()
    }
}

impl Pending {
    /// Reads the position rows that came out of the dataflow: (source, partition, position, mark).
    fn note_positions(&mut self, updates: Vec<(Row, Diff)>) {
        for (row, diff) in updates {
            if diff <= 0 {
                continue;
            }
            let columns: Vec<Datum<'_>> = row.iter().collect();
            if let [Datum::Text(source), Datum::Text(partition), Datum::Int(position), Datum::Text(mark)] = columns[..]
            {
                self.progress.insert(
                    (source.to_owned(), partition.to_owned()),
                    ProgressRow {
                        source: source.to_owned(),
                        partition: partition.to_owned(),
                        position: position as u64,
                        mark: mark.to_owned(),
                    },
                );
            }
        }
    }
}

/// Appends without moving what is there alone.
fn append(updates: &mut Vec<(Row, Diff)>, mut more: Vec<(Row, Diff)>) {
    match updates.is_empty() {
        true => *updates = more,
        false => updates.append(&mut more),
    }
}

/// A position as a row of the dataflow.
pub fn position_row(position: &ProgressRow) -> Row {
    Row::pack([
        Datum::Text(&position.source),
        Datum::Text(&position.partition),
        Datum::Int(position.position as i64),
        Datum::Text(&position.mark),
    ])
}

fn expression_error(row: &Row) -> ErrorRow {
    let columns = error_columns(row.as_ref());
    ErrorRow {
        kind: "expression".to_owned(),
        model: Some(columns.model.to_owned()),
        source: None,
        partition: None,
        position: None,
        key: None,
        column_name: None,
        expression: Some(columns.expression.to_owned()),
        reason: columns.reason.to_owned(),
        record: Some(columns.record.to_owned()),
    }
}

/// What a process that has to end could not publish.
fn unpublished(commit: &Commit, records: u64, reason: &str) -> SinkError {
    let rows: usize = commit.deltas.iter().map(|(_, updates)| updates.len()).sum();
    SinkError::Refused {
        message: format!(
            "stopped while the sink was away: cut {} was not published, with {rows} changed rows in {} tables from {records} records: {reason}",
            commit.seq,
            commit.deltas.len()
        ),
        hint: Some(format!(
            "nothing is lost: the sink stands at cut {}, and the next start goes on from its positions",
            commit.seq - 1
        )),
        cause: None,
    }
}
