//! The first rows of each group in an order: ORDER BY … LIMIT, DISTINCT ON.
//!
//! ```text
//!   rank   0 … offset … offset + limit …            a row that comes in above the window pushes one in at its top and one out at
//!              └── shown rows ──┘                    its bottom; one that comes in below changes nothing
//! ```
//!
//! 1. Ties are broken by the whole row, so the answer is determined.
//! 2. A change takes O(log n) and gives out only rows that come or go.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use differential_dataflow::consolidation::consolidate;
use eval::OrderTerm;
use flow::{Changes, KeyedState, StateSize};
use index::Index;
use row::{Datum, Diff, Row, RowRef, push_order_key};
use smallvec::SmallVec;

use super::ordered::Multiset;
use super::parts::{Finish, Logic, Part};
use super::{Context, node_key};
use crate::plan::Plan;

#[cfg(test)]
#[path = "top_k_tests.rs"]
mod tests;

impl Context {
    pub fn top_k(
        &mut self,
        plan: &Arc<Plan>,
        input: &Arc<Plan>,
        group: &[usize],
        order_by: &[OrderTerm],
        limit: Option<u64>,
        offset: u64,
    ) -> Vec<Part> {
        let (base, mut mfp) = self.peel_input(input);
        let columns = mfp.outputs.clone();
        let order: Vec<usize> = order_by.iter().map(|term| mfp.push_expr(&term.expr)).collect();
        let order: Vec<usize> = order.iter().map(|output| mfp.outputs[*output]).collect();
        let directions: Vec<_> = order_by.iter().map(|term| term.direction).collect();
        let groups: Vec<usize> = group.iter().map(|column| columns[*column]).collect();
        let (group_count, order_count) = (groups.len(), order.len());
        let reads: Vec<usize> = groups.into_iter().chain(order).chain(columns).collect();
        let all = reads.len();
        let logic: Logic<(Row, Row)> = Rc::new(move |datums, key, value, out| {
            let (group, rest) = datums.split_at(group_count);
            let (order, columns) = rest.split_at(order_count);
            group.iter().for_each(|datum| key.push_normalized(datum));
            let mut order_key: SmallVec<[u8; 32]> = SmallVec::new();
            for (datum, direction) in order.iter().zip(&directions) {
                push_order_key(&mut order_key, datum, *direction);
            }
            value.push(&Datum::Bytes(&order_key));
            columns.iter().for_each(|datum| value.push(datum));
            out.push((key.finish(), value.finish()));
        });
        let rest = group_count + order_count..all;
        let finish = Finish::new(logic, reads).moving(0..group_count).moving(rest);
        let parts = self.upstream(&base);
        let keyed = self.read_form(parts, &mfp, finish, "Key[TopK]");
        let ranks = |rank: u64| i64::try_from(rank).unwrap_or(i64::MAX);
        let window =
            Window { offset: ranks(offset), end: ranks(limit.map_or(u64::MAX, |limit| offset.saturating_add(limit))) };
        let (rows, _) = flow::keyed(keyed, "TopK", Box::new(TopK { window, groups: HashMap::new() }));
        self.rows.insert(node_key(plan), rows.clone());
        vec![Part::rows(rows, plan.arity())]
    }
}

/// The ranks that are shown.
#[derive(Clone, Copy, Debug)]
struct Window {
    offset: i64,
    end: i64,
}

struct TopK {
    window: Window,
    groups: HashMap<Row, Multiset>,
}

impl KeyedState for TopK {
    fn update(&mut self, key: RowRef<'_>, values: &[(Row, Diff)], output: &mut Changes) {
        let members = self.groups.entry(key.to_row()).or_default();
        let mut changes: Vec<(Row, Diff)> = Vec::new();
        for (value, diff) in values {
            let (order_key, row) = split(value.as_ref());
            let (before, after) = members.update(order_key, row, *diff);
            if before != after {
                let rank = members.index().rank(order_key, row);
                shift(members.index(), rank, row, after - before, self.window, &mut changes);
            }
        }
        if members.is_empty() {
            self.groups.remove(&key.to_row());
        }
        consolidate(&mut changes);
        output.rows.append(&mut changes);
    }

    fn size(&self) -> StateSize {
        let mut size = StateSize::default();
        for (key, members) in &self.groups {
            size += members.size();
            size.bytes += size_of::<(Row, Multiset)>() + key.heap_bytes();
        }
        size
    }
}

/// What comes into and goes out of the window when a row at `rank` gets `diff` more copies; the index has them already.
///
/// Taking copies away is putting them in, backwards: both are told by the index without the copies and the one with them.
fn shift(index: &Index, rank: i64, row: RowRef<'_>, diff: Diff, window: Window, changes: &mut Vec<(Row, Diff)>) {
    let copies = diff.abs();
    // Where a row that stands at a rank of the index without the copies stands in the index as it is.
    let moved = diff.max(0);
    let others = index.len() - moved;
    let mut give = |from: i64, to: i64, sign: Diff| {
        let mut left = to - from;
        if left <= 0 {
            return;
        }
        for entry in index.iter_from(from + moved) {
            let skipped = (from + moved - entry.rank).max(0);
            let taken = left.min(entry.copies - skipped);
            changes.push((entry.row.to_row(), sign * taken));
            left -= taken;
            if left == 0 {
                break;
            }
        }
    };
    // Rows behind the copies move by so many ranks: some into the window at its top, some out of it at its bottom.
    let sign = diff.signum();
    give(rank.max(window.offset - copies), window.offset.min(window.end - copies).min(others), sign);
    give(rank.max(window.offset).max(window.end - copies), window.end.min(others), -sign);
    let shown = window.end.min(rank + copies) - window.offset.max(rank);
    if shown > 0 {
        changes.push((row.to_row(), sign * shown));
    }
}

fn split(row: RowRef<'_>) -> (&[u8], RowRef<'_>) {
    let mut iter = row.iter();
    match iter.next() {
        Some(Datum::Bytes(key)) => (key, RowRef::new(iter.rest())),
        other => panic!("a top-k row begins with its order key, not {other:?}"),
    }
}
