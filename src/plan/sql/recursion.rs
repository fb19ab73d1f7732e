//! WITH RECURSIVE: a query that reads itself.
//!
//! ```text
//!   with recursive t(n) as (select 1 union all select n + 1 from t where n < 10)
//!                           ── base ──           ───────── step ─────────
//! ```
//!
//! The columns and their types are those of the base; the step must give the same types, as PostgreSQL asks. What the step may be
//! is checked on its plan (`plan::recursion`).

use std::ops::ControlFlow;

use sqlparser::ast::{self, SetExpr, SetOperator, SetQuantifier};

use super::coerce::unify;
use super::query::{Cte, Literals};
use super::rel::{Branch, Rel};
use super::scope::{Output, at};
use super::{Binder, Bound, fold, unsupported};
use crate::plan::PlanError;

/// Whether the query names itself in FROM.
pub(super) fn reads_itself(cte: &ast::Cte) -> bool {
    reads(&*cte.query, &fold(&cte.alias.name))
}

fn reads(part: &impl ast::Visit, name: &str) -> bool {
    let found = ast::visit_relations(part, |relation| match relation.0.as_slice() {
        [part] if part.as_ident().is_some_and(|ident| fold(ident) == name) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

impl<'q> Binder<'q> {
    pub(super) fn recursive_query(&mut self, cte: &'q ast::Cte) -> Result<(), PlanError> {
        let name = fold(&cte.alias.name);
        self.visible_ctes.push(Vec::new());
        let bound = self.deeper(|binder| binder.recursive_parts(cte, &name));
        self.visible_ctes.pop();
        let (rel, outputs) = bound.map_err(|error| at(error, cte.alias.name.span))?;
        if self.visible_ctes.last().is_some_and(|frame| frame.iter().any(|(known, _)| *known == name)) {
            let error = PlanError::new(format!("WITH query name \"{name}\" specified more than once"));
            return Err(at(error, cte.alias.name.span));
        }
        self.show_cte(name, Cte { rel, outputs });
        Ok(())
    }

    /// Makes a WITH query visible in the innermost frame.
    fn show_cte(&mut self, name: String, cte: Cte) {
        self.ctes.push(cte);
        let number = self.ctes.len() - 1;
        if let Some(frame) = self.visible_ctes.last_mut() {
            frame.push((name, number));
        }
    }

    fn recursive_parts(&mut self, cte: &'q ast::Cte, name: &str) -> Result<(Rel, Vec<Output>), PlanError> {
        let query = &*cte.query;
        if let Some(with) = &query.with {
            for inner in &with.cte_tables {
                if reads(&*inner.query, name) {
                    return Err(unsupported(format!("a WITH query inside of \"{name}\" that reads it"))
                        .with_hint("write it as a subquery in FROM"));
                }
                self.with_query(inner)?;
            }
        }
        if query.order_by.is_some() {
            return Err(PlanError::new("ORDER BY in a recursive query is not implemented"));
        }
        if query.limit_clause.is_some() || query.fetch.is_some() {
            return Err(PlanError::new("LIMIT in a recursive query is not implemented")
                .with_hint("write a condition that ends the recursion"));
        }
        let form = || {
            let message = format!(
                "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
            );
            PlanError::new(message)
        };
        let SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, left, right } = &*query.body else {
            return Err(form());
        };
        let distinct = match set_quantifier {
            SetQuantifier::All => false,
            SetQuantifier::Distinct | SetQuantifier::None => true,
            _ => return Err(form()),
        };
        if reads(&**left, name) {
            return Err(PlanError::new(format!(
                "recursive reference to query \"{name}\" must not appear within its non-recursive term"
            )));
        }
        let mut base = self.set_expr(left, Literals::Resolve)?;
        self.rename_outputs(name, &mut base.outputs, &cte.alias)?;
        let width = base.outputs.len();
        // Names are told apart by number, as a query inside may be called the same.
        let unique = match self.ctes.iter().filter(|cte| is_recursion(&cte.rel, name)).count() {
            0 => name.to_owned(),
            earlier => format!("{name}#{}", earlier + 1),
        };
        let outputs = |binder: &mut Self| -> Vec<Output> {
            base.outputs
                .iter()
                .map(|output| {
                    let mut column = binder.columns.get(output.id).clone();
                    (column.nullable, column.scale_max) = (true, None);
                    column.name = output.name.clone();
                    Output::new(output.name.clone(), binder.columns.add(column))
                })
                .collect()
        };
        let inside = outputs(self);
        let columns = inside.iter().map(|output| output.id).collect();
        self.show_cte(name.to_owned(), Cte { rel: Rel::Recursion { name: unique.clone(), columns }, outputs: inside });
        let step = self.set_expr(right, Literals::Keep)?;
        if step.outputs.len() != width {
            return Err(PlanError::new("each UNION query must have the same number of columns"));
        }
        let (mut exprs, mut step_columns) = (Vec::new(), Vec::new());
        for (index, (output, base)) in step.outputs.iter().zip(&base.outputs).enumerate() {
            let wanted = self.columns.get(base.id).ty.clone();
            let sides: Vec<Bound> = vec![self.column(base.id), self.output_value(output)];
            let (mut sides, ty) = unify("UNION", sides)?;
            if ty != wanted {
                return Err(PlanError::new(format!(
                    "recursive query \"{name}\" column {} has type {wanted} in non-recursive term but type {ty} overall",
                    index + 1
                ))
                .with_hint("Cast the output of the non-recursive term to the correct type."));
            }
            let side = sides.pop().map_or_else(|| Err(form()), |side| side.cast(&wanted, false))?;
            step_columns.push(self.assign(side, &base.name, &mut exprs));
        }
        let outputs = outputs(self);
        let rel = Rel::Recursive {
            name: unique,
            columns: outputs.iter().map(|output| output.id).collect(),
            step: Box::new(Branch { rel: step.rel.map(exprs), columns: step_columns }),
            base: Box::new(Branch { columns: base.ids(), rel: base.rel }),
            distinct,
        };
        Ok((rel, outputs))
    }
}

fn is_recursion(rel: &Rel, name: &str) -> bool {
    matches!(rel, Rel::Recursion { name: known, .. } if known.split('#').next() == Some(name))
}
