//! WITH RECURSIVE: the step as a list of operations inside a loop.
//!
//! ```text
//!   step:  Map ─ Join ─ Recursion          ops:  0 Recursion   1 Join 0 with edges by src   2 Map 1
//!                   └── Get edges                                       └── rows by key, brought into the loop
//! ```
//!
//! What does not read the recursion is rendered outside, as anywhere else, and shared with other readers. The planner has made
//! sure (`plan::recursion`) that the recursion is read once, through nodes that have an operation here.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use eval::Expr;
use flow::{Emit, Keyed, LoopOp, Recursion};
use row::{Datum, Row, RowRef};

use super::arrangements::{Side, by_key, terms};
use super::errors::Blame;
use super::layout::{Layout, Place};
use super::mfp::Mfp;
use super::parts::{Finish, Logic, Part, packed};
use super::{Context, describe, node_key};
use crate::plan::recursion::{ROUNDS_MAX, dependents, too_deep};
use crate::plan::tree::NodeMap;
use crate::plan::{EquiTerm, JoinKind, Plan};

/// The operations so far, and which node each is.
struct Program {
    ops: Vec<LoopOp>,
    done: HashMap<usize, usize>,
    /// Nodes that read the recursion.
    reads: NodeMap<()>,
}

impl Program {
    fn push(&mut self, op: LoopOp) -> usize {
        self.ops.push(op);
        self.ops.len() - 1
    }
}

impl Context {
    pub fn recursive(
        &mut self,
        plan: &Arc<Plan>,
        name: &str,
        base: &Arc<Plan>,
        step: &Arc<Plan>,
        distinct: bool,
    ) -> Vec<Part> {
        let base = self.rows(base);
        let mut program = Program { ops: Vec::new(), done: HashMap::new(), reads: dependents(step, name) };
        let result = self.loop_node(step, &mut program);
        program.push(LoopOp::Union { inputs: vec![result] });
        let (reason, blame) = (too_deep(name), Blame { model: self.model.clone(), expression: name.to_owned() });
        let recursion = Recursion {
            base,
            distinct,
            rounds_max: ROUNDS_MAX,
            too_deep: Box::new(move |row| blame.row(&reason, row.iter())),
        };
        let (rows, errors) = flow::iterate(&self.graph, recursion, program.ops);
        self.add_errors(errors);
        vec![Part::rows(rows, plan.arity())]
    }

    /// The number of the operation that gives the node's rows inside the loop.
    fn loop_node(&mut self, plan: &Arc<Plan>, program: &mut Program) -> usize {
        if let Some(done) = program.done.get(&node_key(plan)) {
            return *done;
        }
        let op = if program.reads.get(plan).is_none() {
            let rows = self.rows(plan);
            program.push(LoopOp::Outside(rows))
        } else {
            self.loop_reader(plan, program)
        };
        program.done.insert(node_key(plan), op);
        op
    }

    fn loop_reader(&mut self, plan: &Arc<Plan>, program: &mut Program) -> usize {
        match &**plan {
            Plan::Recursion { .. } => program.push(LoopOp::Recursion),
            Plan::Map { .. } | Plan::Project { .. } | Plan::Filter { .. } => {
                let (mut chain, mut below) = (Vec::new(), plan);
                while let Plan::Map { input, .. } | Plan::Project { input, .. } | Plan::Filter { input, .. } = &**below
                {
                    chain.push(below);
                    below = input;
                }
                let mut mfp = Mfp::identity(below.arity());
                chain.into_iter().rev().for_each(|node| mfp.push(node));
                let input = self.loop_node(below, program);
                self.loop_map(input, &mfp, program)
            }
            Plan::FlatMap { input, calls, ordinality, keeps_input } => {
                let mfp = Mfp::identity(input.arity());
                let logic = self.flat_logic(mfp, calls, ordinality.is_some(), *keeps_input);
                let input = self.loop_node(input, program);
                program.push(LoopOp::Map { input, logic })
            }
            Plan::Union { inputs } => {
                let inputs = inputs.iter().map(|input| self.loop_node(input, program)).collect();
                program.push(LoopOp::Union { inputs })
            }
            // The recursion itself is distinct, so that repetitions within a round do no harm.
            Plan::Distinct { input } => self.loop_node(input, program),
            Plan::Join { kind, left, right, on, residual } => self.loop_join(*kind, left, right, on, residual, program),
            other => panic!("{} over a recursion is refused by the planner", describe(other)),
        }
    }

    fn loop_map(&mut self, input: usize, mfp: &Mfp, program: &mut Program) -> usize {
        if mfp.is_identity() {
            return input;
        }
        let logic = self.logic_over_rows(mfp, packed(mfp.outputs.clone()));
        program.push(LoopOp::Map { input, logic })
    }

    #[allow(clippy::too_many_arguments)] // a join's fields, and where its operation goes
    fn loop_join(
        &mut self,
        kind: JoinKind,
        left: &Arc<Plan>,
        right: &Arc<Plan>,
        on: &[EquiTerm],
        residual: &[Expr],
        program: &mut Program,
    ) -> usize {
        let on_left = program.reads.get(left).is_some();
        let (reader, other) = if on_left { (left, right) } else { (right, left) };
        let (width, other_width) = (reader.arity(), other.arity());
        let side = Side::new(other, &terms(on, !on_left), false, true);
        let keys = terms(on, on_left);
        let input = self.loop_node(reader, program);
        if matches!(kind, JoinKind::Semi | JoinKind::Anti) {
            let found = self.distinct_keys(&side);
            let semi = self.loop_match(input, width, &keys, found, Mfp::identity(0), true, program);
            if kind == JoinKind::Semi {
                return semi;
            }
            let negated = program.push(LoopOp::Negate { input: semi });
            return program.push(LoopOp::Union { inputs: vec![input, negated] });
        }
        let with = self.keyed_side(&side);
        let mut pairs = self.loop_match(input, width, &keys, with, side.first.clone(), on_left, program);
        if !residual.is_empty() {
            let mut filter = Mfp::identity(width + other_width);
            residual.iter().for_each(|predicate| filter.push_filter(predicate));
            pairs = self.loop_map(pairs, &filter, program);
        }
        if kind == JoinKind::Inner {
            return pairs;
        }
        // The recursion is the side that is kept: its rows without a match, with NULLs for the other side.
        let found = self.distinct_keys(&side);
        let semi = self.loop_match(input, width, &keys, found, Mfp::identity(0), true, program);
        let negated = program.push(LoopOp::Negate { input: semi });
        let alone = program.push(LoopOp::Union { inputs: vec![input, negated] });
        let nulls = move |columns: &[Datum<'_>], builder: &mut row::RowBuilder| {
            let pad = |builder: &mut row::RowBuilder| (0..other_width).for_each(|_| builder.push(&Datum::Null));
            if !on_left {
                pad(builder);
            }
            columns.iter().for_each(|datum| builder.push(datum));
            if on_left {
                pad(builder);
            }
        };
        let pad: Logic<Row> = Rc::new(move |columns, builder, _, out| {
            nulls(columns, builder);
            out.push(builder.finish());
        });
        let finish = Finish::new(pad, (0..width).collect()).moving(0..width);
        let logic = self.logic_over_rows(&Mfp::identity(width), finish);
        let padded = program.push(LoopOp::Map { input: alone, logic });
        program.push(LoopOp::Union { inputs: vec![pairs, padded] })
    }

    /// Rows of the recursion (`width` columns) joined with rows by key; `first` gives the other side's columns, which stand
    /// after the recursion's where that is `first_in_order`.
    #[allow(clippy::too_many_arguments)] // called by `loop_join` alone
    fn loop_match(
        &mut self,
        input: usize,
        width: usize,
        keys: &[(Expr, bool)],
        with: (Keyed, Layout),
        first: Mfp,
        reader_is_first: bool,
        program: &mut Program,
    ) -> usize {
        let mut mfp = Mfp::identity(width);
        let at: Vec<usize> = keys.iter().map(|(expr, _)| mfp.push_expr(expr)).collect();
        let at: Vec<usize> = at.into_iter().map(|output| mfp.outputs[output]).collect();
        let drops_null: Vec<bool> = keys.iter().map(|(_, null_equal)| !null_equal).collect();
        let key_count = at.len();
        let finish = by_key(at, (0..width).collect(), drops_null);
        let key = self.logic_over_rows(&mfp, finish);
        let (with, layout) = with;
        let own = Layout {
            key: keys.iter().map(|(expr, _)| expr.clone()).collect(),
            places: (0..width).map(Place::Value).collect(),
            key_columns: key_count,
            value_columns: width,
        };
        let pair = match reader_is_first {
            true => Mfp::identity(width).beside(&first),
            false => first.beside(&Mfp::identity(width)),
        };
        let (left, right) = if reader_is_first { (&own, &layout) } else { (&layout, &own) };
        let mut pairs = self.logic_over_pairs(&pair, packed(pair.outputs.clone()), left, right);
        let logic = Box::new(move |key: RowRef<'_>, own: RowRef<'_>, other: RowRef<'_>, emit: &mut Emit<Row>| {
            let (left, right) = if reader_is_first { (own, other) } else { (other, own) };
            pairs(key, Some(left), Some(right), emit);
        });
        program.push(LoopOp::Join { input, key, with, logic })
    }
}
