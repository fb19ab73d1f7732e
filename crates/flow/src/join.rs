//! Joins on equal keys.
//!
//! ```text
//!   (key, left) ──┐                     ┌─ left rows ─┐
//!                 ├─> key, by hash ─────┤             ├──> matches of each update with the rows that are there,
//!   (key, right) ─┘                     └─ right rows ┘    and rows that have no match, or have one
//! ```
//!
//! 1. A side's rows are held here, or in an arrangement that others read, too.
//! 2. A join is linear in each side, so updates meet the other side as they come: first those of the one side meet the other side
//!    as it was before its own updates, then these meet the first side as it is now.
//! 3. Updates of one key and side that come one after the other are added up first: a row that takes another's place, as all
//!    changes from a source do, neither loses nor finds a match for the other side.

use differential_dataflow::consolidation::consolidate;
use row::{Diff, Epoch, Row, RowRef};

use crate::arrange::{Pending, Table};
use crate::bag::Bag;
use crate::collection::{Inbox, Record, give_back, take_all};
use crate::graph::{Node, StateSize};
use crate::key_table::{At, KeyTable};
use crate::map::Told;
use crate::{Accum, Accums, Arrangement, Collection, Emit, Keyed, Rows};

/// What a join gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Gives {
    /// Each left row with each right row of its key.
    pub pairs: bool,
    /// Rows whose key the other side lacks.
    pub left_alone: bool,
    pub right_alone: bool,
    /// Left rows whose key the right side has, each once.
    pub left_matched: bool,
}

impl Gives {
    pub const PAIRS: Gives = Gives { pairs: true, left_alone: false, right_alone: false, left_matched: false };
}

/// One side of a join.
pub enum JoinInput {
    /// Rows that the join holds itself.
    Own(Keyed),
    Shared(Arrangement),
}

/// Gives the records of a key, a left row and a right row, one of which may be missing.
pub type JoinLogic<D> = Box<dyn FnMut(RowRef<'_>, Option<RowRef<'_>>, Option<RowRef<'_>>, &mut Emit<D>)>;

/// Joins into rows.
pub fn join_to_rows(left: JoinInput, right: JoinInput, gives: Gives, logic: JoinLogic<Row>) -> (Rows, Rows) {
    join(left, right, gives, logic)
}

/// Joins into (key, value) rows.
pub fn join_to_keyed(left: JoinInput, right: JoinInput, gives: Gives, logic: JoinLogic<(Row, Row)>) -> (Keyed, Rows) {
    join(left, right, gives, logic)
}

/// Joins into accumulators of a group.
pub fn join_to_accums(
    left: JoinInput,
    right: JoinInput,
    gives: Gives,
    logic: JoinLogic<(Row, Accum)>,
) -> (Accums, Rows) {
    join(left, right, gives, logic)
}

fn join<D: Record>(left: JoinInput, right: JoinInput, gives: Gives, logic: JoinLogic<D>) -> (Collection<D>, Rows) {
    let mut own = 0;
    let mut side = |input: JoinInput| match input {
        JoinInput::Own(keyed) => {
            own += 1;
            (keyed.graph.clone().exchanged(keyed), Held::Own(KeyTable::new()))
        }
        JoinInput::Shared(arrangement) => (arrangement.changes, Held::Shared(arrangement.table)),
    };
    let (left, left_rows) = side(left);
    let (right, right_rows) = side(right);
    let graph = left.graph.clone();
    let level = left.level().max(right.level());
    let (told, given, failed) = Told::new(&graph, level);
    let answers = Answers { logic, told };
    graph.add("Join", level, |task| {
        let inboxes = [left.read_by(task), right.read_by(task)];
        match own {
            2 => Box::new(OwnJoin {
                inboxes,
                table: KeyTable::new(),
                places: Vec::new(),
                run: Vec::new(),
                gives,
                answers,
            }),
            _ => Box::new(SharedJoin { inboxes, rows: [left_rows, right_rows], run: Vec::new(), gives, answers }),
        }
    });
    (given, failed)
}

/// What a join has to say.
struct Answers<D: Record> {
    logic: JoinLogic<D>,
    told: Told<D>,
}

impl<D: Record> Answers<D> {
    /// A match, or a row without one; the first row is that of the side which changed.
    #[inline]
    fn give(&mut self, key: &Row, is_left: bool, own: Option<RowRef<'_>>, other: Option<RowRef<'_>>, diff: Diff) {
        let (left, right) = if is_left { (own, other) } else { (other, own) };
        (self.logic)(key.as_ref(), left, right, &mut self.told.emit);
        self.told.give(diff);
    }
}

/// What changes of one side ask for.
#[derive(Clone, Copy)]
struct Wanted {
    is_left: bool,
    pairs: bool,
    own_alone: bool,
    other_alone: bool,
    /// Of the changed side's rows, or of the other's, once for each that has a match.
    own_matched: bool,
    other_matched: bool,
}

impl Wanted {
    fn of(is_left: bool, gives: Gives) -> Wanted {
        let (own_alone, other_alone) = match is_left {
            true => (gives.left_alone, gives.right_alone),
            false => (gives.right_alone, gives.left_alone),
        };
        Wanted {
            is_left,
            pairs: gives.pairs,
            own_alone,
            other_alone,
            own_matched: is_left && gives.left_matched,
            other_matched: !is_left && gives.left_matched,
        }
    }

    /// Whether rows of the other side must hear when a key comes or goes.
    fn tells_other(self) -> bool {
        self.other_alone || self.other_matched
    }
}

/// The side whose rows are kept without a match comes last: a row and its match that come together are told once.
fn order(gives: Gives) -> [bool; 2] {
    let keeps_left = gives.left_alone || gives.left_matched;
    if keeps_left { [false, true] } else { [true, false] }
}

/// Both sides in one table.
struct OwnJoin<D: Record> {
    inboxes: [Inbox<(Row, Row)>; 2],
    table: KeyTable<[Bag; 2]>,
    /// Buffers.
    places: Vec<At>,
    run: Vec<(Row, Diff)>,
    gives: Gives,
    answers: Answers<D>,
}

impl<D: Record> Node for OwnJoin<D> {
    fn run(&mut self, _: Option<Epoch>) -> bool {
        for is_left in order(self.gives) {
            let inbox = self.inboxes[usize::from(!is_left)].clone();
            let mut updates = take_all(&inbox);
            let runs = updates.chunk_by(|((a, _), _), ((b, _), _)| a == b);
            self.table.places(runs.map(|run| &run[0].0.0), &mut self.places);
            let mut waiting = updates.drain(..).peekable();
            let places = std::mem::take(&mut self.places);
            for at in &places {
                if let Some(key) = next_run(&mut waiting, &mut self.run) {
                    self.change(is_left, *at, &key);
                }
            }
            drop(waiting);
            give_back(&inbox, updates);
            // Only now: until then the places were promised.
            for at in &places {
                if self.table.get_mut(*at).1.iter().all(Bag::is_empty) {
                    self.table.remove(*at);
                }
            }
            self.places = places;
        }
        self.answers.told.flush();
        false
    }

    fn state(&self) -> StateSize {
        let mut size = StateSize { rows: 0, bytes: self.table.own_bytes() };
        self.table.iter().flat_map(|(_, sides)| sides).for_each(|bag| size += bag.size());
        size
    }
}

impl<D: Record> OwnJoin<D> {
    /// Takes a run of one side in and gives what it changes.
    fn change(&mut self, is_left: bool, at: At, key: &Row) {
        let wanted = Wanted::of(is_left, self.gives);
        let (_, [left, right]) = self.table.get_mut(at);
        let (own, other) = if is_left { (left, right) } else { (right, left) };
        let was_there = !own.is_empty();
        for (row, diff) in &self.run {
            meet(&mut self.answers, wanted, key, row, *diff, other.is_empty(), other.iter());
            own.add(row.as_ref(), *diff);
        }
        let is_there = !own.is_empty();
        if was_there != is_there && wanted.tells_other() {
            tell(&mut self.answers, wanted, key, is_there, other.iter());
        }
    }
}

/// The rows of one side.
enum Held {
    Own(KeyTable<Bag>),
    Shared(Table),
}

/// One side at least is an arrangement.
struct SharedJoin<D: Record> {
    inboxes: [Inbox<(Row, Row)>; 2],
    rows: [Held; 2],
    run: Vec<(Row, Diff)>,
    gives: Gives,
    answers: Answers<D>,
}

impl<D: Record> Node for SharedJoin<D> {
    fn run(&mut self, _: Option<Epoch>) -> bool {
        let [first, second] = order(self.gives).map(|is_left| usize::from(!is_left));
        let mut updates = self.inboxes.each_ref().map(|inbox| take_all(inbox));
        // The second side's changes are in its arrangement already; the first side's must not meet them.
        let later = match &self.rows[second] {
            Held::Shared(_) if !updates[first].is_empty() => Pending::new(std::mem::take(&mut updates[second])),
            _ => Pending::new(Vec::new()),
        };
        let of_first = std::mem::take(&mut updates[first]);
        self.take(first, of_first, &later);
        let none = Pending::new(Vec::new());
        if later.is_empty() {
            let of_second = std::mem::take(&mut updates[second]);
            self.take(second, of_second, &none);
        } else {
            self.take_sorted(second, &later, &none);
        }
        self.answers.told.flush();
        false
    }

    fn state(&self) -> StateSize {
        let mut size = StateSize::default();
        for rows in &self.rows {
            if let Held::Own(table) = rows {
                size.bytes += table.own_bytes();
                table.iter().for_each(|(_, bag)| size += bag.size());
            }
        }
        size
    }
}

impl<D: Record> SharedJoin<D> {
    /// Takes one side's updates in; `ahead` is what the other side's arrangement is ahead by.
    fn take(&mut self, side: usize, mut updates: Vec<((Row, Row), Diff)>, ahead: &Pending) {
        let wanted = Wanted::of(side == 0, self.gives);
        if matches!(self.rows[side], Held::Shared(_)) && wanted.tells_other() {
            // Whether a key came or went is seen once all its changes are known.
            return self.take_sorted(side, &Pending::new(updates), ahead);
        }
        let mut run = std::mem::take(&mut self.run);
        let mut waiting = updates.drain(..).peekable();
        while let Some(key) = next_run(&mut waiting, &mut run) {
            if !run.is_empty() {
                self.change(side, &key, &run, ahead);
            }
        }
        drop(waiting);
        self.run = run;
        give_back(&self.inboxes[side], updates);
    }

    fn take_sorted(&mut self, side: usize, updates: &Pending, ahead: &Pending) {
        let mut run = std::mem::take(&mut self.run);
        for updates in updates.by_key() {
            run.clear();
            run.extend(updates.iter().map(|((_, value), diff)| (value.clone(), *diff)));
            self.change(side, &updates[0].0.0, &run, ahead);
        }
        self.run = run;
    }

    fn change(&mut self, side: usize, key: &Row, run: &[(Row, Diff)], ahead: &Pending) {
        let wanted = Wanted::of(side == 0, self.gives);
        let [left, right] = &mut self.rows;
        let (own, other) = if side == 0 { (left, right) } else { (right, left) };
        let shared;
        let other_bag = match other {
            Held::Own(table) => table.get(key),
            Held::Shared(table) => {
                shared = table.borrow();
                shared.get(key)
            }
        };
        let nothing = Bag::default();
        let other_bag = other_bag.unwrap_or(&nothing);
        let ahead = ahead.of(key);
        let other_is_empty = match ahead {
            [] => other_bag.is_empty(),
            ahead => other_bag.was_empty(ahead.iter().map(|((_, row), diff)| (row.as_ref(), *diff))),
        };
        let other_rows = || other_bag.iter().chain(ahead.iter().map(|((_, row), diff)| (row.as_ref(), -*diff)));
        for (row, diff) in run {
            meet(&mut self.answers, wanted, key, row, *diff, other_is_empty, other_rows());
        }
        let (was_there, is_there) = match own {
            Held::Own(table) => {
                let at = table.place(key);
                let (_, bag) = table.get_mut(at);
                let was_there = !bag.is_empty();
                run.iter().for_each(|(row, diff)| bag.add(row.as_ref(), *diff));
                let is_there = !bag.is_empty();
                if !is_there {
                    table.remove(at);
                }
                (was_there, is_there)
            }
            Held::Shared(table) if wanted.tells_other() => {
                let table = table.borrow();
                let bag = table.get(key).unwrap_or(&nothing);
                let changes = run.iter().map(|(row, diff)| (row.as_ref(), *diff));
                (!bag.was_empty(changes), !bag.is_empty())
            }
            Held::Shared(_) => (true, true),
        };
        if was_there != is_there && wanted.tells_other() {
            tell(&mut self.answers, wanted, key, is_there, other_rows());
        }
    }
}

/// Takes the next updates of one key, net, of which nothing may be left; None when there are no more.
fn next_run(
    updates: &mut std::iter::Peekable<std::vec::Drain<'_, ((Row, Row), Diff)>>,
    run: &mut Vec<(Row, Diff)>,
) -> Option<Row> {
    run.clear();
    let ((key, value), diff) = updates.next()?;
    run.push((value, diff));
    while let Some(((_, value), diff)) = updates.next_if(|((other, _), _)| *other == key) {
        run.push((value, diff));
    }
    if run.len() > 1 {
        consolidate(run);
    }
    Some(key)
}

/// A changed row meets the other side.
#[inline]
fn meet<'a, D: Record>(
    answers: &mut Answers<D>,
    wanted: Wanted,
    key: &Row,
    row: &Row,
    diff: Diff,
    other_is_empty: bool,
    other: impl Iterator<Item = (RowRef<'a>, Diff)>,
) {
    let row = row.as_ref();
    if other_is_empty {
        if wanted.own_alone {
            answers.give(key, wanted.is_left, Some(row), None, diff);
        }
        return;
    }
    if wanted.pairs {
        other.for_each(|(found, count)| answers.give(key, wanted.is_left, Some(row), Some(found), diff * count));
    }
    if wanted.own_matched {
        answers.give(key, wanted.is_left, Some(row), None, diff);
    }
}

/// The other side's rows hear that the key came, or went.
fn tell<'a, D: Record>(
    answers: &mut Answers<D>,
    wanted: Wanted,
    key: &Row,
    is_there: bool,
    other: impl Iterator<Item = (RowRef<'a>, Diff)>,
) {
    let sign = if is_there { 1 } else { -1 };
    for (row, count) in other {
        if wanted.other_alone {
            answers.give(key, wanted.is_left, None, Some(row), -sign * count);
        }
        if wanted.other_matched {
            answers.give(key, wanted.is_left, None, Some(row), sign * count);
        }
    }
}
