//! Row-at-a-time operators: a fused chain of map, filter and project, with an error output.

use row::{Diff, Epoch, Row, RowRef};

use crate::batch::SliceInbox;
use crate::collection::{Inbox, Record, Sender, give_back, take_all};
use crate::graph::{Graph, Node};
use crate::{Accum, Accums, Arrangement, Collection, Keyed, Rows};

/// What one input row gave: records, or errors, or nothing.
pub struct Emit<D> {
    pub rows: Vec<D>,
    pub errors: Vec<Row>,
}

impl<D> Default for Emit<D> {
    fn default() -> Emit<D> {
        Emit { rows: Vec::new(), errors: Vec::new() }
    }
}

pub type RowLogic<D> = Box<dyn FnMut(RowRef<'_>, &mut Emit<D>)>;
pub type PairLogic<D> = Box<dyn FnMut(RowRef<'_>, RowRef<'_>, &mut Emit<D>)>;

/// Maps rows to rows.
pub fn map_to_rows(rows: Rows, name: &str, logic: RowLogic<Row>) -> (Rows, Rows) {
    map(rows, name, logic)
}

/// Maps rows to (key, value) rows.
pub fn map_to_keyed(rows: Rows, name: &str, logic: RowLogic<(Row, Row)>) -> (Keyed, Rows) {
    map(rows, name, logic)
}

/// Maps rows to accumulators by group.
pub fn map_to_accums(rows: Rows, name: &str, logic: RowLogic<(Row, Accum)>) -> (Accums, Rows) {
    map(rows, name, logic)
}

/// Reads an arrangement's changes as rows; the closure sees key and value.
pub fn read_to_rows(arrangement: &Arrangement, name: &str, logic: PairLogic<Row>) -> (Rows, Rows) {
    read(arrangement, name, logic)
}

/// Reads an arrangement's changes as (key, value) rows.
pub fn read_to_keyed(arrangement: &Arrangement, name: &str, logic: PairLogic<(Row, Row)>) -> (Keyed, Rows) {
    read(arrangement, name, logic)
}

/// Reads an arrangement's changes as accumulators by group.
pub fn read_to_accums(arrangement: &Arrangement, name: &str, logic: PairLogic<(Row, Accum)>) -> (Accums, Rows) {
    read(arrangement, name, logic)
}

fn map<D: Record>(rows: Rows, name: &str, logic: RowLogic<D>) -> (Collection<D>, Rows) {
    let (graph, level) = (rows.graph.clone(), rows.level());
    let (told, given, failed) = Told::new(&graph, level);
    graph.add(name, level, |task| {
        let (inbox, slices) = rows.read_slices_by(task);
        Box::new(Map { inbox, slices, logic, told })
    });
    (given, failed)
}

fn read<D: Record>(arrangement: &Arrangement, name: &str, logic: PairLogic<D>) -> (Collection<D>, Rows) {
    let changes = &arrangement.changes;
    let (graph, level) = (changes.graph.clone(), changes.level());
    let (told, given, failed) = Told::new(&graph, level);
    graph.add(name, level, |task| Box::new(Read { inbox: changes.read_by(task), logic, told }));
    (given, failed)
}

/// What an operator says of each of its updates.
pub(crate) struct Told<D: Record> {
    pub emit: Emit<D>,
    records: Sender<D>,
    errors: Sender<Row>,
}

impl<D: Record> Told<D> {
    pub fn new(graph: &Graph, level: usize) -> (Told<D>, Collection<D>, Rows) {
        let (records, given) = Sender::new(graph, level);
        let (errors, failed) = Sender::new(graph, level);
        (Told { emit: Emit::default(), records, errors }, given, failed)
    }

    /// Sends what the logic gave for an update.
    #[inline]
    pub fn give(&mut self, diff: Diff) {
        for record in self.emit.rows.drain(..) {
            self.records.give(record.times(diff));
        }
        for error in self.emit.errors.drain(..) {
            self.errors.give((error, diff));
        }
    }

    pub fn flush(&mut self) {
        self.records.flush();
        self.errors.flush();
    }
}

struct Map<D: Record> {
    inbox: Inbox<Row>,
    slices: SliceInbox,
    logic: RowLogic<D>,
    told: Told<D>,
}

impl<D: Record> Node for Map<D> {
    fn run(&mut self, _: Option<Epoch>) -> bool {
        let mut slices = take_all(&self.slices);
        for slice in slices.drain(..) {
            for (row, diff) in slice.iter() {
                (self.logic)(row, &mut self.told.emit);
                self.told.give(diff);
            }
        }
        give_back(&self.slices, slices);
        let mut updates = take_all(&self.inbox);
        for (row, diff) in updates.drain(..) {
            (self.logic)(row.as_ref(), &mut self.told.emit);
            self.told.give(diff);
        }
        give_back(&self.inbox, updates);
        self.told.flush();
        false
    }
}

struct Read<D: Record> {
    inbox: Inbox<(Row, Row)>,
    logic: PairLogic<D>,
    told: Told<D>,
}

impl<D: Record> Node for Read<D> {
    fn run(&mut self, _: Option<Epoch>) -> bool {
        let mut updates = take_all(&self.inbox);
        for ((key, value), diff) in updates.drain(..) {
            (self.logic)(key.as_ref(), value.as_ref(), &mut self.told.emit);
            self.told.give(diff);
        }
        give_back(&self.inbox, updates);
        self.told.flush();
        false
    }
}
