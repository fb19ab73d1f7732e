//! What planning asks of expressions: rebuild them, fold them, recognise an equality.

use std::collections::BTreeSet;

use eval::{Arena, EvalError, Expr};
use row::{OwnedDatum, ScalarType};

/// Rebuilds an expression from the top: where `replace` gives an expression it is taken as it is, else its parts are visited.
pub(crate) fn transform(expr: &Expr, replace: &mut dyn FnMut(&Expr) -> Option<Expr>) -> Expr {
    if let Some(new) = replace(expr) {
        return new;
    }
    let mut all = |exprs: &[Expr]| exprs.iter().map(|expr| transform(expr, replace)).collect::<Vec<_>>();
    match expr {
        Expr::Column(_) | Expr::Literal { .. } => expr.clone(),
        Expr::Call { function, args, ty } => Expr::Call { function: *function, args: all(args), ty: ty.clone() },
        Expr::Cast { input, from, to, explicit } => Expr::Cast {
            input: Box::new(transform(input, replace)),
            from: from.clone(),
            to: to.clone(),
            explicit: *explicit,
        },
        Expr::And(args) => Expr::And(all(args)),
        Expr::Or(args) => Expr::Or(all(args)),
        Expr::Not(input) => Expr::Not(Box::new(transform(input, replace))),
        Expr::IsNull(input) => Expr::IsNull(Box::new(transform(input, replace))),
        Expr::IsNotDistinct(left, right) => {
            Expr::IsNotDistinct(Box::new(transform(left, replace)), Box::new(transform(right, replace)))
        }
        Expr::Case { branches, otherwise, ty } => Expr::Case {
            branches: branches
                .iter()
                .map(|(condition, value)| (transform(condition, replace), transform(value, replace)))
                .collect(),
            otherwise: Box::new(transform(otherwise, replace)),
            ty: ty.clone(),
        },
        Expr::Coalesce { args, ty } => Expr::Coalesce { args: all(args), ty: ty.clone() },
        Expr::Try(inner) => Expr::Try(Box::new(transform(inner, replace))),
        Expr::InList { input, list } => {
            let list = all(list);
            Expr::InList { input: Box::new(transform(input, replace)), list }
        }
    }
}

/// The columns an expression reads.
pub(crate) fn columns_of(expr: &Expr) -> BTreeSet<usize> {
    let mut columns = BTreeSet::new();
    expr.for_each_column(&mut |column| {
        columns.insert(column);
    });
    columns
}

/// Whether all columns that the expression reads satisfy `inside`.
pub(crate) fn reads_only(expr: &Expr, inside: &dyn Fn(usize) -> bool) -> bool {
    let mut all = true;
    expr.for_each_column(&mut |column| all &= inside(column));
    all
}

pub(crate) fn reads_none(expr: &Expr) -> bool {
    reads_only(expr, &|_| false)
}

/// The expression with columns renumbered.
pub(crate) fn renumber(expr: &Expr, map: &mut dyn FnMut(usize) -> usize) -> Expr {
    let mut expr = expr.clone();
    expr.map_columns(map);
    expr
}

pub(crate) fn literal_bool(value: bool) -> Expr {
    Expr::Literal { value: OwnedDatum::new(&row::Datum::Bool(value)), ty: ScalarType::Bool }
}

pub(crate) fn literal_int8(value: i64) -> Expr {
    Expr::Literal { value: OwnedDatum::new(&row::Datum::Int(value)), ty: ScalarType::Int64 }
}

pub(crate) fn literal_null(ty: ScalarType) -> Expr {
    Expr::Literal { value: OwnedDatum::null(), ty }
}

pub(crate) fn is_null_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal { value, .. } if value.datum().is_null())
}

/// A column or a literal: free to copy and unable to fail.
pub(crate) fn is_trivial(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(_) | Expr::Literal { .. })
}

pub(crate) fn and(mut predicates: Vec<Expr>) -> Expr {
    match predicates.len() {
        0 => literal_bool(true),
        1 => predicates.remove(0),
        _ => Expr::And(predicates),
    }
}

pub(crate) fn not(expr: Expr) -> Expr {
    match expr {
        Expr::Not(inner) => *inner,
        other => Expr::Not(Box::new(other)),
    }
}

pub(crate) fn is_not_null(expr: Expr) -> Expr {
    Expr::Not(Box::new(Expr::IsNull(Box::new(expr))))
}

/// The conjuncts of a predicate, nested ANDs included.
pub(crate) fn conjuncts(predicate: Expr, into: &mut Vec<Expr>) {
    match predicate {
        Expr::And(parts) => parts.into_iter().for_each(|part| conjuncts(part, into)),
        other => into.push(other),
    }
}

/// Evaluates an expression that reads no column. Panics if it does read one: that is a bug in the caller.
pub(crate) fn evaluate(expr: &Expr) -> Result<OwnedDatum, EvalError> {
    let arena = Arena::new();
    expr.eval(&[], &arena).map(|datum| OwnedDatum::new(&datum))
}

/// The operator and the sides of a comparison.
pub(crate) fn comparison(expr: &Expr) -> Option<(&'static str, &Expr, &Expr)> {
    let Expr::Call { function, args, ty: ScalarType::Bool } = expr else { return None };
    let [left, right] = args.as_slice() else { return None };
    let op = function.name();
    matches!(op, "=" | "<>" | "<" | "<=" | ">" | ">=").then_some((op, left, right))
}

/// The sides of `left = right` or of `left IS NOT DISTINCT FROM right` (`true`: NULL equals NULL).
pub(crate) fn equality(expr: &Expr) -> Option<(&Expr, &Expr, bool)> {
    match expr {
        Expr::IsNotDistinct(left, right) => Some((left, right, true)),
        _ => match comparison(expr) {
            Some(("=", left, right)) => Some((left, right, false)),
            _ => None,
        },
    }
}

/// Whether the predicate cannot be true when all columns chosen by `absent` are NULL.
///
/// Says no when in doubt. `types` are those of all columns.
pub(crate) fn rejects_null(predicate: &Expr, absent: &dyn Fn(usize) -> bool, types: &[ScalarType]) -> bool {
    let nulled = transform(predicate, &mut |part| match part {
        Expr::Column(column) if absent(*column) => Some(literal_null(types[*column].clone())),
        _ => None,
    });
    never_true(&nulled)
}

fn never_true(expr: &Expr) -> bool {
    if reads_none(expr) {
        return match evaluate(expr) {
            Ok(value) => value.datum().is_null() || matches!(value.datum(), row::Datum::Bool(false)),
            Err(_) => false,
        };
    }
    match expr {
        Expr::And(parts) => parts.iter().any(never_true),
        Expr::Or(parts) => parts.iter().all(never_true),
        Expr::InList { input, .. } => is_constant_null(input),
        Expr::Not(inner) => match &**inner {
            Expr::InList { input, .. } => is_constant_null(input),
            other => comparison(other).is_some_and(|(_, l, r)| is_constant_null(l) || is_constant_null(r)),
        },
        _ => comparison(expr).is_some_and(|(_, left, right)| is_constant_null(left) || is_constant_null(right)),
    }
}

fn is_constant_null(expr: &Expr) -> bool {
    reads_none(expr) && evaluate(expr).is_ok_and(|value| value.datum().is_null())
}
