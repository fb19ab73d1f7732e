//! Windows over one partition that agree on an order, or do not care for one, are one window.
//!
//! ```text
//!   Window by p: sum(x) over the whole partition          Window by p order x: sum(x) so far, sum(x) over the whole
//!     Window by p order x: sum(x) so far             ──>    input
//!       input
//! ```
//!
//! Apart, the upper window would be given every row whose running sum changes; together, a comparison of the two is seen for
//! what it is. The upper window must not read the lower one's calls, nor fail where the lower one would not.

use std::sync::Arc;

use eval::Expr;

use crate::plan::tree::{Shared, rewrite_bottom_up};
use crate::plan::{Frame, FrameBound, FrameUnits, Plan, WindowCall, WindowFunction};

pub(super) fn join_windows(plan: &Arc<Plan>) -> Arc<Plan> {
    rewrite_bottom_up(plan, &mut |node, shared| {
        let joined = joined(&node, shared);
        Arc::new(joined.unwrap_or(node))
    })
}

fn joined(node: &Plan, shared: &Shared) -> Option<Plan> {
    let Plan::Window { input: lower, partition, order_by, calls } = node else { return None };
    let Plan::Window { input, partition: lower_partition, order_by: lower_order, calls: lower_calls } = &**lower else {
        return None;
    };
    let is_same_partition =
        partition.len() == lower_partition.len() && partition.iter().all(|expr| lower_partition.contains(expr));
    if shared.has(lower) || !is_same_partition {
        return None;
    }
    let width = input.arity();
    let is_of_input = |expr: &Expr| {
        let mut is_of_input = true;
        expr.for_each_column(&mut |column| is_of_input &= column < width);
        is_of_input && !expr.is_fallible()
    };
    let mut reads_input = partition.iter().chain(order_by.iter().map(|term| &term.expr)).all(is_of_input);
    for (call, _) in calls {
        call.for_each_expr(&mut |expr| reads_input &= is_of_input(expr));
    }
    if !reads_input || calls.iter().chain(lower_calls).any(|(call, _)| fails_rows(call)) {
        return None;
    }
    let order = if order_by == lower_order {
        order_by.clone()
    } else if calls.iter().all(|(call, _)| sees_all(call, order_by.is_empty())) {
        lower_order.clone()
    } else if lower_calls.iter().all(|(call, _)| sees_all(call, lower_order.is_empty())) {
        order_by.clone()
    } else {
        return None;
    };
    // A call that saw all rows goes on seeing them, in whatever order.
    let whole = |call: &WindowCall, had_no_order: bool| {
        let mut call = call.clone();
        if sees_all(&call, had_no_order) {
            call.frame = Frame::whole();
        }
        call
    };
    let lower_calls = lower_calls.iter().map(|(call, column)| (whole(call, lower_order.is_empty()), column.clone()));
    let calls = calls.iter().map(|(call, column)| (whole(call, order_by.is_empty()), column.clone()));
    Some(Plan::Window {
        input: Arc::clone(input),
        partition: lower_partition.clone(),
        order_by: order,
        calls: lower_calls.chain(calls).collect(),
    })
}

/// Whether a call is an aggregate over all rows of its partition.
fn sees_all(call: &WindowCall, has_no_order: bool) -> bool {
    let frame = &call.frame;
    let is_open = |bound: &FrameBound| match bound {
        FrameBound::Unbounded => true,
        // Without an order all rows are peers.
        FrameBound::CurrentRow => has_no_order && frame.units == FrameUnits::Range,
        FrameBound::Offset(_) | FrameBound::Value(_) => false,
    };
    matches!(call.function, WindowFunction::Aggregate(_)) && is_open(&frame.start) && is_open(&frame.end)
}

/// Whether the call's value may fail for rows, which then are missing from the windows above.
fn fails_rows(call: &WindowCall) -> bool {
    let is_checked =
        |expr: &Expr| matches!(expr, Expr::Literal { value, .. } if !matches!(value.datum(), row::Datum::Int(..=0)));
    match call.function {
        WindowFunction::Ntile => !call.args.first().is_some_and(is_checked),
        WindowFunction::NthValue => !call.args.get(1).is_some_and(is_checked),
        _ => false,
    }
}
