//! Which rows a change can reach, by what each call looks at.
//!
//! All spans are found in the index as it is before the changes: a row that stays and that a change reaches stood near it, or
//! after it, already.

use std::cell::OnceCell;
use std::rc::Rc;

use eval::{Arena, Expr};
use index::{Entry, Lanes};
use row::{Datum, Row};

use super::call::Kind;
use super::place::{Place, Span};
use super::view::View;
use crate::plan::{FrameBound, FrameUnits};

/// One row's change, as it is put into the index.
pub struct Change {
    pub key: Rc<[u8]>,
    pub row: Rc<Row>,
    pub diff: i64,
    /// Of one copy.
    pub lanes: Lanes,
    pub marks: Vec<Option<Vec<u8>>>,
}

/// All changes of a key.
struct Group {
    key: Rc<[u8]>,
    rows: i64,
    lanes: Lanes,
    /// -1: no row of the key is left; 1: there was none before.
    exists: i64,
}

/// Appends the spans that the changes, which are in order, can reach.
pub fn reach(view: &View<'_>, changes: &[Change], spans: &mut Vec<Span>) {
    let groups: OnceCell<Vec<Group>> = OnceCell::new();
    let groups = || &**groups.get_or_init(|| by_key(view, changes));
    let rows_change = changes.iter().map(|change| change.diff).sum::<i64>() != 0;
    for call in (0..view.spec.calls.len()).filter(|call| view.spec.reading.visible[*call]) {
        match &view.call(call).kind {
            Kind::RowNumber => {
                let mut shift = 0;
                for (i, change) in changes.iter().enumerate() {
                    shift += change.diff;
                    if shift != 0 {
                        spans.push((change.after(), changes.get(i + 1).map_or(Place::End, Change::before)));
                    }
                }
            }
            Kind::PercentRank | Kind::CumeDist if rows_change => spans.push((Place::Start, Place::End)),
            Kind::Rank | Kind::PercentRank => gaps(groups(), Place::AfterKey, |group| &group.rows, spans),
            Kind::DenseRank => gaps(groups(), Place::AfterKey, |group| &group.exists, spans),
            Kind::CumeDist => gaps(groups(), Place::BeforeKey, |group| &group.rows, spans),
            // What lies between old and new boundaries.
            Kind::Ntile(_) => {}
            Kind::Beside { offset, back, .. } => match constant(offset) {
                None => spans.push((Place::Start, Place::End)),
                Some(None) => {}
                Some(Some(offset)) => {
                    let offset = if *back { -i128::from(offset) } else { i128::from(offset) };
                    let reach = i64::try_from(offset.unsigned_abs()).unwrap_or(i64::MAX);
                    let (before, after) = if offset < 0 { (0, reach) } else { (reach, 0) };
                    changes.iter().for_each(|change| spans.push(change.around(view, before, after)));
                }
            },
            _ if is_one_value(view, call) => {}
            _ => match view.call(call).frame.units {
                FrameUnits::Rows => in_rows(view, call, changes, spans),
                FrameUnits::Range => in_range(view, call, groups(), spans),
            },
        }
    }
}

/// Whether a call has one value for all rows of a partition, by which a change is noticed.
pub fn is_one_value(view: &View<'_>, call: usize) -> bool {
    let call = view.call(call);
    let (start, end) = (&call.frame.start, &call.frame.end);
    match &call.kind {
        Kind::Sum(_) | Kind::Extreme(_) | Kind::List(_) => call.is_whole(),
        Kind::First(_) => {
            *start == FrameBound::Unbounded
                && matches!(end, FrameBound::Unbounded | FrameBound::CurrentRow | FrameBound::Offset(0..))
        }
        Kind::Last(_) => {
            *end == FrameBound::Unbounded
                && matches!(start, FrameBound::Unbounded | FrameBound::CurrentRow | FrameBound::Offset(..=0))
        }
        Kind::Nth(_, n) => call.is_whole() && n.is_constant(),
        _ => false,
    }
}

impl Change {
    pub fn before(&self) -> Place {
        Place::Before(self.key.clone(), self.row.clone())
    }

    pub fn after(&self) -> Place {
        Place::After(self.key.clone(), self.row.clone())
    }

    /// So many rows before and after the changed one.
    fn around(&self, view: &View<'_>, before: i64, after: i64) -> Span {
        let (from, to) = view.index.ranks(&self.key, self.row.as_ref().as_ref());
        let (from, to) = (from.saturating_sub(before), to.saturating_add(after));
        (Place::before_rank(view.index, from), Place::after_rank(view.index, to))
    }
}

/// Spans from each group up to the next while what has been added up so far is not zero.
fn gaps(groups: &[Group], place: fn(Rc<[u8]>) -> Place, amount: fn(&Group) -> &i64, spans: &mut Vec<Span>) {
    let mut sum = 0;
    for (i, group) in groups.iter().enumerate() {
        sum += amount(group);
        if sum != 0 {
            let next = groups.get(i + 1).map_or(Place::End, |next| place(next.key.clone()));
            spans.push((place(group.key.clone()), next));
        }
    }
}

fn by_key(view: &View<'_>, changes: &[Change]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for change in changes {
        let is_new = groups.last().is_none_or(|group| group.key != change.key);
        if is_new {
            groups.push(Group { key: change.key.clone(), rows: 0, lanes: Lanes::new(), exists: 0 });
        }
        if let Some(group) = groups.last_mut() {
            group.rows += change.diff;
            add(&mut group.lanes, &change.lanes, change.diff);
        }
    }
    for group in &mut groups {
        let before = view.index.rank_after_key(&group.key) - view.index.rank_of_key(&group.key);
        group.exists = i64::from(before + group.rows > 0) - i64::from(before > 0);
    }
    groups
}

fn add(lanes: &mut Lanes, more: &[i64], times: i64) {
    if lanes.len() < more.len() {
        lanes.resize(more.len(), 0);
    }
    lanes.iter_mut().zip(more).for_each(|(lane, more)| *lane += more * times);
}

fn is_zero(lanes: &[i64]) -> bool {
    lanes.iter().all(|lane| *lane == 0)
}

/// The value of an expression without columns; the inner `None` is NULL.
fn constant(expr: &Expr) -> Option<Option<i64>> {
    if !expr.is_constant() {
        return None;
    }
    match expr.eval(&[], &Arena::new()) {
        Ok(Datum::Int(value)) => Some(Some(value)),
        Ok(_) => Some(None),
        Err(_) => None,
    }
}

fn in_rows(view: &View<'_>, call: usize, changes: &[Change], spans: &mut Vec<Span>) {
    let call = view.call(call);
    let offset = |bound: &FrameBound| match bound {
        FrameBound::Offset(offset) => Some(*offset),
        FrameBound::CurrentRow => Some(0),
        FrameBound::Unbounded | FrameBound::Value(_) => None,
    };
    let (start, end) = (offset(&call.frame.start), offset(&call.frame.end));
    let distance = |offset: Option<i64>| offset.map_or(0, i64::saturating_abs);
    match (&call.kind, start, end) {
        // The row at one end of the frame, wherever the other end lies.
        (Kind::First(_), Some(_), _) | (Kind::Last(_), _, Some(_)) => {
            let reach = distance(start).max(distance(end));
            changes.iter().for_each(|change| spans.push(change.around(view, reach, reach)));
        }
        (Kind::Sum(_), None, Some(0)) => {
            let mut sum = Lanes::new();
            for (i, change) in changes.iter().enumerate() {
                add(&mut sum, &change.lanes, change.diff);
                if !is_zero(&sum) {
                    spans.push((change.before(), changes.get(i + 1).map_or(Place::End, Change::before)));
                }
            }
        }
        _ => {
            for change in changes {
                let ahead = end.map_or(0, |end| end.max(0)).saturating_add(1);
                let behind = start.map_or(0, |start| start.min(0).saturating_neg()).saturating_add(1);
                let (from, to) = change.around(view, ahead, behind);
                let from = if end.is_none() { Place::Start } else { from };
                let to = if start.is_none() { Place::End } else { to };
                spans.push((from, to));
            }
        }
    }
}

fn in_range(view: &View<'_>, call: usize, groups: &[Group], spans: &mut Vec<Span>) {
    let call = view.call(call);
    let (start, end) = (&call.frame.start, &call.frame.end);
    let is_current = |bound: &FrameBound| matches!(bound, FrameBound::CurrentRow | FrameBound::Offset(_));
    let is_value = |bound: &FrameBound| matches!(bound, FrameBound::Value(_));
    if matches!(call.kind, Kind::Sum(_)) && *start == FrameBound::Unbounded && is_current(end) {
        let mut sum = Lanes::new();
        for (i, group) in groups.iter().enumerate() {
            add(&mut sum, &group.lanes, 1);
            if !is_zero(&sum) {
                let next = groups.get(i + 1).map_or(Place::End, |next| Place::BeforeKey(next.key.clone()));
                spans.push((Place::BeforeKey(group.key.clone()), next));
            }
        }
        return;
    }
    let only_peers = (matches!(call.kind, Kind::First(_)) && is_current(start) && !is_value(end))
        || (matches!(call.kind, Kind::Last(_)) && is_current(end) && !is_value(start));
    for group in groups {
        let (before, after) = (Place::BeforeKey(group.key.clone()), Place::AfterKey(group.key.clone()));
        if only_peers {
            spans.push((before, after));
            continue;
        }
        let from = match end {
            FrameBound::Unbounded => Place::Start,
            FrameBound::Value(bound) => {
                let reaches = |entry: &Entry<'_>, key: &[u8]| key < &*group.key && entry.key < &*group.key;
                Place::before_rank(view.index, first_not(view, bound, reaches))
            }
            _ => before.clone(),
        };
        let to = match start {
            FrameBound::Unbounded => Place::End,
            FrameBound::Value(bound) => {
                let reaches = |_: &Entry<'_>, key: &[u8]| key <= &*group.key;
                Place::after_rank(view.index, first_not(view, bound, reaches))
            }
            _ => after.clone(),
        };
        // A frame may look only ahead or only back; the changed rows' peers are reached at least.
        spans.push((from, to));
        spans.push((before, after));
    }
}

/// The first rank whose frame bound is not as asked, given that a bound grows along the order.
fn first_not(view: &View<'_>, bound: &Expr, asked: impl Fn(&Entry<'_>, &[u8]) -> bool) -> i64 {
    let (mut low, mut high) = (0, view.index.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let arena = Arena::new();
        let is_before = match view.index.at(middle) {
            // A bound that fails was set aside before its row came here.
            Some(entry) => view.bound(bound, &entry, &arena).is_ok_and(|key| asked(&entry, &key)),
            None => false,
        };
        if is_before { low = middle + 1 } else { high = middle }
    }
    low
}
