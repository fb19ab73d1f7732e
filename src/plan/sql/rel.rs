//! A bound query before its subqueries are taken apart: relations over column numbers.
//!
//! ```text
//!   AST ──bind──> Rel (names resolved, typed; a subquery is an Apply) ──lower──> Plan (no Apply, positions)
//! ```
//!
//! Nothing is narrowed here: a relation gives all columns its parts give, and the plan's demand pruning drops what no one reads.

use std::collections::{BTreeMap, BTreeSet};

use eval::{AggregateCall, Expr, OrderTerm, TableCall};
use row::SortDirection;

use super::columns::ColumnId;
use crate::plan::{JoinKind, RelationId, RelationType, WindowCall};

#[derive(Clone, Debug)]
pub(super) enum Rel {
    /// One row without columns: SELECT without FROM.
    Unit,
    Get {
        relation: RelationId,
        typ: RelationType,
        columns: Vec<ColumnId>,
    },
    /// One reading of a WITH query, under numbers of its own. The query reads no outer column (else it is copied in place).
    Cte {
        cte: usize,
        columns: Vec<ColumnId>,
    },
    Values {
        rows: Vec<Vec<Expr>>,
        columns: Vec<ColumnId>,
    },
    Map {
        input: Box<Rel>,
        exprs: Vec<(ColumnId, Expr)>,
    },
    /// For each row the rows of its calls; the last column counts them where there is one more column than calls.
    FlatMap {
        input: Box<Rel>,
        calls: Vec<TableCall>,
        columns: Vec<ColumnId>,
        /// A row without any result is kept, with NULLs.
        keeps_input: bool,
    },
    Filter {
        input: Box<Rel>,
        predicates: Vec<Expr>,
    },
    /// Inner, left, right or full. The right side of an inner or left join may read the left's columns (LATERAL).
    Join {
        kind: JoinKind,
        left: Box<Rel>,
        right: Box<Rel>,
        on: Vec<Expr>,
    },
    Aggregate {
        input: Box<Rel>,
        group: Vec<(ColumnId, Expr)>,
        aggregates: Vec<(ColumnId, AggregateCall)>,
    },
    /// Appends each call's value over the rows of the partition, in order.
    Window {
        input: Box<Rel>,
        partition: Vec<Expr>,
        order_by: Vec<OrderTerm>,
        calls: Vec<(ColumnId, WindowCall)>,
    },
    /// The distinct rows of these columns.
    Distinct {
        input: Box<Rel>,
        columns: Vec<ColumnId>,
    },
    TopK {
        input: Box<Rel>,
        /// The columns of the rows that are ordered; all of them break ties.
        keep: Vec<ColumnId>,
        group: Vec<ColumnId>,
        order_by: Vec<(ColumnId, SortDirection)>,
        limit: Option<u64>,
        offset: u64,
    },
    /// Column i of the result comes from column i of either side.
    SetOp {
        op: SetOp,
        all: bool,
        left: Box<Branch>,
        right: Box<Branch>,
        columns: Vec<ColumnId>,
    },
    /// A WITH RECURSIVE query: column i of both parts is column i of the result.
    Recursive {
        name: String,
        base: Box<Branch>,
        step: Box<Branch>,
        distinct: bool,
        columns: Vec<ColumnId>,
    },
    /// Inside the step of a `Recursive` of that name: its rows.
    Recursion {
        name: String,
        columns: Vec<ColumnId>,
    },
    Apply {
        input: Box<Rel>,
        apply: Box<Apply>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetOp {
    Union,
    Except,
    Intersect,
}

/// A relation and the columns of it that count, in order.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub rel: Rel,
    pub columns: Vec<ColumnId>,
}

/// A subquery, evaluated for each row of the relation it is applied to.
#[derive(Clone, Debug)]
pub(super) struct Apply {
    pub query: Rel,
    pub kind: ApplyKind,
    /// Where it stands in the SQL, for a refusal found while lowering.
    pub place: (u64, u64),
}

#[derive(Clone, Debug)]
pub(super) enum ApplyKind {
    /// The one row of the query, or NULLs: (new column, column of the query).
    Row { results: Vec<(ColumnId, ColumnId)> },
    /// A new column, true when the query has a row whose columns equal the expressions (`=`, so never for NULL), else false.
    Mark { result: ColumnId, pairs: Vec<(Expr, ColumnId)> },
    /// Keeps the rows for which `Mark` would give true.
    Semi { pairs: Vec<(Expr, ColumnId)> },
    /// Keeps the rows for which `Mark` would give false.
    Anti { pairs: Vec<(Expr, ColumnId)> },
}

impl ApplyKind {
    pub fn pairs(&self) -> &[(Expr, ColumnId)] {
        match self {
            ApplyKind::Row { .. } => &[],
            ApplyKind::Mark { pairs, .. } | ApplyKind::Semi { pairs } | ApplyKind::Anti { pairs } => pairs,
        }
    }

    fn pairs_mut(&mut self) -> &mut [(Expr, ColumnId)] {
        match self {
            ApplyKind::Row { .. } => &mut [],
            ApplyKind::Mark { pairs, .. } | ApplyKind::Semi { pairs } | ApplyKind::Anti { pairs } => pairs,
        }
    }
}

impl Rel {
    pub fn map(self, exprs: Vec<(ColumnId, Expr)>) -> Rel {
        if exprs.is_empty() { self } else { Rel::Map { input: Box::new(self), exprs } }
    }

    pub fn filter(self, predicates: Vec<Expr>) -> Rel {
        if predicates.is_empty() { self } else { Rel::Filter { input: Box::new(self), predicates } }
    }

    pub fn apply(self, apply: Apply) -> Rel {
        Rel::Apply { input: Box::new(self), apply: Box::new(apply) }
    }

    /// Puts a relation in the place of the row without columns that all of this stands on.
    pub fn put_under(&mut self, base: Rel) {
        match self {
            Rel::Unit => *self = base,
            Rel::Map { input, .. }
            | Rel::Filter { input, .. }
            | Rel::Aggregate { input, .. }
            | Rel::Distinct { input, .. }
            | Rel::TopK { input, .. }
            | Rel::FlatMap { input, .. }
            | Rel::Window { input, .. }
            | Rel::Apply { input, .. } => input.put_under(base),
            Rel::Get { .. }
            | Rel::Cte { .. }
            | Rel::Values { .. }
            | Rel::Join { .. }
            | Rel::SetOp { .. }
            | Rel::Recursive { .. }
            | Rel::Recursion { .. } => {
                panic!("nothing is to be put under a relation of its own")
            }
        }
    }

    fn children(&self) -> Vec<&Rel> {
        match self {
            Rel::Unit | Rel::Get { .. } | Rel::Cte { .. } | Rel::Values { .. } | Rel::Recursion { .. } => Vec::new(),
            Rel::Map { input, .. }
            | Rel::FlatMap { input, .. }
            | Rel::Filter { input, .. }
            | Rel::Aggregate { input, .. }
            | Rel::Window { input, .. }
            | Rel::Distinct { input, .. }
            | Rel::TopK { input, .. } => vec![input],
            Rel::Join { left, right, .. } => vec![left, right],
            Rel::SetOp { left, right, .. } | Rel::Recursive { base: left, step: right, .. } => {
                vec![&left.rel, &right.rel]
            }
            Rel::Apply { input, apply } => vec![input, &apply.query],
        }
    }

    pub fn children_mut(&mut self) -> Vec<&mut Rel> {
        match self {
            Rel::Unit | Rel::Get { .. } | Rel::Cte { .. } | Rel::Values { .. } | Rel::Recursion { .. } => Vec::new(),
            Rel::Map { input, .. }
            | Rel::FlatMap { input, .. }
            | Rel::Filter { input, .. }
            | Rel::Aggregate { input, .. }
            | Rel::Window { input, .. }
            | Rel::Distinct { input, .. }
            | Rel::TopK { input, .. } => vec![input],
            Rel::Join { left, right, .. } => vec![left, right],
            Rel::SetOp { left, right, .. } | Rel::Recursive { base: left, step: right, .. } => {
                vec![&mut left.rel, &mut right.rel]
            }
            Rel::Apply { input, apply } => vec![input, &mut apply.query],
        }
    }

    /// Columns that the relation makes (its own and those of its parts).
    pub fn made(&self, into: &mut BTreeSet<ColumnId>) {
        match self {
            Rel::Get { columns, .. } | Rel::Cte { columns, .. } | Rel::Values { columns, .. } => into.extend(columns),
            Rel::SetOp { columns, .. }
            | Rel::FlatMap { columns, .. }
            | Rel::Recursive { columns, .. }
            | Rel::Recursion { columns, .. } => into.extend(columns),
            Rel::Map { exprs, .. } => into.extend(exprs.iter().map(|(id, _)| *id)),
            Rel::Aggregate { group, aggregates, .. } => {
                into.extend(group.iter().map(|(id, _)| *id));
                into.extend(aggregates.iter().map(|(id, _)| *id));
            }
            Rel::Window { calls, .. } => into.extend(calls.iter().map(|(id, _)| *id)),
            Rel::Apply { apply, .. } => match &apply.kind {
                ApplyKind::Row { results } => into.extend(results.iter().map(|(id, _)| *id)),
                ApplyKind::Mark { result, .. } => {
                    into.insert(*result);
                }
                ApplyKind::Semi { .. } | ApplyKind::Anti { .. } => {}
            },
            Rel::Unit | Rel::Filter { .. } | Rel::Join { .. } | Rel::Distinct { .. } | Rel::TopK { .. } => {}
        }
        self.children().into_iter().for_each(|child| child.made(into));
    }

    /// Calls `visit` for the expressions of this node alone.
    fn own_exprs<'r>(&'r self, visit: &mut dyn FnMut(&'r Expr)) {
        match self {
            Rel::Values { rows, .. } => rows.iter().flatten().for_each(visit),
            Rel::Map { exprs, .. } => exprs.iter().for_each(|(_, expr)| visit(expr)),
            Rel::FlatMap { calls, .. } => calls.iter().flat_map(|call| &call.args).for_each(visit),
            Rel::Filter { predicates: exprs, .. } | Rel::Join { on: exprs, .. } => exprs.iter().for_each(visit),
            Rel::Aggregate { group, aggregates, .. } => {
                group.iter().for_each(|(_, expr)| visit(expr));
                for (_, call) in aggregates {
                    call.exprs().for_each(&mut *visit);
                }
            }
            Rel::Window { partition, order_by, calls, .. } => {
                partition.iter().chain(order_by.iter().map(|term| &term.expr)).for_each(&mut *visit);
                calls.iter().for_each(|(_, call)| call.for_each_expr(visit));
            }
            Rel::Apply { apply, .. } => apply.kind.pairs().iter().for_each(|(expr, _)| visit(expr)),
            Rel::Unit
            | Rel::Get { .. }
            | Rel::Cte { .. }
            | Rel::Distinct { .. }
            | Rel::TopK { .. }
            | Rel::SetOp { .. }
            | Rel::Recursive { .. }
            | Rel::Recursion { .. } => {}
        }
    }

    fn read(&self, into: &mut BTreeSet<ColumnId>) {
        self.own_exprs(&mut |expr| {
            expr.for_each_column(&mut |column| {
                into.insert(column);
            })
        });
        self.children().into_iter().for_each(|child| child.read(into));
    }

    /// Columns that the relation reads and does not make: those of outer queries, and of the left of a LATERAL.
    pub fn free(&self) -> BTreeSet<ColumnId> {
        let (mut read, mut made) = (BTreeSet::new(), BTreeSet::new());
        self.read(&mut read);
        self.made(&mut made);
        &read - &made
    }

    /// Gives columns other numbers, wherever they stand; those not in the map keep theirs.
    pub fn rename(&mut self, map: &BTreeMap<ColumnId, ColumnId>) {
        let new = |id: &mut ColumnId| *id = map.get(id).copied().unwrap_or(*id);
        match self {
            Rel::Get { columns, .. } | Rel::Cte { columns, .. } | Rel::Values { columns, .. } => {
                columns.iter_mut().for_each(new)
            }
            Rel::Map { exprs, .. } => exprs.iter_mut().for_each(|(id, _)| new(id)),
            Rel::Aggregate { group, aggregates, .. } => {
                group.iter_mut().for_each(|(id, _)| new(id));
                aggregates.iter_mut().for_each(|(id, _)| new(id));
            }
            Rel::Window { calls, .. } => calls.iter_mut().for_each(|(id, _)| new(id)),
            Rel::Distinct { columns, .. } | Rel::FlatMap { columns, .. } | Rel::Recursion { columns, .. } => {
                columns.iter_mut().for_each(new);
            }
            Rel::TopK { keep, group, order_by, .. } => {
                keep.iter_mut().chain(group).for_each(new);
                order_by.iter_mut().for_each(|(id, _)| new(id));
            }
            Rel::SetOp { left, right, columns, .. } | Rel::Recursive { base: left, step: right, columns, .. } => {
                columns.iter_mut().chain(&mut left.columns).chain(&mut right.columns).for_each(new);
            }
            Rel::Apply { apply, .. } => match &mut apply.kind {
                ApplyKind::Row { results } => results.iter_mut().for_each(|(result, column)| {
                    new(result);
                    new(column);
                }),
                ApplyKind::Mark { result, pairs } => {
                    new(result);
                    pairs.iter_mut().for_each(|(_, column)| new(column));
                }
                ApplyKind::Semi { pairs } | ApplyKind::Anti { pairs } => {
                    pairs.iter_mut().for_each(|(_, column)| new(column));
                }
            },
            Rel::Unit | Rel::Filter { .. } | Rel::Join { .. } => {}
        }
        self.children_mut().into_iter().for_each(|child| child.rename(map));
    }

    pub fn is_fallible(&self) -> bool {
        let mut fallible = false;
        self.own_exprs(&mut |expr| fallible |= expr.is_fallible());
        if let Rel::FlatMap { calls, .. } = self {
            fallible |= calls.iter().any(|call| call.function.is_fallible());
        }
        fallible || self.children().into_iter().any(Rel::is_fallible)
    }

    /// Replaces every expression, those of subqueries included.
    pub fn map_exprs(&mut self, replace: &mut dyn FnMut(&Expr) -> Expr) {
        match self {
            Rel::Values { rows, .. } => rows.iter_mut().flatten().for_each(|expr| *expr = replace(expr)),
            Rel::Map { exprs, .. } => exprs.iter_mut().for_each(|(_, expr)| *expr = replace(expr)),
            Rel::FlatMap { calls, .. } => {
                calls.iter_mut().flat_map(|call| &mut call.args).for_each(|arg| *arg = replace(arg));
            }
            Rel::Filter { predicates: exprs, .. } | Rel::Join { on: exprs, .. } => {
                exprs.iter_mut().for_each(|expr| *expr = replace(expr));
            }
            Rel::Aggregate { group, aggregates, .. } => {
                group.iter_mut().for_each(|(_, expr)| *expr = replace(expr));
                for (_, call) in aggregates {
                    call.exprs_mut().for_each(|expr| *expr = replace(expr));
                }
            }
            Rel::Window { partition, order_by, calls, .. } => {
                partition.iter_mut().for_each(|expr| *expr = replace(expr));
                order_by.iter_mut().for_each(|term| term.expr = replace(&term.expr));
                calls.iter_mut().for_each(|(_, call)| call.map_exprs(replace));
            }
            Rel::Apply { apply, .. } => apply.kind.pairs_mut().iter_mut().for_each(|(expr, _)| *expr = replace(expr)),
            Rel::Unit
            | Rel::Get { .. }
            | Rel::Cte { .. }
            | Rel::Distinct { .. }
            | Rel::TopK { .. }
            | Rel::SetOp { .. }
            | Rel::Recursive { .. }
            | Rel::Recursion { .. } => {}
        }
        self.children_mut().into_iter().for_each(|child| child.map_exprs(replace));
    }
}

impl Apply {
    /// Replaces every expression of the subquery and of what it is compared with.
    pub fn map_exprs(&mut self, replace: &mut dyn FnMut(&Expr) -> Expr) {
        self.query.map_exprs(replace);
        self.kind.pairs_mut().iter_mut().for_each(|(expr, _)| *expr = replace(expr));
    }
}
