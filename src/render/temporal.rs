//! Filters by the clock: when each row comes and goes is worked out once, and then the operator waits.

use std::rc::Rc;
use std::sync::Arc;

use eval::Expr;
use flow::Rows;
use row::{Datum, Row, ScalarType};

use super::Context;
use super::parts::{Finish, Logic};
use crate::plan::Plan;
use crate::plan::clock::{ClockReading, ticks};
use crate::plan::temporal::{TemporalBound, Turn, temporal_bound};

impl Context {
    /// The rows of a temporal filter, rendered on first use.
    pub fn temporal(
        &mut self,
        plan: &Arc<Plan>,
        input: &Arc<Plan>,
        reading: ClockReading,
        predicates: &[Expr],
    ) -> Rows {
        let arity = input.arity();
        let types: Vec<ScalarType> = input.typ().columns.into_iter().map(|column| column.ty).collect();
        let (base, mut mfp) = self.peel_input(input);
        let columns = mfp.outputs.clone();
        let bounds: Vec<TemporalBound> = predicates
            .iter()
            .map(|predicate| {
                temporal_bound(predicate, arity, reading, &types).expect("the planner has recognised each comparison")
            })
            .collect();
        let values: Vec<usize> = bounds.iter().map(|bound| mfp.push_expr(&bound.value)).collect();
        let values: Vec<usize> = values.iter().map(|output| mfp.outputs[*output]).collect();
        let (first, reads): (usize, Vec<usize>) = (values.len(), values.into_iter().chain(columns).collect());
        let all = reads.len();
        let logic: Logic<(Row, Row)> = Rc::new(move |datums, times, row, out| {
            let (values, columns) = datums.split_at(bounds.len());
            let Some((from, until)) = times_of(&bounds, values) else { return };
            times.push(&Datum::Int(from));
            times.push(&Datum::Int(until));
            columns.iter().for_each(|datum| row.push(datum));
            out.push((times.finish(), row.finish()));
        });
        let finish = Finish::new(logic, reads).moving(first..all);
        let parts = self.upstream(&base);
        let keyed = self.read_form(parts, &mfp, finish, "Times[Temporal]");
        let clock = self.inputs.get(&ticks()).expect("a plan with temporal filters is given the clock's ticks").clone();
        let column = ClockReading::ALL.iter().position(|known| *known == reading).expect("all readings are listed");
        let (rows, next_turn) = flow::temporal(keyed, clock, column, "Temporal");
        self.turns.push((reading, next_turn));
        self.rows.insert(super::node_key(plan), rows.clone());
        rows
    }
}

/// From when and until when a row is there; None for never.
fn times_of(bounds: &[TemporalBound], values: &[Datum<'_>]) -> Option<(i64, i64)> {
    let (mut from, mut until) = (i64::MIN, i64::MAX);
    for (bound, value) in bounds.iter().zip(values) {
        match bound.turn(value)? {
            Turn::From(at) => from = from.max(at),
            Turn::Until(at) => until = until.min(at),
        }
    }
    (from < until).then_some((from, until))
}
