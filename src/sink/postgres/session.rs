//! One connection: its settings, its lock, its prepared statements.
//!
//! ```text
//!   connect ─> settings ─> advisory lock (else: who has it?) ─> livemart tables ─> claim or compare cut
//! ```
//!
//! 1. The lock belongs to the server's session: it dies with the connection, whoever ends it.
//! 2. A session of ours that the server has not noticed to be dead is ended by its successor; nobody else's ever is.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future;
use postgres_openssl::MakeTlsConnector;
use row::{Datum, ScalarType};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, Statement};

use super::value::{Bound, ColumnWriter, Parameter};
use super::{PostgresConfig, address, failure, tls};
use crate::sink::SinkError;
use crate::sink::names::quoted;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that does not acknowledge our bytes for so long is unreachable.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// Attempts before a lock that another process holds is believed: a server process whose client was killed a moment ago first
/// ends its statement.
const FOREIGN_ATTEMPTS_MAX: usize = 15;
/// Attempts while our own lost session is being ended.
const LOCK_ATTEMPTS_MAX: usize = 50;

/// Every statement of ours looks few rows up in a table that has an index for it. The planner need not find that out each time, and must
/// not be misled by a plan it made, or statistics it took, when the table was small: so it makes one plan, without other joins.
///
/// `lock_timeout` bounds how long an ALTER queues behind a long reader (and all new readers behind it); the idle timeout ends
/// the open transaction of an owner that hangs; the keepalives let the server notice a vanished host.
pub const SETTINGS: &str = "set search_path = ''; set lock_timeout = '10s'; set statement_timeout = 0;
    set idle_in_transaction_session_timeout = '60s'; set client_min_messages = warning; set jit = off; set timezone = 'UTC';
    set plan_cache_mode = force_generic_plan; set enable_hashjoin = off; set enable_mergejoin = off; set enable_seqscan = off";
/// For statements that are not ours: what they would find in a session of their own.
pub const PLAIN_SESSION: &str =
    "set search_path to default; set plan_cache_mode to default; set enable_hashjoin to default;
    set enable_mergejoin to default; set enable_seqscan to default; set jit to default; set timezone to default";
/// The server may refuse these on a Unix socket or a foreign system; nothing depends on them but how soon a death is noticed.
const KEEPALIVES: [&str; 2] = [
    "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3; set tcp_user_timeout = 30000",
    "set client_connection_check_interval = '1s'",
];

/// Who a server process is: a process id alone may be used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    pub pid: i32,
    started: String,
}

/// Who holds an advisory lock.
pub struct Holder {
    pub backend: Backend,
    pub application: String,
    pub address: String,
}

pub struct Session {
    pub client: Client,
    pub backend: Backend,
    pub server_version: i32,
    connection: JoinHandle<()>,
    statements: HashMap<String, Statement>,
}

/// A statement with its values, to be sent without waiting for the one before.
#[derive(Debug)]
pub struct Job<'a> {
    pub sql: String,
    pub values: Vec<Parameter<'a>>,
}

impl Session {
    /// Connects and takes the lock of (`meta_schema`, `instance`). `predecessor` is our own session that was lost.
    pub async fn open(
        config: &PostgresConfig,
        instance: &str,
        owner: &str,
        predecessor: Option<&Backend>,
    ) -> Result<Session, SinkError> {
        let session = Session::connect(config, owner).await?;
        session.lock(config, instance, predecessor).await?;
        Ok(session)
    }

    /// Connects without taking a lock: for looking only.
    pub async fn connect(config: &PostgresConfig, owner: &str) -> Result<Session, SinkError> {
        let (target, tls) = connection_config(config, owner)?;
        let place = place(&target);
        let failed = |cause| failure(&format!("could not connect to {place}"), cause);
        let (client, connection) = target.connect(tls).await.map_err(failed)?;
        let connection = tokio::spawn(async move {
            // Its end shows in the next statement; there is nobody else to tell.
            let _ = connection.await;
        });
        client.batch_execute(SETTINGS).await.map_err(failed)?;
        for settings in KEEPALIVES {
            if let Err(cause) = client.batch_execute(settings).await {
                tracing::debug!(%cause, settings, "the server does not take settings of the connection");
            }
        }
        let about = client
            .query_one(
                "select pg_backend_pid(), current_setting('server_version_num')::int,
                        (select backend_start::text from pg_stat_get_activity(pg_backend_pid()))",
                &[],
            )
            .await
            .map_err(failed)?;
        let backend = Backend { pid: about.get(0), started: about.get::<_, Option<String>>(2).unwrap_or_default() };
        Ok(Session { client, backend, server_version: about.get(1), connection, statements: HashMap::new() })
    }

    async fn lock(
        &self,
        config: &PostgresConfig,
        instance: &str,
        predecessor: Option<&Backend>,
    ) -> Result<(), SinkError> {
        let failed = |cause| failure(&format!("could not lock \"{instance}\""), cause);
        let name = lock_name(config, instance);
        for attempt in 1..=LOCK_ATTEMPTS_MAX {
            let taken = self
                .client
                .query_one("select pg_try_advisory_lock(hashtextextended($1, 0))", &[&name])
                .await
                .map_err(failed)?;
            if taken.get(0) {
                return Ok(());
            }
            let holder = self.holder(&name).await.map_err(failed)?;
            let Some(holder) = holder else { continue };
            let foreign = Some(&holder.backend) != predecessor;
            if foreign && attempt == FOREIGN_ATTEMPTS_MAX {
                let owner = self.owner_text(config, instance, &holder).await.map_err(failed)?;
                return Err(SinkError::owned(format!("\"{instance}\" is owned by {owner}")));
            }
            if !foreign {
                self.client.execute("select pg_terminate_backend($1)", &[&holder.backend.pid]).await.map_err(failed)?;
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        Err(SinkError::Unreachable { message: format!("the lock of \"{instance}\" does not come free"), cause: None })
    }

    /// Whose session holds a lock of ours.
    pub async fn holder(&self, name: &str) -> Result<Option<Holder>, Error> {
        let holder = self
            .client
            .query_opt(
                "select a.pid, coalesce(a.backend_start::text, ''), coalesce(a.application_name, ''),
                        coalesce(host(a.client_addr), 'a local socket')
                 from pg_locks l join pg_stat_activity a on a.pid = l.pid
                 where l.locktype = 'advisory' and l.granted and l.objsubid = 1
                   and l.database = (select oid from pg_database where datname = current_database())
                   and (l.classid::bigint << 32) | l.objid::bigint = hashtextextended($1, 0)",
                &[&name],
            )
            .await?;
        Ok(holder.map(|row| Holder {
            backend: Backend { pid: row.get(0), started: row.get(1) },
            application: row.get(2),
            address: row.get(3),
        }))
    }

    /// Who holds the lock of an instance, for people.
    pub async fn owner_text(&self, config: &PostgresConfig, instance: &str, holder: &Holder) -> Result<String, Error> {
        let Holder { backend, application, address } = holder;
        let owner = match self.stored_owner(config, instance).await? {
            Some(owner) => owner,
            None => application.strip_prefix("livemart ").unwrap_or(application).to_string(),
        };
        Ok(format!("{owner} (server process {}, connected from {address})", backend.pid))
    }

    /// Who claimed `cut`, where there is one.
    async fn stored_owner(&self, config: &PostgresConfig, instance: &str) -> Result<Option<String>, Error> {
        let cut = format!("{}.cut", quoted(&config.meta_schema));
        if !self.client.query_one("select to_regclass($1) is not null", &[&cut]).await?.get::<_, bool>(0) {
            return Ok(None);
        }
        let sql = format!("select owner from {cut} where instance = $1");
        Ok(self.client.query_opt(&sql, &[&instance]).await?.map(|row| row.get(0)))
    }

    /// Ends the session and waits until the server has let go of the lock.
    pub async fn close(self) -> Result<(), Error> {
        self.client.batch_execute("select pg_advisory_unlock_all()").await?;
        drop(self.client);
        let _ = self.connection.await;
        Ok(())
    }

    /// After columns changed, statements may have been prepared for the types of before.
    pub fn forget_statements(&mut self) {
        self.statements.clear();
    }

    /// Sends all statements at once and gives their row counts. On failure: the index of the first that failed.
    pub async fn pipeline(&mut self, jobs: &[Job<'_>]) -> Result<Vec<u64>, (usize, Error)> {
        for (index, job) in jobs.iter().enumerate() {
            if !self.statements.contains_key(&job.sql) {
                let types: Vec<_> = job.values.iter().map(Parameter::wire_type).collect();
                let statement = self.client.prepare_typed(&job.sql, &types).await.map_err(|cause| (index, cause))?;
                self.statements.insert(job.sql.clone(), statement);
            }
        }
        let requests = jobs.iter().map(|job| self.client.execute_raw(&self.statements[&job.sql], &job.values));
        let results = future::join_all(requests).await;
        // The server answers in order, and says to all that follow a failure only that the transaction is aborted.
        results.into_iter().enumerate().map(|(index, result)| result.map_err(|cause| (index, cause))).collect()
    }

    pub async fn execute(&mut self, sql: &str, values: Vec<Parameter<'_>>) -> Result<u64, Error> {
        let counts = self.pipeline(&[Job { sql: sql.into(), values }]).await.map_err(|(_, cause)| cause)?;
        Ok(counts.into_iter().sum())
    }
}

pub fn text(value: &str) -> Parameter<'_> {
    Parameter::One(Bound { datum: Datum::Text(value), ty: &ScalarType::Text })
}

pub fn optional_text(value: Option<&str>) -> Parameter<'_> {
    Parameter::One(Bound { datum: value.map_or(Datum::Null, Datum::Text), ty: &ScalarType::Text })
}

pub fn number(value: i64) -> Parameter<'static> {
    Parameter::One(Bound { datum: Datum::Int(value), ty: &ScalarType::Int64 })
}

/// A column of texts.
pub fn texts<'a>(values: impl Iterator<Item = &'a str>) -> Parameter<'static> {
    column(&ScalarType::Text, values.map(Datum::Text))
}

/// A column of texts or NULLs.
pub fn optional_texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Parameter<'static> {
    column(&ScalarType::Text, values.map(|text| text.map_or(Datum::Null, Datum::Text)))
}

/// A column of numbers.
pub fn numbers(values: impl Iterator<Item = i64>) -> Parameter<'static> {
    column(&ScalarType::Int64, values.map(Datum::Int))
}

fn column<'a>(of: &'static ScalarType, values: impl Iterator<Item = Datum<'a>>) -> Parameter<'static> {
    let mut writer = ColumnWriter::new(of);
    values.for_each(|value| writer.push(&value).expect("texts and numbers of a cut always have a form"));
    writer.finish()
}

pub fn instant(micros: i64) -> Parameter<'static> {
    Parameter::One(Bound { datum: Datum::TimestampTz(micros), ty: &ScalarType::TimestampTz })
}

/// What the advisory lock of an instance is a hash of; any session may ask whether it is held.
pub fn lock_name(config: &PostgresConfig, instance: &str) -> String {
    format!("livemart:{}:{instance}", config.meta_schema)
}

fn connection_config(config: &PostgresConfig, owner: &str) -> Result<(Config, MakeTlsConnector), SinkError> {
    let (mut target, told) = address::parse(&config.url).map_err(|cause| SinkError::Refused {
        message: "the sink's url is no PostgreSQL connection string".into(),
        hint: Some("write postgres://user@host:5432/database".into()),
        cause: Some(cause.into()),
    })?;
    if let Some(path) = &config.password_file {
        // Read at each connect, so that a rotated password is found.
        let password = std::fs::read_to_string(path).map_err(|cause| SinkError::Refused {
            message: format!("could not read the password file {}", path.display()),
            hint: None,
            cause: Some(Box::new(cause)),
        })?;
        target.password(password.trim_end_matches(['\r', '\n']));
    }
    if target.get_connect_timeout().is_none() {
        target.connect_timeout(CONNECT_TIMEOUT);
    }
    target.tcp_user_timeout(UNACKNOWLEDGED_MAX).keepalives_idle(UNACKNOWLEDGED_MAX);
    target.application_name(format!("livemart {owner}"));
    let connector = tls::connector(&mut target, &config.tls.clone().or(told))?;
    Ok((target, connector))
}

/// host:port/database, never the password.
fn place(config: &Config) -> String {
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let port = config.get_ports().get(index).or(config.get_ports().first()).copied().unwrap_or(5432);
            match host {
                tokio_postgres::config::Host::Tcp(name) => format!("{name}:{port}"),
                tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
            }
        })
        .collect();
    format!("{}/{}", hosts.join(","), config.get_dbname().or(config.get_user()).unwrap_or_default())
}
