//! Tables of models: found, created, altered.

use std::collections::BTreeSet;

use tokio_postgres::Error;

use super::session::{Session, lock_name};
use super::{PostgresConfig, bookkeeping, failure, relation, whole_row};
use crate::sink::evolve::{Alteration, Evolution, Fit};
use crate::sink::names::{index_name, quoted, quoted_list, shown};
use crate::sink::{Deploy, SinkError, TableSpec};

use row::{NumericTypmod, ScalarType};

/// A relation as it is.
#[derive(Debug)]
pub struct Present {
    /// `r` is a table.
    kind: String,
    columns: Vec<String>,
    /// As `format_type` prints them, which is how `ScalarType` prints.
    types: Vec<String>,
}

/// How deltas reach a table in this commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The unique index on the key is there.
    ByKey,
    /// Rows are found whole: there is no key, or its index comes after the delta (a new table, a key that changed).
    ByRow,
}

pub async fn present(session: &Session, table: &TableSpec) -> Result<Option<Present>, Error> {
    let rows = session
        .client
        .query(
            "select c.relkind::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
             left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             where n.nspname = $1 and c.relname = $2 order by a.attnum",
            &[&table.schema, &table.name],
        )
        .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let with_columns = || rows.iter().filter(|row| row.get::<_, Option<&str>>(1).is_some());
    Ok(Some(Present {
        kind: first.get(0),
        columns: with_columns().map(|row| row.get(1)).collect(),
        types: with_columns().map(|row| row.get(2)).collect(),
    }))
}

/// What happens to the columns of an existing table when it becomes `wanted`.
pub fn evolution(present: &Present, wanted: &TableSpec) -> Evolution {
    Evolution::plan(
        &present.columns,
        wanted,
        |a, b| a == b,
        |index, column| {
            let (present, wanted) = (&present.types[index], &wanted.columns[column].ty);
            match () {
                () if *present == column_type(wanted) => Fit::Same,
                () if widens(present, wanted) => Fit::Widens,
                () => Fit::Replaced,
            }
        },
    )
}

/// Refuses what may not be deployed, before anything is written.
pub async fn check(
    session: &Session,
    config: &PostgresConfig,
    instance: &str,
    table: &TableSpec,
    deploy: Deploy,
    adopt: bool,
) -> Result<(), SinkError> {
    let name = relation(table);
    let failed = |cause| failure(&format!("could not look up table {name}"), cause);
    if table.schema == config.meta_schema && bookkeeping::TABLE_NAMES.contains(&table.name.as_str()) {
        return Err(SinkError::refused(
            format!("cannot publish {} as {name}: that is livemart's own table", table.model),
            "give the model another alias, or the bookkeeping another schema (sink.meta_schema)",
        ));
    }
    let Some(present) = present(session, table).await.map_err(failed)? else {
        return match deploy {
            Deploy::Evolve => Ok(()),
            Deploy::Keep => Err(SinkError::refused(
                format!("table {name} of {} is gone", table.model),
                "somebody dropped it; run with --full-refresh to publish it again",
            )),
        };
    };
    if present.kind != "r" {
        let other = match present.kind.as_str() {
            "v" => "view",
            "m" => "materialized view",
            "p" => "partitioned table",
            "f" => "foreign table",
            _ => "relation of another kind",
        };
        return Err(SinkError::refused(
            format!("cannot publish {} as {name}: there is a {other} of that name", table.model),
            format!("drop the {other}, or give the model another alias"),
        ));
    }
    if deploy == Deploy::Keep && !evolution(&present, table).steps.is_empty() {
        return Err(SinkError::refused(
            format!("the columns of table {name} are not those of {}", table.model),
            "somebody altered it; run with --full-refresh to correct it",
        ));
    }
    let take_over = format!("give {} another alias, or take the table over with --adopt", table.model);
    match bookkeeping::deployed_by(session, &config.meta_schema, &name).await.map_err(failed)? {
        Some(by) if by == instance => Ok(()),
        Some(by) if !adopt => Err(SinkError::refused(format!("table {name} belongs to \"{by}\""), take_over)),
        Some(by) => {
            // Whoever can take the other's lock for a moment knows that nobody writes in its name.
            let lock = lock_name(config, &by);
            let free = session
                .client
                .query_one("select pg_try_advisory_xact_lock(hashtextextended($1, 0))", &[&lock])
                .await
                .map_err(failed)?;
            if free.get(0) {
                return Ok(());
            }
            Err(SinkError::refused(
                format!("table {name} belongs to \"{by}\", which is running"),
                format!("stop \"{by}\" before taking its table over"),
            ))
        }
        None if adopt => Ok(()),
        None => Err(SinkError::refused(format!("table {name} exists and was not created by livemart"), take_over)),
    }
}

/// Creates the schemas that are missing. Asks first: a role that may not create schemas needs none to be created.
pub async fn create_schemas<'a>(
    session: &Session,
    tables: impl Iterator<Item = &'a TableSpec>,
) -> Result<(), SinkError> {
    let names: BTreeSet<&str> = tables.map(|table| table.schema.as_str()).collect();
    for name in names {
        let failed = |cause| failure(&format!("could not create the schema {}", shown(name)), cause);
        let schema = quoted(name);
        let missing =
            session.client.query_one("select to_regnamespace($1) is null", &[&schema]).await.map_err(failed)?;
        if missing.get(0) {
            session.client.batch_execute(&format!("create schema if not exists {schema}")).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// Creates the table or alters it.
pub async fn evolve(session: &mut Session, table: &TableSpec) -> Result<Access, SinkError> {
    let name = relation(table);
    let failed = |cause: Error| {
        let mut error = failure(&format!("could not give table {name} the columns of {}", table.model), cause);
        if let SinkError::Refused { hint, .. } = &mut error {
            *hint = Some("a view, index or policy that uses a column must be dropped first".into());
        }
        error
    };
    let present = present(session, table).await.map_err(failed)?;
    session.forget_statements();
    let Some(present) = present else {
        let columns: Vec<_> = (0..table.columns.len()).map(|column| definition(table, column)).collect();
        let sql = format!("create table {} ({})", target(table), columns.join(", "));
        session.client.batch_execute(&sql).await.map_err(failed)?;
        return Ok(Access::ByRow);
    };

    let evolution = evolution(&present, table);
    let keyed = match &table.key {
        Some(key) => evolution.keeps_key(key) && has_key_index(session, table, key).await.map_err(failed)?,
        None => false,
    };
    let mut sql = String::new();
    if !keyed {
        sql += &format!("drop index if exists {};", index_target(table, KEY_INDEX));
    }
    if !evolution.steps.is_empty() {
        sql += &format!("drop index if exists {};", index_target(table, ROW_INDEX));
    }
    for step in &evolution.steps {
        let step = match step {
            Alteration::Rename { from, to } => format!("rename column {} to {}", quoted(from), quoted(to)),
            Alteration::Add { column } => format!("add column {}", definition(table, *column)),
            Alteration::Drop { name } => format!("drop column {}", quoted(name)),
            Alteration::Widen { column } => {
                let column = &table.columns[*column];
                format!("alter column {} type {}", quoted(&column.name), column_type(&column.ty))
            }
        };
        sql += &format!("alter table {} {step};", target(table));
    }
    session.client.batch_execute(&sql).await.map_err(failed)?;
    Ok(if keyed { Access::ByKey } else { Access::ByRow })
}

const KEY_INDEX: &str = "livemart_key_";
const ROW_INDEX: &str = "livemart_rows_";

/// After the first delta of a new or rekeyed table. NULL is one key, where the server can say so (from 15 on).
pub async fn create_key_index(session: &mut Session, table: &TableSpec) -> Result<(), SinkError> {
    let Some(key) = &table.key else { return Ok(()) };
    let one_null = if session.server_version >= 150_000 { " nulls not distinct" } else { "" };
    let sql = format!(
        "drop index if exists {}; create unique index {} on {} ({}){one_null}",
        index_target(table, ROW_INDEX),
        quoted(&index_name(KEY_INDEX, &table.name)),
        target(table),
        quoted_list(key.iter().map(|column| table.columns[*column].name.as_str()))
    );
    let created = session.client.batch_execute(&sql).await;
    created.map_err(|cause| failure(&format!("could not index the key of table {}", relation(table)), cause))
}

/// What makes deletes from a table without a key quick. Made at the first delete: a table that only grows never pays for it.
pub async fn create_row_index(session: &mut Session, table: &TableSpec) -> Result<(), Error> {
    let present =
        session.client.query_one("select to_regclass($1) is not null", &[&index_target(table, ROW_INDEX)]).await?;
    if present.get(0) {
        return Ok(());
    }
    session.client.batch_execute(&whole_row::index_sql(table, table.columns.len())).await
}

pub fn row_index(table: &TableSpec) -> String {
    quoted(&index_name(ROW_INDEX, &table.name))
}

/// The table, qualified.
pub fn target(table: &TableSpec) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}

/// `unknown` is no type of a column; an untyped literal has become text.
pub fn column_type(ty: &ScalarType) -> String {
    match ty {
        ScalarType::Unknown => ScalarType::Text.to_string(),
        ty => ty.to_string(),
    }
}

fn index_target(table: &TableSpec, prefix: &str) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&index_name(prefix, &table.name)))
}

fn definition(table: &TableSpec, column: usize) -> String {
    let column = &table.columns[column];
    format!("{} {}", quoted(&column.name), column_type(&column.ty))
}

async fn has_key_index(session: &Session, table: &TableSpec, key: &[usize]) -> Result<bool, Error> {
    let rows = session
        .client
        .query(
            "select a.attname::text from pg_index i
             cross join lateral unnest(i.indkey::smallint[]) with ordinality as k(attnum, place)
             join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
             where i.indexrelid = to_regclass($1) and i.indisunique and i.indisvalid order by k.place",
            &[&index_target(table, KEY_INDEX)],
        )
        .await?;
    let wanted = key.iter().map(|column| table.columns[*column].name.as_str());
    Ok(rows.len() == key.len() && rows.iter().zip(wanted).all(|(row, name)| row.get::<_, &str>(0) == name))
}

/// PostgreSQL changes these types in the catalogue only: the table is not rewritten, so older snapshots still see its rows.
fn widens(present: &str, wanted: &ScalarType) -> bool {
    let (name, arguments) = match present.split_once('(') {
        Some((name, arguments)) => (name, arguments.trim_end_matches(')')),
        None => (present, ""),
    };
    match (name, wanted) {
        ("character varying" | "text", ScalarType::Text | ScalarType::Varchar(None)) => true,
        ("character varying", ScalarType::Varchar(Some(length))) => {
            arguments.parse::<u32>().is_ok_and(|present| present <= *length)
        }
        ("numeric", ScalarType::Numeric(None)) => true,
        ("numeric", ScalarType::Numeric(Some(NumericTypmod { precision, scale }))) => arguments
            .split_once(',')
            .and_then(|(p, s)| Some((p.parse::<u16>().ok()?, s.parse::<i16>().ok()?)))
            .is_some_and(|(present_precision, present_scale)| {
                present_precision <= *precision && present_scale == *scale
            }),
        _ => false,
    }
}

/// What messages and `models` call a table.
pub fn relation_name(schema: &str, name: &str) -> String {
    format!("{}.{}", shown(schema), shown(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_catalogue_changes_widen() {
        let numeric = |precision, scale| ScalarType::Numeric(Some(NumericTypmod { precision, scale }));
        assert!(widens("character varying(20)", &ScalarType::Varchar(Some(30))));
        assert!(widens("character varying(20)", &ScalarType::Text));
        assert!(widens("text", &ScalarType::Varchar(None)));
        assert!(widens("numeric(10,2)", &numeric(12, 2)));
        assert!(widens("numeric(10,2)", &ScalarType::NUMERIC));
        assert!(!widens("character varying(30)", &ScalarType::Varchar(Some(20))));
        assert!(!widens("text", &ScalarType::Varchar(Some(20))));
        assert!(!widens("numeric(10,2)", &numeric(12, 3)));
        assert!(!widens("numeric", &numeric(12, 2)));
        assert!(!widens("integer", &ScalarType::Int64));
    }
}
