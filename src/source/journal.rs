//! What became of the collections, entry by entry, in the form that state keeps.
//!
//! ```text
//!   entries   put table key value │ remove table key │ clear table │ faults … │ moved …      applied in order, they give the state
//!   appended  table row │ table row │ …                                                       append-only tables: rows, for ever
//! ```
//!
//! 1. An entry says what holds now, not what changed, except for a fault that is added to those of its key.
//! 2. Rows of append-only tables without a key are nobody's to look up: they are not held in memory, and go to a part of their own.

use std::sync::Arc;

use super::delivery::Mark;
use super::upsert::SourceFault;
use super::varint::{self, Bytes};

/// What one epoch, or several, did to the collections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    pub entries: Vec<u8>,
    pub appended: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// The key's versions, or a keyless row's count.
    Put {
        table: usize,
        key: &'a [u8],
        value: &'a [u8],
    },
    /// The same of an unranked row that tells its key.
    PutRow {
        table: usize,
        value: &'a [u8],
    },
    Remove {
        table: usize,
        key: &'a [u8],
    },
    /// All rows and faults of the table are gone.
    Clear {
        table: usize,
    },
    /// The faults of a key: all that hold.
    Faults {
        table: usize,
        key: &'a [u8],
        faults: Vec<(SourceFault, i64)>,
    },
    /// One more fault of a key.
    Fault {
        table: usize,
        key: &'a [u8],
        fault: SourceFault,
        sequence: i64,
    },
    /// A fault without a key, which no record will heal; `table` None for a record of no table.
    Loose {
        table: Option<usize>,
        fault: SourceFault,
    },
    /// Loose faults beyond those that are kept one by one.
    LooseRest {
        table: Option<usize>,
        count: u64,
    },
    /// Loose faults are listed anew from here.
    LooseAnew {
        table: Option<usize>,
    },
    /// How far a table's changes have come in a partition; None: no mark any more.
    Mark {
        table: usize,
        partition: u32,
        mark: Option<Mark>,
    },
    /// The row that was deleted last.
    Moved {
        table: usize,
        key: &'a [u8],
        row: &'a [u8],
    },
}

const PUT: u8 = 1;
const REMOVE: u8 = 2;
const CLEAR: u8 = 3;
const FAULTS: u8 = 4;
const LOOSE: u8 = 5;
const LOOSE_REST: u8 = 6;
const LOOSE_ANEW: u8 = 7;
const MOVED: u8 = 8;
const FAULT: u8 = 9;
const PUT_ROW: u8 = 10;
const MARK: u8 = 11;
/// A kind takes so many bits; the table stands above them.
const KIND_BITS: u32 = 4;

impl Journal {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.appended.is_empty()
    }

    pub fn len(&self) -> usize {
        self.entries.len() + self.appended.len()
    }

    pub fn extend(&mut self, later: Journal) {
        match self.is_empty() {
            true => *self = later,
            false => {
                self.entries.extend_from_slice(&later.entries);
                self.appended.extend_from_slice(&later.appended);
            }
        }
    }

    pub fn put(&mut self, table: usize, key: &[u8], value: &[u8]) {
        self.head(PUT, table);
        varint::push_bytes(&mut self.entries, key);
        varint::push_bytes(&mut self.entries, value);
    }

    pub fn put_row(&mut self, table: usize, value: &[u8]) {
        self.head(PUT_ROW, table);
        varint::push_bytes(&mut self.entries, value);
    }

    pub fn remove(&mut self, table: usize, key: &[u8]) {
        self.head(REMOVE, table);
        varint::push_bytes(&mut self.entries, key);
    }

    pub fn clear(&mut self, table: usize) {
        self.head(CLEAR, table);
    }

    /// `faults` with the sequence of each record.
    pub fn faults<'f>(
        &mut self,
        table: usize,
        key: &[u8],
        faults: impl ExactSizeIterator<Item = (&'f SourceFault, i64)>,
    ) {
        self.head(FAULTS, table);
        varint::push_bytes(&mut self.entries, key);
        varint::push(&mut self.entries, faults.len() as u64);
        for (fault, sequence) in faults {
            varint::push_signed(&mut self.entries, sequence);
            push_fault(&mut self.entries, fault);
        }
    }

    pub fn fault(&mut self, table: usize, key: &[u8], fault: &SourceFault, sequence: i64) {
        self.head(FAULT, table);
        varint::push_bytes(&mut self.entries, key);
        varint::push_signed(&mut self.entries, sequence);
        push_fault(&mut self.entries, fault);
    }

    pub fn loose(&mut self, table: Option<usize>, fault: &SourceFault) {
        self.head(LOOSE, place(table));
        push_fault(&mut self.entries, fault);
    }

    pub fn loose_rest(&mut self, table: Option<usize>, count: u64) {
        self.head(LOOSE_REST, place(table));
        varint::push(&mut self.entries, count);
    }

    pub fn loose_anew(&mut self, table: Option<usize>) {
        self.head(LOOSE_ANEW, place(table));
    }

    pub fn moved(&mut self, table: usize, key: &[u8], row: &[u8]) {
        self.head(MOVED, table);
        varint::push_bytes(&mut self.entries, key);
        varint::push_bytes(&mut self.entries, row);
    }

    pub fn mark(&mut self, table: usize, partition: u32, mark: Option<&Mark>) {
        self.head(MARK, table);
        varint::push(&mut self.entries, u64::from(partition));
        self.entries.push(u8::from(mark.is_some()));
        if let Some(mark) = mark {
            mark.pack(&mut self.entries);
        }
    }

    pub fn append(&mut self, table: usize, row: &[u8]) {
        varint::push(&mut self.appended, table as u64);
        varint::push_bytes(&mut self.appended, row);
    }

    fn head(&mut self, kind: u8, table: usize) {
        varint::push(&mut self.entries, (table as u64) << KIND_BITS | u64::from(kind));
    }
}

/// No table is 0.
fn place(table: Option<usize>) -> usize {
    table.map_or(0, |table| table + 1)
}

/// The next entry. `Some(None)`: the bytes are no journal's.
pub fn next_entry<'a>(bytes: &mut Bytes<'a>) -> Option<Option<Entry<'a>>> {
    if bytes.is_empty() { None } else { Some(entry(bytes)) }
}

fn entry<'a>(bytes: &mut Bytes<'a>) -> Option<Entry<'a>> {
    let head = bytes.index()?;
    let (kind, table) = ((head & ((1 << KIND_BITS) - 1)) as u8, head >> KIND_BITS);
    let loose = table.checked_sub(1);
    Some(match kind {
        PUT => Entry::Put { table, key: bytes.bytes()?, value: bytes.bytes()? },
        PUT_ROW => Entry::PutRow { table, value: bytes.bytes()? },
        REMOVE => Entry::Remove { table, key: bytes.bytes()? },
        CLEAR => Entry::Clear { table },
        FAULTS => {
            let key = bytes.bytes()?;
            let count = bytes.index()?;
            let faults = (0..count).map(|_| {
                let sequence = bytes.signed()?;
                Some((fault(bytes)?, sequence))
            });
            Entry::Faults { table, key, faults: faults.collect::<Option<_>>()? }
        }
        FAULT => {
            let (key, sequence) = (bytes.bytes()?, bytes.signed()?);
            Entry::Fault { table, key, fault: fault(bytes)?, sequence }
        }
        LOOSE => Entry::Loose { table: loose, fault: fault(bytes)? },
        LOOSE_REST => Entry::LooseRest { table: loose, count: bytes.number()? },
        LOOSE_ANEW => Entry::LooseAnew { table: loose },
        MOVED => Entry::Moved { table, key: bytes.bytes()?, row: bytes.bytes()? },
        MARK => {
            let partition = u32::try_from(bytes.number()?).ok()?;
            let mark = match bytes.byte()? {
                0 => None,
                _ => Some(Mark::unpack(bytes)?),
            };
            Entry::Mark { table, partition, mark }
        }
        _ => return None,
    })
}

/// The next row of append-only tables. `Some(None)`: the bytes are no journal's.
pub fn next_appended<'a>(bytes: &mut Bytes<'a>) -> Option<Option<(usize, &'a [u8])>> {
    if bytes.is_empty() { None } else { Some(bytes.index().zip(bytes.bytes())) }
}

fn push_fault(bytes: &mut Vec<u8>, fault: &SourceFault) {
    varint::push_bytes(bytes, fault.source.as_bytes());
    varint::push_bytes(bytes, fault.partition.as_bytes());
    varint::push(bytes, fault.position);
    for text in [&fault.table, &fault.key, &fault.column] {
        bytes.push(u8::from(text.is_some()));
        varint::push_bytes(bytes, text.as_deref().unwrap_or_default().as_bytes());
    }
    varint::push_bytes(bytes, fault.reason.as_bytes());
    varint::push_bytes(bytes, fault.record.as_bytes());
}

fn fault(bytes: &mut Bytes<'_>) -> Option<SourceFault> {
    let (source, partition) = (Arc::from(bytes.text()?), Arc::from(bytes.text()?));
    let position = bytes.number()?;
    let mut optional = || {
        let is_there = bytes.byte()? == 1;
        let text = bytes.text()?;
        Some(is_there.then(|| text.to_owned()))
    };
    let (table, key, column) = (optional()?, optional()?, optional()?);
    let (reason, record) = (bytes.text()?.to_owned(), bytes.text()?.to_owned());
    Some(SourceFault { source, partition, position, table, key, column, reason, record })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::delivery::Place;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_is_refused() {
        let fault = SourceFault {
            source: "raw.orders".into(),
            partition: "3".into(),
            position: 70_000,
            table: Some("raw.orders".into()),
            key: None,
            column: Some("amount".into()),
            reason: "not a number".into(),
            record: "{}".into(),
        };
        let mut journal = Journal::default();
        journal.put(1, b"k", b"value");
        journal.put_row(2, b"row");
        journal.remove(300, b"");
        journal.clear(2);
        journal.faults(0, b"k", [(&fault, -5)].into_iter());
        journal.fault(0, b"k", &fault, 7);
        journal.loose(None, &fault);
        journal.loose_rest(Some(0), 9);
        journal.loose_anew(None);
        journal.moved(1, b"k", b"row");
        let place = Place { server: 1, commit: None, lsn: 9, op: b'c' };
        let mark = Mark::new(place, Some(3), 5);
        journal.mark(1, 4, Some(&mark));
        let mut bytes = Bytes(&journal.entries);
        let all: Vec<_> = std::iter::from_fn(|| next_entry(&mut bytes)).map(|entry| entry.expect("whole")).collect();
        let expected = vec![
            Entry::Put { table: 1, key: b"k", value: b"value" },
            Entry::PutRow { table: 2, value: b"row" },
            Entry::Remove { table: 300, key: b"" },
            Entry::Clear { table: 2 },
            Entry::Faults { table: 0, key: b"k", faults: vec![(fault.clone(), -5)] },
            Entry::Fault { table: 0, key: b"k", fault: fault.clone(), sequence: 7 },
            Entry::Loose { table: None, fault },
            Entry::LooseRest { table: Some(0), count: 9 },
            Entry::LooseAnew { table: None },
            Entry::Moved { table: 1, key: b"k", row: b"row" },
            Entry::Mark { table: 1, partition: 4, mark: Some(mark) },
        ];
        assert_eq!(all, expected);
        let cut = &journal.entries[..journal.entries.len() - 1];
        let mut bytes = Bytes(cut);
        assert!(std::iter::from_fn(|| next_entry(&mut bytes)).take(100).any(|entry| entry.is_none()));
    }
}
