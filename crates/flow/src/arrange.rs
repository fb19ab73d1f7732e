//! Arrangements: rows by key, held once for all who join with them.
//!
//! ```text
//!   (key, value) ──> table ──┬── changes ──> join with …, which also looks into the table
//!                            └── changes ──> another reader
//! ```
//!
//! The table is ahead of a reader by exactly the changes that wait in the reader's inbox: what it was before them is the table
//! without them.

use std::cell::RefCell;
use std::rc::Rc;

use differential_dataflow::consolidation::consolidate;
use row::{Diff, Epoch, Row};

use crate::bag::Bag;
use crate::collection::{Inbox, Sender, take_all};
use crate::graph::{Node, StateSize};
use crate::key_table::KeyTable;
use crate::{Keyed, collection::give_back};

pub(crate) type Table = Rc<RefCell<KeyTable<Bag>>>;

/// Value rows by key row; cloning shares it.
#[derive(Clone)]
pub struct Arrangement {
    pub(crate) table: Table,
    pub(crate) changes: Keyed,
}

struct Arrange {
    inbox: Inbox<(Row, Row)>,
    table: Table,
    changes: Sender<(Row, Row)>,
}

/// Arranges values by key; rows of one key are on one worker.
pub fn arrange(keyed: Keyed, name: &str) -> Arrangement {
    let graph = keyed.graph.clone();
    let keyed = graph.exchanged(keyed);
    let level = keyed.level();
    let (changes, collection) = Sender::new(&graph, level);
    let table = Table::new(RefCell::new(KeyTable::new()));
    let held = table.clone();
    graph.add(name, level, |task| Box::new(Arrange { inbox: keyed.read_by(task), table: held, changes }));
    Arrangement { table, changes: collection }
}

impl Node for Arrange {
    fn run(&mut self, _: Option<Epoch>) -> bool {
        let mut updates = take_all(&self.inbox);
        let mut table = self.table.borrow_mut();
        for run in updates.chunk_by(|((a, _), _), ((b, _), _)| a == b) {
            let at = table.place(&run[0].0.0);
            let (_, bag) = table.get_mut(at);
            run.iter().for_each(|((_, value), diff)| bag.add(value.as_ref(), *diff));
            if bag.is_empty() {
                table.remove(at);
            }
        }
        drop(table);
        self.changes.pass(&mut updates);
        give_back(&self.inbox, updates);
        false
    }

    fn state(&self) -> StateSize {
        let table = self.table.borrow();
        let mut size = StateSize { rows: 0, bytes: table.own_bytes() };
        table.iter().for_each(|(_, bag)| size += bag.size());
        size
    }
}

/// What waits to be taken in, in the order of keys: how the table was before it.
pub(crate) struct Pending {
    /// Sorted, without zero diffs.
    updates: Vec<((Row, Row), Diff)>,
}

impl Pending {
    pub fn new(mut updates: Vec<((Row, Row), Diff)>) -> Pending {
        consolidate(&mut updates);
        Pending { updates }
    }

    pub fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    /// The updates of each key.
    pub fn by_key(&self) -> impl Iterator<Item = &[((Row, Row), Diff)]> {
        self.updates.chunk_by(|((a, _), _), ((b, _), _)| a == b)
    }

    /// The updates of one key.
    pub fn of(&self, key: &Row) -> &[((Row, Row), Diff)] {
        let start = self.updates.partition_point(|((other, _), _)| other < key);
        let end = start + self.updates[start..].partition_point(|((other, _), _)| other == key);
        &self.updates[start..end]
    }
}
