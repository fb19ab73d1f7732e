//! Functions that give rows: in FROM, where they may read what stands before them, and in the select list.
//!
//! ```text
//!   from t, unnest(t.tags) with ordinality as u(tag, n)     FlatMap, joined laterally
//!   select id, generate_series(1, n) from t                 FlatMap above the groups, below DISTINCT and LIMIT
//! ```
//!
//! 1. Several functions of one select list, and several arrays of one `unnest`, run side by side; the shorter are filled with NULLs.
//! 2. A function of the select list may stand inside an expression, but not inside CASE or COALESCE, as in PostgreSQL.

use eval::TableCall;
use eval::table_function::{TableResolution, resolve};
use sqlparser::ast::{self, FunctionArg, FunctionArguments, Spanned};

use super::clock::{Place, beside_clock};
use super::columns::ColumnId;
use super::expr::function_name;
use super::function::plain_argument;
use super::rel::{Apply, Rel};
use super::scope::{Clause, Output, Scope, Table, at};
use super::table_ref::From;
use super::{Binder, Bound, resolve_error, unsupported};
use crate::plan::{Column, PlanError};

/// Calls of a select list and the columns that they will be.
#[derive(Default)]
pub(super) struct SelectCalls {
    pub calls: Vec<TableCall>,
    pub columns: Vec<ColumnId>,
}

impl SelectCalls {
    pub fn over(self, rel: Rel) -> Rel {
        if self.calls.is_empty() {
            return rel;
        }
        Rel::FlatMap { input: Box::new(rel), calls: self.calls, columns: self.columns, keeps_input: false }
    }
}

/// A function in FROM as the parser gives it.
pub(super) struct FromCall<'q> {
    pub name: String,
    pub args: Vec<&'q ast::Expr>,
    pub with_ordinality: bool,
    pub alias: Option<&'q ast::TableAlias>,
}

/// The function of a FROM item; nothing for other items.
pub(super) fn from_call<'q>(factor: &'q ast::TableFactor) -> Result<Option<FromCall<'q>>, PlanError> {
    let plain = |name: &ast::ObjectName, args: &'q [FunctionArg]| {
        let name = function_name(name);
        let args = args.iter().map(|arg| plain_argument(&name, arg)).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, PlanError>((name, args))
    };
    let (name, args, with_ordinality, alias) = match factor {
        ast::TableFactor::Table { name, args: Some(list), with_ordinality, alias, .. } => {
            let (name, args) = plain(name, &list.args)?;
            (name, args, *with_ordinality, alias)
        }
        ast::TableFactor::Function { name, args, with_ordinality, alias, .. } => {
            let (name, args) = plain(name, args)?;
            (name, args, *with_ordinality, alias)
        }
        ast::TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_ordinality, .. } => {
            ("unnest".to_owned(), array_exprs.iter().collect(), *with_ordinality, alias)
        }
        ast::TableFactor::UNNEST { .. } => {
            return Err(unsupported("WITH OFFSET").with_hint("write WITH ORDINALITY, which counts from 1"));
        }
        _ => return Ok(None),
    };
    Ok(Some(FromCall { name, args, with_ordinality, alias: alias.as_ref() }))
}

impl<'q> Binder<'q> {
    /// A function in FROM; its arguments may read what stands to its left.
    pub(super) fn table_call(
        &mut self,
        call: FromCall<'q>,
        tables: &[Table],
        visible: &[Output],
    ) -> Result<From, PlanError> {
        if !eval::table_function::is_table_function(&call.name) {
            return Err(unsupported(format!("table function {}()", call.name)));
        }
        self.scopes.push(Scope::new(tables.to_vec(), visible.to_vec(), Clause::From));
        let args: Result<Vec<Bound>, PlanError> = call.args.iter().map(|arg| self.expr(arg)).collect();
        let scope = self.scopes.pop();
        let (applies, clock) = scope.map_or_else(Default::default, |scope| (scope.applies, scope.clock));
        let input = applies.into_iter().fold(beside_clock(Rel::Unit, &clock, Place::From), Rel::apply);
        let mut args = args?;
        let several = call.name == "unnest" && args.len() > 1;
        let groups: Vec<Vec<Bound>> = if several { args.drain(..).map(|arg| vec![arg]).collect() } else { vec![args] };
        let only = groups.len() == 1;
        let (mut calls, mut columns, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        for args in groups {
            let (call_of, resolved, scale_max) = self.resolve_call(&call.name, args)?;
            let alias = call.alias.filter(|_| only).map(|alias| super::fold(&alias.name));
            let name = resolved.column.map(str::to_owned).or(alias).unwrap_or_else(|| call.name.clone());
            let nullable = resolved.function != eval::TableFunction::GenerateSeries || !only;
            let id = self.columns.add(Column { name: name.clone(), ty: resolved.returns, nullable, scale_max });
            calls.push(call_of);
            columns.push(id);
            outputs.push(Output::new(name, id));
        }
        if call.with_ordinality {
            let name = "ordinality".to_owned();
            let column = Column { name: name.clone(), ty: row::ScalarType::Int64, nullable: false, scale_max: None };
            let id = self.columns.add(column);
            columns.push(id);
            outputs.push(Output::new(name, id));
        }
        let rel = Rel::FlatMap { input: Box::new(input), calls, columns, keeps_input: false };
        let scalar = outputs.first().filter(|_| only).map(|output| output.id);
        let mut from = self.named(rel, outputs, vec![call.name], call.alias, Vec::new())?;
        from.tables.iter_mut().for_each(|table| table.scalar = scalar);
        Ok(from)
    }

    fn resolve_call(
        &mut self,
        name: &str,
        args: Vec<Bound>,
    ) -> Result<(TableCall, TableResolution, Option<u16>), PlanError> {
        let types: Vec<row::ScalarType> = args.iter().map(|arg| arg.ty.clone()).collect();
        let resolved = resolve(name, &types).map_err(resolve_error)?;
        let scales = args.iter().filter(|arg| arg.ty.is_number() || arg.is_unknown_literal()).map(Bound::scale);
        let scale_max = if resolved.returns.is_numeric() {
            scales.collect::<Option<Vec<_>>>().and_then(|scales| scales.into_iter().max())
        } else {
            None
        };
        let mut exprs = Vec::with_capacity(args.len());
        for (arg, ty) in args.into_iter().zip(&resolved.arg_types) {
            exprs.push(arg.into_argument(ty)?.expr);
        }
        Ok((TableCall { function: resolved.function, args: exprs }, resolved, scale_max))
    }

    /// A function of the select list: the column that its rows will have.
    pub(super) fn select_call(&mut self, name: &str, call: &'q ast::Function) -> Result<Bound, PlanError> {
        let clause = self.scopes.last().map(|scope| scope.clause);
        match clause {
            Some(Clause::Output | Clause::GroupBy) => {}
            Some(Clause::Argument) => {
                return Err(PlanError::new("aggregate function calls cannot contain set-returning function calls")
                    .with_hint("move the function to FROM, as in FROM t, unnest(t.tags) AS tag"));
            }
            Some(clause) => {
                let message = format!("set-returning functions are not allowed in {}", clause.name());
                return Err(PlanError::new(message));
            }
            None => return Err(PlanError::new("set-returning functions are not allowed here")),
        }
        let before = self.pending_calls();
        let FunctionArguments::List(list) = &call.args else {
            return Err(PlanError::new(format!("function {name}() does not exist")));
        };
        let mut args = Vec::with_capacity(list.args.len());
        for arg in &list.args {
            args.push(self.expr(plain_argument(name, arg)?)?);
        }
        self.refuse_calls_since(before, "another set-returning function")?;
        let (call, resolved, scale_max) = self.resolve_call(name, args)?;
        let column = Column {
            name: resolved.column.unwrap_or(name).to_owned(),
            ty: resolved.returns,
            nullable: true,
            scale_max,
        };
        let id = self.columns.add(column);
        if let Some(scope) = self.scopes.last_mut() {
            scope.calls.calls.push(call);
            scope.calls.columns.push(id);
        }
        Ok(self.column(id))
    }

    pub(super) fn pending_calls(&self) -> usize {
        self.scopes.last().map_or(0, |scope| scope.calls.calls.len())
    }

    /// Refuses functions that give rows where only one value can stand.
    pub(super) fn refuse_calls_since(&self, before: usize, what: &str) -> Result<(), PlanError> {
        if self.pending_calls() == before {
            return Ok(());
        }
        Err(PlanError::new(format!("set-returning functions are not allowed in {what}"))
            .with_hint("You might be able to move the set-returning function into a LATERAL FROM item."))
    }

    /// The calls met since the last time they were taken.
    pub(super) fn take_calls(&mut self) -> SelectCalls {
        self.scopes.last_mut().map_or_else(SelectCalls::default, |scope| std::mem::take(&mut scope.calls))
    }
}

/// Puts the subqueries and the calls of GROUP BY below the groups.
pub(super) fn below_groups(rel: Rel, applies: Vec<Apply>, calls: SelectCalls) -> Rel {
    calls.over(applies.into_iter().fold(rel, Rel::apply))
}

pub(super) fn place(error: PlanError, factor: &ast::TableFactor) -> PlanError {
    at(error, factor.span())
}
