//! Rows that come and go by the clock: an index of what moves next.
//!
//! ```text
//!   rows, each with (from, until) ──┐                     ┌─> rows while from <= clock < until
//!   ticks of the clock ─────────────┴─> waiting: by turn ─┴─> the least turn, for whoever moves the clock
//! ```
//!
//! 1. A tick costs what it moves: rows wait in the order of their turns, and the others are not looked at.
//! 2. A row without a turn to come is not kept: one that stays is gone from here, one that is over never comes back.
//! 3. The clock never goes back. A row's `from` and `until` are a function of the row.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::consolidation::consolidate;
use row::{Datum, Diff, Epoch, Row, RowRef};

use crate::collection::{Inbox, Sender, give_back, take_all};
use crate::graph::{Node, StateSize};
use crate::{Keyed, Rows};

/// The least turn that a temporal operator waits for.
pub type NextTurn = Rc<Cell<Option<i64>>>;

/// Lets rows through while the clock is in their time.
///
/// The key of `input` is (from, until), two integers; the value is the row. `ticks` holds each value of the clock once, on every
/// worker; `reading` says which of its columns counts.
pub fn temporal(input: Keyed, ticks: Rows, reading: usize, name: &str) -> (Rows, NextTurn) {
    let graph = input.graph.clone();
    let input = graph.exchanged(input);
    let level = input.level().max(ticks.level());
    let (rows, given) = Sender::new(&graph, level);
    let next_turn = NextTurn::default();
    let told = next_turn.clone();
    graph.add(name, level, |task| {
        Box::new(Temporal {
            input: input.read_by(task),
            ticks: ticks.read_by(task),
            reading,
            turns: Turns::default(),
            rows,
            told,
        })
    });
    (given, next_turn)
}

struct Temporal {
    input: Inbox<(Row, Row)>,
    ticks: Inbox<Row>,
    reading: usize,
    turns: Turns,
    rows: Sender<Row>,
    told: NextTurn,
}

impl Node for Temporal {
    fn run(&mut self, closing: Option<Epoch>) -> bool {
        if closing.is_none() {
            return true;
        }
        let mut changes = Vec::new();
        // The tick first: a row meets the clock of its epoch.
        for (tick, _) in take_all(&self.ticks).into_iter().filter(|(_, diff)| *diff > 0) {
            let clock = tick.iter().nth(self.reading).map(|datum| datum.unwrap_int());
            self.turns.advance(clock.expect("a tick has a column for each reading"), &mut changes);
        }
        let mut updates = take_all(&self.input);
        consolidate(&mut updates);
        for ((times, row), diff) in updates.drain(..) {
            let (from, until) = read_times(times.as_ref());
            self.turns.update(from, until, row, diff, &mut changes);
        }
        give_back(&self.input, updates);
        self.rows.pass(&mut changes);
        self.told.set(self.turns.next_turn());
        false
    }

    fn state(&self) -> StateSize {
        let rows = self.turns.turns.keys();
        StateSize { rows: rows.len(), bytes: rows.map(|(_, row)| TURN_BYTES + row.heap_bytes()).sum() }
    }
}

/// About what a waiting row takes besides its own heap: its turn, its entry and its share of half empty nodes.
const TURN_BYTES: usize = 90;

fn read_times(times: RowRef<'_>) -> (i64, i64) {
    let mut times = times.iter();
    let mut next = || match times.next() {
        Some(Datum::Int(time)) => time,
        other => panic!("a row's times are two integers, not {other:?}"),
    };
    (next(), next())
}

/// Rows whose turn is still to come.
#[derive(Debug)]
struct Turns {
    clock: i64,
    /// By next turn: `from` of a row that is to come, `until` of one that is there. The value: its `until` and its count.
    turns: BTreeMap<(i64, Row), (i64, Diff)>,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns { clock: i64::MIN, turns: BTreeMap::new() }
    }
}

impl Turns {
    fn update(&mut self, from: i64, until: i64, row: Row, diff: Diff, changes: &mut Vec<(Row, Diff)>) {
        if from >= until || until <= self.clock {
            return;
        }
        if from > self.clock {
            self.wait(from, row, until, diff);
        } else {
            if until < i64::MAX {
                self.wait(until, row.clone(), until, diff);
            }
            changes.push((row, diff));
        }
    }

    /// Moves the clock; one that would go back stays.
    fn advance(&mut self, clock: i64, changes: &mut Vec<(Row, Diff)>) {
        self.clock = self.clock.max(clock);
        while let Some(entry) = self.turns.first_entry()
            && entry.key().0 <= self.clock
        {
            let ((turn, row), (until, count)) = entry.remove_entry();
            if turn == until {
                changes.push((row, -count));
            } else if until > self.clock {
                if until < i64::MAX {
                    self.wait(until, row.clone(), until, count);
                }
                changes.push((row, count));
            }
        }
    }

    fn next_turn(&self) -> Option<i64> {
        self.turns.first_key_value().map(|((turn, _), _)| *turn)
    }

    fn wait(&mut self, turn: i64, row: Row, until: i64, diff: Diff) {
        use std::collections::btree_map::Entry;
        match self.turns.entry((turn, row)) {
            Entry::Vacant(entry) => {
                entry.insert((until, diff));
            }
            Entry::Occupied(mut entry) => {
                entry.get_mut().1 += diff;
                if entry.get().1 == 0 {
                    entry.remove();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64) -> Row {
        Row::pack([Datum::Int(id)])
    }

    /// What a step changed, as (id, diff).
    fn ids(changes: &mut Vec<(Row, Diff)>) -> Vec<(i64, Diff)> {
        changes.drain(..).map(|(row, diff)| (row.iter().next().unwrap().unwrap_int(), diff)).collect()
    }

    #[test]
    fn rows_enter_and_leave_at_their_turns_and_leave_nothing_behind() {
        let (mut state, mut changes) = (Turns::default(), Vec::new());
        state.advance(10, &mut changes);
        state.update(0, 20, row(1), 1, &mut changes);
        state.update(15, 30, row(2), 2, &mut changes);
        state.update(12, 13, row(3), 1, &mut changes);
        state.update(0, i64::MAX, row(4), 1, &mut changes);
        state.update(0, 10, row(5), 1, &mut changes);
        assert_eq!(ids(&mut changes), [(1, 1), (4, 1)]);
        assert_eq!(state.next_turn(), Some(12));
        state.advance(19, &mut changes);
        assert_eq!(ids(&mut changes), [(2, 2)], "row 3 came and went in one tick");
        state.update(15, 30, row(2), -1, &mut changes);
        assert_eq!(ids(&mut changes), [(2, -1)]);
        state.advance(100, &mut changes);
        assert_eq!(ids(&mut changes), [(1, -1), (2, -1)]);
        assert!(state.turns.is_empty(), "a row that stays is not kept");
        state.update(0, 20, row(1), -1, &mut changes);
        assert_eq!(ids(&mut changes), [], "it is over");
    }

    #[test]
    fn a_row_taken_back_before_its_time_never_comes() {
        let (mut state, mut changes) = (Turns::default(), Vec::new());
        state.advance(0, &mut changes);
        state.update(5, 9, row(1), 1, &mut changes);
        state.update(5, 9, row(1), -1, &mut changes);
        state.advance(7, &mut changes);
        assert_eq!((ids(&mut changes), state.next_turn()), (vec![], None));
    }
}
