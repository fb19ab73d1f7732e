//! Changes into Kafka: one topic per table that comes as a log, keyed as a connector would key it.
//!
//! What the shop's systems drop as files goes to a folder beside it.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::tables::{Change, Medium, Table};
use super::{Deliver, Files};

/// How long the broker has to take what was sent.
const FLUSH_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct ProduceOptions {
    /// Bootstrap servers: `host:port,host:port`.
    pub brokers: String,
    /// Records per second; as fast as the broker takes them without it.
    pub rate: Option<u64>,
}

pub struct Producer {
    producer: BaseProducer,
    drops: Files,
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
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &options.brokers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            .set("compression.type", "zstd")
            .create()
            .map_err(io::Error::other)?;
        Ok(Producer { producer, drops, rate: options.rate, started_at: now, sent: 0 })
    }

    /// Waits until the broker has everything.
    pub fn finish(self) -> io::Result<()> {
        self.producer.flush(FLUSH_MAX).map_err(io::Error::other)?;
        self.drops.finish()
    }

    fn send(&mut self, table: &Table, at_ms: i64, key: Option<&str>, value: &str) -> io::Result<()> {
        self.wait_for_turn();
        let topic = topic(table);
        loop {
            let mut record = BaseRecord::to(&topic).payload(value).timestamp(at_ms);
            if let Some(key) = key {
                record = record.key(key);
            }
            let sent = self.producer.send::<str, str>(record);
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
            Medium::Log => self.send(change.table, change.at_ms, change.key_json().as_deref(), &change.value_json()),
            Medium::Drop => self.drops.change(change),
        }
    }

    fn malformed(&mut self, table: &'static Table, at_ms: i64, key: Option<String>, value: String) -> io::Result<()> {
        self.send(table, at_ms, key.as_deref(), &value)
    }
}
