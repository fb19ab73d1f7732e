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
