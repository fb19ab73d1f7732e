//! What a schema that travels with a message says about its columns.
//!
//! Kafka Connect's JSON converter writes `{"schema":{…},"payload":{…}}` with `schemas.enable=true`. Only what changes the reading
//! of a value is kept: units of time, the scale of decimals, and that bytes come as base64.

use std::collections::HashMap;

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
    if schema.kind != "struct" {
        return None;
    }
    let inner = |wanted: &str| schema.fields.iter().find(|field| field.field.as_deref() == Some(wanted));
    let row = inner("after").or_else(|| inner("before")).filter(|row| row.kind == "struct").unwrap_or(&schema);
    let columns = row.fields.iter().filter_map(|column| Some((column.field.clone()?, encoding(column)?)));
    Some(columns.collect())
}

fn encoding(column: &Schema) -> Option<Encoding> {
    if column.kind == "array" {
        return encoding(column.items.as_deref()?);
    }
    match column.name.as_deref() {
        Some("io.debezium.time.Timestamp" | "io.debezium.time.Time") => Some(Encoding::Millis),
        Some("org.apache.kafka.connect.data.Timestamp" | "org.apache.kafka.connect.data.Time") => {
            Some(Encoding::Millis)
        }
        Some("io.debezium.time.MicroTimestamp" | "io.debezium.time.MicroTime" | "io.debezium.time.MicroDuration") => {
            Some(Encoding::Micros)
        }
        Some("io.debezium.time.NanoTimestamp" | "io.debezium.time.NanoTime" | "io.debezium.time.NanoDuration") => {
            Some(Encoding::Nanos)
        }
        Some("org.apache.kafka.connect.data.Decimal") => {
            Some(Encoding::Decimal(column.parameters.get("scale")?.parse().ok()?))
        }
        Some(_) => None,
        None if column.kind == "bytes" => Some(Encoding::Base64),
        // A bytea as hex or as base64 text is a plain string here (binary.handling.mode): only the settings can tell.
        None => None,
    }
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
