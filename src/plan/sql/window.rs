//! Window functions: OVER, WINDOW, and what they compute.
//!
//! ```text
//!   select rank() over (w order by sum(x) desc) from t group by k window w as (partition by k)
//!     bind:      [#r]   with  #r = rank() by #k order #a desc   and  #a = sum(#x)   collected in the scope
//!     regroup:   partition, order and arguments over the groups, as the select list
//!     stack:     one `Rel::Window` per (partition, order), above HAVING and below QUALIFY
//! ```
//!
//! 1. A definition by name is put together from its parts as they are written; each use binds them anew.
//! 2. Constant terms order nothing and partition nothing: they are checked and forgotten.
//! 3. Calls over equal partitions and orders are computed by one node, equal calls once.

use std::collections::BTreeSet;

use eval::{AggregateFunction, Expr, OrderTerm};
use row::{ScalarType, SortDirection};
use sqlparser::ast::{
    self, DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, NamedWindowExpr,
    Spanned,
};
use sqlparser::tokenizer::Span;

use super::coerce::{joint_scale, unify};
use super::columns::ColumnId;
use super::function::plain_argument;
use super::query::direction;
use super::rel::{Apply, Rel};
use super::scope::{Clause, at};
use super::{Binder, Bound, aggregate, fold, unsupported};
use crate::plan::expr::{literal_int8, literal_null};
use crate::plan::{Frame, PlanError, WindowCall, WindowFunction};

/// A window call met in a SELECT and the column it will be.
#[derive(Clone, Debug)]
pub(super) struct Windowed {
    pub id: ColumnId,
    pub partition: Vec<Expr>,
    pub order_by: Vec<OrderTerm>,
    pub call: WindowCall,
}

impl Windowed {
    pub fn map_exprs(&mut self, replace: &mut dyn FnMut(&Expr) -> Expr) {
        self.partition.iter_mut().for_each(|expr| *expr = replace(expr));
        self.order_by.iter_mut().for_each(|term| term.expr = replace(&term.expr));
        self.call.map_exprs(replace);
    }

    fn is_over(&self, partition: &[Expr], order_by: &[OrderTerm]) -> bool {
        // Partitions are sets, and without repetitions.
        self.partition.len() == partition.len()
            && self.partition.iter().all(|expr| partition.contains(expr))
            && self.order_by == order_by
    }
}

/// Puts the windows on top of a relation, one node for each partition and order.
pub(super) fn stack(mut rel: Rel, windows: Vec<Windowed>) -> Rel {
    let mut rest = windows;
    while let Some(first) = rest.first() {
        let (partition, order_by) = (first.partition.clone(), first.order_by.clone());
        let (same, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|windowed| windowed.is_over(&partition, &order_by));
        rest = others;
        let calls = same.into_iter().map(|windowed| (windowed.id, windowed.call)).collect();
        rel = Rel::Window { input: Box::new(rel), partition, order_by, calls };
    }
    rel
}

/// A window definition with what it takes from the window it names.
#[derive(Clone, Copy)]
struct Definition<'q> {
    partition_by: &'q [ast::Expr],
    order_by: &'q [ast::OrderByExpr],
    frame: Option<&'q ast::WindowFrame>,
}

/// The terms of an order, typed.
pub(super) type Terms = Vec<(Bound, SortDirection)>;

impl<'q> Binder<'q> {
    /// Notes the WINDOW clause; a window may name those before it.
    pub(super) fn named_windows(&mut self, windows: &'q [ast::NamedWindowDefinition]) -> Result<(), PlanError> {
        for ast::NamedWindowDefinition(ident, window) in windows {
            let name = fold(ident);
            if self.scopes.last().is_some_and(|scope| scope.named_windows.iter().any(|(known, _)| *known == name)) {
                return Err(at(PlanError::new(format!("window \"{name}\" is already defined")), ident.span));
            }
            match window {
                NamedWindowExpr::NamedWindow(other) => self.named_window(other).map(drop)?,
                NamedWindowExpr::WindowSpec(spec) => self.definition(spec).map(drop)?,
            }
            if let Some(scope) = self.scopes.last_mut() {
                scope.named_windows.push((name, window));
            }
        }
        Ok(())
    }

    /// The window of that name as it is, its frame included.
    fn named_window(&self, ident: &ast::Ident) -> Result<Definition<'q>, PlanError> {
        let name = fold(ident);
        let known = self.scopes.last().and_then(|scope| scope.named_windows.iter().find(|(known, _)| *known == name));
        match known.map(|(_, window)| *window) {
            Some(NamedWindowExpr::NamedWindow(other)) => self.named_window(other),
            Some(NamedWindowExpr::WindowSpec(spec)) => self.definition(spec),
            None => Err(at(PlanError::new(format!("window \"{name}\" does not exist")), ident.span)),
        }
    }

    /// `(w ORDER BY …)` takes partition and order of `w` and may add an order where `w` has none, and a frame.
    fn definition(&self, spec: &'q ast::WindowSpec) -> Result<Definition<'q>, PlanError> {
        let own = Definition {
            partition_by: &spec.partition_by,
            order_by: &spec.order_by,
            frame: spec.window_frame.as_ref(),
        };
        let Some(ident) = &spec.window_name else { return Ok(own) };
        let name = fold(ident);
        let base = self.named_window(ident)?;
        let refused = |message: String| Err(at(PlanError::new(message), ident.span));
        if !own.partition_by.is_empty() {
            return refused(format!("cannot override PARTITION BY clause of window \"{name}\""));
        }
        if !own.order_by.is_empty() && !base.order_by.is_empty() {
            return refused(format!("cannot override ORDER BY clause of window \"{name}\""));
        }
        if base.frame.is_some() {
            let error = PlanError::new(format!("cannot copy window \"{name}\" because it has a frame clause"));
            let bare = own.order_by.is_empty() && own.frame.is_none();
            let error = if bare { error.with_hint("omit the parentheses in this OVER clause") } else { error };
            return Err(at(error, ident.span));
        }
        let order_by = if own.order_by.is_empty() { base.order_by } else { own.order_by };
        Ok(Definition { partition_by: base.partition_by, order_by, frame: own.frame })
    }

    /// Binds `name(…) OVER …`, notes the call in the scope, and gives the column it will be.
    pub(super) fn window_call(
        &mut self,
        name: &str,
        call: &'q ast::Function,
        over: &'q ast::WindowType,
    ) -> Result<Bound, PlanError> {
        self.allow_window(name)?;
        let (clause, applies) = self.enter_window();
        let bound = self.window_parts(name, call, over);
        self.leave_window(clause, applies);
        let (mut windowed, result) = bound?;
        let Some(scope) = self.scopes.last() else { return Err(PlanError::new("window functions have no scope")) };
        let known = scope
            .windows
            .iter()
            .find(|known| known.is_over(&windowed.partition, &windowed.order_by) && known.call == windowed.call);
        if let Some(known) = known {
            let id = known.id;
            return Ok(self.column(id));
        }
        let id = self.columns.add(result.describe(name));
        windowed.id = id;
        if let Some(scope) = self.scopes.last_mut() {
            scope.windows.push(windowed);
        }
        Ok(self.column(id))
    }

    fn allow_window(&self, name: &str) -> Result<(), PlanError> {
        let clause = self.scopes.last().map(|scope| scope.clause);
        let around = "filter by it in a query around this one, or with QUALIFY";
        match clause {
            Some(Clause::Output | Clause::Qualify) => Ok(()),
            Some(Clause::WindowArgument) => Err(PlanError::new("window function calls cannot be nested")
                .with_hint("compute the inner one in a query below this one")),
            Some(Clause::Argument) => {
                Err(PlanError::new("aggregate function calls cannot contain window function calls")
                    .with_hint("compute the window function in a query below this one"))
            }
            Some(clause @ (Clause::Where | Clause::Having)) => {
                Err(PlanError::new(format!("window functions are not allowed in {}", clause.name())).with_hint(around))
            }
            Some(clause) => Err(PlanError::new(format!("window functions are not allowed in {}", clause.name()))),
            None => Err(PlanError::new(format!("window function {name} is not allowed here"))),
        }
    }

    fn enter_window(&mut self) -> (Clause, Vec<Apply>) {
        match self.scopes.last_mut() {
            Some(scope) => {
                (std::mem::replace(&mut scope.clause, Clause::WindowArgument), std::mem::take(&mut scope.applies))
            }
            None => (Clause::Output, Vec::new()),
        }
    }

    fn leave_window(&mut self, clause: Clause, applies: Vec<Apply>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.clause = clause;
            let inner = std::mem::replace(&mut scope.applies, applies);
            scope.window_applies.extend(inner);
        }
    }

    fn window_parts(
        &mut self,
        name: &str,
        call: &'q ast::Function,
        over: &'q ast::WindowType,
    ) -> Result<(Windowed, Bound), PlanError> {
        if !call.within_group.is_empty() {
            return Err(PlanError::new(format!("OVER is not supported for ordered-set aggregate {name}"))
                .with_hint("group in a WITH query and join it"));
        }
        let is_aggregate = aggregate::is_aggregate(name);
        if !is_aggregate && !aggregate::is_window_only(name) {
            return Err(PlanError::new(format!(
                "OVER specified, but {name} is not a window function nor an aggregate function"
            )));
        }
        refuse_clauses(name, call, is_aggregate)?;
        let (function, args, result) = if is_aggregate {
            let (aggregate, result) = self.aggregate_arguments(name, call)?;
            if !is_maintained_over(&aggregate.function) {
                return Err(unsupported(format!("aggregate {name} over a window"))
                    .with_hint("group in a WITH query and join it"));
            }
            (WindowFunction::Aggregate(aggregate), Vec::new(), result)
        } else {
            self.window_arguments(name, call)?
        };
        let definition = match over {
            ast::WindowType::NamedWindow(ident) => self.named_window(ident)?,
            ast::WindowType::WindowSpec(spec) => self.definition(spec)?,
        };
        if let Some(scope) = self.scopes.last_mut() {
            scope.clause = Clause::WindowDefinition;
        }
        let (partition, order_by, frame) = self.bind_definition(definition)?;
        let sees_frame = matches!(
            function,
            WindowFunction::Aggregate(_)
                | WindowFunction::FirstValue
                | WindowFunction::LastValue
                | WindowFunction::NthValue
        );
        let frame = if sees_frame { frame.normal(order_by.is_empty()) } else { Frame::default_range() };
        let call = WindowCall { function, args, frame, returns: result.ty.clone() };
        Ok((Windowed { id: 0, partition, order_by, call }, result))
    }

    fn bind_definition(&mut self, definition: Definition<'q>) -> Result<(Vec<Expr>, Vec<OrderTerm>, Frame), PlanError> {
        let mut partition: Vec<Expr> = Vec::new();
        for expr in definition.partition_by {
            let bound = self.comparable(expr, "equality")?;
            let changes_nothing = bound.expr.is_constant() && !bound.expr.is_fallible();
            if !changes_nothing && !partition.contains(&bound.expr) {
                partition.push(bound.expr);
            }
        }
        let mut terms: Terms = Vec::new();
        for term in definition.order_by {
            terms.push((self.comparable(&term.expr, "ordering")?, direction(term)?));
        }
        let frame = match definition.frame {
            Some(frame) => self.frame(frame, &mut terms)?,
            None => Frame::default_range(),
        };
        let mut order_by: Vec<OrderTerm> = Vec::new();
        let mut decided: BTreeSet<&Expr> = if frame.has_value() { BTreeSet::new() } else { partition.iter().collect() };
        for (bound, direction) in &terms {
            let changes_nothing = bound.expr.is_constant() && !bound.expr.is_fallible() && !frame.has_value();
            if !changes_nothing && decided.insert(&bound.expr) {
                order_by.push(OrderTerm { expr: bound.expr.clone(), direction: *direction });
            }
        }
        Ok((partition, order_by, frame))
    }

    /// A term that rows are compared by.
    fn comparable(&mut self, expr: &'q ast::Expr, what: &str) -> Result<Bound, PlanError> {
        let bound = self.expr(expr)?;
        match bound.ty {
            ScalarType::Unknown => bound.cast(&ScalarType::Text, false),
            ScalarType::Json => {
                let error = PlanError::new(format!("could not identify an {what} operator for type json"));
                Err(at(error.with_hint("cast it to jsonb or text"), expr.span()))
            }
            _ => Ok(bound),
        }
    }

    /// The arguments of a function that is nothing without OVER.
    fn window_arguments(
        &mut self,
        name: &str,
        call: &'q ast::Function,
    ) -> Result<(WindowFunction, Vec<Expr>, Bound), PlanError> {
        let list: &'q [FunctionArg] = match &call.args {
            // `rank(*)` is `rank()`.
            FunctionArguments::List(list) if list.args == [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] => &[],
            FunctionArguments::List(list) => &list.args,
            FunctionArguments::None => &[],
            FunctionArguments::Subquery(_) => {
                return Err(unsupported(format!("a subquery as the argument of {name}()")));
            }
        };
        let mut args = Vec::with_capacity(list.len());
        for arg in list {
            args.push(self.expr(plain_argument(name, arg)?)?);
        }
        let types: Vec<ScalarType> = args.iter().map(|arg| arg.ty.clone()).collect();
        let missing = || {
            let types: Vec<String> = types.iter().map(ToString::to_string).collect();
            PlanError::new(format!("function {name}({}) does not exist", types.join(", ")))
        };
        let plain = |function, ty| Ok((function, Vec::new(), Bound::new(Expr::Column(0), ty, false)));
        match (name, args.len()) {
            ("row_number", 0) => plain(WindowFunction::RowNumber, ScalarType::Int64),
            ("rank", 0) => plain(WindowFunction::Rank, ScalarType::Int64),
            ("dense_rank", 0) => plain(WindowFunction::DenseRank, ScalarType::Int64),
            ("percent_rank", 0) => plain(WindowFunction::PercentRank, ScalarType::Float64),
            ("cume_dist", 0) => plain(WindowFunction::CumeDist, ScalarType::Float64),
            ("ntile", 1) => {
                if !matches!(args[0].ty, ScalarType::Int16 | ScalarType::Int32 | ScalarType::Unknown) {
                    return Err(missing());
                }
                let buckets = args.swap_remove(0).cast(&ScalarType::Int32, false)?;
                let result = Bound::new(Expr::Column(0), ScalarType::Int32, buckets.nullable);
                Ok((WindowFunction::Ntile, vec![buckets.expr], result))
            }
            ("lag" | "lead", 1..=3) => {
                let function = if name == "lag" { WindowFunction::Lag } else { WindowFunction::Lead };
                let default = if args.len() == 3 { args.pop() } else { None };
                let offset = if args.len() == 2 { Some(args.swap_remove(1)) } else { None };
                let offset = match offset {
                    Some(offset) => integer(offset).ok_or_else(missing)?.expr,
                    None => literal_int8(1),
                };
                args.extend(default);
                let scale_max = joint_scale(&args);
                let (args, ty) = unify(name, args).map_err(|_| missing())?;
                let ty = ty.base();
                let mut values = args.into_iter().map(|arg| arg.into_argument(&ty));
                let value = values.next().transpose()?.ok_or_else(missing)?;
                let default = values.next().transpose()?;
                let default = default.map_or_else(|| literal_null(ty.clone()), |default| default.expr);
                let scale_max = if ty.is_numeric() { scale_max } else { None };
                let result = Bound { scale_max, ..Bound::new(Expr::Column(0), ty, true) };
                Ok((function, vec![value.expr, offset, default], result))
            }
            ("first_value" | "last_value", 1) | ("nth_value", 2) => {
                let mut exprs = Vec::new();
                if name == "nth_value" {
                    exprs.push(integer(args.swap_remove(1)).ok_or_else(missing)?.expr);
                }
                let value = args.pop().ok_or_else(missing)?;
                let value = if value.ty == ScalarType::Unknown { value.cast(&ScalarType::Text, false)? } else { value };
                let ty = value.ty.base();
                let scale_max = if ty.is_numeric() { value.scale() } else { None };
                exprs.insert(0, value.into_argument(&ty)?.expr);
                let function = match name {
                    "first_value" => WindowFunction::FirstValue,
                    "last_value" => WindowFunction::LastValue,
                    _ => WindowFunction::NthValue,
                };
                Ok((function, exprs, Bound { scale_max, ..Bound::new(Expr::Column(0), ty, true) }))
            }
            _ => Err(missing()),
        }
    }
}

/// An argument of type integer, as a bigint. A bigint is refused, as PostgreSQL refuses it.
fn integer(arg: Bound) -> Option<Bound> {
    match arg.ty {
        ScalarType::Int16 | ScalarType::Int32 => arg.cast(&ScalarType::Int64, false).ok(),
        ScalarType::Unknown => arg.cast(&ScalarType::Int32, false).ok()?.cast(&ScalarType::Int64, false).ok(),
        _ => None,
    }
}

/// What may stand in the brackets of an aggregate and not in those of a window call.
fn refuse_clauses(name: &str, call: &ast::Function, is_aggregate: bool) -> Result<(), PlanError> {
    if call.filter.is_some() && !is_aggregate {
        return Err(PlanError::new("FILTER is not implemented for non-aggregate window functions")
            .with_hint("put a CASE into the argument, or filter in a query below this one"));
    }
    if let Some(ast::NullTreatment::IgnoreNulls) = call.null_treatment {
        return Err(ignore_nulls(name));
    }
    let FunctionArguments::List(list) = &call.args else { return Ok(()) };
    if matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct)) {
        return Err(PlanError::new("DISTINCT is not implemented for window functions").with_hint(
            "count first rows: sum(case when n = 1 then 1 else 0 end) over a row_number() of a query below",
        ));
    }
    for clause in &list.clauses {
        match clause {
            FunctionArgumentClause::OrderBy(terms) => {
                let span = terms.first().map_or_else(Span::empty, |term| term.expr.span());
                return Err(at(PlanError::new("aggregate ORDER BY is not implemented for window functions"), span));
            }
            FunctionArgumentClause::IgnoreOrRespectNulls(ast::NullTreatment::RespectNulls) => {}
            FunctionArgumentClause::IgnoreOrRespectNulls(ast::NullTreatment::IgnoreNulls) => {
                return Err(ignore_nulls(name));
            }
            other => return Err(unsupported(format!("{other} inside {name}()"))),
        }
    }
    Ok(())
}

/// The refusal of IGNORE NULLS.
pub(super) fn ignore_nulls(name: &str) -> PlanError {
    let name = if name.contains(' ') { name.to_owned() } else { format!("{name}()") };
    unsupported(format!("IGNORE NULLS in {name}")).with_hint(
        "number the stretches first: count(x) over (partition by … order by …) as stretch in a query below, \
         then max(x) over (partition by …, stretch)",
    )
}

/// Aggregates whose value over a part of an order is kept without looking at every row of it, and lists, which are that part.
fn is_maintained_over(function: &AggregateFunction) -> bool {
    function.is_list()
        || matches!(
            function,
            AggregateFunction::CountRows
                | AggregateFunction::Count
                | AggregateFunction::Sum
                | AggregateFunction::Avg
                | AggregateFunction::Min
                | AggregateFunction::Max
                | AggregateFunction::AnyValue
                | AggregateFunction::BoolAnd
                | AggregateFunction::BoolOr
                | AggregateFunction::VarSamp
                | AggregateFunction::VarPop
                | AggregateFunction::StddevSamp
                | AggregateFunction::StddevPop
        )
}
