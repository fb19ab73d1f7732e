//! Recursion: a collection defined by itself.
//!
//! ```text
//!   base ──┬────────────────────────────> all ──(distinct)──┬──> rows
//!          └──(one round later) <── step <──(rounds < max)──┘
//! ```
//!
//! 1. Inside, a time is (epoch, round): a change of an input changes only the rounds that it reaches, and a row whose last derivation
//!    goes is taken back, cycles included.
//! 2. The step reads the recursion once, so that it is linear: without `distinct`, a row is there as often as it is derived.
//! 3. Rows that are still new in the last round allowed are not derived from: each gives an error instead.
//!
//! The step is a list of operations (`LoopOp`), each naming the ones before it that it reads. They are differential dataflow's
//! operators, which know times with a round; the recursion stands between two levels of the graph.

use std::cell::RefCell;
use std::rc::Rc;

use differential_dataflow::input::InputSession;
use differential_dataflow::operators::iterate::Variable;
use differential_dataflow::{AsCollection, Data, VecCollection};
use row::{Diff, Epoch, Row, RowRef};
use timely::dataflow::operators::vec::{Filter, Map};
use timely::dataflow::{ProbeHandle, Scope};
use timely::order::Product;
use timely::worker::Worker;

use crate::collection::{Inbox, Sender, take_all};
use crate::graph::{Graph, Task};
use crate::map::{Emit, RowLogic};
use crate::{Keyed, Rows};

/// An epoch and a round of the recursion in it.
type Round = Product<Epoch, u32>;
type LoopRows<'scope> = VecCollection<'scope, Round, Row, Diff>;
type LoopKeyed<'scope> = VecCollection<'scope, Round, (Row, Row), Diff>;

/// Diffs beyond this are taken for a recursion that multiplies without end.
const COPIES_MAX: u64 = 1 << 40;

type PairLogic = Box<dyn FnMut(RowRef<'_>, RowRef<'_>, RowRef<'_>, &mut Emit<Row>)>;

/// One operation of a step; numbers are those of operations before it.
pub enum LoopOp {
    /// The rows of the recursion so far.
    Recursion,
    /// Rows that do not depend on the recursion.
    Outside(Rows),
    Map {
        input: usize,
        logic: RowLogic<Row>,
    },
    /// Rows under a key with values that do not depend on the recursion; the logic sees key, row and value.
    Join {
        input: usize,
        key: RowLogic<(Row, Row)>,
        with: Keyed,
        logic: PairLogic,
    },
    Union {
        inputs: Vec<usize>,
    },
    Negate {
        input: usize,
    },
}

/// Where a recursion begins, and where it ends at the latest.
pub struct Recursion {
    pub base: Rows,
    /// Rows that were there in an earlier round are not derived from again (UNION without ALL).
    pub distinct: bool,
    pub rounds_max: u32,
    /// The error for a row of the last round.
    pub too_deep: Box<dyn Fn(RowRef<'_>) -> Row>,
}

/// The fixed point: all rows, and the errors of all rounds. The last operation is the step's result.
pub fn iterate(graph: &Graph, recursion: Recursion, step: Vec<LoopOp>) -> (Rows, Rows) {
    let outside = step.iter().map(|op| match op {
        LoopOp::Outside(rows) => rows.level(),
        LoopOp::Join { with, .. } => with.level(),
        _ => 0,
    });
    let level = outside.max().unwrap_or(0).max(recursion.base.level());
    let (rows, given) = Sender::new(graph, level + 1);
    let (errors, failed) = Sender::new(graph, level + 1);
    let arrived = graph.reader_beside();
    let base = recursion.base.read_by(&arrived);
    let ops = step.into_iter().map(|op| match op {
        LoopOp::Recursion => Op::Recursion,
        LoopOp::Outside(rows) => Op::Outside(rows.read_by(&arrived)),
        LoopOp::Map { input, logic } => Op::Map { input, logic },
        LoopOp::Join { input, key, with, logic } => Op::Join { input, key, with: with.read_by(&arrived), logic },
        LoopOp::Union { inputs } => Op::Union { inputs },
        LoopOp::Negate { input } => Op::Negate { input },
    });
    let Recursion { distinct, rounds_max, too_deep, .. } = recursion;
    let plan = LoopPlan { base, distinct, rounds_max, too_deep, step: ops.collect() };
    graph.add_loop(Loop { level, plan: Some(plan), running: None, arrived, rows, errors });
    (given, failed)
}

/// An operation whose outside rows arrive in an inbox.
enum Op {
    Recursion,
    Outside(Inbox<Row>),
    Map { input: usize, logic: RowLogic<Row> },
    Join { input: usize, key: RowLogic<(Row, Row)>, with: Inbox<(Row, Row)>, logic: PairLogic },
    Union { inputs: Vec<usize> },
    Negate { input: usize },
}

struct LoopPlan {
    base: Inbox<Row>,
    distinct: bool,
    rounds_max: u32,
    too_deep: Box<dyn Fn(RowRef<'_>) -> Row>,
    step: Vec<Op>,
}

/// A recursion between a level and the next.
pub(crate) struct Loop {
    pub level: usize,
    plan: Option<LoopPlan>,
    running: Option<Running>,
    arrived: Task,
    rows: Sender<Row>,
    errors: Sender<Row>,
}

type Found = Rc<RefCell<Vec<(Row, Diff)>>>;

/// What of a recursion lies in timely's hands.
struct Running {
    row_inputs: Vec<(Inbox<Row>, InputSession<Epoch, Row, Diff>)>,
    keyed_inputs: Vec<(Inbox<(Row, Row)>, InputSession<Epoch, (Row, Row), Diff>)>,
    probe: ProbeHandle<Epoch>,
    rows: Found,
    errors: Found,
    /// Alone it may stand still while nothing arrives.
    is_alone: bool,
}

impl Loop {
    pub fn build(&mut self, worker: &mut Worker, workers: usize) {
        let plan = self.plan.take().expect("a recursion is built once");
        self.running = Some(worker.dataflow::<Epoch, _, _>(|scope| plan.build(scope, workers == 1)));
    }

    /// Ends an epoch: takes in what arrived and gives what follows from it.
    pub fn run(&mut self, epoch: Epoch, step: &mut dyn FnMut()) {
        let running = self.running.as_mut().expect("recursions are built before the first epoch");
        let has_come = self.arrived.take();
        if running.is_alone && !has_come {
            return;
        }
        for (inbox, session) in &mut running.row_inputs {
            session.advance_to(epoch);
            take_all(inbox).into_iter().for_each(|(row, diff)| session.update(row, diff));
            session.advance_to(epoch + 1);
            session.flush();
        }
        for (inbox, session) in &mut running.keyed_inputs {
            session.advance_to(epoch);
            take_all(inbox).into_iter().for_each(|(row, diff)| session.update(row, diff));
            session.advance_to(epoch + 1);
            session.flush();
        }
        while running.probe.less_than(&(epoch + 1)) {
            step();
        }
        self.rows.pass(&mut running.rows.borrow_mut());
        self.errors.pass(&mut running.errors.borrow_mut());
    }
}

impl LoopPlan {
    fn build(self, scope: Scope<'_, Epoch>, is_alone: bool) -> Running {
        let LoopPlan { base, distinct, rounds_max, too_deep, step } = self;
        let mut running = Running {
            row_inputs: Vec::new(),
            keyed_inputs: Vec::new(),
            probe: ProbeHandle::new(),
            rows: Found::default(),
            errors: Found::default(),
            is_alone,
        };
        let mut session = InputSession::new();
        let base_rows = session.to_collection(scope);
        running.row_inputs.push((base, session));
        let (rows, errors) = scope.iterative::<u32, _, _>(|inner| {
            let (variable, so_far) = Variable::new(inner, Product::new(Default::default(), 1));
            let mut errors: Vec<LoopRows<'_>> = Vec::new();
            let mut done: Vec<LoopRows<'_>> = Vec::new();
            for op in step {
                let rows = match op {
                    Op::Recursion => so_far.clone(),
                    Op::Outside(inbox) => {
                        let mut session = InputSession::new();
                        let rows = session.to_collection(scope);
                        running.row_inputs.push((inbox, session));
                        rows.enter(inner)
                    }
                    Op::Map { input, logic } => {
                        let (rows, failed) = map_at(done[input].clone(), logic);
                        errors.push(failed);
                        rows
                    }
                    Op::Join { input, key, with, logic } => {
                        let mut session = InputSession::new();
                        let values: VecCollection<'_, Epoch, (Row, Row), Diff> = session.to_collection(scope);
                        running.keyed_inputs.push((with, session));
                        let (keyed, failed) = map_at(done[input].clone(), key);
                        let (rows, more) = join(keyed, values.enter(inner), logic);
                        errors.extend([failed, more]);
                        rows
                    }
                    Op::Union { inputs } => {
                        let mut inputs = inputs.into_iter().map(|input| done[input].clone());
                        let first = inputs.next().expect("a union has inputs");
                        first.concatenate(inputs)
                    }
                    Op::Negate { input } => done[input].clone().negate(),
                };
                done.push(rows);
            }
            let step = done.pop().expect("a step has operations");
            let all = base_rows.enter(inner).concat(step);
            // What comes and goes in one round is not derived from.
            let all = if distinct { distinct_rows(all) } else { all.consolidate() };
            let goes_on = move |time: &Round, diff: Diff| time.inner < rounds_max && diff.unsigned_abs() <= COPIES_MAX;
            let next = all.inner.clone().filter(move |(_, time, diff)| goes_on(time, *diff)).as_collection();
            let last = all.inner.clone().filter(move |(_, time, diff)| !goes_on(time, *diff));
            let last = last.map(move |(row, time, diff)| (too_deep(row.as_ref()), time, diff.clamp(-1, 1)));
            errors.push(last.as_collection());
            variable.set(next);
            let errors = differential_dataflow::collection::concatenate(inner, errors);
            (all.leave(scope), errors.leave(scope))
        });
        for (collection, found) in [(rows, &running.rows), (errors, &running.errors)] {
            let found = found.clone();
            let seen = collection.inspect(move |(row, _, diff)| found.borrow_mut().push((row.clone(), *diff)));
            seen.probe_with(&running.probe);
        }
        running
    }
}

fn map_at<'scope, D: Data>(
    rows: LoopRows<'scope>,
    mut logic: RowLogic<D>,
) -> (VecCollection<'scope, Round, D, Diff>, LoopRows<'scope>) {
    apart(rows.flat_map(move |row| {
        let mut emit = Emit::default();
        logic(row.as_ref(), &mut emit);
        outcomes(emit)
    }))
}

fn join<'scope>(
    left: LoopKeyed<'scope>,
    right: LoopKeyed<'scope>,
    mut logic: PairLogic,
) -> (LoopRows<'scope>, LoopRows<'scope>) {
    apart(left.arrange_by_key().join_core(right.arrange_by_key(), move |key, left, right| {
        let mut emit = Emit::default();
        logic(key.as_ref(), left.as_ref(), right.as_ref(), &mut emit);
        outcomes(emit)
    }))
}

fn outcomes<D>(emit: Emit<D>) -> Vec<Result<D, Row>> {
    emit.rows.into_iter().map(Ok).chain(emit.errors.into_iter().map(Err)).collect()
}

/// Records, and errors.
fn apart<'scope, D: Data>(
    outcomes: VecCollection<'scope, Round, Result<D, Row>, Diff>,
) -> (VecCollection<'scope, Round, D, Diff>, LoopRows<'scope>) {
    (outcomes.clone().flat_map(Result::ok), outcomes.flat_map(Result::err))
}

fn distinct_rows<'scope>(rows: LoopRows<'scope>) -> LoopRows<'scope> {
    let mut builder = row::RowBuilder::default();
    let by_value = rows.map(move |row| {
        row.iter().for_each(|datum| builder.push_normalized(&datum));
        (builder.finish(), row)
    });
    let distinct = by_value.reduce(|_, input, output| {
        // Of several forms of one value the least is shown.
        if let Some((row, _)) = input.iter().find(|(_, count)| *count > 0) {
            output.push(((*row).clone(), 1));
        }
    });
    distinct.map(|(_, row)| row)
}
