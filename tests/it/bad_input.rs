//! What users do wrong, and what happens then: one message that names the object and a way out, and nothing half written.
//!
//! Each test is a small project of files and SQLite. Situations that look wrong and are right stand below those that are refused.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::pipeline::binary::{Answer, Folder, await_that};

const SOURCES: &str = "version: 2
sources:
  - name: raw
    tables:
      - name: orders
        columns:
          - {name: id, data_type: bigint}
          - {name: status, data_type: text}
          - {name: amount, data_type: bigint}
          - {name: note, data_type: text}
";
const LIVEMART: &str = "targets:
  dev:
    sources:
      raw: {connector: file, path: \"{table}.jsonl\", format: json, envelope: upsert}
      raw.orders: {key: [id]}
    sink: {type: sqlite, path: marts.db}
    clock: {mode: event}
";
const BY_STATUS: &str =
    "select status, count(*) as orders, sum(amount) as amount from {{ source('raw', 'orders') }} group by status";
const LARGE: &str = "select id, amount from {{ source('raw', 'orders') }} where amount >= 100";

/// Two tables over one source of three orders.
fn shop(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder
        .write("dbt_project.yml", "name: shop\nversion: '1.0.0'\nconfig-version: 2\nmodels:\n  +materialized: table\n");
    folder.write("livemart.yml", LIVEMART);
    folder.write("models/sources.yml", SOURCES);
    folder.write("models/by_status.sql", BY_STATUS);
    folder.write("models/large.sql", LARGE);
    folder.write("orders.jsonl", &[order(1, "new", 50), order(2, "paid", 100), order(3, "paid", 200)].concat());
    folder
}

fn order(id: i64, status: &str, amount: i64) -> String {
    format!("{{\"id\":{id},\"status\":\"{status}\",\"amount\":{amount},\"note\":\"{id}\"}}\n")
}

/// The command failed with one message that holds all these words: before anything ran, or as the failure of every model, as dbt
/// prints it.
fn assert_refused(answer: &Answer, code: i32, words: &[&str]) {
    assert_eq!(answer.code, code, "{answer:#?}");
    assert!(!answer.err.contains("panicked"), "{answer:#?}");
    // Lines without the time of day; a failed model has its message below its name, up to an empty line.
    let lines: Vec<&str> = answer.err.lines().map(|line| line.get(10..).unwrap_or("").trim()).collect();
    let refusals = answer.err.matches("Encountered an error:").count();
    let message = if refusals == 0 {
        let failures = lines
            .split(|line| line.is_empty())
            .filter(|block| block.first().is_some_and(|line| line.starts_with("Failure in model ")));
        let messages: BTreeSet<String> = failures.map(|block| block[1..].join("\n")).collect();
        assert_eq!(messages.len(), 1, "one message: {answer:#?}");
        messages.into_iter().next().expect("one")
    } else {
        assert_eq!(refusals, 1, "one message: {answer:#?}");
        answer.err.split_once("Encountered an error:").expect("counted above").1.to_owned()
    };
    for word in words {
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
    assert!(message.len() < 1_500, "a message that nobody reads: {message}");
}

/// `run` is refused and leaves no trace of a sink.
fn assert_run_refused(folder: &Folder, code: i32, words: &[&str]) {
    assert_refused(&folder.livemart(&["run"]), code, words);
    let left: Vec<String> = fs::read_dir(folder.path("."))
        .expect("the project's folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("marts"))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

fn assert_ok(answer: &Answer) {
    assert_eq!(answer.code, 0, "{answer:#?}");
}

fn published(folder: &Folder) {
    assert_ok(&folder.livemart(&["run"]));
}

fn database(folder: &Folder) -> Connection {
    let connection = Connection::open(folder.path("marts.db")).expect("a database");
    connection.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    connection
}

/// The rows of a query as text, sorted.
fn rows(folder: &Folder, sql: &str) -> Vec<String> {
    let connection = database(folder);
    let mut statement = connection.prepare(sql).unwrap_or_else(|cause| panic!("{sql}: {cause}"));
    let columns = statement.column_count();
    let mut rows = statement
        .query_map([], |row| {
            let cells: Result<Vec<String>, _> = (0..columns).map(|column| row.get_ref(column).map(text)).collect();
            Ok(cells?.join(" "))
        })
        .and_then(Iterator::collect::<Result<Vec<String>, _>>)
        .unwrap_or_else(|cause| panic!("{sql}: {cause}"));
    rows.sort();
    rows
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".into(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(value) | ValueRef::Blob(value) => String::from_utf8_lossy(value).into_owned(),
    }
}

fn seq(folder: &Folder) -> String {
    rows(folder, "select seq from livemart_cut").concat()
}

/// Everything that is published, but for the name of the last owner.
fn everything(folder: &Folder) -> Vec<String> {
    let tables = rows(folder, "select name from sqlite_schema where type = 'table'");
    let mut all = rows(folder, "select instance, seq, clock, committed_at from livemart_cut");
    for table in tables.iter().filter(|table| *table != "livemart_cut") {
        all.extend(rows(folder, &format!("select * from \"{table}\"")).iter().map(|row| format!("{table}: {row}")));
    }
    all
}

/// From now on every row of `table` that is written is noted in `touched`.
fn watch(folder: &Folder, table: &str) {
    let triggers: Vec<String> = ["insert", "update", "delete"]
        .iter()
        .map(|verb| {
            format!(
                "create trigger {table}_{verb} after {verb} on {table} begin insert into touched values ('{table} {verb}'); end;"
            )
        })
        .collect();
    database(folder)
        .execute_batch(&format!("create table if not exists touched (what text); {}", triggers.concat()))
        .expect("triggers");
}

fn touched(folder: &Folder) -> Vec<String> {
    rows(folder, "select what, count(*) from touched group by what")
}

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
fn now_is_refused_with_a_hint() {
    let folder = shop("now");
    folder.write("models/large.sql", "select id, now() as seen_at from {{ source('raw', 'orders') }}");
    let answer = folder.livemart(&["run"]);
    assert_refused(&answer, 1, &["large", "models/large.sql", "now()"]);
    let message = answer.err.split_once("now()").expect("asserted above").1;
    let lines = message.lines().filter(|line| line.trim().len() > 10).count();
    assert!(lines >= 1, "a hint follows the message: {}", answer.err);
    assert!(!folder.path("marts.db").exists());
}

#[test]
fn window_function_is_refused_by_name() {
    let folder = shop("window");
    folder.write(
        "models/large.sql",
        "select id, ntile(4) over (partition by status order by amount) as quarter from {{ source('raw', 'orders') }}",
    );
    assert_run_refused(&folder, 1, &["large", "models/large.sql", "ntile"]);
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
    let seq_before = seq(&folder);
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

// What works.

#[test]
fn running_again_publishes_nothing() {
    let folder = shop("twice");
    published(&folder);
    watch(&folder, "by_status");
    watch(&folder, "large");
    let before = everything(&folder);
    published(&folder);
    assert_eq!(everything(&folder), before);
    assert_eq!(touched(&folder), [] as [&str; 0]);
}

#[test]
fn grown_file_moves_only_what_changed() {
    let folder = shop("grown");
    published(&folder);
    watch(&folder, "by_status");
    watch(&folder, "large");
    let first = seq(&folder);
    let half = order(5, "paid", 500);
    let (begun, rest) = half.split_at(20);
    folder.append("orders.jsonl", &(order(4, "new", 7) + begun));
    published(&folder);
    assert_eq!(rows(&folder, "select * from by_status"), ["new 2 57", "paid 2 300"], "a half line is no record yet");
    assert!(touched(&folder).iter().all(|what| what.starts_with("by_status")), "{:?}", touched(&folder));
    folder.append("orders.jsonl", rest);
    published(&folder);
    assert_eq!(rows(&folder, "select * from by_status"), ["new 2 57", "paid 3 800"]);
    assert_eq!(rows(&folder, "select * from large"), ["2 100", "3 200", "5 500"]);
    assert_eq!(rows(&folder, "select position from livemart_progress"), ["5"]);
    assert_ne!(seq(&folder), first);
}

#[test]
fn changed_model_is_corrected_by_its_difference() {
    let folder = shop("changed");
    published(&folder);
    watch(&folder, "by_status");
    watch(&folder, "large");
    folder.replace("models/large.sql", ">= 100", "> 100");
    published(&folder);
    assert_eq!(rows(&folder, "select * from large"), ["3 200"]);
    assert_eq!(touched(&folder), ["large delete 1"]);
}

#[test]
fn model_that_gains_a_column_keeps_its_table() {
    let folder = shop("column");
    published(&folder);
    watch(&folder, "by_status");
    database(&folder).execute_batch("create view on_top as select id from large").expect("a view of a BI tool");
    folder.replace("models/large.sql", "select id, amount", "select id, amount, status");
    published(&folder);
    assert_eq!(rows(&folder, "select id, amount, status from large"), ["2 100 paid", "3 200 paid"]);
    assert_eq!(rows(&folder, "select * from on_top"), ["2", "3"]);
    assert_eq!(touched(&folder), [] as [&str; 0], "the other table was left alone");
}

#[test]
fn malformed_record_is_set_aside_and_heals() {
    let folder = shop("malformed");
    folder.append("orders.jsonl", "{\"id\":1,\"status\":\"paid\",\"amount\":\"many\"}\n");
    folder.append("orders.jsonl", "{\"id\":4,\"status\":\"paid\",\n");
    folder.append("orders.jsonl", &order(5, "new", 500));
    published(&folder);
    let errors = "select kind, source, position, column_name, key from livemart_errors";
    assert_eq!(rows(&folder, "select * from by_status"), ["new 2 550", "paid 2 300"], "order 1 keeps what it had");
    let set_aside = rows(&folder, errors);
    assert_eq!(set_aside.len(), 2, "{set_aside:?}");
    assert!(set_aside[0].starts_with("decode raw.orders 3 amount"), "{set_aside:?}");
    assert!(set_aside[1].starts_with("decode raw.orders 4 null"), "{set_aside:?}");
    folder.append("orders.jsonl", &order(1, "paid", 60));
    published(&folder);
    assert_eq!(rows(&folder, "select * from by_status"), ["new 1 500", "paid 3 360"]);
    let healed = rows(&folder, errors);
    assert_eq!(healed.len(), 1, "the record without a key stays: {healed:?}");
    assert_eq!(rows(&folder, "select total, kept from livemart_error_counts"), ["1 1"]);
}

#[test]
fn failing_expression_is_set_aside_and_heals() {
    let folder = shop("expression");
    folder.write("models/notes.sql", "select id, cast(note as bigint) as n from {{ source('raw', 'orders') }}");
    folder.append("orders.jsonl", "{\"id\":4,\"status\":\"new\",\"amount\":4,\"note\":\"four\"}\n");
    published(&folder);
    assert_eq!(rows(&folder, "select * from notes"), ["1 1", "2 2", "3 3"]);
    assert_eq!(rows(&folder, "select * from by_status"), ["new 2 54", "paid 2 300"], "other models have the row");
    let errors = rows(&folder, "select kind, model, reason from livemart_errors");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("expression model.shop.notes") && errors[0].contains("four"), "{errors:?}");
    folder.append("orders.jsonl", &order(4, "new", 4));
    published(&folder);
    assert_eq!(rows(&folder, "select * from notes"), ["1 1", "2 2", "3 3", "4 4"]);
    assert_eq!(rows(&folder, "select * from livemart_errors"), [] as [&str; 0]);
}

fn test_of_status(severity: &str) -> String {
    format!(
        "version: 2\nmodels:\n  - name: by_status\n    columns:\n      - name: status\n        data_tests:\n          \
         - accepted_values: {{arguments: {{values: [paid]}}, config: {{severity: {severity}}}}}\n"
    )
}

#[test]
fn build_fails_when_a_test_fails() {
    let folder = shop("build");
    folder.write("models/tests.yml", &test_of_status("error"));
    let answer = folder.livemart(&["build"]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert!(answer.err.contains("FAIL 1 accepted_values_by_status_status__paid"), "{answer:#?}");
    assert!(answer.err.contains("ERROR=1"), "{answer:#?}");
    assert_eq!(
        rows(&folder, "select * from by_status"),
        ["new 1 50", "paid 2 300"],
        "a test reports, it does not hold back"
    );
    let tests = rows(&folder, "select test, model, severity, failures from livemart_tests");
    assert_eq!(tests, ["accepted_values_by_status_status__paid by_status error 1"]);
    let answer = folder.livemart(&["test"]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    folder.append("orders.jsonl", &order(1, "paid", 50));
    assert_ok(&folder.livemart(&["build"]));
    assert_ok(&folder.livemart(&["test"]));
    assert_eq!(rows(&folder, "select failures from livemart_tests"), ["0"]);
}

#[test]
fn build_passes_when_a_test_only_warns() {
    let folder = shop("build-warns");
    folder.write("models/tests.yml", &test_of_status("warn"));
    let answer = folder.livemart(&["build"]);
    assert_ok(&answer);
    assert!(answer.err.contains("WARN=1"), "{answer:#?}");
    assert_eq!(rows(&folder, "select severity, failures from livemart_tests"), ["warn 1"]);
}

#[test]
fn test_before_anything_is_published_says_what_to_do() {
    let folder = shop("test-first");
    folder.write("models/tests.yml", &test_of_status("error"));
    assert_refused(&folder.livemart(&["test"]), 1, &["marts.db", "shop.dev", "livemart run"]);
    assert!(!folder.path("marts.db").exists());
}

#[test]
fn reading_verbs_work_beside_a_live_serve() {
    let folder = shop("beside");
    folder.write("models/tests.yml", &test_of_status("error"));
    folder.replace("orders.jsonl", "\"new\"", "\"paid\"");
    let mut live = folder.serve(&[]);
    live.await_ready();

    let answer = folder.livemart(&["ls"]);
    assert_ok(&answer);
    let listed = "shop.accepted_values_by_status_status__paid\nshop.by_status\nshop.large\nsource:shop.raw.orders\n";
    let mut lines: Vec<&str> = answer.out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.join("\n") + "\n", listed);

    assert_ok(&folder.livemart(&["compile"]));
    let compiled = fs::read_to_string(folder.path("target/compiled/shop/models/large.sql")).expect("compiled");
    assert!(compiled.contains("\"raw\".\"orders\" where amount >= 100"), "{compiled}");

    let sql = "select sum(amount) as amount from {{ ref('large') }}";
    let answer = folder.livemart(&["show", "--inline", sql]);
    assert_ok(&answer);
    assert_eq!(answer.out.lines().skip(1).collect::<Vec<_>>(), ["| amount |", "| ------ |", "| 300    |"]);

    let answer = folder.livemart(&["show", "--select", "large", "--output", "json"]);
    assert_ok(&answer);
    let shown: serde_json::Value = serde_json::from_str(&answer.out).expect("nothing but JSON on stdout");
    let expected = serde_json::json!({"node": "large", "show": [{"id": 2, "amount": 100}, {"id": 3, "amount": 200}]});
    assert_eq!(shown, expected);

    assert_ok(&folder.livemart(&["test"]));
    folder.append("orders.jsonl", &order(4, "lost", 1));
    await_that("the order is published", || {
        rows(&folder, "select status from by_status").contains(&"lost".to_owned()).then_some(())
    });
    let answer = folder.livemart(&["test"]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert_eq!(rows(&folder, "select failures from livemart_tests"), ["1"]);
    let (code, said) = live.terminate();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn selection_of_nothing_is_a_warning() {
    let folder = shop("nothing");
    let answer = folder.livemart(&["run", "--select", "tag:none"]);
    assert_ok(&answer);
    assert!(answer.err.contains("Nothing to do"), "{answer:#?}");
    assert!(!folder.path("marts.db").exists());
}

#[test]
fn selected_model_is_deployed_and_the_others_go_on() {
    let folder = shop("selected");
    assert_ok(&folder.livemart(&["run", "--select", "large"]));
    assert_eq!(rows(&folder, "select model from livemart_models"), ["model.shop.large"]);
    folder.append("orders.jsonl", &order(4, "new", 400));
    assert_ok(&folder.livemart(&["run", "--select", "by_status"]));
    assert_eq!(
        rows(&folder, "select * from large"),
        ["2 100", "3 200", "4 400"],
        "what is published advances in the same cut"
    );
    assert_eq!(rows(&folder, "select * from by_status"), ["new 2 450", "paid 2 300"]);
}
