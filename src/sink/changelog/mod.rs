//! What the tables' changes are to Kafka: each cut once, whole and in order.
//!
//! ```text
//!   commit ──one transaction──> tables, cut, outbox (seq, n, topic, key, value)
//!                                               │
//!   shipper: outbox ──one Kafka transaction──> topics + position (cut seq) ──then──> forget in the outbox
//! ```
//!
//! 1. The records of a cut are in the outbox if and only if the tables show the cut: one transaction writes both.
//! 2. A Kafka transaction has whole cuts only, and with them their number in the position topic. Who opens the broker reads the last
//!    committed number first and goes on behind it, so that nothing is lost or sent twice, whenever a process dies and whatever answer is lost.
//! 3. Opening fences whoever shipped before, and ends what it left open. A shipper asks the sink whether it is still the owner's
//!    after it has opened: one that woke up too late ends without having sent anything.
//! 4. A changelog begins on a topic that holds nothing, with every row that the table holds; so a reader of the whole topic has the table.

mod begin;
mod config;
mod kafka;
mod memory;
mod records;
mod shipper;
mod shipping;
mod sink;
mod value;

use super::SinkError;

pub use config::{ChangelogConfig, Envelope, KEYLESS_HINT, keyless_message};
pub use kafka::KafkaBroker;
pub use memory::{Accident, MemoryBroker, MemoryLog, Shipped};
pub use shipping::{Backlog, Limits, Shipping};
pub use sink::ChangelogSink;

/// One message on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutboxRecord {
    pub topic: String,
    pub key: String,
    /// None: a tombstone.
    pub value: Option<String>,
}

impl OutboxRecord {
    pub fn bytes(&self) -> u64 {
        (self.key.len() + self.value.as_ref().map_or(0, String::len)) as u64
    }
}

/// What the next commit does to the outbox, in its transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxCut {
    /// Records that wait for these topics go first: the topics begin anew.
    pub forgets: Vec<String>,
    /// All that waits goes: it belongs to topics of another life.
    pub forgets_all: bool,
    /// Everything the changelog carries from this cut on, where that is to be noted.
    pub carried: Option<Vec<Carried>>,
    pub records: Vec<OutboxRecord>,
}

/// A table whose changes go to a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Carried {
    /// dbt's unique id of the model.
    pub model: String,
    pub topic: String,
    /// Envelope and key columns: records of another shape cannot be read together with these.
    pub shape: String,
    /// The cut with which the topic begins.
    pub since: u64,
}

/// A cut whose records wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingCut {
    pub seq: u64,
    pub records: u64,
    pub bytes: u64,
}

/// A record of the outbox: the `n`th of cut `seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingRecord {
    pub seq: u64,
    pub n: u64,
    pub record: OutboxRecord,
}

/// The outbox as the shipper sees it, over a connection of its own.
pub trait Outbox: Send {
    /// What the changelog carries since some cut.
    fn carried(&mut self) -> Result<Vec<Carried>, SinkError>;

    /// The cuts that have records here, in order.
    fn waiting(&mut self) -> Result<Vec<WaitingCut>, SinkError>;

    /// At most `records_max` records behind (seq, n) and of no later cut than `through`, in order. Without `n`: behind the whole cut.
    fn read(
        &mut self,
        after: (u64, Option<u64>),
        through: u64,
        records_max: usize,
    ) -> Result<Vec<WaitingRecord>, SinkError>;

    /// Deletes the records of these cuts: they are in Kafka for good.
    fn forget(&mut self, through: u64) -> Result<(), SinkError>;

    /// Whether the sink is still owned by the process that this outbox was opened for.
    fn is_ours(&mut self) -> Result<bool, SinkError>;
}

/// Where records go, in transactions.
///
/// After any error the broker is opened anew: what became of the open transaction is told by the number of the last committed cut.
pub trait Broker: Send {
    /// Fences whoever shipped for this instance before, ends what it left open, and gives the last committed cut.
    fn open(&mut self) -> Result<Option<u64>, BrokerError>;

    /// Makes those of the topics that are missing, and gives their names.
    fn make_topics(&mut self, topics: &[String]) -> Result<Vec<String>, BrokerError>;

    /// Whether a topic holds no record.
    fn is_empty(&mut self, topic: &str) -> Result<bool, BrokerError>;

    fn begin(&mut self) -> Result<(), BrokerError>;

    fn send(&mut self, seq: u64, record: &OutboxRecord) -> Result<(), BrokerError>;

    /// Commits what was sent, and that all cuts up to `through` have been.
    fn commit(&mut self, through: u64) -> Result<(), BrokerError>;
}

#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Somebody else has opened the broker for this instance.
    #[error("{0}")]
    Fenced(String),
    /// Try again, after opening.
    #[error("{0}")]
    Unreachable(String),
    /// Final, with the way out.
    #[error("{message}")]
    Refused { message: String, hint: String },
}

impl From<BrokerError> for SinkError {
    fn from(error: BrokerError) -> SinkError {
        match error {
            BrokerError::Fenced(message) => SinkError::Fenced { message },
            BrokerError::Unreachable(message) => SinkError::Unreachable { message, cause: None },
            BrokerError::Refused { message, hint } => SinkError::refused(message, hint),
        }
    }
}
