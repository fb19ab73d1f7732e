//! Files of records, one per line or in CSV: read once to their end, or followed as they grow.
//!
//! ```text
//!   path or glob ──> one partition per file: [ consumed ▒▒▒▒▒▒▒▒▒│ whole records │ a line without its end yet ]
//!                                             hash = mark       position counts records
//! ```
//!
//! 1. A last record without its line end is not consumed: its writer may not be done.
//! 2. Files are read in the order of their paths; the result does not depend on it.
//! 3. A file may only grow. One that was cut or replaced while it was followed, or rewritten since an earlier run, is an error.
//! 4. With `Until::End` exactly the bytes that were there at opening are read; else new files that match are picked up.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::decoder::Decoder;
use super::format::csv;
use super::open::OpenReader;
use super::prefix::{self, PrefixHash, RECORD_BYTES_MAX};
use super::settings::{Format, Positions, TableSource};
use super::{Batch, Gate, Poll, Reader, SourceError, Until, glob};

/// A batch ends after so many records or so many bytes of the file.
pub const BATCH_RECORDS_MAX: usize = 4096;
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// How much is read from a file at a time.
const READ_BYTES: usize = 256 << 10;
/// How often a followed file is looked at, and a followed glob expanded again.
const GROWTH_INTERVAL: Duration = Duration::from_millis(20);
const GLOB_INTERVAL: Duration = Duration::from_secs(1);

pub struct FileReader {
    source: Arc<str>,
    path: PathBuf,
    format: Format,
    decoder: Decoder,
    until: Until,
    from: Positions,
    tails: Vec<Tail>,
    /// The file that is looked at first: the one that gave the last batch.
    current: usize,
    globbed_at: Instant,
    gate: Gate,
    /// Some file was not looked at because of the gate, or waits for a schema.
    waits: bool,
}

/// One file and how far it has been read.
struct Tail {
    path: PathBuf,
    partition: Arc<str>,
    file: File,
    inode: u64,
    /// Bytes read; the first `start` of `buffer` are consumed.
    bytes_read: u64,
    buffer: Vec<u8>,
    start: usize,
    /// Bytes that are to be read, with `Until::End`.
    end: Option<u64>,
    position: u64,
    hash: PrefixHash,
    header: Option<Vec<u8>>,
    at_end: bool,
    /// The next record cannot be decoded yet.
    waits: bool,
}

impl FileReader {
    /// Opens the file, or the files that match; from the positions given for them.
    pub fn open(
        source: &str,
        path: &Path,
        tables: Vec<TableSource>,
        from: &Positions,
        until: Until,
    ) -> Result<OpenReader, SourceError> {
        let format = tables.iter().map(|table| table.format).max().unwrap_or(Format::Json);
        let decoder = Decoder::new(&tables)?;
        decoder.check_registry()?;
        let is_pattern = glob::is_pattern(path);
        let mut reader = FileReader {
            source: source.into(),
            path: path.to_path_buf(),
            format,
            decoder,
            until,
            from: from
                .iter()
                .filter(|((name, _), _)| name == source)
                .map(|(at, to)| (at.clone(), to.clone()))
                .collect(),
            tails: Vec::new(),
            current: 0,
            globbed_at: Instant::now(),
            gate: Gate::open(),
            waits: false,
        };
        reader.find_files()?;
        if reader.tails.is_empty() && is_pattern {
            if until == Until::End {
                return Err(SourceError::new(format!("no file matches {} of source {source}", path.display()))
                    .with_hint("check `path` in livemart.yml; relative paths start at its folder"));
            }
            tracing::warn!(source, path = %path.display(), "no file matches yet");
        }
        if let Some(((_, gone), _)) = reader.from.iter().find(|((_, name), _)| !reader.has(name)) {
            return Err(SourceError::new(format!("{gone}, which source {source} has read before, is no longer there"))
                .with_hint(prefix::REWRITTEN_HINT));
        }
        let partitions = reader.tails.iter().map(|tail| (reader.source.clone(), tail.partition.clone())).collect();
        let tables = tables.iter().map(|table| (table.table, is_pattern)).collect();
        Ok(OpenReader { reader: Box::new(reader), partitions, tables })
    }

    fn has(&self, partition: &str) -> bool {
        self.tails.iter().any(|tail| *tail.partition == *partition)
    }

    /// Opens the files that match and are not open yet.
    fn find_files(&mut self) -> Result<(), SourceError> {
        self.globbed_at = Instant::now();
        let paths = if glob::is_pattern(&self.path) {
            glob::expand(&self.path).map_err(|cause| prefix::unreadable(&self.path, cause))?
        } else {
            vec![self.path.clone()]
        };
        for path in paths {
            let partition = path.display().to_string();
            if self.has(&partition) {
                continue;
            }
            let from = self.from.get(&(self.source.to_string(), partition.clone()));
            let tail = Tail::open(path, partition.as_str().into(), self.format, from, self.until)?;
            if let Some(header) = &tail.header {
                take_header(&mut self.decoder, &tail.path, header)?;
            }
            self.tails.push(tail);
        }
        Ok(())
    }

    /// The next batch of any file, if one has a whole record.
    fn next_batch(&mut self) -> Result<Option<Batch>, SourceError> {
        self.waits = false;
        for step in 0..self.tails.len() {
            let at = (self.current + step) % self.tails.len();
            let tail = &mut self.tails[at];
            let before = tail.position;
            if before >= self.gate.limit(&self.source, &tail.partition) {
                self.waits = true;
                continue;
            }
            let mut records = Vec::new();
            tail.read_batch(self.format, &mut self.decoder, &mut records)?;
            self.waits |= tail.waits;
            if tail.position > before {
                self.current = at;
                return Ok(Some(Batch {
                    source: self.source.clone(),
                    partition: tail.partition.clone(),
                    records,
                    position: tail.position,
                    mark: tail.hash.mark(),
                    group: None,
                }));
            }
        }
        Ok(None)
    }
}

impl Reader for FileReader {
    fn poll(&mut self, wait: Duration) -> Result<Poll, SourceError> {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(batch) = self.next_batch()? {
                return Ok(Poll::Batch(batch));
            }
            if self.until == Until::End && !self.waits {
                return Ok(Poll::End);
            }
            for tail in &self.tails {
                tail.check_only_grown()?;
            }
            let now = Instant::now();
            if glob::is_pattern(&self.path) && now.duration_since(self.globbed_at) >= GLOB_INTERVAL {
                self.find_files()?;
            }
            if now >= deadline {
                return Ok(Poll::Idle);
            }
            std::thread::sleep(GROWTH_INTERVAL.min(deadline - now));
        }
    }

    fn wait_at(&mut self, gate: Gate) {
        self.gate = gate;
    }

    /// How many records the unread bytes hold is not known before they are read.
    fn remaining(&self) -> Vec<(Arc<str>, Arc<str>, Option<u64>)> {
        let left = |tail: &Tail| if tail.at_end { Some(0) } else { None };
        self.tails.iter().map(|tail| (self.source.clone(), tail.partition.clone(), left(tail))).collect()
    }

    fn skipped(&self) -> BTreeMap<String, u64> {
        self.decoder.skipped().clone()
    }
}

impl Tail {
    fn open(
        path: PathBuf,
        partition: Arc<str>,
        format: Format,
        from: Option<&(u64, String)>,
        until: Until,
    ) -> Result<Tail, SourceError> {
        let unreadable = |cause| prefix::unreadable(&path, cause);
        let mut file = File::open(&path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(SourceError::new(format!("{} is not a file", path.display()))
                .with_hint("name a file, or the files in a folder by a glob such as folder/*.jsonl"));
        }
        let (position, skipped) = match from {
            Some((position, mark)) if *position > 0 => (*position, prefix::skip(&path, format, *position, mark)?),
            _ => (0, prefix::Skipped { bytes: 0, hash: PrefixHash::default(), header: None }),
        };
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(skipped.bytes)).map_err(unreadable)?;
        Ok(Tail {
            inode: metadata.ino(),
            partition,
            file,
            bytes_read: skipped.bytes,
            buffer: Vec::new(),
            start: 0,
            end: (until == Until::End).then_some(metadata.len()),
            position,
            hash: skipped.hash,
            header: skipped.header,
            at_end: false,
            waits: false,
            path,
        })
    }

    /// Decodes whole records until the batch is full or no whole one is left.
    fn read_batch(
        &mut self,
        format: Format,
        decoder: &mut Decoder,
        records: &mut Vec<super::Record>,
    ) -> Result<(), SourceError> {
        self.waits = false;
        let (mut consumed, mut count) = (0, 0);
        while count < BATCH_RECORDS_MAX && consumed < BATCH_BYTES_MAX {
            let rest = &self.buffer[self.start..];
            let length = match format {
                Format::Json | Format::Avro | Format::Parquet => memchr::memchr(b'\n', rest).map(|at| at + 1),
                Format::Csv => csv::record_len(rest),
            };
            let Some(length) = length else {
                if self.fill()? {
                    continue;
                }
                break;
            };
            let record = &self.buffer[self.start..self.start + length];
            let text = without_line_end(record);
            match (format, &self.header) {
                (Format::Json | Format::Avro | Format::Parquet, _) => {
                    if decoder.line(self.position, text, records).is_err() {
                        self.waits = true; // its schema is not to be had now: the line is offered again
                        break;
                    }
                }
                (Format::Csv, None) => {
                    take_header(decoder, &self.path, text)?;
                    self.header = Some(text.to_vec());
                    self.hash.update(&self.buffer[self.start..self.start + length]);
                    self.start += length;
                    continue;
                }
                (Format::Csv, Some(header)) => {
                    if count == 0 {
                        take_header(decoder, &self.path, header)?; // files of one glob may order their columns differently
                    }
                    decoder.csv_record(self.position, text, records);
                }
            }
            self.hash.update(&self.buffer[self.start..self.start + length]);
            self.start += length;
            self.position += 1;
            consumed += length;
            count += 1;
        }
        Ok(())
    }

    /// Reads on; false when nothing more is there now.
    fn fill(&mut self) -> Result<bool, SourceError> {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.len() > RECORD_BYTES_MAX {
            return Err(SourceError::new(format!(
                "record {} of {} is longer than {} MiB",
                self.position + 1,
                self.path.display(),
                RECORD_BYTES_MAX >> 20
            ))
            .with_hint("a JSONL file has one record per line, a CSV file closes its quotes"));
        }
        let left = self.end.map_or(u64::MAX, |end| end.saturating_sub(self.bytes_read));
        let room = left.min(READ_BYTES as u64);
        let read = (&mut self.file).take(room).read_to_end(&mut self.buffer);
        let read = read.map_err(|cause| prefix::unreadable(&self.path, cause))?;
        self.bytes_read += read as u64;
        self.at_end = read == 0;
        if read == 0 && room > 0 && self.end.is_some() {
            return Err(self.changed("became shorter"));
        }
        Ok(read > 0)
    }

    /// Refuses a file that became shorter or was replaced by another of its name.
    fn check_only_grown(&self) -> Result<(), SourceError> {
        let metadata = std::fs::metadata(&self.path).map_err(|cause| prefix::unreadable(&self.path, cause))?;
        if metadata.ino() != self.inode {
            return Err(self.changed("was replaced"));
        }
        if metadata.len() < self.bytes_read {
            return Err(self.changed("became shorter"));
        }
        Ok(())
    }

    fn changed(&self, how: &str) -> SourceError {
        SourceError::new(format!("{} {how} while it was read", self.path.display())).with_hint(prefix::REWRITTEN_HINT)
    }
}

fn take_header(decoder: &mut Decoder, path: &Path, header: &[u8]) -> Result<(), SourceError> {
    decoder.csv_header(without_line_end(header)).map_err(|reason| {
        SourceError::new(format!("{}: {reason}", path.display()))
            .with_hint("the first record of a CSV file names the columns that sources.yml declares")
    })
}

fn without_line_end(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
