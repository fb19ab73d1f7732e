//! From the maintained plan to dataflow operators.
//!
//! ```text
//!   Plan node ──upstream──> parts: rows │ an arrangement │ a join │ groups │ a window   (what is there to read)
//!                             │
//!                    fused map/filter/project (Mfp)
//!                             ▼
//!               rows │ keyed (for an arrangement) │ accumulators (for a group)          (what the reader wants)
//! ```
//!
//! 1. A node with several readers is rendered once; a node with one reader is fused into it where it is row-wise.
//! 2. Nothing is arranged twice: `(relation, key)` is looked up before an arrangement is made.
//! 3. Every operator that can fail sends errors with the diff of the row that failed; they meet in one error collection.
//! 4. What cannot be rendered was refused by `plan`: there is no fallible path here.

mod aggregate;
mod arrangements;
mod errors;
mod flat_map;
mod groups;
mod join;
mod keyed_join;
mod layout;
mod mfp;
mod ordered;
mod parts;
mod range_join;
mod recursion;
mod set;
mod snapshot;
mod star;
mod temporal;
mod top_k;
mod window;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flow::{Arrangement, Collection, Graph, NextTurn, Rows};
use row::Row;

pub use errors::{ErrorColumns, columns as error_columns};

use crate::plan::clock::ClockReading;
use crate::plan::{Plan, RelationId};
use arrangements::{ArrangementKey, Demands};
use mfp::Mfp;
use parts::{Part, Source};

/// A model to keep current.
#[derive(Clone, Debug)]
pub struct RenderModel {
    /// Its unique id, which errors name.
    pub id: String,
    pub plan: Arc<Plan>,
}

/// What rendering gave: one collection per model asked for, and all errors.
pub struct Rendered {
    pub outputs: Vec<Rows>,
    pub errors: Rows,
    pub statistics: Statistics,
    /// What each filter by the clock waits for.
    pub turns: Vec<(ClockReading, NextTurn)>,
}

/// What was built, for `explain` and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub operators: usize,
    /// Description of each arrangement, and how many operators read it.
    pub arrangements: BTreeMap<String, usize>,
}

/// Renders models over source collections.
///
/// `models` are in dependency order and their plans share nodes by `Arc`; a `Get` reads `inputs`. Panics when a plan reads a
/// relation that is not among the inputs: the caller plans the project.
pub fn render(
    graph: &Graph,
    inputs: BTreeMap<RelationId, Rows>,
    models: &[RenderModel],
    arranged_only: bool,
) -> Rendered {
    let mut context = Context { arranged_only, ..Context::new(graph, inputs, models) };
    let outputs = models
        .iter()
        .map(|model| {
            context.model = model.id.clone();
            graph.build_for(&model.id);
            context.rows(&model.plan)
        })
        .collect();
    context.errors.push(graph.constant(Vec::new()));
    let errors = Collection::concatenate(std::mem::take(&mut context.errors));
    let statistics = Statistics { operators: graph.operators(), ..context.statistics };
    Rendered { outputs, errors, statistics, turns: context.turns }
}

/// The identity of a plan node: its address, as equal nodes have been made one.
pub(crate) fn node_key(plan: &Arc<Plan>) -> usize {
    Arc::as_ptr(plan) as usize
}

/// The state of one rendering.
struct Context {
    graph: Graph,
    inputs: BTreeMap<RelationId, Rows>,
    /// How many nodes (and outputs) read each node.
    readers: HashMap<usize, usize>,
    /// Which columns of a relation its arrangements must hold.
    demands: Demands,
    /// No join holds rows itself: all sides are arranged, a form against which the other is tested.
    arranged_only: bool,
    rows: HashMap<usize, Rows>,
    arrangements: HashMap<ArrangementKey, Arrangement>,
    errors: Vec<Rows>,
    /// The model being rendered, which the errors of its operators name.
    model: String,
    statistics: Statistics,
    turns: Vec<(ClockReading, NextTurn)>,
    /// Nodes that were made while rendering; their addresses are names.
    made: Vec<Arc<Plan>>,
}

impl Context {
    fn new(graph: &Graph, inputs: BTreeMap<RelationId, Rows>, models: &[RenderModel]) -> Context {
        let plans: Vec<Arc<Plan>> = models.iter().map(|model| model.plan.clone()).collect();
        let mut readers = count_readers(&plans);
        let demands = Demands::collect(&plans, &mut readers);
        Context {
            graph: graph.clone(),
            inputs,
            readers,
            demands,
            arranged_only: false,
            rows: HashMap::new(),
            arrangements: HashMap::new(),
            errors: Vec::new(),
            model: String::new(),
            statistics: Statistics::default(),
            turns: Vec::new(),
            made: Vec::new(),
        }
    }

    /// The collection of a node, rendered on first use.
    fn rows(&mut self, plan: &Arc<Plan>) -> Rows {
        if let Some(rows) = self.rows.get(&node_key(plan)) {
            return rows.clone();
        }
        let (base, mfp) = self.peel(plan);
        let rows = if mfp.is_identity()
            && let Some(rows) = self.plain_rows(&base)
        {
            rows
        } else {
            let parts = self.upstream(&base);
            self.read_rows(parts, mfp, &describe(plan))
        };
        self.rows.insert(node_key(plan), rows.clone());
        rows
    }

    /// Splits a node into the row-wise chain on top that no one else reads, and what lies below.
    fn peel(&self, plan: &Arc<Plan>) -> (Arc<Plan>, Mfp) {
        peel(plan, &self.readers, &|key| self.rows.contains_key(&key))
    }

    /// As `peel`, for the input of a node: an input that others read too is read as its own collection, so that what can fail
    /// in it fails once.
    fn peel_input(&self, input: &Arc<Plan>) -> (Arc<Plan>, Mfp) {
        if self.readers.get(&node_key(input)).copied().unwrap_or(1) > 1 {
            return (input.clone(), Mfp::identity(input.arity()));
        }
        self.peel(input)
    }

    /// The collection of a node that needs no operator of its own.
    fn plain_rows(&mut self, plan: &Arc<Plan>) -> Option<Rows> {
        match &**plan {
            Plan::Get { relation, .. } => {
                Some(self.inputs.get(relation).unwrap_or_else(|| panic!("no input for {relation:?}")).clone())
            }
            Plan::Constant { rows, .. } => Some(self.constant(rows)),
            Plan::Temporal { input, reading, predicates } => Some(self.temporal(plan, input, *reading, predicates)),
            Plan::Snapshot { input, stored, snapshot, .. } => Some(self.snapshot(plan, input, stored, snapshot)),
            Plan::Union { inputs } => {
                let inputs: Vec<Rows> = inputs.iter().map(|input| self.rows(input)).collect();
                Some(Collection::concatenate(inputs))
            }
            Plan::Negate { input } => Some(self.rows(input).negate()),
            _ => None,
        }
    }

    /// What there is to read of a node. One line per kind of node: the seam between plan and operators.
    fn upstream(&mut self, plan: &Arc<Plan>) -> Vec<Part> {
        if let Some(rows) = self.rows.get(&node_key(plan)) {
            return vec![Part::rows(rows.clone(), plan.arity())];
        }
        let parts = self.own_parts(plan);
        let has_several_readers = self.readers.get(&node_key(plan)).copied().unwrap_or(1) > 1;
        if has_several_readers && parts.iter().any(|part| part.source.holds_own_state()) {
            // A state of its own is held once, however many read it.
            let rows = self.read_rows(parts, Mfp::identity(plan.arity()), &describe(plan));
            self.rows.insert(node_key(plan), rows.clone());
            return vec![Part::rows(rows, plan.arity())];
        }
        parts
    }

    fn own_parts(&mut self, plan: &Arc<Plan>) -> Vec<Part> {
        match &**plan {
            Plan::Join { kind, left, right, on, residual } => self.join(plan, *kind, left, right, on, residual),
            Plan::Reduce { input, group, aggregates } => self.reduce(plan, input, group, aggregates),
            Plan::Distinct { input } => self.distinct(plan, input),
            Plan::Threshold { input } => self.threshold(input),
            Plan::TopK { input, group, order_by, limit, offset } => {
                self.top_k(plan, input, group, order_by, *limit, *offset)
            }
            Plan::FlatMap { input, calls, ordinality, keeps_input } => {
                self.flat_map(plan, input, calls, ordinality.is_some(), *keeps_input)
            }
            Plan::Recursive { name, base, step, distinct } => self.recursive(plan, name, base, step, *distinct),
            Plan::Recursion { .. } => panic!("a recursion is read inside its loop"),
            Plan::Window { .. } => vec![Part::new(Source::Window(plan.clone()), plan.arity())],
            Plan::Get { .. }
            | Plan::Constant { .. }
            | Plan::Temporal { .. }
            | Plan::Snapshot { .. }
            | Plan::Union { .. }
            | Plan::Negate { .. } => {
                let rows = self.plain_rows(plan).expect("these nodes are plain");
                vec![Part::rows(rows, plan.arity())]
            }
            Plan::Map { .. } | Plan::Project { .. } | Plan::Filter { .. } => {
                vec![Part::rows(self.rows(plan), plan.arity())]
            }
        }
    }

    /// Literal rows, present from the first epoch, on the first worker only.
    fn constant(&mut self, rows: &[(Row, i64)]) -> Rows {
        self.graph.constant(rows.to_vec())
    }

    fn add_errors(&mut self, errors: Rows) {
        self.errors.push(errors);
    }
}

/// How many nodes read each node of a plan DAG; a model's output is a reader too.
pub(crate) fn count_readers(plans: &[Arc<Plan>]) -> HashMap<usize, usize> {
    fn visit(plan: &Arc<Plan>, readers: &mut HashMap<usize, usize>) {
        let count = readers.entry(node_key(plan)).or_default();
        *count += 1;
        if *count == 1 {
            for child in plan.children() {
                visit(child, readers);
            }
        }
    }
    let mut readers = HashMap::new();
    plans.iter().for_each(|plan| visit(plan, &mut readers));
    readers
}

/// The row-wise chain at the top of a plan, down to the first node that is not row-wise, is read by others too, or is `done`.
pub(crate) fn peel(
    plan: &Arc<Plan>,
    readers: &HashMap<usize, usize>,
    done: &dyn Fn(usize) -> bool,
) -> (Arc<Plan>, Mfp) {
    let mut chain = Vec::new();
    let mut node = plan;
    loop {
        let shared = readers.get(&node_key(node)).copied().unwrap_or(1) > 1;
        if (shared && !Arc::ptr_eq(node, plan)) || done(node_key(node)) {
            break;
        }
        match &**node {
            Plan::Map { input, .. } | Plan::Project { input, .. } | Plan::Filter { input, .. } => {
                chain.push(node.clone());
                node = input;
            }
            _ => break,
        }
    }
    let mut mfp = Mfp::identity(node.arity());
    chain.iter().rev().for_each(|node| mfp.push(node));
    (node.clone(), mfp)
}

/// A short readable name for operators.
fn describe(plan: &Plan) -> String {
    match plan {
        Plan::Get { relation, .. } => format!("Get[{}]", relation.0),
        Plan::Constant { .. } => "Constant".to_owned(),
        Plan::Map { .. } | Plan::Project { .. } | Plan::Filter { .. } => "Map".to_owned(),
        Plan::Temporal { .. } => "Temporal".to_owned(),
        Plan::Snapshot { .. } => "Snapshot".to_owned(),
        Plan::Join { kind, .. } => format!("{kind:?}Join"),
        Plan::Reduce { .. } => "Reduce".to_owned(),
        Plan::Distinct { .. } => "Distinct".to_owned(),
        Plan::TopK { .. } => "TopK".to_owned(),
        Plan::FlatMap { calls, .. } => {
            let names: Vec<&str> = calls.iter().map(|(call, _)| call.function.name()).collect();
            format!("FlatMap[{}]", names.join(", "))
        }
        Plan::Window { .. } => "Window".to_owned(),
        Plan::Recursive { name, .. } => format!("Recursive[{name}]"),
        Plan::Recursion { name, .. } => format!("Recursion[{name}]"),
        Plan::Union { .. } => "Union".to_owned(),
        Plan::Negate { .. } => "Negate".to_owned(),
        Plan::Threshold { .. } => "Threshold".to_owned(),
    }
}
