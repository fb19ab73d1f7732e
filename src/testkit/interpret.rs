//! The batch oracle: what a plan's result is, computed the plain way over whole inputs.
//!
//! ```text
//!   Plan + inputs (multisets of rows) ──interpret──> rows with counts, and the errors that were set aside
//! ```
//!
//! 1. It shares expressions with the engine and nothing else: aggregates, joins, distinct and top-k are written again here,
//!    for reading and not for speed.
//! 2. Errors follow the engine's rule: a failing row leaves the node it fails at, a failing pair leaves an inner join, a
//!    failing group leaves its reduction, and a preserved row with a failing pair leaves an outer, semi or anti join.
//! 3. Keys are compared by value (`1.0` is `1.00`); of several forms of one key the least packed row is shown.

mod aggregate;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eval::{AggregateCall, Arena, EvalError, Expr, OrderTerm, TableCall};
use row::{Datum, OwnedDatum, Row, RowBuilder, SortDirection, push_order_key};
use smallvec::SmallVec;

use crate::plan::recursion::{ROUNDS_MAX, dependents, too_deep};
use crate::plan::tree::post_order;
use crate::plan::{EquiTerm, JoinKind, Plan, RelationId};
use aggregate::{aggregate, check_arguments};

/// Rows with their counts; none is zero.
pub type Multiset = BTreeMap<Row, i64>;

/// The contents of every relation that plans may read.
pub type Inputs = BTreeMap<RelationId, Multiset>;

/// A plan's result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub rows: Multiset,
    /// Messages of what failed, with how often.
    pub errors: BTreeMap<String, i64>,
}

/// Computes a plan's result. A relation without an entry in `inputs` is empty.
pub fn interpret(plan: &Arc<Plan>, inputs: &Inputs) -> Outcome {
    let mut interpreter = Interpreter {
        inputs,
        done: BTreeMap::new(),
        held: Vec::new(),
        recursions: BTreeMap::new(),
        errors: BTreeMap::new(),
    };
    let rows = (*interpreter.rows(plan)).clone();
    Outcome { rows, errors: interpreter.errors }
}

/// The rows with every value in the form keys have: for comparing results by value.
pub fn by_value(rows: &Multiset) -> Multiset {
    let mut result = Multiset::new();
    for (row, count) in rows {
        add(&mut result, normalized(row.iter()), *count);
    }
    result
}

struct Interpreter<'a> {
    inputs: &'a Inputs,
    /// Results by the node's address: a node with two readers is computed once and errs once.
    done: BTreeMap<usize, Arc<Multiset>>,
    /// Keeps those nodes alive, so that no address is used twice.
    held: Vec<Arc<Plan>>,
    /// The rows that each recursion reads in this round.
    recursions: BTreeMap<String, Multiset>,
    errors: BTreeMap<String, i64>,
}

fn add(rows: &mut Multiset, row: Row, count: i64) {
    use std::collections::btree_map::Entry;
    match rows.entry(row) {
        Entry::Vacant(entry) => {
            if count != 0 {
                entry.insert(count);
            }
        }
        Entry::Occupied(mut entry) => {
            *entry.get_mut() += count;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

fn normalized<'a>(datums: impl Iterator<Item = Datum<'a>>) -> Row {
    Row::pack(datums.map(Datum::normalized))
}

fn evaluate(expr: &Expr, row: &Row) -> Result<OwnedDatum, EvalError> {
    let datums: Vec<Datum<'_>> = row.iter().collect();
    let arena = Arena::new();
    expr.eval(&datums, &arena).map(|datum| OwnedDatum::new(&datum))
}

fn evaluate_all<'e>(exprs: impl Iterator<Item = &'e Expr>, row: &Row) -> Result<Row, EvalError> {
    let mut builder = RowBuilder::default();
    for expr in exprs {
        builder.push(&evaluate(expr, row)?.datum());
    }
    Ok(builder.finish())
}

/// Whether every predicate is true; a predicate that is false or NULL decides before one that fails.
fn holds(predicates: &[Expr], row: &Row) -> Result<bool, EvalError> {
    let mut failed = None;
    for predicate in predicates {
        match evaluate(predicate, row) {
            Ok(value) if value.datum().unwrap_bool() == Some(true) => {}
            Ok(_) => return Ok(false),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(true), Err)
}

impl Interpreter<'_> {
    fn rows(&mut self, plan: &Arc<Plan>) -> Arc<Multiset> {
        let address = Arc::as_ptr(plan) as usize;
        if let Some(rows) = self.done.get(&address) {
            return Arc::clone(rows);
        }
        let rows = Arc::new(self.node(plan));
        self.held.push(Arc::clone(plan));
        self.done.insert(address, Arc::clone(&rows));
        rows
    }

    fn fail(&mut self, error: &EvalError, count: i64) {
        *self.errors.entry(error.to_string()).or_default() += count;
    }

    fn node(&mut self, plan: &Plan) -> Multiset {
        match plan {
            Plan::Get { relation, .. } => self.inputs.get(relation).cloned().unwrap_or_default(),
            Plan::Constant { rows, .. } => {
                let mut result = Multiset::new();
                rows.iter().for_each(|(row, count)| add(&mut result, row.clone(), *count));
                result
            }
            Plan::Map { input, exprs } => self.each(input, |row| {
                let new = evaluate_all(exprs.iter().map(|(expr, _)| expr), row)?;
                Ok(Some(concatenated(row, &new)))
            }),
            Plan::Project { input, columns } => self.each(input, |row| {
                let datums: Vec<Datum<'_>> = row.iter().collect();
                Ok(Some(Row::pack(columns.iter().map(|column| datums[*column].clone()))))
            }),
            Plan::Filter { input, predicates } => {
                self.each(input, |row| Ok(holds(predicates, row)?.then(|| row.clone())))
            }
            Plan::FlatMap { input, calls, ordinality, keeps_input } => {
                let calls: Vec<&TableCall> = calls.iter().map(|(call, _)| call).collect();
                self.flat_map(input, &calls, ordinality.is_some(), *keeps_input)
            }
            Plan::Temporal { input, reading, predicates } => {
                let Some(clock) = self.inputs.get(&reading.relation()).and_then(|rows| rows.keys().next()) else {
                    return Multiset::new();
                };
                self.each(input, |row| {
                    let beside = concatenated(row, clock);
                    // A value that fails fails its row, whatever the other comparisons say: time must not decide it.
                    let values: Vec<OwnedDatum> =
                        predicates.iter().map(|predicate| evaluate(predicate, &beside)).collect::<Result<_, _>>()?;
                    let is_true = |value: &OwnedDatum| value.datum().unwrap_bool() == Some(true);
                    Ok(values.iter().all(is_true).then(|| row.clone()))
                })
            }
            Plan::Join { kind, left, right, on, residual } => self.join(*kind, left, right, on, residual),
            Plan::Reduce { input, group, aggregates } => {
                let group: Vec<&Expr> = group.iter().map(|(expr, _)| expr).collect();
                let calls: Vec<&AggregateCall> = aggregates.iter().map(|(call, _)| call).collect();
                self.reduce(input, &group, &calls)
            }
            Plan::Snapshot { .. } => panic!("a snapshot has a history: there is no batch answer"),
            Plan::Distinct { input } => {
                let rows = self.rows(input);
                keyed(&rows).into_values().filter(|(_, count)| *count > 0).map(|(row, _)| (row, 1)).collect()
            }
            Plan::Threshold { input } => {
                let rows = self.rows(input);
                keyed(&rows).into_values().filter(|(_, count)| *count > 0).collect()
            }
            Plan::Window { input, partition, order_by, calls } => self.window(input, partition, order_by, calls),
            Plan::TopK { input, group, order_by, limit, offset } => self.top_k(input, group, order_by, *limit, *offset),
            Plan::Recursive { name, base, step, distinct } => self.recursive(name, base, step, *distinct),
            Plan::Recursion { name, .. } => self.recursions.get(name).cloned().unwrap_or_default(),
            Plan::Union { inputs } => {
                let mut result = Multiset::new();
                for input in inputs {
                    self.rows(input).iter().for_each(|(row, count)| add(&mut result, row.clone(), *count));
                }
                result
            }
            Plan::Negate { input } => self.rows(input).iter().map(|(row, count)| (row.clone(), -count)).collect(),
        }
    }

    fn each(&mut self, input: &Arc<Plan>, change: impl Fn(&Row) -> Result<Option<Row>, EvalError>) -> Multiset {
        let mut result = Multiset::new();
        for (row, count) in self.rows(input).iter() {
            match change(row) {
                Ok(Some(new)) => add(&mut result, new, *count),
                Ok(None) => {}
                Err(error) => self.fail(&error, *count),
            }
        }
        result
    }

    /// Round by round, each over the rows that the one before it added.
    fn recursive(&mut self, name: &str, base: &Arc<Plan>, step: &Arc<Plan>, distinct: bool) -> Multiset {
        let mut seen: BTreeSet<Row> = BTreeSet::new();
        let mut fresh = |rows: &Multiset| -> Multiset {
            if !distinct {
                return rows.clone();
            }
            let new = keyed(rows).into_iter().filter(|(key, (_, count))| *count > 0 && seen.insert(key.clone()));
            new.map(|(_, (row, _))| (row, 1)).collect()
        };
        let dependents = dependents(step, name);
        let readers: Vec<usize> = post_order(step)
            .iter()
            .filter(|node| dependents.get(node).is_some())
            .map(|node| Arc::as_ptr(node) as usize)
            .collect();
        let mut working = fresh(&self.rows(base));
        let mut result = working.clone();
        let outer = self.recursions.remove(name);
        for round in 0.. {
            if working.is_empty() {
                break;
            }
            if round == ROUNDS_MAX {
                let error = EvalError::new(too_deep(name));
                working.values().for_each(|count| self.fail(&error, *count));
                break;
            }
            self.recursions.insert(name.to_owned(), working);
            let next = self.rows(step);
            readers.iter().for_each(|reader| {
                self.done.remove(reader);
            });
            working = fresh(&next);
            working.iter().for_each(|(row, count)| add(&mut result, row.clone(), *count));
        }
        self.recursions.remove(name);
        self.recursions.extend(outer.map(|rows| (name.to_owned(), rows)));
        result
    }

    fn flat_map(&mut self, input: &Arc<Plan>, calls: &[&TableCall], ordinality: bool, keeps_input: bool) -> Multiset {
        let mut result = Multiset::new();
        for (row, count) in self.rows(input).iter() {
            let datums: Vec<Datum<'_>> = row.iter().collect();
            let tables: Vec<Vec<Row>> = match calls.iter().map(|call| call.rows(&datums)).collect() {
                Ok(tables) => tables,
                Err(error) => {
                    self.fail(&error, *count);
                    continue;
                }
            };
            let mut number = 0;
            loop {
                let ended = tables.iter().all(|table| number >= table.len());
                if ended && !(number == 0 && keeps_input) {
                    break;
                }
                let mut builder = RowBuilder::default();
                builder.push_row(row.as_ref());
                for table in &tables {
                    match table.get(number) {
                        Some(made) => builder.push_row(made.as_ref()),
                        None => builder.push(&Datum::Null),
                    }
                }
                number += 1;
                if ordinality {
                    builder.push(&if ended { Datum::Null } else { Datum::Int(number as i64) });
                }
                add(&mut result, builder.finish(), *count);
                if ended {
                    break;
                }
            }
        }
        result
    }

    fn join(
        &mut self,
        kind: JoinKind,
        left: &Arc<Plan>,
        right: &Arc<Plan>,
        on: &[EquiTerm],
        residual: &[Expr],
    ) -> Multiset {
        let (left_width, right_width) = (left.typ().columns.len(), right.typ().columns.len());
        let (left, right) = (self.rows(left), self.rows(right));
        let left = self.with_keys(&left, on, |term| &term.left);
        let right = self.with_keys(&right, on, |term| &term.right);
        let mut by_key: BTreeMap<&Row, Vec<usize>> = BTreeMap::new();
        for (index, (_, _, key)) in right.iter().enumerate() {
            if let Some(key) = key {
                by_key.entry(key).or_default().push(index);
            }
        }
        let mut result = Multiset::new();
        // Pairs of a right join, by their right row: those of a row that fails are left out.
        let mut right_pairs = Vec::new();
        // Of each right row: met a left row, and met one with which the condition failed.
        let mut right_met = vec![(false, false); right.len()];
        for (row, count, key) in &left {
            let candidates = key.as_ref().and_then(|key| by_key.get(key));
            let mut pairs = Vec::new();
            let mut failed = false;
            for index in candidates.into_iter().flatten() {
                let (other, other_count, _) = &right[*index];
                let pair = concatenated(row, other);
                match holds(residual, &pair) {
                    Ok(true) => {
                        right_met[*index].0 = true;
                        if kind == JoinKind::Right {
                            right_pairs.push((*index, pair, count * other_count));
                        } else {
                            pairs.push((pair, count * other_count));
                        }
                    }
                    Ok(false) => {}
                    Err(error) => {
                        failed = true;
                        right_met[*index].1 = true;
                        self.fail(&error, count * other_count);
                    }
                }
            }
            let preserves = matches!(kind, JoinKind::Left | JoinKind::Full | JoinKind::Semi | JoinKind::Anti);
            if failed && preserves {
                continue;
            }
            match kind {
                JoinKind::Semi if !pairs.is_empty() => add(&mut result, row.clone(), *count),
                JoinKind::Anti if pairs.is_empty() => add(&mut result, row.clone(), *count),
                JoinKind::Semi | JoinKind::Anti => {}
                JoinKind::Left | JoinKind::Full if pairs.is_empty() => {
                    add(&mut result, concatenated(row, &nulls(right_width)), *count);
                }
                _ => pairs.into_iter().for_each(|(pair, count)| add(&mut result, pair, count)),
            }
        }
        for (index, pair, count) in right_pairs {
            if !right_met[index].1 {
                add(&mut result, pair, count);
            }
        }
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            for ((row, count, _), (met, failed)) in right.iter().zip(right_met) {
                if !met && !failed {
                    add(&mut result, concatenated(&nulls(left_width), row), *count);
                }
            }
        }
        result
    }

    /// Rows with their join keys; `None` for a key that matches nothing because it is NULL. Rows whose key fails go.
    fn with_keys<'t>(
        &mut self,
        rows: &Multiset,
        on: &'t [EquiTerm],
        side: impl Fn(&'t EquiTerm) -> &'t Expr,
    ) -> Vec<(Row, i64, Option<Row>)> {
        let mut keyed = Vec::new();
        for (row, count) in rows {
            match evaluate_all(on.iter().map(&side), row) {
                Ok(key) => {
                    let dead = key.iter().zip(on).any(|(datum, term)| datum.is_null() && !term.null_equal);
                    keyed.push((row.clone(), *count, (!dead).then(|| normalized(key.iter()))));
                }
                Err(error) => self.fail(&error, *count),
            }
        }
        keyed
    }

    fn reduce(&mut self, input: &Arc<Plan>, group: &[&Expr], calls: &[&AggregateCall]) -> Multiset {
        let mut groups: BTreeMap<Row, (Row, Vec<(Row, i64)>)> = BTreeMap::new();
        if group.is_empty() {
            groups.insert(Row::default(), (Row::default(), Vec::new()));
        }
        for (row, count) in self.rows(input).iter() {
            match evaluate_all(group.iter().copied(), row) {
                Ok(key) => {
                    let entry = groups.entry(normalized(key.iter())).or_insert_with(|| (key.clone(), Vec::new()));
                    if key < entry.0 {
                        entry.0 = key;
                    }
                    entry.1.push((row.clone(), *count));
                }
                Err(error) => self.fail(&error, *count),
            }
        }
        let mut result = Multiset::new();
        for (key, members) in groups.into_values() {
            let members = self.without_failing(members, calls);
            if members.is_empty() && !group.is_empty() {
                continue;
            }
            let mut builder = RowBuilder::default();
            builder.push_row(key.as_ref());
            let finished = calls.iter().try_for_each(|call| {
                builder.push(&aggregate(call, &members)?.datum());
                Ok(())
            });
            match finished {
                Ok(()) => add(&mut result, builder.finish(), 1),
                Err(error) => self.fail(&error, 1),
            }
        }
        result
    }

    /// The members of a group none of whose aggregate arguments fails.
    fn without_failing(&mut self, members: Vec<(Row, i64)>, calls: &[&AggregateCall]) -> Vec<(Row, i64)> {
        let mut kept = Vec::new();
        for (row, count) in members {
            let checked = calls.iter().try_for_each(|call| check_arguments(call, &row));
            match checked {
                Ok(()) => kept.push((row, count)),
                Err(error) => self.fail(&error, count),
            }
        }
        kept
    }

    fn top_k(
        &mut self,
        input: &Arc<Plan>,
        group: &[usize],
        order_by: &[OrderTerm],
        limit: Option<u64>,
        offset: u64,
    ) -> Multiset {
        let mut groups: BTreeMap<Row, Vec<(SmallVec<[u8; 32]>, Row, i64)>> = BTreeMap::new();
        for (row, count) in self.rows(input).iter() {
            let datums: Vec<Datum<'_>> = row.iter().collect();
            let key = normalized(group.iter().map(|column| datums[*column].clone()));
            let mut order = SmallVec::new();
            let ordered = order_by.iter().try_for_each(|term| {
                push_order_key(&mut order, &evaluate(&term.expr, row)?.datum(), term.direction);
                Ok(())
            });
            match ordered {
                Ok(()) => {
                    datums.iter().for_each(|datum| push_order_key(&mut order, datum, SortDirection::ASCENDING));
                    groups.entry(key).or_default().push((order, row.clone(), *count));
                }
                Err(error) => self.fail(&error, *count),
            }
        }
        let mut result = Multiset::new();
        for mut members in groups.into_values() {
            members.sort();
            let (mut skip, mut left) = (offset, limit.unwrap_or(u64::MAX));
            for (_, row, count) in members {
                let copies = u64::try_from(count).unwrap_or(0);
                let skipped = skip.min(copies);
                skip -= skipped;
                let taken = left.min(copies - skipped);
                left -= taken;
                add(&mut result, row, taken as i64);
            }
        }
        result
    }
}

fn concatenated(left: &Row, right: &Row) -> Row {
    let mut builder = RowBuilder::default();
    builder.push_row(left.as_ref());
    builder.push_row(right.as_ref());
    builder.finish()
}

fn nulls(width: usize) -> Row {
    Row::pack(std::iter::repeat_n(Datum::Null, width))
}

/// Rows that are equal by value under one key, with their total count and the least form that is there more than not.
fn keyed(rows: &Multiset) -> BTreeMap<Row, (Row, i64)> {
    let mut keyed: BTreeMap<Row, (Row, i64, bool)> = BTreeMap::new();
    for (row, count) in rows {
        let entry = keyed.entry(normalized(row.iter())).or_insert_with(|| (row.clone(), 0, *count > 0));
        entry.1 += count;
        if *count > 0 && !entry.2 {
            entry.0 = row.clone();
            entry.2 = true;
        }
    }
    keyed.into_iter().map(|(key, (row, count, _))| (key, (row, count))).collect()
}
