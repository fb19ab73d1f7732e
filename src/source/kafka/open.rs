//! Where reading begins: partitions found at the start, and those that come while topics are followed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::{Offset, TopicPartitionList};
use regex::Regex;

use super::client::{self, Client, Signal, Talk};
use super::{KafkaReader, OPEN_TIMEOUT, Partition, Topic, TopicTables, topic_id};
use crate::source::decoder::Decoder;
use crate::source::open::OpenReader;
use crate::source::settings::{Connector, Positions, TableSource};
use crate::source::transactions::Assembler;
use crate::source::{Envelope, Gate, SourceError, Until};

/// How often followed topics are looked at for new partitions, and patterns for new topics.
const SEARCH_INTERVAL: Duration = Duration::from_secs(5);
const SEARCH_ANSWER_MAX: Duration = Duration::from_secs(5);
/// The same where a transaction waits for a topic that has not been found.
const SEARCH_INTERVAL_AWAITED: Duration = Duration::from_millis(200);

/// Topics that may come: those of a pattern (`^shop\.public\.orders_.*`, as librdkafka marks them), or one that a connector makes
/// when its table has a row.
pub(super) struct Pattern {
    /// None: the name is that of `tables`.
    regex: Option<Regex>,
    tables: TopicTables,
}

/// A partition that was found, and where it is read from.
struct Found {
    topic: usize,
    number: i32,
    position: u64,
    end: u64,
    mark: String,
}

impl KafkaReader {
    /// Connects and checks that every topic is there, within `OPEN_TIMEOUT`. `marks` is the topic of transactions' BEGIN and END.
    pub fn open(
        brokers: &str,
        properties: &BTreeMap<String, String>,
        tables: Vec<TopicTables>,
        marks: Option<TopicTables>,
        from: &Positions,
        until: Until,
    ) -> Result<OpenReader, SourceError> {
        let deadline = Instant::now() + OPEN_TIMEOUT;
        // A first client asks; how far the second may fetch ahead depends on the number of partitions.
        let asking = client::connect(brokers, properties, 1)?;
        let names = client::topics(&asking, brokers, deadline)?;
        let (mut topics, mut patterns) = (Vec::new(), Vec::new());
        for tables in tables {
            match tables.topic.starts_with('^') {
                true => patterns.push(Pattern::new(tables)?),
                false if may_come(&tables.topic, &names, &tables.tables) => patterns.push(Pattern::awaited(tables)),
                false => topics.push(Topic::of_tables(tables)?),
            }
        }
        for pattern in &patterns {
            for name in &names {
                topics.extend(pattern.topic(name).map(Topic::of_tables).transpose()?);
            }
        }
        let keeps_transactions = marks.is_some();
        let prefix = marks.as_ref().and_then(|marks| marks.topic.strip_suffix(".transaction")).map(str::to_owned);
        let (marks, awaited_marks) = match marks {
            Some(marks) if may_come(&marks.topic, &names, &marks.tables) => (None, Some(Pattern::awaited(marks))),
            marks => (marks, None),
        };
        topics.extend(marks.map(Topic::of_marks).transpose()?);
        let mut found = Vec::new();
        for (topic, of) in topics.iter().enumerate() {
            for number in client::partitions(&asking, brokers, &of.name, deadline)? {
                found.push(find(&asking, brokers, topic, of, number, from, deadline)?);
            }
        }
        let client = client::connect(brokers, properties, found.len())?;
        let signal = Arc::new(Signal::default());
        let mut partitions = Vec::new();
        let list = list(found.iter().map(|found| (&*topics[found.topic].name, found.number, found.position)))?;
        let queues = assign(&client, &list, brokers, &signal)?;
        for (found, queue) in found.into_iter().zip(queues) {
            partitions.push(found.partition(&topics, queue));
        }
        let mut reader = KafkaReader {
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
            patterns,
            awaited_marks,
            from: from.clone(),
            searched_at: Instant::now(),
            assembler: None,
            outbox: Default::default(),
            waits_for: None,
        };
        if keeps_transactions {
            let of_marks = reader.partitions.iter().position(|partition| reader.topics[partition.topic].is_marks);
            let names = reader.partitions.iter().map(|partition| reader.topics[partition.topic].called()).collect();
            let mut assembler = Assembler::new(names, of_marks);
            let awaited: Vec<Awaited> =
                reader.patterns.iter().map(|pattern| pattern.awaits(prefix.as_deref())).collect();
            assembler.expect(move |table| awaited.iter().any(|awaited| awaited.is_of(table)));
            reader.assembler = Some(assembler);
        }
        let several = |source: &str| {
            let of = |partition: &&Partition| *reader.topics[partition.topic].source == *source;
            reader.partitions.iter().filter(of).count() > 1
                || reader.patterns.iter().any(|it| it.regex.is_some() && it.tables.source == source)
        };
        let all = reader.topics.iter().flat_map(|topic| topic.tables.iter().map(move |table| (topic, table)));
        let mut tables: Vec<(usize, bool)> = all.map(|(topic, (table, _))| (*table, several(&topic.source))).collect();
        let of_pattern = |it: &Pattern| {
            let several = it.regex.is_some();
            it.tables.tables.iter().map(move |table| (table.table, several)).collect::<Vec<_>>()
        };
        tables.extend(reader.patterns.iter().flat_map(of_pattern));
        tables.sort_unstable();
        tables.dedup();
        let name = |partition: &Partition| (reader.topics[partition.topic].source.clone(), partition.name.clone());
        let partitions = reader.partitions.iter().map(name).collect();
        Ok(OpenReader { reader: Box::new(reader), partitions, tables })
    }

    /// Looks for partitions and topics that were not there before, and reads them from their beginning.
    pub(super) fn search(&mut self) -> Result<(), SourceError> {
        let interval = match self.assembler.as_ref().is_some_and(Assembler::awaits_topic) {
            true => SEARCH_INTERVAL_AWAITED,
            false => SEARCH_INTERVAL,
        };
        if self.until == Until::End || self.searched_at.elapsed() < interval {
            return Ok(());
        }
        self.searched_at = Instant::now();
        let deadline = Instant::now() + SEARCH_ANSWER_MAX;
        // Brokers that do not answer now are asked again.
        let Ok(metadata) = self.client.fetch_metadata(None, SEARCH_ANSWER_MAX) else { return Ok(()) };
        let mut found = Vec::new();
        for told in metadata.topics() {
            let known = self.topics.iter().position(|topic| topic.name == told.name());
            let topic = match known {
                Some(topic) => topic,
                None => match self.patterns.iter().find_map(|pattern| pattern.topic(told.name())) {
                    Some(tables) => {
                        tracing::info!(topic = told.name(), "a new topic is read from its beginning");
                        self.topics.push(Topic::of_tables(tables)?);
                        self.topics.len() - 1
                    }
                    None => match self.awaited_marks.as_ref().and_then(|marks| marks.topic(told.name())) {
                        Some(marks) => {
                            self.awaited_marks = None;
                            self.topics.push(Topic::of_marks(marks)?);
                            self.topics.len() - 1
                        }
                        None => continue,
                    },
                },
            };
            // All of a topic's new partitions or none: a transaction must not seem to have nothing in one that has not been found.
            let mut new_ones = Some(Vec::new());
            for partition in told.partitions() {
                let is_known = |known: &Partition| known.topic == topic && known.number == partition.id();
                if self.partitions.iter().any(is_known) {
                    continue;
                }
                let of = &self.topics[topic];
                // A partition without a leader yet is found the next time.
                let new = find(&self.client, &self.brokers, topic, of, partition.id(), &self.from, deadline);
                new_ones = new_ones.zip(new.ok()).map(|(mut all, new)| {
                    all.push(new);
                    all
                });
            }
            for new in new_ones.into_iter().flatten() {
                tracing::info!(topic = told.name(), partition = new.number, "a new partition is read");
                found.push(new);
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        let old = self.partitions.iter().map(|old| (&*self.topics[old.topic].name, old.number, old.position));
        let new = found.iter().map(|new| (&*self.topics[new.topic].name, new.number, new.position));
        let list = list(old.chain(new))?;
        // All are assigned anew, from where each has been read to.
        let mut queues = assign(&self.client, &list, &self.brokers, &self.signal)?.into_iter();
        for partition in &mut self.partitions {
            partition.held = None;
            // A record that strays before the queue is there is asked for again, unless there seems to be none.
            partition.at_end = false;
            if let Some(queue) = queues.next() {
                partition.queue = queue;
            }
        }
        for (found, queue) in found.into_iter().zip(queues) {
            let topic = found.topic;
            self.partitions.push(found.partition(&self.topics, queue));
            if let Some(assembler) = &mut self.assembler {
                let (name, tables) = self.topics[topic].called();
                assembler.add(name, tables, self.topics[topic].is_marks);
            }
        }
        Ok(())
    }
}

impl Found {
    fn partition(self, topics: &[Topic], queue: PartitionQueue<Talk>) -> Partition {
        let Found { topic, number, position, end, mark } = self;
        let is_done = position >= end;
        let name = topics[topic].partition_name(number).into();
        Partition { topic, number, name, mark, queue, held: None, position, end, at_end: is_done, is_done }
    }
}

impl Pattern {
    fn new(tables: TopicTables) -> Result<Pattern, SourceError> {
        let regex = Regex::new(&tables.topic).map_err(|cause| {
            SourceError::new(format!("the topic pattern {} of {} cannot be read: {cause}", tables.topic, tables.source))
                .with_hint("a topic that begins with ^ is a regular expression; a dot in it is written \\.")
        })?;
        Ok(Pattern { regex: Some(regex), tables })
    }

    /// One topic, which is read when it is there.
    fn awaited(tables: TopicTables) -> Pattern {
        // Topics are opened more than once before they are read.
        static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        if TOLD.lock().is_ok_and(|mut told| told.insert(tables.topic.clone())) {
            let topic = &tables.topic;
            tracing::warn!(
                topic,
                "the topic does not exist; it is waited for, as Debezium makes it with the first row"
            );
        }
        Pattern { regex: None, tables }
    }

    fn awaits(&self, prefix: Option<&str>) -> Awaited {
        match &self.regex {
            None => Awaited::Topic(self.tables.topic.clone()),
            Some(regex) => Awaited::Pattern(regex.clone(), prefix.map(str::to_owned)),
        }
    }

    /// The tables of a topic that matches.
    fn topic(&self, name: &str) -> Option<TopicTables> {
        let Some(regex) = &self.regex else {
            let TopicTables { source, topic, tables, is_matched } = &self.tables;
            let (source, topic, tables) = (source.clone(), topic.clone(), tables.clone());
            return (name == topic).then_some(TopicTables { source, topic, tables, is_matched: *is_matched });
        };
        if name.starts_with("__") || !regex.is_match(name) {
            return None;
        }
        let mut tables = self.tables.tables.clone();
        for table in &mut tables {
            if let Connector::Kafka { topic, .. } = &mut table.connector {
                *topic = name.to_owned();
            }
        }
        Some(TopicTables { source: self.tables.source.clone(), topic: name.to_owned(), tables, is_matched: true })
    }
}

/// A topic that may come, as Debezium's marks name its table: `public.orders`.
enum Awaited {
    Topic(String),
    /// With the prefix of all topics, where it is known.
    Pattern(Regex, Option<String>),
}

impl Awaited {
    fn is_of(&self, table: &str) -> bool {
        match self {
            Awaited::Topic(topic) => {
                topic.strip_suffix(table).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            Awaited::Pattern(regex, Some(prefix)) => regex.is_match(&format!("{prefix}.{table}")),
            Awaited::Pattern(_, None) => false,
        }
    }
}

/// Whether a topic that is not there will be: Debezium makes the topic of a table with its first row, and that of transactions with
/// the first transaction. Topics of the same prefix show that it is at work; a name without them is a mistake.
fn may_come(topic: &str, there: &[String], tables: &[TableSource]) -> bool {
    let is_debezium = !tables.is_empty() && tables.iter().all(|table| table.spec.envelope == Envelope::Debezium);
    let Some((prefix, _)) = topic.split_once('.').filter(|_| is_debezium) else { return false };
    let is_related = |name: &String| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
    !there.iter().any(|name| name == topic) && there.iter().any(is_related)
}

impl Topic {
    fn of_tables(of: TopicTables) -> Result<Topic, SourceError> {
        let decoder = Decoder::new(&of.tables)?;
        decoder.check_registry()?;
        let tables = of.tables.iter().map(|table| (table.table, table.identifier.clone())).collect();
        Ok(Topic {
            name: of.topic,
            source: of.source.as_str().into(),
            decoder,
            tables,
            is_matched: of.is_matched,
            is_marks: false,
        })
    }

    /// The topic of transactions; its messages are written as those of the tables are.
    fn of_marks(of: TopicTables) -> Result<Topic, SourceError> {
        let first: Option<&TableSource> = of.tables.first();
        Ok(Topic {
            name: of.topic,
            source: of.source.as_str().into(),
            decoder: Decoder::of_marks(first)?,
            tables: Vec::new(),
            is_matched: false,
            is_marks: true,
        })
    }

    /// What it and its tables are called.
    fn called(&self) -> (String, Vec<String>) {
        (self.name.clone(), self.tables.iter().map(|(_, identifier)| identifier.clone()).collect())
    }

    /// What `progress` calls a partition.
    fn partition_name(&self, number: i32) -> String {
        if self.is_matched { format!("{}:{number}", self.name) } else { number.to_string() }
    }
}

fn find(
    client: &Client,
    brokers: &str,
    topic: usize,
    of: &Topic,
    number: i32,
    from: &Positions,
    deadline: Instant,
) -> Result<Found, SourceError> {
    let id = topic_id::topic_id(client, &of.name, OPEN_TIMEOUT).unwrap_or_else(|reason| {
        tracing::debug!(topic = of.name, reason, "the broker tells no topic id");
        of.name.clone()
    });
    let (low, high) = client::watermarks(client, brokers, &of.name, number, deadline)?;
    let at = from.get(&(of.source.to_string(), of.partition_name(number)));
    let (position, mark) = start(brokers, &of.name, number, (low, high), at, &id)?;
    Ok(Found { topic, number, position, end: high, mark })
}

fn list<'t>(partitions: impl Iterator<Item = (&'t str, i32, u64)>) -> Result<TopicPartitionList, SourceError> {
    let mut list = TopicPartitionList::new();
    for (topic, number, position) in partitions {
        let added = list.add_partition_offset(topic, number, Offset::Offset(position as i64));
        added
            .map_err(|cause| SourceError::new(format!("could not assign a partition of {topic}")).with_cause(cause))?;
    }
    Ok(list)
}

/// Assigns exactly these partitions; gives a queue for each, in their order.
fn assign(
    client: &Client,
    list: &TopicPartitionList,
    brokers: &str,
    signal: &Arc<Signal>,
) -> Result<Vec<PartitionQueue<Talk>>, SourceError> {
    client
        .assign(list)
        .map_err(|cause| SourceError::new(format!("could not assign the partitions of {brokers}")).with_cause(cause))?;
    let mut queues = Vec::new();
    for element in list.elements() {
        let (name, number) = (element.topic(), element.partition());
        let queue = client.split_partition_queue(name, number);
        let mut queue =
            queue.ok_or_else(|| SourceError::new(format!("could not read partition {number} of {name}")))?;
        let bell = signal.clone();
        queue.set_nonempty_callback(move || bell.ring());
        queues.push(queue);
    }
    Ok(queues)
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

pub(super) fn gone(place: &str) -> SourceError {
    SourceError::new(format!("{place} no longer holds the records from which reading has to go on"))
        .with_hint(GONE_HINT)
}

const GONE_HINT: &str = "raise the topic's retention; take what it still holds for the whole truth with --resnapshot, \
                         best after the producer has sent a new snapshot";
