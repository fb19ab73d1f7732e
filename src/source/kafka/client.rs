//! The librdkafka client: its settings, what it says, and the questions asked while opening.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use super::FETCH_AHEAD_KBYTES;
use crate::source::SourceError;

pub type Client = Arc<BaseConsumer<Talk>>;

/// What the promises of this module rest on, and so is not for `properties`.
const OWN_PROPERTIES: [(&str, &str); 5] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "true"),
    ("isolation.level", "read_committed"),
    ("auto.offset.reset", "error"),
];

/// The least that a partition may fetch ahead: one answer of a broker.
const FETCH_AHEAD_PARTITION_KBYTES_MIN: usize = 1024;
/// How often the client tells its watermarks.
const STATISTICS_INTERVAL_MS: &str = "1000";
/// Between two tries for a topic that is not there yet.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// Listens to the client: log lines, errors, watermarks.
#[derive(Default)]
pub struct Talk {
    last_error: Mutex<Option<String>>,
    high: Mutex<BTreeMap<String, BTreeMap<i32, u64>>>,
}

impl Talk {
    /// What the client complained about last.
    pub fn last_error(&self) -> Option<String> {
        lock(&self.last_error).clone()
    }

    /// The offset after the last committed record, as the client has seen it lately.
    pub fn high_watermark(&self, topic: &str, partition: i32) -> Option<u64> {
        lock(&self.high).get(topic)?.get(&partition).copied()
    }
}

impl ClientContext for Talk {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::debug!(target: "librdkafka", facility, message, "error");
                // A failed connection: the log says why, the event that follows only that it failed.
                if facility == "FAIL" {
                    *lock(&self.last_error) = Some(message.to_string());
                }
            }
            _ => tracing::debug!(target: "librdkafka", facility, message),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
        // These only repeat what was said better before them.
        let repeats = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::Authentication
                    | RDKafkaErrorCode::SSL
            )
        );
        let mut last = lock(&self.last_error);
        if !repeats || last.is_none() {
            *last = Some(reason.to_string());
        }
    }

    fn stats(&self, statistics: Statistics) {
        let mut high = lock(&self.high);
        for (name, topic) in statistics.topics {
            let partitions = high.entry(name).or_default();
            for (number, partition) in topic.partitions {
                if let Ok(offset) = u64::try_from(partition.ls_offset) {
                    partitions.insert(number, offset);
                }
            }
        }
    }
}

impl ConsumerContext for Talk {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes the reader when some partition's queue gets its first record.
#[derive(Default)]
pub struct Signal {
    is_rung: Mutex<bool>,
    condition: Condvar,
}

impl Signal {
    pub fn ring(&self) {
        *lock(&self.is_rung) = true;
        self.condition.notify_one();
    }

    pub fn clear(&self) {
        *lock(&self.is_rung) = false;
    }

    /// Waits for a ring since the last `clear`; false when the deadline passes without one.
    ///
    /// Wakes up once in a while all the same: the client's own events ring no bell.
    pub fn wait(&self, deadline: Instant) -> bool {
        const EVENTS_INTERVAL: Duration = Duration::from_millis(100);
        let now = Instant::now();
        if now >= deadline {
            return false;
        }
        let patience = EVENTS_INTERVAL.min(deadline - now);
        let guard = lock(&self.is_rung);
        let waited = self.condition.wait_timeout_while(guard, patience, |is_rung| !*is_rung);
        let (is_rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *is_rung || Instant::now() < deadline
    }
}

/// Makes the client. Nothing is connected yet: librdkafka does that on the first question.
pub fn connect(brokers: &str, properties: &BTreeMap<String, String>, partitions: usize) -> Result<Client, SourceError> {
    let mut config = ClientConfig::new();
    let fetch_ahead = (FETCH_AHEAD_KBYTES / partitions.max(1)).max(FETCH_AHEAD_PARTITION_KBYTES_MIN).to_string();
    config
        .set("bootstrap.servers", brokers)
        .set("group.id", "livemart")
        .set("client.id", "livemart")
        .set("allow.auto.create.topics", "false")
        .set("statistics.interval.ms", STATISTICS_INTERVAL_MS)
        .set("queued.max.messages.kbytes", fetch_ahead)
        .set("fetch.queue.backoff.ms", "20")
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "2000")
        .set("topic.metadata.refresh.interval.ms", "60000");
    for (name, value) in properties {
        if let Some((_, ours)) = OWN_PROPERTIES.iter().find(|(own, ours)| own == name && ours != value) {
            return Err(SourceError::new(format!("the Kafka property {name} cannot be set to {value}"))
                .with_hint(format!("livemart needs {name}={ours}; leave it out")));
        }
        config.set(name, value);
    }
    for (name, value) in OWN_PROPERTIES {
        config.set(name, value);
    }
    let client = config.create_with_context(Talk::default()).map_err(|cause| {
        SourceError::new(format!("the Kafka client for {brokers} could not be made: {cause}"))
            .with_hint("check `properties` of the source: they go to librdkafka as they are")
            .with_cause(cause)
    })?;
    Ok(Arc::new(client))
}

/// The partitions of a topic, once the broker knows the topic and a leader for each.
pub fn partitions(client: &Client, brokers: &str, topic: &str, deadline: Instant) -> Result<Vec<i32>, SourceError> {
    loop {
        let metadata = client.fetch_metadata(Some(topic), left(deadline));
        serve(client);
        let metadata = metadata.map_err(|cause| unreachable(client, brokers, cause))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let problem = found.and_then(|found| found.error()).map(RDKafkaErrorCode::from);
        match (found, problem) {
            (Some(found), None) if !found.partitions().is_empty() => {
                let mut numbers: Vec<i32> = found.partitions().iter().map(|partition| partition.id()).collect();
                numbers.sort_unstable();
                return Ok(numbers);
            }
            (_, Some(RDKafkaErrorCode::TopicAuthorizationFailed)) => {
                return Err(SourceError::new(format!("the brokers {brokers} do not let us read the topic {topic}"))
                    .with_hint("allow READ and DESCRIBE on the topic for the user of sasl.username"));
            }
            (_, Some(RDKafkaErrorCode::InvalidTopic)) => {
                return Err(SourceError::new(format!("{topic} is no name of a Kafka topic"))
                    .with_hint("check `topic` of the source"));
            }
            // A topic that was created a moment ago is not known everywhere yet; give it a few tries.
            (_, _) if Instant::now() + RETRY_INTERVAL < deadline - OPEN_TOPIC_GRACE_END => {
                std::thread::sleep(RETRY_INTERVAL);
            }
            (_, Some(RDKafkaErrorCode::LeaderNotAvailable)) => {
                return Err(SourceError::new(format!("the topic {topic} has no leader at {brokers}"))
                    .with_hint("wait until the brokers that hold it are up"));
            }
            _ => {
                return Err(SourceError::new(format!("the topic {topic} does not exist at {brokers}"))
                    .with_hint("create the topic, or check `topic` and `brokers` of the source"));
            }
        }
    }
}

/// The names of all topics.
pub fn topics(client: &Client, brokers: &str, deadline: Instant) -> Result<Vec<String>, SourceError> {
    let metadata = client.fetch_metadata(None, left(deadline)).map_err(|cause| unreachable(client, brokers, cause))?;
    Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
}

/// Whether the brokers, if they answer, say that the topic does not exist.
pub fn is_missing(client: &Client, topic: &str) -> bool {
    const ANSWER_MAX: Duration = Duration::from_secs(5);
    let Ok(metadata) = client.fetch_metadata(Some(topic), ANSWER_MAX) else { return false };
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let problem = found.and_then(|found| found.error()).map(RDKafkaErrorCode::from);
    matches!(problem, Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic))
}

/// A missing topic is not waited for to the very end of the time for opening.
const OPEN_TOPIC_GRACE_END: Duration = Duration::from_secs(8);

/// The offsets that a partition holds: from the first to the one after the last committed record.
pub fn watermarks(
    client: &Client,
    brokers: &str,
    topic: &str,
    partition: i32,
    deadline: Instant,
) -> Result<(u64, u64), SourceError> {
    let found = client.fetch_watermarks(topic, partition, left(deadline));
    serve(client);
    let (low, high) = found.map_err(|cause| unreachable(client, brokers, cause))?;
    Ok((u64::try_from(low).unwrap_or(0), u64::try_from(high).unwrap_or(0)))
}

/// Lets the client tell its errors while no partition is assigned yet.
fn serve(client: &Client) {
    while let Some(polled) = client.poll(Duration::ZERO) {
        note(client, polled.err());
    }
}

fn note(client: &Client, error: Option<KafkaError>) {
    if let Some(error) = error {
        let reason = error.to_string();
        client.context().error(error, &reason);
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(500))
}

fn unreachable(client: &Client, brokers: &str, cause: KafkaError) -> SourceError {
    // Why a connection failed is told a moment after that it failed.
    const REASON_WAIT: Duration = Duration::from_millis(500);
    let deadline = Instant::now() + REASON_WAIT;
    serve(client);
    while client.context().last_error().is_none() && Instant::now() < deadline {
        note(client, client.poll(Duration::from_millis(50)).and_then(Result::err));
    }
    let said = client.context().last_error().unwrap_or_else(|| cause.to_string());
    let hint = if said.contains("SSL") || said.contains("certificate") {
        "check security.protocol and ssl.ca.location in `properties` of the source"
    } else if said.contains("SASL") || said.contains("uthentication") {
        "check sasl.mechanisms, sasl.username and sasl.password in `properties` of the source"
    } else {
        "is the broker up, and `brokers` right as seen from here? with TLS or SASL, set security.protocol in `properties`"
    };
    SourceError::new(format!("could not reach the Kafka brokers {brokers}: {said}")).with_hint(hint).with_cause(cause)
}
