//! A shop whose changes go to Kafka, and a log of all that was sent, by which a prefix of the topics can be told from the outside.
//!
//! | topic | partitions | envelope | what is special |
//! |---|---|---|---|
//! | orders | 3, by key | debezium | deletes with their tombstones, scores that are no number |
//! | items | 2, by key | upsert | key of two columns, numerics, deletes by null values |
//! | payments | 3, anywhere | debezium | versions of one key in several partitions, ordered by ts_ms |
//! | transfers | 2, anywhere | append | no key: each record is one more row |

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::binary::{Folder, await_that};
use super::parts::{Client, Schemas, brokers, delete_records, delete_topic, fresh, producer, try_create_topics};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    Orders,
    Items,
    Payments,
    Transfers,
}

pub const TABLES: [(Table, &str, usize); 4] = [
    (Table::Orders, "orders", 3),
    (Table::Items, "items", 2),
    (Table::Payments, "payments", 3),
    (Table::Transfers, "transfers", 2),
];

impl Table {
    pub fn partitions(self) -> usize {
        TABLES[self as usize].2
    }

    /// As `progress` calls it.
    pub fn source(self) -> String {
        format!("raw.{}", TABLES[self as usize].1)
    }
}

/// What a record says.
#[derive(Clone, Debug)]
pub enum Said {
    Order {
        id: i64,
        customer: i64,
        status: &'static str,
        score: Option<String>,
    },
    OrderGone {
        id: i64,
    },
    /// The record behind a delete that lets a compacted topic forget the key.
    Tombstone {
        order: i64,
    },
    Item {
        order: i64,
        line: i64,
        product: &'static str,
        price_cents: i64,
        quantity: i64,
    },
    ItemGone {
        order: i64,
        line: i64,
    },
    Payment {
        id: i64,
        order: i64,
        cents: i64,
        status: &'static str,
        at: i64,
    },
    PaymentGone {
        id: i64,
        at: i64,
    },
    Transfer {
        customer: i64,
        cents: i64,
    },
    /// Cannot be decoded, though its key can be read.
    Broken {
        table: Table,
        key: String,
        value: String,
    },
    /// Cannot be decoded at all.
    Noise {
        table: Table,
    },
}

impl Said {
    pub fn table(&self) -> Table {
        match self {
            Said::Order { .. } | Said::OrderGone { .. } | Said::Tombstone { .. } => Table::Orders,
            Said::Item { .. } | Said::ItemGone { .. } => Table::Items,
            Said::Payment { .. } | Said::PaymentGone { .. } => Table::Payments,
            Said::Transfer { .. } => Table::Transfers,
            Said::Broken { table, .. } | Said::Noise { table } => *table,
        }
    }

    /// The message's key.
    pub fn key(&self) -> Option<String> {
        match self {
            Said::Order { id, .. } | Said::OrderGone { id } | Said::Tombstone { order: id } => Some(order_key(*id)),
            Said::Item { order, line, .. } | Said::ItemGone { order, line } => Some(item_key(*order, *line)),
            Said::Payment { id, .. } | Said::PaymentGone { id, .. } => Some(order_key(*id)),
            Said::Broken { key, .. } => Some(key.clone()),
            Said::Transfer { .. } | Said::Noise { .. } => None,
        }
    }

    fn value(&self) -> Option<String> {
        match self {
            Said::Order { id, customer, status, score } => {
                let score = score.as_ref().map_or("null".to_owned(), |score| format!("\"{score}\""));
                Some(format!(
                    "{{\"op\":\"u\",\"before\":null,\"after\":{{\"id\":{id},\"customer_id\":{customer},\
                     \"status\":\"{status}\",\"score\":{score},\"unknown\":[1]}}}}"
                ))
            }
            Said::OrderGone { id } => Some(format!("{{\"op\":\"d\",\"before\":{{\"id\":{id}}},\"after\":null}}")),
            Said::Tombstone { .. } | Said::ItemGone { .. } => None,
            Said::Item { order, line, product, price_cents, quantity } => Some(format!(
                "{{\"order_id\":{order},\"line_no\":{line},\"product\":\"{product}\",\"price\":{}.{:02},\"quantity\":{quantity}}}",
                price_cents / 100,
                price_cents % 100
            )),
            Said::Payment { id, order, cents, status, at } => Some(format!(
                "{{\"op\":\"c\",\"before\":null,\"after\":{{\"id\":{id},\"order_id\":{order},\"cents\":{cents},\
                 \"status\":\"{status}\"}},\"ts_ms\":{at}}}"
            )),
            Said::PaymentGone { id, at } => {
                Some(format!("{{\"op\":\"d\",\"before\":{{\"id\":{id}}},\"after\":null,\"ts_ms\":{at}}}"))
            }
            Said::Transfer { customer, cents } => Some(format!("{{\"customer_id\":{customer},\"cents\":{cents}}}")),
            Said::Broken { value, .. } => Some(value.clone()),
            Said::Noise { .. } => Some("<html>this is no JSON</html>".to_owned()),
        }
    }
}

pub fn order_key(id: i64) -> String {
    format!("{{\"id\":{id}}}")
}

pub fn item_key(order: i64, line: i64) -> String {
    format!("{{\"order_id\":{order},\"line_no\":{line}}}")
}

/// Records by table, partition and offset.
pub type Log = BTreeMap<Table, Vec<Vec<Said>>>;

/// Next offset by table and partition; one without an entry was not read yet.
pub type Positions = BTreeMap<(Table, usize), usize>;

/// A project, its topics and its schemas.
pub struct Shop {
    pub folder: Folder,
    pub schemas: Schemas,
    topics: String,
    producer: BaseProducer,
    log: Mutex<Log>,
}

impl Shop {
    /// `url` is the sink's.
    pub fn new(name: &str, url: &str, commit_interval: &str) -> Shop {
        let topics = fresh(name);
        let named = TABLES.iter().map(|(_, table, partitions)| (format!("{topics}.{table}"), *partitions as i32));
        try_create_topics(&named.collect::<Vec<_>>()).expect("topics");
        let (folder, schemas) = (Folder::new(name), Schemas::new());
        write_project(&folder);
        let (brokers, Schemas { marts, meta }) = (brokers(), &schemas);
        folder.write(
            "livemart.yml",
            &format!(
                "targets:
  prod:
    sources:
      raw: {{connector: kafka, brokers: \"{brokers}\", topic: \"{topics}.{{table}}\", format: json, envelope: debezium, key: [id]}}
      raw.items: {{envelope: upsert, key: [order_id, line_no]}}
      raw.transfers: {{envelope: append, key: null}}
    sink: {{type: postgres, url: \"{url}\", schema: {marts}, meta_schema: {meta}}}
    clock: {{mode: wall}}
    commit_interval: {commit_interval}
"
            ),
        );
        let log = TABLES.iter().map(|(table, _, partitions)| (*table, vec![Vec::new(); *partitions])).collect();
        Shop { folder, schemas, topics, producer: producer(), log: Mutex::new(log) }
    }

    /// Sends a record into the partition of its key; one without a key into the first.
    pub fn say(&self, said: Said) {
        let sum: usize = said.key().unwrap_or_default().bytes().map(usize::from).sum();
        let partition = sum % said.table().partitions();
        self.say_in(partition, said);
    }

    /// The log has the record before the broker: whoever reads it can look it up.
    pub fn say_in(&self, partition: usize, said: Said) {
        let topic = self.topic(said.table());
        let (key, value) = (said.key(), said.value());
        self.log.lock().expect("no panic").get_mut(&said.table()).expect("all tables")[partition].push(said);
        loop {
            let mut record = BaseRecord::to(&topic).partition(partition as i32);
            if let Some(key) = &key {
                record = record.key(key);
            }
            if let Some(value) = &value {
                record = record.payload(value);
            }
            let sent = self.producer.send::<String, String>(record);
            self.producer.poll(Duration::ZERO);
            match sent {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((error, _)) => panic!("{error}"),
            }
        }
    }

    pub fn topic(&self, table: Table) -> String {
        format!("{}.{}", self.topics, TABLES[table as usize].1)
    }

    /// Deletes a topic and creates an empty one of the same name.
    pub fn create_anew(&self, table: Table) {
        delete_topic(&self.topic(table));
        await_that("the topic can be created again", || {
            try_create_topics(&[(self.topic(table), table.partitions() as i32)]).ok()
        });
        self.log.lock().expect("no panic").insert(table, vec![Vec::new(); table.partitions()]);
    }

    /// Deletes the records of a partition below an offset, as retention does.
    pub fn forget(&self, table: Table, partition: i32, below: i64) {
        delete_records(&self.topic(table), partition, below);
    }

    /// The sink loses everything that it has of us.
    pub fn drop_sink(&self) {
        let Schemas { marts, meta } = &self.schemas;
        Client::new().run(&format!("drop schema {marts} cascade; drop schema {meta} cascade"));
    }

    /// Waits until the broker has everything.
    pub fn flush(&self) {
        self.producer.flush(Duration::from_secs(30)).expect("the test broker answers");
    }

    /// Everything said so far.
    pub fn log(&self) -> Log {
        self.log.lock().expect("no panic").clone()
    }

    /// The end of every partition that has records.
    pub fn ends(&self) -> Positions {
        let log = self.log.lock().expect("no panic");
        let ends = log.iter().flat_map(|(table, partitions)| {
            partitions.iter().enumerate().map(|(number, records)| ((*table, number), records.len()))
        });
        ends.filter(|(_, end)| *end > 0).collect()
    }

    /// Records in all topics.
    pub fn len(&self) -> usize {
        self.ends().values().sum()
    }
}

fn write_project(folder: &Folder) {
    folder
        .write("dbt_project.yml", "name: shop\nversion: '1.0.0'\nconfig-version: 2\nmodels:\n  +materialized: table\n");
    folder.write(
        "models/sources.yml",
        "version: 2
sources:
  - name: raw
    tables:
      - name: orders
        columns:
          - {name: id, data_type: bigint}
          - {name: customer_id, data_type: bigint}
          - {name: status, data_type: text}
          - {name: score, data_type: text}
      - name: items
        columns:
          - {name: order_id, data_type: bigint}
          - {name: line_no, data_type: bigint}
          - {name: product, data_type: text}
          - {name: price, data_type: \"numeric(12,2)\"}
          - {name: quantity, data_type: bigint}
      - name: payments
        columns:
          - {name: id, data_type: bigint}
          - {name: order_id, data_type: bigint}
          - {name: cents, data_type: bigint}
          - {name: status, data_type: text}
      - name: transfers
        columns:
          - {name: customer_id, data_type: bigint}
          - {name: cents, data_type: bigint}
",
    );
    folder.write(
        "models/stg_items.sql",
        "{{ config(materialized='view') }}
select order_id, line_no, product, quantity, price * quantity as amount from {{ source('raw', 'items') }}",
    );
    folder.write(
        "models/customer_totals.sql",
        "select o.customer_id, count(distinct o.id) as orders, count(*) as lines, sum(i.amount) as revenue
from {{ source('raw', 'orders') }} o
join {{ ref('stg_items') }} i on i.order_id = o.id
where o.status <> 'cancelled'
group by o.customer_id",
    );
    folder.write(
        "models/product_reach.sql",
        "select i.product, count(distinct o.customer_id) as customers, sum(i.quantity) as quantity
from {{ ref('stg_items') }} i
join {{ source('raw', 'orders') }} o on o.id = i.order_id
group by i.product",
    );
    folder.write(
        "models/order_mart.sql",
        "with items as (
    select order_id, sum(amount) as amount from {{ ref('stg_items') }} group by order_id
), paid as (
    select order_id, sum(cents) as cents from {{ source('raw', 'payments') }} where status = 'completed' group by order_id
)
select o.id, o.customer_id, o.status, coalesce(i.amount, 0) as items_amount, coalesce(p.cents, 0) as paid_cents
from {{ source('raw', 'orders') }} o
left join items i on i.order_id = o.id
left join paid p on p.order_id = o.id",
    );
    folder.write(
        "models/accounts_by_customer.sql",
        "select customer_id, sum(cents) as balance, count(*) as moves from {{ source('raw', 'transfers') }} group by customer_id",
    );
    folder.write(
        "models/totals.sql",
        "select count(*) as moves, coalesce(sum(cents), 0) as balance from {{ source('raw', 'transfers') }}",
    );
    folder.write(
        "models/order_scores.sql",
        "select id, cast(score as bigint) as score from {{ source('raw', 'orders') }}",
    );
    folder.write(
        "models/tests.yml",
        "version: 2\nmodels:\n  - name: order_mart\n    columns:\n      - {name: id, data_tests: [unique, not_null]}\n",
    );
}
