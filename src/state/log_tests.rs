use std::collections::BTreeMap;
use std::path::Path;

use row::{Datum, Row, ScalarType};

use super::*;
use crate::plan::RelationId;
use crate::source::{Batch, Change, Envelope, Malformed, Record, Resolved, Resolver, SourceColumn, TableSpec};
use crate::state::{StateFolder, StoredTable};
use crate::testkit::disk::{Crash, Disk};

const INSTANCE: &str = "shop.dev";

fn folder() -> &'static Path {
    Path::new("state")
}

fn specs() -> Vec<TableSpec> {
    let columns = |names: &[&str]| -> Vec<SourceColumn> {
        names.iter().map(|name| SourceColumn { name: (*name).to_owned(), ty: ScalarType::Int64 }).collect()
    };
    let table = |name: &str, key: Option<Vec<usize>>, envelope| TableSpec {
        relation: RelationId(format!("source.shop.{name}").as_str().into()),
        name: name.to_owned(),
        columns: columns(&["id", "value"]),
        demanded: vec![true, true],
        keeps_all: true,
        key,
        envelope,
    };
    vec![
        table("raw.orders", Some(vec![0]), Envelope::Upsert),
        table("raw.moves", None, Envelope::Debezium),
        table("raw.clicks", None, Envelope::Append),
    ]
}

fn tables() -> Vec<StoredTable> {
    specs().iter().map(|spec| StoredTable::new(spec, "raw")).collect()
}

/// What the collections hold: (table, id, value) with copies.
type Contents = BTreeMap<(usize, Row), i64>;

/// A process: a resolver over one partition, its state, and what it has shown.
struct Process {
    resolver: Resolver,
    keeper: Log,
    shown: Contents,
    position: u64,
    sweep_ends_at: Option<u64>,
}

impl Process {
    /// Starts from what the disk has.
    fn start(disk: &Disk) -> Result<Process, StateError> {
        let mut folder = StateFolder::over(disk.files(), folder(), INSTANCE);
        folder.look()?;
        let at = folder.stored.as_ref().and_then(|stored| stored.mark.partitions.first()?.2.clone());
        let mut resolver = Resolver::new(&specs(), []);
        let mut shown = Contents::new();
        let mut appended = Vec::new();
        let loaded = folder.load(&tables(), &mut resolver, &mut |table, row| appended.push((table, row)))?;
        appended.into_iter().for_each(|place| *shown.entry(place).or_default() += 1);
        resolver.each_row(|table, row, diff| *shown.entry((table, row)).or_default() += diff);
        let position = at.map_or(0, |(position, _)| position);
        Ok(Process { resolver, keeper: loaded.log, shown, position, sweep_ends_at: None })
    }

    /// Reads up to `position` and keeps it.
    fn read_to(&mut self, position: u64, sweep: bool) -> Result<(), StateError> {
        let records = (self.position..position).map(record).collect();
        let batch = Batch {
            source: "raw".into(),
            partition: "0".into(),
            records,
            position,
            mark: position.to_string(),
            group: None,
        };
        let mut resolved = Resolved::default();
        self.resolver.resolve_batch(batch, &mut resolved);
        for (table, row, diff) in resolved.updates {
            *self.shown.entry((table, row)).or_default() += diff;
        }
        self.position = position;
        if sweep && !self.resolver.is_sweeping() {
            self.resolver.begin_sweep();
            self.keeper.begin_sweep();
        }
        let ends_sweep = self.resolver.is_sweeping() && self.resolver.sweep(150);
        let mut journal = self.resolver.take_journal();
        let mark = Mark::new(0, 0, vec![("raw".into(), "0".into(), Some((position, position.to_string())))]);
        self.keeper.write_whole(&mark, &mut journal, ends_sweep)?;
        self.sweep_ends_at = if ends_sweep { Some(position) } else { self.sweep_ends_at };
        Ok(())
    }

    fn contents(mut self) -> Contents {
        self.shown.retain(|_, copies| *copies != 0);
        self.shown
    }
}

/// The same record for the same offset, whoever reads it.
fn record(offset: u64) -> Record {
    let dice = (offset + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let id = Datum::Int((dice % 13) as i64);
    let row = Row::pack([id.clone(), Datum::Int((dice % 5) as i64)]);
    let change = match dice % 9 {
        0 | 1 => Change::Delete { table: 0, key: Row::pack([id]), moves: false },
        2..=4 => Change::Upsert { table: 0, key: Row::pack([id]), row },
        5 => Change::Insert { table: 1, row },
        6 => Change::Remove { table: 1, row },
        7 => Change::Insert { table: 2, row },
        _ => Change::Malformed(Box::new(Malformed {
            table: Some(0),
            key: Some(Row::pack([id])),
            column: None,
            reason: "bad".into(),
            record: "{}".into(),
        })),
    };
    Record { offset, event_time: None, sequence: 0, delivery: None, change }
}

/// What a process without any crash holds at a position, with its faults.
fn truth(position: u64) -> (Contents, Vec<(crate::source::SourceFault, i64)>) {
    let mut process = Process::start(&Disk::new(1)).expect("an empty disk");
    process.read_to(position, false).expect("kept");
    let faults = process.resolver.all_faults();
    (process.contents(), faults)
}

#[test]
fn what_was_kept_is_found_after_every_crash() {
    let mut survived_sweeps = 0;
    // Before and after every call that changes the disk.
    for after in [false, true] {
        for call in 1.. {
            let disk = Disk::new(call * 2 + u64::from(after));
            disk.crash_at(Some(Crash { call, after }));
            let mut kept = 0;
            let mut run = |kept: &mut u64| -> Result<(), StateError> {
                for step in 1..12 {
                    // Some processes end in between, and another goes on.
                    let mut process = Process::start(&disk)?;
                    for sub in 1..=4 {
                        process.read_to((step * 4 + sub) * 10, sub == 1)?;
                        *kept = process.position;
                    }
                    survived_sweeps += u64::from(process.sweep_ends_at.is_some());
                }
                Ok(())
            };
            let outcome = run(&mut kept);
            if outcome.is_ok() {
                assert!(call > 100, "the run has many calls");
                break;
            }
            disk.restart();
            let process = Process::start(&disk).unwrap_or_else(|error| panic!("call {call}, {after}: {error}"));
            assert!(process.position >= kept, "call {call}: {kept} was on the disk, {} is there", process.position);
            let position = process.position;
            let faults = process.resolver.all_faults();
            assert_eq!((process.contents(), faults), truth(position), "call {call}, after {after}");
            // And on from there.
            let mut process = Process::start(&disk).expect("again");
            process.read_to(position + 50, false).expect("on");
            let mut process = Process::start(&disk).expect("again");
            process.read_to(position + 60, true).expect("on");
            assert_eq!(process.contents(), truth(position + 60).0);
        }
    }
    assert!(survived_sweeps > 50);
}

#[test]
fn a_full_disk_is_tried_again_and_nothing_comes_twice() {
    let disk = Disk::new(3);
    let mut process = Process::start(&disk).expect("empty");
    process.read_to(100, false).expect("kept");
    let mut position = 100;
    for round in 0..40 {
        position += 30;
        disk.set_room(Some(disk.bytes() + round * 7));
        let records: Vec<Record> = (process.position..position).map(record).collect();
        let batch = Batch {
            source: "raw".into(),
            partition: "0".into(),
            records,
            position,
            mark: position.to_string(),
            group: None,
        };
        process.resolver.resolve_batch(batch, &mut Resolved::default());
        process.position = position;
        let mut journal = process.resolver.take_journal();
        let mark = Mark::new(0, 0, vec![("raw".into(), "0".into(), Some((position, position.to_string())))]);
        let mut tries = 0;
        while process.keeper.write_whole(&mark, &mut journal, false).is_err() {
            tries += 1;
            if tries == 3 {
                disk.set_room(None);
            }
            assert!(tries < 5);
        }
        assert!(tries > 0 || round > 20, "the disk was full at first");
    }
    assert_eq!(Process::start(&disk).expect("whole").contents(), truth(position).0);
}

#[test]
fn damage_in_the_middle_is_noticed_and_a_torn_end_is_an_earlier_state() {
    let disk = Disk::new(5);
    let mut process = Process::start(&disk).expect("empty");
    (1..=6).for_each(|step| process.read_to(step * 50, false).expect("kept"));
    drop(process);
    let mut process = Process::start(&disk).expect("whole");
    (7..=9).for_each(|step| process.read_to(step * 50, false).expect("kept"));
    let segments: Vec<String> = disk.names().into_iter().filter(|name| name.ends_with("segment")).collect();
    assert_eq!(segments.len(), 2);
    let length = disk.files().len(&segments[1]).expect("there") as usize;
    disk.damage(&segments[1], length - 3);
    let process = Process::start(&disk).expect("an earlier state");
    assert_eq!(process.position, 400);
    assert_eq!(process.contents(), truth(400).0);
    // The appended rows that the last mark counts are part of it.
    let appended = disk.names().into_iter().find(|name| name.ends_with("appended")).expect("rows");
    disk.damage(&appended, 30);
    assert!(matches!(Process::start(&disk), Err(StateError::Damaged { .. })));
}

#[test]
fn a_folder_of_another_instance_is_refused() {
    let disk = Disk::new(5);
    Process::start(&disk).expect("empty").read_to(10, false).expect("kept");
    let mut files = disk.files();
    let found = Log::look(&mut *files, folder(), "shop.prod");
    assert!(matches!(found, Err(StateError::Foreign { owner, .. }) if owner == INSTANCE));
}
