//! Changes into Kafka: one topic per table that comes as a log, keyed as a connector would key it.
//!
//! What the shop's systems drop as files goes to a folder beside it. Topics that the broker has not are created before the first record.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::tables::{ALL, Change, Medium, Table};
use super::wire::{Record, Wire, WireEnvelope, WireFormat};
use super::{Deliver, Files, Unreadable};

/// How long the broker has to take what was sent.
const FLUSH_MAX: Duration = Duration::from_secs(60);
/// How long the broker has to create topics.
const CREATE_MAX: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct ProduceOptions {
    /// Bootstrap servers: `host:port,host:port`.
    pub brokers: String,
    /// Records per second; as fast as the broker takes them without it.
    pub rate: Option<u64>,
    pub format: WireFormat,
    pub envelope: WireEnvelope,
    /// Stands before the name of every topic.
    pub topic_prefix: String,
    /// Partitions of a topic that is created.
    pub partitions: i32,
}

pub struct Producer {
    producer: BaseProducer,
    wire: Wire,
    drops: Files,
    topic_prefix: String,
    rate: Option<u64>,
    started_at: Instant,
    sent: u64,
}

/// The topic of a table: `shop.public.orders`, `cards.public.transactions`.
pub fn topic(table: &Table) -> String {
    let server = if table.source == "raw_data" { "shop" } else { table.source };
    format!("{server}.public.{}", table.name)
}

impl Producer {
    /// `drops` takes what arrives as files.
    pub fn connect(options: &ProduceOptions, drops: Files, now: Instant) -> io::Result<Producer> {
        let ProduceOptions { brokers, rate, format, envelope, topic_prefix, partitions } = options;
        let named = |table: &Table| format!("{topic_prefix}{}", topic(table));
        create_topics(
            brokers,
            &ALL.iter().filter(|table| table.medium == Medium::Log).map(|table| named(table)).collect::<Vec<_>>(),
            *partitions,
        )?;
        let wire = Wire::open(format, *envelope, named)?;
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            .set("compression.type", "zstd")
            .create()
            .map_err(io::Error::other)?;
        Ok(Producer {
            producer,
            wire,
            drops,
            topic_prefix: topic_prefix.clone(),
            rate: *rate,
            started_at: now,
            sent: 0,
        })
    }

    /// Waits until the broker has everything.
    pub fn finish(self) -> io::Result<()> {
        self.producer.flush(FLUSH_MAX).map_err(io::Error::other)?;
        self.drops.finish()
    }

    fn send(&mut self, table: &Table, at_ms: i64, record: &Record) -> io::Result<()> {
        self.wait_for_turn();
        let topic = format!("{}{}", self.topic_prefix, topic(table));
        loop {
            let mut message = BaseRecord::<[u8], [u8]>::to(&topic).timestamp(at_ms);
            message = record.key.iter().fold(message, |message, key| message.key(key));
            message = record.value.iter().fold(message, |message, value| message.payload(value));
            let sent = self.producer.send(message);
            self.producer.poll(Duration::ZERO);
            match sent {
                Ok(()) => break,
                // The broker is slower than we are: its queue is the bound.
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.producer.poll(Duration::from_millis(50));
                }
                Err((error, _)) => return Err(io::Error::other(format!("could not send to topic {topic}: {error}"))),
            }
        }
        self.sent += 1;
        Ok(())
    }

    /// Keeps to the rate, on the average since the start.
    fn wait_for_turn(&mut self) {
        let Some(rate) = self.rate.filter(|rate| *rate > 0) else { return };
        let due = Duration::from_secs_f64(self.sent as f64 / rate as f64);
        let elapsed = self.started_at.elapsed();
        if elapsed < due {
            thread::sleep(due - elapsed);
        }
    }
}

impl Deliver for Producer {
    fn change(&mut self, change: &Change) -> io::Result<()> {
        match change.table.medium {
            Medium::Log => self.send(change.table, change.at_ms, &self.wire.record(change)?),
            Medium::Drop => self.drops.change(change),
        }
    }

    fn unreadable(&mut self, table: &'static Table, at_ms: i64, unreadable: &Unreadable<'_>) -> io::Result<()> {
        self.send(table, at_ms, &self.wire.unreadable(unreadable))
    }
}

/// Creates the topics that are not there.
fn create_topics(brokers: &str, topics: &[String], partitions: i32) -> io::Result<()> {
    let client: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().map_err(io::Error::other)?;
    let wanted: Vec<NewTopic<'_>> =
        topics.iter().map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(-1))).collect();
    let options = AdminOptions::new().operation_timeout(Some(CREATE_MAX)).request_timeout(Some(CREATE_MAX));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for made in runtime.block_on(client.create_topics(&wanted, &options)).map_err(io::Error::other)? {
        match made {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(io::Error::other(format!("topic {topic} cannot be created: {code}"))),
        }
    }
    Ok(())
}
