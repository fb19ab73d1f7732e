//! Where cuts leave: the tables that BI tools read, and the bookkeeping that makes them exact.
//!
//! ```text
//!   engine ──Commit {deltas of all tables, progress, errors, tests, clock}──> one transaction ──> readers
//! ```
//!
//! 1. All tables, `progress` and `cut` change in the same transaction.
//! 2. A commit is a compare-and-swap on `cut(owner, seq)`: an owner that was replaced cannot commit, and a commit whose answer
//!    was lost is settled by reading `cut` again.
//! 3. Nothing but the delta is written; tables are altered, never dropped and never truncated.

pub mod changelog;
mod delta;
mod error;
mod evolve;
mod names;
pub mod net;
pub mod postgres;
mod properties;
mod set_aside;
pub mod sqlite;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use row::{Row, ScalarType};

use self::changelog::{Outbox, OutboxCut, Shipping};

pub use postgres::{PostgresConfig, PostgresSink};
pub use properties::{Hook, IndexSpec, RunHooks, TableProperties};
pub use set_aside::KEPT_MAX as ERRORS_KEPT_MAX;
pub use sqlite::SqliteSink;
pub use watch::Watch;

/// A published table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// dbt's unique id of the model.
    pub model: String,
    /// Schema on PostgreSQL; SQLite has none and leaves it out.
    pub schema: String,
    pub name: String,
    pub columns: Vec<TableColumn>,
    /// Columns that are unique by the plan's structure: primary access path of upserts. None: a multiset.
    pub key: Option<Vec<usize>>,
    pub fingerprint: String,
    pub compiled_sql: String,
    pub properties: TableProperties,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    pub name: String,
    pub ty: ScalarType,
    pub nullable: bool,
}

/// What the sink knew when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkState {
    pub cut: Option<CutRow>,
    pub progress: Vec<ProgressRow>,
    /// (model, relation, fingerprint) of what is deployed.
    pub models: Vec<(String, String, String)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CutRow {
    pub owner: String,
    pub seq: u64,
    /// Microseconds since 1970 UTC: the logical time of the cut.
    pub clock: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressRow {
    pub source: String,
    pub partition: String,
    pub position: u64,
    pub mark: String,
}

/// What tables hold, each a list of (row, copies).
pub type TableRows = Vec<Vec<(Row, i64)>>;

/// One row of `errors`; a multiset keyed by all but `first_seq`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorRow {
    /// `decode` or `expression`.
    pub kind: String,
    pub model: Option<String>,
    pub source: Option<String>,
    pub partition: Option<String>,
    pub position: Option<u64>,
    pub key: Option<String>,
    pub column_name: Option<String>,
    pub expression: Option<String>,
    pub reason: String,
    pub record: Option<String>,
}

/// One row of `tests`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRow {
    pub test: String,
    pub model: String,
    pub severity: String,
    pub failures: i64,
}

/// What readers see of an instance at one cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub cut: CutRow,
    /// Rows of each table, by the model's unique id.
    pub rows: BTreeMap<String, u64>,
    pub tests: Vec<TestRow>,
    /// How many errors are set aside.
    pub errors: u64,
}

/// Everything one cut changes.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Must be one above the stored cut's.
    pub seq: u64,
    /// Microseconds since 1970 UTC.
    pub clock: i64,
    /// (index into the deployed tables, consolidated net changes).
    pub deltas: Vec<(usize, Vec<(Row, i64)>)>,
    /// New positions of the partitions that moved.
    pub progress: Vec<ProgressRow>,
    /// Errors that came (+1) and went (-1).
    pub errors: Vec<(ErrorRow, i64)>,
    /// Every stored error of the instance goes first: models changed, and `errors` holds all that are set aside now.
    pub resets_errors: bool,
    /// New failure counts of the tests whose count changed, and of all at the first cut.
    pub tests: Vec<TestRow>,
}

/// What deploying does with a table before the next commit's delta is applied, inside that commit's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deploy {
    /// As it is: same fingerprint, delta continues.
    Keep,
    /// Create it, or alter its columns; the delta that follows holds the difference against what the table holds.
    Evolve,
}

/// A place that takes cuts.
///
/// Opening takes ownership (a lock that dies with the process) before anything is read, and refuses with the live owner's name.
pub trait Sink: Send {
    fn state(&mut self) -> Result<SinkState, SinkError>;

    /// The rows a table holds now, packed with the given columns' types: for the row-level difference when a model changed.
    /// Empty when the table does not exist.
    fn read_table(&mut self, table: &TableSpec) -> Result<Vec<(Row, i64)>, SinkError>;

    /// Columns of the table that the given ones have no place for: what they hold would be lost.
    fn lost_columns(&mut self, table: &TableSpec) -> Result<Vec<String>, SinkError>;

    /// Notes what is run around the next deploy that has a new model in it. Before `deploy`.
    fn note_hooks(&mut self, hooks: RunHooks);

    /// Notes what the next commit deploys, and brings indexes, comments and grants of kept tables up to date. A relation that livemart did not create is refused unless `adopt`.
    fn deploy(&mut self, tables: Vec<(TableSpec, Deploy)>, adopt: bool) -> Result<(), SinkError>;

    /// Applies one cut in one transaction. An unreachable server is `SinkError::Unreachable`: the caller retries the same
    /// commit, which is settled by reading `cut`.
    fn commit(&mut self, commit: &Commit) -> Result<(), SinkError>;

    /// Notes what the next commit does to the outbox, in its transaction; forgotten when that has succeeded.
    fn stage_outbox(&mut self, cut: OutboxCut);

    /// The outbox over a connection of its own.
    fn outbox(&mut self) -> Result<Box<dyn Outbox>, SinkError>;

    /// Whether a cut is to come even when nothing changes.
    fn owes_cut(&self) -> bool {
        false
    }

    /// What ships this sink's changelog, where it has one.
    fn shipping(&self) -> Option<Arc<Shipping>> {
        None
    }

    /// Who asks to take this sink over; looked at now and then between commits.
    fn heir(&mut self) -> Option<String> {
        None
    }

    /// Checkpoints and releases ownership.
    fn close(self: Box<Self>) -> Result<(), SinkError>;
}

#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Another live process owns the instance.
    #[error("{message}")]
    Owned { message: String },
    /// `cut` moved under us: another owner took over. Stop.
    #[error("{message}")]
    Fenced { message: String },
    /// Try again with backoff.
    #[error("{message}")]
    Unreachable {
        message: String,
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Final: names the table, what the sink said, and in `hint` the way out.
    #[error("{message}")]
    Refused {
        message: String,
        hint: Option<String>,
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// Equal rows together, with their number, in the order of their bytes.
fn counted(mut rows: Vec<Row>) -> Vec<(Row, i64)> {
    rows.sort_unstable();
    let mut counted: Vec<(Row, i64)> = Vec::new();
    for row in rows {
        match counted.last_mut() {
            Some((last, copies)) if *last == row => *copies += 1,
            _ => counted.push((row, 1)),
        }
    }
    counted
}
