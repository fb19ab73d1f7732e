//! Kafka's transactions: one producer that is fenced by its successor, and a topic that holds the last shipped cut.
//!
//! ```text
//!   open:   new producer ─ init_transactions (fences, aborts) ─> read_committed look at the end of the position topic
//!   commit: records …, position topic: key instance, value {"seq": 17} ──one transaction──> read-committed consumers
//! ```
//!
//! The position is in a topic, and not an offset of a consumer group: offsets are forgotten after a week without a consumer.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};

use super::config::Envelope;
use super::{Broker, BrokerError, ChangelogConfig, OutboxRecord};

/// The header that says of which cut a record is.
const SEQ_HEADER: &str = "livemart.seq";
/// How long the brokers may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Why a connection failed is told a moment after that it failed.
const REASON_WAIT: Duration = Duration::from_millis(500);
/// How long the rest of a transaction may be on its way.
const COMMIT_MAX: Duration = Duration::from_secs(60);
/// A transaction that stays open for so long is aborted by the broker. The first cut of a large table is one transaction.
const TRANSACTION_MAX_MS: &str = "300000";
const QUEUE_KBYTES_MAX: &str = "65536";
/// Records of the position topic that are looked at first, from its end; then sixteen times as many, and so on.
const LOOK_BACK: i64 = 16;
/// So many records are sent between two looks at what was delivered.
const SENDS_PER_POLL: u32 = 200;
/// What exactly-once rests on, and so is not for `properties`.
const OWN_PROPERTIES: [(&str, &str); 3] =
    [("enable.idempotence", "true"), ("acks", "all"), ("isolation.level", "read_committed")];

pub struct KafkaBroker {
    config: ChangelogConfig,
    instance: String,
    position_topic: String,
    producer: Option<BaseProducer<Talk>>,
    consumer: OnceLock<Arc<BaseConsumer<Talk>>>,
    sent: u32,
}

/// Listens to the client: why a connection or a delivery failed.
#[derive(Default)]
struct Talk(Mutex<Option<String>>);

impl Talk {
    fn last_error(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Talk {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, message);
        if facility == "FAIL" {
            *self.last_error() = Some(message.to_owned());
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
        // That none is left is no reason of its own.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) && !reason.is_empty() {
            self.last_error().get_or_insert_with(|| reason.to_owned());
        }
    }
}

impl ConsumerContext for Talk {}

impl ProducerContext for Talk {
    type DeliveryOpaque = ();

    fn delivery(&self, delivered: &DeliveryResult<'_>, (): ()) {
        if let Err((cause, message)) = delivered {
            let cause = cause.rdkafka_error_code().map_or_else(|| cause.to_string(), |code| code.to_string());
            self.last_error().get_or_insert(format!("the topic {} takes no record: {cause}", message.topic()));
        }
    }
}

impl KafkaBroker {
    /// Nothing is connected yet. Properties that would break the promises are refused.
    pub fn new(config: ChangelogConfig, instance: &str) -> Result<KafkaBroker, BrokerError> {
        for (name, ours) in OWN_PROPERTIES {
            if let Some(value) = config.properties.get(name).filter(|value| *value != ours) {
                return Err(BrokerError::Refused {
                    message: format!("the changelog's Kafka property {name} cannot be set to {value}"),
                    hint: format!("livemart needs {name}={ours}; leave it out"),
                });
            }
        }
        let position_topic = config.position_topic_of(instance);
        Ok(KafkaBroker {
            config,
            instance: instance.to_owned(),
            position_topic,
            producer: None,
            consumer: OnceLock::new(),
            sent: 0,
        })
    }

    /// The last committed cut, without fencing anybody.
    pub fn position(&mut self) -> Result<Option<u64>, BrokerError> {
        match self.missing(std::slice::from_ref(&self.position_topic))?.is_empty() {
            true => self.read_position(),
            false => Ok(None),
        }
    }

    fn read_position(&self) -> Result<Option<u64>, BrokerError> {
        let consumer = self.consumer()?;
        let deadline = Instant::now() + ANSWER_MAX;
        let (low, high) = self.watermarks(&consumer, &self.position_topic, 0)?;
        let mut look_back = LOOK_BACK;
        loop {
            let from = low.max(high - look_back);
            let found = self.last_position(&consumer, from, high, deadline)?;
            if found.is_some() || from == low {
                return Ok(found);
            }
            look_back *= 16;
        }
    }

    /// Those of the topics that the brokers do not know.
    fn missing(&self, topics: &[String]) -> Result<Vec<String>, BrokerError> {
        let consumer = self.consumer()?;
        let known = consumer.fetch_metadata(None, ANSWER_MAX).map_err(|cause| self.unreachable(&consumer, &cause))?;
        let is_known = |topic: &String| known.topics().iter().any(|known| known.name() == topic.as_str());
        Ok(topics.iter().filter(|topic| !is_known(topic)).cloned().collect())
    }

    fn last_position(
        &self,
        consumer: &BaseConsumer<Talk>,
        from: i64,
        high: i64,
        deadline: Instant,
    ) -> Result<Option<u64>, BrokerError> {
        let failed = |cause: KafkaError| self.unreachable(consumer, &cause);
        let mut at = TopicPartitionList::new();
        at.add_partition_offset(&self.position_topic, 0, Offset::Offset(from)).map_err(failed)?;
        consumer.assign(&at).map_err(failed)?;
        let mut found = None;
        if from >= high {
            return Ok(found);
        }
        loop {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    if message.key() == Some(self.instance.as_bytes()) {
                        found = message.payload().and_then(seq_of).or(found);
                    }
                    if message.offset() + 1 >= high {
                        break;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(cause)) if Instant::now() > deadline => return Err(failed(cause)),
                None if Instant::now() > deadline => {
                    return Err(BrokerError::Unreachable(format!("the topic {} cannot be read", self.position_topic)));
                }
                Some(Err(_)) | None => {}
            }
        }
        Ok(found)
    }

    /// Connected once; a broken connection is made again by the client itself.
    fn consumer(&self) -> Result<Arc<BaseConsumer<Talk>>, BrokerError> {
        if let Some(consumer) = self.consumer.get() {
            return Ok(consumer.clone());
        }
        let mut config = self.client();
        config
            .set("group.id", "livemart")
            .set("allow.auto.create.topics", "false")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed");
        let made = config.create_with_context(Talk::default()).map_err(|cause| self.refused_config(&cause))?;
        Ok(self.consumer.get_or_init(|| Arc::new(made)).clone())
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.config.brokers)
            .set("client.id", "livemart changelog")
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "2000");
        for (name, value) in &self.config.properties {
            config.set(name, value);
        }
        config
    }

    fn refused_config(&self, cause: &KafkaError) -> BrokerError {
        BrokerError::Refused {
            message: format!(
                "the Kafka client for the changelog at {} could not be made: {cause}",
                self.config.brokers
            ),
            hint: "check `properties` of the changelog: they go to librdkafka as they are".to_owned(),
        }
    }

    fn unreachable(&self, consumer: &BaseConsumer<Talk>, cause: &KafkaError) -> BrokerError {
        let deadline = Instant::now() + REASON_WAIT;
        while consumer.context().last_error().is_none() && Instant::now() < deadline {
            if let Some(Err(error)) = consumer.poll(Duration::from_millis(50)) {
                consumer.context().error(error, "");
            }
        }
        self.away(consumer.context(), cause)
    }

    fn away(&self, talk: &Talk, cause: &KafkaError) -> BrokerError {
        let said = talk.last_error().take().unwrap_or_else(|| cause.to_string());
        BrokerError::Unreachable(format!("the changelog's brokers {}: {said}", self.config.brokers))
    }

    fn watermarks(
        &self,
        consumer: &BaseConsumer<Talk>,
        topic: &str,
        partition: i32,
    ) -> Result<(i64, i64), BrokerError> {
        consumer.fetch_watermarks(topic, partition, ANSWER_MAX).map_err(|cause| self.unreachable(consumer, &cause))
    }

    /// Sorts what a call of the open producer gave.
    fn failed(&self, cause: &KafkaError) -> BrokerError {
        let Some(producer) = &self.producer else { return BrokerError::Unreachable(cause.to_string()) };
        let talk = producer.client().context();
        match cause.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch,
            ) => BrokerError::Fenced(format!("another process ships the changelog of {}", self.instance)),
            Some(
                RDKafkaErrorCode::TransactionalIdAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed,
            ) => BrokerError::Refused {
                message: format!("the brokers {} do not let us write the changelog: {cause}", self.config.brokers),
                hint: format!("allow WRITE and DESCRIBE on the transactional id {}", self.transactional_id()),
            },
            _ => {
                let deadline = Instant::now() + REASON_WAIT;
                while talk.last_error().is_none() && Instant::now() < deadline {
                    producer.poll(Duration::from_millis(50));
                }
                self.away(talk, cause)
            }
        }
    }

    fn transactional_id(&self) -> String {
        let own = self.config.properties.get("transactional.id").cloned();
        own.unwrap_or_else(|| self.position_topic.clone())
    }

    fn producer(&self) -> Result<&BaseProducer<Talk>, BrokerError> {
        self.producer.as_ref().ok_or_else(|| BrokerError::Unreachable("the broker is not open".to_owned()))
    }

    /// Makes topics; one that exists already, or is made at the same time by somebody else, is none of those given back.
    fn create(&self, topics: &[String], is_compacted: bool, partitions: i32) -> Result<Vec<String>, BrokerError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| BrokerError::Unreachable(cause.to_string()))?;
        let admin: AdminClient<Talk> =
            self.client().create_with_context(Talk::default()).map_err(|cause| self.refused_config(&cause))?;
        let options = AdminOptions::new().request_timeout(Some(ANSWER_MAX)).operation_timeout(Some(ANSWER_MAX));
        let new = topics.iter().map(|topic| {
            let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(self.config.replication));
            // A reader of the whole topic must find the whole table.
            if is_compacted { new.set("cleanup.policy", "compact") } else { new.set("retention.ms", "-1") }
        });
        let new: Vec<NewTopic<'_>> = new.collect();
        let made = runtime.block_on(admin.create_topics(&new, &options));
        let mut names = Vec::new();
        for made in made.map_err(|cause| self.away(admin.inner().context(), &cause))? {
            match made {
                Ok(name) => names.push(name),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    return Err(BrokerError::Refused {
                        message: format!("the topic {name} could not be made: {code}"),
                        hint: "make it yourself, or allow CREATE on it; `partitions` and `replication` of the changelog say how"
                            .to_owned(),
                    });
                }
            }
        }
        Ok(names)
    }

    /// Waits while the queue is full, as long as records leave it.
    fn queue(&mut self, topic: &str, key: &str, value: Option<&str>, seq: u64) -> Result<(), BrokerError> {
        let producer = self.producer()?;
        let seq = seq.to_string();
        let (deadline, mut waiting) = (Instant::now() + COMMIT_MAX, producer.in_flight_count());
        let mut deadline = deadline;
        loop {
            let headers = OwnedHeaders::new().insert(Header { key: SEQ_HEADER, value: Some(&seq) });
            let mut record = BaseRecord::<str, str>::to(topic).key(key).headers(headers);
            if let Some(value) = value {
                record = record.payload(value);
            }
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    producer.poll(Duration::from_millis(100));
                    let now = producer.in_flight_count();
                    if now < waiting {
                        deadline = Instant::now() + COMMIT_MAX;
                    }
                    waiting = now;
                    if Instant::now() > deadline {
                        return Err(self.failed(&KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)));
                    }
                }
                Err((cause, _)) => return Err(self.failed(&cause)),
            }
        }
        self.sent = self.sent.wrapping_add(1);
        if self.sent.is_multiple_of(SENDS_PER_POLL) {
            self.producer()?.poll(Duration::ZERO);
        }
        Ok(())
    }
}

impl Broker for KafkaBroker {
    fn open(&mut self) -> Result<Option<u64>, BrokerError> {
        // What the one before had queued goes with it.
        self.producer = None;
        let mut config = self.client();
        config
            .set("transactional.id", self.transactional_id())
            .set("queue.buffering.max.kbytes", QUEUE_KBYTES_MAX)
            .set("partitioner", "murmur2_random");
        if !self.config.properties.contains_key("transaction.timeout.ms") {
            config.set("transaction.timeout.ms", TRANSACTION_MAX_MS);
        }
        if !self.config.properties.contains_key("linger.ms") {
            config.set("linger.ms", "2");
        }
        let producer: BaseProducer<Talk> =
            config.create_with_context(Talk::default()).map_err(|cause| self.refused_config(&cause))?;
        self.producer = Some(producer);
        self.producer()?.init_transactions(ANSWER_MAX).map_err(|cause| self.failed(&cause))?;
        let missing = self.missing(std::slice::from_ref(&self.position_topic))?;
        if !missing.is_empty() {
            self.create(&missing, true, 1)?;
            // Somebody else may have made it meanwhile, but nobody who could have shipped since we opened.
            return Ok(None);
        }
        self.read_position()
    }

    fn make_topics(&mut self, topics: &[String]) -> Result<Vec<String>, BrokerError> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let missing = self.missing(topics)?;
        if missing.is_empty() {
            return Ok(missing);
        }
        self.create(&missing, self.config.envelope == Envelope::Upsert, self.config.partitions)
    }

    fn is_empty(&mut self, topic: &str) -> Result<bool, BrokerError> {
        let consumer = self.consumer()?;
        let known =
            consumer.fetch_metadata(Some(topic), ANSWER_MAX).map_err(|cause| self.unreachable(&consumer, &cause))?;
        let partitions = known.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id());
        for partition in partitions {
            let (low, high) = self.watermarks(&consumer, topic, partition)?;
            if low != high {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn begin(&mut self) -> Result<(), BrokerError> {
        self.producer()?.begin_transaction().map_err(|cause| self.failed(&cause))
    }

    fn send(&mut self, seq: u64, record: &OutboxRecord) -> Result<(), BrokerError> {
        self.queue(&record.topic, &record.key, record.value.as_deref(), seq)
    }

    fn commit(&mut self, through: u64) -> Result<(), BrokerError> {
        let (topic, instance) = (self.position_topic.clone(), self.instance.clone());
        self.queue(&topic, &instance, Some(&format!("{{\"seq\":{through}}}")), through)?;
        self.producer()?.commit_transaction(COMMIT_MAX).map_err(|cause| self.failed(&cause))
    }
}

fn seq_of(value: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(value).ok()?.get("seq")?.as_u64()
}
