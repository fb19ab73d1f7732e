//! Function calls: plain functions, the few that are expressions of their own, and refusals by name.

use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::coerce::function;
use super::expr::function_name;
use super::select::GROUPING_HINT;
use super::window::ignore_nulls;
use super::{Binder, Bound, aggregate, unsupported};
use crate::plan::PlanError;

impl<'q> Binder<'q> {
    pub(super) fn call(&mut self, call: &'q ast::Function) -> Result<Bound, PlanError> {
        let name = function_name(&call.name);
        if let Some(over) = &call.over {
            return self.window_call(&name, call, over);
        }
        if !call.within_group.is_empty() && !aggregate::is_aggregate(&name) {
            return Err(PlanError::new(format!("WITHIN GROUP specified, but {name} is not an aggregate function")));
        }
        if call.null_treatment.is_some() {
            return Err(ignore_nulls(&name));
        }
        if !matches!(call.parameters, FunctionArguments::None) {
            return Err(unsupported(format!("parameters before the arguments of {name}()")));
        }
        if aggregate::is_aggregate(&name) {
            return self.aggregate_call(&name, call);
        }
        if call.filter.is_some() {
            return Err(PlanError::new(format!("FILTER specified, but {name} is not an aggregate function")));
        }
        if aggregate::is_window_only(&name) {
            return Err(PlanError::new(format!("window function {name} requires an OVER clause")));
        }
        if eval::table_function::is_table_function(&name) {
            return self.select_call(&name, call);
        }
        if name == "grouping" {
            return Err(unsupported("GROUPING()").with_hint(GROUPING_HINT));
        }
        let calls = self.pending_calls();
        let args = self.arguments(&name, call)?;
        if let Some(time) = self.clock_function(&name, args.len())? {
            return Ok(time);
        }
        match name.as_str() {
            "coalesce" | "nvl" | "ifnull" if !args.is_empty() => {
                self.refuse_calls_since(calls, "COALESCE")?;
                self.coalesce(args)
            }
            _ => function(&name, args),
        }
    }

    fn arguments(&mut self, name: &str, call: &'q ast::Function) -> Result<Vec<Bound>, PlanError> {
        match &call.args {
            FunctionArguments::None => Ok(Vec::new()),
            FunctionArguments::Subquery(query) => Ok(vec![self.scalar_subquery(query)?]),
            FunctionArguments::List(list) => {
                if list.duplicate_treatment.is_some() {
                    return Err(PlanError::new(format!("DISTINCT specified, but {name} is not an aggregate function")));
                }
                if !list.clauses.is_empty() {
                    return Err(unsupported(format!("a clause inside the brackets of {name}()")));
                }
                list.args.iter().map(|arg| self.expr(plain_argument(name, arg)?)).collect()
            }
        }
    }
}

/// An argument that is an expression without a name.
pub(super) fn plain_argument<'a>(name: &str, arg: &'a FunctionArg) -> Result<&'a ast::Expr, PlanError> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        FunctionArg::Unnamed(_) => Err(PlanError::new(format!("{name}(*) specified, but {name} is not count"))),
        _ => Err(unsupported(format!("named arguments of {name}()"))),
    }
}
