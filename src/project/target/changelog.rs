//! `sink: {changelog: …}`: the Kafka topics that get what the tables get.

use super::{Fields, Result, Target};
use crate::project::yaml::{Value, Yaml};
use crate::sink::changelog::{ChangelogConfig, Envelope};

impl Target {
    /// The changelog, where the target's sink has one.
    pub(super) fn changelog(&self) -> Result<Option<ChangelogConfig>> {
        let fields = self.fields()?;
        let Some(sink) = fields.sub("sink")? else { return Ok(None) };
        sink.sub("changelog")?.map(|changelog| parse(&changelog)).transpose()
    }
}

fn parse(fields: &Fields<'_>) -> Result<ChangelogConfig> {
    fields.only(&[
        "brokers",
        "topic",
        "envelope",
        "format",
        "properties",
        "models",
        "partitions",
        "replication",
        "position_topic",
        "outbox_records_max",
        "outbox_bytes_max",
    ])?;
    let envelope = match fields.text("envelope")?.as_deref() {
        None | Some("debezium") => Envelope::Debezium,
        Some("upsert") => Envelope::Upsert,
        Some(other) => return Err(fields.unknown_value("envelope", other, &["debezium", "upsert"])),
    };
    match fields.text("format")?.as_deref() {
        None | Some("json") => {}
        Some(other) => return Err(fields.unknown_value("format", other, &["json"])),
    }
    let carries_all = match fields.text("models")?.as_deref() {
        None | Some("all") => true,
        Some("marked") => false,
        Some(other) => return Err(fields.unknown_value("models", other, &["all", "marked"])),
    };
    let topic = fields.require_text("topic")?;
    if !topic.contains("{table}") {
        return Err(fields.error("'topic' must hold {table}: each table has a topic of its own"));
    }
    Ok(ChangelogConfig {
        brokers: fields.require_text("brokers")?,
        topic,
        envelope,
        properties: fields.properties()?,
        carries_all,
        partitions: count(fields, "partitions", 1, i64::from(i32::MAX))? as i32,
        replication: count(fields, "replication", 1, i64::from(i16::MAX))? as i32,
        position_topic: fields.text("position_topic")?,
        outbox_records_max: count(fields, "outbox_records_max", ChangelogConfig::OUTBOX_RECORDS_MAX as i64, i64::MAX)?
            as u64,
        outbox_bytes_max: fields.bytes("outbox_bytes_max")?.unwrap_or(ChangelogConfig::OUTBOX_BYTES_MAX),
    })
}

/// A whole number from 1; in a template it may come as a text.
fn count(fields: &Fields<'_>, key: &str, default: i64, max: i64) -> Result<i64> {
    let Some(yaml) = fields.value(key) else { return Ok(default) };
    let number = match yaml {
        Yaml { value: Value::Int(number), .. } => Some(*number),
        other => other.scalar_text().and_then(|text| text.parse().ok()),
    };
    number
        .filter(|number| (1..=max).contains(number))
        .ok_or_else(|| fields.wrong(yaml, format!("'{key}' is a number from 1")))
}
