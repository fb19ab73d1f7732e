//! From the broker to a committed row, at a steady rate, beside the least that any pipeline needs.
//!
//! ```text
//!   demo produce ──2,000/s──> topics (stamped by the broker) ─┬─ livemart serve: the shop's project ─> PostgreSQL <── observer
//!                                                             └─ floor: poll, upsert, commit ────────> PostgreSQL
//! ```
//!
//! 1. An event's time is the broker's (`LogAppendTime`), and its end is when another connection has seen a cut whose positions
//!    lie beyond it. So the observer's pause is part of every sample, and the producer's waiting is part of none.
//! 2. The floor runs in the same process run, after the engine, over the same events, with the same interval: one table per
//!    topic, the newest value per key, one transaction.
//! 3. What came before the engine had caught up is no sample.

mod floor;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tokio::runtime::Runtime;

use super::measure::{Cost, Failure, Samples, run_child, stop_child};

/// How often the observer looks; each sample may be so much too long.
const LOOK_PAUSE: Duration = Duration::from_millis(3);
/// What is produced before that is not measured.
const WARM_UP: Duration = Duration::from_secs(10);
const CATCH_UP_MAX: Duration = Duration::from_secs(120);
const PARTITIONS: i32 = 4;

#[derive(Clone, Debug)]
pub struct Settings {
    pub binary: PathBuf,
    pub project: PathBuf,
    pub folder: PathBuf,
    pub brokers: String,
    pub postgres: String,
    pub rate: u64,
    pub seconds: u64,
    pub interval_ms: u64,
}

#[derive(Debug)]
pub struct Outcome {
    pub engine_ms: Samples,
    pub floor_ms: Samples,
    pub floor_commit_ms: Samples,
    pub engine: Cost,
    pub floor_cpu: Duration,
    pub cuts: usize,
    pub tables: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum LatencyError {
    #[error("could not prepare {}", path.display())]
    Prepare {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the broker does not answer")]
    Broker(#[from] KafkaError),
    #[error("PostgreSQL does not answer")]
    Postgres(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Child(#[from] Failure),
    #[error("livemart has ended; it said ({})", log.display())]
    Gone { log: PathBuf },
    #[error("livemart did not catch up in {seconds} s; it said ({})", log.display())]
    TooLate { seconds: u64, log: PathBuf },
}

/// (topic, partition) to what is measured of it.
pub type Places<T> = BTreeMap<(String, i32), T>;

/// A cut as the observer saw it first.
struct Look {
    seen_ms: i64,
    positions: Places<i64>,
}

pub fn run(settings: &Settings) -> Result<Outcome, LatencyError> {
    create_topics(settings)?;
    let project = copy_project(settings)?;
    drop_files(settings)?;
    let producing = Instant::now();
    let mut producer = produce(settings, "engine")?;
    let log = settings.folder.join("serve.log");
    let mut server = serve(settings, &project, &log)?;
    let is_over = AtomicBool::new(false);
    let begun_ms = wall_ms() + WARM_UP.as_millis() as i64;
    let (looks, cost, ended_ms) = std::thread::scope(|scope| {
        let observing = scope.spawn(|| observe(&settings.postgres, &is_over));
        let has_ended = |server: &mut Child| matches!(server.try_wait(), Ok(Some(_)));
        while producing.elapsed() < Duration::from_secs(settings.seconds) + WARM_UP && !has_ended(&mut server) {
            sleep(Duration::from_millis(100));
        }
        let ended_ms = wall_ms();
        end(&mut producer);
        let caught_up = if has_ended(&mut server) {
            Err(LatencyError::Gone { log: log.clone() })
        } else {
            await_caught_up(settings, &log)
        };
        is_over.store(true, Ordering::SeqCst);
        let looks = observing.join().expect("the observer does not panic");
        caught_up?;
        let cost = stop_child(server, &log);
        Ok::<_, LatencyError>((looks?, cost?, ended_ms))
    })?;
    let mut engine_ms = Vec::new();
    each_record(settings, |place, offset, appended_ms| {
        if (begun_ms..ended_ms).contains(&appended_ms) {
            let at = looks.partition_point(|look| look.positions.get(place).is_none_or(|position| *position <= offset));
            // A record of a topic that no model reads has no end.
            engine_ms.extend(looks.get(at).map(|look| (look.seen_ms - appended_ms) as f64));
        }
    })?;
    let floor = floor::run(settings, || produce(settings, "floor"), end)?;
    Ok(Outcome {
        engine_ms: engine_ms.into_iter().collect(),
        floor_ms: floor.latency_ms,
        floor_commit_ms: floor.commit_ms,
        engine: cost,
        floor_cpu: floor.cpu,
        cuts: looks.len(),
        tables: floor.tables,
    })
}

pub fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the system gives a runtime")
}

/// A consumer that asks for what is there at once.
pub fn consumer(brokers: &str) -> Result<BaseConsumer, KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "latency")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "5")
        .create()
}

/// Next offset of every partition.
pub fn ends(consumer: &BaseConsumer) -> Result<Places<i64>, KafkaError> {
    let mut ends = Places::new();
    for topic in livemart::shop::topics() {
        for partition in 0..PARTITIONS {
            let (_, high) = consumer.fetch_watermarks(&topic, partition, Duration::from_secs(10))?;
            ends.insert((topic.clone(), partition), high);
        }
    }
    Ok(ends)
}

fn create_topics(settings: &Settings) -> Result<(), LatencyError> {
    let client: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &settings.brokers).create()?;
    let names = livemart::shop::topics();
    let topics = names.iter().map(|name| {
        NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1)).set("message.timestamp.type", "LogAppendTime")
    });
    let topics: Vec<NewTopic<'_>> = topics.collect();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    let made = runtime().block_on(client.create_topics(&topics, &options))?;
    match made.into_iter().find_map(Result::err) {
        Some((_, code)) => Err(LatencyError::Broker(KafkaError::AdminOp(code))),
        None => Ok(()),
    }
}

/// The shop's project in a folder of its own, with the interval that is measured.
fn copy_project(settings: &Settings) -> Result<PathBuf, LatencyError> {
    let target = settings.folder.join("project");
    let failed = |cause| LatencyError::Prepare { path: target.clone(), cause };
    copy_folder(&settings.project, &target).map_err(failed)?;
    let file = target.join("livemart.yml");
    let text = fs::read_to_string(&file).map_err(failed)?;
    let interval = format!("commit_interval: {}ms", settings.interval_ms);
    fs::write(&file, text.replace("commit_interval: 200ms", &interval)).map_err(failed)?;
    Ok(target)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if [".livemart", "target", "data", "logs"].iter().any(|made| name == *made) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(name))?;
        } else {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

fn produce(settings: &Settings, run: &str) -> Result<Child, LatencyError> {
    let failed = |cause| LatencyError::Prepare { path: settings.binary.clone(), cause };
    let log = File::create(settings.folder.join(format!("produce-{run}.log"))).map_err(failed)?;
    Command::new(&settings.binary)
        .args(["demo", "produce", "--customers", "5000", "--days", "540", "--brokers", &settings.brokers, "--rate"])
        .arg(settings.rate.to_string())
        .arg("--out")
        .arg(settings.folder.join("told"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(failed)
}

/// What the shop's systems drop as files: a small history, which does not change while latency is measured.
fn drop_files(settings: &Settings) -> Result<(), LatencyError> {
    let mut command = Command::new(&settings.binary);
    command.args(["demo", "generate", "--customers", "50", "--days", "90", "--out"]).arg(settings.folder.join("drops"));
    Ok(run_child(&mut command, &settings.folder.join("generate.log")).map(drop)?)
}

/// The generator has far more to tell; what it has told is enough.
fn end(producer: &mut Child) {
    let _ = producer.kill();
    let _ = producer.wait();
}

fn serve(settings: &Settings, project: &Path, log: &Path) -> Result<Child, LatencyError> {
    let failed = |cause| LatencyError::Prepare { path: settings.binary.clone(), cause };
    Command::new(&settings.binary)
        .args(["serve", "--target", "prod", "--listen", "127.0.0.1:0"])
        .current_dir(project)
        .env("KAFKA_BROKERS", &settings.brokers)
        .env("MARTS_URL", &settings.postgres)
        .env("SHOP_DROPS", settings.folder.join("drops"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(log).map_err(failed)?)
        .spawn()
        .map_err(failed)
}

/// Sees every cut soon after it is there, with its positions.
fn observe(url: &str, is_over: &AtomicBool) -> Result<Vec<Look>, LatencyError> {
    let runtime = runtime();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        let mut looks: Vec<Look> = Vec::new();
        let mut seq: i64 = 0;
        while !is_over.load(Ordering::SeqCst) {
            tokio::time::sleep(LOOK_PAUSE).await;
            // Until the first cut the tables are not there.
            let Ok(Some(row)) = client.query_opt("select seq from livemart.cut", &[]).await else { continue };
            if row.get::<_, i64>(0) == seq {
                continue;
            }
            let seen_ms = wall_ms();
            let rows = client
                .query(
                    "select c.seq, p.source, p.\"partition\", p.position from livemart.cut c, livemart.progress p",
                    &[],
                )
                .await?;
            let mut positions = Places::new();
            for row in &rows {
                seq = row.get(0);
                let (source, partition): (String, String) = (row.get(1), row.get(2));
                if let (Some(topic), Ok(partition)) = (topic_of(&source), partition.parse()) {
                    positions.insert((topic, partition), row.get(3));
                }
            }
            looks.push(Look { seen_ms, positions });
        }
        Ok(looks)
    })
}

/// The topic of a source as `progress` names it.
fn topic_of(source: &str) -> Option<String> {
    let (source, table) = source.split_once('.')?;
    let server = if source == "raw_data" { "shop" } else { source };
    Some(format!("{server}.public.{table}"))
}

/// Waits until the sink has the last position of every topic that it has a position of.
fn await_caught_up(settings: &Settings, log: &Path) -> Result<(), LatencyError> {
    let ends = ends(&consumer(&settings.brokers)?)?;
    let runtime = runtime();
    let waiting = Instant::now();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&settings.postgres, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        while waiting.elapsed() < CATCH_UP_MAX {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let Ok(rows) = client.query("select source, \"partition\", position from livemart.progress", &[]).await
            else {
                continue;
            };
            let behind = rows.iter().any(|row| {
                let (source, partition, position): (String, String, i64) = (row.get(0), row.get(1), row.get(2));
                let place = topic_of(&source).zip(partition.parse().ok());
                place.and_then(|place| ends.get(&place)).is_some_and(|end| position < *end)
            });
            if !rows.is_empty() && !behind {
                return Ok(());
            }
        }
        Err(LatencyError::TooLate { seconds: CATCH_UP_MAX.as_secs(), log: log.to_path_buf() })
    })
}

/// All records of all topics: place, offset, when the broker took it.
fn each_record(settings: &Settings, mut take: impl FnMut(&(String, i32), i64, i64)) -> Result<(), LatencyError> {
    let consumer = consumer(&settings.brokers)?;
    let mut missing: Places<i64> = ends(&consumer)?.into_iter().filter(|(_, end)| *end > 0).collect();
    let mut assignment = TopicPartitionList::new();
    for (topic, partition) in missing.keys() {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    while !missing.is_empty() {
        let Some(record) = consumer.poll(Duration::from_secs(30)) else {
            return Err(LatencyError::Broker(KafkaError::NoMessageReceived));
        };
        let record = record?;
        let place = (record.topic().to_owned(), record.partition());
        take(&place, record.offset(), record.timestamp().to_millis().unwrap_or(0));
        if missing.get(&place).is_some_and(|end| record.offset() + 1 >= *end) {
            missing.remove(&place);
        }
    }
    Ok(())
}
