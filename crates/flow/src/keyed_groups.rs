//! Groups that nobody reads as an arrangement: accumulators, and the rows of a hub beside them, held by hash in epoch order.
//!
//! ```text
//!   (key, lanes) ──────┐
//!                      ├─> key, by hash: lanes, hub rows ──epoch closed──> what the changed groups were and are
//!   (key, hub row) ────┘
//! ```
//!
//! 1. A group's output is a function of its state, so what it was is computed when the epoch first touches it: no output is stored.
//! 2. A group that ends an epoch as it began it gives nothing.

use differential_dataflow::difference::{IsZero, Multiply, Semigroup};
use differential_dataflow::{AsCollection, Hashable};
use row::{Diff, Epoch, Row, RowRef};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::bag::Bag;
use crate::key_table::{At, KeyTable};
use crate::waiting::Waiting;
use crate::{Accum, Accums, Emit, Keyed, Rows};

/// Gives the records of a group for one of its hub rows; without a hub it is called once per group, with an empty row.
/// The flag is true for the first hub row: what concerns the group as a whole is said then.
type Logic<D> = Box<dyn FnMut(RowRef<'_>, RowRef<'_>, bool, &[i64], &mut Emit<D>)>;

/// Groups into rows.
pub fn keyed_groups_to_rows<'scope>(
    lanes: Accums<'scope>,
    hub: Option<Keyed<'scope>>,
    logic: Logic<Row>,
) -> (Rows<'scope>, Rows<'scope>) {
    let (rows, errors) = keyed_groups(lanes, hub, logic, |row, epoch, diff| (row, epoch, diff));
    (rows.as_collection(), errors)
}

/// Groups into (key, value) rows.
pub fn keyed_groups_to_keyed<'scope>(
    lanes: Accums<'scope>,
    hub: Option<Keyed<'scope>>,
    logic: Logic<(Row, Row)>,
) -> (Keyed<'scope>, Rows<'scope>) {
    let (rows, errors) = keyed_groups(lanes, hub, logic, |row, epoch, diff| (row, epoch, diff));
    (rows.as_collection(), errors)
}

/// Groups into accumulators of further groups.
pub fn keyed_groups_to_accums<'scope>(
    lanes: Accums<'scope>,
    hub: Option<Keyed<'scope>>,
    logic: Logic<(Row, Accum)>,
) -> (Accums<'scope>, Rows<'scope>) {
    let (rows, errors) =
        keyed_groups(lanes, hub, logic, |(row, accum), epoch, diff| (row, epoch, accum.multiply(&diff)));
    (rows.as_collection(), errors)
}

#[derive(Default)]
struct State {
    lanes: Accum,
    hub: Bag,
    touched: bool,
}

enum Update {
    Lanes(Row, Accum),
    Hub(Row, Row, Diff),
}

/// The groups of one worker, those that the open epoch has touched, and what these gave before it.
struct Groups<D> {
    logic: Logic<D>,
    has_hub: bool,
    table: KeyTable<State>,
    /// Each touched group, and how many of the records and errors below are its own.
    touched: Vec<(At, usize, usize)>,
    records: Vec<(D, Diff)>,
    errors: Vec<(Row, Diff)>,
    now: Given<D>,
}

/// What one group gives.
struct Given<D> {
    records: Vec<(D, Diff)>,
    errors: Vec<(Row, Diff)>,
    /// Buffers.
    emit: Emit<D>,
    lanes: Vec<i64>,
}

impl<D: PartialEq> Groups<D> {
    fn new(logic: Logic<D>, has_hub: bool) -> Groups<D> {
        let now = Given { records: Vec::new(), errors: Vec::new(), emit: Emit::default(), lanes: Vec::new() };
        Groups {
            logic,
            has_hub,
            table: KeyTable::new(),
            touched: Vec::new(),
            records: Vec::new(),
            errors: Vec::new(),
            now,
        }
    }

    /// Takes one update of the open epoch in.
    fn update(&mut self, update: Update) {
        let at = match &update {
            Update::Lanes(key, _) | Update::Hub(key, _, _) => self.table.place(key),
        };
        let (key, state) = self.table.get_mut(at);
        if !state.touched {
            state.touched = true;
            self.now.compute(key.as_ref(), state, self.has_hub, &mut self.logic);
            self.touched.push((at, self.now.records.len(), self.now.errors.len()));
            self.records.append(&mut self.now.records);
            self.errors.append(&mut self.now.errors);
        }
        match update {
            Update::Lanes(_, lanes) => state.lanes.plus_equals(&lanes),
            Update::Hub(_, row, diff) => state.hub.add(row.as_ref(), diff),
        }
    }

    /// Ends the open epoch: gives the changes of the records, and returns those of the errors.
    fn close(&mut self, mut give: impl FnMut(D, Diff)) -> Vec<(Row, Diff)> {
        let mut failed = Vec::new();
        let mut before = std::mem::take(&mut self.records).into_iter();
        let mut errors_before = std::mem::take(&mut self.errors).into_iter();
        for (at, records, errors) in self.touched.drain(..) {
            let (key, state) = self.table.get_mut(at);
            state.touched = false;
            self.now.compute(key.as_ref(), state, self.has_hub, &mut self.logic);
            if state.lanes.is_zero() && state.hub.is_empty() {
                self.table.remove(at);
            }
            if before.as_slice()[..records] == self.now.records[..] {
                before.by_ref().take(records).for_each(drop);
            } else {
                before.by_ref().take(records).for_each(|(record, count)| give(record, -count));
                self.now.records.drain(..).for_each(|(record, count)| give(record, count));
            }
            failed.extend(errors_before.by_ref().take(errors).map(|(error, count)| (error, -count)));
            failed.append(&mut self.now.errors);
        }
        failed
    }
}

impl<D> Given<D> {
    fn compute(&mut self, key: RowRef<'_>, state: &State, has_hub: bool, logic: &mut Logic<D>) {
        self.records.clear();
        self.errors.clear();
        if (has_hub && state.hub.is_empty()) || (!has_hub && state.lanes.is_empty()) {
            return;
        }
        self.lanes.clear();
        state.lanes.write_to(&mut self.lanes);
        let mut give = |hub: RowRef<'_>, count: Diff, is_first: bool| {
            logic(key, hub, is_first, &self.lanes, &mut self.emit);
            self.records.extend(self.emit.rows.drain(..).map(|record| (record, count)));
            self.errors.extend(self.emit.errors.drain(..).map(|error| (error, count)));
        };
        if has_hub {
            let mut is_first = true;
            for (hub, count) in state.hub.iter() {
                give(hub, count, is_first);
                is_first = false;
            }
        } else {
            give(RowRef::new(&[]), 1, true);
        }
    }
}

fn keyed_groups<'scope, D: PartialEq + 'static, U: Clone + 'static>(
    lanes: Accums<'scope>,
    hub: Option<Keyed<'scope>>,
    logic: Logic<D>,
    update: impl Fn(D, Epoch, Diff) -> U + 'static,
) -> (Stream<'scope, Epoch, Vec<U>>, Rows<'scope>) {
    let has_hub = hub.is_some();
    let mut builder = OperatorBuilder::new("KeyedGroups".to_owned(), lanes.inner.scope());
    let by_key = Exchange::new(|update: &(Row, Epoch, Accum)| update.0.hashed());
    let mut lanes = builder.new_input(lanes.inner, by_key);
    let by_key = || Exchange::new(|update: &((Row, Row), Epoch, Diff)| update.0.0.hashed());
    let mut hub = hub.map(|hub| builder.new_input(hub.inner, by_key()));
    let (records, record_stream) = builder.new_output();
    let (errors, error_stream) = builder.new_output();
    let mut records = OutputBuilder::<Epoch, CapacityContainerBuilder<Vec<U>>>::from(records);
    let mut errors = OutputBuilder::<Epoch, CapacityContainerBuilder<Vec<(Row, Epoch, Diff)>>>::from(errors);
    builder.build(move |_| {
        let mut waiting: Waiting<Update> = Waiting::new();
        let mut groups = Groups::new(logic, has_hub);
        let mut current: Option<Epoch> = None;
        move |frontiers| {
            lanes.for_each(|capability, data| {
                waiting.hold(*capability.time(), || vec![capability.retain(0), capability.retain(1)]);
                data.drain(..).for_each(|(key, epoch, lanes)| waiting.push(epoch, Update::Lanes(key, lanes)));
            });
            if let Some(hub) = &mut hub {
                hub.for_each(|capability, data| {
                    waiting.hold(*capability.time(), || vec![capability.retain(0), capability.retain(1)]);
                    let updates = data.drain(..);
                    updates.for_each(|((key, row), epoch, diff)| waiting.push(epoch, Update::Hub(key, row, diff)));
                });
            }
            let open = frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied()).min();
            let mut ready = waiting.take_ready(open);
            let (mut records, mut errors) = (records.activate(), errors.activate());
            let mut close = |groups: &mut Groups<D>, epoch: Epoch, waiting: &Waiting<Update>| {
                let capability = waiting.capability(0, epoch);
                let mut session = records.session(&capability);
                let failed = groups.close(|record, diff| session.give(update(record, epoch, diff)));
                if !failed.is_empty() {
                    let capability = waiting.capability(1, epoch);
                    let mut session = errors.session(&capability);
                    failed.into_iter().for_each(|(error, diff)| session.give((error, epoch, diff)));
                }
            };
            for (epoch, update) in ready.drain(..) {
                if let Some(closed) = current.filter(|current| *current < epoch) {
                    close(&mut groups, closed, &waiting);
                }
                current = Some(epoch);
                groups.update(update);
            }
            if let Some(closed) = current.filter(|current| open.is_none_or(|open| *current < open)) {
                close(&mut groups, closed, &waiting);
                current = None;
            }
            waiting.reuse(ready);
            waiting.release(current);
        }
    });
    (record_stream, error_stream.as_collection())
}
