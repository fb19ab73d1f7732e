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

use std::collections::{BTreeMap, BTreeSet, HashMap};

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, Hashable};
use row::{Datum, Diff, Epoch, Row, RowRef};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

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

/// What an epoch holds before it is closed.
#[derive(Default)]
struct Waiting {
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
    fn take(&mut self, mut epoch: Waiting) {
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
pub fn history<'scope>(
    rows: Keyed<'scope>,
    stored: Keyed<'scope>,
    turns: Rows<'scope>,
    is_open: IsOpen,
    logic: HistoryLogic,
    name: &str,
) -> (Rows<'scope>, Rows<'scope>) {
    let mut builder = OperatorBuilder::new(name.to_owned(), rows.inner.scope());
    let by_key = || Exchange::new(|update: &((Row, Row), Epoch, Diff)| update.0.0.hashed());
    let mut rows = builder.new_input(rows.inner, by_key());
    let mut stored = builder.new_input(stored.inner, by_key());
    let mut turns = builder.new_input(turns.inner, Pipeline);
    type Out = CapacityContainerBuilder<Vec<(Row, Epoch, Diff)>>;
    let (output, versions) = builder.new_output();
    let mut output = OutputBuilder::<Epoch, Out>::from(output);
    let (failed, errors) = builder.new_output();
    let mut failed = OutputBuilder::<Epoch, Out>::from(failed);
    builder.build(move |_| {
        let mut waiting: BTreeMap<Epoch, (Waiting, [Capability<Epoch>; 2])> = BTreeMap::new();
        let mut histories = Histories {
            logic,
            is_open,
            keys: HashMap::new(),
            touched: BTreeSet::new(),
            has_been_live: false,
            rows_out: Vec::new(),
            errors_out: Vec::new(),
        };
        move |frontiers| {
            macro_rules! take_in {
                ($input:ident, $update:ident, $into:ident, $put:expr) => {
                    $input.for_each(|token, data| {
                        let capabilities = [token.retain(0), token.retain(1)];
                        for $update in data.drain(..) {
                            let epoch = $update.1;
                            let begin =
                                || (Waiting::default(), capabilities.each_ref().map(|held| held.delayed(&epoch)));
                            let $into = &mut waiting.entry(epoch).or_insert_with(begin).0;
                            $put;
                        }
                    });
                };
            }
            take_in!(rows, update, epoch, epoch.rows.push((update.0, update.2)));
            take_in!(stored, update, epoch, epoch.stored.push((update.0, update.2)));
            take_in!(turns, update, epoch, epoch.turn = Some(Turn::of(&update.0)));
            let open = frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied()).min();
            while let Some(entry) = waiting.first_entry().filter(|entry| open.is_none_or(|open| *entry.key() < open)) {
                let (epoch, (held, [to_rows, to_errors])) = entry.remove_entry();
                histories.take(held);
                if !histories.rows_out.is_empty() {
                    let mut output = output.activate();
                    let mut session = output.session(&to_rows);
                    histories.rows_out.drain(..).for_each(|(row, diff)| session.give((row, epoch, diff)));
                }
                if !histories.errors_out.is_empty() {
                    let mut failed = failed.activate();
                    let mut session = failed.session(&to_errors);
                    histories.errors_out.drain(..).for_each(|(row, diff)| session.give((row, epoch, diff)));
                }
            }
        }
    });
    (versions.as_collection(), errors.as_collection())
}
