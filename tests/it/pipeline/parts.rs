//! The real broker and the real PostgreSQL, whose addresses are in LIVEMART_TEST_KAFKA and LIVEMART_TEST_POSTGRES.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::BaseProducer;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio_postgres::SimpleQueryMessage;

const ANSWER_MAX: Duration = Duration::from_secs(30);

pub fn brokers() -> String {
    std::env::var("LIVEMART_TEST_KAFKA")
        .expect("LIVEMART_TEST_KAFKA must hold the address of a Kafka broker, such as 127.0.0.1:9092")
}

pub fn postgres_url() -> String {
    std::env::var("LIVEMART_TEST_POSTGRES")
        .expect("LIVEMART_TEST_POSTGRES must hold the URL of a PostgreSQL server, such as postgres://postgres@127.0.0.1:5432/postgres")
}

/// A name that no other test and no earlier run has, good for topics and schemas.
pub fn fresh(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_millis();
    format!("{name}_{}_{now}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Does something that only an administrator does.
fn administer<T>(work: impl AsyncFnOnce(&AdminClient<DefaultClientContext>, &AdminOptions) -> T) -> T {
    let client = ClientConfig::new().set("bootstrap.servers", brokers()).create().expect("an admin client");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = AdminOptions::new().operation_timeout(Some(ANSWER_MAX)).request_timeout(Some(ANSWER_MAX));
    runtime.block_on(work(&client, &options))
}

/// An error is the broker's: a deleted topic of that name may not be gone yet.
pub fn try_create_topics(topics: &[(String, i32)]) -> Result<(), RDKafkaErrorCode> {
    administer(async |client, options| {
        let topics: Vec<NewTopic<'_>> = topics
            .iter()
            .map(|(name, partitions)| NewTopic::new(name, *partitions, TopicReplication::Fixed(1)))
            .collect();
        let made = client.create_topics(&topics, options).await.expect("the test broker answers");
        made.into_iter().try_for_each(|made| made.map(drop).map_err(|(_, code)| code))
    })
}

pub fn delete_topic(topic: &str) {
    administer(async |client, options| {
        let deleted = client.delete_topics(&[topic], options).await.expect("the test broker answers");
        deleted.into_iter().for_each(|deleted| drop(deleted.expect("deleted")));
    });
}

pub fn delete_records(topic: &str, partition: i32, below: i64) {
    administer(async |client, options| {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(below)).expect("an offset");
        let deleted = client.delete_records(&list, options).await.expect("the test broker answers");
        deleted.elements().iter().for_each(|partition| partition.error().expect("deleted"));
    });
}

/// Idempotent: a record that had to be sent twice is there once, so a record's offset is the number of those sent before it.
pub fn producer() -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers()).set("enable.idempotence", "true").set("linger.ms", "1");
    config.create().expect("a producer")
}

/// A plain connection, as a BI tool has it.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Client {
    pub fn new() -> Client {
        Client::of(&postgres_url())
    }

    pub fn of(url: &str) -> Client {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async {
            let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
            let (client, connection) = connected.expect("the test server answers");
            tokio::spawn(connection);
            client
        });
        Client { runtime, client }
    }

    /// None while the server is away.
    pub fn connect() -> Option<Client> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&postgres_url(), tokio_postgres::NoTls).await.ok()?;
            tokio::spawn(connection);
            Some(client)
        });
        Some(Client { runtime, client: client? })
    }

    pub fn try_run(&self, sql: &str) -> Option<()> {
        self.runtime.block_on(self.client.batch_execute(sql)).ok()
    }

    /// The first column of every row, as text; None when the server does not answer, or the table is not there.
    pub fn try_column(&self, sql: &str) -> Option<Vec<String>> {
        let messages = self.runtime.block_on(self.client.simple_query(sql)).ok()?;
        let cell = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
            _ => None,
        };
        Some(messages.iter().filter_map(cell).collect())
    }

    pub fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap_or_else(|cause| panic!("{sql}: {cause:?}"));
    }

    /// The first column of every row, as text.
    pub fn column(&self, sql: &str) -> Vec<String> {
        let messages =
            self.runtime.block_on(self.client.simple_query(sql)).unwrap_or_else(|cause| panic!("{sql}: {cause:?}"));
        let cell = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
            _ => None,
        };
        messages.iter().filter_map(cell).collect()
    }
}

/// Two schemas that are dropped with the value: one for marts, one for the bookkeeping.
pub struct Schemas {
    pub marts: String,
    pub meta: String,
}

impl Schemas {
    pub fn new() -> Schemas {
        let marts = fresh("lm_pipeline");
        Schemas { meta: format!("{marts}_meta"), marts }
    }
}

impl Drop for Schemas {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let Schemas { marts, meta } = self;
            Client::new().run(&format!("drop schema if exists {marts} cascade; drop schema if exists {meta} cascade"));
        }
    }
}

/// Stands between livemart and a server; while it is down it ends every connection.
pub struct Proxy {
    port: u16,
    is_down: Arc<AtomicBool>,
    delay_micros: Arc<AtomicU64>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Before PostgreSQL.
    pub fn new() -> Proxy {
        let config: tokio_postgres::Config = postgres_url().parse().expect("a url");
        let host = match &config.get_hosts()[0] {
            tokio_postgres::config::Host::Tcp(host) => host.clone(),
            tokio_postgres::config::Host::Unix(path) => panic!("the test server must listen on TCP, not {path:?}"),
        };
        Proxy::between(0, (host, config.get_ports().first().copied().unwrap_or(5432)))
    }

    /// On a port of 127.0.0.1, 0 being any that is free.
    pub fn between(port: u16, server: (String, u16)) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let proxy = Proxy { port, is_down: Arc::default(), delay_micros: Arc::default(), open: Arc::default() };
        let (is_down, open, delay) = (proxy.is_down.clone(), proxy.open.clone(), proxy.delay_micros.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if is_down.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(upstream) = TcpStream::connect((server.0.as_str(), server.1)) else { continue };
                let (from, to) = (client.try_clone().expect("a socket"), upstream.try_clone().expect("a socket"));
                open.lock()
                    .expect("no panic")
                    .extend([from.try_clone().expect("a socket"), to.try_clone().expect("a socket")]);
                let (there, back) = (delay.clone(), delay.clone());
                std::thread::spawn(move || pass_on(from, to, &there));
                std::thread::spawn(move || pass_on(upstream, client, &back));
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        let config: tokio_postgres::Config = postgres_url().parse().expect("a url");
        let password =
            config.get_password().map(|password| format!("password='{}'", String::from_utf8_lossy(password)));
        format!(
            "host=127.0.0.1 port={} user={} dbname={} {}",
            self.port,
            config.get_user().unwrap_or("postgres"),
            config.get_dbname().unwrap_or("postgres"),
            password.unwrap_or_default()
        )
    }

    /// From now on every packet waits so long.
    pub fn delay(&self, delay: Duration) {
        self.delay_micros.store(delay.as_micros() as u64, Ordering::SeqCst);
    }

    pub fn go_down(&self) {
        self.is_down.store(true, Ordering::SeqCst);
        for socket in self.open.lock().expect("no panic").drain(..) {
            let _ = socket.shutdown(Shutdown::Both); // it may be closed already
        }
    }

    pub fn come_back(&self) {
        self.is_down.store(false, Ordering::SeqCst);
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, delay_micros: &AtomicU64) {
    let mut buffer = [0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        std::thread::sleep(Duration::from_micros(delay_micros.load(Ordering::SeqCst)));
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both); // it may be closed already
}
