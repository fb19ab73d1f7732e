//! Short forms for the tests of this folder: tables from a line, changes as a line.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono_tz::UTC;
use row::{NumericTypmod, Row, ScalarType};

use super::format::scalar::Encoding;
use super::settings::{Connector, Format, TableSource};
use super::{Change, Envelope, Malformed, Patch, Record, SourceColumn, TableSpec};
use crate::plan::RelationId;

/// Tables that share a place.
pub struct Sample {
    pub tables: Vec<TableSource>,
}

impl Sample {
    /// One table a line: `orders(upsert) *id:integer at:timestamp:ms`; `*` marks the key, the envelope is `debezium` if not given.
    pub fn new(text: &str) -> Sample {
        let tables: Vec<&str> = text.lines().collect();
        let many = tables.len() > 1;
        Sample { tables: tables.iter().enumerate().map(|(index, line)| table(index, line, many)).collect() }
    }

    pub fn specs(&self) -> Vec<TableSpec> {
        self.tables.iter().map(|table| table.spec.clone()).collect()
    }

    /// The same tables, read from another place.
    pub fn at(mut self, connector: Connector, format: Format) -> Sample {
        for table in &mut self.tables {
            table.connector = connector.clone();
            table.format = format;
        }
        self
    }
}

fn table(index: usize, line: &str, is_shared: bool) -> TableSource {
    let (head, columns) = line.split_once(' ').expect("a table and its columns");
    let (identifier, envelope) = match head.split_once('(') {
        None => (head, Envelope::Debezium),
        Some((name, "upsert)")) => (name, Envelope::Upsert),
        Some((name, "append)")) => (name, Envelope::Append),
        Some(other) => panic!("{other:?}"),
    };
    let (columns, key, encodings) = columns_of(columns.split(' '));
    TableSource {
        table: index,
        spec: TableSpec {
            relation: RelationId(Arc::from(format!("source.shop.raw.{identifier}"))),
            name: format!("raw.{identifier}"),
            demanded: vec![true; columns.len()],
            keeps_all: false,
            columns,
            key,
            envelope,
        },
        source: "raw".into(),
        identifier: identifier.into(),
        is_shared,
        connector: Connector::File { path: "none.jsonl".into(), topic: None },
        format: Format::Json,
        encodings,
        registry: None,
        transactions: None,
    }
}

/// Columns, key and encodings from `*name:type[:encoding]` words.
pub fn columns_of<'a>(
    words: impl Iterator<Item = &'a str>,
) -> (Vec<SourceColumn>, Option<Vec<usize>>, BTreeMap<String, Encoding>) {
    let (mut columns, mut key, mut encodings) = (Vec::new(), Vec::new(), BTreeMap::new());
    for word in words {
        let mut parts = word.split(':');
        let name = parts.next().expect("a name");
        let ty = scalar_type(parts.next().unwrap_or_else(|| panic!("{word}: no type")));
        let (name, is_key) = name.strip_prefix('*').map_or((name, false), |name| (name, true));
        if is_key {
            key.push(columns.len());
        }
        if let Some(encoding) = parts.next() {
            encodings.insert(name.to_string(), Encoding::parse(encoding).expect(encoding));
        }
        columns.push(SourceColumn { name: name.into(), ty });
    }
    (columns, Some(key).filter(|key| !key.is_empty()), encodings)
}

pub fn scalar_type(text: &str) -> ScalarType {
    if let Some(element) = text.strip_suffix("[]") {
        return ScalarType::Array(Box::new(scalar_type(element)));
    }
    let (name, numbers) = match text.split_once('(') {
        Some((name, rest)) => {
            (name, rest.trim_end_matches(')').split(',').map(|n| n.parse::<i64>().expect(text)).collect())
        }
        None => (text, Vec::new()),
    };
    match (name, &numbers[..]) {
        ("boolean", []) => ScalarType::Bool,
        ("smallint", []) => ScalarType::Int16,
        ("integer", []) => ScalarType::Int32,
        ("bigint", []) => ScalarType::Int64,
        ("numeric", []) => ScalarType::Numeric(None),
        ("numeric", [precision, scale]) => {
            ScalarType::Numeric(Some(NumericTypmod { precision: *precision as u16, scale: *scale as i16 }))
        }
        ("real", []) => ScalarType::Float32,
        ("double precision" | "double", []) => ScalarType::Float64,
        ("text", []) => ScalarType::Text,
        ("character varying" | "varchar", [length]) => ScalarType::Varchar(Some(*length as u32)),
        ("character" | "char", [length]) => ScalarType::Char(*length as u32),
        ("bytea", []) => ScalarType::Bytes,
        ("date", []) => ScalarType::Date,
        ("time" | "time without time zone", []) => ScalarType::Time,
        ("timestamp" | "timestamp without time zone", []) => ScalarType::Timestamp,
        ("timestamptz" | "timestamp with time zone", []) => ScalarType::TimestampTz,
        ("interval", []) => ScalarType::Interval,
        ("json", []) => ScalarType::Json,
        ("jsonb", []) => ScalarType::Jsonb,
        ("uuid", []) => ScalarType::Uuid,
        _ => panic!("unknown type {text}"),
    }
}

/// A row's values as PostgreSQL prints them; `null` for NULL.
pub fn values(row: &Row, types: impl Iterator<Item = ScalarType>, null: &str) -> Vec<String> {
    row.iter()
        .zip(types)
        .map(|(datum, ty)| {
            let mut text = String::new();
            if datum.is_null() {
                text.push_str(null);
            } else {
                datum.write_text(&ty, UTC, &mut text);
            }
            text
        })
        .collect()
}

/// A record as a line: `offset [@event time] [#sequence, if it is not the time] change`.
pub fn show(sample: &Sample, record: &Record) -> String {
    let mut line = record.offset.to_string();
    if let Some(time) = record.event_time {
        line += &format!(" @{time}");
    }
    if record.sequence != record.event_time.map_or(0, |micros| micros / 1_000) {
        line += &format!(" #{}", record.sequence);
    }
    let spec = |table: usize| &sample.tables[table].spec;
    let name = |table: usize| sample.tables[table].identifier.clone();
    let row = |table: usize, row: &Row| {
        values(row, spec(table).columns.iter().map(|column| column.ty.clone()), "null").join(" ")
    };
    let key = |table: usize, key: &Row| {
        let types = spec(table).key.iter().flatten().map(|column| spec(table).columns[*column].ty.clone());
        values(key, types, "null").join(",")
    };
    let change = match &record.change {
        Change::Upsert { table, key: k, row: r } => {
            format!("upsert {} {} = {}", name(*table), key(*table, k), row(*table, r))
        }
        Change::Delete { table, key: k, .. } => format!("delete {} {}", name(*table), key(*table, k)),
        Change::Insert { table, row: r } => format!("insert {} {}", name(*table), row(*table, r)),
        Change::Remove { table, row: r } => format!("remove {} {}", name(*table), row(*table, r)),
        Change::Truncate { table } => format!("truncate {}", name(*table)),
        Change::Patch(patch) => {
            let Patch { table, key: k, row: r, kept, moved_from, .. } = &**patch;
            let from = moved_from.as_ref().map_or("?".into(), |old| key(*table, old));
            format!("patch {} {} = {} kept {kept:?} from {from}", name(*table), key(*table, k), row(*table, r))
        }
        Change::Malformed(malformed) => {
            let Malformed { table, key: k, column, reason, .. } = &**malformed;
            let place = table.map_or("?".into(), |table| {
                format!("{} {}", name(table), k.as_ref().map_or("?".into(), |k| key(table, k)))
            });
            let column = column.as_ref().map_or(String::new(), |column| format!(" {column}"));
            format!("malformed {place}{column}: {reason}")
        }
        Change::Skip => "skip".into(),
    };
    format!("{line} {change}")
}
