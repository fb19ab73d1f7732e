//! Every version of a source's rows, for the snapshots that keep each of them.
//!
//! ```text
//!   source.shop.raw.orders            one row per key                                                   what models read
//!   livemart.versions.source.shop.…   the row at rest: its columns, 0, NULL, false
//!                                     in an epoch in which the key changed: each version in order, with its time, and whether it is gone
//! ```
//!
//! 1. Only what is row by row, without a filter, over a source with a key can be told so: a version that a filter leaves out would
//!    be missed, and a join has no order of versions. The columns of the snapshot's key are those of the source's key.
//! 2. A plan over versions has the columns of the plan over rows, and then the version's own.

use std::ops::Range;
use std::sync::Arc;

use eval::Expr;
use row::{Datum, Row, RowRef, ScalarType};

use super::{Column, Plan, RelationId, RelationType};

/// Columns that a version has after its row's: its number in the epoch (0: at rest), when it came, whether it is the row that went.
pub const OWN_COLUMNS: usize = 3;

const PREFIX: &str = "livemart.versions.";

/// The relation of a source's versions.
pub fn versions(source: &RelationId) -> RelationId {
    RelationId(format!("{PREFIX}{}", source.0).into())
}

/// The source whose versions a relation holds.
pub fn source_of(relation: &RelationId) -> Option<RelationId> {
    relation.0.strip_prefix(PREFIX).map(|source| RelationId(source.into()))
}

/// A row of the relation.
pub fn version(row: RowRef<'_>, number: i64, at: Option<i64>, is_gone: bool) -> Row {
    let at = at.map_or(Datum::Null, Datum::TimestampTz);
    Row::pack(row.iter().chain([Datum::Int(number), at, Datum::Bool(is_gone)]))
}

/// The plan over every version of the source that it reads; None where it does not read one row by row, or where the columns `key`
/// are not the source's key.
pub fn over_versions(plan: &Arc<Plan>, key: Range<usize>, is_whole: &dyn Fn(&RelationId) -> bool) -> Option<Arc<Plan>> {
    let (relation, typ) = source(plan)?;
    let mut wanted = typ.keys.first()?.clone();
    let mut found = key.map(|column| origin(plan, column)).collect::<Option<Vec<usize>>>()?;
    wanted.sort_unstable();
    found.sort_unstable();
    (wanted == found && relation.0.starts_with("source.") && is_whole(relation)).then(|| carried(plan))
}

/// What a row-wise plan reads.
fn source(plan: &Plan) -> Option<(&RelationId, &RelationType)> {
    match plan {
        Plan::Get { relation, typ } => Some((relation, typ)),
        Plan::Map { input, .. } | Plan::Project { input, .. } => source(input),
        _ => None,
    }
}

/// The source's column that a column is, unchanged.
fn origin(plan: &Plan, column: usize) -> Option<usize> {
    match plan {
        Plan::Get { .. } => Some(column),
        Plan::Project { input, columns } => origin(input, *columns.get(column)?),
        Plan::Map { input, exprs } => match column.checked_sub(input.arity()) {
            None => origin(input, column),
            Some(appended) => match &exprs.get(appended)?.0 {
                Expr::Column(below) if *below < input.arity() => origin(input, *below),
                _ => None,
            },
        },
        _ => None,
    }
}

/// The plan with the version's own columns at the end.
fn carried(plan: &Arc<Plan>) -> Arc<Plan> {
    Arc::new(match &**plan {
        Plan::Get { relation, typ } => {
            let own = [("version", ScalarType::Int64), ("at", ScalarType::TimestampTz), ("is_gone", ScalarType::Bool)];
            let own = own.map(|(name, ty)| Column { name: name.to_owned(), ty, nullable: true, scale_max: None });
            let columns = typ.columns.iter().cloned().chain(own).collect();
            Plan::Get { relation: versions(relation), typ: RelationType { columns, keys: Vec::new() } }
        }
        Plan::Project { input, columns } => {
            let arity = input.arity();
            let columns = columns.iter().copied().chain(arity..arity + OWN_COLUMNS).collect();
            Plan::Project { input: carried(input), columns }
        }
        Plan::Map { input, exprs } => {
            // Appended behind the version's own columns, which go to the end again.
            let (arity, added) = (input.arity(), exprs.len());
            let mut exprs = exprs.clone();
            for (expr, _) in &mut exprs {
                expr.map_columns(&mut |column| if column < arity { column } else { column + OWN_COLUMNS });
            }
            let begin = arity + OWN_COLUMNS;
            let columns = (0..arity).chain(begin..begin + added).chain(arity..begin).collect();
            Plan::Project { input: Arc::new(Plan::Map { input: carried(input), exprs }), columns }
        }
        other => unreachable!("{other:?} is not row by row"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get() -> Arc<Plan> {
        let column = |name: &str| Column { name: name.into(), ty: ScalarType::Int64, nullable: true, scale_max: None };
        let typ = RelationType { columns: ["id", "a", "b"].map(column).to_vec(), keys: vec![vec![0]] };
        Arc::new(Plan::Get { relation: RelationId("source.shop.raw.orders".into()), typ })
    }

    #[test]
    fn a_key_that_is_computed_or_another_is_none() {
        let swapped = Arc::new(Plan::Project { input: get(), columns: vec![1, 0] });
        let whole = |_: &RelationId| true;
        assert!(over_versions(&swapped, 1..2, &whole).is_some());
        assert!(over_versions(&swapped, 0..1, &whole).is_none(), "a is not the key");
        assert!(over_versions(&swapped, 0..2, &whole).is_none(), "two columns are not the key");
        assert!(over_versions(&swapped, 1..2, &|_| false).is_none(), "a source that forgets rows");
        let filtered = Arc::new(Plan::Filter { input: swapped, predicates: Vec::new() });
        assert!(over_versions(&filtered, 1..2, &whole).is_none());
    }

    #[test]
    fn what_a_version_has_of_its_own_comes_last() {
        let (from, to) = (ScalarType::Int64, ScalarType::Text);
        let text = Expr::Cast { input: Box::new(Expr::Column(2)), from, to, explicit: true };
        let column = Column { name: "text".into(), ty: ScalarType::Text, nullable: true, scale_max: None };
        let map = Arc::new(Plan::Map { input: get(), exprs: vec![(text, column)] });
        let plan = Arc::new(Plan::Project { input: map, columns: vec![3, 0] });
        let over = over_versions(&plan, 1..2, &|_| true).expect("row by row");
        let names: Vec<String> = over.typ().columns.into_iter().map(|column| column.name).collect();
        assert_eq!(names, ["text", "id", "version", "at", "is_gone"]);
    }
}
