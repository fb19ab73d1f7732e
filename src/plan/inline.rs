//! One plan for the whole project: references between models become shared nodes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Plan, RelationId};

/// Replaces each `Get` of a model by the model's own plan, and makes equal nodes of all models one.
///
/// `models` are in dependency order: a model reads sources and models before it.
pub fn inline(models: Vec<(RelationId, Arc<Plan>)>) -> Vec<(RelationId, Arc<Plan>)> {
    let mut inliner = Inliner::default();
    models
        .into_iter()
        .map(|(relation, plan)| {
            let plan = inliner.plan(&plan);
            inliner.add(relation.clone(), plan.clone());
            (relation, plan)
        })
        .collect()
}

/// Replaces references to the models it knows by their plans, and keeps equal nodes one.
#[derive(Default)]
pub struct Inliner {
    models: BTreeMap<RelationId, Arc<Plan>>,
    /// Nodes met, by address; the node is held so that the address stays its own.
    done: HashMap<usize, (Arc<Plan>, Arc<Plan>)>,
    /// Canonical nodes. Children are canonical already, so looking one up compares them by address first.
    nodes: HashMap<NodeShape, Arc<Plan>>,
}

/// A node with its children by address.
#[derive(PartialEq, Eq, Hash)]
struct NodeShape {
    node: Plan,
    children: Vec<usize>,
}

impl Inliner {
    /// From now on a `Get` of `relation` is this plan.
    pub fn add(&mut self, relation: RelationId, plan: Arc<Plan>) {
        self.models.insert(relation, plan);
    }

    /// The plan with known models in place of their names.
    pub fn plan(&mut self, plan: &Arc<Plan>) -> Arc<Plan> {
        if let Some((_, done)) = self.done.get(&(Arc::as_ptr(plan) as usize)) {
            return done.clone();
        }
        let canonical = match &**plan {
            Plan::Get { relation, .. } if self.models.contains_key(relation) => self.models[relation].clone(),
            node => {
                let children: Vec<Arc<Plan>> = node.children().into_iter().map(|child| self.plan(child)).collect();
                let shape = NodeShape {
                    children: children.iter().map(|child| Arc::as_ptr(child) as usize).collect(),
                    node: node.with_children(children.iter().map(|_| hollow()).collect()),
                };
                self.nodes.entry(shape).or_insert_with(|| Arc::new(node.with_children(children))).clone()
            }
        };
        self.done.insert(Arc::as_ptr(plan) as usize, (plan.clone(), canonical.clone()));
        canonical
    }
}

/// Stands for a child while a node is looked up; the children are compared by address beside it.
fn hollow() -> Arc<Plan> {
    thread_local! {
        static HOLLOW: Arc<Plan> = Arc::new(Plan::Union { inputs: Vec::new() });
    }
    HOLLOW.with(Arc::clone)
}
