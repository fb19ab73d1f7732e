//! Too many errors, too little memory, nothing to read yet, a sink that was lost: what a live process says, and what goes on.

use std::fs;

use super::project::*;
use crate::pipeline::binary::await_that;

#[test]
fn flood_of_errors_turns_ready_red_until_it_is_healed() {
    let folder = shop("flood");
    let unreadable: String =
        (10..1_310).map(|id| format!("{{\"id\":{id},\"status\":\"odd\",\"amount\":\"x\"}}\n")).collect();
    folder.append("orders.jsonl", &unreadable);
    let mut live = folder.serve(&[]);
    let reasons = await_that("the flood is told", || {
        let (status, reasons) = live.get("/readyz");
        (status == 503 && reasons.contains("flood")).then_some(reasons)
    });
    assert!(reasons.contains("1300 set aside, decode in raw.orders"), "{reasons}");
    assert_eq!(rows(&folder, "select count(*) from livemart_errors"), ["1000"], "the first of them are kept");
    assert_eq!(rows(&folder, "select total, kept from livemart_error_counts"), ["1300 1000"]);
    let healed: String = (10..1_310).map(|id| order(id, "well", 1)).collect();
    folder.append("orders.jsonl", &healed);
    live.await_ready();
    assert_eq!(rows(&folder, "select count(*) from livemart_errors"), ["0"]);
    assert_eq!(live.terminate().0, Some(0));
}

#[test]
fn reading_stops_near_the_limit_of_memory_and_metrics_go_on() {
    let folder = shop("memory");
    published(&folder);
    folder.replace("livemart.yml", "    clock:", "    memory_max: 4MiB\n    clock:");
    let mut live = folder.serve(&[]);
    let reasons = await_that("reading has stopped", || {
        let (status, reasons) = live.get("/readyz");
        (status == 503 && reasons.contains("reading has stopped")).then_some(reasons)
    });
    assert!(reasons.contains("memory_max 4 MiB") && reasons.contains("raw.orders"), "{reasons}");
    await_that("metrics go on", || {
        let (status, page) = live.get("/metrics");
        (status == 200 && page.contains("livemart_state_rows{table=\"raw.orders\"} 3")).then_some(())
    });
    assert_eq!(live.get("/healthz").0, 200);
    assert_eq!(live.terminate().0, Some(0));
}

#[test]
fn new_instance_without_any_record_publishes_its_empty_tables() {
    let folder = shop("empty");
    folder.write("orders.jsonl", "");
    let mut live = folder.serve(&[]);
    live.await_ready();
    assert_eq!(rows(&folder, "select * from by_status"), [] as [&str; 0]);
    assert_eq!(seq(&folder), "1", "ready means that there is a cut");
    assert_eq!(live.terminate().0, Some(0));
}

#[test]
fn sink_that_was_lost_is_filled_from_the_state_and_a_new_file_begins_anew() {
    let folder = shop("lostsink");
    published(&folder);
    let before = rows(&folder, "select * from by_status");
    for file in ["marts.db", "marts.db-wal", "marts.db-shm"] {
        let _ = fs::remove_file(folder.path(file)); // the journal may be gone already
    }
    published(&folder);
    assert_eq!(rows(&folder, "select * from by_status"), before);
    // Neither sink nor file are those of the state: there is nothing that it could be right about.
    fs::remove_file(folder.path("marts.db")).expect("the sink");
    folder.write("orders.jsonl", &order(9, "other", 1));
    let answer = folder.livemart(&["run"]);
    assert_ok(&answer);
    assert!(answer.err.contains("read anew"), "{answer:#?}");
    assert_eq!(rows(&folder, "select * from by_status"), ["other 1 1"]);
}

#[test]
fn column_that_nobody_reads_may_be_unreadable_until_somebody_does() {
    let folder = shop("unread");
    folder.replace("models/sources.yml", "{name: note, data_type: text}", "{name: note, data_type: boolean}");
    published(&folder);
    assert_eq!(rows(&folder, "select * from by_status"), ["new 1 50", "paid 2 300"]);
    assert_eq!(rows(&folder, "select count(*) from livemart_errors"), ["0"]);
    folder.append("orders.jsonl", "{\"id\":4,\"status\":\"new\",\"amount\":5,\"note\":true}\n");
    folder.write("models/notes.sql", "select id, note from {{ source('raw', 'orders') }}");
    published(&folder);
    assert_eq!(rows(&folder, "select * from notes"), ["1 1", "4 1"], "\"1\" is a boolean");
    let errors = rows(&folder, "select \"key\", column_name from livemart_errors");
    assert_eq!(errors, ["2 note", "3 note"], "now somebody does");
}

#[test]
fn folder_of_another_instance_is_refused_by_name() {
    let folder = shop("shared");
    published(&folder);
    let livemart = fs::read_to_string(folder.path("livemart.yml")).expect("a file");
    let other = livemart.replace("  dev:", "  other:").replace("marts.db", "others.db");
    let other = other.split_once("targets:").expect("targets").1.to_owned();
    folder.write("livemart.yml", &format!("{livemart}{other}    state: {{path: .livemart/dev/state}}\n"));
    let answer = folder.livemart(&["run", "--target", "other"]);
    assert_refused(&answer, 1, &["shop.dev", "shop.other", "state: {path"]);
}
