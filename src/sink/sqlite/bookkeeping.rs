//! The tables `livemart_*`: where the sink stands, by instance.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Transaction, named_params, params};

use super::{apply, failure, outbox, text};
use crate::sink::set_aside::{self, Count, Group};
use crate::sink::{Commit, CutRow, ProgressRow, SinkError, SinkState, TableSpec, TestRow};

const TABLES: &str = r#"
create table if not exists livemart_progress (
    instance text not null, source text not null, "partition" text not null, position bigint not null, mark text not null,
    primary key (instance, source, "partition")
) without rowid;
create table if not exists livemart_cut (
    instance text not null primary key, owner text not null, seq bigint not null, clock timestamp not null,
    committed_at timestamp not null
) without rowid;
create table if not exists livemart_models (
    instance text not null, model text not null, relation text not null, fingerprint text not null, compiled_sql text not null,
    primary key (instance, model)
) without rowid;
create table if not exists livemart_errors (
    instance text not null, kind text not null, model text, source text, "partition" text, position bigint, key text,
    column_name text, expression text, reason text not null, record text, first_seq bigint not null
);
create index if not exists livemart_errors_rows
    on livemart_errors (instance, kind, model, source, expression, key, position);
create table if not exists livemart_error_counts (
    instance text not null, kind text not null, model text, source text, expression text, total bigint not null,
    kept bigint not null
);
create table if not exists livemart_tests (
    instance text not null, test text not null, model text not null, severity text not null, failures bigint not null,
    seq bigint not null,
    primary key (instance, test)
) without rowid;
"#;

pub const ERRORS: &str = "livemart_errors";

pub fn create(connection: &Connection) -> Result<(), SinkError> {
    let tables = [TABLES, outbox::TABLES].concat();
    connection.execute_batch(&tables).map_err(|cause| failure("could not create the livemart_ tables", cause))
}

/// Writes the new owner into `cut`, so that a writer from before is fenced at once and not only by our first commit.
pub fn claim(connection: &Connection, instance: &str, owner: &str) -> Result<(), SinkError> {
    connection
        .execute("update livemart_cut set owner = ?2 where instance = ?1", params![instance, owner])
        .map_err(|cause| failure("could not claim livemart_cut", cause))?;
    Ok(())
}

pub fn read(connection: &Connection, instance: &str) -> Result<SinkState, SinkError> {
    read_state(connection, instance).map_err(|cause| failure("could not read the livemart_ tables", cause))
}

fn read_state(connection: &Connection, instance: &str) -> rusqlite::Result<SinkState> {
    let mut progress = connection.prepare(
        r#"select source, "partition", position, mark from livemart_progress where instance = ?1 order by 1, 2"#,
    )?;
    let mut models = connection
        .prepare("select model, relation, fingerprint from livemart_models where instance = ?1 order by 1")?;
    Ok(SinkState {
        cut: read_cut(connection, instance)?,
        progress: progress
            .query_map([instance], |row| {
                Ok(ProgressRow {
                    source: row.get(0)?,
                    partition: row.get(1)?,
                    position: row.get::<_, i64>(2)? as u64,
                    mark: row.get(3)?,
                })
            })?
            .collect::<Result<_, _>>()?,
        models: models
            .query_map([instance], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?,
    })
}

fn read_cut(connection: &Connection, instance: &str) -> rusqlite::Result<Option<CutRow>> {
    connection
        .query_row("select owner, seq, clock from livemart_cut where instance = ?1", [instance], |row| {
            let clock: String = row.get(2)?;
            let clock = text::parse_timestamptz(&clock).ok_or_else(|| {
                rusqlite::Error::InvalidColumnType(2, format!("clock {clock:?}"), rusqlite::types::Type::Text)
            })?;
            Ok(CutRow { owner: row.get(0)?, seq: row.get::<_, i64>(1)? as u64, clock })
        })
        .optional()
}

/// What a commit finds in `cut`.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is this commit's turn, and `cut` now says so.
    Taken,
    /// This very commit is already there.
    AlreadyApplied,
}

/// Compare-and-swap of `cut`: from (owner, seq - 1) to (owner, seq). The first commit of an instance inserts.
pub fn take_turn(
    transaction: &Transaction<'_>,
    instance: &str,
    owner: &str,
    first: bool,
    commit: &Commit,
) -> Result<Turn, SinkError> {
    let failed = |cause| failure("could not write livemart_cut", cause);
    let sql = if first {
        "insert into livemart_cut (instance, owner, seq, clock, committed_at)
         values (:instance, :owner, :seq, :clock, strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'))
         on conflict do nothing"
    } else {
        "update livemart_cut set seq = :seq, clock = :clock, committed_at = strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')
         where instance = :instance and owner = :owner and seq = :seq - 1"
    };
    let clock = text::timestamptz_text(commit.clock);
    let changed = transaction
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":instance": instance, ":owner": owner, ":seq": commit.seq as i64, ":clock": clock
            })
        })
        .map_err(failed)?;
    if changed == 1 {
        return Ok(Turn::Taken);
    }
    match read_cut(transaction, instance).map_err(failed)? {
        Some(cut) if cut.owner == owner && cut.seq == commit.seq => Ok(Turn::AlreadyApplied),
        cut => Err(SinkError::cut_moved(instance, cut.as_ref().map(|cut| (cut.owner.as_str(), cut.seq)), commit.seq)),
    }
}

pub fn write_progress(transaction: &Transaction<'_>, instance: &str, rows: &[ProgressRow]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        r#"insert into livemart_progress (instance, source, "partition", position, mark) values (?1, ?2, ?3, ?4, ?5)
           on conflict do update set position = excluded.position, mark = excluded.mark"#,
    )?;
    for row in rows {
        statement.execute(params![instance, row.source, row.partition, row.position as i64, row.mark])?;
    }
    Ok(())
}

pub fn write_tests(transaction: &Transaction<'_>, instance: &str, seq: u64, rows: &[TestRow]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "insert into livemart_tests (instance, test, model, severity, failures, seq) values (?1, ?2, ?3, ?4, ?5, ?6)
         on conflict do update set
             model = excluded.model, severity = excluded.severity, failures = excluded.failures, seq = excluded.seq",
    )?;
    for row in rows {
        statement.execute(params![instance, row.test, row.model, row.severity, row.failures, seq as i64])?;
    }
    Ok(())
}

/// Notes a deployed model. A relation that an earlier instance or model had passes to this one.
pub fn write_model(transaction: &Transaction<'_>, instance: &str, table: &TableSpec) -> rusqlite::Result<()> {
    let relation = super::relation(table);
    transaction.execute(
        "delete from livemart_models where relation = ?1 and (instance, model) <> (?2, ?3)",
        params![relation, instance, table.model],
    )?;
    transaction.execute(
        "insert into livemart_models (instance, model, relation, fingerprint, compiled_sql) values (?1, ?2, ?3, ?4, ?5)
         on conflict do update set
             relation = excluded.relation, fingerprint = excluded.fingerprint, compiled_sql = excluded.compiled_sql
         where (relation, fingerprint, compiled_sql)
             is not (excluded.relation, excluded.fingerprint, excluded.compiled_sql)",
        params![instance, table.model, relation, table.fingerprint, table.compiled_sql],
    )?;
    Ok(())
}

/// Which instance deployed a relation.
pub fn deployed_by(connection: &Connection, relation: &str) -> rusqlite::Result<Option<String>> {
    connection
        .query_row("select instance from livemart_models where relation = ?1", [relation], |row| row.get(0))
        .optional()
}

pub fn write_errors(transaction: &Transaction<'_>, instance: &str, commit: &Commit) -> Result<(), SinkError> {
    let failed = |cause| failure("could not write livemart_errors", cause);
    if commit.resets_errors {
        for table in [ERRORS, "livemart_error_counts"] {
            let sql = format!("delete from {table} where instance = ?1");
            transaction.execute(&sql, [instance]).map_err(failed)?;
        }
    }
    if commit.errors.is_empty() {
        return Ok(());
    }
    let table = set_aside::table("", ERRORS);
    let counts = read_counts(transaction, instance).map_err(failed)?;
    for (group, movement) in set_aside::by_group(instance, commit.seq, &commit.errors) {
        let before = counts.get(&group).copied();
        let mut count = before.unwrap_or_default();
        let gone: u64 = movement.gone.iter().map(|(_, copies)| copies).sum();
        let mut deleted = 0;
        for (row, copies) in &movement.gone {
            if deleted == count.kept {
                break; // the others are only counted
            }
            deleted +=
                apply::delete_copies(transaction, &table, set_aside::IDENTITY_COLUMNS, row, *copies).map_err(failed)?;
        }
        count.take(&group, gone, deleted)?;
        for (row, copies) in count.add(&movement.came) {
            apply::insert_copies(transaction, &table, &row, copies).map_err(failed)?;
        }
        if before != Some(count) {
            write_count(transaction, instance, &group, count).map_err(failed)?;
        }
    }
    Ok(())
}

fn read_counts(transaction: &Transaction<'_>, instance: &str) -> rusqlite::Result<BTreeMap<Group, Count>> {
    let mut statement = transaction.prepare_cached(
        "select kind, model, source, expression, total, kept from livemart_error_counts where instance = ?1",
    )?;
    statement
        .query_map([instance], |row| {
            let group = Group { kind: row.get(0)?, model: row.get(1)?, source: row.get(2)?, expression: row.get(3)? };
            Ok((group, Count { total: row.get::<_, i64>(4)? as u64, kept: row.get::<_, i64>(5)? as u64 }))
        })?
        .collect()
}

fn write_count(transaction: &Transaction<'_>, instance: &str, group: &Group, count: Count) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "delete from livemart_error_counts
             where instance = ?1 and kind = ?2 and model is ?3 and source is ?4 and expression is ?5",
        )?
        .execute(params![instance, group.kind, group.model, group.source, group.expression])?;
    if count.total > 0 {
        transaction.prepare_cached("insert into livemart_error_counts values (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(
            params![
                instance,
                group.kind,
                group.model,
                group.source,
                group.expression,
                count.total as i64,
                count.kept as i64
            ],
        )?;
    }
    Ok(())
}
