//! A small project of files and SQLite, and how to look at what a command said and left.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::pipeline::binary::{Answer, Folder};

pub const SOURCES: &str = "version: 2
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
pub const LIVEMART: &str = "targets:
  dev:
    sources:
      raw: {connector: file, path: \"{table}.jsonl\", format: json, envelope: upsert}
      raw.orders: {key: [id]}
    sink: {type: sqlite, path: marts.db}
    clock: {mode: event}
";
pub const BY_STATUS: &str =
    "select status, count(*) as orders, sum(amount) as amount from {{ source('raw', 'orders') }} group by status";
pub const LARGE: &str = "select id, amount from {{ source('raw', 'orders') }} where amount >= 100";

/// Two tables over one source of three orders.
pub fn shop(name: &str) -> Folder {
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

pub fn order(id: i64, status: &str, amount: i64) -> String {
    format!("{{\"id\":{id},\"status\":\"{status}\",\"amount\":{amount},\"note\":\"{id}\"}}\n")
}

/// The command failed with one message that holds all these words: before anything ran, or as the failure of every model, as dbt
/// prints it.
pub fn assert_refused(answer: &Answer, code: i32, words: &[&str]) {
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
pub fn assert_run_refused(folder: &Folder, code: i32, words: &[&str]) {
    assert_refused(&folder.livemart(&["run"]), code, words);
    let left: Vec<String> = fs::read_dir(folder.path("."))
        .expect("the project's folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("marts"))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

pub fn assert_ok(answer: &Answer) {
    assert_eq!(answer.code, 0, "{answer:#?}");
}

pub fn published(folder: &Folder) {
    assert_ok(&folder.livemart(&["run"]));
}

pub fn database(folder: &Folder) -> Connection {
    let connection = Connection::open(folder.path("marts.db")).expect("a database");
    connection.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    connection
}

/// The rows of a query as text, sorted.
pub fn rows(folder: &Folder, sql: &str) -> Vec<String> {
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

pub fn seq(folder: &Folder) -> String {
    rows(folder, "select seq from livemart_cut").concat()
}

/// Everything that is published, but for the name of the last owner.
pub fn everything(folder: &Folder) -> Vec<String> {
    let tables = rows(folder, "select name from sqlite_schema where type = 'table'");
    let mut all = rows(folder, "select instance, seq, clock, committed_at from livemart_cut");
    for table in tables.iter().filter(|table| *table != "livemart_cut") {
        all.extend(rows(folder, &format!("select * from \"{table}\"")).iter().map(|row| format!("{table}: {row}")));
    }
    all
}

/// From now on every row of `table` that is written is noted in `touched`.
pub fn watch(folder: &Folder, table: &str) {
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

pub fn touched(folder: &Folder) -> Vec<String> {
    rows(folder, "select what, count(*) from touched group by what")
}
