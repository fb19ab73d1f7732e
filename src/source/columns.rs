//! The columns of one table: from an object's fields to packed rows and keys.
//!
//! ```text
//!   {"id":7,"status":"paid","note":null} ──collect──> slots by column ──pack──> row (7, 'paid', NULL), undemanded columns NULL
//!                                                                    └─key──> row (7), normalised
//! ```
//!
//! 1. Only demanded columns and those of the key are decoded, unless all are kept; the rest of an object is stepped over.
//! 2. A missing field is NULL, and so is an explicit null.
//! 3. Fields mostly come in the same order: the name expected next is compared with the bytes that are there, and nothing is hashed.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use bumpalo::Bump as Arena;
use row::{Datum, Row, RowBuilder, ScalarType};

use super::format::json::{Cursor, JsonError, Value};
use super::format::scalar::{self, Encoding, Reading};
use super::{Envelope, TableIndex, TableSpec, unread};

/// What Debezium writes in place of an unchanged TOASTed value; in arrays as the only element, in bytea as these bytes.
const UNAVAILABLE: &str = "__debezium_unavailable_value";
const UNAVAILABLE_BASE64: &str = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==";
const UNAVAILABLE_HEX: &str = "5f5f646562657a69756d5f756e617661696c61626c655f76616c7565";
const UNAVAILABLE_ARRAY: &str = "[\"__debezium_unavailable_value\"]";

/// A message's key.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// JSON, or text that is none.
    Bytes(&'a [u8]),
    /// Of a binary format.
    Value(Value<'a>),
}

/// A value that its column cannot take.
#[derive(Clone, Debug)]
pub struct ColumnError {
    pub column: String,
    pub reason: String,
}

/// Names met at each place of an object, in the order in which they came last: as text has them, `"name":`; those of binary records
/// bare, so that neither is taken for the other.
type Memo = Vec<(String, Option<usize>)>;

/// One value per declared column; `None` where the object has no such field.
pub type Slots<'a> = [Option<Value<'a>>];

pub struct Columns {
    pub table: TableIndex,
    /// `raw_data.orders`, for messages.
    pub name: String,
    pub key: Option<Vec<usize>>,
    pub envelope: Envelope,
    names: HashMap<Box<str>, usize>,
    order: Vec<String>,
    readings: Vec<Reading>,
    /// From the table's settings, by column.
    configured: Vec<Option<Encoding>>,
    wanted: Vec<bool>,
    /// Columns that are not wanted are decoded, too, and a value that cannot be is kept as it came (`unread`).
    keeps_all: bool,
    /// The number of the schema that `readings` were last made for.
    schema: Option<usize>,
    row_memo: Memo,
    key_memo: Memo,
}

impl Columns {
    pub fn new(table: TableIndex, spec: &TableSpec, encodings: &BTreeMap<String, Encoding>) -> Columns {
        let unit = match spec.envelope {
            Envelope::Debezium => Encoding::Micros,
            Envelope::Upsert | Envelope::Append => Encoding::Millis,
        };
        let configured: Vec<_> = spec.columns.iter().map(|column| encodings.get(&column.name).copied()).collect();
        let readings = spec.columns.iter().zip(&configured);
        let is_key = |column: usize| spec.key.as_ref().is_some_and(|key| key.contains(&column));
        let is_demanded = |column: usize| spec.demanded.get(column).copied().unwrap_or(true);
        Columns {
            table,
            name: spec.name.clone(),
            key: spec.key.clone(),
            envelope: spec.envelope,
            names: spec.columns.iter().enumerate().map(|(at, column)| (column.name.as_str().into(), at)).collect(),
            order: spec.columns.iter().map(|column| column.name.clone()).collect(),
            readings: readings
                .map(|(column, encoding)| Reading { ty: column.ty.clone(), encoding: *encoding, unit })
                .collect(),
            configured,
            wanted: (0..spec.columns.len()).map(|column| is_demanded(column) || is_key(column)).collect(),
            keeps_all: spec.keeps_all,
            schema: None,
            row_memo: Memo::new(),
            key_memo: Memo::new(),
        }
    }

    /// How many columns are declared.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    pub fn declares(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Takes the encodings of a schema that came with the message; without a schema those of the settings hold.
    pub fn use_schema(&mut self, schema: Option<(usize, &HashMap<String, Encoding>)>) {
        let number = schema.map(|(number, _)| number);
        if self.schema == number {
            return;
        }
        self.schema = number;
        for (column, reading) in self.readings.iter_mut().enumerate() {
            let travelled = schema.and_then(|(_, encodings)| encodings.get(&self.order[column]).copied());
            reading.encoding = travelled.or(self.configured[column]);
        }
    }

    /// Empty slots for one object.
    pub fn slots<'a>(&self, arena: &'a Arena) -> &'a mut Slots<'a> {
        arena.alloc_slice_fill_copy(self.count(), None)
    }

    /// Puts the fields of an object into their columns' slots; an error where the value has none.
    pub fn collect<'a>(&mut self, value: Value<'a>, slots: &mut Slots<'a>) -> Result<(), JsonError> {
        collect(&mut self.row_memo, &self.names, value, slots)
    }

    /// Packs the wanted columns, and the others where all are kept; the second list names the columns whose value Debezium left out
    /// (they are NULL in the row), wanted ones first.
    pub fn pack<'a>(
        &self,
        slots: &Slots<'a>,
        arena: &'a Arena,
        builder: &mut RowBuilder,
    ) -> Result<(Row, Vec<usize>), ColumnError> {
        builder.clear();
        let mut unavailable = Vec::new();
        for (column, slot) in slots.iter().enumerate() {
            let is_wanted = self.wanted[column];
            match slot {
                Some(value) if is_wanted || self.keeps_all => {
                    if self.envelope == Envelope::Debezium && is_unavailable(value) {
                        if is_wanted || self.key.is_some() {
                            unavailable.push(column);
                            builder.push(&Datum::Null);
                        } else {
                            unread::push(builder, "its unchanged large value was left out", "");
                        }
                        continue;
                    }
                    if scalar::push_plain(value, &self.readings[column].ty, builder) {
                        continue;
                    }
                    match self.read(column, *value, arena) {
                        Ok(datum) => builder.push(&datum),
                        Err(error) if is_wanted => return Err(error),
                        Err(error) => unread::push(builder, &error.reason, &as_it_came(value)),
                    }
                }
                _ => builder.push(&Datum::Null),
            }
        }
        unavailable.sort_by_key(|column| !self.wanted[*column]);
        Ok((builder.finish(), unavailable))
    }

    /// Packs the key; an error names the key column that is missing, null or unreadable. Only for tables with a key.
    pub fn pack_key<'a>(
        &self,
        slots: &Slots<'a>,
        arena: &'a Arena,
        builder: &mut RowBuilder,
    ) -> Result<Row, ColumnError> {
        builder.clear();
        for column in self.key.iter().flatten() {
            let value = slots[*column].filter(|value| *value != Value::Null);
            let missing =
                || ColumnError { column: self.order[*column].clone(), reason: "the key column has no value".into() };
            let value = value.ok_or_else(missing)?;
            let ty = &self.readings[*column].ty;
            if matches!(ty, ScalarType::Int64 | ScalarType::Int32) && scalar::push_plain(&value, ty, builder) {
                continue; // integers are normalised
            }
            builder.push(&self.read(*column, value, arena)?.normalized());
        }
        Ok(builder.finish())
    }

    /// Puts a message's key into the slots of the key columns that are still empty. False if the key cannot be read.
    ///
    /// An object is taken field by field (inside its `payload` where a schema travels along); any other value is the key itself
    /// where the key has one column, and so is text that is no JSON.
    pub fn fill_from_key<'a>(&mut self, key: Key<'a>, slots: &mut Slots<'a>, arena: &'a Arena) -> bool {
        let value = match key {
            Key::Value(value) => value,
            Key::Bytes(bytes) => {
                let Ok(text) = std::str::from_utf8(bytes) else { return false };
                let mut cursor = Cursor::new(text);
                match cursor.value().and_then(|value| cursor.end().map(|()| value)) {
                    Ok(value) => unwrap_payload(value),
                    Err(_) => Value::Text(super::format::json::RawText::plain(text)),
                }
            }
        };
        let key_columns = self.key.clone().unwrap_or_default();
        match value {
            Value::Object(_) | Value::Record(_) => {
                let found = self.slots(arena);
                if collect(&mut self.key_memo, &self.names, value, found).is_err() {
                    return false;
                }
                for column in key_columns {
                    slots[column] = slots[column].or(found[column]);
                }
                true
            }
            Value::Null | Value::Array(_) | Value::List(_) => false,
            scalar => match key_columns[..] {
                [column] => {
                    slots[column] = slots[column].or(Some(scalar));
                    true
                }
                _ => false,
            },
        }
    }

    /// The key inside a message's key, if all its columns are there and readable.
    pub fn message_key<'a>(&mut self, key: Key<'a>, arena: &'a Arena, builder: &mut RowBuilder) -> Option<Row> {
        let slots = self.slots(arena);
        if !self.fill_from_key(key, slots, arena) {
            return None;
        }
        self.pack_key(slots, arena, builder).ok()
    }

    /// Demanded by a model, or part of the key.
    pub fn is_wanted(&self, column: usize) -> bool {
        self.wanted[column]
    }

    pub fn column_name(&self, column: usize) -> &str {
        &self.order[column]
    }

    fn read<'a>(&self, column: usize, value: Value<'a>, arena: &'a Arena) -> Result<Datum<'a>, ColumnError> {
        scalar::read(value, &self.readings[column], arena)
            .map_err(|reason| ColumnError { column: self.order[column].clone(), reason })
    }
}

fn collect<'a>(
    memo: &mut Memo,
    names: &HashMap<Box<str>, usize>,
    value: Value<'a>,
    slots: &mut Slots<'a>,
) -> Result<(), JsonError> {
    let mut at = 0;
    match value {
        Value::Object(text) => Cursor::new(text).fields(|cursor| {
            let column = match memo.get(at) {
                Some((known, column)) if cursor.skip_known(known) => *column,
                _ => {
                    let name = cursor.field_name()?;
                    let column = names.get(name.to_cow()?.as_ref()).copied();
                    remember(memo, at, column, |known| name.write_field(known));
                    column
                }
            };
            at += 1;
            let value = cursor.value()?;
            if let Some(column) = column {
                slots[column] = Some(value);
            }
            Ok(())
        }),
        Value::Record(fields) => {
            for (at, (name, value)) in fields.iter().enumerate() {
                let column = match memo.get(at) {
                    Some((known, column)) if known == name => *column,
                    _ => {
                        let column = names.get(*name).copied();
                        remember(memo, at, column, |known| known.push_str(name));
                        column
                    }
                };
                if let Some(column) = column {
                    slots[column] = Some(*value);
                }
            }
            Ok(())
        }
        _ => Err(JsonError { at: 0, what: "no object" }),
    }
}

/// Takes note of which column the name at this place is.
fn remember(memo: &mut Memo, at: usize, column: Option<usize>, write: impl FnOnce(&mut String)) {
    if memo.len() == at && at < FIELDS_REMEMBERED_MAX {
        memo.push((String::new(), column));
    }
    if let Some(known) = memo.get_mut(at) {
        known.1 = column;
        known.0.clear();
        write(&mut known.0);
    }
}

/// A bound for what an object with endless fields can make us remember.
const FIELDS_REMEMBERED_MAX: usize = 4096;

fn is_unavailable(value: &Value<'_>) -> bool {
    match value {
        Value::Text(text) if text.raw.len() == UNAVAILABLE.len() => text.raw == UNAVAILABLE,
        Value::Text(text) => text.raw == UNAVAILABLE_BASE64 || text.raw == UNAVAILABLE_HEX,
        Value::Array(text) => *text == UNAVAILABLE_ARRAY,
        Value::Bytes(bytes) => *bytes == UNAVAILABLE.as_bytes(),
        Value::List([Value::Text(text)]) => text.raw == UNAVAILABLE,
        _ => false,
    }
}

fn as_it_came<'a>(value: &Value<'a>) -> Cow<'a, str> {
    match value {
        Value::Number(text) | Value::Object(text) | Value::Array(text) => Cow::Borrowed(*text),
        Value::Text(text) => Cow::Borrowed(text.raw),
        other => {
            let mut text = String::new();
            other.write_json(&mut text);
            Cow::Owned(text)
        }
    }
}

/// The payload of `{"schema":…,"payload":…}`; any other value as it is.
pub fn unwrap_payload(value: Value<'_>) -> Value<'_> {
    let Value::Object(object) = value else { return value };
    let (mut has_schema, mut payload) = (false, None);
    let read = Cursor::new(object).object(|name, cursor| {
        let value = cursor.value()?;
        match name.as_ref() {
            "schema" => has_schema = matches!(value, Value::Object(_) | Value::Null),
            "payload" => payload = Some(value),
            _ => {}
        }
        Ok(())
    });
    match (read, payload) {
        (Ok(()), Some(payload)) if has_schema => payload,
        _ => value,
    }
}
