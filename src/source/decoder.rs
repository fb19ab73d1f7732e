//! From one record of a transport to changes of tables.
//!
//! ```text
//!   JSONL line ──captured record?──> Message {topic, key, value, …} ─┐
//!   Kafka message ───────────────────────────────────────────────────┴─> scan ──unwrap schema──> route ──envelope──> Record
//!                                                 Avro: id ──registry──> record
//!   CSV record ──────────────────────────────────────────────────────────────────────────────────────> row ───────> Record
//! ```
//!
//! 1. Every record gives changes, or nothing, or one `Malformed`; none stops the reader.
//! 2. Everything borrowed lives in an arena that is emptied after each record.
//! 3. Both changes of a keyless update carry the offset of their record.
//! 4. A record whose schema cannot be had now is not taken: `NotYet`. Nothing of it is remembered; it is offered again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use bumpalo::Bump as Arena;
use row::RowBuilder;

use super::columns::{ColumnError, Columns, Key, unwrap_payload};
use super::envelope::{self, Changes, Desk, Payload, excerpt};
use super::format::json::{Cursor, Value};
use super::format::scalar::Encoding;
use super::format::{avro, binary, connect, csv};
use super::registry::{Miss, Registry, Written};
use super::route::{Routed, Routes};
use super::scan::{FieldMemo, Scan, SourceBlock, integer, plain_text};
use super::settings::{Format, TableSource};
use super::transactions::{self, Ended, Membership};
use super::{Change, Delivery, Envelope, Malformed, Record, SourceError};

/// A record as a transport has it.
pub struct Message<'a> {
    pub topic: Option<&'a str>,
    pub key: Option<&'a [u8]>,
    /// `None` is a null value: a tombstone.
    pub value: Option<&'a [u8]>,
    /// Milliseconds since 1970 UTC.
    pub timestamp_ms: Option<i64>,
    /// A header's value by its name.
    pub header: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

/// Schemas that travel along and are remembered; a topic has one per version of its table.
const SCHEMAS_MAX: usize = 64;

#[derive(Default)]
struct Schemas {
    texts: Vec<String>,
    encodings: Vec<HashMap<String, Encoding>>,
    /// Counts schemas ever met, so that a number is never used twice.
    first: usize,
}

/// The record cannot be decoded before something else is there: its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotYet(pub String);

/// What the registry says about the two parts of a message.
#[derive(Default)]
struct Fetched {
    key: Option<Arc<Written>>,
    value: Option<Arc<Written>>,
    /// There is no such schema.
    refused: Option<String>,
}

/// Numbers of Avro schemas are above those of JSON ones.
const AVRO_NUMBERS: usize = 1 << 40;

/// Decodes the records of one place for all tables that read it.
pub struct Decoder {
    tables: Vec<Columns>,
    routes: Routes,
    schemas: Schemas,
    /// Fields of a record, and of what a schema's wrapper holds.
    memo: FieldMemo,
    payload_memo: FieldMemo,
    /// Records are Avro, and this knows their schemas.
    registry: Option<Registry>,
    /// Each message's transaction is to be told, and that of the last one.
    tells_transactions: bool,
    member: Option<Membership>,
    arena: Arena,
    builder: RowBuilder,
    /// Of a CSV file: the column at each place of a record.
    header: Vec<Option<usize>>,
    /// The only table has columns of these names, so they are data and no routing.
    declares_table: bool,
    declares_source: bool,
    declares_record: bool,
}

impl Decoder {
    pub fn new(tables: &[TableSource]) -> Result<Decoder, SourceError> {
        let registry =
            tables.iter().find(|table| table.format == Format::Avro).and_then(|table| table.registry.as_ref());
        let registry = registry.map(Registry::open).transpose()?;
        let mut routes = Routes::default();
        for table in tables {
            routes.add(&table.identifier, table.topic());
        }
        let columns: Vec<Columns> =
            tables.iter().map(|table| Columns::new(table.table, &table.spec, &table.encodings)).collect();
        let only = routes.only().map(|table| &columns[table]);
        let declares = |name| only.is_some_and(|columns| columns.declares(name));
        Ok(Decoder {
            declares_table: declares("table"),
            declares_source: declares("source"),
            declares_record: declares("topic") && declares("value"),
            tables: columns,
            routes,
            schemas: Schemas::default(),
            memo: FieldMemo::default(),
            payload_memo: FieldMemo::default(),
            registry,
            tells_transactions: tables.iter().any(|table| table.transactions.is_some()),
            member: None,
            arena: Arena::new(),
            builder: RowBuilder::default(),
            header: Vec::new(),
        })
    }

    /// A decoder of BEGIN and END, written as the records of `table` are.
    pub fn of_marks(table: Option<&TableSource>) -> Result<Decoder, SourceError> {
        let mut decoder = Decoder::new(&[])?;
        let registry = table.filter(|table| table.format == Format::Avro).and_then(|table| table.registry.as_ref());
        decoder.registry = registry.map(Registry::open).transpose()?;
        Ok(decoder)
    }

    /// The transaction of the message that was decoded last.
    pub fn take_member(&mut self) -> Option<Membership> {
        self.member.take()
    }

    /// What a message of the topic of transactions says; None for a BEGIN, and for what is no mark.
    pub fn mark(&mut self, message: &Message<'_>) -> Result<Option<Ended>, NotYet> {
        let Some(bytes) = message.value else { return Ok(None) };
        let Some(registry) = &mut self.registry else {
            let text = std::str::from_utf8(bytes).unwrap_or_default().trim_ascii();
            let value = Cursor::new(text).value().unwrap_or(Value::Null);
            return Ok(transactions::ended(unwrap_payload(value)));
        };
        let Some((id, body)) = avro::unframe(bytes) else { return Ok(None) };
        let written = match registry.schema(id, Instant::now()) {
            Ok(written) => written,
            Err(Miss::Unknown(_)) => return Ok(None),
            Err(Miss::Away(reason)) => return Err(NotYet(reason)),
        };
        let arena = Arena::new();
        Ok(avro::read(&written.schema, body, &arena).ok().and_then(transactions::ended))
    }

    /// Refuses a registry that cannot be asked.
    pub fn check_registry(&self) -> Result<(), SourceError> {
        self.registry.as_ref().map_or(Ok(()), Registry::check)
    }

    /// Records of undeclared tables, counted by name.
    pub fn skipped(&self) -> &BTreeMap<String, u64> {
        &self.routes.skipped
    }

    /// Decodes a Kafka message.
    pub fn message(&mut self, offset: u64, message: &Message<'_>, out: &mut Vec<Record>) -> Result<(), NotYet> {
        let mut arena = std::mem::take(&mut self.arena);
        let decoded = self.decode(offset, message, &arena, out);
        arena.reset();
        self.arena = arena;
        decoded
    }

    /// Decodes a line of a JSONL file, without its line end.
    pub fn line(&mut self, offset: u64, line: &[u8], out: &mut Vec<Record>) -> Result<(), NotYet> {
        let mut arena = std::mem::take(&mut self.arena);
        let decoded = self.decode_line(offset, line, &arena, out);
        arena.reset();
        self.arena = arena;
        decoded
    }

    /// Takes the names in a CSV file's first record. The error says which declared columns the file lacks.
    pub fn csv_header(&mut self, record: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(record).map_err(|_| "its header is not UTF-8".to_string())?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let arena = Arena::new();
        let columns = &self.tables[0];
        let mut names = Vec::new();
        csv::fields(text, &arena, |value| {
            names.push(match value {
                Value::Text(name) => name.raw.to_string(),
                _ => String::new(),
            });
        })?;
        let header: Vec<Option<usize>> =
            names.iter().map(|name| (0..columns.count()).find(|column| columns.column_name(*column) == name)).collect();
        let missing =
            (0..columns.count()).find(|column| !header.contains(&Some(*column)) && columns.is_wanted(*column));
        match missing {
            Some(column) => Err(format!("its header has no column \"{}\"", columns.column_name(column))),
            None => {
                self.header = header;
                Ok(())
            }
        }
    }

    /// Decodes a CSV record, without its line end.
    pub fn csv_record(&mut self, offset: u64, record: &[u8], out: &mut Vec<Record>) {
        let mut arena = std::mem::take(&mut self.arena);
        self.decode_csv(offset, record, &arena, out);
        arena.reset();
        self.arena = arena;
    }

    /// Decodes a row of a Parquet file; `written` is the number of its schema and what that says about columns.
    pub fn row(
        &mut self,
        offset: u64,
        row: &::parquet::record::Row,
        written: (usize, &HashMap<String, Encoding>),
        out: &mut Vec<Record>,
    ) {
        let mut arena = std::mem::take(&mut self.arena);
        self.decode_row(offset, row, written, &arena, out);
        arena.reset();
        self.arena = arena;
    }

    fn decode_row(
        &mut self,
        offset: u64,
        row: &::parquet::record::Row,
        written: (usize, &HashMap<String, Encoding>),
        arena: &Arena,
        out: &mut Vec<Record>,
    ) {
        let fields = super::parquet::fields(row, arena);
        let columns = &mut self.tables[0];
        columns.use_schema(Some(written));
        let value = Some(Value::Record(fields));
        let payload = Payload { value, text: "", scan: Scan::of_record(fields, arena), key: None, header: &|_| None };
        let mut desk = Desk { columns, arena, builder: &mut self.builder };
        let changes = match desk.columns.envelope {
            Envelope::Upsert => envelope::upsert::decode(&mut desk, &payload),
            Envelope::Append | Envelope::Debezium => envelope::append::decode(&mut desk, &payload),
        };
        push(offset, None, 0, None, changes, out);
    }

    fn decode_csv(&mut self, offset: u64, record: &[u8], arena: &Arena, out: &mut Vec<Record>) {
        let text = String::from_utf8_lossy(record);
        if matches!(text, std::borrow::Cow::Owned(_)) {
            return self.unreadable(offset, None, None, &text, "the record is not UTF-8", arena, out);
        }
        let text: &str = arena.alloc_str(&text);
        let slots = self.tables[0].slots(arena);
        let mut at = 0;
        let read = csv::fields(text, arena, |value| {
            if let Some(Some(column)) = self.header.get(at) {
                slots[*column] = Some(value);
            }
            at += 1;
        });
        let problem = match read {
            Err(reason) => Some(reason),
            Ok(()) if at != self.header.len() => {
                Some(format!("{at} fields where the header has {}", self.header.len()))
            }
            Ok(()) => None,
        };
        let payload = Payload { value: None, text, scan: arena.alloc(Scan::default()), key: None, header: &|_| None };
        let mut desk = Desk { columns: &mut self.tables[0], arena, builder: &mut self.builder };
        let changes = match problem {
            Some(reason) => desk.refused(&payload, reason),
            None => desk.row(&payload, slots),
        };
        push(offset, None, 0, None, changes, out);
    }

    fn decode_line(&mut self, offset: u64, line: &[u8], arena: &Arena, out: &mut Vec<Record>) -> Result<(), NotYet> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        let Ok(text) = std::str::from_utf8(line) else {
            self.unreadable(offset, None, None, &String::from_utf8_lossy(line), "the line is not UTF-8", arena, out);
            return Ok(());
        };
        let scan = match Scan::read(text, &self.schemas.texts, &mut self.memo, arena) {
            Ok(scan) => scan,
            Err(error) => {
                self.unreadable(offset, None, None, text, &error.to_string(), arena, out);
                return Ok(());
            }
        };
        let (Some(topic), Some(value), false) = (scan.topic, scan.value, self.declares_record) else {
            let message = Message { topic: None, key: None, value: None, timestamp_ms: None, header: &|_| None };
            self.value(offset, &message, None, Some(Value::Object(text)), scan, None, arena, out);
            return Ok(());
        };
        let captured = (|| {
            Some((
                captured_bytes(topic, arena)?,
                captured_bytes(value, arena)?,
                captured_bytes(scan.key.unwrap_or(Value::Null), arena)?,
            ))
        })();
        let Some((topic, value, key)) = captured else {
            let reason = "a captured record whose topic, key or value is neither text, null nor base64";
            self.unreadable(offset, None, None, text, reason, arena, out);
            return Ok(());
        };
        let headers = scan.headers;
        let message = Message {
            topic: topic.and_then(|topic| std::str::from_utf8(topic).ok()),
            key,
            value,
            timestamp_ms: scan.timestamp.and_then(integer),
            header: &|name| captured_header(headers?, name),
        };
        self.decode(offset, &message, arena, out)
    }

    fn decode(
        &mut self,
        offset: u64,
        message: &Message<'_>,
        arena: &Arena,
        out: &mut Vec<Record>,
    ) -> Result<(), NotYet> {
        if self.registry.is_some() {
            let fetched = self.fetch(message)?;
            self.decode_avro(offset, message, &fetched, arena, out);
            return Ok(());
        }
        let key = message.key.map(Key::Bytes);
        let Some(bytes) = message.value else {
            self.value(offset, message, key, None, arena.alloc(Scan::default()), None, arena, out);
            return Ok(());
        };
        let Ok(text) = std::str::from_utf8(bytes) else {
            let text = String::from_utf8_lossy(bytes);
            self.unreadable(offset, Some(message), key, &text, "the value is not UTF-8", arena, out);
            return Ok(());
        };
        let text = text.trim_ascii();
        if text == "null" {
            self.value(offset, message, key, None, arena.alloc(Scan::default()), None, arena, out);
            return Ok(());
        }
        match Scan::read(text, &self.schemas.texts, &mut self.memo, arena) {
            Ok(scan) => self.value(offset, message, key, Some(Value::Object(text)), scan, None, arena, out),
            Err(error) => self.unreadable(offset, Some(message), key, text, &error.to_string(), arena, out),
        }
        Ok(())
    }

    /// The schemas of an Avro message.
    fn fetch(&mut self, message: &Message<'_>) -> Result<Fetched, NotYet> {
        let Some(registry) = &mut self.registry else { return Ok(Fetched::default()) };
        if message.topic.is_some_and(|topic| matches!(self.routes.route(Some(topic), None), Routed::Unknown(_))) {
            return Ok(Fetched::default());
        }
        let now = Instant::now();
        let mut fetched = Fetched::default();
        for (bytes, slot) in [(message.key, &mut fetched.key), (message.value, &mut fetched.value)] {
            let Some((id, _)) = bytes.and_then(avro::unframe) else { continue };
            match registry.schema(id, now) {
                Ok(written) => *slot = Some(written),
                Err(Miss::Unknown(reason)) => fetched.refused = Some(reason),
                Err(Miss::Away(reason)) => return Err(NotYet(reason)),
            }
        }
        Ok(fetched)
    }

    fn decode_avro<'a>(
        &mut self,
        offset: u64,
        message: &Message<'a>,
        fetched: &'a Fetched,
        arena: &'a Arena,
        out: &mut Vec<Record>,
    ) {
        if let Some(name) = message.topic
            && let Routed::Unknown(_) = self.routes.route(Some(name), None)
        {
            return self.routes.skip(name);
        }
        let shown = |bytes: Option<&[u8]>| {
            let mut text = String::new();
            binary::write_base64(bytes.unwrap_or_default(), &mut text);
            text
        };
        if let Some(reason) = &fetched.refused {
            return self.unreadable(offset, Some(message), None, &shown(message.value), reason, arena, out);
        }
        let key = match (message.key, &fetched.key) {
            (Some(bytes), Some(written)) => {
                let body = avro::unframe(bytes).map_or(bytes, |(_, body)| body);
                match avro::read(&written.schema, body, arena) {
                    Ok(value) => Some(Key::Value(value)),
                    Err(reason) => {
                        let reason = format!("the key is not what schema {} describes: {reason}", written.id);
                        return self.unreadable(
                            offset,
                            Some(message),
                            None,
                            &shown(message.value),
                            &reason,
                            arena,
                            out,
                        );
                    }
                }
            }
            (key, _) => key.map(Key::Bytes),
        };
        let Some(bytes) = message.value else {
            return self.value(offset, message, key, None, arena.alloc(Scan::default()), None, arena, out);
        };
        let Some((written, (_, body))) = fetched.value.as_ref().zip(avro::unframe(bytes)) else {
            let reason = "the value does not begin with 0 and a schema's number: it is not Avro as a registry's clients write it";
            return self.unreadable(offset, Some(message), key, &shown(message.value), reason, arena, out);
        };
        match avro::read(&written.schema, body, arena) {
            Ok(value @ Value::Record(fields)) => {
                let schema = Some((AVRO_NUMBERS + written.id as usize, &written.encodings));
                self.value(offset, message, key, Some(value), Scan::of_record(fields, arena), schema, arena, out);
            }
            Ok(Value::Null) => self.value(offset, message, key, None, arena.alloc(Scan::default()), None, arena, out),
            Ok(_) => {
                let reason = format!("schema {} describes no record", written.id);
                self.unreadable(offset, Some(message), key, &shown(message.value), &reason, arena, out);
            }
            Err(reason) => {
                let reason = format!("the value is not what schema {} describes: {reason}", written.id);
                self.unreadable(offset, Some(message), key, &shown(message.value), &reason, arena, out);
            }
        }
    }

    /// Routes a value and lets its table's envelope read it; None is a null value. `written` is the number of the schema that a
    /// binary value was written with, and what it says about columns.
    fn value<'a>(
        &mut self,
        offset: u64,
        message: &Message<'a>,
        key: Option<Key<'a>>,
        value: Option<Value<'a>>,
        scan: &'a Scan<'a>,
        written: Option<(usize, &HashMap<String, Encoding>)>,
        arena: &'a Arena,
        out: &mut Vec<Record>,
    ) {
        let (value, scan, schema) = match scan.wrapped() {
            None => (value, scan, None),
            Some(payload) => {
                let schema = scan.known_schema.or_else(|| self.schemas.remember(scan.schema));
                match payload {
                    Value::Object(text) => match Scan::read(text, &[], &mut self.payload_memo, arena) {
                        Ok(scan) => (Some(payload), scan, schema),
                        Err(error) => {
                            return self.unreadable(offset, Some(message), key, text, &error.to_string(), arena, out);
                        }
                    },
                    _ => (None, &*arena.alloc(Scan::default()), schema),
                }
            }
        };
        let text = match value {
            Some(Value::Object(text)) => text,
            _ => "",
        };
        let block = scan.source_block();
        if self.tells_transactions {
            let commit = block.sequence.and_then(|(commit, _)| commit);
            self.member = transactions::membership(scan.transaction, commit);
        }
        let named = block.table.filter(|_| !self.declares_source);
        let named = named.or_else(|| scan.table.filter(|_| !self.declares_table).and_then(plain_text));
        let table = match self.routes.route(message.topic, named) {
            Routed::Table(table) => table,
            Routed::Unknown(name) => return self.routes.skip(name),
            Routed::Nameless if scan.is_heartbeat() || scan.is_transaction_mark() => return,
            Routed::Nameless => {
                let reason = "the record names no table, neither by topic nor by source.table or table";
                return self.unreadable(offset, Some(message), key, text, reason, arena, out);
            }
        };
        let columns = &mut self.tables[table];
        let known = schema.map(|at| (self.schemas.first + at, &self.schemas.encodings[at]));
        columns.use_schema(written.or(known));
        let (event_ms, sequence) = times(columns.envelope, scan, &block, message.timestamp_ms);
        let delivery = match columns.envelope {
            Envelope::Debezium => scan.delivery(&block),
            Envelope::Upsert | Envelope::Append => None,
        };
        let payload = Payload { value, text, scan, key, header: message.header };
        let mut desk = Desk { columns, arena, builder: &mut self.builder };
        let changes = match desk.columns.envelope {
            Envelope::Debezium => envelope::debezium::decode(&mut desk, &payload),
            Envelope::Upsert => envelope::upsert::decode(&mut desk, &payload),
            Envelope::Append => envelope::append::decode(&mut desk, &payload),
        };
        push(offset, event_ms, sequence, delivery, changes, out);
    }

    /// A record of which not even the envelope could be read.
    fn unreadable<'a>(
        &mut self,
        offset: u64,
        message: Option<&Message<'a>>,
        key: Option<Key<'a>>,
        text: &str,
        reason: &str,
        arena: &'a Arena,
        out: &mut Vec<Record>,
    ) {
        let topic = message.and_then(|message| message.topic);
        let table = match topic {
            Some(topic) => self.routes.by_topic(topic),
            None => self.routes.only(),
        };
        let timestamp_ms = message.and_then(|message| message.timestamp_ms);
        let sequence = timestamp_ms.unwrap_or(0);
        let changes = match table {
            Some(table) => {
                let text: &str = arena.alloc_str(&excerpt(text));
                let payload = Payload { value: None, text, scan: arena.alloc(Scan::default()), key, header: &|_| None };
                let mut desk = Desk { columns: &mut self.tables[table], arena, builder: &mut self.builder };
                desk.malformed(&payload, None, ColumnError { column: String::new(), reason: reason.to_string() })
            }
            None => Changes::one(Change::Malformed(Box::new(Malformed {
                table: None,
                key: None,
                column: None,
                reason: reason.to_string(),
                record: excerpt(text),
            }))),
        };
        push(offset, timestamp_ms, sequence, None, changes, out);
    }
}

impl Schemas {
    /// The number of a schema's text, read now if it is new.
    fn remember(&mut self, schema: Option<Value<'_>>) -> Option<usize> {
        let Some(Value::Object(text)) = schema else { return None };
        let encodings = connect::encodings(text)?;
        if self.texts.len() == SCHEMAS_MAX {
            self.texts.clear();
            self.encodings.clear();
            self.first += SCHEMAS_MAX;
        }
        self.texts.push(text.to_string());
        self.encodings.push(encodings);
        Some(self.texts.len() - 1)
    }
}

/// The event's time in milliseconds and the sequence that orders versions of a key across partitions.
fn times(
    envelope: Envelope,
    scan: &Scan<'_>,
    block: &SourceBlock<'_>,
    timestamp_ms: Option<i64>,
) -> (Option<i64>, i64) {
    let (event_ms, lsn) = match envelope {
        Envelope::Debezium => (block.ts_ms.or_else(|| scan.ts_ms.and_then(integer)), block.lsn),
        Envelope::Upsert | Envelope::Append => (scan.flat_ts_ms.and_then(integer), scan.flat_lsn.and_then(integer)),
    };
    let event_ms = event_ms.or(timestamp_ms);
    (event_ms, lsn.or(event_ms).unwrap_or(0))
}

fn push(
    offset: u64,
    event_ms: Option<i64>,
    sequence: i64,
    delivery: Option<Delivery>,
    changes: Changes,
    out: &mut Vec<Record>,
) {
    let event_time = event_ms.and_then(|millis| millis.checked_mul(1_000));
    let record = |change| Record { offset, event_time, sequence, delivery, change };
    out.extend(changes.0.into_iter().flatten().map(record));
}

/// Topic, key or value of a captured record: `Some(None)` for null, `None` for what is none of them.
fn captured_bytes<'a>(value: Value<'a>, arena: &'a Arena) -> Option<Option<&'a [u8]>> {
    Some(match value {
        Value::Null => None,
        Value::Text(text) => Some(text.unescape(arena).ok()?.as_bytes()),
        Value::Object(text) => Some(match base64_object(text) {
            Some(bytes) => arena.alloc_slice_copy(&bytes),
            None => text.as_bytes(),
        }),
        Value::Number(text) | Value::Array(text) => Some(text.as_bytes()),
        Value::Bool(true) => Some(b"true"),
        Value::Bool(false) => Some(b"false"),
        Value::Bytes(bytes) => Some(bytes),
        // Only binary formats have these.
        Value::Int(_) | Value::Float(_) | Value::Double(_) | Value::Record(_) | Value::List(_) => return None,
    })
}

/// Bytes of `{"base64": …}`, which stands for bytes that are not text.
fn base64_object(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut fields) = (None, 0);
    Cursor::new(text)
        .object(|name, cursor| {
            fields += 1;
            let value = cursor.value()?;
            if name == "base64" {
                bytes = plain_text(value).and_then(binary::base64);
            }
            Ok(())
        })
        .ok()?;
    bytes.filter(|_| fields == 1)
}

/// A header of a captured record: `[["name", "value"], …]`.
fn captured_header(headers: Value<'_>, wanted: &str) -> Option<Vec<u8>> {
    let Value::Array(text) = headers else { return None };
    let mut found = None;
    Cursor::new(text)
        .array(|cursor| {
            let (mut name, mut at) = (None, 0);
            cursor.array(|cursor| {
                let value = cursor.value()?;
                if at == 0 {
                    name = plain_text(value);
                } else if at == 1 && name == Some(wanted) {
                    found = match value {
                        Value::Text(text) => Some(text.to_cow()?.into_owned().into_bytes()),
                        Value::Object(text) => base64_object(text),
                        _ => None,
                    };
                }
                at += 1;
                Ok(())
            })
        })
        .ok()?;
    found
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;
