//! What a schema says about its columns besides their bytes: units of time, scales, and PostgreSQL's type where none is declared.
//!
//! Kafka Connect's names come first: its converter writes `connect.name` for Debezium's types, and beside them logical types that
//! say less (a `timestamp` without a zone is a `timestamp-millis`, too).

use std::collections::HashMap;

use row::{NumericTypmod, ScalarType};

use super::schema::{Node, Schema, Shape};
use crate::source::format::connect;
use crate::source::format::scalar::Encoding;

/// Encodings by column of the row that the schema describes.
pub fn encodings(schema: &Schema) -> HashMap<String, Encoding> {
    let columns = schema.row().unwrap_or_default().iter();
    columns.filter_map(|field| Some((field.name.clone(), encoding(schema, schema.inner(field.node))?))).collect()
}

fn encoding(schema: &Schema, node: &Node) -> Option<Encoding> {
    if let Shape::Array(items) = node.shape {
        return encoding(schema, schema.inner(items));
    }
    if let Some(name) = &node.connect_name {
        return connect::encoding_of(name, node.scale);
    }
    match node.logical.as_deref()? {
        "timestamp-millis" | "local-timestamp-millis" | "time-millis" => Some(Encoding::Millis),
        "timestamp-micros" | "local-timestamp-micros" | "time-micros" => Some(Encoding::Micros),
        "timestamp-nanos" | "local-timestamp-nanos" => Some(Encoding::Nanos),
        "decimal" => valid_decimal(node).map(|(_, scale)| Encoding::Decimal(scale)),
        _ => None,
    }
}

/// (precision, scale) of a decimal that is one by the specification.
fn valid_decimal(node: &Node) -> Option<(u32, i32)> {
    let (precision, scale) = (node.precision?, node.scale.unwrap_or(0));
    let is_valid = precision > 0 && (0..=i64::from(precision)).contains(&i64::from(scale));
    let is_bytes = matches!(node.shape, Shape::Bytes | Shape::Fixed(_));
    Some((precision, scale)).filter(|_| is_valid && is_bytes)
}

/// (name, type) of each column; None for the type where no type of ours is like it.
pub fn column_types(schema: &Schema) -> Option<Vec<(String, Option<ScalarType>)>> {
    let fields = schema.row()?;
    Some(fields.iter().map(|field| (field.name.clone(), scalar_type(schema, schema.inner(field.node)))).collect())
}

fn scalar_type(schema: &Schema, node: &Node) -> Option<ScalarType> {
    if let Some(ty) = node.connect_name.as_deref().and_then(connect::scalar_type_of) {
        return Some(match ty {
            ScalarType::Numeric(_) => numeric(node),
            ty => ty,
        });
    }
    match node.logical.as_deref() {
        Some("timestamp-millis" | "timestamp-micros" | "timestamp-nanos") => return Some(ScalarType::TimestampTz),
        Some("local-timestamp-millis" | "local-timestamp-micros" | "local-timestamp-nanos") => {
            return Some(ScalarType::Timestamp);
        }
        Some("date") => return Some(ScalarType::Date),
        Some("time-millis" | "time-micros") => return Some(ScalarType::Time),
        Some("uuid") => return Some(ScalarType::Uuid),
        Some("decimal") if valid_decimal(node).is_some() => return Some(numeric(node)),
        _ => {}
    }
    Some(match &node.shape {
        Shape::Boolean => ScalarType::Bool,
        Shape::Int if node.connect_type.as_deref().is_some_and(|name| name == "int8" || name == "int16") => {
            ScalarType::Int16
        }
        Shape::Int => ScalarType::Int32,
        Shape::Long => ScalarType::Int64,
        Shape::Float => ScalarType::Float32,
        Shape::Double => ScalarType::Float64,
        Shape::Text | Shape::Enum(_) => ScalarType::Text,
        Shape::Bytes | Shape::Fixed(_) => ScalarType::Bytes,
        Shape::Map(_) => ScalarType::Jsonb,
        Shape::Array(items) => match scalar_type(schema, schema.inner(*items))? {
            ScalarType::Array(_) => return None,
            element => ScalarType::Array(Box::new(element)),
        },
        Shape::Null | Shape::Union(_) | Shape::Record(_) => return None,
    })
}

/// With precision and scale where PostgreSQL takes them.
fn numeric(node: &Node) -> ScalarType {
    let typmod = valid_decimal(node).filter(|(precision, _)| *precision <= 1000);
    ScalarType::Numeric(
        typmod.map(|(precision, scale)| NumericTypmod { precision: precision as u16, scale: scale as i16 }),
    )
}
