//! The groups of one worker: lanes, ordered lists and what was shown last.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use eval::EvalError;
use eval::ordered::Members;
use flow::{Accum, Changes, KeyedState, StateSize};
use row::{Datum, Diff, Row, RowBuilder, RowRef};
use smallvec::SmallVec;

use super::super::errors::Blame;
use super::{Multiset, Output, Shape, split_entry};

/// See the module above.
pub struct GroupState {
    shape: Shape,
    blame: Blame,
    groups: HashMap<Row, Group>,
    /// Buffers.
    lanes: Vec<i64>,
    values: RowBuilder,
    row: RowBuilder,
}

struct Group {
    /// How many rows it has; the row that marks a grouping without groups is one.
    rows: i64,
    lanes: Accum,
    lists: Box<[Multiset]>,
    frequencies: Box<[Multiset]>,
    shown: Shown,
}

/// What the output holds of a group.
#[derive(PartialEq, Eq)]
enum Shown {
    Nothing,
    /// Its aggregates.
    Values(Row),
    /// The reason why it has none.
    Error(Row),
}

impl GroupState {
    pub fn new(shape: Shape, blame: Blame) -> GroupState {
        GroupState {
            lanes: vec![0; shape.accumulators.width()],
            shape,
            blame,
            groups: HashMap::new(),
            values: RowBuilder::default(),
            row: RowBuilder::default(),
        }
    }
}

#[cfg(test)]
impl GroupState {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

impl KeyedState for GroupState {
    fn update(&mut self, key: RowRef<'_>, values: &[(Row, Diff)], output: &mut Changes) {
        let shape = &self.shape;
        let mut place = match self.groups.entry(key.to_row()) {
            Entry::Occupied(place) => place,
            Entry::Vacant(place) => place.insert_entry(Group {
                rows: 0,
                lanes: Accum::default(),
                lists: shape.lists.iter().map(|_| Multiset::default()).collect(),
                frequencies: shape.frequencies.iter().map(|_| Multiset::default()).collect(),
                shown: Shown::Nothing,
            }),
        };
        let group = place.get_mut();
        for (row, diff) in values {
            group.add(shape, row.as_ref(), *diff, &mut self.lanes);
        }
        let shown = group.show(shape, &mut self.lanes, &mut self.values, |error| self.blame.row(&error.0, key.iter()));
        if shown != group.shown {
            let mut whole = |values: &Row| {
                self.row.push_row(key);
                self.row.push_row(values.as_ref());
                self.row.finish()
            };
            for (shown, diff) in [(&group.shown, -1), (&shown, 1)] {
                match shown {
                    Shown::Nothing => {}
                    Shown::Values(values) => output.rows.push((whole(values), diff)),
                    Shown::Error(error) => output.errors.push((error.clone(), diff)),
                }
            }
            group.shown = shown;
        }
        if group.is_empty() {
            place.remove();
        }
    }

    fn size(&self) -> StateSize {
        let mut size = StateSize::default();
        for (key, group) in &self.groups {
            let shown = match &group.shown {
                Shown::Nothing => 0,
                Shown::Values(row) | Shown::Error(row) => row.heap_bytes(),
            };
            size += StateSize {
                rows: 1,
                bytes: size_of::<(Row, Group)>() + key.heap_bytes() + group.lanes.heap_bytes() + shown,
            };
            group.lists.iter().chain(&group.frequencies).for_each(|list| size += list.size());
        }
        size
    }
}

impl Group {
    /// Whether nothing is left, debts included.
    fn is_empty(&self) -> bool {
        self.rows == 0 && self.lanes.is_zero() && self.lists.iter().chain(&self.frequencies).all(Multiset::is_empty)
    }

    /// Takes copies of one input row in, or out. `buffer` holds zeros, and does again afterwards.
    fn add(&mut self, shape: &Shape, row: RowRef<'_>, diff: Diff, buffer: &mut [i64]) {
        self.rows += diff;
        let mut datums = row.iter();
        if !matches!(datums.next(), Some(Datum::Bool(true))) {
            return;
        }
        if !shape.direct.is_empty() {
            for call in &shape.direct {
                let argument = datums.next().expect("a row has an argument for each call");
                shape.accumulators.add(*call, &argument, buffer);
            }
            self.add_lanes(buffer, diff);
        }
        for i in 0..shape.lists.len() {
            if let Some(Datum::Bytes(bytes)) = datums.next() {
                self.add_entry(shape, i, bytes, diff, buffer);
            }
        }
    }

    fn add_lanes(&mut self, buffer: &mut [i64], diff: Diff) {
        self.lanes.add_times(buffer, diff);
        buffer.fill(0);
    }

    fn add_entry(&mut self, shape: &Shape, list: usize, bytes: &[u8], diff: Diff, buffer: &mut [i64]) {
        let (key, value) = split_entry(bytes);
        let (before, after) = self.lists[list].update(key, value, diff);
        if before != after && shape.frequencies.iter().any(|(watched, _)| *watched == list) {
            self.move_frequency(shape, list, key, after - before);
        }
        let feeds = &shape.lists[list].feeds;
        if !feeds.is_empty() && (before == 0) != (after == 0) {
            let argument = value.iter().next().unwrap_or(Datum::Null);
            feeds.iter().for_each(|call| shape.accumulators.add(*call, &argument, buffer));
            self.add_lanes(buffer, if after > 0 { 1 } else { -1 });
        }
    }

    /// Notes that the members with an order key have become more, or fewer.
    fn move_frequency(&mut self, shape: &Shape, list: usize, key: &[u8], diff: Diff) {
        let index = self.lists[list].index();
        let new = index.rank_after_key(key) - index.rank_of_key(key);
        for (at, (watched, descending)) in shape.frequencies.iter().enumerate() {
            if *watched == list {
                for (frequency, diff) in [(new - diff, -1), (new, 1)] {
                    if frequency > 0 {
                        let place = frequency_key(frequency, key, *descending);
                        self.frequencies[at].update(&place, RowRef::new(&[]), diff);
                    }
                }
            }
        }
    }

    fn show(
        &self,
        shape: &Shape,
        lanes: &mut Vec<i64>,
        values: &mut RowBuilder,
        error_row: impl Fn(EvalError) -> Row,
    ) -> Shown {
        if self.rows <= 0 {
            return Shown::Nothing;
        }
        let width = lanes.len();
        lanes.clear();
        self.lanes.write_to(lanes);
        let finished = shape.outputs.iter().try_for_each(|from| {
            match from {
                Output::Lanes(call) => values.push(&shape.accumulators.finish(*call, lanes)?),
                Output::List(list, finisher) => finisher.finish(&InOrder(&self.lists[*list]), values)?,
                Output::Mode(at) => match self.mode(shape, *at) {
                    Some(value) => values.push_row(value),
                    None => values.push(&Datum::Null),
                },
            }
            Ok(())
        });
        lanes.clear();
        lanes.resize(width, 0);
        match finished {
            Ok(()) => Shown::Values(values.finish()),
            Err(error) => {
                values.clear();
                Shown::Error(error_row(error))
            }
        }
    }

    /// Of the most frequent values the first.
    fn mode(&self, shape: &Shape, at: usize) -> Option<RowRef<'_>> {
        let (list, descending) = shape.frequencies[at];
        let most = self.frequencies[at].index().at(0)?;
        let mut key: SmallVec<[u8; 32]> = SmallVec::from_slice(&most.key[size_of::<Diff>()..]);
        if descending {
            key.iter_mut().for_each(|byte| *byte = !*byte);
        }
        let index = self.lists[list].index();
        index.at(index.rank_of_key(&key)).map(|entry| entry.row)
    }
}

/// Orders the greatest frequency first, and then by value. Order keys keep their order backwards when their bytes are turned.
fn frequency_key(frequency: Diff, key: &[u8], descending: bool) -> SmallVec<[u8; 32]> {
    let mut bytes: SmallVec<[u8; 32]> = SmallVec::from_slice(&(Diff::MAX - frequency).to_be_bytes());
    bytes.extend(key.iter().map(|byte| if descending { !*byte } else { *byte }));
    bytes
}

/// A list as aggregates see it.
struct InOrder<'a>(&'a Multiset);

impl Members for InOrder<'_> {
    fn count(&self) -> u64 {
        self.0.index().len().unsigned_abs()
    }

    fn at(&self, rank: u64) -> RowRef<'_> {
        let entry = self.0.index().at(rank as i64);
        entry.expect("a rank below the count has a member").row
    }

    fn for_each(&self, distinct: bool, visit: &mut dyn FnMut(RowRef<'_>, u64)) {
        for entry in self.0.index().iter() {
            if !distinct {
                visit(entry.row, entry.copies.unsigned_abs());
            } else if entry.is_first_peer {
                visit(entry.row, 1);
            }
        }
    }
}
