//! Joins of two lowered relations: plain, over outer values, and LATERAL.
//!
//! ```text
//!   neither side reads outer columns     left ⋈ right
//!   both do                              left(D) ⋈ right(D) on D's columns too
//!   right reads left (LATERAL)           left ⋈ right(distinct left values) on those values
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use eval::Expr;

use super::columns::ColumnId;
use super::lower::{Lowered, Lowering, Outer, depends, unit};
use super::rel::Rel;
use crate::plan::expr::{equality, literal_bool, reads_only};
use crate::plan::{EquiTerm, JoinKind, Plan, PlanError};

impl Lowering<'_> {
    pub(super) fn join(
        &mut self,
        kind: JoinKind,
        left: &Rel,
        right: &Rel,
        on: &[Expr],
        outer: Option<&Outer>,
    ) -> Result<Lowered, PlanError> {
        let mut made = BTreeSet::new();
        left.made(&mut made);
        if !right.free().is_disjoint(&made) {
            return self.lateral(kind, left, right, on, outer);
        }
        let Some(outer) = outer else {
            let (left, right) = (self.lower(left, None)?, self.lower(right, None)?);
            return self.join_lowered(kind, &left, &right, on, &[]);
        };
        let (left_depends, right_depends) = (depends(left, outer), depends(right, outer));
        let preserved_left = matches!(kind, JoinKind::Left | JoinKind::Full);
        let preserved_right = matches!(kind, JoinKind::Right | JoinKind::Full);
        let nothing = !left_depends && !right_depends && !preserved_left && !preserved_right;
        let for_left = (left_depends || preserved_left || nothing).then_some(outer);
        let for_right = (right_depends || preserved_right).then_some(outer);
        let (left, right) = (self.lower(left, for_left)?, self.lower(right, for_right)?);
        let shared: &[ColumnId] = if for_left.is_some() && for_right.is_some() { &outer.columns } else { &[] };
        let joined = self.join_lowered(kind, &left, &right, on, shared)?;
        if kind != JoinKind::Full || shared.is_empty() {
            return Ok(joined);
        }
        // A row that only the right side has carries the outer columns on the right.
        self.coalesce_shared(joined, &left, shared)
    }

    fn coalesce_shared(&mut self, joined: Lowered, left: &Lowered, shared: &[ColumnId]) -> Result<Lowered, PlanError> {
        let width = left.columns.len();
        let typ = self.typ(&joined.plan);
        let mut exprs = Vec::new();
        let mut positions: Vec<usize> = (0..joined.columns.len()).collect();
        for id in shared {
            let in_left = left.position(*id)?;
            let Some(in_right) = (width..joined.columns.len()).find(|position| joined.columns[*position] == *id) else {
                continue;
            };
            let column = typ.columns[in_left].clone();
            let args = vec![Expr::Column(in_left), Expr::Column(in_right)];
            positions[in_left] = joined.columns.len() + exprs.len();
            exprs.push((Expr::Coalesce { args, ty: column.ty.clone() }, column));
        }
        let mapped = Arc::new(Plan::Map { input: joined.plan, exprs });
        let plan = Arc::new(Plan::Project { input: mapped, columns: positions });
        Ok(Lowered { plan, columns: joined.columns })
    }

    /// Joins two plans: equalities between the sides are what rows are matched by, the rest stays with the join.
    /// `shared` are outer columns that both sides have and that must agree.
    pub fn join_lowered(
        &mut self,
        kind: JoinKind,
        left: &Lowered,
        right: &Lowered,
        on: &[Expr],
        shared: &[ColumnId],
    ) -> Result<Lowered, PlanError> {
        let mut terms = Vec::new();
        for id in shared {
            terms.push(self.same(left, right, *id)?);
        }
        let mut residual = Vec::new();
        for condition in on {
            match self.equi_term(condition, left, right)? {
                Some(term) => terms.push(term),
                None => residual.push(condition),
            }
        }
        let columns: Vec<ColumnId> = left.columns.iter().chain(&right.columns).copied().collect();
        let both = Lowered { plan: unit(), columns };
        let residual = residual.into_iter().map(|condition| both.expr(condition)).collect::<Result<Vec<_>, _>>()?;
        let plan =
            Plan::Join { kind, left: Arc::clone(&left.plan), right: Arc::clone(&right.plan), on: terms, residual };
        let columns = if matches!(kind, JoinKind::Semi | JoinKind::Anti) { left.columns.clone() } else { both.columns };
        Ok(Lowered { plan: Arc::new(plan), columns })
    }

    /// The same outer column on both sides; NULL is a value of it like any other.
    pub fn same(&mut self, left: &Lowered, right: &Lowered, id: ColumnId) -> Result<EquiTerm, PlanError> {
        let (l, r) = (left.position(id)?, right.position(id)?);
        let null_equal = self.typ(&left.plan).columns[l].nullable && self.typ(&right.plan).columns[r].nullable;
        Ok(EquiTerm { left: Expr::Column(l), right: Expr::Column(r), null_equal })
    }

    fn equi_term(&self, condition: &Expr, left: &Lowered, right: &Lowered) -> Result<Option<EquiTerm>, PlanError> {
        let Some((a, b, null_equal)) = equality(condition) else { return Ok(None) };
        let of = |expr: &Expr, side: &Lowered| !expr.is_constant() && reads_only(expr, &|id| side.has(id));
        // A shared outer column is on both sides; it is then the left one, which is enough.
        let (l, r) = match () {
            () if of(a, left) && of(b, right) => (a, b),
            () if of(b, left) && of(a, right) => (b, a),
            () => return Ok(None),
        };
        Ok(Some(EquiTerm { left: left.expr(l)?, right: right.expr(r)?, null_equal }))
    }

    /// A table function over the left's columns needs no join: each left row has its rows beside it. Nothing for other right
    /// sides, nor for a LEFT JOIN whose condition could leave some of the function's rows out.
    fn lateral_calls(
        &mut self,
        kind: JoinKind,
        left: &Lowered,
        right: &Rel,
        on: &[Expr],
    ) -> Result<Option<Lowered>, PlanError> {
        let (mut maps, mut below) = (Vec::new(), right);
        while let Rel::Map { input, exprs } = below {
            maps.push(exprs);
            below = input;
        }
        let Rel::FlatMap { input, calls, columns, keeps_input } = below else { return Ok(None) };
        let decides = on.iter().any(|condition| *condition != literal_bool(true));
        if !matches!(**input, Rel::Unit) || (kind == JoinKind::Left && (decides || !maps.is_empty())) {
            return Ok(None);
        }
        let mut flat = self.flat_map(left.clone(), calls, columns, *keeps_input || kind == JoinKind::Left)?;
        for exprs in maps.into_iter().rev() {
            flat = self.map(flat, exprs)?;
        }
        flat.filter(if decides { on } else { &[] }).map(Some)
    }

    /// A right side that reads the left one: it is lowered over the left's distinct values and joined back.
    fn lateral(
        &mut self,
        kind: JoinKind,
        left: &Rel,
        right: &Rel,
        on: &[Expr],
        outer: Option<&Outer>,
    ) -> Result<Lowered, PlanError> {
        if !matches!(kind, JoinKind::Inner | JoinKind::Left) {
            return Err(PlanError::new("the right side of a RIGHT or FULL JOIN cannot read its left side")
                .with_hint("the combining JOIN type must be INNER or LEFT for a LATERAL reference"));
        }
        let left = self.lower(left, outer)?;
        if let Some(flat) = self.lateral_calls(kind, &left, right, on)? {
            return Ok(flat);
        }
        let read: Vec<ColumnId> = right.free().into_iter().filter(|id| left.has(*id)).collect();
        let inner_outer = left.project(&read)?.distinct();
        if (kind == JoinKind::Inner || on.is_empty())
            && let Some(joined) = self.beside_one_row(&left, &inner_outer, right)?
        {
            return joined.filter(on);
        }
        let right = self.over(right, |lowering| lowering.lower(right, Some(&inner_outer)))?;
        self.join_lowered(kind, &left, &right, on, &read)
    }
}
