//! The join of two collections whose rows nobody else wants by this key: held by hash, in epoch order.
//!
//! ```text
//!   (key, left) ──┐                     ┌─ left rows ─┐
//!                 ├─> key, by hash ─────┤             ├──> matches of each update with the rows that are there
//!   (key, right) ─┘                     └─ right rows ┘
//! ```
//!
//! A join is linear in each side, so updates meet the other side one by one as they come; only their epochs must be in order.

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

type Logic<D> = Box<dyn FnMut(RowRef<'_>, RowRef<'_>, RowRef<'_>) -> Option<D>>;

/// Joins into rows.
pub fn keyed_join_to_rows<'scope>(left: Keyed<'scope>, right: Keyed<'scope>, logic: Logic<Row>) -> Rows<'scope> {
    keyed_join(left, right, logic, |row, epoch, diff| (row, epoch, diff)).as_collection()
}

/// Joins into (key, value) rows.
pub fn keyed_join_to_keyed<'scope>(
    left: Keyed<'scope>,
    right: Keyed<'scope>,
    logic: Logic<(Row, Row)>,
) -> Keyed<'scope> {
    keyed_join(left, right, logic, |row, epoch, diff| (row, epoch, diff)).as_collection()
}

/// Joins into accumulators of a group.
pub fn keyed_join_to_accums<'scope>(
    left: Keyed<'scope>,
    right: Keyed<'scope>,
    logic: Logic<(Row, Accum)>,
) -> Accums<'scope> {
    keyed_join(left, right, logic, |(row, accum), epoch, diff| (row, epoch, accum.multiply(&diff))).as_collection()
}

#[derive(Default)]
struct Sides {
    left: Bag,
    right: Bag,
}

fn keyed_join<'scope, D: 'static, U: Clone + 'static>(
    left: Keyed<'scope>,
    right: Keyed<'scope>,
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
                    let at = table.place(&key);
                    let (key, sides) = table.get_mut(at);
                    let value = value.as_ref();
                    let other = if is_left { &sides.right } else { &sides.left };
                    for (match_, match_diff) in other.iter() {
                        let (left, right) = if is_left { (value, match_) } else { (match_, value) };
                        if let Some(record) = logic(key.as_ref(), left, right) {
                            session.give(update(record, epoch, diff * match_diff));
                        }
                    }
                    let own = if is_left { &mut sides.left } else { &mut sides.right };
                    own.add(value, diff);
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
