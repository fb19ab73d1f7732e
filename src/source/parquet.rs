//! Parquet files: read once, or followed as a folder that new files come into.
//!
//! ```text
//!   path or glob ──> one partition per file: [ rows ▒▒▒▒▒▒▒▒▒▒│ rows · · · │ footer ]
//!                                                   position counts rows       mark = length and hash of the end
//! ```
//!
//! 1. A Parquet file is whole when its footer is there; until then its writer is not done and it is left alone.
//! 2. A whole file never changes: one that became another, while it was followed or since an earlier run, is an error.
//! 3. Types of columns come from the file's schema where sources.yml declares none; values are read as the declared type.
//! 4. What the library makes of a damaged file, an error or a panic, is an error that names the file.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;
use row::{NumericTypmod, ScalarType};

use super::decoder::Decoder;
use super::format::scalar::Encoding;
use super::open::OpenReader;
use super::settings::{Positions, TableSource};
use super::{Batch, Gate, Poll, Reader, SourceError, Until, delivery, glob, prefix};

mod values;

/// A batch ends after so many rows.
const BATCH_ROWS_MAX: usize = 4096;
/// How often a followed folder is looked at.
const GLOB_INTERVAL: Duration = Duration::from_secs(1);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Of the end of a file, which goes into its mark: nearly always the whole footer.
const MARK_BYTES: u64 = 64 << 10;

pub struct ParquetReader {
    source: Arc<str>,
    path: PathBuf,
    decoder: Decoder,
    until: Until,
    from: Positions,
    files: Vec<Tail>,
    /// Files without their footer, since when.
    unfinished: BTreeMap<PathBuf, Instant>,
    globbed_at: Instant,
    gate: Gate,
}

struct Tail {
    path: PathBuf,
    partition: Arc<str>,
    rows: RowIter<'static>,
    encodings: Arc<(usize, HashMap<String, Encoding>)>,
    position: u64,
    /// Rows of the whole file.
    end: u64,
    length: u64,
    mark: String,
}

impl ParquetReader {
    pub fn open(
        source: &str,
        path: &Path,
        tables: Vec<TableSource>,
        from: &Positions,
        until: Until,
    ) -> Result<OpenReader, SourceError> {
        let is_pattern = glob::is_pattern(path);
        let own = from.iter().filter(|((name, _), _)| name == source).map(|(at, to)| (at.clone(), to.clone()));
        let mut reader = ParquetReader {
            source: source.into(),
            path: path.to_path_buf(),
            decoder: Decoder::new(&tables)?,
            until,
            from: own.collect(),
            files: Vec::new(),
            unfinished: BTreeMap::new(),
            globbed_at: Instant::now(),
            gate: Gate::open(),
        };
        reader.find_files()?;
        if reader.files.is_empty() && until == Until::End {
            return Err(match reader.unfinished.keys().next() {
                Some(path) => not_whole(path),
                None => SourceError::new(format!("no file matches {} of source {source}", path.display()))
                    .with_hint("check `path` in livemart.yml; relative paths start at its folder"),
            });
        }
        let has = |name: &str| reader.files.iter().any(|file| *file.partition == *name);
        if let Some(((_, gone), _)) = reader.from.iter().find(|((_, name), _)| !has(name)) {
            return Err(SourceError::new(format!("{gone}, which source {source} has read before, is no longer there"))
                .with_hint(prefix::REWRITTEN_HINT));
        }
        let partitions = reader.files.iter().map(|file| (reader.source.clone(), file.partition.clone())).collect();
        let tables = tables.iter().map(|table| (table.table, is_pattern)).collect();
        Ok(OpenReader { reader: Box::new(reader), partitions, tables })
    }

    fn find_files(&mut self) -> Result<(), SourceError> {
        self.globbed_at = Instant::now();
        let paths = glob::expand(&self.path).map_err(|cause| prefix::unreadable(&self.path, cause))?;
        for file in &self.files {
            file.check_unchanged()?;
        }
        for path in paths {
            let partition = path.display().to_string();
            if self.files.iter().any(|file| *file.partition == *partition) {
                continue;
            }
            if !is_whole(&path).map_err(|cause| prefix::unreadable(&path, cause))? {
                self.unfinished.entry(path).or_insert_with(Instant::now);
                continue;
            }
            self.unfinished.remove(&path);
            let from = self.from.get(&(self.source.to_string(), partition.clone()));
            let number = self.files.len();
            self.files.push(Tail::open(path, partition.as_str().into(), from, number)?);
        }
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, SourceError> {
        for file in &mut self.files {
            if file.position >= file.end || file.position >= self.gate.limit(&self.source, &file.partition) {
                continue;
            }
            let mut records = Vec::new();
            for _ in 0..BATCH_ROWS_MAX.min((file.end - file.position) as usize) {
                let row = file.next_row()?;
                let written = (file.encodings.0, &file.encodings.1);
                self.decoder.row(file.position, &row, written, &mut records);
                file.position += 1;
            }
            return Ok(Some(Batch {
                source: self.source.clone(),
                partition: file.partition.clone(),
                records,
                position: file.position,
                mark: file.mark.clone(),
                group: None,
            }));
        }
        Ok(None)
    }

    /// Whether all that is there has been given out, but for what waits at the gate.
    fn is_over(&self) -> bool {
        self.files.iter().all(|file| file.position >= file.end)
    }
}

impl Reader for ParquetReader {
    fn poll(&mut self, wait: Duration) -> Result<Poll, SourceError> {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(batch) = self.next_batch()? {
                return Ok(Poll::Batch(batch));
            }
            if self.until == Until::End && self.is_over() {
                return Ok(Poll::End);
            }
            let now = Instant::now();
            if self.until == Until::Stopped && now.duration_since(self.globbed_at) >= GLOB_INTERVAL {
                self.find_files()?;
            }
            if now >= deadline {
                return Ok(Poll::Idle);
            }
            std::thread::sleep(LOOK_INTERVAL.min(deadline - now));
        }
    }

    fn wait_at(&mut self, gate: Gate) {
        self.gate = gate;
    }

    fn remaining(&self) -> Vec<(Arc<str>, Arc<str>, Option<u64>)> {
        let left = |file: &Tail| Some(file.end - file.position);
        self.files.iter().map(|file| (self.source.clone(), file.partition.clone(), left(file))).collect()
    }

    fn obstacle(&self) -> Option<String> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let (path, _) = self.unfinished.iter().find(|(_, since)| since.elapsed() > PATIENCE)?;
        Some(not_whole(path).message)
    }
}

impl Tail {
    fn open(
        path: PathBuf,
        partition: Arc<str>,
        from: Option<&(u64, String)>,
        number: usize,
    ) -> Result<Tail, SourceError> {
        let (length, mark) = mark(&path).map_err(|cause| prefix::unreadable(&path, cause))?;
        let position = match from {
            Some((position, known)) if *position > 0 && *known != mark => {
                return Err(SourceError::new(format!(
                    "{} is not the file of which {position} rows have been read before",
                    path.display()
                ))
                .with_hint(prefix::REWRITTEN_HINT));
            }
            Some((position, _)) => *position,
            None => 0,
        };
        let reader = file_reader(&path)?;
        let metadata = reader.metadata().file_metadata();
        let encodings = Arc::new((number, encodings(metadata.schema())));
        let end = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let mut tail = Tail {
            rows: guarded(&path, || Ok(RowIter::from_file_into(Box::new(reader))))?,
            path,
            partition,
            encodings,
            position: 0,
            end,
            length,
            mark,
        };
        for _ in 0..position.min(end) {
            tail.next_row()?;
            tail.position += 1;
        }
        Ok(tail)
    }

    fn next_row(&mut self) -> Result<parquet::record::Row, SourceError> {
        let rows = &mut self.rows;
        let next = guarded(&self.path, || rows.next().transpose().map_err(|error| error.to_string()))?;
        next.ok_or_else(|| {
            let reason = format!("it ends after {} of {} rows", self.position, self.end);
            damaged(&self.path, &reason)
        })
    }

    fn check_unchanged(&self) -> Result<(), SourceError> {
        let metadata = std::fs::metadata(&self.path).map_err(|cause| prefix::unreadable(&self.path, cause))?;
        let is_same = metadata.len() == self.length
            && mark(&self.path).map_err(|cause| prefix::unreadable(&self.path, cause))?.1 == self.mark;
        match is_same {
            true => Ok(()),
            false => Err(SourceError::new(format!("{} was changed while it was followed", self.path.display()))
                .with_hint(prefix::REWRITTEN_HINT)),
        }
    }
}

/// Names and types of a file's columns; None for a type that has no like of ours.
pub fn column_types(path: &Path) -> Result<Vec<(String, Option<ScalarType>)>, SourceError> {
    let paths = glob::expand(path).map_err(|cause| prefix::unreadable(path, cause))?;
    let first = paths.iter().find(|path| is_whole(path).unwrap_or(false));
    let first = first.ok_or_else(|| {
        SourceError::new(format!("there is no whole Parquet file at {} to tell the types of columns", path.display()))
            .with_hint("write a data_type for each column in sources.yml, or put the first file there")
    })?;
    let reader = file_reader(first)?;
    let schema = reader.metadata().file_metadata().schema();
    Ok(schema.get_fields().iter().map(|field| (field.name().to_owned(), scalar_type(field))).collect())
}

fn file_reader(path: &Path) -> Result<SerializedFileReader<File>, SourceError> {
    let file = File::open(path).map_err(|cause| prefix::unreadable(path, cause))?;
    guarded(path, || SerializedFileReader::new(file).map_err(|error| error.to_string()))
}

/// Runs what reads a file; the library's errors and panics become errors that name it.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, String>) -> Result<T, SourceError> {
    let outcome = catch_unwind(AssertUnwindSafe(read));
    outcome
        .unwrap_or_else(|_| Err("the library that reads it gave up".to_owned()))
        .map_err(|reason| damaged(path, &reason))
}

fn damaged(path: &Path, reason: &str) -> SourceError {
    SourceError::new(format!("{} cannot be read as Parquet: {reason}", path.display()))
        .with_hint("write the file again; a file that was read before must stay as it was")
}

fn not_whole(path: &Path) -> SourceError {
    SourceError::new(format!("{} is no whole Parquet file: it has no footer", path.display()))
        .with_hint("its writer may not be done; rename files into the folder when they are")
}

/// Whether a file begins and ends as Parquet does.
fn is_whole(path: &Path) -> std::io::Result<bool> {
    const MAGIC: &[u8; 4] = b"PAR1";
    let mut file = File::open(path)?;
    if file.metadata()?.len() < 12 {
        return Ok(false);
    }
    let (mut first, mut last) = ([0; 4], [0; 4]);
    file.read_exact(&mut first)?;
    file.seek(SeekFrom::End(-4))?;
    file.read_exact(&mut last)?;
    Ok(first == *MAGIC && last == *MAGIC)
}

/// The length of a file, and what tells it from another.
fn mark(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MARK_BYTES)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    Ok((length, format!("{length}-{:016x}", delivery::identity(b'p', &[&end]))))
}

fn encodings(schema: &Type) -> HashMap<String, Encoding> {
    let fields = schema.get_fields().iter();
    fields.filter_map(|field| Some((field.name().to_owned(), encoding(element(field))?))).collect()
}

/// The element of a list; any other type is itself.
fn element(of: &Type) -> &Type {
    let is_list = of.is_group() && of.get_basic_info().converted_type() == ConvertedType::LIST;
    match of {
        Type::GroupType { fields, .. } if is_list => match fields.first().map(|repeated| &**repeated) {
            Some(Type::GroupType { fields, .. }) if fields.len() == 1 => &fields[0],
            Some(repeated) => repeated,
            None => of,
        },
        _ => of,
    }
}

fn encoding(of: &Type) -> Option<Encoding> {
    if !of.is_primitive() {
        return None;
    }
    let info = of.get_basic_info();
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::MILLIS => Encoding::Millis,
        TimeUnit::MICROS => Encoding::Micros,
        TimeUnit::NANOS => Encoding::Nanos,
    };
    match info.logical_type_ref() {
        Some(LogicalType::Timestamp(timestamp)) => return Some(unit(&timestamp.unit)),
        Some(LogicalType::Time(time)) => return Some(unit(&time.unit)),
        _ => {}
    }
    match (info.converted_type(), of.get_physical_type()) {
        (ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIME_MILLIS, _) | (_, Physical::INT96) => {
            Some(Encoding::Millis)
        }
        (ConvertedType::TIMESTAMP_MICROS | ConvertedType::TIME_MICROS, _) => Some(Encoding::Micros),
        (ConvertedType::DECIMAL, _) => Some(Encoding::Decimal(scale(of))),
        _ => None,
    }
}

fn scale(of: &Type) -> i32 {
    match of {
        Type::PrimitiveType { scale, .. } => *scale,
        Type::GroupType { .. } => 0,
    }
}

fn scalar_type(of: &Type) -> Option<ScalarType> {
    let inner = element(of);
    if !std::ptr::eq(inner, of) {
        return match scalar_type(inner)? {
            ScalarType::Array(_) => None,
            element => Some(ScalarType::Array(Box::new(element))),
        };
    }
    let Type::PrimitiveType { basic_info, physical_type, precision, scale, .. } = of else { return None };
    match basic_info.logical_type_ref() {
        Some(LogicalType::Timestamp(timestamp)) if timestamp.is_adjusted_to_u_t_c => {
            return Some(ScalarType::TimestampTz);
        }
        Some(LogicalType::Timestamp(_)) => return Some(ScalarType::Timestamp),
        Some(LogicalType::Time(_)) => return Some(ScalarType::Time),
        Some(LogicalType::Uuid) => return Some(ScalarType::Uuid),
        _ => {}
    }
    Some(match (basic_info.converted_type(), physical_type) {
        (ConvertedType::UTF8 | ConvertedType::ENUM, _) => ScalarType::Text,
        (ConvertedType::JSON, _) => ScalarType::Jsonb,
        (ConvertedType::DATE, _) => ScalarType::Date,
        (ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS, _) => ScalarType::Time,
        (ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS, _) => ScalarType::TimestampTz,
        (ConvertedType::DECIMAL, _) => ScalarType::Numeric(match (u16::try_from(*precision), i16::try_from(*scale)) {
            (Ok(precision @ 1..=1000), Ok(scale)) => Some(NumericTypmod { precision, scale }),
            _ => None,
        }),
        (ConvertedType::INT_8 | ConvertedType::INT_16 | ConvertedType::UINT_8, _) => ScalarType::Int16,
        (ConvertedType::UINT_16, _) => ScalarType::Int32,
        (ConvertedType::UINT_32, _) => ScalarType::Int64,
        (ConvertedType::UINT_64, _) => ScalarType::Numeric(Some(NumericTypmod { precision: 20, scale: 0 })),
        (_, Physical::BOOLEAN) => ScalarType::Bool,
        (_, Physical::INT32) => ScalarType::Int32,
        (_, Physical::INT64) => ScalarType::Int64,
        (_, Physical::INT96) => ScalarType::Timestamp,
        (_, Physical::FLOAT) => ScalarType::Float32,
        (_, Physical::DOUBLE) => ScalarType::Float64,
        (_, Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY) => match basic_info.logical_type_ref() {
            Some(LogicalType::Float16) => ScalarType::Float32,
            _ => ScalarType::Bytes,
        },
    })
}

pub use values::fields;

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
