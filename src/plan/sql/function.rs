//! Function calls: plain functions, the few that are expressions of their own, and refusals by name.

use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::coerce::function;
use super::expr::{function_name, one_argument};
use super::literal::number;
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
        if name == "row" {
            return Err(unsupported("a row value outside of a comparison"));
        }
        let calls = self.pending_calls();
        if let Some(plain) = plain_arguments(call)
            && let Some(bound) = self.warehouse_call(&name, &plain)?
        {
            self.refuse_calls_since(calls, &format!("{name}()"))?;
            return Ok(bound);
        }
        let args = self.arguments(&name, call)?;
        if let Some(time) = self.clock_function(&name, args.len())? {
            return Ok(time);
        }
        match name.as_str() {
            "coalesce" if !args.is_empty() => {
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
                if list.args.iter().any(|arg| matches!(arg, FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. }))
                {
                    return self.named_arguments(name, &list.args);
                }
                let mut bounds = Vec::with_capacity(list.args.len());
                for arg in &list.args {
                    let arg = plain_argument(name, arg)?;
                    match one_argument(arg, "variadic") {
                        Some(array) => self.variadic(name, array, &mut bounds)?,
                        None => bounds.push(self.expr(arg)?),
                    }
                }
                Ok(bounds)
            }
        }
    }
}

/// Parameters of functions that are called by name, with what an absent one is.
const NAMED: &[(&str, &[(&str, &str)])] = &[
    (
        "make_interval",
        &[
            ("years", "0"),
            ("months", "0"),
            ("weeks", "0"),
            ("days", "0"),
            ("hours", "0"),
            ("mins", "0"),
            ("secs", "0.0"),
        ],
    ),
    ("make_date", &[("year", ""), ("month", ""), ("day", "")]),
    ("make_time", &[("hour", ""), ("min", ""), ("sec", "")]),
    ("make_timestamp", &[("year", ""), ("month", ""), ("mday", ""), ("hour", ""), ("min", ""), ("sec", "")]),
];

impl<'q> Binder<'q> {
    /// `make_interval(days => 3)`: the arguments in their parameters' order.
    fn named_arguments(&mut self, name: &str, args: &'q [FunctionArg]) -> Result<Vec<Bound>, PlanError> {
        let Some((_, parameters)) = NAMED.iter().find(|(function, _)| *function == name) else {
            return Err(unsupported(format!("a named argument of {name}()")).with_hint("write the arguments in order"));
        };
        let mut given: Vec<Option<Bound>> = vec![None; parameters.len()];
        for (position, arg) in args.iter().enumerate() {
            let named = match arg {
                FunctionArg::Named { name: word, arg: FunctionArgExpr::Expr(value), .. }
                | FunctionArg::ExprNamed {
                    name: ast::Expr::Identifier(word), arg: FunctionArgExpr::Expr(value), ..
                } => Some((super::fold(word), value)),
                _ => None,
            };
            let (at, value, word) = match named {
                Some((word, value)) => {
                    let Some(at) = parameters.iter().position(|(parameter, _)| *parameter == word) else {
                        return Err(PlanError::new(format!("function {name}() has no argument \"{word}\"")));
                    };
                    (at, value, word)
                }
                None if position < given.len() => (position, plain_argument(name, arg)?, String::new()),
                None => return Err(PlanError::new(format!("function {name}() has fewer arguments"))),
            };
            let value = self.expr(value)?;
            if given[at].replace(value).is_some() {
                return Err(PlanError::new(format!("argument name \"{word}\" used more than once")));
            }
        }
        given
            .into_iter()
            .zip(*parameters)
            .map(|(value, (parameter, default))| match value {
                Some(value) => Ok(value),
                None if default.is_empty() => {
                    Err(PlanError::new(format!("{name}() lacks its argument \"{parameter}\"")))
                }
                None => number(default),
            })
            .collect()
    }

    /// `variadic array[a, b]` gives the arguments themselves.
    fn variadic(&mut self, name: &str, array: &'q ast::Expr, bounds: &mut Vec<Bound>) -> Result<(), PlanError> {
        match array {
            ast::Expr::Array(array) => {
                for element in &array.elem {
                    bounds.push(self.expr(element)?);
                }
                Ok(())
            }
            _ => Err(unsupported(format!("VARIADIC of an array that is not written out, in {name}()"))
                .with_hint("write variadic array[…], or array_to_string(array, delimiter)")),
        }
    }
}

/// The arguments of a call that has nothing but plain ones.
fn plain_arguments(call: &ast::Function) -> Option<Vec<&ast::Expr>> {
    let FunctionArguments::List(list) = &call.args else { return None };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    list.args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => Some(arg),
            _ => None,
        })
        .collect()
}

/// An argument that is an expression without a name.
pub(super) fn plain_argument<'a>(name: &str, arg: &'a FunctionArg) -> Result<&'a ast::Expr, PlanError> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        FunctionArg::Unnamed(_) => Err(PlanError::new(format!("{name}(*) specified, but {name} is not count"))),
        _ => Err(unsupported(format!("named arguments of {name}()"))),
    }
}
