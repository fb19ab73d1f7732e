//! Scalar expressions: names resolved, types settled, casts put in.

use eval::{Expr, by_value, resolve};
use row::ScalarType;
use sqlparser::ast::Spanned;
use sqlparser::ast::{self, BinaryOperator, CastKind, UnaryOperator};

use super::coerce::{binary, function, joint_scale, unary, unify};
use super::row_value::tuple;
use super::scope::at;
use super::select::GROUPING_HINT;
use super::{Binder, Bound, fold, literal, resolve_error, types, unsupported};
use crate::plan::PlanError;
use crate::plan::expr::{is_not_null, literal_bool, literal_null, not};

/// Operators in a row (`a + b + …`): the tree they make is walked by recursion wherever it is evaluated.
const CHAIN_MAX: usize = 1_000;

impl<'q> Binder<'q> {
    /// Binds an expression in the innermost scope; an error points at the smallest part that is wrong.
    pub(super) fn expr(&mut self, expr: &'q ast::Expr) -> Result<Bound, PlanError> {
        self.deeper(|binder| binder.expr_inner(expr)).map_err(|error| at(error, expr.span()))
    }

    fn expr_inner(&mut self, expr: &'q ast::Expr) -> Result<Bound, PlanError> {
        use ast::Expr as E;
        match expr {
            E::Identifier(ident) => self.named_column(ident),
            E::CompoundIdentifier(idents) => self.qualified_column(idents),
            E::CompoundFieldAccess { root, access_chain } => self.field_access(root, access_chain),
            E::Value(value) => literal::literal(&value.value),
            E::Nested(inner) => self.expr(inner),
            E::TypedString(typed) => {
                let (ty, digits) = types::with_precision(&typed.data_type)?;
                round_to(literal::literal(&typed.value.value)?.cast(&ty, true)?, digits)
            }
            E::Interval(interval) => self.interval(interval),
            E::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, format: None } => {
                let (ty, digits) = types::with_precision(data_type)?;
                if let (E::Array(array), ScalarType::Array(of)) = (&**expr, &ty) {
                    return self.array(&array.elem, Some(of))?.cast(&ty, true);
                }
                let value = self.expr(expr)?;
                if ty == ScalarType::Date
                    && let Some(day) = self.day_of_now(&value)?
                {
                    return Ok(day);
                }
                round_to(value.cast(&ty, true)?, digits)
            }
            E::Cast { kind: CastKind::TryCast | CastKind::SafeCast, expr, data_type, format: None } => {
                let (ty, digits) = types::with_precision(data_type)?;
                round_to(self.expr(expr)?.try_cast(&ty)?, digits)
            }
            E::Cast { .. } => {
                Err(unsupported("CAST with FORMAT").with_hint("write to_char(x, format) or to_date(x, format)"))
            }
            E::IsNull(inner) if tuple(inner).is_some() => self.row_is_null(&tuple(inner).unwrap_or_default(), false),
            E::IsNotNull(inner) if tuple(inner).is_some() => self.row_is_null(&tuple(inner).unwrap_or_default(), true),
            E::IsNull(inner) => Ok(Bound::boolean(Expr::IsNull(Box::new(self.value(inner)?.expr)))),
            E::IsNotNull(inner) => Ok(Bound::boolean(is_not_null(self.value(inner)?.expr))),
            E::IsTrue(inner) => self.is_bool(inner, true, "IS TRUE"),
            E::IsFalse(inner) => self.is_bool(inner, false, "IS FALSE"),
            E::IsNotTrue(inner) => Ok(negate(self.is_bool(inner, true, "IS NOT TRUE")?)),
            E::IsNotFalse(inner) => Ok(negate(self.is_bool(inner, false, "IS NOT FALSE")?)),
            E::IsUnknown(inner) => {
                Ok(Bound::boolean(Expr::IsNull(Box::new(self.expr(inner)?.into_condition("IS UNKNOWN")?.expr))))
            }
            E::IsNotUnknown(inner) => {
                Ok(Bound::boolean(is_not_null(self.expr(inner)?.into_condition("IS NOT UNKNOWN")?.expr)))
            }
            E::IsDistinctFrom(left, right) | E::IsNotDistinctFrom(left, right)
                if let (Some(left), Some(right)) = (tuple(left), tuple(right)) =>
            {
                let distinct = self.rows_distinct(&left, &right)?;
                Ok(negate_if(matches!(expr, E::IsNotDistinctFrom(..)), distinct))
            }
            E::IsDistinctFrom(left, right) => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                Ok(negate(self.not_distinct(left, right)?))
            }
            E::IsNotDistinctFrom(left, right) => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                self.not_distinct(left, right)
            }
            E::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            E::InSubquery { expr, subquery, negated } => self.in_subquery(expr, subquery, *negated),
            E::Between { expr, negated, low, high } if let Some(low) = symmetric(low) => {
                let value = self.expr(expr)?;
                let (low, high) = (self.expr(low)?, self.expr(high)?);
                let mut either = Vec::with_capacity(2);
                let mut nullable = false;
                for (low, high) in [(low.clone(), high.clone()), (high, low)] {
                    let low = binary(">=", value.clone(), low)?;
                    let high = binary("<=", value.clone(), high)?;
                    nullable |= low.nullable || high.nullable;
                    either.push(Expr::And(vec![low.expr, high.expr]));
                }
                Ok(negate_if(*negated, Bound::new(Expr::Or(either), ScalarType::Bool, nullable)))
            }
            E::Between { expr, negated, low, high } => {
                let value = self.expr(expr)?;
                let low = binary(">=", value.clone(), self.expr(low)?)?;
                let high = binary("<=", value, self.expr(high)?)?;
                let nullable = low.nullable || high.nullable;
                Ok(negate_if(*negated, Bound::new(Expr::And(vec![low.expr, high.expr]), ScalarType::Bool, nullable)))
            }
            E::BinaryOp { left, op, right } => self.binary_op(left, op, right),
            E::UnaryOp { op, expr } => self.unary_op(op, expr),
            E::Like { negated, any, expr, pattern, escape_char: None } if *any || all_of(pattern).is_some() => {
                self.like_quantified("like", *negated, expr, pattern, *any)
            }
            E::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like("like", *negated, expr, pattern, escape_char.as_deref())
            }
            E::ILike { negated, any, expr, pattern, escape_char: None } if *any || all_of(pattern).is_some() => {
                self.like_quantified("ilike", *negated, expr, pattern, *any)
            }
            E::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like("ilike", *negated, expr, pattern, escape_char.as_deref())
            }
            E::SimilarTo { negated, expr, pattern, escape_char } => {
                self.like("similar to", *negated, expr, pattern, escape_char.as_deref())
            }
            E::AnyOp { left, compare_op, right, .. } => self.quantified(left, compare_op, right, false),
            E::AllOp { left, compare_op, right } => self.quantified(left, compare_op, right, true),
            E::AtTimeZone { timestamp, time_zone } => {
                let (timestamp, zone) = (self.expr(timestamp)?, self.expr(time_zone)?);
                function("timezone", vec![zone, timestamp])
            }
            E::Extract { field, expr, .. } => {
                function("extract", vec![literal::text(&literal::field_name(field)), self.expr(expr)?])
            }
            E::Ceil { expr, field } => self.rounded("ceil", expr, field),
            E::Floor { expr, field } => self.rounded("floor", expr, field),
            E::Position { expr, r#in } => {
                let part = self.expr(expr)?;
                function("position", vec![self.expr(r#in)?, part])
            }
            E::Substring { expr, substring_from, substring_for, .. } => {
                let mut args = vec![self.expr(expr)?];
                if let (Some(from), Some(escape)) = (substring_from, substring_for)
                    && is_text_literal(from)
                    && is_text_literal(escape)
                {
                    return Err(unsupported("substring with a pattern of SIMILAR TO")
                        .with_hint("write substring(text from 'regular expression')"));
                }
                match (substring_from, substring_for) {
                    (Some(from), None) => args.push(self.expr(from)?),
                    (from, Some(length)) => {
                        args.push(from.as_deref().map_or_else(|| Ok(literal::int4(1)), |from| self.expr(from))?);
                        args.push(self.expr(length)?);
                    }
                    (None, None) => return Err(PlanError::new("substring needs FROM or FOR")),
                }
                function("substring", args)
            }
            E::Trim { trim_where, trim_what, expr, trim_characters } => {
                let name = match trim_where {
                    Some(ast::TrimWhereField::Leading) => "ltrim",
                    Some(ast::TrimWhereField::Trailing) => "rtrim",
                    _ => "btrim",
                };
                let mut args = vec![self.expr(expr)?];
                let characters = trim_what.as_deref().into_iter().chain(trim_characters.iter().flatten());
                for characters in characters {
                    args.push(self.expr(characters)?);
                }
                function(name, args)
            }
            E::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut args = vec![self.expr(expr)?, self.expr(overlay_what)?, self.expr(overlay_from)?];
                if let Some(length) = overlay_for {
                    args.push(self.expr(length)?);
                }
                function("overlay", args)
            }
            E::Collate { expr, collation } => match collation.to_string().trim_matches('"').to_lowercase().as_str() {
                "c" | "posix" | "default" | "ucs_basic" | "pg_catalog.\"c\"" | "pg_catalog.\"default\"" => {
                    self.expr(expr)
                }
                other => Err(unsupported(format!("collation \"{other}\""))
                    .with_hint("text is compared by its bytes, as with COLLATE \"C\"")),
            },
            E::Function(call) => self.call(call),
            E::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            E::Exists { subquery, negated } => self.exists(subquery, *negated),
            E::Subquery(query) => self.scalar_subquery(query),
            E::Array(array) => self.array(&array.elem, None),
            E::Tuple(items) if items.len() == 1 => self.expr(&items[0]),
            E::Tuple(_) => Err(unsupported("a row value outside of a comparison")),
            E::GroupingSets(_) => Err(unsupported("GROUPING SETS").with_hint(GROUPING_HINT)),
            E::Cube(_) => Err(unsupported("CUBE").with_hint(GROUPING_HINT)),
            E::Rollup(_) => Err(unsupported("ROLLUP").with_hint(GROUPING_HINT)),
            E::RLike { .. } => Err(unsupported("RLIKE").with_hint("use the operator ~")),
            E::Like { .. } | E::ILike { .. } => {
                Err(unsupported("LIKE ANY with ESCAPE").with_hint("double the backslash in the patterns instead"))
            }
            E::IsNormalized { .. } => Err(unsupported("IS NORMALIZED")),
            E::JsonAccess { .. } => Err(unsupported("the : operator").with_hint("use -> and ->>")),
            other => Err(unsupported(format!("the expression {other}"))),
        }
    }

    /// An expression whose type no longer waits for a context.
    pub(super) fn value(&mut self, expr: &'q ast::Expr) -> Result<Bound, PlanError> {
        let bound = self.expr(expr)?;
        if bound.ty == ScalarType::Unknown { bound.cast(&ScalarType::Text, false) } else { Ok(bound) }
    }

    fn is_bool(&mut self, expr: &'q ast::Expr, wanted: bool, what: &str) -> Result<Bound, PlanError> {
        let condition = self.expr(expr)?.into_condition(what)?;
        Ok(Bound::boolean(Expr::IsNotDistinct(Box::new(condition.expr), Box::new(literal_bool(wanted)))))
    }

    fn binary_op(
        &mut self,
        left: &'q ast::Expr,
        op: &BinaryOperator,
        right: &'q ast::Expr,
    ) -> Result<Bound, PlanError> {
        if let BinaryOperator::And | BinaryOperator::Or = op {
            return self.connective(left, op, right);
        }
        if let (Some(left), Some(right)) = (tuple(left), tuple(right)) {
            return match op {
                BinaryOperator::Overlaps => self.overlaps(&left, &right),
                _ => self.compare_rows(&symbol(op)?, &left, &right),
            };
        }
        // A long chain (`a || b || …`) leans to the left: it is walked down first, so that it needs no deep stack.
        let mut steps = vec![(op, right)];
        let mut first = left;
        while let ast::Expr::BinaryOp { left, op, right } = first
            && !matches!(op, BinaryOperator::And | BinaryOperator::Or)
            && tuple(right).is_none()
        {
            steps.push((op, right));
            first = left;
        }
        if steps.len() > CHAIN_MAX {
            return Err(PlanError::new(format!("more than {CHAIN_MAX} operators in a row")));
        }
        let mut bound = self.expr(first)?;
        for (op, right) in steps.into_iter().rev() {
            let span = right.span();
            let right = self.expr(right)?;
            bound = binary(&symbol(op)?, bound, right).map_err(|error| match steps_begin(first) {
                Some(start) => error.at(start.0, start.1),
                None => at(error, span),
            })?;
        }
        Ok(bound)
    }

    /// AND and OR; a long chain is one node and needs no deep stack.
    fn connective(
        &mut self,
        left: &'q ast::Expr,
        op: &BinaryOperator,
        right: &'q ast::Expr,
    ) -> Result<Bound, PlanError> {
        let mut parts = vec![right];
        let mut rest = left;
        while let ast::Expr::BinaryOp { left, op: next, right } = rest
            && next == op
        {
            parts.push(right);
            rest = left;
        }
        parts.push(rest);
        let name = if *op == BinaryOperator::And { "AND" } else { "OR" };
        let mut nullable = false;
        let mut operands = Vec::with_capacity(parts.len());
        for part in parts.into_iter().rev() {
            let operand = self.expr(part)?.into_condition(name).map_err(|error| at(error, part.span()))?;
            nullable |= operand.nullable;
            operands.push(operand.expr);
        }
        let expr = if name == "AND" { Expr::And(operands) } else { Expr::Or(operands) };
        Ok(Bound::new(expr, ScalarType::Bool, nullable))
    }

    fn unary_op(&mut self, op: &UnaryOperator, expr: &'q ast::Expr) -> Result<Bound, PlanError> {
        match op {
            UnaryOperator::Not => Ok(negate(self.expr(expr)?.into_condition("NOT")?)),
            // A sign binds tighter than a power, and the parser has it the other way.
            UnaryOperator::Minus | UnaryOperator::Plus | UnaryOperator::BitwiseNot
                if let ast::Expr::BinaryOp { left, op: BinaryOperator::PGExp, right } = expr =>
            {
                let base = self.unary_op(op, left)?;
                binary("^", base, self.expr(right)?)
            }
            UnaryOperator::Minus => {
                if let ast::Expr::Value(value) = expr
                    && let ast::Value::Number(text, _) = &value.value
                {
                    return literal::number(&format!("-{text}"));
                }
                unary("-", self.expr(expr)?)
            }
            UnaryOperator::Plus => unary("+", self.expr(expr)?),
            UnaryOperator::PGAbs => unary("@", self.expr(expr)?),
            UnaryOperator::BitwiseNot => unary("~", self.expr(expr)?),
            UnaryOperator::PGSquareRoot => unary("|/", self.expr(expr)?),
            UnaryOperator::PGCubeRoot => unary("||/", self.expr(expr)?),
            other => Err(unsupported(format!("the operator {other}"))),
        }
    }

    fn in_list(&mut self, expr: &'q ast::Expr, list: &'q [ast::Expr], negated: bool) -> Result<Bound, PlanError> {
        if let Some(row) = tuple(expr) {
            let mut choices = Vec::new();
            let mut nullable = false;
            for item in list {
                let Some(item) = tuple(item) else {
                    return Err(PlanError::new("a row can only be in a list of rows"));
                };
                let equal = self.compare_rows("=", &row, &item)?;
                nullable |= equal.nullable;
                choices.push(equal.expr);
            }
            return Ok(negate_if(negated, Bound::new(Expr::Or(choices), ScalarType::Bool, nullable)));
        }
        let mut all = vec![self.expr(expr)?];
        for item in list {
            all.push(self.expr(item)?);
        }
        let nullable = all.iter().any(|bound| bound.nullable);
        // Numbers of different kinds and text of different lengths compare as they are; a common type keeps them alike.
        let types: Vec<ScalarType> = all.iter().map(|bound| bound.ty.base()).collect();
        let ty = resolve::common_type("IN", &types).map_err(resolve_error)?;
        resolve::binary("=", &ty, &ty).map_err(resolve_error)?;
        let mut exprs = Vec::with_capacity(all.len());
        for bound in all {
            exprs.push(bound.into_argument(&ty)?.expr);
        }
        let input = Box::new(exprs.remove(0));
        let found = match exprs.len() {
            1 => return Ok(negate_if(negated, self.equal(*input, exprs.remove(0), &ty, nullable)?)),
            _ => Expr::InList {
                input: Box::new(by_value::key(*input, &ty)),
                list: exprs.into_iter().map(|expr| by_value::key(expr, &ty)).collect(),
            },
        };
        Ok(negate_if(negated, Bound::new(found, ScalarType::Bool, nullable)))
    }

    fn equal(&self, left: Expr, right: Expr, ty: &ScalarType, nullable: bool) -> Result<Bound, PlanError> {
        binary("=", Bound::new(left, ty.clone(), nullable), Bound::new(right, ty.clone(), nullable))
    }

    fn like(
        &mut self,
        op: &str,
        negated: bool,
        expr: &'q ast::Expr,
        pattern: &'q ast::Expr,
        escape: Option<&'q ast::Expr>,
    ) -> Result<Bound, PlanError> {
        let op = if negated { format!("not {op}") } else { op.to_string() };
        let (value, pattern) = (self.expr(expr)?, self.expr(pattern)?);
        match escape {
            None => binary(&op, value, pattern),
            Some(escape) => function(&op, vec![value, pattern, self.expr(escape)?]),
        }
    }

    /// `x like any (array)` and `x like all (array)`.
    fn like_quantified(
        &mut self,
        op: &str,
        negated: bool,
        expr: &'q ast::Expr,
        pattern: &'q ast::Expr,
        any: bool,
    ) -> Result<Bound, PlanError> {
        let not = if negated { "not " } else { "" };
        let quantifier = if any { "any" } else { "all" };
        let value = self.expr(expr)?;
        let patterns = all_of(pattern).filter(|_| !any).unwrap_or(pattern);
        // `like any ('a%', 'b%')`, as some warehouses write it, lists the patterns themselves.
        let patterns = match tuple(patterns) {
            Some(items) => {
                let items = items.into_iter().map(|item| self.expr(item)).collect::<Result<Vec<_>, _>>()?;
                function("array", items)?
            }
            None => match self.expr(patterns)? {
                one if one.ty.is_string()
                    && !matches!(strip_parentheses(patterns), ast::Expr::Value(value)
                    if value.value.to_string().starts_with("'{")) =>
                {
                    function("array", vec![one])?
                }
                array => array,
            },
        };
        let mut found = binary(&format!("{not}{op} {quantifier}"), value, patterns)?;
        found.nullable = true;
        Ok(found)
    }

    /// A subscript. Warehouses that count from 0 say so with `offset(n)`; `ordinal(n)` counts from 1, as we do.
    fn subscript(&mut self, root: &'q ast::Expr, index: &'q ast::Expr) -> Result<Bound, PlanError> {
        if let ast::Expr::Function(call) = index
            && let ast::FunctionArguments::List(list) = &call.args
            && let [arg] = list.args.as_slice()
        {
            let name = function_name(&call.name);
            match name.as_str() {
                "offset" | "safe_offset" => {
                    let offset = self.expr(super::function::plain_argument(&name, arg)?)?;
                    return binary("+", offset, literal::int4(1));
                }
                "ordinal" | "safe_ordinal" => return self.expr(super::function::plain_argument(&name, arg)?),
                _ => {}
            }
        }
        if let (ast::Expr::Function(call), ast::Expr::Value(value)) = (strip_parentheses(root), index)
            && function_name(&call.name) == "split"
            && matches!(&value.value, ast::Value::Number(number, _) if number == "0")
        {
            return Err(PlanError::new("split(…)[0] has no value: arrays count from 1")
                .with_hint("write split_part(text, delimiter, 1), or split(text, delimiter)[1]"));
        }
        self.expr(index)
    }

    fn rounded(&mut self, name: &str, expr: &'q ast::Expr, field: &ast::CeilFloorKind) -> Result<Bound, PlanError> {
        match field {
            ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) => function(name, vec![self.expr(expr)?]),
            _ => Err(unsupported(format!("{name} with a second argument"))),
        }
    }

    fn case(
        &mut self,
        operand: Option<&'q ast::Expr>,
        conditions: &'q [ast::CaseWhen],
        otherwise: Option<&'q ast::Expr>,
    ) -> Result<Bound, PlanError> {
        let calls = self.pending_calls();
        let operand = operand.map(|operand| self.expr(operand)).transpose()?;
        let mut tests = Vec::with_capacity(conditions.len());
        let mut results = Vec::with_capacity(conditions.len() + 1);
        for case in conditions {
            let condition = self.expr(&case.condition)?;
            let test = match &operand {
                Some(operand) => binary("=", operand.clone(), condition)?,
                None => condition.into_condition("CASE/WHEN").map_err(|error| at(error, case.condition.span()))?,
            };
            tests.push(test.expr);
            results.push(self.expr(&case.result)?);
        }
        results.push(match otherwise {
            Some(otherwise) => self.expr(otherwise)?,
            None => Bound::new(literal_null(ScalarType::Unknown), ScalarType::Unknown, true),
        });
        self.refuse_calls_since(calls, "CASE")?;
        let (mut results, ty) = unify("CASE", results)?;
        let nullable = results.iter().any(|bound| bound.nullable);
        let scale_max = if ty.is_numeric() { joint_scale(&results) } else { None };
        let otherwise = results.pop().map_or_else(|| literal_null(ty.clone()), |bound| bound.expr);
        let branches = tests.into_iter().zip(results.into_iter().map(|bound| bound.expr)).collect();
        let expr = Expr::Case { branches, otherwise: Box::new(otherwise), ty: ty.clone() };
        Ok(Bound { expr, ty, nullable, scale_max })
    }

    pub(super) fn coalesce(&mut self, args: Vec<Bound>) -> Result<Bound, PlanError> {
        let (args, ty) = unify("COALESCE", args)?;
        let nullable = args.iter().all(|bound| bound.nullable);
        let scale_max = if ty.is_numeric() { joint_scale(&args) } else { None };
        let args = args.into_iter().map(|bound| bound.expr).collect();
        Ok(Bound { expr: Expr::Coalesce { args, ty: ty.clone() }, ty, nullable, scale_max })
    }

    /// `array[…]`; `of` is the element type that a cast around it asks for.
    fn array(&mut self, elements: &'q [ast::Expr], of: Option<&ScalarType>) -> Result<Bound, PlanError> {
        let mut bounds = Vec::with_capacity(elements.len());
        for element in elements {
            let bound = self.expr(element)?;
            if matches!(bound.ty, ScalarType::Array(_)) {
                return Err(unsupported("an array of arrays").with_hint("keep one array per row, or jsonb"));
            }
            bounds.push(match of {
                Some(of) => bound.cast(of, true)?,
                None => bound,
            });
        }
        match (bounds.is_empty(), of) {
            (true, None) => Err(PlanError::new("cannot determine type of empty array")
                .with_hint("write array[]::integer[], for example")),
            (true, Some(of)) => literal::unknown("{}").cast(&ScalarType::Array(Box::new(of.clone())), true),
            _ => function("array", bounds),
        }
    }

    fn field_access(&mut self, root: &'q ast::Expr, chain: &'q [ast::AccessExpr]) -> Result<Bound, PlanError> {
        let mut value = self.expr(root)?;
        for access in chain {
            match access {
                ast::AccessExpr::Subscript(ast::Subscript::Index { index }) => {
                    let index = self.subscript(root, index)?;
                    let op = if value.ty == ScalarType::Jsonb { "->" } else { "[]" };
                    value = binary(op, value, index)?;
                    value.nullable = true;
                }
                ast::AccessExpr::Subscript(ast::Subscript::Slice { lower_bound, upper_bound, stride: None }) => {
                    let low = lower_bound.as_ref().map_or_else(|| Ok(literal::int4(1)), |low| self.expr(low))?;
                    let high =
                        upper_bound.as_ref().map_or_else(|| Ok(literal::int4(i32::MAX)), |high| self.expr(high))?;
                    value = function("[:]", vec![value, low, high])?;
                }
                ast::AccessExpr::Subscript(_) => return Err(unsupported("an array slice with a stride")),
                ast::AccessExpr::Dot(_) => return Err(unsupported("a field of a composite value")),
            }
        }
        Ok(value)
    }

    /// `left op ANY (…)` and `left op ALL (…)` over an array or a subquery.
    fn quantified(
        &mut self,
        left: &'q ast::Expr,
        op: &BinaryOperator,
        right: &'q ast::Expr,
        all: bool,
    ) -> Result<Bound, PlanError> {
        let symbol = symbol(op)?;
        match strip_parentheses(right) {
            ast::Expr::Subquery(query) => self.quantified_subquery(left, &symbol, query, all),
            ast::Expr::Array(array)
                if !array.elem.is_empty() && matches!((symbol.as_str(), all), ("=", false) | ("<>", true)) =>
            {
                self.in_list(left, &array.elem, all)
            }
            array => {
                let op = format!("{symbol} {}", if all { "all" } else { "any" });
                let (mut left, mut array) = (self.expr(left)?, self.expr(array)?);
                if left.ty == ScalarType::Unknown && array.ty == ScalarType::Unknown {
                    left = left.cast(&ScalarType::Text, false)?;
                    array = array.cast(&ScalarType::Array(Box::new(ScalarType::Text)), false)?;
                }
                let mut found = binary(&op, left, array)?;
                found.nullable = true;
                Ok(found)
            }
        }
    }
}

fn steps_begin(first: &ast::Expr) -> Option<(u64, u64)> {
    let start = first.span().start;
    (start.line > 0).then_some((start.line, start.column))
}

/// The operator's symbol in the words of `eval::resolve`.
fn symbol(op: &BinaryOperator) -> Result<String, PlanError> {
    Ok(match op {
        BinaryOperator::NotEq => "<>".to_string(),
        BinaryOperator::PGExp => "^".to_string(),
        BinaryOperator::PGLikeMatch => "like".to_string(),
        BinaryOperator::PGILikeMatch => "ilike".to_string(),
        BinaryOperator::PGNotLikeMatch => "not like".to_string(),
        BinaryOperator::PGNotILikeMatch => "not ilike".to_string(),
        BinaryOperator::PGCustomBinaryOperator(parts) => parts.last().cloned().unwrap_or_default(),
        BinaryOperator::Overlaps => return Err(unsupported("OVERLAPS")),
        other => other.to_string(),
    })
}

/// Rounds a time to the digits that its type names.
fn round_to(bound: Bound, digits: Option<u8>) -> Result<Bound, PlanError> {
    let (Some(digits), Some(name)) = (digits, types::rounding_function(&bound.ty)) else { return Ok(bound) };
    function(name, vec![bound, literal::int4(i32::from(digits))])
}

/// The lower bound of `between symmetric`, which the parser sees as a call.
fn symmetric(low: &ast::Expr) -> Option<&ast::Expr> {
    one_argument(low, "symmetric")
}

/// The array of `like all (array)`, which the parser sees as a call.
fn all_of(pattern: &ast::Expr) -> Option<&ast::Expr> {
    one_argument(pattern, "all")
}

pub(super) fn one_argument<'e>(expr: &'e ast::Expr, name: &str) -> Option<&'e ast::Expr> {
    let ast::Expr::Function(call) = expr else { return None };
    let ast::FunctionArguments::List(list) = &call.args else { return None };
    match list.args.as_slice() {
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(arg))] if function_name(&call.name) == name => Some(arg),
        _ => None,
    }
}

fn is_text_literal(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Value(value) if matches!(value.value, ast::Value::SingleQuotedString(_)))
}

fn strip_parentheses(expr: &ast::Expr) -> &ast::Expr {
    match expr {
        ast::Expr::Nested(inner) => strip_parentheses(inner),
        other => other,
    }
}

pub(super) fn negate(bound: Bound) -> Bound {
    Bound { expr: not(bound.expr), ..bound }
}

pub(super) fn negate_if(negated: bool, bound: Bound) -> Bound {
    if negated { negate(bound) } else { bound }
}

/// The name of a function call, schema `pg_catalog` aside.
pub(super) fn function_name(name: &ast::ObjectName) -> String {
    let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(fold).collect();
    match parts.as_slice() {
        [schema, name] if schema == "pg_catalog" => name.clone(),
        parts => parts.join("."),
    }
}
