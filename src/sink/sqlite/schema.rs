//! Tables of models: found, created, altered.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::{bookkeeping, failure, relation, value};
use crate::sink::evolve::{Alteration, Evolution, Fit};
use crate::sink::names::{quoted, quoted_list};
use crate::sink::{Deploy, SinkError, TableSpec};

/// What the names of bookkeeping tables and of indexes start with.
const RESERVED: &str = "livemart_";

/// A column of a table as it is.
pub struct Present {
    pub name: String,
    pub declared: String,
}

/// How deltas reach a table in this commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The unique index on the key is there.
    ByKey,
    /// Rows are found whole: there is no key, or its index comes after the delta (a new table, a key that changed).
    ByRow,
}

/// The table's columns; empty when there is no such table.
pub fn present_columns(connection: &Connection, table: &TableSpec) -> rusqlite::Result<Vec<Present>> {
    let mut statement = connection.prepare("select name, type from pragma_table_info(?1) order by cid")?;
    statement.query_map([&table.name], |row| Ok(Present { name: row.get(0)?, declared: row.get(1)? }))?.collect()
}

/// What happens to the columns of an existing table when it becomes `wanted`.
pub fn evolution(present: &[Present], wanted: &TableSpec) -> Evolution {
    let names: Vec<String> = present.iter().map(|column| column.name.clone()).collect();
    Evolution::plan(
        &names,
        wanted,
        |a, b| a.eq_ignore_ascii_case(b),
        |index, column| {
            let declared = value::declared(&wanted.columns[column].ty);
            // SQLite cannot change a declared type in place, and need not where the values are stored alike.
            let alike = value::storage_class(&present[index].declared) == value::storage_class(&declared);
            if alike { Fit::Same } else { Fit::Replaced }
        },
    )
}

/// Refuses what may not be deployed, before anything is written.
pub fn check(
    connection: &Connection,
    instance: &str,
    table: &TableSpec,
    deploy: Deploy,
    adopt: bool,
) -> Result<(), SinkError> {
    let failed = |cause| failure(&format!("could not look up table {}", relation(table)), cause);
    if table.name.to_ascii_lowercase().starts_with(RESERVED) {
        return Err(SinkError::refused(
            format!(
                "cannot publish {} as {}: names that start with {RESERVED} are livemart's own",
                table.model, table.name
            ),
            "give the model another alias",
        ));
    }
    let kind: Option<String> = connection
        .query_row("select type from sqlite_schema where name = ?1 collate nocase", [&table.name], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    let name = relation(table);
    match kind.as_deref() {
        None if deploy == Deploy::Keep => {
            return Err(SinkError::refused(
                format!("table {name} of {} is gone", table.model),
                "somebody dropped it; run with --full-refresh to publish it again",
            ));
        }
        None => return Ok(()),
        Some("table") => {}
        Some(other) => {
            return Err(SinkError::refused(
                format!("cannot publish {} as {name}: there is a {other} of that name", table.model),
                format!("drop the {other}, or give the model another alias"),
            ));
        }
    }
    if deploy == Deploy::Keep {
        let evolution = evolution(&present_columns(connection, table).map_err(failed)?, table);
        if !evolution.steps.is_empty() {
            return Err(SinkError::refused(
                format!("the columns of table {name} are not those of {}", table.model),
                "somebody altered it; run with --full-refresh to correct it",
            ));
        }
    }
    match bookkeeping::deployed_by(connection, &name).map_err(failed)? {
        Some(by) if by == instance || adopt => Ok(()),
        Some(by) => Err(SinkError::refused(
            format!("table {name} belongs to \"{by}\""),
            format!("give {} another alias, or take the table over with --adopt", table.model),
        )),
        None if adopt => Ok(()),
        None => Err(SinkError::refused(
            format!("table {name} exists and was not created by livemart"),
            format!(
                "give {} another alias, or take the table over with --adopt (its rows are then corrected)",
                table.model
            ),
        )),
    }
}

/// Creates the table or alters it.
pub fn evolve(transaction: &Transaction<'_>, table: &TableSpec) -> Result<Access, SinkError> {
    let name = relation(table);
    let failed = |cause| {
        let mut error = failure(&format!("could not give table {name} the columns of {}", table.model), cause);
        if let SinkError::Refused { hint, .. } = &mut error {
            *hint = Some("a view, trigger or index that uses a column must be dropped first".into());
        }
        error
    };
    let present = present_columns(transaction, table).map_err(failed)?;
    if present.is_empty() {
        let columns: Vec<_> = (0..table.columns.len()).map(|column| definition(table, column)).collect();
        let sql = format!("create table {} ({})", quoted(&table.name), columns.join(", "));
        transaction.execute_batch(&sql).map_err(failed)?;
        return Ok(Access::ByRow);
    }

    let evolution = evolution(&present, table);
    let keyed = match &table.key {
        Some(key) => evolution.keeps_key(key) && has_key_index(transaction, table, key).map_err(failed)?,
        None => false,
    };
    if !keyed {
        transaction.execute_batch(&format!("drop index if exists {}", quoted(&key_index(table)))).map_err(failed)?;
    }
    if !evolution.steps.is_empty() {
        drop_row_index(transaction, table).map_err(failed)?;
    }
    for step in &evolution.steps {
        let sql = match step {
            Alteration::Rename { from, to } => format!("rename column {} to {}", quoted(from), quoted(to)),
            Alteration::Add { column } => format!("add column {}", definition(table, *column)),
            Alteration::Drop { name } => format!("drop column {}", quoted(name)),
            Alteration::Widen { .. } => continue,
        };
        transaction.execute_batch(&format!("alter table {} {sql}", quoted(&table.name))).map_err(failed)?;
    }
    Ok(if keyed { Access::ByKey } else { Access::ByRow })
}

/// After the first delta of a new or rekeyed table.
pub fn create_key_index(transaction: &Transaction<'_>, table: &TableSpec) -> Result<(), SinkError> {
    let Some(key) = &table.key else { return Ok(()) };
    drop_row_index(transaction, table)
        .and_then(|()| {
            transaction.execute_batch(&format!(
                "create unique index {} on {} ({})",
                quoted(&key_index(table)),
                quoted(&table.name),
                quoted_list(key.iter().map(|column| table.columns[*column].name.as_str()))
            ))
        })
        .map_err(|cause| failure(&format!("could not index the key of table {}", relation(table)), cause))
}

/// What makes deletes from a table without a key quick: an index on its first columns, because SQLite has no hash to index that
/// other programs would know. Made at the first delete: a table that only grows never pays for it.
///
/// Measured with 300,000 rows of eight columns: four columns make a delete 16 to 23 µs whether or not the first ones tell rows
/// apart, and the file 58 % larger; one column makes it 1.6 ms where the first says little; eight make it no quicker.
pub fn create_row_index(transaction: &Transaction<'_>, table: &TableSpec) -> rusqlite::Result<()> {
    const COLUMNS_MAX: usize = 4;
    transaction.execute_batch(&format!(
        "create index if not exists {} on {} ({})",
        quoted(&row_index(table)),
        quoted(&table.name),
        quoted_list(table.columns.iter().take(COLUMNS_MAX).map(|column| column.name.as_str()))
    ))
}

fn drop_row_index(transaction: &Transaction<'_>, table: &TableSpec) -> rusqlite::Result<()> {
    transaction.execute_batch(&format!("drop index if exists {}", quoted(&row_index(table))))
}

fn definition(table: &TableSpec, column: usize) -> String {
    let column = &table.columns[column];
    format!("{} {}", quoted(&column.name), value::declared(&column.ty))
}

fn key_index(table: &TableSpec) -> String {
    format!("livemart_key_{}", table.name)
}

fn row_index(table: &TableSpec) -> String {
    format!("livemart_rows_{}", table.name)
}

fn has_key_index(connection: &Connection, table: &TableSpec, key: &[usize]) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare("select name from pragma_index_info(?1) order by seqno")?;
    let columns: Vec<String> = statement.query_map([key_index(table)], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(columns.len() == key.len()
        && columns.iter().zip(key).all(|(name, column)| name.eq_ignore_ascii_case(&table.columns[*column].name)))
}
