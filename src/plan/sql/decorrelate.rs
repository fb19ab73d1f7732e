//! Subqueries to joins.
//!
//! ```text
//!   outer rows ──┬───────────────────────────────> join on D's columns ──> outer rows with the answer
//!                └─ distinct outer values D ─> query over D ─┘
//! ```
//!
//! 1. A query that reads no outer column is evaluated once and crossed (one row) or joined by what it is compared with.
//! 2. A query whose outer columns are all bound by equalities needs no D: it is grouped by its own columns and joined back.
//! 3. A scalar subquery has at most one row by structure (an aggregate, LIMIT 1, a key); else its rows are counted, and an outer
//!    row that meets several is an error.

use std::sync::Arc;

use eval::{AggregateCall, AggregateFunction, Expr};
use row::ScalarType;

use super::columns::ColumnId;
use super::lower::{Lowered, Lowering, Outer, depends};
use super::rel::{Apply, ApplyKind, Rel};
use crate::plan::expr::{is_not_null, literal_bool, literal_int8, not, reads_only};
use crate::plan::typ::{is_one_row, unique_on};
use crate::plan::{Column, EquiTerm, JoinKind, Plan, PlanError};

impl Lowering<'_> {
    pub(super) fn apply(&mut self, input: &Rel, apply: &Apply, outer: Option<&Outer>) -> Result<Lowered, PlanError> {
        if let Some(outer) = outer
            && let Some(lowered) = self.semi_over_outer(input, apply, outer)?
        {
            return Ok(lowered);
        }
        let input = self.lower(input, outer)?;
        let read: Vec<ColumnId> = apply.query.free().into_iter().filter(|id| input.has(*id)).collect();
        let lowered = if read.is_empty() {
            self.apply_uncorrelated(input, apply)
        } else {
            self.apply_correlated(input, apply, &read)
        };
        lowered.map_err(|error| error.at(apply.place.0, apply.place.1))
    }

    fn apply_uncorrelated(&mut self, input: Lowered, apply: &Apply) -> Result<Lowered, PlanError> {
        match &apply.kind {
            ApplyKind::Row { results } => {
                let from: Vec<ColumnId> = results.iter().map(|(_, column)| *column).collect();
                let query = self.lower(&apply.query, None)?.project(&from)?;
                let kind = if is_one_row(&query.plan) { JoinKind::Inner } else { JoinKind::Left };
                if !self.typ(&query.plan).keys.iter().any(Vec::is_empty) {
                    return self.only_value(&input, query, &[], results);
                }
                let named = Lowered { plan: query.plan, columns: results.iter().map(|(result, _)| *result).collect() };
                self.join_lowered(kind, &input, &named, &[], &[])
            }
            ApplyKind::Mark { result, pairs } if pairs.is_empty() => {
                let joined = self.beside_existence(&input, &apply.query)?;
                let columns = input.columns.iter().copied().chain([*result]).collect();
                Ok(Lowered { plan: joined, columns })
            }
            ApplyKind::Semi { pairs } if pairs.is_empty() => {
                let found = Expr::Column(input.columns.len());
                let joined = self.beside_existence(&input, &apply.query)?;
                Ok(filtered(joined, found, input.columns))
            }
            ApplyKind::Anti { pairs } if pairs.is_empty() => {
                let found = Expr::Column(input.columns.len());
                let joined = self.beside_existence(&input, &apply.query)?;
                Ok(filtered(joined, not(found), input.columns))
            }
            kind => {
                let query = self.lower(&apply.query, None)?;
                self.match_pairs(input, query, kind, &[])
            }
        }
    }

    fn apply_correlated(&mut self, input: Lowered, apply: &Apply, read: &[ColumnId]) -> Result<Lowered, PlanError> {
        let outer = input.project(read)?.distinct();
        if let ApplyKind::Row { results } = &apply.kind {
            return self.correlated_row(input, &outer, &apply.query, results);
        }
        let query = if apply.kind.pairs().is_empty() { existence_core(&apply.query) } else { &apply.query };
        let query = if depends(query, &outer) { query } else { &apply.query };
        let query = self.over(&apply.query, |lowering| lowering.lower(query, Some(&outer)))?;
        self.match_pairs(input, query, &apply.kind, read)
    }

    /// The query's one row per outer value beside each outer row, NULLs where there is none.
    fn correlated_row(
        &mut self,
        input: Lowered,
        outer: &Outer,
        query: &Rel,
        results: &[(ColumnId, ColumnId)],
    ) -> Result<Lowered, PlanError> {
        let mut keep = input.columns.clone();
        keep.extend(results.iter().map(|(_, column)| *column));
        let mut renamed = input.columns.clone();
        renamed.extend(results.iter().map(|(result, _)| *result));
        let joined = match self.beside_one_row(&input, outer, query)? {
            Some(joined) => joined,
            None => {
                let query = self.over(query, |lowering| lowering.lower(query, Some(outer)))?;
                let mut columns = outer.columns.clone();
                columns.extend(results.iter().map(|(_, column)| *column).filter(|id| !outer.has(*id)));
                let query = query.project(&columns)?;
                let keys: Vec<Expr> = (0..outer.columns.len()).map(Expr::Column).collect();
                if !unique_on(&self.typ(&query.plan), keys.iter()) {
                    return self.only_value(&input, query, &outer.columns, results);
                }
                self.join_lowered(JoinKind::Left, &input, &query, &[], &outer.columns)?
            }
        };
        let lowered = joined.project(&keep)?;
        Ok(Lowered { plan: lowered.plan, columns: renamed })
    }

    /// The query's value beside each row, where nothing but its data makes it one: a row that meets several is an error.
    fn only_value(
        &mut self,
        input: &Lowered,
        query: Lowered,
        shared: &[ColumnId],
        results: &[(ColumnId, ColumnId)],
    ) -> Result<Lowered, PlanError> {
        let [(result, column)] = results else { return Err(many_rows()) };
        let made = self.column(*result);
        let info = Column { nullable: true, ..made.clone() };
        let call = |function, arg: Option<Expr>, returns: ScalarType| AggregateCall {
            function,
            arg,
            more: Vec::new(),
            arg_type: made.ty.clone(),
            distinct: false,
            filter: None,
            order_by: Vec::new(),
            returns,
            scale_max: made.scale_max,
        };
        let count = Column { name: "count".to_string(), ty: ScalarType::Int64, nullable: true, scale_max: None };
        let at = Expr::Column(query.position(*column)?);
        let aggregates = vec![
            (call(AggregateFunction::CountRows, None, ScalarType::Int64), count),
            (call(AggregateFunction::Min, Some(at), made.ty.clone()), info.clone()),
        ];
        let mut group = Vec::with_capacity(shared.len());
        for id in shared {
            group.push((Expr::Column(query.position(*id)?), self.column(*id)));
        }
        let reduced = Arc::new(Plan::Reduce { input: query.plan, group, aggregates });
        let mut on = Vec::with_capacity(shared.len());
        for (index, id) in shared.iter().enumerate() {
            let left = input.position(*id)?;
            let null_equal = self.typ(&input.plan).columns[left].nullable;
            on.push(EquiTerm { left: Expr::Column(left), right: Expr::Column(index), null_equal });
        }
        let kind = if shared.is_empty() { JoinKind::Inner } else { JoinKind::Left };
        let joined = Plan::Join { kind, left: Arc::clone(&input.plan), right: reduced, on, residual: Vec::new() };
        let width = input.columns.len();
        let first = width + shared.len();
        let types = [ScalarType::Int64, made.ty.clone()];
        let resolved = eval::resolve::function("only value", &types).map_err(super::resolve_error)?;
        let value = Expr::Call {
            function: resolved.function,
            args: vec![Expr::Column(first), Expr::Column(first + 1)],
            ty: made.ty.clone(),
        };
        let mapped = Arc::new(Plan::Map { input: Arc::new(joined), exprs: vec![(value, info)] });
        let positions = (0..width).chain([first + 2]).collect();
        let columns = input.columns.iter().copied().chain([*result]).collect();
        Ok(Lowered { plan: Arc::new(Plan::Project { input: mapped, columns: positions }), columns })
    }

    /// Rows beside the columns of a query that has exactly one row for each: an aggregate without GROUP BY, or no FROM at all.
    /// Nothing for other queries.
    ///
    /// The rows themselves take the place of the outer values that have no input, so that these need not be looked up.
    pub(super) fn beside_one_row(
        &mut self,
        rows: &Lowered,
        outer: &Outer,
        query: &Rel,
    ) -> Result<Option<Lowered>, PlanError> {
        let (maps, core) = peel_maps(query);
        let mut beside = match core {
            Rel::Unit => rows.clone(),
            Rel::Aggregate { input, group, aggregates } if group.is_empty() && depends(input, outer) => {
                let reduced = self.over(core, |lowering| lowering.reduce(input, group, aggregates, Some(outer)))?;
                self.complete(rows, &reduced, aggregates)?
            }
            _ => return Ok(None),
        };
        for exprs in maps.into_iter().rev() {
            beside = self.map(beside, exprs)?;
        }
        Ok(Some(beside))
    }

    /// Rows with a match in a query over outer values, where the rows themselves do not depend on them: the query's distinct
    /// (outer values, compared columns) are joined, each of which meets a row once. Nothing for other applies.
    fn semi_over_outer(&mut self, input: &Rel, apply: &Apply, outer: &Outer) -> Result<Option<Lowered>, PlanError> {
        let ApplyKind::Semi { pairs } = &apply.kind else { return Ok(None) };
        if pairs.is_empty() || depends(input, outer) {
            return Ok(None);
        }
        let rows = self.lower(input, None)?;
        let own = pairs.iter().all(|(left, _)| reads_only(left, &|id| rows.has(id)));
        if !own || apply.query.free().iter().any(|id| rows.has(*id)) {
            return Ok(None);
        }
        let mut columns = outer.columns.clone();
        columns.extend(pairs.iter().map(|(_, column)| *column).filter(|id| !outer.has(*id)));
        let query = self.over(&apply.query, |lowering| lowering.lower(&apply.query, Some(outer)))?;
        let query = query.project(&columns)?.distinct();
        let mut on = Vec::new();
        for (left, column) in pairs {
            let right = Expr::Column(query.position(*column)?);
            on.push(EquiTerm { left: rows.expr(left)?, right, null_equal: false });
        }
        let all: Vec<ColumnId> = rows.columns.iter().chain(&query.columns).copied().collect();
        let plan = Plan::Join { kind: JoinKind::Inner, left: rows.plan, right: query.plan, on, residual: Vec::new() };
        Ok(Some(Lowered { plan: Arc::new(plan), columns: all }))
    }

    /// Mark, semi and anti: `shared` outer columns and the pairs must agree.
    fn match_pairs(
        &mut self,
        input: Lowered,
        query: Lowered,
        kind: &ApplyKind,
        shared: &[ColumnId],
    ) -> Result<Lowered, PlanError> {
        let mut columns = shared.to_vec();
        columns.extend(kind.pairs().iter().map(|(_, column)| *column).filter(|id| !shared.contains(id)));
        let right = query.project(&columns)?;
        let mut on = Vec::new();
        for id in shared {
            on.push(self.same(&input, &right, *id)?);
        }
        for (left, column) in kind.pairs() {
            let term =
                EquiTerm { left: input.expr(left)?, right: Expr::Column(right.position(*column)?), null_equal: false };
            on.push(term);
        }
        let join = |kind, left: &Lowered, right: Arc<Plan>, on| {
            Arc::new(Plan::Join { kind, left: Arc::clone(&left.plan), right, on, residual: Vec::new() })
        };
        match kind {
            ApplyKind::Semi { .. } => {
                Ok(Lowered { plan: join(JoinKind::Semi, &input, right.plan, on), columns: input.columns })
            }
            ApplyKind::Anti { .. } => {
                Ok(Lowered { plan: join(JoinKind::Anti, &input, right.plan, on), columns: input.columns })
            }
            ApplyKind::Mark { result, .. } => {
                let marker =
                    Column { name: "found".to_string(), ty: ScalarType::Bool, nullable: false, scale_max: None };
                let marked = Plan::Map { input: right.distinct().plan, exprs: vec![(literal_bool(true), marker)] };
                let position = input.columns.len() + columns.len();
                let plan = join(JoinKind::Left, &input, Arc::new(marked), on);
                let exprs = vec![(is_not_null(Expr::Column(position)), self.column(*result))];
                let mapped = Arc::new(Plan::Map { input: plan, exprs });
                let mut positions: Vec<usize> = (0..input.columns.len()).collect();
                positions.push(position + 1);
                let mut all = input.columns;
                all.push(*result);
                Ok(Lowered { plan: Arc::new(Plan::Project { input: mapped, columns: positions }), columns: all })
            }
            ApplyKind::Row { .. } => Err(PlanError::new("internal: a scalar subquery has no pairs")),
        }
    }

    /// The rows beside one boolean: whether the query has rows. The number of its rows is left below the join, so that only
    /// the first row to come and the last one to go touch the rows.
    fn beside_existence(&mut self, input: &Lowered, query: &Rel) -> Result<Arc<Plan>, PlanError> {
        let query = self.lower(existence_core(query), None)?;
        let count = AggregateCall {
            function: AggregateFunction::CountRows,
            arg: None,
            arg_type: ScalarType::Int64,
            more: Vec::new(),
            distinct: false,
            filter: None,
            order_by: Vec::new(),
            returns: ScalarType::Int64,
            scale_max: None,
        };
        let column =
            |name: &str, ty: ScalarType| Column { name: name.to_string(), ty, nullable: false, scale_max: None };
        let aggregates = vec![(count, column("count", ScalarType::Int64))];
        let counted = Arc::new(Plan::Reduce { input: query.plan, group: Vec::new(), aggregates });
        let exprs = vec![(is_positive(0)?, column("found", ScalarType::Bool))];
        let mapped = Arc::new(Plan::Map { input: counted, exprs });
        let found = Arc::new(Plan::Project { input: mapped, columns: vec![1] });
        Ok(Arc::new(Plan::Join {
            kind: JoinKind::Inner,
            left: Arc::clone(&input.plan),
            right: found,
            on: Vec::new(),
            residual: Vec::new(),
        }))
    }
}

fn many_rows() -> PlanError {
    PlanError::new("a subquery used as an expression might return more than one row")
        .with_hint("use an aggregate such as max(…), or add ORDER BY … LIMIT 1")
}

fn is_positive(position: usize) -> Result<Expr, PlanError> {
    let resolved = eval::resolve::binary(">", &ScalarType::Int64, &ScalarType::Int64).map_err(super::resolve_error)?;
    let args = vec![Expr::Column(position), literal_int8(0)];
    Ok(Expr::Call { function: resolved.function, args, ty: resolved.returns })
}

/// The rows that satisfy the predicate (over positions), without the columns at the end that have no number.
fn filtered(plan: Arc<Plan>, predicate: Expr, columns: Vec<ColumnId>) -> Lowered {
    let filter = Arc::new(Plan::Filter { input: plan, predicates: vec![predicate] });
    let plan = Arc::new(Plan::Project { input: filter, columns: (0..columns.len()).collect() });
    Lowered { plan, columns }
}

/// What decides whether a query has rows: computed columns and repetitions do not.
fn existence_core(query: &Rel) -> &Rel {
    match query {
        Rel::Map { input, exprs } if !exprs.iter().any(|(_, expr)| expr.is_fallible()) => existence_core(input),
        Rel::Distinct { input, .. } => existence_core(input),
        Rel::TopK { input, limit, offset: 0, .. } if *limit != Some(0) => existence_core(input),
        other => other,
    }
}

/// The computed columns on top of a query, outermost first, and what is below.
fn peel_maps(query: &Rel) -> (Vec<&Vec<(ColumnId, Expr)>>, &Rel) {
    let mut maps = Vec::new();
    let mut rel = query;
    while let Rel::Map { input, exprs } = rel {
        maps.push(exprs);
        rel = input;
    }
    (maps, rel)
}
