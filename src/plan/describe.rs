//! Plans as indented text, for golden files and for people.
//!
//! ```text
//!   Project #0 #3
//!     Join left on #0 = #0
//!       Get source.orders
//!       @1 Reduce by #0: sum(#1)        a node with two readers is printed once and named
//! ```
//!
//! `#n` is column n of the node's input; in a join's conditions left and right columns are numbered apart (`on`),
//! in its residual they are numbered through.

use std::fmt::{self, Write};
use std::sync::Arc;

use eval::{AggregateCall, AggregateFunction, Expr, OrderTerm};
use row::{Datum, OwnedDatum, ScalarType};

use super::clock::ClockReading;
use super::snapshot::{Changed, Sees};
use super::tree::{NodeMap, reader_counts};
use super::{Cost, EquiTerm, Frame, FrameBound, JoinKind, Plan, WindowCall, WindowFunction};

impl Plan {
    /// The plan as an indented tree, one node a line, ending with a line break.
    pub fn describe(self: &Arc<Plan>) -> String {
        self.lines().into_iter().map(|line| line.text + "\n").collect()
    }

    /// The tree's lines, with what each node costs.
    pub fn lines(self: &Arc<Plan>) -> Vec<PlanLine> {
        let mut printer =
            Printer { counts: reader_counts(self), named: NodeMap::default(), next: 1, lines: Vec::new() };
        printer.node(self, 0, &mut Vec::new());
        printer.lines
    }
}

/// One node of a plan as text, indented; a node's second mention says its name alone and costs nothing more.
#[derive(Clone, Debug)]
pub struct PlanLine {
    pub text: String,
    pub cost: Option<Cost>,
}

struct Printer {
    counts: NodeMap<usize>,
    named: NodeMap<usize>,
    next: usize,
    lines: Vec<PlanLine>,
}

impl Printer {
    /// `above`: the readers that are row by row and read this node alone, the nearest last.
    fn node<'p>(&mut self, plan: &'p Arc<Plan>, depth: usize, above: &mut Vec<&'p Plan>) {
        let mut text = "  ".repeat(depth);
        if let Some(name) = self.named.get(plan) {
            let _ = write!(text, "@{name}");
            return self.lines.push(PlanLine { text, cost: None });
        }
        let is_leaf = matches!(**plan, Plan::Get { .. } | Plan::Constant { .. } | Plan::Recursion { .. });
        if !is_leaf && self.counts.get(plan).is_some_and(|count| *count > 1) {
            self.named.insert(plan, self.next);
            let _ = write!(text, "@{} ", self.next);
            self.next += 1;
        }
        let _ = write!(text, "{}", Line(plan));
        if self.counts.get(plan).is_some_and(|count| *count > 1) {
            above.clear();
        }
        let nearest_first: Vec<&Plan> = above.iter().rev().copied().collect();
        self.lines.push(PlanLine { text, cost: plan.cost(&nearest_first) });
        match &**plan {
            Plan::Map { .. } | Plan::Filter { .. } | Plan::Project { .. } => above.push(plan),
            _ => above.clear(),
        }
        let mut above = std::mem::take(above);
        for child in plan.children() {
            self.node(child, depth + 1, &mut above);
        }
    }
}

/// One node without its children.
struct Line<'a>(&'a Plan);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Plan::Get { relation, .. } => write!(f, "Get {}", relation.0),
            Plan::Constant { rows, typ } => {
                write!(f, "Constant")?;
                for (row, count) in rows.iter().take(8) {
                    let values: Vec<String> =
                        row.iter().zip(&typ.columns).map(|(datum, column)| literal(&datum, &column.ty)).collect();
                    write!(f, " ({})", values.join(", "))?;
                    if *count != 1 {
                        write!(f, "×{count}")?;
                    }
                }
                if rows.len() > 8 { write!(f, " … {} rows", rows.len()) } else { Ok(()) }
            }
            Plan::Map { exprs, .. } => {
                let exprs: Vec<String> =
                    exprs.iter().map(|(expr, column)| format!("{} = {}", column.name, describe_expr(expr))).collect();
                write!(f, "Map {}", exprs.join(", "))
            }
            Plan::FlatMap { calls, ordinality, keeps_input, .. } => {
                let calls: Vec<String> = calls
                    .iter()
                    .map(|(call, column)| {
                        format!("{} = {}({})", column.name, call.function.name(), list(&call.args, ", "))
                    })
                    .collect();
                write!(f, "FlatMap {}", calls.join(", "))?;
                if ordinality.is_some() {
                    write!(f, " with ordinality")?;
                }
                if *keeps_input { write!(f, " keeps its input") } else { Ok(()) }
            }
            Plan::Project { columns, .. } => {
                write!(f, "Project")?;
                columns.iter().try_for_each(|column| write!(f, " #{column}"))
            }
            Plan::Filter { predicates, .. } => write!(f, "Filter {}", list(predicates, " and ")),
            Plan::Temporal { input, reading, predicates } => {
                let name = match reading {
                    ClockReading::Now => "now()",
                    ClockReading::Date => "current_date",
                };
                // No column has a greater number, so that this stands in no other one's name.
                let clock = format!("#{}", input.arity());
                let predicates: Vec<String> =
                    predicates.iter().map(|predicate| describe_expr(predicate).replace(&clock, name)).collect();
                write!(f, "Temporal {}", predicates.join(" and "))
            }
            Plan::Join { kind, on, residual, .. } => {
                let kind = match kind {
                    JoinKind::Inner if on.is_empty() => "cross",
                    JoinKind::Inner => "inner",
                    JoinKind::Left => "left",
                    JoinKind::Right => "right",
                    JoinKind::Full => "full",
                    JoinKind::Semi => "semi",
                    JoinKind::Anti => "anti",
                };
                write!(f, "Join {kind}")?;
                if !on.is_empty() {
                    let terms: Vec<String> = on.iter().map(equi_term).collect();
                    write!(f, " on {}", terms.join(", "))?;
                }
                if !residual.is_empty() {
                    write!(f, " residual {}", list(residual, " and "))?;
                }
                Ok(())
            }
            Plan::Reduce { group, aggregates, .. } => {
                write!(f, "Reduce")?;
                if !group.is_empty() {
                    let group: Vec<String> = group.iter().map(|(expr, _)| describe_expr(expr)).collect();
                    write!(f, " by {}", group.join(", "))?;
                }
                let aggregates: Vec<String> = aggregates.iter().map(|(call, _)| aggregate(call)).collect();
                if aggregates.is_empty() { Ok(()) } else { write!(f, ": {}", aggregates.join(", ")) }
            }
            Plan::Snapshot { snapshot, .. } => {
                write!(f, "Snapshot")?;
                match &snapshot.changed {
                    Changed::Later => write!(f, " by updated_at")?,
                    Changed::Columns(columns) => {
                        write!(f, " by")?;
                        columns.iter().try_for_each(|column| write!(f, " #{column}"))?;
                    }
                }
                match snapshot.sees {
                    Sees::EachCut => write!(f, ", a version per cut"),
                    Sees::EachVersion => write!(f, ", every version at its source's time"),
                }
            }
            Plan::Distinct { .. } => write!(f, "Distinct"),
            Plan::TopK { group, order_by, limit, offset, .. } => {
                write!(f, "TopK")?;
                if !group.is_empty() {
                    write!(f, " by")?;
                    group.iter().try_for_each(|column| write!(f, " #{column}"))?;
                }
                if !order_by.is_empty() {
                    let terms: Vec<String> = order_by.iter().map(order_term).collect();
                    write!(f, " order {}", terms.join(", "))?;
                }
                if let Some(limit) = limit {
                    write!(f, " limit {limit}")?;
                }
                if *offset > 0 { write!(f, " offset {offset}") } else { Ok(()) }
            }
            Plan::Window { partition, order_by, calls, .. } => {
                write!(f, "Window")?;
                if !partition.is_empty() {
                    write!(f, " by {}", list(partition, ", "))?;
                }
                if !order_by.is_empty() {
                    let terms: Vec<String> = order_by.iter().map(order_term).collect();
                    write!(f, " order {}", terms.join(", "))?;
                }
                let calls: Vec<String> = calls.iter().map(|(call, _)| window_call(call)).collect();
                write!(f, ": {}", calls.join(", "))
            }
            Plan::Recursive { name, distinct, .. } => {
                write!(f, "Recursive {name}{}", if *distinct { " distinct" } else { "" })
            }
            Plan::Recursion { name, .. } => write!(f, "Recursion {name}"),
            Plan::Union { .. } => write!(f, "Union"),
            Plan::Negate { .. } => write!(f, "Negate"),
            Plan::Threshold { .. } => write!(f, "Threshold"),
        }
    }
}

fn equi_term(term: &EquiTerm) -> String {
    let sign = if term.null_equal { "≡" } else { "=" };
    format!("{} {sign} {}", describe_expr(&term.left), describe_expr(&term.right))
}

fn order_term(term: &OrderTerm) -> String {
    let direction = if term.direction.descending { " desc" } else { "" };
    let nulls = match (term.direction.descending, term.direction.nulls_first) {
        (false, true) => " nulls first",
        (true, false) => " nulls last",
        _ => "",
    };
    format!("{}{direction}{nulls}", describe_expr(&term.expr))
}

/// The aggregate's name in SQL.
pub(super) fn aggregate_name(call: &AggregateCall) -> String {
    match call.function {
        AggregateFunction::CountRows | AggregateFunction::Count => "count".to_string(),
        ref other => snake_case(&format!("{other:?}")),
    }
}

fn aggregate(call: &AggregateCall) -> String {
    let name = aggregate_name(call);
    let mut text = format!("{name}({}", if call.distinct { "distinct " } else { "" });
    text += &call.arg.as_ref().map_or("*".to_string(), describe_expr);
    call.more.iter().for_each(|expr| text += &format!(", {}", describe_expr(expr)));
    if !call.order_by.is_empty() {
        let terms: Vec<String> = call.order_by.iter().map(order_term).collect();
        text += &format!(" order by {}", terms.join(", "));
    }
    text += ")";
    if let Some(filter) = &call.filter {
        text += &format!(" filter {}", describe_expr(filter));
    }
    text
}

fn window_call(call: &WindowCall) -> String {
    let text = match &call.function {
        WindowFunction::Aggregate(call) => aggregate(call),
        function => format!("{}({})", snake_case(&format!("{function:?}")), list(&call.args, ", ")),
    };
    if call.frame == Frame::default_range() {
        return text;
    }
    let bound = |bound: &FrameBound, side: &str| match bound {
        FrameBound::Unbounded => format!("unbounded {side}"),
        FrameBound::CurrentRow => "current row".to_owned(),
        FrameBound::Offset(rows) => rows.to_string(),
        FrameBound::Value(expr) => describe_expr(expr),
    };
    let units = format!("{:?}", call.frame.units).to_lowercase();
    format!("{text} {units} {} to {}", bound(&call.frame.start, "preceding"), bound(&call.frame.end, "following"))
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(character.to_lowercase());
    }
    text
}

fn list(exprs: &[Expr], between: &str) -> String {
    exprs.iter().map(describe_expr).collect::<Vec<_>>().join(between)
}

/// An expression as SQL, with `#n` for column n.
pub fn describe_expr(expr: &Expr) -> String {
    expr.describe(&[])
}

fn literal(datum: &Datum<'_>, ty: &ScalarType) -> String {
    describe_expr(&Expr::Literal { value: OwnedDatum::new(datum), ty: ty.clone() })
}
