//! The outputs of rows: their calls' values, and what the chain above makes of them.

use eval::Arena;
use flow::Changes;
use index::Entry;
use row::{Datum, Diff, Row, RowBuilder};

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
