//! TLS and SCRAM to the broker whose address is in LIVEMART_TEST_KAFKA_SASL_SSL; LIVEMART_TEST_KAFKA_CA is the file of its authority.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use livemart::source::{Connector, OpenReader, Positions, SourceError, TableSource, Until, open_readers};

use super::kafka_source::{WAIT, create, fresh, producer, send, table, to_the_end};
use rdkafka::producer::Producer;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} must be set: start the parts anew with scripts/x parts"))
}

fn properties(mechanism: &str, password: &str) -> BTreeMap<String, String> {
    let ca = variable("LIVEMART_TEST_KAFKA_CA");
    [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanisms", mechanism),
        ("sasl.username", "app"),
        ("sasl.password", password),
        ("ssl.ca.location", &ca),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn open(topic: &str, properties: BTreeMap<String, String>) -> Result<OpenReader, SourceError> {
    let brokers = variable("LIVEMART_TEST_KAFKA_SASL_SSL");
    let connector = Connector::Kafka { brokers, topic: topic.into(), properties };
    let table = TableSource { connector, ..table(0, topic) };
    open_readers(vec![table], &Positions::new(), Until::End).map(|mut opened| opened.remove(0))
}

#[test]
fn kafka_records_come_through_tls_and_scram() {
    let topic = fresh("secure");
    create(&topic, 1);
    let producer = producer(None);
    send(&producer, &topic, 0, 7, Some("paid"));
    producer.flush(WAIT).expect("sent");
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256"] {
        let mut opened = open(&topic, properties(mechanism, "app-pw")).expect(mechanism);
        let (rows, _) = to_the_end(&mut *opened.reader);
        assert_eq!(rows, BTreeMap::from([(7, "paid".to_owned())]), "{mechanism}");
    }
}

#[test]
fn kafka_a_wrong_password_or_certificate_is_said_within_seconds() {
    let topic = fresh("locked");
    create(&topic, 1);
    let refused = |properties| {
        let started = Instant::now();
        let error = open(&topic, properties).expect_err("refused");
        assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
        (error.message.clone(), error.hint.unwrap_or_default())
    };
    let (message, hint) = refused(properties("SCRAM-SHA-512", "guessed"));
    assert!(hint.contains("sasl.password") && !message.contains("guessed"), "{message}: {hint}");
    let mut unknown = properties("SCRAM-SHA-512", "app-pw");
    unknown.remove("ssl.ca.location");
    let (message, hint) = refused(unknown);
    assert!(hint.contains("ssl.ca.location"), "{message}: {hint}");
    let (message, hint) = refused(BTreeMap::new());
    assert!(hint.contains("security.protocol"), "{message}: {hint}");
}
