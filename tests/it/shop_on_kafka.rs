//! The whole shop by way of Kafka: what `demo produce` sends, and the reference project's target `prod`, as it is.
//!
//! ```text
//!   demo produce ──JSON or Avro, at a rate──> topics ──┐
//!        └──> drops: CSV files in a folder ────────────┴─> livemart serve -t prod ──> a database of its own <── livemart verify
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use livemart::shop::{Files, Form, ProduceOptions, Producer, Scale, WireEnvelope, WireFormat, generate, topics};
use livemart::source::{
    Connector, Envelope, Format, Poll, Positions, RegistrySettings, Resolved, Resolver, SourceColumn, SourceFault,
    TableSource, Until, open_readers,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use row::{Diff, NumericTypmod, Row, ScalarType};

use super::kafka_source::{WAIT, brokers, table};
use super::pipeline::binary::{Folder, await_that};
use super::pipeline::parts::{Client, fresh, postgres_url};
use super::registry::Registry;

/// How long everything may take to be published, by an unoptimised build beside other tests.
const PUBLISHED_MAX: Duration = Duration::from_secs(240);

/// Name, columns and key of some tables: every type, one key of two columns, and none.
fn tables() -> Vec<(&'static str, Vec<(&'static str, ScalarType)>, Option<Vec<usize>>)> {
    use ScalarType::{Date, Int64, Text, Timestamp};
    let money = || ScalarType::Numeric(Some(NumericTypmod { precision: 12, scale: 2 }));
    vec![
        (
            "shop.public.customers",
            vec![("customer_id", Int64), ("email", Text), ("date_of_birth", Date), ("created_at", Timestamp)],
            Some(vec![0]),
        ),
        (
            "shop.public.orders",
            vec![("id", Int64), ("user_id", Int64), ("status", Text), ("order_date", Timestamp)],
            Some(vec![0]),
        ),
        (
            "shop.public.order_items",
            vec![("order_id", Int64), ("line_no", Int64), ("price", money()), ("quantity", Int64)],
            Some(vec![0, 1]),
        ),
        (
            "shop.public.website_activity",
            vec![("event_id", Int64), ("customer_id", Int64), ("page", Text), ("activity_at", Timestamp)],
            None,
        ),
        (
            "app.public.users",
            vec![("user_id", Int64), ("is_active", ScalarType::Bool), ("last_login_at", Timestamp)],
            Some(vec![0]),
        ),
        (
            "cards.public.card_accounts",
            vec![("customer_key", Int64), ("credit_limit", money()), ("account_open_date", Date)],
            Some(vec![0]),
        ),
    ]
}

/// The rows that a topic comes to, and what is set aside at its end.
fn read(source: TableSource) -> (BTreeMap<Row, Diff>, BTreeMap<SourceFault, Diff>) {
    let spec = source.spec.clone();
    let mut opened = open_readers(vec![source], &Positions::new(), Until::End).expect("it opens");
    let mut resolver = Resolver::new(&[spec], []);
    let (mut rows, mut faults, begun) = (BTreeMap::new(), BTreeMap::new(), Instant::now());
    loop {
        match opened[0].reader.poll(Duration::from_millis(50)).expect("read") {
            Poll::Batch(batch) => {
                let mut resolved = Resolved::default();
                resolver.resolve_batch(batch, &mut resolved);
                resolved.updates.into_iter().for_each(|(_, row, diff)| *rows.entry(row).or_insert(0) += diff);
                resolved.faults.into_iter().for_each(|(fault, diff)| *faults.entry(fault).or_insert(0) += diff);
            }
            Poll::Idle => assert!(begun.elapsed() < WAIT, "the end does not come"),
            Poll::End => break,
        }
    }
    rows.retain(|_, count| *count != 0);
    faults.retain(|_, count| *count != 0);
    (rows, faults)
}

#[test]
fn kafka_has_the_same_shop_in_every_format_and_envelope() {
    let registry = Registry::start(serde_json::json!({}));
    let settings = RegistrySettings { url: registry.url.clone(), ..RegistrySettings::default() };
    let folder = Folder::new("produced");
    let mut found = Vec::new();
    for format in [WireFormat::Json, WireFormat::Avro { registry: settings.clone() }] {
        for envelope in [WireEnvelope::Debezium, WireEnvelope::Plain] {
            let prefix = format!("{}.", fresh("produced"));
            let options = ProduceOptions {
                brokers: brokers(),
                rate: None,
                format: format.clone(),
                envelope,
                topic_prefix: prefix.clone(),
                partitions: 1,
            };
            let drops = Files::create(&folder.path("drops"), Form::Bare).expect("a folder");
            let mut producer = Producer::connect(&options, drops, Instant::now()).expect("the broker answers");
            let scale = Scale { seed: 3, customers: 120, days: 80, activity_percent: 100 };
            generate(scale, &mut producer, &mut |_, _| {}).expect("sent");
            producer.finish().expect("sent");
            let mut shop = BTreeMap::new();
            for (name, columns, key) in tables() {
                let topic = format!("{prefix}{name}");
                let mut source = TableSource {
                    connector: Connector::Kafka {
                        brokers: brokers(),
                        topic: topic.clone(),
                        properties: BTreeMap::new(),
                    },
                    ..table(0, &topic)
                };
                source.spec.columns =
                    columns.into_iter().map(|(name, ty)| SourceColumn { name: name.into(), ty }).collect();
                source.spec.demanded = vec![true; source.spec.columns.len()];
                source.spec.envelope = match (envelope, &key) {
                    (WireEnvelope::Debezium, _) => Envelope::Debezium,
                    (WireEnvelope::Plain, Some(_)) => Envelope::Upsert,
                    (WireEnvelope::Plain, None) => Envelope::Append,
                };
                source.spec.key = key;
                if format != WireFormat::Json {
                    source.format = Format::Avro;
                    source.registry = Some(settings.clone());
                }
                let (rows, faults) = read(source);
                assert!(rows.len() > 10, "{} rows of {topic}", rows.len());
                shop.insert(name, (rows, faults.len()));
            }
            found.push(shop);
        }
    }
    assert!(found[0].values().any(|(_, faults)| *faults > 0), "half a record is set aside for good");
    for (number, shop) in found.iter().enumerate() {
        for (name, rows) in shop {
            assert_eq!(rows, &found[0][name], "{name} of shop {number}");
        }
    }
    let subjects = registry.subjects();
    assert!(subjects.iter().any(|subject| subject.ends_with(".shop.public.orders-key")), "{subjects:?}");
}

/// A database that goes with the value.
struct Database {
    name: String,
}

impl Database {
    fn new() -> Database {
        let name = fresh("shop_prod");
        Client::new().run(&format!("create database {name}"));
        Database { name }
    }

    fn url(&self) -> String {
        let url = postgres_url();
        let (server, _) = url.rsplit_once('/').expect("a URL with a database");
        format!("{server}/{}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            Client::new().run(&format!("drop database {} with (force)", self.name));
        }
    }
}

/// The last offset of all topics together; None while one of them is being made.
fn records(prefix: &str) -> Option<i64> {
    let consumer: BaseConsumer =
        rdkafka::ClientConfig::new().set("bootstrap.servers", brokers()).create().expect("a consumer");
    let end = |topic: String| Some(consumer.fetch_watermarks(&topic, 0, WAIT).ok()?.1);
    topics().into_iter().map(|topic| end(format!("{prefix}{topic}"))).sum()
}

struct Prod {
    folder: Folder,
    database: Database,
    prefix: String,
    registry: Option<Registry>,
}

impl Prod {
    fn new(name: &str, registry: Option<Registry>) -> Prod {
        Prod { folder: Folder::new(name), database: Database::new(), prefix: format!("{}.", fresh(name)), registry }
    }

    fn livemart(&self, args: &[&str]) -> Command {
        let mut command = self.folder.command(args);
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("dataflows"));
        command.env("LIVEMART_STATE", self.folder.path("state")).env("DBT_TARGET_PATH", self.folder.path("target"));
        command.env("DBT_LOG_PATH", self.folder.path("logs"));
        command.env("KAFKA_BROKERS", brokers()).env("SHOP_TOPICS", &self.prefix);
        command.env("SHOP_DROPS", self.folder.path("drops")).env("MARTS_URL", self.database.url());
        if let Some(registry) = &self.registry {
            command.env("SHOP_FORMAT", "avro").env("SHOP_REGISTRY", &registry.url);
        }
        command
    }

    fn start(&self, args: &[&str], log: &str) -> Child {
        let log = std::fs::File::create(self.folder.path(log)).expect("a file");
        let mut command = self.livemart(args);
        command.stdout(log.try_clone().expect("a file")).stderr(log).stdin(Stdio::null());
        command.spawn().expect("the binary starts")
    }

    fn said(&self, log: &str) -> String {
        std::fs::read_to_string(self.folder.path(log)).unwrap_or_default()
    }
}

fn await_end(mut child: Child, said: impl Fn() -> String) -> Option<i32> {
    let deadline = Instant::now() + PUBLISHED_MAX;
    loop {
        match child.try_wait().expect("a process of ours") {
            Some(status) => return status.code(),
            None if Instant::now() > deadline => {
                let _ = child.kill();
                panic!("it does not end: {}", said());
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Tables with their rows, of all schemas of the project.
fn published(database: &Database) -> BTreeMap<String, i64> {
    let client = Client::of(&database.url());
    let tables = client.column(
        "select table_schema || '.' || table_name from information_schema.tables
         where table_schema in ('marts', 'dbt_marketing', 'gold') and table_type = 'BASE TABLE'",
    );
    let rows = |table: &String| client.column(&format!("select count(*) from {table}"))[0].parse().expect("a number");
    tables.iter().map(|table| (table.clone(), rows(table))).collect()
}

/// Produces at a rate that goes on while `serve` starts and follows, and compares every table with a batch at the end.
fn serve_while_it_is_produced(prod: &Prod, produce: &[&str]) -> BTreeMap<String, i64> {
    let drops = prod.folder.path("drops").display().to_string();
    let broker = brokers();
    let scale = ["--customers", "60", "--days", "90", "--seed", "5", "--rate", "1500"];
    let place = ["--brokers", &broker, "--out", &drops, "--topic-prefix", &prod.prefix];
    let producing = prod.start(&[&["demo", "produce"], &scale[..], &place, produce].concat(), "produce.log");
    await_that("the first records are there", || records(&prod.prefix).filter(|records| *records > 100));
    let mut serving = prod.start(&["serve", "-t", "prod", "--listen", "127.0.0.1:0"], "serve.log");
    let code = await_end(producing, || prod.said("produce.log"));
    assert_eq!(code, Some(0), "{}", prod.said("produce.log"));
    let total = records(&prod.prefix).expect("the broker answers");
    let deadline = Instant::now() + PUBLISHED_MAX;
    let read = "select coalesce(sum(position), 0) from livemart.progress where \"partition\" not like '%.csv'";
    let client = Client::of(&prod.database.url());
    while client.try_column(read).and_then(|rows| rows.first()?.parse().ok()) != Some(total) {
        let ended = serving.try_wait().expect("a process of ours");
        assert!(
            ended.is_none() && Instant::now() < deadline,
            "{ended:?}, not all {total} records: {}",
            prod.said("serve.log")
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    // SAFETY: the process is our own child and has not been waited for.
    unsafe { libc::kill(serving.id() as i32, libc::SIGTERM) };
    assert_eq!(await_end(serving, || prod.said("serve.log")), Some(0), "{}", prod.said("serve.log"));
    let verified = await_end(prod.start(&["verify", "-t", "prod"], "verify.log"), || prod.said("verify.log"));
    let said = prod.said("verify.log");
    assert_eq!(verified, Some(0), "{said}");
    assert!(said.contains(": 0 differ"), "{said}");
    let published = published(&prod.database);
    assert!(
        said.contains(&format!("Compared {} tables", published.len() - SNAPSHOTS)),
        "{} tables: {said}",
        published.len()
    );
    published
}

/// Tables that `verify` does not compare: what they hold depends on when it was seen.
const SNAPSHOTS: usize = 1;

#[test]
fn pipeline_the_shops_prod_target_equals_a_batch_from_json_and_from_avro() {
    let json = Prod::new("shop_json", None);
    let by_json = serve_while_it_is_produced(&json, &[]);
    assert!(by_json.len() > 40 && by_json["marts.mart_customer_360"] >= 55, "{by_json:?}");
    let avro = Prod::new("shop_avro", Some(Registry::start(serde_json::json!({}))));
    let url = avro.registry.as_ref().map(|registry| registry.url.clone()).unwrap_or_default();
    let by_avro = serve_while_it_is_produced(&avro, &["--format", "avro", "--schema-registry", &url]);
    // The same shop: the snapshot has as many versions as were seen.
    let snapshot = "marts.entity_customers_history";
    let without = |tables: &BTreeMap<String, i64>| {
        tables
            .iter()
            .filter(|(name, _)| *name != snapshot)
            .map(|(name, rows)| (name.clone(), *rows))
            .collect::<Vec<_>>()
    };
    assert_eq!(without(&by_json), without(&by_avro));
    assert!(by_json[snapshot] > 0 && by_avro[snapshot] > 0);
}
