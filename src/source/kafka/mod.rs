//! Kafka topics: every partition of every topic, from a given position, in one client.
//!
//! ```text
//!   assign(all partitions) ──> one queue per partition ──> Decoder of the topic ──> Batch per partition
//!                                    └─ "end of partition" ──> Until::End
//! ```
//!
//! 1. Partitions are assigned, not subscribed to: no group decides what is read, and positions come from the caller.
//! 2. Only committed records are seen (`isolation.level=read_committed`). Aborted ones and the marks of transactions leave gaps in
//!    the offsets; the end of a partition is what the broker says it is, not a count of records.
//! 3. A broker that goes away is waited for, with backoff and a warning. A topic that goes away, or a position that the broker no
//!    longer holds, is an error: going on would lose records in silence.
//! 4. What librdkafka fetches ahead is bounded by `FETCH_AHEAD_KBYTES` over all partitions (and 1 MiB for each where there are
//!    more than 64); a slow engine stops the fetching.
//!
//! Partitions are those that a topic has when it is opened; partitions that are added later are read after a restart.

mod client;
mod topic_id;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, OwnedMessage};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};

use self::client::{Client, Signal, Talk};
use super::decoder::{self, Decoder, NotYet};
use super::open::OpenReader;
use super::settings::{Positions, TableSource};
use super::{Batch, Gate, Poll, Reader, Record, SourceError, Until};

/// A batch ends after so many records or so many bytes of keys and values.
pub const BATCH_RECORDS_MAX: usize = 4096;
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// What librdkafka may hold of records that nobody has taken yet, over all partitions.
pub const FETCH_AHEAD_KBYTES: usize = 64 << 10;
/// How long opening waits for the brokers.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a topic may seem to be missing, as it does while a broker starts, before it is believed.
const TOPIC_MISSING_MAX: Duration = Duration::from_secs(30);
/// The same warning is not repeated sooner.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// A topic and the tables whose records it holds.
pub struct TopicTables {
    /// `progress.source`.
    pub source: String,
    pub topic: String,
    pub tables: Vec<TableSource>,
}

pub struct KafkaReader {
    // Queues hold the client too; they are dropped before it is closed.
    partitions: Vec<Partition>,
    topics: Vec<Topic>,
    client: Client,
    brokers: String,
    signal: Arc<Signal>,
    until: Until,
    /// Where the next round over the partitions begins.
    next: usize,
    warned_at: Option<Instant>,
    missing_since: Option<Instant>,
    gate: Gate,
}

struct Topic {
    name: String,
    source: Arc<str>,
    decoder: Decoder,
}

struct Partition {
    topic: usize,
    number: i32,
    name: Arc<str>,
    mark: String,
    queue: PartitionQueue<Talk>,
    /// A record that cannot be decoded yet, because its schema is not to be had.
    held: Option<OwnedMessage>,
    /// The next offset.
    position: u64,
    /// The offset after the last committed record when the reader was opened.
    end: u64,
    /// The broker said that there is nothing more, and nothing has come since.
    at_end: bool,
    /// A batch has carried the position `end`.
    is_done: bool,
}

impl KafkaReader {
    /// Connects and checks that every topic is there, within `OPEN_TIMEOUT`.
    pub fn open(
        brokers: &str,
        properties: &BTreeMap<String, String>,
        tables: Vec<TopicTables>,
        from: &Positions,
        until: Until,
    ) -> Result<OpenReader, SourceError> {
        let deadline = Instant::now() + OPEN_TIMEOUT;
        // A first client asks; how far the second may fetch ahead depends on the number of partitions.
        let client = client::connect(brokers, properties, 1)?;
        let mut topics = Vec::new();
        let mut found = Vec::new();
        for TopicTables { source, topic, tables } in &tables {
            let numbers = client::partitions(&client, brokers, topic, deadline)?;
            let id = topic_id::topic_id(&client, topic, OPEN_TIMEOUT).unwrap_or_else(|reason| {
                tracing::debug!(topic, reason, "the broker tells no topic id");
                topic.clone()
            });
            for number in numbers {
                let (low, high) = client::watermarks(&client, brokers, topic, number, deadline)?;
                let at = from.get(&(source.clone(), number.to_string()));
                let (start, mark) = start(brokers, topic, number, (low, high), at, &id)?;
                found.push((topics.len(), number, start, high, mark));
            }
            let decoder = Decoder::new(tables)?;
            decoder.check_registry()?;
            topics.push(Topic { name: topic.clone(), source: source.as_str().into(), decoder });
        }
        let client = client::connect(brokers, properties, found.len())?;
        let mut list = TopicPartitionList::new();
        for (topic, number, start, _, _) in &found {
            let added = list.add_partition_offset(&topics[*topic].name, *number, Offset::Offset(*start as i64));
            added.map_err(|cause| {
                SourceError::new(format!("could not assign the partitions of {brokers}")).with_cause(cause)
            })?;
        }
        let signal = Arc::new(Signal::default());
        client.assign(&list).map_err(|cause| {
            SourceError::new(format!("could not assign the partitions of {brokers}")).with_cause(cause)
        })?;
        let mut partitions = Vec::new();
        for (topic, number, position, end, mark) in found {
            let name = &topics[topic].name;
            let queue = client.split_partition_queue(name, number);
            let mut queue =
                queue.ok_or_else(|| SourceError::new(format!("could not read partition {number} of {name}")))?;
            let bell = signal.clone();
            queue.set_nonempty_callback(move || bell.ring());
            partitions.push(Partition {
                topic,
                number,
                name: number.to_string().into(),
                mark,
                queue,
                held: None,
                position,
                end,
                at_end: position >= end,
                is_done: position >= end,
            });
        }
        let reader = KafkaReader {
            partitions,
            topics,
            client,
            brokers: brokers.to_string(),
            signal,
            until,
            next: 0,
            warned_at: None,
            missing_since: None,
            gate: Gate::open(),
        };
        let several = |topic: usize| reader.partitions.iter().filter(|partition| partition.topic == topic).count() > 1;
        let tables = tables.iter().enumerate().flat_map(|(topic, at)| {
            let several = several(topic);
            at.tables.iter().map(move |table| (table.table, several))
        });
        let tables = tables.collect();
        let name = |partition: &Partition| (reader.topics[partition.topic].source.clone(), partition.name.clone());
        let partitions = reader.partitions.iter().map(name).collect();
        Ok(OpenReader { reader: Box::new(reader), partitions, tables })
    }

    /// Takes what is there of one partition, until a batch is full.
    fn read_batch(&mut self, at: usize) -> Result<Option<Batch>, SourceError> {
        let partition = &self.partitions[at];
        if partition.position >= self.gate.limit(&self.topics[partition.topic].source, &partition.name) {
            return Ok(None);
        }
        let (before, was_done) = (partition.position, partition.is_done);
        let (mut records, mut count, mut bytes) = (Vec::new(), 0, 0);
        while count < BATCH_RECORDS_MAX && bytes < BATCH_BYTES_MAX {
            let partition = &mut self.partitions[at];
            let topic = &mut self.topics[partition.topic];
            if let Some(message) = &partition.held {
                let Ok(position) = decode(&mut topic.decoder, message, &mut records) else { break };
                partition.position = position;
                partition.held = None;
            }
            match partition.queue.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => {
                    count += 1;
                    bytes += message.payload_len() + message.key_len();
                    partition.at_end = false;
                    self.missing_since = None;
                    match decode(&mut topic.decoder, &message, &mut records) {
                        Ok(position) => partition.position = position,
                        Err(NotYet(_)) => {
                            partition.held = Some(message.detach());
                            break;
                        }
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    partition.at_end = true;
                    break;
                }
                Some(Err(error)) => {
                    let name = topic.name.clone();
                    self.judge(error, Some(&name))?;
                    break;
                }
            }
        }
        let partition = &mut self.partitions[at];
        if partition.held.is_none() && (partition.at_end || partition.position >= partition.end) {
            // Behind the last record there may be marks of transactions, which are no records but have offsets.
            partition.is_done = true;
            partition.position = partition.position.max(partition.end);
        }
        if partition.position == before && partition.is_done == was_done {
            return Ok(None);
        }
        if partition.position == before {
            return Ok(None);
        }
        Ok(Some(Batch {
            source: self.topics[partition.topic].source.clone(),
            partition: partition.name.clone(),
            records,
            position: partition.position,
            mark: partition.mark.clone(),
        }))
    }

    /// Serves the client's own events. Records that came before their partition had its queue are asked for again.
    fn serve_events(&mut self) -> Result<(), SourceError> {
        let mut strayed = Vec::new();
        loop {
            match self.client.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => strayed.push((message.topic().to_string(), Some(message.partition()))),
                Some(Err(KafkaError::PartitionEOF(number))) => {
                    let topics = self.topics.iter().map(|topic| (topic.name.clone(), Some(number)));
                    strayed.extend(topics.collect::<Vec<_>>());
                }
                Some(Err(error)) => self.judge(error, None)?,
            }
        }
        strayed.sort();
        strayed.dedup();
        for (topic, number) in strayed {
            let here = |partition: &&Partition| {
                let is_it = self.topics[partition.topic].name == topic && Some(partition.number) == number;
                is_it && !partition.at_end && partition.held.is_none()
            };
            if let Some(partition) = self.partitions.iter().find(here) {
                let offset = Offset::Offset(partition.position as i64);
                let sought = self.client.seek(&topic, partition.number, offset, OPEN_TIMEOUT);
                sought.map_err(|cause| {
                    SourceError::new(format!("could not go on reading partition {} of {topic}", partition.number))
                        .with_cause(cause)
                })?;
            }
        }
        Ok(())
    }

    /// Refuses to go on when a topic that seemed to be missing for `TOPIC_MISSING_MAX` is so by the brokers' own word.
    fn check_missing(&mut self) -> Result<(), SourceError> {
        if self.missing_since.is_none_or(|since| since.elapsed() < TOPIC_MISSING_MAX) {
            return Ok(());
        }
        self.missing_since = None;
        match self.topics.iter().find(|topic| client::is_missing(&self.client, &topic.name)) {
            None => Ok(()),
            Some(topic) => {
                let message = format!("the topic {} is no longer there at {}", topic.name, self.brokers);
                Err(SourceError::new(message)
                    .with_hint("was it deleted? create it again and rebuild with --full-refresh, or remove the source"))
            }
        }
    }

    /// What passes is logged; what does not is the error.
    fn judge(&mut self, error: KafkaError, topic: Option<&str>) -> Result<(), SourceError> {
        use RDKafkaErrorCode as Code;
        let place = topic.map_or_else(|| self.brokers.clone(), |topic| format!("topic {topic} at {}", self.brokers));
        let Some(code) = error.rdkafka_error_code() else {
            return Err(SourceError::new(format!("could not read {place}: {error}")).with_cause(error));
        };
        match code {
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
                self.missing_since.get_or_insert_with(Instant::now);
            }
            // The client looks for the coordinator of a group that nothing here relies on.
            Code::GroupAuthorizationFailed => return Ok(()),
            Code::OffsetOutOfRange | Code::AutoOffsetReset => {
                return Err(gone(&place).with_cause(error));
            }
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                return Err(SourceError::new(format!("the broker does not let us read {place}"))
                    .with_hint("allow READ and DESCRIBE on the topic for the user of sasl.username")
                    .with_cause(error));
            }
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                return Err(SourceError::new(format!("could not read {place}: {error}")).with_cause(error));
            }
            _ => {}
        }
        if self.warned_at.is_none_or(|at| at.elapsed() >= WARNING_INTERVAL) {
            self.warned_at = Some(Instant::now());
            let reason = self.client.context().last_error().unwrap_or_else(|| error.to_string());
            tracing::warn!(brokers = %self.brokers, topic, %reason, "reading from Kafka failed; it is tried again");
        }
        Ok(())
    }
}

impl Reader for KafkaReader {
    fn poll(&mut self, wait: Duration) -> Result<Poll, SourceError> {
        let deadline = Instant::now() + wait;
        loop {
            self.signal.clear();
            self.serve_events()?;
            self.check_missing()?;
            for step in 0..self.partitions.len() {
                let at = (self.next + step) % self.partitions.len();
                if let Some(batch) = self.read_batch(at)? {
                    self.next = at + 1; // the others come first next time
                    return Ok(Poll::Batch(batch));
                }
            }
            if self.until == Until::End && self.partitions.iter().all(|partition| partition.is_done) {
                return Ok(Poll::End);
            }
            if !self.signal.wait(deadline) {
                return Ok(Poll::Idle);
            }
        }
    }

    fn wait_at(&mut self, gate: Gate) {
        self.gate = gate;
    }

    fn remaining(&self) -> Vec<(Arc<str>, Arc<str>, Option<u64>)> {
        let left = |partition: &Partition| match partition.at_end {
            true => Some(0),
            false => {
                let known = self.client.context().high_watermark(&self.topics[partition.topic].name, partition.number);
                Some(known.unwrap_or(0).max(partition.end).saturating_sub(partition.position))
            }
        };
        let name = |partition: &Partition| (self.topics[partition.topic].source.clone(), partition.name.clone());
        self.partitions
            .iter()
            .map(|partition| {
                let (source, number) = name(partition);
                (source, number, left(partition))
            })
            .collect()
    }

    fn skipped(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (name, count) in self.topics.iter().flat_map(|topic| topic.decoder.skipped()) {
            *all.entry(name.clone()).or_default() += count;
        }
        all
    }
}

/// Decodes one message; gives the position after it.
fn decode(decoder: &mut Decoder, message: &impl Message, records: &mut Vec<Record>) -> Result<u64, NotYet> {
    let header = |name: &str| {
        let headers = message.headers()?;
        let found = headers.iter().find(|header| header.key == name)?;
        Some(found.value?.to_vec())
    };
    let offset = u64::try_from(message.offset()).unwrap_or(0);
    let message = decoder::Message {
        topic: Some(message.topic()),
        key: message.key(),
        value: message.payload(),
        timestamp_ms: message.timestamp().to_millis(),
        header: &header,
    };
    decoder.message(offset, &message, records)?;
    Ok(offset + 1)
}

/// Where to begin in a partition that holds the offsets `low..high`, and its mark: the topic's id (its name where the broker does
/// not tell one), and where the partition began when it was first read, as `id@7`.
///
/// What lies before the position is not needed: collections hold it. A partition whose records from there on are gone is refused.
fn start(
    brokers: &str,
    topic: &str,
    number: i32,
    (low, high): (u64, u64),
    at: Option<&(u64, String)>,
    id: &str,
) -> Result<(u64, String), SourceError> {
    let Some((position, mark)) = at else { return Ok((low, format!("{id}@{low}"))) };
    let place = format!("partition {number} of topic {topic} at {brokers}");
    let known = mark.rsplit_once('@').and_then(|(id, first)| Some((id, first.parse::<u64>().ok()?)));
    let known_id = known.map_or(mark.as_str(), |(id, _)| id);
    if known_id != id || *position > high {
        return Err(SourceError::new(format!(
            "{place} is not the one that was read before: the topic was created anew"
        ))
        .with_hint("take what it holds now for the whole truth with --resnapshot"));
    }
    if low > *position {
        return Err(SourceError::new(format!(
            "{place} no longer holds its records from {position} on, where reading has to go on: it begins at {low}"
        ))
        .with_hint(GONE_HINT));
    }
    Ok((*position, mark.clone()))
}

fn gone(place: &str) -> SourceError {
    SourceError::new(format!("{place} no longer holds the records from which reading has to go on"))
        .with_hint(GONE_HINT)
}

const GONE_HINT: &str = "raise the topic's retention; take what it still holds for the whole truth with --resnapshot, \
                         best after the producer has sent a new snapshot";
