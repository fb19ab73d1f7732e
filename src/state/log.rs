//! The folder of a state: numbered segments, and the rows of append-only tables beside them.
//!
//! ```text
//!   00000004.segment   dictionary │ whole │ part part whole │ …          dropped: the sweep that began in 5 has ended
//!   00000005.segment   dictionary (begins a sweep) │ whole … sweep end │ whole │ part ▒▒    the rest behind the last whole is cut
//!   00000001.appended  dictionary │ rows │ rows │ ▒▒                      as far as the last mark says
//! ```
//!
//! 1. Rows are on the disk before the mark that counts them.
//! 2. Reading begins at the last sweep that has ended. Segments before it are leftovers of a crash.
//! 3. After an error the files are cut to what is known to be there before anything is written again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StateError;
use super::dictionary::Dictionary;
use super::files::Files;
use super::segment::{Frames, Kind, MAGIC, frame};
use crate::source::journal::Journal;
use crate::source::varint::{self, Bytes};

/// Where the collections stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The sink's cut that has what is here, or more.
    pub seq: u64,
    /// Microseconds since 1970 UTC.
    pub clock: i64,
    /// (source, partition) by the numbers that entries use, with position and mark where some of it has been read.
    pub partitions: Vec<PartitionMark>,
    /// The file of appended rows, and how much of it counts.
    appended: (u64, u64),
}

pub type PartitionMark = (Arc<str>, Arc<str>, Option<(u64, String)>);

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    pub mark: Mark,
    /// Of the segment in which the mark is.
    pub dictionary: Dictionary,
    /// Segments that count, with the length that does, in order.
    segments: Vec<(u64, u64)>,
}

impl Stored {
    /// How much of the appended rows counts.
    pub fn appended_end(&self) -> u64 {
        self.mark.appended.1
    }
}

/// One piece of what is stored, in order.
pub enum Piece<'a> {
    /// Entries of the journals that follow speak of these tables.
    Tables(&'a Dictionary),
    Entries(Bytes<'a>),
    /// The same of appended rows; the number is the place in their file.
    Appended(Bytes<'a>, u64),
}

/// The writing end.
pub struct Log {
    files: Box<dyn Files>,
    folder: PathBuf,
    dictionary: Dictionary,
    /// The segment that is written, and how much of it is known to be on the disk; None before the first frame.
    segment: Option<(u64, u64)>,
    next_number: u64,
    appended: (u64, u64),
    /// The segment with which the running sweep began.
    sweep_began: Option<u64>,
    /// The next segment begins with a sweep.
    begins_sweep: bool,
    /// Nothing is stored yet: the first whole frame ends the sweep over nothing.
    is_first: bool,
    /// Something may have been written behind what is known to be there.
    is_torn: bool,
    /// Bytes of the segments that count, by number.
    lengths: BTreeMap<u64, u64>,
    /// Files to remove when the next frame is whole.
    leftovers: Vec<String>,
    pub bytes_written: u64,
}

impl Log {
    /// Looks what the folder holds. None: nothing that counts.
    pub fn look(files: &mut dyn Files, folder: &Path, instance: &str) -> Result<Option<Stored>, StateError> {
        let numbers = numbers(files).map_err(|cause| failed("read", folder, cause))?;
        let damaged = |reason: String| StateError::Damaged { folder: folder.to_path_buf(), reason };
        let mut found: Vec<Found> = Vec::new();
        for number in numbers {
            let name = segment_name(number);
            let scanned = Found::scan(files, number).map_err(|cause| failed("read", &folder.join(&name), cause))?;
            match scanned {
                // A segment without a whole frame was begun and not used.
                Some(segment) if segment.length > 0 => found.push(segment),
                _ => {}
            }
        }
        let Some(last) = found.last() else { return Ok(None) };
        if last.dictionary.instance != instance {
            let owner = last.dictionary.instance.clone();
            return Err(StateError::Foreign { folder: folder.to_path_buf(), owner, instance: instance.to_owned() });
        }
        let ended = |at: usize| {
            let next = found[at + 1..].iter().position(|segment| segment.dictionary.begins_sweep);
            let end = next.map_or(found.len(), |next| at + 1 + next);
            found[at].dictionary.begins_sweep && found[at..end].iter().any(|segment| segment.ends_sweep)
        };
        let Some(first) = (0..found.len()).rev().find(|at| ended(*at)) else {
            return Err(damaged("no segment begins with everything".to_owned()));
        };
        let counted = &found[first..];
        if let Some(gap) = counted.windows(2).find(|pair| pair[1].number <= pair[0].number) {
            return Err(damaged(format!("segment {} comes twice", gap[0].number)));
        }
        // A torn end is that of a crash; only the last segment of a process can have one, and the next process goes on from there.
        let last = counted.last().expect("at least the first");
        let mark = last.mark.clone().ok_or_else(|| damaged(format!("the mark in segment {}", last.number)))?;
        Ok(Some(Stored {
            mark,
            dictionary: last.dictionary.clone(),
            segments: counted.iter().map(|segment| (segment.number, segment.length)).collect(),
        }))
    }

    /// Gives what is stored, in the order in which it is to be applied.
    pub fn read(
        files: &mut dyn Files,
        folder: &Path,
        stored: &Stored,
        each: &mut dyn FnMut(Piece<'_>) -> Result<(), String>,
    ) -> Result<(), StateError> {
        let damaged = |reason: String| StateError::Damaged { folder: folder.to_path_buf(), reason };
        for (number, length) in &stored.segments {
            let name = segment_name(*number);
            let io = |cause| failed("read", &folder.join(&name), cause);
            let cut = || damaged(format!("{name} has changed while it was read"));
            let mut frames = Frames::open(files, &name).map_err(io)?.ok_or_else(cut)?;
            frames.end_at(*length);
            while let Some(frame) = frames.next(files).map_err(io)? {
                let body = frame.body().ok_or_else(cut)?;
                match frame.kind {
                    Kind::Dictionary => {
                        let dictionary = Dictionary::unpack(&body).ok_or_else(cut)?;
                        each(Piece::Tables(&dictionary)).map_err(damaged)?;
                    }
                    Kind::Part => each(Piece::Entries(Bytes(&body))).map_err(damaged)?,
                    Kind::Whole | Kind::SweepEnd => {
                        let mut bytes = Bytes(&body);
                        Mark::read(&mut bytes).ok_or_else(cut)?;
                        each(Piece::Entries(bytes)).map_err(damaged)?;
                    }
                }
            }
            if frames.at != *length {
                return Err(cut());
            }
        }
        let (number, length) = stored.mark.appended;
        if length == 0 {
            return Ok(());
        }
        let name = appended_name(number);
        let io = |cause| failed("read", &folder.join(&name), cause);
        let cut = || damaged(format!("{name} is not what the last mark says"));
        let mut frames = Frames::open(files, &name).map_err(io)?.ok_or_else(cut)?;
        if !frames.end_at(length) {
            return Err(cut());
        }
        loop {
            let at = frames.at;
            let Some(frame) = frames.next(files).map_err(io)? else { break };
            let body = frame.body().ok_or_else(cut)?;
            match frame.kind {
                Kind::Dictionary => {
                    let dictionary = Dictionary::unpack(&body).ok_or_else(cut)?;
                    each(Piece::Tables(&dictionary)).map_err(damaged)?;
                }
                _ => each(Piece::Appended(Bytes(&body), at)).map_err(damaged)?,
            }
        }
        if frames.at != length {
            return Err(cut());
        }
        Ok(())
    }

    /// Goes on behind what is stored, or begins anew where nothing is (`stored` None): what is there then goes with the first frame.
    pub fn go_on(
        mut files: Box<dyn Files>,
        folder: &Path,
        stored: Option<&Stored>,
        mut dictionary: Dictionary,
    ) -> Result<Log, StateError> {
        let io = |cause| failed("read", folder, cause);
        let names = files.list().map_err(io)?;
        // A number is never used twice, for whatever a crash has left.
        let number = |name: &String| segment_number(name).or_else(|| name.strip_suffix(APPENDED)?.parse().ok());
        let next_number = names.iter().filter_map(number).max().map_or(1, |last| last + 1);
        let appended = stored.map_or((next_number, 0), |stored| stored.mark.appended);
        let counted = |number: u64| stored.is_some_and(|stored| stored.segments.iter().any(|(at, _)| *at == number));
        let is_kept = |name: &String| {
            segment_number(name).is_none_or(counted)
                && (!name.ends_with(APPENDED) || stored.is_some() && *name == appended_name(appended.0))
        };
        dictionary.begins_sweep = stored.is_none();
        Ok(Log {
            lengths: stored.map(|stored| stored.segments.iter().copied().collect()).unwrap_or_default(),
            leftovers: names.into_iter().filter(|name| !is_kept(name)).collect(),
            files,
            folder: folder.to_path_buf(),
            begins_sweep: stored.is_none(),
            is_first: stored.is_none(),
            dictionary,
            segment: None,
            next_number,
            appended,
            sweep_began: None,
            is_torn: true,
            bytes_written: 0,
        })
    }

    /// How many bytes the rows of append-only tables take so far.
    pub fn appended_bytes(&self) -> u64 {
        self.appended.1
    }

    /// The next frame begins a segment of its own, and a sweep.
    pub fn begin_sweep(&mut self) {
        self.segment = None;
        self.begins_sweep = true;
    }

    /// Bytes in the folder that count.
    pub fn bytes(&self) -> u64 {
        self.lengths.values().sum::<u64>() + self.appended.1
    }

    /// Writes entries that count only when a whole frame follows. After an error the same may be tried again.
    pub fn write_part(&mut self, journal: &mut Journal) -> Result<(), StateError> {
        self.write_appended(journal)?;
        self.write(Kind::Part, &[], &journal.entries)
    }

    /// Writes the mark and the entries that lead to it; on the disk when it returns. After an error the same may be tried again.
    pub fn write_whole(&mut self, mark: &Mark, journal: &mut Journal, ends_sweep: bool) -> Result<(), StateError> {
        self.write_appended(journal)?;
        let head = Mark { appended: self.appended, ..mark.clone() }.pack();
        let kind = if ends_sweep || self.is_first { Kind::SweepEnd } else { Kind::Whole };
        self.write(kind, &head, &journal.entries)?;
        self.is_first = false;
        if kind == Kind::SweepEnd {
            let began = self.sweep_began.take().unwrap_or_default();
            let old = self.lengths.range(..began).map(|(number, _)| *number).collect::<Vec<_>>();
            for number in old {
                self.lengths.remove(&number);
                self.leftovers.push(segment_name(number));
            }
        }
        // From the oldest: what a crash leaves is then an unbroken row.
        for name in std::mem::take(&mut self.leftovers) {
            match self.files.remove(&name) {
                Ok(()) => {}
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                // It is in nobody's way; the next start looks at it again.
                Err(cause) => tracing::debug!(name, %cause, "could not remove an old file of the state"),
            }
        }
        Ok(())
    }

    fn write(&mut self, kind: Kind, head: &[u8], entries: &[u8]) -> Result<(), StateError> {
        self.mend()?;
        let (number, length) = match self.segment {
            Some(segment) => segment,
            None => self.new_segment()?,
        };
        let bytes = frame(kind, &[head, entries].concat());
        let name = segment_name(number);
        self.put(&name, &bytes)?;
        let length = length + bytes.len() as u64;
        self.segment = Some((number, length));
        self.lengths.insert(number, length);
        Ok(())
    }

    /// Takes the rows from the journal: what is tried again after an error does not write them twice.
    fn write_appended(&mut self, journal: &mut Journal) -> Result<(), StateError> {
        if journal.appended.is_empty() {
            return Ok(());
        }
        self.mend()?;
        let name = appended_name(self.appended.0);
        let mut bytes = Vec::new();
        if self.appended.1 == 0 {
            bytes.extend_from_slice(MAGIC);
        }
        // Numbers of tables are those of the process that writes: each frame of rows says again what they mean.
        bytes.extend(frame(Kind::Dictionary, &self.dictionary.pack()));
        bytes.extend(frame(Kind::Whole, &journal.appended));
        self.put(&name, &bytes)?;
        self.appended.1 += bytes.len() as u64;
        journal.appended.clear();
        Ok(())
    }

    fn new_segment(&mut self) -> Result<(u64, u64), StateError> {
        let number = self.next_number;
        let dictionary = Dictionary { begins_sweep: self.begins_sweep, ..self.dictionary.clone() };
        let bytes = [&MAGIC[..], &frame(Kind::Dictionary, &dictionary.pack())].concat();
        // A number is used once: whatever an error leaves under it has no whole frame.
        self.next_number += 1;
        self.put(&segment_name(number), &bytes)?;
        if self.begins_sweep {
            self.sweep_began = Some(number);
        }
        self.begins_sweep = false;
        let segment = (number, bytes.len() as u64);
        self.segment = Some(segment);
        self.lengths.insert(number, segment.1);
        Ok(segment)
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.is_torn = true;
        let written = self.files.append(name, bytes).and_then(|()| self.files.sync(name));
        written.map_err(|cause| failed("write", &self.folder.join(name), cause))?;
        self.is_torn = false;
        self.bytes_written += bytes.len() as u64;
        Ok(())
    }

    /// Cuts what a failed write may have left.
    fn mend(&mut self) -> Result<(), StateError> {
        if !self.is_torn {
            return Ok(());
        }
        let mut known = vec![(appended_name(self.appended.0), self.appended.1)];
        known.extend(self.segment.map(|(number, length)| (segment_name(number), length)));
        let present = self.files.list().map_err(|cause| failed("read", &self.folder, cause))?;
        for (name, length) in known.into_iter().filter(|(name, _)| present.contains(name)) {
            let cut = self.files.truncate(&name, length);
            cut.map_err(|cause| failed("cut", &self.folder.join(&name), cause))?;
        }
        self.is_torn = false;
        Ok(())
    }
}

/// A segment as it was found.
struct Found {
    number: u64,
    dictionary: Dictionary,
    /// Up to the last whole frame; 0 where there is none.
    length: u64,
    ends_sweep: bool,
    /// Of the last whole frame, if it can be read.
    mark: Option<Mark>,
}

impl Found {
    fn scan(files: &mut dyn Files, number: u64) -> io::Result<Option<Found>> {
        let name = segment_name(number);
        let Some(mut frames) = Frames::open(files, &name)? else { return Ok(None) };
        let Some(first) = frames.next(files)? else { return Ok(None) };
        let Some(dictionary) = first.body().and_then(|body| Dictionary::unpack(&body)) else { return Ok(None) };
        let mut found = Found { number, dictionary, length: 0, ends_sweep: false, mark: None };
        let mut last = None;
        while let Some(frame) = frames.next(files)? {
            if frame.kind.is_whole() {
                found.length = frames.at;
                found.ends_sweep |= frame.kind == Kind::SweepEnd;
                last = Some(frame);
            }
        }
        found.mark = last.and_then(|frame| Mark::read(&mut Bytes(&frame.body()?)));
        Ok(Some(found))
    }
}

impl Mark {
    pub fn new(seq: u64, clock: i64, partitions: Vec<PartitionMark>) -> Mark {
        Mark { seq, clock, partitions, appended: (0, 0) }
    }

    fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        varint::push(&mut bytes, self.seq);
        varint::push_signed(&mut bytes, self.clock);
        varint::push(&mut bytes, self.appended.0);
        varint::push(&mut bytes, self.appended.1);
        varint::push(&mut bytes, self.partitions.len() as u64);
        for (source, partition, at) in &self.partitions {
            varint::push_bytes(&mut bytes, source.as_bytes());
            varint::push_bytes(&mut bytes, partition.as_bytes());
            bytes.push(u8::from(at.is_some()));
            if let Some((position, mark)) = at {
                varint::push(&mut bytes, *position);
                varint::push_bytes(&mut bytes, mark.as_bytes());
            }
        }
        bytes
    }

    fn read(bytes: &mut Bytes<'_>) -> Option<Mark> {
        let (seq, clock) = (bytes.number()?, bytes.signed()?);
        let appended = (bytes.number()?, bytes.number()?);
        let count = bytes.index()?;
        let partitions = (0..count).map(|_| {
            let (source, partition) = (Arc::from(bytes.text()?), Arc::from(bytes.text()?));
            let at = match bytes.byte()? {
                0 => None,
                _ => Some((bytes.number()?, bytes.text()?.to_owned())),
            };
            Some((source, partition, at))
        });
        Some(Mark { partitions: partitions.collect::<Option<_>>()?, seq, clock, appended })
    }
}

const SEGMENT: &str = ".segment";
const APPENDED: &str = ".appended";

fn segment_name(number: u64) -> String {
    format!("{number:08}{SEGMENT}")
}

fn appended_name(number: u64) -> String {
    format!("{number:08}{APPENDED}")
}

fn segment_number(name: &str) -> Option<u64> {
    name.strip_suffix(SEGMENT)?.parse().ok()
}

/// Of all segments, ascending.
fn numbers(files: &mut dyn Files) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> = files.list()?.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn failed(verb: &'static str, path: &Path, cause: io::Error) -> StateError {
    StateError::Io { verb, path: path.to_path_buf(), cause }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
