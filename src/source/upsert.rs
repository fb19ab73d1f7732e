//! What changed: from records to updates of collections, with the previous row of each key at hand.
//!
//! ```text
//!   Upsert key 7 'paid'  ──> current[7] = 'new'   ──>  -1 (7,'new')  +1 (7,'paid')
//!   Delete key 7         ──> current[7] = 'paid'  ──>  -1 (7,'paid')
//!   Malformed key 7      ──> fault +1;  the next good record of key 7 ──> fault -1
//! ```
//!
//! 1. At any time the emitted updates add up to one row per live key, and to `max(0, inserts - removes)` copies of a keyless row.
//! 2. Within a partition the later record wins. Across partitions the record with the greatest (sequence, partition, offset) among
//!    the last of each partition wins, so the order in which partitions are read does not show; for that, what a partition said
//!    last about a deleted key is kept where a table has several partitions.
//! 3. A record that was set aside changes no row: the key keeps the row that it had.
//! 4. A truncate of a table in several partitions cannot be placed among their records: it is set aside.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use row::{Datum, Diff, Row, RowBuilder};

use super::{Batch, Change, Envelope, Record, TableIndex, TableSpec};

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
}

/// The current row of every key of every table.
pub struct Resolver {
    tables: Vec<Table>,
    partitions: Partitions,
}

/// (source, partition) as met; a version holds the index.
#[derive(Default)]
struct Partitions(Vec<(Arc<str>, Arc<str>)>);

struct Table {
    name: String,
    several_partitions: bool,
    keyed: HashMap<Row, Versions>,
    /// Net count of each row of a table without a key; empty for append-only tables, which need none.
    counts: HashMap<Row, i64>,
    is_counted: bool,
    faults: HashMap<Row, Vec<Fault>>,
    /// The row that was deleted last: a key change takes its unavailable values from here.
    moved: Option<(Row, Row)>,
}

struct Fault {
    fault: SourceFault,
    rank: Rank,
}

/// What the partitions said last about a key; nearly always one partition.
enum Versions {
    One(Version),
    Several(Vec<Version>),
}

#[derive(Clone, Debug)]
struct Version {
    rank: Rank,
    /// `None`: deleted.
    row: Option<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Rank {
    sequence: i64,
    partition: u32,
    offset: u64,
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
        Resolver { tables, partitions: Partitions::default() }
    }

    /// Resolves all records of a batch, in order.
    pub fn resolve_batch(&mut self, batch: Batch, out: &mut Resolved) {
        let partition = self.partitions.index(&batch.source, &batch.partition);
        for record in batch.records {
            self.resolve_in(partition, record, out);
        }
    }

    /// Resolves one record.
    pub fn resolve(&mut self, source: &Arc<str>, partition: &Arc<str>, record: Record, out: &mut Resolved) {
        let partition = self.partitions.index(source, partition);
        self.resolve_in(partition, record, out);
    }

    /// Live keys and distinct keyless rows held for a table.
    pub fn rows(&self, table: TableIndex) -> usize {
        let Some(table) = self.tables.get(table) else { return 0 };
        let live = table.keyed.values().filter(|versions| versions.winner(&self.partitions).row.is_some());
        live.count() + table.counts.values().filter(|count| **count > 0).count()
    }

    fn resolve_in(&mut self, partition: u32, record: Record, out: &mut Resolved) {
        let Record { offset, sequence, change, .. } = record;
        let rank = Rank { sequence, partition, offset };
        let Resolver { tables, partitions } = self;
        match change {
            Change::Upsert { table, key, row } => tables[table].put(table, key, Some(row), rank, partitions, out),
            Change::Delete { table, key } => tables[table].put(table, key, None, rank, partitions, out),
            Change::Insert { table, row } => tables[table].count(table, row, 1, out),
            Change::Remove { table, row } => tables[table].count(table, row, -1, out),
            Change::Truncate { table } => tables[table].truncate(table, rank, partitions, out),
            Change::Patch { table, key, row, kept, column, moved_from, record } => {
                match tables[table].patched(&key, row, &kept, moved_from.as_ref(), rank) {
                    Some(row) => tables[table].put(table, key, Some(row), rank, partitions, out),
                    None => {
                        let reason = "its unchanged large value was left out (TOAST), and no earlier row of the key is known; \
                                      set REPLICA IDENTITY FULL on the table, or take a new snapshot";
                        let fault = Misread { column: Some(column), reason: reason.into(), record };
                        tables[table].set_aside(Some(key), fault, rank, partitions, out);
                    }
                }
            }
            Change::Malformed { table, key, column, reason, record } => {
                let misread = Misread { column, reason, record };
                match table {
                    Some(table) => tables[table].set_aside(key, misread, rank, partitions, out),
                    None => out.faults.push((misread.fault(None, None, rank, partitions), 1)),
                }
            }
            Change::Skip => {}
        }
    }
}

/// What is wrong with a record.
struct Misread {
    column: Option<String>,
    reason: String,
    record: String,
}

impl Misread {
    fn fault(self, table: Option<&str>, key: Option<&Row>, rank: Rank, partitions: &Partitions) -> SourceFault {
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
            several_partitions: false,
            keyed: HashMap::new(),
            counts: HashMap::new(),
            is_counted: spec.key.is_none() && spec.envelope != Envelope::Append,
            faults: HashMap::new(),
            moved: None,
        }
    }

    fn put(
        &mut self,
        index: TableIndex,
        key: Row,
        row: Option<Row>,
        rank: Rank,
        partitions: &Partitions,
        out: &mut Resolved,
    ) {
        if !self.faults.is_empty() {
            self.heal(&key, rank, partitions, out);
        }
        let version = Version { rank, row };
        let (before, after, key) = match self.keyed.entry(key) {
            Entry::Vacant(entry) => {
                let after = version.row.clone();
                let key = entry.key().clone();
                if after.is_some() || self.several_partitions {
                    entry.insert(Versions::One(version));
                }
                (None, after, key)
            }
            Entry::Occupied(mut entry) => {
                let key = entry.key().clone();
                let versions = entry.get_mut();
                let before = versions.winner(partitions).row.clone();
                versions.put(version);
                let after = versions.winner(partitions).row.clone();
                if after.is_none() && !self.several_partitions {
                    entry.remove();
                }
                (before, after, key)
            }
        };
        if before == after {
            return;
        }
        if after.is_none()
            && let Some(row) = &before
        {
            self.moved = Some((key, row.clone()));
        }
        out.updates.extend(before.map(|row| (index, row, -1)));
        out.updates.extend(after.map(|row| (index, row, 1)));
    }

    fn count(&mut self, index: TableIndex, row: Row, diff: Diff, out: &mut Resolved) {
        if !self.is_counted {
            out.updates.push((index, row, diff));
            return;
        }
        let count = self.counts.entry(row.clone()).or_default();
        let before = (*count).max(0);
        *count += diff;
        let change = (*count).max(0) - before;
        if *count == 0 {
            self.counts.remove(&row);
        }
        if change != 0 {
            out.updates.push((index, row, change));
        }
    }

    fn truncate(&mut self, index: TableIndex, rank: Rank, partitions: &Partitions, out: &mut Resolved) {
        if self.several_partitions {
            let reason = format!(
                "a truncate of {}, whose records come in several partitions, cannot be placed among them; \
                 take a new snapshot of the table, or keep it in one partition",
                self.name
            );
            return self.set_aside(
                None,
                Misread { column: None, reason, record: String::new() },
                rank,
                partitions,
                out,
            );
        }
        let live = self.keyed.drain().filter_map(|(_, versions)| versions.winner(partitions).row.clone());
        let mut gone: Vec<(Row, Diff)> = live.map(|row| (row, -1)).collect();
        gone.extend(self.counts.drain().filter(|(_, count)| *count > 0).map(|(row, count)| (row, -count)));
        gone.sort();
        out.updates.extend(gone.into_iter().map(|(row, diff)| (index, row, diff)));
        let healed = self.faults.drain().flat_map(|(_, faults)| faults);
        let mut healed: Vec<SourceFault> = healed.map(|fault| fault.fault).collect();
        healed.sort();
        out.faults.extend(healed.into_iter().map(|fault| (fault, -1)));
        self.moved = None;
    }

    /// The row with the kept columns taken from the row that the key had, or that was deleted under its old key just before.
    fn patched(&self, key: &Row, row: Row, kept: &[usize], moved_from: Option<&Row>, rank: Rank) -> Option<Row> {
        let own = self.keyed.get(key).and_then(|versions| versions.row_in(rank.partition));
        let moved = self.moved.as_ref().filter(|(old_key, _)| Some(old_key) == moved_from).map(|(_, row)| row);
        let mut builder = RowBuilder::default();
        for (column, (new, old)) in row.iter().zip(moved.or(own)?.iter()).enumerate() {
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
        out: &mut Resolved,
    ) {
        let fault = misread.fault(Some(&self.name), key.as_ref(), rank, partitions);
        if let Some(key) = key {
            let newer = |version: &Version| {
                version.rank.partition != rank.partition && partitions.compare(version.rank, rank) == Ordering::Greater
            };
            if self.keyed.get(&key).is_some_and(|versions| versions.all().iter().any(newer)) {
                return;
            }
            self.faults.entry(key).or_default().push(Fault { fault: fault.clone(), rank });
        }
        out.faults.push((fault, 1));
    }

    /// Takes back the faults of a key that a good record of rank `by` makes good: earlier ones of its partition, lesser ones of
    /// others.
    fn heal(&mut self, key: &Row, by: Rank, partitions: &Partitions, out: &mut Resolved) {
        let Some(faults) = self.faults.get_mut(key) else { return };
        faults.retain(|Fault { fault, rank }| {
            let is_healed = match rank.partition == by.partition {
                true => rank.offset <= by.offset,
                false => partitions.compare(*rank, by) == Ordering::Less,
            };
            if is_healed {
                out.faults.push((fault.clone(), -1));
            }
            !is_healed
        });
        if faults.is_empty() {
            self.faults.remove(key);
        }
    }
}

impl Partitions {
    fn index(&mut self, source: &Arc<str>, partition: &Arc<str>) -> u32 {
        let known = self.0.iter().position(|(name, number)| name == source && number == partition);
        let index = known.unwrap_or_else(|| {
            self.0.push((source.clone(), partition.clone()));
            self.0.len() - 1
        });
        index as u32
    }

    /// By sequence, then partition (as a number where it is one, else as text), then offset.
    fn compare(&self, a: Rank, b: Rank) -> Ordering {
        let partition = |rank: Rank| {
            let (source, partition) = &self.0[rank.partition as usize];
            (partition.parse::<u64>().ok(), partition, source)
        };
        let by_partition = || match a.partition == b.partition {
            true => Ordering::Equal,
            false => partition(a).cmp(&partition(b)),
        };
        a.sequence.cmp(&b.sequence).then_with(by_partition).then_with(|| a.offset.cmp(&b.offset))
    }
}

impl Versions {
    fn all(&self) -> &[Version] {
        match self {
            Versions::One(version) => std::slice::from_ref(version),
            Versions::Several(all) => all,
        }
    }

    fn winner(&self, partitions: &Partitions) -> &Version {
        match self {
            Versions::One(version) => version,
            Versions::Several(all) => {
                let best = all.iter().max_by(|a, b| partitions.compare(a.rank, b.rank));
                best.expect("several versions are at least two")
            }
        }
    }

    /// The row that a partition knows of the key; for its first word about the key, any other partition's.
    fn row_in(&self, partition: u32) -> Option<&Row> {
        match self.all().iter().find(|version| version.rank.partition == partition) {
            Some(version) => version.row.as_ref(),
            None => self.all().iter().find_map(|version| version.row.as_ref()),
        }
    }

    fn put(&mut self, version: Version) {
        match self {
            Versions::One(only) if only.rank.partition == version.rank.partition => *only = version,
            Versions::One(only) => *self = Versions::Several(vec![only.clone(), version]),
            Versions::Several(all) => match all.iter_mut().find(|old| old.rank.partition == version.rank.partition) {
                Some(old) => *old = version,
                None => all.push(version),
            },
        }
    }
}

/// A key as people read it: its values, with commas between.
fn key_text(key: &Row) -> String {
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
