//! Writes the net change of a table, and makes sure that it found what it changes.
//!
//! 1. Every statement is prepared once per connection and found again by its text.
//! 2. NULL equals NULL when a row is looked for (`is`); SQLite's unique index lets NULLs repeat, so an insert with a NULL in
//!    its key looks first.

use row::Row;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Transaction, params_from_iter};

use super::schema::{self, Access};
use super::{failure, relation, value};
use crate::sink::delta::{self, Copies, Keyed};
use crate::sink::names::{quoted, quoted_list};
use crate::sink::{SinkError, TableSpec};

/// Applies consolidated changes.
pub fn apply(
    transaction: &Transaction<'_>,
    table: &TableSpec,
    access: Access,
    delta: &[(Row, i64)],
) -> Result<(), SinkError> {
    match (&table.key, access) {
        (Some(key), Access::ByKey) => {
            let changes = delta::by_key(table, key, delta)?;
            apply_keyed(transaction, table, key, &changes)
        }
        _ => apply_copies(transaction, table, &delta::by_copies(delta)),
    }
}

fn apply_keyed(
    transaction: &Transaction<'_>,
    table: &TableSpec,
    key: &[usize],
    changes: &Keyed<'_>,
) -> Result<(), SinkError> {
    let failed = |cause| failure(&format!("could not write table {}", relation(table)), cause);
    let sql = KeyedSql::new(table, key);
    let mut datums = Vec::new();

    if !changes.deletes.is_empty() {
        let mut delete = transaction.prepare_cached(&sql.delete).map_err(failed)?;
        let mut found = 0;
        for row in &changes.deletes {
            datums.clear();
            row.unpack_into(&mut datums);
            found += delete
                .execute(params_from_iter(key.iter().map(|column| value::bound(&datums[*column]))))
                .map_err(failed)?;
        }
        expect(table, "delete", changes.deletes.len(), found)?;
    }
    if !changes.updates.is_empty() {
        let mut update = transaction.prepare_cached(&sql.update).map_err(failed)?;
        let mut found = 0;
        for row in &changes.updates {
            datums.clear();
            row.unpack_into(&mut datums);
            found += update.execute(params_from_iter(datums.iter().map(value::bound))).map_err(failed)?;
        }
        expect(table, "update", changes.updates.len(), found)?;
    }
    if !changes.inserts.is_empty() {
        let mut insert = transaction.prepare_cached(&sql.insert).map_err(failed)?;
        let mut inserted = 0;
        for row in &changes.inserts {
            datums.clear();
            row.unpack_into(&mut datums);
            let has_null = key.iter().any(|column| datums[*column].is_null());
            inserted += if has_null {
                let mut absent = transaction.prepare_cached(&sql.insert_absent).map_err(failed)?;
                absent.execute(params_from_iter(datums.iter().map(value::bound)))
            } else {
                insert.execute(params_from_iter(datums.iter().map(value::bound)))
            }
            .map_err(failed)?;
        }
        expect(table, "insert beside", changes.inserts.len(), inserted)?;
    }
    Ok(())
}

fn apply_copies(transaction: &Transaction<'_>, table: &TableSpec, changes: &Copies<'_>) -> Result<(), SinkError> {
    let failed = |cause| failure(&format!("could not write table {}", relation(table)), cause);
    if !changes.deletes.is_empty() {
        schema::create_row_index(transaction, table).map_err(failed)?;
        let mut found = 0;
        for (row, copies) in &changes.deletes {
            found += delete_copies(transaction, table, table.columns.len(), row, *copies).map_err(failed)?;
        }
        if found != changes.deleted() {
            return Err(SinkError::disturbed(&relation(table), "delete", changes.deleted(), found));
        }
    }
    for (row, copies) in &changes.inserts {
        insert_copies(transaction, table, row, *copies).map_err(failed)?;
    }
    Ok(())
}

/// Deletes up to `copies` of the rows whose first `identity` columns are `row`. Gives how many there were.
pub fn delete_copies(
    transaction: &Transaction<'_>,
    table: &TableSpec,
    identity: usize,
    row: &Row,
    copies: u64,
) -> rusqlite::Result<u64> {
    let same: Vec<_> = table.columns[..identity]
        .iter()
        .enumerate()
        .map(|(column, spec)| format!("{} is ?{}", quoted(&spec.name), column + 1))
        .collect();
    let name = quoted(&table.name);
    let sql = format!(
        "delete from {name} where rowid in (select rowid from {name} where {} limit ?{})",
        same.join(" and "),
        identity + 1
    );
    let datums: Vec<_> = row.iter().collect();
    let limit = ToSqlOutput::from(i64::try_from(copies).unwrap_or(i64::MAX));
    let mut statement = transaction.prepare_cached(&sql)?;
    Ok(statement.execute(params_from_iter(datums.iter().map(value::bound).chain([limit])))? as u64)
}

pub fn insert_copies(transaction: &Transaction<'_>, table: &TableSpec, row: &Row, copies: u64) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(&insert_sql(table))?;
    let datums: Vec<_> = row.iter().collect();
    for _ in 0..copies {
        insert.execute(params_from_iter(datums.iter().map(value::bound)))?;
    }
    Ok(())
}

struct KeyedSql {
    insert: String,
    /// Inserts unless the key is there.
    insert_absent: String,
    update: String,
    delete: String,
}

impl KeyedSql {
    fn new(table: &TableSpec, key: &[usize]) -> KeyedSql {
        let name = quoted(&table.name);
        let is = |column: usize, parameter: usize| format!("{} is ?{parameter}", quoted(&table.columns[column].name));
        let at_key: Vec<_> = key.iter().map(|column| is(*column, column + 1)).collect();
        let at_key = at_key.join(" and ");
        let by_key: Vec<_> = key.iter().enumerate().map(|(index, column)| is(*column, index + 1)).collect();
        // Setting a key column, even to itself, would write the index again.
        let rest: Vec<_> = (0..table.columns.len()).filter(|column| !key.contains(column)).collect();
        let set: Vec<_> = if rest.is_empty() { key.to_vec() } else { rest }
            .iter()
            .map(|column| format!("{} = ?{}", quoted(&table.columns[*column].name), column + 1))
            .collect();
        let values: Vec<_> = (1..=table.columns.len()).map(|parameter| format!("?{parameter}")).collect();
        KeyedSql {
            insert: insert_sql(table),
            insert_absent: format!(
                "insert into {name} ({}) select {} where not exists (select 1 from {name} where {at_key})",
                quoted_list(table.columns.iter().map(|column| column.name.as_str())),
                values.join(", ")
            ),
            update: format!("update {name} set {} where {at_key}", set.join(", ")),
            delete: format!("delete from {name} where {}", by_key.join(" and ")),
        }
    }
}

fn insert_sql(table: &TableSpec) -> String {
    let values: Vec<_> = (1..=table.columns.len()).map(|parameter| format!("?{parameter}")).collect();
    format!(
        "insert into {} ({}) values ({})",
        quoted(&table.name),
        quoted_list(table.columns.iter().map(|column| column.name.as_str())),
        values.join(", ")
    )
}

fn expect(table: &TableSpec, verb: &str, wanted: usize, found: usize) -> Result<(), SinkError> {
    if wanted == found {
        Ok(())
    } else {
        Err(SinkError::disturbed(&relation(table), verb, wanted as u64, found as u64))
    }
}
