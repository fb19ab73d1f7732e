//! Changes as records of a topic.
//!
//! ```text
//!              envelope                         format
//!   change ──> debezium: op, before, after ──┬──> JSON ───────────────────────────────────────> key, value
//!          └─> plain: the row alone;         └──> Avro, by the topic's schemas, registered ──> 0 │ id │ body
//!              null where it was deleted
//! ```
//!
//! 1. Avro is what Debezium's converter writes: nullable columns, `io.debezium.time`'s names, numerics in bytes.
//! 2. A value that its column's type does not know cannot be written in Avro: the body ends where it would stand. The key is whole,
//!    so that the right row, which follows, heals it.

use std::collections::BTreeMap;
use std::io;

use bumpalo::Bump as Arena;
use serde_json::{Value as Json, json};

use super::Unreadable;
use super::columns::{Kind, columns};
use super::tables::{ALL, Change, Medium, Op, Row, Table, Value};
use crate::source::RegistrySettings;
use crate::source::format::avro::{self, Schema};
use crate::source::format::json::{RawText, Value as Cell};
use crate::source::registry::Registry;

/// How a record is encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WireFormat {
    #[default]
    Json,
    /// In Confluent's wire format.
    Avro { registry: RegistrySettings },
}

/// How a change is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WireEnvelope {
    #[default]
    Debezium,
    /// A row, or no value where the row of the key is deleted; of a table without a key each record is one more row.
    Plain,
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

pub struct Wire {
    envelope: WireEnvelope,
    /// By table; none where records are JSON.
    schemas: BTreeMap<&'static str, TopicSchemas>,
}

struct TopicSchemas {
    key: Option<Registered>,
    value: Registered,
}

struct Registered {
    id: u32,
    schema: Schema,
}

impl Wire {
    /// Schemas are registered for each topic's key and value, as `<topic>-key` and `<topic>-value`.
    pub fn open(format: &WireFormat, envelope: WireEnvelope, topic: impl Fn(&Table) -> String) -> io::Result<Wire> {
        let mut schemas = BTreeMap::new();
        if let WireFormat::Avro { registry } = format {
            let registry = Registry::open(registry).map_err(io::Error::other)?;
            for table in ALL.iter().filter(|table| table.medium == Medium::Log) {
                let topic = topic(table);
                let register = |what: &str, schema: Json| -> io::Result<Registered> {
                    let text = schema.to_string();
                    let id = registry.register(&format!("{topic}-{what}"), &text).map_err(io::Error::other)?;
                    Ok(Registered { id, schema: Schema::parse(&text, &[]).map_err(io::Error::other)? })
                };
                let key = (!table.key.is_empty()).then(|| register("key", key_schema(table, &topic))).transpose()?;
                let value = register("value", value_schema(table, &topic, envelope))?;
                schemas.insert(table.name, TopicSchemas { key, value });
            }
        }
        Ok(Wire { envelope, schemas })
    }

    pub fn record(&self, change: &Change) -> io::Result<Record> {
        let record = self.encoded(change);
        record.map_err(|(_, reason)| io::Error::other(format!("a row of {}: {reason}", change.table.name)))
    }

    /// A record that no decoder can read.
    pub fn unreadable(&self, unreadable: &Unreadable<'_>) -> Record {
        match unreadable {
            Unreadable::Text(text) => Record { key: None, value: Some(text.as_bytes().to_vec()) },
            Unreadable::Value(wrong) => self.encoded(wrong).unwrap_or_else(|(record, _)| record),
        }
    }

    /// With the error what there was of the record.
    fn encoded(&self, change: &Change) -> Result<Record, (Record, String)> {
        let Some(schemas) = self.schemas.get(change.table.name) else { return Ok(self.json(change)) };
        let arena = Arena::new();
        let mut record = Record::default();
        if let Some(key) = &schemas.key {
            let cells = change.row.iter().filter(|(name, _)| change.table.key.contains(name));
            let cells = arena
                .alloc_slice_fill_iter(cells.map(|(name, value)| (*name, cell(value, &arena))).collect::<Vec<_>>());
            record.key = Some(Vec::new());
            if let Err(reason) = key.write(&Cell::Record(cells), record.key.get_or_insert_default()) {
                return Err((record, reason));
            }
        }
        let value = match self.envelope {
            WireEnvelope::Plain if change.op == Op::Delete => return Ok(record),
            WireEnvelope::Plain => row_cells(&change.row, &arena, |_| true),
            WireEnvelope::Debezium => debezium(change, &arena),
        };
        match schemas.value.write(&value, record.value.get_or_insert_default()) {
            Ok(()) => Ok(record),
            Err(reason) => Err((record, reason)),
        }
    }

    fn json(&self, change: &Change) -> Record {
        let value = match self.envelope {
            WireEnvelope::Debezium => Some(change.value_json()),
            WireEnvelope::Plain if change.op == Op::Delete => None,
            WireEnvelope::Plain => Some(change.row_json()),
        };
        Record { key: change.key_json().map(String::into_bytes), value: value.map(String::into_bytes) }
    }
}

impl Registered {
    fn write(&self, value: &Cell<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        avro::frame(self.id, out);
        avro::write(&self.schema, value, out)
    }
}

/// As JSON has it: an update carries no `before`, that of a delete is true in its key columns only.
fn debezium<'a>(change: &'a Change, arena: &'a Arena) -> Cell<'a> {
    let is_key = |name: &str| change.table.key.contains(&name);
    let (op, before, after) = match change.op {
        Op::Read => ("r", Cell::Null, row_cells(&change.row, arena, |_| true)),
        Op::Create => ("c", Cell::Null, row_cells(&change.row, arena, |_| true)),
        Op::Update => ("u", Cell::Null, row_cells(&change.row, arena, |_| true)),
        Op::Delete => ("d", row_cells(&change.row, arena, is_key), Cell::Null),
    };
    let text = |text: &'static str| Cell::Text(RawText::plain(text));
    let source = [("name", text("shop")), ("ts_ms", Cell::Int(change.at_ms)), ("table", text(change.table.name))];
    Cell::Record(arena.alloc_slice_copy(&[
        ("before", before),
        ("after", after),
        ("source", Cell::Record(arena.alloc_slice_copy(&source))),
        ("op", text(op)),
        ("ts_ms", Cell::Int(change.at_ms + 120)),
    ]))
}

/// A row; NULL in the columns that are not `told`.
fn row_cells<'a>(row: &'a Row, arena: &'a Arena, told: impl Fn(&str) -> bool) -> Cell<'a> {
    let cells = row.iter().map(|(name, value)| (*name, if told(name) { cell(value, arena) } else { Cell::Null }));
    Cell::Record(arena.alloc_slice_fill_iter(cells.collect::<Vec<_>>()))
}

fn cell<'a>(value: &'a Value, arena: &'a Arena) -> Cell<'a> {
    match value {
        Value::Null => Cell::Null,
        Value::Int(number) => Cell::Int(*number),
        Value::Text(text) => Cell::Text(RawText::plain(text)),
        Value::Cents(cents) => Cell::Bytes(arena.alloc_slice_copy(&cents.to_be_bytes())),
        Value::Bool(truth) => Cell::Bool(*truth),
        Value::Moment(ms) => Cell::Int(ms * 1000),
        Value::Day(ms) => Cell::Int(ms.div_euclid(86_400_000)),
    }
}

fn key_schema(table: &Table, topic: &str) -> Json {
    let columns = columns(table).iter().filter(|(name, _)| table.key.contains(name));
    let fields: Vec<Json> = columns.map(|(name, kind)| json!({"name": name, "type": of(*kind)})).collect();
    json!({"type": "record", "name": "Key", "namespace": namespace(topic), "fields": fields})
}

fn value_schema(table: &Table, topic: &str, envelope: WireEnvelope) -> Json {
    let field = |(name, kind): &(&str, Kind)| match table.key.contains(name) {
        true => json!({"name": name, "type": of(*kind)}),
        false => json!({"name": name, "type": ["null", of(*kind)], "default": null}),
    };
    let fields: Vec<Json> = columns(table).iter().map(field).collect();
    let row = json!({"type": "record", "name": "Value", "fields": fields});
    match envelope {
        WireEnvelope::Plain => {
            json!({"type": "record", "name": "Value", "namespace": namespace(topic), "fields": fields})
        }
        WireEnvelope::Debezium => {
            json!({"type": "record", "name": "Envelope", "namespace": namespace(topic), "fields": [
                {"name": "before", "type": ["null", row], "default": null},
                {"name": "after", "type": ["null", "Value"], "default": null},
                {"name": "source", "type": {"type": "record", "name": "Source", "fields": [
                    {"name": "name", "type": "string"},
                    {"name": "ts_ms", "type": "long"},
                    {"name": "table", "type": "string"}
                ]}},
                {"name": "op", "type": "string"},
                {"name": "ts_ms", "type": ["null", "long"], "default": null}
            ]})
        }
    }
}

/// A topic's name as Avro takes it for a namespace.
fn namespace(topic: &str) -> String {
    let parts = topic.split('.').map(|part| {
        let name: String = part.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
    });
    parts.collect::<Vec<_>>().join(".")
}

fn of(kind: Kind) -> Json {
    match kind {
        Kind::Int => json!("long"),
        Kind::Text => json!("string"),
        Kind::Bool => json!("boolean"),
        Kind::Cents => json!({"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}),
        Kind::Moment => {
            json!({"type": "long", "connect.version": 1, "connect.name": "io.debezium.time.MicroTimestamp"})
        }
        Kind::Day => json!({"type": "int", "connect.version": 1, "connect.name": "io.debezium.time.Date"}),
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
