//! Windows over lowered relations.
//!
//! Over outer values, the outer columns are part of the partition: each outer row has windows of its own.

use std::sync::Arc;

use eval::{Expr, OrderTerm};

use super::columns::ColumnId;
use super::lower::{Lowered, Lowering, Outer, with_outer};
use super::rel::Rel;
use crate::plan::window::decided_columns;
use crate::plan::{FrameUnits, Plan, PlanError, RelationType, WindowCall, WindowFunction};

impl Lowering<'_> {
    pub(super) fn window(
        &mut self,
        input: &Rel,
        partition: &[Expr],
        order_by: &[OrderTerm],
        calls: &[(ColumnId, WindowCall)],
        outer: Option<&Outer>,
    ) -> Result<Lowered, PlanError> {
        let input = self.lower(input, outer)?;
        let mut by: Vec<Expr> = with_outer(outer, &[]).into_iter().map(Expr::Column).collect();
        by.extend(partition.iter().filter(|expr| !by.contains(expr)).cloned().collect::<Vec<_>>());
        let partition = input.exprs(&by)?;
        let mut terms = Vec::new();
        for term in order_by {
            terms.push(OrderTerm { expr: input.expr(&term.expr)?, direction: term.direction });
        }
        let typ = self.typ(&input.plan);
        let mut columns = input.columns.clone();
        let mut lowered = Vec::new();
        for (id, call) in calls {
            let mut failed = None;
            let mut call = call.clone();
            call.map_exprs(&mut |expr| match input.expr(expr) {
                Ok(expr) => expr,
                Err(error) => {
                    failed = failed.take().or(Some(error));
                    expr.clone()
                }
            });
            if let Some(error) = failed {
                return Err(error);
            }
            if leaves_open(&call, &partition, &terms, &typ) {
                let what = match &call.function {
                    WindowFunction::Aggregate(call) if call.function.is_list() => "a list over a window".to_owned(),
                    WindowFunction::Aggregate(_) => "a frame in ROWS".to_owned(),
                    function => format!("{}()", function.name()),
                };
                self.warn(format!(
                    "the order of rows in {what} leaves ties open: they are broken by all remaining columns; \
                     order by a unique key to decide them yourself"
                ));
            }
            columns.push(*id);
            lowered.push((call, self.column(*id)));
        }
        let plan = Plan::Window { input: input.plan, partition, order_by: terms, calls: lowered };
        Ok(Lowered { plan: Arc::new(plan), columns })
    }
}

/// Whether SQL leaves a value of the call to chance.
fn leaves_open(call: &WindowCall, partition: &[Expr], order_by: &[OrderTerm], typ: &RelationType) -> bool {
    if !call.tells_peers_apart() {
        return false;
    }
    let decided = decided_columns(partition, order_by);
    let is_total = (0..typ.columns.len()).all(|column| decided.contains(&column))
        || typ.keys.iter().any(|key| key.iter().all(|column| decided.contains(column)));
    // The first or last value in a frame of whole peers is the same whoever of the peers comes first, if it is ordered by.
    let same_for_peers = |value: &Expr| partition.contains(value) || order_by.iter().any(|term| term.expr == *value);
    let is_value_of_peers = matches!(call.function, WindowFunction::FirstValue | WindowFunction::LastValue)
        && call.frame.units == FrameUnits::Range
        && call.args.first().is_some_and(same_for_peers);
    !is_total && !is_value_of_peers
}
