//! What livemart.yml says about the changelog.

use std::collections::BTreeMap;
use std::fmt;

use crate::sink::{SinkError, TableSpec};

/// `sink: {changelog: …}`
#[derive(Clone, PartialEq)]
pub struct ChangelogConfig {
    pub brokers: String,
    /// `{table}` and `{schema}` are filled in.
    pub topic: String,
    pub envelope: Envelope,
    /// For librdkafka, as they are.
    pub properties: BTreeMap<String, String>,
    /// All published models, or only those with `meta: {livemart: {changelog: true}}`.
    pub carries_all: bool,
    /// Of topics that are made; 1 and 1 by default.
    pub partitions: i32,
    pub replication: i32,
    /// Where the number of the last shipped cut is; named by `topic` and the instance by default.
    pub position_topic: Option<String>,
    /// With more records or bytes in the outbox nothing more is read from the sources.
    pub outbox_records_max: u64,
    pub outbox_bytes_max: u64,
}

/// How a change is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// `op`, `before`, `after`, `source`, `ts_ms`.
    Debezium,
    /// The row, or null when it is gone.
    Upsert,
}

impl ChangelogConfig {
    pub const OUTBOX_RECORDS_MAX: u64 = 1_000_000;
    pub const OUTBOX_BYTES_MAX: u64 = 1 << 30;

    pub fn topic_of(&self, schema: &str, table: &str) -> String {
        self.topic.replace("{schema}", schema).replace("{table}", table)
    }

    /// Where the instance's position is.
    pub fn position_topic_of(&self, instance: &str) -> String {
        // Changelogs of other topics, or of other instances, know nothing of each other.
        let named = || format!("{}.{}", self.topic_of("livemart", "livemart"), instance_topic(instance));
        self.position_topic.clone().unwrap_or_else(named)
    }

    /// Envelope and key of a table's records. Without a key only the debezium envelope tells how many equal rows there are.
    pub fn shape(&self, table: &TableSpec) -> Result<String, SinkError> {
        let key = table.key.as_ref().map(|key| {
            let names: Vec<&str> = key.iter().map(|column| table.columns[*column].name.as_str()).collect();
            format!("{names:?}")
        });
        match (self.envelope, key) {
            (Envelope::Debezium, Some(key)) => Ok(format!("debezium {key}")),
            (Envelope::Debezium, None) => Ok("debezium rows".to_owned()),
            (Envelope::Upsert, Some(key)) => Ok(format!("upsert {key}")),
            (Envelope::Upsert, None) => Err(SinkError::refused(keyless_message(&table.model), KEYLESS_HINT)),
        }
    }
}

/// Rows that may be equal have no message key by which one of them could be replaced or deleted.
pub fn keyless_message(model: &str) -> String {
    format!("{model} has no key, so that its changelog cannot have the envelope upsert")
}

pub const KEYLESS_HINT: &str = "take `envelope: debezium`, which counts equal rows, leave the model out with meta: {livemart: {changelog: false}}, \
     or let it group by its key";

/// Properties may hold passwords.
impl fmt::Debug for ChangelogConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangelogConfig")
            .field("brokers", &self.brokers)
            .field("topic", &self.topic)
            .field("envelope", &self.envelope)
            .finish_non_exhaustive()
    }
}

/// An instance's name as part of a topic's.
fn instance_topic(instance: &str) -> String {
    instance.chars().map(|c| if is_topic_char(c) { c } else { '_' }).collect()
}

fn is_topic_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// Whether Kafka takes a topic of this name.
pub fn is_topic(name: &str) -> bool {
    const CHARS_MAX: usize = 249;
    !name.is_empty() && name.len() <= CHARS_MAX && name != "." && name != ".." && name.chars().all(is_topic_char)
}
