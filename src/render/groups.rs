//! Groups held by hash: a grouping that nobody reads as an arrangement, alone or beside the rows of a hub.

use std::rc::Rc;
use std::sync::Arc;

use eval::accumulate::Accumulators;
use eval::{AggregateCall, Expr};
use flow::Copies;
use row::{Datum, Row, RowRef};

use super::Context;
use super::aggregate::{can_fail, describe};
use super::errors::Blame;
use super::parts::{Part, Source};
use crate::plan::Plan;

/// How the lanes of a key become columns.
pub struct Groups {
    pub sides: Vec<GroupSide>,
    /// The rows are a hub's: a side without rows has NULLs, and with rows begins with the key's columns. Otherwise there is one
    /// side, and its group exists or not.
    pub beside_hub: bool,
    pub key_columns: usize,
    pub can_fail: bool,
}

/// One grouping among those that share the lanes.
pub struct GroupSide {
    pub accumulators: Rc<Accumulators>,
    pub calls: usize,
    pub blame: Blame,
}

impl Groups {
    /// Finishes the aggregates of all sides: of each side a mark whether it is there, and its values. False: there is no group.
    pub fn finish(
        &self,
        key: RowRef<'_>,
        lanes: &[i64],
        finished: &mut Vec<Datum<'static>>,
        errors: &mut Vec<Row>,
    ) -> bool {
        for side in &self.sides {
            let start = finished.len();
            finished.push(Datum::Bool(false));
            let exists = side.accumulators.exists(lanes);
            let outcome = if exists {
                (0..side.calls).try_for_each(|call| {
                    finished.push(side.accumulators.finish(call, lanes)?);
                    Ok::<(), eval::EvalError>(())
                })
            } else {
                Ok(())
            };
            if let Err(error) = &outcome {
                // The side's group is set aside; a hub goes on without it.
                errors.push(side.blame.row(&error.0, key.iter()));
            }
            let is_there = exists && outcome.is_ok();
            if !is_there {
                if !self.beside_hub {
                    return false;
                }
                finished.truncate(start + 1);
                finished.resize(start + 1 + side.calls, Datum::Null);
            }
            finished[start] = Datum::Bool(is_there);
        }
        true
    }

    /// Appends the columns of the sides.
    pub fn append<'a>(&self, key: RowRef<'a>, finished: &[Datum<'static>], columns: &mut Vec<Datum<'a>>) {
        let mut finished = finished;
        for side in &self.sides {
            let (values, rest) = finished.split_at(1 + side.calls);
            finished = rest;
            if self.beside_hub {
                if matches!(values[0], Datum::Bool(true)) {
                    columns.extend(key.iter());
                } else {
                    columns.resize(columns.len() + self.key_columns, Datum::Null);
                }
            }
            columns.extend(values[1..].iter().cloned());
        }
    }
}

impl Context {
    /// The part of a grouping whose aggregates ride in lanes.
    pub fn own_groups(&mut self, input: &Arc<Plan>, groups: &[Expr], calls: &[AggregateCall], copies: Copies) -> Part {
        let (accumulators, lanes) = self.accumulator_lanes(input, groups, calls);
        let blame = Blame { model: self.model.clone(), expression: describe(calls) };
        let arity = groups.len() + calls.len();
        let groups = Groups {
            sides: vec![GroupSide { accumulators, calls: calls.len(), blame }],
            beside_hub: false,
            key_columns: groups.len(),
            can_fail: calls.iter().any(can_fail),
        };
        Part::new(Source::Groups { lanes, hub: None, copies, groups }, arity)
    }
}
