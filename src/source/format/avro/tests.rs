use bumpalo::Bump as Arena;
use row::{NumericTypmod, ScalarType};

use super::*;
use crate::source::format::scalar::Encoding;

/// The value of a body, as JSON.
fn shown(schema: &str, body: &[u8]) -> Result<String, String> {
    let schema = Schema::parse(schema, &[])?;
    let arena = Arena::new();
    let value = read(&schema, body, &arena)?;
    let mut text = String::new();
    value.write_json(&mut text);
    Ok(text)
}

const ROW: &str = r#"{"type":"record","name":"Row","namespace":"shop","fields":[
    {"name":"id","type":"long"},
    {"name":"note","type":["null","string"],"default":null},
    {"name":"tags","type":{"type":"array","items":"string"}},
    {"name":"extra","type":{"type":"map","values":["null","double"]}},
    {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["new","old"]}},
    {"name":"hash","type":{"type":"fixed","name":"Hash","size":2}},
    {"name":"again","type":["null","Kind"]},
    {"name":"next","type":["null","Row"],"default":null}]}"#;

#[test]
fn every_shape_is_read() {
    let body = [
        0x53, // -42
        2, 4, b'h', b'i', // the second branch, "hi"
        3, 6, 2, b'a', 2, b'b', 0, // a block of 2 with its length, then the end
        2, 2, b'x', 2, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 0, // {"x": 1.5}
        2, // old
        0xBE, 0xEF, //
        2, 0, // new
        2, 0, 0, 0, 0, 0, 1, 2, 0, 0, // a row inside
    ];
    assert_eq!(
        shown(ROW, &body).expect("read"),
        r#"{"id":-42,"note":"hi","tags":["a","b"],"extra":{"x":1.5},"kind":"old","hash":"vu8=","again":"new","next":{"id":0,"note":null,"tags":[],"extra":{},"kind":"new","hash":"AQI=","again":null,"next":null}}"#
    );
}

#[test]
fn bytes_that_are_not_what_the_schema_says() {
    for (schema, body, reason) in [
        ("\"long\"", &[0x80; 11][..], "ten bytes"),
        ("\"string\"", &[8, b'a'], "end too early"),
        ("\"string\"", &[1], "a length of -1"),
        ("\"string\"", &[2, 0xFF], "not UTF-8"),
        ("\"boolean\"", &[2], "no boolean"),
        ("\"int\"", &[0, 0], "1 bytes more"),
        (r#"["null","int"]"#, &[4], "no branch"),
        (r#"{"type":"enum","name":"E","symbols":["a"]}"#, &[2], "no symbol"),
        (r#"{"type":"array","items":"null"}"#, &[0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 0], "more values than"),
    ] {
        let error = shown(schema, body).expect_err(schema);
        assert!(error.contains(reason), "{schema}: {error}");
    }
    let endless = r#"{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}"#;
    assert!(shown(endless, &[]).expect_err("endless").contains("deep"));
}

#[test]
fn schemas_that_are_none() {
    for (schema, reason) in [
        ("\"Unknown\"", "not defined"),
        ("{}", "without \"type\""),
        ("[1]", "1 is no type"),
        (r#"{"type":"record","name":"R"}"#, "without fields"),
        ("{", "not JSON"),
    ] {
        let error = Schema::parse(schema, &[]).expect_err(schema);
        assert!(error.contains(reason), "{schema}: {error}");
    }
}

#[test]
fn a_type_of_another_subject_is_known() {
    let other = r#"{"type":"record","name":"Money","namespace":"shop","fields":[{"name":"cents","type":"int"}]}"#;
    let schema = r#"{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"total","type":"Money"}]}"#;
    let schema = Schema::parse(schema, &[other.to_owned()]).expect("parsed");
    let arena = Arena::new();
    let mut text = String::new();
    read(&schema, &[14], &arena).expect("read").write_json(&mut text);
    assert_eq!(text, r#"{"total":{"cents":7}}"#);
}

#[test]
fn types_and_units_of_columns() {
    let connect = |name: &str, of: &str| format!(r#"["null",{{"type":"{of}","connect.name":"{name}"}}]"#);
    let logical = |name: &str, of: &str| format!(r#"{{"type":"{of}","logicalType":"{name}"}}"#);
    let decimal = |precision: u32, scale: u32| {
        format!(r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":{scale}}}"#)
    };
    let numeric = |precision, scale| ScalarType::Numeric(Some(NumericTypmod { precision, scale }));
    let cases = [
        (connect("io.debezium.time.Timestamp", "long"), ScalarType::Timestamp, Some(Encoding::Millis)),
        (connect("io.debezium.time.NanoTimestamp", "long"), ScalarType::Timestamp, Some(Encoding::Nanos)),
        (connect("io.debezium.time.ZonedTimestamp", "string"), ScalarType::TimestampTz, None),
        (connect("io.debezium.data.Json", "string"), ScalarType::Jsonb, None),
        (logical("timestamp-micros", "long"), ScalarType::TimestampTz, Some(Encoding::Micros)),
        (logical("local-timestamp-millis", "long"), ScalarType::Timestamp, Some(Encoding::Millis)),
        (logical("date", "int"), ScalarType::Date, None),
        (logical("uuid", "string"), ScalarType::Uuid, None),
        (decimal(10, 2), numeric(10, 2), Some(Encoding::Decimal(2))),
        (decimal(5, 2046), ScalarType::Bytes, None), // not valid: ignored
        (r#"{"type":"int","connect.type":"int16"}"#.to_owned(), ScalarType::Int16, None),
        (r#"{"type":"array","items":["null","int"]}"#.to_owned(), ScalarType::Array(Box::new(ScalarType::Int32)), None),
    ];
    for (of, ty, encoding) in cases {
        let text = format!(r#"{{"type":"record","name":"R","fields":[{{"name":"c","type":{of}}}]}}"#);
        let schema = Schema::parse(&text, &[]).expect("parsed");
        assert_eq!(column_types(&schema), Some(vec![("c".to_owned(), Some(ty))]), "{of}");
        assert_eq!(encodings(&schema).get("c").copied(), encoding, "{of}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes: Vec<u8>) {
        let _ = shown(ROW, &bytes);
    }
}

/// What a body gives, written again.
fn written_again(schema: &str, body: &[u8]) -> Vec<u8> {
    let schema = Schema::parse(schema, &[]).expect("a schema");
    let arena = Arena::new();
    let value = read(&schema, body, &arena).expect("read");
    let mut out = Vec::new();
    write(&schema, &value, &mut out).expect("what was read fits");
    out
}

#[test]
fn what_was_read_is_written_as_it_was() {
    let row = [
        0x53, 2, 4, b'h', b'i', 4, 2, b'a', 2, b'b', 0, 2, 2, b'x', 2, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 0, 2, 0xBE, 0xEF,
        2, 0, 2, 0, 0, 0, 0, 0, 1, 2, 0, 0,
    ];
    assert_eq!(written_again(ROW, &row), row);
    for (schema, body) in [
        ("\"long\"", &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1][..]),
        ("\"long\"", &[0x80, 1]),
        ("\"float\"", &[0, 0, 0xC0, 0x3F]),
        (r#"["null","int","long"]"#, &[4, 0x80, 0x80, 0x80, 0x80, 0x40]),
        (r#"{"type":"array","items":"boolean"}"#, &[6, 1, 0, 1, 0]),
    ] {
        assert_eq!(written_again(schema, body), body, "{schema}");
    }
}

#[test]
fn messages_of_a_connector_are_written_as_it_wrote_them() {
    let fixture = |name: &str| {
        let path = format!("{}/fixtures/debezium/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a fixture")
    };
    let schemas: serde_json::Value = serde_json::from_str(&fixture("avro_basic.schemas.json")).expect("schemas");
    let mut messages = 0;
    for line in fixture("avro_basic.jsonl").lines() {
        let message: serde_json::Value = serde_json::from_str(line).expect("a captured message");
        for part in ["key", "value"] {
            let Some(text) = message[part]["base64"].as_str() else { continue };
            let bytes = crate::source::format::binary::base64(text).expect("base64");
            let Some((id, body)) = unframe(&bytes) else { continue };
            let mut again = Vec::new();
            frame(id, &mut again);
            again.extend(written_again(schemas[id.to_string()]["schema"].as_str().expect("a schema"), body));
            assert_eq!(again, bytes, "{part} of {line}");
            messages += 1;
        }
    }
    assert!(messages > 10, "{messages} messages");
}

#[test]
fn a_value_that_is_not_what_the_schema_says_is_not_written() {
    use crate::source::format::json::Value;
    let union = Value::Record(&[("id", Value::Int(1)), ("note", Value::Bool(true))]);
    for (schema, value, reason) in [
        ("\"int\"", Value::Int(1 << 31), "more than an int"),
        ("\"string\"", Value::Int(1), "is no Text"),
        (r#"{"type":"fixed","name":"F","size":2}"#, Value::Bytes(&[1]), "is no Fixed(2)"),
        (ROW, union, "\"note\": no branch"),
        (ROW, Value::Record(&[("ident", Value::Int(1))]), "no field \"ident\""),
        (ROW, Value::Record(&[]), "\"id\": Null is no Long"),
    ] {
        let schema = Schema::parse(schema, &[]).expect("a schema");
        let error = write(&schema, &value, &mut Vec::new()).expect_err(reason);
        assert!(error.contains(reason), "{error}");
    }
}
