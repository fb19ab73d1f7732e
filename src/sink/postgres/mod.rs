//! The server sink: one connection, one transaction per cut.
//!
//! ```text
//!   open:   connect ─> advisory lock ─> schema livemart ─> claim cut
//!   commit: begin, cut (compare-and-swap) ─> alter ─> deltas, progress, errors, tests ─> commit
//!               │ connection lost: Unreachable                                           │ answer lost: Unreachable
//!               └──> the next call connects, takes the lock again, and ──────────────────┘ finds in cut what became of it
//! ```
//!
//! 1. A reader in one REPEATABLE READ transaction sees one cut: all tables, `progress` and `cut` of it.
//! 2. The lock is the session's. Who lost it and finds another owner in `cut` is fenced, whatever it still believes.
//! 3. Nothing rewrites or truncates a table, since both show an empty table to older snapshots.
//!
//! The sink is synchronous and drives its own runtime: it lives on a plain thread and must not be called from another runtime.

mod apply;
mod bookkeeping;
pub mod published;
mod schema;
mod session;
mod value;

use std::fmt;
use std::path::PathBuf;

use futures_util::{TryStreamExt, pin_mut};
use row::{Row, RowBuilder};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use self::bookkeeping::Turn;
use self::schema::Access;
use self::session::{Backend, Session};
use self::value::Raw;
use super::names::quoted;
use super::{Commit, Deploy, Sink, SinkError, SinkState, TableRows, TableSpec};

/// From so many changed rows of one table on, a COPY and a merge are quicker than a statement per row. Measured per cut on a
/// table of 200,000 rows and six columns, merged against row by row: 1 update 11 against 2 ms, 300 updates 11 to 17 against 9
/// to 14 ms, 3,000 updates 47 to 84 against 68 to 95 ms, 10,000 updates 125 to 174 against 259 to 318 ms.
const MANY_ROWS: usize = 1_000;

#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgres://user@host:port/database`, or `key=value` pairs.
    pub url: String,
    /// Holds the password; read at each connect.
    pub password_file: Option<PathBuf>,
    /// Where tables go whose model names no schema.
    pub schema: String,
    /// Where the bookkeeping tables are.
    pub meta_schema: String,
}

/// Without the url, which may hold a password.
impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PostgresConfig { url: _, password_file, schema, meta_schema } = self;
        f.debug_struct("PostgresConfig")
            .field("password_file", password_file)
            .field("schema", schema)
            .field("meta_schema", meta_schema)
            .finish_non_exhaustive()
    }
}

pub struct PostgresSink {
    config: PostgresConfig,
    instance: String,
    owner: String,
    runtime: Runtime,
    session: Option<Session>,
    /// The session that was lost, if any: it may still hold our lock.
    predecessor: Option<Backend>,
    /// No cut of this instance was stored when it was opened, and none was committed since.
    first: bool,
    many_rows: usize,
    tables: Vec<TableSpec>,
    pending: Option<Vec<(TableSpec, Deploy)>>,
}

/// What an instance has published, read without owning it; None when the bookkeeping tables are not there.
pub fn peek(config: &PostgresConfig, instance: &str) -> Result<Option<SinkState>, SinkError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|cause| SinkError::Refused {
        message: "could not start a runtime for PostgreSQL".into(),
        hint: None,
        cause: Some(Box::new(cause)),
    })?;
    runtime.block_on(async {
        let session = Session::connect(config, "a reader").await?;
        let table = format!("{}.cut", quoted(&config.meta_schema));
        let known = session
            .client
            .query_one("select to_regclass($1) is not null", &[&table])
            .await
            .map_err(|cause| failure("could not look for the bookkeeping tables", cause))?;
        match known.get(0) {
            true => bookkeeping::read(&session, &config.meta_schema, instance).await.map(Some),
            false => Ok(None),
        }
    })
}

/// What an instance has published and what these tables hold, all in one cut, read without owning it.
pub fn read_tables(
    config: &PostgresConfig,
    instance: &str,
    tables: &[&TableSpec],
) -> Result<(SinkState, TableRows), SinkError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|cause| SinkError::Refused {
        message: "could not start a runtime for PostgreSQL".into(),
        hint: None,
        cause: Some(Box::new(cause)),
    })?;
    runtime.block_on(async {
        let mut session = Session::connect(config, "a reader").await?;
        let began = session.client.batch_execute("begin isolation level repeatable read, read only").await;
        began.map_err(|cause| failure("could not begin to read", cause))?;
        let state = bookkeeping::read(&session, &config.meta_schema, instance).await?;
        let mut rows = Vec::with_capacity(tables.len());
        for table in tables {
            rows.push(read_table(&mut session, &placed((*table).clone(), config)).await?);
        }
        Ok((state, rows))
    })
}

impl PostgresSink {
    /// Connects and takes ownership of `instance`. `owner` must be unique to this process.
    pub fn open(config: PostgresConfig, instance: &str, owner: &str) -> Result<PostgresSink, SinkError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|cause| SinkError::Refused {
            message: "could not start the PostgreSQL sink's runtime".into(),
            hint: None,
            cause: Some(Box::new(cause)),
        })?;
        let (session, state) = runtime.block_on(async {
            let mut session = Session::open(&config, instance, owner, None).await?;
            bookkeeping::create(&mut session, &config.meta_schema).await?;
            bookkeeping::claim(&mut session, &config.meta_schema, instance, owner).await?;
            let state = bookkeeping::read(&session, &config.meta_schema, instance).await?;
            Ok::<_, SinkError>((session, state))
        })?;
        Ok(PostgresSink {
            config,
            instance: instance.into(),
            owner: owner.into(),
            runtime,
            session: Some(session),
            predecessor: None,
            first: state.cut.is_none(),
            many_rows: MANY_ROWS,
            tables: Vec::new(),
            pending: None,
        })
    }

    /// From how many rows of one table on a cut is copied and merged instead of sent row by row.
    pub fn with_many_rows(mut self, many_rows: usize) -> PostgresSink {
        self.many_rows = many_rows;
        self
    }

    /// Runs `work` on the session, connecting first where it was lost. A session that failed to answer is given up.
    fn with_session<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Session, &Place<'_>) -> Result<T, SinkError>,
    ) -> Result<T, SinkError> {
        let place = Place { config: &self.config, instance: &self.instance, owner: &self.owner };
        let session = &mut self.session;
        let predecessor = self.predecessor.as_ref();
        let (outcome, alive) = self.runtime.block_on(async {
            if session.as_ref().is_none_or(|session| session.client.is_closed()) {
                let lost = session.take().map(|session| session.backend);
                match Session::open(place.config, place.instance, place.owner, lost.as_ref().or(predecessor)).await {
                    Ok(opened) => *session = Some(opened),
                    Err(error) => return (Err(error), lost),
                }
            }
            let Some(session) = session.as_mut() else { unreachable!("a session was just opened") };
            let outcome = work(session, &place).await;
            let lost = matches!(outcome, Err(SinkError::Unreachable { .. })) || session.client.is_closed();
            (outcome, lost.then(|| session.backend.clone()))
        });
        if let Some(lost) = alive {
            self.session = None;
            self.predecessor = Some(lost);
        }
        outcome
    }
}

/// Whose tables, where.
struct Place<'a> {
    config: &'a PostgresConfig,
    instance: &'a str,
    owner: &'a str,
}

impl Sink for PostgresSink {
    fn state(&mut self) -> Result<SinkState, SinkError> {
        self.with_session(async |session, place| {
            bookkeeping::read(session, &place.config.meta_schema, place.instance).await
        })
    }

    fn read_table(&mut self, table: &TableSpec) -> Result<Vec<(Row, i64)>, SinkError> {
        let table = placed(table.clone(), &self.config);
        self.with_session(async |session, _| read_table(session, &table).await)
    }

    fn deploy(&mut self, tables: Vec<(TableSpec, Deploy)>, adopt: bool) -> Result<(), SinkError> {
        let tables: Vec<_> = tables.into_iter().map(|(table, deploy)| (placed(table, &self.config), deploy)).collect();
        self.with_session(async |session, place| {
            for (table, deploy) in &tables {
                schema::check(session, place.config, place.instance, table, *deploy, adopt).await?;
            }
            Ok(())
        })?;
        self.pending = Some(tables);
        Ok(())
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), SinkError> {
        let (first, many) = (self.first, self.many_rows);
        let (tables, pending) = (std::mem::take(&mut self.tables), self.pending.take());
        let outcome = self.with_session(async |session, place| {
            let done = write_cut(session, place, first, many, &tables, pending.as_deref(), commit).await;
            if done.is_err() && session.client.batch_execute("rollback").await.is_err() {
                return done.map_err(|error| match error {
                    // The connection is gone as well: whatever it was, it is tried again on a new one.
                    SinkError::Refused { message, cause, .. } => SinkError::Unreachable { message, cause },
                    error => error,
                });
            }
            done
        });
        (self.tables, self.pending) = (tables, pending);
        outcome?;
        self.first = false;
        if let Some(deployed) = self.pending.take() {
            self.tables = deployed.into_iter().map(|(table, _)| table).collect();
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), SinkError> {
        let PostgresSink { runtime, session, .. } = *self;
        let Some(session) = session else { return Ok(()) };
        runtime.block_on(session.close()).map_err(|cause| failure("could not close the connection", cause))
    }
}

/// The whole transaction. After an error it is still open.
async fn write_cut(
    session: &mut Session,
    place: &Place<'_>,
    first: bool,
    many: usize,
    tables: &[TableSpec],
    pending: Option<&[(TableSpec, Deploy)]>,
    commit: &Commit,
) -> Result<(), SinkError> {
    let (meta, instance) = (&place.config.meta_schema, place.instance);
    match bookkeeping::begin(session, meta, instance, place.owner, first, commit).await? {
        Turn::Taken => {}
        Turn::AlreadyApplied => {
            let ended = session.client.batch_execute("rollback").await;
            return ended.map_err(|cause| failure("could not read cut", cause));
        }
    }

    let table_count = pending.map_or(tables.len(), <[_]>::len);
    let mut deltas: Vec<&[(Row, i64)]> = vec![&[]; table_count];
    for (index, delta) in &commit.deltas {
        assert!(deltas[*index].is_empty(), "two deltas for one table in cut {}", commit.seq);
        deltas[*index] = delta;
    }
    let mut batch = apply::Batch::default();
    for (index, delta) in deltas.into_iter().enumerate() {
        let (table, evolves) = match pending {
            Some(deployed) => (&deployed[index].0, deployed[index].1 == Deploy::Evolve),
            None => (&tables[index], false),
        };
        let access = match table.key {
            _ if evolves => schema::evolve(session, table).await?,
            Some(_) => Access::ByKey,
            None => Access::ByRow,
        };
        if evolves && access == Access::ByRow {
            // The index on the key comes after the delta: until then old and new rows may share a key. A first load is copied.
            let mut now = apply::Batch::default();
            apply::apply(session, &mut now, table, access, delta, 1).await?;
            now.send(session).await?;
            schema::create_key_index(session, table).await?;
        } else if !delta.is_empty() {
            apply::apply(session, &mut batch, table, access, delta, many).await?;
        }
    }
    for (table, _) in pending.unwrap_or_default() {
        bookkeeping::write_model(session, meta, instance, &relation(table), table)
            .await
            .map_err(|cause| failure("could not write models", cause))?;
    }
    batch.extend(bookkeeping::progress_jobs(meta, instance, &commit.progress));
    batch.extend(bookkeeping::test_jobs(meta, instance, commit.seq, &commit.tests));
    batch.send(session).await?;
    bookkeeping::write_errors(session, meta, instance, commit).await?;
    let committed = session.client.batch_execute("commit").await;
    committed.map_err(|cause| failure(&format!("could not commit cut {}", commit.seq), cause))
}

async fn read_table(session: &mut Session, table: &TableSpec) -> Result<Vec<(Row, i64)>, SinkError> {
    let name = relation(table);
    let failed = |cause| failure(&format!("could not read table {name}"), cause);
    let Some(present) = schema::present(session, table).await.map_err(failed)? else { return Ok(Vec::new()) };
    let survives = schema::evolution(&present, table).survives;
    let columns = table.columns.iter().zip(survives).map(|(column, survives)| {
        let value = if survives { quoted(&column.name) } else { "null".into() };
        format!("{value}::{}", schema::column_type(&column.ty))
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let sql = format!("select {columns} from {}", schema::target(table));
    let no_parameters: [&str; 0] = [];
    let stream = session.client.query_raw(&sql, no_parameters).await.map_err(failed)?;
    pin_mut!(stream);
    let (mut rows, mut builder) = (Vec::new(), RowBuilder::default());
    while let Some(stored) = stream.try_next().await.map_err(failed)? {
        for (index, column) in table.columns.iter().enumerate() {
            let raw: Option<Raw<'_>> = stored.try_get(index).map_err(failed)?;
            value::push(&mut builder, &column.ty, raw.map(|raw| raw.0)).map_err(|cause| SinkError::Refused {
                message: format!("table {name} holds in column {} what is no {}", column.name, column.ty),
                hint: Some("another program wrote it; correct or delete that row".into()),
                cause: Some(cause),
            })?;
        }
        rows.push(builder.finish());
    }
    Ok(super::counted(rows))
}

fn placed(mut table: TableSpec, config: &PostgresConfig) -> TableSpec {
    if table.schema.is_empty() {
        table.schema.clone_from(&config.schema);
    }
    table
}

fn relation(table: &TableSpec) -> String {
    schema::relation_name(&table.schema, &table.name)
}

/// Sorts a failure: what passes (a lost connection, a server that starts, a lock, a full disk) is retried, the rest is final.
fn failure(what: &str, cause: Error) -> SinkError {
    let passes = match cause.code() {
        Some(code) => {
            let passing = [
                SqlState::ADMIN_SHUTDOWN,
                SqlState::CRASH_SHUTDOWN,
                SqlState::CANNOT_CONNECT_NOW,
                SqlState::LOCK_NOT_AVAILABLE,
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::T_R_DEADLOCK_DETECTED,
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                SqlState::QUERY_CANCELED,
                SqlState::READ_ONLY_SQL_TRANSACTION,
            ];
            let class = &code.code()[..2];
            passing.contains(code) || class == "08" || class == "53" || class == "58"
        }
        None => !is_ours(&cause),
    };
    if passes {
        return SinkError::unreachable(what, ServerError(cause));
    }
    SinkError::Refused { message: what.into(), hint: None, cause: Some(Box::new(ServerError(cause))) }
}

/// The failure is in what we sent, not in the connection: a value that cannot be encoded, a wrong configuration.
fn is_ours(cause: &Error) -> bool {
    let text = cause.to_string();
    let ours = ["error serializing", "error deserializing", "invalid configuration", "error performing TLS"];
    ours.iter().any(|ours| text.starts_with(ours))
}

/// What the server or the connection said, in its words.
#[derive(Debug)]
struct ServerError(Error);

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = self.0.as_db_error() {
            f.write_str(error.message())?;
            return error.detail().map_or(Ok(()), |detail| write!(f, " ({detail})"));
        }
        match std::error::Error::source(&self.0) {
            Some(source) => write!(f, "{source}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl std::error::Error for ServerError {}
