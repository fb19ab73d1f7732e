//! WITH, set operations, VALUES, and ORDER BY … LIMIT over them.

use eval::{Expr, OrderTerm};
use row::{Datum, ScalarType, SortDirection};
use sqlparser::ast::{self, LimitClause, OrderByKind, SetExpr, SetOperator, SetQuantifier, Spanned};

use super::coerce::{binary, unify};
use super::columns::ColumnId;
use super::rel::{Branch, Rel, SetOp};
use super::scope::{Clause, Output, Scope, at};
use super::{Binder, Bound, fold, recursion, unsupported};
use crate::plan::expr::{evaluate, literal_int8};
use crate::plan::{Frame, PlanError, WindowCall, WindowFunction};

/// One query of a WITH.
pub(super) struct Cte {
    pub rel: Rel,
    pub outputs: Vec<Output>,
}

/// A bound query: a relation and which of its columns are the result.
#[derive(Clone, Debug)]
pub(super) struct BoundQuery {
    pub rel: Rel,
    pub outputs: Vec<Output>,
}

impl BoundQuery {
    pub fn ids(&self) -> Vec<ColumnId> {
        self.outputs.iter().map(|output| output.id).collect()
    }
}

/// What becomes of output literals whose type is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Literals {
    /// They are text.
    Resolve,
    /// A set operation around the query decides.
    Keep,
}

/// What follows a query's body.
pub(super) struct Tail<'q> {
    pub order_by: &'q [ast::OrderByExpr],
    pub limit: Option<u64>,
    pub offset: u64,
    /// FETCH … WITH TIES: rows that are equal to the last one in their order come, too.
    pub with_ties: bool,
}

impl Tail<'_> {
    /// Whether the order of rows, or their number, matters.
    pub fn cuts(&self) -> bool {
        self.limit.is_some() || self.offset > 0
    }
}

impl<'q> Binder<'q> {
    pub(super) fn query(&mut self, query: &'q ast::Query, literals: Literals) -> Result<BoundQuery, PlanError> {
        self.visible_ctes.push(Vec::new());
        let bound = self.deeper(|binder| binder.query_in_with(query, literals));
        self.visible_ctes.pop();
        bound
    }

    fn query_in_with(&mut self, query: &'q ast::Query, literals: Literals) -> Result<BoundQuery, PlanError> {
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                if with.recursive && recursion::reads_itself(cte) {
                    self.recursive_query(cte)?;
                } else {
                    self.with_query(cte)?;
                }
            }
        }
        if !query.locks.is_empty() || query.for_clause.is_some() {
            return Err(unsupported("FOR UPDATE and its kin").with_hint("a model takes no locks; leave it out"));
        }
        if query.settings.is_some() || query.format_clause.is_some() || !query.pipe_operators.is_empty() {
            return Err(unsupported("SETTINGS, FORMAT and pipe operators"));
        }
        let tail = self.tail(query)?;
        match &*query.body {
            SetExpr::Select(select) => self.select(select, &tail, literals),
            body => {
                let literals = if tail.cuts() { Literals::Resolve } else { literals };
                let bound = self.set_expr(body, literals)?;
                self.order_set(bound, &tail)
            }
        }
    }

    pub(super) fn with_query(&mut self, cte: &'q ast::Cte) -> Result<(), PlanError> {
        let name = fold(&cte.alias.name);
        if self.visible_ctes.last().is_some_and(|frame| frame.iter().any(|(known, _)| *known == name)) {
            let error = PlanError::new(format!("WITH query name \"{name}\" specified more than once"));
            return Err(at(error, cte.alias.name.span));
        }
        let mut bound = self.query(&cte.query, Literals::Resolve)?;
        self.rename_outputs(&name, &mut bound.outputs, &cte.alias)?;
        self.ctes.push(Cte { rel: bound.rel, outputs: bound.outputs });
        let number = self.ctes.len() - 1;
        if let Some(frame) = self.visible_ctes.last_mut() {
            frame.push((name, number));
        }
        Ok(())
    }

    /// `alias(a, b)` renames the first columns.
    pub(super) fn rename_outputs(
        &self,
        name: &str,
        outputs: &mut [Output],
        alias: &ast::TableAlias,
    ) -> Result<(), PlanError> {
        if alias.columns.len() > outputs.len() {
            let message = format!(
                "table \"{name}\" has {} columns available but {} columns specified",
                outputs.len(),
                alias.columns.len()
            );
            return Err(at(PlanError::new(message), alias.name.span));
        }
        for (output, column) in outputs.iter_mut().zip(&alias.columns) {
            output.name = fold(&column.name);
        }
        Ok(())
    }

    fn tail(&mut self, query: &'q ast::Query) -> Result<Tail<'q>, PlanError> {
        let order_by: &[ast::OrderByExpr] = match &query.order_by {
            None => &[],
            Some(order_by) => match &order_by.kind {
                OrderByKind::Expressions(terms) => terms,
                OrderByKind::All(_) => return Err(unsupported("ORDER BY ALL")),
            },
        };
        let mut tail = Tail { order_by, limit: None, offset: 0, with_ties: false };
        match &query.limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                if !limit_by.is_empty() {
                    return Err(unsupported("LIMIT BY"));
                }
                if let Some(limit) = limit {
                    tail.limit = self.row_count(limit, "LIMIT")?;
                }
                if let Some(offset) = offset {
                    tail.offset = self.row_count(&offset.value, "OFFSET")?.unwrap_or(0);
                }
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                tail.limit = self.row_count(limit, "LIMIT")?;
                tail.offset = self.row_count(offset, "OFFSET")?.unwrap_or(0);
            }
        }
        if let Some(fetch) = &query.fetch {
            if fetch.percent {
                return Err(unsupported("FETCH FIRST … PERCENT")
                    .with_hint("compare row_number() with a share of count(*) over () in a query around this one"));
            }
            if fetch.with_ties && order_by.is_empty() {
                return Err(PlanError::new("WITH TIES cannot be specified without ORDER BY clause"));
            }
            tail.with_ties = fetch.with_ties;
            tail.limit = match &fetch.quantity {
                Some(quantity) => self.row_count(quantity, "FETCH")?,
                None => Some(1),
            };
        }
        Ok(tail)
    }

    /// The number after LIMIT or OFFSET; NULL (and ALL) is none.
    fn row_count(&mut self, expr: &'q ast::Expr, what: &str) -> Result<Option<u64>, PlanError> {
        self.scopes.push(Scope::new(Vec::new(), Vec::new(), Clause::Limit));
        let bound = self.expr(expr);
        self.scopes.pop();
        let bound = bound?.cast(&ScalarType::Int64, false)?;
        if !bound.expr.is_constant() {
            return Err(at(PlanError::new(format!("argument of {what} must not contain variables")), expr.span()));
        }
        let value = evaluate(&bound.expr).map_err(|error| PlanError::new(error.to_string()))?;
        match value.datum() {
            Datum::Null => Ok(None),
            Datum::Int(count) => match u64::try_from(count) {
                Ok(count) => Ok(Some(count)),
                Err(_) => Err(at(PlanError::new(format!("{what} must not be negative")), expr.span())),
            },
            other => Err(PlanError::new(format!("argument of {what} must be a number, not {other:?}"))),
        }
    }

    /// A long UNION leans to the left: it is walked down first, so that it needs no deep stack.
    pub(super) fn set_expr(&mut self, body: &'q SetExpr, literals: Literals) -> Result<BoundQuery, PlanError> {
        let mut steps = Vec::new();
        let mut first = body;
        while let SetExpr::SetOperation { left, op, set_quantifier, right } = first {
            let all = match set_quantifier {
                SetQuantifier::All => true,
                SetQuantifier::Distinct | SetQuantifier::None => false,
                _ => return Err(unsupported("a set operation BY NAME")),
            };
            let op = match op {
                SetOperator::Union => SetOp::Union,
                SetOperator::Except | SetOperator::Minus => SetOp::Except,
                SetOperator::Intersect => SetOp::Intersect,
            };
            steps.push((op, all, right));
            first = left;
        }
        let literals = if steps.is_empty() { literals } else { Literals::Keep };
        let mut bound = self.set_operand(first, literals)?;
        for (op, all, right) in steps.into_iter().rev() {
            let right = self.deeper(|binder| binder.set_expr(right, Literals::Keep))?;
            bound = self.set_operation(op, all, bound, right)?;
        }
        Ok(bound)
    }

    pub(super) fn set_operand(&mut self, body: &'q SetExpr, literals: Literals) -> Result<BoundQuery, PlanError> {
        match body {
            SetExpr::Select(select) => {
                self.select(select, &Tail { order_by: &[], limit: None, offset: 0, with_ties: false }, literals)
            }
            SetExpr::Query(query) => self.query(query, literals),
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation { .. } => self.deeper(|binder| binder.set_expr(body, literals)),
            SetExpr::Table(_) => Err(unsupported("TABLE <name>").with_hint("write SELECT * FROM <name>")),
            _ => Err(PlanError::new("a model is a SELECT; it cannot change data")),
        }
    }

    fn set_operation(
        &mut self,
        op: SetOp,
        all: bool,
        left: BoundQuery,
        right: BoundQuery,
    ) -> Result<BoundQuery, PlanError> {
        let name = match op {
            SetOp::Union => "UNION",
            SetOp::Except => "EXCEPT",
            SetOp::Intersect => "INTERSECT",
        };
        if left.outputs.len() != right.outputs.len() {
            return Err(PlanError::new(format!("each {name} query must have the same number of columns")));
        }
        let (mut left_exprs, mut right_exprs) = (Vec::new(), Vec::new());
        let (mut left_ids, mut right_ids) = (Vec::new(), Vec::new());
        let mut outputs = Vec::new();
        for (l, r) in left.outputs.iter().zip(&right.outputs) {
            let sides = vec![self.output_value(l), self.output_value(r)];
            let (mut sides, ty) = unify(name, sides)?;
            let (right_side, left_side) = (sides.pop(), sides.pop());
            let (Some(left_side), Some(right_side)) = (left_side, right_side) else { continue };
            let scale_max = left_side.scale_max.zip(right_side.scale_max).map(|(a, b)| a.max(b));
            let nullable = left_side.nullable || right_side.nullable;
            left_ids.push(self.assign(left_side, &l.name, &mut left_exprs));
            right_ids.push(self.assign(right_side, &l.name, &mut right_exprs));
            let result = Bound { expr: Expr::Column(0), ty, nullable, scale_max };
            outputs.push(Output::new(l.name.clone(), self.columns.add(result.describe(&l.name))));
        }
        let columns = outputs.iter().map(|output| output.id).collect();
        let rel = Rel::SetOp {
            op,
            all,
            left: Box::new(Branch { rel: left.rel.map(left_exprs), columns: left_ids }),
            right: Box::new(Branch { rel: right.rel.map(right_exprs), columns: right_ids }),
            columns,
        };
        Ok(BoundQuery { rel, outputs })
    }

    /// An output as a value: its literal while its type is open.
    pub(super) fn output_value(&self, output: &Output) -> Bound {
        match &output.literal {
            Some(literal) => {
                let nullable = crate::plan::expr::is_null_literal(literal);
                Bound::new(literal.clone(), ScalarType::Unknown, nullable)
            }
            None => self.column(output.id),
        }
    }

    fn values(&mut self, values: &'q ast::Values) -> Result<BoundQuery, PlanError> {
        let width = values.rows.first().map_or(0, |row| row.content.len());
        let mut columns: Vec<Vec<Bound>> = vec![Vec::new(); width];
        self.scopes.push(Scope::new(Vec::new(), Vec::new(), Clause::Values));
        let bound = values.rows.iter().try_for_each(|row| {
            if row.content.len() != width {
                return Err(at(PlanError::new("VALUES lists must all be the same length"), row.opening_token.0.span));
            }
            for (column, expr) in columns.iter_mut().zip(&row.content) {
                column.push(self.expr(expr)?);
            }
            Ok(())
        });
        self.scopes.pop();
        bound?;
        let mut rows: Vec<Vec<Expr>> = vec![Vec::new(); values.rows.len()];
        let mut outputs = Vec::new();
        for (index, column) in columns.into_iter().enumerate() {
            let (column, ty) = unify("VALUES", column)?;
            let name = format!("column{}", index + 1);
            let nullable = column.iter().any(|bound| bound.nullable);
            let scale_max = if ty.is_numeric() { super::coerce::joint_scale(&column) } else { None };
            let info = Bound { expr: Expr::Column(0), ty, nullable, scale_max }.describe(&name);
            outputs.push(Output::new(name, self.columns.add(info)));
            for (row, bound) in rows.iter_mut().zip(column) {
                row.push(bound.expr);
            }
        }
        let columns = outputs.iter().map(|output| output.id).collect();
        Ok(BoundQuery { rel: Rel::Values { rows, columns }, outputs })
    }

    /// ORDER BY over a set operation names its columns.
    fn order_set(&mut self, bound: BoundQuery, tail: &Tail<'q>) -> Result<BoundQuery, PlanError> {
        if !tail.cuts() {
            return Ok(bound);
        }
        let mut order_by = Vec::new();
        for term in tail.order_by {
            let id = match ordinal(&term.expr, bound.outputs.len(), "ORDER BY")? {
                Some(index) => bound.outputs[index].id,
                None => match &term.expr {
                    ast::Expr::Identifier(ident) => {
                        let name = fold(ident);
                        let output = bound.outputs.iter().find(|output| output.name == name);
                        output
                            .ok_or_else(|| at(PlanError::new(format!("column \"{name}\" does not exist")), ident.span))?
                            .id
                    }
                    other => {
                        let error = PlanError::new("invalid UNION/INTERSECT/EXCEPT ORDER BY clause")
                            .with_hint("only result column names can be used, not expressions or functions");
                        return Err(at(error, other.span()));
                    }
                },
            };
            order_by.push((id, direction(term)?));
        }
        let keep = bound.ids();
        let rel = self.cut(bound.rel, keep, order_by, tail)?;
        Ok(BoundQuery { rel, outputs: bound.outputs })
    }

    /// The rows that ORDER BY, LIMIT and OFFSET leave.
    pub(super) fn cut(
        &mut self,
        input: Rel,
        keep: Vec<ColumnId>,
        order_by: Vec<(ColumnId, SortDirection)>,
        tail: &Tail<'_>,
    ) -> Result<Rel, PlanError> {
        let input = Box::new(input);
        let Some(limit) = tail.limit.filter(|_| tail.with_ties) else {
            return Ok(Rel::TopK { input, keep, group: Vec::new(), order_by, limit: tail.limit, offset: tail.offset });
        };
        // A row comes as long as fewer rows than those counted stand before it and all its equals.
        let order_by =
            order_by.into_iter().map(|(id, direction)| OrderTerm { expr: Expr::Column(id), direction }).collect();
        let mut calls = Vec::new();
        let mut predicates = Vec::new();
        let last = i64::try_from(limit.saturating_add(tail.offset)).unwrap_or(i64::MAX);
        let bounds = [(WindowFunction::Rank, "<=", last), (WindowFunction::RowNumber, ">", tail.offset as i64)];
        for (function, op, bound) in bounds.into_iter().take(if tail.offset == 0 { 1 } else { 2 }) {
            let place = Bound::new(Expr::Column(0), ScalarType::Int64, false);
            let id = self.columns.add(place.describe(function.name()));
            let call =
                WindowCall { function, args: Vec::new(), frame: Frame::default_range(), returns: ScalarType::Int64 };
            calls.push((id, call));
            let bound = Bound::new(literal_int8(bound), ScalarType::Int64, false);
            predicates.push(binary(op, self.column(id), bound)?.expr);
        }
        let numbered = Rel::Window { input, partition: Vec::new(), order_by, calls };
        Ok(Rel::Filter { input: Box::new(numbered), predicates })
    }
}

/// `2` in GROUP BY 2 and ORDER BY 2, counted from 0.
pub(super) fn ordinal(expr: &ast::Expr, width: usize, what: &str) -> Result<Option<usize>, PlanError> {
    let ast::Expr::Value(value) = expr else { return Ok(None) };
    let ast::Value::Number(text, _) = &value.value else { return Ok(None) };
    match text.parse::<usize>() {
        Ok(position) if (1..=width).contains(&position) => Ok(Some(position - 1)),
        Ok(position) => {
            Err(at(PlanError::new(format!("{what} position {position} is not in select list")), expr.span()))
        }
        Err(_) => Err(at(PlanError::new(format!("non-integer constant in {what}")), expr.span())),
    }
}

/// Ascending with NULLs last, descending with NULLs first, unless said otherwise.
pub(super) fn direction(term: &ast::OrderByExpr) -> Result<SortDirection, PlanError> {
    if term.with_fill.is_some() {
        return Err(unsupported("WITH FILL"));
    }
    let descending = match &term.options.sort {
        None | Some(ast::OrderBySort::Asc) => false,
        Some(ast::OrderBySort::Desc) => true,
        Some(ast::OrderBySort::Using(_)) => return Err(unsupported("ORDER BY … USING")),
    };
    Ok(SortDirection { descending, nulls_first: term.options.nulls_first.unwrap_or(descending) })
}
