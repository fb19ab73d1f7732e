//! Joins whose condition is more than equalities: by order where there is one, else pair by pair within the key.
//!
//! ```text
//!   left  ──(key, 0 ++ columns)──┐
//!                                ├──> keyed state (flow::RangeJoin) ──> rows of the join, errors of failing pairs
//!   right ──(key, 1 ++ columns)──┘
//! ```
//!
//! 1. Ends of spans and points are computed inside the state: a row for which one of them fails meets the other side pair by pair,
//!    so that the pairs fail and not the row.
//! 2. A condition that is false or NULL decides before one that fails, whichever stands first.

use std::rc::Rc;
use std::sync::Arc;

use eval::{Arena, Expr};
use flow::{JoinSide, Keyed, Place, RangeJoin, RangeJoinKind, RangeLogic};
use row::{Datum, Row, RowBuilder, RowRef, ScalarType, SortDirection, push_order_key};
use smallvec::SmallVec;

use super::errors::Blame;
use super::parts::{Finish, Logic, Part};
use super::{Context, describe};
use crate::plan::range::{RangeEnd, RangeForm};
use crate::plan::typ::unique_on;
use crate::plan::{EquiTerm, JoinKind, Plan};

/// Whether a join keeps a state of its own instead of joining shared arrangements.
///
/// An inner join with a unique side finds at most one pair for each row of the other by its key alone.
pub fn is_range_join(plan: &Plan) -> bool {
    let Plan::Join { kind, left, right, on, residual } = plan else { return false };
    if residual.is_empty() {
        return false;
    }
    if *kind != JoinKind::Inner {
        return true;
    }
    let (left_type, right_type) = (left.typ(), right.typ());
    let unique = unique_on(&left_type, on.iter().map(|term| &term.left))
        || unique_on(&right_type, on.iter().map(|term| &term.right));
    if unique {
        return false;
    }
    let types: Vec<ScalarType> =
        left_type.columns.iter().chain(&right_type.columns).map(|column| column.ty.clone()).collect();
    RangeForm::find(left_type.columns.len(), &types, residual).is_some()
}

impl Context {
    pub fn range_join(
        &mut self,
        plan: &Arc<Plan>,
        kind: JoinKind,
        sides: [&Arc<Plan>; 2],
        on: &[EquiTerm],
        residual: &[Expr],
    ) -> Vec<Part> {
        let [left, right] = sides;
        let kept_left = matches!(kind, JoinKind::Left | JoinKind::Full | JoinKind::Anti);
        let kept_right = matches!(kind, JoinKind::Right | JoinKind::Full);
        let left_rows = self.tagged(left, on, JoinSide::Left, kept_left);
        let right_rows = self.tagged(right, on, JoinSide::Right, kept_right);
        let (left_columns, right_columns) = (left.typ().columns, right.typ().columns);
        let types: Vec<ScalarType> =
            left_columns.iter().chain(&right_columns).map(|column| column.ty.clone()).collect();
        let form = RangeForm::find(left_columns.len(), &types, residual);
        let blame = |condition: &Expr| Blame { model: self.model.clone(), expression: condition.describe(&[]) };
        let conditions = |conditions: &[Expr]| -> Vec<(Expr, Blame)> {
            conditions.iter().map(|condition| (condition.clone(), blame(condition))).collect()
        };
        let pairs = Pairs {
            whole: conditions(residual),
            rest: conditions(form.as_ref().map_or(residual, |form| &form.rest)),
            shows_right: !matches!(kind, JoinKind::Semi | JoinKind::Anti),
            left_width: left_columns.len(),
            right_width: right_columns.len(),
            arena: Arena::new(),
            form,
        };
        let points =
            if pairs.form.as_ref().is_none_or(|form| form.left_has_points) { JoinSide::Left } else { JoinSide::Right };
        let kind = match kind {
            JoinKind::Inner => RangeJoinKind::Inner,
            JoinKind::Left => RangeJoinKind::Left,
            JoinKind::Right => RangeJoinKind::Right,
            JoinKind::Full => RangeJoinKind::Full,
            JoinKind::Semi => RangeJoinKind::Semi,
            JoinKind::Anti => RangeJoinKind::Anti,
        };
        let name = format!("Range{}", describe(plan));
        let state = RangeJoin::new(kind, points, Box::new(pairs));
        let (rows, errors) = flow::keyed(left_rows.concat(right_rows), &name, Box::new(state));
        self.add_errors(errors);
        vec![Part::rows(rows, plan.arity())]
    }

    /// The rows of one side under their key. Rows whose key is NULL meet nothing; they come only if the join keeps them.
    fn tagged(&mut self, plan: &Arc<Plan>, on: &[EquiTerm], side: JoinSide, kept: bool) -> Keyed {
        let (base, mut mfp) = self.peel_input(plan);
        let columns = mfp.outputs.clone();
        let of_side = |term: &EquiTerm| match side {
            JoinSide::Left => term.left.clone(),
            JoinSide::Right => term.right.clone(),
        };
        let keys: Vec<usize> = on.iter().map(|term| mfp.push_expr(&of_side(term))).collect();
        let keys: Vec<usize> = keys.into_iter().map(|output| mfp.outputs[output]).collect();
        let drops_null: Vec<bool> = on.iter().map(|term| !term.null_equal).collect();
        let key_count = keys.len();
        let reads: Vec<usize> = keys.into_iter().chain(columns).collect();
        let all = reads.len();
        let logic: Logic<(Row, Row)> = Rc::new(move |datums, key, value, out| {
            let (keys, columns) = datums.split_at(key_count);
            let meets = !keys.iter().zip(&drops_null).any(|(datum, drops)| *drops && datum.is_null());
            if !meets && !kept {
                return;
            }
            keys.iter().for_each(|datum| key.push_normalized(datum));
            value.push(&flow::tag(side, meets));
            columns.iter().for_each(|datum| value.push(datum));
            out.push((key.finish(), value.finish()));
        });
        let finish = Finish::new(logic, reads).moving(0..all);
        let parts = self.upstream(&base);
        self.read_form(parts, &mfp, finish, &format!("Key[{}]", describe(&base)))
    }
}

/// The condition of one join.
struct Pairs {
    form: Option<RangeForm>,
    /// All of the condition, and what the order leaves of it.
    whole: Vec<(Expr, Blame)>,
    rest: Vec<(Expr, Blame)>,
    shows_right: bool,
    left_width: usize,
    right_width: usize,
    arena: Arena,
}

/// Above every order key: no key begins with it.
const ABOVE_ALL: u8 = 0xFF;

impl RangeLogic for Pairs {
    fn place(&mut self, side: JoinSide, row: RowRef<'_>) -> Place {
        let is_left = side == JoinSide::Left;
        let Some(form) = &self.form else {
            let everything = || Place::Span(Row::default(), Row::from_bytes(&[ABOVE_ALL]));
            return if is_left { Place::Point(Row::default()) } else { everything() };
        };
        self.arena.reset();
        let columns: Vec<Datum<'_>> = row.iter().collect();
        if is_left == form.left_has_points {
            return match end(&form.point, false, &columns, &self.arena) {
                Ok(Some(point)) => Place::Point(point),
                Ok(None) => Place::Nowhere,
                Err(()) => Place::Anywhere,
            };
        }
        // A low end beyond which points begin, a high end at which they stop: exclusive and inclusive lie just after the value.
        let low = form.low.as_ref().map(|RangeEnd { expr, inclusive }| end(expr, !inclusive, &columns, &self.arena));
        let high = form.high.as_ref().map(|RangeEnd { expr, inclusive }| end(expr, *inclusive, &columns, &self.arena));
        match (low.unwrap_or_else(|| Ok(Some(Row::default()))), high) {
            (Ok(None), _) | (_, Some(Ok(None))) => Place::Nowhere,
            (Err(()), _) | (_, Some(Err(()))) => Place::Anywhere,
            (Ok(Some(low)), None) => Place::Span(low, Row::from_bytes(&[ABOVE_ALL])),
            (Ok(Some(low)), Some(Ok(Some(high)))) if low < high => Place::Span(low, high),
            (Ok(Some(_)), Some(Ok(Some(_)))) => Place::Nowhere,
        }
    }

    fn holds(&mut self, left: RowRef<'_>, right: RowRef<'_>, whole: bool) -> Result<bool, Row> {
        let conditions = if whole { &self.whole } else { &self.rest };
        if conditions.is_empty() {
            return Ok(true);
        }
        self.arena.reset();
        let mut columns: Vec<Datum<'_>> = Vec::with_capacity(self.left_width + self.right_width);
        columns.extend(left.iter());
        columns.extend(right.iter());
        let mut failed = None;
        for (condition, blame) in conditions {
            match condition.eval(&columns, &self.arena) {
                Ok(Datum::Bool(true)) => {}
                Ok(_) => return Ok(false),
                Err(error) => failed = failed.or(Some((blame, error))),
            }
        }
        match failed {
            None => Ok(true),
            Some((blame, error)) => Err(blame.row(&error.0, columns.iter().cloned())),
        }
    }

    fn joined(&mut self, left: Option<RowRef<'_>>, right: Option<RowRef<'_>>) -> Row {
        let mut builder = RowBuilder::default();
        let mut push = |row: Option<RowRef<'_>>, width: usize| match row {
            Some(row) => builder.push_row(row),
            None => (0..width).for_each(|_| builder.push(&Datum::Null)),
        };
        push(left, self.left_width);
        if self.shows_right {
            push(right, self.right_width);
        }
        builder.finish()
    }
}

/// The order key of an end, or the least bytes after it; nothing for NULL.
fn end(expr: &Expr, after: bool, columns: &[Datum<'_>], arena: &Arena) -> Result<Option<Row>, ()> {
    let arena_columns: Vec<Datum<'_>> = columns.to_vec();
    let value = expr.eval(&arena_columns, arena).map_err(|_| ())?;
    if value.is_null() {
        return Ok(None);
    }
    let mut key: SmallVec<[u8; 32]> = SmallVec::new();
    push_order_key(&mut key, &value, SortDirection::ASCENDING);
    if after {
        key.push(0);
    }
    Ok(Some(Row::from_bytes(&key)))
}
