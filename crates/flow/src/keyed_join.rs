//! The join of two collections whose rows nobody else wants by this key: held by hash, in epoch order.
//!
//! ```text
//!   (key, left) ──┐                     ┌─ left rows ─┐
//!                 ├─> key, by hash ─────┤             ├──> matches of each update with the rows that are there,
//!   (key, right) ─┘                     └─ right rows ┘    and rows that have no match, or have one
//! ```
//!
//! 1. A join is linear in each side, so updates meet the other side as they come; only their epochs must be in order.
//! 2. Updates of one key and side that come one after the other are added up first: a row that takes another's place, as all
//!    changes from a source do, neither loses nor finds a match for the other side.

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::difference::Multiply;
use differential_dataflow::{AsCollection, Hashable};
use row::{Diff, Epoch, Row, RowRef};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::bag::Bag;
use crate::key_table::KeyTable;
use crate::waiting::Waiting;
use crate::{Accum, Accums, Keyed, Rows};

/// What a join gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Gives {
    /// Each left row with each right row of its key.
    pub pairs: bool,
    /// Rows whose key the other side lacks.
    pub left_alone: bool,
    pub right_alone: bool,
    /// Left rows whose key the right side has, each once.
    pub left_matched: bool,
}

impl Gives {
    pub const PAIRS: Gives = Gives { pairs: true, left_alone: false, right_alone: false, left_matched: false };
}

/// Gives the record of a key, a left row and a right row, one of which may be missing.
type Logic<D> = Box<dyn FnMut(RowRef<'_>, Option<RowRef<'_>>, Option<RowRef<'_>>) -> Option<D>>;

/// Joins into rows.
pub fn keyed_join_to_rows<'scope>(
    left: Keyed<'scope>,
    right: Keyed<'scope>,
    gives: Gives,
    logic: Logic<Row>,
) -> Rows<'scope> {
    keyed_join(left, right, gives, logic, |row, epoch, diff| (row, epoch, diff)).as_collection()
}

/// Joins into (key, value) rows.
pub fn keyed_join_to_keyed<'scope>(
    left: Keyed<'scope>,
    right: Keyed<'scope>,
    gives: Gives,
    logic: Logic<(Row, Row)>,
) -> Keyed<'scope> {
    keyed_join(left, right, gives, logic, |row, epoch, diff| (row, epoch, diff)).as_collection()
}

/// Joins into accumulators of a group.
pub fn keyed_join_to_accums<'scope>(
    left: Keyed<'scope>,
    right: Keyed<'scope>,
    gives: Gives,
    logic: Logic<(Row, Accum)>,
) -> Accums<'scope> {
    keyed_join(left, right, gives, logic, |(row, accum), epoch, diff| (row, epoch, accum.multiply(&diff)))
        .as_collection()
}

#[derive(Default)]
struct Sides {
    left: Bag,
    right: Bag,
}

impl Sides {
    /// Takes the net changes of one side in and gives what they change.
    fn change(
        &mut self,
        is_left: bool,
        changes: &[(Row, Diff)],
        gives: Gives,
        give: &mut dyn FnMut(Option<RowRef<'_>>, Option<RowRef<'_>>, Diff),
    ) {
        let Sides { left, right } = self;
        let (own, other) = if is_left { (left, right) } else { (right, left) };
        let (own_alone, other_alone) = match is_left {
            true => (gives.left_alone, gives.right_alone),
            false => (gives.right_alone, gives.left_alone),
        };
        // The first row is the changed side's own.
        let mut give = |own: Option<RowRef<'_>>, other: Option<RowRef<'_>>, diff: Diff| {
            if is_left { give(own, other, diff) } else { give(other, own, diff) }
        };
        let was_there = !own.is_empty();
        for (row, diff) in changes {
            let row = row.as_ref();
            if other.is_empty() {
                if own_alone {
                    give(Some(row), None, *diff);
                }
            } else {
                if gives.pairs {
                    other.iter().for_each(|(match_, count)| give(Some(row), Some(match_), diff * count));
                }
                if is_left && gives.left_matched {
                    give(Some(row), None, *diff);
                }
            }
            own.add(row, *diff);
        }
        let is_there = !own.is_empty();
        if was_there != is_there {
            let sign = if is_there { 1 } else { -1 };
            for (row, count) in other.iter() {
                if other_alone {
                    give(None, Some(row), -sign * count);
                }
                if !is_left && gives.left_matched {
                    give(None, Some(row), sign * count);
                }
            }
        }
    }
}

fn keyed_join<'scope, D: 'static, U: Clone + 'static>(
    left: Keyed<'scope>,
    right: Keyed<'scope>,
    gives: Gives,
    mut logic: Logic<D>,
    update: impl Fn(D, Epoch, Diff) -> U + 'static,
) -> Stream<'scope, Epoch, Vec<U>> {
    let mut builder = OperatorBuilder::new("KeyedJoin".to_owned(), left.inner.scope());
    let exchange = || Exchange::new(|update: &((Row, Row), Epoch, Diff)| update.0.0.hashed());
    let mut left = builder.new_input(left.inner, exchange());
    let mut right = builder.new_input(right.inner, exchange());
    let (output, stream) = builder.new_output();
    let mut output = OutputBuilder::<Epoch, CapacityContainerBuilder<Vec<U>>>::from(output);
    builder.build(move |_| {
        let mut waiting: Waiting<(bool, (Row, Row), Diff)> = Waiting::new();
        let mut table: KeyTable<Sides> = KeyTable::new();
        let mut run: Vec<(Row, Diff)> = Vec::new();
        move |frontiers| {
            left.for_each(|capability, data| {
                waiting.hold(*capability.time(), || vec![capability.retain(0)]);
                data.drain(..).for_each(|(row, epoch, diff)| waiting.push(epoch, (true, row, diff)));
            });
            right.for_each(|capability, data| {
                waiting.hold(*capability.time(), || vec![capability.retain(0)]);
                data.drain(..).for_each(|(row, epoch, diff)| waiting.push(epoch, (false, row, diff)));
            });
            let open = frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied()).min();
            let mut ready = waiting.take_ready(open);
            let mut output = output.activate();
            let mut updates = ready.drain(..).peekable();
            while let Some((epoch, _)) = updates.peek() {
                let epoch = *epoch;
                let capability = waiting.capability(0, epoch);
                let mut session = output.session(&capability);
                while let Some((_, (is_left, (key, value), diff))) = updates.next_if(|(at, _)| *at == epoch) {
                    run.clear();
                    run.push((value, diff));
                    while let Some((_, (_, (_, value), diff))) =
                        updates.next_if(|(at, (left, (other, _), _))| *at == epoch && *left == is_left && *other == key)
                    {
                        run.push((value, diff));
                    }
                    if run.len() > 1 {
                        consolidate(&mut run);
                    }
                    if run.is_empty() {
                        continue;
                    }
                    let at = table.place(&key);
                    let (key, sides) = table.get_mut(at);
                    sides.change(is_left, &run, gives, &mut |left, right, diff| {
                        if let Some(record) = logic(key.as_ref(), left, right) {
                            session.give(update(record, epoch, diff));
                        }
                    });
                    if sides.left.is_empty() && sides.right.is_empty() {
                        table.remove(at);
                    }
                }
            }
            drop(updates);
            waiting.reuse(ready);
            waiting.release(None);
        }
    });
    stream
}
