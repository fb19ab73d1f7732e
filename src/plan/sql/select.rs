//! SELECT: the clauses in the order in which SQL evaluates them.
//!
//! ```text
//!   FROM ─> WHERE ─> GROUP BY, aggregates ─> HAVING ─> windows ─> QUALIFY ─> select list ─> DISTINCT [ON] ─> ORDER BY … LIMIT
//! ```

use std::collections::BTreeMap;

use eval::Expr;
use row::{ScalarType, SortDirection};
use sqlparser::ast::{self, GroupByExpr, SelectItem, SelectItemQualifiedWildcardKind, Spanned};

use super::aggregate::Grouping;
use super::clock::{ClockColumn, Place, beside_clock};
use super::columns::ColumnId;
use super::output_name::output_name;
use super::query::{BoundQuery, Literals, Tail, direction, ordinal};
use super::rel::{Apply, Rel};
use super::scope::{Clause, Output, Scope, at};
use super::table_function::below_groups;
use super::window::{Windowed, stack};
use super::{Binder, Bound, fold, unsupported};
use crate::plan::PlanError;

/// What to write instead of ROLLUP and its kin.
pub(super) const GROUPING_HINT: &str = "write one SELECT per grouping and put them together with UNION ALL";

/// One column of the select list, `*` spread out.
enum Item<'q> {
    Expr { expr: &'q ast::Expr, name: String },
    Column(Output),
}

impl Item<'_> {
    fn name(&self) -> &str {
        match self {
            Item::Expr { name, .. } => name,
            Item::Column(output) => &output.name,
        }
    }
}

/// What a SELECT was bound to, before it is put together.
struct Parts {
    items: Vec<Bound>,
    having: Option<Bound>,
    qualify: Option<Bound>,
    distinct_on: Vec<Target>,
    order_by: Vec<(Target, SortDirection)>,
    /// Subqueries of HAVING.
    having_applies: Vec<Apply>,
    /// Subqueries inside window calls.
    window_applies: Vec<Apply>,
    windows: Vec<Windowed>,
    /// Subqueries of everything that stands above the windows.
    applies: Vec<Apply>,
}

/// What ORDER BY or DISTINCT ON names: an output, or something of its own.
enum Target {
    Output(usize),
    Value(Bound),
}

impl<'q> Binder<'q> {
    pub(super) fn select(
        &mut self,
        select: &'q ast::Select,
        tail: &Tail<'q>,
        literals: Literals,
    ) -> Result<BoundQuery, PlanError> {
        refuse_exotic(select)?;
        let from = self.bind_from(&select.from)?;
        let mut scope = Scope::new(from.tables, from.visible, Clause::Where);
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item {
                scope.aliases.entry(fold(alias)).or_insert(expr);
            }
        }
        self.scopes.push(scope);
        let bound = self.select_in_scope(select, from.rel, tail, literals);
        self.scopes.pop();
        bound
    }

    fn select_in_scope(
        &mut self,
        select: &'q ast::Select,
        mut rel: Rel,
        tail: &Tail<'q>,
        literals: Literals,
    ) -> Result<BoundQuery, PlanError> {
        // What stands below is put there at the end, when it is known whether the clock stands beside it.
        let base = std::mem::replace(&mut rel, Rel::Unit);
        if let Some(condition) = &select.selection {
            rel = self.where_clause(rel, condition)?;
        }
        self.named_windows(&select.named_window)?;
        let items = self.spread(&select.projection)?;
        let (groups, group_asts, grouped) = self.group_by(&select.group_by, &items)?;
        let mut below = self.take_applies();
        let below_calls = self.take_calls();
        let mut parts = self.bind_outputs(select, &items, &group_asts, tail)?;
        let Some(scope) = self.scopes.last_mut() else { return Err(PlanError::new("a SELECT has no scope")) };
        below.append(&mut scope.argument_applies);
        let aggregates = std::mem::take(&mut scope.aggregates);
        let mut clock = std::mem::take(&mut scope.clock);
        let mut calls = self.take_calls();
        let names: Vec<String> = items.iter().map(|item| item.name().to_string()).collect();

        rel = below_groups(rel, below, below_calls);
        rel.put_under(beside_clock(base, &clock, Place::From));
        if grouped || parts.having.is_some() || !aggregates.is_empty() {
            let Some(scope) = self.scopes.last() else { return Err(PlanError::new("a SELECT has no scope")) };
            let mut grouping = Grouping::new(scope, groups);
            let below = clock.iter().filter(|column| column.place == Place::From);
            grouping.clock.extend(below.map(|column| (column.id, (column.reading, None))));
            self.regroup(&mut grouping, &mut parts, &items)?;
            grouping.decides_fractions(self, &aggregates)?;
            for arg in calls.calls.iter_mut().flat_map(|call| &mut call.args) {
                *arg = grouping.regroup(self, arg)?;
            }
            rel = Rel::Aggregate { input: Box::new(rel), group: grouping.groups, aggregates };
            for (reading, above) in grouping.clock.into_values() {
                clock.extend(above.map(|id| ClockColumn { reading, place: Place::Groups, id }));
            }
        }
        rel = beside_clock(rel, &clock, Place::Groups);
        rel = std::mem::take(&mut parts.having_applies).into_iter().fold(rel, Rel::apply);
        if let Some(having) = parts.having.take() {
            rel = rel.filter(vec![having.expr]);
        }
        rel = std::mem::take(&mut parts.window_applies).into_iter().fold(rel, Rel::apply);
        rel = stack(rel, std::mem::take(&mut parts.windows));
        rel = beside_clock(rel, &clock, Place::Last);
        rel = std::mem::take(&mut parts.applies).into_iter().fold(rel, Rel::apply);
        if let Some(qualify) = parts.qualify.take() {
            rel = rel.filter(vec![qualify.expr]);
        }
        rel = calls.over(rel);
        self.assemble(select, rel, names, parts, tail, literals)
    }

    fn take_applies(&mut self) -> Vec<Apply> {
        self.scopes.last_mut().map_or_else(Vec::new, |scope| std::mem::take(&mut scope.applies))
    }

    fn set_clause(&mut self, clause: Clause) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.clause = clause;
        }
    }

    /// The select list with `*` and `t.*` replaced by columns.
    fn spread(&self, projection: &'q [SelectItem]) -> Result<Vec<Item<'q>>, PlanError> {
        let mut items = Vec::new();
        for item in projection {
            match item {
                SelectItem::UnnamedExpr(expr) => items.push(Item::Expr { expr, name: output_name(expr) }),
                SelectItem::ExprWithAlias { expr, alias } => items.push(Item::Expr { expr, name: fold(alias) }),
                SelectItem::Wildcard(options) => {
                    refuse_options(options)?;
                    let scope = self.scopes.last();
                    if scope.is_none_or(|scope| scope.tables.is_empty()) {
                        return Err(at(PlanError::new("SELECT * with no tables specified is not valid"), item.span()));
                    }
                    items.extend(scope.into_iter().flat_map(|scope| &scope.visible).cloned().map(Item::Column));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    refuse_options(options)?;
                    items.extend(self.table_columns(name, item.span())?.into_iter().map(Item::Column));
                }
                SelectItem::QualifiedWildcard(..) | SelectItem::ExprWithAliases { .. } => {
                    return Err(at(unsupported("this form of select item"), item.span()));
                }
            }
        }
        Ok(items)
    }

    /// The groups, the AST each was written as, and whether there was a GROUP BY at all.
    fn group_by(
        &mut self,
        group_by: &'q GroupByExpr,
        items: &[Item<'q>],
    ) -> Result<(Vec<(ColumnId, Expr)>, Vec<(&'q ast::Expr, ColumnId)>, bool), PlanError> {
        let (exprs, modifiers) = match group_by {
            GroupByExpr::All(_) => {
                return Err(unsupported("GROUP BY ALL").with_hint("name the columns, or their positions"));
            }
            GroupByExpr::Expressions(exprs, modifiers) => (exprs, modifiers),
        };
        if let Some(modifier) = modifiers.first() {
            return Err(unsupported(format!("GROUP BY … {modifier}")).with_hint(GROUPING_HINT));
        }
        self.set_clause(Clause::GroupBy);
        let mut groups: Vec<(ColumnId, Expr)> = Vec::new();
        let mut asts = Vec::new();
        for expr in exprs.iter().flat_map(group_members) {
            let bound = match self.group_target(expr, items)? {
                GroupTarget::Expr(expr) => {
                    let bound = self.expr(expr)?;
                    let bound = if bound.is_unknown_literal() { bound.cast(&ScalarType::Text, false)? } else { bound };
                    let id = self.add_group(&mut groups, bound, expr);
                    asts.push((expr, id));
                    continue;
                }
                GroupTarget::Column(id) => self.column(id),
            };
            self.add_group(&mut groups, bound, expr);
        }
        self.set_clause(Clause::Output);
        Ok((groups, asts, !exprs.is_empty()))
    }

    fn add_group(&mut self, groups: &mut Vec<(ColumnId, Expr)>, bound: Bound, expr: &ast::Expr) -> ColumnId {
        if let Some((id, _)) = groups.iter().find(|(_, known)| *known == bound.expr) {
            return *id;
        }
        let id = self.columns.add(bound.describe(&output_name(expr)));
        groups.push((id, bound.expr));
        id
    }

    /// GROUP BY 2, GROUP BY output_name, GROUP BY expression; a column of FROM comes before an output name.
    fn group_target(&self, expr: &'q ast::Expr, items: &[Item<'q>]) -> Result<GroupTarget<'q>, PlanError> {
        let item = |index: usize| match &items[index] {
            Item::Expr { expr, .. } => GroupTarget::Expr(expr),
            Item::Column(output) => GroupTarget::Column(output.id),
        };
        if let Some(index) = ordinal(expr, items.len(), "GROUP BY")? {
            return Ok(item(index));
        }
        if let ast::Expr::Identifier(ident) = expr {
            let name = fold(ident);
            if !self.is_own_column(&name)
                && let Some(index) = items.iter().position(|item| item.name() == name)
            {
                return Ok(item(index));
            }
        }
        Ok(GroupTarget::Expr(expr))
    }

    fn bind_outputs(
        &mut self,
        select: &'q ast::Select,
        items: &[Item<'q>],
        groups: &[(&'q ast::Expr, ColumnId)],
        tail: &Tail<'q>,
    ) -> Result<Parts, PlanError> {
        self.set_clause(Clause::Output);
        let mut bounds = Vec::with_capacity(items.len());
        for item in items {
            bounds.push(match item {
                Item::Column(output) => self.column(output.id),
                Item::Expr { expr, .. } => match groups.iter().find(|(group, _)| group == expr) {
                    Some((_, id)) => self.column(*id),
                    None => self.expr(expr)?,
                },
            });
        }
        let mut parts = Parts {
            items: bounds,
            having: None,
            qualify: None,
            distinct_on: Vec::new(),
            order_by: Vec::new(),
            having_applies: Vec::new(),
            window_applies: Vec::new(),
            windows: Vec::new(),
            applies: Vec::new(),
        };
        let item_applies = self.take_applies();
        parts.having = self.condition(select.having.as_ref(), Clause::Having)?;
        parts.having_applies = self.take_applies();
        parts.qualify = self.condition(select.qualify.as_ref(), Clause::Qualify)?;
        self.set_clause(Clause::Output);
        if let Some(ast::Distinct::On(exprs)) = &select.distinct {
            for expr in exprs {
                let target = self.target(expr, items, &parts.items, "SELECT DISTINCT ON")?;
                parts.distinct_on.push(target);
            }
        }
        self.bind_order(items, &mut parts, tail)?;
        parts.applies = item_applies;
        parts.applies.append(&mut self.take_applies());
        if let Some(scope) = self.scopes.last_mut() {
            parts.window_applies = std::mem::take(&mut scope.window_applies);
            parts.windows = std::mem::take(&mut scope.windows);
        }
        Ok(parts)
    }

    fn condition(&mut self, condition: Option<&'q ast::Expr>, clause: Clause) -> Result<Option<Bound>, PlanError> {
        let Some(condition) = condition else { return Ok(None) };
        self.set_clause(clause);
        let bound = self.expr(condition)?.into_condition(clause.name());
        bound.map(Some).map_err(|error| at(error, condition.span()))
    }

    /// Without LIMIT or DISTINCT ON the order of a table's rows means nothing: ORDER BY is bound for its errors and forgotten.
    fn bind_order(&mut self, items: &[Item<'q>], parts: &mut Parts, tail: &Tail<'q>) -> Result<(), PlanError> {
        let matters = tail.cuts() || !parts.distinct_on.is_empty();
        let before = self.scopes.last().map(Collected::of);
        for term in tail.order_by {
            let direction = direction(term)?;
            let calls = self.pending_calls();
            let target = self.target(&term.expr, items, &parts.items, "ORDER BY")?;
            self.refuse_calls_since(calls, "ORDER BY unless the select list has them too")?;
            if matters {
                parts.order_by.push((target, direction));
            }
        }
        if let (false, Some(scope), Some(before)) = (matters, self.scopes.last_mut(), before) {
            before.restore(scope);
        }
        Ok(())
    }

    /// ORDER BY 2, ORDER BY output_name, ORDER BY expression; an output name comes before a column of FROM.
    fn target(
        &mut self,
        expr: &'q ast::Expr,
        items: &[Item<'q>],
        bounds: &[Bound],
        what: &str,
    ) -> Result<Target, PlanError> {
        if let Some(index) = ordinal(expr, items.len(), what)? {
            return Ok(Target::Output(index));
        }
        if let ast::Expr::Identifier(ident) = expr {
            let name = fold(ident);
            let mut named = (0..items.len()).filter(|index| items[*index].name() == name);
            if let Some(index) = named.next() {
                if named.any(|other| bounds[other].expr != bounds[index].expr) {
                    return Err(at(PlanError::new(format!("{what} \"{name}\" is ambiguous")), ident.span));
                }
                return Ok(Target::Output(index));
            }
        }
        let bound = self.expr(expr)?;
        Ok(match bounds.iter().position(|output| output.expr == bound.expr) {
            Some(index) => Target::Output(index),
            None => Target::Value(bound),
        })
    }

    /// Puts everything that stands above the aggregation on top of the groups.
    fn regroup(&mut self, grouping: &mut Grouping, parts: &mut Parts, items: &[Item<'q>]) -> Result<(), PlanError> {
        for (bound, item) in parts.items.iter_mut().zip(items) {
            bound.expr = grouping.regroup(self, &bound.expr).map_err(|error| match item {
                Item::Expr { expr, .. } => at(error, expr.span()),
                Item::Column(_) => error,
            })?;
        }
        let targets = parts.distinct_on.iter_mut().chain(parts.order_by.iter_mut().map(|(target, _)| target));
        for target in targets {
            if let Target::Value(bound) = target {
                bound.expr = grouping.regroup(self, &bound.expr)?;
            }
        }
        for condition in parts.having.iter_mut().chain(&mut parts.qualify) {
            condition.expr = grouping.regroup(self, &condition.expr)?;
        }
        for windowed in &mut parts.windows {
            let mut failed = None;
            windowed.map_exprs(&mut |expr| match grouping.regroup(self, expr) {
                Ok(expr) => expr,
                Err(error) => {
                    failed = failed.take().or(Some(error));
                    expr.clone()
                }
            });
            if let Some(error) = failed {
                return Err(error);
            }
        }
        for apply in parts.having_applies.iter_mut().chain(&mut parts.window_applies).chain(&mut parts.applies) {
            let mut failed = None;
            apply.map_exprs(&mut |expr| match grouping.regroup(self, expr) {
                Ok(expr) => expr,
                Err(error) => {
                    failed = failed.take().or(Some(error));
                    expr.clone()
                }
            });
            if let Some(error) = failed {
                return Err(error.at(apply.place.0, apply.place.1));
            }
        }
        Ok(())
    }

    fn assemble(
        &mut self,
        select: &'q ast::Select,
        mut rel: Rel,
        names: Vec<String>,
        parts: Parts,
        tail: &Tail<'q>,
        literals: Literals,
    ) -> Result<BoundQuery, PlanError> {
        let distinct = matches!(select.distinct, Some(ast::Distinct::Distinct));
        let keep_literals = literals == Literals::Keep && !distinct && parts.distinct_on.is_empty() && !tail.cuts();
        let mut exprs = Vec::new();
        let mut outputs = Vec::new();
        for (bound, name) in parts.items.into_iter().zip(names) {
            let literal = (keep_literals && bound.is_unknown_literal()).then(|| bound.expr.clone());
            let bound = if literal.is_none() && bound.ty == ScalarType::Unknown {
                bound.cast(&ScalarType::Text, false)?
            } else {
                bound
            };
            let id = self.assign(bound, &name, &mut exprs);
            outputs.push(Output { name, id, literal });
        }
        let mut value = |binder: &mut Self, target: Target| match target {
            Target::Output(index) => Ok(outputs[index].id),
            Target::Value(_) if distinct => {
                Err(PlanError::new("for SELECT DISTINCT, ORDER BY expressions must appear in select list"))
            }
            Target::Value(bound) => {
                let bound = if bound.ty == ScalarType::Unknown { bound.cast(&ScalarType::Text, false)? } else { bound };
                // The same expression again, in DISTINCT ON and ORDER BY or in the select list, is the same column.
                match exprs.iter().find(|(_, known)| *known == bound.expr) {
                    Some((id, _)) => Ok(*id),
                    None => Ok(binder.assign(bound, "order", &mut exprs)),
                }
            }
        };
        let mut on = Vec::new();
        for target in parts.distinct_on {
            on.push(value(self, target)?);
        }
        let mut order_by = Vec::new();
        for (target, direction) in parts.order_by {
            order_by.push((value(self, target)?, direction));
        }
        rel = rel.map(exprs);
        let mut columns: Vec<ColumnId> = outputs.iter().map(|output| output.id).collect();
        columns.extend(on.iter().chain(order_by.iter().map(|(id, _)| id)));
        let mut seen = BTreeMap::new();
        columns.retain(|id| seen.insert(*id, ()).is_none());
        if distinct {
            rel = Rel::Distinct { input: Box::new(rel), columns: columns.clone() };
        }
        if let Some(ast::Distinct::On(_)) = &select.distinct {
            let leading = order_by.iter().take(on.len());
            if leading.clone().any(|(id, _)| !on.contains(id)) {
                return Err(PlanError::new("SELECT DISTINCT ON expressions must match initial ORDER BY expressions"));
            }
            let within = order_by.iter().filter(|(id, _)| !on.contains(id)).copied().collect();
            rel = Rel::TopK {
                input: Box::new(rel),
                keep: columns.clone(),
                group: on,
                order_by: within,
                limit: Some(1),
                offset: 0,
            };
        }
        if tail.cuts() {
            rel = self.cut(rel, columns, order_by, tail)?;
        }
        Ok(BoundQuery { rel, outputs })
    }
}

/// How much a scope had collected at some point.
struct Collected {
    aggregates: usize,
    windows: usize,
    applies: usize,
    argument_applies: usize,
    window_applies: usize,
}

impl Collected {
    fn of(scope: &Scope<'_>) -> Collected {
        Collected {
            aggregates: scope.aggregates.len(),
            windows: scope.windows.len(),
            applies: scope.applies.len(),
            argument_applies: scope.argument_applies.len(),
            window_applies: scope.window_applies.len(),
        }
    }

    /// Forgets what came since.
    fn restore(&self, scope: &mut Scope<'_>) {
        scope.aggregates.truncate(self.aggregates);
        scope.windows.truncate(self.windows);
        scope.applies.truncate(self.applies);
        scope.argument_applies.truncate(self.argument_applies);
        scope.window_applies.truncate(self.window_applies);
    }
}

enum GroupTarget<'q> {
    Expr(&'q ast::Expr),
    Column(ColumnId),
}

/// `(a, b)` in GROUP BY is a and b; `()` is nothing.
fn group_members(expr: &ast::Expr) -> Vec<&ast::Expr> {
    match expr {
        ast::Expr::Tuple(members) => members.iter().collect(),
        other => vec![other],
    }
}

fn refuse_exotic(select: &ast::Select) -> Result<(), PlanError> {
    let refused = [
        (select.top.is_some(), "TOP"),
        (select.into.is_some(), "SELECT INTO"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (!select.cluster_by.is_empty(), "CLUSTER BY"),
        (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
        (!select.sort_by.is_empty(), "SORT BY"),
        (select.value_table_mode.is_some(), "SELECT AS STRUCT"),
        (select.exclude.is_some(), "EXCLUDE"),
    ];
    match refused.iter().find(|(present, _)| *present) {
        Some((_, name)) => Err(unsupported(name)),
        None => Ok(()),
    }
}

fn refuse_options(options: &ast::WildcardAdditionalOptions) -> Result<(), PlanError> {
    if options.opt_ilike.is_some()
        || options.opt_exclude.is_some()
        || options.opt_except.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
    {
        return Err(
            unsupported("* with EXCEPT, EXCLUDE, REPLACE or RENAME").with_hint("dbt_utils.star names the columns")
        );
    }
    Ok(())
}
