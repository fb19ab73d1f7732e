use row::{Datum, Numeric, ScalarType};

use super::*;
use crate::sink::{TableColumn, TableProperties};

fn table(key: Option<Vec<usize>>, columns: &[(&str, ScalarType)]) -> TableSpec {
    let column = |(name, ty): &(&str, ScalarType)| TableColumn { name: (*name).into(), ty: ty.clone(), nullable: true };
    TableSpec {
        model: "model.shop.t".into(),
        schema: "marts".into(),
        name: "t".into(),
        columns: columns.iter().map(column).collect(),
        key,
        fingerprint: String::new(),
        compiled_sql: String::new(),
        properties: TableProperties::default(),
    }
}

fn row(id: i64, text: &str) -> Row {
    Row::pack([Datum::Int(id), Datum::Text(text)])
}

/// `key value` of each record.
fn told(envelope: Envelope, table: &TableSpec, delta: &[(Row, i64)]) -> Result<Vec<String>, SinkError> {
    let carried = Carried { model: String::new(), topic: "marts.t".into(), shape: String::new(), since: 1 };
    let moment = Moment { instance: "shop.prod", seq: 7, clock: 1_790_000_000_123_456 };
    let mut records = Vec::new();
    push(&mut records, envelope, moment, table, &carried, delta)?;
    assert!(records.iter().all(|record| record.topic == "marts.t"));
    Ok(records.iter().map(|record| format!("{} {}", record.key, record.value.as_deref().unwrap_or("null"))).collect())
}

#[test]
fn a_key_has_one_record_in_a_cut() {
    let table = table(Some(vec![0]), &[("id", ScalarType::Int64), ("name", ScalarType::Text)]);
    let delta = [(row(1, "a"), -1), (row(1, "b"), 1), (row(2, "x"), 1), (row(3, "y"), -1)];
    let upserts = told(Envelope::Upsert, &table, &delta).expect("a key");
    assert_eq!(
        upserts,
        ["{\"id\":1} {\"id\":1,\"name\":\"b\"}", "{\"id\":2} {\"id\":2,\"name\":\"x\"}", "{\"id\":3} null"]
    );

    let events = told(Envelope::Debezium, &table, &delta).expect("a key");
    let source = format!(
        "\"source\":{{\"version\":\"{}\",\"connector\":\"livemart\",\"name\":\"shop.prod\",\"ts_ms\":1790000000123,\
         \"schema\":\"marts\",\"table\":\"t\",\"seq\":7,\"clock\":1790000000123456}}",
        env!("CARGO_PKG_VERSION")
    );
    let event = |key: &str, before: &str, after: &str, op: &str| {
        format!("{key} {{\"before\":{before},\"after\":{after},{source},\"op\":\"{op}\",\"ts_ms\":1790000000123}}")
    };
    let [a, b] = ["{\"id\":1,\"name\":\"a\"}", "{\"id\":1,\"name\":\"b\"}"];
    assert_eq!(events[0], event("{\"id\":1}", a, b, "u"));
    assert_eq!(events[1], event("{\"id\":2}", "null", "{\"id\":2,\"name\":\"x\"}", "c"));
    assert_eq!(events[2], event("{\"id\":3}", "{\"id\":3,\"name\":\"y\"}", "null", "d"));
}

#[test]
fn equal_rows_without_a_key_have_a_record_each_under_one_key() {
    let table = table(None, &[("id", ScalarType::Int64), ("name", ScalarType::Text)]);
    let events = told(Envelope::Debezium, &table, &[(row(1, "a"), 2), (row(2, "b"), -1)]).expect("no key is needed");
    assert_eq!(events.len(), 3);
    assert_eq!(events[0], events[1]);
    let key = |event: &str| event.split_once(' ').expect("a key").0.to_owned();
    assert_ne!(key(&events[0]), key(&events[2]));
    assert!(events[0].contains("\"op\":\"c\"") && events[2].contains("\"op\":\"d\""), "{events:?}");
}

#[test]
fn a_row_whose_text_stays_is_no_change() {
    let table = table(Some(vec![0]), &[("id", ScalarType::Int64), ("amount", ScalarType::Numeric(None))]);
    let amount = |text: &str| Row::pack([Datum::Int(1), Datum::Numeric(Numeric::parse(text).expect("a number"))]);
    let records = told(Envelope::Debezium, &table, &[(amount("1.50"), -1), (amount("1.5"), 1)]);
    assert!(records.expect("a key").is_empty(), "a numeric without a scale is compared by value");
}

#[test]
fn two_rows_of_a_key_are_refused_with_the_model() {
    let table = table(Some(vec![0]), &[("id", ScalarType::Int64), ("name", ScalarType::Text)]);
    let error = told(Envelope::Upsert, &table, &[(row(1, "a"), 1), (row(1, "b"), 1)]).expect_err("not unique");
    assert!(error.to_string().contains("the key of model.shop.t is not unique"), "{error}");
}

#[test]
fn values_are_what_postgresql_prints() {
    let columns = [
        ("small", ScalarType::Int16),
        ("flag", ScalarType::Bool),
        ("ratio", ScalarType::Float64),
        ("nan", ScalarType::Float64),
        ("zero", ScalarType::Float64),
        ("day", ScalarType::Date),
        ("at", ScalarType::Timestamp),
        ("tz", ScalarType::TimestampTz),
        ("raw", ScalarType::Bytes),
        ("tags", ScalarType::Array(Box::new(ScalarType::Text))),
        ("none", ScalarType::Text),
        ("odd \"name\"", ScalarType::Text),
    ];
    let tags = Row::pack([Datum::Text("a"), Datum::Null]);
    let row = Row::pack([
        Datum::Int(-3),
        Datum::Bool(true),
        Datum::Float64(0.1),
        Datum::Float64(f64::NAN),
        Datum::Float64(-0.0),
        Datum::Date(0),
        Datum::Timestamp(250_000),
        Datum::TimestampTz(-1),
        Datum::Bytes(b"hi"),
        Datum::Array(tags.as_ref()),
        Datum::Null,
        Datum::Text("line\nbreak \u{1} \\"),
    ]);
    let mut text = String::new();
    write_row(&mut text, &table(None, &columns), &row);
    assert_eq!(
        text,
        r#"{"small":-3,"flag":true,"ratio":0.1,"nan":"NaN","zero":0,"day":"1970-01-01","at":"1970-01-01T00:00:00.25","#
            .to_owned()
            + r#""tz":"1969-12-31T23:59:59.999999+00:00","raw":"\\x6869","tags":["a",null],"none":null,"#
            + r#""odd \"name\"":"line\nbreak \u0001 \\"}"#
    );
    serde_json::from_str::<serde_json::Value>(&text).expect("it is JSON");
}
