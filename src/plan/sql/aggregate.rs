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

use eval::{AggregateCall, AggregateFunction, Expr, resolve};
use sqlparser::ast::{
    self, DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
};

use super::columns::ColumnId;
use super::function::plain_argument;
use super::scope::{Clause, Scope};
use super::{Binder, Bound, resolve_error, unsupported};
use crate::plan::PlanError;
use crate::plan::expr::{columns_of, transform};

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
        let mut order_by = Vec::new();
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(terms) => order_by.extend(terms),
                other => return Err(unsupported(format!("{other} inside {name}()"))),
            }
        }
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
        let types: Vec<_> = args.iter().map(|arg| arg.ty.clone()).collect();
        let (function, arg_types, returns) = resolve::aggregate(name, &types).map_err(resolve_error)?;
        if distinct && star {
            return Err(PlanError::new(format!("DISTINCT is not allowed with {name}(*)")));
        }
        let filter = match &call.filter {
            Some(filter) => Some(self.expr(filter)?.into_condition("FILTER")?.expr),
            None => None,
        };
        // The aggregates that are maintained do not depend on order: bound for its errors, then forgotten.
        for term in order_by {
            self.expr(&term.expr)?;
        }
        let mut args = args.into_iter().zip(&arg_types).map(|(arg, ty)| arg.into_argument(ty));
        let arg = args.next().transpose()?;
        if args.next().is_some() {
            return Err(unsupported(format!("aggregate {name} with several arguments")));
        }
        let scale_max = arg.as_ref().and_then(Bound::scale);
        let keeps_scale = matches!(function, AggregateFunction::Sum | AggregateFunction::Min | AggregateFunction::Max);
        let is_count = matches!(function, AggregateFunction::CountRows | AggregateFunction::Count);
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
            distinct,
            filter,
            order_by: Vec::new(),
            returns,
            scale_max,
        };
        Ok((call, result))
    }

    /// In SQL an aggregate over outer columns alone belongs to the outer query; that form is refused.
    fn refuse_outer_aggregate(&self, name: &str, call: &AggregateCall) -> Result<(), PlanError> {
        let mut read = BTreeSet::new();
        call.arg.iter().chain(&call.filter).for_each(|expr| read.extend(columns_of(expr)));
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

/// GROUP BY's expressions and what may stand above it.
pub(super) struct Grouping {
    pub groups: Vec<(ColumnId, Expr)>,
    /// Columns of FROM: above the grouping they may be read only through a group.
    from: BTreeMap<ColumnId, String>,
    /// (key of a table, all columns of that table).
    keys: Vec<(Vec<ColumnId>, Vec<ColumnId>)>,
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
        Grouping { groups, from, keys }
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
