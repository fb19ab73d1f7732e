//! Joins of every kind, as sums of parts over shared arrangements.
//!
//! ```text
//!   inner            L ⋈ R
//!   left             L ⋈ R  +  (L − L ⋉ keys(R)) with NULLs for R
//!   semi, anti       L ⋉ keys(R),  L − L ⋉ keys(R)
//! ```
//!
//! A join whose condition has more than equalities keeps a state of its own (`range_join`), unless it is an inner one whose key
//! alone finds few pairs: then the rest is a filter over them.

use std::sync::Arc;

use eval::Expr;
use flow::Gives;

use super::Context;
use super::arrangements::{ArrangementKey, Side, terms};
use super::keyed_join::{KeyedJoin, gives};
use super::mfp::Mfp;
use super::parts::{Part, Source};
use super::range_join::is_range_join;
use crate::plan::{EquiTerm, JoinKind, Plan};

impl<'scope> Context<'scope> {
    /// The parts of a join; their columns are those of the join.
    pub fn join(
        &mut self,
        plan: &Arc<Plan>,
        kind: JoinKind,
        left: &Arc<Plan>,
        right: &Arc<Plan>,
        on: &[EquiTerm],
        residual: &[Expr],
    ) -> Vec<Part<'scope>> {
        let left_side = Side::new(left, &terms(on, true), true);
        let right_side = Side::new(right, &terms(on, false), false);
        if let Some(star) = self.star(plan) {
            return self.star_parts(&star);
        }
        if is_range_join(plan) {
            return self.range_join(plan, kind, [left, right], on, residual);
        }
        if let Some(parts) = self.own_join([&left_side, &right_side], kind, [left, right], on, residual) {
            return parts;
        }
        let keeps_left = matches!(kind, JoinKind::Left | JoinKind::Full);
        let keeps_right = matches!(kind, JoinKind::Right | JoinKind::Full);
        let mut parts = Vec::new();
        if matches!(kind, JoinKind::Semi | JoinKind::Anti) {
            let matched = self.matched(left, &left_side, right, &right_side, 0, 0);
            if kind == JoinKind::Semi {
                return vec![matched];
            }
            return vec![Part::rows(self.rows(left), left.arity()), Part { negated: true, ..matched }];
        }
        let mut inner = self.pairs(&left_side, &right_side);
        if let Some(first) = &mut inner.first {
            residual.iter().for_each(|predicate| first.push_filter(predicate));
        }
        parts.push(inner);
        if keeps_left {
            let rows = Part { nulls_after: right.arity(), ..Part::rows(self.rows(left), left.arity()) };
            let matched = self.matched(left, &left_side, right, &right_side, 0, right.arity());
            parts.extend([rows, Part { negated: true, ..matched }]);
        }
        if keeps_right {
            let rows = Part { nulls_before: left.arity(), ..Part::rows(self.rows(right), right.arity()) };
            let matched = self.matched(right, &right_side, left, &left_side, left.arity(), 0);
            parts.extend([rows, Part { negated: true, ..matched }]);
        }
        parts
    }

    /// The parts of a join whose sides nobody else reads by its key.
    fn own_join(
        &mut self,
        sides: [&Side; 2],
        kind: JoinKind,
        inputs: [&Arc<Plan>; 2],
        on: &[EquiTerm],
        residual: &[Expr],
    ) -> Option<Vec<Part<'scope>>> {
        if !self.can_own_join(sides, kind, on) {
            return None;
        }
        let [left, right] = sides;
        let mut own = own_pairs(left, right, gives(kind));
        if let Some(first) = &mut own.first {
            residual.iter().for_each(|predicate| first.push_filter(predicate));
        }
        let given = gives(kind);
        let mut parts = vec![own];
        // Rows whose key is NULL are in neither side: they have no match.
        let padding = |other: usize| if given.pairs { inputs[other].arity() } else { 0 };
        for (side, is_kept) in [(0, given.left_alone), (1, given.right_alone)] {
            let drops = sides[side].key.drops_null.iter();
            let nulls: Vec<Expr> = terms(on, side == 0)
                .into_iter()
                .zip(drops)
                .filter(|(_, drops)| **drops)
                .map(|((expr, _), _)| Expr::IsNull(Box::new(expr)))
                .collect();
            if !is_kept || nulls.is_empty() {
                continue;
            }
            let (before, after) = if side == 0 { (0, padding(1)) } else { (padding(0), 0) };
            let rows = Part::rows(self.rows(inputs[side]), inputs[side].arity());
            let mut first = Mfp::identity(before + rows.arity + after);
            let mut is_null = Expr::Or(nulls);
            is_null.map_columns(&mut |column| before + column);
            first.push_filter(&is_null);
            parts.push(Part { nulls_before: before, nulls_after: after, first: Some(first), ..rows });
        }
        Some(parts)
    }

    /// Whether a join holds its state itself.
    pub fn can_own_join(&self, [left, right]: [&Side; 2], kind: JoinKind, on: &[EquiTerm]) -> bool {
        let gives = gives(kind);
        // The key of rows that may have none is looked at twice; it must not fail twice.
        let fails = |is_left: bool| terms(on, is_left).iter().any(|(expr, _)| expr.is_fallible());
        left.key != right.key
            && self.is_own_side(left)
            && self.is_own_side(right)
            && !(gives.left_alone && fails(true))
            && !(gives.right_alone && fails(false))
    }

    /// One part of a left join without a residual condition.
    pub fn left_join_part(&mut self, plan: &Arc<Plan>, which: JoinPart) -> Part<'scope> {
        let Plan::Join { kind: JoinKind::Left, left, right, on, .. } = &**plan else {
            panic!("{} is no left join", super::describe(plan));
        };
        let left_side = Side::new(left, &terms(on, true), true);
        let right_side = Side::new(right, &terms(on, false), false);
        match which {
            JoinPart::Pairs => self.pairs(&left_side, &right_side),
            JoinPart::PairsAlone if self.can_own_join([&left_side, &right_side], JoinKind::Inner, on) => {
                own_pairs(&left_side, &right_side, Gives::PAIRS)
            }
            JoinPart::PairsAlone => self.pairs(&left_side, &right_side),
            JoinPart::Left => Part { nulls_after: right.arity(), ..Part::rows(self.rows(left), left.arity()) },
            JoinPart::Matched => {
                let matched = self.matched(left, &left_side, right, &right_side, 0, right.arity());
                Part { negated: true, ..matched }
            }
        }
    }

    /// The matching pairs: left columns, then right columns.
    fn pairs(&mut self, left: &Side, right: &Side) -> Part<'scope> {
        let arity = left.base.arity() + right.base.arity();
        let source = Source::Join { left: self.arrangement(left), right: self.arrangement(right) };
        Part { first: Some(left.first.beside(&right.first)), ..Part::new(source, arity) }
    }

    /// The rows of one side whose key the other side has, with NULLs around them.
    fn matched(
        &mut self,
        plan: &Arc<Plan>,
        side: &Side,
        other: &Arc<Plan>,
        other_side: &Side,
        nulls_before: usize,
        nulls_after: usize,
    ) -> Part<'scope> {
        let unique = is_unique(other_side);
        debug_assert_eq!(side.first.outputs.len(), plan.arity());
        debug_assert_eq!(other_side.first.outputs.len(), other.arity());
        let source = Source::Join { left: self.arrangement(side), right: self.key_set(other_side, unique) };
        let first = Mfp::identity(nulls_before).beside(&side.first).beside(&Mfp::identity(nulls_after));
        Part { nulls_before, nulls_after, first: Some(first), ..Part::new(source, side.base.arity()) }
    }
}

/// The parts of a left join: its rows are the pairs, plus the left rows, less the left rows that have a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinPart {
    Pairs,
    /// The pairs, where no other part is wanted.
    PairsAlone,
    Left,
    Matched,
}

/// What a join with own state gives, over the columns of the join.
fn own_pairs<'scope>(left: &Side, right: &Side, gives: Gives) -> Part<'scope> {
    let join = KeyedJoin { left: left.clone(), right: right.clone(), gives };
    let (_, arity) = join.arities();
    let first = if gives.pairs { left.first.beside(&right.first) } else { left.first.clone() };
    Part { first: Some(first), ..Part::new(Source::KeyedJoin(Box::new(join)), arity) }
}

/// Whether a side has at most one row per key by its structure.
fn is_unique(side: &Side) -> bool {
    let ArrangementKey { key, .. } = &side.key;
    let columns: Vec<usize> =
        key.iter().filter_map(|expr| if let Expr::Column(i) = expr { Some(*i) } else { None }).collect();
    side.base.typ().keys.iter().any(|unique| unique.iter().all(|column| columns.contains(column)))
}
