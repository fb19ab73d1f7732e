//! The running hash of what has been consumed of a file, so that a rewritten file is noticed.
//!
//! The hash runs over whole records with their line ends, and so depends on nothing but the consumed bytes and where records end.
//! It guards against mistakes, not against somebody who wants a collision.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::SourceError;
use super::format::csv;
use super::settings::Format;

/// The largest record of a file; a longer one means that the file is not what it was said to be.
pub const RECORD_BYTES_MAX: usize = 64 << 20;

const SEED: u64 = 0xCBF2_9CE4_8422_2325;
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// The hash of the records consumed so far. Its text is kept in `progress.mark`, so its definition does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixHash(u64);

impl Default for PrefixHash {
    fn default() -> PrefixHash {
        PrefixHash(SEED)
    }
}

impl PrefixHash {
    /// Takes in the next record, line end included: eight bytes at a time, the last ones padded with zeros, then the length.
    pub fn update(&mut self, record: &[u8]) {
        let mut state = self.0;
        let mut chunks = record.chunks_exact(8);
        for chunk in &mut chunks {
            state = mix(state, u64::from_le_bytes(chunk.try_into().expect("eight bytes")));
        }
        let mut last = [0; 8];
        last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        state = mix(state, u64::from_le_bytes(last));
        self.0 = mix(state, record.len() as u64);
    }

    pub fn mark(&self) -> String {
        format!("{:016x}", self.0)
    }
}

fn mix(state: u64, word: u64) -> u64 {
    let product = (state ^ word).wrapping_mul(FACTOR);
    product ^ (product >> 29)
}

/// Where a reader that was at `position` goes on.
#[derive(Debug)]
pub struct Skipped {
    /// Bytes of the consumed records.
    pub bytes: u64,
    pub hash: PrefixHash,
    /// Of a CSV file.
    pub header: Option<Vec<u8>>,
}

/// Steps over the first `position` records of a file and checks that they are those of `mark`.
///
/// The error names the file and the ways out: the file was rewritten, cut, or replaced since it was read.
pub fn skip(path: &Path, format: Format, position: u64, mark: &str) -> Result<Skipped, SourceError> {
    let file = File::open(path).map_err(|cause| unreadable(path, cause))?;
    let mut records = Records { reader: BufReader::with_capacity(1 << 18, file), format, record: Vec::new() };
    let mut skipped = Skipped { bytes: 0, hash: PrefixHash::default(), header: None };
    let mut missing = position + u64::from(format == Format::Csv && position > 0);
    while missing > 0 {
        if !records.next().map_err(|cause| unreadable(path, cause))? {
            return Err(SourceError::new(format!(
                "{} is shorter than what was read of it before ({position} records)",
                path.display()
            ))
            .with_hint(REWRITTEN_HINT));
        }
        skipped.hash.update(&records.record);
        skipped.bytes += records.record.len() as u64;
        if format == Format::Csv && skipped.header.is_none() {
            skipped.header = Some(records.record.clone());
        }
        missing -= 1;
    }
    if position > 0 && skipped.hash.mark() != mark {
        return Err(SourceError::new(format!(
            "the first {position} records of {} are not those that were read before",
            path.display()
        ))
        .with_hint(REWRITTEN_HINT));
    }
    Ok(skipped)
}

/// Whether the file still begins with the records that led to (position, mark).
pub fn verify(path: &Path, format: Format, position: u64, mark: &str) -> Result<(), SourceError> {
    skip(path, format, position, mark).map(|_| ())
}

pub const REWRITTEN_HINT: &str = "a source file may only grow: put the earlier records back, write new ones to a new file that the \
                                  path's glob matches, or rebuild everything from the files as they are now with --full-refresh";

pub fn unreadable(path: &Path, cause: std::io::Error) -> SourceError {
    let hint = match cause.kind() {
        std::io::ErrorKind::NotFound => {
            "relative paths start at the folder of livemart.yml; check `path` of the source"
        }
        std::io::ErrorKind::PermissionDenied => "let the user that runs livemart read the file",
        _ => "check `path` of the source",
    };
    SourceError::new(format!("could not read {}: {cause}", path.display())).with_hint(hint).with_cause(cause)
}

/// Whole records of a file, one after the other.
struct Records<R> {
    reader: R,
    format: Format,
    record: Vec<u8>,
}

impl<R: BufRead> Records<R> {
    /// Reads the next whole record into `record`; false at the end or before a record without its line end.
    fn next(&mut self) -> std::io::Result<bool> {
        self.record.clear();
        loop {
            let room = (RECORD_BYTES_MAX + 1).saturating_sub(self.record.len()) as u64;
            let read = (&mut self.reader).take(room).read_until(b'\n', &mut self.record)?;
            if read == 0 || self.record.last() != Some(&b'\n') {
                return Ok(false);
            }
            if self.format != Format::Csv || csv::record_len(&self.record) == Some(self.record.len()) {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_stable() {
        let mut hash = PrefixHash::default();
        assert_eq!(hash.mark(), "cbf29ce484222325");
        hash.update(b"{\"id\":1}\n");
        let first = hash.mark();
        hash.update(b"{\"id\":2}\n");
        assert_eq!((first.as_str(), hash.mark().as_str()), (FIRST, SECOND));
    }

    const FIRST: &str = "3e73983fadffcd76";
    const SECOND: &str = "401139751a3f77ed";

    #[test]
    fn where_records_end_is_part_of_the_mark() {
        let mark = |records: &[&[u8]]| {
            let mut hash = PrefixHash::default();
            records.iter().for_each(|record| hash.update(record));
            hash.mark()
        };
        assert_ne!(mark(&[b"ab\n", b"c\n"]), mark(&[b"ab\nc\n"]));
        assert_ne!(mark(&[b"a\0\n"]), mark(&[b"a\n\0"]));
        assert_ne!(mark(&[b""]), mark(&[b"\0"]));
    }
}
