//! What each node costs to keep current: how far one change of an input may reach.
//!
//! ```text
//!   per change      the work follows the change and the rows it changes            joins, sums, lag, ntile
//!   per group       every row of the group that changed is looked at                lists of a group's values, joins by `<>`
//!   per partition   the change may alter a column in every row of its partition    rank, running sums
//!   per table       …and there is one group or partition: the table                running sums without PARTITION BY
//! ```
//!
//! 1. A class is an upper bound. Within it only rows whose value changes are emitted, whatever the class.
//! 2. The match is exhaustive: a new node says what it costs before it compiles.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use eval::{AggregateCall, AggregateFunction, Expr, OrderTerm};
use row::ScalarType;

use super::clock::ClockReading;
use super::describe::{aggregate_name, describe_expr};
use super::expr::{comparison, transform};
use super::range::RangeForm;
use super::tree::post_order;
use super::typ::unique_on;
use super::{EquiTerm, Frame, FrameBound, FrameUnits, JoinKind, Plan, WindowCall, WindowFunction};

/// How far one change may reach, the cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CostClass {
    PerChange,
    PerGroup,
    PerPartition,
    PerTable,
}

impl fmt::Display for CostClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CostClass::PerChange => "per change",
            CostClass::PerGroup => "per group",
            CostClass::PerPartition => "per partition",
            CostClass::PerTable => "per table",
        })
    }
}

/// The cost of one node, its inputs' costs aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    pub class: CostClass,
    /// What is kept between changes, if anything.
    pub state: Option<String>,
    /// Why the class is not `PerChange`.
    pub remark: Option<String>,
    /// What to write to make it cheaper.
    pub advice: Option<&'static str>,
}

impl Cost {
    fn stateless() -> Cost {
        Cost { class: CostClass::PerChange, state: None, remark: None, advice: None }
    }

    fn keeping(state: impl Into<String>) -> Cost {
        Cost { state: Some(state.into()), ..Cost::stateless() }
    }

    fn but(self, class: CostClass, remark: impl Into<String>, advice: &'static str) -> Cost {
        Cost { class, remark: Some(remark.into()), advice: Some(advice), ..self }
    }
}

impl Plan {
    /// What this node costs below its only readers `above`, the nearest first, as far as these are row by row.
    /// Nothing for what is kept by its source, or is no work at all.
    pub fn cost(&self, above: &[&Plan]) -> Option<Cost> {
        match self {
            Plan::Get { .. } | Plan::Constant { .. } | Plan::Project { .. } | Plan::Recursion { .. } => None,
            Plan::Recursive { .. } => Some(Cost::keeping("the rows of every round")),
            Plan::Map { .. }
            | Plan::FlatMap { .. }
            | Plan::Filter { .. }
            | Plan::Union { .. }
            | Plan::Negate { .. } => Some(Cost::stateless()),
            Plan::Temporal { .. } => {
                Some(Cost::keeping("rows that are still to come or to go, in the order of their turns"))
            }
            Plan::Join { kind, left, right, on, residual } => Some(join(*kind, left, right, on, residual)),
            Plan::Reduce { group, aggregates, .. } => {
                let calls: Vec<&AggregateCall> = aggregates.iter().map(|(call, _)| call).collect();
                Some(reduce(&group.iter().map(|(expr, _)| expr).collect::<Vec<_>>(), &calls))
            }
            Plan::Snapshot { .. } => Some(Cost::keeping("each key's row and its open version")),
            Plan::Distinct { .. } => Some(Cost::keeping("each row, counted")),
            Plan::Threshold { .. } => Some(Cost::keeping("each row, counted")),
            Plan::TopK { group, order_by, .. } => Some(top_k(group, order_by)),
            Plan::Window { partition, order_by, calls, .. } => {
                let visible = visible_calls(self, above);
                let read = calls.iter().enumerate().filter(|(index, _)| visible.contains(index));
                Some(window(partition, order_by, &read.map(|(_, (call, _))| call).collect::<Vec<_>>()))
            }
        }
    }
}

fn join(kind: JoinKind, left: &Arc<Plan>, right: &Arc<Plan>, on: &[EquiTerm], residual: &[Expr]) -> Cost {
    let state = if on.is_empty() {
        "both sides".to_owned()
    } else {
        let keys = |side: fn(&EquiTerm) -> &Expr| list(on.iter().map(side));
        format!("left side by [{}], right side by [{}]", keys(|term| &term.left), keys(|term| &term.right))
    };
    let (left_type, right_type) = (left.typ(), right.typ());
    let types: Vec<ScalarType> =
        left_type.columns.iter().chain(&right_type.columns).map(|column| column.ty.clone()).collect();
    if let Some(range) = RangeForm::find(left.arity(), &types, residual) {
        let cost = Cost::keeping(format!("{state}, in the order of the range"));
        if range.rest.is_empty() {
            return cost;
        }
        return cost.but(
            of_group(!on.is_empty()),
            "a change is compared with every row that the range lets through, by the rest of the condition",
            "add an equality to the join condition",
        );
    }
    let cost = Cost::keeping(state);
    if let (true, Plan::Get { relation, .. }) = (on.is_empty(), &**right)
        && let Some(reading) = ClockReading::of(relation)
    {
        let often = match reading {
            ClockReading::Now => "each tick of the clock",
            ClockReading::Date => "midnight",
        };
        return cost.but(
            CostClass::PerTable,
            format!("{often} meets every row"),
            "where it only chooses rows, compare a column with now() or current_date and a fixed duration in WHERE",
        );
    }
    if on.is_empty() {
        if is_static(left) || is_static(right) {
            return cost;
        }
        let remark = match kind {
            JoinKind::Semi | JoinKind::Anti => "the first match and the last one decide for every row of the left side",
            _ => "a change of one side meets every row of the other",
        };
        return cost.but(
            CostClass::PerTable,
            remark,
            "join on a key, or keep the one value in a mart of its own and combine them where they are read",
        );
    }
    let finds_one = kind == JoinKind::Inner
        && (unique_on(&left_type, on.iter().map(|term| &term.left))
            || unique_on(&right_type, on.iter().map(|term| &term.right)));
    if residual.is_empty() || finds_one {
        return cost;
    }
    cost.but(
        CostClass::PerGroup,
        "a change is compared with every row of its key on the other side",
        "add an equality to the join condition, or a comparison by which the two sides are ordered",
    )
}

/// Rows that no input changes, such as VALUES: their number is known when the plan is made.
fn is_static(plan: &Arc<Plan>) -> bool {
    post_order(plan).iter().all(|node| !matches!(**node, Plan::Get { .. }))
}

/// What looks at a group as a whole costs the table when there is but one group.
fn of_group(grouped: bool) -> CostClass {
    if grouped { CostClass::PerGroup } else { CostClass::PerTable }
}

fn reduce(group: &[&Expr], calls: &[&AggregateCall]) -> Cost {
    let by =
        if group.is_empty() { "one group".to_owned() } else { format!("groups by [{}]", list(group.iter().copied())) };
    let lists: Vec<String> = calls.iter().map(|call| aggregate_name(call)).filter(|name| is_list(name)).collect();
    if lists.is_empty() {
        return Cost::keeping(by);
    }
    Cost::keeping(format!("{by}, with their values")).but(
        of_group(!group.is_empty()),
        format!("{} writes down all values of a group when it changes", lists.join(", ")),
        "group by more columns, or keep one row per value in a mart of its own",
    )
}

/// Whether an aggregate's answer is as long as its group is large.
fn is_list(name: &str) -> bool {
    matches!(name, "array_agg" | "string_agg" | "json_agg" | "jsonb_agg" | "json_object_agg" | "jsonb_object_agg")
}

fn top_k(group: &[usize], order_by: &[OrderTerm]) -> Cost {
    let order = list(order_by.iter().map(|term| &term.expr));
    if group.is_empty() {
        return Cost::keeping(format!("all rows, ordered by [{order}]"));
    }
    let group: Vec<String> = group.iter().map(|column| format!("#{column}")).collect();
    Cost::keeping(format!("rows by [{}], ordered by [{order}]", group.join(", ")))
}

fn window(partition: &[Expr], order_by: &[OrderTerm], calls: &[&WindowCall]) -> Cost {
    let order = list(order_by.iter().map(|term| &term.expr));
    let state = match (partition.is_empty(), order_by.is_empty()) {
        (true, true) => "all rows as one partition, on one worker".to_owned(),
        (true, false) => format!("all rows as one partition, on one worker, ordered by [{order}]"),
        (false, true) => format!("rows by [{}]", list(partition.iter())),
        (false, false) => format!("rows by [{}], ordered by [{order}]", list(partition.iter())),
    };
    let cost = Cost::keeping(state);
    let mut wide: Vec<String> = Vec::new();
    for call in calls.iter().filter(|call| changes_widely(call)) {
        let name = match &call.function {
            WindowFunction::Aggregate(call) => aggregate_name(call),
            function => function.name().to_owned(),
        };
        if !wide.contains(&name) {
            wide.push(name);
        }
    }
    let lists: Vec<String> = calls.iter().filter_map(|call| list_over(call)).collect();
    if wide.is_empty() && lists.is_empty() {
        return cost;
    }
    let class = if partition.is_empty() { CostClass::PerTable } else { CostClass::PerPartition };
    let whole = if partition.is_empty() { "every row" } else { "every row of the partition" };
    let mut remarks = Vec::new();
    if !wide.is_empty() {
        remarks.push(format!("the output itself changes widely: one change may alter {} in {whole}", wide.join(", ")));
    }
    if !lists.is_empty() {
        remarks.push(format!(
            "{} writes down all values of the frame of each row that a change reaches",
            lists.join(", ")
        ));
    }
    cost.but(
        class,
        remarks.join("; "),
        "partition by a column; or filter row_number() <= k, use ntile, lag or a frame of a few ROWS instead",
    )
}

/// The name of a list whose frame may hold any number of rows.
fn list_over(call: &WindowCall) -> Option<String> {
    let WindowFunction::Aggregate(aggregate) = &call.function else { return None };
    let has_few_rows = call.frame.units == FrameUnits::Rows && is_near(&call.frame);
    (aggregate.function.is_list() && !has_few_rows).then(|| aggregate_name(aggregate))
}

/// The calls of a window whose values are seen as such. A number that is only compared with a constant is not: the rows
/// before and after the constant change sides, no others.
fn visible_calls(window: &Plan, above: &[&Plan]) -> BTreeSet<usize> {
    let Plan::Window { input, calls, .. } = window else { return BTreeSet::new() };
    let width = input.arity();
    let mut visible = BTreeSet::new();
    let mut read = |expr: &Expr| {
        transform(expr, &mut |part| {
            if let Some(
                (_, Expr::Column(column), Expr::Literal { .. }) | (_, Expr::Literal { .. }, Expr::Column(column)),
            ) = comparison(part)
                && *column >= width
                && calls.get(*column - width).is_some_and(|(call, _)| grows(call))
            {
                return Some(part.clone());
            }
            if let Expr::Column(column) = part
                && *column >= width
            {
                visible.insert(*column - width);
            }
            None
        });
    };
    let mut columns: Vec<Expr> = (0..window.arity()).map(Expr::Column).collect();
    let over = |expr: &Expr, columns: &[Expr]| {
        transform(expr, &mut |part| if let Expr::Column(column) = part { Some(columns[*column].clone()) } else { None })
    };
    for node in above {
        match node {
            Plan::Map { exprs, .. } => {
                for (expr, _) in exprs {
                    columns.push(over(expr, &columns));
                }
            }
            Plan::Filter { predicates, .. } => predicates.iter().for_each(|predicate| read(&over(predicate, &columns))),
            Plan::Project { columns: kept, .. } => {
                columns = kept.iter().map(|column| columns[*column].clone()).collect()
            }
            _ => break,
        }
    }
    columns.iter().for_each(read);
    visible
}

/// Whether the call's value only grows along the order.
fn grows(call: &WindowCall) -> bool {
    match &call.function {
        WindowFunction::RowNumber
        | WindowFunction::Rank
        | WindowFunction::DenseRank
        | WindowFunction::PercentRank
        | WindowFunction::CumeDist => true,
        WindowFunction::Aggregate(aggregate) => {
            matches!(aggregate.function, AggregateFunction::CountRows | AggregateFunction::Count)
                && call.frame == Frame::default_range()
        }
        _ => false,
    }
}

/// Whether one changed row may change the call's value in all others.
fn changes_widely(call: &WindowCall) -> bool {
    match &call.function {
        // A bucket's border moves by one row; the neighbours see one row.
        WindowFunction::Ntile | WindowFunction::Lag | WindowFunction::Lead => false,
        WindowFunction::RowNumber
        | WindowFunction::Rank
        | WindowFunction::DenseRank
        | WindowFunction::PercentRank
        | WindowFunction::CumeDist => true,
        WindowFunction::FirstValue
        | WindowFunction::LastValue
        | WindowFunction::NthValue
        | WindowFunction::Aggregate(_) => !is_near(&call.frame),
    }
}

/// Whether the frame holds rows near the current one only.
fn is_near(frame: &Frame) -> bool {
    [&frame.start, &frame.end].into_iter().all(|bound| *bound != FrameBound::Unbounded)
}

fn list<'e>(exprs: impl Iterator<Item = &'e Expr>) -> String {
    exprs.map(describe_expr).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
