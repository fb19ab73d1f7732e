//! Joins of every kind: pairs on equal keys, and the rows without one.
//!
//! ```text
//!   L, R by key ──> join ──> pairs, rows that the kind of join keeps    (one operator, whoever holds the rows)
//!   L where the key is NULL ──────> rows that have no match             (a part of its own, where such rows are kept)
//! ```
//!
//! A join whose condition has more than equalities keeps a state of its own (`range_join`), unless it is an inner one whose key
//! alone finds few pairs: then the rest is a filter over them.

use std::sync::Arc;

use eval::Expr;
use flow::Gives;
use row::ScalarType;

use super::arrangements::{ArrangementKey, Side, terms};
use super::keyed_join::{KeyedJoin, gives};
use super::mfp::Mfp;
use super::parts::{Part, Source};
use super::range_join::is_range_join;
use super::{Context, node_key};
use crate::plan::{Column, EquiTerm, JoinKind, Plan};

/// A join's input whose rows may be kept without a match: where they are read, and their keys there.
struct Kept {
    rows: Arc<Plan>,
    keys: Vec<Expr>,
    side: Side,
}

impl Context {
    /// The parts of a join; their columns are those of the join.
    pub fn join(
        &mut self,
        plan: &Arc<Plan>,
        kind: JoinKind,
        left: &Arc<Plan>,
        right: &Arc<Plan>,
        on: &[EquiTerm],
        residual: &[Expr],
    ) -> Vec<Part> {
        if let Some(star) = self.star(plan) {
            return self.star_parts(&star);
        }
        if is_range_join(plan) {
            return self.range_join(plan, kind, [left, right], on, residual);
        }
        let gives = gives(kind);
        let left = self.kept(left, on, true, gives);
        let right = self.kept(right, on, false, gives);
        let mut pairs = pairs(&left.side, &right.side, gives);
        if let Some(first) = &mut pairs.first {
            residual.iter().for_each(|predicate| first.push_filter(predicate));
        }
        let mut parts = vec![pairs];
        // Rows whose key is NULL are in neither side: they have no match.
        let padding = |side: &Side| if gives.pairs { side.first.outputs.len() } else { 0 };
        let (before, after) = (padding(&left.side), padding(&right.side));
        if gives.left_alone {
            parts.extend(self.without_key(&left, 0, after));
        }
        if gives.right_alone {
            parts.extend(self.without_key(&right, before, 0));
        }
        parts
    }

    /// A join's side. Where rows without a match are kept, a key that can fail is computed, and fails, once for both uses.
    fn kept(&mut self, plan: &Arc<Plan>, on: &[EquiTerm], is_left: bool, gives: Gives) -> Kept {
        let terms = terms(on, is_left);
        let (is_kept, is_padded) = match is_left {
            true => (gives.left_alone, gives.right_alone),
            false => (gives.right_alone, gives.left_alone),
        };
        if !is_kept || !terms.iter().any(|(expr, _)| expr.is_fallible()) {
            let side = Side::new(plan, &terms, is_left, is_padded);
            return Kept { rows: plan.clone(), keys: terms.into_iter().map(|(expr, _)| expr).collect(), side };
        }
        let types: Vec<ScalarType> = plan.typ().columns.into_iter().map(|column| column.ty).collect();
        let column = |expr: &Expr| Column { name: "key".into(), ty: expr.ty(&types), nullable: true, scale_max: None };
        let exprs = terms.iter().map(|(expr, _)| (expr.clone(), column(expr))).collect();
        let rows = Arc::new(Plan::Map { input: plan.clone(), exprs });
        self.made.push(rows.clone());
        let arity = plan.arity();
        let keys: Vec<Expr> = (arity..arity + terms.len()).map(Expr::Column).collect();
        let drops_null = terms.iter().map(|(_, null_equal)| !null_equal).collect();
        let key = ArrangementKey { node: node_key(&rows), key: keys.clone(), drops_null };
        let first = Mfp { arity: arity + terms.len(), steps: Vec::new(), outputs: (0..arity).collect() };
        // Rendered now, so that both uses read the same rows.
        self.rows(&rows);
        Kept { side: Side { base: rows.clone(), key, first }, rows, keys }
    }

    /// The rows of a side whose key is NULL, with NULL columns before and after; None where there can be none.
    fn without_key(&mut self, kept: &Kept, nulls_before: usize, nulls_after: usize) -> Option<Part> {
        let drops = kept.side.key.drops_null.iter();
        let nulls = kept.keys.iter().zip(drops).filter(|(_, drops)| **drops);
        let nulls: Vec<Expr> = nulls.map(|(key, _)| Expr::IsNull(Box::new(key.clone()))).collect();
        if nulls.is_empty() {
            return None;
        }
        let arity = kept.rows.arity();
        let width = kept.side.first.outputs.len();
        let mut first = Mfp::identity(nulls_before + arity + nulls_after);
        let mut is_null = Expr::Or(nulls);
        is_null.map_columns(&mut |column| nulls_before + column);
        first.push_filter(&is_null);
        let after = nulls_before + arity;
        first.outputs = (0..nulls_before + width).chain(after..after + nulls_after).collect();
        let rows = Part::rows(self.rows(&kept.rows), arity);
        Some(Part { nulls_before, nulls_after, first: Some(first), ..rows })
    }

    /// One part of a left join without a residual condition.
    pub fn left_join_part(&mut self, plan: &Arc<Plan>, which: JoinPart) -> Part {
        let Plan::Join { kind: JoinKind::Left, left, right, on, .. } = &**plan else {
            panic!("{} is no left join", super::describe(plan));
        };
        match which {
            JoinPart::Pairs => {
                let left = Side::new(left, &terms(on, true), true, false);
                let right = Side::new(right, &terms(on, false), false, true);
                pairs(&left, &right, Gives::PAIRS)
            }
            JoinPart::Left => Part { nulls_after: right.arity(), ..Part::rows(self.rows(left), left.arity()) },
        }
    }
}

/// What of a left join an aggregate needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinPart {
    Pairs,
    Left,
}

/// What a join gives, over the columns of the join.
fn pairs(left: &Side, right: &Side, gives: Gives) -> Part {
    let join = KeyedJoin { left: left.clone(), right: right.clone(), gives };
    let (_, arity) = join.arities();
    let first = if gives.pairs { left.first.beside(&right.first) } else { left.first.clone() };
    Part { first: Some(first), ..Part::new(Source::Join(Box::new(join)), arity) }
}
