//! `row_number() <= k` keeps the first rows of each partition: no row is numbered for it.
//!
//! ```text
//!   Filter n <= 3                            Map n = 3 (or nothing: nobody reads it)
//!     Window by k order t: row_number()  ──>   TopK by k order t limit 3
//!       input                                    input
//! ```
//!
//! Ties are broken by all columns in both, so the rows are the same. It needs that nobody reads the number, except where it
//! can only be 1, and that nobody reads another call of the window: those look at rows that are not kept.
//!
//! `rank() <= k` stays: it keeps more than k rows where the k-th has peers, so that k rows alone do not tell which.

use std::sync::Arc;

use eval::{Expr, OrderTerm};
use row::{Datum, OwnedDatum, ScalarType};

use super::demand::demands;
use crate::plan::expr::{columns_of, comparison, transform};
use crate::plan::tree::{NodeMap, post_order, reader_counts};
use crate::plan::{Column, Plan, WindowFunction};

pub(super) fn keep_first_rows(plan: &Arc<Plan>) -> Arc<Plan> {
    let is_window = |node: &Arc<Plan>| matches!(**node, Plan::Window { .. });
    let order = post_order(plan);
    if !order.iter().any(is_window) {
        return Arc::clone(plan);
    }
    let (demands, readers) = (demands(plan), reader_counts(plan));
    let mut done: NodeMap<Arc<Plan>> = NodeMap::default();
    let input_of = |node: &Arc<Plan>, done: &NodeMap<Arc<Plan>>| Arc::clone(done.get(node).expect("inputs come first"));
    for node in &order {
        let rewritten =
            first_rows(node, &|plan, column| demands.get(plan).is_some_and(|read| read.contains(&column)), &readers);
        let new = match rewritten {
            Some(found) => found.over(input_of(found.input, &done)),
            None => {
                let children: Vec<_> = node.children().into_iter().map(|child| input_of(child, &done)).collect();
                let same = node.children().iter().zip(&children).all(|(old, new)| Arc::ptr_eq(old, new));
                if same { Arc::clone(node) } else { Arc::new(node.with_children(children)) }
            }
        };
        done.insert(node, new);
    }
    input_of(plan, &done)
}

/// What a filter over a window comes to.
struct FirstRows<'p> {
    input: &'p Arc<Plan>,
    partition: &'p [Expr],
    order_by: &'p [OrderTerm],
    limit: u64,
    /// The window's columns, in order; the number is the literal 1 where it is read.
    calls: Vec<Column>,
    number: usize,
    rest: Vec<Expr>,
}

fn first_rows<'p>(
    node: &'p Arc<Plan>,
    is_read: &dyn Fn(&Arc<Plan>, usize) -> bool,
    readers: &NodeMap<usize>,
) -> Option<FirstRows<'p>> {
    let Plan::Filter { input: window, predicates } = &**node else { return None };
    let Plan::Window { input, partition, order_by, calls } = &**window else { return None };
    if readers.get(window).is_some_and(|count| *count > 1) {
        return None;
    }
    let width = input.arity();
    let number = calls.iter().position(|(call, _)| call.function == WindowFunction::RowNumber)?;
    let column = width + number;
    let others_are_read = (0..calls.len()).any(|index| index != number && is_read(window, width + index));
    if others_are_read {
        return None;
    }
    let (thresholds, mut rest): (Vec<&Expr>, Vec<&Expr>) =
        predicates.iter().partition(|predicate| rows_kept(predicate, column).is_some());
    let limit = thresholds.iter().filter_map(|predicate| rows_kept(predicate, column)).min()?;
    let reads_number = |expr: &&Expr| columns_of(expr).contains(&column);
    if limit != 1 && (is_read(node, column) || rest.iter().any(reads_number)) {
        return None;
    }
    let one = literal_one();
    let rest = rest
        .drain(..)
        .map(|expr| transform(expr, &mut |part| (*part == Expr::Column(column)).then(|| one.clone())))
        .collect();
    let calls = calls.iter().map(|(_, column)| column.clone()).collect();
    Some(FirstRows { input, partition, order_by, limit, calls, number, rest })
}

impl FirstRows<'_> {
    /// The first rows over the rewritten input, with columns as the filter gave them.
    fn over(&self, input: Arc<Plan>) -> Arc<Plan> {
        let width = input.arity();
        let mut computed: Vec<(Expr, Column)> = Vec::new();
        let types: Vec<ScalarType> = input.typ().columns.iter().map(|column| column.ty.clone()).collect();
        let mut position = |expr: &Expr| match expr {
            Expr::Column(column) => *column,
            other => {
                let column = Column { name: "term".to_string(), ty: other.ty(&types), nullable: true, scale_max: None };
                computed.push((other.clone(), column));
                width + computed.len() - 1
            }
        };
        let group: Vec<usize> = self.partition.iter().map(&mut position).collect();
        let order_by = self
            .order_by
            .iter()
            .map(|term| OrderTerm { expr: Expr::Column(position(&term.expr)), direction: term.direction })
            .collect();
        let has_terms = !computed.is_empty();
        let input = if has_terms { Arc::new(Plan::Map { input, exprs: computed }) } else { input };
        let mut plan = Arc::new(Plan::TopK { input, group, order_by, limit: Some(self.limit), offset: 0 });
        if has_terms {
            plan = Arc::new(Plan::Project { input: plan, columns: (0..width).collect() });
        }
        let exprs = self.calls.iter().enumerate().map(|(index, column)| {
            // Columns that nobody reads keep their place until they are pruned.
            let value =
                if index == self.number { literal_one() } else { crate::plan::expr::literal_null(column.ty.clone()) };
            (value, Column { nullable: index != self.number, ..column.clone() })
        });
        plan = Arc::new(Plan::Map { input: plan, exprs: exprs.collect() });
        if self.rest.is_empty() { plan } else { Arc::new(Plan::Filter { input: plan, predicates: self.rest.clone() }) }
    }
}

fn literal_one() -> Expr {
    Expr::Literal { value: OwnedDatum::new(&Datum::Int(1)), ty: ScalarType::Int64 }
}

/// How many rows of a partition the predicate keeps, if that is all it says.
fn rows_kept(predicate: &Expr, number: usize) -> Option<u64> {
    let (op, left, right) = comparison(predicate)?;
    let (op, literal) = match (left, right) {
        (Expr::Column(column), Expr::Literal { value, .. }) if *column == number => (op, value),
        (Expr::Literal { value, .. }, Expr::Column(column)) if *column == number => (turned(op), value),
        _ => return None,
    };
    let Datum::Int(bound) = literal.datum() else { return None };
    let kept = match (op, bound) {
        ("=", 1) => 1,
        ("<=", bound) => bound,
        ("<", bound) => bound.checked_sub(1)?,
        _ => return None,
    };
    u64::try_from(kept).ok().filter(|kept| *kept > 0)
}

fn turned(op: &'static str) -> &'static str {
    match op {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        other => other,
    }
}
