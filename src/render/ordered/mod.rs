//! Groupings of which an aggregate sees its values in order: min, max, percentiles, lists.
//!
//! ```text
//!   input ──> group, (arguments, list entries) ──keyed──> per group: lanes │ ordered lists ──> rows of groups that changed
//! ```
//!
//! 1. One operator keeps all aggregates of a grouping together: those that can ride in lanes do, the others share one ordered list
//!    per argument, order and filter.
//! 2. A change touches its group's lanes and lists in O(log n); only lists that are themselves the answer take as long as they are.
//! 3. A DISTINCT aggregate is fed by the list of its distinct arguments.

mod multiset;
mod state;

#[cfg(test)]
mod state_tests;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use eval::accumulate::Accumulators;
use eval::ordered::{Finisher, List};
use eval::{AggregateCall, AggregateFunction, Expr, OrderTerm};
use flow::{Keyed, Rows};
use row::{Datum, OwnedDatum, Row, RowBuilder, RowRef, ScalarType, push_order_key};
use smallvec::SmallVec;

use super::aggregate::{argument, can_fail, describe};
use super::errors::Blame;
use super::mfp::Mfp;
use super::parts::{Finish, Logic, Part};
use super::{Context, node_key};
use crate::plan::{Column, Plan};
pub use multiset::Multiset;
use state::GroupState;

/// How a grouping's aggregates are computed.
#[derive(Clone, Debug)]
pub struct Shape {
    pub accumulators: Accumulators,
    /// Accumulated aggregates that see every row: numbers among the accumulators.
    pub direct: Vec<usize>,
    pub lists: Vec<ListShape>,
    /// The frequencies that modes look at: a list, and whether ties go to the greatest value.
    pub frequencies: Vec<(usize, bool)>,
    pub outputs: Vec<Output>,
}

#[derive(Clone, Debug)]
pub struct ListShape {
    pub list: List,
    /// Accumulated DISTINCT aggregates that the list's members feed.
    pub feeds: Vec<usize>,
}

/// Where an aggregate's value comes from.
#[derive(Clone, Debug)]
pub enum Output {
    Lanes(usize),
    List(usize, Finisher),
    /// The first of these frequencies.
    Mode(usize),
}

impl Shape {
    pub fn new(calls: &[AggregateCall]) -> Shape {
        let accumulated: Vec<AggregateCall> =
            calls.iter().filter(|call| Accumulators::can_hold(call)).cloned().collect();
        let mut shape = Shape {
            accumulators: Accumulators::new(&accumulated),
            direct: Vec::new(),
            lists: Vec::new(),
            frequencies: Vec::new(),
            outputs: Vec::new(),
        };
        let mut accumulated = 0;
        for call in calls {
            if Accumulators::can_hold(call) {
                match List::of_distinct(call).filter(|_| call.distinct) {
                    Some(list) => {
                        let list = shape.fed_list(list);
                        shape.lists[list].feeds.push(accumulated);
                    }
                    None => shape.direct.push(accumulated),
                }
                shape.outputs.push(Output::Lanes(accumulated));
                accumulated += 1;
                continue;
            }
            let list = shape.list(List::of(call).expect("what cannot be accumulated looks at a list"));
            let output = match Finisher::new(call) {
                Some(finisher) => Output::List(list, finisher),
                None => {
                    assert_eq!(call.function, AggregateFunction::Mode, "only mode() looks at frequencies");
                    let descending = call.order_by.first().is_some_and(|term| term.direction.descending);
                    Output::Mode(shape.frequency((list, descending)))
                }
            };
            shape.outputs.push(output);
        }
        shape
    }

    fn list(&mut self, list: List) -> usize {
        let known = self.lists.iter().position(|shape| shape.feeds.is_empty() && shape.list == list);
        known.unwrap_or_else(|| self.add_list(list))
    }

    /// Lists that feed lanes hold values in the form keys have, and so are of their own.
    fn fed_list(&mut self, list: List) -> usize {
        let known = self.lists.iter().position(|shape| !shape.feeds.is_empty() && shape.list == list);
        known.unwrap_or_else(|| self.add_list(list))
    }

    fn add_list(&mut self, list: List) -> usize {
        self.lists.push(ListShape { list, feeds: Vec::new() });
        self.lists.len() - 1
    }

    fn frequency(&mut self, wanted: (usize, bool)) -> usize {
        self.frequencies.iter().position(|known| *known == wanted).unwrap_or_else(|| {
            self.frequencies.push(wanted);
            self.frequencies.len() - 1
        })
    }
}

impl Context {
    /// The rows of a grouping whose aggregates are not all accumulated.
    pub fn ordered(
        &mut self,
        plan: &Arc<Plan>,
        input: &Arc<Plan>,
        group: &[(Expr, Column)],
        aggregates: &[(AggregateCall, Column)],
    ) -> Rows {
        if let Some(rows) = self.rows.get(&node_key(plan)) {
            return rows.clone();
        }
        let calls: Vec<AggregateCall> = aggregates.iter().map(|(call, _)| call.clone()).collect();
        let groups: Vec<Expr> = group.iter().map(|(expr, _)| expr.clone()).collect();
        let shape = Shape::new(&calls);
        let accumulated: Vec<AggregateCall> =
            calls.iter().filter(|call| Accumulators::can_hold(call)).cloned().collect();
        let entries = self.entries(input, &groups, &accumulated, &shape);
        let blame = Blame { model: self.model.clone(), expression: describe(&calls) };
        let (rows, errors) = flow::keyed(entries, "OrderedGroup", Box::new(GroupState::new(shape, blame)));
        if calls.iter().any(can_fail) {
            self.add_errors(errors);
        }
        self.rows.insert(node_key(plan), rows.clone());
        rows
    }

    /// Each row's group, and beside it: a mark, the arguments that lanes take, and its entry in each list.
    fn entries(&mut self, input: &Arc<Plan>, groups: &[Expr], accumulated: &[AggregateCall], shape: &Shape) -> Keyed {
        let (base, mfp) = self.peel_input(input);
        let mut columns = Columns { inputs: mfp.outputs.len(), mfp, known: Vec::new() };
        let mut reads: Vec<usize> = groups.iter().map(|expr| columns.push(expr)).collect();
        reads.extend(shape.direct.iter().map(|call| columns.push(&argument(&accumulated[*call]))));
        let mut lists = Vec::new();
        for ListShape { list, feeds } in &shape.lists {
            let filter = list.filter.as_ref();
            reads.extend(filter.map(|filter| columns.push(filter)));
            reads.extend(list.order.iter().map(|term| columns.push(&guarded(&term.expr, filter))));
            reads.extend(list.values.iter().map(|value| columns.push(&guarded(value, filter))));
            lists.push((list.clone(), !feeds.is_empty()));
        }
        let (group_count, direct_count) = (groups.len(), shape.direct.len());
        let scratch = RefCell::new(RowBuilder::default());
        let logic: Logic<(Row, Row)> = Rc::new(move |columns, key, value, out| {
            let (group, rest) = columns.split_at(group_count);
            let (direct, mut rest) = rest.split_at(direct_count);
            group.iter().for_each(|datum| key.push_normalized(datum));
            value.push(&Datum::Bool(true));
            direct.iter().for_each(|datum| value.push(datum));
            let scratch = &mut *scratch.borrow_mut();
            for (list, is_normalized) in &lists {
                let is_member = match (&list.filter, rest) {
                    (Some(_), [filter, others @ ..]) => {
                        rest = others;
                        matches!(filter, Datum::Bool(true))
                    }
                    _ => true,
                };
                let (order, others) = rest.split_at(list.order.len());
                let (values, others) = others.split_at(list.values.len());
                rest = others;
                if is_member && !(list.skips_null && values[0].is_null()) {
                    value.push(&Datum::Bytes(&entry(&list.order, order, values, *is_normalized, scratch)));
                } else {
                    value.push(&Datum::Null);
                }
            }
            out.push((key.finish(), value.finish()));
        });
        let finish = Finish::new(logic, reads).moving(0..group_count + direct_count);
        let parts: Vec<Part> = self.upstream(&base);
        let keyed: Keyed = self.read_form(parts, &columns.mfp, finish, "Key[OrderedGroup]");
        if !groups.is_empty() {
            return keyed;
        }
        // The row that makes a grouping without groups exist over nothing.
        let row = Row::pack([Datum::Bool(false)]);
        keyed.concat(self.graph.constant(vec![((Row::default(), row), 1)]))
    }
}

/// A member of a list as bytes: the length of its order key, the order key, its packed values.
fn entry(
    terms: &[OrderTerm],
    order: &[Datum<'_>],
    values: &[Datum<'_>],
    is_normalized: bool,
    scratch: &mut RowBuilder,
) -> SmallVec<[u8; 32]> {
    let mut bytes: SmallVec<[u8; 32]> = SmallVec::from_slice(&[0; 4]);
    for (term, datum) in terms.iter().zip(order) {
        push_order_key(&mut bytes, datum, term.direction);
    }
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    for value in values {
        if is_normalized {
            scratch.push_normalized(value);
        } else {
            scratch.push(value);
        }
    }
    bytes.extend_from_slice(scratch.as_ref().bytes());
    scratch.clear();
    bytes
}

/// Reads an entry back: order key and values.
fn split_entry(bytes: &[u8]) -> (&[u8], RowRef<'_>) {
    let (length, rest) = bytes.split_first_chunk::<4>().expect("an entry begins with a length");
    let (key, values) = rest.split_at(u32::from_le_bytes(*length) as usize);
    (key, RowRef::new(values))
}

/// Columns appended to a chain, each expression once.
struct Columns {
    mfp: Mfp,
    inputs: usize,
    known: Vec<(Expr, usize)>,
}

impl Columns {
    fn push(&mut self, expr: &Expr) -> usize {
        if let Some((_, column)) = self.known.iter().find(|(known, _)| known == expr) {
            return *column;
        }
        debug_assert!(self.inputs <= self.mfp.outputs.len());
        let output = self.mfp.push_expr(expr);
        let column = self.mfp.outputs[output];
        self.known.push((expr.clone(), column));
        column
    }
}

/// An expression that is evaluated only for rows that a FILTER lets through.
pub fn guarded(expr: &Expr, filter: Option<&Expr>) -> Expr {
    match (filter, expr) {
        (Some(filter), expr) if !matches!(expr, Expr::Column(_) | Expr::Literal { .. }) => Expr::Case {
            branches: vec![(filter.clone(), expr.clone())],
            otherwise: Box::new(Expr::Literal { value: OwnedDatum::null(), ty: ScalarType::Unknown }),
            ty: ScalarType::Unknown,
        },
        _ => expr.clone(),
    }
}
