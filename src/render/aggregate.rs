//! Grouping by aggregates that ride in the difference.
//!
//! ```text
//!   input ──> (group, lanes) ─────────────────┐
//!   input ──> distinct (group, x) ──> lanes ──┴──> arrange ──> accumulate ──> group: values
//! ```
//!
//! Groupings of which an aggregate sees its values in order are elsewhere (`ordered`).
//! DISTINCT aggregates pass through a set of (group, argument) first and then count as any other. A grouping without groups
//! has one row from the start, even over nothing.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use differential_dataflow::AsCollection;
use eval::accumulate::Accumulators;
use eval::{AggregateCall, AggregateFunction, Expr};
use flow::{Accum, Accums, Arrangement, failed_row};
use row::{Datum, OwnedDatum, Row, RowBuilder, ScalarType};
use timely::dataflow::operators::ToStream;

use super::arrangements::{Side, terms};
use super::errors::Blame;
use super::join::JoinPart;
use super::layout::Layout;
use super::mfp::Mfp;
use super::parts::{Finish, Form, Part};
use super::{Context, node_key};
use crate::plan::{Column, JoinKind, Plan};

impl<'scope> Context<'scope> {
    pub fn reduce(
        &mut self,
        plan: &Arc<Plan>,
        input: &Arc<Plan>,
        group: &[(Expr, Column)],
        aggregates: &[(AggregateCall, Column)],
    ) -> Vec<Part<'scope>> {
        let calls: Vec<AggregateCall> = aggregates.iter().map(|(call, _)| call.clone()).collect();
        if !calls.iter().all(Accumulators::can_hold) {
            return vec![Part::rows(self.ordered(plan, input, group, aggregates), plan.arity())];
        }
        let groups: Vec<Expr> = group.iter().map(|(expr, _)| expr.clone()).collect();
        if let Some(parts) = self.own_groups(plan, input, &groups, &calls) {
            return parts;
        }
        self.group_parts(plan, group.len())
    }

    pub fn reduce_groups(
        &mut self,
        plan: &Arc<Plan>,
        input: &Arc<Plan>,
        group: &[(Expr, Column)],
        aggregates: &[(AggregateCall, Column)],
    ) -> Arrangement<'scope> {
        let calls: Vec<AggregateCall> = aggregates.iter().map(|(call, _)| call.clone()).collect();
        let groups: Vec<Expr> = group.iter().map(|(expr, _)| expr.clone()).collect();
        if !calls.iter().all(Accumulators::can_hold) {
            return self.ordered_groups(plan, groups.len());
        }
        let arrangement = self.accumulated(input, &groups, &calls);
        if calls.iter().any(can_fail) {
            self.statistics.operators += 1;
            let errors = flow::split_failed(arrangement.stream.clone(), "Failed[Reduce]");
            self.add_errors(errors);
        }
        arrangement
    }

    /// What all rows of a grouping's input add to its lanes.
    pub fn accumulator_lanes(
        &mut self,
        input: &Arc<Plan>,
        groups: &[Expr],
        calls: &[AggregateCall],
    ) -> (Rc<Accumulators>, Accums<'scope>) {
        let counted = self.with_counts(input, groups, calls);
        let accumulators = Rc::new(Accumulators::lay_out(0, &[counted]).remove(0));
        let width = accumulators.width();
        let mut collections = self.lanes(input, groups, calls, &accumulators, width);
        if groups.is_empty() {
            collections.push(self.presence(&accumulators));
        }
        (accumulators, <(Row, Accum) as Form>::concatenate(collections))
    }

    fn accumulated(&mut self, input: &Arc<Plan>, groups: &[Expr], calls: &[AggregateCall]) -> Arrangement<'scope> {
        let (accumulators, lanes) = self.accumulator_lanes(input, groups, calls);
        self.statistics.operators += 2;
        let blame = Blame { model: self.model.clone(), expression: describe(calls) };
        let count = calls.len();
        let mut builder = RowBuilder::default();
        flow::accumulate(
            flow::arrange_accums(lanes, "Arrange[Accumulate]"),
            "Accumulate",
            Box::new(move |key, lanes, output| {
                if !accumulators.exists(lanes) {
                    return;
                }
                output.push(match finish(&accumulators, count, lanes, &mut builder) {
                    Ok(()) => (builder.finish(), 1),
                    Err(error) => {
                        builder.clear();
                        (failed_row(&blame.row(&error.0, key.iter())), 1)
                    }
                });
            }),
        )
    }

    /// What the rows of `input` add to the lanes of their groups, as one or more collections of `width` lanes.
    ///
    /// Over a left join, each aggregate reads only the parts of the join that it needs: one whose argument is NULL where the
    /// right side is missing needs the pairs alone, one that looks at the left side once per row needs the left rows alone, and
    /// when no aggregate needs more, the rows without a match are never found out.
    pub fn lanes(
        &mut self,
        input: &Arc<Plan>,
        groups: &[Expr],
        calls: &[AggregateCall],
        accumulators: &Rc<Accumulators>,
        width: usize,
    ) -> Vec<Accums<'scope>> {
        let (base, mfp) = self.peel_input(input);
        let into = Into { groups, calls, accumulators, width };
        let mut collections = Vec::new();
        let needs = self.needs_over_left_join(&base, &mfp, groups, calls);
        let members = |wanted: &dyn Fn(Need) -> bool, distinct: bool| -> Vec<usize> {
            let all = 0..calls.len();
            all.filter(|call| {
                calls[*call].distinct == distinct && wanted(needs.as_ref().map_or(Need::All, |needs| needs[*call]))
            })
            .collect()
        };
        if needs.is_some() {
            let all = members(&|need| need == Need::All, false);
            let pairs = members(&|need| matches!(need, Need::All | Need::Pairs), false);
            let once = members(&|need| need == Need::OncePerLeftRow, true);
            if !pairs.is_empty() {
                let others =
                    calls.iter().enumerate().any(|(call, aggregate)| aggregate.distinct && !once.contains(&call));
                let which = if all.is_empty() && !others { JoinPart::PairsAlone } else { JoinPart::Pairs };
                let part = self.left_join_part(&base, which);
                collections.push(self.lanes_of_parts(vec![part], &mfp, &into, &pairs, &[], false));
            }
            let part = self.left_join_part(&base, JoinPart::Left);
            collections.push(self.lanes_of_parts(vec![part], &mfp, &into, &all, &once, true));
            if !all.is_empty() {
                let part = self.left_join_part(&base, JoinPart::Matched);
                collections.push(self.lanes_of_parts(vec![part], &mfp, &into, &all, &[], false));
            }
        } else {
            let mut parts = self.upstream(&base);
            if calls.iter().any(|call| call.distinct) && parts.iter().any(|part| part.source.holds_own_state()) {
                // Read more than once: its state is held once.
                let rows = self.read_rows(parts, Mfp::identity(base.arity()), "Rows");
                self.rows.insert(node_key(&base), rows.clone());
                parts = vec![Part::rows(rows, base.arity())];
            }
            let plain = members(&|_| true, false);
            collections.push(self.lanes_of_parts(parts, &mfp, &into, &plain, &[], true));
        }
        let mut sets: BTreeMap<(Option<Expr>, Option<Expr>), Vec<usize>> = BTreeMap::new();
        for call in members(&|need| need != Need::OncePerLeftRow, true) {
            sets.entry((calls[call].arg.clone(), calls[call].filter.clone())).or_default().push(call);
        }
        for members in sets.into_values() {
            let parts = match needs.as_ref().map(|needs| needs[members[0]]) {
                Some(Need::Pairs) => vec![self.left_join_part(&base, JoinPart::Pairs)],
                Some(Need::LeftRows) => vec![self.left_join_part(&base, JoinPart::Left)],
                _ => self.upstream(&base),
            };
            let set = self.distinct_arguments(parts, &mfp, groups, &calls[members[0]]);
            collections.push(self.lanes_of_set(set, groups.len(), &members, accumulators, width));
        }
        collections
    }

    /// Each aggregate, and whether it is exactly the number of the grouping's rows as `lanes` counts them.
    pub fn with_counts(
        &self,
        input: &Arc<Plan>,
        groups: &[Expr],
        calls: &[AggregateCall],
    ) -> Vec<(AggregateCall, bool)> {
        let (base, mfp) = self.peel_input(input);
        let needs = self.needs_over_left_join(&base, &mfp, groups, calls);
        let counts = |(i, call): (usize, &AggregateCall)| match &needs {
            Some(needs) => needs[i] == Need::OncePerLeftRow,
            None => {
                call.function == AggregateFunction::CountRows
                    && !call.distinct
                    && call.filter.is_none()
                    && !groups.is_empty()
            }
        };
        calls.iter().enumerate().map(|member| (member.1.clone(), counts(member))).collect()
    }

    /// What each aggregate needs of a left join below it; None when the input is no left join whose groups are the left's.
    fn needs_over_left_join(
        &self,
        base: &Arc<Plan>,
        mfp: &Mfp,
        groups: &[Expr],
        calls: &[AggregateCall],
    ) -> Option<Vec<Need>> {
        let Plan::Join { kind: JoinKind::Left, left, residual, .. } = &**base else { return None };
        let shared =
            self.rows.contains_key(&node_key(base)) || self.readers.get(&node_key(base)).copied().unwrap_or(1) > 1;
        if shared || !residual.is_empty() || mfp.has_filter() || mfp.is_fallible() || self.star(base).is_some() {
            return None;
        }
        let left_arity = left.arity();
        let typ = left.typ();
        // Expressions over the join's own columns.
        let resolved = mfp.resolved();
        let over_base = |expr: &Expr| expr.substitute(&resolved);
        let reads_left = |expr: &Expr| {
            let mut only = true;
            expr.for_each_column(&mut |column| only &= column < left_arity);
            only
        };
        if groups.iter().any(|group| group.is_fallible() || !reads_left(&over_base(group))) {
            return None;
        }
        let need = |call: &AggregateCall| {
            let argument = over_base(&argument(call));
            if argument.is_fallible() {
                return None;
            }
            let unique = |column: usize| typ.keys.contains(&vec![column]) && !typ.columns[column].nullable;
            Some(match &argument {
                Expr::Column(column)
                    if call.distinct
                        && call.function == AggregateFunction::Count
                        && *column < left_arity
                        && unique(*column) =>
                {
                    Need::OncePerLeftRow
                }
                argument if is_null_without(argument, &|column| column >= left_arity) => Need::Pairs,
                argument if call.distinct && reads_left(argument) => Need::LeftRows,
                _ => Need::All,
            })
        };
        let needs: Vec<Need> = calls.iter().map(need).collect::<Option<_>>()?;
        let needs_all = needs.contains(&Need::All) && calls.iter().all(|call| !call.distinct);
        // A join with own state gives each row once, matched or not.
        (!(needs_all && self.owns_left_join(base))).then_some(needs)
    }

    fn owns_left_join(&self, plan: &Arc<Plan>) -> bool {
        let Plan::Join { kind: JoinKind::Left, left, right, on, .. } = &**plan else { return false };
        let sides = [Side::new(left, &terms(on, true), true), Side::new(right, &terms(on, false), false)];
        self.can_own_join([&sides[0], &sides[1]], JoinKind::Left, on)
    }

    /// Each row's lanes: what it adds to the aggregates `members`, and one to those in `once`; `counts`: that it is there.
    fn lanes_of_parts(
        &mut self,
        parts: Vec<Part<'scope>>,
        mfp: &Mfp,
        into: &Into<'_>,
        members: &[usize],
        once: &[usize],
        counts: bool,
    ) -> Accums<'scope> {
        let mut mfp = mfp.clone();
        let inputs = mfp.outputs.len();
        let group_columns: Vec<usize> = into.groups.iter().map(|expr| push(&mut mfp, expr, inputs)).collect();
        let arguments: Vec<usize> =
            members.iter().map(|call| push(&mut mfp, &argument(&into.calls[*call]), inputs)).collect();
        let (group_count, width) = (into.groups.len(), into.width);
        let (members, once) = (members.to_vec(), once.to_vec());
        let accumulators = into.accumulators.clone();
        let finish = Finish::<(Row, Accum)> {
            logic: Rc::new(move |columns, builder, _, out| {
                let (group, arguments) = columns.split_at(group_count);
                let mut lanes = LaneBuffer::new(width);
                let lanes = lanes.lanes();
                if counts {
                    accumulators.add_row(lanes);
                }
                for (call, argument) in members.iter().zip(arguments) {
                    accumulators.add(*call, argument, lanes);
                }
                for call in &once {
                    accumulators.add(*call, &Datum::Bool(true), lanes);
                }
                let lanes = Accum::new(lanes);
                if lanes.is_empty() {
                    return;
                }
                group.iter().for_each(|datum| builder.push_normalized(datum));
                out.push((builder.finish(), lanes));
            }),
            reads: group_columns.into_iter().chain(arguments).collect(),
        };
        self.read_form(parts, &mfp, finish, "Lanes")
    }

    /// The distinct (group, argument) pairs of a DISTINCT aggregate.
    fn distinct_arguments(
        &mut self,
        parts: Vec<Part<'scope>>,
        mfp: &Mfp,
        groups: &[Expr],
        call: &AggregateCall,
    ) -> Arrangement<'scope> {
        let mut mfp = mfp.clone();
        let inputs = mfp.outputs.len();
        let mut columns: Vec<usize> = groups.iter().map(|expr| push(&mut mfp, expr, inputs)).collect();
        columns.push(push(&mut mfp, &argument(call), inputs));
        let finish = Finish::<(Row, Row)> {
            logic: Rc::new(|columns, key, _, out| {
                if columns.last().is_some_and(Datum::is_null) {
                    return;
                }
                columns.iter().for_each(|datum| key.push_normalized(datum));
                out.push((key.finish(), Row::default()));
            }),
            reads: columns,
        };
        let keyed = self.read_form(parts, &mfp, finish, "Key[DistinctArgument]");
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
        width: usize,
    ) -> Accums<'scope> {
        let layout = Layout::of_groups(groups + 1, groups + 1);
        let (members, accumulators) = (members.to_vec(), accumulators.clone());
        let finish = Finish::<(Row, Accum)> {
            logic: Rc::new(move |columns, builder, _, out| {
                let mut lanes = LaneBuffer::new(width);
                let lanes = lanes.lanes();
                for call in &members {
                    accumulators.add(*call, &columns[groups], lanes);
                }
                columns[..groups].iter().for_each(|datum| builder.push(datum));
                out.push((builder.finish(), Accum::new(lanes)));
            }),
            reads: (0..=groups).collect(),
        };
        self.read_form(vec![Part::arranged(set, layout)], &Mfp::identity(groups + 1), finish, "Lanes[Distinct]")
    }

    /// The row that makes a grouping without groups exist over nothing.
    fn presence(&mut self, accumulators: &Accumulators) -> Accums<'scope> {
        let mut lanes = vec![0; accumulators.width()];
        accumulators.add_row(&mut lanes);
        let here = self.scope.index() == 0;
        let updates: Vec<_> = here.then(|| (Row::default(), 0, Accum::new(&lanes))).into_iter().collect();
        self.statistics.operators += 1;
        updates.to_stream(self.scope).as_collection()
    }
}

/// What lanes are made for.
struct Into<'a> {
    groups: &'a [Expr],
    calls: &'a [AggregateCall],
    accumulators: &'a Rc<Accumulators>,
    width: usize,
}

/// Zeroed lanes for one row, on the stack where they are few.
struct LaneBuffer {
    few: [i64; LANES_FEW],
    many: Vec<i64>,
    width: usize,
}

const LANES_FEW: usize = 64;

impl LaneBuffer {
    #[inline]
    fn new(width: usize) -> LaneBuffer {
        LaneBuffer { few: [0; LANES_FEW], many: if width > LANES_FEW { vec![0; width] } else { Vec::new() }, width }
    }

    #[inline]
    fn lanes(&mut self) -> &mut [i64] {
        if self.width > LANES_FEW { &mut self.many } else { &mut self.few[..self.width] }
    }
}

/// What an aggregate over a left join has to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Every joined row, those without a match too.
    All,
    /// Rows with a match: without one the argument is NULL.
    Pairs,
    /// DISTINCT over values of the left side: the left rows hold them all.
    LeftRows,
    /// count(distinct key of the left side): as many as there are left rows.
    OncePerLeftRow,
}

/// Whether an expression is NULL when all columns chosen by `absent` are. Says no when in doubt.
pub fn is_null_without(expr: &Expr, absent: &dyn Fn(usize) -> bool) -> bool {
    match expr {
        Expr::Column(column) => absent(*column),
        Expr::Cast { input, .. } => is_null_without(input, absent),
        Expr::Call { function, args, .. } => {
            function.is_strict() && args.iter().any(|arg| is_null_without(arg, absent))
        }
        _ => false,
    }
}

/// Packs a group's aggregates.
pub fn finish(
    accumulators: &Accumulators,
    calls: usize,
    lanes: &[i64],
    builder: &mut RowBuilder,
) -> Result<(), eval::EvalError> {
    (0..calls).try_for_each(|call| accumulators.finish(call, lanes).map(|value| builder.push(&value)))
}

/// An aggregate's argument as it is added: NULL where its FILTER is not true; count(*) adds a constant.
pub fn argument(call: &AggregateCall) -> Expr {
    let arg = call
        .arg
        .clone()
        .unwrap_or_else(|| Expr::Literal { value: OwnedDatum::new(&Datum::Bool(true)), ty: ScalarType::Bool });
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
pub fn can_fail(call: &AggregateCall) -> bool {
    use AggregateFunction as F;
    match call.function {
        F::Sum | F::Avg => matches!(
            call.arg_type,
            ScalarType::Float32 | ScalarType::Float64 | ScalarType::Interval | ScalarType::Numeric(_)
        ),
        F::StddevSamp | F::StddevPop | F::VarSamp | F::VarPop => !call.arg_type.is_integer(),
        F::PercentileCont | F::JsonAgg | F::JsonbAgg | F::JsonObjectAgg | F::JsonbObjectAgg => true,
        _ => false,
    }
}

pub fn describe(calls: &[AggregateCall]) -> String {
    let texts: Vec<String> = calls
        .iter()
        .map(|call| format!("{:?}({})", call.function, if call.arg.is_some() { "…" } else { "*" }).to_lowercase())
        .collect();
    texts.join(", ")
}
