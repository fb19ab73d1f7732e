//! Row values: `(a, b) < (c, d)`, `row(a, b) is null`, `(start, end) overlaps (start, end)`.
//!
//! ```text
//!   (a, b) = (c, d)   ─>  a = c and b = d
//!   (a, b) < (c, d)   ─>  a < c or (a = c and b < d)
//! ```
//!
//! 1. A row value is always taken apart: no expression has a row as its value.

use eval::Expr;
use row::ScalarType;
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::coerce::{binary, function};
use super::expr::{function_name, negate, negate_if};
use super::{Binder, Bound, unsupported};
use crate::plan::PlanError;
use crate::plan::expr::{and, is_not_null};

/// The members of a row value `(a, b)` or `row(a, b)`.
pub(super) fn tuple(expr: &ast::Expr) -> Option<Vec<&ast::Expr>> {
    match expr {
        ast::Expr::Tuple(items) if items.len() > 1 => Some(items.iter().collect()),
        ast::Expr::Nested(inner) => tuple(inner),
        ast::Expr::Function(call) if function_name(&call.name) == "row" => match &call.args {
            FunctionArguments::List(list) => list
                .args
                .iter()
                .map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(member)) => Some(member),
                    _ => None,
                })
                .collect(),
            _ => None,
        },
        _ => None,
    }
}

impl<'q> Binder<'q> {
    /// `(a, b) op (c, d)`: `=` and `<>` member by member, an order by the first members that differ.
    pub(super) fn compare_rows(
        &mut self,
        op: &str,
        left: &[&'q ast::Expr],
        right: &[&'q ast::Expr],
    ) -> Result<Bound, PlanError> {
        if left.len() != right.len() {
            return Err(PlanError::new("unequal number of entries in row expressions"));
        }
        if !matches!(op, "=" | "<>" | "<" | "<=" | ">" | ">=") {
            return Err(unsupported(format!("comparing rows by {op}")).with_hint("compare the columns one by one"));
        }
        let mut pairs = Vec::with_capacity(left.len());
        for (left, right) in left.iter().zip(right) {
            pairs.push((self.expr(left)?, self.expr(right)?));
        }
        if matches!(op, "=" | "<>") {
            let mut parts = Vec::with_capacity(pairs.len());
            let mut nullable = false;
            for (left, right) in pairs {
                let equal = binary("=", left, right)?;
                nullable |= equal.nullable;
                parts.push(equal.expr);
            }
            return Ok(negate_if(op == "<>", Bound::new(and(parts), ScalarType::Bool, nullable)));
        }
        let strict = &op[..1];
        let Some((left, right)) = pairs.pop() else {
            return Err(PlanError::new("cannot compare rows of zero length"));
        };
        let mut compared = binary(op, left, right)?;
        for (left, right) in pairs.into_iter().rev() {
            let differs = binary(strict, left.clone(), right.clone())?;
            let equal = binary("=", left, right)?;
            let nullable = differs.nullable || equal.nullable || compared.nullable;
            let expr = Expr::Or(vec![differs.expr, Expr::And(vec![equal.expr, compared.expr])]);
            compared = Bound::new(expr, ScalarType::Bool, nullable);
        }
        Ok(compared)
    }

    /// `row(a, b) is distinct from row(c, d)`.
    pub(super) fn rows_distinct(
        &mut self,
        left: &[&'q ast::Expr],
        right: &[&'q ast::Expr],
    ) -> Result<Bound, PlanError> {
        if left.len() != right.len() {
            return Err(PlanError::new("unequal number of entries in row expressions"));
        }
        let mut parts = Vec::with_capacity(left.len());
        for (left, right) in left.iter().zip(right) {
            let (left, right) = (self.expr(left)?, self.expr(right)?);
            parts.push(self.not_distinct(left, right)?.expr);
        }
        Ok(negate(Bound::boolean(and(parts))))
    }

    /// A row is NULL when all its members are, and NOT NULL when none is.
    pub(super) fn row_is_null(&mut self, members: &[&'q ast::Expr], negated: bool) -> Result<Bound, PlanError> {
        let mut parts = Vec::with_capacity(members.len());
        for member in members {
            let value = self.value(member)?.expr;
            parts.push(if negated { is_not_null(value) } else { Expr::IsNull(Box::new(value)) });
        }
        Ok(Bound::boolean(and(parts)))
    }

    /// `(start, end or length) overlaps (start, end or length)`.
    pub(super) fn overlaps(&mut self, left: &[&'q ast::Expr], right: &[&'q ast::Expr]) -> Result<Bound, PlanError> {
        let ([left_start, left_end], [right_start, right_end]) = (left, right) else {
            let side = if left.len() == 2 { "right" } else { "left" };
            return Err(PlanError::new(format!("wrong number of parameters on {side} side of OVERLAPS expression")));
        };
        let mut args = Vec::with_capacity(4);
        for (start, end) in [(left_start, left_end), (right_start, right_end)] {
            let (start, mut end) = (self.expr(start)?, self.expr(end)?);
            if end.ty == ScalarType::Interval {
                end = binary("+", start.clone(), end)?;
            }
            args.extend([start, end]);
        }
        function("overlaps", args)
    }
}
