//! Groups: accumulators by key, and beside them the rows of a hub.
//!
//! ```text
//!   (key, lanes) ──────┐
//!                      ├─> key, by hash: lanes, hub rows ──epoch closed──> what the changed groups were and are
//!   (key, hub row) ────┘
//! ```
//!
//! 1. A group's output is a function of its state, so what it was is computed when the epoch first touches it: no output is stored.
//! 2. A group that ends an epoch as it began it gives nothing.
//! 3. The hub's rows are held here, or in an arrangement that others read, too.

use row::{Diff, Epoch, Row, RowRef};

use crate::arrange::{Pending, Table};
use crate::bag::Bag;
use crate::collection::{Inbox, Record, Sender, give_back, take_all};
use crate::graph::{Node, StateSize};
use crate::join::JoinInput;
use crate::key_table::{At, KeyTable};
use crate::{Accum, Accums, Collection, Emit, Keyed, Rows};

/// What the logic of a group sees.
pub struct GroupView<'a> {
    pub key: RowRef<'a>,
    /// One of the hub's rows; without a hub it is empty.
    pub hub: RowRef<'a>,
    /// The first row: what concerns the group as a whole is computed then, and its errors told.
    pub is_first: bool,
    pub lanes: &'a [i64],
}

/// What a group gives. Rows and errors count as often as the hub's row is there, those of the group as a whole once.
pub struct GroupEmit<D> {
    pub emit: Emit<D>,
    pub group_errors: Vec<Row>,
}

impl<D> Default for GroupEmit<D> {
    fn default() -> GroupEmit<D> {
        GroupEmit { emit: Emit::default(), group_errors: Vec::new() }
    }
}

/// Gives the records of a group for one of its hub rows; without a hub it is called once per group.
pub type GroupLogic<D> = Box<dyn FnMut(GroupView<'_>, &mut GroupEmit<D>)>;

/// How often a group's record is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    One,
    /// As the first lane says, if that is positive.
    FirstLane,
}

/// Groups into rows.
pub fn groups_to_rows(lanes: Accums, hub: Option<JoinInput>, copies: Copies, logic: GroupLogic<Row>) -> (Rows, Rows) {
    groups(lanes, hub, copies, logic)
}

/// Groups into (key, value) rows.
pub fn groups_to_keyed(
    lanes: Accums,
    hub: Option<JoinInput>,
    copies: Copies,
    logic: GroupLogic<(Row, Row)>,
) -> (Keyed, Rows) {
    groups(lanes, hub, copies, logic)
}

/// Groups into accumulators of further groups.
pub fn groups_to_accums(
    lanes: Accums,
    hub: Option<JoinInput>,
    copies: Copies,
    logic: GroupLogic<(Row, Accum)>,
) -> (Accums, Rows) {
    groups(lanes, hub, copies, logic)
}

fn groups<D: Record + PartialEq>(
    lanes: Accums,
    hub: Option<JoinInput>,
    copies: Copies,
    logic: GroupLogic<D>,
) -> (Collection<D>, Rows) {
    let graph = lanes.graph.clone();
    let lanes = graph.exchanged(lanes);
    let (hub, place) = match hub {
        None => (None, HubPlace::Nowhere),
        Some(JoinInput::Own(keyed)) => (Some(graph.exchanged(keyed)), HubPlace::Here),
        Some(JoinInput::Shared(arrangement)) => (Some(arrangement.changes), HubPlace::There(arrangement.table)),
    };
    let level = lanes.level().max(hub.as_ref().map_or(0, Collection::level));
    let (records, given) = Sender::new(&graph, level);
    let (errors, failed) = Sender::new(&graph, level);
    graph.add("Groups", level, |task| {
        Box::new(Groups {
            lanes: lanes.read_by(task),
            hub: hub.map(|hub| hub.read_by(task)).unwrap_or_default(),
            place,
            lanes_by_key: KeyTable::new(),
            hubs: Vec::new(),
            touched: Vec::new(),
            is_touched: Vec::new(),
            before: Given::default(),
            now: Given::default(),
            view: Viewer { logic, copies, out: GroupEmit::default(), lanes: Vec::new() },
            records,
            errors,
        })
    });
    (given, failed)
}

/// Where the hub's rows are.
enum HubPlace {
    Nowhere,
    Here,
    There(Table),
}

/// The groups of one worker, those that the open epoch has touched, and what these gave before it.
struct Groups<D: Record> {
    lanes: Inbox<(Row, Accum)>,
    hub: Inbox<(Row, Row)>,
    place: HubPlace,
    lanes_by_key: KeyTable<Accum>,
    /// The rows of a hub that is held here, by the place of their key.
    hubs: Vec<Bag>,
    /// Each touched group, and how many of the records and errors `before` are its own.
    touched: Vec<(At, usize, usize)>,
    /// The touched groups, a bit each by their place.
    is_touched: Vec<u64>,
    before: Given<D>,
    now: Given<D>,
    view: Viewer<D>,
    records: Sender<D>,
    errors: Sender<Row>,
}

/// What groups give.
struct Given<D> {
    records: Vec<(D, Diff)>,
    errors: Vec<(Row, Diff)>,
}

impl<D> Default for Given<D> {
    fn default() -> Given<D> {
        Given { records: Vec::new(), errors: Vec::new() }
    }
}

/// Computes what a group gives.
struct Viewer<D> {
    logic: GroupLogic<D>,
    copies: Copies,
    out: GroupEmit<D>,
    lanes: Vec<i64>,
}

impl<D> Viewer<D> {
    /// Appends what a group gives; `hub` is None where there is no hub at all.
    fn append(&mut self, key: &Row, lanes: &Accum, hub: Option<&Bag>, given: &mut Given<D>) {
        if hub.is_none() && lanes.is_zero() {
            return;
        }
        self.lanes.clear();
        lanes.write_to(&mut self.lanes);
        let Some(hub) = hub else {
            let count = match self.copies {
                Copies::One => 1,
                Copies::FirstLane => self.lanes.first().copied().unwrap_or(0).max(0),
            };
            if count > 0 {
                self.view(key, RowRef::new(&[]), count, true, given);
            }
            return;
        };
        for (at, (row, count)) in hub.iter().enumerate() {
            self.view(key, row, count, at == 0, given);
        }
    }

    fn view(&mut self, key: &Row, hub: RowRef<'_>, count: Diff, is_first: bool, given: &mut Given<D>) {
        (self.logic)(GroupView { key: key.as_ref(), hub, is_first, lanes: &self.lanes }, &mut self.out);
        given.records.extend(self.out.emit.rows.drain(..).map(|record| (record, count)));
        given.errors.extend(self.out.emit.errors.drain(..).map(|error| (error, count)));
        given.errors.extend(self.out.group_errors.drain(..).map(|error| (error, 1)));
    }
}

impl<D: Record + PartialEq> Groups<D> {
    /// The group of a key that is about to change; `ahead` is what the hub's arrangement is ahead of the group by.
    fn touch(&mut self, key: &Row, ahead: &Pending) -> At {
        let at = self.lanes_by_key.place(key);
        let (word, bit) = (at as usize / 64, 1 << (at % 64));
        if word >= self.is_touched.len() {
            self.is_touched.resize(word + 1, 0);
        }
        if self.is_touched[word] & bit != 0 {
            return at;
        }
        self.is_touched[word] |= bit;
        if matches!(self.place, HubPlace::Here) && self.hubs.len() <= at as usize {
            self.hubs.resize(at as usize + 1, Bag::default());
        }
        let (_, lanes) = self.lanes_by_key.get_mut(at);
        let (records, errors) = (self.before.records.len(), self.before.errors.len());
        match &self.place {
            HubPlace::Nowhere => self.view.append(key, lanes, None, &mut self.before),
            HubPlace::Here => self.view.append(key, lanes, Some(&self.hubs[at as usize]), &mut self.before),
            HubPlace::There(table) => {
                let table = table.borrow();
                let nothing = Bag::default();
                let now = table.get(key).unwrap_or(&nothing);
                match ahead.of(key) {
                    [] => self.view.append(key, lanes, Some(now), &mut self.before),
                    ahead => {
                        let mut hub = now.clone();
                        ahead.iter().for_each(|((_, row), diff)| hub.add(row.as_ref(), -*diff));
                        self.view.append(key, lanes, Some(&hub), &mut self.before);
                    }
                }
            }
        }
        let own = (self.before.records.len() - records, self.before.errors.len() - errors);
        self.touched.push((at, own.0, own.1));
        at
    }

    fn take_in(&mut self) {
        let mut hub = take_all(&self.hub);
        let ahead = match self.place {
            HubPlace::There(_) => Pending::new(std::mem::take(&mut hub)),
            _ => Pending::new(Vec::new()),
        };
        for updates in ahead.by_key() {
            self.touch(&updates[0].0.0, &ahead);
        }
        let mut lanes = take_all(&self.lanes);
        for (key, lanes) in lanes.drain(..) {
            let at = self.touch(&key, &ahead);
            self.lanes_by_key.get_mut(at).1.add(&lanes);
        }
        give_back(&self.lanes, lanes);
        for ((key, row), diff) in hub.drain(..) {
            let at = self.touch(&key, &ahead);
            self.hubs[at as usize].add(row.as_ref(), diff);
        }
        give_back(&self.hub, hub);
    }

    /// Gives what the touched groups were and are.
    fn answer(&mut self) {
        let mut records = self.before.records.drain(..);
        let mut errors = self.before.errors.drain(..);
        for (at, own_records, own_errors) in self.touched.drain(..) {
            let (key, lanes) = self.lanes_by_key.get_mut(at);
            self.is_touched[at as usize / 64] = 0;
            match &self.place {
                HubPlace::Nowhere => self.view.append(key, lanes, None, &mut self.now),
                HubPlace::Here => self.view.append(key, lanes, Some(&self.hubs[at as usize]), &mut self.now),
                HubPlace::There(table) => {
                    let nothing = Bag::default();
                    let table = table.borrow();
                    self.view.append(key, lanes, Some(table.get(key).unwrap_or(&nothing)), &mut self.now);
                }
            }
            if lanes.is_zero() && self.hubs.get(at as usize).is_none_or(Bag::is_empty) {
                self.lanes_by_key.remove(at);
            }
            if records.as_slice()[..own_records] == self.now.records[..] {
                records.by_ref().take(own_records).for_each(drop);
                self.now.records.clear();
            } else {
                let was = records.by_ref().take(own_records);
                was.for_each(|(record, count)| self.records.give(record.times(-count)));
                self.now.records.drain(..).for_each(|(record, count)| self.records.give(record.times(count)));
            }
            let was = errors.by_ref().take(own_errors);
            was.for_each(|(error, count)| self.errors.give((error, -count)));
            self.now.errors.drain(..).for_each(|update| self.errors.give(update));
        }
        drop((records, errors));
        self.records.flush();
        self.errors.flush();
    }
}

impl<D: Record + PartialEq> Node for Groups<D> {
    fn run(&mut self, closing: Option<Epoch>) -> bool {
        self.take_in();
        if closing.is_none() {
            return true;
        }
        self.answer();
        false
    }

    fn state(&self) -> StateSize {
        let hubs = self.hubs.capacity() * size_of::<Bag>();
        let mut size = StateSize { rows: 0, bytes: self.lanes_by_key.own_bytes() + hubs };
        for (_, lanes) in self.lanes_by_key.iter().filter(|(_, lanes)| !lanes.is_empty()) {
            size += StateSize { rows: 1, bytes: lanes.heap_bytes() };
        }
        self.hubs.iter().for_each(|hub| size += hub.size());
        size
    }
}
