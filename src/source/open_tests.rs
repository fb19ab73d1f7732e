use super::*;
use crate::source::settings::Format;
use crate::source::testing::Sample;

fn folder() -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("livemart-open-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("created");
    for name in ["all.jsonl", "orders.jsonl", "customers.jsonl"] {
        std::fs::write(path.join(name), "").expect("written");
    }
    path
}

fn partitions(opened: &[OpenReader]) -> Vec<String> {
    let names = opened.iter().flat_map(|opened| &opened.partitions);
    names.map(|(source, path)| format!("{source} {}", path.rsplit('/').next().unwrap_or_default())).collect()
}

const TWO: &str = "orders *id:integer\ncustomers *id:integer";

#[test]
fn a_file_of_a_whole_source_is_read_once_under_its_name() {
    let connector = Connector::File { path: folder().join("all.jsonl"), topic: None };
    let sample = Sample::new(TWO).at(connector, Format::Json);
    let opened = open_readers(sample.tables, &Positions::new(), Until::End).expect("opened");
    assert_eq!(partitions(&opened), ["raw all.jsonl"]);
    assert_eq!(opened[0].tables, [(0, false), (1, false)]);
}

#[test]
fn files_of_single_tables_have_their_own_positions() {
    let mut sample = Sample::new(TWO);
    for table in &mut sample.tables {
        table.is_shared = false;
        table.connector = Connector::File { path: folder().join(format!("{}.jsonl", table.identifier)), topic: None };
    }
    let opened = open_readers(sample.tables, &Positions::new(), Until::End).expect("opened");
    assert_eq!(partitions(&opened), ["raw.customers customers.jsonl", "raw.orders orders.jsonl"]);
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let refuse = |table: &str, change: &dyn Fn(&mut TableSource)| {
        let mut sample = Sample::new(table);
        change(&mut sample.tables[0]);
        let error = open_readers(sample.tables, &Positions::new(), Until::End).expect_err(table);
        assert!(error.message.contains("raw.orders") && error.hint.is_some(), "{error}");
        error.message
    };
    assert!(refuse("orders(upsert) id:integer", &|_| {}).contains("no key"));
    assert!(refuse("orders *id:integer", &|table| table.format = Format::Csv).contains("CSV"));
    let unknown = |table: &mut TableSource| {
        table.encodings.insert("nothing".into(), crate::source::format::scalar::Encoding::Millis);
    };
    assert!(refuse("orders *id:integer", &unknown).contains("\"nothing\""));
}

#[test]
fn topics_shared_and_not_have_names_of_their_own() {
    let kafka =
        |topic: &str| Connector::Kafka { brokers: "b:1".into(), topic: topic.into(), properties: BTreeMap::new() };
    let names = |topics_of: [&str; 3]| {
        let mut sample = Sample::new("orders *id:integer\ncustomers *id:integer\nclicks *id:integer");
        for (table, topic) in sample.tables.iter_mut().zip(topics_of) {
            table.is_shared = false;
            table.connector = kafka(topic);
        }
        let named = topics(sample.tables);
        named.iter().map(|at| format!("{}: {}", at.topic, at.source)).collect::<Vec<_>>()
    };
    assert_eq!(names(["o", "c", "k"]), ["c: raw.customers", "k: raw.clicks", "o: raw.orders"]);
    assert_eq!(names(["all", "all", "k"]), ["all: raw", "k: raw.clicks"]);
}
