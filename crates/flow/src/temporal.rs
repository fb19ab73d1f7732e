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
use differential_dataflow::{AsCollection, Hashable};
use row::{Datum, Diff, Epoch, Row, RowRef};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use crate::waiting::Waiting;
use crate::{Keyed, Rows};

/// The least turn that a temporal operator waits for.
pub type NextTurn = Rc<Cell<Option<i64>>>;

/// Lets rows through while the clock is in their time.
///
/// The key of `input` is (from, until), two integers; the value is the row. `ticks` holds each value of the clock once, on every
/// worker; `reading` says which of its columns counts.
pub fn temporal<'scope>(
    input: Keyed<'scope>,
    ticks: Rows<'scope>,
    reading: usize,
    name: &str,
) -> (Rows<'scope>, NextTurn) {
    let mut builder = OperatorBuilder::new(name.to_owned(), input.inner.scope());
    let by_row = Exchange::new(|update: &((Row, Row), Epoch, Diff)| update.0.hashed());
    let mut input = builder.new_input(input.inner, by_row);
    let mut ticks = builder.new_input(ticks.inner, Pipeline);
    let (output, stream) = builder.new_output();
    let mut output = OutputBuilder::<Epoch, CapacityContainerBuilder<Vec<(Row, Epoch, Diff)>>>::from(output);
    let next_turn = NextTurn::default();
    let told = next_turn.clone();
    builder.build(move |_| {
        let mut waiting: Waiting<(Event, Diff)> = Waiting::new();
        let mut state = Turns::default();
        let mut changes: Vec<(Row, Diff)> = Vec::new();
        move |frontiers| {
            input.for_each(|capability, data| {
                waiting.hold(*capability.time(), || vec![capability.retain(0)]);
                for ((times, row), epoch, diff) in data.drain(..) {
                    let (from, until) = read_times(times.as_ref());
                    waiting.push(epoch, (Event::Row { from, until, row }, diff));
                }
            });
            ticks.for_each(|capability, data| {
                waiting.hold(*capability.time(), || vec![capability.retain(0)]);
                for (tick, epoch, diff) in data.drain(..).filter(|(_, _, diff)| *diff > 0) {
                    let clock = tick.iter().nth(reading).map(|datum| datum.unwrap_int());
                    let tick = Event::Tick(clock.expect("a tick has a column for each reading"));
                    waiting.push(epoch, (tick, diff));
                }
            });
            let open = frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied()).min();
            let closed = waiting.take_closed(open);
            if closed.is_empty() {
                return;
            }
            let mut ready: Vec<((Epoch, Event), Diff)> =
                closed.into_iter().map(|(epoch, (event, diff))| ((epoch, event), diff)).collect();
            // By epoch; in it the tick first.
            consolidate(&mut ready);
            let mut ready = ready.into_iter().peekable();
            let mut output = output.activate();
            while let Some(((epoch, _), _)) = ready.peek() {
                let epoch = *epoch;
                while let Some(((_, event), diff)) = ready.next_if(|((at, _), _)| *at == epoch) {
                    match event {
                        Event::Tick(clock) => state.advance(clock, &mut changes),
                        Event::Row { from, until, row } => state.update(from, until, row, diff, &mut changes),
                    }
                }
                if !changes.is_empty() {
                    let capability = waiting.capability(0, epoch);
                    let mut session = output.session(&capability);
                    changes.drain(..).for_each(|(row, diff)| session.give((row, epoch, diff)));
                }
            }
            told.set(state.next_turn());
            waiting.release(None);
        }
    });
    (stream.as_collection(), next_turn)
}

/// In this order: a row meets the clock of its epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Tick(i64),
    Row { from: i64, until: i64, row: Row },
}

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
