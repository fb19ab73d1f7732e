//! Which changes have come before: a connector that was killed sends its last ones again when it is back.
//!
//! ```text
//!   mark (commit, lsn) of a table in a partition:   below ──> again     at ──> again if seen there     above ──> new, moves the mark
//!                                     a new snapshot, another server, or a later time below the mark ──> the mark begins anew
//! ```
//!
//! 1. Debezium's `source.sequence` is (position of the last commit, position of the change). A connector that has not seen a commit
//!    yet leaves the first out; then the times of the commits are compared, and positions where those are equal.
//! 2. Changes share a position: both halves of a changed key, rows of one COPY. At the mark, (op, key) tells them apart.
//! 3. Equal rows of a table without a key have no key that tells them apart: at the mark they are new, unless the delivery has
//!    just gone back below it; then as many of them come again as came before.
//! 4. Rows that a snapshot reads are never held back and leave no mark. One change is never taken for another: what is
//!    below the mark and committed later than all before it comes from a server that was set back.

use super::varint::{self, Bytes};

/// What a change says about where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Read by a snapshot of the whole table.
    Snapshot,
    Streamed(Place),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// A hash of the server's name.
    pub server: u32,
    pub commit: Option<i64>,
    pub lsn: i64,
    pub op: u8,
}

/// How far a table's changes have come in a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    server: u32,
    commit: Option<i64>,
    lsn: i64,
    /// The greatest time of a commit.
    newest: i64,
    /// What has come at this very position.
    seen: Vec<u64>,
    /// Of these, what has come again since the delivery went back.
    again: Option<Vec<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    New,
    Again,
}

/// What has come at one position is remembered up to so many; a COPY writes some hundreds at most.
const SEEN_MAX: usize = 4096;

impl Mark {
    pub fn new(place: Place, time: Option<i64>, identity: u64) -> Mark {
        let Place { server, commit, lsn, .. } = place;
        Mark { server, commit, lsn, newest: time.unwrap_or(i64::MIN), seen: vec![identity], again: None }
    }

    /// Judges a change and moves the mark. `identity` is that of its op and key, or of the whole row where there is no key.
    pub fn judge(&mut self, place: Place, time: Option<i64>, identity: u64, has_key: bool) -> Verdict {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let is_later = time.is_some_and(|time| time > self.newest);
        let order = match (place.commit, self.commit) {
            (Some(commit), Some(mark)) => (commit, place.lsn).cmp(&(mark, self.lsn)),
            // Positions of transactions that overlapped do not follow their commits, but times do.
            _ => time.map_or(Equal, |time| time.cmp(&self.newest)).then(place.lsn.cmp(&self.lsn)),
        };
        match order {
            _ if place.server != self.server => self.begin(place, time, identity),
            Less if is_later => self.begin(place, time, identity),
            Less => {
                self.again.get_or_insert_with(Vec::new);
                return Verdict::Again;
            }
            Equal => return self.judge_at_mark(identity, has_key),
            Greater => self.begin(place, time.max(Some(self.newest)), identity),
        }
        Verdict::New
    }

    fn judge_at_mark(&mut self, identity: u64, has_key: bool) -> Verdict {
        let seen = self.seen.iter().filter(|seen| **seen == identity).count();
        let came = match &mut self.again {
            _ if has_key => 0,
            Some(again) => {
                again.push(identity);
                again.iter().filter(|again| **again == identity).count() - 1
            }
            None => seen,
        };
        if came < seen {
            return Verdict::Again;
        }
        if self.seen.len() < SEEN_MAX {
            self.seen.push(identity);
        }
        Verdict::New
    }

    fn begin(&mut self, place: Place, time: Option<i64>, identity: u64) {
        self.server = place.server;
        self.commit = place.commit;
        self.lsn = place.lsn;
        self.newest = time.unwrap_or(i64::MIN);
        self.seen.clear();
        self.seen.push(identity);
        self.again = None;
    }

    pub fn pack(&self, bytes: &mut Vec<u8>) {
        varint::push(bytes, u64::from(self.server));
        bytes.push(u8::from(self.commit.is_some()));
        varint::push_signed(bytes, self.commit.unwrap_or_default());
        varint::push_signed(bytes, self.lsn);
        varint::push_signed(bytes, self.newest);
        varint::push(bytes, self.seen.len() as u64);
        self.seen.iter().for_each(|identity| varint::push(bytes, *identity));
    }

    pub fn unpack(bytes: &mut Bytes<'_>) -> Option<Mark> {
        let server = u32::try_from(bytes.number()?).ok()?;
        let has_commit = bytes.byte()? == 1;
        let commit = Some(bytes.signed()?).filter(|_| has_commit);
        let (lsn, newest) = (bytes.signed()?, bytes.signed()?);
        let count = bytes.index().filter(|count| *count <= SEEN_MAX)?;
        let seen = (0..count).map(|_| bytes.number()).collect::<Option<Vec<u64>>>()?;
        Some(Mark { server, commit, lsn, newest, seen, again: None })
    }
}

/// A number for what happened to what; stable from run to run.
pub fn identity(op: u8, of: &[&[u8]]) -> u64 {
    let hash = |seed: u32| {
        let mut hasher = crc32fast::Hasher::new_with_initial(seed);
        hasher.update(&[op]);
        of.iter().for_each(|bytes| hasher.update(bytes));
        u64::from(hasher.finalize())
    };
    hash(0) << 32 | hash(0x9E37_79B9)
}

/// `[null,"199941384"]` as Debezium writes it inside a text, with or without escapes: (commit, change).
pub fn sequence(raw: &str) -> Option<(Option<i64>, i64)> {
    let mut parts = raw.trim_start_matches('[').trim_end_matches(']').split(',');
    let number = |part: &str| {
        let digits = part.trim_matches(|character: char| matches!(character, ' ' | '"' | '\\'));
        digits.parse::<i64>().ok()
    };
    let (commit, lsn) = (number(parts.next()?), number(parts.next()?)?);
    parts.next().is_none().then_some((commit, lsn))
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
