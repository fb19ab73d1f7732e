//! One look over the top level of a value: the fields that envelopes and routing ask for, as slices.

use bumpalo::Bump as Arena;

use super::delivery::{self, Delivery};
use super::format::json::{Cursor, JsonError, Value};

/// Fields of the top level; all others are stepped over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan<'a> {
    pub op: Option<Value<'a>>,
    pub before: Option<Value<'a>>,
    pub after: Option<Value<'a>>,
    pub source: Option<Value<'a>>,
    pub ts_ms: Option<Value<'a>>,
    pub table: Option<Value<'a>>,
    pub key: Option<Value<'a>>,
    pub schema: Option<Value<'a>>,
    pub payload: Option<Value<'a>>,
    /// Of a captured record.
    pub topic: Option<Value<'a>>,
    pub value: Option<Value<'a>>,
    pub timestamp: Option<Value<'a>>,
    pub headers: Option<Value<'a>>,
    pub status: Option<Value<'a>>,
    pub transaction: Option<Value<'a>>,
    pub id: Option<Value<'a>>,
    /// Fields that Debezium's flattening adds to a row.
    pub flat_deleted: Option<Value<'a>>,
    pub flat_lsn: Option<Value<'a>>,
    pub flat_ts_ms: Option<Value<'a>>,
    /// The number of a schema text that was recognised without reading it.
    pub known_schema: Option<usize>,
    pub fields: usize,
}

/// What a Debezium `source` block says.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourceBlock<'a> {
    pub table: Option<&'a str>,
    pub ts_ms: Option<i64>,
    pub lsn: Option<i64>,
    /// (position of the last commit, position of the change).
    pub sequence: Option<(Option<i64>, i64)>,
    /// `false`, or which part of a snapshot it is.
    pub snapshot: Option<&'a str>,
    /// The connector's logical name.
    pub server: Option<&'a str>,
}

impl<'a> SourceBlock<'a> {
    fn take(&mut self, name: &str, value: Value<'a>) {
        match name {
            "table" => self.table = plain_text(value),
            "ts_ms" => self.ts_ms = integer(value),
            "lsn" => self.lsn = integer(value),
            "sequence" => {
                if let Value::Text(text) = value {
                    self.sequence = delivery::sequence(text.raw);
                }
            }
            "snapshot" => {
                self.snapshot = match value {
                    Value::Bool(true) => Some("true"),
                    other => plain_text(other),
                }
            }
            "name" => self.server = plain_text(value),
            _ => {}
        }
    }
}

/// A field of the top level that a scan keeps, or one that it steps over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Op,
    Before,
    After,
    Source,
    TsMs,
    Table,
    Key,
    Schema,
    Payload,
    Topic,
    Value,
    Timestamp,
    Headers,
    Status,
    Transaction,
    Id,
    FlatDeleted,
    FlatLsn,
    FlatTsMs,
    Other,
}

impl Field {
    fn of(name: &str) -> Field {
        match name {
            "op" => Field::Op,
            "before" => Field::Before,
            "after" => Field::After,
            "source" => Field::Source,
            "ts_ms" => Field::TsMs,
            "table" => Field::Table,
            "key" => Field::Key,
            "schema" => Field::Schema,
            "payload" => Field::Payload,
            "topic" => Field::Topic,
            "value" => Field::Value,
            "timestamp" => Field::Timestamp,
            "headers" => Field::Headers,
            "status" => Field::Status,
            "transaction" => Field::Transaction,
            "id" => Field::Id,
            "__deleted" => Field::FlatDeleted,
            "__lsn" | "__source_lsn" => Field::FlatLsn,
            "__source_ts_ms" => Field::FlatTsMs,
            _ => Field::Other,
        }
    }
}

/// The fields of the last record by their places: `"op":`, and what that is. The next record mostly has the same ones.
#[derive(Debug, Default)]
pub struct FieldMemo(Vec<(String, Field)>);

/// Objects have more fields than are worth remembering only when they are rows themselves.
const FIELDS_REMEMBERED_MAX: usize = 64;

impl FieldMemo {
    /// Reads the name of the field at this place.
    fn read(&mut self, at: usize, cursor: &mut Cursor<'_>) -> Result<Field, JsonError> {
        if let Some((known, field)) = self.0.get(at)
            && cursor.skip_known(known)
        {
            return Ok(*field);
        }
        let name = cursor.field_name()?;
        let field = Field::of(&name.to_cow()?);
        if self.0.len() == at && at < FIELDS_REMEMBERED_MAX {
            self.0.push((String::new(), field));
        }
        if let Some(known) = self.0.get_mut(at) {
            known.1 = field;
            name.write_field(&mut known.0);
        }
        Ok(field)
    }
}

impl<'a> Scan<'a> {
    /// Looks over an object. `schemas` are texts of schemas met before: one of them is stepped over by comparing.
    ///
    /// What is found lies in the arena: it is too much to be handed from hand to hand.
    pub fn read(
        text: &'a str,
        schemas: &[String],
        memo: &mut FieldMemo,
        arena: &'a Arena,
    ) -> Result<&'a Scan<'a>, JsonError> {
        let scan = arena.alloc(Scan::default());
        let mut cursor = Cursor::new(text);
        cursor.fields(|cursor| {
            let field = memo.read(scan.fields, cursor)?;
            scan.fields += 1;
            let slot = match field {
                Field::Op => &mut scan.op,
                Field::Before => &mut scan.before,
                Field::After => &mut scan.after,
                Field::Source => &mut scan.source,
                Field::TsMs => &mut scan.ts_ms,
                Field::Table => &mut scan.table,
                Field::Key => &mut scan.key,
                Field::Payload => &mut scan.payload,
                Field::Topic => &mut scan.topic,
                Field::Value => &mut scan.value,
                Field::Timestamp => &mut scan.timestamp,
                Field::Headers => &mut scan.headers,
                Field::Status => &mut scan.status,
                Field::Transaction => &mut scan.transaction,
                Field::Id => &mut scan.id,
                Field::FlatDeleted => &mut scan.flat_deleted,
                Field::FlatLsn => &mut scan.flat_lsn,
                Field::FlatTsMs => &mut scan.flat_ts_ms,
                Field::Schema => {
                    scan.known_schema = schemas.iter().position(|known| cursor.skip_known(known));
                    if scan.known_schema.is_none() {
                        scan.schema = Some(cursor.value()?);
                    }
                    return Ok(());
                }
                Field::Other => return cursor.value().map(drop),
            };
            *slot = Some(cursor.value()?);
            Ok(())
        })?;
        cursor.end()?;
        Ok(scan)
    }

    /// What tells whether the change has come before; None where the source does not say.
    pub fn delivery(&self, block: &SourceBlock<'a>) -> Option<Delivery> {
        let Some(Value::Text(op)) = self.op else { return None };
        match (op.raw, block.snapshot) {
            ("r", Some("incremental")) => None,
            ("r", _) => Some(Delivery::Snapshot),
            _ => {
                let (commit, lsn) = block.sequence?;
                let server = crc32fast::hash(block.server.unwrap_or_default().as_bytes());
                let op = op.raw.bytes().next().unwrap_or_default();
                Some(Delivery::Streamed(delivery::Place { server, commit, lsn, op }))
            }
        }
    }

    /// The payload, if this is the wrapper `{"schema":…,"payload":…}` of Kafka Connect's converter.
    pub fn wrapped(&self) -> Option<Value<'a>> {
        let has_schema = self.known_schema.is_some() || matches!(self.schema, Some(Value::Object(_) | Value::Null));
        let payload = self.payload.filter(|payload| matches!(payload, Value::Object(_) | Value::Null));
        payload.filter(|_| has_schema && self.fields == 2)
    }

    /// `{"ts_ms":…}`, alone.
    pub fn is_heartbeat(&self) -> bool {
        self.fields == 1 && self.ts_ms.is_some()
    }

    /// BEGIN and END of Debezium's transaction topic.
    pub fn is_transaction_mark(&self) -> bool {
        self.status.is_some() && self.id.is_some()
    }

    pub fn source_block(&self) -> SourceBlock<'a> {
        let mut block = SourceBlock::default();
        match self.source {
            Some(Value::Object(text)) => {
                // A block that is broken in its middle still tells what came before.
                let _ = Cursor::new(text).object(|name, cursor| {
                    block.take(&name, cursor.value()?);
                    Ok(())
                });
            }
            Some(Value::Record(fields)) => fields.iter().for_each(|(name, value)| block.take(name, *value)),
            _ => {}
        }
        block
    }

    /// The same look over a record of a binary format.
    pub fn of_record(fields: &'a [(&'a str, Value<'a>)], arena: &'a Arena) -> &'a Scan<'a> {
        let scan = arena.alloc(Scan { fields: fields.len(), ..Scan::default() });
        for (name, value) in fields {
            let field = match *name {
                "op" => &mut scan.op,
                "before" => &mut scan.before,
                "after" => &mut scan.after,
                "source" => &mut scan.source,
                "ts_ms" => &mut scan.ts_ms,
                "status" => &mut scan.status,
                "transaction" => &mut scan.transaction,
                "id" => &mut scan.id,
                "__deleted" => &mut scan.flat_deleted,
                "__lsn" | "__source_lsn" => &mut scan.flat_lsn,
                "__source_ts_ms" => &mut scan.flat_ts_ms,
                _ => continue,
            };
            *field = Some(*value);
        }
        scan
    }
}

/// Text without escapes.
pub fn plain_text(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Text(text) if !text.escaped => Some(text.raw),
        _ => None,
    }
}

pub fn integer(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Number(text) => text.parse().ok(),
        Value::Text(text) => text.raw.parse().ok(),
        Value::Int(value) => Some(value),
        _ => None,
    }
}
