//! Window functions: one ordered index per partition, from which every call of a node is computed.
//!
//! ```text
//!   input ──(partition; order key, aggregate arguments, columns)──> WindowState ──chain above──> rows, errors
//!                                                                     │
//!                          per partition: index before ── the epoch's changes ── index after
//!                                             └─ spans of rows whose output may differ ─┘
//! ```
//!
//! 1. Only rows of spans are computed, as they were (taken away) and as they are (added); equal ones cancel. Which rows a change
//!    can reach is known from each call: what comes after it, its neighbours, the rows whose frame holds it (`reach`), or what
//!    lies between an old and a new boundary (`steps`).
//! 2. The chain of maps, filters and projections above the window runs inside, so that only rows whose projected output differs
//!    are given out. Where it only compares a value that grows along the order with a constant of the partition, the value itself
//!    is not looked at row by row: the boundary is (`atoms`).
//! 3. Rows of one order key are told apart by all columns of the input. Copies of a row are rows of their own.
//! 4. A list (`list`) is read off its frame's rows for each row whose frame changes: it is as long as the frame.
//! 5. A row whose partition, order, argument or frame bound fails leaves the window; a call that fails for a row takes the place
//!    of that row's output.

mod atoms;
mod call;
mod emit;
mod list;
mod moves;
mod reach;
mod state;
mod steps;
mod view;

#[cfg(test)]
mod window_tests;

use std::rc::Rc;

use eval::Expr;
use flow::Rows;
use row::{Datum, Row, push_order_key};
use smallvec::SmallVec;

use super::Context;
use super::aggregate::argument;
use super::mfp::Mfp;
use super::parts::{Finish, Logic};
use crate::plan::{FrameBound, Plan, WindowCall, WindowFunction};
use call::Spec;
use state::WindowState;

impl Context {
    /// The outputs of a chain over a window node, as rows.
    pub fn window(&mut self, plan: &Plan, chain: &Mfp) -> Rows {
        let Plan::Window { input, partition, order_by, calls } = plan else { panic!("a window node is a window node") };
        let (base, mut mfp) = self.peel_input(input);
        let columns = mfp.outputs.clone();
        let mut push = |expr: &Expr| {
            let output = mfp.push_expr(expr);
            mfp.outputs[output]
        };
        let partitions: Vec<usize> = partition.iter().map(&mut push).collect();
        let order: Vec<usize> = order_by.iter().map(|term| push(&term.expr)).collect();
        let mut arguments = Vec::new();
        for (call, _) in calls {
            match &call.function {
                WindowFunction::Aggregate(call) if call.function.is_list() => {
                    list::fallible(call).iter().for_each(|expr| {
                        push(expr);
                    });
                }
                WindowFunction::Aggregate(call) => arguments.push(push(&argument(call))),
                // What can fail is tried here, so that it fails once and not for each row that looks at this one.
                _ => call.args.iter().filter(|arg| arg.is_fallible()).for_each(|arg| {
                    push(arg);
                }),
            }
            bounds(call).filter(|bound| bound.is_fallible()).for_each(|bound| {
                push(bound);
            });
        }
        let directions: Vec<_> = order_by.iter().map(|term| term.direction).collect();
        let (partition_count, order_count) = (partitions.len(), order.len());
        let reads: Vec<usize> = partitions.into_iter().chain(order).chain(arguments).chain(columns).collect();
        let all = reads.len();
        let logic: Logic<(Row, Row)> = Rc::new(move |datums, key, value, out| {
            let (partition, rest) = datums.split_at(partition_count);
            let (order, rest) = rest.split_at(order_count);
            partition.iter().for_each(|datum| key.push_normalized(datum));
            let mut order_key: SmallVec<[u8; 32]> = SmallVec::new();
            for (datum, direction) in order.iter().zip(&directions) {
                push_order_key(&mut order_key, datum, *direction);
            }
            value.push(&Datum::Bytes(&order_key));
            rest.iter().for_each(|datum| value.push(datum));
            out.push((key.finish(), value.finish()));
        });
        let rest = partition_count + order_count..all;
        let finish = Finish::new(logic, reads).moving(0..partition_count).moving(rest);
        let parts = self.upstream(&base);
        let keyed = self.read_form(parts, &mfp, finish, "Key[Window]");
        let calls: Vec<WindowCall> = calls.iter().map(|(call, _)| call.clone()).collect();
        let types: Vec<_> = input.typ().columns.into_iter().map(|column| column.ty).collect();
        let spec = Spec::new(&calls, order_by, types, chain, self.blames(chain), &self.model);
        let (rows, errors) = flow::keyed(keyed, "Window", Box::new(WindowState::new(spec)));
        self.add_errors(errors);
        rows
    }
}

/// The frame bounds that are computed from the row.
fn bounds(call: &WindowCall) -> impl Iterator<Item = &Expr> {
    [&call.frame.start, &call.frame.end].into_iter().filter_map(|bound| match bound {
        FrameBound::Value(expr) => Some(expr),
        _ => None,
    })
}
