//! Joins by order: rows of one side are points, rows of the other are spans of points, and they meet where a span holds a point.
//!
//! ```text
//!   (key, side ++ row) ──keyed──> per key:  points  ordered                 a span asks for the points in it
//!                                           spans   interval tree           a point asks for the spans around it
//!                                           each row with its count, matches and failures
//! ```
//!
//! 1. A change costs O(log n + matches): the rows of the other side that it meets are found by their order, and the condition that
//!    is left is asked of those pairs alone. A join without an order is one in which every span holds every point.
//! 2. A preserved row shows itself (padded, or in a semi or anti join as it is) by its number of matches, which is kept beside it:
//!    it flips exactly when the number leaves or reaches zero.
//! 3. A failing pair gives an error. The row that the join preserves (the left one in a full join) then shows nothing at all; the
//!    right row of a full join is not padded.
//! 4. What a key's changes give out is consolidated: an update that changes nothing in the result gives nothing.

use std::collections::{BTreeMap, HashMap};

use differential_dataflow::consolidation::consolidate;
use row::{Datum, Diff, Row, RowRef};

use crate::interval::IntervalTree;
use crate::{Changes, KeyedState, StateSize};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinSide {
    Left,
    Right,
}

impl JoinSide {
    fn other(self) -> JoinSide {
        match self {
            JoinSide::Left => JoinSide::Right,
            JoinSide::Right => JoinSide::Left,
        }
    }
}

/// Where a row stands in the order that the sides are compared by. Points and ends are order keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// No row of the other side that has a place: what it is compared by is NULL, or its span is empty.
    Nowhere,
    Point(Row),
    /// From the first end (inclusive) up to the second (exclusive).
    Span(Row, Row),
    /// It could not be computed: the row is compared with every row of the other side.
    Anywhere,
}

/// What a join shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeJoinKind {
    Inner,
    Left,
    Right,
    Full,
    Semi,
    Anti,
}

/// What the operator asks of the plan.
pub trait RangeLogic {
    /// Rows of one side are all points, those of the other all spans (`Nowhere` and `Anywhere` aside).
    fn place(&mut self, side: JoinSide, row: RowRef<'_>) -> Place;

    /// Whether a pair meets; an error row when that cannot be said. With `whole`, the order is part of the question.
    fn holds(&mut self, left: RowRef<'_>, right: RowRef<'_>, whole: bool) -> Result<bool, Row>;

    /// The output row of a pair, or of a row that is shown without one.
    fn joined(&mut self, left: Option<RowRef<'_>>, right: Option<RowRef<'_>>) -> Row;
}

/// The value that carries a row of a side into the operator. A row that `meets` nothing whatever its order is marked so.
pub fn tag(side: JoinSide, meets: bool) -> Datum<'static> {
    Datum::Int(i64::from(side == JoinSide::Right) + if meets { 0 } else { 2 })
}

#[derive(Clone, Copy, Default)]
struct Entry {
    count: Diff,
    /// Rows of the other side that it meets, each as often as it is there.
    matches: Diff,
    failures: Diff,
}

/// About what an entry takes besides its places and its rows' own heap.
const ENTRY_BYTES: usize = size_of::<Row>() + size_of::<Entry>() + 24;

/// The rows of one key.
#[derive(Default)]
struct Group {
    points: BTreeMap<(Row, Row), Entry>,
    spans: IntervalTree<Entry>,
    /// Rows that are nowhere: left, right.
    nowhere: [BTreeMap<Row, Entry>; 2],
    /// Rows that could not be placed: left, right.
    unplaced: [BTreeMap<Row, Entry>; 2],
}

/// The state of the join: all keys of one worker.
pub struct RangeJoin {
    kind: RangeJoinKind,
    /// The side whose rows are points.
    points: JoinSide,
    logic: Box<dyn RangeLogic>,
    groups: HashMap<Row, Group>,
}

/// A row of the other side that a change meets.
struct Met {
    row: Row,
    place: Place,
    before: Entry,
    outcome: Result<(), Row>,
}

impl RangeJoin {
    pub fn new(kind: RangeJoinKind, points: JoinSide, logic: Box<dyn RangeLogic>) -> RangeJoin {
        RangeJoin { kind, points, logic, groups: HashMap::new() }
    }

    /// The side whose failing rows hide their pairs.
    fn hiding(&self) -> Option<JoinSide> {
        match self.kind {
            RangeJoinKind::Inner => None,
            RangeJoinKind::Right => Some(JoinSide::Right),
            _ => Some(JoinSide::Left),
        }
    }

    fn shows_pairs(&self) -> bool {
        !matches!(self.kind, RangeJoinKind::Semi | RangeJoinKind::Anti)
    }

    /// Whether a row with so many matches and failures is shown by itself.
    fn shows_alone(&self, side: JoinSide, matches: Diff, failures: Diff) -> bool {
        let unmatched = matches == 0 && failures == 0;
        match (self.kind, side) {
            (RangeJoinKind::Semi, JoinSide::Left) => matches != 0 && failures == 0,
            (RangeJoinKind::Left | RangeJoinKind::Full | RangeJoinKind::Anti, JoinSide::Left) => unmatched,
            (RangeJoinKind::Right | RangeJoinKind::Full, JoinSide::Right) => unmatched,
            _ => false,
        }
    }

    fn alone(&mut self, side: JoinSide, row: &Row) -> Row {
        match side {
            JoinSide::Left => self.logic.joined(Some(row.as_ref()), None),
            JoinSide::Right => self.logic.joined(None, Some(row.as_ref())),
        }
    }

    fn pair(&mut self, side: JoinSide, row: &Row, other: &Row) -> Row {
        match side {
            JoinSide::Left => self.logic.joined(Some(row.as_ref()), Some(other.as_ref())),
            JoinSide::Right => self.logic.joined(Some(other.as_ref()), Some(row.as_ref())),
        }
    }

    /// The rows of the other side that a row meets or fails with.
    fn met(&mut self, group: &mut Group, side: JoinSide, row: &Row, place: &Place) -> Vec<Met> {
        let mut met = Vec::new();
        let logic = &mut self.logic;
        let mut ask = |other: &Row, entry: &Entry, place: &dyn Fn() -> Place, whole: bool| {
            let outcome = match side {
                JoinSide::Left => logic.holds(row.as_ref(), other.as_ref(), whole),
                JoinSide::Right => logic.holds(other.as_ref(), row.as_ref(), whole),
            };
            let outcome = match outcome {
                Ok(false) => return,
                Ok(true) => Ok(()),
                Err(error) => Err(error),
            };
            met.push(Met { row: other.clone(), place: place(), before: *entry, outcome });
        };
        match place {
            Place::Nowhere => {}
            Place::Point(point) => {
                group.spans.holding(point, &mut |low, high, other, entry| {
                    ask(other, entry, &|| Place::Span(low.clone(), high.clone()), false);
                });
            }
            Place::Span(low, high) => {
                for ((point, other), entry) in group.points.range((low.clone(), Row::default())..) {
                    if point >= high {
                        break;
                    }
                    ask(other, entry, &|| Place::Point(point.clone()), false);
                }
            }
            Place::Anywhere if side == self.points => {
                group.spans.for_each(&mut |low, high, other, entry| {
                    ask(other, entry, &|| Place::Span(low.clone(), high.clone()), true);
                });
            }
            Place::Anywhere => {
                for ((point, other), entry) in &group.points {
                    ask(other, entry, &|| Place::Point(point.clone()), true);
                }
            }
        }
        if *place == Place::Anywhere {
            for (other, entry) in &group.nowhere[side.other() as usize] {
                ask(other, entry, &|| Place::Nowhere, true);
            }
        }
        for (other, entry) in &group.unplaced[side.other() as usize] {
            ask(other, entry, &|| Place::Anywhere, true);
        }
        met
    }

    /// One row comes or goes.
    fn change(&mut self, group: &mut Group, side: JoinSide, row: &Row, diff: Diff, output: &mut Changes) {
        let place = self.logic.place(side, row.as_ref());
        let met = self.met(group, side, row, &place);
        let (mut matches, mut failures) = (0, 0);
        for other in &met {
            match other.outcome {
                Ok(()) => matches += other.before.count,
                Err(_) => failures += other.before.count,
            }
        }
        let own_hides = self.hiding() == Some(side) && failures != 0;
        for other in met {
            let mut after = other.before;
            match &other.outcome {
                Ok(()) => {
                    after.matches += diff;
                    let hidden = own_hides || (self.hiding() == Some(side.other()) && after.failures != 0);
                    if self.shows_pairs() && !hidden {
                        output.rows.push((self.pair(side, row, &other.row), diff * other.before.count));
                    }
                }
                Err(error) => {
                    after.failures += diff;
                    output.errors.push((error.clone(), diff * other.before.count));
                }
            }
            self.flip(group, side.other(), &other, after, output);
            group.put(side.other(), &other.row, &other.place, after);
        }
        let count = group.count(side, row, &place) + diff;
        if self.shows_alone(side, matches, failures) {
            output.rows.push((self.alone(side, row), diff));
        }
        group.put(side, row, &place, Entry { count, matches, failures });
    }

    /// What a row of the other side shows anew because its matches or failures changed.
    fn flip(&mut self, group: &mut Group, side: JoinSide, other: &Met, after: Entry, output: &mut Changes) {
        let before = other.before;
        let was_alone = self.shows_alone(side, before.matches, before.failures);
        let is_alone = self.shows_alone(side, after.matches, after.failures);
        if was_alone != is_alone {
            let diff = if is_alone { before.count } else { -before.count };
            output.rows.push((self.alone(side, &other.row), diff));
        }
        let hides = self.hiding() == Some(side) && self.shows_pairs();
        if hides && (before.failures == 0) != (after.failures == 0) {
            // All pairs of the row go, or come back: those of the changing row are failures and not among them.
            let sign = if after.failures == 0 { before.count } else { -before.count };
            for pair in self.met(group, side, &other.row, &other.place) {
                if pair.outcome.is_ok() {
                    output.rows.push((self.pair(side, &other.row, &pair.row), sign * pair.before.count));
                }
            }
        }
    }

    fn show_lone(&mut self, side: JoinSide, row: &Row, diff: Diff, output: &mut Changes) {
        if self.shows_alone(side, 0, 0) {
            output.rows.push((self.alone(side, row), diff));
        }
    }
}

impl Group {
    fn is_empty(&self) -> bool {
        self.points.is_empty()
            && self.spans.is_empty()
            && self.nowhere.iter().chain(&self.unplaced).all(BTreeMap::is_empty)
    }

    fn count(&mut self, side: JoinSide, row: &Row, place: &Place) -> Diff {
        let entry = match place {
            Place::Nowhere => self.nowhere[side as usize].get(row).copied(),
            Place::Point(point) => self.points.get(&(point.clone(), row.clone())).copied(),
            Place::Span(low, high) => self.spans.get_mut(low, high, row).copied(),
            Place::Anywhere => self.unplaced[side as usize].get(row).copied(),
        };
        entry.map_or(0, |entry| entry.count)
    }

    /// Sets a row's entry; a count of zero takes the row out.
    fn put(&mut self, side: JoinSide, row: &Row, place: &Place, entry: Entry) {
        match place {
            Place::Nowhere => set(&mut self.nowhere[side as usize], row.clone(), entry),
            Place::Point(point) => set(&mut self.points, (point.clone(), row.clone()), entry),
            Place::Anywhere => set(&mut self.unplaced[side as usize], row.clone(), entry),
            Place::Span(low, high) => match self.spans.get_mut(low, high, row) {
                Some(_) if entry.count == 0 => self.spans.remove(low, high, row),
                Some(known) => *known = entry,
                None if entry.count == 0 => {}
                None => self.spans.insert(low.clone(), high.clone(), row.clone(), entry),
            },
        }
    }
}

fn set<K: Ord>(entries: &mut BTreeMap<K, Entry>, key: K, entry: Entry) {
    if entry.count == 0 {
        entries.remove(&key);
    } else {
        entries.insert(key, entry);
    }
}

impl KeyedState for RangeJoin {
    fn update(&mut self, key: RowRef<'_>, values: &[(Row, Diff)], output: &mut Changes) {
        let key = key.to_row();
        let mut group = self.groups.remove(&key).unwrap_or_default();
        let mut changes = Changes::default();
        for (value, diff) in values {
            let mut columns = value.iter();
            let tag = columns.next().map_or(0, |tag| tag.unwrap_int());
            let row = Row::from_bytes(columns.rest());
            let side = if tag % 2 == 0 { JoinSide::Left } else { JoinSide::Right };
            if tag >= 2 {
                self.show_lone(side, &row, *diff, &mut changes);
            } else {
                self.change(&mut group, side, &row, *diff, &mut changes);
            }
        }
        if !group.is_empty() {
            self.groups.insert(key, group);
        }
        consolidate(&mut changes.rows);
        consolidate(&mut changes.errors);
        output.rows.append(&mut changes.rows);
        output.errors.append(&mut changes.errors);
    }

    fn size(&self) -> StateSize {
        let mut size = StateSize::default();
        let mut add = |row: &Row, places: usize| {
            size += StateSize { rows: 1, bytes: ENTRY_BYTES + row.heap_bytes() + places };
        };
        for group in self.groups.values() {
            group.points.keys().for_each(|(point, row)| add(row, size_of::<Row>() + point.heap_bytes()));
            group.spans.for_each(&mut |low, high, row, _| {
                add(row, 2 * size_of::<Row>() + low.heap_bytes() + high.heap_bytes());
            });
            let others = group.nowhere.iter().chain(&group.unplaced);
            others.flat_map(|rows| rows.keys()).for_each(|row| add(row, 0));
        }
        size
    }
}

#[cfg(test)]
#[path = "range_join_tests.rs"]
mod tests;
