//! Equal parts of all models become one node.

use std::collections::HashMap;
use std::sync::Arc;

use crate::plan::tree::{NodeMap, post_order};
use crate::plan::{Plan, RelationType};

/// Gives equal plans one `Arc`, across all plans it is asked for.
///
/// Names of columns count: they are part of a plan's type.
#[derive(Default)]
pub struct PlanInterner {
    /// A node without its inputs, and the numbers of its inputs.
    known: HashMap<(Plan, Vec<usize>), (usize, Arc<Plan>)>,
    numbers: NodeMap<usize>,
}

impl PlanInterner {
    pub fn intern(&mut self, plan: &Arc<Plan>) -> Arc<Plan> {
        let mut done: NodeMap<Arc<Plan>> = NodeMap::default();
        for node in post_order(plan) {
            let children: Vec<Arc<Plan>> =
                node.children().iter().map(|child| Arc::clone(done.get(child).expect("children come first"))).collect();
            let numbers =
                children.iter().map(|child| *self.numbers.get(child).expect("interned nodes are numbered")).collect();
            let hollow = node.with_children(children.iter().map(|_| hollow()).collect());
            let next = self.known.len();
            let (number, interned) = self.known.entry((hollow, numbers)).or_insert_with(|| {
                let same = node.children().iter().zip(&children).all(|(old, new)| Arc::ptr_eq(old, new));
                (next, if same { Arc::clone(&node) } else { Arc::new(node.with_children(children)) })
            });
            self.numbers.insert(interned, *number);
            done.insert(&node, Arc::clone(interned));
        }
        Arc::clone(done.get(plan).expect("the root is visited"))
    }
}

/// Stands for any input.
fn hollow() -> Arc<Plan> {
    Arc::new(Plan::Constant { rows: Vec::new(), typ: RelationType::default() })
}
