use std::io::Write;

use super::*;
use crate::source::settings::Connector;
use crate::source::testing::{Sample, show};
use crate::source::{Change, open_readers};

/// A folder of its own that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("livemart-file-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("created");
        Folder(path)
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).expect("written");
    }

    fn append(&self, file: &str, text: &str) {
        let mut file = std::fs::OpenOptions::new().append(true).open(self.0.join(file)).expect("opened");
        file.write_all(text.as_bytes()).expect("written");
    }

    fn sample(&self, file: &str) -> Sample {
        let format = if file.ends_with("csv") { Format::Csv } else { Format::Json };
        let connector = Connector::File { path: self.0.join(file), topic: None };
        Sample::new("orders(upsert) *id:integer status:text").at(connector, format)
    }

    fn open(&self, file: &str, from: &Positions, until: Until) -> Result<OpenReader, SourceError> {
        let mut opened = open_readers(self.sample(file).tables, from, until)?;
        assert_eq!(opened.len(), 1);
        Ok(opened.remove(0))
    }

    fn path(&self, file: &str) -> String {
        self.0.join(file).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn line(id: u64) -> String {
    format!("{{\"id\":{id},\"status\":\"s{id}\"}}\n")
}

fn lines(ids: std::ops::Range<u64>) -> String {
    ids.map(line).collect()
}

/// Polls to the end, or until nothing comes; gives the ids and the last (position, mark) of each partition.
fn drain(reader: &mut dyn Reader) -> (Vec<i64>, BTreeMap<String, (u64, String)>) {
    let (mut ids, mut positions) = (Vec::new(), BTreeMap::new());
    while let Poll::Batch(batch) = reader.poll(Duration::from_millis(60)).expect("read") {
        for record in &batch.records {
            let Change::Upsert { key, .. } = &record.change else { panic!("{record:?}") };
            ids.push(key.iter().next().expect("an id").unwrap_int());
        }
        positions.insert(batch.partition.to_string(), (batch.position, batch.mark));
    }
    (ids, positions)
}

fn from(positions: &BTreeMap<String, (u64, String)>) -> Positions {
    positions.iter().map(|(partition, at)| (("raw.orders".to_string(), partition.clone()), at.clone())).collect()
}

#[test]
fn a_last_line_without_its_end_is_not_consumed() {
    let folder = Folder::new("last");
    folder.write("a.jsonl", &format!("{}{}", lines(0..3), "{\"id\":3"));
    let mut opened = folder.open("a.jsonl", &Positions::new(), Until::End).expect("opened");
    let (ids, positions) = drain(&mut *opened.reader);
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(positions[&folder.path("a.jsonl")].0, 3);
    assert!(matches!(opened.reader.poll(Duration::ZERO), Ok(Poll::End)));
}

#[test]
fn the_end_is_the_one_at_opening() {
    let folder = Folder::new("end");
    folder.write("a.jsonl", &lines(0..2));
    let mut opened = folder.open("a.jsonl", &Positions::new(), Until::End).expect("opened");
    folder.append("a.jsonl", &lines(2..4));
    assert_eq!(drain(&mut *opened.reader).0, [0, 1]);
}

#[test]
fn a_followed_file_is_read_as_it_grows() {
    let folder = Folder::new("grows");
    folder.write("a.jsonl", &lines(0..1));
    let mut opened = folder.open("a.jsonl", &Positions::new(), Until::Stopped).expect("opened");
    assert_eq!(drain(&mut *opened.reader).0, [0]);
    folder.append("a.jsonl", "{\"id\":1,\"sta");
    assert_eq!(drain(&mut *opened.reader).0, [0; 0]);
    folder.append("a.jsonl", &format!("tus\":\"x\"}}\n{}", line(2)));
    assert_eq!(drain(&mut *opened.reader).0, [1, 2]);
}

#[test]
fn reading_goes_on_where_it_stopped() {
    let folder = Folder::new("goes-on");
    folder.write("a.jsonl", &lines(0..5));
    let mut opened = folder.open("a.jsonl", &Positions::new(), Until::End).expect("opened");
    let (_, positions) = drain(&mut *opened.reader);
    folder.append("a.jsonl", &lines(5..7));
    let mut opened = folder.open("a.jsonl", &from(&positions), Until::End).expect("opened");
    let (ids, after) = drain(&mut *opened.reader);
    assert_eq!(ids, [5, 6]);
    let mut whole = folder.open("a.jsonl", &Positions::new(), Until::End).expect("opened");
    assert_eq!(drain(&mut *whole.reader).1, after, "position and mark are those of reading it in one go");
    let (position, mark) = &after[&folder.path("a.jsonl")];
    prefix::verify(&folder.0.join("a.jsonl"), Format::Json, *position, mark).expect("unchanged");
}

#[test]
fn a_rewritten_file_is_noticed() {
    let folder = Folder::new("rewritten");
    folder.write("a.jsonl", &lines(0..5));
    let mut opened = folder.open("a.jsonl", &Positions::new(), Until::End).expect("opened");
    let (_, positions) = drain(&mut *opened.reader);
    folder.write("a.jsonl", &lines(1..7));
    let error = folder.open("a.jsonl", &from(&positions), Until::End).expect_err("rewritten");
    assert!(error.message.contains("a.jsonl") && error.message.contains("first 5 records"), "{error}");
    assert!(error.hint.expect("a hint").contains("--full-refresh"));
    folder.write("a.jsonl", &lines(0..4));
    let error = folder.open("a.jsonl", &from(&positions), Until::End).expect_err("cut");
    assert!(error.message.contains("shorter than what was read"), "{error}");
    std::fs::remove_file(folder.0.join("a.jsonl")).expect("removed");
    let error = folder.open("a.jsonl", &from(&positions), Until::End).expect_err("removed");
    assert!(error.message.contains("could not read") && error.hint.is_some(), "{error}");
}

#[test]
fn a_file_that_is_cut_or_replaced_while_it_is_followed_is_an_error() {
    let folder = Folder::new("cut");
    folder.write("a.jsonl", &lines(0..5));
    let mut opened = folder.open("a.jsonl", &Positions::new(), Until::Stopped).expect("opened");
    drain(&mut *opened.reader);
    folder.write("a.jsonl", &lines(0..1));
    let error = opened.reader.poll(Duration::from_millis(100)).expect_err("cut");
    assert!(error.message.contains("became shorter"), "{error}");
    let mut opened = folder.open("a.jsonl", &Positions::new(), Until::Stopped).expect("opened");
    drain(&mut *opened.reader);
    folder.write("b.jsonl", &lines(0..9));
    std::fs::rename(folder.0.join("b.jsonl"), folder.0.join("a.jsonl")).expect("renamed");
    let error = opened.reader.poll(Duration::from_millis(100)).expect_err("replaced");
    assert!(error.message.contains("was replaced"), "{error}");
}

#[test]
fn a_glob_has_a_partition_per_file_and_finds_new_ones() {
    let folder = Folder::new("glob");
    folder.write("1.jsonl", &lines(0..2));
    folder.write("2.jsonl", &lines(2..3));
    let mut opened = folder.open("*.jsonl", &Positions::new(), Until::Stopped).expect("opened");
    assert_eq!(opened.tables, [(0, true)], "a key may come in several files");
    let (ids, positions) = drain(&mut *opened.reader);
    assert_eq!((ids, positions.len()), (vec![0, 1, 2], 2));
    folder.write("3.jsonl", &lines(3..4));
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut found = Vec::new();
    while found.is_empty() && Instant::now() < deadline {
        found = drain(&mut *opened.reader).0;
    }
    assert_eq!(found, [3]);
}

#[test]
fn what_is_not_there_is_named() {
    let folder = Folder::new("missing");
    let error = folder.open("a.jsonl", &Positions::new(), Until::Stopped).expect_err("missing");
    assert!(error.message.contains("a.jsonl") && error.hint.is_some(), "{error}");
    let error = folder.open("*.jsonl", &Positions::new(), Until::End).expect_err("missing");
    assert!(error.message.contains("no file matches"), "{error}");
    std::fs::create_dir(folder.0.join("dir.jsonl")).expect("created");
    let error = folder.open("dir.jsonl", &Positions::new(), Until::End).expect_err("a folder");
    assert!(error.message.contains("is not a file"), "{error}");
}

#[test]
fn batches_are_bounded() {
    let folder = Folder::new("batches");
    folder.write("a.jsonl", &lines(0..10_000));
    let mut opened = folder.open("a.jsonl", &Positions::new(), Until::End).expect("opened");
    let mut sizes = Vec::new();
    while let Poll::Batch(batch) = opened.reader.poll(Duration::ZERO).expect("read") {
        sizes.push(batch.records.len());
    }
    assert_eq!(sizes, [BATCH_RECORDS_MAX, BATCH_RECORDS_MAX, 10_000 - 2 * BATCH_RECORDS_MAX]);
}

#[test]
fn csv_records_are_counted_without_the_header() {
    let folder = Folder::new("csv");
    folder.write("a.csv", "status,id\r\n\"two\nlines\",1\r\nx,2\r\n");
    let mut opened = folder.open("a.csv", &Positions::new(), Until::End).expect("opened");
    let Poll::Batch(batch) = opened.reader.poll(Duration::ZERO).expect("read") else { panic!("no batch") };
    let sample = folder.sample("a.csv");
    let shown: Vec<String> = batch.records.iter().map(|record| show(&sample, record)).collect();
    assert_eq!(shown, ["0 upsert orders 1 = 1 two\nlines", "1 upsert orders 2 = 2 x"]);
    assert_eq!(batch.position, 2);
    folder.append("a.csv", "y,3\n");
    let positions = Positions::from([(("raw.orders".into(), folder.path("a.csv")), (batch.position, batch.mark))]);
    let mut opened = folder.open("a.csv", &positions, Until::End).expect("opened");
    assert_eq!(drain(&mut *opened.reader).0, [3], "the header is known without its record coming again");
    folder.write("a.csv", "id\n1\n");
    let mut opened = folder.open("a.csv", &Positions::new(), Until::End).expect("opened");
    let error = opened.reader.poll(Duration::ZERO).expect_err("no status");
    assert!(error.message.contains("no column \"status\""), "{error}");
}
