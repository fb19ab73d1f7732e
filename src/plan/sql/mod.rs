//! From the compiled SQL of one model to its plan.
//!
//! ```text
//!   text ──parse──> AST ──query, select, table_ref, expr, …──> Rel ──lower, decorrelate──> Plan
//!                          │                                    │
//!            names by scope, types by eval::resolve       subqueries become joins
//! ```
//!
//! 1. This folder alone knows the parser. What leaves it has columns by position and types by PostgreSQL's rules.
//! 2. An error speaks PostgreSQL's words where PostgreSQL refuses too, and carries line and column of the compiled SQL.
//! 3. A construct that has no plan yet is refused by its name, never dropped and never approximated.
//! 4. Every subquery, correlated or not, leaves as joins, reductions and distincts over the outer rows' keys
//!    (Neumann and Kemper, "Unnesting Arbitrary Queries").

mod aggregate;
mod by_value;
mod clock;
mod coerce;
mod columns;
mod date_units;
mod decorrelate;
mod expr;
mod frame;
mod function;
mod interval;
mod join_plan;
mod literal;
mod lower;
mod output_name;
mod parse;
mod query;
mod recursion;
mod rel;
mod respell;
mod row_value;
mod scope;
mod select;
mod shown_order;
mod spell;
mod subquery;
mod table_function;
mod table_ref;
mod time_pictures;
mod type_name;
mod types;
mod warehouses;
mod window;
mod window_plan;

#[cfg(test)]
mod refused_tests;
#[cfg(test)]
mod sql_tests;
#[cfg(test)]
mod window_tests;

pub use shown_order::shown_order;
pub use type_name::parse_type;

use std::sync::Arc;

use eval::Expr;
use row::ScalarType;
use sqlparser::ast;

use self::columns::{ColumnId, Columns};
use self::query::Cte;
use self::scope::Scope;
use super::{Column, Plan, PlanError, RelationId, RelationType};

/// Expressions and queries nested deeper than this are refused instead of overflowing the stack.
const DEPTH_MAX: usize = 100;

/// What a relation's name (its parts, folded as PostgreSQL folds them) stands for in the project.
pub type ResolveRelation<'a> = dyn Fn(&[String]) -> Option<(RelationId, RelationType)> + 'a;

/// A model's plan and the columns of the table it makes.
#[derive(Clone, Debug)]
pub struct BoundModel {
    pub plan: Arc<Plan>,
    /// Names as the SELECT gives them; types, nullability and order are the plan's.
    pub columns: Vec<Column>,
    /// What works but may surprise: ties that the SQL leaves open.
    pub warnings: Vec<String>,
}

/// Binds one model: names and types resolved, subqueries taken apart, nothing rewritten for speed.
///
/// The plan's columns are exactly `columns`; two of one name are refused, as CREATE TABLE AS refuses them.
pub fn bind(sql: &str, resolve: &ResolveRelation<'_>) -> Result<BoundModel, PlanError> {
    let model = bind_query(sql, resolve)?;
    if model.columns.is_empty() {
        return Err(PlanError::new("a model without columns is not supported")
            .with_hint("select a constant: select 1 as n from …"));
    }
    for (index, column) in model.columns.iter().enumerate() {
        if model.columns[..index].iter().any(|earlier| earlier.name == column.name) {
            return Err(PlanError::new(format!("column \"{}\" specified more than once", column.name))
                .with_hint("give each column of the model a name of its own with AS"));
        }
    }
    Ok(model)
}

/// Binds a query that makes no table (a test, `show --inline`): its columns may share names.
pub fn bind_query(sql: &str, resolve: &ResolveRelation<'_>) -> Result<BoundModel, PlanError> {
    let query = parse::parse_query(sql)?;
    let mut binder = Binder {
        resolve,
        columns: Columns::default(),
        ctes: Vec::new(),
        visible_ctes: Vec::new(),
        scopes: Vec::new(),
        depth: 0,
    };
    let mut bound = binder.query(&query, query::Literals::Resolve)?;
    for cte in &mut binder.ctes {
        by_value::compare_by_value(&mut binder.columns, &mut cte.rel)?;
    }
    by_value::compare_by_value(&mut binder.columns, &mut bound.rel)?;
    let names: Vec<String> = bound.outputs.iter().map(|output| output.name.clone()).collect();
    let (plan, warnings) = lower::lower(&binder.columns, &binder.ctes, &bound)?;
    let typ = plan.typ();
    let columns = names.into_iter().zip(typ.columns).map(|(name, column)| Column { name, ..column }).collect();
    Ok(BoundModel { plan, columns, warnings })
}

/// The state of binding one statement.
struct Binder<'q> {
    resolve: &'q ResolveRelation<'q>,
    columns: Columns,
    /// All WITH queries met, by number.
    ctes: Vec<Cte>,
    /// Names of WITH queries in reach, innermost WITH last.
    visible_ctes: Vec<Vec<(String, usize)>>,
    /// SELECTs being bound, innermost last.
    scopes: Vec<Scope<'q>>,
    /// How deep the expression or query being bound is nested.
    depth: usize,
}

/// A typed scalar expression over column numbers.
#[derive(Clone, Debug)]
struct Bound {
    expr: Expr,
    ty: ScalarType,
    nullable: bool,
    /// For numerics: an upper bound of the digits after the point, where one is known.
    scale_max: Option<u16>,
}

impl Bound {
    fn new(expr: Expr, ty: ScalarType, nullable: bool) -> Bound {
        Bound { expr, ty, nullable, scale_max: None }
    }

    /// A boolean that is never NULL.
    fn boolean(expr: Expr) -> Bound {
        Bound::new(expr, ScalarType::Bool, false)
    }

    fn is_unknown_literal(&self) -> bool {
        self.ty == ScalarType::Unknown && matches!(self.expr, Expr::Literal { .. })
    }

    /// Digits after the point, integers having none.
    fn scale(&self) -> Option<u16> {
        if self.ty.is_integer() { Some(0) } else { self.scale_max }
    }

    fn describe(&self, name: &str) -> Column {
        Column { name: name.to_string(), ty: self.ty.clone(), nullable: self.nullable, scale_max: self.scale_max }
    }
}

impl Binder<'_> {
    /// Goes one level deeper for `bind`.
    fn deeper<T>(&mut self, bind: impl FnOnce(&mut Self) -> Result<T, PlanError>) -> Result<T, PlanError> {
        if self.depth >= DEPTH_MAX {
            return Err(PlanError::new(format!("the SQL is nested more than {DEPTH_MAX} levels deep"))
                .with_hint("move parts of it to WITH queries"));
        }
        self.depth += 1;
        let bound = bind(self);
        self.depth -= 1;
        bound
    }

    fn column(&self, id: ColumnId) -> Bound {
        let info = self.columns.get(id);
        Bound { expr: Expr::Column(id), ty: info.ty.clone(), nullable: info.nullable, scale_max: info.scale_max }
    }

    /// A new column that holds the expression; a plain column stays itself.
    fn assign(&mut self, bound: Bound, name: &str, exprs: &mut Vec<(ColumnId, Expr)>) -> ColumnId {
        if let Expr::Column(id) = bound.expr
            && self.columns.get(id).ty == bound.ty
        {
            return id;
        }
        let id = self.columns.add(bound.describe(name));
        exprs.push((id, bound.expr));
        id
    }
}

/// An identifier as PostgreSQL reads it: lower case unless quoted.
fn fold(ident: &ast::Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

fn fold_name(name: &ast::ObjectName) -> Vec<String> {
    name.0.iter().map(|part| part.as_ident().map_or_else(|| part.to_string(), fold)).collect()
}

/// A refusal of something that PostgreSQL knows and livemart does not maintain (yet).
fn unsupported(what: impl std::fmt::Display) -> PlanError {
    PlanError::new(format!("{what} is not supported"))
}

/// Why no function, operator or type fits.
fn resolve_error(error: eval::resolve::ResolveError) -> PlanError {
    PlanError { message: error.message, line: None, column: None, hint: error.hint }
}
