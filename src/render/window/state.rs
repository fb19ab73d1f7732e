//! The partitions of one window node on one worker, and what an epoch's changes make of them.
//!
//! ```text
//!   changes ──spans reached──┐              old index ──rows of spans──> taken away ┐
//!   old stretches, values ───┼─> spans                                              ├─> consolidated
//!   new stretches, values ───┘              new index ──rows of spans──> added ─────┘
//! ```
//!
//! Which rows the changes reach is known before they are in the index, so these are taken away first. Of which others something
//! compared differs is known only then: they are read by taking the changes out again, which is cheaper than keeping every row's
//! output. Where outputs depend on nothing but a row's rank and the number of rows (ntile), the changes stay in: what a row's rank
//! was is known from them.

use std::collections::BTreeMap;

use differential_dataflow::consolidation::consolidate;
use eval::EvalError;
use flow::{Changes, KeyedState, StateSize};
use hashbrown::HashMap;
use index::{Index, Weight, compare_rows};
use row::{Datum, Diff, OwnedDatum, Row, RowRef};

use super::atoms::{is_negative, lanes};
use super::call::{Argument, Kind, LaneMap, Spec, push_mark};
use super::emit::Emitter;
use super::moves::{Moves, Range, merged, within, without};
use super::reach::{Change, is_one_value, reach};
use super::steps::{Outcome, Stretches, buckets, differing, divided, stretches};
use super::view::View;

pub struct WindowState {
    spec: Spec,
    lanes: LaneMap,
    partitions: HashMap<Row, Partition>,
    emitter: Emitter,
    /// All lanes of one row's weight.
    weight: Vec<i64>,
    /// Whether something of a partition as a whole has to be compared.
    compares: bool,
    /// Whether outputs depend on nothing but ranks and the number of rows.
    by_rank: bool,
}

#[derive(Default)]
struct Partition {
    index: Index,
    /// Whether a row may have been there more than once.
    has_copies: bool,
    /// Copies that were taken away before they came.
    owed: Option<Box<BTreeMap<(Vec<u8>, Row), i64>>>,
    /// The stretches of each atom; `None` where they are not to be had.
    atoms: Vec<Option<Stretches>>,
}

/// What is compared between the index before and after.
struct Facts {
    values: Vec<Result<OwnedDatum, EvalError>>,
    /// Of ntiles, then of atoms.
    stretches: Vec<Option<Stretches>>,
}

impl WindowState {
    pub fn new(spec: Spec) -> WindowState {
        let compares = !spec.reading.atoms.is_empty() || {
            let index = Index::new();
            let lanes = LaneMap::default();
            let view = View::new(&spec, &lanes, &index);
            let mut visible = (0..spec.calls.len()).filter(|call| spec.reading.visible[*call]);
            visible.any(|call| is_one_value(&view, call) || matches!(spec.calls[call].kind, Kind::Ntile(_)))
        };
        let looks_at_rank = |call: usize| matches!(&spec.calls[call].kind, Kind::Ntile(n) if n.is_constant());
        let mut used = (0..spec.calls.len()).filter(|call| spec.reading.used[*call]);
        let by_rank = spec.reading.atoms.is_empty() && spec.reading.filters.is_empty() && used.all(looks_at_rank);
        WindowState {
            by_rank,
            spec,
            lanes: LaneMap::default(),
            partitions: HashMap::new(),
            emitter: Emitter::default(),
            weight: Vec::new(),
            compares,
        }
    }

    /// Reads an input value: order key, aggregate arguments, columns.
    fn change<'a>(&mut self, value: &'a Row, diff: Diff) -> Change<'a> {
        let mut iter = value.iter();
        let key = match iter.next() {
            Some(Datum::Bytes(key)) => key,
            other => panic!("a window's row begins with its order key, not {other:?}"),
        };
        self.weight.clear();
        self.weight.resize(lanes(&self.spec.reading, &self.spec.sums), 0);
        let mut marks = Vec::with_capacity(self.spec.marks);
        for (argument, datum) in self.spec.arguments.iter().zip(&mut iter) {
            match argument {
                Argument::Sum(sum) => {
                    self.spec.sums.add(*sum, &datum, &mut self.weight);
                    let growing = self.spec.reading.growing.iter().position(|growing| growing == sum);
                    if let Some(growing) = growing.filter(|_| is_negative(&datum)) {
                        self.weight[self.spec.sums.width() + growing] += 1;
                    }
                }
                Argument::Mark(direction) => marks.push(push_mark(&datum, *direction)),
            }
        }
        let row = RowRef::new(iter.rest());
        Change { key, row, diff, rank: 0, copies: 0, lanes: self.lanes.dense_of(&self.weight), marks }
    }
}

impl Partition {
    /// Puts the changes in order, looks up where they stand, pays what is owed, and notes what is taken away too early.
    fn settle(&mut self, changes: &mut Vec<Change<'_>>) {
        let order = |a: &Change<'_>, b: &Change<'_>| a.key.cmp(b.key).then_with(|| compare_rows(a.row, b.row));
        if !changes.is_sorted_by(|a, b| order(a, b).is_le()) {
            changes.sort_by(order);
        }
        let mut finder = self.index.finder();
        for change in changes.iter_mut() {
            let (rank, copies) = finder.find(change.key, change.row);
            (change.rank, change.copies) = (rank, copies);
            self.has_copies |= copies + change.diff > 1;
            if self.owed.is_none() && copies + change.diff >= 0 {
                continue;
            }
            let owed = self.owed.get_or_insert_default();
            let place = (change.key.to_vec(), change.row.to_row());
            let all = copies - owed.remove(&place).unwrap_or(0) + change.diff;
            change.diff = all.max(0) - copies;
            if all < 0 {
                owed.insert(place, -all);
            }
            if owed.is_empty() {
                self.owed = None;
            }
        }
        changes.retain(|change| change.diff != 0);
    }

    fn apply(&mut self, changes: &[Change<'_>], sign: i64) {
        for change in changes {
            let marks: Vec<Option<&[u8]>> = change.marks.iter().map(Option::as_deref).collect();
            let weight = Weight { lanes: &change.lanes, marks: &marks };
            self.index.change(change.key, change.row, change.diff * sign, weight);
        }
    }
}

/// The ranks of rows that filters may let through.
fn live(spec: &Spec, rows: i64, atoms: &[Option<Stretches>]) -> Vec<Range> {
    let mut live = vec![(0, rows)];
    for filter in &spec.reading.filters {
        let Some(Some(stretches)) = atoms.get(filter.atom) else { continue };
        let mut passing = Vec::new();
        for (i, (from, outcome)) in stretches.iter().enumerate() {
            let to = stretches.get(i + 1).map_or(rows, |next| next.0);
            let passes = match outcome {
                Outcome::Is(order) => (filter.passes)(*order),
                Outcome::Null => false,
                Outcome::Failed(_) | Outcome::Bucket(_) => true,
            };
            if passes {
                passing.push((*from, to));
            }
        }
        live = within(live, &passing);
    }
    live
}

/// The stretches of all atoms in a view, found near `hints`.
fn atoms(view: &View<'_>, hints: &[Vec<i64>]) -> Vec<Option<Stretches>> {
    let atoms = view.spec.reading.atoms.iter().enumerate();
    atoms.map(|(i, atom)| stretches(view, atom, hints.get(i).map_or(&[], Vec::as_slice))).collect()
}

fn facts(view: &View<'_>, atoms: &[Option<Stretches>]) -> Facts {
    let arena = eval::Arena::new();
    let visible = || (0..view.spec.calls.len()).filter(|call| view.spec.reading.visible[*call]);
    let values = visible().filter(|call| is_one_value(view, *call)).map(|call| match view.index.at(0) {
        Some(first) => view.value(call, &first, 0, &arena).map(|value| OwnedDatum::new(&value)),
        None => Ok(OwnedDatum::null()),
    });
    let values = values.collect();
    let ntiles = visible().filter(|call| matches!(view.call(*call).kind, Kind::Ntile(_)));
    let stretches = ntiles.map(|call| Some(buckets(view, call))).chain(atoms.iter().cloned()).collect();
    Facts { values, stretches }
}

/// Appends the rows of which something that was compared differs, by their ranks after the changes.
fn compare(old: &Facts, new: &Facts, moves: &Moves, rows: i64, spans: &mut Vec<Range>) {
    let all_found = old.stretches.iter().chain(&new.stretches).all(Option::is_some);
    if old.values != new.values || !all_found {
        spans.push((0, rows));
        return;
    }
    for (old, new) in old.stretches.iter().flatten().zip(new.stretches.iter().flatten()) {
        differing(old, new, moves, rows, spans);
    }
}

impl KeyedState for WindowState {
    fn size(&self) -> StateSize {
        let mut size = StateSize::default();
        for (key, partition) in &self.partitions {
            size += StateSize {
                rows: partition.index.len() as usize,
                bytes: size_of::<(Row, Partition)>() + key.heap_bytes() + partition.index.heap_bytes(),
            };
        }
        size
    }

    fn update(&mut self, key: RowRef<'_>, values: &[(Row, Diff)], output: &mut Changes) {
        let mut changes: Vec<Change<'_>> = values.iter().map(|(value, diff)| self.change(value, *diff)).collect();
        let WindowState { spec, lanes, partitions, emitter, compares, by_rank, .. } = self;
        let key = key.to_row();
        let partition = partitions.entry(key.clone()).or_default();
        partition.settle(&mut changes);
        let before = partition.index.len();
        let (rows, errors) = (output.rows.len(), output.errors.len());
        let mut turn = Turn { spec, lanes, emitter, output, changes: &changes, compares: *compares, by_rank: *by_rank };
        // Where most of the partition changes all of it is looked at.
        if changes.len() as i64 * 2 >= before {
            turn.look_at_all(partition);
        } else if !changes.is_empty() {
            turn.look_at_what_is_reached(partition);
        }
        if before > 0 {
            consolidate_from(&mut output.rows, rows);
            consolidate_from(&mut output.errors, errors);
        }
        if partition.index.is_empty() && partition.owed.is_none() {
            partitions.remove(&key);
        }
    }
}

/// One epoch's changes of a partition, and where their outputs go.
struct Turn<'t, 'c> {
    spec: &'t Spec,
    lanes: &'t LaneMap,
    emitter: &'t mut Emitter,
    output: &'t mut Changes,
    changes: &'t [Change<'c>],
    compares: bool,
    by_rank: bool,
}

impl Turn<'_, '_> {
    /// Gives rows of an index, of which the stretches of atoms are known.
    fn emit(&mut self, index: &Index, atoms: &[Option<Stretches>], ranges: &[Range], sign: Diff) {
        self.emitter.emit(&View::new(self.spec, self.lanes, index), atoms, ranges, sign, self.output);
    }

    fn look_at_all(&mut self, partition: &mut Partition) {
        let old = live(self.spec, partition.index.len(), &partition.atoms);
        self.emit(&partition.index, &partition.atoms, &old, -1);
        partition.apply(self.changes, 1);
        partition.atoms = atoms(&View::new(self.spec, self.lanes, &partition.index), &[]);
        let new = live(self.spec, partition.index.len(), &partition.atoms);
        self.emit(&partition.index, &partition.atoms, &new, 1);
    }

    fn look_at_what_is_reached(&mut self, partition: &mut Partition) {
        let moves = Moves::of(self.changes);
        let view = View::new(self.spec, self.lanes, &partition.index);
        let old_live = live(self.spec, partition.index.len(), &partition.atoms);
        // By their ranks before.
        let mut reached = Vec::new();
        reach(&view, self.changes, &mut reached);
        let old = self.compares.then(|| facts(&view, &partition.atoms));
        if let Some(old) = old.as_ref().filter(|_| partition.has_copies) {
            old.stretches.iter().flatten().for_each(|stretches| divided(&view, stretches, &mut reached));
        }
        let taken = merged(moves.before().chain(reached.iter().copied()));
        self.emit(&partition.index, &partition.atoms, &within(taken.clone(), &old_live), -1);
        partition.apply(self.changes, 1);
        let given = merged(moves.after().chain(reached.iter().map(|range| moves.range_after(*range))));
        match old {
            Some(old) => self.look_at_what_is_crossed(partition, &moves, &old, [taken, given], &old_live),
            None => {
                let live = live(self.spec, partition.index.len(), &partition.atoms);
                self.emit(&partition.index, &partition.atoms, &within(given, &live), 1);
            }
        }
    }

    /// Gives the new rows, and those of which something differs that has been compared: the rows reached have been taken away
    /// (`taken`, by their ranks before) and are still to be given (`given`, by their ranks after).
    fn look_at_what_is_crossed(
        &mut self,
        partition: &mut Partition,
        moves: &Moves,
        old: &Facts,
        [taken, given]: [Vec<Range>; 2],
        old_live: &[Range],
    ) {
        let rows = partition.index.len();
        let view = View::new(self.spec, self.lanes, &partition.index);
        let first_atom = old.stretches.len() - self.spec.reading.atoms.len();
        let hints = |stretches: &Option<Stretches>| -> Vec<i64> {
            stretches.iter().flatten().map(|(rank, _)| moves.to_after(*rank)).collect()
        };
        let hints: Vec<Vec<i64>> = old.stretches[first_atom..].iter().map(hints).collect();
        let found = atoms(&view, &hints);
        let new = facts(&view, &found);
        // By their ranks after.
        let mut crossed = Vec::new();
        if partition.has_copies {
            new.stretches.iter().flatten().for_each(|stretches| divided(&view, stretches, &mut crossed));
        }
        compare(old, &new, moves, rows, &mut crossed);
        let all = merged(given.iter().chain(&crossed).copied());
        self.emit(&partition.index, &found, &within(all, &live(self.spec, rows, &found)), 1);
        let found_before = std::mem::replace(&mut partition.atoms, found);
        if self.by_rank {
            let others = without(&merged(crossed.into_iter()), &given);
            let rows_before = rows - self.changes.iter().map(|change| change.diff).sum::<i64>();
            let view = View::before(self.spec, self.lanes, &partition.index, rows_before);
            self.emitter.take_back(&view, &others, moves, self.output);
            return;
        }
        let crossed = merged(crossed.iter().map(|range| moves.range_before(*range)));
        let others = within(without(&crossed, &taken), old_live);
        if !others.is_empty() {
            partition.apply(self.changes, -1);
            self.emit(&partition.index, &found_before, &others, -1);
            partition.apply(self.changes, 1);
        }
    }
}

/// Adds equal rows up that were appended from `start` on.
fn consolidate_from(changes: &mut Vec<(Row, Diff)>, start: usize) {
    let mut tail = changes.split_off(start);
    consolidate(&mut tail);
    changes.append(&mut tail);
}
