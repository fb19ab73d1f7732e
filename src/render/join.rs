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

use super::Context;
use super::arrangements::{ArrangementKey, Side, terms};
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
        let mut inner = self.pairs(&left_side, &right_side, kind == JoinKind::Inner);
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

    /// One part of a left join without a residual condition.
    pub fn left_join_part(&mut self, plan: &Arc<Plan>, which: JoinPart) -> Part<'scope> {
        let Plan::Join { kind: JoinKind::Left, left, right, on, .. } = &**plan else {
            panic!("{} is no left join", super::describe(plan));
        };
        let left_side = Side::new(left, &terms(on, true), true);
        let right_side = Side::new(right, &terms(on, false), false);
        match which {
            JoinPart::Pairs => self.pairs(&left_side, &right_side, false),
            JoinPart::PairsAlone => self.pairs(&left_side, &right_side, true),
            JoinPart::Left => Part { nulls_after: right.arity(), ..Part::rows(self.rows(left), left.arity()) },
            JoinPart::Matched => {
                let matched = self.matched(left, &left_side, right, &right_side, 0, right.arity());
                Part { negated: true, ..matched }
            }
        }
    }

    /// The matching pairs: left columns, then right columns. `alone`: the join has no other part that reads its sides.
    fn pairs(&mut self, left: &Side, right: &Side, alone: bool) -> Part<'scope> {
        let arity = left.base.arity() + right.base.arity();
        let own = alone && left.key != right.key && self.is_own_side(left) && self.is_own_side(right);
        let source = if own {
            Source::KeyedJoin { left: self.keyed_side(left), right: self.keyed_side(right) }
        } else {
            Source::Join { left: self.arrangement(left), right: self.arrangement(right) }
        };
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

/// Whether a side has at most one row per key by its structure.
fn is_unique(side: &Side) -> bool {
    let ArrangementKey { key, .. } = &side.key;
    let columns: Vec<usize> =
        key.iter().filter_map(|expr| if let Expr::Column(i) = expr { Some(*i) } else { None }).collect();
    side.base.typ().keys.iter().any(|unique| unique.iter().all(|column| columns.contains(column)))
}
