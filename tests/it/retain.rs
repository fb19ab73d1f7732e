//! `retain`: older rows leave the input as the clock moves. And types that come with the data.

use rusqlite::{Connection, OpenFlags};

use super::pipeline::binary::Folder;

fn project(name: &str, source: &str, columns: &str, clock: &str) -> Folder {
    let folder = Folder::new(name);
    folder
        .write("dbt_project.yml", "name: shop\nversion: '1.0.0'\nconfig-version: 2\nmodels:\n  +materialized: table\n");
    folder.write(
        "models/sources.yml",
        &format!("version: 2\nsources:\n  - name: raw\n    tables:\n      - name: clicks\n{columns}"),
    );
    folder.write("models/recent.sql", "select id, clicked_at from {{ source('raw', 'clicks') }}");
    folder.write(
        "livemart.yml",
        &format!(
            "targets:\n  dev:\n    sources:\n      raw: {source}\n    sink: {{type: sqlite, path: marts.db}}\n    clock: {clock}\n"
        ),
    );
    folder
}

fn ids(folder: &Folder) -> Vec<i64> {
    let database =
        Connection::open_with_flags(folder.path("marts.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("marts");
    let mut statement = database.prepare("select id from recent order by id").expect("a table");
    statement.query_map([], |row| row.get(0)).expect("rows").map(|id| id.expect("an id")).collect()
}

fn run(folder: &Folder) {
    let answer = folder.livemart(&["run"]);
    assert_eq!(answer.code, 0, "{answer:#?}");
}

const SOURCE: &str = "{connector: file, path: clicks.jsonl, key: [id], event_time: clicked_at, retain: {column: clicked_at, for: 30 days}}";

fn click(id: i64, at: &str) -> String {
    let at = if at.is_empty() { "null".to_owned() } else { format!("\"{at}\"") };
    format!("{{\"id\":{id},\"clicked_at\":{at}}}\n")
}

#[test]
fn rows_older_than_retained_leave_as_the_clock_moves() {
    for ty in ["timestamp", "timestamptz", "date"] {
        let columns = format!(
            "        columns:\n          - {{name: id, data_type: bigint}}\n          - {{name: clicked_at, data_type: {ty}}}\n"
        );
        let folder = project("retain", SOURCE, &columns, "{mode: event}");
        folder.append("clicks.jsonl", &(click(1, "2026-01-01") + &click(2, "2026-01-20") + &click(3, "")));
        run(&folder);
        assert_eq!(ids(&folder), [1, 2, 3], "{ty}");
        folder.append("clicks.jsonl", &click(4, "2026-02-05"));
        run(&folder);
        assert_eq!(ids(&folder), [2, 3, 4], "{ty}: thirty-five days after the first");
        folder.append("clicks.jsonl", &click(5, "2026-01-02"));
        run(&folder);
        assert_eq!(ids(&folder), [2, 3, 4], "{ty}: one that comes too late");
    }
}

#[test]
fn a_retain_that_cannot_be_is_refused_by_name() {
    let columns = "        columns:\n          - {name: id, data_type: bigint}\n          - {name: clicked_at, data_type: text}\n";
    let folder =
        project("retain-text", SOURCE.replace("event_time: clicked_at, ", "").as_str(), columns, "{mode: wall}");
    folder.append("clicks.jsonl", &click(1, "2026-01-01"));
    let answer = folder.livemart(&["run"]);
    assert_ne!(answer.code, 0);
    let said = answer.out + &answer.err;
    assert!(said.contains("clicked_at") && said.contains("text") && said.contains("raw.clicks"), "{said}");
}

#[test]
fn types_come_from_the_schema_that_travels_with_the_data() {
    let source = "{connector: file, path: clicks.jsonl, envelope: debezium, key: [id]}";
    let folder = project("travelled", source, "", "{mode: wall}");
    let schema = r#"{"type":"struct","fields":[{"type":"struct","field":"after","fields":[{"type":"int64","field":"id"},{"type":"int64","name":"io.debezium.time.MicroTimestamp","field":"clicked_at"}]}]}"#;
    let payload = r#"{"op":"c","after":{"id":7,"clicked_at":1767225600000000}}"#;
    folder.append("clicks.jsonl", &format!("{{\"schema\":{schema},\"payload\":{payload}}}\n"));
    run(&folder);
    let database = Connection::open(folder.path("marts.db")).expect("marts");
    let row: (i64, String) = database
        .query_row("select id, clicked_at from recent", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("a row");
    assert_eq!((row.0, row.1.starts_with("2026-01-01")), (7, true), "{row:?}");
    let bare = project("bare", source, "", "{mode: wall}");
    bare.append("clicks.jsonl", &format!("{payload}\n"));
    let answer = bare.livemart(&["run"]);
    assert!(answer.code != 0 && (answer.out + &answer.err).contains("declares no columns"));
}
