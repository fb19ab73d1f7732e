//! Reading the parts of a node in the form its reader wants.
//!
//! ```text
//!   part (rows │ arrangement │ join) ──decode needed columns──> Mfp ──finish──> row │ (key, value) │ (group, lanes)
//! ```

use std::rc::Rc;
use std::sync::Arc;

use eval::{Arena, EvalError};
use flow::{
    Accum, Accums, Arrangement, Collection, Copies, Gives, GroupEmit, GroupLogic, GroupView, JoinInput, JoinLogic,
    PairLogic, Record, RowLogic, Rows,
};
use row::{Datum, Row, RowBuilder, RowRef};

use super::Context;
use super::errors::Blame;
use super::groups::Groups;
use super::keyed_join::KeyedJoin;
use super::layout::{Layout, Reader};
use super::mfp::{Match, Mfp, Need, Step, recycle, unpack};
use crate::plan::Plan;

/// Something to read: its columns, with NULL columns before and after them where an outer join pads.
pub struct Part {
    pub source: Source,
    /// Columns of the source.
    pub arity: usize,
    pub nulls_before: usize,
    pub nulls_after: usize,
    /// What to do with the source's columns (and the NULLs) before anything else; infallible and without filters.
    pub first: Option<Mfp>,
}

#[allow(clippy::large_enum_variant)] // made once per operator, while rendering
pub enum Source {
    Rows(Rows),
    Arranged(Arrangement, Layout),
    /// A window, which runs the chain above it inside.
    Window(Arc<Plan>),
    /// Columns are the left's and then the right's, or the left's alone. Rendered for the reader, which says what it needs.
    Join(Box<KeyedJoin>),
    /// Columns are the group's key and its aggregates, or a hub's and those of its sides.
    Groups {
        lanes: Accums,
        hub: Option<(JoinInput, Layout)>,
        copies: Copies,
        groups: Groups,
    },
}

impl Source {
    /// Whether each reader of the source would hold a state of its own.
    pub fn holds_own_state(&self) -> bool {
        matches!(self, Source::Window(_) | Source::Join(_) | Source::Groups { .. })
    }
}

impl Part {
    pub fn rows(rows: Rows, arity: usize) -> Part {
        Part::new(Source::Rows(rows), arity)
    }

    pub fn arranged(arrangement: Arrangement, layout: Layout) -> Part {
        let arity = layout.places.len();
        Part::new(Source::Arranged(arrangement, layout), arity)
    }

    pub fn new(source: Source, arity: usize) -> Part {
        Part { source, arity, nulls_before: 0, nulls_after: 0, first: None }
    }

    fn width(&self) -> usize {
        self.nulls_before + self.arity + self.nulls_after
    }
}

/// Turns the columns of a row that passed its `Mfp` into the reader's record.
///
/// The logic gets the columns that it reads, two empty builders, and where the record goes. It cannot fail: what can is a step
/// of the `Mfp`.
pub struct Finish<D> {
    pub logic: Logic<D>,
    /// Columns (after the steps) that the logic reads.
    pub reads: Vec<usize>,
    /// Of each of them, whether the logic only puts it into a row.
    pub moves: Vec<bool>,
}

pub type Logic<D> = Rc<dyn Fn(&[Datum<'_>], &mut RowBuilder, &mut RowBuilder, &mut Vec<D>)>;

impl<D> Finish<D> {
    pub fn new(logic: Logic<D>, reads: Vec<usize>) -> Finish<D> {
        Finish { logic, moves: vec![false; reads.len()], reads }
    }

    /// Of the columns that it reads, those of a range are only put into rows.
    pub fn moving(mut self, columns: std::ops::Range<usize>) -> Finish<D> {
        self.moves[columns].fill(true);
        self
    }
}

impl<D> Clone for Finish<D> {
    fn clone(&self) -> Finish<D> {
        Finish { logic: self.logic.clone(), reads: self.reads.clone(), moves: self.moves.clone() }
    }
}

/// The three forms a reader may want.
pub trait Form: Record {
    fn map(rows: Rows, name: &str, logic: RowLogic<Self>) -> (Collection<Self>, Rows);
    fn read(arrangement: &Arrangement, name: &str, logic: PairLogic<Self>) -> (Collection<Self>, Rows);
    fn join(left: JoinInput, right: JoinInput, gives: Gives, logic: JoinLogic<Self>) -> (Collection<Self>, Rows);
    fn groups(
        lanes: Accums,
        hub: Option<JoinInput>,
        copies: Copies,
        logic: GroupLogic<Self>,
    ) -> (Collection<Self>, Rows);
}

macro_rules! form {
    ($record:ty, $map:path, $read:path, $join:path, $groups:path) => {
        impl Form for $record {
            fn map(rows: Rows, name: &str, logic: RowLogic<Self>) -> (Collection<Self>, Rows) {
                $map(rows, name, logic)
            }
            fn read(arrangement: &Arrangement, name: &str, logic: PairLogic<Self>) -> (Collection<Self>, Rows) {
                $read(arrangement, name, logic)
            }
            fn join(
                left: JoinInput,
                right: JoinInput,
                gives: Gives,
                logic: JoinLogic<Self>,
            ) -> (Collection<Self>, Rows) {
                $join(left, right, gives, logic)
            }
            fn groups(
                lanes: Accums,
                hub: Option<JoinInput>,
                copies: Copies,
                logic: GroupLogic<Self>,
            ) -> (Collection<Self>, Rows) {
                $groups(lanes, hub, copies, logic)
            }
        }
    };
}

form!(Row, flow::map_to_rows, flow::read_to_rows, flow::join_to_rows, flow::groups_to_rows);
form!((Row, Row), flow::map_to_keyed, flow::read_to_keyed, flow::join_to_keyed, flow::groups_to_keyed);
form!((Row, Accum), flow::map_to_accums, flow::read_to_accums, flow::join_to_accums, flow::groups_to_accums);

impl Context {
    /// Reads parts as rows: the outputs of `mfp`, packed.
    pub fn read_rows(&mut self, parts: Vec<Part>, mfp: Mfp, name: &str) -> Rows {
        if let [Part { source: Source::Window(plan), first: None, .. }] = &parts[..] {
            return self.window(plan, &mfp);
        }
        let finish = packed(mfp.outputs.clone());
        self.read_form(parts, &mfp, finish, name)
    }

    /// Reads parts in a form: runs the steps of `mfp`, then hands `finish` the columns it reads, in its order.
    pub fn read_form<D: Form>(&mut self, parts: Vec<Part>, mfp: &Mfp, finish: Finish<D>, name: &str) -> Collection<D> {
        let parts = parts.into_iter();
        Collection::concatenate(parts.map(|part| self.part_to_form(part, mfp, finish.clone(), name)).collect())
    }

    fn part_to_form<D: Form>(&mut self, mut part: Part, mfp: &Mfp, finish: Finish<D>, name: &str) -> Collection<D> {
        let mut chain = part.first.clone().unwrap_or_else(|| Mfp::identity(part.width()));
        // What the finisher reads is numbered over `mfp`'s columns: make it the outputs of the composed chain.
        chain.append(&Mfp { outputs: finish.reads.clone(), ..mfp.clone() });
        if let Source::Window(plan) = &part.source {
            assert_eq!(part.width(), part.arity, "a window's part has no padding");
            part = Part::rows(self.window(plan, &chain), chain.outputs.len());
            chain = Mfp::identity(part.arity);
        }
        let fallible = chain.is_fallible();
        if let Source::Join(join) = part.source {
            assert_eq!(part.nulls_before + part.nulls_after, 0, "a join pads its rows itself");
            return self.keyed_join(&join, chain, finish);
        }
        let matches = match part.source {
            // What rows do not have is not decoded first.
            Source::Rows(_) if part.nulls_before == 0 => chain.take_matches(part.arity),
            _ => Vec::new(),
        };
        let finish = Finish { reads: chain.outputs.clone(), ..finish };
        let mut stage = self.stage(&chain, finish);
        stage.matches = matches;
        stage.needed = stage.needed[part.nulls_before..part.nulls_before + part.arity].to_vec();
        (stage.nulls_before, stage.nulls_after) = (part.nulls_before, part.nulls_after);
        let (collection, errors, groups_fail) = match part.source {
            Source::Rows(rows) => {
                let (collection, errors) = D::map(rows, name, stage.over_rows());
                (collection, errors, false)
            }
            Source::Arranged(arrangement, layout) => {
                let (collection, errors) = D::read(&arrangement, name, stage.over_arrangement(&layout));
                (collection, errors, false)
            }
            Source::Groups { lanes, hub, copies, groups } => {
                let can_fail = groups.can_fail;
                let (hub, layout) = hub.unzip();
                let (collection, errors) = D::groups(lanes, hub, copies, stage.over_groups(layout.as_ref(), groups));
                (collection, errors, can_fail)
            }
            Source::Window(_) | Source::Join(_) => unreachable!("these were rendered above"),
        };
        if fallible || groups_fail {
            self.add_errors(errors);
        }
        collection
    }

    /// A join; each side that it holds itself holds what the chain needs of it.
    fn keyed_join<D: Form>(&mut self, join: &KeyedJoin, chain: Mfp, finish: Finish<D>) -> Collection<D> {
        let is_own = [&join.left, &join.right].map(|side| self.is_own_side(side) && join.left.key != join.right.key);
        let ([left_exprs, right_exprs], chain) = join.divide(&chain, is_own);
        let (left, left_layout) = self.join_input(&join.left, &left_exprs, is_own[0]);
        let (right, right_layout) = self.join_input(&join.right, &right_exprs, is_own[1]);
        let fallible = chain.is_fallible();
        let stage = self.stage(&chain, Finish { reads: chain.outputs.clone(), ..finish });
        let (collection, errors) = D::join(left, right, join.gives, stage.over_join(&left_layout, &right_layout));
        if fallible {
            self.add_errors(errors);
        }
        collection
    }

    /// The logic of a chain over plain rows.
    pub fn logic_over_rows<D: 'static>(&self, mfp: &Mfp, finish: Finish<D>) -> RowLogic<D> {
        self.stage(mfp, finish).over_rows()
    }

    /// The logic of a chain over the pairs of a join.
    pub fn logic_over_pairs<D: 'static>(
        &self,
        mfp: &Mfp,
        finish: Finish<D>,
        left: &Layout,
        right: &Layout,
    ) -> JoinLogic<D> {
        self.stage(mfp, finish).over_join(left, right)
    }

    fn stage<D: 'static>(&self, mfp: &Mfp, finish: Finish<D>) -> Stage<D> {
        let chain = Mfp { outputs: finish.reads, ..mfp.clone() };
        Stage {
            blames: self.blames(&chain),
            needed: chain.needs(&finish.moves),
            matches: Vec::new(),
            nulls_before: 0,
            nulls_after: 0,
            last: Last {
                logic: finish.logic,
                takes: takes(&chain.outputs),
                outputs: Vec::new(),
                builders: Default::default(),
            },
            chain,
            arena: Arena::new(),
            columns: Vec::new(),
        }
    }

    pub fn blames(&self, chain: &Mfp) -> Vec<Blame> {
        let names: Vec<String> = (0..chain.width()).map(|i| format!("${i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let steps = chain.steps.iter().map(|step| match step {
            Step::Map(expr) | Step::Filter(expr) => expr.describe(&names),
        });
        steps.map(|expression| Blame { model: self.model.clone(), expression }).collect()
    }
}

/// Appends the columns of both sides; a row that is missing has NULLs.
fn read_sides<'a>(
    readers: &[Reader; 2],
    key: RowRef<'a>,
    values: [Option<RowRef<'a>>; 2],
    columns: &mut Vec<Datum<'a>>,
) {
    for (reader, value) in readers.iter().zip(values) {
        match value {
            Some(value) => reader.read(key, value, columns),
            None => columns.resize(columns.len() + reader.width(), Datum::Null),
        }
    }
}

/// Packs these columns into a row.
pub fn packed(reads: Vec<usize>) -> Finish<Row> {
    let outputs = reads.len();
    let logic = move |columns: &[Datum<'_>], builder: &mut RowBuilder, _: &mut RowBuilder, out: &mut Vec<Row>| {
        columns[..outputs].iter().for_each(|datum| builder.push(datum));
        out.push(builder.finish());
    };
    Finish::new(Rc::new(logic), reads).moving(0..outputs)
}

fn takes(outputs: &[usize]) -> Vec<(usize, bool)> {
    let is_last = |(i, column): (usize, &usize)| (*column, !outputs[i + 1..].contains(column));
    outputs.iter().enumerate().map(is_last).collect()
}

/// One operator's row logic: decode, run the chain, finish.
struct Stage<D> {
    chain: Mfp,
    last: Last<D>,
    /// One per step of the chain.
    blames: Vec<Blame>,
    /// What is needed of the source's columns.
    needed: Vec<Need>,
    /// Filters that look at a row before it is decoded.
    matches: Vec<Match>,
    nulls_before: usize,
    nulls_after: usize,
    /// Buffers, reused from row to row.
    arena: Arena,
    columns: Vec<Datum<'static>>,
}

/// Which blame, and why.
type Failed = Result<(), (usize, EvalError)>;

impl<D: 'static> Stage<D> {
    fn over_rows(mut self) -> RowLogic<D> {
        Box::new(move |row, emit| {
            if !self.matches.iter().all(|known| known.holds(row)) {
                return;
            }
            let outcome = self.run(|needed, columns| unpack(row, needed, columns), &mut emit.rows);
            if let Err((blame, error)) = outcome {
                emit.errors.push(self.blames[blame].row(&error.0, row.iter()));
            }
        })
    }

    fn over_arrangement(mut self, layout: &Layout) -> PairLogic<D> {
        let reader = Reader::new(layout, &self.needed);
        let whole = Reader::new(layout, &vec![Need::Value; self.needed.len()]);
        Box::new(move |key, value, emit| {
            let outcome = self.run(|_, columns| reader.read(key, value, columns), &mut emit.rows);
            if let Err((blame, error)) = outcome {
                let mut all = Vec::new();
                whole.read(key, value, &mut all);
                emit.errors.push(self.blames[blame].row(&error.0, all.into_iter()));
            }
        })
    }

    fn over_groups(mut self, hub: Option<&Layout>, groups: Groups) -> GroupLogic<D> {
        let hub_columns = hub.map_or(groups.key_columns, |layout| layout.places.len());
        let reader = hub.map(|layout| Reader::new(layout, &self.needed[..hub_columns]));
        let whole = hub.map(|layout| Reader::new(layout, &vec![Need::Value; hub_columns]));
        // Of the group as it was, and as it is.
        let mut finished: [Vec<Datum<'static>>; 2] = Default::default();
        let mut exists = [false; 2];
        Box::new(move |group: GroupView<'_>, outs: &mut [GroupEmit<D>; 2]| {
            let GroupView { key, hub, is_first, lanes } = group;
            if is_first {
                for (((lanes, out), finished), exists) in
                    lanes.iter().zip(&mut *outs).zip(&mut finished).zip(&mut exists)
                {
                    finished.clear();
                    *exists = lanes.is_some_and(|lanes| groups.finish(key, lanes, finished, &mut out.group_errors));
                }
            }
            if !exists.contains(&true) {
                return;
            }
            self.arena.reset();
            let mut columns = recycle(std::mem::take(&mut self.columns));
            match &reader {
                Some(reader) => reader.read(key, hub, &mut columns),
                None => unpack(key, &self.needed[..hub_columns], &mut columns),
            }
            for (((finished, exists), lanes), out) in finished.iter().zip(exists).zip(lanes).zip(outs) {
                if !exists || lanes.is_none() {
                    continue;
                }
                columns.truncate(hub_columns);
                groups.append(key, finished, &mut columns);
                if let Err((blame, error)) =
                    self.last.give(&self.chain, &self.arena, &mut columns, false, &mut out.emit.rows)
                {
                    let mut all = Vec::new();
                    match &whole {
                        Some(whole) => whole.read(key, hub, &mut all),
                        None => all.extend(key.iter()),
                    }
                    groups.append(key, finished, &mut all);
                    out.emit.errors.push(self.blames[blame].row(&error.0, all.into_iter()));
                }
            }
            self.columns = recycle(columns);
        })
    }

    fn over_join(mut self, left: &Layout, right: &Layout) -> JoinLogic<D> {
        let layouts = [left, right];
        let columns_of = layouts.map(|layout| layout.places.len());
        // A join that gives its left side alone has no columns of the right one.
        let needed = |side: usize| {
            let from = side * columns_of[0];
            let needed =
                (from..from + columns_of[side]).map(|column| self.needed.get(column).copied().unwrap_or(Need::Nothing));
            needed.collect::<Vec<Need>>()
        };
        let readers = [Reader::new(left, &needed(0)), Reader::new(right, &needed(1))];
        let wholes = layouts.map(|layout| Reader::new(layout, &vec![Need::Value; layout.places.len()]));
        Box::new(move |key, left, right, emit| {
            let outcome = self.run(|_, columns| read_sides(&readers, key, [left, right], columns), &mut emit.rows);
            if let Err((blame, error)) = outcome {
                let mut all = Vec::new();
                read_sides(&wholes, key, [left, right], &mut all);
                emit.errors.push(self.blames[blame].row(&error.0, all.into_iter()));
            }
        })
    }

    /// Runs one row: `decode` appends the source's columns.
    fn run<'r>(&mut self, decode: impl FnOnce(&[Need], &mut Vec<Datum<'r>>), out: &mut Vec<D>) -> Failed {
        self.arena.reset();
        let mut decoded: Vec<Datum<'r>> = recycle(std::mem::take(&mut self.columns));
        decoded.resize(self.nulls_before, Datum::Null);
        decode(&self.needed, &mut decoded);
        let mut columns = decoded;
        for _ in 0..self.nulls_after {
            columns.push(Datum::Null);
        }
        let result = self.last.give(&self.chain, &self.arena, &mut columns, true, out);
        self.columns = recycle(columns);
        result
    }
}

/// The end of a chain: its outputs become the reader's record.
struct Last<D> {
    logic: Logic<D>,
    /// The chain's outputs, each with whether no later output is the same column.
    takes: Vec<(usize, bool)>,
    /// Buffers, reused from row to row.
    outputs: Vec<Datum<'static>>,
    builders: (RowBuilder, RowBuilder),
}

impl<D> Last<D> {
    /// Runs the chain over the source's columns and hands its outputs on; `takes`: the columns are not looked at again.
    fn give<'a>(
        &mut self,
        chain: &'a Mfp,
        arena: &'a Arena,
        columns: &mut Vec<Datum<'a>>,
        takes: bool,
        out: &mut Vec<D>,
    ) -> Failed {
        match chain.run(columns, arena) {
            Ok(false) => Ok(()),
            Err(failure) => Err((failure.step, failure.error)),
            Ok(true) => {
                let mut outputs = recycle(std::mem::take(&mut self.outputs));
                outputs.extend(self.takes.iter().map(|(column, is_last)| {
                    // The last use of a column takes it; only columns used twice are copied.
                    let datum = &mut columns[*column];
                    if takes && *is_last { std::mem::replace(datum, Datum::Null) } else { datum.clone() }
                }));
                let (first, second) = &mut self.builders;
                (self.logic)(&outputs, first, second, out);
                self.outputs = recycle(outputs);
                Ok(())
            }
        }
    }
}
