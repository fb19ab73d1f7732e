//! Filters move towards the sources, and comparisons between two inputs become what they are joined by.
//!
//! ```text
//!   Filter a.x = b.x and a.y > 0 and p          Filter p   (p can fail, or reads both sides)
//!     Join cross                         ──>      Join on a.x = b.x
//!       a                                           Filter y > 0
//!       b                                             a
//!                                                   b
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use eval::Expr;

use crate::plan::expr::{columns_of, conjuncts, equality, literal_bool, reads_only, renumber, transform};
use crate::plan::tree::{NodeMap, reader_counts};
use crate::plan::{EquiTerm, JoinKind, Plan, TypeCache};

pub(super) fn push_down(plan: &Arc<Plan>) -> Arc<Plan> {
    let mut pusher = Pusher { counts: reader_counts(plan), done: NodeMap::default(), types: TypeCache::default() };
    pusher.push(plan, Vec::new())
}

struct Pusher {
    counts: NodeMap<usize>,
    /// Nodes pushed into with no predicate from above.
    done: NodeMap<Arc<Plan>>,
    types: TypeCache,
}

fn filter(input: Arc<Plan>, predicates: Vec<Expr>) -> Arc<Plan> {
    if predicates.is_empty() { input } else { Arc::new(Plan::Filter { input, predicates }) }
}

impl Pusher {
    /// The plan with the predicates applied, as deep as they go.
    fn push(&mut self, plan: &Arc<Plan>, predicates: Vec<Expr>) -> Arc<Plan> {
        if predicates.is_empty() {
            if let Some(done) = self.done.get(plan) {
                return Arc::clone(done);
            }
            let pushed = self.push_into(plan, Vec::new());
            self.done.insert(plan, Arc::clone(&pushed));
            return pushed;
        }
        if self.counts.get(plan).is_some_and(|count| *count > 1) {
            let pushed = self.push(plan, Vec::new());
            return filter(pushed, predicates);
        }
        self.push_into(plan, predicates)
    }

    fn push_into(&mut self, plan: &Arc<Plan>, predicates: Vec<Expr>) -> Arc<Plan> {
        // An equality that can fail goes down only as far as to the join it belongs to.
        let takes_fallible =
            matches!(**plan, Plan::Filter { .. } | Plan::Project { .. } | Plan::Join { kind: JoinKind::Inner, .. });
        let (stay, go): (Vec<Expr>, Vec<Expr>) =
            predicates.into_iter().partition(|predicate| !takes_fallible && predicate.is_fallible());
        let pushed = self.push_node(plan, go);
        filter(pushed, stay)
    }

    fn push_node(&mut self, plan: &Arc<Plan>, predicates: Vec<Expr>) -> Arc<Plan> {
        match &**plan {
            Plan::Filter { input, predicates: own } => {
                let mut all = predicates;
                own.iter().for_each(|predicate| conjuncts(predicate.clone(), &mut all));
                let (stay, go) =
                    all.into_iter().partition(|predicate| predicate.is_fallible() && equality(predicate).is_none());
                let input = self.push(input, go);
                filter(input, stay)
            }
            Plan::Project { input, columns } => {
                let go =
                    predicates.iter().map(|predicate| renumber(predicate, &mut |column| columns[column])).collect();
                let input = self.push(input, go);
                Arc::new(Plan::Project { input, columns: columns.clone() })
            }
            Plan::Map { input, exprs } => {
                let width = self.types.typ(input).columns.len();
                let (mut stay, mut go) = (Vec::new(), Vec::new());
                for predicate in predicates {
                    let below = transform(&predicate, &mut |part| match part {
                        Expr::Column(column) if *column >= width => Some(exprs[*column - width].0.clone()),
                        _ => None,
                    });
                    if below.is_fallible() { stay.push(predicate) } else { go.push(below) }
                }
                let input = self.push(input, go);
                filter(Arc::new(Plan::Map { input, exprs: exprs.clone() }), stay)
            }
            Plan::Reduce { input, group, aggregates } => {
                let (mut stay, mut go) = (Vec::new(), Vec::new());
                for predicate in predicates {
                    let on_group = !group.is_empty() && reads_only(&predicate, &|column| column < group.len());
                    let below = on_group.then(|| {
                        transform(&predicate, &mut |part| match part {
                            Expr::Column(column) => Some(group[*column].0.clone()),
                            _ => None,
                        })
                    });
                    match below {
                        Some(below) if !below.is_fallible() => go.push(below),
                        _ => stay.push(predicate),
                    }
                }
                let input = self.push(input, go);
                filter(Arc::new(Plan::Reduce { input, group: group.clone(), aggregates: aggregates.clone() }), stay)
            }
            Plan::TopK { input, group, order_by, limit, offset } => {
                let (go, stay) = predicates
                    .into_iter()
                    .partition(|predicate| reads_only(predicate, &|column| group.contains(&column)));
                let input = self.push(input, go);
                let (group, order_by) = (group.clone(), order_by.clone());
                filter(Arc::new(Plan::TopK { input, group, order_by, limit: *limit, offset: *offset }), stay)
            }
            Plan::Window { input, partition, order_by, calls } => {
                // A predicate over the partition alone keeps or drops partitions as a whole. Calls that could fail for the
                // rows of a dropped one are spared it.
                let (go, stay) = predicates.into_iter().partition(|predicate| reads_only_parts(predicate, partition));
                let input = self.push(input, go);
                let (partition, order_by, calls) = (partition.clone(), order_by.clone(), calls.clone());
                filter(Arc::new(Plan::Window { input, partition, order_by, calls }), stay)
            }
            Plan::FlatMap { input, .. } => {
                let width = self.types.typ(input).columns.len();
                let (go, stay) =
                    predicates.into_iter().partition(|predicate| reads_only(predicate, &|column| column < width));
                let input = self.push(input, go);
                filter(Arc::new(plan.with_children(vec![input])), stay)
            }
            Plan::Temporal { .. }
            | Plan::Distinct { .. }
            | Plan::Union { .. }
            | Plan::Negate { .. }
            | Plan::Threshold { .. } => {
                let children = plan.children().into_iter().map(|child| self.push(child, predicates.clone())).collect();
                Arc::new(plan.with_children(children))
            }
            Plan::Join { kind, left, right, on, residual } => {
                self.push_join(*kind, left, right, on, residual, predicates)
            }
            Plan::Snapshot { .. } => {
                // A version is closed by a row that the filter would drop.
                let children = plan.children().into_iter().map(|child| self.push(child, Vec::new())).collect();
                filter(Arc::new(plan.with_children(children)), predicates)
            }
            Plan::Recursive { .. } => {
                // What a later round derives depends on rows that the filter would drop.
                let children = plan.children().into_iter().map(|child| self.push(child, Vec::new())).collect();
                filter(Arc::new(plan.with_children(children)), predicates)
            }
            Plan::Get { .. } | Plan::Constant { .. } | Plan::Recursion { .. } => filter(Arc::clone(plan), predicates),
        }
    }

    fn push_join(
        &mut self,
        kind: JoinKind,
        left: &Arc<Plan>,
        right: &Arc<Plan>,
        on: &[EquiTerm],
        residual: &[Expr],
        predicates: Vec<Expr>,
    ) -> Arc<Plan> {
        let mut parts = Parts {
            width: self.types.typ(left).columns.len(),
            on: on.to_vec(),
            left: Vec::new(),
            right: Vec::new(),
            residual: Vec::new(),
            above: Vec::new(),
        };
        let mut conditions = Vec::new();
        residual.iter().for_each(|condition| conjuncts(condition.clone(), &mut conditions));
        for condition in conditions {
            parts.condition(kind, condition);
        }
        for predicate in predicates {
            parts.predicate(kind, predicate);
        }
        let left = self.push(left, parts.left);
        let right = self.push(right, parts.right);
        filter(Arc::new(Plan::Join { kind, left, right, on: parts.on, residual: parts.residual }), parts.above)
    }
}

/// Whether the predicate reads columns only as parts of these expressions.
fn reads_only_parts(predicate: &Expr, parts: &[Expr]) -> bool {
    let rest = transform(predicate, &mut |part| parts.contains(part).then(|| literal_bool(true)));
    reads_only(&rest, &|_| false)
}

/// A join being taken apart.
struct Parts {
    /// Columns of the left side.
    width: usize,
    on: Vec<EquiTerm>,
    left: Vec<Expr>,
    right: Vec<Expr>,
    residual: Vec<Expr>,
    above: Vec<Expr>,
}

#[derive(PartialEq, Eq)]
enum Side {
    Left,
    Right,
    Both,
    Neither,
}

impl Parts {
    fn side(&self, columns: &BTreeSet<usize>) -> Side {
        let left = columns.iter().any(|column| *column < self.width);
        let right = columns.iter().any(|column| *column >= self.width);
        match (left, right) {
            (true, true) => Side::Both,
            (true, false) => Side::Left,
            (false, true) => Side::Right,
            (false, false) => Side::Neither,
        }
    }

    fn on_right(&self, expr: &Expr) -> Expr {
        renumber(expr, &mut |column| column - self.width)
    }

    /// The equality as a join key, if its sides are of different inputs.
    fn equi_term(&self, condition: &Expr) -> Option<EquiTerm> {
        let (a, b, null_equal) = equality(condition)?;
        let (a, b) = match (self.side(&columns_of(a)), self.side(&columns_of(b))) {
            (Side::Left, Side::Right) => (a, b),
            (Side::Right, Side::Left) => (b, a),
            _ => return None,
        };
        Some(EquiTerm { left: a.clone(), right: self.on_right(b), null_equal })
    }

    fn add_term(&mut self, term: EquiTerm) {
        if !self.on.contains(&term) {
            self.on.push(term);
        }
    }

    /// A part of the join's own condition.
    fn condition(&mut self, kind: JoinKind, condition: Expr) {
        if let Some(term) = self.equi_term(&condition) {
            return self.add_term(term);
        }
        let left_may_shrink = matches!(kind, JoinKind::Inner | JoinKind::Right | JoinKind::Semi);
        let right_may_shrink = !matches!(kind, JoinKind::Right | JoinKind::Full);
        match self.side(&columns_of(&condition)) {
            _ if condition.is_fallible() => self.residual.push(condition),
            Side::Left if left_may_shrink => self.left.push(condition),
            Side::Right if right_may_shrink => {
                let condition = self.on_right(&condition);
                self.right.push(condition);
            }
            _ => self.residual.push(condition),
        }
    }

    /// A predicate from above the join.
    fn predicate(&mut self, kind: JoinKind, predicate: Expr) {
        if kind == JoinKind::Inner
            && let Some(term) = self.equi_term(&predicate)
        {
            return self.add_term(term);
        }
        match self.side(&columns_of(&predicate)) {
            _ if predicate.is_fallible() => self.above.push(predicate),
            Side::Left if !matches!(kind, JoinKind::Right | JoinKind::Full) => self.left.push(predicate),
            Side::Right if matches!(kind, JoinKind::Inner | JoinKind::Right) => {
                let predicate = self.on_right(&predicate);
                self.right.push(predicate);
            }
            Side::Both if kind == JoinKind::Inner => self.residual.push(predicate),
            _ => self.above.push(predicate),
        }
    }
}
