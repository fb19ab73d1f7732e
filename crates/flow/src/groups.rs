//! Groups: accumulators by key, and beside them the rows of a hub.
//!
//! ```text
//!   (key, lanes) ──────┐
//!                      ├─> key, by hash: lanes, hub rows ──epoch closed──> what the changed groups were and are
//!   (key, hub row) ────┘
//! ```
//!
//! 1. A group's output is a function of its state. When an epoch first touches a group its lanes are copied, and when it ends what they
//!    were and are is computed side by side: no output is stored.
//! 2. A group that ends an epoch as it began it gives nothing; one whose lanes have come back to what they were is not looked at.
//! 3. The hub's rows are held here, or in an arrangement that others read, too.

use hashbrown::HashMap;
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
    /// Of the group as it was and as it is; None where it does not have the hub's row.
    pub lanes: [Option<&'a [i64]>; 2],
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

/// Gives the records of a group for one of its hub rows, as it was and as it is; without a hub it is called once per group.
pub type GroupLogic<D> = Box<dyn FnMut(GroupView<'_>, &mut [GroupEmit<D>; 2])>;

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
            places: Vec::new(),
            hubs_before: HashMap::new(),
            given: Default::default(),
            view: Viewer { logic, copies, out: Default::default(), lanes: Default::default() },
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

/// The groups of one worker, and those that the open epoch has touched as they were before it.
struct Groups<D: Record> {
    lanes: Inbox<(Row, Accum)>,
    hub: Inbox<(Row, Row)>,
    place: HubPlace,
    lanes_by_key: KeyTable<Accum>,
    /// The rows of a hub that is held here, by the place of their key.
    hubs: Vec<Bag>,
    /// Each touched group, and its lanes as they were.
    touched: Vec<(At, Accum)>,
    /// The touched groups, a bit each by their place.
    is_touched: Vec<u64>,
    /// Buffer.
    places: Vec<At>,
    /// The hub's rows as they were, where they have changed.
    hubs_before: HashMap<At, Bag>,
    /// What a group gave and gives.
    given: [Given<D>; 2],
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

/// Computes what a group gave and gives.
struct Viewer<D> {
    logic: GroupLogic<D>,
    copies: Copies,
    out: [GroupEmit<D>; 2],
    lanes: [Vec<i64>; 2],
}

impl<D> Viewer<D> {
    /// Without a hub.
    fn append(&mut self, key: &Row, lanes: [&Accum; 2], given: &mut [Given<D>; 2]) {
        self.spread(lanes);
        let counts = [0, 1].map(|time| match self.copies {
            _ if lanes[time].is_zero() => 0,
            Copies::One => 1,
            Copies::FirstLane => self.lanes[time].first().copied().unwrap_or(0).max(0),
        });
        if counts != [0, 0] {
            self.view(key, RowRef::new(&[]), counts, true, given);
        }
    }

    /// Beside the rows of a hub, which may have been others.
    fn append_beside(&mut self, key: &Row, lanes: [&Accum; 2], hubs: [&Bag; 2], given: &mut [Given<D>; 2]) {
        self.spread(lanes);
        let [was, is] = hubs;
        if std::ptr::eq(was, is) {
            for (at, (row, count)) in is.iter().enumerate() {
                self.view(key, row, [count; 2], at == 0, given);
            }
            return;
        }
        for (at, (row, count)) in was.iter().enumerate() {
            self.view(key, row, [count, 0], at == 0, given);
        }
        for (at, (row, count)) in is.iter().enumerate() {
            self.view(key, row, [0, count], at == 0, given);
        }
    }

    fn spread(&mut self, lanes: [&Accum; 2]) {
        for (all, lanes) in self.lanes.iter_mut().zip(lanes) {
            all.clear();
            lanes.write_to(all);
        }
    }

    /// One row of the hub, which is there so often before and after.
    fn view(&mut self, key: &Row, hub: RowRef<'_>, counts: [Diff; 2], is_first: bool, given: &mut [Given<D>; 2]) {
        let [was, is] = &self.lanes;
        let lanes = [(counts[0] != 0).then_some(&was[..]), (counts[1] != 0).then_some(&is[..])];
        (self.logic)(GroupView { key: key.as_ref(), hub, is_first, lanes }, &mut self.out);
        for ((given, out), count) in given.iter_mut().zip(&mut self.out).zip(counts) {
            given.records.extend(out.emit.rows.drain(..).map(|record| (record, count)));
            given.errors.extend(out.emit.errors.drain(..).map(|error| (error, count)));
            given.errors.extend(out.group_errors.drain(..).map(|error| (error, 1)));
        }
    }
}

impl<D: Record + PartialEq> Groups<D> {
    /// The group of a key, which is about to change.
    fn touch_key(&mut self, key: &Row) -> At {
        let at = self.lanes_by_key.place(key);
        self.touch(at);
        at
    }

    /// A group is about to change.
    fn touch(&mut self, at: At) {
        let (word, bit) = (at as usize / 64, 1 << (at % 64));
        if word >= self.is_touched.len() {
            self.is_touched.resize(word + 1, 0);
        }
        if self.is_touched[word] & bit == 0 {
            self.is_touched[word] |= bit;
            if matches!(self.place, HubPlace::Here) && self.hubs.len() <= at as usize {
                self.hubs.resize(at as usize + 1, Bag::default());
            }
            self.touched.push((at, self.lanes_by_key.get_mut(at).1.clone()));
        }
    }

    fn take_in(&mut self) {
        let mut hub = take_all(&self.hub);
        if let HubPlace::There(table) = &self.place {
            // The table has these changes already; what it was before them is it without them.
            let table = table.clone();
            let changes = Pending::new(std::mem::take(&mut hub));
            for changes in changes.by_key() {
                let key = &changes[0].0.0;
                let at = self.touch_key(key);
                self.hubs_before.entry(at).or_insert_with(|| {
                    let mut bag = table.borrow().get(key).cloned().unwrap_or_default();
                    changes.iter().for_each(|((_, row), diff)| bag.add(row.as_ref(), -*diff));
                    bag
                });
            }
        }
        let mut lanes = take_all(&self.lanes);
        let mut places = std::mem::take(&mut self.places);
        self.lanes_by_key.places(lanes.iter().map(|(key, _)| key), &mut places);
        for ((_, lanes), at) in lanes.drain(..).zip(&places) {
            self.touch(*at);
            self.lanes_by_key.get_mut(*at).1.add(&lanes);
        }
        self.places = places;
        give_back(&self.lanes, lanes);
        for ((key, row), diff) in hub.drain(..) {
            let at = self.touch_key(&key);
            let bag = &mut self.hubs[at as usize];
            self.hubs_before.entry(at).or_insert_with(|| bag.clone());
            bag.add(row.as_ref(), diff);
        }
        give_back(&self.hub, hub);
    }

    /// Gives what the touched groups were and are.
    fn answer(&mut self) {
        let nothing = Bag::default();
        for (at, was) in self.touched.drain(..) {
            let (key, lanes) = self.lanes_by_key.get_mut(at);
            self.is_touched[at as usize / 64] = 0;
            let hub_before = if self.hubs_before.is_empty() { None } else { self.hubs_before.remove(&at) };
            if hub_before.is_some() || was != *lanes {
                let both = [&was, &*lanes];
                match &self.place {
                    HubPlace::Nowhere => self.view.append(key, both, &mut self.given),
                    HubPlace::Here => {
                        let hub = &self.hubs[at as usize];
                        let hubs = [hub_before.as_ref().unwrap_or(hub), hub];
                        self.view.append_beside(key, both, hubs, &mut self.given);
                    }
                    HubPlace::There(table) => {
                        let table = table.borrow();
                        let hub = table.get(key).unwrap_or(&nothing);
                        let hubs = [hub_before.as_ref().unwrap_or(hub), hub];
                        self.view.append_beside(key, both, hubs, &mut self.given);
                    }
                }
            }
            if lanes.is_zero() && self.hubs.get(at as usize).is_none_or(Bag::is_empty) {
                self.lanes_by_key.remove(at);
            }
            let [was, is] = &mut self.given;
            if was.records == is.records {
                was.records.clear();
                is.records.clear();
            } else {
                was.records.drain(..).for_each(|(record, count)| self.records.give(record.times(-count)));
                is.records.drain(..).for_each(|(record, count)| self.records.give(record.times(count)));
            }
            was.errors.drain(..).for_each(|(error, count)| self.errors.give((error, -count)));
            is.errors.drain(..).for_each(|update| self.errors.give(update));
        }
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
