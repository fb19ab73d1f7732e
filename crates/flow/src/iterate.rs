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
//! The step is a list of operations (`LoopOp`), each naming the ones before it that it reads. Their operators are those of the
//! rest of this crate, instantiated once more for times with a round.

use std::rc::Rc;

use differential_dataflow::AsCollection;
use differential_dataflow::VecCollection;
use differential_dataflow::consolidation::ConsolidatingContainerBuilder;
use differential_dataflow::operators::arrange::arrangement::Arrange;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::operators::iterate::Variable;
use differential_dataflow::operators::join::join_traces;
use differential_dataflow::trace::implementations::BatchContainer;
use differential_dataflow::trace::implementations::ValBatcher;
use differential_dataflow::trace::implementations::ord_neu::{OrdValBatch, OrdValBuilder};
use differential_dataflow::trace::implementations::spine_fueled::Spine;
use differential_dataflow::trace::rc_blanket_impls::RcBuilder;
use row::{Diff, Epoch, Row, RowRef};
use timely::container::PushInto;
use timely::dataflow::Scope;
use timely::dataflow::operators::vec::{Filter, Map};
use timely::order::Product;

use crate::map::{Emit, RowLogic, map_at};
use crate::slab::Offsets;
use crate::{Arrangement, Rows, Slab, is_failed};

/// An epoch and a round of the recursion in it.
type Round = Product<Epoch, u32>;
type LoopRows<'scope> = VecCollection<'scope, Round, Row, Diff>;
type LoopKeyed<'scope> = VecCollection<'scope, Round, (Row, Row), Diff>;
type LoopLayout = (Slab, Slab, Vec<Round>, Vec<Diff>, Offsets);
type LoopSpine = Spine<Rc<OrdValBatch<LoopLayout>>>;
type LoopBuilder = RcBuilder<OrdValBuilder<LoopLayout, Vec<((Row, Row), Round, Diff)>>>;
type LoopArrangement<'scope> = Arranged<'scope, TraceAgent<LoopSpine>>;

/// Diffs beyond this are taken for a recursion that multiplies without end.
const COPIES_MAX: u64 = 1 << 40;

type JoinLogic = Box<dyn FnMut(RowRef<'_>, RowRef<'_>, RowRef<'_>) -> Option<Row>>;

/// One operation of a step; numbers are those of operations before it.
pub enum LoopOp<'scope> {
    /// The rows of the recursion so far.
    Recursion,
    /// Rows that do not depend on the recursion.
    Outside(Rows<'scope>),
    Map {
        input: usize,
        name: String,
        logic: RowLogic<Row>,
    },
    /// Rows under a key with an arrangement that does not depend on the recursion; the logic sees key, row and arranged value.
    Join {
        input: usize,
        name: String,
        key: RowLogic<(Row, Row)>,
        with: Arrangement<'scope>,
        logic: JoinLogic,
    },
    Union {
        inputs: Vec<usize>,
    },
    Negate {
        input: usize,
    },
}

/// Where a recursion begins, and where it ends at the latest.
pub struct Recursion<'scope> {
    pub base: Rows<'scope>,
    /// Rows that were there in an earlier round are not derived from again (UNION without ALL).
    pub distinct: bool,
    pub rounds_max: u32,
    /// The error for a row of the last round.
    pub too_deep: Box<dyn Fn(RowRef<'_>) -> Row>,
}

/// The fixed point: all rows, and the errors of all rounds. The last operation is the step's result.
pub fn iterate<'scope>(
    scope: Scope<'scope, Epoch>,
    recursion: Recursion<'scope>,
    step: Vec<LoopOp<'scope>>,
) -> (Rows<'scope>, Rows<'scope>) {
    let Recursion { base, distinct, rounds_max, too_deep } = recursion;
    scope.iterative::<u32, _, _>(|inner| {
        let (variable, so_far) = Variable::new(inner, Product::new(Default::default(), 1));
        let mut errors: Vec<LoopRows<'_>> = Vec::new();
        let mut done: Vec<LoopRows<'_>> = Vec::new();
        for op in step {
            let rows = match op {
                LoopOp::Recursion => so_far.clone(),
                LoopOp::Outside(rows) => rows.enter(inner),
                LoopOp::Map { input, name, logic } => {
                    let (rows, failed) = map_at::<Round, Row>(done[input].clone(), &name, logic);
                    errors.push(failed);
                    rows
                }
                LoopOp::Join { input, name, key, with, logic } => {
                    let (keyed, failed) = map_at::<Round, (Row, Row)>(done[input].clone(), &name, key);
                    errors.push(failed);
                    join(arrange(keyed, &name), with.enter(inner), logic)
                }
                LoopOp::Union { inputs } => {
                    let mut inputs = inputs.into_iter().map(|input| done[input].clone());
                    let first = inputs.next().expect("a union has inputs");
                    first.concatenate(inputs)
                }
                LoopOp::Negate { input } => done[input].clone().negate(),
            };
            done.push(rows);
        }
        let step = done.pop().expect("a step has operations");
        let all = base.enter(inner).concat(step);
        let all = if distinct { distinct_rows(all) } else { net_rows(all) };
        let goes_on = move |time: &Round, diff: Diff| time.inner < rounds_max && diff.unsigned_abs() <= COPIES_MAX;
        let next = all.inner.clone().filter(move |(_, time, diff)| goes_on(time, *diff)).as_collection();
        let last = all.inner.clone().filter(move |(_, time, diff)| !goes_on(time, *diff));
        errors
            .push(last.map(move |(row, time, diff)| (too_deep(row.as_ref()), time, diff.clamp(-1, 1))).as_collection());
        variable.set(next);
        let errors = differential_dataflow::collection::concatenate(inner, errors);
        (all.leave(scope), errors.leave(scope))
    })
}

fn arrange<'scope>(keyed: LoopKeyed<'scope>, name: &str) -> LoopArrangement<'scope> {
    keyed.arrange_named::<ValBatcher<Row, Row, Round, Diff>, LoopBuilder, LoopSpine>(name)
}

fn join<'scope>(
    left: LoopArrangement<'scope>,
    right: Arranged<'scope, crate::arrange::Entered<Round>>,
    mut logic: JoinLogic,
) -> LoopRows<'scope> {
    join_traces::<_, _, _, _, ConsolidatingContainerBuilder<Vec<(Row, Round, Diff)>>>(
        left,
        right,
        move |key, left, right, time, left_diff, right_diff, output| {
            if !is_failed(right)
                && let Some(row) = logic(key, left, right)
            {
                output.push_into((row, time, left_diff * right_diff));
            }
        },
    )
    .as_collection()
}

/// Rows by their value, each with itself as it is shown.
fn by_value<'scope>(rows: LoopRows<'scope>) -> LoopKeyed<'scope> {
    let mut builder = row::RowBuilder::default();
    map_at::<Round, (Row, Row)>(
        rows,
        "Key[Recursion]",
        Box::new(move |row: RowRef<'_>, emit: &mut Emit<(Row, Row)>| {
            row.iter().for_each(|datum| builder.push_normalized(&datum));
            emit.rows.push((builder.finish(), row.to_row()));
        }),
    )
    .0
}

fn distinct_rows<'scope>(rows: LoopRows<'scope>) -> LoopRows<'scope> {
    arrange(by_value(rows), "Arrange[Recursion]")
        .reduce_abelian::<_, LoopBuilder, LoopSpine, _, _>(
            "Distinct[Recursion]",
            |_, input, output| {
                // Of several forms of one value the least is shown.
                if let Some((row, _)) = input.iter().find(|(_, count)| *count > 0) {
                    output.push((row.to_row(), 1));
                }
            },
            |container, key, updates| {
                container.clear();
                let key = Slab::into_owned(key);
                container.extend(updates.drain(..).map(|(value, time, diff)| ((key.clone(), value), time, diff)));
            },
        )
        .as_collection(|_, row| row.to_row())
}

/// The net changes: what comes and goes in one round is not derived from.
fn net_rows<'scope>(rows: LoopRows<'scope>) -> LoopRows<'scope> {
    arrange(by_value(rows), "Arrange[Recursion]").as_collection(|_, row| row.to_row())
}
