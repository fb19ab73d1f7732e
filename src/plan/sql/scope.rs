//! Which column a name means.
//!
//! ```text
//!   scopes:  [ outer query ] [ subquery ] [ its subquery ]   <- a name is looked for from the right
//! ```
//!
//! A scope holds the tables of one FROM clause and, once the select list is known, its output names: an output name may be
//! used inside the same SELECT where no column of that name is in reach, as many warehouses allow.

use std::collections::BTreeMap;

use eval::{AggregateCall, Expr};
use sqlparser::ast;
use sqlparser::tokenizer::Span;

use super::clock::ClockColumn;
use super::columns::ColumnId;
use super::rel::Apply;
use super::table_function::SelectCalls;
use super::window::Windowed;
use super::{Binder, Bound, fold, spell};
use crate::plan::PlanError;

/// A name in FROM: what may stand before the dot.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// The alias, or the parts of the relation's name.
    pub name: Vec<String>,
    pub columns: Vec<Output>,
    /// Column sets that are unique in this table.
    pub keys: Vec<Vec<ColumnId>>,
    /// Of a function whose rows are single values: their column, which the table's own name means, too.
    pub scalar: Option<ColumnId>,
}

/// A column under a name.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub name: String,
    pub id: ColumnId,
    /// For a literal whose type no context has decided yet: the literal.
    pub literal: Option<Expr>,
}

impl Output {
    pub fn new(name: impl Into<String>, id: ColumnId) -> Output {
        Output { name: name.into(), id, literal: None }
    }
}

/// Where in a SELECT an expression stands: what is allowed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clause {
    From,
    On,
    Where,
    GroupBy,
    /// Select list, ORDER BY, DISTINCT ON: aggregates and window calls are collected.
    Output,
    /// Aggregates are collected.
    Having,
    /// As the select list, after it.
    Qualify,
    /// Inside the brackets of a window call: aggregates are collected.
    WindowArgument,
    /// Inside OVER: aggregates are collected.
    WindowDefinition,
    /// Inside an aggregate's brackets.
    Argument,
    Values,
    Limit,
}

impl Clause {
    pub fn name(self) -> &'static str {
        match self {
            Clause::From => "functions in FROM",
            Clause::On => "JOIN conditions",
            Clause::Where => "WHERE",
            Clause::GroupBy => "GROUP BY",
            Clause::Output => "the select list",
            Clause::Having => "HAVING",
            Clause::Qualify => "QUALIFY",
            Clause::WindowArgument => "window arguments",
            Clause::WindowDefinition => "window definitions",
            Clause::Argument => "aggregate arguments",
            Clause::Values => "VALUES",
            Clause::Limit => "LIMIT",
        }
    }
}

/// One SELECT while it is bound.
pub(super) struct Scope<'q> {
    pub tables: Vec<Table>,
    /// What `*` means and what a name without a table is looked for in; columns merged by USING stand once.
    pub visible: Vec<Output>,
    pub clause: Clause,
    /// Output names of the select list.
    pub aliases: BTreeMap<String, &'q ast::Expr>,
    /// Output names being resolved now, against circles.
    pub resolving: Vec<String>,
    /// Subqueries met in the clause that is being bound; the clause's relation takes them.
    pub applies: Vec<Apply>,
    /// Subqueries met inside aggregates' brackets: they belong below the aggregation.
    pub argument_applies: Vec<Apply>,
    pub aggregates: Vec<(ColumnId, AggregateCall)>,
    /// The WINDOW clause, in order.
    pub named_windows: Vec<(String, &'q ast::NamedWindowExpr)>,
    pub windows: Vec<Windowed>,
    /// Subqueries met inside window calls: they belong below the windows.
    pub window_applies: Vec<Apply>,
    /// Functions of the select list that give rows.
    pub calls: SelectCalls,
    /// What this SELECT reads of the clock.
    pub clock: Vec<ClockColumn>,
}

impl<'q> Scope<'q> {
    pub fn new(tables: Vec<Table>, visible: Vec<Output>, clause: Clause) -> Scope<'q> {
        Scope {
            tables,
            visible,
            clause,
            aliases: BTreeMap::new(),
            resolving: Vec::new(),
            applies: Vec::new(),
            argument_applies: Vec::new(),
            aggregates: Vec::new(),
            named_windows: Vec::new(),
            windows: Vec::new(),
            window_applies: Vec::new(),
            calls: SelectCalls::default(),
            clock: Vec::new(),
        }
    }

    fn tables_named<'s>(&'s self, parts: &'s [String]) -> impl Iterator<Item = &'s Table> {
        self.tables.iter().filter(move |table| table.name.ends_with(parts))
    }
}

/// What a name was found to be.
enum Found<'q> {
    Column(ColumnId),
    Alias(&'q ast::Expr),
}

impl<'q> Binder<'q> {
    /// The column or output name `name`.
    pub(super) fn named_column(&mut self, ident: &'q ast::Ident) -> Result<Bound, PlanError> {
        let name = fold(ident);
        match self.find(&name, ident.span)? {
            Found::Column(id) => Ok(self.column(id)),
            Found::Alias(expr) => {
                if let Some(scope) = self.scopes.last_mut() {
                    scope.resolving.push(name);
                }
                let bound = self.expr(expr);
                if let Some(scope) = self.scopes.last_mut() {
                    scope.resolving.pop();
                }
                bound
            }
        }
    }

    fn find(&self, name: &str, span: Span) -> Result<Found<'q>, PlanError> {
        for scope in self.scopes.iter().rev() {
            let mut matches = scope.visible.iter().filter(|column| column.name == name);
            if let Some(column) = matches.next() {
                if matches.next().is_some() {
                    return Err(at(PlanError::new(format!("column reference \"{name}\" is ambiguous")), span));
                }
                return Ok(Found::Column(column.id));
            }
        }
        // The row of a function that gives single values is the value: `jsonb_array_elements(x) as e` and then `e ->> 'a'`.
        let mut tables = self.scopes.iter().rev().flat_map(|scope| &scope.tables);
        if let Some(table) = tables.find(|table| table.name.last().is_some_and(|last| last == name))
            && let Some(id) = table.scalar
        {
            return Ok(Found::Column(id));
        }
        if let Some(scope) = self.scopes.last()
            && let Some(expr) = scope.aliases.get(name)
            && !scope.resolving.iter().any(|open| open == name)
        {
            return Ok(Found::Alias(expr));
        }
        if self.scopes.iter().any(|scope| scope.tables.iter().any(|table| table.name.last().is_some_and(|t| t == name)))
        {
            let error = PlanError::new(format!("the whole row \"{name}\" is used as a value, which is not supported"));
            return Err(at(error.with_hint(format!("name the column: {name}.<column>")), span));
        }
        Err(at(self.no_column(name, name), span))
    }

    /// Whether a column of that name is in the innermost scope.
    pub(super) fn is_own_column(&self, name: &str) -> bool {
        self.scopes.last().is_some_and(|scope| scope.visible.iter().any(|column| column.name == name))
    }

    /// `table.column`, `schema.table.column`.
    pub(super) fn qualified_column(&mut self, idents: &[ast::Ident]) -> Result<Bound, PlanError> {
        let span = idents.iter().map(|ident| ident.span).reduce(|a, b| a.union(&b)).unwrap_or_else(Span::empty);
        let parts: Vec<String> = idents.iter().map(fold).collect();
        let Some((column, table)) = parts.split_last() else {
            return Err(at(PlanError::new("a column name is missing"), span));
        };
        let shown = format!("{}.{column}", table.join("."));
        for scope in self.scopes.iter().rev() {
            let mut found = None;
            let mut table_seen = false;
            for candidate in scope.tables_named(table) {
                table_seen = true;
                for output in candidate.columns.iter().filter(|output| output.name == *column) {
                    if found.replace(output.id).is_some() {
                        return Err(at(PlanError::new(format!("column reference \"{shown}\" is ambiguous")), span));
                    }
                }
            }
            match found {
                Some(id) => return Ok(self.column(id)),
                None if table_seen => return Err(at(self.no_column(column, &shown), span)),
                None => {}
            }
        }
        Err(at(self.no_table(&table.join(".")), span))
    }

    /// The columns of `table.*`.
    pub(super) fn table_columns(&self, name: &ast::ObjectName, span: Span) -> Result<Vec<Output>, PlanError> {
        let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(fold).collect();
        for scope in self.scopes.iter().rev() {
            if let Some(table) = scope.tables_named(&parts).next() {
                return Ok(table.columns.clone());
            }
        }
        Err(at(self.no_table(&parts.join(".")), span))
    }

    fn no_table(&self, name: &str) -> PlanError {
        let error = PlanError::new(format!("missing FROM-clause entry for table \"{name}\""));
        let known = self.scopes.iter().rev().flat_map(|scope| &scope.tables).filter_map(|table| table.name.last());
        match spell::nearest(name, known.map(String::as_str)) {
            Some(near) => error.with_hint(format!("did you mean \"{near}\"?")),
            None => error,
        }
    }

    fn no_column(&self, name: &str, shown: &str) -> PlanError {
        let quoted = if shown == name { format!("\"{shown}\"") } else { shown.to_string() };
        let error = PlanError::new(format!("column {quoted} does not exist"));
        let known = self.scopes.iter().rev().flat_map(|scope| &scope.tables).flat_map(|table| &table.columns);
        match spell::nearest(name, known.map(|column| column.name.as_str())) {
            Some(near) => error.with_hint(format!("did you mean \"{near}\"?")),
            None => error,
        }
    }
}

/// Notes where in the SQL an error is.
pub(super) fn at(error: PlanError, span: Span) -> PlanError {
    error.at(span.start.line, span.start.column)
}
