//! What readers see of an instance, in one transaction, without owning it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{bookkeeping, failure};
use crate::sink::{Published, SinkError, TestRow};

/// `tables` are (model, schema, name); those that are not there are left out. None before the first cut.
pub fn published(
    path: impl AsRef<Path>,
    instance: &str,
    tables: &[(String, String, String)],
) -> Result<Option<Published>, SinkError> {
    let path = path.as_ref();
    if !path.is_file() {
        return Ok(None);
    }
    let failed = |cause| failure(&format!("could not read {}", path.display()), cause);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let transaction = connection.transaction().map_err(failed)?;
    let exists = |name: &str| -> rusqlite::Result<bool> {
        let found: Option<i64> = transaction
            .query_row("select 1 from sqlite_master where type = 'table' and name = ?1 collate nocase", [name], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(found.is_some())
    };
    if !exists("livemart_cut").map_err(failed)? {
        return Ok(None);
    }
    let state = bookkeeping::read(&transaction, instance)?;
    let Some(cut) = state.cut else { return Ok(None) };
    let mut published = Published { cut, ..Published::default() };
    for (model, _, name) in tables {
        let is_ours = state.models.iter().any(|(known, _, _)| known == model);
        if is_ours && exists(name).map_err(failed)? {
            let query = format!("select count(*) from \"{}\"", name.replace('"', "\"\""));
            let rows: i64 = transaction.query_row(&query, [], |row| row.get(0)).map_err(failed)?;
            published.rows.insert(model.clone(), u64::try_from(rows).unwrap_or(0));
        }
    }
    let mut tests = transaction
        .prepare("select test, model, severity, failures from livemart_tests where instance = ?1 order by 1")
        .map_err(failed)?;
    let found = tests.query_map(params![instance], |row| {
        Ok(TestRow { test: row.get(0)?, model: row.get(1)?, severity: row.get(2)?, failures: row.get(3)? })
    });
    published.tests = found.and_then(Iterator::collect).map_err(failed)?;
    let errors = "select coalesce(sum(total), 0) from livemart_error_counts where instance = ?1";
    let errors: i64 = transaction.query_row(errors, [instance], |row| row.get(0)).map_err(failed)?;
    published.errors = u64::try_from(errors).unwrap_or(0);
    Ok(Some(published))
}
