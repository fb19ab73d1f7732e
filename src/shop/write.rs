//! Changes into a folder, as the reference project's `dev` target reads them.
//!
//! ```text
//!   logs   ──> raw_data.jsonl  clickstream.jsonl  cards.jsonl  …     one per source system, in order of delivery
//!   drops  ──> erp/products_2024-07.csv  ads/google_ads_2024-07.csv  …   one per table and month
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike};
use serde_json::json;

use super::tables::{ALL, Change, Medium, Table};
use super::{Deliver, Unreadable, produce};

/// What a line of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The Debezium value alone.
    Bare,
    /// The whole record with topic, partition, offset, timestamp, key and value, as a capture of Kafka holds it.
    Captured,
}

pub struct Files {
    folder: PathBuf,
    form: Form,
    logs: BTreeMap<&'static str, BufWriter<File>>,
    /// The month's file of each table that comes in drops.
    drops: BTreeMap<&'static str, (String, BufWriter<File>)>,
    /// Next offset of each topic.
    offsets: BTreeMap<&'static str, u64>,
}

impl Files {
    /// Creates the files of all logs, empty; what a folder holds of an earlier shop is removed.
    pub fn create(folder: &Path, form: Form) -> io::Result<Files> {
        fs::create_dir_all(folder)?;
        let (mut logs, mut offsets) = (BTreeMap::new(), BTreeMap::new());
        for table in ALL {
            match table.medium {
                Medium::Log if !logs.contains_key(table.source) => {
                    let file = File::create(folder.join(format!("{}.jsonl", table.source)))?;
                    logs.insert(table.source, BufWriter::with_capacity(1 << 18, file));
                }
                Medium::Log => {}
                Medium::Drop => remove_drops(&folder.join(table.source), table)?,
            }
            offsets.insert(table.name, 0);
        }
        Ok(Files { folder: folder.to_path_buf(), form, logs, drops: BTreeMap::new(), offsets })
    }

    /// Everything is in the files afterwards.
    pub fn finish(mut self) -> io::Result<()> {
        self.logs.values_mut().try_for_each(Write::flush)?;
        self.drops.values_mut().try_for_each(|(_, file)| file.flush())
    }

    fn log(&mut self, table: &'static Table, at_ms: i64, key: Option<String>, value: &str) -> io::Result<()> {
        let Some(file) = self.logs.get_mut(table.source) else { return Ok(()) };
        match self.form {
            Form::Bare => writeln!(file, "{value}"),
            Form::Captured => {
                let offset = self.offsets.entry(table.name).or_default();
                let topic = produce::topic(table);
                let record = json!({"topic": topic, "partition": 0, "offset": *offset, "timestamp": at_ms, "headers": [], "key": key, "value": value});
                *offset += 1;
                writeln!(file, "{record}")
            }
        }
    }

    fn drop_into(&mut self, change: &Change) -> io::Result<()> {
        let month = DateTime::from_timestamp_millis(change.at_ms)
            .map_or_else(String::new, |at| format!("{:04}-{:02}", at.year(), at.month()));
        let table = change.table;
        if self.drops.get(table.name).is_none_or(|(open, _)| *open != month) {
            let folder = self.folder.join(table.source);
            fs::create_dir_all(&folder)?;
            let mut file = BufWriter::new(File::create(folder.join(format!("{}_{month}.csv", table.name)))?);
            writeln!(file, "{}", change.csv_header())?;
            if let Some((_, mut full)) = self.drops.insert(table.name, (month, file)) {
                full.flush()?;
            }
        }
        match self.drops.get_mut(table.name) {
            Some((_, file)) => writeln!(file, "{}", change.csv()),
            None => Ok(()),
        }
    }
}

impl Deliver for Files {
    fn change(&mut self, change: &Change) -> io::Result<()> {
        match change.table.medium {
            Medium::Log => self.log(change.table, change.at_ms, change.key_json(), &change.value_json()),
            Medium::Drop => self.drop_into(change),
        }
    }

    fn unreadable(&mut self, table: &'static Table, at_ms: i64, unreadable: &Unreadable<'_>) -> io::Result<()> {
        match unreadable {
            Unreadable::Text(text) => self.log(table, at_ms, None, text),
            Unreadable::Value(wrong) => self.log(table, at_ms, wrong.key_json(), &wrong.value_json()),
        }
    }
}

/// Removes a table's files of an earlier shop, and nothing else.
fn remove_drops(folder: &Path, table: &Table) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let prefix = format!("{}_", table.name);
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(".csv") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
