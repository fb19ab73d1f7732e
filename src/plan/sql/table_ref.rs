//! FROM: relations, WITH queries, derived tables and joins.

use std::collections::BTreeSet;

use eval::Expr;
use sqlparser::ast::{self, JoinConstraint, JoinOperator, Spanned, TableFactor};

use super::clock::{Place, beside_clock};
use super::coerce::{binary, joint_scale, unify};
use super::columns::ColumnId;
use super::query::Literals;
use super::rel::Rel;
use super::scope::{Clause, Output, Scope, Table, at};
use super::table_function::{from_call, place};
use super::{Binder, Bound, fold, fold_name, unsupported};
use crate::plan::expr::conjuncts;
use crate::plan::{JoinKind, PlanError};

/// What to write instead of ASOF JOIN.
pub(super) const ASOF_HINT: &str =
    "join by the key and the range, then keep the latest row with DISTINCT ON or row_number() = 1";

/// A FROM clause, or a part of it.
pub(super) struct From {
    pub rel: Rel,
    pub tables: Vec<Table>,
    pub visible: Vec<Output>,
}

impl From {
    fn nothing() -> From {
        From { rel: Rel::Unit, tables: Vec::new(), visible: Vec::new() }
    }

    /// Both parts side by side; `rel` joins them.
    fn beside(self, other: From, rel: Rel) -> Result<From, PlanError> {
        for table in &other.tables {
            if let Some(name) = table.name.last()
                && self.tables.iter().any(|known| known.name == table.name)
            {
                return Err(PlanError::new(format!("table name \"{name}\" specified more than once"))
                    .with_hint("give each of them an alias"));
            }
        }
        let tables = self.tables.into_iter().chain(other.tables).collect();
        let visible = self.visible.into_iter().chain(other.visible).collect();
        Ok(From { rel, tables, visible })
    }
}

/// `ON condition`, or the columns of USING and NATURAL.
enum Condition<'q> {
    On(&'q ast::Expr),
    Using(Vec<String>),
    Cross,
}

impl<'q> Binder<'q> {
    pub(super) fn bind_from(&mut self, from: &'q [ast::TableWithJoins]) -> Result<From, PlanError> {
        let mut whole: Option<From> = None;
        for item in from {
            let before = whole.take().unwrap_or_else(From::nothing);
            let is_first = before.tables.is_empty() && matches!(before.rel, Rel::Unit);
            let next = self.table_with_joins(item, &before.tables, &before.visible)?;
            whole = Some(if is_first {
                next
            } else {
                let (mut before, mut next) = (before, next);
                let rel = join(JoinKind::Inner, take(&mut before.rel), take(&mut next.rel), Vec::new());
                before.beside(next, rel).map_err(|error| at(error, item.span()))?
            });
        }
        Ok(whole.unwrap_or_else(From::nothing))
    }

    /// `tables` and `visible` are what stands to the left: LATERAL may read it.
    fn table_with_joins(
        &mut self,
        item: &'q ast::TableWithJoins,
        tables: &[Table],
        visible: &[Output],
    ) -> Result<From, PlanError> {
        let mut left = self.table_factor(&item.relation, tables, visible)?;
        for join in &item.joins {
            let seen_tables: Vec<Table> = tables.iter().chain(&left.tables).cloned().collect();
            let seen: Vec<Output> = visible.iter().chain(&left.visible).cloned().collect();
            let right = self.table_factor(&join.relation, &seen_tables, &seen)?;
            left = self.join(left, right, &join.join_operator).map_err(|error| at(error, join.relation.span()))?;
        }
        Ok(left)
    }

    fn table_factor(
        &mut self,
        factor: &'q TableFactor,
        tables: &[Table],
        visible: &[Output],
    ) -> Result<From, PlanError> {
        if let Some(call) = from_call(factor).map_err(|error| place(error, factor))? {
            return self.table_call(call, tables, visible).map_err(|error| place(error, factor));
        }
        match factor {
            TableFactor::Table { name, alias, version, sample, json_path, .. } => {
                if version.is_some() || sample.is_some() || json_path.is_some() {
                    return Err(at(unsupported("TABLESAMPLE and versions of a table"), factor.span()));
                }
                self.relation(name, alias.as_ref())
            }
            TableFactor::Derived { lateral, subquery, alias, sample: None } => {
                if *lateral {
                    self.scopes.push(Scope::new(tables.to_vec(), visible.to_vec(), Clause::From));
                }
                let bound = self.query(subquery, Literals::Resolve);
                if *lateral {
                    self.scopes.pop();
                }
                let bound = bound?;
                self.named(bound.rel, bound.outputs, Vec::new(), alias.as_ref(), Vec::new())
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let inner = self.table_with_joins(table_with_joins, tables, visible)?;
                match alias {
                    None => Ok(inner),
                    Some(alias) => self.named(inner.rel, inner.visible, Vec::new(), Some(alias), Vec::new()),
                }
            }
            TableFactor::TableFunction { .. } => Err(at(unsupported("TABLE(…)"), factor.span())),
            TableFactor::Pivot { .. } => {
                Err(at(unsupported("PIVOT").with_hint("write sum(case when … end) per column"), factor.span()))
            }
            TableFactor::Unpivot { .. } => {
                Err(at(unsupported("UNPIVOT").with_hint("write one SELECT per column and UNION ALL"), factor.span()))
            }
            other => Err(at(unsupported(format!("{other} in FROM")), factor.span())),
        }
    }

    fn relation(&mut self, name: &'q ast::ObjectName, alias: Option<&'q ast::TableAlias>) -> Result<From, PlanError> {
        let parts = fold_name(name);
        if let [single] = parts.as_slice() {
            let known = self.visible_ctes.iter().rev().flat_map(|frame| frame.iter().rev());
            if let Some((_, number)) = known.into_iter().find(|(cte, _)| cte == single) {
                let (rel, outputs) = self.read_cte(*number);
                return self.named(rel, outputs, parts, alias, Vec::new());
            }
        }
        let Some((relation, typ)) = (self.resolve)(&parts) else {
            let error = PlanError::new(format!("relation \"{}\" does not exist", parts.join(".")));
            return Err(at(error, name.span()));
        };
        let outputs: Vec<Output> = typ
            .columns
            .iter()
            .map(|column| Output::new(column.name.clone(), self.columns.add(column.clone())))
            .collect();
        let columns: Vec<ColumnId> = outputs.iter().map(|output| output.id).collect();
        let keys = typ.keys.iter().map(|key| key.iter().map(|position| columns[*position]).collect()).collect();
        self.named(Rel::Get { relation, typ, columns }, outputs, parts, alias, keys)
    }

    /// One reading of a WITH query. A query over outer columns is copied in place, any other is shared.
    fn read_cte(&mut self, number: usize) -> (Rel, Vec<Output>) {
        let (rel, mut outputs) = (self.ctes[number].rel.clone(), self.ctes[number].outputs.clone());
        if rel.free().is_empty() {
            for output in &mut outputs {
                let column = self.columns.get(output.id).clone();
                output.id = self.columns.add(column);
            }
            return (Rel::Cte { cte: number, columns: outputs.iter().map(|output| output.id).collect() }, outputs);
        }
        let mut made = BTreeSet::new();
        rel.made(&mut made);
        let renamed = made.into_iter().map(|id| (id, self.columns.add(self.columns.get(id).clone()))).collect();
        let mut copy = rel;
        copy.rename(&renamed);
        copy.map_exprs(&mut |expr| {
            crate::plan::expr::renumber(expr, &mut |id| renamed.get(&id).copied().unwrap_or(id))
        });
        for output in &mut outputs {
            output.id = renamed.get(&output.id).copied().unwrap_or(output.id);
        }
        (copy, outputs)
    }

    pub(super) fn named(
        &mut self,
        rel: Rel,
        mut outputs: Vec<Output>,
        mut name: Vec<String>,
        alias: Option<&ast::TableAlias>,
        keys: Vec<Vec<ColumnId>>,
    ) -> Result<From, PlanError> {
        if let Some(alias) = alias {
            let alias_name = fold(&alias.name);
            self.rename_outputs(&alias_name, &mut outputs, alias)?;
            name = vec![alias_name];
        }
        let table = Table { name, columns: outputs.clone(), keys, scalar: None };
        Ok(From { rel, tables: vec![table], visible: outputs })
    }

    fn join(&mut self, left: From, right: From, operator: &'q JoinOperator) -> Result<From, PlanError> {
        let (kind, constraint) = match operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (JoinKind::Inner, constraint),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (JoinKind::Left, constraint),
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => (JoinKind::Right, constraint),
            JoinOperator::FullOuter(constraint) => (JoinKind::Full, constraint),
            JoinOperator::CrossJoin(_) => {
                return self.join_on(left, right, JoinKind::Inner, Condition::Cross);
            }
            JoinOperator::AsOf { .. } => return Err(unsupported("ASOF JOIN").with_hint(ASOF_HINT)),
            JoinOperator::CrossApply | JoinOperator::OuterApply => {
                return Err(unsupported("APPLY").with_hint("write CROSS JOIN LATERAL or LEFT JOIN LATERAL … ON true"));
            }
            _ => return Err(unsupported("this kind of join").with_hint("write EXISTS or NOT EXISTS in WHERE")),
        };
        let condition = match constraint {
            JoinConstraint::On(condition) => Condition::On(condition),
            JoinConstraint::Using(names) => {
                Condition::Using(names.iter().map(|name| fold_name(name).join(".")).collect())
            }
            JoinConstraint::Natural => {
                let common = left.visible.iter().filter(|l| right.visible.iter().any(|r| r.name == l.name));
                Condition::Using(common.map(|output| output.name.clone()).collect())
            }
            JoinConstraint::None => {
                return Err(PlanError::new("syntax error: a join needs ON or USING")
                    .with_hint("write CROSS JOIN to pair all rows"));
            }
        };
        self.join_on(left, right, kind, condition)
    }

    fn join_on(
        &mut self,
        mut left: From,
        mut right: From,
        kind: JoinKind,
        condition: Condition<'q>,
    ) -> Result<From, PlanError> {
        let (mut left_rel, mut right_rel) = (take(&mut left.rel), take(&mut right.rel));
        let mut on = Vec::new();
        let mut above = (Vec::new(), Vec::new());
        let mut merged = Vec::new();
        match condition {
            Condition::Cross => {}
            Condition::Using(names) => {
                for name in names {
                    let (l, r) = (one(&left, &name, "left")?, one(&right, &name, "right")?);
                    on.push(binary("=", self.column(l), self.column(r))?.expr);
                    merged.push((name, l, r));
                }
            }
            Condition::On(condition) => {
                let tables = left.tables.iter().chain(&right.tables).cloned().collect();
                let visible = left.visible.iter().chain(&right.visible).cloned().collect();
                self.scopes.push(Scope::new(tables, visible, Clause::On));
                let bound = self.expr(condition).and_then(|bound| bound.into_condition("JOIN/ON"));
                let scope = self.scopes.pop();
                let bound = bound.map_err(|error| at(error, condition.span()))?;
                let (applies, clock) = scope.map_or_else(Default::default, |scope| (scope.applies, scope.clock));
                // One row beside each row on the right: whichever side is preserved, no row is lost and none is doubled.
                right_rel = beside_clock(right_rel, &clock, Place::From);
                let mut parts = Vec::new();
                conjuncts(bound.expr, &mut parts);
                if applies.is_empty() {
                    on = parts;
                } else if kind == JoinKind::Inner {
                    above = (applies, parts);
                } else {
                    for apply in applies {
                        let mut read = apply.query.free();
                        apply
                            .kind
                            .pairs()
                            .iter()
                            .for_each(|(expr, _)| read.extend(crate::plan::expr::columns_of(expr)));
                        let belongs_to =
                            |from: &From| read.iter().all(|id| from.visible.iter().any(|column| column.id == *id));
                        if belongs_to(&right) {
                            right_rel = right_rel.apply(apply);
                        } else if belongs_to(&left) {
                            left_rel = left_rel.apply(apply);
                        } else {
                            return Err(at(
                                unsupported("a subquery over both sides in the condition of an outer join"),
                                condition.span(),
                            ));
                        }
                    }
                    on = parts;
                }
            }
        }
        let visible = self.merge(kind, &left, &right, &merged)?;
        self.widen(kind, &left, &right);
        let (applies, predicates) = above;
        let rel = join(kind, left_rel, right_rel, on);
        let rel = applies.into_iter().fold(rel, Rel::apply).filter(predicates);
        let (outputs, exprs) = visible;
        let mut from = left.beside(right, rel.map(exprs))?;
        if !merged.is_empty() {
            from.visible = outputs;
        }
        Ok(from)
    }

    /// The visible columns of a join: those of USING first, once; in a full join they are the first that is not NULL.
    fn merge(
        &mut self,
        kind: JoinKind,
        left: &From,
        right: &From,
        merged: &[(String, ColumnId, ColumnId)],
    ) -> Result<(Vec<Output>, Vec<(ColumnId, Expr)>), PlanError> {
        let (mut outputs, mut exprs) = (Vec::new(), Vec::new());
        for (name, l, r) in merged {
            let id = match kind {
                JoinKind::Right => *r,
                JoinKind::Full => {
                    let (sides, ty) = unify("JOIN/USING", vec![self.column(*l), self.column(*r)])?;
                    let nullable = sides.iter().any(|side| side.nullable);
                    let scale_max = joint_scale(&sides);
                    let args = sides.into_iter().map(|side| side.expr).collect();
                    let bound = Bound { expr: Expr::Coalesce { args, ty: ty.clone() }, ty, nullable, scale_max };
                    self.assign(bound, name, &mut exprs)
                }
                _ => *l,
            };
            outputs.push(Output::new(name.clone(), id));
        }
        let is_merged = |id: ColumnId| merged.iter().any(|(_, l, r)| *l == id || *r == id);
        outputs.extend(left.visible.iter().chain(&right.visible).filter(|output| !is_merged(output.id)).cloned());
        Ok((outputs, exprs))
    }

    /// The side that an outer join fills with NULLs is nullable from here on.
    fn widen(&mut self, kind: JoinKind, left: &From, right: &From) {
        let mut widen = |from: &From| {
            for column in from.tables.iter().flat_map(|table| &table.columns).chain(&from.visible) {
                self.columns.set_nullable(column.id);
            }
        };
        if matches!(kind, JoinKind::Left | JoinKind::Full) {
            widen(right);
        }
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            widen(left);
        }
    }
}

fn join(kind: JoinKind, left: Rel, right: Rel, on: Vec<Expr>) -> Rel {
    Rel::Join { kind, left: Box::new(left), right: Box::new(right), on }
}

fn take(rel: &mut Rel) -> Rel {
    std::mem::replace(rel, Rel::Unit)
}

/// The one column of that name on one side of USING.
fn one(from: &From, name: &str, side: &str) -> Result<ColumnId, PlanError> {
    let mut named = from.visible.iter().filter(|output| output.name == name);
    match (named.next(), named.next()) {
        (Some(output), None) => Ok(output.id),
        (None, _) => {
            Err(PlanError::new(format!("column \"{name}\" specified in USING clause does not exist in {side} table")))
        }
        (Some(_), Some(_)) => {
            Err(PlanError::new(format!("common column name \"{name}\" appears more than once in {side} table")))
        }
    }
}
