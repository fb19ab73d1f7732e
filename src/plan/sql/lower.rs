//! Bound queries to plans: column numbers become positions, set operations become unions, distincts and thresholds.
//!
//! ```text
//!   lower(query, None)         the query's rows
//!   lower(query, Some(D))      for each row d of D, the query's rows as they are for d, each with d's columns beside it
//! ```
//!
//! `D` holds the distinct values of the outer columns that the query reads. A result with `D` may also hold rows for values
//! that are not in `D` (when an equality binds D's columns to the query's own, nobody looks D up): whoever asked joins it
//! back to the outer rows on D's columns, which drops them.

use std::sync::Arc;

use eval::{AggregateFunction, Expr, OrderTerm, TableCall, by_value};
use row::{Row, ScalarType};

use super::columns::{ColumnId, Columns};
use super::query::{BoundQuery, Cte};
use super::rel::{Branch, Rel, SetOp};
use crate::plan::expr::{columns_of, equality, is_not_null, literal_int8, reads_only, renumber};
use crate::plan::recursion::{check_step, recursion_type};
use crate::plan::typ::TypeCache;
use crate::plan::{Column, EquiTerm, JoinKind, Plan, PlanError, RelationType};

/// A plan and which column number stands at each of its positions.
#[derive(Clone, Debug)]
pub(super) struct Lowered {
    pub plan: Arc<Plan>,
    pub columns: Vec<ColumnId>,
}

/// The distinct values of some outer columns.
pub(super) type Outer = Lowered;

pub(super) struct Lowering<'a> {
    pub info: &'a Columns,
    ctes: &'a [Cte],
    /// The plan of each WITH query, once it is read.
    cte_plans: Vec<Option<Arc<Plan>>>,
    types: TypeCache,
    warnings: Vec<String>,
    /// Inside a subquery that might fail: it may run for the outer values that exist and for no others.
    only_existing: bool,
}

/// The plan of a whole query: exactly its outputs, in order.
pub(super) fn lower(info: &Columns, ctes: &[Cte], query: &BoundQuery) -> Result<(Arc<Plan>, Vec<String>), PlanError> {
    let mut lowering = Lowering {
        info,
        ctes,
        cte_plans: vec![None; ctes.len()],
        types: TypeCache::default(),
        warnings: Vec::new(),
        only_existing: false,
    };
    let lowered = lowering.lower(&query.rel, None)?;
    let plan = lowered.project(&query.ids())?.plan;
    Ok((plan, lowering.warnings))
}

/// One row without columns.
pub(super) fn unit() -> Arc<Plan> {
    let typ = RelationType { columns: Vec::new(), keys: vec![Vec::new()] };
    Arc::new(Plan::Constant { rows: vec![(Row::default(), 1)], typ })
}

impl Lowered {
    pub fn position(&self, id: ColumnId) -> Result<usize, PlanError> {
        self.columns.iter().position(|column| *column == id).ok_or_else(|| {
            PlanError::new(format!("internal: column number {id} is not given by its relation"))
                .with_hint("this is a bug in livemart; please report the SQL")
        })
    }

    pub fn has(&self, id: ColumnId) -> bool {
        self.columns.contains(&id)
    }

    pub fn expr(&self, expr: &Expr) -> Result<Expr, PlanError> {
        let mut failed = None;
        let positioned = renumber(expr, &mut |id| match self.position(id) {
            Ok(position) => position,
            Err(error) => {
                failed = Some(error);
                0
            }
        });
        failed.map_or(Ok(positioned), Err)
    }

    pub fn exprs(&self, exprs: &[Expr]) -> Result<Vec<Expr>, PlanError> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    /// Exactly these columns, in this order.
    pub fn project(&self, columns: &[ColumnId]) -> Result<Lowered, PlanError> {
        if self.columns == columns {
            return Ok(self.clone());
        }
        let positions = columns.iter().map(|id| self.position(*id)).collect::<Result<Vec<_>, _>>()?;
        let plan = Arc::new(Plan::Project { input: Arc::clone(&self.plan), columns: positions });
        Ok(Lowered { plan, columns: columns.to_vec() })
    }

    pub fn distinct(self) -> Lowered {
        Lowered { plan: Arc::new(Plan::Distinct { input: self.plan }), columns: self.columns }
    }

    pub fn filter(self, predicates: &[Expr]) -> Result<Lowered, PlanError> {
        if predicates.is_empty() {
            return Ok(self);
        }
        let predicates = self.exprs(predicates)?;
        Ok(Lowered { plan: Arc::new(Plan::Filter { input: self.plan, predicates }), columns: self.columns })
    }
}

impl Lowering<'_> {
    pub fn column(&self, id: ColumnId) -> Column {
        self.info.get(id).clone()
    }

    pub fn typ(&mut self, plan: &Arc<Plan>) -> Arc<RelationType> {
        self.types.typ(plan)
    }

    /// Notes what works but may surprise, once.
    pub fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Appends computed columns.
    pub fn map(&self, input: Lowered, exprs: &[(ColumnId, Expr)]) -> Result<Lowered, PlanError> {
        if exprs.is_empty() {
            return Ok(input);
        }
        let mut mapped = Vec::with_capacity(exprs.len());
        for (id, expr) in exprs {
            mapped.push((input.expr(expr)?, self.column(*id)));
        }
        let mut columns = input.columns;
        columns.extend(exprs.iter().map(|(id, _)| *id));
        Ok(Lowered { plan: Arc::new(Plan::Map { input: input.plan, exprs: mapped }), columns })
    }

    /// See the module's picture.
    pub fn lower(&mut self, rel: &Rel, outer: Option<&Outer>) -> Result<Lowered, PlanError> {
        if let Some(outer) = outer
            && !depends(rel, outer)
        {
            let inner = self.lower(rel, None)?;
            return Ok(cross(outer, &inner));
        }
        match rel {
            Rel::Unit => Ok(Lowered { plan: unit(), columns: Vec::new() }),
            Rel::Get { relation, typ, columns } => {
                let plan = Arc::new(Plan::Get { relation: relation.clone(), typ: typ.clone() });
                Ok(Lowered { plan, columns: columns.clone() })
            }
            Rel::Cte { cte, columns } => Ok(Lowered { plan: self.cte(*cte)?, columns: columns.clone() }),
            Rel::Values { rows, columns } => self.values(rows, columns, outer),
            Rel::Map { input, exprs } => {
                let input = self.lower(input, outer)?;
                self.map(input, exprs)
            }
            Rel::FlatMap { input, calls, columns, keeps_input } => {
                self.lower_calls(input, calls, columns, *keeps_input, outer)
            }
            Rel::Filter { input, predicates } => self.filter(input, predicates, outer),
            Rel::Join { kind, left, right, on } => self.join(*kind, left, right, on, outer),
            Rel::Aggregate { input, group, aggregates } => {
                let reduced = self.reduce(input, group, aggregates, outer)?;
                match outer {
                    Some(outer) if group.is_empty() => self.complete(outer, &reduced, aggregates),
                    _ => Ok(reduced),
                }
            }
            Rel::Window { input, partition, order_by, calls } => self.window(input, partition, order_by, calls, outer),
            Rel::Distinct { input, columns } => {
                let input = self.lower(input, outer)?;
                let all = with_outer(outer, columns);
                Ok(input.project(&all)?.distinct())
            }
            Rel::TopK { input, keep, group, order_by, limit, offset } => {
                let input = self.lower(input, outer)?.project(&with_outer(outer, keep))?;
                let group = with_outer(outer, group);
                self.top_k(input, &group, order_by, *limit, *offset)
            }
            Rel::Recursive { name, base, step, distinct, columns } => {
                self.recursive(name, base, step, *distinct, columns, outer)
            }
            Rel::Recursion { name, columns } => Ok(self.recursion(name, columns)),
            Rel::SetOp { op, all, left, right, columns } => self.set_op(*op, *all, left, right, columns, outer),
            Rel::Apply { input, apply } => self.apply(input, apply, outer),
        }
    }

    fn lower_calls(
        &mut self,
        input: &Rel,
        calls: &[TableCall],
        columns: &[ColumnId],
        keeps_input: bool,
        outer: Option<&Outer>,
    ) -> Result<Lowered, PlanError> {
        let input = self.lower(input, outer)?;
        self.flat_map(input, calls, columns, keeps_input)
    }

    /// Appends the columns of table functions.
    pub fn flat_map(
        &self,
        input: Lowered,
        calls: &[TableCall],
        columns: &[ColumnId],
        keeps_input: bool,
    ) -> Result<Lowered, PlanError> {
        let mut positioned = Vec::with_capacity(calls.len());
        for (call, id) in calls.iter().zip(columns) {
            let call = TableCall { function: call.function, args: input.exprs(&call.args)? };
            positioned.push((call, self.column(*id)));
        }
        let ordinality = columns.get(calls.len()).map(|id| self.column(*id));
        let mut all = input.columns;
        all.extend(columns);
        let plan = Plan::FlatMap { input: input.plan, calls: positioned, ordinality, keeps_input };
        Ok(Lowered { plan: Arc::new(plan), columns: all })
    }

    /// Lowers a subquery over outer values, with the care that its expressions need.
    pub fn over<T>(
        &mut self,
        query: &Rel,
        lower: impl FnOnce(&mut Self) -> Result<T, PlanError>,
    ) -> Result<T, PlanError> {
        let before = std::mem::replace(&mut self.only_existing, query.is_fallible());
        let lowered = lower(self);
        self.only_existing = before;
        lowered
    }

    fn cte(&mut self, number: usize) -> Result<Arc<Plan>, PlanError> {
        if let Some(plan) = &self.cte_plans[number] {
            return Ok(Arc::clone(plan));
        }
        let ctes = self.ctes;
        let ids: Vec<ColumnId> = ctes[number].outputs.iter().map(|output| output.id).collect();
        let plan = self.lower(&ctes[number].rel, None)?.project(&ids)?.plan;
        self.cte_plans[number] = Some(Arc::clone(&plan));
        Ok(plan)
    }

    fn values(
        &mut self,
        rows: &[Vec<Expr>],
        columns: &[ColumnId],
        outer: Option<&Outer>,
    ) -> Result<Lowered, PlanError> {
        let typ = RelationType { columns: columns.iter().map(|id| self.column(*id)).collect(), keys: Vec::new() };
        let folded: Vec<Vec<Expr>> = rows.iter().map(|row| row.iter().cloned().map(Expr::fold).collect()).collect();
        let literal = |expr: &Expr| if let Expr::Literal { value, .. } = expr { Some(value.clone()) } else { None };
        let literals: Option<Vec<Vec<_>>> = folded.iter().map(|row| row.iter().map(literal).collect()).collect();
        if let (Some(rows), None) = (literals, outer) {
            let rows = rows.iter().map(|row| (Row::pack(row.iter().map(|value| value.datum())), 1)).collect();
            return Ok(Lowered { plan: Arc::new(Plan::Constant { rows, typ }), columns: columns.to_vec() });
        }
        let base = outer.cloned().unwrap_or_else(|| Lowered { plan: unit(), columns: Vec::new() });
        let mut inputs = Vec::new();
        for row in folded {
            let exprs: Vec<(ColumnId, Expr)> = columns.iter().copied().zip(row).collect();
            inputs.push(self.map(base.clone(), &exprs)?);
        }
        let columns = with_outer(outer, columns);
        Ok(Lowered {
            plan: Arc::new(Plan::Union { inputs: inputs.into_iter().map(|input| input.plan).collect() }),
            columns,
        })
    }

    fn filter(&mut self, input: &Rel, predicates: &[Expr], outer: Option<&Outer>) -> Result<Lowered, PlanError> {
        let Some(outer) = outer else { return self.lower(input, None)?.filter(predicates) };
        if depends(input, outer) {
            return self.lower(input, Some(outer))?.filter(predicates);
        }
        let input = self.lower(input, None)?;
        if let Some((bound, rest)) = self.bind_outer(&input, predicates, outer)? {
            return bound.filter(&rest);
        }
        cross(outer, &input).filter(predicates)
    }

    /// When each outer column is asked to equal something of the input, it *is* that: no outer rows are needed.
    /// Gives nothing when some outer column is not bound so, or could make an expression run that SQL would not run.
    fn bind_outer(
        &self,
        input: &Lowered,
        predicates: &[Expr],
        outer: &Outer,
    ) -> Result<Option<(Lowered, Vec<Expr>)>, PlanError> {
        if self.only_existing {
            return Ok(None);
        }
        let mut rest = predicates.to_vec();
        let mut exprs = Vec::new();
        let mut not_null = Vec::new();
        for id in &outer.columns {
            let own = |expr: &Expr| reads_only(expr, &|column| input.has(column)) && !columns_of(expr).is_empty();
            let ty = &self.info.get(*id).ty;
            let found = rest.iter().position(|predicate| {
                equality(predicate).is_some_and(|(a, b, _)| {
                    let same = |expr: &Expr| expr.ty(self.info.types()).base() == ty.base();
                    (*a == Expr::Column(*id) && own(b) && same(b)) || (*b == Expr::Column(*id) && own(a) && same(a))
                })
            });
            let Some(found) = found else { return Ok(None) };
            let predicate = rest.remove(found);
            let Some((a, b, null_equal)) = equality(&predicate) else { return Ok(None) };
            exprs.push((*id, if *a == Expr::Column(*id) { b.clone() } else { a.clone() }));
            if !null_equal {
                not_null.push(is_not_null(Expr::Column(*id)));
            }
        }
        let bound = self.map(input.clone(), &exprs)?.filter(&not_null)?;
        Ok(Some((bound, rest)))
    }

    /// Groups by the outer columns too. Outer values without a row have no group here, see `complete`.
    pub fn reduce(
        &mut self,
        input: &Rel,
        group: &[(ColumnId, Expr)],
        aggregates: &[(ColumnId, eval::AggregateCall)],
        outer: Option<&Outer>,
    ) -> Result<Lowered, PlanError> {
        let input = self.lower(input, outer)?;
        let outer_group = with_outer(outer, &[]).into_iter().map(|id| (id, Expr::Column(id)));
        let group: Vec<(ColumnId, Expr)> = outer_group.chain(group.iter().cloned()).collect();
        let columns: Vec<ColumnId> =
            group.iter().map(|(id, _)| *id).chain(aggregates.iter().map(|(id, _)| *id)).collect();
        if aggregates.is_empty() && !group.is_empty() {
            let new: Vec<(ColumnId, Expr)> =
                group.iter().filter(|(id, expr)| *expr != Expr::Column(*id)).cloned().collect();
            return Ok(self.map(input, &new)?.project(&columns)?.distinct());
        }
        let mut groups = Vec::new();
        for (id, expr) in &group {
            groups.push((input.expr(expr)?, self.column(*id)));
        }
        let mut calls = Vec::new();
        for (id, call) in aggregates {
            let mut call = call.clone();
            for expr in call.exprs_mut() {
                *expr = input.expr(expr)?;
            }
            calls.push((call, self.column(*id)));
        }
        let plan = Arc::new(Plan::Reduce { input: input.plan, group: groups, aggregates: calls });
        Ok(Lowered { plan, columns })
    }

    /// An aggregate without GROUP BY has a row for every outer value, also for one without input: NULLs, and 0 for counts.
    pub fn complete(
        &mut self,
        outer: &Lowered,
        reduced: &Lowered,
        aggregates: &[(ColumnId, eval::AggregateCall)],
    ) -> Result<Lowered, PlanError> {
        let shared: Vec<ColumnId> =
            reduced.columns.iter().copied().filter(|id| !aggregates.iter().any(|(made, _)| made == id)).collect();
        let joined = self.join_lowered(JoinKind::Left, outer, reduced, &[], &shared)?;
        let mut exprs = Vec::new();
        let mut columns: Vec<ColumnId> = outer.columns.clone();
        let mut positions: Vec<usize> = (0..outer.columns.len()).collect();
        for (id, call) in aggregates {
            let position = joined.position(*id)?;
            columns.push(*id);
            if matches!(call.function, AggregateFunction::Count | AggregateFunction::CountRows) {
                positions.push(joined.columns.len() + exprs.len());
                let args = vec![Expr::Column(position), literal_int8(0)];
                exprs.push((Expr::Coalesce { args, ty: ScalarType::Int64 }, self.column(*id)));
            } else {
                positions.push(position);
            }
        }
        let mut plan = joined.plan;
        if !exprs.is_empty() {
            plan = Arc::new(Plan::Map { input: plan, exprs });
        }
        Ok(Lowered { plan: Arc::new(Plan::Project { input: plan, columns: positions }), columns })
    }

    fn top_k(
        &mut self,
        input: Lowered,
        group: &[ColumnId],
        order_by: &[(ColumnId, row::SortDirection)],
        limit: Option<u64>,
        offset: u64,
    ) -> Result<Lowered, PlanError> {
        let typ = self.typ(&input.plan);
        if limit == Some(0) {
            let typ = RelationType { keys: vec![Vec::new()], ..(*typ).clone() };
            return Ok(Lowered { plan: Arc::new(Plan::Constant { rows: Vec::new(), typ }), columns: input.columns });
        }
        let group = group.iter().map(|id| input.position(*id)).collect::<Result<Vec<_>, _>>()?;
        let mut terms = Vec::new();
        let mut decided: Vec<usize> = group.clone();
        for (id, direction) in order_by {
            let position = input.position(*id)?;
            decided.push(position);
            terms.push(OrderTerm { expr: Expr::Column(position), direction: *direction });
        }
        let is_total = (0..input.columns.len()).all(|position| decided.contains(&position))
            || typ.keys.iter().any(|key| key.iter().all(|column| decided.contains(column)));
        if !is_total {
            let cut = if group.is_empty() { "LIMIT" } else { "DISTINCT ON" };
            self.warn(format!(
                "the order of rows before {cut} leaves ties open: they are broken by all remaining columns; \
                 order by a unique key to decide them yourself"
            ));
        }
        let plan = Plan::TopK { input: input.plan, group, order_by: terms, limit, offset };
        Ok(Lowered { plan: Arc::new(plan), columns: input.columns })
    }

    fn set_op(
        &mut self,
        op: SetOp,
        all: bool,
        left: &Branch,
        right: &Branch,
        columns: &[ColumnId],
        outer: Option<&Outer>,
    ) -> Result<Lowered, PlanError> {
        let left = self.lower(&left.rel, outer)?.project(&with_outer(outer, &left.columns))?.plan;
        let right = self.lower(&right.rel, outer)?.project(&with_outer(outer, &right.columns))?.plan;
        let plan = match (op, all) {
            (SetOp::Union, true) => union_all(left, right),
            (SetOp::Union, false) => distinct(union_all(left, right)),
            (SetOp::Except, true) => minus(left, right),
            (SetOp::Except, false) if self.typ(&left).columns.iter().any(|column| by_value::has_key(&column.ty)) => {
                let on = self.same_rows(&left, &right);
                Arc::new(Plan::Join { kind: JoinKind::Anti, left: distinct(left), right, on, residual: Vec::new() })
            }
            (SetOp::Except, false) => minus(distinct(left), distinct(right)),
            // What is left of `a` without what `a` has more than `b`: the lesser count of each row.
            (SetOp::Intersect, true) => {
                // Taken away by value: the surplus may spell a number in another way than `a` does.
                let surplus = minus(Arc::clone(&left), right);
                minus(left, surplus)
            }
            (SetOp::Intersect, false) => {
                let on = self.same_rows(&left, &right);
                Arc::new(Plan::Join { kind: JoinKind::Semi, left: distinct(left), right, on, residual: Vec::new() })
            }
        };
        Ok(Lowered { plan, columns: with_outer(outer, columns) })
    }

    /// Rows that are equal column by column, NULLs too.
    fn same_rows(&mut self, left: &Arc<Plan>, right: &Arc<Plan>) -> Vec<EquiTerm> {
        let (left, right) = (self.typ(left), self.typ(right));
        let terms = left.columns.iter().zip(&right.columns).enumerate();
        terms
            .map(|(column, (l, r))| EquiTerm {
                left: by_value::key(Expr::Column(column), &l.ty),
                right: by_value::key(Expr::Column(column), &r.ty),
                null_equal: l.nullable && r.nullable,
            })
            .collect()
    }
}

impl Lowering<'_> {
    fn recursive(
        &mut self,
        name: &str,
        base: &Branch,
        step: &Branch,
        distinct: bool,
        columns: &[ColumnId],
        outer: Option<&Outer>,
    ) -> Result<Lowered, PlanError> {
        if outer.is_some() {
            return Err(PlanError::new(format!(
                "recursive query \"{name}\" reads the outer query, which is not supported"
            ))
            .with_hint("carry the outer value along as a column of the recursion, and join on it"));
        }
        let base = self.lower(&base.rel, None)?.project(&base.columns)?.plan;
        let step = self.lower(&step.rel, None)?.project(&step.columns)?.plan;
        check_step(&step, name, distinct)?;
        let plan = Plan::Recursive { name: name.to_owned(), base, step, distinct };
        Ok(Lowered { plan: Arc::new(plan), columns: columns.to_vec() })
    }

    fn recursion(&self, name: &str, columns: &[ColumnId]) -> Lowered {
        let typ = RelationType { columns: columns.iter().map(|id| self.column(*id)).collect(), keys: Vec::new() };
        let plan = Plan::Recursion { name: name.to_owned(), typ: recursion_type(&typ) };
        Lowered { plan: Arc::new(plan), columns: columns.to_vec() }
    }
}

fn union_all(left: Arc<Plan>, right: Arc<Plan>) -> Arc<Plan> {
    let mut inputs = Vec::new();
    for side in [left, right] {
        match &*side {
            Plan::Union { inputs: nested } if !nested.iter().any(|input| matches!(**input, Plan::Negate { .. })) => {
                inputs.extend(nested.iter().cloned());
            }
            _ => inputs.push(side),
        }
    }
    Arc::new(Plan::Union { inputs })
}

fn distinct(input: Arc<Plan>) -> Arc<Plan> {
    Arc::new(Plan::Distinct { input })
}

/// EXCEPT ALL.
fn minus(left: Arc<Plan>, right: Arc<Plan>) -> Arc<Plan> {
    let negated = Arc::new(Plan::Negate { input: right });
    Arc::new(Plan::Threshold { input: Arc::new(Plan::Union { inputs: vec![left, negated] }) })
}

/// Whether the query reads an outer column.
pub(super) fn depends(rel: &Rel, outer: &Outer) -> bool {
    rel.free().iter().any(|id| outer.has(*id))
}

/// The outer columns, then these.
pub(super) fn with_outer(outer: Option<&Outer>, columns: &[ColumnId]) -> Vec<ColumnId> {
    let mut all = outer.map_or_else(Vec::new, |outer| outer.columns.clone());
    all.extend(columns.iter().copied().filter(|id| !outer.is_some_and(|outer| outer.has(*id))));
    all
}

/// Every row of the one with every row of the other.
pub(super) fn cross(left: &Lowered, right: &Lowered) -> Lowered {
    let plan = Plan::Join {
        kind: JoinKind::Inner,
        left: Arc::clone(&left.plan),
        right: Arc::clone(&right.plan),
        on: Vec::new(),
        residual: Vec::new(),
    };
    let columns = left.columns.iter().chain(&right.columns).copied().collect();
    Lowered { plan: Arc::new(plan), columns }
}
