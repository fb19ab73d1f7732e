//! Keyed operators: a state of their own in epoch order, instead of an arrangement of many versions.
//!
//! ```text
//!   (key, value) ──exchanged by key──> waits for its epoch to close ──net changes per key──> KeyedState ──> rows, errors
//! ```
//!
//! 1. The state sees each epoch once, in order, and of each key only the net changes: values in byte order, no zero diffs.
//! 2. One key lives on one worker.
//! 3. What the state gives out is its change, so that a reader sees a collection like any other.

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, Hashable};
use row::{Diff, Epoch, Row, RowRef};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::waiting::Waiting;
use crate::{Keyed, Rows};

/// The changes that a key's changes make.
#[derive(Default)]
pub struct Changes {
    pub rows: Vec<(Row, Diff)>,
    pub errors: Vec<(Row, Diff)>,
}

/// The state of a keyed operator: all keys of one worker.
pub trait KeyedState {
    /// Takes one epoch's net changes of one key in and appends what they change in the output.
    ///
    /// `values` are in byte order and their diffs are not zero. A diff may take a value below zero for a while only where the
    /// input does.
    fn update(&mut self, key: RowRef<'_>, values: &[(Row, Diff)], output: &mut Changes);

    /// All keys of an epoch have been given. States that do something once per epoch do it here.
    fn close_epoch(&mut self, _epoch: Epoch, _output: &mut Changes) {}
}

/// Runs a keyed state over a collection.
pub fn keyed<'scope>(input: Keyed<'scope>, name: &str, mut state: Box<dyn KeyedState>) -> (Rows<'scope>, Rows<'scope>) {
    let mut builder = OperatorBuilder::new(name.to_owned(), input.inner.scope());
    let mut input =
        builder.new_input(input.inner, Exchange::new(|update: &((Row, Row), Epoch, Diff)| update.0.0.hashed()));
    let (rows, row_stream) = builder.new_output();
    let (errors, error_stream) = builder.new_output();
    let mut rows = OutputBuilder::<Epoch, CapacityContainerBuilder<Vec<(Row, Epoch, Diff)>>>::from(rows);
    let mut errors = OutputBuilder::<Epoch, CapacityContainerBuilder<Vec<(Row, Epoch, Diff)>>>::from(errors);
    builder.build(move |_| {
        let mut waiting: Waiting<((Row, Row), Diff)> = Waiting::new();
        let mut changes = Changes::default();
        move |frontiers| {
            input.for_each(|capability, data| {
                waiting.hold(*capability.time(), || vec![capability.retain(0), capability.retain(1)]);
                data.drain(..).for_each(|(record, epoch, diff)| waiting.push(epoch, (record, diff)));
            });
            let closed = waiting.take_closed(frontiers[0].frontier().first().copied());
            if closed.is_empty() {
                return;
            }
            let mut closed: Vec<((Epoch, (Row, Row)), Diff)> =
                closed.into_iter().map(|(epoch, (record, diff))| ((epoch, record), diff)).collect();
            consolidate(&mut closed);
            let mut closed = closed.into_iter().peekable();
            let (mut rows, mut errors) = (rows.activate(), errors.activate());
            while let Some(((epoch, _), _)) = closed.peek() {
                let epoch = *epoch;
                while let Some(((_, (key, value)), diff)) = closed.next_if(|((at, _), _)| *at == epoch) {
                    let mut values = vec![(value, diff)];
                    while let Some(((_, (_, value)), diff)) =
                        closed.next_if(|((at, (other, _)), _)| *at == epoch && *other == key)
                    {
                        values.push((value, diff));
                    }
                    state.update(key.as_ref(), &values, &mut changes);
                }
                state.close_epoch(epoch, &mut changes);
                if !changes.rows.is_empty() {
                    let capability = waiting.capability(0, epoch);
                    let mut session = rows.session(&capability);
                    changes.rows.drain(..).for_each(|(row, diff)| session.give((row, epoch, diff)));
                }
                if !changes.errors.is_empty() {
                    let capability = waiting.capability(1, epoch);
                    let mut session = errors.session(&capability);
                    changes.errors.drain(..).for_each(|(row, diff)| session.give((row, epoch, diff)));
                }
            }
            waiting.release(None);
        }
    });
    (row_stream.as_collection(), error_stream.as_collection())
}
