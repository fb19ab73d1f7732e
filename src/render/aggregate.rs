//! Grouping by aggregates that ride in the difference.
//!
//! ```text
//!   input ──> (group, lanes) ─────────────────┐
//!   input ──> distinct (group, x) ──> lanes ──┴──> groups ──> group: values
//! ```
//!
//! Groupings of which an aggregate sees its values in order are elsewhere (`ordered`).
//! DISTINCT aggregates pass through a set of (group, argument) first and then count as any other. A grouping without groups
//! has one row from the start, even over nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use eval::accumulate::Accumulators;
use eval::{AggregateCall, AggregateFunction, Expr};
use flow::{Accum, Accums, Collection, Copies};
use row::{Datum, OwnedDatum, Row, ScalarType};

use super::groups::Groups;
use super::join::JoinPart;
use super::mfp::Mfp;
use super::parts::{Finish, Logic, Part, Source};
use super::{Context, node_key};
use crate::plan::{Column, JoinKind, Plan};

impl Context {
    pub fn reduce(
        &mut self,
        plan: &Arc<Plan>,
        input: &Arc<Plan>,
        group: &[(Expr, Column)],
        aggregates: &[(AggregateCall, Column)],
    ) -> Vec<Part> {
        if self.is_arranged(plan, group.len()) {
            return self.group_parts(plan, group.len());
        }
        self.reduce_parts(plan, input, group, aggregates)
    }

    /// The parts of a grouping, whether or not it is arranged.
    pub fn reduce_parts(
        &mut self,
        plan: &Arc<Plan>,
        input: &Arc<Plan>,
        group: &[(Expr, Column)],
        aggregates: &[(AggregateCall, Column)],
    ) -> Vec<Part> {
        let calls: Vec<AggregateCall> = aggregates.iter().map(|(call, _)| call.clone()).collect();
        if !calls.iter().all(Accumulators::can_hold) {
            return vec![Part::rows(self.ordered(plan, input, group, aggregates), plan.arity())];
        }
        let groups: Vec<Expr> = group.iter().map(|(expr, _)| expr.clone()).collect();
        vec![self.own_groups(input, &groups, &calls, Copies::One)]
    }

    /// What all rows of a grouping's input add to its lanes.
    pub fn accumulator_lanes(
        &mut self,
        input: &Arc<Plan>,
        groups: &[Expr],
        calls: &[AggregateCall],
    ) -> (Rc<Accumulators>, Accums) {
        let counted = self.with_counts(input, groups, calls);
        let accumulators = Rc::new(Accumulators::lay_out(0, &[counted]).remove(0));
        let width = accumulators.width();
        let mut collections = self.lanes(input, groups, calls, &accumulators, width);
        if groups.is_empty() {
            collections.push(self.presence(&accumulators));
        }
        (accumulators, Collection::concatenate(collections))
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
    ) -> Vec<Accums> {
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
        let mut pairs_part = None;
        if needs.is_some() {
            let pairs = members(&|need| need == Need::Pairs, false);
            let once = members(&|need| need == Need::OncePerLeftRow, true);
            let distinct_pairs = members(&|need| need == Need::Pairs, true);
            if !pairs.is_empty() || !distinct_pairs.is_empty() {
                let mut part = self.left_join_part(&base, JoinPart::Pairs);
                if !distinct_pairs.is_empty() {
                    // Read more than once: their state is held once.
                    let rows = self.read_rows(vec![part], Mfp::identity(base.arity()), "Pairs");
                    pairs_part = Some(rows.clone());
                    part = Part::rows(rows, base.arity());
                }
                if !pairs.is_empty() {
                    collections.push(self.lanes_of_parts(vec![part], &mfp, &into, &pairs, &[], false));
                }
            }
            let part = self.left_join_part(&base, JoinPart::Left);
            collections.push(self.lanes_of_parts(vec![part], &mfp, &into, &[], &once, true));
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
                Some(Need::Pairs) => {
                    vec![Part::rows(pairs_part.clone().expect("what DISTINCT reads is rendered"), base.arity())]
                }
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
        let Plan::Join { kind: JoinKind::Left, left, on, residual, .. } = &**base else { return None };
        let shared =
            self.rows.contains_key(&node_key(base)) || self.readers.get(&node_key(base)).copied().unwrap_or(1) > 1;
        // A left row whose key fails is no row of the join.
        let key_fails = on.iter().any(|term| term.left.is_fallible());
        if shared
            || key_fails
            || !residual.is_empty()
            || mfp.has_filter()
            || mfp.is_fallible()
            || self.star(base).is_some()
        {
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
        // Where one needs every joined row, all read the join itself.
        (!needs.contains(&Need::All)).then_some(needs)
    }

    /// Each row's lanes: what it adds to the aggregates `members`, and one to those in `once`; `counts`: that it is there.
    fn lanes_of_parts(
        &mut self,
        parts: Vec<Part>,
        mfp: &Mfp,
        into: &Into<'_>,
        members: &[usize],
        once: &[usize],
        counts: bool,
    ) -> Accums {
        let mut mfp = mfp.clone();
        let inputs = mfp.outputs.len();
        let group_columns: Vec<usize> = into.groups.iter().map(|expr| push(&mut mfp, expr, inputs)).collect();
        let arguments: Vec<usize> =
            members.iter().map(|call| push(&mut mfp, &argument(&into.calls[*call]), inputs)).collect();
        let (group_count, width) = (into.groups.len(), into.width);
        let (members, once) = (members.to_vec(), once.to_vec());
        let accumulators = into.accumulators.clone();
        let buffer = RefCell::new(vec![0; width]);
        let logic: Logic<(Row, Accum)> = Rc::new(move |columns, builder, _, out| {
            let (group, arguments) = columns.split_at(group_count);
            let lanes = &mut *buffer.borrow_mut();
            if counts {
                accumulators.add_row(lanes);
            }
            for (call, argument) in members.iter().zip(arguments) {
                accumulators.add(*call, argument, lanes);
            }
            for call in &once {
                accumulators.add(*call, &Datum::Bool(true), lanes);
            }
            let lanes = Accum::take(lanes);
            if lanes.is_empty() {
                return;
            }
            group.iter().for_each(|datum| builder.push_normalized(datum));
            out.push((builder.finish(), lanes));
        });
        let reads = group_columns.into_iter().chain(arguments).collect();
        let finish = Finish::new(logic, reads).moving(0..group_count);
        self.read_form(parts, &mfp, finish, "Lanes")
    }

    /// The distinct (group, argument) pairs of a DISTINCT aggregate.
    fn distinct_arguments(&mut self, parts: Vec<Part>, mfp: &Mfp, groups: &[Expr], call: &AggregateCall) -> Part {
        let mut mfp = mfp.clone();
        let inputs = mfp.outputs.len();
        let mut columns: Vec<usize> = groups.iter().map(|expr| push(&mut mfp, expr, inputs)).collect();
        columns.push(push(&mut mfp, &argument(call), inputs));
        let width = columns.len();
        let logic: Logic<(Row, Accum)> = Rc::new(|columns, key, _, out| {
            if columns.last().is_some_and(Datum::is_null) {
                return;
            }
            columns.iter().for_each(|datum| key.push_normalized(datum));
            out.push((key.finish(), Accum::new(&[1])));
        });
        let finish = Finish::new(logic, columns).moving(0..width);
        let lanes = self.read_form(parts, &mfp, finish, "Key[DistinctArgument]");
        let groups = Groups { sides: Vec::new(), beside_hub: false, key_columns: width, can_fail: false };
        Part::new(Source::Groups { lanes, hub: None, copies: Copies::One, groups }, width)
    }

    fn lanes_of_set(
        &mut self,
        set: Part,
        groups: usize,
        members: &[usize],
        accumulators: &Rc<Accumulators>,
        width: usize,
    ) -> Accums {
        let (members, accumulators) = (members.to_vec(), accumulators.clone());
        let buffer = RefCell::new(vec![0; width]);
        let logic: Logic<(Row, Accum)> = Rc::new(move |columns, builder, _, out| {
            let lanes = &mut *buffer.borrow_mut();
            for call in &members {
                accumulators.add(*call, &columns[groups], lanes);
            }
            columns[..groups].iter().for_each(|datum| builder.push(datum));
            out.push((builder.finish(), Accum::take(lanes)));
        });
        let finish = Finish::new(logic, (0..=groups).collect()).moving(0..groups);
        self.read_form(vec![set], &Mfp::identity(groups + 1), finish, "Lanes[Distinct]")
    }

    /// The row that makes a grouping without groups exist over nothing.
    fn presence(&mut self, accumulators: &Accumulators) -> Accums {
        let mut lanes = vec![0; accumulators.width()];
        accumulators.add_row(&mut lanes);
        self.graph.constant(vec![((Row::default(), Accum::new(&lanes)), 1)])
    }
}

/// What lanes are made for.
struct Into<'a> {
    groups: &'a [Expr],
    calls: &'a [AggregateCall],
    accumulators: &'a Rc<Accumulators>,
    width: usize,
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
        F::PercentileDisc => !matches!(call.more.first(), Some(Expr::Literal { .. })),
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
