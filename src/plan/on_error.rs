//! `on_error: null`: what fails in a model's expressions is NULL, and the row goes on.
//!
//! 1. Each operation that can fail is NULL by itself; what is around it sees NULL, as PostgreSQL's operators see any other NULL.
//! 2. Only the model's own rows are meant: what an aggregate makes of a whole group (a sum beyond its type) is set aside as ever.

use std::sync::Arc;

use eval::Expr;

use super::tree::rewrite_bottom_up;
use super::{Column, EquiTerm, Plan};

/// The plan with NULL in place of every failure of a row.
pub fn null_on_error(plan: &Arc<Plan>) -> Arc<Plan> {
    rewrite_bottom_up(plan, &mut |node, _| Arc::new(forgiving(node)))
}

fn forgiving(node: Plan) -> Plan {
    match node {
        Plan::Map { input, exprs } => {
            let exprs = exprs.into_iter().map(|(expr, column)| {
                let nullable = column.nullable || expr.is_fallible();
                (tried(&expr), Column { nullable, ..column })
            });
            Plan::Map { input, exprs: exprs.collect() }
        }
        Plan::Filter { input, predicates } => {
            Plan::Filter { input, predicates: predicates.iter().map(tried).collect() }
        }
        Plan::Join { kind, left, right, on, residual } => {
            let term = |term: &EquiTerm| EquiTerm {
                left: tried(&term.left),
                right: tried(&term.right),
                null_equal: term.null_equal,
            };
            let (on, residual) = (on.iter().map(term).collect(), residual.iter().map(tried).collect());
            Plan::Join { kind, left, right, on, residual }
        }
        Plan::Reduce { input, group, mut aggregates } => {
            let group = group.into_iter().map(|(expr, column)| {
                let nullable = column.nullable || expr.is_fallible();
                (tried(&expr), Column { nullable, ..column })
            });
            let group = group.collect();
            for (call, _) in &mut aggregates {
                call.exprs_mut().for_each(|expr| *expr = tried(expr));
            }
            Plan::Reduce { input, group, aggregates }
        }
        other => other,
    }
}

/// The expression with each operation that can fail tried by itself.
fn tried(expr: &Expr) -> Expr {
    if !expr.is_fallible() {
        return expr.clone();
    }
    let all = |exprs: &[Expr]| exprs.iter().map(tried).collect::<Vec<_>>();
    match expr {
        Expr::Call { function, args, ty } => {
            Expr::Try(Box::new(Expr::Call { function: *function, args: all(args), ty: ty.clone() }))
        }
        Expr::Cast { input, from, to, explicit } => Expr::Try(Box::new(Expr::Cast {
            input: Box::new(tried(input)),
            from: from.clone(),
            to: to.clone(),
            explicit: *explicit,
        })),
        Expr::Try(inner) => match tried(inner) {
            whole @ Expr::Try(_) => whole,
            other => Expr::Try(Box::new(other)),
        },
        Expr::And(parts) => Expr::And(all(parts)),
        Expr::Or(parts) => Expr::Or(all(parts)),
        Expr::Not(inner) => Expr::Not(Box::new(tried(inner))),
        Expr::IsNull(inner) => Expr::IsNull(Box::new(tried(inner))),
        Expr::IsNotDistinct(left, right) => Expr::IsNotDistinct(Box::new(tried(left)), Box::new(tried(right))),
        Expr::Case { branches, otherwise, ty } => Expr::Case {
            branches: branches.iter().map(|(condition, result)| (tried(condition), tried(result))).collect(),
            otherwise: Box::new(tried(otherwise)),
            ty: ty.clone(),
        },
        Expr::Coalesce { args, ty } => Expr::Coalesce { args: all(args), ty: ty.clone() },
        Expr::InList { input, list } => Expr::InList { input: Box::new(tried(input)), list: all(list) },
        Expr::Column(_) | Expr::Literal { .. } => expr.clone(),
    }
}

#[cfg(test)]
mod tests {
    use row::{Datum, OwnedDatum, ScalarType};

    use super::*;

    #[test]
    fn what_fails_inside_is_null_and_the_rest_goes_on() {
        // coalesce(1 / $0::text::integer, -1)
        let typ = crate::plan::RelationType {
            columns: vec![Column { name: "a".into(), ty: ScalarType::Text, nullable: true, scale_max: None }],
            keys: Vec::new(),
        };
        let bound = crate::plan::bind("select coalesce(1 / a::integer, -1) as b from t", &|_| {
            Some((crate::plan::RelationId("t".into()), typ.clone()))
        });
        let plan = null_on_error(&bound.expect("a plan").plan);
        let mut exprs = Vec::new();
        for node in crate::plan::nodes(&plan) {
            if let Plan::Map { exprs: mapped, .. } = &*node {
                exprs.extend(mapped.iter().map(|(expr, _)| expr.clone()));
            }
        }
        let [expr] = &exprs[..] else { panic!("one expression: {exprs:?}") };
        assert!(!expr.is_fallible(), "{expr:?}");
        for (text, value) in [("2", 0), ("0", -1), ("x", -1), ("-1", -1)] {
            let arena = eval::Arena::new();
            let found = expr.eval(&[Datum::Text(text)], &arena).map(|datum| OwnedDatum::new(&datum)).expect("no error");
            assert!(matches!(found.datum(), Datum::Int(found) if found == value), "{text}: {found:?}");
        }
    }
}
