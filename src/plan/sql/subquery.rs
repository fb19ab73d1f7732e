//! Subqueries in expressions, and EXISTS and IN as whole conditions of WHERE.
//!
//! ```text
//!   (select …)        one new column, by Apply Row
//!   exists (…)        one boolean column, by Apply Mark;  as a condition of WHERE: Apply Semi or Anti
//!   x in (…)          Mark over pairs (x, column), then NULL by counting: it is NULL, not false, when nothing matches
//!                     but x is NULL or the query gave a NULL, and the query is not empty
//!   x < all (…)       compared with the greatest or the least value of the query
//! ```

use eval::{AggregateCall, AggregateFunction, Expr, by_value, resolve};
use row::ScalarType;
use sqlparser::ast::{self, BinaryOperator, Spanned, UnaryOperator};
use sqlparser::tokenizer::Span;

use super::coerce::binary;
use super::columns::ColumnId;
use super::expr::negate_if;
use super::query::{BoundQuery, Literals};
use super::rel::{Apply, ApplyKind, Rel};
use super::row_value::tuple;
use super::scope::{Clause, at};
use super::{Binder, Bound, resolve_error, unsupported};
use crate::plan::expr::{is_not_null, literal_bool, literal_int8, literal_null, not};
use crate::plan::{Column, PlanError};

/// What decides, beside a match, what a comparison with a subquery's rows comes to.
struct Contents {
    /// The query has rows.
    not_empty: Bound,
    /// Some row of it is NULL.
    has_null: Bound,
}

impl<'q> Binder<'q> {
    /// Hands a subquery to the clause that is being bound.
    fn add_apply(&mut self, query: Rel, kind: ApplyKind, span: Span) -> Result<(), PlanError> {
        let place = (span.start.line, span.start.column);
        match self.scopes.last_mut() {
            Some(scope) if !matches!(scope.clause, Clause::Values | Clause::Limit) => {
                scope.applies.push(Apply { query, kind, place });
                Ok(())
            }
            Some(scope) => Err(at(unsupported(format!("a subquery in {}", scope.clause.name())), span)),
            None => Err(at(unsupported("a subquery here"), span)),
        }
    }

    pub(super) fn scalar_subquery(&mut self, query: &'q ast::Query) -> Result<Bound, PlanError> {
        let bound = self.query(query, Literals::Resolve)?;
        let [output] = bound.outputs.as_slice() else {
            return Err(at(PlanError::new("subquery must return only one column"), query.span()));
        };
        let column = output.id;
        let result = self.columns.add(Column { nullable: true, ..self.columns.get(column).clone() });
        self.add_apply(bound.rel, ApplyKind::Row { results: vec![(result, column)] }, query.span())?;
        Ok(self.column(result))
    }

    pub(super) fn exists(&mut self, query: &'q ast::Query, negated: bool) -> Result<Bound, PlanError> {
        let bound = self.query(query, Literals::Resolve)?;
        let mark = self.mark(bound.rel, Vec::new(), query.span())?;
        Ok(negate_if(negated, mark))
    }

    fn mark(&mut self, query: Rel, pairs: Vec<(Expr, ColumnId)>, span: Span) -> Result<Bound, PlanError> {
        let column = Column { name: "found".to_string(), ty: ScalarType::Bool, nullable: false, scale_max: None };
        let result = self.columns.add(column);
        self.add_apply(query, ApplyKind::Mark { result, pairs }, span)?;
        Ok(self.column(result))
    }

    pub(super) fn in_subquery(
        &mut self,
        left: &'q ast::Expr,
        query: &'q ast::Query,
        negated: bool,
    ) -> Result<Bound, PlanError> {
        let (lefts, bound) = self.in_sides(left, query)?;
        let (rel, pairs, nullable) = self.pair(lefts, bound)?;
        if !nullable {
            let mark =
                self.mark(rel, pairs.iter().map(|(left, id)| (left.expr.clone(), *id)).collect(), query.span())?;
            return Ok(negate_if(negated, mark));
        }
        let [(value, column)] = pairs.as_slice() else {
            return Err(at(
                unsupported("IN over nullable columns of several columns as a value")
                    .with_hint("use EXISTS with one comparison per column"),
                query.span(),
            ));
        };
        let contents = self.contents(&rel, *column, query.span())?;
        let mark = self.mark(rel, vec![(value.expr.clone(), *column)], query.span())?;
        Ok(negate_if(negated, three_valued(mark.expr, true, value, &contents)))
    }

    fn in_sides(&mut self, left: &'q ast::Expr, query: &'q ast::Query) -> Result<(Vec<Bound>, BoundQuery), PlanError> {
        let lefts = match tuple(left) {
            Some(members) => members.into_iter().map(|member| self.expr(member)).collect::<Result<Vec<_>, _>>()?,
            None => vec![self.expr(left)?],
        };
        let bound = self.query(query, Literals::Resolve)?;
        if lefts.len() != bound.outputs.len() {
            let message = if lefts.len() < bound.outputs.len() {
                "subquery has too many columns"
            } else {
                "subquery has too few columns"
            };
            return Err(at(PlanError::new(message), query.span()));
        }
        Ok((lefts, bound))
    }

    /// Brings both sides of the comparisons to one type each. Gives the query, the pairs, and whether some side may be NULL.
    fn pair(&mut self, lefts: Vec<Bound>, query: BoundQuery) -> Result<(Rel, Vec<(Bound, ColumnId)>, bool), PlanError> {
        let mut exprs = Vec::new();
        let mut pairs = Vec::new();
        let mut nullable = false;
        for (left, output) in lefts.into_iter().zip(&query.outputs) {
            let right = self.column(output.id);
            let resolved = resolve::binary("=", &left.ty, &right.ty).map_err(resolve_error)?;
            let left = left.into_argument(&resolved.arg_types[0])?;
            let right = right.into_argument(&resolved.arg_types[1])?;
            nullable |= left.nullable || right.nullable;
            let [left, right] = [left, right].map(|side| match by_value::key_type(&side.ty) {
                Some(ty) => Bound { expr: by_value::key(side.expr, &side.ty), ty, ..side },
                None => side,
            });
            let id = self.assign(right, &output.name, &mut exprs);
            pairs.push((left, id));
        }
        Ok((query.rel.map(exprs), pairs, nullable))
    }

    /// Looks at the query's rows beside it. Their numbers stay below, so that a further row changes nothing above.
    fn contents(&mut self, query: &Rel, column: ColumnId, span: Span) -> Result<Contents, PlanError> {
        let (rows, values) = (self.known("count", ScalarType::Int64), self.known("count", ScalarType::Int64));
        let counted = Rel::Aggregate {
            input: Box::new(query.clone()),
            group: Vec::new(),
            aggregates: vec![
                (rows, count(None, ScalarType::Int64)),
                (values, count(Some(Expr::Column(column)), self.columns.get(column).ty.clone())),
            ],
        };
        let not_empty = binary(">", self.column(rows), Bound::new(literal_int8(0), ScalarType::Int64, false))?;
        let has_null = binary("<", self.column(values), self.column(rows))?;
        let (inner_empty, inner_null) =
            (self.known("not_empty", ScalarType::Bool), self.known("has_null", ScalarType::Bool));
        let (not_empty_result, null_result) =
            (self.known("not_empty", ScalarType::Bool), self.known("has_null", ScalarType::Bool));
        let told = counted.map(vec![(inner_empty, not_empty.expr), (inner_null, has_null.expr)]);
        let results = vec![(not_empty_result, inner_empty), (null_result, inner_null)];
        self.add_apply(told, ApplyKind::Row { results }, span)?;
        Ok(Contents { not_empty: self.column(not_empty_result), has_null: self.column(null_result) })
    }

    /// A column that is never NULL.
    fn known(&mut self, name: &str, ty: ScalarType) -> ColumnId {
        self.columns.add(Column { name: name.to_string(), ty, nullable: false, scale_max: None })
    }

    /// `left op ANY (query)`, `left op ALL (query)`.
    pub(super) fn quantified_subquery(
        &mut self,
        left: &'q ast::Expr,
        op: &str,
        query: &'q ast::Query,
        all: bool,
    ) -> Result<Bound, PlanError> {
        match (op, all) {
            ("=", false) => return self.in_subquery(left, query, false),
            ("<>", true) => return self.in_subquery(left, query, true),
            _ => {}
        }
        let (mut lefts, bound) = self.in_sides(left, query)?;
        let ([output], 1) = (bound.outputs.as_slice(), lefts.len()) else {
            return Err(at(unsupported(format!("a row compared by {op} with a subquery")), query.span()));
        };
        let (left, column) = (lefts.remove(0), output.id);
        let contents = self.contents(&bound.rel, column, query.span())?;
        let least = self.extreme("min", AggregateFunction::Min, &bound.rel, column, query.span())?;
        let greatest = self.extreme("max", AggregateFunction::Max, &bound.rel, column, query.span())?;
        // ALL is false when the comparison fails for an extreme, ANY is true when it holds for one.
        let decided = match (op, all) {
            ("<" | "<=", true) | (">" | ">=", false) => binary(op, left.clone(), least)?,
            ("<" | "<=", false) | (">" | ">=", true) => binary(op, left.clone(), greatest)?,
            ("=", true) => {
                let (low, high) = (binary("=", left.clone(), least)?, binary("=", left.clone(), greatest)?);
                Bound::new(Expr::And(vec![low.expr, high.expr]), ScalarType::Bool, true)
            }
            ("<>", false) => {
                let (low, high) = (binary("<>", left.clone(), least)?, binary("<>", left.clone(), greatest)?);
                Bound::new(Expr::Or(vec![low.expr, high.expr]), ScalarType::Bool, true)
            }
            _ => {
                return Err(at(
                    unsupported(format!("{op} {} (subquery)", if all { "ALL" } else { "ANY" })),
                    query.span(),
                ));
            }
        };
        let condition = if all { not(decided.expr) } else { decided.expr };
        Ok(three_valued(condition, !all, &left, &contents))
    }

    fn extreme(
        &mut self,
        name: &str,
        function: AggregateFunction,
        query: &Rel,
        column: ColumnId,
        span: Span,
    ) -> Result<Bound, PlanError> {
        let info = self.columns.get(column).clone();
        let (_, _, returns) = resolve::aggregate(name, std::slice::from_ref(&info.ty)).map_err(resolve_error)?;
        let call = AggregateCall {
            function,
            arg: Some(Expr::Column(column)),
            arg_type: info.ty,
            more: Vec::new(),
            distinct: false,
            filter: None,
            order_by: Vec::new(),
            returns: returns.clone(),
            scale_max: info.scale_max,
        };
        let made = Column { name: name.to_string(), ty: returns, nullable: true, scale_max: info.scale_max };
        let (inner, result) = (self.columns.add(made.clone()), self.columns.add(made));
        let reduced =
            Rel::Aggregate { input: Box::new(query.clone()), group: Vec::new(), aggregates: vec![(inner, call)] };
        self.add_apply(reduced, ApplyKind::Row { results: vec![(result, inner)] }, span)?;
        Ok(self.column(result))
    }

    /// WHERE: EXISTS and IN that stand as whole conditions become semi and anti joins.
    pub(super) fn where_clause(&mut self, mut rel: Rel, condition: &'q ast::Expr) -> Result<Rel, PlanError> {
        let mut parts = Vec::new();
        split(condition, &mut parts);
        let (mut plain, mut with_subqueries, mut memberships) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            if self.membership(part, false, &mut memberships, &mut with_subqueries)? {
                continue;
            }
            let before = self.pending();
            let predicate = self.expr(part)?.into_condition("WHERE").map_err(|error| at(error, part.span()))?;
            let list = if self.pending() == before { &mut plain } else { &mut with_subqueries };
            crate::plan::expr::conjuncts(predicate.expr, list);
        }
        rel = rel.filter(plain);
        let applies = self.scopes.last_mut().map_or_else(Vec::new, |scope| std::mem::take(&mut scope.applies));
        rel = applies.into_iter().fold(rel, Rel::apply).filter(with_subqueries);
        Ok(memberships.into_iter().fold(rel, Rel::apply))
    }

    fn pending(&self) -> usize {
        self.scopes.last().map_or(0, |scope| scope.applies.len())
    }

    /// Whether the condition is [NOT] EXISTS or [NOT] IN; then notes its apply.
    fn membership(
        &mut self,
        condition: &'q ast::Expr,
        negated: bool,
        applies: &mut Vec<Apply>,
        predicates: &mut Vec<Expr>,
    ) -> Result<bool, PlanError> {
        let span = condition.span();
        let place = (span.start.line, span.start.column);
        match condition {
            ast::Expr::Nested(inner) => self.membership(inner, negated, applies, predicates),
            ast::Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.membership(expr, !negated, applies, predicates),
            ast::Expr::Exists { subquery, negated: inside } => {
                let bound = self.query(subquery, Literals::Resolve)?;
                let kind = semi_or_anti(negated != *inside, Vec::new());
                applies.push(Apply { query: bound.rel, kind, place });
                Ok(true)
            }
            ast::Expr::InSubquery { expr, subquery, negated: inside } => {
                self.in_condition(expr, subquery, negated != *inside, applies, predicates)?;
                Ok(true)
            }
            ast::Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } if !negated => match &**right {
                ast::Expr::Subquery(query) => {
                    self.in_condition(left, query, false, applies, predicates)?;
                    Ok(true)
                }
                _ => Ok(false),
            },
            _ => Ok(false),
        }
    }

    fn in_condition(
        &mut self,
        left: &'q ast::Expr,
        query: &'q ast::Query,
        negated: bool,
        applies: &mut Vec<Apply>,
        predicates: &mut Vec<Expr>,
    ) -> Result<(), PlanError> {
        let span = query.span();
        let (lefts, bound) = self.in_sides(left, query).map_err(|error| at(error, left.span()))?;
        let (rel, pairs, nullable) = self.pair(lefts, bound)?;
        if negated && nullable {
            let [(value, column)] = pairs.as_slice() else {
                return Err(at(
                    unsupported("NOT IN over nullable columns of several columns")
                        .with_hint("use NOT EXISTS with one comparison per column"),
                    span,
                ));
            };
            // NOT IN keeps a row only when the query is empty, or when neither it nor the row has a NULL.
            let contents = self.contents(&rel, *column, span)?;
            let no_null = Expr::And(vec![is_not_null(value.expr.clone()), not(contents.has_null.expr)]);
            predicates.push(Expr::Or(vec![not(contents.not_empty.expr), no_null]));
        }
        let pairs = pairs.into_iter().map(|(left, id)| (left.expr, id)).collect();
        let kind = semi_or_anti(negated, pairs);
        applies.push(Apply { query: rel, kind, place: (span.start.line, span.start.column) });
        Ok(())
    }
}

fn semi_or_anti(anti: bool, pairs: Vec<(Expr, ColumnId)>) -> ApplyKind {
    if anti { ApplyKind::Anti { pairs } } else { ApplyKind::Semi { pairs } }
}

fn count(arg: Option<Expr>, arg_type: ScalarType) -> AggregateCall {
    AggregateCall {
        function: if arg.is_some() { AggregateFunction::Count } else { AggregateFunction::CountRows },
        arg,
        arg_type,
        more: Vec::new(),
        distinct: false,
        filter: None,
        order_by: Vec::new(),
        returns: ScalarType::Int64,
        scale_max: None,
    }
}

/// `decided` when the condition holds, NULL when a NULL leaves it open, else the opposite; an empty query leaves nothing open.
fn three_valued(condition: Expr, decided: bool, value: &Bound, contents: &Contents) -> Bound {
    let null = Expr::Or(vec![Expr::IsNull(Box::new(value.expr.clone())), contents.has_null.expr.clone()]);
    let open = Expr::And(vec![contents.not_empty.expr.clone(), null]);
    let expr = Expr::Case {
        branches: vec![(condition, literal_bool(decided)), (open, literal_null(ScalarType::Bool))],
        otherwise: Box::new(literal_bool(!decided)),
        ty: ScalarType::Bool,
    };
    Bound::new(expr, ScalarType::Bool, true)
}

/// The conjuncts of a condition, as they are written.
fn split<'a>(condition: &'a ast::Expr, parts: &mut Vec<&'a ast::Expr>) {
    match condition {
        ast::Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            split(left, parts);
            split(right, parts);
        }
        ast::Expr::Nested(inner) => split(inner, parts),
        other => parts.push(other),
    }
}
