//! The bench on a shop of sixty customers, so that it does not rot: what it generates, and that its engine run is right.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

// The bench uses all of these; a test uses parts.
#[allow(dead_code, unused_imports)]
#[path = "../../benches/in_process/mod.rs"]
mod in_process;
#[allow(dead_code)]
#[path = "../../benches/mart/mod.rs"]
mod mart;
#[allow(dead_code, unused_imports)]
#[path = "../../benches/measure/mod.rs"]
mod measure;
#[allow(dead_code)]
#[path = "../../benches/shop_stream/mod.rs"]
mod shop_stream;
#[allow(dead_code)]
#[path = "../../benches/ticks/mod.rs"]
mod ticks;
#[allow(dead_code)]
#[path = "../../benches/windows/mod.rs"]
mod windows;

use mart::{Query, Tables, cents, fingerprint, first_difference, read_events};
use shop_stream::{Size, Workload, workload};

const TINY: Size = Size { name: "tiny", customers: 60 };
const SEED: u64 = 42;
/// What the generator wrote and what came of it when this test was written.
const EVENTS: u64 = 5_833;
const EVENTS_HASH: u64 = 13_727_742_310_745_358_929;
const RESULT: u64 = 16_085_548_541_335_814_351;

/// A workload in a folder that goes when the test ends.
struct Tiny {
    workload: Workload,
    dir: PathBuf,
}

impl Tiny {
    fn new(test: &str) -> Tiny {
        let dir = std::env::temp_dir().join(format!("livemart-{test}-{}", std::process::id()));
        let workload = workload(&dir.join(TINY.name), TINY, SEED, &mut |_, _| {}).expect("a workload can be written");
        Tiny { workload, dir }
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        // What is left behind in the temporary folder does no harm.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn the_bench_computes_what_plain_hash_maps_compute() {
    let tiny = Tiny::new("bench");
    let events = tiny.workload.events_file();
    let read = read_events(&events).expect("the events can be read");
    let expected = Tables::of(&read).answers(&Query::ALL);
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/project");
    let deployment =
        in_process::deployment(&project, &events, &Query::ALL).expect("the bench's project can be planned");
    for workers in [1, 2] {
        let records = in_process::read_records(&deployment).expect("the events can be decoded");
        let outcome = in_process::run(&deployment, records, workers).expect("the engine runs");
        assert_eq!(first_difference(&expected, &outcome.answers), None, "with {workers} workers");
        assert_eq!(fingerprint(&outcome.answers), RESULT, "with {workers} workers");
    }
}

#[test]
fn a_day_moves_every_customer_and_a_minute_only_what_expires() {
    let outcome = ticks::run(600).expect("the engine runs");
    assert!(outcome.day_rows.iter().all(|rows| *rows == 600), "{outcome:?}");
    assert_eq!(outcome.expired, outcome.expired_by_hand);
    assert!(outcome.expired > 0, "{outcome:?}");
}

#[test]
fn windows_kept_current_are_windows_computed_again() {
    for function in windows::FUNCTIONS {
        let history = Arc::new(windows::History::new(300, 100));
        let engine = windows::Way::engine(function, 300).expect("the window can be planned");
        let (ours, _) = windows::run(&engine, &history, Duration::MAX);
        let (naive, _) = windows::run(&windows::Way::Naive(function), &history, Duration::MAX);
        assert_eq!(ours.fingerprint, naive.fingerprint, "{}", function.name());
        assert_eq!(ours.given, naive.given, "{}: rows are given out only where they change", function.name());
    }
}

#[test]
fn the_workload_is_the_same_everywhere() {
    let tiny = Tiny::new("workload");
    let summary = tiny.workload.summary;
    assert_eq!((summary.events, summary.hash), (EVENTS, EVENTS_HASH));
    let again = workload(&tiny.workload.dir, TINY, SEED, &mut |_, _| panic!("a whole folder is made again"));
    assert_eq!(again.expect("the folder can be read").summary, summary);
}

#[test]
fn the_final_tables_are_what_the_events_leave() {
    let tiny = Tiny::new("final");
    let mut tables: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for line in fs::read_to_string(tiny.workload.events_file()).expect("the events can be read").lines() {
        let mut event: Value = serde_json::from_str(line).expect("a line is JSON");
        let table = tables.entry(event["table"].as_str().expect("a table").to_owned()).or_default();
        let key = event["key"].to_string();
        let before = table.remove(&key).unwrap_or(Value::Null);
        assert_eq!(before, event["before"], "the row before {line}");
        match event["after"].take() {
            Value::Null => assert_eq!(event["op"], "d"),
            after => {
                table.insert(key, after);
            }
        }
    }
    assert_eq!(tables.len(), 5);
    for (name, rows) in tables {
        let csv = tiny.workload.dir.join("final").join(format!("{name}.csv"));
        let csv = fs::read_to_string(csv).expect("a final table can be read");
        let mut written: Vec<&str> = csv.lines().skip(1).collect();
        written.sort_unstable();
        let mut left: Vec<String> = rows.values().map(csv_line).collect();
        left.sort_unstable();
        assert_eq!(written, left, "{name}");
    }
}

#[test]
fn cents_are_read_however_many_digits_are_shown() {
    let read = ["12", "12.3", "12.34", "12.340", "-0.05", "1940.0"].map(cents);
    assert_eq!(read, [1_200, 1_230, 1_234, 1_234, -5, 194_000].map(Some));
    assert_eq!(["12.345", "", "1e3", "1.-1"].map(cents), [None; 4]);
}

fn csv_line(row: &Value) -> String {
    let fields = row.as_object().expect("a row is an object").values();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields.map(text).collect::<Vec<_>>().join(",")
}
