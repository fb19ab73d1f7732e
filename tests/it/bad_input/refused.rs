//! What is refused: one message that names the object and a way out, and nothing half written.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::project::*;
use crate::pipeline::binary::{Folder, await_that};

// What is refused while the project is read or planned.

#[test]
fn unknown_column_is_named_with_its_model() {
    let folder = shop("unknown-column");
    folder.write(
        "models/by_status.sql",
        "select statuz, count(*) as orders from {{ source('raw', 'orders') }} group by 1",
    );
    assert_run_refused(&folder, 1, &["by_status", "models/by_status.sql", "statuz"]);
}

#[test]
fn unknown_ref_is_named_with_its_model() {
    let folder = shop("unknown-ref");
    folder.write("models/large.sql", "select * from {{ ref('nowhere') }}");
    assert_run_refused(&folder, 2, &["large", "nowhere"]);
}

#[test]
fn unknown_source_is_named_with_its_model() {
    let folder = shop("unknown-source");
    folder.write("models/large.sql", "select * from {{ source('raw', 'ordrs') }}");
    assert_run_refused(&folder, 2, &["large", "raw.ordrs"]);
}

#[test]
fn unknown_relation_is_named_with_its_model() {
    let folder = shop("unknown-relation");
    folder.write("models/large.sql", "select * from elsewhere.orders");
    assert_run_refused(&folder, 1, &["large", "models/large.sql", "elsewhere.orders"]);
}

#[test]
fn models_that_read_each_other_are_named() {
    let folder = shop("cycle");
    folder.write("models/chicken.sql", "select * from {{ ref('egg') }}");
    folder.write("models/egg.sql", "select * from {{ ref('chicken') }}");
    assert_run_refused(&folder, 2, &["cycle", "chicken", "egg"]);
}

#[test]
fn sql_that_cannot_be_parsed_is_named_with_its_place() {
    let folder = shop("syntax");
    folder.write("models/large.sql", "select id\nfrom {{ source('raw', 'orders') }}\nwhere (amount > 1");
    assert_run_refused(&folder, 1, &["large", "models/large.sql"]);
}

#[test]
fn jinja_that_cannot_be_parsed_is_named_with_its_place() {
    let folder = shop("jinja");
    folder.write("models/large.sql", "select id\nfrom {{ source('raw', 'orders') }\nwhere amount > 1");
    assert_run_refused(&folder, 2, &["large", "models/large.sql"]);
}

#[test]
fn source_column_without_a_type_is_named() {
    let folder = shop("no-type");
    folder.replace("models/sources.yml", "{name: amount, data_type: bigint}", "{name: amount}");
    assert_run_refused(&folder, 1, &["raw.orders", "models/sources.yml", "\"amount\"", "data_type"]);
}

#[test]
fn source_that_the_target_does_not_place_is_named() {
    let folder = shop("no-place");
    folder.replace(
        "livemart.yml",
        "      raw: {connector: file, path: \"{table}.jsonl\", format: json, envelope: upsert}\n",
        "",
    );
    folder.replace("livemart.yml", "    sources:\n      raw.orders: {key: [id]}\n", "");
    assert_run_refused(&folder, 1, &["raw.orders", "'dev'", "livemart.yml"]);
}

#[test]
fn key_of_an_undeclared_column_is_named() {
    let folder = shop("bad-key");
    folder.replace("livemart.yml", "key: [id]", "key: [order_id]");
    assert_run_refused(&folder, 1, &["raw.orders", "\"order_id\"", "livemart.yml"]);
}

#[test]
fn the_time_of_each_row_is_refused_with_a_hint() {
    let folder = shop("now");
    folder.write("models/large.sql", "select id, clock_timestamp() as seen_at from {{ source('raw', 'orders') }}");
    assert_run_refused(&folder, 1, &["large", "models/large.sql", "clock_timestamp()", "now()"]);
    assert!(!folder.path("marts.db").exists());
}

#[test]
fn what_is_not_maintained_is_refused_by_name() {
    let folder = shop("rollup");
    folder.write(
        "models/large.sql",
        "select status, count(*) as orders from {{ source('raw', 'orders') }} group by rollup (status)",
    );
    assert_run_refused(&folder, 1, &["large", "models/large.sql", "ROLLUP"]);
}

#[test]
fn two_models_of_one_relation_are_both_named() {
    let folder = shop("twins");
    folder.write("models/other.sql", &format!("{{{{ config(alias='large') }}}}\n{LARGE}"));
    assert_run_refused(
        &folder,
        2,
        &["large", "model.shop.large (models/large.sql)", "model.shop.other (models/other.sql)"],
    );
}

#[test]
fn unknown_field_of_livemart_yml_is_refused_with_the_nearest() {
    let folder = shop("unknown-field");
    folder.replace("livemart.yml", "connector: file, path:", "connector: file, paht:");
    assert_run_refused(&folder, 2, &["livemart.yml:4", "'paht'", "did you mean 'path'?"]);
}

#[test]
fn unknown_target_is_refused_with_the_known() {
    let folder = shop("unknown-target");
    assert_refused(&folder.livemart(&["run", "--target", "prod"]), 2, &["livemart.yml", "'prod'", "dev"]);
    assert!(!folder.path("marts.db").exists());
}

#[test]
fn folder_without_a_project_is_said() {
    let folder = Folder::new("no-project");
    assert_run_refused(&folder, 2, &["dbt_project.yml"]);
}

#[test]
fn unknown_flag_is_a_usage_error() {
    let answer = shop("unknown-flag").livemart(&["run", "--selekt", "large"]);
    assert_eq!(answer.code, 2, "{answer:#?}");
    assert!(answer.err.contains("--selekt") && answer.err.contains("--select"), "{answer:#?}");
}

// What is refused when sources and sink are opened.

#[test]
fn missing_events_file_is_named() {
    let folder = shop("missing-file");
    fs::remove_file(folder.path("orders.jsonl")).expect("a file");
    assert_run_refused(&folder, 1, &["project/orders.jsonl", "livemart.yml"]);
}

#[test]
fn broker_that_is_not_there_is_one_error_soon() {
    let folder = shop("no-broker");
    // A port that nobody listens on: it was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    folder.replace(
        "livemart.yml",
        "{connector: file, path: \"{table}.jsonl\", format: json, envelope: upsert}",
        &format!(
            "{{connector: kafka, brokers: \"127.0.0.1:{port}\", topic: \"{{table}}\", format: json, envelope: upsert}}"
        ),
    );
    let started = Instant::now();
    assert_run_refused(&folder, 1, &[&format!("127.0.0.1:{port}")]);
    assert!(started.elapsed() < Duration::from_secs(20), "it took {:?}", started.elapsed());
}

#[test]
fn sink_below_a_file_is_refused() {
    let folder = shop("sink-below-file");
    folder.replace("livemart.yml", "path: marts.db", "path: orders.jsonl/marts.db");
    assert_run_refused(&folder, 1, &["project/orders.jsonl", "livemart.yml"]);
}

#[test]
fn sink_that_is_a_folder_is_refused() {
    let folder = shop("sink-is-folder");
    folder.replace("livemart.yml", "path: marts.db", "path: models");
    assert_run_refused(&folder, 1, &["project/models", "livemart.yml"]);
    let beside = fs::read_dir(folder.path(".")).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let beside: Vec<_> = beside.filter(|name| name.to_string_lossy().starts_with("models")).collect();
    assert_eq!(beside, ["models"], "nothing is left beside the folder");
}

#[test]
fn sink_that_is_no_database_is_refused_and_kept() {
    let folder = shop("sink-is-text");
    folder.write(
        "marts.db",
        "these are my notes, not a database; there must be enough of them to fill a header of a hundred bytes",
    );
    let before = fs::read(folder.path("marts.db")).expect("a file");
    assert_refused(&folder.livemart(&["run"]), 1, &["marts.db"]);
    assert_eq!(fs::read(folder.path("marts.db")).expect("a file"), before);
}

#[test]
fn relation_of_somebody_else_is_refused_until_adopted() {
    let folder = shop("foreign");
    let mine = "create table large (id bigint, amount bigint); insert into large values (2, 100), (9, 900);";
    database(&folder).execute_batch(mine).expect("a table of somebody else");
    assert_refused(&folder.livemart(&["run"]), 1, &["large", "not created by livemart", "--adopt"]);
    assert_eq!(rows(&folder, "select * from large"), ["2 100", "9 900"]);
    let tables = rows(&folder, "select name from sqlite_schema where type = 'table' and name not like 'livemart%'");
    assert_eq!(tables, ["large"], "no other model was published either");
    watch(&folder, "large");
    assert_ok(&folder.livemart(&["run", "--adopt"]));
    assert_eq!(rows(&folder, "select * from large"), ["2 100", "3 200"]);
    assert_eq!(touched(&folder), ["large delete 1", "large insert 1"], "only the difference was written");
}

#[test]
fn run_beside_a_live_serve_names_the_owner() {
    let folder = shop("owned");
    let mut live = folder.serve(&[]);
    live.await_ready();
    let seq_before = await_that("a first cut", || Some(seq(&folder)).filter(|seq| !seq.is_empty()));
    let answer = folder.livemart(&["run"]);
    assert_refused(&answer, 1, &["marts.db", &format!("pid {}", live.pid()), "shop.dev"]);
    assert_eq!(seq(&folder), seq_before);
    folder.append("orders.jsonl", &order(4, "new", 400));
    await_that("the owner goes on", || {
        rows(&folder, "select * from large").contains(&"4 400".to_owned()).then_some(())
    });
    let (code, said) = live.terminate();
    assert_eq!(code, Some(0), "{said}");
    published(&folder);
}

// What is refused because history was changed.

#[test]
fn file_that_was_rewritten_is_refused() {
    let folder = shop("rewritten");
    published(&folder);
    let before = everything(&folder);
    folder.write("orders.jsonl", &[order(1, "new", 51), order(2, "paid", 100), order(3, "paid", 200)].concat());
    assert_refused(&folder.livemart(&["run"]), 1, &["orders.jsonl"]);
    assert_eq!(everything(&folder), before);
}

#[test]
fn full_refresh_takes_the_sources_as_they_are_now() {
    let folder = shop("refreshed");
    published(&folder);
    let first = seq(&folder);
    watch(&folder, "by_status");
    watch(&folder, "large");
    folder.write("orders.jsonl", &[order(1, "new", 50), order(2, "paid", 101)].concat());
    let answer = folder.livemart(&["run"]);
    assert_refused(&answer, 1, &["orders.jsonl", "--full-refresh"]);
    assert_ok(&folder.livemart(&["run", "--full-refresh"]));
    assert_eq!(rows(&folder, "select * from by_status"), ["new 1 50", "paid 1 101"]);
    assert_eq!(rows(&folder, "select * from large"), ["2 101"]);
    assert_eq!(rows(&folder, "select position from livemart_progress"), ["2"]);
    assert!(!touched(&folder).iter().any(|what| what.starts_with("by_status insert")), "{:?}", touched(&folder));
    assert_ne!(seq(&folder), first);
    let before = everything(&folder);
    published(&folder);
    assert_eq!(everything(&folder), before);
}

#[test]
fn file_that_was_cut_short_is_refused() {
    let folder = shop("cut-short");
    published(&folder);
    let before = everything(&folder);
    folder.write("orders.jsonl", &order(1, "new", 50));
    assert_refused(&folder.livemart(&["run"]), 1, &["orders.jsonl"]);
    assert_eq!(everything(&folder), before);
}

#[test]
fn changed_model_that_is_not_selected_is_refused_by_name() {
    let folder = shop("changed-unselected");
    published(&folder);
    let before = everything(&folder);
    folder.replace("models/large.sql", ">= 100", ">= 10");
    assert_refused(&folder.livemart(&["run", "--select", "by_status"]), 1, &["large", "--select large"]);
    assert_eq!(everything(&folder), before);
}
