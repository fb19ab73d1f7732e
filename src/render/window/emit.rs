//! The outputs of rows: their calls' values, and what the chain above makes of them.

use eval::Arena;
use flow::Changes;
use index::Entry;
use row::{Datum, Diff, Row, RowBuilder};

use super::atoms::Told;
use super::call::Spec;
use super::moves::{Moves, Range};
use super::steps::{Outcome, Stretches};
use super::view::View;
use crate::render::mfp::{recycle, unpack};

/// Buffers, reused from row to row.
#[derive(Default)]
pub struct Emitter {
    arena: Arena,
    builder: RowBuilder,
    columns: Vec<Datum<'static>>,
}

impl Emitter {
    /// Appends the outputs of the rows of some ranks, each with `sign`.
    pub fn emit<'a>(
        &mut self,
        view: &View<'a>,
        atoms: &[Option<Stretches>],
        ranges: &[Range],
        sign: Diff,
        changes: &mut Changes,
    ) {
        let Some((first, _)) = ranges.first() else { return };
        let mut known = Known::of(view.spec, atoms);
        let mut entries = view.index.iter_from(*first);
        for (from, to) in ranges {
            entries.seek(view.index, *from);
            while entries.rank() < *to
                && let Some(entry) = entries.next()
            {
                let (first, last) = (entry.rank.max(*from), (entry.rank + entry.copies).min(*to));
                for rank in first..last {
                    self.emit_row(view, known.as_mut(), &entry, rank, sign, changes);
                }
            }
        }
    }

    /// Takes away the outputs that rows of these ranks had before the changes, which the index has already. None of the rows has
    /// changed.
    pub fn take_back<'a>(&mut self, before: &View<'a>, ranges: &[Range], moves: &Moves, changes: &mut Changes) {
        let Some((first, _)) = ranges.first() else { return };
        let mut entries = before.index.iter_from(*first);
        for (from, to) in ranges {
            entries.seek(before.index, *from);
            while entries.rank() < *to
                && let Some(entry) = entries.next()
            {
                let (first, last) = (entry.rank.max(*from), (entry.rank + entry.copies).min(*to));
                let shift = moves.row_before(entry.rank) - entry.rank;
                for rank in first..last {
                    self.emit_row(before, None, &entry, rank + shift, -1, changes);
                }
            }
        }
    }

    fn emit_row<'a>(
        &mut self,
        view: &View<'a>,
        known: Option<&mut Known<'_>>,
        entry: &Entry<'a>,
        rank: i64,
        sign: Diff,
        changes: &mut Changes,
    ) {
        self.arena.reset();
        let mut columns = recycle(std::mem::take(&mut self.columns));
        let told = known.and_then(|known| known.at(rank));
        match output(view, told, entry, rank, &self.arena, &mut columns, &mut self.builder) {
            Output::Row(row) => push(&mut changes.rows, row, sign),
            Output::Error(error) => push(&mut changes.errors, error, sign),
            Output::Nothing => {}
        }
        self.columns = recycle(columns);
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

/// What is known of the comparisons of all rows.
struct Known<'a> {
    told: &'a Told,
    /// Of each comparison the stretches, and the one that the last row was in.
    stretches: Vec<(&'a Stretches, usize)>,
    outcomes: Vec<Datum<'static>>,
}

impl<'a> Known<'a> {
    /// None where the outcomes of some are not to be had.
    fn of(spec: &'a Spec, atoms: &'a [Option<Stretches>]) -> Option<Known<'a>> {
        let told = spec.reading.told.as_ref()?;
        let stretches = told.tests.iter().map(|(atom, _)| match atoms.get(*atom) {
            Some(Some(stretches)) if !stretches.is_empty() => Some((stretches, 0)),
            _ => None,
        });
        Some(Known { told, stretches: stretches.collect::<Option<_>>()?, outcomes: Vec::new() })
    }

    /// The comparisons at a rank, which is not before the one last asked for; None where one fails.
    fn at(&mut self, rank: i64) -> Option<(&'a Told, &[Datum<'static>])> {
        self.outcomes.clear();
        for ((stretches, at), (_, passes)) in self.stretches.iter_mut().zip(&self.told.tests) {
            while stretches.get(*at + 1).is_some_and(|next| next.0 <= rank) {
                *at += 1;
            }
            self.outcomes.push(match &stretches[*at].1 {
                Outcome::Is(order) => Datum::Bool(passes(*order)),
                Outcome::Null => Datum::Null,
                Outcome::Failed(_) | Outcome::Bucket(_) => return None,
            });
        }
        Some((self.told, &self.outcomes))
    }
}

fn output<'a: 'r, 'r>(
    view: &View<'a>,
    told: Option<(&'r Told, &[Datum<'static>])>,
    entry: &Entry<'a>,
    rank: i64,
    arena: &'r Arena,
    columns: &mut Vec<Datum<'r>>,
    builder: &mut RowBuilder,
) -> Output {
    let spec = view.spec;
    let (chain, needs, used) = match told {
        Some((told, _)) => (&told.chain, &told.columns, &told.used),
        None => (&spec.chain, &spec.reading.columns, &spec.reading.used),
    };
    unpack(entry.row, needs, columns);
    for (call, is_used) in used.iter().enumerate() {
        if !is_used {
            columns.push(Datum::Null);
            continue;
        }
        match view.value(call, entry, rank, arena) {
            Ok(value) => columns.push(value),
            Err(error) => return Output::Error(spec.calls[call].blame.row(&error.0, entry.row.iter())),
        }
    }
    if let Some((_, outcomes)) = told {
        columns.extend_from_slice(outcomes);
    }
    match chain.run(columns, arena) {
        Ok(true) => {
            chain.outputs.iter().for_each(|column| builder.push(&columns[*column]));
            Output::Row(builder.finish())
        }
        Ok(false) => Output::Nothing,
        Err(failure) => Output::Error(spec.blames[failure.step].row(&failure.error.0, entry.row.iter())),
    }
}
