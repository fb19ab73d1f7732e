//! Versions by key: what changes in a keyed collection becomes rows that are closed and opened, and stay.
//!
//! ```text
//!   (key, row) ───────────┐
//!   (key, version) stored ┼─> key, by hash: rows now, open versions ──epoch closed, live──> logic ──> versions
//!   turns (clock, live) ──┘                                                                     └──> errors
//! ```
//!
//! 1. Stored versions are given out as they come. Until the first live turn nothing else is: what happened until then is in them.
//! 2. The first live turn looks at every key, a later one at the keys whose rows changed.
//! 3. A turn comes with every epoch, to every worker; a change of the collection waits for its epoch's.

use std::collections::{BTreeSet, HashMap};

use differential_dataflow::consolidation::consolidate;
use row::{Datum, Diff, Epoch, Row, RowRef};

use crate::collection::{Inbox, Sender, take_all};
use crate::graph::{Node, StateSize};
use crate::{Keyed, Rows};

/// The clock of an epoch, and whether it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Microseconds since 1970 UTC.
    pub now: i64,
    pub live: bool,
}

impl Turn {
    pub fn row(self) -> Row {
        Row::pack([Datum::Int(self.now), Datum::Bool(self.live)])
    }

    fn of(row: &Row) -> Turn {
        let columns: Vec<Datum<'_>> = row.iter().collect();
        match columns[..] {
            [Datum::Int(now), Datum::Bool(live)] => Turn { now, live },
            _ => panic!("a turn is a clock and whether it is live, not {row:?}"),
        }
    }
}

/// A key whose rows are looked at.
pub struct KeyView<'a> {
    pub key: RowRef<'a>,
    /// Its rows now, with their counts.
    pub rows: &'a [(Row, Diff)],
    /// Its versions that are open, the oldest first.
    pub open: &'a [Row],
}

/// What becomes of a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyOutcome {
    /// Versions that come and go.
    pub changes: Vec<(Row, Diff)>,
    /// The versions that are open from now on; none: as before.
    pub open: Option<Vec<Row>>,
    /// Why the key cannot be followed now.
    pub error: Option<Row>,
}

/// Decides about a key. Without a live turn only the error counts.
pub type HistoryLogic = Box<dyn FnMut(KeyView<'_>, Turn) -> KeyOutcome>;

/// Whether a stored version is open.
pub type IsOpen = Box<dyn Fn(RowRef<'_>) -> bool>;

#[derive(Default)]
struct KeyState {
    rows: Vec<(Row, Diff)>,
    open: Vec<Row>,
    error: Option<Row>,
}

/// What an epoch brought.
struct Brought {
    rows: Vec<((Row, Row), Diff)>,
    stored: Vec<((Row, Row), Diff)>,
    turn: Option<Turn>,
}

struct Histories {
    logic: HistoryLogic,
    is_open: IsOpen,
    keys: HashMap<Row, KeyState>,
    /// Keys that a live turn has yet to look at.
    touched: BTreeSet<Row>,
    has_been_live: bool,
    rows_out: Vec<(Row, Diff)>,
    errors_out: Vec<(Row, Diff)>,
}

impl Histories {
    fn take(&mut self, mut epoch: Brought) {
        for ((key, version), diff) in epoch.stored {
            if diff > 0 && (self.is_open)(version.as_ref()) {
                self.keys.entry(key).or_default().open.push(version.clone());
            }
            self.rows_out.push((version, diff));
        }
        consolidate(&mut epoch.rows);
        for ((key, row), diff) in epoch.rows {
            let state = self.keys.entry(key.clone()).or_default();
            match state.rows.iter().position(|(known, _)| *known == row) {
                Some(at) => {
                    state.rows[at].1 += diff;
                    if state.rows[at].1 == 0 {
                        state.rows.remove(at);
                    }
                }
                None => state.rows.push((row, diff)),
            }
            self.touched.insert(key);
        }
        let turn = epoch.turn.unwrap_or(Turn { now: 0, live: false });
        if turn.live && !self.has_been_live {
            self.has_been_live = true;
            self.touched = self.keys.keys().cloned().collect();
        }
        for key in std::mem::take(&mut self.touched) {
            self.look(key, turn);
        }
    }

    fn look(&mut self, key: Row, turn: Turn) {
        let Some(state) = self.keys.get_mut(&key) else { return };
        let outcome = (self.logic)(KeyView { key: key.as_ref(), rows: &state.rows, open: &state.open }, turn);
        if outcome.error != state.error {
            self.errors_out.extend(std::mem::replace(&mut state.error, outcome.error).map(|error| (error, -1)));
            self.errors_out.extend(state.error.clone().map(|error| (error, 1)));
        }
        if turn.live {
            self.rows_out.extend(outcome.changes);
            if let Some(open) = outcome.open {
                state.open = open;
            }
        }
        if state.rows.is_empty() && state.open.is_empty() && state.error.is_none() {
            self.keys.remove(&key);
        }
    }
}

/// Keeps the versions of a collection's keys; gives them and the errors.
///
/// `rows` and `stored` have one form of key; `turns` holds each turn once, on every worker.
pub fn history(
    rows: Keyed,
    stored: Keyed,
    turns: Rows,
    is_open: IsOpen,
    logic: HistoryLogic,
    name: &str,
) -> (Rows, Rows) {
    let graph = rows.graph.clone();
    let (rows, stored) = (graph.exchanged(rows), graph.exchanged(stored));
    let level = rows.level().max(stored.level()).max(turns.level());
    let (versions, given) = Sender::new(&graph, level);
    let (errors, failed) = Sender::new(&graph, level);
    let histories = Histories {
        logic,
        is_open,
        keys: HashMap::new(),
        touched: BTreeSet::new(),
        has_been_live: false,
        rows_out: Vec::new(),
        errors_out: Vec::new(),
    };
    graph.add(name, level, |task| {
        let (rows, stored, turns) = (rows.read_by(task), stored.read_by(task), turns.read_by(task));
        Box::new(History { rows, stored, turns, histories, versions, errors })
    });
    (given, failed)
}

struct History {
    rows: Inbox<(Row, Row)>,
    stored: Inbox<(Row, Row)>,
    turns: Inbox<Row>,
    histories: Histories,
    versions: Sender<Row>,
    errors: Sender<Row>,
}

impl Node for History {
    fn run(&mut self, closing: Option<Epoch>) -> bool {
        if closing.is_none() {
            return true;
        }
        let turn = take_all(&self.turns).last().map(|(turn, _)| Turn::of(turn));
        self.histories.take(Brought { rows: take_all(&self.rows), stored: take_all(&self.stored), turn });
        self.versions.pass(&mut self.histories.rows_out);
        self.errors.pass(&mut self.histories.errors_out);
        false
    }

    fn state(&self) -> StateSize {
        let mut size = StateSize::default();
        for (key, state) in &self.histories.keys {
            let rows = state.rows.iter().map(|(row, _)| row).chain(&state.open);
            let bytes: usize = rows.clone().map(|row| size_of::<Row>() + row.heap_bytes()).sum();
            size += StateSize { rows: rows.count(), bytes: bytes + size_of::<KeyState>() + key.heap_bytes() };
        }
        size
    }
}
