//! What changed: from records to updates of collections, with the previous row of each key at hand.
//!
//! ```text
//!   Upsert key 7 'paid'  ──> current[7] = 'new'   ──>  -1 (7,'new')  +1 (7,'paid')
//!   Delete key 7         ──> current[7] = 'paid'  ──>  -1 (7,'paid')
//!   Malformed key 7      ──> fault +1;  the next good record of key 7 ──> fault -1
//!                                 │
//!                                 └── Journal: what state keeps, if it is kept
//! ```
//!
//! 1. At any time the emitted updates add up to one row per live key, and to `max(0, inserts - removes)` copies of a keyless row.
//! 2. Within a partition the later record wins. Across partitions the record with the greatest (sequence, partition, offset) among
//!    the last of each partition wins, so the order in which partitions are read does not show; for that, what a partition said
//!    last about a deleted key is kept where a table has several partitions.
//! 3. A record that was set aside changes no row: the key keeps the row that it had.
//! 4. A truncate of a table in several partitions cannot be placed among their records: it is set aside.
//! 5. A change that a restarted connector sends again is passed over, before anything else looks at it (`delivery`).
//! 6. A changed key whose large values were left out takes them from the row under its old key. Where the two lie in different
//!    partitions, it is set aside until the other half has been read (`halves`).
//! 7. Rows are held once, packed, with all columns; updates show the demanded ones, and a change of the others shows nothing.
//! 8. A key is hashed once per change, and looked for once; keys of some changes to come are looked for together, so that the waits
//!    for memory are one.

use std::cmp::Ordering;
use std::sync::Arc;

use row::{Datum, Diff, Row, RowBuilder, RowRef};

use super::delivery::{self, Mark, Verdict};
use super::faults::{Fault, FaultBook};
use super::halves::{Halves, Waiting};
use super::journal::Journal;
use super::packed_map::{PackedMap, Place};
use super::unread::{self, Shown};
use super::varint::{self, Bytes};
use super::versions::{Partitions, Rank, UNRANKED, Version, Versions};
use super::{Batch, Change, Delivery, Envelope, Malformed, Patch, Record, TableIndex, TableSpec};

/// So many changes have their keys looked for together.
const WARMED: usize = 16;

/// A record that was set aside, as `errors` shows it. Two faults are the same when all fields are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceFault {
    pub source: Arc<str>,
    pub partition: Arc<str>,
    pub position: u64,
    pub table: Option<String>,
    /// The key as text, where it could be read.
    pub key: Option<String>,
    pub column: Option<String>,
    pub reason: String,
    pub record: String,
}

/// What one or more records came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    pub updates: Vec<(TableIndex, Row, Diff)>,
    pub faults: Vec<(SourceFault, Diff)>,
    /// Where the updates of each record end, and its event's time; only where times are told (`Resolver::tell_times`).
    pub times: Vec<(usize, Option<i64>)>,
}

/// The current row of every key of every table.
pub struct Resolver {
    pub(super) tables: Vec<Table>,
    pub(super) partitions: Partitions,
    /// Faults of records that belong to no table.
    pub(super) homeless: FaultBook,
    /// What became of the collections since it was taken last; None where nobody keeps it.
    pub(super) journal: Option<Journal>,
    pub(super) sweeping: bool,
    /// Somebody wants to know which record made which update.
    tells_times: bool,
    /// Rows of append-only tables that have a value which nobody could read; found again at every restore.
    pub(super) unread: Vec<SourceFault>,
    scratch: Vec<u8>,
}

pub(super) struct Table {
    pub name: String,
    pub columns: Vec<String>,
    /// Columns of the key.
    pub key: Vec<usize>,
    pub several_partitions: bool,
    /// The partition of its records, while they come in one.
    pub partition: Option<u32>,
    pub keyed: PackedMap,
    /// Net count of each row of a table without a key; empty for append-only tables, which need none.
    pub counts: PackedMap,
    pub is_counted: bool,
    /// Rows that came to an append-only table without a key.
    pub appended: u64,
    pub faults: FaultBook,
    /// The row that was deleted last: a key change takes its unavailable values from here.
    pub moved: Option<(Row, Row)>,
    /// Where a table has several partitions, the halves of a changed key may lie apart.
    pub halves: Halves,
    /// The row under a changed key has gone, and not come again yet.
    pub moving: bool,
    pub shown: Shown,
    /// How far its changes have come, by partition.
    pub marks: Vec<Option<Mark>>,
    /// The partition whose mark moved and is not in the journal yet.
    pub marked: Option<u32>,
}

/// Where a table's changes go.
struct Outlet<'o> {
    index: TableIndex,
    journal: &'o mut Option<Journal>,
    scratch: &'o mut Vec<u8>,
    out: &'o mut Resolved,
}

impl Resolver {
    /// `several_partitions` names the tables whose records may come in more than one partition (see `OpenReader::tables`); `specs`
    /// are the engine's tables, by `TableIndex`.
    pub fn new(specs: &[TableSpec], several_partitions: impl IntoIterator<Item = TableIndex>) -> Resolver {
        let mut tables: Vec<Table> = specs.iter().map(Table::new).collect();
        for index in several_partitions {
            if let Some(table) = tables.get_mut(index) {
                table.several_partitions = true;
            }
        }
        Resolver {
            tables,
            partitions: Partitions::default(),
            homeless: FaultBook::default(),
            journal: None,
            sweeping: false,
            tells_times: false,
            unread: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// From now on `Resolved::times` are told.
    pub fn tell_times(&mut self) {
        self.tells_times = true;
    }

    /// Resolves all records of a batch, in order.
    pub fn resolve_batch(&mut self, batch: Batch, out: &mut Resolved) {
        let partition = self.partitions.index(&batch.source, &batch.partition);
        let mut records = batch.records.into_iter();
        out.updates.reserve(records.len());
        while !records.as_slice().is_empty() {
            let hashes = self.warm(records.as_slice());
            for (hash, record) in hashes.into_iter().zip(records.by_ref()) {
                self.resolve_in(partition, hash, record, out);
            }
        }
        self.note_marks();
    }

    /// Resolves one record.
    pub fn resolve(&mut self, source: &Arc<str>, partition: &Arc<str>, record: Record, out: &mut Resolved) {
        let partition = self.partitions.index(source, partition);
        let [hash, ..] = self.warm(std::slice::from_ref(&record));
        self.resolve_in(partition, hash, record, out);
        self.note_marks();
    }

    /// The hashes of the keys of the next changes. What the map holds of them is in the cache afterwards.
    fn warm(&self, records: &[Record]) -> [u64; WARMED] {
        let mut hashes = [0; WARMED];
        let mut touched = 0;
        for (hash, record) in hashes.iter_mut().zip(records) {
            let (table, key) = match &record.change {
                Change::Upsert { table, key, .. } | Change::Delete { table, key, .. } => (table, key),
                Change::Patch(patch) => (&patch.table, &patch.key),
                _ => continue,
            };
            let map = &self.tables[*table].keyed;
            *hash = map.hash(key.bytes());
            touched ^= map.warm(*hash);
        }
        std::hint::black_box(touched);
        hashes
    }

    fn note_marks(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        for (index, table) in self.tables.iter_mut().enumerate() {
            table.note_mark(index, journal);
        }
    }

    /// Whether some row is gone under its old key and has not come under its new one: no epoch is closed between the two.
    pub fn is_moving(&self) -> bool {
        self.tables.iter().any(|table| table.moving)
    }

    /// Live keys and distinct keyless rows held for a table.
    pub fn rows(&self, table: TableIndex) -> usize {
        self.tables.get(table).map_or(0, |table| table.rows(&self.partitions))
    }

    /// (name, entries held, bytes of memory for them) of each table; entries count keys whose deletion is remembered, too.
    pub fn sizes(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.tables.iter().map(|table| {
            let entries = table.keyed.len() + table.counts.len();
            (&*table.name, entries as u64, (table.keyed.heap_bytes() + table.counts.heap_bytes()) as u64)
        })
    }

    /// `hash` is that of the key, where the change has one.
    fn resolve_in(&mut self, partition: u32, hash: u64, record: Record, out: &mut Resolved) {
        let Record { offset, sequence, event_time, delivery, change } = record;
        let rank = Rank { sequence, partition, offset };
        let Resolver { tables, partitions, homeless, journal, scratch, .. } = self;
        let index = change.table().unwrap_or_default();
        if let Some(table) = change.table().map(|table| &mut tables[table]) {
            if let Some(delivery) = delivery
                && !table.is_new(partition, delivery, event_time, &change)
            {
                return;
            }
            // A partition that was added while we read: from now on versions of a key are ranked.
            table.several_partitions |= *table.partition.get_or_insert(partition) != partition;
            table.moving = matches!(change, Change::Delete { moves: true, .. });
        }
        let mut outlet = Outlet { index, journal, scratch, out };
        match change {
            Change::Upsert { table, key, row } => {
                tables[table].halves.forget(&key, partition);
                tables[table].put(hash, &key, Some(row), rank, partitions, &mut outlet);
            }
            Change::Delete { table, key, moves } => {
                tables[table].halves.forget(&key, partition);
                tables[table].put(hash, &key, None, rank, partitions, &mut outlet);
                if moves {
                    tables[table].join_halves(&key, rank, partitions, &mut outlet);
                }
            }
            Change::Insert { table, row } => tables[table].count(row, 1, &mut outlet),
            Change::Remove { table, row } => tables[table].count(row, -1, &mut outlet),
            Change::Truncate { table } => tables[table].truncate(rank, partitions, &mut outlet),
            Change::Patch(patch) => {
                let Patch { table, key, row, kept, column, moved_from, record } = *patch;
                match tables[table].patched(&key, &row, &kept, moved_from.as_ref(), rank, partitions) {
                    Some(row) => tables[table].put(hash, &key, Some(row), rank, partitions, &mut outlet),
                    None => {
                        // Also before a second partition has been met: a topic that is found late is read one partition after the other.
                        tables[table].halves.wait(Waiting { key: key.clone(), row, kept, moved_from, rank });
                        let reason = "its unchanged large value was left out (TOAST), and no earlier row of the key is known; \
                                      set REPLICA IDENTITY FULL on the table, or take a new snapshot";
                        let fault = Misread { column: Some(column), reason: reason.into(), record };
                        tables[table].set_aside(Some(key), fault, rank, partitions, &mut outlet);
                    }
                }
            }
            Change::Malformed(malformed) => {
                let Malformed { table, key, column, reason, record } = *malformed;
                let misread = Misread { column, reason, record };
                match table {
                    Some(table) => tables[table].set_aside(key, misread, rank, partitions, &mut outlet),
                    None => {
                        let fault = homeless.add_loose(misread.fault(None, None, rank, partitions));
                        if let Some(journal) = outlet.journal {
                            homeless.note_loose(None, &fault, journal);
                        }
                        outlet.out.faults.push((fault, 1));
                    }
                }
            }
            Change::Skip => {}
        }
        if self.tells_times {
            out.times.push((out.updates.len(), event_time));
        }
    }
}

/// What is wrong with a record.
pub(super) struct Misread {
    pub column: Option<String>,
    pub reason: String,
    pub record: String,
}

impl Misread {
    pub fn fault(self, table: Option<&str>, key: Option<&Row>, rank: Rank, partitions: &Partitions) -> SourceFault {
        let (source, partition) = partitions.0[rank.partition as usize].clone();
        SourceFault {
            source,
            partition,
            position: rank.offset,
            table: table.map(str::to_string),
            key: key.map(key_text),
            column: self.column,
            reason: self.reason,
            record: self.record,
        }
    }
}

impl Table {
    fn new(spec: &TableSpec) -> Table {
        Table {
            name: spec.name.clone(),
            columns: spec.columns.iter().map(|column| column.name.clone()).collect(),
            key: spec.key.clone().unwrap_or_default(),
            several_partitions: false,
            partition: None,
            keyed: PackedMap::default(),
            counts: PackedMap::default(),
            is_counted: spec.key.is_none() && spec.envelope != Envelope::Append,
            appended: 0,
            faults: FaultBook::default(),
            moved: None,
            halves: Halves::default(),
            moving: false,
            shown: Shown::new(spec),
            marks: Vec::new(),
            marked: None,
        }
    }

    /// Whether a change has not come before; keeps the mark.
    fn is_new(&mut self, partition: u32, delivery: Delivery, time: Option<i64>, change: &Change) -> bool {
        let at = partition as usize;
        if self.marks.len() <= at {
            self.marks.resize(at + 1, None);
        }
        self.marked = Some(partition);
        let mark = &mut self.marks[at];
        match delivery {
            Delivery::Snapshot => *mark = None,
            Delivery::Streamed(place) => {
                let (identity, has_key) = identity(place.op, change);
                match mark {
                    None => *mark = Some(Mark::new(place, time, identity)),
                    Some(mark) => return mark.judge(place, time, identity, has_key) == Verdict::New,
                }
            }
        }
        true
    }

    /// Writes down the mark that moved last.
    fn note_mark(&mut self, index: TableIndex, journal: &mut Journal) {
        if let Some(partition) = self.marked.take() {
            journal.mark(index, partition, self.marks.get(partition as usize).and_then(Option::as_ref));
        }
    }

    fn rows(&self, partitions: &Partitions) -> usize {
        let is_live =
            |value: &[u8]| versions(value, partitions).winner(partitions).is_some_and(|won| won.row.is_some());
        let live = self.keyed.iter().filter(|(_, value)| is_live(value));
        live.count() + self.counts.iter().filter(|(_, value)| count_of(value) > 0).count()
    }

    fn put(
        &mut self,
        hash: u64,
        key: &Row,
        row: Option<Row>,
        rank: Rank,
        partitions: &Partitions,
        outlet: &mut Outlet<'_>,
    ) {
        if !self.faults.is_empty() {
            self.heal(key, rank, partitions, outlet);
        }
        let place = self.keyed.find_hashed(hash, key.bytes());
        let is_ranked = self.keyed.value(&place).is_some_and(|value| value[0] != UNRANKED);
        match is_ranked || self.several_partitions {
            true => self.put_ranked(place, key, row.as_ref(), rank, partitions, outlet),
            false => self.put_unranked(place, key, row, outlet),
        }
    }

    /// The later record wins, and what was before is a row or nothing.
    fn put_unranked(&mut self, place: Place, key: &Row, row: Option<Row>, outlet: &mut Outlet<'_>) {
        let before = self.keyed.value(&place).map(|value| &value[1..]);
        match (before, row) {
            (None, None) => {}
            (Some(before), Some(row)) if before == row.bytes() => {} // what holds has been noted
            (before, Some(row)) => {
                outlet.scratch.clear();
                outlet.scratch.push(UNRANKED);
                outlet.scratch.extend_from_slice(row.bytes());
                let (old, new) = (before.map(|row| self.shown.row(row)), self.shown.of(row));
                if old.as_ref() != Some(&new) {
                    outlet.out.updates.extend(old.map(|row| (outlet.index, row, -1)));
                    outlet.out.updates.push((outlet.index, new, 1));
                }
                self.keyed.put_at(place, key.bytes(), outlet.scratch);
                if let Some(journal) = outlet.journal {
                    note_put(outlet.index, &self.key, key.bytes(), outlet.scratch, journal);
                }
            }
            (Some(before), None) => {
                outlet.out.updates.push((outlet.index, self.shown.row(before), -1));
                if let Some(journal) = outlet.journal {
                    journal.moved(outlet.index, key.bytes(), before);
                    journal.remove(outlet.index, key.bytes());
                }
                self.moved = Some((key.clone(), Row::from_bytes(before)));
                self.keyed.remove_at(place);
            }
        }
    }

    fn put_ranked(
        &mut self,
        place: Place,
        key: &Row,
        row: Option<&Row>,
        rank: Rank,
        partitions: &Partitions,
        outlet: &mut Outlet<'_>,
    ) {
        let found = self.keyed.value(&place);
        let mut versions = found.map_or_else(Versions::default, |value| versions(value, partitions));
        let before = versions.winner(partitions).and_then(|version| version.row);
        if !self.several_partitions {
            versions.0.clear();
        }
        versions.put(Version { rank, row: row.map(Row::bytes) }, partitions);
        let after = versions.winner(partitions).and_then(|version| version.row);
        let is_kept = after.is_some() || self.several_partitions;
        let was_there = found.is_some();
        if before != after {
            let (old, new) = (before.map(|row| self.shown.row(row)), after.map(|row| self.shown.row(row)));
            if let Some(row) = before.filter(|_| after.is_none()) {
                if let Some(journal) = outlet.journal {
                    journal.moved(outlet.index, key.bytes(), row);
                }
                if self.moving {
                    self.halves.leave(key.clone(), Row::from_bytes(row), rank.sequence);
                }
                self.moved = Some((key.clone(), Row::from_bytes(row)));
            }
            if old != new {
                outlet.out.updates.extend(old.map(|row| (outlet.index, row, -1)));
                outlet.out.updates.extend(new.map(|row| (outlet.index, row, 1)));
            }
        }
        match row.filter(|_| !self.several_partitions) {
            Some(row) => {
                outlet.scratch.clear();
                outlet.scratch.push(UNRANKED);
                outlet.scratch.extend_from_slice(row.bytes());
            }
            None => versions.pack(outlet.scratch),
        }
        drop(versions);
        if is_kept {
            self.keyed.put_at(place, key.bytes(), outlet.scratch);
            if let Some(journal) = outlet.journal {
                note_put(outlet.index, &self.key, key.bytes(), outlet.scratch, journal);
            }
        } else if was_there {
            self.keyed.remove_at(place);
            if let Some(journal) = outlet.journal {
                journal.remove(outlet.index, key.bytes());
            }
        }
    }

    fn count(&mut self, row: Row, diff: Diff, outlet: &mut Outlet<'_>) {
        if !self.is_counted {
            self.appended += 1;
            if let Some(journal) = outlet.journal {
                journal.append(outlet.index, row.bytes());
            }
            outlet.out.updates.push((outlet.index, self.shown.of(row), diff));
            return;
        }
        let before = self.counts.get(row.bytes()).map_or(0, count_of);
        let after = before + diff;
        if after == 0 {
            self.counts.remove(row.bytes());
            if let Some(journal) = outlet.journal {
                journal.remove(outlet.index, row.bytes());
            }
        } else {
            outlet.scratch.clear();
            varint::push_signed(outlet.scratch, after);
            self.counts.put(row.bytes(), outlet.scratch);
            if let Some(journal) = outlet.journal {
                journal.put(outlet.index, row.bytes(), outlet.scratch);
            }
        }
        let change = after.max(0) - before.max(0);
        if change != 0 {
            outlet.out.updates.push((outlet.index, self.shown.of(row), change));
        }
    }

    fn truncate(&mut self, rank: Rank, partitions: &Partitions, outlet: &mut Outlet<'_>) {
        if self.several_partitions {
            let reason = format!(
                "a truncate of {}, whose records come in several partitions, cannot be placed among them; \
                 take a new snapshot of the table, or keep it in one partition",
                self.name
            );
            let misread = Misread { column: None, reason, record: String::new() };
            return self.set_aside(None, misread, rank, partitions, outlet);
        }
        let mut gone: Vec<(Row, Diff)> = Vec::new();
        self.each_row(partitions, &mut |row, count| gone.push((row, -count)));
        gone.sort();
        outlet.out.updates.extend(gone.into_iter().map(|(row, diff)| (outlet.index, row, diff)));
        let healed = self.faults.take_keyed();
        outlet.out.faults.extend(healed.into_iter().map(|fault| (fault, -1)));
        self.keyed.clear();
        self.counts.clear();
        self.moved = None;
        self.halves = Halves::default();
        if let Some(journal) = outlet.journal {
            journal.clear(outlet.index);
        }
    }

    /// Every live row as it is shown, with its copies.
    pub fn each_row(&self, partitions: &Partitions, each: &mut dyn FnMut(Row, Diff)) {
        for (_, value) in self.keyed.iter() {
            if let Some(row) = versions(value, partitions).winner(partitions).and_then(|version| version.row) {
                each(self.shown.row(row), 1);
            }
        }
        for (row, value) in self.counts.iter() {
            let count = count_of(value);
            if count > 0 {
                each(self.shown.row(row), count);
            }
        }
    }

    /// The row that a changed key had under its old one, deleted just before. Where a table has several partitions, a row that is
    /// there again, or still, shows that the delete has not been read.
    fn moved_row(&self, old_key: &Row, rank: Rank, partitions: &Partitions) -> Option<Row> {
        let left = self.halves.left(old_key, rank.sequence);
        let is_there = || {
            let found = self.keyed.get(old_key.bytes()).map(|value| versions(value, partitions));
            found.is_some_and(|found| found.winner(partitions).is_some_and(|winner| winner.row.is_some()))
        };
        let last = || self.moved.as_ref().filter(|(key, _)| key == old_key).map(|(_, row)| row);
        left.or_else(|| last().filter(|_| !self.several_partitions || !is_there())).cloned()
    }

    /// Rows that waited for the delete of their old key have what they lacked.
    fn join_halves(&mut self, old_key: &Row, rank: Rank, partitions: &Partitions, outlet: &mut Outlet<'_>) {
        for Waiting { key, row, kept, moved_from, rank } in self.halves.take(old_key, rank.sequence) {
            if let Some(row) = self.patched(&key, &row, &kept, moved_from.as_ref(), rank, partitions) {
                let hash = self.keyed.hash(key.bytes());
                self.put(hash, &key, Some(row), rank, partitions, outlet);
            }
        }
    }

    /// The row with the kept columns taken from the row that the key had, or that was deleted under its old key just before.
    /// Without such a row, kept columns that nobody reads stay unread; None if one of them is read.
    fn patched(
        &self,
        key: &Row,
        row: &Row,
        kept: &[usize],
        moved_from: Option<&Row>,
        rank: Rank,
        partitions: &Partitions,
    ) -> Option<Row> {
        let found = self.keyed.get(key.bytes()).map(|value| versions(value, partitions));
        let own = found.as_ref().and_then(|versions| versions.row_in(rank.partition));
        let moved = moved_from.and_then(|old_key| self.moved_row(old_key, rank, partitions));
        let mut builder = RowBuilder::default();
        let Some(base) = moved.as_ref().map(Row::bytes).or(own) else {
            if kept.iter().any(|column| self.shown.shows(*column)) {
                return None;
            }
            for (column, value) in row.iter().enumerate() {
                match kept.contains(&column) {
                    true => unread::push(&mut builder, "its unchanged large value was left out (TOAST)", ""),
                    false => builder.push(&value),
                }
            }
            return Some(builder.finish());
        };
        for (column, (new, old)) in row.iter().zip(RowRef::new(base).iter()).enumerate() {
            builder.push(if kept.contains(&column) { &old } else { &new });
        }
        Some(builder.finish())
    }

    /// Reports a record, unless another partition has already said something newer about its key.
    fn set_aside(
        &mut self,
        key: Option<Row>,
        misread: Misread,
        rank: Rank,
        partitions: &Partitions,
        outlet: &mut Outlet<'_>,
    ) {
        let fault = misread.fault(Some(&self.name), key.as_ref(), rank, partitions);
        let Some(key) = key else {
            let fault = self.faults.add_loose(fault);
            if let Some(journal) = outlet.journal {
                self.faults.note_loose(Some(outlet.index), &fault, journal);
            }
            outlet.out.faults.push((fault, 1));
            return;
        };
        let newer = |version: &Version<'_>| {
            version.rank.partition != rank.partition && partitions.compare(version.rank, rank) == Ordering::Greater
        };
        let found = self.keyed.get(key.bytes()).map(|value| versions(value, partitions));
        if self.several_partitions && found.is_some_and(|versions| versions.0.iter().any(newer)) {
            return;
        }
        let fault = self.faults.add(&key, fault, rank);
        if let Some(journal) = outlet.journal {
            journal.fault(outlet.index, key.bytes(), &fault, rank.sequence);
        }
        outlet.out.faults.push((fault, 1));
    }

    /// Takes back the faults of a key that a good record of rank `by` makes good: earlier ones of its partition, lesser ones of
    /// others.
    fn heal(&mut self, key: &Row, by: Rank, partitions: &Partitions, outlet: &mut Outlet<'_>) {
        let is_only = !self.several_partitions;
        let is_healed = |Fault { rank, .. }: &Fault| match is_only || rank.partition == by.partition {
            true => is_only || rank.offset <= by.offset,
            false => partitions.compare(*rank, by) == Ordering::Less,
        };
        let healed = self.faults.take(key, is_healed);
        if let (false, Some(journal)) = (healed.is_empty(), &mut *outlet.journal) {
            self.faults.note(outlet.index, key, journal);
        }
        outlet.out.faults.extend(healed.into_iter().map(|fault| (fault, -1)));
    }
}

/// Notes the versions of a key; the key itself only where the row does not tell it.
pub(super) fn note_put(table: TableIndex, columns: &[usize], key: &[u8], value: &[u8], journal: &mut Journal) {
    if value.first() == Some(&UNRANKED) && tells_key(columns, &value[1..], key) {
        journal.put_row(table, value);
    } else {
        journal.put(table, key, value);
    }
}

/// Whether the row tells this key. Columns that stand together in the row are compared as they are: mostly they are normalised.
fn tells_key(columns: &[usize], row: &[u8], key: &[u8]) -> bool {
    if let Some(first) = columns.first()
        && columns.windows(2).all(|pair| pair[1] == pair[0] + 1)
    {
        let mut values = RowRef::new(row).iter();
        let is_long_enough = (0..*first).all(|_| values.skip_one());
        if is_long_enough && values.rest().starts_with(key) {
            let from_key_on = values.rest().len();
            if columns.iter().all(|_| values.skip_one()) && from_key_on - values.rest().len() == key.len() {
                return true;
            }
        }
    }
    key_of(columns, row).bytes() == key
}

/// What happened to what, and whether that is a key.
fn identity(op: u8, change: &Change) -> (u64, bool) {
    let of = |bytes: &[&[u8]], has_key| (delivery::identity(op, bytes), has_key);
    match change {
        Change::Upsert { key, .. } | Change::Delete { key, .. } => of(&[key.bytes()], true),
        Change::Patch(patch) => of(&[patch.key.bytes()], true),
        Change::Insert { row, .. } => of(&[b"+", row.bytes()], false),
        Change::Remove { row, .. } => of(&[b"-", row.bytes()], false),
        Change::Malformed(malformed) => match &malformed.key {
            Some(key) => of(&[key.bytes()], true),
            None => of(&[malformed.record.as_bytes()], true),
        },
        Change::Truncate { .. } | Change::Skip => of(&[], true),
    }
}

/// The key that a row tells.
pub(super) fn key_of(columns: &[usize], row: &[u8]) -> Row {
    let mut builder = RowBuilder::default();
    match columns {
        [column] => {
            if let Some(value) = RowRef::new(row).iter().nth(*column) {
                builder.push(&value.normalized());
            }
        }
        columns => {
            let values: Vec<Datum<'_>> = RowRef::new(row).iter().collect();
            let key = columns.iter().filter_map(|column| values.get(*column).cloned());
            key.for_each(|value| builder.push(&value.normalized()));
        }
    }
    builder.finish()
}

/// Versions that this process packed, or checked when it read them.
pub(super) fn versions<'a>(value: &'a [u8], partitions: &Partitions) -> Versions<'a> {
    Versions::unpack(value, partitions.0.len()).expect("the map holds packed versions")
}

pub(super) fn count_of(value: &[u8]) -> i64 {
    Bytes(value).signed().expect("the map holds counts")
}

/// A key as people read it: its values, with commas between.
pub(super) fn key_text(key: &Row) -> String {
    let value = |datum: Datum<'_>| match datum {
        Datum::Int(value) => value.to_string(),
        Datum::Text(value) => value.to_string(),
        Datum::Bool(value) => value.to_string(),
        other => format!("{other:?}"),
    };
    key.iter().map(value).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
#[path = "upsert_tests.rs"]
mod tests;
