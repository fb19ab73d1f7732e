//! Row-at-a-time operators: a fused chain of map, filter and project, with an error output.

use row::{Epoch, Row, RowRef};

use crate::collection::{Inbox, Record, Sender, give_back, take_all};
use crate::graph::Node;
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

fn map<D: Record>(rows: Rows, name: &str, mut logic: RowLogic<D>) -> (Collection<D>, Rows) {
    each(rows, name, Box::new(move |row: &Row, emit| logic(row.as_ref(), emit)))
}

fn read<D: Record>(arrangement: &Arrangement, name: &str, mut logic: PairLogic<D>) -> (Collection<D>, Rows) {
    let changes = arrangement.changes.clone();
    each(changes, name, Box::new(move |(key, value): &(Row, Row), emit| logic(key.as_ref(), value.as_ref(), emit)))
}

type Logic<I, D> = Box<dyn FnMut(&I, &mut Emit<D>)>;

struct Each<I: Record, D: Record> {
    inbox: Inbox<I>,
    logic: Logic<I, D>,
    emit: Emit<D>,
    records: Sender<D>,
    errors: Sender<Row>,
}

fn each<I, D>(input: Collection<I>, name: &str, logic: Logic<I, D>) -> (Collection<D>, Rows)
where
    I: Record<Update = (I, row::Diff)>,
    D: Record,
{
    let (graph, level) = (input.graph.clone(), input.level());
    let (records, given) = Sender::new(&graph, level);
    let (errors, failed) = Sender::new(&graph, level);
    graph.add(name, level, |task| {
        Box::new(Each { inbox: input.read_by(task), logic, emit: Emit::default(), records, errors })
    });
    (given, failed)
}

impl<I, D> Node for Each<I, D>
where
    I: Record<Update = (I, row::Diff)>,
    D: Record,
{
    fn run(&mut self, _: Option<Epoch>) -> bool {
        let mut updates = take_all(&self.inbox);
        for (record, diff) in updates.drain(..) {
            (self.logic)(&record, &mut self.emit);
            for record in self.emit.rows.drain(..) {
                self.records.give(record.times(diff));
            }
            for error in self.emit.errors.drain(..) {
                self.errors.give((error, diff));
            }
        }
        give_back(&self.inbox, updates);
        self.records.flush();
        self.errors.flush();
        false
    }
}
