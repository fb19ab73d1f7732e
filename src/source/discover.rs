//! Columns and types from the schema that the data has, where sources.yml declares none.
//!
//! Nothing is guessed from values: a JSON record without a schema tells no types.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use row::ScalarType;

use super::SourceError;
use super::format::avro;
use super::format::connect;
use super::registry::{Registry, RegistrySettings};

/// Names and types in the order of the schema; None for a type that has no like of ours.
pub type Found = Vec<(String, Option<ScalarType>)>;

pub enum Place {
    File(PathBuf),
    Topic(String),
}

/// Lines of a file that are looked at for a schema.
const LINES_MAX: usize = 1000;
const BYTES_MAX: u64 = 16 << 20;

/// From the newest schema of a subject.
pub fn avro(settings: &RegistrySettings, subject: &str) -> Result<Found, SourceError> {
    let schema = Registry::open(settings)?.newest(subject)?;
    avro::column_types(&schema).ok_or_else(|| SourceError::new(format!("the schema of {subject} describes no record")))
}

/// From the first record of a table that carries a schema (Kafka Connect's `schemas.enable`).
pub fn json_file(path: &Path, identifier: &str) -> Result<Option<Found>, SourceError> {
    let paths = super::glob::expand(path).map_err(|cause| super::prefix::unreadable(path, cause))?;
    let Some(path) = paths.first() else { return Ok(None) };
    let file = std::fs::File::open(path).map_err(|cause| super::prefix::unreadable(path, cause))?;
    for line in BufReader::new(file.take(BYTES_MAX)).lines().take(LINES_MAX) {
        let Ok(line) = line else { return Ok(None) };
        if let Some(found) = in_line(&line, identifier) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn in_line(line: &str, identifier: &str) -> Option<Found> {
    let json: serde_json::Value = serde_json::from_str(line).ok()?;
    let inner;
    let value = match (json.get("topic").and_then(|topic| topic.as_str()), json.get("value")) {
        (Some(topic), Some(value)) => {
            if topic.rsplit('.').next() != Some(identifier) && topic != identifier {
                return None;
            }
            match value.as_str() {
                Some(text) => {
                    inner = serde_json::from_str::<serde_json::Value>(text).ok()?;
                    &inner
                }
                None => value,
            }
        }
        _ => &json,
    };
    let payload = value.get("payload")?;
    let table = payload.get("source").and_then(|source| source.get("table")).and_then(|table| table.as_str());
    if table.is_some_and(|table| table != identifier) {
        return None;
    }
    connect::column_types(&value.get("schema")?.to_string())
}
