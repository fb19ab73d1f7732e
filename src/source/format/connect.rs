//! What a schema that travels with a message says about its columns.
//!
//! Kafka Connect's JSON converter writes `{"schema":{…},"payload":{…}}` with `schemas.enable=true`. Only what changes the reading
//! of a value is kept: units of time, the scale of decimals, and that bytes come as base64.

use std::collections::HashMap;

use row::{NumericTypmod, ScalarType};
use serde::Deserialize;

use super::scalar::Encoding;

#[derive(Deserialize)]
struct Schema {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    fields: Vec<Schema>,
    #[serde(default)]
    items: Option<Box<Schema>>,
    #[serde(default)]
    parameters: HashMap<String, String>,
}

/// Encodings by column name of a row's schema; `text` is the schema of an envelope or of a flat row.
///
/// `None` when the text is no schema of a struct.
pub fn encodings(text: &str) -> Option<HashMap<String, Encoding>> {
    let schema: Schema = serde_json::from_str(text).ok()?;
    let columns = row(&schema)?.fields.iter().filter_map(|column| Some((column.field.clone()?, encoding(column)?)));
    Some(columns.collect())
}

/// The row inside an envelope's schema, or the flat row itself.
fn row(schema: &Schema) -> Option<&Schema> {
    let inner = |wanted: &str| schema.fields.iter().find(|field| field.field.as_deref() == Some(wanted));
    let row = inner("after").or_else(|| inner("before")).filter(|row| row.kind == "struct").unwrap_or(schema);
    Some(row).filter(|row| row.kind == "struct")
}

fn encoding(column: &Schema) -> Option<Encoding> {
    if column.kind == "array" {
        return encoding(column.items.as_deref()?);
    }
    match column.name.as_deref() {
        Some(name) => encoding_of(name, column.parameters.get("scale").and_then(|scale| scale.parse().ok())),
        None if column.kind == "bytes" => Some(Encoding::Base64),
        // A bytea as hex or as base64 text is a plain string here (binary.handling.mode): only the settings can tell.
        None => None,
    }
}

/// What a schema's name says about the values.
pub fn encoding_of(name: &str, scale: Option<i32>) -> Option<Encoding> {
    match name {
        "io.debezium.time.Timestamp"
        | "io.debezium.time.Time"
        | "org.apache.kafka.connect.data.Timestamp"
        | "org.apache.kafka.connect.data.Time" => Some(Encoding::Millis),
        "io.debezium.time.MicroTimestamp" | "io.debezium.time.MicroTime" | "io.debezium.time.MicroDuration" => {
            Some(Encoding::Micros)
        }
        "io.debezium.time.NanoTimestamp" | "io.debezium.time.NanoTime" | "io.debezium.time.NanoDuration" => {
            Some(Encoding::Nanos)
        }
        "org.apache.kafka.connect.data.Decimal" => Some(Encoding::Decimal(scale?)),
        _ => None,
    }
}

/// The type that a schema's name stands for; a numeric is given without its precision.
pub fn scalar_type_of(name: &str) -> Option<ScalarType> {
    let name = name.strip_prefix("io.debezium.").or_else(|| name.strip_prefix("org.apache.kafka.connect."))?;
    Some(match name {
        "time.Timestamp" | "time.MicroTimestamp" | "time.NanoTimestamp" | "time.IsoTimestamp" | "data.Timestamp" => {
            ScalarType::Timestamp
        }
        "time.ZonedTimestamp" => ScalarType::TimestampTz,
        "time.Date" | "time.IsoDate" | "data.Date" => ScalarType::Date,
        "time.Time" | "time.MicroTime" | "time.NanoTime" | "time.IsoTime" | "time.ZonedTime" | "data.Time" => {
            ScalarType::Time
        }
        "time.MicroDuration" | "time.NanoDuration" | "time.Interval" => ScalarType::Interval,
        "data.Decimal" | "data.VariableScaleDecimal" => ScalarType::Numeric(None),
        "data.Uuid" => ScalarType::Uuid,
        "data.Json" => ScalarType::Jsonb,
        "data.Xml" | "data.Enum" | "data.Tsvector" | "data.Ltree" => ScalarType::Text,
        _ => return None,
    })
}

/// (name, type) of each column of a row's schema, as `encodings` finds it; None for a type that has no like.
pub fn column_types(text: &str) -> Option<Vec<(String, Option<ScalarType>)>> {
    let schema: Schema = serde_json::from_str(text).ok()?;
    let columns = row(&schema)?.fields.iter();
    Some(columns.filter_map(|column| Some((column.field.clone()?, scalar_type(column)))).collect())
}

fn scalar_type(column: &Schema) -> Option<ScalarType> {
    if let Some(ty) = column.name.as_deref().and_then(scalar_type_of) {
        let number = |key: &str| column.parameters.get(key)?.parse::<i32>().ok();
        return Some(match (ty, number("connect.decimal.precision"), number("scale")) {
            (ScalarType::Numeric(_), Some(precision @ 1..=1000), Some(scale)) if (0..=precision).contains(&scale) => {
                ScalarType::Numeric(Some(NumericTypmod { precision: precision as u16, scale: scale as i16 }))
            }
            (ty, _, _) => ty,
        });
    }
    Some(match column.kind.as_str() {
        "boolean" => ScalarType::Bool,
        "int8" | "int16" => ScalarType::Int16,
        "int32" => ScalarType::Int32,
        "int64" => ScalarType::Int64,
        "float" | "float32" => ScalarType::Float32,
        "double" | "float64" => ScalarType::Float64,
        "string" => ScalarType::Text,
        "bytes" => ScalarType::Bytes,
        "map" => ScalarType::Jsonb,
        "array" => match scalar_type(column.items.as_deref()?)? {
            ScalarType::Array(_) => return None,
            element => ScalarType::Array(Box::new(element)),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_scales_of_an_envelope() {
        let row = r#"{"type":"struct","field":"after","optional":true,"fields":[
            {"type":"int64","name":"io.debezium.time.Timestamp","version":1,"field":"ts3"},
            {"type":"int64","name":"io.debezium.time.MicroTimestamp","field":"ts6","default":0},
            {"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"},"field":"amount"},
            {"type":"array","items":{"type":"int64","name":"io.debezium.time.NanoTimestamp"},"field":"seen"},
            {"type":"bytes","field":"bin"},{"type":"string","field":"word"},{"type":"int32","field":"id"}]}"#;
        let text =
            format!(r#"{{"type":"struct","fields":[{row},{{"type":"string","field":"op"}}],"name":"x.Envelope"}}"#);
        let encodings = encodings(&text).expect("a struct");
        let of = |name: &str| encodings.get(name).copied();
        assert_eq!(of("ts3"), Some(Encoding::Millis));
        assert_eq!(of("ts6"), Some(Encoding::Micros));
        assert_eq!(of("amount"), Some(Encoding::Decimal(2)));
        assert_eq!(of("seen"), Some(Encoding::Nanos));
        assert_eq!(of("bin"), Some(Encoding::Base64));
        assert_eq!(of("word"), None);
        assert_eq!(of("id"), None);
    }

    #[test]
    fn a_flat_row_is_its_own_schema() {
        let text = r#"{"type":"struct","fields":[{"type":"int32","name":"io.debezium.time.Time","field":"t"}]}"#;
        assert_eq!(encodings(text).expect("a struct").get("t"), Some(&Encoding::Millis));
        assert_eq!(encodings("{}"), None);
        assert_eq!(encodings("null"), None);
    }
}
