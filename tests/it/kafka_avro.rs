//! Captured Avro messages through a real broker, with their schemas at a registry that comes and goes.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use livemart::source::{
    Connector, Envelope, Format, Poll, Positions, RegistrySettings, Resolved, Resolver, SourceColumn, TableSource,
    Until, open_readers,
};
use rdkafka::producer::{BaseRecord, Producer};
use row::ScalarType;
use serde_json::Value as Json;

use super::kafka_source::{WAIT, brokers, create, fresh, producer, table};
use super::registry::Registry;

fn fixture(name: &str) -> String {
    let path = format!("{}/fixtures/debezium/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("a fixture")
}

fn bytes(json: &Json) -> Option<Vec<u8>> {
    livemart::source::format::binary::base64(json.get("base64")?.as_str()?)
}

#[test]
fn kafka_avro_records_wait_for_a_registry_that_is_away() {
    let topic = fresh("avro");
    create(&topic, 1);
    let producer = producer(None);
    for line in fixture("avro_basic.jsonl").lines() {
        let message: Json = serde_json::from_str(line).expect("a captured message");
        if message["topic"] != "avro_basic.public.customers" {
            continue;
        }
        let (key, value) = (bytes(&message["key"]), bytes(&message["value"]));
        let mut record = BaseRecord::<[u8], [u8]>::to(&topic).partition(0);
        record = key.iter().fold(record, |record, key| record.key(key));
        record = value.iter().fold(record, |record, value| record.payload(value));
        producer.send(record).map_err(|(error, _)| error).expect("queued");
    }
    producer.flush(WAIT).expect("sent");

    let registry = Registry::start(serde_json::from_str(&fixture("avro_basic.schemas.json")).expect("schemas"));
    let columns = [("id", ScalarType::Int32), ("name", ScalarType::Text), ("balance", ScalarType::Numeric(None))];
    let mut source = TableSource {
        connector: Connector::Kafka { brokers: brokers(), topic: topic.clone(), properties: BTreeMap::new() },
        format: Format::Avro,
        registry: Some(RegistrySettings { url: registry.url.clone(), ..RegistrySettings::default() }),
        ..table(0, &topic)
    };
    source.spec.columns = columns.into_iter().map(|(name, ty)| SourceColumn { name: name.into(), ty }).collect();
    source.spec.demanded = vec![true; 3];
    source.spec.envelope = Envelope::Debezium;

    registry.is_up.store(false, Ordering::SeqCst);
    let refused = open_readers(vec![source.clone()], &Positions::new(), Until::End).expect_err("the registry is down");
    assert!(refused.message.contains(&registry.url) && refused.message.contains("503"), "{refused}");

    registry.is_up.store(true, Ordering::SeqCst);
    let spec = source.spec.clone();
    let mut opened = open_readers(vec![source], &Positions::new(), Until::End).expect("opened");
    registry.is_up.store(false, Ordering::SeqCst);
    let reader = &mut opened[0].reader;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        let polled = reader.poll(Duration::from_millis(50)).expect("it waits");
        assert!(matches!(polled, Poll::Idle), "{polled:?}");
    }
    registry.is_up.store(true, Ordering::SeqCst);
    let mut resolver = Resolver::new(&[spec], []);
    let mut resolved = Resolved::default();
    loop {
        match reader.poll(Duration::from_millis(50)).expect("read") {
            Poll::Batch(batch) => resolver.resolve_batch(batch, &mut resolved),
            Poll::Idle => assert!(begun.elapsed() < WAIT, "the registry is back, the records are not"),
            Poll::End => break,
        }
    }
    assert!(resolved.faults.is_empty(), "{:?}", resolved.faults);
    assert_eq!(resolver.rows(0), 2);
}
