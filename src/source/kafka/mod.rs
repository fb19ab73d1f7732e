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
//! 5. While topics are followed, partitions that are added to them, and topics that match a pattern (`^shop\.public\.o_.*`), are
//!    read from their beginning within seconds. So is the topic of a table in which Debezium has not met a row yet.
//! 6. With `transactions: debezium`, what belongs to one transaction of the database goes out in one group (`source/transactions`);
//!    up to the sink's cut, which ended with whole ones, records go out as they come.

mod client;
mod open;
mod topic_id;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, OwnedMessage};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message, Offset};

use self::client::{Client, Signal, Talk};
use self::open::{Pattern, gone};
use super::decoder::{self, Decoder, NotYet};
use super::settings::{Positions, TableSource};
use super::transactions::{Assembler, Ended, Held};
use super::{Batch, Gate, Poll, Reader, Record, SourceError, TableIndex, Until};

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
    /// The topic was found by a pattern: partitions go by its name, too.
    pub is_matched: bool,
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
    patterns: Vec<Pattern>,
    /// The topic of transactions, while it is not there.
    awaited_marks: Option<Pattern>,
    from: Positions,
    /// When new partitions were looked for last.
    searched_at: Instant,
    /// Holds records until their transactions are whole.
    assembler: Option<Assembler>,
    /// Batches of a group that are on their way.
    outbox: VecDeque<Batch>,
    /// Why the last record could not be decoded yet.
    waits_for: Option<String>,
}

struct Topic {
    name: String,
    source: Arc<str>,
    decoder: Decoder,
    /// Indexes and identifiers.
    tables: Vec<(TableIndex, String)>,
    is_matched: bool,
    /// It holds BEGIN and END of transactions.
    is_marks: bool,
}

/// What polling a partition gave.
enum Taken {
    /// A record of so many bytes.
    Message(usize),
    /// Nothing now, or nothing that can be decoded now.
    Nothing,
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
    /// Polls a partition once and decodes what came; an END of the topic of marks goes to `ended`.
    fn take_one(
        &mut self,
        at: usize,
        records: &mut Vec<Record>,
        ended: &mut Option<Ended>,
    ) -> Result<Taken, SourceError> {
        let partition = &mut self.partitions[at];
        let topic = &mut self.topics[partition.topic];
        if let Some(message) = &partition.held {
            return Ok(match decode(topic, message, records, ended) {
                Ok(position) => {
                    partition.position = position;
                    partition.held = None;
                    self.waits_for = None;
                    Taken::Message(0)
                }
                Err(NotYet(reason)) => {
                    self.waits_for = Some(reason);
                    Taken::Nothing
                }
            });
        }
        match partition.queue.poll(Duration::ZERO) {
            None => Ok(Taken::Nothing),
            Some(Ok(message)) => {
                partition.at_end = false;
                self.missing_since = None;
                match decode(topic, &message, records, ended) {
                    Ok(position) => {
                        partition.position = position;
                        Ok(Taken::Message(message.payload_len() + message.key_len()))
                    }
                    Err(NotYet(reason)) => {
                        self.waits_for = Some(reason);
                        partition.held = Some(message.detach());
                        Ok(Taken::Nothing)
                    }
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                partition.at_end = true;
                Ok(Taken::Nothing)
            }
            Some(Err(error)) => {
                let name = topic.name.clone();
                self.judge(error, Some(&name))?;
                Ok(Taken::Nothing)
            }
        }
    }

    /// Takes what is there of one partition, until a batch is full.
    fn read_batch(&mut self, at: usize) -> Result<Option<Batch>, SourceError> {
        let partition = &self.partitions[at];
        let limit = self.gate.limit(&self.topics[partition.topic].source, &partition.name);
        if partition.position >= limit {
            return Ok(None);
        }
        // Where transactions are kept whole, what lies beyond the cut is theirs to hold.
        let limit = if self.assembler.is_some() { limit } else { u64::MAX };
        let before = partition.position;
        let (mut records, mut count, mut bytes) = (Vec::new(), 0, 0);
        while count < BATCH_RECORDS_MAX && bytes < BATCH_BYTES_MAX && self.partitions[at].position < limit {
            match self.take_one(at, &mut records, &mut None)? {
                Taken::Nothing => break,
                Taken::Message(size) => {
                    count += 1;
                    bytes += size;
                }
            }
        }
        let partition = &mut self.partitions[at];
        partition.settle();
        if partition.position == before {
            return Ok(None);
        }
        let position = partition.position;
        Ok(Some(self.batch(at, records, position, None)))
    }

    fn batch(&self, at: usize, records: Vec<Record>, position: u64, group: Option<(u64, usize)>) -> Batch {
        let partition = &self.partitions[at];
        Batch {
            source: self.topics[partition.topic].source.clone(),
            partition: partition.name.clone(),
            records,
            position,
            mark: partition.mark.clone(),
            group,
        }
    }

    /// Takes what is there of one partition and gives it to the assembler; false where nothing came.
    fn read_held(&mut self, at: usize) -> Result<bool, SourceError> {
        let Some(mut assembler) = self.assembler.take() else { return Ok(false) };
        let read = self.fill(at, &mut assembler);
        self.assembler = Some(assembler);
        read
    }

    fn fill(&mut self, at: usize, assembler: &mut Assembler) -> Result<bool, SourceError> {
        let is_marks = self.topics[self.partitions[at].topic].is_marks;
        let before = self.partitions[at].position;
        let mut count = 0;
        while count < BATCH_RECORDS_MAX && assembler.wants(at) {
            let (mut records, mut ended) = (Vec::new(), None);
            let Taken::Message(bytes) = self.take_one(at, &mut records, &mut ended)? else { break };
            count += 1;
            let partition = &self.partitions[at];
            let after = partition.position;
            if is_marks {
                assembler.mark(after, ended);
            } else {
                let member = self.topics[partition.topic].decoder.take_member();
                assembler.push(at, Held { after, bytes, records, member })?;
            }
        }
        let partition = &mut self.partitions[at];
        let read_to = partition.position;
        partition.settle();
        let after = partition.position;
        if after > read_to {
            // Behind the last record lie marks of the producer's transactions.
            match is_marks {
                true => assembler.mark(after, None),
                false => assembler.push(at, Held { after, ..Held::default() })?,
            }
        }
        Ok(after > before)
    }

    /// What may go out together becomes batches; the first of them.
    fn next_of_group(&mut self) -> Option<Batch> {
        static GROUPS: AtomicU64 = AtomicU64::new(0);
        let parts = self.assembler.as_mut()?.next_group(Instant::now())?;
        let group = GROUPS.fetch_add(1, Ordering::Relaxed);
        let count = parts.len();
        for (at, part) in parts.into_iter().enumerate() {
            let of = (count > 1).then_some((group, count - 1 - at));
            let batch = self.batch(part.partition, part.records, part.position, of);
            self.outbox.push_back(batch);
        }
        self.outbox.pop_front()
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
        if let Some(batch) = self.outbox.pop_front() {
            return Ok(Poll::Batch(batch));
        }
        loop {
            self.signal.clear();
            self.serve_events()?;
            self.check_missing()?;
            self.search()?;
            let holds = self.assembler.is_some() && self.gate.is_open();
            let mut has_read = false;
            for step in 0..self.partitions.len() {
                let at = (self.next + step) % self.partitions.len();
                if holds {
                    has_read |= self.read_held(at)?;
                } else if let Some(batch) = self.read_batch(at)? {
                    self.next = at + 1; // the others come first next time
                    return Ok(Poll::Batch(batch));
                }
            }
            if let Some(batch) = self.next_of_group().filter(|_| holds) {
                return Ok(Poll::Batch(batch));
            }
            if has_read {
                continue;
            }
            let is_full = |at: usize| holds && self.assembler.as_ref().is_some_and(|assembler| !assembler.wants(at));
            let is_over = |(at, partition): (usize, &Partition)| partition.is_done || is_full(at);
            if self.until == Until::End && self.partitions.iter().enumerate().all(is_over) {
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

    fn obstacle(&self) -> Option<String> {
        let held = self.assembler.as_ref().and_then(|assembler| assembler.obstacle(Instant::now()));
        held.or_else(|| self.waits_for.clone())
    }

    fn skipped(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (name, count) in self.topics.iter().flat_map(|topic| topic.decoder.skipped()) {
            *all.entry(name.clone()).or_default() += count;
        }
        all
    }
}

impl Partition {
    /// Notes that the end is reached. Behind the last record there may be marks of transactions, which are no records but have
    /// offsets.
    fn settle(&mut self) {
        if self.held.is_none() && (self.at_end || self.position >= self.end) {
            self.is_done = true;
            self.position = self.position.max(self.end);
        }
    }
}

/// Decodes one message; gives the position after it.
fn decode(
    topic: &mut Topic,
    message: &impl Message,
    records: &mut Vec<Record>,
    ended: &mut Option<Ended>,
) -> Result<u64, NotYet> {
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
    match topic.is_marks {
        true => *ended = topic.decoder.mark(&message)?,
        false => topic.decoder.message(offset, &message, records)?,
    }
    Ok(offset + 1)
}
