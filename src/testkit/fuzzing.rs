//! Where bytes from outside come in, as functions that take any bytes.
//!
//! ```text
//!   fuzz/fuzz_targets/NAME.rs ──┐
//!   fuzz/corpus/NAME/* ─────────┼──> TARGETS[NAME](bytes): gives a value or an error, never a panic
//!   seeded mutations of them ───┘
//! ```
//!
//! `cargo fuzz run NAME` drives them with coverage (a nightly compiler); tests run the corpus and some mutations of it on any.

use std::sync::Arc;

use bumpalo::Bump as Arena;
use row::{NumericTypmod, ScalarType};

use crate::plan::{Column, RelationId, RelationType};
use crate::source::decoder::{Decoder, Message};
use crate::source::format::json::{Cursor, Value};
use crate::source::format::{avro, connect};
use crate::source::journal::{next_appended, next_entry};
use crate::source::varint::Bytes;
use crate::source::versions::Partitions;
use crate::source::{
    Connector, Envelope, Format, Resolved, Resolver, SourceColumn, TableSource, TableSpec, delivery, transactions,
};

/// A function for each way in.
pub const TARGETS: [(&str, fn(&[u8])); 10] = [
    ("json_line", json_line),
    ("message", message),
    ("csv", csv),
    ("avro", avro_body),
    ("avro_schema", avro_schema),
    ("connect_schema", connect_schema),
    ("transaction", transaction),
    ("journal", journal),
    ("livemart_yml", livemart_yml),
    ("sql", sql),
];

/// A table with a column of every type.
fn table(envelope: Envelope, has_key: bool) -> TableSource {
    let types = [
        ScalarType::Int32,
        ScalarType::Int16,
        ScalarType::Int64,
        ScalarType::Numeric(None),
        ScalarType::Numeric(Some(NumericTypmod { precision: 12, scale: 2 })),
        ScalarType::Float32,
        ScalarType::Float64,
        ScalarType::Bool,
        ScalarType::Text,
        ScalarType::Varchar(Some(5)),
        ScalarType::Char(3),
        ScalarType::Json,
        ScalarType::Jsonb,
        ScalarType::Uuid,
        ScalarType::Bytes,
        ScalarType::Date,
        ScalarType::Time,
        ScalarType::Timestamp,
        ScalarType::TimestampTz,
        ScalarType::Interval,
        ScalarType::Array(Box::new(ScalarType::Int32)),
        ScalarType::Array(Box::new(ScalarType::Text)),
    ];
    let column = |(at, ty): (usize, ScalarType)| SourceColumn {
        name: if at == 0 { "id".to_owned() } else { format!("c{at}") },
        ty,
    };
    let columns: Vec<SourceColumn> = types.into_iter().enumerate().map(column).collect();
    TableSource {
        table: 0,
        spec: TableSpec {
            relation: RelationId(Arc::from("source.shop.raw.t")),
            name: "raw.t".to_owned(),
            demanded: vec![true; columns.len()],
            keeps_all: true,
            columns,
            key: has_key.then(|| vec![0]),
            envelope,
        },
        source: "raw".to_owned(),
        identifier: "t".to_owned(),
        is_shared: false,
        connector: Connector::File { path: "none".into(), topic: None },
        format: Format::Json,
        encodings: Default::default(),
        registry: None,
        transactions: None,
    }
}

/// Decodes with each envelope, with and without a key, and resolves what comes.
fn decoded(mut decode: impl FnMut(&mut Decoder, &mut Vec<crate::source::Record>)) {
    for envelope in [Envelope::Debezium, Envelope::Upsert, Envelope::Append] {
        for has_key in [true, false] {
            if envelope == Envelope::Upsert && !has_key {
                continue;
            }
            let table = table(envelope, has_key);
            let mut decoder = Decoder::new(std::slice::from_ref(&table)).expect("a decoder without a registry");
            let mut records = Vec::new();
            decode(&mut decoder, &mut records);
            let mut resolver = Resolver::new(&[table.spec], []);
            resolver.keep_journal();
            let mut resolved = Resolved::default();
            for record in records {
                resolver.resolve(&"raw".into(), &"0".into(), record, &mut resolved);
            }
        }
    }
}

/// Lines of a JSONL file.
pub fn json_line(bytes: &[u8]) {
    decoded(|decoder, records| {
        for (offset, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let _ = decoder.line(offset as u64, line, records);
        }
    });
}

/// A message: its key, a zero byte, its value.
pub fn message(bytes: &[u8]) {
    let (key, value) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (Some(&bytes[..at]), Some(&bytes[at + 1..])),
        None => (Some(bytes), None),
    };
    decoded(|decoder, records| {
        let header = |_: &str| key.map(<[u8]>::to_vec);
        let message = Message { topic: Some("shop.public.t"), key, value, timestamp_ms: Some(0), header: &header };
        let _ = decoder.message(0, &message, records);
    });
}

/// A header and a record.
pub fn csv(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (header, rest) = bytes.split_at(at);
    decoded(|decoder, records| {
        if decoder.csv_header(header).is_ok() {
            decoder.csv_record(0, rest, records);
        }
    });
}

/// A body, for a schema with every shape.
pub fn avro_body(bytes: &[u8]) {
    const SCHEMA: &str = r#"{"type":"record","name":"Row","fields":[
        {"name":"id","type":"long"},{"name":"b","type":["null","boolean"]},{"name":"f","type":["null","float","double"]},
        {"name":"s","type":{"type":"array","items":"string"}},{"name":"m","type":{"type":"map","values":["null","bytes"]}},
        {"name":"n","type":{"type":"array","items":"null"}},{"name":"e","type":{"type":"enum","name":"E","symbols":["a","b"]}},
        {"name":"x","type":{"type":"fixed","name":"X","size":3}},{"name":"next","type":["null","Row"]}]}"#;
    let schema = avro::Schema::parse(SCHEMA, &[]).expect("a schema");
    let arena = Arena::new();
    let body = avro::unframe(bytes).map_or(bytes, |(_, body)| body);
    if let Ok(value) = avro::read(&schema, body, &arena) {
        value.write_json(&mut String::new());
    }
}

/// A schema, and a body of zeros for it.
pub fn avro_schema(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(schema) = avro::Schema::parse(text, &[]) else { return };
    let _ = (avro::column_types(&schema), avro::encodings(&schema));
    let arena = Arena::new();
    let _ = avro::read(&schema, &[0; 64], &arena);
}

/// A schema as Kafka Connect's JSON converter writes it.
pub fn connect_schema(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = (connect::encodings(text), connect::column_types(text));
}

/// Marks of transactions, and positions.
pub fn transaction(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let value = Cursor::new(text).value().unwrap_or(Value::Null);
    let _ = (transactions::ended(value), transactions::membership(Some(value), None), delivery::sequence(text));
}

/// What state keeps, should it be damaged and its checksum not show it.
pub fn journal(bytes: &[u8]) {
    let table = table(Envelope::Debezium, true);
    let mut resolver = Resolver::new(&[table.spec], []);
    resolver.restore_partitions(Partitions(vec![("raw".into(), "0".into())]));
    let mut entries = Bytes(bytes);
    while let Some(Some(entry)) = next_entry(&mut entries) {
        if resolver.apply(entry, &[Some(0)]).is_err() {
            break;
        }
    }
    let mut appended = Bytes(bytes);
    while let Some(Some(_)) = next_appended(&mut appended) {}
}

pub fn livemart_yml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = crate::project::read_targets(text);
}

/// A query over one table.
pub fn sql(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let column = |name: &str, ty| Column { name: name.to_owned(), ty, nullable: true, scale_max: None };
    let columns =
        vec![column("id", ScalarType::Int32), column("at", ScalarType::Timestamp), column("s", ScalarType::Text)];
    let typ = RelationType { columns, keys: vec![vec![0]] };
    let _ = crate::plan::bind(text, &|_| Some((RelationId(Arc::from("source.shop.raw.t")), typ.clone())));
}
