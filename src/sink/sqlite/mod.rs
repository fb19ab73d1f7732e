//! The embedded sink: one SQLite file that any tool may read while livemart writes it.
//!
//! ```text
//!   open: lock file ─> WAL ─> livemart_ tables ─> claim cut
//!   commit: begin immediate ─> cut (compare-and-swap) ─> alter ─> deltas ─> progress, errors, tests ─> commit (one fsync)
//!   close: checkpoint ─> one *.db file, no lock file
//! ```
//!
//! 1. Readers never wait and never make livemart wait: the write-ahead log lets each read the cut it began with.
//! 2. `synchronous = full`: a commit that returned survives a power cut. `normal` would keep the file whole but could lose the
//!    last cuts, and state that was written after them would then stand ahead of the sink.
//! 3. There is one owner per file: SQLite has one writer at a time anyway, and the lock dies with the process.

mod apply;
mod bookkeeping;
mod outbox;
mod ownership;
pub mod published;
mod schema;
mod text;
mod value;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use row::{Row, RowBuilder};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use self::bookkeeping::Turn;
use self::outbox::SqliteOutbox;
use self::ownership::Ownership;
use self::schema::Access;
pub use self::watch::SqliteWatch;
use super::changelog::{Outbox, OutboxCut};
use super::names::{quoted, shown};
use super::{Commit, Deploy, Hook, RunHooks, Sink, SinkError, SinkState, TableRows, TableSpec, properties as wanted};

/// How long a statement waits for another writer's lock before the commit is given back to be retried.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The log is cut back to this size when a checkpoint has emptied it.
const WAL_BYTES_KEPT: i64 = 64 << 20;
const STATEMENTS_CACHED_MAX: usize = 1_024;

pub struct SqliteSink {
    path: PathBuf,
    instance: String,
    owner: String,
    connection: Connection,
    ownership: Ownership,
    /// No cut of this instance is stored: the next commit inserts it.
    first: bool,
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
pub fn read_tables(path: &Path, instance: &str, tables: &[&TableSpec]) -> Result<(SinkState, TableRows), SinkError> {
    let failed = |cause| failure(&format!("could not open {}", path.display()), cause);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    let transaction = connection.transaction().map_err(failed)?;
    let state = bookkeeping::read(&transaction, instance)?;
    let rows = tables.iter().map(|table| read_table(&transaction, table)).collect::<Result<_, _>>()?;
    Ok((state, rows))
}

fn read_table(connection: &Connection, table: &TableSpec) -> Result<Vec<(Row, i64)>, SinkError> {
    let failed = |cause| failure(&format!("could not read table {}", relation(table)), cause);
    let present = schema::present_columns(connection, table).map_err(failed)?;
    if present.is_empty() {
        return Ok(Vec::new());
    }
    let survives = schema::evolution(&present, table).survives;
    let columns: Vec<_> = table
        .columns
        .iter()
        .zip(&survives)
        .map(|(column, survives)| if *survives { quoted(&column.name) } else { "null".into() })
        .collect();
    let sql = format!("select {} from {}", columns.join(", "), quoted(&table.name));
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut stored = statement.query([]).map_err(failed)?;
    let mut rows = Vec::new();
    let mut builder = RowBuilder::default();
    while let Some(row) = stored.next().map_err(failed)? {
        for (index, column) in table.columns.iter().enumerate() {
            let stored = row.get_ref(index).map_err(failed)?;
            if !value::push_stored(&mut builder, &column.ty, stored) {
                return Err(SinkError::refused(
                    format!(
                        "table {} holds {stored:?} in column {}, which is no {}",
                        relation(table),
                        column.name,
                        column.ty
                    ),
                    "another program wrote it; correct or delete that row",
                ));
            }
        }
        rows.push(builder.finish());
    }
    Ok(super::counted(rows))
}

/// Opens the database for its owner; tells whether no cut of the instance is stored yet.
fn connect(path: &Path, instance: &str, owner: &str) -> Result<(Connection, bool), SinkError> {
    let failed = |cause| failure(&format!("could not open {}", path.display()), cause);
    let connection = Connection::open(path).map_err(failed)?;
    let journal = configure(&connection).map_err(failed)?;
    if journal != "wal" {
        return Err(SinkError::refused(
            format!("{} has journal mode {journal} and cannot have a write-ahead log", path.display()),
            "put the file on a local disk",
        ));
    }
    bookkeeping::create(&connection)?;
    bookkeeping::claim(&connection, instance, owner)?;
    let first = bookkeeping::read(&connection, instance)?.cut.is_none();
    Ok((connection, first))
}

impl SqliteSink {
    /// Takes the file at `path`, which is created with its folder when missing. `owner` must be unique to this process.
    pub fn open(path: impl AsRef<Path>, instance: &str, owner: &str) -> Result<SqliteSink, SinkError> {
        let path = path.as_ref().to_path_buf();
        if path.is_dir() {
            return Err(SinkError::refused(
                format!("{} is a folder, not a database file", path.display()),
                "name a file as the sink's `path` in livemart.yml",
            ));
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|cause| SinkError::Refused {
                message: format!("could not create the folder {}", folder.display()),
                hint: Some("the sink's `path` in livemart.yml must lie in a folder that can be written".into()),
                cause: Some(Box::new(cause)),
            })?;
        }
        let ownership = Ownership::take(&path, instance, owner)?;
        match connect(&path, instance, owner) {
            Ok((connection, first)) => Ok(SqliteSink {
                path,
                instance: instance.into(),
                owner: owner.into(),
                connection,
                ownership,
                first,
                tables: Vec::new(),
                pending: None,
                run_hooks: RunHooks::default(),
                late_hooks: Vec::new(),
                outbox: OutboxCut::default(),
            }),
            Err(error) => {
                // What cannot be opened is left as it was, without a lock file beside it.
                ownership.release();
                Err(error)
            }
        }
    }

    fn apply(&mut self, commit: &Commit) -> Result<(), SinkError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|cause| failure(&format!("could not begin cut {}", commit.seq), cause))?;
        match bookkeeping::take_turn(&transaction, &self.instance, &self.owner, self.first, commit)? {
            Turn::AlreadyApplied => return Ok(()),
            Turn::Taken => {}
        }

        let deployed = self.pending.as_deref();
        let table_count = deployed.map_or(self.tables.len(), <[_]>::len);
        let mut deltas: Vec<&[(Row, i64)]> = vec![&[]; table_count];
        for (index, delta) in &commit.deltas {
            assert!(deltas[*index].is_empty(), "two deltas for one table in cut {}", commit.seq);
            deltas[*index] = delta;
        }
        let run = |hooks: &[Hook]| -> Result<(), SinkError> {
            hooks.iter().filter(|hook| hook.transaction).try_for_each(|hook| run_hook(&transaction, hook))
        };
        run(&self.run_hooks.start)?;
        for (index, delta) in deltas.into_iter().enumerate() {
            let (table, evolves) = match deployed {
                Some(deployed) => (&deployed[index].0, deployed[index].1 == Deploy::Evolve),
                None => (&self.tables[index], false),
            };
            if evolves {
                run(&table.properties.pre_hooks)?;
            }
            let access = match table.key {
                _ if evolves => schema::evolve(&transaction, table)?,
                Some(_) => Access::ByKey,
                None => Access::ByRow,
            };
            apply::apply(&transaction, table, access, delta)?;
            if evolves && access == Access::ByRow {
                schema::create_key_index(&transaction, table)?;
            }
            if evolves {
                run(&table.properties.post_hooks)?;
            }
        }

        let bookkept = |cause| failure(&format!("could not write the livemart_ tables of cut {}", commit.seq), cause);
        for (table, _) in deployed.unwrap_or_default() {
            bookkeeping::write_model(&transaction, &self.instance, table).map_err(bookkept)?;
        }
        bookkeeping::write_progress(&transaction, &self.instance, &commit.progress).map_err(bookkept)?;
        bookkeeping::write_errors(&transaction, &self.instance, commit)?;
        outbox::write(&transaction, &self.instance, commit.seq, &self.outbox).map_err(bookkept)?;
        bookkeeping::write_tests(&transaction, &self.instance, commit.seq, &commit.tests).map_err(bookkept)?;
        run(&self.run_hooks.end)?;
        transaction.commit().map_err(|cause| failure(&format!("could not commit cut {}", commit.seq), cause))
    }
}

impl Sink for SqliteSink {
    fn state(&mut self) -> Result<SinkState, SinkError> {
        bookkeeping::read(&self.connection, &self.instance)
    }

    fn read_table(&mut self, table: &TableSpec) -> Result<Vec<(Row, i64)>, SinkError> {
        read_table(&self.connection, table)
    }

    fn lost_columns(&mut self, table: &TableSpec) -> Result<Vec<String>, SinkError> {
        let failed = |cause| failure(&format!("could not look at table {}", relation(table)), cause);
        let present = schema::present_columns(&self.connection, table).map_err(failed)?;
        Ok(schema::evolution(&present, table).lost())
    }

    fn note_hooks(&mut self, hooks: RunHooks) {
        self.run_hooks = hooks;
    }

    fn deploy(&mut self, mut tables: Vec<(TableSpec, Deploy)>, adopt: bool) -> Result<(), SinkError> {
        let has_new = wanted::only_new(&mut tables, &self.state()?.models);
        if !has_new {
            self.run_hooks = RunHooks::default();
        }
        wanted::check(&self.run_hooks, &tables)?;
        for (table, deploy) in &tables {
            schema::check(&self.connection, &self.instance, table, *deploy, adopt)?;
        }
        self.pending = Some(tables);
        Ok(())
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), SinkError> {
        let deployed = self.pending.as_deref().unwrap_or_default();
        let early = deployed.iter().flat_map(|(table, _)| &table.properties.pre_hooks);
        for hook in early.filter(|hook| !hook.transaction) {
            run_hook(&self.connection, hook)?;
        }
        self.apply(commit)?;
        self.first = false;
        self.outbox = OutboxCut::default();
        if let Some(deployed) = self.pending.take() {
            let mut late = std::mem::take(&mut self.run_hooks);
            self.late_hooks = deployed.iter().flat_map(|(table, _)| table.properties.post_hooks.clone()).collect();
            self.late_hooks.append(&mut late.end);
            self.tables = deployed.into_iter().map(|(table, _)| table).collect();
        }
        while let Some(hook) = self.late_hooks.first() {
            if !hook.transaction {
                run_hook(&self.connection, hook)?;
            }
            self.late_hooks.remove(0);
        }
        Ok(())
    }

    fn stage_outbox(&mut self, cut: OutboxCut) {
        self.outbox = cut;
    }

    fn outbox(&mut self) -> Result<Box<dyn Outbox>, SinkError> {
        Ok(Box::new(SqliteOutbox::open(&self.path, &self.instance, &self.owner)?))
    }

    fn heir(&mut self) -> Option<String> {
        watch::heir(&self.path)
    }

    fn close(self: Box<Self>) -> Result<(), SinkError> {
        let SqliteSink { path, connection, ownership, .. } = *self;
        let failed = |cause| failure(&format!("could not close {}", path.display()), cause);
        // A reader that is still in an older cut keeps the log from being emptied; then the log stays until it has gone.
        let busy: i64 =
            connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0)).map_err(failed)?;
        if busy != 0 {
            tracing::info!(path = %path.display(), "a reader is in an older cut; the write-ahead log stays beside the file");
        }
        connection.close().map_err(|(_, cause)| failed(cause))?;
        ownership.release();
        Ok(())
    }
}

/// A hook that SQLite does not know fails in SQLite's words.
fn run_hook(connection: &Connection, hook: &Hook) -> Result<(), SinkError> {
    connection.execute_batch(&hook.sql).map_err(|cause| match failure(&hook.name, cause) {
        SinkError::Refused { cause: Some(cause), .. } => hook.failed(cause),
        error => error,
    })
}

/// Gives the journal mode that SQLite agreed to.
fn configure(connection: &Connection) -> rusqlite::Result<String> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
}

/// What messages and `livemart_models` call a table.
fn relation(table: &TableSpec) -> String {
    shown(&table.name)
}

/// Sorts a failure: what passes (another writer, a full disk) is retried, the rest is final.
fn failure(what: &str, cause: rusqlite::Error) -> SinkError {
    let passes = matches!(
        cause.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull | ErrorCode::SystemIoFailure)
    );
    if passes {
        return SinkError::unreachable(what, cause);
    }
    SinkError::Refused { message: what.into(), hint: None, cause: Some(Box::new(cause)) }
}

#[cfg(test)]
mod tests;
