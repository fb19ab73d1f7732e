//! Aggregates and GROUP BY.
//!
//! ```text
//!   select lower(s), sum(x) + 1 from t group by lower(s)
//!     bind:   [Call lower #s]  [#a + 1]   with  #a = sum(#x)  collected in the scope
//!     regroup: [#g]            [#a + 1]   with  #g = lower(#s)
//! ```
//!
//! The select list is bound over the rows of FROM first; then every part of it that equals a GROUP BY expression becomes that
//! group's column. What is left of FROM's columns afterwards is an error, unless the groups hold a key of its table.

use std::collections::{BTreeMap, BTreeSet};

use eval::{AggregateCall, AggregateFunction, Expr, OrderTerm, resolve};
use row::{Datum, OwnedDatum, ScalarType, SortDirection};
use sqlparser::ast::{
    self, DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
};

use super::columns::ColumnId;
use super::function::plain_argument;
use super::query::direction;
use super::scope::{Clause, Scope};
use super::{Binder, Bound, resolve_error, unsupported};
use crate::plan::PlanError;
use crate::plan::clock::ClockReading;
use crate::plan::expr::{columns_of, evaluate, transform};

/// Names that PostgreSQL or a neighbour knows as aggregates, maintained or not.
pub(super) fn is_aggregate(name: &str) -> bool {
    matches!(
        name,
        "count"
            | "sum"
            | "avg"
            | "min"
            | "max"
            | "bool_and"
            | "bool_or"
            | "every"
            | "string_agg"
            | "array_agg"
            | "stddev"
            | "stddev_samp"
            | "stddev_pop"
            | "variance"
            | "var_samp"
            | "var_pop"
            | "corr"
            | "covar_pop"
            | "covar_samp"
            | "bit_and"
            | "bit_or"
            | "bit_xor"
            | "json_agg"
            | "jsonb_agg"
            | "json_object_agg"
            | "jsonb_object_agg"
            | "percentile_cont"
            | "percentile_disc"
            | "mode"
            | "median"
            | "listagg"
            | "any_value"
            | "regr_slope"
            | "regr_intercept"
            | "regr_r2"
            | "regr_count"
            | "regr_avgx"
            | "regr_avgy"
            | "regr_sxx"
            | "regr_syy"
            | "regr_sxy"
            | "group_concat"
            | "approx_count_distinct"
            | "count_if"
            | "countif"
            | "max_by"
            | "min_by"
            | "arg_max"
            | "arg_min"
            | "variance_samp"
            | "variance_pop"
            | "logical_and"
            | "logical_or"
            | "booland_agg"
            | "boolor_agg"
            | "xmlagg"
            | "range_agg"
            | "approx_distinct"
            | "approx_percentile"
            | "approx_quantiles"
            | "percentile_approx"
            | "approx_top_count"
            | "approx_top_k"
    )
}

/// Functions that make sense only with OVER.
pub(super) fn is_window_only(name: &str) -> bool {
    matches!(
        name,
        "row_number"
            | "rank"
            | "dense_rank"
            | "percent_rank"
            | "cume_dist"
            | "ntile"
            | "lag"
            | "lead"
            | "first_value"
            | "last_value"
            | "nth_value"
    )
}

impl<'q> Binder<'q> {
    /// Binds an aggregate's brackets over FROM, notes the call in the scope, and gives the column it will be.
    pub(super) fn aggregate_call(&mut self, name: &str, call: &'q ast::Function) -> Result<Bound, PlanError> {
        let clause = self.scopes.last().map(|scope| scope.clause);
        match clause {
            Some(
                Clause::Output | Clause::Having | Clause::Qualify | Clause::WindowArgument | Clause::WindowDefinition,
            ) => {}
            Some(Clause::Argument) => return Err(PlanError::new("aggregate function calls cannot be nested")),
            Some(clause) => {
                return Err(PlanError::new(format!("aggregate functions are not allowed in {}", clause.name())));
            }
            None => return Err(PlanError::new("aggregate functions are not allowed here")),
        }
        let outside = self.enter_argument();
        let bound = self.aggregate_arguments(name, call);
        self.leave_argument(outside);
        let (call, bound_type) = bound?;
        self.refuse_outer_aggregate(name, &call)?;
        let Some(scope) = self.scopes.last() else {
            return Err(PlanError::new("aggregate functions are not allowed here"));
        };
        if let Some((id, _)) = scope.aggregates.iter().find(|(_, known)| *known == call) {
            let id = *id;
            return Ok(self.column(id));
        }
        let id = self.columns.add(bound_type.describe(name));
        if let Some(scope) = self.scopes.last_mut() {
            scope.aggregates.push((id, call));
        }
        Ok(self.column(id))
    }

    fn enter_argument(&mut self) -> (Clause, Vec<super::rel::Apply>) {
        self.scopes.last_mut().map_or((Clause::Output, Vec::new()), |scope| {
            (std::mem::replace(&mut scope.clause, Clause::Argument), std::mem::take(&mut scope.applies))
        })
    }

    fn leave_argument(&mut self, (clause, outer_applies): (Clause, Vec<super::rel::Apply>)) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.clause = clause;
            let inner = std::mem::replace(&mut scope.applies, outer_applies);
            scope.argument_applies.extend(inner);
        }
    }

    /// The call with its brackets and its FILTER, and what it gives.
    pub(super) fn aggregate_arguments(
        &mut self,
        name: &str,
        call: &'q ast::Function,
    ) -> Result<(AggregateCall, Bound), PlanError> {
        let FunctionArguments::List(list) = &call.args else {
            return Err(PlanError::new(format!("function {name}() does not exist")));
        };
        let order_by = order_of(name, call, list)?;
        let distinct = matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct));
        let star = matches!(list.args.as_slice(), [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]);
        let mut args = Vec::new();
        if !star {
            if list.args.is_empty() && name == "count" {
                return Err(PlanError::new("count(*) must be used to call a parameterless aggregate function"));
            }
            for arg in &list.args {
                args.push(self.expr(plain_argument(name, arg)?)?);
            }
        }
        if distinct && star {
            return Err(PlanError::new(format!("DISTINCT is not allowed with {name}(*)")));
        }
        let mut filter = match &call.filter {
            Some(filter) => Some(self.expr(filter)?.into_condition("FILTER")?.expr),
            None => None,
        };
        let mut terms = Vec::new();
        for term in order_by {
            let bound = self.expr(&term.expr)?;
            let bound = if bound.ty == ScalarType::Unknown { bound.cast(&ScalarType::Text, false)? } else { bound };
            terms.push((bound, direction(term)?));
        }
        let mut name = name;
        if matches!(name, "count_if" | "countif") && args.len() == 1 {
            if distinct {
                return Err(unsupported(format!("DISTINCT inside {name}()")));
            }
            let condition = args.remove(0).into_condition(name)?.expr;
            filter = Some(match filter {
                Some(filter) => Expr::And(vec![filter, condition]),
                None => condition,
            });
            name = "count";
        }
        if is_ordered_set(name) {
            args.extend(terms.first().map(|(bound, _)| bound.clone()));
        }
        self.aggregate_over(name, args, distinct, filter, terms)
    }

    /// An aggregate over bound arguments; those of an ordered-set aggregate end with what WITHIN GROUP orders by.
    fn aggregate_over(
        &mut self,
        name: &str,
        args: Vec<Bound>,
        distinct: bool,
        filter: Option<Expr>,
        terms: Vec<(Bound, SortDirection)>,
    ) -> Result<(AggregateCall, Bound), PlanError> {
        use AggregateFunction as F;
        let types: Vec<_> = args.iter().map(|arg| arg.ty.clone()).collect();
        let (function, arg_types, returns) = resolve::aggregate(name, &types).map_err(resolve_error)?;
        let written: Vec<Expr> = args.iter().map(|arg| arg.expr.clone()).collect();
        let args = args.into_iter().zip(&arg_types).map(|(arg, ty)| arg.into_argument(ty));
        let mut args: Vec<Bound> = args.collect::<Result<_, _>>()?;
        let is_sorted = function.is_list() && distinct;
        let is_argument = |expr: &Expr| written.contains(expr) || args.iter().any(|arg| arg.expr == *expr);
        if is_sorted && terms.iter().any(|(bound, _)| !is_argument(&bound.expr)) {
            let message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
            return Err(PlanError::new(message));
        }
        let mut more = Vec::new();
        match function {
            F::PercentileCont | F::PercentileDisc => {
                let fraction = if name == "median" { median() } else { fraction_of(args.remove(0))? };
                more.push(fraction);
            }
            F::StringAgg => more.extend(args.drain(1..).map(|delimiter| delimiter.expr)),
            F::JsonAgg | F::JsonbAgg | F::JsonObjectAgg | F::JsonbObjectAgg => {
                let is_object = matches!(function, F::JsonObjectAgg | F::JsonbObjectAgg);
                if distinct && is_object {
                    return Err(unsupported(format!("DISTINCT inside {name}()"))
                        .with_hint("select the distinct pairs in a WITH query first"));
                }
                let to_json = if returns == ScalarType::Jsonb && !is_object { "to_jsonb" } else { "to_json" };
                for arg in &args {
                    more.push(super::coerce::function(to_json, vec![arg.clone()])?.expr);
                }
                args.truncate(1);
            }
            _ => {}
        }
        let mut args = args.into_iter();
        let arg = args.next();
        if args.next().is_some() {
            return Err(unsupported(format!("aggregate {name} with several arguments")));
        }
        let keeps_order = function.is_list() || matches!(function, F::PercentileCont | F::PercentileDisc | F::Mode);
        // The other aggregates do not depend on order: it was bound for its errors and is forgotten.
        let terms = if keeps_order { terms } else { Vec::new() };
        let order_by = terms.into_iter().map(|(bound, direction)| OrderTerm { expr: bound.expr, direction }).collect();
        let scale_max = arg.as_ref().and_then(Bound::scale);
        let keeps_scale = matches!(function, F::Sum | F::Min | F::Max | F::AnyValue | F::PercentileDisc | F::Mode);
        let is_count = matches!(function, F::CountRows | F::Count);
        let result = Bound {
            expr: Expr::Column(0),
            ty: returns.clone(),
            nullable: !is_count,
            scale_max: if returns.is_numeric() && keeps_scale { scale_max } else { None },
        };
        let call = AggregateCall {
            function,
            arg_type: arg.as_ref().map_or(returns.clone(), |arg| arg.ty.clone()),
            arg: arg.map(|arg| arg.expr),
            more,
            distinct,
            filter,
            order_by,
            returns,
            scale_max,
        };
        Ok((call, result))
    }

    /// In SQL an aggregate over outer columns alone belongs to the outer query; that form is refused.
    fn refuse_outer_aggregate(&self, name: &str, call: &AggregateCall) -> Result<(), PlanError> {
        let mut read = BTreeSet::new();
        call.exprs().for_each(|expr| read.extend(columns_of(expr)));
        let outer = |id: &ColumnId| {
            let outer = &self.scopes[..self.scopes.len().saturating_sub(1)];
            outer
                .iter()
                .any(|scope| scope.tables.iter().any(|table| table.columns.iter().any(|column| column.id == *id)))
        };
        if !read.is_empty() && read.iter().all(outer) {
            return Err(unsupported(format!("aggregate {name} over columns of an outer query alone"))
                .with_hint("compute it in a WITH query and join it"));
        }
        Ok(())
    }
}

/// Aggregates whose last argument stands in WITHIN GROUP.
fn is_ordered_set(name: &str) -> bool {
    matches!(name, "percentile_cont" | "percentile_disc" | "mode")
}

/// The order that a call asks for, in its brackets or behind WITHIN GROUP.
fn order_of<'q>(
    name: &str,
    call: &'q ast::Function,
    list: &'q ast::FunctionArgumentList,
) -> Result<Vec<&'q ast::OrderByExpr>, PlanError> {
    let mut order_by = Vec::new();
    for clause in &list.clauses {
        match clause {
            FunctionArgumentClause::OrderBy(terms) => order_by.extend(terms),
            other => return Err(unsupported(format!("{other} inside {name}()"))),
        }
    }
    if call.within_group.is_empty() {
        if is_ordered_set(name) {
            let message = format!("WITHIN GROUP is required for ordered-set aggregate {name}");
            return Err(PlanError::new(message));
        }
        return Ok(order_by);
    }
    if !order_by.is_empty() {
        return Err(PlanError::new("cannot use multiple ORDER BY clauses with WITHIN GROUP"));
    }
    let is_distinct = matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct));
    if is_ordered_set(name) && is_distinct {
        return Err(PlanError::new("cannot use DISTINCT with WITHIN GROUP"));
    }
    if is_ordered_set(name) && call.within_group.len() > 1 {
        return Err(PlanError::new(format!("{name} orders by one expression")));
    }
    if !is_ordered_set(name) && !matches!(name, "listagg" | "string_agg" | "array_agg") {
        let message = format!("{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP");
        return Err(PlanError::new(message));
    }
    Ok(call.within_group.iter().collect())
}

fn median() -> Expr {
    Expr::Literal { value: OwnedDatum::new(&Datum::Float64(0.5)), ty: ScalarType::Float64 }
}

/// A percentile's fraction, or an array of them: a literal, unless it reads columns (`Grouping::decides_fractions` looks at those).
fn fraction_of(fraction: Bound) -> Result<Expr, PlanError> {
    if !columns_of(&fraction.expr).is_empty() {
        return Ok(fraction.expr);
    }
    let value = evaluate(&fraction.expr).map_err(|error| PlanError::new(error.to_string()))?;
    let check = |datum: &Datum<'_>| match datum {
        Datum::Float64(value) if !(0.0..=1.0).contains(value) => {
            let value = row::float_text::format_float8(*value);
            Err(PlanError::new(format!("percentile value {value} is not between 0 and 1")))
        }
        _ => Ok(()),
    };
    match value.datum() {
        Datum::Array(elements) => elements.iter().try_for_each(|element| check(&element))?,
        datum => check(&datum)?,
    }
    Ok(Expr::Literal { value, ty: fraction.ty })
}

/// GROUP BY's expressions and what may stand above it.
pub(super) struct Grouping {
    pub groups: Vec<(ColumnId, Expr)>,
    /// Columns of FROM: above the grouping they may be read only through a group.
    from: BTreeMap<ColumnId, String>,
    /// (key of a table, all columns of that table).
    keys: Vec<(Vec<ColumnId>, Vec<ColumnId>)>,
    /// Readings of the clock beside FROM, and the number that each has above the grouping once it is read there.
    pub clock: BTreeMap<ColumnId, (ClockReading, Option<ColumnId>)>,
}

impl Grouping {
    pub fn new(scope: &Scope<'_>, groups: Vec<(ColumnId, Expr)>) -> Grouping {
        let mut from = BTreeMap::new();
        let mut keys = Vec::new();
        for table in &scope.tables {
            let qualifier = table.name.last().map_or(String::new(), |name| format!("{name}."));
            for column in &table.columns {
                from.entry(column.id).or_insert_with(|| format!("{qualifier}{}", column.name));
            }
            let columns: Vec<ColumnId> = table.columns.iter().map(|column| column.id).collect();
            keys.extend(table.keys.iter().map(|key| (key.clone(), columns.clone())));
        }
        for column in &scope.visible {
            from.entry(column.id).or_insert_with(|| column.name.clone());
        }
        Grouping { groups, from, keys, clock: BTreeMap::new() }
    }

    /// The expression over groups and aggregates instead of FROM.
    pub fn regroup(&mut self, binder: &mut Binder<'_>, expr: &Expr) -> Result<Expr, PlanError> {
        let mut failed = None;
        let new = transform(expr, &mut |part| {
            if !matches!(part, Expr::Literal { .. })
                && let Some((id, _)) = self.groups.iter().find(|(_, group)| group == part)
            {
                return Some(Expr::Column(*id));
            }
            let Expr::Column(column) = part else { return None };
            if let Some((reading, above)) = self.clock.get_mut(column) {
                let id = *above.get_or_insert_with(|| binder.columns.add(reading.column()));
                return Some(Expr::Column(id));
            }
            let name = self.from.get(column)?.clone();
            match self.add_dependent(binder, *column) {
                Some(id) => Some(Expr::Column(id)),
                None => {
                    failed = failed.take().or_else(|| {
                        let message = format!(
                            "column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function"
                        );
                        Some(PlanError::new(message))
                    });
                    None
                }
            }
        });
        failed.map_or(Ok(new), Err)
    }

    /// A percentile's fraction is one value per group: it may read nothing but what is grouped by.
    pub fn decides_fractions(
        &mut self,
        binder: &mut Binder<'_>,
        aggregates: &[(ColumnId, AggregateCall)],
    ) -> Result<(), PlanError> {
        use AggregateFunction as F;
        for (_, call) in aggregates {
            if !matches!(call.function, F::PercentileCont | F::PercentileDisc) {
                continue;
            }
            for fraction in &call.more {
                let hint = "Direct arguments of an ordered-set aggregate must use only grouped columns.";
                let above = self.regroup(binder, fraction).map_err(|error| error.with_hint(hint))?;
                let is_group = |id: &ColumnId| self.groups.iter().any(|(group, _)| group == id);
                if !columns_of(&above).iter().all(is_group) {
                    let name = if call.function == F::PercentileCont { "percentile_cont" } else { "percentile_disc" };
                    return Err(unsupported(format!("a subquery or the clock in the fraction of {name}()"))
                        .with_hint("select it in a WITH query below and group by it too"));
                }
            }
        }
        Ok(())
    }

    /// A column whose table's key is grouped by depends on the groups: it becomes one more group.
    fn add_dependent(&mut self, binder: &mut Binder<'_>, column: ColumnId) -> Option<ColumnId> {
        let grouped = |id: &ColumnId| self.groups.iter().any(|(_, expr)| *expr == Expr::Column(*id));
        if !self.keys.iter().any(|(key, columns)| columns.contains(&column) && key.iter().all(grouped)) {
            return None;
        }
        let info = binder.columns.get(column).clone();
        let id = binder.columns.add(info);
        self.groups.push((id, Expr::Column(column)));
        Some(id)
    }
}
