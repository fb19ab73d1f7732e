//! The outputs of rows: their calls' values, and what the chain above makes of them.

use eval::Arena;
use flow::Changes;
use index::{Entry, compare_rows};
use row::{Datum, Diff, Row, RowBuilder};

use super::reach::Change;
use super::view::View;
use crate::render::mfp::unpack;

/// Buffers, reused from row to row.
#[derive(Default)]
pub struct Emitter {
    arena: Arena,
    builder: RowBuilder,
}

impl Emitter {
    /// Appends the outputs of the rows of some ranks, each with `sign`.
    pub fn emit<'a>(&mut self, view: &View<'a>, ranges: &[(i64, i64)], sign: Diff, changes: &mut Changes) {
        for (from, to) in ranges {
            for entry in view.index.iter_from(*from).take_while(|entry| entry.rank < *to) {
                let (first, last) = (entry.rank.max(*from), (entry.rank + entry.copies).min(*to));
                for rank in first..last {
                    self.emit_row(view, &entry, rank, sign, changes);
                }
            }
        }
    }

    /// Takes away the outputs that rows of these ranks had before the changes, which the index has already and which are in order.
    /// None of the rows is among the changes.
    pub fn take_back<'a>(
        &mut self,
        before: &View<'a>,
        ranges: &[(i64, i64)],
        applied: &[Change],
        changes: &mut Changes,
    ) {
        let added: Vec<i64> = applied
            .iter()
            .scan(0, |sum, change| {
                *sum += change.diff;
                Some(*sum)
            })
            .collect();
        for (from, to) in ranges {
            let mut next: Option<usize> = None;
            for entry in before.index.iter_from(*from).take_while(|entry| entry.rank < *to) {
                let is_earlier = |change: &Change| {
                    let rows = || compare_rows(change.row.as_ref().as_ref(), entry.row);
                    change.key.as_ref().cmp(entry.key).then_with(rows).is_lt()
                };
                let mut at = next.unwrap_or_else(|| applied.partition_point(is_earlier));
                while applied.get(at).is_some_and(is_earlier) {
                    at += 1;
                }
                next = Some(at);
                let shift = at.checked_sub(1).map_or(0, |last| added[last]);
                let (first, last) = (entry.rank.max(*from), (entry.rank + entry.copies).min(*to));
                for rank in first..last {
                    self.emit_row(before, &entry, rank - shift, -1, changes);
                }
            }
        }
    }

    fn emit_row<'a>(&mut self, view: &View<'a>, entry: &Entry<'a>, rank: i64, sign: Diff, changes: &mut Changes) {
        self.arena.reset();
        match output(view, entry, rank, &self.arena, &mut self.builder) {
            Output::Row(row) => push(&mut changes.rows, row, sign),
            Output::Error(error) => push(&mut changes.errors, error, sign),
            Output::Nothing => {}
        }
    }
}

enum Output {
    Row(Row),
    Error(Row),
    Nothing,
}

fn push(changes: &mut Vec<(Row, Diff)>, row: Row, diff: Diff) {
    match changes.last_mut() {
        // Copies of a row mostly have equal outputs.
        Some((last, total)) if *last == row => *total += diff,
        _ => changes.push((row, diff)),
    }
}

fn output<'a>(view: &View<'a>, entry: &Entry<'a>, rank: i64, arena: &Arena, builder: &mut RowBuilder) -> Output {
    let spec = view.spec;
    let mut columns: Vec<Datum<'_>> = Vec::with_capacity(spec.chain.width());
    unpack(entry.row, &spec.reading.columns, &mut columns);
    for call in 0..spec.calls.len() {
        if !spec.reading.used[call] {
            columns.push(Datum::Null);
            continue;
        }
        match view.value(call, entry, rank, arena) {
            Ok(value) => columns.push(value),
            Err(error) => return Output::Error(spec.calls[call].blame.row(&error.0, entry.row.iter())),
        }
    }
    match spec.chain.run(&mut columns, arena) {
        Ok(true) => {
            spec.chain.outputs.iter().for_each(|column| builder.push(&columns[*column]));
            Output::Row(builder.finish())
        }
        Ok(false) => Output::Nothing,
        Err(failure) => Output::Error(spec.blames[failure.step].row(&failure.error.0, entry.row.iter())),
    }
}
