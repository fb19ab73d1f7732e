//! What readers see of an instance, in one transaction, without owning it.

use tokio::runtime::Builder;

use super::session::Session;
use super::{PostgresConfig, bookkeeping, failure};
use crate::sink::names::quoted;
use crate::sink::{Published, SinkError, TestRow};

/// `tables` are (model, schema, name); those that are not there are left out. None before the first cut.
pub fn published(
    config: &PostgresConfig,
    instance: &str,
    tables: &[(String, String, String)],
) -> Result<Option<Published>, SinkError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|cause| SinkError::Refused {
        message: "could not start a runtime for PostgreSQL".into(),
        hint: None,
        cause: Some(Box::new(cause)),
    })?;
    runtime.block_on(async {
        let session = Session::connect(config, "a reader").await?;
        let failed = |cause| failure("could not read what is published", cause);
        session.client.batch_execute("begin isolation level repeatable read read only").await.map_err(failed)?;
        let s = quoted(&config.meta_schema);
        let exists = |table: String| {
            let client = &session.client;
            async move {
                let row = client.query_one("select to_regclass($1) is not null", &[&table]).await?;
                Ok::<bool, tokio_postgres::Error>(row.get(0))
            }
        };
        if !exists(format!("{s}.cut")).await.map_err(failed)? {
            return Ok(None);
        }
        let state = bookkeeping::read(&session, &config.meta_schema, instance).await?;
        let Some(cut) = state.cut else { return Ok(None) };
        let mut published = Published { cut, ..Published::default() };
        for (model, schema, name) in tables {
            let table = format!("{}.{}", quoted(schema), quoted(name));
            let is_ours = state.models.iter().any(|(known, _, _)| known == model);
            if is_ours && exists(table.clone()).await.map_err(failed)? {
                let row =
                    session.client.query_one(&format!("select count(*) from {table}"), &[]).await.map_err(failed)?;
                published.rows.insert(model.clone(), u64::try_from(row.get::<_, i64>(0)).unwrap_or(0));
            }
        }
        let tests = format!("select test, model, severity, failures from {s}.tests where instance = $1 order by 1");
        let rows = session.client.query(&tests, &[&instance]).await.map_err(failed)?;
        published.tests = rows
            .iter()
            .map(|row| TestRow { test: row.get(0), model: row.get(1), severity: row.get(2), failures: row.get(3) })
            .collect();
        let errors = format!("select coalesce(sum(total), 0)::bigint from {s}.error_counts where instance = $1");
        let row = session.client.query_one(&errors, &[&instance]).await.map_err(failed)?;
        published.errors = u64::try_from(row.get::<_, i64>(0)).unwrap_or(0);
        Ok(Some(published))
    })
}
