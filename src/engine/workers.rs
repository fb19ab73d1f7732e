//! The workers: plain threads that take commands and give back what each epoch changed.
//!
//! ```text
//!   engine ──Feed, Feed, …, Close(epoch)──> every worker ──step until closed──> Changes(epoch) ──> publisher
//! ```
//!
//! 1. A worker works only between `Close` and the end of that epoch; otherwise it sleeps on its queue.
//! 2. Queues are bounded: an engine ahead of the dataflow waits.
//! 3. A worker that panics says so and ends, the others end with it, and the engine stops. Nothing is recovered in the process.
//! 4. On a stage without threads there is one worker, which obeys at once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use flow::{Address, Batch, Captured, Graph, Input, NextTurn, Post, Rows, StateSize, Turn};
use row::{Diff, Epoch, Row};
use timely::WorkerConfig;
use timely::communication::allocator::thread::Thread;
use timely::communication::{Allocator, WorkerGuards};
use timely::worker::Worker;

use crate::plan::clock::{ClockNeeds, ClockReading, ticks};
use crate::plan::{self, Plan, RelationId, snapshot};
use crate::render::{RenderModel, Statistics, render};
use crate::time::{Due, Moment, Stage};

/// Commands waiting for a worker. When full, the engine stops reading.
const COMMANDS_MAX: usize = 64;

/// What all workers build.
#[derive(Clone, Debug, Default)]
pub struct Dataflow {
    /// Source relations; an input's index is its place here.
    pub inputs: Vec<RelationId>,
    /// Models in dependency order; an output's index is its place here.
    pub models: Vec<RenderModel>,
    /// Joins hold no rows themselves: all their sides are arranged, also those that nobody shares.
    pub arranged_only: bool,
}

impl Dataflow {
    fn has_snapshots(&self) -> bool {
        let nodes = self.models.iter().flat_map(|model| plan::nodes(&model.plan));
        nodes.into_iter().any(|node| matches!(&*node, Plan::Snapshot { .. }))
    }
}

enum Command {
    /// The clock's value from the open epoch on.
    Clock {
        moment: Moment,
    },
    Feed {
        input: usize,
        batch: Batch,
    },
    Positions {
        updates: Vec<(Row, Diff)>,
    },
    /// The turn of the open epoch, for snapshots.
    Turn {
        turn: Turn,
    },
    Close {
        epoch: Epoch,
    },
    /// Say what is held.
    Measure,
}

/// What one operator holds, on all workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorState {
    pub model: String,
    pub operator: String,
    pub size: StateSize,
}

/// What each worker has said last.
type Measured = Arc<Mutex<Vec<Measurement>>>;

/// What a worker held, and how long it took to see.
#[derive(Clone, Debug, Default)]
struct Measurement {
    states: Vec<OperatorState>,
    took: Duration,
}

/// What one worker's part of an epoch changed.
#[derive(Debug)]
pub struct Changes {
    pub epoch: Epoch,
    /// When this worker's rows move next if nothing but time comes.
    pub due: Due,
    /// Changes by output, then those of the error collection and of the positions; equal rows are not yet added up.
    pub outputs: BTreeMap<Output, Vec<(Row, Diff)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// By index into `Dataflow::models`.
    Model(usize),
    Errors,
    /// Reader positions, which travel through the dataflow with the rows that they explain.
    Positions,
}

/// The running workers.
pub struct Workers {
    commands: Vec<Sender<Command>>,
    changes: Receiver<Result<Changes, WorkersGone>>,
    guards: Option<WorkerGuards<()>>,
    has_snapshots: bool,
    here: Option<RefCell<Here>>,
    measured: Measured,
    pub statistics: Statistics,
}

/// The only worker, which works where it is commanded.
struct Here {
    worker: Worker,
    part: Part,
    changes: Sender<Result<Changes, WorkersGone>>,
}

/// The dataflow died: a worker's thread is gone.
#[derive(Debug, thiserror::Error)]
#[error("a dataflow worker stopped unexpectedly; see the panic above")]
pub struct WorkersGone;

impl Workers {
    /// Starts `count` workers that render `dataflow`.
    pub fn start(dataflow: Dataflow, count: usize) -> Workers {
        let (changes_in, changes) = bounded(COMMANDS_MAX);
        let has_snapshots = dataflow.has_snapshots();
        let (statistics_in, statistics) = bounded(count);
        let measured: Measured = Arc::new(Mutex::new(vec![Measurement::default(); count]));
        let measured_in = measured.clone();
        let (commands, queues): (Vec<_>, Vec<_>) = (0..count).map(|_| bounded(COMMANDS_MAX)).unzip();
        let is_gone = Arc::new(AtomicBool::new(false));
        let addresses: Vec<Option<Address>> = flow::addresses(count).into_iter().map(Some).collect();
        let addresses = Mutex::new(addresses);
        let guards = timely::execute(timely::Config::process(count), move |worker| {
            let _last_word = LastWord { is_gone: is_gone.clone(), changes: changes_in.clone() };
            let mut addresses = addresses.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let address = addresses[worker.index()].take().expect("each worker begins once");
            drop(addresses);
            let (commands, post) = (&queues[worker.index()], Post::new(address));
            work(worker, &dataflow, post, commands, &changes_in, &statistics_in, &is_gone, &measured_in);
        })
        .expect("threads of one process need nothing from outside");
        let statistics = statistics.recv().unwrap_or_default();
        Workers { commands, changes, guards: Some(guards), has_snapshots, here: None, measured, statistics }
    }

    /// One worker where the stage has no threads, else `count`.
    pub fn start_on(stage: &Stage, dataflow: Dataflow, count: usize) -> Workers {
        if !stage.is_alone() {
            return Workers::start(dataflow, count);
        }
        let (changes_in, changes) = bounded(COMMANDS_MAX);
        let has_snapshots = dataflow.has_snapshots();
        let allocator = Allocator::Thread(Thread::default());
        let mut worker = Worker::new(WorkerConfig::default(), allocator, None);
        let address = flow::addresses(1).remove(0);
        let (part, statistics) = Part::build(&mut worker, &dataflow, Post::new(address));
        let here = Some(RefCell::new(Here { worker, part, changes: changes_in }));
        let measured: Measured = Arc::new(Mutex::new(vec![Measurement::default()]));
        Workers { commands: Vec::new(), changes, guards: None, has_snapshots, here, measured, statistics }
    }

    pub fn count(&self) -> usize {
        self.commands.len().max(1)
    }

    /// Adds changes of one input to the open epoch.
    pub fn feed(&self, input: usize, updates: Vec<(Row, Diff)>) -> Result<(), WorkersGone> {
        if self.count() == 1 {
            return self.send(0, Command::Feed { input, batch: Batch::pack(&updates) });
        }
        // Rows find their worker by key later; here they are only spread.
        let mut shares = vec![Batch::default(); self.commands.len()];
        for (i, (row, diff)) in updates.iter().enumerate() {
            shares[i % self.commands.len()].push(row.as_ref(), *diff);
        }
        for (worker, batch) in shares.into_iter().enumerate() {
            self.send(worker, Command::Feed { input, batch })?;
        }
        Ok(())
    }

    /// Adds changes of reader positions to the open epoch.
    pub fn feed_positions(&self, updates: Vec<(Row, Diff)>) -> Result<(), WorkersGone> {
        self.send(0, Command::Positions { updates })
    }

    /// Sets the clock: readings that moved change in the open epoch. It never goes back.
    pub fn set_clock(&self, moment: Moment) -> Result<(), WorkersGone> {
        (0..self.count()).try_for_each(|worker| self.send(worker, Command::Clock { moment }))
    }

    /// Tells snapshots the clock of the open epoch, and whether it is published. Once per epoch.
    pub fn turn(&self, turn: Turn) -> Result<(), WorkersGone> {
        match self.has_snapshots {
            true => (0..self.count()).try_for_each(|worker| self.send(worker, Command::Turn { turn })),
            false => Ok(()),
        }
    }

    /// Closes the open epoch; the next one opens.
    pub fn close(&self, epoch: Epoch) -> Result<(), WorkersGone> {
        (0..self.count()).try_for_each(|worker| self.send(worker, Command::Close { epoch }))
    }

    /// Asks every worker what it holds; `measured` tells once they have come to it.
    pub fn measure(&self) -> Result<(), WorkersGone> {
        (0..self.count()).try_for_each(|worker| self.send(worker, Command::Measure))
    }

    /// What operators held when they were asked last, those that hold most first.
    pub fn measured(&self) -> Vec<OperatorState> {
        let measured = self.measured.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut states: Vec<OperatorState> = Vec::new();
        let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for state in measured.iter().flat_map(|measurement| &measurement.states) {
            match places.entry((&state.model, &state.operator)) {
                Entry::Occupied(at) => states[*at.get()].size += state.size,
                Entry::Vacant(at) => {
                    at.insert(states.len());
                    states.push(state.clone());
                }
            }
        }
        states.sort_by_key(|state| std::cmp::Reverse(state.size.bytes));
        states
    }

    /// How long the workers were busy with being asked last.
    pub fn measuring_took(&self) -> Duration {
        let measured = self.measured.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        measured.iter().map(|measurement| measurement.took).max().unwrap_or_default()
    }

    /// Where every worker's changes of every epoch arrive, or that a worker is gone.
    pub fn changes(&self) -> Receiver<Result<Changes, WorkersGone>> {
        self.changes.clone()
    }

    fn send(&self, worker: usize, command: Command) -> Result<(), WorkersGone> {
        match &self.here {
            Some(here) => {
                let Here { worker, part, changes } = &mut *here.borrow_mut();
                match part.obey(worker, command, &AtomicBool::new(false), &self.measured) {
                    Some(done) => changes.try_send(Ok(done)).map_err(|_| WorkersGone),
                    None => Ok(()),
                }
            }
            None => self.commands[worker].send(command).map_err(|_| WorkersGone),
        }
    }

    /// Lets the workers end and waits for them.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.commands.clear();
        self.changes = crossbeam_channel::never();
        for outcome in self.guards.take().into_iter().flat_map(WorkerGuards::join) {
            // A panic has been printed by its own thread; there is nothing to add.
            let _ = outcome;
        }
    }
}

/// What one worker has of the dataflow.
struct Part {
    graph: Graph,
    captured: Captured,
    inputs: Vec<Input>,
    positions: Vec<(Row, Diff)>,
    turns: Option<Input>,
    clock: ClockInputs,
    /// How many outputs are models; the one after them is for errors.
    models: usize,
}

#[allow(clippy::too_many_arguments)] // what a worker's thread is given once
fn work(
    worker: &mut Worker,
    dataflow: &Dataflow,
    post: Post,
    commands: &Receiver<Command>,
    changes: &Sender<Result<Changes, WorkersGone>>,
    statistics: &Sender<Statistics>,
    is_gone: &AtomicBool,
    measured: &Measured,
) {
    let (mut part, rendered) = Part::build(worker, dataflow, post);
    // The engine may have stopped already; then there is nobody to tell.
    let _ = statistics.send(rendered);
    while let Ok(command) = commands.recv() {
        if let Some(done) = part.obey(worker, command, is_gone, measured)
            && changes.send(Ok(done)).is_err()
        {
            break;
        }
    }
    end_with_the_others(is_gone);
}

impl Part {
    fn build(worker: &mut Worker, dataflow: &Dataflow, post: Post) -> (Part, Statistics) {
        let graph = Graph::new(post);
        let captured = Captured::default();
        let mut clock = ClockInputs::new(ClockNeeds::of(dataflow.models.iter().map(|model| &model.plan)));
        let mut relations = BTreeMap::new();
        let mut inputs = Vec::new();
        for relation in &dataflow.inputs {
            let (input, rows) = graph.input();
            inputs.push(input);
            relations.insert(relation.clone(), rows);
        }
        clock.relations(&graph, &mut relations);
        let turns = dataflow.has_snapshots().then(|| {
            let (input, rows) = graph.input();
            relations.insert(snapshot::turns(), rows);
            input
        });
        let rendered = render(&graph, relations, &dataflow.models, dataflow.arranged_only);
        for (model, rows) in rendered.outputs.into_iter().enumerate() {
            graph.capture(rows, model, &captured);
        }
        graph.capture(rendered.errors, dataflow.models.len(), &captured);
        graph.build_loops(worker);
        clock.turns = rendered.turns;
        (
            Part { graph, captured, inputs, positions: Vec::new(), turns, clock, models: dataflow.models.len() },
            rendered.statistics,
        )
    }

    /// What an epoch changed, when it was closed.
    fn obey(
        &mut self,
        worker: &mut Worker,
        command: Command,
        is_gone: &AtomicBool,
        measured: &Measured,
    ) -> Option<Changes> {
        match command {
            Command::Measure => {
                let begun = std::time::Instant::now();
                let states = self.graph.states().into_iter();
                let states =
                    states.map(|(model, operator, size)| OperatorState { model: model.to_string(), operator, size });
                let mut measured = measured.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                measured[worker.index()] = Measurement { states: states.collect(), took: begun.elapsed() };
                None
            }
            Command::Feed { input, batch } => {
                self.inputs[input].give(batch);
                None
            }
            Command::Positions { updates } => {
                self.positions.extend(updates);
                None
            }
            Command::Turn { turn } => {
                self.turns.iter().for_each(|turns| turns.give(Batch::pack(&[(turn.row(), 1)])));
                None
            }
            Command::Clock { moment } => {
                self.clock.set(moment, worker.index() == 0);
                None
            }
            Command::Close { epoch } => {
                self.graph.close(epoch, &mut || {
                    end_with_the_others(is_gone);
                    worker.step_or_park(Some(PARK_MAX));
                });
                Some(Changes { epoch, due: self.clock.due(), outputs: self.outputs() })
            }
        }
    }

    /// What was captured since the last time.
    fn outputs(&mut self) -> BTreeMap<Output, Vec<(Row, Diff)>> {
        let errors = self.models;
        let mut outputs = BTreeMap::new();
        for (number, mut updates) in self.captured.take() {
            let output = if number == errors { Output::Errors } else { Output::Model(number) };
            let changes: &mut Vec<(Row, Diff)> = outputs.entry(output).or_default();
            if changes.is_empty() {
                *changes = updates;
            } else {
                changes.append(&mut updates);
            }
        }
        if !self.positions.is_empty() {
            outputs.insert(Output::Positions, std::mem::take(&mut self.positions));
        }
        outputs
    }
}

/// What a worker that panics leaves behind: the others must not wait for it, nor the engine.
struct LastWord {
    is_gone: Arc<AtomicBool>,
    changes: Sender<Result<Changes, WorkersGone>>,
}

impl Drop for LastWord {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.is_gone.swap(true, Ordering::SeqCst) {
            let _ = self.changes.send(Err(WorkersGone));
        }
    }
}

/// Ends this worker's thread where another has panicked: its dataflow would wait for that one's progress for ever.
fn end_with_the_others(is_gone: &AtomicBool) {
    if is_gone.load(Ordering::SeqCst) {
        std::panic::resume_unwind(Box::new(WorkersGone));
    }
}

/// How long a worker sleeps at most while another finishes the epoch.
const PARK_MAX: Duration = Duration::from_millis(1);

/// The clock's relations: each row of a reading stands on the first worker alone, the ticks on every worker.
struct ClockInputs {
    needs: ClockNeeds,
    ticks: Option<Input>,
    /// What temporal filters of this worker wait for.
    turns: Vec<(ClockReading, NextTurn)>,
    readings: Vec<(ClockReading, Input)>,
    moment: Option<Moment>,
}

impl ClockInputs {
    fn new(needs: ClockNeeds) -> ClockInputs {
        ClockInputs { needs, ticks: None, turns: Vec::new(), readings: Vec::new(), moment: None }
    }

    /// Makes the relations that some plan reads.
    fn relations(&mut self, graph: &Graph, relations: &mut BTreeMap<RelationId, Rows>) {
        if self.needs.filters {
            let (input, rows) = graph.input();
            self.ticks = Some(input);
            relations.insert(ticks(), rows);
        }
        for reading in ClockReading::ALL {
            let is_read = match reading {
                ClockReading::Now => self.needs.now,
                ClockReading::Date => self.needs.date,
            };
            if is_read {
                let (input, rows) = graph.input();
                self.readings.push((reading, input));
                relations.insert(reading.relation(), rows);
            }
        }
    }

    fn set(&mut self, moment: Moment, is_first: bool) {
        let before = self.moment.replace(moment);
        if let Some(ticks) = &self.ticks {
            ticks.give(Batch::pack(&[(moment.tick(), 1)]));
        }
        for (reading, input) in self.readings.iter().filter(|_| is_first) {
            let old = before.map(|moment| moment.row(*reading));
            let new = moment.row(*reading);
            if old.as_ref() != Some(&new) {
                let old = old.map(|old| (old, -1));
                let changes: Vec<(Row, Diff)> = old.into_iter().chain([(new, 1)]).collect();
                input.give(Batch::pack(&changes));
            }
        }
    }

    fn due(&self) -> Due {
        let mut due = Due::default();
        for (reading, turn) in self.turns.iter().filter_map(|(reading, turn)| Some((reading, turn.get()?))) {
            due = due.or_earlier(match reading {
                ClockReading::Now => Due { now: Some(turn), date: None },
                ClockReading::Date => Due { now: None, date: Some(turn) },
            });
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use eval::Expr;
    use row::{Datum, ScalarType};

    use super::*;
    use crate::plan::{Column, Plan, RelationType};

    #[test]
    fn a_worker_that_panics_takes_the_others_with_it_and_the_engine_is_told() {
        let relation = RelationId("raw.numbers".into());
        let column = Column { name: "id".into(), ty: ScalarType::Int64, nullable: true, scale_max: None };
        let typ = RelationType { columns: vec![column], keys: Vec::new() };
        let input = Arc::new(Plan::Get { relation: relation.clone(), typ });
        // No plan of ours negates a number: the evaluator panics at the first row.
        let plan = Arc::new(Plan::Filter { input, predicates: vec![Expr::Not(Box::new(Expr::Column(0)))] });
        // The others wait for the share of the one that is gone.
        let plan = Arc::new(Plan::Distinct { input: plan });
        let models = vec![RenderModel { id: "m".into(), plan }];
        let workers = Workers::start(Dataflow { inputs: vec![relation], models, arranged_only: false }, 3);
        workers.feed(0, vec![(Row::pack([Datum::Int(1)]), 1)]).expect("the workers wait for commands");
        // A worker that is gone already takes no command.
        let _ = workers.close(0);
        assert!(workers.changes().recv().is_ok_and(|changes| changes.is_err()));
        workers.stop();
    }
}
