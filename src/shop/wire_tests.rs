use std::collections::BTreeMap;

use bumpalo::Bump as Arena;

use super::*;
use crate::shop::tables::{CARD_ACCOUNTS, TRANSACTIONS, WEBSITE_ACTIVITY, with};

const TOPIC: &str = "cards.public.transactions";

/// As if the registry had given these numbers.
fn avro(table: &'static Table, envelope: WireEnvelope) -> Wire {
    let registered =
        |id, json: Json| Registered { id, schema: Schema::parse(&json.to_string(), &[]).expect("a schema") };
    let key = (!table.key.is_empty()).then(|| registered(1, key_schema(table, TOPIC)));
    let value = registered(2, value_schema(table, TOPIC, envelope));
    Wire { envelope, schemas: BTreeMap::from([(table.name, TopicSchemas { key, value })]) }
}

/// A body behind its frame, as JSON.
fn shown(bytes: &[u8], id: u32, schema: Json) -> Result<String, String> {
    let (found, body) = avro::unframe(bytes).expect("a frame");
    assert_eq!(found, id);
    let (schema, arena, mut text) = (Schema::parse(&schema.to_string(), &[])?, Arena::new(), String::new());
    avro::read(&schema, body, &arena)?.write_json(&mut text);
    Ok(text)
}

fn transaction(op: Op) -> Change {
    let row: Row = vec![
        ("transaction_id", 7.into()),
        ("customer_key", 3.into()),
        ("transaction_amount", Value::Cents(-1250)),
        ("category", Value::Null),
        ("status", "approved".into()),
        ("transaction_date", Value::Moment(1_735_689_661_000)),
    ];
    Change { at_ms: 1_735_689_700_000, table: TRANSACTIONS, op, row }
}

#[test]
fn an_update_in_avro_is_debeziums() {
    let record = avro(TRANSACTIONS, WireEnvelope::Debezium).record(&transaction(Op::Update)).expect("it fits");
    let key = record.key.expect("a key");
    assert_eq!(shown(&key, 1, key_schema(TRANSACTIONS, TOPIC)).expect("read"), r#"{"transaction_id":7}"#);
    let value = shown(&record.value.expect("a value"), 2, value_schema(TRANSACTIONS, TOPIC, WireEnvelope::Debezium));
    assert_eq!(
        value.expect("read"),
        r#"{"before":null,"after":{"transaction_id":7,"customer_key":3,"transaction_amount":"////////+x4=","category":null,"status":"approved","transaction_date":1735689661000000},"source":{"name":"shop","ts_ms":1735689700000,"table":"transactions"},"op":"u","ts_ms":1735689700120}"#
    );
}

#[test]
fn a_deleted_row_is_no_value_in_the_plain_envelope() {
    let json = Wire { envelope: WireEnvelope::Plain, schemas: BTreeMap::new() };
    for wire in [json, avro(TRANSACTIONS, WireEnvelope::Plain)] {
        let record = wire.record(&transaction(Op::Delete)).expect("it fits");
        assert!(record.key.is_some_and(|key| !key.is_empty()) && record.value.is_none());
        assert!(wire.record(&transaction(Op::Create)).expect("it fits").value.is_some());
    }
}

#[test]
fn a_plain_row_in_json_is_the_row_alone() {
    let wire = Wire { envelope: WireEnvelope::Plain, schemas: BTreeMap::new() };
    let record = wire.record(&transaction(Op::Create)).expect("it fits");
    let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.expect("bytes")).expect("text");
    assert_eq!(text(record.key), r#"{"transaction_id":7}"#);
    assert!(text(record.value).starts_with(r#"{"transaction_id":7,"customer_key":3,"transaction_amount":"-12.50","#));
}

#[test]
fn a_value_that_avro_cannot_hold_ends_the_body_and_leaves_the_key() {
    let wire = avro(TRANSACTIONS, WireEnvelope::Debezium);
    let mut wrong = transaction(Op::Create);
    wrong.row = with(&wrong.row, "transaction_amount", "12,50");
    assert!(wire.record(&wrong).is_err());
    let record = wire.unreadable(&Unreadable::Value(&wrong));
    let key = shown(&record.key.expect("a key"), 1, key_schema(TRANSACTIONS, TOPIC));
    assert_eq!(key.expect("read"), r#"{"transaction_id":7}"#);
    let value = shown(&record.value.expect("a value"), 2, value_schema(TRANSACTIONS, TOPIC, WireEnvelope::Debezium));
    assert!(value.expect_err("half a body").contains("end too early"));
    let noise = wire.unreadable(&Unreadable::Text("[1]")).value.expect("a value");
    assert_eq!(avro::unframe(&noise), None);
}

#[test]
fn tables_without_a_key_have_no_key_schema_and_days_are_numbers() {
    assert!(avro(WEBSITE_ACTIVITY, WireEnvelope::Debezium).schemas["website_activity"].key.is_none());
    let arena = Arena::new();
    assert_eq!(cell(&Value::Day(1_735_689_661_000), &arena), Cell::Int(20_089));
    assert_eq!(cell(&Value::Day(-1), &arena), Cell::Int(-1));
    let schema = value_schema(CARD_ACCOUNTS, "7-eleven.cards", WireEnvelope::Plain);
    assert_eq!(schema["namespace"], "_7_eleven.cards");
}
