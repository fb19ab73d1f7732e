//! What looks wrong and works: growing files, changed models, bad records, and looking on beside a live owner.

use std::fs;

use super::project::*;
use crate::pipeline::binary::await_that;

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
    await_that("a first cut", || Some(seq(&folder)).filter(|seq| !seq.is_empty()));

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
    assert_eq!(answer.out.lines().skip(1).collect::<Vec<_>>(), ["| amount |", "| ------ |", "|    300 |"]);

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

#[test]
fn explain_says_what_each_operator_costs_and_denies_what_is_too_dear() {
    let folder = shop("explained");
    folder.write(
        "models/running.sql",
        "select id, sum(amount) over (order by id) as total from {{ source('raw', 'orders') }}",
    );
    let answer = folder.livemart(&["explain", "running", "by_status"]);
    assert_ok(&answer);
    let window = answer.out.lines().find(|line| line.contains("Window order")).unwrap_or_default();
    assert!(window.contains("per table") && window.contains("ordered by ["), "{answer:#?}");
    let groups = answer.out.lines().find(|line| line.contains("Reduce by")).unwrap_or_default();
    assert!(groups.contains("per change") && groups.contains("groups by ["), "{answer:#?}");

    assert_ok(&folder.livemart(&["explain", "by_status", "--deny", "per-group"]));
    let denied = folder.livemart(&["explain", "--deny", "per-partition"]);
    assert_refused(
        &denied,
        1,
        &["model \"running\" costs per table at \"Window order", "alter sum in every row", "partition by"],
    );
    assert!(!denied.err.contains("by_status"), "{denied:#?}");
}
