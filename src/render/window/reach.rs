//! Which rows a change can reach, by what each call looks at.
//!
//! All rows are found in the index as it is before the changes: a row that stays and that a change reaches stood near it, or
//! after it, already. So they are told by their ranks in it; the changed rows themselves may or may not be among them.

use std::cell::OnceCell;

use eval::{Arena, Expr};
use index::{Entry, Lanes};
use row::{Datum, RowRef};

use super::call::Kind;
use super::moves::Range;
use super::view::View;
use crate::plan::{FrameBound, FrameUnits};

/// One row's change, as it is put into the index.
pub struct Change<'a> {
    pub key: &'a [u8],
    pub row: RowRef<'a>,
    pub diff: i64,
    /// Its rank before the changes, whether or not it is there, and its copies then.
    pub rank: i64,
    pub copies: i64,
    /// Of one copy.
    pub lanes: Lanes,
    pub marks: Vec<Option<Vec<u8>>>,
}

/// All changes of a key.
struct Group<'a> {
    key: &'a [u8],
    /// The ranks of the rows that had it.
    range: Range,
    rows: i64,
    lanes: Lanes,
    /// -1: no row of the key is left; 1: there was none before.
    exists: i64,
}

/// Appends the rows that the changes, which are in order, can reach.
pub fn reach(view: &View<'_>, changes: &[Change<'_>], spans: &mut Vec<Range>) {
    let groups: OnceCell<Vec<Group<'_>>> = OnceCell::new();
    let groups = || &**groups.get_or_init(|| by_key(view, changes));
    let rows = view.index.len();
    let rows_change = changes.iter().map(|change| change.diff).sum::<i64>() != 0;
    for call in (0..view.spec.calls.len()).filter(|call| view.spec.reading.visible[*call]) {
        match &view.call(call).kind {
            Kind::RowNumber => {
                let mut shift = 0;
                for (i, change) in changes.iter().enumerate() {
                    shift += change.diff;
                    if shift != 0 {
                        spans.push((change.end(), changes.get(i + 1).map_or(rows, |next| next.rank)));
                    }
                }
            }
            Kind::PercentRank | Kind::CumeDist if rows_change => spans.push((0, rows)),
            Kind::Rank | Kind::PercentRank => gaps(groups(), rows, |range| range.1, |group| group.rows, spans),
            Kind::DenseRank => gaps(groups(), rows, |range| range.1, |group| group.exists, spans),
            Kind::CumeDist => gaps(groups(), rows, |range| range.0, |group| group.rows, spans),
            // What lies between old and new boundaries.
            Kind::Ntile(_) => {}
            Kind::Beside { offset, back, .. } => match constant(offset) {
                None => spans.push((0, rows)),
                Some(None) => {}
                Some(Some(offset)) => {
                    let offset = if *back { -i128::from(offset) } else { i128::from(offset) };
                    let reach = i64::try_from(offset.unsigned_abs()).unwrap_or(i64::MAX);
                    let (before, after) = if offset < 0 { (0, reach) } else { (reach, 0) };
                    changes.iter().for_each(|change| spans.push(change.around(rows, before, after)));
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

impl Change<'_> {
    /// The rank after its copies.
    fn end(&self) -> i64 {
        self.rank + self.copies
    }

    /// So many of the `rows` before and after the changed one.
    fn around(&self, rows: i64, before: i64, after: i64) -> Range {
        (self.rank.saturating_sub(before).max(0), self.end().saturating_add(after).min(rows))
    }
}

/// From each group up to the next while what has been added up so far is not zero.
fn gaps(
    groups: &[Group<'_>],
    rows: i64,
    edge: fn(Range) -> i64,
    amount: fn(&Group<'_>) -> i64,
    spans: &mut Vec<Range>,
) {
    let mut sum = 0;
    for (i, group) in groups.iter().enumerate() {
        sum += amount(group);
        if sum != 0 {
            spans.push((edge(group.range), groups.get(i + 1).map_or(rows, |next| edge(next.range))));
        }
    }
}

fn by_key<'a>(view: &View<'_>, changes: &[Change<'a>]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for change in changes {
        if groups.last().is_none_or(|group| group.key != change.key) {
            let range = (view.index.rank_of_key(change.key), view.index.rank_after_key(change.key));
            groups.push(Group { key: change.key, range, rows: 0, lanes: Lanes::new(), exists: 0 });
        }
        if let Some(group) = groups.last_mut() {
            group.rows += change.diff;
            add(&mut group.lanes, &change.lanes, change.diff);
        }
    }
    for group in &mut groups {
        let before = group.range.1 - group.range.0;
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

fn in_rows(view: &View<'_>, call: usize, changes: &[Change<'_>], spans: &mut Vec<Range>) {
    let (call, rows) = (view.call(call), view.index.len());
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
            changes.iter().for_each(|change| spans.push(change.around(rows, reach, reach)));
        }
        (Kind::Sum(_), None, Some(0)) => {
            let mut sum = Lanes::new();
            for (i, change) in changes.iter().enumerate() {
                add(&mut sum, &change.lanes, change.diff);
                if !is_zero(&sum) {
                    spans.push((change.rank, changes.get(i + 1).map_or(rows, |next| next.rank)));
                }
            }
        }
        _ => {
            for change in changes {
                let ahead = end.map_or(0, |end| end.max(0)).saturating_add(1);
                let behind = start.map_or(0, |start| start.min(0).saturating_neg()).saturating_add(1);
                let (from, to) = change.around(rows, ahead, behind);
                spans.push((if end.is_none() { 0 } else { from }, if start.is_none() { rows } else { to }));
            }
        }
    }
}

fn in_range(view: &View<'_>, call: usize, groups: &[Group<'_>], spans: &mut Vec<Range>) {
    let (call, rows) = (view.call(call), view.index.len());
    let (start, end) = (&call.frame.start, &call.frame.end);
    let is_current = |bound: &FrameBound| matches!(bound, FrameBound::CurrentRow | FrameBound::Offset(_));
    let is_value = |bound: &FrameBound| matches!(bound, FrameBound::Value(_));
    if matches!(call.kind, Kind::Sum(_)) && *start == FrameBound::Unbounded && is_current(end) {
        let mut sum = Lanes::new();
        for (i, group) in groups.iter().enumerate() {
            add(&mut sum, &group.lanes, 1);
            if !is_zero(&sum) {
                spans.push((group.range.0, groups.get(i + 1).map_or(rows, |next| next.range.0)));
            }
        }
        return;
    }
    let only_peers = (matches!(call.kind, Kind::First(_)) && is_current(start) && !is_value(end))
        || (matches!(call.kind, Kind::Last(_)) && is_current(end) && !is_value(start));
    for group in groups {
        if only_peers {
            spans.push(group.range);
            continue;
        }
        let from = match end {
            FrameBound::Unbounded => 0,
            FrameBound::Value(bound) => {
                let reaches = |entry: &Entry<'_>, key: &[u8]| key < group.key && entry.key < group.key;
                first_not(view, bound, reaches)
            }
            _ => group.range.0,
        };
        let to = match start {
            FrameBound::Unbounded => rows,
            FrameBound::Value(bound) => first_not(view, bound, |_: &Entry<'_>, key: &[u8]| key <= group.key),
            _ => group.range.1,
        };
        // A frame may look only ahead or only back; the changed rows' peers are reached at least.
        spans.push((from, to));
        spans.push(group.range);
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
