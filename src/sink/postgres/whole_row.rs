//! Rows that have no key: found by a hash of the whole row, then compared column by column, NULL equal to NULL.
//!
//! The index on the hash holds eight bytes per row, however wide the row is.

use row::{Row, ScalarType};

use super::apply::bind;
use super::schema::{self, target};
use super::session::{Job, number};
use crate::sink::TableSpec;
use crate::sink::names::quoted;

/// Deletes up to `copies` of the rows whose first `identity` columns are `row`.
pub fn delete_copies<'a>(table: &'a TableSpec, identity: usize, row: &'a Row, copies: u64) -> Job<'a> {
    let parameter = |column: usize| match &table.columns[column].ty {
        // PostgreSQL compares jsonb by value and json not at all: both are compared as they are printed.
        ScalarType::Json | ScalarType::Jsonb => format!("${}::text", column + 1),
        ScalarType::Array(of) if **of == ScalarType::Json => format!("${}::text", column + 1),
        _ => format!("${}", column + 1),
    };
    let same = (0..identity)
        .map(|column| format!("{} is not distinct from {}", comparable(table, column, ""), parameter(column)));
    let same = same.collect::<Vec<_>>().join(" and ");
    let hashed = hash_columns(table, identity).map(|column| match table.columns[column].ty {
        ScalarType::Json => format!("${}::text", column + 1),
        _ => format!("${}", column + 1),
    });
    let target = target(table);
    let sql = format!(
        "delete from {target} where ctid = any (array(
             select ctid from {target} where {} = hash_record_extended(row({}), 0) and {same} limit ${}))",
        row_hash(table, identity, ""),
        or_true(hashed.collect()),
        identity + 1
    );
    let mut values = bind(table, row);
    values.push(number(i64::try_from(copies).unwrap_or(i64::MAX)));
    Job { sql, values }
}

/// Deletes as many copies of each row of `rows` as its column `livemart_mark` says. `rows` has the table's columns.
pub fn delete_sql(table: &TableSpec, rows: &str) -> String {
    let width = table.columns.len();
    let same = (0..width).map(|column| {
        format!("{} is not distinct from {}", comparable(table, column, "t."), comparable(table, column, "s."))
    });
    let same = same.collect::<Vec<_>>().join(" and ");
    let (target, here, there) = (target(table), row_hash(table, width, "t."), row_hash(table, width, "s."));
    // A lookup per row, never a join: without statistics on the hash the planner would read the whole table.
    format!(
        "delete from {target} where ctid = any (array(
             select found.place from {rows} cross join lateral (
                 select t.ctid as place from {target} t where {here} = {there} and {same} limit s.livemart_mark
             ) found))"
    )
}

/// The index that the deletes look into.
pub fn index_sql(table: &TableSpec, identity: usize) -> String {
    format!(
        "create index if not exists {} on {} (({}))",
        schema::row_index(table),
        target(table),
        row_hash(table, identity, "")
    )
}

fn row_hash(table: &TableSpec, identity: usize, prefix: &str) -> String {
    let columns = hash_columns(table, identity).map(|column| {
        let spec = &table.columns[column];
        let cast = if spec.ty == ScalarType::Json { "::text" } else { "" };
        format!("{prefix}{}{cast}", quoted(&spec.name))
    });
    format!("hash_record_extended(row({}), 0)", or_true(columns.collect()))
}

/// Columns that take part in the hash. An array of json has no hash, and its print is not immutable to PostgreSQL.
fn hash_columns(table: &TableSpec, identity: usize) -> impl Iterator<Item = usize> {
    (0..identity).filter(|column| match &table.columns[*column].ty {
        ScalarType::Array(of) => **of != ScalarType::Json,
        _ => true,
    })
}

fn or_true(columns: Vec<String>) -> String {
    if columns.is_empty() { "true".into() } else { columns.join(", ") }
}

fn comparable(table: &TableSpec, column: usize, prefix: &str) -> String {
    let spec = &table.columns[column];
    let cast = match &spec.ty {
        ScalarType::Json | ScalarType::Jsonb => "::text",
        ScalarType::Array(of) if **of == ScalarType::Json => "::text",
        _ => "",
    };
    format!("{prefix}{}{cast}", quoted(&spec.name))
}
