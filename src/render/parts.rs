//! Reading the parts of a node in the form its reader wants.
//!
//! ```text
//!   part (rows │ arrangement │ join) ──decode needed columns──> Mfp ──finish──> row │ (key, value) │ (group, lanes)
//! ```

use std::rc::Rc;
use std::sync::Arc;

use eval::{Arena, EvalError};
use flow::{Accum, Accums, Arrangement, Emit, Gives, Keyed, Rows};
use row::{Datum, Row, RowBuilder, RowRef};

use super::Context;
use super::errors::Blame;
use super::groups::Groups;
use super::keyed_join::KeyedJoin;
use super::layout::{Layout, Reader};
use super::mfp::{Mfp, Step, recycle, unpack};
use crate::plan::Plan;

/// Something to read: its columns, with NULL columns before and after them where an outer join pads.
pub struct Part<'scope> {
    pub source: Source<'scope>,
    /// Columns of the source.
    pub arity: usize,
    pub nulls_before: usize,
    pub nulls_after: usize,
    /// What to do with the source's columns (and the NULLs) before anything else; infallible and without filters.
    pub first: Option<Mfp>,
    /// The part is taken away rather than added.
    pub negated: bool,
}

#[allow(clippy::large_enum_variant)] // made once per operator, while rendering
pub enum Source<'scope> {
    Rows(Rows<'scope>),
    Arranged(Arrangement<'scope>, Layout),
    /// A window, which runs the chain above it inside.
    Window(Arc<Plan>),
    /// Columns are the left's and then the right's, or the left's alone. Rendered for the reader, which says what it needs.
    KeyedJoin(Box<KeyedJoin>),
    /// Columns are the group's key and its aggregates, or a hub's and those of its sides.
    KeyedGroups {
        lanes: Accums<'scope>,
        hub: Option<(Keyed<'scope>, Layout)>,
        groups: Groups,
    },
    /// Columns are the left's and then the right's.
    Join {
        left: (Arrangement<'scope>, Layout),
        right: (Arrangement<'scope>, Layout),
    },
}

impl Source<'_> {
    /// Whether each reader of the source would hold a state of its own.
    pub fn holds_own_state(&self) -> bool {
        matches!(self, Source::Window(_) | Source::KeyedJoin(_) | Source::KeyedGroups { .. })
    }
}

impl<'scope> Part<'scope> {
    pub fn rows(rows: Rows<'scope>, arity: usize) -> Part<'scope> {
        Part::new(Source::Rows(rows), arity)
    }

    pub fn arranged(arrangement: Arrangement<'scope>, layout: Layout) -> Part<'scope> {
        let arity = layout.places.len();
        Part::new(Source::Arranged(arrangement, layout), arity)
    }

    pub fn new(source: Source<'scope>, arity: usize) -> Part<'scope> {
        Part { source, arity, nulls_before: 0, nulls_after: 0, first: None, negated: false }
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
}

type Logic<D> = Rc<dyn Fn(&[Datum<'_>], &mut RowBuilder, &mut RowBuilder, &mut Vec<D>)>;

impl<D> Clone for Finish<D> {
    fn clone(&self) -> Finish<D> {
        Finish { logic: self.logic.clone(), reads: self.reads.clone() }
    }
}

/// The three forms a reader may want.
pub trait Form<'scope>: Sized + 'static {
    type Collection;
    fn map(rows: Rows<'scope>, name: &str, logic: RowLogic<Self>) -> (Self::Collection, Rows<'scope>);
    fn read(arrangement: Arrangement<'scope>, name: &str, logic: PairLogic<Self>) -> (Self::Collection, Rows<'scope>);
    fn join(left: Arrangement<'scope>, right: Arrangement<'scope>, logic: JoinLogic<Self>) -> Self::Collection;
    fn keyed_join(
        left: Keyed<'scope>,
        right: Keyed<'scope>,
        gives: Gives,
        logic: KeyedJoinLogic<Self>,
    ) -> Self::Collection;
    fn keyed_groups(
        lanes: Accums<'scope>,
        hub: Option<Keyed<'scope>>,
        logic: GroupLogic<Self>,
    ) -> (Self::Collection, Rows<'scope>);
    fn negate(collection: Self::Collection) -> Self::Collection;
    fn concatenate(collections: Vec<Self::Collection>) -> Self::Collection;
}

pub type RowLogic<D> = Box<dyn FnMut(RowRef<'_>, &mut Emit<D>)>;
type PairLogic<D> = Box<dyn FnMut(RowRef<'_>, RowRef<'_>, &mut Emit<D>)>;
type GroupLogic<D> = Box<dyn FnMut(RowRef<'_>, RowRef<'_>, bool, &[i64], &mut Emit<D>)>;
type KeyedJoinLogic<D> = Box<dyn FnMut(RowRef<'_>, Option<RowRef<'_>>, Option<RowRef<'_>>) -> Option<D>>;
pub type JoinLogic<D> = Box<dyn FnMut(RowRef<'_>, RowRef<'_>, RowRef<'_>) -> Option<D>>;

macro_rules! form {
    ($record:ty, $collection:ident, $map:path, $read:path, $join:path, $keyed_join:path, $keyed_groups:path) => {
        impl<'scope> Form<'scope> for $record {
            type Collection = $collection<'scope>;
            fn map(rows: Rows<'scope>, name: &str, logic: RowLogic<Self>) -> (Self::Collection, Rows<'scope>) {
                $map(rows, name, logic)
            }
            fn read(
                arrangement: Arrangement<'scope>,
                name: &str,
                logic: PairLogic<Self>,
            ) -> (Self::Collection, Rows<'scope>) {
                $read(arrangement.stream, name, logic)
            }
            fn join(left: Arrangement<'scope>, right: Arrangement<'scope>, logic: JoinLogic<Self>) -> Self::Collection {
                $join(left, right, logic)
            }
            fn keyed_join(
                left: Keyed<'scope>,
                right: Keyed<'scope>,
                gives: Gives,
                logic: KeyedJoinLogic<Self>,
            ) -> Self::Collection {
                $keyed_join(left, right, gives, logic)
            }
            fn keyed_groups(
                lanes: Accums<'scope>,
                hub: Option<Keyed<'scope>>,
                logic: GroupLogic<Self>,
            ) -> (Self::Collection, Rows<'scope>) {
                $keyed_groups(lanes, hub, logic)
            }
            fn negate(collection: Self::Collection) -> Self::Collection {
                collection.negate()
            }
            fn concatenate(mut collections: Vec<Self::Collection>) -> Self::Collection {
                let first = collections.remove(0);
                if collections.is_empty() { first } else { first.concatenate(collections) }
            }
        }
    };
}

form!(
    Row,
    Rows,
    flow::map_to_rows,
    flow::read_to_rows,
    flow::join_to_rows,
    flow::keyed_join_to_rows,
    flow::keyed_groups_to_rows
);
form!(
    (Row, Row),
    Keyed,
    flow::map_to_keyed,
    flow::read_to_keyed,
    flow::join_to_keyed,
    flow::keyed_join_to_keyed,
    flow::keyed_groups_to_keyed
);
form!(
    (Row, Accum),
    Accums,
    flow::map_to_accums,
    flow::read_to_accums,
    flow::join_to_accums,
    flow::keyed_join_to_accums,
    flow::keyed_groups_to_accums
);

impl<'scope> Context<'scope> {
    /// Reads parts as rows: the outputs of `mfp`, packed.
    pub fn read_rows(&mut self, parts: Vec<Part<'scope>>, mfp: Mfp, name: &str) -> Rows<'scope> {
        if let [Part { source: Source::Window(plan), first: None, negated: false, .. }] = &parts[..] {
            return self.window(plan, &mfp);
        }
        let finish = packed(mfp.outputs.clone());
        self.read_form(parts, &mfp, finish, name)
    }

    /// Reads parts in a form: runs the steps of `mfp`, then hands `finish` the columns it reads, in its order.
    pub fn read_form<D: Form<'scope>>(
        &mut self,
        parts: Vec<Part<'scope>>,
        mfp: &Mfp,
        finish: Finish<D>,
        name: &str,
    ) -> D::Collection {
        let collections = parts
            .into_iter()
            .map(|part| {
                let negated = part.negated;
                let collection = self.part_to_form(part, mfp, finish.clone(), name);
                if negated { D::negate(collection) } else { collection }
            })
            .collect();
        D::concatenate(collections)
    }

    fn part_to_form<D: Form<'scope>>(
        &mut self,
        mut part: Part<'scope>,
        mfp: &Mfp,
        finish: Finish<D>,
        name: &str,
    ) -> D::Collection {
        let mut chain = part.first.clone().unwrap_or_else(|| Mfp::identity(part.width()));
        // What the finisher reads is numbered over `mfp`'s columns: make it the outputs of the composed chain.
        chain.append(&Mfp { outputs: finish.reads.clone(), ..mfp.clone() });
        if let Source::Window(plan) = &part.source {
            assert_eq!(part.width(), part.arity, "a window's part has no padding");
            part = Part::rows(self.window(plan, &chain), chain.outputs.len());
            chain = Mfp::identity(part.arity);
        }
        let fallible = chain.is_fallible();
        if fallible && matches!(part.source, Source::Join { .. } | Source::KeyedJoin(_)) {
            // A join's closure must not fail: join to plain rows first, then run what can fail.
            let joined = Part::new(part.source, part.arity);
            part.source = Source::Rows(self.read_rows(vec![joined], Mfp::identity(part.arity), name));
        }
        if let Source::KeyedJoin(join) = part.source {
            assert_eq!(part.nulls_before + part.nulls_after, 0, "a join with own state pads its rows itself");
            return self.keyed_join(&join, chain, finish.logic);
        }
        self.statistics.operators += 1;
        let needed = chain.needed(chain.outputs.iter().copied());
        let own = part.nulls_before..part.nulls_before + part.arity;
        let stage = Stage {
            blames: self.blames(&chain),
            needed: needed[own].to_vec(),
            nulls_before: part.nulls_before,
            nulls_after: part.nulls_after,
            takes: takes(&chain.outputs),
            chain,
            logic: finish.logic,
            arena: Arena::new(),
            columns: Vec::new(),
            outputs: Vec::new(),
            builders: Default::default(),
        };
        let mut has_errors = fallible;
        let (collection, errors) = match part.source {
            Source::Rows(rows) => D::map(rows, name, stage.over_rows()),
            Source::Arranged(arrangement, layout) => D::read(arrangement, name, stage.over_arrangement(&layout)),
            Source::KeyedJoin(_) => unreachable!("a join with own state was rendered above"),
            Source::KeyedGroups { lanes, hub, groups } => {
                has_errors |= groups.can_fail;
                let (hub, layout) = hub.unzip();
                D::keyed_groups(lanes, hub, stage.over_groups(layout.as_ref(), groups))
            }
            Source::Window(_) => unreachable!("a window was rendered above"),
            Source::Join { left, right } => {
                let logic = stage.over_join(&left.1, &right.1);
                return D::join(left.0, right.0, logic);
            }
        };
        if has_errors {
            self.add_errors(errors);
        }
        collection
    }

    /// A join with own state: each side holds what the chain needs of it.
    fn keyed_join<D: Form<'scope>>(&mut self, join: &KeyedJoin, chain: Mfp, logic: Logic<D>) -> D::Collection {
        let ([left_exprs, right_exprs], chain) = join.divide(&chain);
        let (left, left_layout) = self.keyed_exprs(&join.left, &left_exprs);
        let (right, right_layout) = self.keyed_exprs(&join.right, &right_exprs);
        self.statistics.operators += 1;
        let finish = Finish { logic, reads: chain.outputs.clone() };
        let stage = self.stage(&chain, finish);
        D::keyed_join(left, right, join.gives, stage.over_keyed_join(&left_layout, &right_layout))
    }

    /// The logic of a chain over plain rows.
    pub fn logic_over_rows<D: 'static>(&self, mfp: &Mfp, finish: Finish<D>) -> RowLogic<D> {
        self.stage(mfp, finish).over_rows()
    }

    /// The logic of a chain that cannot fail over the pairs of a join.
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
            needed: chain.needed(chain.outputs.iter().copied()),
            nulls_before: 0,
            nulls_after: 0,
            takes: takes(&chain.outputs),
            chain,
            logic: finish.logic,
            arena: Arena::new(),
            columns: Vec::new(),
            outputs: Vec::new(),
            builders: Default::default(),
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

/// Packs these columns into a row.
pub fn packed(reads: Vec<usize>) -> Finish<Row> {
    let outputs = reads.len();
    let logic = move |columns: &[Datum<'_>], builder: &mut RowBuilder, _: &mut RowBuilder, out: &mut Vec<Row>| {
        columns[..outputs].iter().for_each(|datum| builder.push(datum));
        out.push(builder.finish());
    };
    Finish { logic: Rc::new(logic), reads }
}

fn takes(outputs: &[usize]) -> Vec<(usize, bool)> {
    let is_last = |(i, column): (usize, &usize)| (*column, !outputs[i + 1..].contains(column));
    outputs.iter().enumerate().map(is_last).collect()
}

/// One operator's row logic: decode, run the chain, finish.
struct Stage<D> {
    chain: Mfp,
    logic: Logic<D>,
    /// One per step of the chain.
    blames: Vec<Blame>,
    /// Source columns that are needed.
    needed: Vec<bool>,
    /// The chain's outputs, each with whether no later output is the same column.
    takes: Vec<(usize, bool)>,
    nulls_before: usize,
    nulls_after: usize,
    /// Buffers, reused from row to row.
    arena: Arena,
    columns: Vec<Datum<'static>>,
    outputs: Vec<Datum<'static>>,
    builders: (RowBuilder, RowBuilder),
}

/// Which blame, and why.
type Failed = Result<(), (usize, EvalError)>;

impl<D: 'static> Stage<D> {
    fn over_rows(mut self) -> RowLogic<D> {
        Box::new(move |row, emit| {
            let outcome = self.run(|needed, columns| unpack(row, needed, columns), &mut emit.rows);
            if let Err((blame, error)) = outcome {
                emit.errors.push(self.blames[blame].row(&error.0, row.iter()));
            }
        })
    }

    fn over_arrangement(mut self, layout: &Layout) -> PairLogic<D> {
        let reader = Reader::new(layout, &self.needed);
        let whole = Reader::new(layout, &vec![true; self.needed.len()]);
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
        let hub_columns = hub.map_or(0, |layout| layout.places.len());
        let reader = hub.map(|layout| Reader::new(layout, &self.needed[..hub_columns]));
        let whole = hub.map(|layout| Reader::new(layout, &vec![true; hub_columns]));
        let mut finished: Vec<Datum<'static>> = Vec::new();
        Box::new(move |key, hub_row, is_first, lanes, emit| {
            finished.clear();
            if !groups.finish(key, lanes, is_first, &mut finished, &mut emit.errors) {
                return;
            }
            let outcome = self.run(
                |_, columns| {
                    match &reader {
                        Some(reader) => reader.read(key, hub_row, columns),
                        None => columns.extend(key.iter()),
                    }
                    groups.append(key, &finished, columns);
                },
                &mut emit.rows,
            );
            if let Err((blame, error)) = outcome {
                let mut all = Vec::new();
                match &whole {
                    Some(whole) => whole.read(key, hub_row, &mut all),
                    None => all.extend(key.iter()),
                }
                groups.append(key, &finished, &mut all);
                emit.errors.push(self.blames[blame].row(&error.0, all.into_iter()));
            }
        })
    }

    fn over_join(mut self, left: &Layout, right: &Layout) -> JoinLogic<D> {
        let (left_needed, right_needed) = self.needed.split_at(left.places.len());
        let left = Reader::new(left, left_needed);
        let right = Reader::new(right, right_needed);
        let mut output = Vec::with_capacity(1);
        Box::new(move |key, left_value, right_value| {
            let outcome = self.run(
                |_, columns| {
                    left.read(key, left_value, columns);
                    right.read(key, right_value, columns);
                },
                &mut output,
            );
            if let Err((_, error)) = outcome {
                // Only a numeric beyond 131,072 digits comes here; the pair is left out, and not silently.
                tracing::error!(%error, "a joined row was left out");
            }
            output.pop()
        })
    }

    fn over_keyed_join(mut self, left: &Layout, right: &Layout) -> KeyedJoinLogic<D> {
        let columns_of = [left.places.len(), right.places.len()];
        let (left_needed, right_needed) = self.needed.split_at(columns_of[0]);
        let readers = [Reader::new(left, left_needed), Reader::new(right, right_needed)];
        let mut output = Vec::with_capacity(1);
        Box::new(move |key, left, right| {
            let outcome = self.run(
                |_, columns| {
                    for (side, value) in [left, right].into_iter().enumerate() {
                        match value {
                            Some(value) => readers[side].read(key, value, columns),
                            None => columns.resize(columns.len() + columns_of[side], Datum::Null),
                        }
                    }
                },
                &mut output,
            );
            if let Err((_, error)) = outcome {
                // As in `over_join`.
                tracing::error!(%error, "a joined row was left out");
            }
            output.pop()
        })
    }

    /// Runs one row: `decode` appends the source's columns.
    fn run<'r>(&mut self, decode: impl FnOnce(&[bool], &mut Vec<Datum<'r>>), out: &mut Vec<D>) -> Failed {
        self.arena.reset();
        let mut decoded: Vec<Datum<'r>> = recycle(std::mem::take(&mut self.columns));
        decoded.resize(self.nulls_before, Datum::Null);
        decode(&self.needed, &mut decoded);
        let mut columns = decoded;
        for _ in 0..self.nulls_after {
            columns.push(Datum::Null);
        }
        let mut outputs = recycle(std::mem::take(&mut self.outputs));
        let result = match self.chain.run(&mut columns, &self.arena) {
            Ok(false) => Ok(()),
            Err(failure) => Err((failure.step, failure.error)),
            Ok(true) => {
                for (column, is_last) in &self.takes {
                    // The last use of a column takes it; only columns used twice are copied.
                    let datum = &mut columns[*column];
                    outputs.push(if *is_last { std::mem::replace(datum, Datum::Null) } else { datum.clone() });
                }
                let (first, second) = &mut self.builders;
                (self.logic)(&outputs, first, second, out);
                Ok(())
            }
        };
        self.outputs = recycle(outputs);
        self.columns = recycle(columns);
        result
    }
}
