//! Distinct rows, and rows with a positive count.

use std::sync::Arc;

use eval::Expr;
use flow::Copies;

use super::Context;
use super::parts::Part;
use crate::plan::Plan;

impl Context {
    pub fn distinct(&mut self, plan: &Arc<Plan>, input: &Arc<Plan>) -> Vec<Part> {
        if self.is_arranged(plan, input.arity()) {
            return self.group_parts(plan, input.arity());
        }
        vec![self.distinct_part(input)]
    }

    /// Groups without aggregates.
    pub fn distinct_part(&mut self, input: &Arc<Plan>) -> Part {
        self.own_groups(input, &all_columns(input), &[], Copies::One)
    }

    /// The same, each as often as it was counted.
    pub fn threshold(&mut self, input: &Arc<Plan>) -> Vec<Part> {
        vec![self.own_groups(input, &all_columns(input), &[], Copies::FirstLane)]
    }
}

fn all_columns(plan: &Plan) -> Vec<Expr> {
    (0..plan.arity()).map(Expr::Column).collect()
}
