//! A session that looks and takes no instance.
//!
//! Who asks for an instance holds a second advisory lock, whose name ends in `:heir`: the owner finds it in `pg_locks`, and it dies
//! with the session.

use tokio::runtime::{Builder, Runtime};

use super::session::{Holder, Session, lock_name};
use super::{PostgresConfig, PostgresSink, bookkeeping, failure};
use crate::sink::names::quoted;
use crate::sink::{SinkError, SinkState, TestRow, Watch};

pub struct PostgresWatch {
    config: PostgresConfig,
    instance: String,
    runtime: Runtime,
    session: Option<Session>,
    /// Under this name the instance is asked for.
    heir: Option<String>,
}

impl PostgresWatch {
    pub fn open(config: PostgresConfig, instance: &str) -> Result<PostgresWatch, SinkError> {
        let runtime = runtime("looking at PostgreSQL")?;
        Ok(PostgresWatch { config, instance: instance.into(), runtime, session: None, heir: None })
    }

    /// Runs `work` on the session, connecting first where there is none; asks again where a request was lost with its session.
    fn with_session<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Session, &PostgresConfig, &str) -> Result<T, SinkError>,
    ) -> Result<T, SinkError> {
        let PostgresWatch { config, instance, runtime, session, heir } = self;
        runtime.block_on(async {
            let mut lives = match session.take().filter(|session| !session.client.is_closed()) {
                Some(lives) => lives,
                None => {
                    let name = heir.as_ref().map_or("a reader".to_owned(), |heir| format!("heir {heir}"));
                    let lives = Session::connect(config, &name).await?;
                    if heir.is_some() {
                        ask(&lives, config, instance).await?;
                    }
                    lives
                }
            };
            let outcome = work(&mut lives, config, instance).await;
            if !matches!(outcome, Err(SinkError::Unreachable { .. })) {
                *session = Some(lives);
            }
            outcome
        })
    }
}

async fn ask(session: &Session, config: &PostgresConfig, instance: &str) -> Result<(), SinkError> {
    let name = heir_lock(config, instance);
    let taken = session
        .client
        .query_one("select pg_try_advisory_lock(hashtextextended($1, 0))", &[&name])
        .await
        .map_err(|cause| failure(&format!("could not ask for \"{instance}\""), cause))?;
    match taken.get(0) {
        true => Ok(()),
        false => Err(SinkError::owned(format!("another process is taking \"{instance}\" over already"))),
    }
}

fn heir_lock(config: &PostgresConfig, instance: &str) -> String {
    format!("{}:heir", lock_name(config, instance))
}

impl Watch for PostgresWatch {
    fn owner(&mut self) -> Result<Option<String>, SinkError> {
        self.with_session(async |session, config, instance| {
            let failed = |cause| failure(&format!("could not see who owns \"{instance}\""), cause);
            let holder = session.holder(&lock_name(config, instance)).await.map_err(failed)?;
            match holder {
                Some(holder) => session.owner_text(config, instance, &holder).await.map(Some).map_err(failed),
                None => Ok(None),
            }
        })
    }

    fn state(&mut self) -> Result<Option<SinkState>, SinkError> {
        self.with_session(async |session, config, instance| {
            if !bookkeeping_is_there(session, config).await? {
                return Ok(None);
            }
            let failed = |cause| failure("could not read the bookkeeping tables", cause);
            // All of it as of one cut.
            let begin = "begin isolation level repeatable read read only";
            session.client.batch_execute(begin).await.map_err(failed)?;
            let state = bookkeeping::read(session, &config.meta_schema, instance).await;
            session.client.batch_execute("rollback").await.map_err(failed)?;
            Ok(Some(state?).filter(|state| state.cut.is_some()))
        })
    }

    fn tests(&mut self) -> Result<Vec<TestRow>, SinkError> {
        self.with_session(async |session, config, instance| {
            if !bookkeeping_is_there(session, config).await? {
                return Ok(Vec::new());
            }
            let sql = format!(
                "select test, model, severity, failures from {}.tests where instance = $1 order by 1",
                quoted(&config.meta_schema)
            );
            let rows = session.client.query(&sql, &[&instance]).await;
            let rows = rows.map_err(|cause| failure("could not read tests", cause))?;
            let row = |row: &tokio_postgres::Row| TestRow {
                test: row.get(0),
                model: row.get(1),
                severity: row.get(2),
                failures: row.get(3),
            };
            Ok(rows.iter().map(row).collect())
        })
    }

    fn ask(&mut self, heir: &str) -> Result<(), SinkError> {
        // The session's name is the heir's: another one is begun.
        self.session = None;
        self.heir = Some(heir.to_owned());
        self.with_session(async |_, _, _| Ok(()))
    }

    fn depose(&mut self) -> Result<(), SinkError> {
        self.with_session(async |session, config, instance| {
            let failed = |cause| failure(&format!("could not end the session of the owner of \"{instance}\""), cause);
            if let Some(holder) = session.holder(&lock_name(config, instance)).await.map_err(failed)? {
                let pid = holder.backend.pid;
                session.client.execute("select pg_terminate_backend($1)", &[&pid]).await.map_err(failed)?;
            }
            Ok(())
        })
    }
}

async fn bookkeeping_is_there(session: &Session, config: &PostgresConfig) -> Result<bool, SinkError> {
    let table = format!("{}.cut", quoted(&config.meta_schema));
    let known = session.client.query_one("select to_regclass($1) is not null", &[&table]).await;
    Ok(known.map_err(|cause| failure("could not look for the bookkeeping tables", cause))?.get(0))
}

impl PostgresSink {
    /// Who asks for the instance. Where that cannot be told now, nobody.
    pub(super) fn look_for_heir(&mut self) -> Option<String> {
        let name = heir_lock(&self.config, &self.instance);
        let session = self.session.as_ref().filter(|session| !session.client.is_closed())?;
        let Holder { application, .. } = self.runtime.block_on(session.holder(&name)).ok()??;
        Some(application.strip_prefix("livemart heir ").unwrap_or(&application).to_owned())
    }
}

/// A runtime of its own for who is called from plain threads.
pub(super) fn runtime(what: &str) -> Result<Runtime, SinkError> {
    Builder::new_current_thread().enable_all().build().map_err(|cause| SinkError::Refused {
        message: format!("could not start a runtime for {what}"),
        hint: None,
        cause: Some(Box::new(cause)),
    })
}
