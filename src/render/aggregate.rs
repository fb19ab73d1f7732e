//! Grouping: aggregates that ride in the difference, and aggregates that look at their group.
//!
//! ```text
//!   input ──> (group, lanes) ─────────────────┐
//!   input ──> distinct (group, x) ──> lanes ──┴──> arrange ──> accumulate ──> group: values      counts, sums, averages
//!
//!   input ──> (group, arguments) ──> arrange ──> reduce ──> group: values                        min, max and their company
//! ```
//!
//! DISTINCT aggregates pass through a set of (group, argument) first and then count as any other. A grouping without groups
//! has one row from the start, even over nothing.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use differential_dataflow::AsCollection;
use eval::accumulate::{Accumulators, ROWS};
use eval::{AggregateCall, AggregateFunction, Expr};
use flow::{Accum, Accums, Arrangement, Group, Keyed, failed_row};
use row::{Datum, OwnedDatum, Row, RowBuilder, RowRef, ScalarType};
use timely::dataflow::operators::ToStream;

use super::Context;
use super::errors::Blame;
use super::layout::Layout;
use super::mfp::Mfp;
use super::parts::{Finish, Part};
use crate::plan::{Column, Plan};

impl<'scope> Context<'scope> {
    pub fn reduce(
        &mut self,
        plan: &Arc<Plan>,
        _input: &Arc<Plan>,
        group: &[(Expr, Column)],
        _aggregates: &[(AggregateCall, Column)],
    ) -> Vec<Part<'scope>> {
        self.group_parts(plan, group.len())
    }

    pub fn reduce_groups(
        &mut self,
        input: &Arc<Plan>,
        group: &[(Expr, Column)],
        aggregates: &[(AggregateCall, Column)],
    ) -> Arrangement<'scope> {
        let calls: Vec<AggregateCall> = aggregates.iter().map(|(call, _)| call.clone()).collect();
        let groups: Vec<Expr> = group.iter().map(|(expr, _)| expr.clone()).collect();
        let arrangement = if calls.iter().all(Accumulators::can_hold) {
            self.accumulated(input, &groups, &calls)
        } else {
            self.looked_at(input, &groups, &calls)
        };
        if calls.iter().any(can_fail) {
            self.statistics.operators += 1;
            let errors = flow::split_failed(arrangement.stream.clone(), "Failed[Reduce]");
            self.add_errors(errors);
        }
        arrangement
    }

    fn accumulated(&mut self, input: &Arc<Plan>, groups: &[Expr], calls: &[AggregateCall]) -> Arrangement<'scope> {
        let accumulators = Rc::new(Accumulators::new(calls));
        let (base, mfp) = self.peel_input(input);
        let plain: Vec<usize> = (0..calls.len()).filter(|call| !calls[*call].distinct).collect();
        let mut collections = vec![self.lanes_of_rows(&base, &mfp, groups, calls, &plain, &accumulators)];
        let mut sets: BTreeMap<(Option<Expr>, Option<Expr>), Vec<usize>> = BTreeMap::new();
        for (i, call) in calls.iter().enumerate().filter(|(_, call)| call.distinct) {
            sets.entry((call.arg.clone(), call.filter.clone())).or_default().push(i);
        }
        for members in sets.into_values() {
            let set = self.distinct_arguments(input, groups, &calls[members[0]]);
            collections.push(self.lanes_of_set(set, groups.len(), &members, &accumulators));
        }
        if groups.is_empty() {
            collections.push(self.presence(accumulators.width()));
        }
        let lanes = match collections.len() {
            1 => collections.remove(0),
            _ => {
                let first = collections.remove(0);
                first.concatenate(collections)
            }
        };
        self.statistics.operators += 2;
        let blame = Blame { model: self.model.clone(), expression: describe(calls) };
        let count = calls.len();
        let mut builder = RowBuilder::default();
        flow::accumulate(
            flow::arrange_accums(lanes, "Arrange[Accumulate]"),
            "Accumulate",
            Box::new(move |key, lanes| {
                if lanes.get(ROWS).copied().unwrap_or(0) <= 0 {
                    return None;
                }
                for call in 0..count {
                    match accumulators.finish(call, lanes) {
                        Ok(value) => builder.push(&value),
                        Err(error) => {
                            builder.clear();
                            return Some(failed_row(&blame.row(&error.0, key.iter())));
                        }
                    }
                }
                Some(builder.finish())
            }),
        )
    }

    /// Each input row's lanes: that it is there, and what it adds to the aggregates `members`.
    fn lanes_of_rows(
        &mut self,
        base: &Arc<Plan>,
        mfp: &Mfp,
        groups: &[Expr],
        calls: &[AggregateCall],
        members: &[usize],
        accumulators: &Rc<Accumulators>,
    ) -> Accums<'scope> {
        let mut mfp = mfp.clone();
        let inputs = mfp.outputs.len();
        let group_columns: Vec<usize> = groups.iter().map(|expr| push(&mut mfp, expr, inputs)).collect();
        let arguments: Vec<usize> =
            members.iter().map(|call| push(&mut mfp, &argument(&calls[*call]), inputs)).collect();
        let (group_count, width) = (groups.len(), accumulators.width());
        let members = members.to_vec();
        let accumulators = accumulators.clone();
        let finish = Finish::<(Row, Accum)> {
            logic: Rc::new(move |columns, builder, _, out| {
                let (group, arguments) = columns.split_at(group_count);
                let mut lanes: smallvec::SmallVec<[i64; 32]> = smallvec::smallvec![0; width];
                lanes[ROWS] = 1;
                for (call, argument) in members.iter().zip(arguments) {
                    accumulators.add(*call, argument, &mut lanes);
                }
                group.iter().for_each(|datum| builder.push(&datum.clone().normalized()));
                out.push((builder.finish(), Accum::new(&lanes)));
            }),
            reads: group_columns.into_iter().chain(arguments).collect(),
            
        };
        let parts = self.upstream(base);
        self.to_form(parts, &mfp, finish, "Lanes")
    }

    /// The distinct (group, argument) pairs of a DISTINCT aggregate.
    fn distinct_arguments(&mut self, input: &Arc<Plan>, groups: &[Expr], call: &AggregateCall) -> Arrangement<'scope> {
        let (base, mut mfp) = self.peel_input(input);
        let inputs = mfp.outputs.len();
        let mut columns: Vec<usize> = groups.iter().map(|expr| push(&mut mfp, expr, inputs)).collect();
        columns.push(push(&mut mfp, &argument(call), inputs));
        let finish = Finish::<(Row, Row)> {
            logic: Rc::new(|columns, key, _, out| {
                if columns.last().is_some_and(Datum::is_null) {
                    return;
                }
                columns.iter().for_each(|datum| key.push(&datum.clone().normalized()));
                out.push((key.finish(), Row::default()));
            }),
            reads: columns,
        };
        let parts = self.upstream(&base);
        let keyed = self.to_form(parts, &mfp, finish, "Key[DistinctArgument]");
        self.statistics.operators += 2;
        flow::reduce(
            flow::arrange(keyed, "Arrange[DistinctArgument]"),
            "DistinctArgument",
            Box::new(|_, group, output| {
                if group.iter().map(|(_, count)| count).sum::<i64>() > 0 {
                    output.push((Row::default(), 1));
                }
            }),
        )
    }

    fn lanes_of_set(
        &mut self,
        set: Arrangement<'scope>,
        groups: usize,
        members: &[usize],
        accumulators: &Rc<Accumulators>,
    ) -> Accums<'scope> {
        let layout = Layout::of_groups(groups + 1, groups + 1);
        let (members, accumulators, width) = (members.to_vec(), accumulators.clone(), accumulators.width());
        let finish = Finish::<(Row, Accum)> {
            logic: Rc::new(move |columns, builder, _, out| {
                let mut lanes: smallvec::SmallVec<[i64; 32]> = smallvec::smallvec![0; width];
                for call in &members {
                    accumulators.add(*call, &columns[groups], &mut lanes);
                }
                columns[..groups].iter().for_each(|datum| builder.push(datum));
                out.push((builder.finish(), Accum::new(&lanes)));
            }),
            reads: (0..=groups).collect(),
        };
        self.to_form(vec![Part::arranged(set, layout)], &Mfp::identity(groups + 1), finish, "Lanes[Distinct]")
    }

    /// The row that makes a grouping without groups exist over nothing.
    fn presence(&mut self, width: usize) -> Accums<'scope> {
        let mut lanes = vec![0; width];
        lanes[ROWS] = 1;
        let here = self.scope.index() == 0;
        let updates: Vec<_> = here.then(|| (Row::default(), 0, Accum::new(&lanes))).into_iter().collect();
        self.statistics.operators += 1;
        updates.to_stream(self.scope).as_collection()
    }

    /// Aggregates of which one needs to see the group's values: all are computed together, from (arguments) per group.
    fn looked_at(&mut self, input: &Arc<Plan>, groups: &[Expr], calls: &[AggregateCall]) -> Arrangement<'scope> {
        let (base, mut mfp) = self.peel_input(input);
        let inputs = mfp.outputs.len();
        let group_columns: Vec<usize> = groups.iter().map(|expr| push(&mut mfp, expr, inputs)).collect();
        let arguments: Vec<usize> = calls.iter().map(|call| push(&mut mfp, &argument(call), inputs)).collect();
        let group_count = groups.len();
        let finish = Finish::<(Row, Row)> {
            logic: Rc::new(move |columns, key, value, out| {
                let (group, arguments) = columns.split_at(group_count);
                group.iter().for_each(|datum| key.push(&datum.clone().normalized()));
                value.push(&Datum::Bool(true));
                arguments.iter().for_each(|datum| value.push(datum));
                out.push((key.finish(), value.finish()));
            }),
            reads: group_columns.into_iter().chain(arguments).collect(),
        };
        let parts = self.upstream(&base);
        let mut keyed: Keyed<'scope> = self.to_form(parts, &mfp, finish, "Key[Group]");
        if groups.is_empty() {
            let here = self.scope.index() == 0;
            let row = Row::pack([Datum::Bool(false)]);
            let updates: Vec<_> = here.then(|| ((Row::default(), row), 0, 1)).into_iter().collect();
            keyed = keyed.concat(updates.to_stream(self.scope).as_collection());
        }
        self.statistics.operators += 2;
        let blame = Blame { model: self.model.clone(), expression: describe(calls) };
        let members: Vec<Member> = calls.iter().map(Member::new).collect();
        let mut builder = RowBuilder::default();
        flow::reduce(
            flow::arrange(keyed, "Arrange[Group]"),
            "Reduce",
            Box::new(move |key, group, output| {
                if group.iter().map(|(_, count)| count).sum::<i64>() <= 0 {
                    return;
                }
                for (i, member) in members.iter().enumerate() {
                    match member.over(group, i) {
                        Ok(value) => builder.push(&value.datum()),
                        Err(error) => {
                            builder.clear();
                            output.push((failed_row(&blame.row(&error.0, key.iter())), 1));
                            return;
                        }
                    }
                }
                output.push((builder.finish(), 1));
            }),
        )
    }
}

/// An aggregate's argument as it is added: NULL where its FILTER is not true; count(*) adds a constant.
fn argument(call: &AggregateCall) -> Expr {
    let arg = call.arg.clone().unwrap_or_else(|| Expr::Literal {
        value: OwnedDatum::new(&Datum::Bool(true)),
        ty: ScalarType::Bool,
    });
    let ty = if call.arg.is_some() { call.arg_type.clone() } else { ScalarType::Bool };
    match &call.filter {
        None => arg,
        Some(filter) => Expr::Case {
            branches: vec![(filter.clone(), arg)],
            otherwise: Box::new(Expr::Literal { value: OwnedDatum::null(), ty: ty.clone() }),
            ty,
        },
    }
}

/// Appends an expression over a chain's first outputs; gives the column it lies in.
fn push(mfp: &mut Mfp, expr: &Expr, inputs: usize) -> usize {
    debug_assert!(inputs <= mfp.outputs.len());
    let output = mfp.push_expr(expr);
    mfp.outputs[output]
}

/// Whether finishing a group can fail: a sum beyond its type, an average beyond a double.
fn can_fail(call: &AggregateCall) -> bool {
    matches!(call.function, AggregateFunction::Sum | AggregateFunction::Avg)
        && matches!(call.arg_type, ScalarType::Float32 | ScalarType::Float64 | ScalarType::Interval | ScalarType::Numeric(_))
}

fn describe(calls: &[AggregateCall]) -> String {
    let texts: Vec<String> = calls
        .iter()
        .map(|call| format!("{:?}({})", call.function, if call.arg.is_some() { "…" } else { "*" }).to_lowercase())
        .collect();
    texts.join(", ")
}

/// One aggregate over a group's values.
struct Member {
    call: AggregateCall,
    /// For aggregates that could ride in the difference, were they alone.
    accumulators: Option<Accumulators>,
}

impl Member {
    fn new(call: &AggregateCall) -> Member {
        let accumulators = Accumulators::can_hold(call).then(|| Accumulators::new(std::slice::from_ref(call)));
        Member { call: call.clone(), accumulators }
    }

    /// The value over a group whose value rows are a mark and one argument per aggregate.
    fn over(&self, group: &Group<'_>, argument: usize) -> Result<OwnedDatum, eval::EvalError> {
        let mut values: Vec<(Datum<'_>, i64)> = Vec::with_capacity(group.len());
        for (row, count) in group {
            if let Some(value) = value_of(*row, argument)
                && !value.is_null()
            {
                values.push((value, *count));
            }
        }
        if self.call.distinct {
            values.sort_by(|a, b| a.0.sql_cmp(&b.0));
            values.dedup_by(|a, b| {
                let same = a.0.sql_cmp(&b.0).is_eq();
                if same {
                    b.1 += a.1;
                }
                same
            });
            values.retain_mut(|(_, count)| {
                let there = *count > 0;
                *count = 1;
                there
            });
        }
        if let Some(accumulators) = &self.accumulators {
            let mut lanes = vec![0; accumulators.width()];
            let mut one = vec![0; accumulators.width()];
            for (value, count) in &values {
                one.fill(0);
                accumulators.add(0, value, &mut one);
                lanes.iter_mut().zip(&one).for_each(|(lane, amount)| *lane += amount * count);
            }
            return Ok(OwnedDatum::new(&accumulators.finish(0, &lanes)?));
        }
        let there = values.into_iter().filter(|(_, count)| *count > 0).map(|(value, _)| value);
        let value = match self.call.function {
            AggregateFunction::Min => there.min_by(|a, b| a.sql_cmp(b)),
            AggregateFunction::Max => there.max_by(|a, b| a.sql_cmp(b)),
            other => panic!("{other:?} rides in the difference"),
        };
        Ok(value.map_or_else(OwnedDatum::null, |value| OwnedDatum::new(&value)))
    }
}

/// Column `argument` of a group's value row; None for the row that only says that the group exists.
fn value_of(row: RowRef<'_>, argument: usize) -> Option<Datum<'_>> {
    let mut iter = row.iter();
    if !matches!(iter.next(), Some(Datum::Bool(true))) {
        return None;
    }
    (0..argument).for_each(|_| {
        iter.skip_one();
    });
    iter.next()
}
