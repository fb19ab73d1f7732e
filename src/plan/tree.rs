//! Walking and rebuilding plans, which are graphs: a node that is read twice is visited once.

use std::collections::HashMap;
use std::sync::Arc;

use super::Plan;

impl Plan {
    pub fn children(&self) -> Vec<&Arc<Plan>> {
        match self {
            Plan::Get { .. } | Plan::Constant { .. } | Plan::Recursion { .. } => Vec::new(),
            Plan::Recursive { base, step, .. } => vec![base, step],
            Plan::Map { input, .. }
            | Plan::Project { input, .. }
            | Plan::Filter { input, .. }
            | Plan::Temporal { input, .. }
            | Plan::Reduce { input, .. }
            | Plan::Distinct { input }
            | Plan::TopK { input, .. }
            | Plan::Window { input, .. }
            | Plan::FlatMap { input, .. }
            | Plan::Negate { input }
            | Plan::Threshold { input } => vec![input],
            Plan::Join { left, right, .. } => vec![left, right],
            Plan::Snapshot { input, stored, .. } => vec![input, stored],
            Plan::Union { inputs } => inputs.iter().collect(),
        }
    }

    /// The same node over other children, which stand in the order of `children()`.
    pub fn with_children(&self, children: Vec<Arc<Plan>>) -> Plan {
        debug_assert_eq!(children.len(), self.children().len());
        let mut children = children.into_iter();
        let mut next = || children.next().expect("as many children as before");
        match self {
            Plan::Get { .. } | Plan::Constant { .. } | Plan::Recursion { .. } => self.clone(),
            Plan::Recursive { name, distinct, .. } => {
                Plan::Recursive { name: name.clone(), base: next(), step: next(), distinct: *distinct }
            }
            Plan::Map { exprs, .. } => Plan::Map { input: next(), exprs: exprs.clone() },
            Plan::FlatMap { calls, ordinality, keeps_input, .. } => Plan::FlatMap {
                input: next(),
                calls: calls.clone(),
                ordinality: ordinality.clone(),
                keeps_input: *keeps_input,
            },
            Plan::Project { columns, .. } => Plan::Project { input: next(), columns: columns.clone() },
            Plan::Filter { predicates, .. } => Plan::Filter { input: next(), predicates: predicates.clone() },
            Plan::Temporal { reading, predicates, .. } => {
                Plan::Temporal { input: next(), reading: *reading, predicates: predicates.clone() }
            }
            Plan::Reduce { group, aggregates, .. } => {
                Plan::Reduce { input: next(), group: group.clone(), aggregates: aggregates.clone() }
            }
            Plan::Distinct { .. } => Plan::Distinct { input: next() },
            Plan::TopK { group, order_by, limit, offset, .. } => Plan::TopK {
                input: next(),
                group: group.clone(),
                order_by: order_by.clone(),
                limit: *limit,
                offset: *offset,
            },
            Plan::Window { partition, order_by, calls, .. } => Plan::Window {
                input: next(),
                partition: partition.clone(),
                order_by: order_by.clone(),
                calls: calls.clone(),
            },
            Plan::Negate { .. } => Plan::Negate { input: next() },
            Plan::Threshold { .. } => Plan::Threshold { input: next() },
            Plan::Join { kind, on, residual, .. } => {
                Plan::Join { kind: *kind, left: next(), right: next(), on: on.clone(), residual: residual.clone() }
            }
            Plan::Snapshot { snapshot, typ, .. } => {
                Plan::Snapshot { input: next(), stored: next(), snapshot: snapshot.clone(), typ: typ.clone() }
            }
            Plan::Union { .. } => Plan::Union { inputs: children.collect() },
        }
    }
}

/// Nodes by address. Holds the nodes, so that no address is used twice.
pub(crate) struct NodeMap<T>(HashMap<usize, (Arc<Plan>, T)>);

impl<T> Default for NodeMap<T> {
    fn default() -> NodeMap<T> {
        NodeMap(HashMap::new())
    }
}

impl<T> NodeMap<T> {
    pub fn get(&self, plan: &Arc<Plan>) -> Option<&T> {
        self.0.get(&(Arc::as_ptr(plan) as usize)).map(|(_, value)| value)
    }

    pub fn get_mut(&mut self, plan: &Arc<Plan>) -> Option<&mut T> {
        self.0.get_mut(&(Arc::as_ptr(plan) as usize)).map(|(_, value)| value)
    }

    pub fn insert(&mut self, plan: &Arc<Plan>, value: T) {
        self.0.insert(Arc::as_ptr(plan) as usize, (Arc::clone(plan), value));
    }
}

/// Every node once, children before their parents.
pub fn post_order(root: &Arc<Plan>) -> Vec<Arc<Plan>> {
    fn visit(plan: &Arc<Plan>, seen: &mut NodeMap<()>, order: &mut Vec<Arc<Plan>>) {
        if seen.get(plan).is_some() {
            return;
        }
        seen.insert(plan, ());
        for child in plan.children() {
            visit(child, seen, order);
        }
        order.push(Arc::clone(plan));
    }
    let mut order = Vec::new();
    visit(root, &mut NodeMap::default(), &mut order);
    order
}

/// How many parents (edges) each node of the graph has; the root counts one.
pub(crate) fn reader_counts(root: &Arc<Plan>) -> NodeMap<usize> {
    let mut counts = NodeMap::default();
    counts.insert(root, 1);
    for node in post_order(root) {
        for child in node.children() {
            match counts.get_mut(child) {
                Some(count) => *count += 1,
                None => counts.insert(child, 1),
            }
        }
    }
    counts
}

/// Rebuilds a graph bottom up; `rewrite` gets each node once, over its rewritten children. Sharing is kept.
///
/// `rewrite` is also told which rewritten nodes have several readers: what it takes out of them is done once per reader.
pub(crate) fn rewrite_bottom_up(root: &Arc<Plan>, rewrite: &mut dyn FnMut(Plan, &Shared) -> Arc<Plan>) -> Arc<Plan> {
    let counts = reader_counts(root);
    let mut shared = Shared::default();
    let mut done: NodeMap<Arc<Plan>> = NodeMap::default();
    for node in post_order(root) {
        let children: Vec<_> =
            node.children().iter().map(|child| Arc::clone(done.get(child).expect("children come first"))).collect();
        let same = node.children().iter().zip(&children).all(|(old, new)| Arc::ptr_eq(old, new));
        let rebuilt = if same { (*node).clone() } else { node.with_children(children) };
        let new = rewrite(rebuilt, &shared);
        let new = if same && *new == *node { Arc::clone(&node) } else { new };
        if counts.get(&node).is_some_and(|count| *count > 1) {
            shared.0.insert(&new, ());
        }
        done.insert(&node, new);
    }
    Arc::clone(done.get(root).expect("the root is visited"))
}

/// Nodes with several readers.
#[derive(Default)]
pub(crate) struct Shared(NodeMap<()>);

impl Shared {
    pub fn has(&self, plan: &Arc<Plan>) -> bool {
        self.0.get(plan).is_some()
    }
}
