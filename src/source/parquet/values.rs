//! A row of the library's, as the fields that columns are read from.

use bumpalo::Bump as Arena;
use bumpalo::collections::Vec as ArenaVec;
use parquet::record::{Field, Row};

use crate::source::format::json::{RawText, Value};

/// Names and values of a row's fields.
pub fn fields<'a>(row: &'a Row, arena: &'a Arena) -> &'a [(&'a str, Value<'a>)] {
    let mut fields = ArenaVec::new_in(arena);
    for (name, field) in row.get_column_iter() {
        fields.push((name.as_str(), value(field, arena)));
    }
    fields.into_bump_slice()
}

fn value<'a>(field: &'a Field, arena: &'a Arena) -> Value<'a> {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::Bool(*value),
        Field::Byte(value) => Value::Int(i64::from(*value)),
        Field::Short(value) => Value::Int(i64::from(*value)),
        Field::Int(value) | Field::Date(value) | Field::TimeMillis(value) => Value::Int(i64::from(*value)),
        Field::Long(value)
        | Field::TimeMicros(value)
        | Field::TimestampMillis(value)
        | Field::TimestampMicros(value) => Value::Int(*value),
        Field::UByte(value) => Value::Int(i64::from(*value)),
        Field::UShort(value) => Value::Int(i64::from(*value)),
        Field::UInt(value) => Value::Int(i64::from(*value)),
        Field::ULong(value) => Value::Number(arena.alloc_str(&value.to_string())),
        Field::Float16(value) => Value::Float(value.to_f32()),
        Field::Float(value) => Value::Float(*value),
        Field::Double(value) => Value::Double(*value),
        Field::Decimal(value) => Value::Bytes(value.data()),
        Field::Str(text) => Value::Text(RawText::plain(text)),
        Field::Bytes(bytes) => Value::Bytes(bytes.data()),
        Field::Group(row) => Value::Record(fields(row, arena)),
        Field::ListInternal(list) => {
            let mut values = ArenaVec::new_in(arena);
            values.extend(list.elements().iter().map(|field| value(field, arena)));
            Value::List(values.into_bump_slice())
        }
        Field::MapInternal(map) => {
            let mut entries = ArenaVec::new_in(arena);
            for (key, field) in map.entries() {
                let key: &str = match key {
                    Field::Str(key) => key,
                    other => arena.alloc_str(&other.to_string()),
                };
                entries.push((key, value(field, arena)));
            }
            Value::Record(entries.into_bump_slice())
        }
    }
}
