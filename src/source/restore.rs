//! A resolver's way to disk and back: entries of a journal applied in order, and the sweep that writes everything again.
//!
//! ```text
//!   journal entries ──apply, silently──> the collections ──each_row──> the dataflow
//!   the collections ──sweep, a slice at a time──> journal: with what changes meanwhile, it stands for everything before
//! ```

use row::{Diff, Row};

use super::TableIndex;
use super::faults::Fault;
use super::journal::{Entry, Journal};
use super::upsert::{Misread, Resolver, SourceFault, Table, count_of, key_of, key_text, note_put, versions};
use super::versions::{Partitions, Rank, UNRANKED, Versions};

/// Bytes that are not what a journal holds.
#[derive(Debug, thiserror::Error)]
#[error("an entry of the journal cannot be read")]
pub struct BadEntry;

/// Kind, table and length of an entry, mostly.
const ENTRY_HEAD_BYTES: usize = 2;

/// What journals call tables: the place in the present list, or None for a table that is left out.
pub type TableMap = [Option<TableIndex>];

impl Resolver {
    /// From now on what becomes of the collections is noted.
    pub fn keep_journal(&mut self) {
        self.journal.get_or_insert_with(Journal::default);
    }

    /// What was noted since the last call.
    pub fn take_journal(&mut self) -> Journal {
        self.journal.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Bytes noted since then.
    pub fn journal_len(&self) -> usize {
        self.journal.as_ref().map_or(0, Journal::len)
    }

    pub fn is_sweeping(&self) -> bool {
        self.sweeping
    }

    /// (source, partition) by the numbers that journals use for them.
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// Numbers partitions as an earlier journal did; before anything is resolved or applied.
    pub fn restore_partitions(&mut self, partitions: Partitions) {
        assert!(self.partitions.0.is_empty(), "partitions are restored first");
        self.partitions = partitions;
    }

    /// Applies an entry without showing anything.
    pub fn apply(&mut self, entry: Entry<'_>, tables: &TableMap) -> Result<(), BadEntry> {
        let place = |table: usize| tables.get(table).copied().flatten();
        match entry {
            Entry::Put { table, key, value } => {
                let Some(table) = place(table).map(|at| &mut self.tables[at]) else { return Ok(()) };
                if table.is_counted {
                    super::varint::Bytes(value).signed().ok_or(BadEntry)?;
                    table.counts.put(key, value);
                } else {
                    Versions::unpack(value, self.partitions.0.len()).ok_or(BadEntry)?;
                    table.keyed.put(key, value);
                }
            }
            Entry::PutRow { table, value } => {
                let Some(table) = place(table).map(|at| &mut self.tables[at]) else { return Ok(()) };
                let row = value.strip_prefix(&[UNRANKED]).ok_or(BadEntry)?;
                table.keyed.put(key_of(&table.key, row).bytes(), value);
            }
            Entry::Remove { table, key } => {
                let Some(table) = place(table).map(|at| &mut self.tables[at]) else { return Ok(()) };
                if table.is_counted {
                    table.counts.remove(key)
                } else {
                    table.keyed.remove(key)
                };
            }
            Entry::Clear { table } => {
                let Some(table) = place(table).map(|at| &mut self.tables[at]) else { return Ok(()) };
                table.keyed.clear();
                table.counts.clear();
                table.faults.take_keyed();
                table.moved = None;
            }
            Entry::Faults { table, key, faults } => {
                let Some(table) = place(table).map(|at| &mut self.tables[at]) else { return Ok(()) };
                let partitions = &mut self.partitions;
                let ranked = faults.into_iter().map(|(fault, sequence)| {
                    let partition = partitions.index(&fault.source, &fault.partition);
                    let rank = Rank { sequence, partition, offset: fault.position };
                    Fault { fault, rank }
                });
                table.faults.restore(Row::from_bytes(key), ranked.collect());
            }
            Entry::Fault { table, key, fault, sequence } => {
                let Some(table) = place(table).map(|at| &mut self.tables[at]) else { return Ok(()) };
                let partition = self.partitions.index(&fault.source, &fault.partition);
                let rank = Rank { sequence, partition, offset: fault.position };
                table.faults.add(&Row::from_bytes(key), fault, rank);
            }
            Entry::Loose { table, fault } => {
                if let Some(book) = self.book(table, place) {
                    book.add_loose(fault);
                }
            }
            Entry::LooseRest { table, count } => {
                if let Some(book) = self.book(table, place) {
                    book.restore_loose_rest(count);
                }
            }
            Entry::LooseAnew { table } => {
                if let Some(book) = self.book(table, place) {
                    book.forget_loose();
                }
            }
            Entry::Mark { table, partition, mark } => {
                if partition as usize >= self.partitions.0.len() {
                    return Err(BadEntry);
                }
                if let Some(table) = place(table).map(|at| &mut self.tables[at]) {
                    let at = partition as usize;
                    table.marks.resize(table.marks.len().max(at + 1), None);
                    table.marks[at] = mark;
                }
            }
            Entry::Moved { table, key, row } => {
                if let Some(table) = place(table) {
                    self.tables[table].moved = Some((Row::from_bytes(key), Row::from_bytes(row)));
                }
            }
        }
        Ok(())
    }

    /// A row of an append-only table, as it is shown; None when a model has come to read a value of it that is unread.
    pub fn restore_appended(&mut self, table: TableIndex, row: &[u8], may_be_unread: bool) -> Option<Row> {
        let of = &mut self.tables[table];
        of.appended += 1;
        let unread = if may_be_unread { of.shown.unread(row) } else { None };
        let Some((column, reason, text)) = unread else { return Some(of.shown.row(row)) };
        let fault = nameless(&of.name, &of.columns[column], reason, text);
        self.unread.push(fault);
        None
    }

    fn book(
        &mut self,
        table: Option<usize>,
        place: impl Fn(usize) -> Option<TableIndex>,
    ) -> Option<&mut super::faults::FaultBook> {
        match table {
            None => Some(&mut self.homeless),
            Some(table) => place(table).map(|at| &mut self.tables[at].faults),
        }
    }

    /// Sets rows aside whose value a model has come to read and which is unread: their keys have no row until a good record comes.
    pub fn set_unread_aside(&mut self) {
        for (index, table) in self.tables.iter_mut().enumerate() {
            let mut uncounted = Vec::new();
            for (row, value) in table.counts.iter() {
                if let Some((column, reason, text)) = table.shown.unread(row) {
                    let fault = nameless(&table.name, &table.columns[column], reason, text);
                    uncounted.push((row.to_vec(), count_of(value), fault));
                }
            }
            for (row, count, fault) in uncounted {
                table.counts.remove(&row);
                (0..count).for_each(|_| drop(table.faults.add_loose(fault.clone())));
                if let Some(journal) = &mut self.journal {
                    journal.remove(index, &row);
                    table.faults.note_all(Some(index), journal);
                }
            }
            let mut gone = Vec::new();
            for (key, value) in table.keyed.iter() {
                let versions = versions(value, &self.partitions);
                let Some((rank, row)) = versions.winner(&self.partitions).and_then(|won| Some((won.rank, won.row?)))
                else {
                    continue;
                };
                if let Some((column, reason, text)) = table.shown.unread(row) {
                    let column = Some(table.columns[column].clone());
                    let misread = Misread { column, reason: reason.to_owned(), record: text.to_owned() };
                    gone.push((Row::from_bytes(key), rank, misread));
                }
            }
            for (key, rank, misread) in gone {
                let fault = match table.several_partitions {
                    true => misread.fault(Some(&table.name), Some(&key), rank, &self.partitions),
                    false => {
                        let column = misread.column.as_deref().unwrap_or_default();
                        let fault = nameless(&table.name, column, &misread.reason, &misread.record);
                        SourceFault { key: Some(key_text(&key)), ..fault }
                    }
                };
                table.faults.add(&key, fault, rank);
                table.keyed.remove(key.bytes());
                if let Some(journal) = &mut self.journal {
                    table.faults.note(index, &key, journal);
                    journal.remove(index, key.bytes());
                }
            }
        }
    }

    /// Every live row as it is shown.
    pub fn each_row(&self, mut each: impl FnMut(TableIndex, Row, Diff)) {
        for (index, table) in self.tables.iter().enumerate() {
            table.each_row(&self.partitions, &mut |row, diff| each(index, row, diff));
        }
    }

    /// Everything that is set aside.
    pub fn all_faults(&self) -> Vec<(SourceFault, i64)> {
        let books = self.tables.iter().map(|table| &table.faults).chain([&self.homeless]);
        let unread = self.unread.iter().map(|fault| (fault.clone(), 1));
        books.flat_map(|book| book.all()).chain(unread).collect()
    }

    /// Begins to note everything anew.
    pub fn begin_sweep(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        self.sweeping = true;
        self.homeless.note_all(None, journal);
        for (index, table) in self.tables.iter_mut().enumerate() {
            table.keyed.begin_sweep();
            table.counts.begin_sweep();
            table.faults.note_all(Some(index), journal);
            if let Some((key, row)) = &table.moved {
                journal.moved(index, key.bytes(), row.bytes());
            }
            for (partition, mark) in table.marks.iter().enumerate().filter(|(_, mark)| mark.is_some()) {
                journal.mark(index, partition as u32, mark.as_ref());
            }
        }
    }

    /// Notes up to `budget` bytes; true when the last is noted.
    pub fn sweep(&mut self, mut budget: usize) -> bool {
        let Some(journal) = self.journal.as_mut().filter(|_| self.sweeping) else { return true };
        for (index, table) in self.tables.iter_mut().enumerate() {
            let columns = &table.key;
            let is_over = table.keyed.sweep(&mut budget, |key, value| note_put(index, columns, key, value, journal))
                && table.counts.sweep(&mut budget, |key, value| journal.put(index, key, value));
            if !is_over {
                return false;
            }
        }
        self.sweeping = false;
        true
    }

    /// Bytes that a sweep would note, more or less.
    pub fn live_bytes(&self) -> u64 {
        let keyed = |table: &Table| table.keyed.value_bytes() + ENTRY_HEAD_BYTES * table.keyed.len();
        self.tables.iter().map(|table| (keyed(table) + table.counts.live_bytes()) as u64).sum()
    }

    /// Forgets everything of a table; not for showing, but before it is filled anew.
    pub fn forget(&mut self, table: TableIndex) {
        let of = &mut self.tables[table];
        of.keyed.clear();
        of.counts.clear();
        of.faults = Default::default();
        of.moved = None;
        of.appended = 0;
        let marks = std::mem::take(&mut of.marks);
        if let Some(journal) = &mut self.journal {
            journal.clear(table);
            journal.loose_anew(Some(table));
            for (partition, _) in marks.iter().enumerate().filter(|(_, mark)| mark.is_some()) {
                journal.mark(table, partition as u32, None);
            }
        }
    }

    /// Copies of a keyless row, for tests and checks.
    pub fn copies(&self, table: TableIndex, row: &Row) -> i64 {
        self.tables.get(table).and_then(|table| table.counts.get(row.bytes())).map_or(0, count_of)
    }
}

/// What is wrong with a row of which nobody knows where it came from.
fn nameless(table: &str, column: &str, reason: &str, text: &str) -> SourceFault {
    SourceFault {
        source: table.into(),
        partition: "".into(),
        position: 0,
        table: Some(table.to_owned()),
        key: None,
        column: Some(column.to_owned()),
        reason: reason.to_owned(),
        record: text.to_owned(),
    }
}
