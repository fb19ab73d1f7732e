//! Distinct rows, and rows with a positive count.

use std::rc::Rc;
use std::sync::Arc;

use eval::Expr;
use flow::Arrangement;
use row::Row;

use super::Context;
use super::parts::{Finish, Part};
use crate::plan::Plan;

impl<'scope> Context<'scope> {
    pub fn distinct(&mut self, plan: &Arc<Plan>, input: &Arc<Plan>) -> Vec<Part<'scope>> {
        // Groups without aggregates.
        let columns: Vec<Expr> = (0..input.arity()).map(Expr::Column).collect();
        if let Some(parts) = self.own_groups(plan, input, &columns, &[]) {
            return parts;
        }
        self.group_parts(plan, input.arity())
    }

    pub fn threshold(&mut self, plan: &Arc<Plan>, input: &Arc<Plan>) -> Vec<Part<'scope>> {
        self.group_parts(plan, input.arity())
    }

    pub fn distinct_groups(&mut self, input: &Arc<Plan>) -> Arrangement<'scope> {
        self.counted(input, "Distinct", |_| 1)
    }

    pub fn threshold_groups(&mut self, input: &Arc<Plan>) -> Arrangement<'scope> {
        self.counted(input, "Threshold", |count| count)
    }

    /// Rows by whole row, those with a positive count, each as many times as `copies` says.
    fn counted(&mut self, input: &Arc<Plan>, name: &str, copies: fn(i64) -> i64) -> Arrangement<'scope> {
        let (base, mfp) = self.peel_input(input);
        let finish = Finish::<(Row, Row)> {
            logic: Rc::new(|columns, key, _, out| {
                columns.iter().for_each(|datum| key.push_normalized(datum));
                out.push((key.finish(), Row::default()));
            }),
            reads: mfp.outputs.clone(),
        };
        let parts = self.upstream(&base);
        let keyed = self.read_form(parts, &mfp, finish, &format!("Key[{name}]"));
        self.statistics.operators += 2;
        flow::reduce(
            flow::arrange(keyed, &format!("Arrange[{name}]")),
            name,
            Box::new(move |_, group, output| {
                let count: i64 = group.iter().map(|(_, count)| count).sum();
                if count > 0 {
                    output.push((Row::default(), copies(count)));
                }
            }),
        )
    }
}
