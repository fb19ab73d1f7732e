//! Columns that nobody reads are not computed, not carried and not kept.
//!
//! ```text
//!   1. from the root down: which columns of each node does some reader need   (a shared node: the union of its readers)
//!   2. from the leaves up: each node anew over what its inputs still have, with projections in front of what holds state
//! ```
//!
//! A `Get` keeps its full type; the projection directly above it says what is read of it. Expressions that are not needed
//! are gone, so they cannot fail either.

use std::collections::BTreeSet;
use std::sync::Arc;

use eval::{Expr, OrderTerm, TableCall};

use crate::plan::expr::{columns_of, renumber};
use crate::plan::tree::{NodeMap, post_order};
use crate::plan::typ::{is_one_row, unique_on};
use crate::plan::window::decided_columns;
use crate::plan::{EquiTerm, JoinKind, Plan, TypeCache};

type Demand = BTreeSet<usize>;

pub(super) fn prune(plan: &Arc<Plan>) -> Arc<Plan> {
    let mut pruner = Pruner { types: TypeCache::default(), demands: demands(plan), done: NodeMap::default() };
    let width = pruner.width(plan);
    let order = post_order(plan);
    for node in &order {
        let pruned = pruner.rebuild(node);
        pruner.done.insert(node, pruned);
    }
    pruner.narrow(plan, &(0..width).collect::<Vec<_>>())
}

/// Which columns of each node some reader needs; a node that is not in the answer is not read at all.
pub(super) fn demands(plan: &Arc<Plan>) -> NodeMap<BTreeSet<usize>> {
    let mut pruner = Pruner { types: TypeCache::default(), demands: NodeMap::default(), done: NodeMap::default() };
    let width = pruner.width(plan);
    pruner.demand(plan, (0..width).collect());
    for node in post_order(plan).iter().rev() {
        pruner.spread(node);
    }
    pruner.demands
}

/// A rebuilt node: `kept[i]` is the old number of its column i.
#[derive(Clone)]
struct Pruned {
    plan: Arc<Plan>,
    kept: Vec<usize>,
}

impl Pruned {
    fn position(&self, column: usize) -> usize {
        self.kept.iter().position(|kept| *kept == column).expect("a demanded column is kept")
    }

    fn expr(&self, expr: &Expr) -> Expr {
        renumber(expr, &mut |column| self.position(column))
    }
}

struct Pruner {
    types: TypeCache,
    demands: NodeMap<Demand>,
    done: NodeMap<Pruned>,
}

impl Pruner {
    fn demand(&mut self, plan: &Arc<Plan>, columns: Demand) {
        match self.demands.get_mut(plan) {
            Some(demand) => demand.extend(columns),
            None => self.demands.insert(plan, columns),
        }
    }

    fn demanded(&self, plan: &Arc<Plan>) -> Demand {
        self.demands.get(plan).cloned().unwrap_or_default()
    }

    fn width(&mut self, plan: &Arc<Plan>) -> usize {
        self.types.typ(plan).columns.len()
    }

    /// Says what a node, given its own demand, needs of its inputs.
    fn spread(&mut self, node: &Arc<Plan>) {
        let demand = self.demanded(node);
        match &**node {
            Plan::Get { .. } | Plan::Constant { .. } | Plan::Recursion { .. } => {}
            Plan::Recursive { base, step, .. } => {
                let width = self.width(base);
                self.demand(base, (0..width).collect());
                self.demand(step, (0..width).collect());
            }
            Plan::Map { input, exprs } => {
                let width = self.width(input);
                let mut needed: Demand = demand.iter().copied().filter(|column| *column < width).collect();
                for (index, (expr, _)) in exprs.iter().enumerate() {
                    if demand.contains(&(width + index)) {
                        needed.extend(columns_of(expr));
                    }
                }
                self.demand(input, needed);
            }
            Plan::FlatMap { input, calls, .. } => {
                let width = self.width(input);
                let mut needed: Demand = demand.iter().copied().filter(|column| *column < width).collect();
                calls.iter().flat_map(|(call, _)| &call.args).for_each(|arg| needed.extend(columns_of(arg)));
                self.demand(input, needed);
            }
            Plan::Project { input, columns } => {
                self.demand(input, demand.iter().map(|column| columns[*column]).collect());
            }
            Plan::Filter { input, predicates } => {
                let mut needed = demand;
                predicates.iter().for_each(|predicate| needed.extend(columns_of(predicate)));
                self.demand(input, needed);
            }
            Plan::Temporal { input, predicates, .. } => {
                let clock = self.width(input);
                let mut needed = demand;
                predicates.iter().for_each(|predicate| needed.extend(columns_of(predicate)));
                needed.remove(&clock);
                self.demand(input, needed);
            }
            Plan::Join { left, right, .. } => {
                let (needed_left, needed_right) = self.join_demand(node, &demand);
                self.demand(left, needed_left);
                self.demand(right, needed_right);
            }
            Plan::Reduce { input, group, aggregates } => {
                let mut needed = Demand::new();
                group.iter().for_each(|(expr, _)| needed.extend(columns_of(expr)));
                for (index, (call, _)) in aggregates.iter().enumerate() {
                    if demand.contains(&(group.len() + index)) {
                        call.exprs().for_each(|expr| needed.extend(columns_of(expr)));
                    }
                }
                self.demand(input, needed);
            }
            Plan::TopK { input, .. } => {
                let needed = self.top_k_demand(node, demand);
                self.demand(input, needed);
            }
            Plan::Window { input, .. } => {
                let needed = self.window_demand(node, &demand);
                self.demand(input, needed);
            }
            Plan::Distinct { input } | Plan::Threshold { input } => {
                let width = self.width(input);
                self.demand(input, (0..width).collect());
            }
            Plan::Snapshot { input, stored, .. } => {
                for child in [input, stored] {
                    let width = self.width(child);
                    self.demand(child, (0..width).collect());
                }
            }
            Plan::Negate { input } => self.demand(input, demand),
            Plan::Union { inputs } => inputs.iter().for_each(|input| self.demand(input, demand.clone())),
        }
    }

    fn join_demand(&mut self, node: &Arc<Plan>, demand: &Demand) -> (Demand, Demand) {
        let Plan::Join { kind, left, on, residual, .. } = &**node else { return (Demand::new(), Demand::new()) };
        let width = self.width(left);
        let (mut needed_left, mut needed_right) = (Demand::new(), Demand::new());
        let mut both = demand.clone();
        residual.iter().for_each(|condition| both.extend(columns_of(condition)));
        for column in both {
            if column < width {
                needed_left.insert(column);
            } else if !matches!(kind, JoinKind::Semi | JoinKind::Anti) || !residual.is_empty() {
                needed_right.insert(column - width);
            }
        }
        for term in on {
            needed_left.extend(columns_of(&term.left));
            needed_right.extend(columns_of(&term.right));
        }
        (needed_left, needed_right)
    }

    /// All columns break ties, unless a key is among those that decide already.
    fn top_k_demand(&mut self, node: &Arc<Plan>, demand: Demand) -> Demand {
        let Plan::TopK { input, group, order_by, .. } = &**node else { return demand };
        let typ = self.types.typ(input);
        let mut decided: Demand = group.iter().copied().collect();
        decided.extend(order_by.iter().filter_map(|term| match term.expr {
            Expr::Column(column) => Some(column),
            _ => None,
        }));
        if !typ.keys.iter().any(|key| key.iter().all(|column| decided.contains(column))) {
            return (0..typ.columns.len()).collect();
        }
        let mut needed = demand;
        needed.extend(group);
        order_by.iter().for_each(|term| needed.extend(columns_of(&term.expr)));
        needed
    }

    /// All columns tell peers apart, unless a key is among those that decide already or no demanded call tells them apart.
    fn window_demand(&mut self, node: &Arc<Plan>, demand: &Demand) -> Demand {
        let Plan::Window { input, partition, order_by, calls } = &**node else { return demand.clone() };
        let typ = self.types.typ(input);
        let width = typ.columns.len();
        let demanded = || calls.iter().enumerate().filter(|(index, _)| demand.contains(&(width + index)));
        let decided = decided_columns(partition, order_by);
        let has_key = typ.keys.iter().any(|key| key.iter().all(|column| decided.contains(column)));
        if !has_key && demanded().any(|(_, (call, _))| call.tells_peers_apart()) {
            return (0..width).collect();
        }
        let mut needed: Demand = demand.iter().copied().filter(|column| *column < width).collect();
        if demanded().next().is_none() {
            return needed;
        }
        partition.iter().for_each(|expr| needed.extend(columns_of(expr)));
        order_by.iter().for_each(|term| needed.extend(columns_of(&term.expr)));
        demanded().for_each(|(_, (call, _))| call.for_each_expr(&mut |expr| needed.extend(columns_of(expr))));
        needed
    }

    fn input(&self, plan: &Arc<Plan>) -> Pruned {
        self.done.get(plan).expect("inputs are rebuilt first").clone()
    }

    /// The rebuilt input with exactly these of its old columns.
    fn narrow(&self, plan: &Arc<Plan>, columns: &[usize]) -> Arc<Plan> {
        let input = self.input(plan);
        if input.kept == columns {
            return input.plan;
        }
        let positions = columns.iter().map(|column| input.position(*column)).collect();
        Arc::new(Plan::Project { input: input.plan, columns: positions })
    }

    fn rebuild(&mut self, node: &Arc<Plan>) -> Pruned {
        let demand = self.demanded(node);
        let kept: Vec<usize> = demand.iter().copied().collect();
        match &**node {
            Plan::Get { typ, .. } => {
                if kept.len() == typ.columns.len() {
                    return Pruned { plan: Arc::clone(node), kept };
                }
                Pruned { plan: Arc::new(Plan::Project { input: Arc::clone(node), columns: kept.clone() }), kept }
            }
            Plan::Recursive { base, step, .. } => {
                let all: Vec<usize> = (0..self.width(base)).collect();
                let children = vec![self.narrow(base, &all), self.narrow(step, &all)];
                Pruned { plan: Arc::new(node.with_children(children)), kept: all }
            }
            Plan::Constant { typ, .. } | Plan::Recursion { typ, .. } => {
                Pruned { plan: Arc::clone(node), kept: (0..typ.columns.len()).collect() }
            }
            Plan::Map { input, exprs } => {
                let width = self.width(input);
                let below = self.input(input);
                let mut kept = below.kept.clone();
                let mut mapped = Vec::new();
                for (index, (expr, column)) in exprs.iter().enumerate() {
                    if demand.contains(&(width + index)) {
                        mapped.push((below.expr(expr), column.clone()));
                        kept.push(width + index);
                    }
                }
                if mapped.is_empty() {
                    return below;
                }
                Pruned { plan: Arc::new(Plan::Map { input: below.plan, exprs: mapped }), kept }
            }
            Plan::FlatMap { input, calls, ordinality, keeps_input } => {
                let width = self.width(input);
                let mut below = self.input(input);
                let calls: Vec<_> = calls
                    .iter()
                    .map(|(call, column)| {
                        let args = call.args.iter().map(|arg| below.expr(arg)).collect();
                        (TableCall { function: call.function, args }, column.clone())
                    })
                    .collect();
                let made = calls.len() + usize::from(ordinality.is_some());
                below.kept.extend(width..width + made);
                let (ordinality, keeps_input) = (ordinality.clone(), *keeps_input);
                let plan = Plan::FlatMap { input: below.plan, calls, ordinality, keeps_input };
                Pruned { plan: Arc::new(plan), kept: below.kept }
            }
            Plan::Project { input, columns } => {
                let below = self.input(input);
                let positions = kept.iter().map(|column| below.position(columns[*column])).collect();
                Pruned { plan: Arc::new(Plan::Project { input: below.plan, columns: positions }), kept }
            }
            Plan::Filter { input, predicates } => {
                let below = self.input(input);
                let predicates = predicates.iter().map(|predicate| below.expr(predicate)).collect();
                Pruned { plan: Arc::new(Plan::Filter { input: below.plan, predicates }), kept: below.kept }
            }
            Plan::Temporal { input, reading, predicates } => {
                let clock = self.width(input);
                let below = self.input(input);
                let place = |column: usize| if column == clock { below.kept.len() } else { below.position(column) };
                let predicates =
                    predicates.iter().map(|predicate| renumber(predicate, &mut |column| place(column))).collect();
                let plan = Plan::Temporal { input: below.plan.clone(), reading: *reading, predicates };
                Pruned { plan: Arc::new(plan), kept: below.kept.clone() }
            }
            Plan::Join { .. } => self.rebuild_join(node, &demand),
            Plan::Reduce { input, group, aggregates } => {
                let below = self.input(input);
                let mut kept: Vec<usize> = (0..group.len()).collect();
                let group = group.iter().map(|(expr, column)| (below.expr(expr), column.clone())).collect();
                let mut calls = Vec::new();
                for (index, (call, column)) in aggregates.iter().enumerate() {
                    let old = kept_group(node) + index;
                    if demand.contains(&old) {
                        let mut call = call.clone();
                        call.exprs_mut().for_each(|expr| *expr = below.expr(expr));
                        calls.push((call, column.clone()));
                        kept.push(old);
                    }
                }
                Pruned { plan: Arc::new(Plan::Reduce { input: below.plan, group, aggregates: calls }), kept }
            }
            Plan::TopK { input, group, order_by, limit, offset } => {
                let kept: Vec<usize> = self.top_k_demand(node, demand).into_iter().collect();
                let below = Pruned { plan: self.narrow(input, &kept), kept: kept.clone() };
                let plan = Plan::TopK {
                    group: group.iter().map(|column| below.position(*column)).collect(),
                    order_by: order_terms(order_by, &below),
                    limit: *limit,
                    offset: *offset,
                    input: below.plan,
                };
                Pruned { plan: Arc::new(plan), kept }
            }
            Plan::Window { input, partition, order_by, calls } => {
                let width = self.width(input);
                let mut kept: Vec<usize> = self.window_demand(node, &demand).into_iter().collect();
                let below = Pruned { plan: self.narrow(input, &kept), kept: kept.clone() };
                let demanded = calls.iter().enumerate().filter(|(index, _)| demand.contains(&(width + index)));
                let calls: Vec<_> = demanded
                    .map(|(index, (call, column))| {
                        kept.push(width + index);
                        let mut call = call.clone();
                        call.map_exprs(&mut |expr| below.expr(expr));
                        (call, column.clone())
                    })
                    .collect();
                if calls.is_empty() {
                    return below;
                }
                let partition = partition.iter().map(|expr| below.expr(expr)).collect();
                let order_by = order_terms(order_by, &below);
                Pruned { plan: Arc::new(Plan::Window { input: below.plan, partition, order_by, calls }), kept }
            }
            Plan::Distinct { input } | Plan::Threshold { input } => {
                let all: Vec<usize> = (0..self.width(input)).collect();
                let below = self.narrow(input, &all);
                Pruned { plan: Arc::new(node.with_children(vec![below])), kept: all }
            }
            Plan::Snapshot { typ, .. } => {
                let whole = |pruner: &mut Pruner, child: &Arc<Plan>| {
                    let all: Vec<usize> = (0..pruner.width(child)).collect();
                    pruner.narrow(child, &all)
                };
                let children = node.children().into_iter().map(|child| whole(self, child)).collect();
                let kept = (0..typ.columns.len()).collect();
                Pruned { plan: Arc::new(node.with_children(children)), kept }
            }
            Plan::Negate { .. } | Plan::Union { .. } => {
                let children = node.children().into_iter().map(|child| self.narrow(child, &kept)).collect();
                Pruned { plan: Arc::new(node.with_children(children)), kept }
            }
        }
    }

    fn rebuild_join(&mut self, node: &Arc<Plan>, demand: &Demand) -> Pruned {
        let Plan::Join { kind, left, right, on, residual } = &**node else {
            return Pruned { plan: Arc::clone(node), kept: demand.iter().copied().collect() };
        };
        let width = self.width(left);
        let (needed_left, needed_right) = self.join_demand(node, demand);
        let kept_left: Vec<usize> = needed_left.into_iter().collect();
        let kept_right: Vec<usize> = needed_right.into_iter().collect();
        if let Some(only) = self.without_join(node, demand) {
            return only;
        }
        let left = Pruned { plan: self.narrow(left, &kept_left), kept: kept_left };
        let right = Pruned { plan: self.narrow(right, &kept_right), kept: kept_right };
        let on = on.iter().map(|term| EquiTerm {
            left: left.expr(&term.left),
            right: right.expr(&term.right),
            null_equal: term.null_equal,
        });
        let on: Vec<EquiTerm> = on.collect();
        let mut both = left.kept.clone();
        both.extend(right.kept.iter().map(|column| width + column));
        let whole = Pruned { plan: Arc::clone(node), kept: both };
        let residual = residual.iter().map(|condition| whole.expr(condition)).collect();
        let kept = if matches!(kind, JoinKind::Semi | JoinKind::Anti) { left.kept } else { whole.kept };
        let plan = Plan::Join { kind: *kind, left: left.plan, right: right.plan, on, residual };
        Pruned { plan: Arc::new(plan), kept }
    }
}

impl Pruner {
    /// The side that is left of a join when nobody reads the other one and each row meets it just once.
    fn without_join(&mut self, node: &Arc<Plan>, demand: &Demand) -> Option<Pruned> {
        let Plan::Join { kind, left, right, on, residual } = &**node else { return None };
        let width = self.width(left);
        let reads_left = demand.iter().any(|column| *column < width);
        let reads_right = demand.iter().any(|column| *column >= width);
        let crossed = *kind == JoinKind::Inner && on.is_empty() && residual.is_empty();
        let right_fills =
            *kind == JoinKind::Left && unique_on(&self.types.typ(right), on.iter().map(|term| &term.right));
        if !reads_right && ((crossed && is_one_row(right)) || right_fills) {
            return Some(self.input(left));
        }
        if !reads_left && crossed && is_one_row(left) {
            let mut right = self.input(right);
            right.kept.iter_mut().for_each(|column| *column += width);
            return Some(right);
        }
        None
    }
}

fn kept_group(node: &Plan) -> usize {
    if let Plan::Reduce { group, .. } = node { group.len() } else { 0 }
}

fn order_terms(terms: &[OrderTerm], below: &Pruned) -> Vec<OrderTerm> {
    terms.iter().map(|term| OrderTerm { expr: below.expr(&term.expr), direction: term.direction }).collect()
}
