//! Constant expressions become literals, decided filters go.

use std::sync::Arc;

use eval::Expr;
use row::Datum;

use crate::plan::expr::conjuncts;
use crate::plan::tree::rewrite_bottom_up;
use crate::plan::{Plan, RelationType, TypeCache};

pub(super) fn fold(plan: &Arc<Plan>) -> Arc<Plan> {
    let mut types = TypeCache::default();
    rewrite_bottom_up(plan, &mut |plan, _| Arc::new(fold_node(plan, &mut types)))
}

fn fold_node(plan: Plan, types: &mut TypeCache) -> Plan {
    match plan {
        Plan::Map { input, exprs } => {
            Plan::Map { input, exprs: exprs.into_iter().map(|(expr, column)| (expr.fold(), column)).collect() }
        }
        Plan::Filter { input, predicates } => {
            let mut kept = Vec::new();
            for predicate in predicates {
                conjuncts(predicate.fold(), &mut kept);
            }
            if kept.iter().any(is_never_true) {
                return empty(&types.typ(&input));
            }
            kept.retain(|predicate| !is_true(predicate));
            Plan::Filter { input, predicates: kept }
        }
        Plan::Join { kind, left, right, mut on, residual } => {
            for term in &mut on {
                term.left = term.left.clone().fold();
                term.right = term.right.clone().fold();
            }
            let mut kept = Vec::new();
            for predicate in residual {
                conjuncts(predicate.fold(), &mut kept);
            }
            kept.retain(|predicate| !is_true(predicate));
            Plan::Join { kind, left, right, on, residual: kept }
        }
        Plan::Reduce { input, group, mut aggregates } => {
            for (call, _) in &mut aggregates {
                call.arg = call.arg.take().map(Expr::fold);
                call.filter = call.filter.take().map(Expr::fold).filter(|filter| !is_true(filter));
            }
            let group = group.into_iter().map(|(expr, column)| (expr.fold(), column)).collect();
            Plan::Reduce { input, group, aggregates }
        }
        other => other,
    }
}

fn empty(typ: &RelationType) -> Plan {
    Plan::Constant { rows: Vec::new(), typ: RelationType { columns: typ.columns.clone(), keys: vec![Vec::new()] } }
}

fn is_true(predicate: &Expr) -> bool {
    matches!(predicate, Expr::Literal { value, .. } if matches!(value.datum(), Datum::Bool(true)))
}

fn is_never_true(predicate: &Expr) -> bool {
    matches!(predicate, Expr::Literal { value, .. } if matches!(value.datum(), Datum::Bool(false) | Datum::Null))
}
