//! What one changed row costs in a window over a partition of many rows, and what the naive way costs: compute the partition again.
//!
//! ```text
//!   {ntile, lag, rank threshold, cumulative class, median} × partitions of 10³ … 10⁶ rows × single changes
//!     ├─ the engine: SQL ──plan──> render
//!     └─ naive: one group, reduced anew at each change
//! ```
//!
//! 1. A change gives a row another amount; each is an epoch of its own, whose whole CPU time counts, scheduling included.
//! 2. Both ways see the same changes, and where both are run their tables must be equal.

mod naive;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use flow::{Batch, Captured, Graph, Post};
use livemart::plan::rewrite::{RewriteOptions, optimize};
use livemart::plan::{Column, Plan, PlanError, RelationId, RelationType, bind};
use livemart::render::{RenderModel, render};
use row::{Datum, Diff, Row, ScalarType};
use timely::worker::Worker;

use super::measure::thread_cpu;

/// A function of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Ntile,
    Lag,
    RankThreshold,
    CumulativeClass,
    /// Of the whole table: one row is given out, however many there are.
    Median,
}

pub const FUNCTIONS: [Function; 5] =
    [Function::Ntile, Function::Lag, Function::RankThreshold, Function::CumulativeClass, Function::Median];

impl Function {
    pub fn name(self) -> &'static str {
        match self {
            Function::Ntile => "ntile(5)",
            Function::Lag => "lag",
            Function::RankThreshold => "rank threshold",
            Function::CumulativeClass => "cumulative class",
            Function::Median => "median",
        }
    }

    fn sql(self, rows: usize) -> String {
        let value = match self {
            Function::Ntile => "ntile(5) over (order by cents desc, id)".to_owned(),
            Function::Lag => "lag(cents) over (order by cents desc, id)".to_owned(),
            Function::RankThreshold => {
                let most = top(rows);
                format!("case when rank() over (order by cents desc) <= {most} then 'top' else 'rest' end")
            }
            Function::CumulativeClass => "case when sum(cents) over (order by cents desc, id) / sum(cents) over () <= 0.8 \
                 then 'A' when sum(cents) over (order by cents desc, id) / sum(cents) over () <= 0.95 then 'B' else 'C' end"
                .to_owned(),
            Function::Median => return "select percentile_cont(0.5) within group (order by cents) from sales".to_owned(),
        };
        format!("select id, {value} as value from sales")
    }
}

/// Where the rank threshold lies.
fn top(rows: usize) -> usize {
    rows / 10
}

/// The rows at first, and then each change: a row's number and its new amount.
pub struct History {
    pub rows: Vec<i64>,
    pub changes: Vec<(usize, i64)>,
}

const CENTS_MAX: u64 = 1 << 40;

impl History {
    /// The same for the same arguments.
    pub fn new(rows: usize, changes: usize) -> History {
        let mut state = 0x5DEE_CE66_D1CE_4E5B_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((u128::from(state) * u128::from(below)) >> 64) as u64
        };
        let cents = (0..rows).map(|_| draw(CENTS_MAX) as i64).collect();
        let changes = (0..changes).map(|_| (draw(rows as u64) as usize, draw(CENTS_MAX) as i64)).collect();
        History { rows: cents, changes }
    }
}

/// How to keep the window current.
#[derive(Clone)]
pub enum Way {
    Engine(Arc<Plan>),
    Naive(Function),
}

impl Way {
    pub fn engine(function: Function, rows: usize) -> Result<Way, PlanError> {
        let relation = RelationId(Arc::from("sales"));
        let column =
            |name: &str| Column { name: name.to_owned(), ty: ScalarType::Int64, nullable: false, scale_max: None };
        let typ = RelationType { columns: vec![column("id"), column("cents")], keys: vec![vec![0]] };
        let model = bind(&function.sql(rows), &|_: &[String]| Some((relation.clone(), typ.clone())))?;
        let mut plans = optimize(vec![(RelationId(Arc::from("model")), model.plan)], &RewriteOptions::ALL);
        Ok(Way::Engine(plans.remove(0).1))
    }

    /// What keeps the window current: an epoch's changes in, the output's out.
    fn start<'worker>(&self, worker: &'worker mut Worker) -> Box<dyn FnMut(Changes) -> Changes + 'worker> {
        match self {
            Way::Engine(plan) => engine(plan),
            Way::Naive(function) => naive::start(*function, worker),
        }
    }
}

type Changes = Vec<(Row, Diff)>;

fn engine(plan: &Arc<Plan>) -> Box<dyn FnMut(Changes) -> Changes> {
    let graph = Graph::new(Post::new(flow::addresses(1).remove(0)));
    let (input, rows) = graph.input();
    let models = [RenderModel { id: "model".to_owned(), plan: plan.clone() }];
    let inputs = BTreeMap::from([(RelationId(Arc::from("sales")), rows)]);
    let rendered = render(&graph, inputs, &models, false);
    let captured = Captured::default();
    rendered.outputs.into_iter().for_each(|rows| graph.capture(rows, 0, &captured));
    let mut epoch = 0;
    Box::new(move |changes| {
        input.give(Batch::pack(&changes));
        graph.close(epoch, &mut || {});
        epoch += 1;
        captured.take().into_iter().flat_map(|(_, changes)| changes).collect()
    })
}

/// What a run took and gave.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub load: Duration,
    /// CPU of all changes.
    pub changes: Duration,
    /// Rows given out by the changes, counting each copy taken away or added.
    pub given: i64,
    /// Of the table at the end.
    pub fingerprint: u64,
}

#[derive(Default)]
struct Given {
    rows: i64,
    fingerprint: u64,
}

/// Runs a history; stops after the change with which `budget` is used up. Gives the number of changes made.
pub fn run(way: &Way, history: &Arc<History>, budget: Duration) -> (Cost, usize) {
    let (way, history) = (way.clone(), history.clone());
    timely::execute_directly(move |worker| {
        let mut given = Given::default();
        let mut maintain = way.start(worker);
        let mut change = |changes: Changes, given: &mut Given| {
            for (row, diff) in maintain(changes) {
                let mut hasher = DefaultHasher::new();
                row.hash(&mut hasher);
                given.rows += diff.abs();
                given.fingerprint = given.fingerprint.wrapping_add(hasher.finish().wrapping_mul(diff as u64));
            }
        };
        let pack = |id: usize, cents: i64| Row::pack([Datum::Int(id as i64), Datum::Int(cents)]);
        let mut cents = history.rows.clone();
        let begun = thread_cpu();
        change(cents.iter().enumerate().map(|(id, cents)| (pack(id, *cents), 1)).collect(), &mut given);
        let load = thread_cpu() - begun;
        given.rows = 0;
        let begun = thread_cpu();
        let mut made = 0;
        for (id, new) in &history.changes {
            change(vec![(pack(*id, cents[*id]), -1), (pack(*id, *new), 1)], &mut given);
            cents[*id] = *new;
            made += 1;
            if thread_cpu() - begun > budget {
                break;
            }
        }
        let changes = thread_cpu() - begun;
        (Cost { load, changes, given: given.rows, fingerprint: given.fingerprint }, made)
    })
}
