//! Time that moves through the whole engine: into SQLite, over restarts, at midnight, and as PostgreSQL sees it.
//!
//! ```text
//!   project ──open──> engine, its wall clock turned by the test ──> marts.db <── what a reader sees
//! ```

mod truth;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use livemart::cli::keep::{KeepOptions, open};
use livemart::engine::StopFlag;
use livemart::project::{Project, ProjectOptions, Selection};
use livemart::time::WallTime;
use row::calendar;
use rusqlite::{Connection, OpenFlags};

use crate::pipeline::binary::{Folder, await_that};

const SOURCES: &str = "version: 2
sources:
  - name: raw
    tables:
      - name: visits
        columns:
          - {name: id, data_type: bigint}
          - {name: day, data_type: date}
          - {name: at, data_type: timestamptz}
";
/// How long results that must not move are watched: several turns of the engine's loop.
const STILL: Duration = Duration::from_millis(200);

fn micros(text: &str) -> i64 {
    calendar::parse_timestamptz(text, chrono_tz::Tz::UTC).expect("a timestamp")
}

fn visit(id: i64, day: &str, at: &str) -> String {
    format!("{{\"id\":{id},\"day\":\"{day}\",\"at\":\"{at}\"}}\n")
}

/// A project over one file of visits.
fn visits(name: &str, clock: &str, rows: &str, models: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(name);
    let project = "name: visits\nversion: '1.0.0'\nconfig-version: 2\nmodels:\n  +materialized: table\n";
    folder.write("dbt_project.yml", project);
    folder.write(
        "livemart.yml",
        &format!(
            "targets:\n  dev:\n    sources:\n      raw: {{connector: file, path: \"{{table}}.jsonl\", format: json, envelope: upsert}}\n      raw.visits: {{key: [id]}}\n    sink: {{type: sqlite, path: marts.db}}\n    clock: {clock}\n    commit_interval: 10ms\n"
        ),
    );
    folder.write("models/sources.yml", SOURCES);
    for (name, sql) in models {
        folder.write(&format!("models/{name}.sql"), sql);
    }
    folder.write("visits.jsonl", rows);
    folder
}

/// The rows of a query in one transaction, columns by blanks; None while there is no such table yet.
fn look(folder: &Folder, sql: &str) -> Option<Vec<String>> {
    let path = folder.path("marts.db");
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let mut query = database.prepare(sql).ok()?;
    let width = query.column_count();
    let rows = query.query_map([], |row| {
        let values = (0..width).map(|i| {
            Ok(match row.get_ref(i)? {
                rusqlite::types::ValueRef::Null => "null".to_owned(),
                rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                rusqlite::types::ValueRef::Real(value) => value.to_string(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                rusqlite::types::ValueRef::Blob(_) => "blob".to_owned(),
            })
        });
        Ok(values.collect::<rusqlite::Result<Vec<String>>>()?.join(" "))
    });
    rows.ok()?.collect::<rusqlite::Result<Vec<String>>>().ok()
}

fn await_rows(folder: &Folder, sql: &str, expected: &[&str]) {
    let mut last = None;
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        await_that(sql, || {
            last = look(folder, sql);
            last.as_ref().is_some_and(|rows| rows == expected).then_some(())
        });
    }));
    assert!(found.is_ok(), "{sql}: expected {expected:?}, the last seen is {last:?}");
}

fn seq(folder: &Folder) -> String {
    look(folder, "select seq from livemart_cut").expect("a cut").join("")
}

/// The engine as `serve` runs it, in a thread, by a wall clock that the test turns.
struct Engine {
    wall: Arc<AtomicI64>,
    stop: StopFlag,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Engine {
    fn start(folder: &Folder, at: &str) -> Engine {
        let wall = Arc::new(AtomicI64::new(micros(at)));
        let (read, stop) = (wall.clone(), StopFlag::default());
        let (flag, root) = (stop.clone(), folder.path("."));
        let thread =
            std::thread::spawn(move || run(&root, WallTime::from_fn(move || read.load(Ordering::SeqCst)), flag));
        Engine { wall, stop, thread: Some(thread) }
    }

    fn turn_to(&self, at: &str) {
        self.wall.store(micros(at), Ordering::SeqCst);
    }

    fn stop(mut self) {
        self.stop.stop();
        self.thread.take().expect("it runs").join().expect("the engine ends well");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

fn run(root: &Path, wall: WallTime, stop: StopFlag) {
    let mut project = Project::load(ProjectOptions::new(root)).expect("a project");
    let options = KeepOptions { follow: true, wall, ..KeepOptions::default() };
    let (opened, _) = open(&mut project, &Selection::default(), &options).expect("it opens");
    opened.keep(&project, &options, stop, &mut |_| {}).expect("it runs");
}

const AGES: &str = "select id, current_date - day as age, current_date as today from {{ source('raw', 'visits') }}";
const RECENT: &str = "select id from {{ source('raw', 'visits') }} where day > current_date - 2";
const LAST_HOUR: &str = "select id from {{ source('raw', 'visits') }} where at >= now() - interval '1 hour'";

#[test]
fn results_move_at_midnight_in_berlin_and_no_event_comes() {
    let rows =
        [visit(1, "2025-03-28", "2025-03-29 22:30:00Z"), visit(2, "2025-03-30", "2025-03-29 21:00:00Z")].concat();
    let models = [("ages", AGES), ("recent", RECENT), ("last_hour", LAST_HOUR)];
    let folder = visits("midnight", "{mode: wall, time_zone: Europe/Berlin}", &rows, &models);
    let ages = "select id, age, today from ages order by id";
    let engine = Engine::start(&folder, "2025-03-29 22:40:00Z");
    await_rows(&folder, ages, &["1 1 2025-03-29", "2 -1 2025-03-29"]);
    await_rows(&folder, "select id from recent order by id", &["1", "2"]);
    await_rows(&folder, "select id from last_hour", &["1"]);
    assert_eq!(look(&folder, "select clock from livemart_cut").unwrap(), ["2025-03-29 22:40:00+00:00"]);

    let cut = seq(&folder);
    engine.turn_to("2025-03-29 22:59:59.9Z");
    std::thread::sleep(STILL);
    assert_eq!(seq(&folder), cut, "nothing is due before midnight");
    engine.turn_to("2025-03-29 23:00:00Z");
    await_rows(&folder, ages, &["1 2 2025-03-30", "2 0 2025-03-30"]);
    await_rows(&folder, "select id from recent order by id", &["2"]);
    await_rows(&folder, "select id from last_hour", &["1"]);
    // An hour after the visit, not a minute earlier or later.
    engine.turn_to("2025-03-29 23:30:00Z");
    std::thread::sleep(STILL);
    await_rows(&folder, "select id from last_hour", &["1"]);
    engine.turn_to("2025-03-29 23:30:00.000001Z");
    await_rows(&folder, "select id from last_hour", &[]);
    assert_eq!(look(&folder, "select clock from livemart_cut").unwrap(), ["2025-03-29 23:30:00.000001+00:00"]);
    // 30 March has 23 hours in Berlin.
    engine.turn_to("2025-03-30 21:59:59Z");
    std::thread::sleep(STILL);
    await_rows(&folder, ages, &["1 2 2025-03-30", "2 0 2025-03-30"]);
    engine.turn_to("2025-03-30 22:00:00Z");
    await_rows(&folder, ages, &["1 3 2025-03-31", "2 1 2025-03-31"]);
    engine.stop();
}

#[test]
fn a_restart_goes_on_from_the_stored_clock_and_never_goes_back() {
    let rows = [visit(1, "2025-01-01", "2025-01-10 11:30:00Z")].concat();
    let folder = visits("restarted", "{mode: wall}", &rows, &[("ages", AGES), ("last_hour", LAST_HOUR)]);
    let engine = Engine::start(&folder, "2025-01-10 12:00:00Z");
    await_rows(&folder, "select id, age from ages", &["1 9"]);
    await_rows(&folder, "select id from last_hour", &["1"]);
    engine.stop();
    // The machine's clock was set back; a row comes meanwhile.
    let engine = Engine::start(&folder, "2025-01-05 12:00:00Z");
    folder.append("visits.jsonl", &visit(2, "2025-01-04", "2025-01-05 11:59:00Z"));
    await_rows(&folder, "select id, age, today from ages order by id", &["1 9 2025-01-10", "2 6 2025-01-10"]);
    await_rows(&folder, "select id from last_hour", &["1"]);
    assert_eq!(look(&folder, "select clock from livemart_cut").unwrap(), ["2025-01-10 12:00:00+00:00"]);
    engine.stop();
    // Days pass while nothing runs: the first cut after the start takes back what the tables hold of the old day.
    let engine = Engine::start(&folder, "2025-01-12 00:00:00Z");
    await_rows(&folder, "select id, age, today from ages order by id", &["1 11 2025-01-12", "2 8 2025-01-12"]);
    await_rows(&folder, "select id from last_hour", &[]);
    engine.stop();
    let again = Engine::start(&folder, "2025-01-12 00:00:01Z");
    std::thread::sleep(STILL);
    await_rows(&folder, "select id, age, today from ages order by id", &["1 11 2025-01-12", "2 8 2025-01-12"]);
    again.stop();
}

#[test]
fn now_as_a_value_is_the_clock_of_the_cut() {
    let rows = visit(1, "2025-01-01", "2025-01-10 11:30:00Z");
    let models = [("seen", "select id, now() as at, localtimestamp as here from {{ source('raw', 'visits') }}")];
    let folder = visits("ticking", "{mode: wall, tick: 10s}", &rows, &models);
    let engine = Engine::start(&folder, "2025-01-10 12:00:07.5Z");
    await_rows(&folder, "select at, here from seen", &["2025-01-10 12:00:00+00:00 2025-01-10 12:00:00"]);
    engine.turn_to("2025-01-10 12:00:10Z");
    await_rows(&folder, "select at from seen", &["2025-01-10 12:00:10+00:00"]);
    engine.turn_to("2025-01-10 12:00:19Z");
    folder.append("visits.jsonl", &visit(2, "2025-01-04", "2025-01-05 11:59:00Z"));
    await_rows(
        &folder,
        "select id, at from seen order by id",
        &["1 2025-01-10 12:00:10+00:00", "2 2025-01-10 12:00:10+00:00"],
    );
    assert_eq!(look(&folder, "select clock from livemart_cut").unwrap(), ["2025-01-10 12:00:10+00:00"]);
    engine.stop();
}

#[test]
fn an_event_clock_follows_its_events_alone_and_passes_over_those_of_the_far_future() {
    let event = |id: i64, at: &str| {
        let ms = micros(at) / 1_000;
        format!("{{\"id\":{id},\"day\":\"2025-01-01\",\"at\":\"{at}\",\"__source_ts_ms\":{ms}}}\n")
    };
    let rows = [event(1, "2025-01-10 11:30:00Z"), event(2, "2025-01-10 11:10:00Z")].concat();
    let folder = visits("by-events", "{mode: event}", &rows, &[("ages", AGES), ("last_hour", LAST_HOUR)]);
    let run = || {
        let answer = folder.livemart(&["run"]);
        assert_eq!(answer.code, 0, "{answer:#?}");
    };
    run();
    await_rows(&folder, "select id, age from ages order by id", &["1 9", "2 9"]);
    assert_eq!(look(&folder, "select clock from livemart_cut").unwrap(), ["2025-01-10 11:30:00+00:00"]);
    folder.append("visits.jsonl", &event(3, "2106-02-07 06:28:15Z"));
    folder.append("visits.jsonl", &event(4, "2025-01-11 00:00:00Z"));
    run();
    await_rows(&folder, "select id, age from ages order by id", &["1 10", "2 10", "3 10", "4 10"]);
    await_rows(&folder, "select id from last_hour order by id", &["3", "4"]);
    let untimely = "select kind, position, reason like '%2106-02-07 06:28:15+00%' from livemart_errors";
    await_rows(&folder, untimely, &["event_time 2 1"]);
}

#[test]
fn an_event_clock_reads_the_time_of_rows_whose_records_have_none() {
    let rows =
        [visit(1, "2025-01-01", "2025-01-10 11:30:00Z"), visit(2, "2025-01-01", "2025-01-10 10:30:00Z")].concat();
    let folder = visits("by-rows", "{mode: event}", &rows, &[("ages", AGES)]);
    folder.replace("livemart.yml", "{key: [id]}", "{key: [id], event_time: seen_at}");
    let refused = folder.livemart(&["run"]);
    assert!(refused.code == 1 && refused.err.contains("\"seen_at\", which it does not declare"), "{refused:#?}");
    folder.replace("livemart.yml", "seen_at", "at");
    assert_eq!(folder.livemart(&["run"]).code, 0);
    await_rows(&folder, "select id, age from ages order by id", &["1 9", "2 9"]);
    assert_eq!(look(&folder, "select clock from livemart_cut").unwrap(), ["2025-01-10 11:30:00+00:00"]);
}

#[test]
fn a_fixed_clock_stands_still_and_is_not_set_back() {
    let rows = visit(1, "2025-01-30", "2025-01-31 11:30:00Z");
    let folder =
        visits("fixed", "{mode: fixed, at: '2025-01-31 12:00:00'}", &rows, &[("ages", AGES), ("last_hour", LAST_HOUR)]);
    assert_eq!(folder.livemart(&["run"]).code, 0);
    await_rows(&folder, "select id, age from ages", &["1 1"]);
    await_rows(&folder, "select id from last_hour", &["1"]);
    assert_eq!(look(&folder, "select clock from livemart_cut").unwrap(), ["2025-01-31 12:00:00+00:00"]);
    folder.replace("livemart.yml", "2025-01-31 12:00:00", "2025-01-30 12:00:00");
    let refused = folder.livemart(&["run"]);
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(
        refused.err.contains("before the published cut's clock") && refused.err.contains("--full-refresh"),
        "{refused:#?}"
    );
    let again = folder.livemart(&["run", "--full-refresh"]);
    assert_eq!(again.code, 0, "{again:#?}");
    await_rows(&folder, "select id, age from ages", &["1 0"]);
    folder.replace("livemart.yml", "2025-01-30 12:00:00", "2025-02-01 12:00:00");
    assert_eq!(folder.livemart(&["run"]).code, 0);
    await_rows(&folder, "select id, age from ages", &["1 2"]);
    await_rows(&folder, "select id from last_hour", &[]);
}

#[test]
fn the_session_computes_in_the_configured_zone() {
    let rows = visit(1, "2025-03-30", "2025-03-29 23:30:00Z");
    let sql = "select id, current_date as today, at::date as its_day, date_trunc('day', at) as midnight, \
               current_date - at::date as age, localtimestamp as here from {{ source('raw', 'visits') }}";
    let clock = "{mode: fixed, at: '2025-03-30 03:30:00', time_zone: Europe/Berlin}";
    let folder = visits("zoned", clock, &rows, &[("days", sql)]);
    let answer = folder.livemart(&["run"]);
    assert_eq!(answer.code, 0, "{answer:#?}");
    let found = look(&folder, "select today, its_day, midnight, age, here from days").unwrap();
    assert_eq!(found, ["2025-03-30 2025-03-30 2025-03-29 23:00:00+00:00 0 2025-03-30 03:30:00"]);
    assert_eq!(look(&folder, "select clock from livemart_cut").unwrap(), ["2025-03-30 01:30:00+00:00"]);
}
