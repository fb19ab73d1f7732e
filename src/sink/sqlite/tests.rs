use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;
use row::{Datum, Numeric, NumericTypmod, ScalarType};

use super::*;
use crate::sink::{ErrorRow, ProgressRow, TableColumn, TableProperties, TestRow};

const INSTANCE: &str = "shop.dev";

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("livemart-sqlite-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    fn database(&self) -> PathBuf {
        self.0.join("marts.db")
    }

    fn open(&self, owner: &str) -> SqliteSink {
        SqliteSink::open(self.database(), INSTANCE, owner).expect("the file is free")
    }

    /// A connection as a BI tool has it.
    fn reader(&self) -> Connection {
        Connection::open(self.database()).expect("a second connection")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn table(name: &str, columns: &[(&str, ScalarType)], key: Option<&[usize]>) -> TableSpec {
    TableSpec {
        model: format!("model.shop.{name}"),
        schema: "marts".into(),
        name: name.into(),
        columns: columns
            .iter()
            .map(|(name, ty)| TableColumn { name: (*name).into(), ty: ty.clone(), nullable: true })
            .collect(),
        key: key.map(<[usize]>::to_vec),
        fingerprint: "f1".into(),
        compiled_sql: "select 1".into(),
        properties: TableProperties::default(),
    }
}

fn orders() -> TableSpec {
    table("orders", &[("id", ScalarType::Int64), ("status", ScalarType::Text)], Some(&[0]))
}

fn clicks() -> TableSpec {
    table("clicks", &[("who", ScalarType::Text), ("page", ScalarType::Text)], None)
}

fn order(id: i64, status: &str) -> Row {
    Row::pack([Datum::Int(id), Datum::Text(status)])
}

fn click(who: Option<&str>, page: &str) -> Row {
    Row::pack([who.map_or(Datum::Null, Datum::Text), Datum::Text(page)])
}

fn cut(seq: u64, deltas: Vec<(usize, Vec<(Row, i64)>)>) -> Commit {
    Commit { seq, clock: 1_000_000 * seq as i64, deltas, ..Commit::default() }
}

fn evolve(sink: &mut SqliteSink, tables: &[TableSpec]) {
    sink.deploy(tables.iter().map(|table| (table.clone(), Deploy::Evolve)).collect(), false)
        .expect("nothing in the way");
}

fn one<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str) -> T {
    connection.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|cause| panic!("{sql}: {cause}"))
}

#[test]
fn a_cut_writes_tables_and_bookkeeping_together() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    assert_eq!(sink.state().expect("state"), SinkState::default());
    evolve(&mut sink, &[orders(), clicks()]);
    let progress = ProgressRow { source: "raw.orders".into(), partition: "0".into(), position: 3, mark: "t".into() };
    sink.commit(&Commit {
        progress: vec![progress.clone()],
        tests: vec![TestRow { test: "t1".into(), model: "m".into(), severity: "error".into(), failures: 2 }],
        ..cut(1, vec![(0, vec![(order(1, "new"), 1)]), (1, vec![(click(None, "/"), 2)])])
    })
    .expect("first cut");
    sink.commit(&cut(2, vec![(0, vec![(order(1, "new"), -1), (order(1, "paid"), 1), (order(2, "new"), 1)])]))
        .expect("second cut");

    let state = sink.state().expect("state");
    assert_eq!(state.cut, Some(super::super::CutRow { owner: "a".into(), seq: 2, clock: 2_000_000 }));
    assert_eq!(state.progress, [progress]);
    assert_eq!(state.models.len(), 2);
    assert_eq!(sink.read_table(&orders()).expect("orders"), [(order(1, "paid"), 1), (order(2, "new"), 1)]);
    assert_eq!(sink.read_table(&clicks()).expect("clicks"), [(click(None, "/"), 2)]);
    let reader = folder.reader();
    assert_eq!(one::<i64>(&reader, "select failures from livemart_tests where instance = 'shop.dev'"), 2);
    assert_eq!(one::<String>(&reader, "select clock from livemart_cut"), "1970-01-01 00:00:02+00:00");
    assert_eq!(
        one::<String>(&reader, "select relation from livemart_models where model = 'model.shop.orders'"),
        "orders"
    );
}

#[test]
fn a_close_leaves_one_file() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    evolve(&mut sink, &[orders()]);
    sink.commit(&cut(1, vec![(0, vec![(order(1, "new"), 1)])])).expect("a cut");
    Box::new(sink).close().expect("closed");
    let left: Vec<_> = std::fs::read_dir(&folder.0)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("utf-8"))
        .collect();
    assert_eq!(left, ["marts.db"]);
    assert_eq!(one::<i64>(&folder.reader(), "select count(*) from orders"), 1);
}

#[test]
fn a_second_owner_is_refused_by_name_until_the_first_closes() {
    let folder = Folder::new();
    let first = folder.open("the-first");
    let Err(SinkError::Owned { message }) = SqliteSink::open(folder.database(), INSTANCE, "b") else {
        panic!("a second owner got in");
    };
    for part in ["the-first", INSTANCE, &format!("pid {}", std::process::id())] {
        assert!(message.contains(part), "{message}");
    }
    Box::new(first).close().expect("closed");
    folder.open("b");
}

#[test]
fn an_owner_that_vanished_is_followed_at_once() {
    let folder = Folder::new();
    let mut first = folder.open("a");
    evolve(&mut first, &[orders()]);
    first.commit(&cut(1, vec![(0, vec![(order(1, "new"), 1)])])).expect("a cut");
    drop(first); // as a crash: no checkpoint, the lock file stays
    let mut second = folder.open("b");
    assert_eq!(second.state().expect("state").cut.map(|cut| (cut.owner, cut.seq)), Some(("b".into(), 1)));
    second.deploy(vec![(orders(), Deploy::Keep)], false).expect("as it was");
    second.commit(&cut(2, vec![(0, vec![(order(1, "new"), -1)])])).expect("the next cut");
}

#[test]
fn a_cut_committed_twice_changes_nothing() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    evolve(&mut sink, &[clicks()]);
    let commit = cut(1, vec![(0, vec![(click(Some("ada"), "/"), 1)])]);
    sink.commit(&commit).expect("once");
    sink.commit(&commit).expect("settled");
    assert_eq!(sink.read_table(&clicks()).expect("clicks"), [(click(Some("ada"), "/"), 1)]);
}

#[test]
fn a_commit_is_fenced_when_cut_moved() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    evolve(&mut sink, &[clicks()]);
    sink.commit(&cut(1, vec![])).expect("first");
    folder.reader().execute_batch("update livemart_cut set owner = 'b', seq = 5").expect("another owner");
    let Err(SinkError::Fenced { message }) = sink.commit(&cut(2, vec![(0, vec![(click(None, "/"), 1)])])) else {
        panic!("a zombie committed");
    };
    assert!(message.contains("cut 5") && message.contains("written by b"), "{message}");
    assert!(sink.read_table(&clicks()).expect("clicks").is_empty());
    let Err(SinkError::Fenced { .. }) = sink.commit(&cut(7, vec![])) else { panic!("a gap in the sequence") };
}

#[test]
fn somebody_elses_write_aborts_the_cut_and_names_the_table() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    evolve(&mut sink, &[orders(), clicks()]);
    sink.commit(&cut(1, vec![(0, vec![(order(1, "new"), 1)]), (1, vec![(click(None, "/"), 2)])])).expect("a cut");
    folder
        .reader()
        .execute_batch("delete from orders; delete from clicks where rowid = 1; insert into orders values (9, 'x')")
        .expect("foreign writes");

    let update = vec![(order(1, "new"), -1), (order(1, "paid"), 1)];
    for (delta, name) in [
        ((0, update), "orders"),
        ((0, vec![(order(1, "new"), -1)]), "orders"),
        ((0, vec![(order(9, "new"), 1)]), "orders"),
        ((1, vec![(click(None, "/"), -2)]), "clicks"),
    ] {
        let error = sink.commit(&cut(2, vec![delta])).expect_err("wrong counts");
        assert!(matches!(&error, SinkError::Refused { message, .. } if message.contains(name)), "{error}");
    }
    assert_eq!(sink.state().expect("state").cut.map(|cut| cut.seq), Some(1));
    assert_eq!(sink.read_table(&clicks()).expect("clicks"), [(click(None, "/"), 1)]);
}

#[test]
fn null_in_a_key_is_one_key() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    let totals = table(
        "totals",
        &[("region", ScalarType::Text), ("day", ScalarType::Date), ("cents", ScalarType::Int64)],
        Some(&[0, 1]),
    );
    let total = |region: Option<&str>, cents| {
        Row::pack([region.map_or(Datum::Null, Datum::Text), Datum::Null, Datum::Int(cents)])
    };
    evolve(&mut sink, std::slice::from_ref(&totals));
    sink.commit(&cut(1, vec![(0, vec![(total(None, 1), 1), (total(Some("eu"), 2), 1)])])).expect("first");
    sink.commit(&cut(2, vec![(0, vec![(total(None, 1), -1), (total(None, 3), 1)])])).expect("update");
    assert!(sink.commit(&cut(3, vec![(0, vec![(total(None, 4), 1)])])).is_err(), "the key is there");
    sink.commit(&cut(3, vec![(0, vec![(total(Some("eu"), 2), -1), (total(Some("us"), 2), 1)])])).expect("third");
    sink.commit(&cut(4, vec![(0, vec![(total(Some("eu"), 7), 1)])])).expect("a new key with a null");
    assert_eq!(
        sink.read_table(&totals).expect("totals"),
        super::super::counted(vec![total(None, 3), total(Some("us"), 2), total(Some("eu"), 7)])
    );
}

#[test]
fn lookups_go_through_an_index() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    evolve(&mut sink, &[orders(), clicks()]);
    sink.commit(&cut(1, vec![(1, vec![(click(None, "/"), 1)])])).expect("inserts");
    assert_eq!(one::<i64>(&sink.connection, "select count(*) from sqlite_schema where name like 'livemart_rows%'"), 0);
    sink.commit(&cut(2, vec![(1, vec![(click(None, "/"), -1)])])).expect("the first delete makes the index");
    for (sql, index) in [
        ("explain query plan update orders set status = ?2 where id is ?1", "livemart_key_orders"),
        ("explain query plan select rowid from clicks where who is ?1 and page is ?2 limit 1", "livemart_rows_clicks"),
        (
            "explain query plan select rowid from livemart_errors where instance is ?1 and kind is ?2 and model is ?3
             and source is ?4 and expression is ?5 and key is ?6 and position is ?7 and record is ?8 limit 1",
            "livemart_errors_rows",
        ),
    ] {
        let mut statement = sink.connection.prepare(sql).expect("a statement");
        let count = statement.parameter_count();
        let plan: String =
            statement.query_row(rusqlite::params_from_iter(vec![1; count]), |row| row.get(3)).expect("a plan");
        assert!(plan.contains("SEARCH") && plan.contains(index), "{plan}");
    }
}

#[test]
fn values_come_back_as_they_were() {
    let typed = |precision, scale| ScalarType::Numeric(Some(NumericTypmod { precision, scale }));
    let array = Row::pack([Datum::Int(1), Datum::Null, Datum::Int(-3)]);
    let names = Row::pack([Datum::Text("a,\"b\""), Datum::Text("")]);
    let amounts = Row::pack([Datum::Numeric(Numeric::from_parts(150, 2)), Datum::Numeric(Numeric::NAN)]);
    let interval = row::Interval { months: 14, days: -3, micros: 5 };
    let values: Vec<(ScalarType, Vec<Datum<'_>>)> = vec![
        (ScalarType::Bool, vec![Datum::Bool(true), Datum::Bool(false)]),
        (ScalarType::Int16, vec![Datum::Int(-7), Datum::Int(0)]),
        (ScalarType::Int64, vec![Datum::Int(i64::MIN), Datum::Int(i64::MAX)]),
        (
            typed(12, 2),
            vec![Datum::Numeric(Numeric::from_parts(1250, 2)), Datum::Numeric(Numeric::from_parts(-300, 2))],
        ),
        (typed(15, 0), vec![Datum::Numeric(Numeric::from_parts(999_999_999_999_999, 0))]),
        (
            ScalarType::NUMERIC,
            vec![Datum::Numeric(Numeric::from_parts(123_456_789_012_345, 7)), Datum::Numeric(Numeric::NAN)],
        ),
        (ScalarType::NUMERIC, vec![Datum::Numeric(Numeric::from_parts(5, 0)), Datum::Numeric(Numeric::NEG_INFINITY)]),
        (ScalarType::Float32, vec![Datum::Float32(0.1), Datum::Float32(f32::INFINITY)]),
        (
            ScalarType::Float64,
            vec![Datum::Float64(0.1), Datum::Float64(3.0), Datum::Float64(f64::NAN), Datum::Float64(f64::NEG_INFINITY)],
        ),
        (ScalarType::Text, vec![Datum::Text("12.50"), Datum::Text(""), Datum::Text("ü\0x")]),
        (ScalarType::Varchar(Some(9)), vec![Datum::Text("007")]),
        (ScalarType::Char(4), vec![Datum::Text("ab  ")]),
        (ScalarType::Bytes, vec![Datum::Bytes(&[0, 255]), Datum::Bytes(b"12")]),
        (ScalarType::Date, vec![Datum::Date(19_782), Datum::Date(i32::MAX)]),
        (ScalarType::Time, vec![Datum::Time(86_399_999_999)]),
        (ScalarType::Timestamp, vec![Datum::Timestamp(-1), Datum::Timestamp(1_709_290_800_250_000)]),
        (ScalarType::TimestampTz, vec![Datum::TimestampTz(1_709_290_800_000_000), Datum::TimestampTz(i64::MIN)]),
        (ScalarType::Interval, vec![Datum::Interval(interval)]),
        (ScalarType::Json, vec![Datum::Text("12"), Datum::Text("{\"a\": 1.50}")]),
        (ScalarType::Jsonb, vec![Datum::Text("1.50"), Datum::Text("[]")]),
        (ScalarType::Uuid, vec![Datum::Text("6ba7b810-9dad-11d1-80b4-00c04fd430c8")]),
        (ScalarType::Array(Box::new(ScalarType::Int32)), vec![Datum::Array(array.as_ref())]),
        (ScalarType::Array(Box::new(ScalarType::Text)), vec![Datum::Array(names.as_ref())]),
        (ScalarType::Array(Box::new(ScalarType::NUMERIC)), vec![Datum::Array(amounts.as_ref())]),
    ];
    let folder = Folder::new();
    let mut sink = folder.open("a");
    let (mut tables, mut deltas) = (vec![], vec![]);
    for (index, (ty, datums)) in values.iter().enumerate() {
        tables.push(table(&format!("t{index}"), &[("id", ScalarType::Int64), ("v", ty.clone())], None));
        let rows = datums.iter().chain([&Datum::Null]).enumerate();
        let rows = rows.map(|(id, datum)| (Row::pack([Datum::Int(id as i64), datum.clone()]), 1)).collect();
        deltas.push((index, rows));
    }
    evolve(&mut sink, &tables);
    sink.commit(&cut(1, deltas.clone())).expect("values");
    for (index, rows) in &deltas {
        let mut rows: Vec<(Row, i64)> = rows.clone();
        rows.sort();
        assert_eq!(sink.read_table(&tables[*index]).expect("a table"), rows, "{:?}", values[*index].0);
    }
    // What was read can be taken away again: nothing is stored that a lookup does not find.
    let gone = deltas.into_iter().map(|(index, rows)| (index, rows.into_iter().map(|(row, _)| (row, -1)).collect()));
    sink.commit(&cut(2, gone.collect())).expect("deletes");
    for table in &tables {
        assert!(sink.read_table(table).expect("a table").is_empty());
    }
    assert_eq!(one::<String>(&sink.connection, "select date('2024-03-01 11:00:00.250000+00:00')"), "2024-03-01");
}

#[test]
fn a_table_that_somebody_else_made_is_refused_unless_adopted() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    folder
        .reader()
        .execute_batch("create table orders (id bigint, status text, old text); insert into orders values (1, 'new', 'x'), (2, 'paid', 'y');
                        create view clicks as select 1 as who")
        .expect("a dbt build from before");
    let deploy = vec![(orders(), Deploy::Evolve)];
    let error = sink.deploy(deploy.clone(), false).expect_err("not ours");
    let SinkError::Refused { message, hint: Some(hint), .. } = &error else { panic!("{error}") };
    assert!(message.contains("orders") && hint.contains("--adopt"), "{message} {hint}");
    let reserved = table("livemart_cut", &[("id", ScalarType::Int64)], None);
    assert!(sink.deploy(vec![(reserved, Deploy::Evolve)], true).is_err(), "the bookkeeping cannot be adopted");
    assert!(sink.deploy(vec![(clicks(), Deploy::Evolve)], true).expect_err("a view").to_string().contains("view"));

    sink.deploy(deploy, true).expect("adopted");
    let held = sink.read_table(&orders()).expect("what it holds");
    assert_eq!(held, [(order(1, "new"), 1), (order(2, "paid"), 1)]);
    // The difference between what it holds and {1 new, 3 new}.
    sink.commit(&cut(1, vec![(0, vec![(order(2, "paid"), -1), (order(3, "new"), 1)])])).expect("corrected");
    assert_eq!(sink.read_table(&orders()).expect("orders"), [(order(1, "new"), 1), (order(3, "new"), 1)]);
    assert_eq!(one::<i64>(&sink.connection, "select count(*) from pragma_table_info('orders')"), 2);
    assert_eq!(one::<i64>(&sink.connection, "select count(*) from pragma_index_info('livemart_key_orders')"), 1);
}

#[test]
fn a_changed_model_alters_its_table_and_views_on_it_survive() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    let before = table(
        "orders",
        &[("id", ScalarType::Int64), ("status", ScalarType::Text), ("total", ScalarType::Int64)],
        Some(&[0]),
    );
    evolve(&mut sink, std::slice::from_ref(&before));
    let row = |id, status, total| Row::pack([Datum::Int(id), Datum::Text(status), Datum::Int(total)]);
    sink.commit(&cut(1, vec![(0, vec![(row(1, "new", 5), 1), (row(2, "paid", 6), 1)])])).expect("before");
    folder.reader().execute_batch("create view dashboard as select id from orders").expect("a view");

    let after = table(
        "orders",
        &[("id", ScalarType::Int64), ("total", ScalarType::Text), ("day", ScalarType::Date)],
        Some(&[0]),
    );
    sink.deploy(vec![(after.clone(), Deploy::Evolve)], false).expect("ours");
    let held = sink.read_table(&after).expect("as it will be");
    let blank = |id| Row::pack([Datum::Int(id), Datum::Null, Datum::Null]);
    assert_eq!(held, [(blank(1), 1), (blank(2), 1)]);
    let full = |id, total, day| Row::pack([Datum::Int(id), Datum::Text(total), Datum::Date(day)]);
    let delta = vec![(blank(1), -1), (blank(2), -1), (full(1, "five", 1), 1), (full(2, "six", 2), 1)];
    sink.commit(&cut(2, vec![(0, delta)])).expect("after");
    assert_eq!(sink.read_table(&after).expect("orders"), [(full(1, "five", 1), 1), (full(2, "six", 2), 1)]);
    assert_eq!(one::<i64>(&sink.connection, "select count(*) from dashboard"), 2);
    assert_eq!(one::<i64>(&sink.connection, "select count(*) from pragma_table_info('orders')"), 3);

    // A view that uses a dropped column stands in the way, and is named.
    folder.reader().execute_batch("create view daily as select day from orders").expect("a view");
    sink.deploy(vec![(table("orders", &[("id", ScalarType::Int64)], Some(&[0])), Deploy::Evolve)], false)
        .expect("ours");
    let error = sink.commit(&cut(3, vec![])).expect_err("the view needs the column");
    let SinkError::Refused { message, hint: Some(hint), cause: Some(cause) } = &error else { panic!("{error:?}") };
    assert!(message.contains("orders") && cause.to_string().contains("daily") && hint.contains("view"), "{cause}");
    assert_eq!(sink.read_table(&after).expect("untouched").len(), 2);
}

#[test]
fn a_key_that_changes_is_indexed_after_its_delta() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    let by_id = table("t", &[("id", ScalarType::Int64), ("v", ScalarType::Int64)], Some(&[0]));
    evolve(&mut sink, std::slice::from_ref(&by_id));
    let row = |id, v| Row::pack([Datum::Int(id), Datum::Int(v)]);
    sink.commit(&cut(1, vec![(0, vec![(row(1, 1), 1), (row(2, 1), 1), (row(3, 2), 1)])])).expect("by id");
    // Now one row per v; two rows share a value until the delta has passed.
    let by_v = TableSpec { key: Some(vec![1]), ..by_id.clone() };
    sink.deploy(vec![(by_v.clone(), Deploy::Evolve)], false).expect("ours");
    sink.commit(&cut(2, vec![(0, vec![(row(2, 1), -1)])])).expect("by v");
    sink.commit(&cut(3, vec![(0, vec![(row(1, 1), -1), (row(9, 1), 1)])])).expect("an update by the new key");
    assert_eq!(sink.read_table(&by_v).expect("t"), [(row(3, 2), 1), (row(9, 1), 1)]);
    // And without a key.
    let keyless = TableSpec { key: None, ..by_id };
    sink.deploy(vec![(keyless.clone(), Deploy::Evolve)], false).expect("ours");
    sink.commit(&cut(4, vec![(0, vec![(row(9, 1), 1)])])).expect("a second copy");
    assert_eq!(sink.read_table(&keyless).expect("t"), [(row(3, 2), 1), (row(9, 1), 2)]);
}

#[test]
fn a_failed_cut_leaves_the_deploy_pending() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    evolve(&mut sink, &[orders()]);
    let twice = vec![(order(1, "a"), 1), (order(1, "b"), 1)];
    assert!(sink.commit(&cut(1, vec![(0, twice)])).is_err(), "one key, two rows");
    assert_eq!(one::<i64>(&sink.connection, "select count(*) from sqlite_schema where name = 'orders'"), 0);
    sink.commit(&cut(1, vec![(0, vec![(order(1, "a"), 1)])])).expect("now with the table");
    assert_eq!(sink.read_table(&orders()).expect("orders").len(), 1);
}

#[test]
fn a_table_that_is_gone_or_altered_is_not_kept() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    evolve(&mut sink, &[orders(), clicks()]);
    sink.commit(&cut(1, vec![])).expect("a cut");
    folder.reader().execute_batch("drop table orders; alter table clicks add column extra text").expect("a bad day");
    for (table, part) in [(orders(), "orders"), (clicks(), "clicks")] {
        let error = sink.deploy(vec![(table, Deploy::Keep)], false).expect_err("not as it was").to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn errors_come_and_go_with_an_exact_count() {
    let error = |position: u64| ErrorRow {
        kind: "decode".into(),
        model: None,
        source: Some("raw.orders".into()),
        partition: Some("0".into()),
        position: Some(position),
        key: None,
        column_name: Some("total".into()),
        expression: None,
        reason: "not a number".into(),
        record: Some("{\"total\": \"x\"}".into()),
    };
    let folder = Folder::new();
    let mut sink = folder.open("a");
    let with_errors = |seq, errors| Commit { errors, ..cut(seq, vec![]) };
    let counts =
        "select total || ' ' || kept || ' ' || (select count(*) from livemart_errors) from livemart_error_counts";
    sink.commit(&with_errors(1, vec![(error(1), 2), (error(2), 1)])).expect("three errors");
    assert_eq!(one::<String>(&sink.connection, counts), "3 3 3");
    sink.commit(&with_errors(2, vec![(error(1), -1)])).expect("one copy healed");
    assert_eq!(one::<String>(&sink.connection, counts), "2 2 2");
    assert_eq!(one::<i64>(&sink.connection, "select max(first_seq) from livemart_errors"), 1);
    assert!(sink.commit(&with_errors(3, vec![(error(5), -1)])).is_err(), "it was never set aside");

    let fresh = Commit { resets_errors: true, ..with_errors(3, vec![(error(1), 1), (error(7), 1)]) };
    sink.commit(&fresh).expect("all set aside anew");
    assert_eq!(one::<String>(&sink.connection, counts), "2 2 2");
    sink.commit(&with_errors(4, vec![(error(7), -1), (error(2), 1)])).expect("on from there");
    sink.commit(&with_errors(5, (10..1_510).map(|position| (error(position), 1)).collect())).expect("many");
    assert_eq!(one::<String>(&sink.connection, counts), "1502 1000 1000");
    sink.commit(&with_errors(6, vec![(error(1_509), -1), (error(10), -1)])).expect("one counted, one kept");
    assert_eq!(one::<String>(&sink.connection, counts), "1500 999 999");
    let rest = (11..1_509).map(|position| (error(position), -1)).chain([(error(1), -1), (error(2), -1)]);
    sink.commit(&with_errors(7, rest.collect())).expect("all healed");
    assert_eq!(one::<i64>(&sink.connection, "select count(*) from livemart_error_counts"), 0);
    assert_eq!(one::<i64>(&sink.connection, "select count(*) from livemart_errors"), 0);
}

#[test]
fn a_reader_sees_whole_cuts_only_and_is_never_blocked() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    evolve(&mut sink, &[orders(), clicks()]);
    sink.commit(&cut(1, vec![])).expect("empty tables");
    let (database, done) = (folder.database(), std::sync::Arc::new(AtomicBool::new(false)));
    let stop = done.clone();
    let reader = std::thread::spawn(move || {
        let mut connection = Connection::open(database).expect("a reader");
        let (mut looks, mut last) = (0, 0);
        while !stop.load(Ordering::Relaxed) || looks == 0 {
            let transaction = connection.transaction().expect("a read transaction");
            let orders = one::<i64>(&transaction, "select count(*) from orders");
            std::thread::yield_now();
            let clicks = one::<i64>(&transaction, "select count(*) from clicks");
            let seq = one::<i64>(&transaction, "select seq from livemart_cut");
            assert_eq!((orders, clicks), (seq - 1, 2 * (seq - 1)), "torn cut");
            assert!(seq >= last);
            (looks, last) = (looks + 1, seq);
        }
        last
    });
    for seq in 2..200 {
        let page = format!("/{seq}");
        sink.commit(&cut(seq, vec![(0, vec![(order(seq as i64, "new"), 1)]), (1, vec![(click(None, &page), 2)])]))
            .expect("a reader does not block");
    }
    done.store(true, Ordering::Relaxed);
    reader.join().expect("no torn cut");
}

#[test]
fn another_writer_is_waited_for_and_then_retried() {
    let folder = Folder::new();
    let mut sink = folder.open("a");
    evolve(&mut sink, &[orders()]);
    sink.connection.busy_timeout(Duration::from_millis(20)).expect("a short wait");
    let other = folder.reader();
    other.execute_batch("begin immediate").expect("a writer");
    let commit = cut(1, vec![(0, vec![(order(1, "new"), 1)])]);
    assert!(matches!(sink.commit(&commit), Err(SinkError::Unreachable { .. })));
    other.execute_batch("rollback").expect("gone");
    sink.commit(&commit).expect("retried");
}

/// Rows of a small domain, so that keys and copies meet often.
fn changes() -> impl Strategy<Value = Vec<Vec<(Option<i64>, i64, i64)>>> {
    let key = prop_oneof![Just(None), (0_i64..4).prop_map(Some)];
    prop::collection::vec(prop::collection::vec((key, 0_i64..3, 0_i64..4), 0..12), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Old table plus delta is the new table, with and without a key.
    #[test]
    fn tables_follow_a_model_multiset(cuts in changes()) {
        let folder = Folder::new();
        let mut sink = folder.open("a");
        let columns = [("k", ScalarType::NUMERIC), ("v", ScalarType::Text)];
        let keyed = table("keyed", &columns, Some(&[0]));
        let keyless = table("keyless", &columns, None);
        evolve(&mut sink, &[keyed.clone(), keyless.clone()]);
        let row = |key: Option<i64>, value: i64| {
            let key = key.map_or(Datum::Null, |key| Datum::Numeric(Numeric::from_parts(i128::from(key), 0)));
            Row::pack([key, Datum::Text(&value.to_string())])
        };
        let (mut by_key, mut copies) = (BTreeMap::<Option<i64>, i64>::new(), BTreeMap::<Row, i64>::new());
        for (seq, cut_changes) in cuts.iter().enumerate() {
            let mut keyed_delta = BTreeMap::<Row, i64>::new();
            let mut copies_delta = BTreeMap::<Row, i64>::new();
            for (key, value, count) in cut_changes {
                // In the keyed table a count of 0 deletes; elsewhere the row gets exactly `count` copies.
                if let Some(old) = if *count == 0 { by_key.remove(key) } else { by_key.insert(*key, *value) } {
                    *keyed_delta.entry(row(*key, old)).or_default() -= 1;
                }
                if *count > 0 {
                    *keyed_delta.entry(row(*key, *value)).or_default() += 1;
                }
                let old = copies.insert(row(*key, *value), *count).unwrap_or(0);
                *copies_delta.entry(row(*key, *value)).or_default() += count - old;
            }
            let net = |delta: BTreeMap<Row, i64>| delta.into_iter().filter(|(_, diff)| *diff != 0).collect::<Vec<_>>();
            sink.commit(&cut(seq as u64 + 1, vec![(0, net(keyed_delta)), (1, net(copies_delta))])).expect("a cut");
            let expected: BTreeMap<Row, i64> = by_key.iter().map(|(key, value)| (row(*key, *value), 1)).collect();
            prop_assert_eq!(sink.read_table(&keyed).expect("keyed"), expected.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(sink.read_table(&keyless).expect("keyless"), net(copies.clone()));
        }
    }
}

/// The column makes the same of a double and of the text of a decimal.
#[test]
fn decimals_of_fifteen_digits_are_stored_as_their_text_would_be() {
    let database = Connection::open_in_memory().expect("memory");
    database.execute_batch("create table t (a NUMERIC(20,4), b NUMERIC(20,4))").expect("a table");
    let mut dice = 7u64;
    for step in 0..20_000u64 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step | 1);
        let mantissa = i128::from(dice >> 1) % 10i128.pow((dice % 18 + 1) as u32);
        let value = Numeric::from_parts(if dice & 1 == 0 { -mantissa } else { mantissa }, (dice >> 40) as u16 % 17);
        let sql = "insert into t values (?1, ?2)";
        database
            .execute(
                sql,
                rusqlite::params_from_iter([value::bound(&Datum::Numeric(value.clone())), value.to_string().into()]),
            )
            .expect("a row");
    }
    let sql = "select count(*) from t where typeof(a) <> typeof(b) or a <> b";
    assert_eq!(database.query_row(sql, [], |row| row.get::<_, i64>(0)), Ok(0));
}
