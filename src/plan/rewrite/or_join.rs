//! A join on one equality or another is a sum of joins, each on one of them.
//!
//! ```text
//!   L ⋈ R on p or q         P = L ⋈ R on p  +  L ⋈ R on q where p is not true       (p and q each hold an equality)
//!   left, right, full       P  +  the rows of the kept side that are not in P, with NULLs
//!   semi, anti              the rows of L that are in P, or are not
//! ```
//!
//! Without it every row of one side would be compared with every row of the other.

use std::sync::Arc;

use eval::Expr;
use row::ScalarType;

use crate::plan::expr::{columns_of, conjuncts, equality, literal_bool, literal_null, not, renumber};
use crate::plan::tree::rewrite_bottom_up;
use crate::plan::{Column, EquiTerm, JoinKind, Plan, RelationType, TypeCache};

/// More alternatives than this make more joins than they save.
const ALTERNATIVES_MAX: usize = 4;

pub(super) fn split_or_joins(plan: &Arc<Plan>) -> Arc<Plan> {
    let mut types = TypeCache::default();
    rewrite_bottom_up(plan, &mut |plan, _| split(&plan, &mut types).unwrap_or_else(|| Arc::new(plan)))
}

fn split(plan: &Plan, types: &mut TypeCache) -> Option<Arc<Plan>> {
    let Plan::Join { kind, left, right, on, residual } = plan else { return None };
    if !on.is_empty() || residual.iter().any(Expr::is_fallible) {
        return None;
    }
    let (left_type, right_type) = (types.typ(left), types.typ(right));
    let width = left_type.columns.len();
    let (position, alternatives) = residual.iter().enumerate().find_map(|(position, condition)| {
        let Expr::Or(parts) = condition else { return None };
        let keyed: Option<Vec<_>> = parts.iter().map(|part| alternative(part, width)).collect();
        keyed.filter(|keyed| keyed.len() <= ALTERNATIVES_MAX).map(|keyed| (position, keyed))
    })?;
    let mut common = residual.clone();
    let Expr::Or(parts) = common.remove(position) else { return None };
    let mut joins = Vec::new();
    for (index, (term, rest)) in alternatives.into_iter().enumerate() {
        let mut residual = rest;
        residual.extend(common.iter().cloned());
        // Only what no earlier join has found.
        residual.extend(
            parts[..index]
                .iter()
                .map(|part| not(Expr::IsNotDistinct(Box::new(part.clone()), Box::new(literal_bool(true))))),
        );
        joins.push(Arc::new(Plan::Join {
            kind: JoinKind::Inner,
            left: Arc::clone(left),
            right: Arc::clone(right),
            on: vec![term],
            residual,
        }));
    }
    let pairs = Arc::new(Plan::Union { inputs: joins });
    let matched = |kind, side: &Arc<Plan>, typ: &RelationType, offset: usize| {
        let found =
            Plan::Project { input: Arc::clone(&pairs), columns: (offset..offset + typ.columns.len()).collect() };
        let key: Vec<usize> = typ.keys.first().cloned().unwrap_or_else(|| (0..typ.columns.len()).collect());
        let on = key.into_iter().map(|column| EquiTerm {
            left: Expr::Column(column),
            right: Expr::Column(column),
            null_equal: true,
        });
        let on = on.collect();
        Arc::new(Plan::Join { kind, left: Arc::clone(side), right: Arc::new(found), on, residual: Vec::new() })
    };
    let mut inputs = vec![Arc::clone(&pairs)];
    match kind {
        JoinKind::Inner => return Some(pairs),
        JoinKind::Semi | JoinKind::Anti => return Some(matched(*kind, left, &left_type, 0)),
        JoinKind::Left | JoinKind::Right | JoinKind::Full => {}
    }
    if matches!(kind, JoinKind::Left | JoinKind::Full) {
        inputs.push(with_nulls(matched(JoinKind::Anti, left, &left_type, 0), &right_type));
    }
    if matches!(kind, JoinKind::Right | JoinKind::Full) {
        let rows = with_nulls(matched(JoinKind::Anti, right, &right_type, width), &left_type);
        let right_width = right_type.columns.len();
        let columns = (right_width..right_width + width).chain(0..right_width).collect();
        inputs.push(Arc::new(Plan::Project { input: rows, columns }));
    }
    Some(Arc::new(Plan::Union { inputs }))
}

/// The equality of one alternative, and the rest of it.
fn alternative(part: &Expr, width: usize) -> Option<(EquiTerm, Vec<Expr>)> {
    let mut rest = Vec::new();
    conjuncts(part.clone(), &mut rest);
    let is_left = |expr: &Expr| {
        let columns = columns_of(expr);
        !columns.is_empty() && columns.iter().all(|column| *column < width)
    };
    let is_right = |expr: &Expr| {
        let columns = columns_of(expr);
        !columns.is_empty() && columns.iter().all(|column| *column >= width)
    };
    let position = rest.iter().position(|condition| {
        equality(condition).is_some_and(|(a, b, _)| (is_left(a) && is_right(b)) || (is_right(a) && is_left(b)))
    })?;
    let condition = rest.remove(position);
    let (a, b, null_equal) = equality(&condition)?;
    let (left, right) = if is_left(a) { (a, b) } else { (b, a) };
    let right = renumber(right, &mut |column| column - width);
    Some((EquiTerm { left: left.clone(), right, null_equal }, rest))
}

fn with_nulls(rows: Arc<Plan>, other: &RelationType) -> Arc<Plan> {
    let null = |ty: &ScalarType| literal_null(ty.clone());
    let exprs = other.columns.iter().map(|column| (null(&column.ty), Column { nullable: true, ..column.clone() }));
    Arc::new(Plan::Map { input: rows, exprs: exprs.collect() })
}
