//! Replays real Debezium captures and compares what is left with the tables that PostgreSQL had.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use row::Row;

use super::registry::RegistrySettings;
use super::settings::{Connector, Format, Positions};
use super::testing::{Sample, values};
use super::{Poll, Resolved, Resolver, Until, open_readers};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/debezium")
}

/// A table's expected end: its columns as `Sample` reads them, its rows, and (key, column) of what is set aside.
struct Expected {
    table: String,
    columns: String,
    rows: Vec<Vec<String>>,
    set_aside: Vec<(String, String)>,
}

fn expected(path: &Path, table: &str) -> Expected {
    let text = std::fs::read_to_string(path).expect("a fixture");
    let mut lines = text.lines().peekable();
    let envelope = match lines.peek().and_then(|line| line.strip_prefix("# envelope: ")) {
        Some(envelope) => {
            let envelope = format!("({envelope})");
            lines.next();
            envelope
        }
        None => String::new(),
    };
    // Samples are written with spaces between columns, so types with a space in their name go by their short one.
    let columns = lines.next().expect("a line of columns").replace("character varying", "varchar");
    let columns =
        columns.replace("timestamp without time zone", "timestamp").replace("timestamp with time zone", "timestamptz");
    let columns =
        columns.replace("time without time zone", "time").replace("double precision", "double").replace('\t', " ");
    let (mut rows, mut set_aside) = (Vec::new(), Vec::new());
    for line in lines {
        let fields: Vec<String> = line.split('\t').map(str::to_string).collect();
        match line.strip_prefix('!') {
            Some(_) => set_aside.push((fields[0][1..].to_string(), fields[1].clone())),
            None => rows.push(fields),
        }
    }
    Expected { table: table.to_string(), columns: format!("{table}{envelope} {columns}"), rows, set_aside }
}

/// Replays a capture for the given tables, all from the one file.
fn replay(capture: &Path, tables: &[Expected]) {
    let text: Vec<&str> = tables.iter().map(|table| table.columns.as_str()).collect();
    let connector = Connector::File { path: capture.to_path_buf(), topic: None };
    let schemas = capture.with_extension("schemas.json");
    let format = if schemas.exists() { Format::Avro } else { Format::Json };
    let mut sample = Sample::new(&text.join("\n")).at(connector, format);
    for table in &mut sample.tables {
        table.is_shared = true;
        table.registry = Some(RegistrySettings { url: schemas.display().to_string(), ..Default::default() })
            .filter(|_| format == Format::Avro);
    }
    let specs = sample.specs();
    let mut opened = open_readers(sample.tables, &Positions::new(), Until::End).expect("opened");
    assert_eq!(opened.len(), 1, "one reader for a shared file");
    let mut resolver = Resolver::new(&specs, []);
    let mut resolved = Resolved::default();
    while let Poll::Batch(batch) = opened[0].reader.poll(Duration::ZERO).expect("read") {
        resolver.resolve_batch(batch, &mut resolved);
    }
    let mut left: BTreeMap<(usize, Row), i64> = BTreeMap::new();
    for (table, row, diff) in resolved.updates {
        *left.entry((table, row)).or_default() += diff;
    }
    let mut faults: BTreeMap<(String, String, String), i64> = BTreeMap::new();
    for (fault, diff) in resolved.faults {
        let place = (fault.table.unwrap_or_default(), fault.key.unwrap_or_default(), fault.column.unwrap_or_default());
        *faults.entry(place).or_default() += diff;
    }
    faults.retain(|_, count| *count != 0);
    for (index, expected) in tables.iter().enumerate() {
        let mut rows = Vec::new();
        for ((_, row), count) in left.iter().filter(|((table, _), _)| *table == index) {
            assert!(*count >= 0, "{row:?} is there {count} times");
            let types = specs[index].columns.iter().map(|column| column.ty.clone());
            let escaped = values(row, types, "\\N").into_iter();
            let escaped = escaped.map(|value| match value.as_str() {
                "\\N" => value,
                _ => value.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t"),
            });
            let escaped: Vec<String> = escaped.collect();
            rows.extend(std::iter::repeat_n(escaped, *count as usize));
        }
        rows.sort();
        let mut wanted = expected.rows.clone();
        wanted.sort();
        assert_eq!(rows, wanted, "{} of {}", expected.table, capture.display());
        let name = format!("raw.{}", expected.table);
        let found = faults.keys().filter(|(table, _, _)| *table == name);
        let found: Vec<_> = found.map(|(_, key, column)| (key.clone(), column.clone())).collect();
        assert_eq!(found, expected.set_aside, "{} of {}", expected.table, capture.display());
    }
    let unknown: Vec<_> = faults.keys().filter(|(table, _, _)| table.is_empty()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn captures_end_as_postgresql_had_the_tables() {
    let mut captures: BTreeMap<(String, String), Vec<Expected>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).expect("the fixtures") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".tsv") {
            let mut parts = name.splitn(3, '.');
            let (capture, table) = (parts.next().expect("a capture"), parts.next().expect("a table"));
            let variant = parts.next().unwrap_or_default();
            captures.entry((capture.into(), variant.into())).or_default().push(expected(&path, table));
        }
    }
    assert!(captures.len() >= 28, "{} captures found", captures.len());
    for ((capture, _), tables) in captures {
        replay(&folder().join(format!("{capture}.jsonl")), &tables);
    }
}

/// The updates and faults of each record of a capture's table, in order; a tombstone or a record of another table has none.
fn step_by_step(capture: &str, table: &str) -> (Vec<Resolved>, Resolver) {
    let sample = Sample::new(table);
    let mut decoder = super::decoder::Decoder::new(&sample.tables).expect("a decoder");
    let mut resolver = Resolver::new(&sample.specs(), []);
    let text = std::fs::read_to_string(folder().join(format!("{capture}.jsonl"))).expect("a capture");
    let mut steps = Vec::new();
    for (offset, line) in text.lines().enumerate() {
        let mut records = Vec::new();
        decoder.line(offset as u64, line.as_bytes(), &mut records).expect("decoded");
        let mut resolved = Resolved::default();
        for record in records {
            resolver.resolve(&"raw".into(), &"0".into(), record, &mut resolved);
        }
        steps.push(resolved);
    }
    (steps, resolver)
}

#[test]
fn what_a_restarted_connector_sends_again_does_not_take_rows_back_in_time() {
    let (steps, _) =
        step_by_step("restart_duplicates", "customers *id:integer name:text balance:numeric(12,2):decimal(2)");
    let counts: Vec<usize> = steps.iter().take(16).map(|step| step.updates.len()).collect();
    // One snapshot row, four inserts, an update, a delete and its tombstone; the same seven again; an update.
    assert_eq!(counts, [1, 1, 1, 1, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
}

#[test]
fn marks_of_redelivery_outlive_the_process() {
    let table = "customers *id:integer name:text balance:numeric(12,2):decimal(2)";
    let sample = Sample::new(table);
    let text = std::fs::read_to_string(folder().join("restart_duplicates.jsonl")).expect("a capture");
    let mut decoder = super::decoder::Decoder::new(&sample.tables).expect("a decoder");
    let (source, partition) = ("raw".into(), "0".into());
    let mut take = |resolver: &mut Resolver, lines: std::ops::Range<usize>| {
        let mut resolved = Resolved::default();
        for (offset, line) in text.lines().enumerate().skip(lines.start).take(lines.len()) {
            let mut records = Vec::new();
            decoder.line(offset as u64, line.as_bytes(), &mut records).expect("decoded");
            records.into_iter().for_each(|record| resolver.resolve(&source, &partition, record, &mut resolved));
        }
        resolved
    };
    let mut before = Resolver::new(&sample.specs(), []);
    before.keep_journal();
    take(&mut before, 0..8);
    for is_swept in [false, true] {
        if is_swept {
            before.begin_sweep();
            assert!(before.sweep(usize::MAX));
        }
        let journal = before.take_journal();
        let mut after = Resolver::new(&sample.specs(), []);
        after.restore_partitions(before.partitions().clone());
        let mut bytes = super::varint::Bytes(&journal.entries);
        while let Some(entry) = super::journal::next_entry(&mut bytes) {
            after.apply(entry.expect("whole"), &[Some(0)]).expect("applied");
        }
        assert_eq!(take(&mut after, 8..15).updates, [], "swept: {is_swept}");
        assert_eq!(take(&mut after, 15..16).updates.len(), 2, "swept: {is_swept}");
    }
}

#[test]
fn unchanged_large_values_are_those_of_the_row_before() {
    for capture in ["toast_default", "toast_default_schemas", "toast_full"] {
        let table = "docs *id:integer title:text body:text arr:text[] js:jsonb bin:bytea";
        let (steps, _) = step_by_step(capture, table);
        let types = || Sample::new(table).specs()[0].columns.iter().map(|column| column.ty.clone()).collect::<Vec<_>>();
        let lengths = |row: &Row| {
            let shown = values(row, types().into_iter(), "null");
            format!("{} {} {:?}", shown[0], shown[1], shown[2..].iter().map(String::len).collect::<Vec<_>>())
        };
        let rows: Vec<String> = steps
            .iter()
            .flat_map(|step| step.updates.iter().filter(|(_, _, diff)| *diff > 0).map(|(_, row, _)| lengths(row)))
            .collect();
        let expected = [
            "1 t1 [3000, 3001, 3009, 6002]",
            "1 t2 [3000, 3001, 3009, 6002]",
            "1 t2 [20, 3001, 3009, 6002]",
            "1 t3 [20, 3001, 3009, 6002]",
            "9 t3 [20, 3001, 3009, 6002]",
        ];
        assert_eq!(rows, expected, "{capture}");
        assert!(steps.iter().all(|step| step.faults.is_empty()), "{capture}");
    }
}

#[test]
fn no_epoch_may_end_inside_a_key_change() {
    let (_, mut resolver) = step_by_step("pk_change", "nobody *id:integer");
    assert!(!resolver.is_moving());
    let sample = Sample::new("customers *id:integer name:text");
    let mut decoder = super::decoder::Decoder::new(&sample.tables).expect("a decoder");
    resolver = Resolver::new(&sample.specs(), []);
    let text = std::fs::read_to_string(folder().join("pk_change.jsonl")).expect("a capture");
    let mut moving = String::new();
    for (offset, line) in text.lines().enumerate().filter(|(_, line)| line.contains("pk_change.public.customers\"")) {
        let mut records = Vec::new();
        decoder.line(offset as u64, line.as_bytes(), &mut records).expect("decoded");
        let mut resolved = Resolved::default();
        records.into_iter().for_each(|record| resolver.resolve(&"raw".into(), &"0".into(), record, &mut resolved));
        moving.push(if resolver.is_moving() { 'm' } else { '.' });
    }
    // The snapshot's row; d, tombstone, c; the same once more.
    assert_eq!(moving, ".mm.mm.");
}
