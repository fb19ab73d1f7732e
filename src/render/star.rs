//! A hub with left joins to groupings by the hub's key: the commonest mart, as one grouping.
//!
//! ```text
//!   hub ⟕ (a group by k) ⟕ (b group by k) ⟕ …
//!
//!   rows of a ───> lanes of a's aggregates ┐
//!   rows of b ───> lanes of b's aggregates ├─> k: hub rows, columns of a, columns of b
//!   hub rows ──────────────────────────────┘
//! ```
//!
//! The groupings share one vector of lanes, so a change of any of them touches one arrangement and one group. A group has a row
//! for as long as the hub has its key, with NULLs for the sides that have no rows: no outer join is left to be maintained.

use std::rc::Rc;
use std::sync::Arc;

use eval::accumulate::Accumulators;
use eval::{AggregateCall, Expr};
use flow::{Collection, Copies, JoinInput};

use super::aggregate::{can_fail, describe};
use super::arrangements::Side;
use super::errors::Blame;
use super::groups::{GroupSide, Groups};
use super::mfp::Mfp;
use super::parts::{Part, Source};
use super::{Context, node_key};
use crate::plan::{JoinKind, Plan};

/// A grouping of a star: its input, group expressions, aggregates, and where its lanes lie.
type StarSide = (Arc<Plan>, Vec<Expr>, Vec<AggregateCall>, Rc<Accumulators>);

/// A recognised chain of left joins.
pub struct Star {
    hub: Arc<Plan>,
    /// The hub's key, in the order of the groupings' group columns.
    key: Vec<Expr>,
    /// Groupings that nobody else reads.
    sides: Vec<Arc<Plan>>,
    /// From hub columns and then the groupings' columns to the columns of the outermost join.
    columns: Mfp,
}

impl Context {
    /// Recognises a star whose outermost join is `plan`.
    pub fn star(&self, plan: &Arc<Plan>) -> Option<Star> {
        let Plan::Join { kind: JoinKind::Left, left, right, on, residual } = &**plan else { return None };
        if !residual.is_empty() || on.is_empty() || on.iter().any(|term| term.null_equal) {
            return None;
        }
        let (grouping, chain) = self.own_chain(right)?;
        let Plan::Reduce { group, aggregates, .. } = &*grouping else { return None };
        let holds = aggregates.iter().all(|(call, _)| Accumulators::can_hold(call));
        if !holds || group.len() != on.len() || !self.is_own(&grouping) {
            return None;
        }
        // The hub's key, reordered as the grouping's columns are.
        let mut key: Vec<Option<Expr>> = vec![None; on.len()];
        for term in on {
            match over_inputs(&term.right, &chain)? {
                Expr::Column(column) if column < group.len() => key[column] = Some(term.left.clone()),
                _ => return None,
            }
        }
        let key: Vec<Expr> = key.into_iter().collect::<Option<_>>()?;
        if let Some((inner, above)) = self.own_chain(left)
            && self.is_own(&inner)
            && let Some(mut star) = self.star(&inner)
        {
            let mut columns = star.columns.clone();
            columns.append(&above);
            let same_key =
                key.iter().zip(&star.key).all(|(expr, hub)| over_inputs(expr, &columns).as_ref() == Some(hub));
            if same_key && key.len() == star.key.len() {
                star.columns = columns.beside(&chain);
                star.sides.push(grouping);
                return Some(star);
            }
        }
        let columns = Mfp::identity(left.arity()).beside(&chain);
        Some(Star { hub: left.clone(), key, sides: vec![grouping], columns })
    }

    /// The row-wise chain of a node that nobody else reads; None when it filters or can fail.
    fn own_chain(&self, plan: &Arc<Plan>) -> Option<(Arc<Plan>, Mfp)> {
        if !self.is_own(plan) {
            return None;
        }
        let (below, chain) = self.peel(plan);
        (!chain.has_filter() && !chain.is_fallible()).then_some((below, chain))
    }

    /// Whether a node has one reader and has not been rendered.
    fn is_own(&self, plan: &Arc<Plan>) -> bool {
        self.readers.get(&node_key(plan)).copied().unwrap_or(1) <= 1 && !self.rows.contains_key(&node_key(plan))
    }

    /// The parts of a star.
    pub fn star_parts(&mut self, star: &Star) -> Vec<Part> {
        let on: Vec<(Expr, bool)> = star.key.iter().map(|expr| (expr.clone(), false)).collect();
        let hub = Side::new(&star.hub, &on, true, false);
        let groups = star.key.len();
        let groupings: Vec<_> = star
            .sides
            .iter()
            .map(|side| {
                let Plan::Reduce { input, group, aggregates } = &**side else { unreachable!("sides are groupings") };
                let calls: Vec<AggregateCall> = aggregates.iter().map(|(call, _)| call.clone()).collect();
                let exprs: Vec<Expr> = group.iter().map(|(expr, _)| expr.clone()).collect();
                (input.clone(), exprs, calls)
            })
            .collect();
        let counted: Vec<_> =
            groupings.iter().map(|(input, exprs, calls)| self.with_counts(input, exprs, calls)).collect();
        let layouts = Accumulators::lay_out(0, &counted);
        let width = layouts.first().map_or(1, Accumulators::width);
        let sides: Vec<_> = groupings
            .into_iter()
            .zip(layouts)
            .map(|((input, exprs, calls), accumulators)| (input, exprs, calls, Rc::new(accumulators)))
            .collect();
        let side_columns: usize = star.sides.iter().map(|side| side.arity()).sum();
        let source = self.star_groups(&hub, groups, &sides, width);
        let arity = hub.base.arity() + side_columns;
        let mut first = hub.first.beside(&Mfp::identity(side_columns));
        first.append(&star.columns);
        let mut parts = vec![Part { first: Some(first), ..Part::new(source, arity) }];
        let typ = star.hub.typ();
        let nullable = |expr: &Expr| !matches!(expr, Expr::Column(column) if !typ.columns[*column].nullable);
        if star.key.iter().any(nullable) {
            // A hub row whose key is NULL has no group: it has no sides.
            let hub_arity = star.hub.arity();
            let mut first = Mfp::identity(hub_arity + side_columns);
            let nulls = star.key.iter().map(|expr| Expr::IsNull(Box::new(expr.clone()))).collect();
            first.push_filter(&Expr::Or(nulls));
            first.append(&star.columns);
            let rows = Part::rows(self.rows(&star.hub), hub_arity);
            parts.push(Part { nulls_after: side_columns, first: Some(first), ..rows });
        }
        parts
    }

    /// Lanes, and beside them the hub's rows: the operator's own, or those of an arrangement.
    fn star_groups(&mut self, hub: &Side, groups: usize, sides: &[StarSide], width: usize) -> Source {
        let hub = if self.is_own_side(hub) {
            let (keyed, layout) = self.keyed_side(hub);
            (JoinInput::Own(keyed), layout)
        } else {
            let (arrangement, layout) = self.arrangement(hub);
            (JoinInput::Shared(arrangement), layout)
        };
        let mut collections = Vec::new();
        for (input, exprs, calls, accumulators) in sides {
            collections.extend(self.lanes(input, exprs, calls, accumulators, width));
        }
        let lanes = Collection::concatenate(collections);
        let side = |(_, _, calls, accumulators): &StarSide| GroupSide {
            accumulators: accumulators.clone(),
            calls: calls.len(),
            blame: Blame { model: self.model.clone(), expression: describe(calls) },
        };
        let groups = Groups {
            sides: sides.iter().map(side).collect(),
            beside_hub: true,
            key_columns: groups,
            can_fail: sides.iter().any(|(_, _, calls, _)| calls.iter().any(can_fail)),
        };
        Source::Groups { lanes, hub: Some(hub), copies: Copies::One, groups }
    }
}

/// An expression over a chain's outputs as one over its inputs; None when it reads a computed column.
pub fn over_inputs(expr: &Expr, chain: &Mfp) -> Option<Expr> {
    let mut possible = true;
    expr.for_each_column(&mut |column| possible &= chain.outputs[column] < chain.arity);
    possible.then(|| {
        let mut expr = expr.clone();
        expr.map_columns(&mut |column| chain.outputs[column]);
        expr
    })
}
