//! `jsonb` compared by value wherever rows are: groups, distinct rows, orders, partitions, set operations.
//!
//! ```text
//!   group by doc                 group by key(doc), and any_value(doc) beside it
//!   select distinct id, doc      group by id, key(doc), and any_value(doc) beside it
//!   order by doc, over (… doc)   … key(doc)
//! ```
//!
//! 1. `key` is `eval::by_value::key`: bytes that are equal and ordered as the values are. Comparisons in expressions have theirs
//!    from the binder (`coerce`).
//! 2. What is shown of equal values is one of them, the same whatever the order of changes: the first of their texts.
//! 3. Outer values of a subquery stay as they are printed: it may look at the print.
//! 4. `json` has no equality and no order; it is refused in PostgreSQL's words.

use eval::{AggregateCall, AggregateFunction, Expr, OrderTerm, by_value};
use row::ScalarType;

use super::columns::{ColumnId, Columns};
use super::rel::{Branch, Rel, SetOp};
use super::unsupported;
use crate::plan::{Column, PlanError, WindowFunction};

/// Puts keys where the relation, and all it stands on, compares rows.
pub(super) fn compare_by_value(columns: &mut Columns, rel: &mut Rel) -> Result<(), PlanError> {
    for child in rel.children_mut() {
        compare_by_value(columns, child)?;
    }
    compare_rows(columns, rel)
}

/// One node of it; apart, so that going down a long UNION takes little stack.
fn compare_rows(columns: &mut Columns, rel: &mut Rel) -> Result<(), PlanError> {
    match rel {
        Rel::Aggregate { input, group, aggregates } => {
            for (_, call) in aggregates.iter_mut() {
                compare_arguments(columns, call)?;
            }
            let mut before = Vec::new();
            for term in group.iter_mut() {
                let (id, expr) = term.clone();
                let ty = equality(expr.ty(columns.types()))?;
                if !by_value::has_key(&ty) {
                    continue;
                }
                let source = match expr {
                    Expr::Column(source) => source,
                    expr => {
                        let source = columns.add(columns.get(id).clone());
                        before.push((source, expr));
                        source
                    }
                };
                *term = (key_column(columns, source), by_value::key(Expr::Column(source), &ty));
                aggregates.push((id, any_value(columns, source)));
            }
            if !before.is_empty() {
                let below = std::mem::replace(&mut **input, Rel::Unit);
                **input = below.map(before);
            }
        }
        Rel::Distinct { input, columns: shown } => {
            if let Some(grouped) = distinct(columns, input, shown)? {
                *rel = grouped;
            }
        }
        Rel::TopK { input, keep, group, order_by, .. } => {
            let mut keys = Vec::new();
            let mut key_of = |columns: &mut Columns, id: &mut ColumnId| {
                let ty = columns.get(*id).ty.clone();
                if by_value::has_key(&ty) {
                    let key = key_column(columns, *id);
                    keys.push((key, by_value::key(Expr::Column(*id), &ty)));
                    *id = key;
                }
            };
            for id in group {
                equality(columns.get(*id).ty.clone())?;
                key_of(columns, id);
            }
            for (id, _) in order_by {
                ordering(columns.get(*id).ty.clone())?;
                key_of(columns, id);
            }
            if !keys.is_empty() {
                keep.extend(keys.iter().map(|(id, _)| *id));
                let below = std::mem::replace(&mut **input, Rel::Unit);
                **input = below.map(keys);
            }
        }
        Rel::Window { partition, order_by, calls, .. } => {
            for expr in partition {
                *expr = by_value::key(expr.clone(), &equality(expr.ty(columns.types()))?);
            }
            for term in order_by {
                compare_term(columns, term)?;
            }
            for (_, call) in calls {
                if let WindowFunction::Aggregate(call) = &mut call.function {
                    compare_arguments(columns, call)?;
                }
            }
        }
        Rel::SetOp { op, all, left, right, columns: shown } if *op != SetOp::Union || !*all => {
            let mut has_keys = false;
            for id in left.columns.iter().chain(&right.columns) {
                has_keys |= by_value::has_key(&equality(columns.get(*id).ty.clone())?);
            }
            if !has_keys {
                return Ok(());
            }
            match (*op, *all) {
                (SetOp::Union, _) => {
                    *all = true;
                    let shown = shown.clone();
                    let union = std::mem::replace(rel, Rel::Unit);
                    if let Some(grouped) = distinct(columns, &mut Box::new(union), &shown)? {
                        *rel = grouped;
                    }
                }
                (_, false) => branch(columns, left)?,
                (op, true) => {
                    let name = if op == SetOp::Except { "EXCEPT" } else { "INTERSECT" };
                    return Err(unsupported(format!("{name} ALL over columns of type jsonb"))
                        .with_hint(format!("write {name}, or cast the columns to text")));
                }
            }
        }
        Rel::Recursive { name, base, distinct: true, .. } => {
            for id in &base.columns {
                if by_value::has_key(&equality(columns.get(*id).ty.clone())?) {
                    return Err(unsupported(format!("UNION over jsonb in recursive query \"{name}\""))
                        .with_hint("write UNION ALL, or cast the column to text inside the recursion"));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// One row for each distinct one; nothing where rows are compared as they are.
fn distinct(columns: &mut Columns, input: &mut Box<Rel>, shown: &[ColumnId]) -> Result<Option<Rel>, PlanError> {
    let (mut group, mut aggregates) = (Vec::new(), Vec::new());
    for (at, id) in shown.iter().enumerate() {
        let ty = equality(columns.get(*id).ty.clone())?;
        if shown[..at].contains(id) {
            continue;
        }
        if by_value::has_key(&ty) {
            group.push((key_column(columns, *id), by_value::key(Expr::Column(*id), &ty)));
            aggregates.push((*id, any_value(columns, *id)));
        } else {
            group.push((*id, Expr::Column(*id)));
        }
    }
    if aggregates.is_empty() {
        return Ok(None);
    }
    let input = Box::new(std::mem::replace(&mut **input, Rel::Unit));
    Ok(Some(Rel::Aggregate { input, group, aggregates }))
}

fn branch(columns: &mut Columns, branch: &mut Branch) -> Result<(), PlanError> {
    let shown = branch.columns.clone();
    let mut rel = Box::new(std::mem::replace(&mut branch.rel, Rel::Unit));
    branch.rel = match distinct(columns, &mut rel, &shown)? {
        Some(grouped) => grouped,
        None => *rel,
    };
    Ok(())
}

/// DISTINCT arguments and orders inside an aggregate.
fn compare_arguments(columns: &Columns, call: &mut AggregateCall) -> Result<(), PlanError> {
    for term in &mut call.order_by {
        compare_term(columns, term)?;
    }
    if !call.distinct {
        return Ok(());
    }
    equality(call.arg_type.clone())?;
    // A list shows its arguments, and looks at their keys itself.
    if let (false, Some(arg), Some(ty)) = (call.function.is_list(), &mut call.arg, by_value::key_type(&call.arg_type)) {
        *arg = by_value::key(arg.clone(), &call.arg_type);
        call.arg_type = ty;
    }
    Ok(())
}

fn compare_term(columns: &Columns, term: &mut OrderTerm) -> Result<(), PlanError> {
    let ty = ordering(term.expr.ty(columns.types()))?;
    term.expr = by_value::key(term.expr.clone(), &ty);
    Ok(())
}

fn equality(ty: ScalarType) -> Result<ScalarType, PlanError> {
    comparable(ty, "equality")
}

fn ordering(ty: ScalarType) -> Result<ScalarType, PlanError> {
    comparable(ty, "ordering")
}

fn comparable(ty: ScalarType, what: &str) -> Result<ScalarType, PlanError> {
    let is_json = match &ty {
        ScalarType::Array(of) => **of == ScalarType::Json,
        ty => *ty == ScalarType::Json,
    };
    if is_json {
        return Err(PlanError::new(format!("could not identify an {what} operator for type {ty}"))
            .with_hint("cast it to jsonb or text"));
    }
    Ok(ty)
}

fn key_column(columns: &mut Columns, of: ColumnId) -> ColumnId {
    let column = columns.get(of);
    let ty = by_value::key_type(&column.ty).unwrap_or(ScalarType::Bytes);
    let key = Column { ty, scale_max: None, ..column.clone() };
    columns.add(key)
}

/// One of equal values.
fn any_value(columns: &Columns, of: ColumnId) -> AggregateCall {
    let ty = columns.get(of).ty.clone();
    AggregateCall {
        function: AggregateFunction::AnyValue,
        arg: Some(Expr::Column(of)),
        arg_type: ty.clone(),
        more: Vec::new(),
        distinct: false,
        filter: None,
        order_by: Vec::new(),
        returns: ty,
        scale_max: None,
    }
}
