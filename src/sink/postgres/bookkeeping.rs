//! The tables of the `livemart` schema: where the sink stands, by instance.

use std::collections::BTreeMap;

use row::Row;
use tokio_postgres::Error;

use super::session::{Job, Session, instant, number, numbers, optional_text, text, texts};
use super::value::Parameter;
use super::{apply, failure, outbox, whole_row};
use crate::sink::names::quoted;
use crate::sink::set_aside::{self, Count, Group};
use crate::sink::{Commit, CutRow, ProgressRow, SinkError, SinkState, TableSpec, TestRow};

pub const ERRORS: &str = "errors";
/// Deletes of healed errors that are sent before their counts are looked at.
const HEALED_PER_PIPELINE: usize = 1_000;

const TABLES: &str = r#"
create table if not exists {s}.progress (
    instance text not null, source text not null, "partition" text not null, position bigint not null, mark text not null,
    primary key (instance, source, "partition")
);
create table if not exists {s}.cut (
    instance text not null primary key, owner text not null, seq bigint not null, clock timestamptz not null,
    committed_at timestamptz not null
);
create table if not exists {s}.models (
    instance text not null, model text not null, relation text not null, fingerprint text not null, compiled_sql text not null,
    primary key (instance, model)
);
create table if not exists {s}.errors (
    instance text not null, kind text not null, model text, source text, "partition" text, position bigint, key text,
    column_name text, expression text, reason text not null, record text, first_seq bigint not null
);
create table if not exists {s}.error_counts (
    instance text not null, kind text not null, model text, source text, expression text, total bigint not null,
    kept bigint not null
);
create table if not exists {s}.tests (
    instance text not null, test text not null, model text not null, severity text not null, failures bigint not null,
    seq bigint not null,
    primary key (instance, test)
);
"#;
pub const TABLE_NAMES: [&str; 8] =
    ["progress", "cut", "models", "errors", "error_counts", "tests", "outbox", "changelog"];

/// Creates what is missing. Asks first, so that a role without the right to create works where an administrator has created.
pub async fn create(session: &mut Session, schema: &str) -> Result<(), SinkError> {
    let failed =
        |cause| failure(&format!("could not create the bookkeeping tables in schema {}", quoted(schema)), cause);
    let present = session
        .client
        .query_one(
        "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relkind = 'r'
         and c.relname = any ($2)",
        &[&schema, &TABLE_NAMES.as_slice()],
    ).await.map_err(failed)?;
    if present.get::<_, i64>(0) == TABLE_NAMES.len() as i64 {
        return Ok(());
    }
    let s = quoted(schema);
    let index = whole_row::index_sql(&set_aside::table(schema, ERRORS), set_aside::IDENTITY_COLUMNS);
    // Two instances may open for the first time at once; `if not exists` alone would let one of them fail.
    let sql = format!(
        "begin; select pg_advisory_xact_lock(hashtextextended('livemart bookkeeping', 0)); create schema if not exists {s};
         {} {index}; commit",
        [TABLES, outbox::TABLES].concat().replace("{s}", &s)
    );
    if let Err(cause) = session.client.batch_execute(&sql).await {
        let _ = session.client.batch_execute("rollback").await;
        return Err(failed(cause));
    }
    Ok(())
}

/// Writes the new owner into `cut`, so that a writer from before is fenced at once and not only by our first commit.
pub async fn claim(session: &mut Session, schema: &str, instance: &str, owner: &str) -> Result<(), SinkError> {
    let sql = format!("update {}.cut set owner = $2 where instance = $1", quoted(schema));
    session
        .execute(&sql, vec![text(instance), text(owner)])
        .await
        .map(|_| ())
        .map_err(|cause| failure(&format!("could not claim \"{instance}\""), cause))
}

pub async fn read(session: &Session, schema: &str, instance: &str) -> Result<SinkState, SinkError> {
    let failed = |cause| failure("could not read the bookkeeping tables", cause);
    let s = quoted(schema);
    let progress =
        format!(r#"select source, "partition", position, mark from {s}.progress where instance = $1 order by 1, 2"#);
    let models = format!("select model, relation, fingerprint from {s}.models where instance = $1 order by 1");
    Ok(SinkState {
        cut: read_cut(session, schema, instance).await.map_err(failed)?,
        progress: (session.client.query(&progress, &[&instance]).await.map_err(failed)?.iter())
            .map(|row| ProgressRow {
                source: row.get(0),
                partition: row.get(1),
                position: row.get::<_, i64>(2) as u64,
                mark: row.get(3),
            })
            .collect(),
        models: (session.client.query(&models, &[&instance]).await.map_err(failed)?.iter())
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect(),
    })
}

async fn read_cut(session: &Session, schema: &str, instance: &str) -> Result<Option<CutRow>, Error> {
    let sql = format!(
        "select owner, seq, (extract(epoch from clock) * 1000000)::bigint from {}.cut where instance = $1",
        quoted(schema)
    );
    let row = session.client.query_opt(&sql, &[&instance]).await?;
    Ok(row.map(|row| CutRow { owner: row.get(0), seq: row.get::<_, i64>(1) as u64, clock: row.get(2) }))
}

/// What a commit finds in `cut`.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is this commit's turn, and `cut` now says so.
    Taken,
    /// This very commit is already there.
    AlreadyApplied,
}

/// Begins the transaction and swaps `cut` from (owner, seq - 1) to (owner, seq). The first commit of an instance inserts.
pub async fn begin(
    session: &mut Session,
    schema: &str,
    instance: &str,
    owner: &str,
    first: bool,
    commit: &Commit,
) -> Result<Turn, SinkError> {
    let failed = |cause| failure(&format!("could not begin cut {}", commit.seq), cause);
    let s = quoted(schema);
    let swap = if first {
        format!(
            "insert into {s}.cut (instance, owner, seq, clock, committed_at)
             values ($1, $2, $3, $4, clock_timestamp()) on conflict do nothing"
        )
    } else {
        format!(
            "update {s}.cut set seq = $3, clock = $4, committed_at = clock_timestamp()
             where instance = $1 and owner = $2 and seq = $3 - 1"
        )
    };
    let jobs = [
        Job { sql: "begin isolation level read committed".into(), values: vec![] },
        Job { sql: swap, values: vec![text(instance), text(owner), number(commit.seq as i64), instant(commit.clock)] },
    ];
    let counts = session.pipeline(&jobs).await.map_err(|(_, cause)| failed(cause))?;
    if counts[1] == 1 {
        return Ok(Turn::Taken);
    }
    match read_cut(session, schema, instance).await.map_err(failed)? {
        Some(cut) if cut.owner == owner && cut.seq == commit.seq => Ok(Turn::AlreadyApplied),
        cut => Err(SinkError::cut_moved(instance, cut.as_ref().map(|cut| (cut.owner.as_str(), cut.seq)), commit.seq)),
    }
}

/// All positions in one statement.
pub fn progress_job<'a>(schema: &str, instance: &'a str, rows: &[ProgressRow]) -> Option<Job<'a>> {
    let sql = format!(
        r#"insert into {}.progress as p (instance, source, "partition", position, mark)
           select $1, s.* from unnest($2, $3, $4, $5) as s
           on conflict (instance, source, "partition") do update set position = excluded.position, mark = excluded.mark"#,
        quoted(schema)
    );
    let values = vec![
        text(instance),
        texts(rows.iter().map(|row| row.source.as_str())),
        texts(rows.iter().map(|row| row.partition.as_str())),
        numbers(rows.iter().map(|row| row.position as i64)),
        texts(rows.iter().map(|row| row.mark.as_str())),
    ];
    (!rows.is_empty()).then_some(Job { sql, values })
}

/// All counts in one statement.
pub fn test_job<'a>(schema: &str, instance: &'a str, seq: u64, rows: &[TestRow]) -> Option<Job<'a>> {
    let sql = format!(
        "insert into {}.tests (instance, test, model, severity, failures, seq)
         select $1, s.*, $2 from unnest($3, $4, $5, $6) as s
         on conflict (instance, test) do update set
             model = excluded.model, severity = excluded.severity, failures = excluded.failures, seq = excluded.seq",
        quoted(schema)
    );
    // Packages may have tests of one name; one statement must not write a row twice.
    let rows: BTreeMap<&str, &TestRow> = rows.iter().map(|row| (row.test.as_str(), row)).collect();
    let values = vec![
        text(instance),
        number(seq as i64),
        texts(rows.keys().copied()),
        texts(rows.values().map(|row| row.model.as_str())),
        texts(rows.values().map(|row| row.severity.as_str())),
        numbers(rows.values().map(|row| row.failures)),
    ];
    (!rows.is_empty()).then_some(Job { sql, values })
}

/// Notes a deployed model. A relation that an earlier instance or model had passes to this one.
pub async fn write_model(
    session: &mut Session,
    schema: &str,
    instance: &str,
    relation: &str,
    table: &TableSpec,
) -> Result<(), Error> {
    let s = quoted(schema);
    let take = format!("delete from {s}.models where relation = $1 and (instance, model) <> ($2, $3)");
    let note = format!(
        "insert into {s}.models as m (instance, model, relation, fingerprint, compiled_sql) values ($1, $2, $3, $4, $5)
         on conflict (instance, model) do update set
             relation = excluded.relation, fingerprint = excluded.fingerprint, compiled_sql = excluded.compiled_sql
         where (m.relation, m.fingerprint, m.compiled_sql)
             is distinct from (excluded.relation, excluded.fingerprint, excluded.compiled_sql)"
    );
    let (model, fingerprint, compiled_sql) = (&table.model, &table.fingerprint, &table.compiled_sql);
    let jobs = [
        Job { sql: take, values: vec![text(relation), text(instance), text(model)] },
        Job { sql: note, values: [instance, model, relation, fingerprint, compiled_sql].map(text).into() },
    ];
    session.pipeline(&jobs).await.map(|_| ()).map_err(|(_, cause)| cause)
}

/// Which instance deployed a relation.
pub async fn deployed_by(session: &Session, schema: &str, relation: &str) -> Result<Option<String>, Error> {
    let sql = format!("select instance from {}.models where relation = $1", quoted(schema));
    Ok(session.client.query_opt(&sql, &[&relation]).await?.map(|row| row.get(0)))
}

pub async fn write_errors(
    session: &mut Session,
    schema: &str,
    instance: &str,
    commit: &Commit,
) -> Result<(), SinkError> {
    let failed = |cause| failure("could not write errors", cause);
    if commit.resets_errors {
        for table in [ERRORS, "error_counts"] {
            let sql = format!("delete from {}.{table} where instance = $1", quoted(schema));
            session.execute(&sql, vec![text(instance)]).await.map_err(failed)?;
        }
    }
    if commit.errors.is_empty() {
        return Ok(());
    }
    let table = set_aside::table(schema, ERRORS);
    let counts = read_counts(session, schema, instance).await.map_err(failed)?;
    for (group, movement) in set_aside::by_group(instance, commit.seq, &commit.errors) {
        let before = counts.get(&group).copied();
        let mut count = before.unwrap_or_default();
        let gone: u64 = movement.gone.iter().map(|(_, copies)| copies).sum();
        let mut deleted = 0;
        for healed in movement.gone.chunks(HEALED_PER_PIPELINE) {
            if deleted == count.kept {
                break; // the others are only counted
            }
            let jobs: Vec<_> = healed
                .iter()
                .map(|(row, copies)| whole_row::delete_copies(&table, set_aside::IDENTITY_COLUMNS, row, *copies))
                .collect();
            deleted += session.pipeline(&jobs).await.map_err(|(_, cause)| failed(cause))?.iter().sum::<u64>();
        }
        count.take(&group, gone, deleted)?;
        let keep: Vec<(Row, u64)> = count.add(&movement.came);
        let jobs: Vec<_> = keep.iter().flat_map(|(row, copies)| apply::insert_copies(&table, row, *copies)).collect();
        session.pipeline(&jobs).await.map_err(|(_, cause)| failed(cause))?;
        if before != Some(count) {
            write_count(session, schema, instance, &group, count).await.map_err(failed)?;
        }
    }
    Ok(())
}

async fn read_counts(session: &Session, schema: &str, instance: &str) -> Result<BTreeMap<Group, Count>, Error> {
    let sql = format!(
        "select kind, model, source, expression, total, kept from {}.error_counts where instance = $1",
        quoted(schema)
    );
    let rows = session.client.query(&sql, &[&instance]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let group = Group { kind: row.get(0), model: row.get(1), source: row.get(2), expression: row.get(3) };
            (group, Count { total: row.get::<_, i64>(4) as u64, kept: row.get::<_, i64>(5) as u64 })
        })
        .collect())
}

async fn write_count(
    session: &mut Session,
    schema: &str,
    instance: &str,
    group: &Group,
    count: Count,
) -> Result<(), Error> {
    let s = quoted(schema);
    let identity: Vec<Parameter<'_>> = vec![
        text(instance),
        text(&group.kind),
        optional_text(group.model.as_deref()),
        optional_text(group.source.as_deref()),
        optional_text(group.expression.as_deref()),
    ];
    let forget = format!(
        "delete from {s}.error_counts where instance = $1 and kind = $2 and model is not distinct from $3
         and source is not distinct from $4 and expression is not distinct from $5"
    );
    let mut jobs = vec![Job { sql: forget, values: identity.clone() }];
    if count.total > 0 {
        let values = [identity, vec![number(count.total as i64), number(count.kept as i64)]].concat();
        jobs.push(Job { sql: format!("insert into {s}.error_counts values ($1, $2, $3, $4, $5, $6, $7)"), values });
    }
    session.pipeline(&jobs).await.map(|_| ()).map_err(|(_, cause)| cause)
}
