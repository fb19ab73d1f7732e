//! Seeds, snapshots, unit tests and tests with configurations, through the real binary on a small project of files and SQLite.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::pipeline::binary::{Answer, Folder};

const SCHEMA: &str = "
sources:
  - name: raw
    tables:
      - name: items
        columns:
          - {name: id, data_type: bigint}
          - {name: region, data_type: text}
          - {name: amount, data_type: 'numeric(10,2)'}
        data_tests:
          - unique: {column_name: id}
seeds:
  - name: regions
    columns:
      - {name: code, data_tests: [unique, not_null]}
models:
  - name: totals
    columns:
      - name: region
        data_tests:
          - not_null: {name: warns, config: {severity: warn}}
          - accepted_values: {name: stored, arguments: {values: [n]}, config: {warn_if: '> 1', error_if: '> 5', store_failures: true}}
          - accepted_values: {name: capped, values: [x], config: {limit: 1}}
          - accepted_values: {name: summed, values: [n], config: {fail_calc: 'sum(n_records)', error_if: 'between 2 and 3'}}
          - relationships: {name: narrowed, arguments: {to: ref('regions'), field: code}, config: {where: \"region <> 'q'\"}}
          - not_null: {name: unused, config: {enabled: false}}
snapshots:
  - name: items_history
    relation: source('raw', 'items')
    config: {unique_key: id, strategy: check, check_cols: [region, amount], hard_deletes: invalidate}
    columns:
      - {name: dbt_scd_id, data_tests: [unique]}
unit_tests:
  - name: adds_up
    model: totals
    overrides: {vars: {factor: 2}}
    given:
      - input: source('raw', 'items')
        rows: [{id: 1, region: n, amount: 5}, {id: 2, region: n, amount: '2.50'}]
      - input: ref('regions')
    expect:
      rows: [{region: n, name: North, total: '15.00'}]
  - name: is_wrong
    model: totals
    config: {enabled: \"{{ var('wrong', false) }}\"}
    given:
      - input: source('raw', 'items')
        format: csv
        rows: |
          id,region,amount
          1,n,5
          2,,
      - input: ref('regions')
        format: sql
        rows: select 'n' as code, 'North' as name
    expect:
      format: csv
      rows: |
        region,total
        n,6.00
        z,1
";

fn project(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("dbt_project.yml", "name: shop\nversion: '1.0'\nmodels: {+materialized: table}\nvars: {factor: 1}\n");
    folder.write(
        "livemart.yml",
        "targets:
  dev:
    sources:
      raw: {connector: file, path: '{table}.jsonl', format: json, envelope: debezium}
      raw.items: {key: [id]}
    sink: {type: sqlite, path: marts.db}
    clock: {mode: fixed, at: \"{{ var('now') }}\"}
",
    );
    folder.write("models/schema.yml", SCHEMA);
    folder.write(
        "models/totals.sql",
        "select i.region, r.name, sum(i.amount) * {{ var('factor') }} as total
         from {{ source('raw', 'items') }} i left join {{ ref('regions') }} r on r.code = i.region group by 1, 2",
    );
    folder.write(
        "models/versions.sql",
        "select region, count(*) as versions, count(*) filter (where dbt_valid_to is null) as open
         from {{ ref('items_history') }} group by 1",
    );
    folder.write("seeds/regions.csv", "code,name\nn,North\ns,South\n");
    folder.write("items.jsonl", &[(1, "n", "1.50"), (2, "s", "2.50"), (3, "q", "4.00")].map(item).concat());
    folder
}

fn item((id, region, amount): (i64, &str, &str)) -> String {
    format!(
        "{{\"op\":\"c\",\"before\":null,\"after\":{{\"id\":{id},\"region\":\"{region}\",\"amount\":\"{amount}\"}}}}\n"
    )
}

fn livemart(folder: &Folder, day: u32, arguments: &[&str]) -> Answer {
    let vars = format!("{{now: '2024-01-{day:02} 00:00:00'}}");
    folder.livemart(&[arguments, &["--vars", &vars]].concat())
}

/// The rows of a query, each as text with a bar between values.
fn rows(folder: &Folder, sql: &str) -> Vec<String> {
    let connection = Connection::open(folder.path("marts.db")).expect("a database");
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let width = statement.column_count();
    let text = |value: ValueRef<'_>| match value {
        ValueRef::Null => "-".to_owned(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(value) | ValueRef::Blob(value) => String::from_utf8_lossy(value).into_owned(),
    };
    let row = |row: &rusqlite::Row<'_>| {
        let values: Vec<String> = (0..width).map(|at| text(row.get_ref(at).expect("a value"))).collect();
        Ok(values.join("|"))
    };
    statement.query_map([], row).expect("rows").map(|row| row.expect("a row")).collect()
}

/// `PASS`, `WARN 1`, `FAIL 2`, … by name.
fn verdicts(answer: &Answer) -> BTreeMap<String, String> {
    let lines = answer.err.lines().filter(|line| line.contains(" of ") && !line.contains(" START "));
    let verdict = |line: &str| {
        let (_, rest) = line.split_once(" of ")?;
        let (_, rest) = rest.split_once(' ')?;
        let (said, _) = rest.split_once(" .")?;
        let (verdict, name) = said.rsplit_once(' ')?;
        Some((name.to_owned(), verdict.to_owned()))
    };
    lines.filter_map(verdict).collect()
}

#[test]
fn an_edited_seed_moves_the_tables_that_read_it() {
    let folder = project("seeds");
    let built = livemart(&folder, 1, &["build"]);
    assert!(built.err.contains("OK loaded seed file main.regions"), "{built:#?}");
    assert_eq!(rows(&folder, "select * from regions order by 1"), ["n|North", "s|South"]);
    assert_eq!(rows(&folder, "select * from totals order by 1"), ["n|North|1.5", "q|-|4", "s|South|2.5"]);

    folder.write("seeds/regions.csv", "code,name\nn,North\ns,Sud\nq,Quiet\n");
    let answer = livemart(&folder, 2, &["seed"]);
    assert_eq!(answer.code, 0, "{answer:#?}");
    assert!(answer.err.contains("INSERT 3"), "{answer:#?}");
    assert_eq!(rows(&folder, "select * from regions order by 1"), ["n|North", "q|Quiet", "s|Sud"]);
    assert_eq!(rows(&folder, "select * from totals order by 1"), ["n|North|1.5", "q|Quiet|4", "s|Sud|2.5"]);

    folder.write("seeds/regions.csv", "code,name,code_of\nn,North,1,2\n");
    let answer = livemart(&folder, 3, &["seed"]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert!(answer.err.contains("seeds/regions.csv") && answer.err.contains("4 values"), "{answer:#?}");
}

#[test]
fn a_snapshot_keeps_what_it_has_seen_from_run_to_run() {
    let folder = project("snapshots");
    livemart(&folder, 1, &["build"]);
    folder.append(
        "items.jsonl",
        "{\"op\":\"u\",\"before\":null,\"after\":{\"id\":2,\"region\":\"n\",\"amount\":\"2.50\"}}\n{\"op\":\"d\",\"before\":{\"id\":3},\"after\":null}\n",
    );
    let answer = livemart(&folder, 2, &["run"]);
    assert_eq!(answer.code, 0, "{answer:#?}");
    let history = "select id, region, substr(dbt_valid_from, 9, 2), substr(dbt_valid_to, 9, 2) from items_history order by id, dbt_valid_from";
    assert_eq!(rows(&folder, history), ["1|n|01|-", "2|s|01|02", "2|n|02|-", "3|q|01|02"]);
    assert_eq!(rows(&folder, "select * from versions order by 1"), ["n|2|2", "q|1|0", "s|1|0"]);
    let before = rows(&folder, "select * from items_history order by id, dbt_valid_from");

    // Nothing has changed; nor has what a rebuild of everything else finds.
    for arguments in [&["build"][..], &["run", "--full-refresh"]] {
        livemart(&folder, 3, arguments);
        assert_eq!(rows(&folder, "select * from items_history order by id, dbt_valid_from"), before, "{arguments:?}");
        assert_eq!(rows(&folder, "select * from versions order by 1"), ["n|2|2", "q|1|0", "s|1|0"]);
    }
    let shown = livemart(&folder, 4, &["show", "--select", "versions", "--output", "json", "-q"]);
    let answer: serde_json::Value = serde_json::from_str(&shown.out).expect("show prints JSON");
    assert_eq!(answer["show"][0], serde_json::json!({"region": "n", "versions": 2, "open": 2}), "{shown:#?}");
    let verified = livemart(&folder, 4, &["verify"]);
    assert_eq!(verified.code, 0, "{verified:#?}");

    let answer = livemart(&folder, 5, &["run", "--full-refresh", "--rebuild-snapshots"]);
    assert_eq!(answer.code, 0, "{answer:#?}");
    // Anew is every version that the source still has.
    assert_eq!(rows(&folder, history), ["1|n|05|-", "2|s|05|05", "2|n|05|-", "3|q|05|05"]);
}

#[test]
fn failing_rows_of_every_test_have_a_table_when_that_is_asked() {
    let folder = project("store_failures");
    livemart(&folder, 1, &["run"]);
    let kept =
        "select name from sqlite_master where type = 'table' and name in ('warns', 'stored', 'capped') order by 1";
    assert_eq!(rows(&folder, kept), [""; 0]);
    let answer = livemart(&folder, 2, &["test", "--store-failures"]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert_eq!(rows(&folder, kept), ["capped", "stored", "warns"]);
    assert_eq!(rows(&folder, "select value_field, n_records from stored order by 1"), ["q|1", "s|1"]);
    assert_eq!(rows(&folder, "select * from warns"), [""; 0]);
    // They are kept current like any table.
    folder.append("items.jsonl", &item((9, "z", "1.00")));
    livemart(&folder, 3, &["run"]);
    assert_eq!(rows(&folder, "select value_field, n_records from stored order by 1"), ["q|1", "s|1", "z|1"]);
}

/// A change at a second of the first of January; no row: it goes.
fn at(second: u32, id: i64, row: Option<(&str, &str)>) -> String {
    let ts_ms = 1_704_067_200_000 + i64::from(second) * 1000;
    let source = format!("\"source\":{{\"ts_ms\":{ts_ms},\"table\":\"items\"}},\"ts_ms\":{ts_ms}");
    match row {
        Some((region, amount)) => format!(
            "{{\"op\":\"u\",\"before\":null,\"after\":{{\"id\":{id},\"region\":\"{region}\",\"amount\":\"{amount}\"}},{source}}}\n"
        ),
        None => format!("{{\"op\":\"d\",\"before\":{{\"id\":{id}}},\"after\":null,{source}}}\n"),
    }
}

#[test]
fn a_snapshot_over_a_keyed_source_has_every_version_at_its_sources_time() {
    let folder = project("every_version");
    folder.write("items.jsonl", &[at(1, 7, Some(("n", "1.00"))), at(2, 7, Some(("s", "1.00")))].concat());
    livemart(&folder, 1, &["run"]);
    let history = "select region, substr(dbt_valid_from, 18), substr(dbt_valid_to, 18) from items_history order by dbt_valid_from";
    assert_eq!(rows(&folder, history), ["n|01|02", "s|02|-"]);
    // In one cut: there and back, deleted and there again, and twice in one moment.
    let more = [
        at(3, 7, Some(("n", "1.00"))),
        at(4, 7, Some(("s", "1.00"))),
        at(5, 7, None),
        at(6, 7, Some(("s", "1.00"))),
        at(6, 7, Some(("s", "2.00"))),
    ];
    folder.append("items.jsonl", &more.concat());
    livemart(&folder, 2, &["run"]);
    let found = rows(&folder, history);
    assert_eq!(found, ["n|01|02", "s|02|03", "n|03|04", "s|04|05", "s|06|06.000001", "s|06.000001|-"]);
    let ids = rows(&folder, "select count(distinct dbt_scd_id) from items_history");
    assert_eq!(ids, ["6"]);
    livemart(&folder, 3, &["run"]);
    assert_eq!(rows(&folder, history), found, "a start adds nothing");
    let explained = livemart(&folder, 3, &["explain", "items_history"]);
    assert!(explained.out.contains("every version at its source's time"), "{explained:#?}");

    // Seen cut by cut there is one version more at most; the table takes up where it stands.
    folder.replace(
        "models/schema.yml",
        "hard_deletes: invalidate}",
        "hard_deletes: invalidate, meta: {livemart: {versions: cuts}}}",
    );
    folder.append("items.jsonl", &[at(7, 7, Some(("q", "2.00"))), at(8, 7, Some(("r", "2.00")))].concat());
    livemart(&folder, 4, &["build"]);
    let explained = livemart(&folder, 4, &["explain", "items_history"]);
    assert!(explained.out.contains("a version per cut"), "{explained:#?}");
    assert_eq!(rows(&folder, history)[5..], ["s|06.000001|00", "r|00|-"]);
}

#[test]
fn a_snapshot_whose_query_cannot_tell_every_version_says_so_where_that_is_asked() {
    let folder = project("some_versions");
    folder.write("models/some.sql", "select id, region, amount from {{ source('raw', 'items') }} where amount > 1");
    folder.replace("models/schema.yml", "relation: source('raw', 'items')", "relation: ref('some')");
    let explained = livemart(&folder, 1, &["explain", "items_history"]);
    assert!(explained.out.contains("a version per cut"), "{explained:#?}");
    folder.replace("models/schema.yml", "hard_deletes: invalidate}", "meta: {livemart: {versions: all}}}");
    let refused = livemart(&folder, 1, &["run"]);
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(
        refused.err.contains("not every version of its rows can be told") && refused.err.contains("or write cuts"),
        "{refused:#?}"
    );
}

#[test]
fn a_snapshot_whose_query_drops_a_column_is_refused_with_a_way_out() {
    let folder = project("dropped_column");
    livemart(&folder, 1, &["run"]);
    folder.write("models/fewer.sql", "select id, region from {{ source('raw', 'items') }}");
    folder.replace("models/schema.yml", "relation: source('raw', 'items')", "relation: ref('fewer')");
    folder.replace("models/schema.yml", "check_cols: [region, amount]", "check_cols: [region]");
    let refused = livemart(&folder, 2, &["build"]);
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.err.contains("its table holds \"amount\""), "{refused:#?}");
    assert!(refused.err.contains("--rebuild-snapshots"), "{refused:#?}");
    folder.write(
        "models/fewer.sql",
        "select id, region, null::numeric(10,2) as amount from {{ source('raw', 'items') }}",
    );
    folder.append("items.jsonl", &item((1, "s", "9.00")));
    livemart(&folder, 3, &["build"]);
    let history =
        "select id, region, amount, dbt_valid_to is null from items_history where id = 1 order by dbt_valid_from";
    assert_eq!(rows(&folder, history), ["1|n|1.5|0", "1|s|-|1"]);
}

#[test]
fn tests_follow_their_configurations_as_in_dbt() {
    let folder = project("tests");
    let expected = [
        ("warns", "PASS"),
        ("stored", "WARN 2"),
        ("capped", "FAIL 1"),
        ("summed", "FAIL 2"),
        ("narrowed", "PASS"),
        ("source_unique_raw_items_id", "PASS"),
        ("unique_items_history_dbt_scd_id", "PASS"),
        ("totals::adds_up", "PASS"),
    ];
    let built = livemart(&folder, 1, &["build"]);
    let tested = livemart(&folder, 1, &["test"]);
    for answer in [&built, &tested] {
        assert_eq!(answer.code, 1, "{answer:#?}");
        let found = verdicts(answer);
        for (name, verdict) in expected {
            assert_eq!(found.get(name).map(String::as_str), Some(verdict), "{name}: {answer:#?}");
        }
        assert!(!found.contains_key("unused"), "{found:?}");
    }
    assert!(built.err.contains("Got 2 results, configured to fail if between 2 and 3"), "{built:#?}");
    assert!(built.err.contains("select * from") && built.err.contains("stored"), "{built:#?}");
    assert_eq!(rows(&folder, "select value_field, n_records from stored order by 1"), ["q|1", "s|1"]);
    let counts = "select test, severity, failures from livemart_tests where failures > 0 order by 1";
    assert_eq!(rows(&folder, counts), ["capped|error|1", "stored|error|2", "summed|error|2"]);

    // The failing rows follow the data, whatever verb moves them.
    folder.append("items.jsonl", &item((4, "z", "1.00")));
    livemart(&folder, 2, &["run"]);
    assert_eq!(rows(&folder, "select value_field, n_records from stored order by 1"), ["q|1", "s|1", "z|1"]);
    let tested = verdicts(&livemart(&folder, 2, &["test"]));
    assert_eq!((tested["stored"].as_str(), tested["summed"].as_str()), ("WARN 3", "FAIL 3"));

    let strict = livemart(&folder, 2, &["test", "--warn-error", "--select", "stored"]);
    assert_eq!((strict.code, verdicts(&strict)["stored"].as_str()), (1, "FAIL 3"), "{strict:#?}");
    assert!(strict.err.contains("configured to fail if > 1"), "{strict:#?}");
    let first = livemart(&folder, 2, &["test", "-x", "--select", "capped", "summed", "stored"]);
    assert_eq!(first.code, 1, "{first:#?}");
    assert_eq!(verdicts(&first).into_values().filter(|verdict| verdict.starts_with("FAIL")).count(), 1, "{first:#?}");
    assert!(first.err.contains("SKIP=2") || first.err.contains("SKIP=1"), "{first:#?}");
}

#[test]
fn a_wrong_expectation_fails_and_nothing_is_published() {
    let folder = project("units");
    let arguments = ["build", "--vars", "{wrong: true, now: '2024-01-01 00:00:00'}"];
    let answer = folder.livemart(&arguments);
    assert_eq!(answer.code, 1, "{answer:#?}");
    for words in
        ["FAIL 1 totals::is_wrong", "actual differs from expected", "6.00→5.00", "---,z", "nothing is published"]
    {
        assert!(answer.err.contains(words), "no {words:?} in {answer:#?}");
    }
    assert!(!folder.path("marts.db").exists(), "there is no cut");
    let only = folder.livemart(&["test", "--select", "test_type:unit", "--vars", "{now: '2024-01-01 00:00:00'}"]);
    assert_eq!(only.code, 0, "{only:#?}");
    assert_eq!(verdicts(&only).into_iter().collect::<Vec<_>>(), [("totals::adds_up".to_owned(), "PASS".to_owned())]);
}

/// A project of one model over texts that may be no numbers.
fn of_numbers(name: &str, config: &str) -> Folder {
    let folder = project(name);
    folder.write(
        "models/numbers.sql",
        "select id, region::integer + 1 as number from {{ source('raw', 'items') }} where id > 0",
    );
    let numbers = format!("models:\n  - name: numbers\n    {config}\n");
    folder.write("models/numbers.yml", &numbers);
    folder.write("items.jsonl", &[(1, "41", "0"), (2, "many", "0")].map(item).concat());
    folder
}

#[test]
fn a_failing_expression_is_set_aside_or_null_or_the_end() {
    let folder = of_numbers("quarantine", "config: {meta: {livemart: {on_error: quarantine}}}");
    assert_eq!(livemart(&folder, 1, &["run", "--select", "numbers"]).code, 0);
    assert_eq!(rows(&folder, "select * from numbers order by 1"), ["1|42"]);
    assert_eq!(rows(&folder, "select count(*) from livemart_errors"), ["1"]);

    let folder = of_numbers("null", "config: {meta: {livemart: {on_error: null}}}");
    assert_eq!(livemart(&folder, 1, &["run", "--select", "numbers"]).code, 0);
    assert_eq!(rows(&folder, "select * from numbers order by 1"), ["1|42", "2|-"]);
    assert_eq!(rows(&folder, "select count(*) from livemart_errors"), ["0"]);

    let folder = of_numbers("fail", "config: {meta: {livemart: {on_error: fail}}}");
    let answer = livemart(&folder, 1, &["run", "--select", "numbers"]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert!(answer.err.contains("on_error: fail") && answer.err.contains("many"), "{answer:#?}");
    assert_eq!(rows(&folder, "select count(*) from sqlite_master where name = 'numbers'"), ["0"]);

    let folder = of_numbers("unknown", "config: {meta: {livemart: {on_error: ignore}}}");
    let answer = livemart(&folder, 1, &["run", "--select", "numbers"]);
    assert!(answer.code == 1 && answer.err.contains("quarantine, null or fail"), "{answer:#?}");
}

#[test]
fn a_broken_contract_is_refused_with_dbts_table() {
    let folder = of_numbers(
        "contract",
        "config: {contract: {enforced: true}}\n    columns: [{name: id, data_type: bigint}, {name: number, data_type: text}]",
    );
    let answer = livemart(&folder, 1, &["run", "--select", "numbers"]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert!(answer.err.contains("This model has an enforced contract that failed."), "{answer:#?}");
    assert!(
        answer.err.contains("| number      | INTEGER         | STRING        | data type mismatch |"),
        "{answer:#?}"
    );
    folder.replace("models/numbers.yml", "data_type: text", "data_type: int");
    assert_eq!(livemart(&folder, 1, &["run", "--select", "numbers"]).code, 0);
}
