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

mod address;
mod apply;
mod batch;
mod bookkeeping;
mod hooks;
mod outbox;
mod properties;
pub mod published;
mod schema;
mod session;
mod stage;
mod tls;
mod value;
mod watch;
mod whole_row;

use std::fmt;
use std::path::PathBuf;

use futures_util::{TryStreamExt, pin_mut};
use row::{Row, RowBuilder};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

pub use self::address::{TlsMode, TlsSettings, database_of};
use self::apply::Ways;
use self::batch::Batch;
use self::bookkeeping::Turn;
use self::outbox::PostgresOutbox;
use self::schema::Access;
use self::session::{Backend, Session};
use self::value::Raw;
pub use self::watch::PostgresWatch;
use super::changelog::{Outbox, OutboxCut};
use super::names::quoted;
use super::{Commit, Deploy, Hook, RunHooks, Sink, SinkError, SinkState, TableRows, TableSpec, properties as wanted};

/// Measured per cut on a table of 200,000 rows and six columns, median in ms, on a machine with other work
/// (`postgres_what_each_way_costs`); by key | without a key:
///
/// | updated rows | row by row | arrays | merge |
/// |---:|---:|---:|---:|
/// | 1 | 0.2, 0.6 | 0.3, 0.5 | 8, 5 |
/// | 10 | 0.6, 2.0 | 0.5, 1.1 | 7, 6 |
/// | 100 | 7, 13 | 6, 4 | 11, 11 |
/// | 1,000 | 76, 145 | 40, 38 | 44, 56 |
/// | 10,000 | 467, 920 | 215, 174 | 241, 153 |
///
/// New rows: 3.5, 1.1 and 1.1 ms for 100, 34, 10 and 12 ms for 1,000, 290, 69 and 38 ms for 10,000 by COPY, which needs no stage.
///
/// So a staging table pays late, and where many arrays would have to be held in memory on both sides.
const WAYS: Ways = Ways { arrays_from: 3, merges_from: 5_000, copies_from: 2_000 };

#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgres://user@host:port/database`, or `key=value` pairs.
    pub url: String,
    /// Holds the password; read at each connect.
    pub password_file: Option<PathBuf>,
    /// What the url does not say of TLS.
    pub tls: TlsSettings,
    /// Where tables go whose model names no schema.
    pub schema: String,
    /// Where the bookkeeping tables are.
    pub meta_schema: String,
}

/// Without the url, which may hold a password.
impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PostgresConfig { url: _, password_file, tls, schema, meta_schema } = self;
        f.debug_struct("PostgresConfig")
            .field("password_file", password_file)
            .field("tls", tls)
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
    ways: Ways,
    tables: Vec<TableSpec>,
    pending: Option<Vec<(TableSpec, Deploy)>>,
    /// Around the next deploy; empty when nothing new is deployed.
    run_hooks: RunHooks,
    /// Hooks that are yet to run outside of the transaction, which is committed.
    late_hooks: Vec<Hook>,
    /// For the next commit.
    outbox: OutboxCut,
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
            ways: WAYS,
            tables: Vec::new(),
            pending: None,
            run_hooks: RunHooks::default(),
            late_hooks: Vec::new(),
            outbox: OutboxCut::default(),
        })
    }

    /// From how many rows on a statement takes arrays, and from how many on they are copied and merged.
    pub fn with_ways(mut self, arrays_from: usize, merges_from: usize) -> PostgresSink {
        self.ways = Ways { arrays_from, merges_from, copies_from: merges_from };
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

    fn lost_columns(&mut self, table: &TableSpec) -> Result<Vec<String>, SinkError> {
        let table = placed(table.clone(), &self.config);
        self.with_session(async |session, _| {
            let failed = |cause| failure(&format!("could not look at table {}", relation(&table)), cause);
            let present = schema::present(session, &table).await.map_err(failed)?;
            Ok(present.map(|present| schema::evolution(&present, &table).lost()).unwrap_or_default())
        })
    }

    fn note_hooks(&mut self, hooks: RunHooks) {
        self.run_hooks = hooks;
    }

    fn deploy(&mut self, tables: Vec<(TableSpec, Deploy)>, adopt: bool) -> Result<(), SinkError> {
        let mut tables: Vec<_> =
            tables.into_iter().map(|(table, deploy)| (placed(table, &self.config), deploy)).collect();
        let has_new = wanted::only_new(&mut tables, &self.state()?.models);
        if !has_new {
            self.run_hooks = RunHooks::default();
        }
        wanted::check(&self.run_hooks, &tables)?;
        self.with_session(async |session, place| {
            for (table, deploy) in &tables {
                schema::check(session, place.config, place.instance, table, *deploy, adopt).await?;
            }
            for (table, _) in tables.iter().filter(|(_, deploy)| *deploy == Deploy::Keep) {
                for difference in properties::differences(session, table).await? {
                    difference.settle(session, table).await?;
                }
            }
            Ok(())
        })?;
        self.pending = Some(tables);
        Ok(())
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), SinkError> {
        let (first, ways) = (self.first, self.ways);
        let (tables, pending) = (std::mem::take(&mut self.tables), self.pending.take());
        let (run_hooks, outbox) = (std::mem::take(&mut self.run_hooks), std::mem::take(&mut self.outbox));
        let outcome = self.with_session(async |session, place| {
            let deployed = pending.as_deref().unwrap_or_default();
            let early = deployed.iter().flat_map(|(table, _)| &table.properties.pre_hooks);
            hooks::run_outside(session, early).await?;
            let done =
                write_cut(session, place, first, ways, &tables, pending.as_deref(), &run_hooks, &outbox, commit).await;
            if done.is_err() && session.client.batch_execute("rollback").await.is_err() {
                return done.map_err(|error| match error {
                    // The connection is gone as well: whatever it was, it is tried again on a new one.
                    SinkError::Refused { message, cause, .. } => SinkError::Unreachable { message, cause },
                    error => error,
                });
            }
            done
        });
        (self.tables, self.pending, self.run_hooks, self.outbox) = (tables, pending, run_hooks, outbox);
        outcome?;
        self.first = false;
        self.outbox = OutboxCut::default();
        if let Some(deployed) = self.pending.take() {
            let mut late = std::mem::take(&mut self.run_hooks);
            self.late_hooks = deployed.iter().flat_map(|(table, _)| table.properties.post_hooks.clone()).collect();
            self.late_hooks.append(&mut late.end);
            self.tables = deployed.into_iter().map(|(table, _)| table).collect();
        }
        // The connection may be lost between two of them: the caller tries the same cut again, which is then found to be there.
        while let Some(hook) = self.late_hooks.first().cloned() {
            self.with_session(async |session, _| hooks::run_outside(session, [&hook]).await)?;
            self.late_hooks.remove(0);
        }
        Ok(())
    }

    fn stage_outbox(&mut self, cut: OutboxCut) {
        self.outbox = cut;
    }

    fn outbox(&mut self) -> Result<Box<dyn Outbox>, SinkError> {
        Ok(Box::new(PostgresOutbox::new(self.config.clone(), &self.instance, &self.owner)?))
    }

    fn heir(&mut self) -> Option<String> {
        self.look_for_heir()
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
    ways: Ways,
    tables: &[TableSpec],
    pending: Option<&[(TableSpec, Deploy)]>,
    run_hooks: &RunHooks,
    outbox: &OutboxCut,
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
    let mut batch = Batch::default();
    // As dbt does, before the first hook.
    let evolving = pending.unwrap_or_default().iter().filter(|(_, deploy)| *deploy == Deploy::Evolve);
    schema::create_schemas(session, evolving.map(|(table, _)| table)).await?;
    hooks::run_inside(session, &run_hooks.start).await?;
    for (index, delta) in deltas.into_iter().enumerate() {
        let (table, evolves) = match pending {
            Some(deployed) => (&deployed[index].0, deployed[index].1 == Deploy::Evolve),
            None => (&tables[index], false),
        };
        if !evolves {
            let access = if table.key.is_some() { Access::ByKey } else { Access::ByRow };
            if !delta.is_empty() {
                apply::apply(session, &mut batch, table, access, delta, ways).await?;
            }
            continue;
        }
        hooks::run_inside(session, &table.properties.pre_hooks).await?;
        let access = schema::evolve(session, table).await?;
        // Index, comments and hooks need the rows, so these do not wait for those of other tables.
        let mut now = Batch::default();
        apply::apply(session, &mut now, table, access, delta, ways).await?;
        now.send(session).await?;
        if access == Access::ByRow {
            // The index on the key comes after the delta: until then old and new rows may share a key.
            schema::create_key_index(session, table).await?;
        }
        for difference in properties::differences(session, table).await? {
            difference.settle(session, table).await?;
        }
        hooks::run_inside(session, &table.properties.post_hooks).await?;
    }
    for (table, _) in pending.unwrap_or_default() {
        bookkeeping::write_model(session, meta, instance, &relation(table), table)
            .await
            .map_err(|cause| failure("could not write models", cause))?;
    }
    batch.extend(bookkeeping::progress_job(meta, instance, &commit.progress).into_iter());
    batch.extend(bookkeeping::test_job(meta, instance, commit.seq, &commit.tests).into_iter());
    batch.extend(outbox::jobs(meta, instance, commit.seq, outbox).into_iter());
    batch.send(session).await?;
    bookkeeping::write_errors(session, meta, instance, commit).await?;
    hooks::run_inside(session, &run_hooks.end).await?;
    let committed = session.client.batch_execute("commit").await;
    committed.map_err(|cause| {
        let not_unique = cause.code() == Some(&SqlState::UNIQUE_VIOLATION);
        let mut error = failure(&format!("could not commit cut {}", commit.seq), cause);
        if let (true, SinkError::Refused { hint, .. }) = (not_unique, &mut error) {
            *hint = Some(
                "rows are not unique as a model's `indexes:` says: correct the model, or take `unique` out".into(),
            );
        }
        error
    })
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
    if let Some(hint) = tls_hint(&cause) {
        return SinkError::Refused {
            message: what.into(),
            hint: Some(hint.into()),
            cause: Some(Box::new(ServerError(cause))),
        };
    }
    if passes {
        return SinkError::unreachable(what, ServerError(cause));
    }
    SinkError::Refused { message: what.into(), hint: None, cause: Some(Box::new(ServerError(cause))) }
}

/// The failure is in what we sent, not in the connection: a value that cannot be encoded, a wrong configuration.
fn is_ours(cause: &Error) -> bool {
    let text = cause.to_string();
    let ours = ["error serializing", "error deserializing", "invalid configuration"];
    ours.iter().any(|ours| text.starts_with(ours))
}

/// The way out where TLS will fail again.
fn tls_hint(cause: &Error) -> Option<&'static str> {
    if !cause.to_string().starts_with("error performing TLS") {
        return None;
    }
    tls::final_failure(&std::error::Error::source(cause)?.to_string())
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
