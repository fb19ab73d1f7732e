//! Where change events come in.
//!
//! ```text
//!   file / Kafka ──transport──> bytes ──format──> record ──envelope──> Change ──(bounded queue)──> engine
//!                                                                        │
//!                                               Resolver: previous row per key ──> updates (table, row, ±1) and errors
//! ```
//!
//! 1. A record either becomes a `Change` or an error with its position; nothing stops a reader but its transport.
//! 2. A reader never gets ahead of its bounded queue: a slow engine slows the poll.
//! 3. Positions count records: Kafka's next offset, or the number of records consumed of a file.
//! 4. The result is a function of the input prefix: for a key met in two partitions the greatest
//!    (source sequence or timestamp, partition, offset) wins; keyless tables keep a net count; what a restarted connector sends
//!    again changes nothing (`delivery`).

pub mod columns;
pub mod decoder;
pub mod delivery;
pub mod discover;
pub mod envelope;
pub mod faults;
pub mod feed;
pub mod file;
pub mod format;
pub mod glob;
mod halves;
pub mod journal;
pub mod kafka;
pub mod open;
pub mod packed_map;
pub mod parquet;
pub mod prefix;
pub mod registry;
pub mod restore;
pub mod route;
pub mod scan;
pub mod settings;
pub mod transactions;
mod unread;
pub mod upsert;
pub mod varint;
pub mod versions;

#[cfg(test)]
mod captures_tests;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use delivery::Delivery;
pub use open::{OpenReader, open_readers, source_names};
pub use registry::RegistrySettings;
pub use settings::{Connector, Format, Positions, TableSource, first_position};
pub use upsert::{Resolved, Resolver, SourceFault};

use row::{Row, ScalarType};

use crate::plan::RelationId;

/// A declared source table, as the engine wants it read.
#[derive(Clone, Debug)]
pub struct TableSpec {
    pub relation: RelationId,
    /// `raw_data.orders`: what messages and `progress` call it.
    pub name: String,
    /// All declared columns, in the order that the plan's `Get` numbers them.
    pub columns: Vec<SourceColumn>,
    /// Columns that some model reads; the dataflow sees the others as NULL, and unless `keeps_all` they are never decoded.
    pub demanded: Vec<bool>,
    /// Undemanded columns are decoded and kept all the same: a later model may read them, when the records are gone.
    pub keeps_all: bool,
    /// Columns of the key, where the table has one; they are always decoded.
    pub key: Option<Vec<usize>>,
    pub envelope: Envelope,
}

#[derive(Clone, Debug)]
pub struct SourceColumn {
    pub name: String,
    pub ty: ScalarType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    Debezium,
    /// The value is the row; a null value deletes the record's key.
    Upsert,
    Append,
}

/// Index into the engine's list of tables.
pub type TableIndex = usize;

/// Records of one partition, in order, as one reader hands them over.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `progress.source`: `raw_data` for a shared file, else `raw_data.orders`.
    pub source: Arc<str>,
    /// `progress.partition`: Kafka's number or the file's path, as text.
    pub partition: Arc<str>,
    pub records: Vec<Record>,
    /// Position after the last record that this batch covers (skipped records and heartbeats included).
    pub position: u64,
    /// Topic id or hash of the consumed prefix.
    pub mark: String,
    /// It belongs together with others, in one epoch: (number of the group, how many batches of it are still to come).
    pub group: Option<(u64, usize)>,
}

#[derive(Clone, Debug)]
pub struct Record {
    /// Position of this record: the position after it is `offset + 1`. Two changes of one record carry the same offset.
    pub offset: u64,
    /// The event's time, microseconds since 1970 UTC (`source.ts_ms`, else `ts_ms`, else the record's timestamp).
    pub event_time: Option<i64>,
    /// What orders versions of one key across partitions; the event's sequence or time, 0 where none is known.
    pub sequence: i64,
    /// What tells a change that comes again, where the record says it.
    pub delivery: Option<Delivery>,
    pub change: Change,
}

/// What one record says; what is rare is boxed, so that the rest is small. Rows hold all declared columns (undemanded ones NULL unless all are kept); keys are normalised rows of the key columns.
#[derive(Clone, Debug)]
pub enum Change {
    /// A keyed row is now this.
    Upsert { table: TableIndex, key: Row, row: Row },
    /// A keyed row is gone; `moves`: its key changed, and the next record of the table says to what.
    Delete { table: TableIndex, key: Row, moves: bool },
    /// A keyed row is now this, but for values that were left out.
    Patch(Box<Patch>),
    /// One more copy of a row of a table without a key (or of an append-only one).
    Insert { table: TableIndex, row: Row },
    /// One copy less of exactly this row.
    Remove { table: TableIndex, row: Row },
    /// Every row of the table is gone.
    Truncate { table: TableIndex },
    /// The record could not be decoded.
    Malformed(Box<Malformed>),
    /// Nothing: a tombstone, a heartbeat, a table that nobody declared.
    Skip,
}

/// Values of columns `kept` were left out because they are large and did not change (they are NULL in `row`): they are those of
/// the row that the key had, or that `moved_from` had just before it was deleted.
#[derive(Clone, Debug)]
pub struct Patch {
    pub table: TableIndex,
    pub key: Row,
    pub row: Row,
    pub kept: Vec<usize>,
    /// The first of them; and the record's text, should no such row be known.
    pub column: String,
    pub moved_from: Option<Row>,
    pub record: String,
}

/// Why a record could not be decoded. `key` is known when at least the key could be read: a later good record heals it.
#[derive(Clone, Debug)]
pub struct Malformed {
    pub table: Option<TableIndex>,
    pub key: Option<Row>,
    pub column: Option<String>,
    pub reason: String,
    pub record: String,
}

impl Change {
    /// The table that it concerns, if one is known.
    pub fn table(&self) -> Option<TableIndex> {
        match self {
            Change::Upsert { table, .. }
            | Change::Delete { table, .. }
            | Change::Insert { table, .. }
            | Change::Remove { table, .. }
            | Change::Truncate { table } => Some(*table),
            Change::Patch(patch) => Some(patch.table),
            Change::Malformed(malformed) => malformed.table,
            Change::Skip => None,
        }
    }
}

/// What a poll gave.
#[derive(Debug)]
pub enum Poll {
    Batch(Batch),
    /// Nothing new within the wait.
    Idle,
    /// Every partition has reached the end it had when the reader was opened (only with `Until::End`).
    End,
}

/// How far readers may go before the engine lets them go on: to the sink's cut, which is rebuilt first.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<GateInner>);

#[derive(Debug, Default)]
struct GateInner {
    limits: Mutex<BTreeMap<(String, String), u64>>,
    is_open: AtomicBool,
}

impl Gate {
    /// A partition without a limit waits at its beginning.
    pub fn at(limits: BTreeMap<(String, String), u64>) -> Gate {
        Gate(Arc::new(GateInner { limits: Mutex::new(limits), is_open: AtomicBool::new(false) }))
    }

    pub fn open() -> Gate {
        let gate = Gate::default();
        gate.let_all_go();
        gate
    }

    /// Partitions may go on to these positions.
    pub fn move_to(&self, limits: BTreeMap<(String, String), u64>) {
        *self.0.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    pub fn let_all_go(&self) {
        self.0.is_open.store(true, Ordering::SeqCst);
    }

    /// The position that a partition may not go beyond now; a reader may give one batch more.
    pub fn limit(&self, source: &str, partition: &str) -> u64 {
        if self.0.is_open.load(Ordering::SeqCst) {
            return u64::MAX;
        }
        let limits = self.0.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.get(&(source.to_owned(), partition.to_owned())).copied().unwrap_or(0)
    }

    pub fn is_open(&self) -> bool {
        self.0.is_open.load(Ordering::SeqCst)
    }
}

/// How long a reader goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To the end each partition had when the reader was opened.
    End,
    /// For ever, following what is appended.
    Stopped,
}

/// One transport's reader; lives on its own thread.
pub trait Reader: Send {
    /// Waits at most `wait` for records. A transport that is down is retried with backoff inside; an error is final.
    fn poll(&mut self, wait: Duration) -> Result<Poll, SourceError>;

    /// Keeps partitions from going beyond the gate's limits until it opens; before the first poll.
    fn wait_at(&mut self, gate: Gate);

    /// (source, partition, records still to read, when known) for lag metrics and the progress bar.
    fn remaining(&self) -> Vec<(Arc<str>, Arc<str>, Option<u64>)>;

    /// Why nothing goes on although there is something to read, if that takes long.
    fn obstacle(&self) -> Option<String> {
        None
    }

    /// Records of tables that nobody declared, by the name that they carry.
    fn skipped(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

/// Why a source cannot be read: names the object and the place; `hint` says the way out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    pub message: String,
    pub hint: Option<String>,
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}
