//! From the net change of a table to messages.
//!
//! ```text
//!   key:     (7, 'a') -1, (7, 'b') +1  ──> {"id":7}: u, before and after      only + : c      only - : d, or null
//!   no key:  row +2 ──> c, c       row -1 ──> d      under a hash of the row: one message for each copy
//! ```

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use md5::{Digest, Md5};
use row::Row;

use super::config::Envelope;
use super::value::{write_columns, write_row, write_string};
use super::{Carried, OutboxRecord};
use crate::sink::{SinkError, TableSpec};

/// The cut that records belong to.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    pub instance: &'a str,
    pub seq: u64,
    /// Microseconds since 1970 UTC.
    pub clock: i64,
}

/// Before and after of one key.
type Change<'a> = (Option<&'a Row>, Option<&'a Row>);

/// Appends the records of consolidated changes.
pub fn push(
    records: &mut Vec<OutboxRecord>,
    envelope: Envelope,
    moment: Moment<'_>,
    table: &TableSpec,
    carried: &Carried,
    delta: &[(Row, i64)],
) -> Result<(), SinkError> {
    let writer = Writer { envelope, moment, table, topic: &carried.topic };
    match &table.key {
        Some(key) => {
            for (message_key, (before, after)) in by_key(table, key, delta)? {
                records.extend(writer.record(message_key, before, after));
            }
        }
        None => {
            for (row, diff) in delta {
                let (before, after) = if *diff < 0 { (Some(row), None) } else { (None, Some(row)) };
                for _ in 0..diff.unsigned_abs() {
                    records.extend(writer.record(row_key(table, row), before, after));
                }
            }
        }
    }
    Ok(())
}

/// One change for each key, in the order in which keys are met.
fn by_key<'a>(
    table: &TableSpec,
    key: &[usize],
    delta: &'a [(Row, i64)],
) -> Result<Vec<(String, Change<'a>)>, SinkError> {
    let mut changes: Vec<(String, Change<'a>)> = Vec::with_capacity(delta.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(delta.len());
    for (row, diff) in delta.iter().filter(|(_, diff)| *diff != 0) {
        let mut message_key = String::new();
        write_columns(&mut message_key, table, row, key.iter().copied());
        let place = match places.entry(message_key) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                changes.push((entry.key().clone(), (None, None)));
                *entry.insert(changes.len() - 1)
            }
        };
        let (message_key, (before, after)) = &mut changes[place];
        let side = if *diff < 0 { before } else { after };
        if diff.unsigned_abs() != 1 || side.replace(row).is_some() {
            return Err(SinkError::refused(
                format!("the key of {} is not unique: one change holds several rows of {message_key}", table.model),
                "this is a fault of livemart's key inference; please report the model's SQL",
            ));
        }
    }
    Ok(changes)
}

/// Equal rows have equal keys, so that they meet in one partition, in order.
fn row_key(table: &TableSpec, row: &Row) -> String {
    let mut text = String::new();
    write_row(&mut text, table, row);
    let hash: String = Md5::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{{\"row\":\"{hash}\"}}")
}

struct Writer<'a> {
    envelope: Envelope,
    moment: Moment<'a>,
    table: &'a TableSpec,
    topic: &'a str,
}

impl Writer<'_> {
    /// None where before and after read alike: a numeric may have got another scale.
    fn record(&self, key: String, before: Option<&Row>, after: Option<&Row>) -> Option<OutboxRecord> {
        let [before, after] = [before, after].map(|row| row.map(|row| self.row(row)));
        if before == after {
            return None;
        }
        let value = match self.envelope {
            Envelope::Upsert => after,
            Envelope::Debezium => Some(self.debezium(before, after)),
        };
        Some(OutboxRecord { topic: self.topic.to_owned(), key, value })
    }

    fn row(&self, row: &Row) -> String {
        let mut text = String::new();
        write_row(&mut text, self.table, row);
        text
    }

    fn debezium(&self, before: Option<String>, after: Option<String>) -> String {
        let op = match (&before, &after) {
            (None, _) => "c",
            (_, None) => "d",
            _ => "u",
        };
        let Moment { instance, seq, clock } = self.moment;
        let ms = clock.div_euclid(1_000);
        let [before, after] = [before, after].map(|row| row.unwrap_or_else(|| "null".to_owned()));
        let quoted = |text: &str| {
            let mut out = String::new();
            write_string(&mut out, text);
            out
        };
        let [name, schema, table] = [instance, &self.table.schema, &self.table.name].map(quoted);
        format!(
            "{{\"before\":{before},\"after\":{after},\"source\":{{\"version\":\"{}\",\"connector\":\"livemart\",\"name\":{name},\
             \"ts_ms\":{ms},\"schema\":{schema},\"table\":{table},\"seq\":{seq},\"clock\":{clock}}},\"op\":\"{op}\",\"ts_ms\":{ms}}}",
            env!("CARGO_PKG_VERSION")
        )
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
