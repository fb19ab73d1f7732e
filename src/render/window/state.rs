//! The partitions of one window node on one worker, and what an epoch's changes make of them.
//!
//! ```text
//!   changes ──spans reached──┐              old index ──rows of spans──> taken away ┐
//!   old stretches, values ───┼─> spans                                              ├─> consolidated
//!   new stretches, values ───┘              new index ──rows of spans──> added ─────┘
//! ```
//!
//! What is new is known once the changes are in the index; the old rows are then read by taking the changes out again. That is
//! cheaper than keeping every row's output, and done only where something has to be compared. Where outputs depend on nothing but
//! a row's rank and the number of rows (ntile), the changes stay in: what a row's rank was is known from them.

use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::consolidation::consolidate;
use eval::EvalError;
use flow::{Changes, KeyedState, StateSize};
use hashbrown::HashMap;
use index::{Index, Weight, compare_rows};
use row::{Datum, Diff, OwnedDatum, Row, RowRef};

use super::atoms::{is_negative, lanes};
use super::call::{Argument, Kind, LaneMap, Spec, push_mark};
use super::emit::Emitter;
use super::place::{Place, Span, ranks, without};
use super::reach::{Change, is_one_value, reach};
use super::steps::{Marked, Outcome, Stretches, buckets, differing, mark, stretches};
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
    /// Copies that were taken away before they came.
    owed: Option<Box<BTreeMap<(Vec<u8>, Row), i64>>>,
    /// The stretches of each atom; `None` where they are not to be had.
    atoms: Vec<Option<Stretches>>,
}

/// What is compared between the index before and after.
struct Facts {
    values: Vec<Result<OwnedDatum, EvalError>>,
    /// Of ntiles, then of atoms.
    marked: Vec<Option<Marked>>,
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
    fn change(&mut self, value: &Row, diff: Diff) -> Change {
        let mut iter = value.iter();
        let key: Rc<[u8]> = match iter.next() {
            Some(Datum::Bytes(key)) => key.into(),
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
        let row = Rc::new(RowRef::new(iter.rest()).to_row());
        Change { key, row, diff, lanes: self.lanes.dense_of(&self.weight), marks }
    }
}

impl Partition {
    /// Pays what is owed, notes what is taken away too early, and puts the changes in order.
    fn settle(&mut self, changes: &mut Vec<Change>) {
        for change in changes.iter_mut() {
            if change.diff > 0 && self.owed.is_none() {
                continue;
            }
            let copies = self.index.copies(&change.key, change.row.as_ref().as_ref());
            if self.owed.is_none() && copies + change.diff >= 0 {
                continue;
            }
            let owed = self.owed.get_or_insert_default();
            let place = (change.key.to_vec(), change.row.as_ref().clone());
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
        changes.sort_by(|a, b| {
            a.key.cmp(&b.key).then_with(|| compare_rows(a.row.as_ref().as_ref(), b.row.as_ref().as_ref()))
        });
    }

    fn apply(&mut self, changes: &[Change], sign: i64) {
        for change in changes {
            let marks: Vec<Option<&[u8]>> = change.marks.iter().map(Option::as_deref).collect();
            let weight = Weight { lanes: &change.lanes, marks: &marks };
            self.index.change(&change.key, change.row.as_ref().as_ref(), change.diff * sign, weight);
        }
    }
}

/// The ranks of rows that filters may let through.
fn live(spec: &Spec, rows: i64, atoms: &[Option<Stretches>]) -> Vec<(i64, i64)> {
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
        let both = |(from, to): &(i64, i64)| -> Vec<(i64, i64)> {
            let met = passing.iter().map(|(start, end)| (*from.max(start), *to.min(end)));
            met.filter(|(from, to)| from < to).collect()
        };
        live = live.iter().flat_map(both).collect();
    }
    live
}

/// The stretches of all atoms in a view, found near `hints`.
fn atoms(view: &View<'_>, hints: &[Vec<i64>]) -> Vec<Option<Stretches>> {
    let atoms = view.spec.reading.atoms.iter().enumerate();
    atoms.map(|(i, atom)| stretches(view, atom, hints.get(i).map_or(&[], Vec::as_slice))).collect()
}

fn facts(view: &View<'_>, atoms: &[Option<Stretches>], spans: &mut Vec<Span>) -> Facts {
    let arena = eval::Arena::new();
    let visible = || (0..view.spec.calls.len()).filter(|call| view.spec.reading.visible[*call]);
    let values = visible().filter(|call| is_one_value(view, *call)).map(|call| match view.index.at(0) {
        Some(first) => view.value(call, &first, 0, &arena).map(|value| OwnedDatum::new(&value)),
        None => Ok(OwnedDatum::null()),
    });
    let values = values.collect();
    let ntiles = visible().filter(|call| matches!(view.call(*call).kind, Kind::Ntile(_)));
    let mut marked: Vec<Option<Marked>> = ntiles.map(|call| Some(mark(view, &buckets(view, call), spans))).collect();
    marked.extend(atoms.iter().map(|stretches| stretches.as_ref().map(|stretches| mark(view, stretches, spans))));
    Facts { values, marked }
}

fn compare(old: &Facts, new: &Facts, spans: &mut Vec<Span>) {
    let same = old.values == new.values;
    let all_found = old.marked.iter().zip(&new.marked).all(|(old, new)| old.is_some() && new.is_some());
    if !same || !all_found {
        spans.push((Place::Start, Place::End));
        return;
    }
    for (old, new) in old.marked.iter().zip(&new.marked) {
        if let (Some(old), Some(new)) = (old, new) {
            differing(old, new, spans);
        }
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
        let mut changes: Vec<Change> = values.iter().map(|(value, diff)| self.change(value, *diff)).collect();
        let WindowState { spec, lanes, partitions, emitter, compares, by_rank, .. } = self;
        let key = key.to_row();
        let partition = partitions.entry(key.clone()).or_default();
        partition.settle(&mut changes);
        let before = partition.index.len();
        let (rows, errors) = (output.rows.len(), output.errors.len());
        // Most of the partition changes: all of it is looked at.
        let looks_at_all = changes.len() as i64 * 2 >= before;
        let mut spans: Vec<Span> = changes.iter().map(|change| (change.before(), change.after())).collect();
        if looks_at_all || changes.is_empty() {
            let all = |partition: &Partition| live(spec, partition.index.len(), &partition.atoms);
            if !changes.is_empty() {
                emitter.emit(&View::new(spec, lanes, &partition.index), &all(partition), -1, output);
                partition.apply(&changes, 1);
                let view = View::new(spec, lanes, &partition.index);
                let found = atoms(&view, &[]);
                partition.atoms = found;
                emitter.emit(&View::new(spec, lanes, &partition.index), &all(partition), 1, output);
            }
        } else {
            let view = View::new(spec, lanes, &partition.index);
            reach(&view, &changes, &mut spans);
            let old_live = live(spec, before, &partition.atoms);
            if *compares {
                let old = facts(&view, &partition.atoms, &mut spans);
                let met = spans.len();
                if *by_rank {
                    emitter.emit(&view, &ranks(&spans, view.index, &old_live), -1, output);
                }
                partition.apply(&changes, 1);
                let view = View::new(spec, lanes, &partition.index);
                let ntiles = old.marked.len() - spec.reading.atoms.len();
                let hints = |marked: &Option<Marked>| -> Vec<i64> {
                    marked.iter().flatten().map(|(place, _)| place.rank(view.index)).collect()
                };
                let hints: Vec<Vec<i64>> = old.marked[ntiles..].iter().map(hints).collect();
                let found = atoms(&view, &hints);
                let new = facts(&view, &found, &mut spans);
                compare(&old, &new, &mut spans);
                let live = live(spec, view.index.len(), &found);
                emitter.emit(&view, &ranks(&spans, view.index, &live), 1, output);
                partition.atoms = found;
                if *by_rank {
                    let taken = ranks(&spans[..met], view.index, &live);
                    let others = without(&ranks(&spans[met..], view.index, &live), &taken);
                    let view = View::before(spec, lanes, &partition.index, before);
                    emitter.take_back(&view, &others, &changes, output);
                } else {
                    partition.apply(&changes, -1);
                    let view = View::new(spec, lanes, &partition.index);
                    emitter.emit(&view, &ranks(&spans, view.index, &old_live), -1, output);
                    partition.apply(&changes, 1);
                }
            } else {
                emitter.emit(&view, &ranks(&spans, view.index, &old_live), -1, output);
                partition.apply(&changes, 1);
                let view = View::new(spec, lanes, &partition.index);
                let live = live(spec, view.index.len(), &partition.atoms);
                emitter.emit(&view, &ranks(&spans, view.index, &live), 1, output);
            }
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

/// Adds equal rows up that were appended from `start` on.
fn consolidate_from(changes: &mut Vec<(Row, Diff)>, start: usize) {
    let mut tail = changes.split_off(start);
    consolidate(&mut tail);
    changes.append(&mut tail);
}
