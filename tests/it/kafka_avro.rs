//! Captured Avro messages through a real broker, with their schemas at a registry that comes and goes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use livemart::source::{
    Connector, Envelope, Format, Poll, Positions, RegistrySettings, Resolved, Resolver, SourceColumn, TableSource,
    Until, open_readers,
};
use rdkafka::producer::{BaseRecord, Producer};
use row::ScalarType;
use serde_json::Value as Json;

use super::kafka_source::{WAIT, brokers, create, fresh, producer, table};

/// The schemas of a capture by HTTP, as a registry gives them, while `is_up`.
struct Registry {
    url: String,
    is_up: Arc<AtomicBool>,
}

impl Registry {
    fn start(schemas: Json) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let is_up = Arc::new(AtomicBool::new(true));
        let up = is_up.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &schemas, up.load(Ordering::SeqCst));
            }
        });
        Registry { url, is_up }
    }
}

fn answer(mut stream: TcpStream, schemas: &Json, is_up: bool) {
    let lines = BufReader::new(stream.try_clone().expect("cloned")).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let schema = path.strip_prefix("/schemas/ids/").and_then(|id| schemas.get(id)?.get("schema"));
    let (status, body) = match (is_up, path, schema) {
        (false, _, _) => (503, "{}".to_owned()),
        (true, "/subjects", _) => (200, "[]".to_owned()),
        (true, _, Some(schema)) => (200, serde_json::json!({ "schema": schema }).to_string()),
        (true, _, None) => (404, r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned()),
    };
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let _ = stream.write_all(head.as_bytes());
}

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
