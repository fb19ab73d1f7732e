//! Partitions and topics that come while they are followed, and offsets that go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use livemart::source::{Connector, OpenReader, Poll, Positions, Resolved, Resolver, TableSource, Until, open_readers};
use rdkafka::admin::NewPartitions;
use rdkafka::producer::Producer;

use super::kafka_source::{WAIT, admin, brokers, create, fresh, producer, send, table};

/// Reads until so many records have come.
fn read(opened: &mut OpenReader, resolver: &mut Resolver, count: usize) -> BTreeSet<String> {
    let (begun, mut seen, mut partitions) = (Instant::now(), 0, BTreeSet::new());
    let mut resolved = Resolved::default();
    while seen < count {
        assert!(begun.elapsed() < WAIT, "{seen} of {count} records have come");
        if let Poll::Batch(batch) = opened.reader.poll(Duration::from_millis(50)).expect("read") {
            seen += batch.records.len();
            partitions.insert(batch.partition.to_string());
            resolver.resolve_batch(batch, &mut resolved);
        }
    }
    assert_eq!(seen, count);
    assert!(resolved.faults.is_empty(), "{:?}", resolved.faults);
    partitions
}

#[test]
fn kafka_partitions_that_are_added_are_read_from_their_beginning() {
    let topic = fresh("growing");
    create(&topic, 1);
    let source = table(0, &topic);
    let mut resolver = Resolver::new(std::slice::from_ref(&source.spec), []);
    let mut opened = open_readers(vec![source], &Positions::new(), Until::Stopped).expect("opened").remove(0);
    let producer = producer(None);
    send(&producer, &topic, 0, 1, Some("new"));
    send(&producer, &topic, 0, 2, Some("new"));
    producer.flush(WAIT).expect("sent");
    read(&mut opened, &mut resolver, 2);
    admin(async |client, options| {
        let more = NewPartitions::new(&topic, 3);
        client.create_partitions([&more], options).await.expect("answered").remove(0).expect("created");
    });
    let deadline = Instant::now() + WAIT;
    for (partition, id) in [(1, 1), (2, 3), (0, 4)] {
        // The producer, too, learns of them in a while.
        while producer.client().fetch_metadata(Some(&topic), WAIT).expect("told").topics()[0].partitions().len() < 3 {
            assert!(Instant::now() < deadline, "the partitions did not come");
        }
        send(&producer, &topic, partition, id, Some("paid"));
    }
    producer.flush(WAIT).expect("sent");
    let partitions = read(&mut opened, &mut resolver, 3);
    assert_eq!(partitions, ["0", "1", "2"].map(str::to_owned).into());
    assert_eq!(resolver.rows(0), 4);
}

#[test]
fn kafka_topics_that_match_a_pattern_are_found_while_it_is_followed() {
    let prefix = fresh("shard").replace('-', "_");
    let name = |number: usize| format!("{prefix}.{number}");
    create(&name(1), 1);
    let topic = format!("^{prefix}\\..*");
    let connector = Connector::Kafka { brokers: brokers(), topic, properties: BTreeMap::new() };
    let source = TableSource { connector, ..table(0, "any") };
    let mut resolver = Resolver::new(std::slice::from_ref(&source.spec), [0]);
    let mut opened = open_readers(vec![source.clone()], &Positions::new(), Until::Stopped).expect("opened").remove(0);
    assert_eq!(opened.tables, [(0, true)], "records come in several partitions");
    let producer = producer(None);
    send(&producer, &name(1), 0, 1, Some("new"));
    producer.flush(WAIT).expect("sent");
    read(&mut opened, &mut resolver, 1);
    create(&name(2), 1);
    send(&producer, &name(2), 0, 2, Some("new"));
    producer.flush(WAIT).expect("sent");
    assert_eq!(read(&mut opened, &mut resolver, 1), [format!("{}:0", name(2))].into());
    assert_eq!(resolver.rows(0), 2);
    let mut again = open_readers(vec![source], &Positions::new(), Until::End).expect("opened").remove(0);
    assert_eq!(again.partitions.len(), 2);
    assert_eq!(super::kafka_source::to_the_end(&mut *again.reader).0.len(), 2);
}

#[test]
fn kafka_records_that_are_gone_before_they_were_read_stop_the_reader() {
    let topic = fresh("forgotten");
    create(&topic, 1);
    let producer = producer(None);
    // Little is fetched ahead, so that the client has to ask for what is gone.
    let properties = BTreeMap::from([("queued.max.messages.kbytes".to_owned(), "512".to_owned())]);
    let connector = Connector::Kafka { brokers: brokers(), topic: topic.clone(), properties };
    let source = TableSource { connector, ..table(0, &topic) };
    let mut opened = open_readers(vec![source], &Positions::new(), Until::Stopped).expect("opened").remove(0);
    let gate = livemart::source::Gate::at(BTreeMap::new());
    opened.reader.wait_at(gate.clone());
    let filler = "x".repeat(60_000);
    for id in 0..300 {
        send(&producer, &topic, 0, id, Some(&filler));
        if id % 50 == 0 {
            producer.flush(WAIT).expect("sent");
        }
    }
    producer.flush(WAIT).expect("sent");
    super::pipeline::parts::delete_records(&topic, 0, 295);
    gate.let_all_go();
    let begun = Instant::now();
    let mut offsets = Vec::new();
    let error = loop {
        assert!(begun.elapsed() < 2 * WAIT, "{} records came and no error", offsets.len());
        match opened.reader.poll(Duration::from_millis(50)) {
            Ok(Poll::Batch(batch)) => offsets.extend(batch.records.iter().map(|record| record.offset)),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(offsets.iter().enumerate().all(|(at, offset)| at as u64 == *offset), "none is skipped");
    assert!(error.message.contains(&topic), "{error}");
    assert!(error.hint.expect("a hint").contains("--resnapshot"));
}
