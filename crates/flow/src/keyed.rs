//! Keyed operators that look at each epoch's net changes of a key.
//!
//! ```text
//!   (key, value) ──exchanged by key──> waits for its epoch to close ──net changes per key──> KeyedState ──> rows, errors
//! ```
//!
//! 1. The state sees each epoch once, in order, and of each key only the net changes: values in byte order, no zero diffs.
//! 2. One key lives on one worker.
//! 3. What the state gives out is its change, so that a reader sees a collection like any other.

use differential_dataflow::consolidation::consolidate;
use row::{Diff, Epoch, Row, RowRef};

use crate::collection::{Inbox, Sender, give_back, take_all};
use crate::graph::{Node, StateSize};
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

    /// What it holds.
    fn size(&self) -> StateSize;
}

struct KeyedNode {
    inbox: Inbox<(Row, Row)>,
    state: Box<dyn KeyedState>,
    changes: Changes,
    rows: Sender<Row>,
    errors: Sender<Row>,
    values: Vec<(Row, Diff)>,
}

/// Runs a keyed state over a collection.
pub fn keyed(input: Keyed, name: &str, state: Box<dyn KeyedState>) -> (Rows, Rows) {
    let graph = input.graph.clone();
    let input = graph.exchanged(input);
    let level = input.level();
    let (rows, given) = Sender::new(&graph, level);
    let (errors, failed) = Sender::new(&graph, level);
    graph.add(name, level, |task| {
        let inbox = input.read_by(task);
        Box::new(KeyedNode { inbox, state, changes: Changes::default(), rows, errors, values: Vec::new() })
    });
    (given, failed)
}

impl Node for KeyedNode {
    fn run(&mut self, closing: Option<Epoch>) -> bool {
        if closing.is_none() {
            return true;
        }
        let mut updates = take_all(&self.inbox);
        consolidate(&mut updates);
        let mut waiting = updates.drain(..).peekable();
        while let Some(((key, value), diff)) = waiting.next() {
            self.values.clear();
            self.values.push((value, diff));
            while let Some(((_, value), diff)) = waiting.next_if(|((other, _), _)| *other == key) {
                self.values.push((value, diff));
            }
            self.state.update(key.as_ref(), &self.values, &mut self.changes);
        }
        drop(waiting);
        give_back(&self.inbox, updates);
        self.rows.pass(&mut self.changes.rows);
        self.errors.pass(&mut self.changes.errors);
        false
    }

    fn state(&self) -> StateSize {
        self.state.size()
    }
}
