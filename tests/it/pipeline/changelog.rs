//! A read-committed consumer of the changelog, which must end with the tables and meet each cut once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value as Json;

use super::binary::{WAIT, await_that};
use super::history::{Dice, History};
use super::parts::{Client, Schemas, brokers, delete_topic, fresh, postgres_url};
use super::shop::{Said, Shop};

/// The marts of the shop, and their columns.
const TABLES: [(&str, &[&str]); 6] = [
    ("customer_totals", &["customer_id", "orders", "lines", "revenue"]),
    ("product_reach", &["product", "customers", "quantity"]),
    ("order_mart", &["id", "customer_id", "status", "items_amount", "paid_cents"]),
    ("accounts_by_customer", &["customer_id", "balance", "moves"]),
    ("totals", &["moves", "balance"]),
    ("order_scores", &["id", "score"]),
];

/// Rows as texts, with their copies.
type Rows = BTreeMap<String, i64>;

/// A changelog under topics of its own, which go with the value.
pub struct Changelog {
    prefix: String,
}

impl Changelog {
    /// Adds it to the shop's sink. `more` are settings besides.
    pub fn of(shop: &Shop, envelope: &str, more: &str) -> Changelog {
        let changelog = Changelog { prefix: fresh("changelog") };
        changelog.put(shop, &brokers(), envelope, more);
        changelog
    }

    /// Writes it into livemart.yml, in place of the one that was there.
    fn put(&self, shop: &Shop, brokers: &str, envelope: &str, more: &str) {
        let text = std::fs::read_to_string(shop.folder.path("livemart.yml")).expect("the file is there");
        let lines = text.lines().map(|line| {
            let Some(rest) = line.strip_prefix("    sink: {") else { return line.to_owned() };
            let sink = rest.split(", changelog: {").next().unwrap_or_default().trim_end_matches('}');
            let Changelog { prefix } = self;
            format!(
                "    sink: {{{sink}, changelog: {{brokers: \"{brokers}\", topic: \"{prefix}.{{table}}\", \
                 envelope: {envelope}{more}}}}}"
            )
        });
        let text = lines.collect::<Vec<_>>().join("\n") + "\n";
        shop.folder.write("livemart.yml", &text);
    }

    fn topic(&self, table: &str) -> String {
        format!("{}.{table}", self.prefix)
    }

    /// The number of the last cut that is whole in Kafka.
    fn position(&self) -> Option<u64> {
        let records = read_committed(&self.topic("livemart.shop.prod"));
        records.last().map(|record| record.value.as_ref().expect("a value")["seq"].as_u64().expect("a number"))
    }

    /// Each table as its topic tells it, and how many cuts were met.
    pub fn fold(&self, tables: &[&str]) -> (BTreeMap<String, Rows>, usize) {
        let mut cuts = BTreeSet::new();
        let folded = tables.iter().map(|table| {
            let records = read_committed(&self.topic(table));
            cuts.extend(records.iter().map(|record| record.seq));
            ((*table).to_owned(), fold(table, &records))
        });
        (folded.collect(), cuts.len())
    }
}

impl Drop for Changelog {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let topics = TABLES.iter().map(|(table, _)| self.topic(table)).chain([self.topic("livemart.shop.prod")]);
            let there = existing(&self.prefix);
            topics.filter(|topic| there.contains(topic)).for_each(|topic| delete_topic(&topic));
        }
    }
}

struct Record {
    seq: u64,
    partition: i32,
    key: String,
    value: Option<Json>,
}

fn consumer() -> BaseConsumer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers())
        .set("group.id", "reader of the changelog")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed");
    config.create().expect("a consumer")
}

fn existing(prefix: &str) -> Vec<String> {
    let metadata = consumer().fetch_metadata(None, WAIT).expect("the test broker answers");
    let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// All committed records of a topic, partition by partition. No cut comes after a later one in a partition.
fn read_committed(topic: &str) -> Vec<Record> {
    let consumer = consumer();
    let metadata = consumer.fetch_metadata(Some(topic), WAIT).expect("the test broker answers");
    let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|partition| partition.id()).collect();
    let mut all = TopicPartitionList::new();
    for partition in &partitions {
        all.add_partition_offset(topic, *partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&all).expect("assigned");
    let (mut records, mut ended): (Vec<Record>, _) = (Vec::new(), BTreeSet::new());
    let deadline = Instant::now() + WAIT;
    while ended.len() < partitions.len() {
        assert!(Instant::now() < deadline, "{topic} is read to its end");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let header = message.headers().expect("headers").iter().find(|header| header.key == "livemart.seq");
                let seq = header.and_then(|header| std::str::from_utf8(header.value?).ok()?.parse().ok());
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
                records.push(Record {
                    seq: seq.expect("the cut's number"),
                    partition: message.partition(),
                    key: text(message.key().expect("a key")),
                    value: message.payload().map(|value| serde_json::from_slice(value).expect("JSON")),
                });
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            Some(Err(_)) | None => {}
        }
    }
    records.sort_by_key(|record| record.partition);
    let goes_back = records.windows(2).find(|pair| pair[0].partition == pair[1].partition && pair[0].seq > pair[1].seq);
    assert!(goes_back.is_none(), "{topic}: no cut comes after a later one");
    records
}

fn fold(table: &str, records: &[Record]) -> Rows {
    let columns = TABLES.iter().find(|(name, _)| *name == table).expect("a mart").1;
    let (mut keyed, mut copies, mut met): (BTreeMap<&str, String>, Rows, _) = Default::default();
    let row = |json: &Json| columns.iter().map(|column| cell(&json[*column])).collect::<Vec<_>>().join(" ");
    for Record { seq, key, value, .. } in records {
        let [before, after] = match value {
            Some(value) if value.get("op").is_some() => {
                assert_eq!(value["source"]["seq"], *seq, "{table}: the record and its header are of one cut");
                [&value["before"], &value["after"]].map(|side| Some(side).filter(|side| !side.is_null()).map(row))
            }
            value => [keyed.get(key.as_str()).cloned(), value.as_ref().map(row)],
        };
        if key.starts_with("{\"row\":") {
            for (side, diff) in [(before, -1), (after, 1)] {
                side.into_iter().for_each(|row| *copies.entry(row).or_default() += diff);
            }
            continue;
        }
        let is_first: bool = <BTreeSet<(u64, &str)>>::insert(&mut met, (*seq, key));
        assert!(is_first, "{table}: cut {seq} tells {key} twice");
        assert_eq!(keyed.get(key.as_str()), before.as_ref(), "{table}: {key} before cut {seq}");
        match after {
            Some(row) => drop(keyed.insert(key, row)),
            None => drop(keyed.remove(key.as_str())),
        }
    }
    copies.retain(|_, copies| *copies != 0);
    keyed.into_values().for_each(|row| *copies.entry(row).or_default() += 1);
    copies
}

/// A value as text: numbers by value, for SQLite gives 1.5 where PostgreSQL gives 1.50.
fn cell(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::String(text) => number(text),
        other => number(&other.to_string()),
    }
}

fn number(text: &str) -> String {
    match (text.parse::<f64>(), text.contains('.')) {
        (Ok(number), true) => number.to_string(),
        _ => text.to_owned(),
    }
}

fn counted(rows: impl Iterator<Item = String>) -> Rows {
    let mut counted = Rows::new();
    rows.for_each(|row| *counted.entry(row).or_default() += 1);
    counted
}

/// The tables that PostgreSQL has.
pub fn published(schemas: &Schemas, tables: &[&str]) -> BTreeMap<String, Rows> {
    let (client, marts) = (Client::new(), &schemas.marts);
    let read = |table: &&str| {
        let columns = TABLES.iter().find(|(name, _)| name == table).expect("a mart").1;
        let cells: Vec<_> = columns.iter().map(|column| format!("coalesce({column}::text, 'null')")).collect();
        let rows = client.column(&format!("select concat_ws('|', {}) from {marts}.{table}", cells.join(", ")));
        let rows = rows.iter().map(|row| row.split('|').map(number).collect::<Vec<_>>().join(" "));
        ((*table).to_owned(), counted(rows))
    };
    tables.iter().map(read).collect()
}

/// The tables that a SQLite file has.
fn stored(path: &std::path::Path, tables: &[&str]) -> BTreeMap<String, Rows> {
    let connection = rusqlite::Connection::open(path).expect("a database");
    let read = |table: &&str| {
        let columns = TABLES.iter().find(|(name, _)| name == table).expect("a mart").1;
        let cells: Vec<_> = columns.iter().map(|column| format!("coalesce(cast({column} as text), 'null')")).collect();
        let sql = format!("select {} from {table}", cells.join(" || '|' || "));
        let mut statement = connection.prepare(&sql).expect("a table");
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows").map(|row| row.expect("text"));
        let rows = rows.map(|row| row.split('|').map(number).collect::<Vec<_>>().join(" "));
        ((*table).to_owned(), counted(rows))
    };
    tables.iter().map(read).collect()
}

pub fn all_tables() -> Vec<&'static str> {
    TABLES.iter().map(|(table, _)| *table).collect()
}

#[test]
fn pipeline_changelog_is_the_tables_through_kills_and_a_take_over() {
    let shop = Shop::new("told", &postgres_url(), "40ms");
    let changelog = Changelog::of(&shop, "debezium", ", partitions: 2");
    let mut history = History::new(&shop, 20_261_121);
    let mut dice = Dice::new(4);
    for _ in 0..8 {
        let live = shop.folder.serve(&[]);
        let end = Instant::now() + Duration::from_millis(dice.between(200, 2_500) as u64);
        while Instant::now() < end {
            (0..dice.between(1, 30)).for_each(|_| history.step());
            std::thread::sleep(Duration::from_millis(10));
        }
        live.kill();
    }
    let mut elder = shop.folder.serve(&[]);
    elder.await_ready();
    super::await_all(&mut super::Bystander::new(&shop), &shop);
    let mut younger = shop.folder.serve(&["--take-over"]);
    let code = await_that("the elder goes", || {
        (0..5).for_each(|_| history.step());
        elder.try_wait()
    });
    assert_eq!(code, Some(0), "{}", elder.said());
    younger.await_ready();
    (0..200).for_each(|_| history.step());
    shop.flush();
    let look = super::await_all(&mut super::Bystander::new(&shop), &shop);
    let last = super::drain(younger, &shop);
    assert!(last.seq >= look.seq);

    let tables = all_tables();
    let (folded, cuts) = changelog.fold(&tables);
    let published = published(&shop.schemas, &tables);
    for table in tables {
        assert_eq!(folded[table], published[table], "{table}");
    }
    assert!(folded["order_mart"].len() > 20 && cuts > 10, "{cuts} cuts");
    let position = changelog.position().expect("a position");
    assert!(position <= last.seq, "{position} is a cut of the sink, which is at {}", last.seq);
    let waiting = Client::new().column(&format!("select count(*) from {}.outbox", shop.schemas.meta));
    assert_eq!(waiting, ["0"], "what is shipped is deleted");

    let told = shop.folder.livemart(&["debug"]);
    let line = format!("topics {}.{{table}}, at cut {position}", changelog.prefix);
    assert!(told.code == 0 && told.err.contains(&line), "{told:#?}");
}

#[test]
fn pipeline_changelog_beside_sqlite_follows_changed_models_and_waits_for_its_broker() {
    let shop = Shop::new("upserts", &postgres_url(), "40ms");
    let Schemas { marts, meta } = &shop.schemas;
    let postgres = format!("type: postgres, url: \"{}\", schema: {marts}, meta_schema: {meta}", postgres_url());
    shop.folder.replace("livemart.yml", &postgres, "type: sqlite, path: marts.db");
    let changelog = Changelog::of(&shop, "upsert", ", outbox_records_max: 40");
    let path = shop.folder.path("marts.db");
    let mut history = History::new(&shop, 5);
    (0..300).for_each(|_| history.step());
    shop.flush();

    let answer = shop.folder.livemart(&["run"]);
    let refused = "totals has no key, so that its changelog cannot have the envelope upsert";
    assert!(answer.code == 1 && answer.err.contains(refused), "{answer:#?}");
    shop.folder.write(
        "models/left_out.yml",
        "version: 2\nmodels:\n  - name: totals\n    config: {meta: {livemart: {changelog: false}}}\n",
    );
    let tables = ["customer_totals", "product_reach", "order_mart", "accounts_by_customer"];
    let run = |args: &[&str]| {
        let answer = shop.folder.livemart(args);
        assert_eq!(answer.code, 0, "{answer:#?}");
        let ((folded, _), stored) = (changelog.fold(&tables), stored(&path, &tables));
        for table in tables {
            assert_eq!(folded[table], stored[table], "{table} after {args:?}");
        }
        folded
    };
    let first = run(&["run"]);
    assert!(first["order_mart"].len() > 20);
    assert!(!existing(&changelog.prefix).contains(&changelog.topic("totals")), "it is left out");

    // A changed model comes as a difference; its unchanged rows are not told again.
    shop.folder.replace(
        "models/accounts_by_customer.sql",
        "sum(cents)",
        "case when customer_id % 2 = 0 then 0 else sum(cents) end",
    );
    let records = read_committed(&changelog.topic("accounts_by_customer")).len();
    let changed = run(&["run"]);
    let moved = changed["accounts_by_customer"].keys().filter(|row| !first["accounts_by_customer"].contains_key(*row));
    let told = read_committed(&changelog.topic("accounts_by_customer")).len() - records;
    assert_eq!(told, moved.count());
    run(&["run", "--full-refresh"]);

    // The broker goes away: tables go on until so much waits that reading stops.
    let position = changelog.position();
    changelog.put(&shop, "127.0.0.1:1", "upsert", ", outbox_records_max: 40");
    let mut live = shop.folder.serve(&[]);
    for customer in 0..300 {
        shop.say(Said::Transfer { customer, cents: 1 });
        shop.flush();
        std::thread::sleep(Duration::from_millis(5));
    }
    let reason = await_that("reading stops", || {
        let (status, text) = live.get("/readyz");
        (status == 503 && text.contains("wait in the outbox of the changelog")).then_some(text)
    });
    assert!(reason.contains("reading has stopped") && reason.contains("127.0.0.1:1"), "{reason}");
    let metrics = live.get("/metrics").1;
    let waiting = metrics.lines().find_map(|line| line.strip_prefix("livemart_changelog_waiting_records "));
    let waiting: f64 = waiting.expect("the metric").parse().expect("a number");
    assert!(waiting > 40.0, "{waiting}");
    let (code, said) = live.terminate();
    assert!(code == Some(1) && said.contains("records of the changelog wait in the outbox"), "{code:?} {said}");
    assert_eq!(changelog.position(), position);

    // It comes back.
    changelog.put(&shop, &brokers(), "upsert", ", outbox_records_max: 40");
    run(&["run"]);
    assert!(changelog.position() > position);

    // Another life of the sink must not be mixed with this one.
    std::fs::remove_file(&path).expect("the database");
    let _ = std::fs::remove_dir_all(shop.folder.path(".livemart"));
    let answer = shop.folder.livemart(&["run"]);
    assert!(answer.code == 1 && answer.err.contains("the sink was restored or is new"), "{answer:#?}");
    existing(&changelog.prefix).iter().for_each(|topic| delete_topic(topic));
    await_that("the topics are gone", || existing(&changelog.prefix).is_empty().then_some(()));
    run(&["run"]);
}
