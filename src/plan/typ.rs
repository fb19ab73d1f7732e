//! The columns and structural facts of every plan node.
//!
//! Facts are conservative: a column is nullable unless it cannot be, a key is listed only where structure makes it unique.

use std::sync::Arc;

use eval::Expr;

use super::clock::ClockReading;
use super::recursion::recursion_type;
use super::tree::NodeMap;
use super::{Column, EquiTerm, JoinKind, Plan, RelationType, WindowFunction};

/// More keys than this are of no use to any rewrite.
const KEYS_MAX: usize = 6;

impl Plan {
    /// The type of this node's output. A caller that asks for many nodes of one graph keeps a `TypeCache` instead.
    pub fn typ(&self) -> RelationType {
        TypeCache::default().of_node(self)
    }
}

/// Types by node; each node of a graph is typed once.
#[derive(Default)]
pub struct TypeCache(NodeMap<Arc<RelationType>>);

impl TypeCache {
    pub fn typ(&mut self, plan: &Arc<Plan>) -> Arc<RelationType> {
        if let Some(typ) = self.0.get(plan) {
            return Arc::clone(typ);
        }
        let typ = Arc::new(self.of_node(plan));
        self.0.insert(plan, Arc::clone(&typ));
        typ
    }

    fn of_node(&mut self, plan: &Plan) -> RelationType {
        match plan {
            Plan::Get { typ, .. } | Plan::Recursion { typ, .. } | Plan::Snapshot { typ, .. } => typ.clone(),
            Plan::Recursive { base, distinct, .. } => {
                let mut typ = recursion_type(&self.typ(base));
                if *distinct {
                    typ.keys = vec![(0..typ.columns.len()).collect()];
                }
                typ
            }
            Plan::Constant { rows, typ } => {
                let mut typ = typ.clone();
                if rows.iter().map(|(_, count)| count.max(&0)).sum::<i64>() <= 1 {
                    typ.keys = vec![Vec::new()];
                }
                typ
            }
            Plan::Map { input, exprs } => map_type(&self.typ(input), exprs),
            Plan::FlatMap { input, calls, ordinality, .. } => {
                let mut typ = (*self.typ(input)).clone();
                typ.columns.extend(calls.iter().map(|(_, column)| column.clone()));
                // The input's row and its number tell the rows apart.
                typ.keys = match ordinality {
                    Some(_) => {
                        (typ.keys.iter()).map(|key| key.iter().copied().chain([typ.columns.len()]).collect()).collect()
                    }
                    None => Vec::new(),
                };
                typ.columns.extend(ordinality.clone());
                typ
            }
            Plan::Project { input, columns } => project_type(&self.typ(input), columns),
            Plan::Temporal { input, .. } => (*self.typ(input)).clone(),
            Plan::Filter { input, predicates } => filter_type(&self.typ(input), predicates),
            Plan::Join { kind, left, right, on, .. } => {
                let (left, right) = (self.typ(left), self.typ(right));
                join_type(*kind, &left, &right, on)
            }
            Plan::Reduce { input, group, aggregates } => {
                let input = self.typ(input);
                let groups = group.iter().map(|(expr, column)| match expr {
                    Expr::Column(from) => {
                        Column { nullable: column.nullable && input.columns[*from].nullable, ..column.clone() }
                    }
                    _ => column.clone(),
                });
                let columns = groups.chain(aggregates.iter().map(|(_, column)| column.clone()));
                let mut keys = vec![(0..group.len()).collect()];
                keys.extend(input.keys.iter().filter_map(|key| {
                    key.iter().map(|k| group.iter().position(|(expr, _)| *expr == Expr::Column(*k))).collect()
                }));
                RelationType { columns: columns.collect(), keys: tidy(keys) }
            }
            Plan::Distinct { input } => {
                let mut typ = (*self.typ(input)).clone();
                typ.keys.push((0..typ.columns.len()).collect());
                typ.keys = tidy(typ.keys);
                typ
            }
            Plan::TopK { input, group, limit, .. } => {
                let mut typ = (*self.typ(input)).clone();
                if matches!(limit, Some(0 | 1)) {
                    typ.keys.push(group.clone());
                }
                typ.keys = tidy(typ.keys);
                typ
            }
            Plan::Window { input, partition, calls, .. } => {
                let mut typ = (*self.typ(input)).clone();
                let width = typ.columns.len();
                typ.columns.extend(calls.iter().map(|(_, column)| column.clone()));
                // A row's number is its own within its partition.
                let by: Option<Vec<usize>> = partition
                    .iter()
                    .map(|expr| if let Expr::Column(column) = expr { Some(*column) } else { None })
                    .collect();
                let number = calls.iter().position(|(call, _)| call.function == WindowFunction::RowNumber);
                if let (Some(mut key), Some(number)) = (by, number) {
                    key.push(width + number);
                    typ.keys.push(key);
                    typ.keys = tidy(typ.keys);
                }
                typ
            }
            Plan::Union { inputs } => {
                let types: Vec<_> = inputs.iter().map(|input| self.typ(input)).collect();
                union_type(&types)
            }
            Plan::Negate { input } => RelationType { columns: self.typ(input).columns.clone(), keys: Vec::new() },
            Plan::Threshold { input } => {
                let mut typ = (*self.typ(input)).clone();
                // What is left of `a + -b` where it is positive is part of `a`.
                if let Plan::Union { inputs } = &**input
                    && let Some((first, rest)) = inputs.split_first()
                    && rest.iter().all(|input| matches!(&**input, Plan::Negate { .. }))
                {
                    let first = self.typ(first);
                    typ.keys = first.keys.clone();
                    typ.columns = first.columns.clone();
                }
                typ
            }
        }
    }
}

/// Sorted, without repetitions and without keys that hold a smaller key.
fn tidy(mut keys: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    for key in &mut keys {
        key.sort_unstable();
        key.dedup();
    }
    keys.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let mut kept: Vec<Vec<usize>> = Vec::new();
    for key in keys {
        if !kept.iter().any(|smaller| smaller.iter().all(|column| key.contains(column))) {
            kept.push(key);
        }
    }
    kept.truncate(KEYS_MAX);
    kept
}

fn map_type(input: &RelationType, exprs: &[(Expr, Column)]) -> RelationType {
    let mut typ = input.clone();
    for (expr, column) in exprs {
        if let Expr::Column(from) = expr {
            let copies: Vec<Vec<usize>> = (typ.keys.iter())
                .filter(|key| key.contains(from))
                .map(|key| key.iter().map(|c| if c == from { typ.columns.len() } else { *c }).collect())
                .collect();
            typ.keys.extend(copies);
        }
        let mut column = column.clone();
        if let Expr::Column(from) = expr {
            column.nullable &= input.columns[*from].nullable;
        }
        typ.columns.push(column);
    }
    typ.keys = tidy(typ.keys);
    typ
}

fn project_type(input: &RelationType, columns: &[usize]) -> RelationType {
    let keys = input.keys.iter().filter_map(|key| {
        key.iter().map(|column| columns.iter().position(|kept| kept == column)).collect::<Option<Vec<_>>>()
    });
    RelationType {
        keys: tidy(keys.collect()),
        columns: columns.iter().map(|column| input.columns[*column].clone()).collect(),
    }
}

fn filter_type(input: &RelationType, predicates: &[Expr]) -> RelationType {
    let mut typ = input.clone();
    for predicate in predicates {
        if let Expr::Not(inner) = predicate
            && let Expr::IsNull(inner) = &**inner
            && let Expr::Column(column) = **inner
        {
            typ.columns[column].nullable = false;
        }
    }
    typ
}

/// Whether each row of the other side meets at most one row of this side: some key of it is among its join columns.
pub(crate) fn unique_on<'e>(typ: &RelationType, exprs: impl Iterator<Item = &'e Expr>) -> bool {
    let columns: Vec<usize> =
        exprs.filter_map(|expr| if let Expr::Column(column) = expr { Some(*column) } else { None }).collect();
    typ.keys.iter().any(|key| key.iter().all(|column| columns.contains(column)))
}

fn join_type(kind: JoinKind, left: &RelationType, right: &RelationType, on: &[EquiTerm]) -> RelationType {
    if matches!(kind, JoinKind::Semi | JoinKind::Anti) {
        return left.clone();
    }
    let width = left.columns.len();
    let mut columns: Vec<Column> = left.columns.iter().chain(&right.columns).cloned().collect();
    if matches!(kind, JoinKind::Inner) {
        for term in on.iter().filter(|term| !term.null_equal) {
            if let Expr::Column(column) = term.left {
                columns[column].nullable = false;
            }
            if let Expr::Column(column) = term.right {
                columns[width + column].nullable = false;
            }
        }
    }
    if matches!(kind, JoinKind::Right | JoinKind::Full) {
        columns[..width].iter_mut().for_each(|column| column.nullable = true);
    }
    if matches!(kind, JoinKind::Left | JoinKind::Full) {
        columns[width..].iter_mut().for_each(|column| column.nullable = true);
    }
    let right_key = |key: &Vec<usize>| key.iter().map(|column| width + column).collect::<Vec<_>>();
    let left_unique = unique_on(left, on.iter().map(|term| &term.left));
    let right_unique = unique_on(right, on.iter().map(|term| &term.right));
    let mut keys = Vec::new();
    if right_unique && matches!(kind, JoinKind::Inner | JoinKind::Left) {
        keys.extend(left.keys.iter().cloned());
    }
    if left_unique && matches!(kind, JoinKind::Inner | JoinKind::Right) {
        keys.extend(right.keys.iter().map(right_key));
    }
    // In a full join a preserved row's NULLs could be taken for another row's own NULL key.
    if !matches!(kind, JoinKind::Full) {
        for left_key in &left.keys {
            for key in &right.keys {
                keys.push(left_key.iter().copied().chain(right_key(key)).collect());
            }
        }
    }
    RelationType { columns, keys: tidy(keys) }
}

fn union_type(types: &[Arc<RelationType>]) -> RelationType {
    let Some((first, rest)) = types.split_first() else { return RelationType::default() };
    if rest.is_empty() {
        return (**first).clone();
    }
    let mut columns = first.columns.clone();
    for (index, column) in columns.iter_mut().enumerate() {
        for other in rest.iter().map(|typ| &typ.columns[index]) {
            column.nullable |= other.nullable;
            column.scale_max = column.scale_max.zip(other.scale_max).map(|(a, b)| a.max(b));
        }
    }
    RelationType { columns, keys: Vec::new() }
}

/// Whether the plan gives exactly one row whatever its inputs hold.
pub(crate) fn is_one_row(plan: &Plan) -> bool {
    match plan {
        Plan::Get { relation, .. } => ClockReading::of(relation).is_some(),
        Plan::Constant { rows, .. } => rows.iter().map(|(_, count)| *count).sum::<i64>() == 1,
        Plan::Reduce { group, .. } => group.is_empty(),
        Plan::Map { input, .. } | Plan::Project { input, .. } | Plan::Distinct { input } => is_one_row(input),
        Plan::Join { kind, left, right, on, residual } => match kind {
            JoinKind::Inner => on.is_empty() && residual.is_empty() && is_one_row(left) && is_one_row(right),
            JoinKind::Left => is_one_row(left) && is_one_row(right),
            _ => false,
        },
        Plan::Union { inputs } => inputs.len() == 1 && is_one_row(&inputs[0]),
        _ => false,
    }
}
