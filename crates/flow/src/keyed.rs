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
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

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
        // Updates whose epoch is open, and the capabilities to send at the earliest of them.
        let mut waiting: Vec<(Epoch, (Row, Row), Diff)> = Vec::new();
        let mut capabilities = None;
        let mut changes = Changes::default();
        let mut values: Vec<(Row, Diff)> = Vec::new();
        move |frontiers| {
            input.for_each(|capability, data| {
                let is_earlier = capabilities
                    .as_ref()
                    .is_none_or(|(rows, _): &(Capability<Epoch>, Capability<Epoch>)| rows.time() > capability.time());
                if is_earlier {
                    capabilities = Some((capability.retain(0), capability.retain(1)));
                }
                waiting.extend(data.drain(..).map(|(record, epoch, diff)| (epoch, record, diff)));
            });
            let open = frontiers[0].frontier().first().copied();
            let closed = |epoch: Epoch| open.is_none_or(|open| epoch < open);
            if !waiting.iter().any(|(epoch, ..)| closed(*epoch)) {
                return;
            }
            let Some((row_capability, error_capability)) = &mut capabilities else { return };
            let (mut ready, later): (Vec<_>, Vec<_>) =
                std::mem::take(&mut waiting).into_iter().partition(|(epoch, ..)| closed(*epoch));
            waiting = later;
            let mut ready: Vec<((Epoch, (Row, Row)), Diff)> =
                ready.drain(..).map(|(epoch, record, diff)| ((epoch, record), diff)).collect();
            consolidate(&mut ready);
            let mut ready = ready.into_iter().peekable();
            let (mut rows, mut errors) = (rows.activate(), errors.activate());
            while let Some(((epoch, _), _)) = ready.peek() {
                let epoch = *epoch;
                while let Some(((_, (key, value)), diff)) = ready.next_if(|((at, _), _)| *at == epoch) {
                    values.clear();
                    values.push((value, diff));
                    while let Some(((_, (_, value)), diff)) =
                        ready.next_if(|((at, (other, _)), _)| *at == epoch && *other == key)
                    {
                        values.push((value, diff));
                    }
                    state.update(key.as_ref(), &values, &mut changes);
                }
                state.close_epoch(epoch, &mut changes);
                if !changes.rows.is_empty() {
                    let capability = row_capability.delayed(&epoch);
                    let mut session = rows.session(&capability);
                    changes.rows.drain(..).for_each(|(row, diff)| session.give((row, epoch, diff)));
                }
                if !changes.errors.is_empty() {
                    let capability = error_capability.delayed(&epoch);
                    let mut session = errors.session(&capability);
                    changes.errors.drain(..).for_each(|(row, diff)| session.give((row, epoch, diff)));
                }
            }
            match waiting.iter().map(|(epoch, ..)| *epoch).min() {
                Some(earliest) => {
                    row_capability.downgrade(&earliest);
                    error_capability.downgrade(&earliest);
                }
                None => capabilities = None,
            }
        }
    });
    (row_stream.as_collection(), error_stream.as_collection())
}
