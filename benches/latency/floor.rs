//! The least that a pipeline from Kafka to PostgreSQL does: poll, keep the newest value per key, upsert, commit. No engine.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio_postgres::{Client, Error, Statement};

use super::super::measure::{Samples, thread_cpu};
use super::{LatencyError, Settings, WARM_UP, consumer, ends, runtime, wall_ms};

pub struct Floor {
    pub latency_ms: Samples,
    pub commit_ms: Samples,
    pub cpu: Duration,
    pub tables: usize,
}

/// What an interval brought: values by key, by topic, and the position of each partition.
#[derive(Default)]
struct Batch {
    rows: BTreeMap<String, BTreeMap<String, String>>,
    positions: BTreeMap<String, i64>,
    appended_ms: Vec<i64>,
}

/// Produces and measures for the same time as the engine was.
pub fn run(
    settings: &Settings,
    produce: impl FnOnce() -> Result<Child, LatencyError>,
    end: impl FnOnce(&mut Child),
) -> Result<Floor, LatencyError> {
    let consumer = consumer(&settings.brokers)?;
    let mut assignment = TopicPartitionList::new();
    let ends = ends(&consumer)?;
    for ((topic, partition), end) in &ends {
        assignment.add_partition_offset(topic, *partition, Offset::Offset(*end))?;
    }
    consumer.assign(&assignment)?;
    let topics: BTreeSet<&str> = ends.keys().map(|(topic, _)| topic.as_str()).collect();
    let runtime = runtime();
    let mut writer = runtime.block_on(Writer::connect(&settings.postgres, &topics))?;
    let mut producer = produce()?;
    let (mut latency_ms, mut commit_ms) = (Vec::new(), Vec::new());
    let (started, cpu) = (Instant::now(), thread_cpu());
    let interval = Duration::from_millis(settings.interval_ms);
    while started.elapsed() < Duration::from_secs(settings.seconds) + WARM_UP {
        let (due, mut batch) = (Instant::now() + interval, Batch::default());
        while let Some(rest) = due.checked_duration_since(Instant::now()) {
            let Some(record) = consumer.poll(rest) else { continue };
            let record = record?;
            let key = record.key().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            let value = record.payload().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            batch.rows.entry(record.topic().to_owned()).or_default().insert(key, value);
            batch.positions.insert(format!("{} {}", record.topic(), record.partition()), record.offset() + 1);
            batch.appended_ms.push(record.timestamp().to_millis().unwrap_or(0));
        }
        if batch.appended_ms.is_empty() {
            continue;
        }
        let begun = Instant::now();
        runtime.block_on(writer.write(&batch))?;
        if started.elapsed() > WARM_UP {
            commit_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            let now = wall_ms();
            latency_ms.extend(batch.appended_ms.iter().map(|appended| (now - appended) as f64));
        }
    }
    end(&mut producer);
    Ok(Floor {
        latency_ms: latency_ms.into_iter().collect(),
        commit_ms: commit_ms.into_iter().collect(),
        cpu: thread_cpu() - cpu,
        tables: topics.len(),
    })
}

struct Writer {
    client: Client,
    upserts: BTreeMap<String, Statement>,
    progress: Statement,
}

impl Writer {
    async fn connect(url: &str, topics: &BTreeSet<&str>) -> Result<Writer, Error> {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        client
            .batch_execute("create schema floor; create table floor.progress (place text primary key, position bigint)")
            .await?;
        let mut upserts = BTreeMap::new();
        for topic in topics {
            let table = format!("floor.\"{topic}\"");
            client.batch_execute(&format!("create table {table} (k text primary key, v text)")).await?;
            let upsert = format!(
                "insert into {table} select * from unnest($1::text[], $2::text[]) on conflict (k) do update set v = excluded.v"
            );
            upserts.insert((*topic).to_owned(), client.prepare(&upsert).await?);
        }
        let progress = "insert into floor.progress select * from unnest($1::text[], $2::bigint[])
            on conflict (place) do update set position = excluded.position";
        let progress = client.prepare(progress).await?;
        Ok(Writer { client, upserts, progress })
    }

    /// One transaction; its statements are sent without waiting for each other.
    async fn write(&mut self, batch: &Batch) -> Result<(), Error> {
        let transaction = self.client.transaction().await?;
        let writes = batch.rows.iter().map(|(topic, rows)| {
            let keys: Vec<&str> = rows.keys().map(String::as_str).collect();
            let values: Vec<&str> = rows.values().map(String::as_str).collect();
            let (transaction, upsert) = (&transaction, &self.upserts[topic]);
            async move { transaction.execute(upsert, &[&keys, &values]).await }
        });
        futures_util::future::try_join_all(writes).await?;
        let places: Vec<&str> = batch.positions.keys().map(String::as_str).collect();
        let positions: Vec<i64> = batch.positions.values().copied().collect();
        transaction.execute(&self.progress, &[&places, &positions]).await?;
        transaction.commit().await
    }
}
