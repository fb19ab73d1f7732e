//! A log of records in three partitions, the same for the same seed, and a reader of it that dies with its process.

use std::sync::Arc;
use std::time::Duration;

use livemart::plan::RelationId;
use livemart::source::{
    Batch, Change, Envelope, Gate, OpenReader, Poll, Positions, Reader, Record, SourceColumn, SourceError, TableSpec,
    first_position,
};
use row::{Datum, Row, ScalarType};

use super::super::pipeline::history::Dice;

/// (table, its source) by index: orders and items by key, moves counted, clicks only added to.
pub const SOURCES: [&str; 3] = ["raw.orders", "raw.moves", "raw.clicks"];
pub const MARK: &str = "topic@0";

/// Everything that was ever said, by partition; a partition belongs to the source and table of its number.
pub struct Said(pub Vec<Vec<Record>>);

pub fn specs() -> Vec<TableSpec> {
    let shape = [(Some(vec![0]), Envelope::Debezium), (None, Envelope::Debezium), (None, Envelope::Append)];
    let columns = ["id", "value", "note"].map(|name| SourceColumn { name: name.into(), ty: ScalarType::Int64 });
    let table = |(name, (key, envelope)): (&str, (Option<Vec<usize>>, Envelope))| TableSpec {
        relation: RelationId(name.into()),
        name: name.into(),
        columns: columns.to_vec(),
        demanded: vec![true, true, false],
        keeps_all: true,
        key,
        envelope,
    };
    SOURCES.into_iter().zip(shape).map(table).collect()
}

impl Said {
    pub fn new(dice: &mut Dice, records: u64) -> Said {
        Said((0..SOURCES.len()).map(|table| (0..records).map(|offset| record(dice, table, offset)).collect()).collect())
    }
}

fn record(dice: &mut Dice, table: usize, offset: u64) -> Record {
    let id = Datum::Int(dice.between(0, 12));
    let row = Row::pack([id.clone(), Datum::Int(dice.between(0, 6)), Datum::Int(dice.between(0, 100))]);
    let key = Row::pack([id]);
    let throw = dice.between(0, 20);
    let change = match (table, throw) {
        (0, 0..4) => Change::Delete { table, key, moves: false },
        (0, 4) => Change::Malformed {
            table: Some(table),
            key: Some(key),
            column: Some("value".into()),
            reason: "bad".into(),
            record: "{}".into(),
        },
        (0, 5) if offset.is_multiple_of(3) => Change::Truncate { table },
        (0, _) => Change::Upsert { table, key, row },
        (1, 0..9) => Change::Remove { table, row },
        (_, 19) => Change::Skip,
        _ => Change::Insert { table, row },
    };
    Record { offset, event_time: Some(offset as i64), sequence: 0, delivery: None, change }
}

/// What the topics still hold: records from `low` on.
pub struct SimReader {
    said: Arc<Said>,
    source: usize,
    position: u64,
    end: u64,
    dice: Dice,
    gate: Gate,
    is_dead: Box<dyn Fn() -> bool + Send>,
}

/// A reader of one partition from where `from` says; refused when the records from there on are gone.
pub fn open(
    said: &Arc<Said>,
    source: usize,
    (low, end): (u64, u64),
    from: &Positions,
    dice: Dice,
    is_dead: impl Fn() -> bool + Send + 'static,
) -> Result<OpenReader, SourceError> {
    let place = (SOURCES[source].to_owned(), "0".to_owned());
    let position = from.get(&place).map_or(low, |(position, _)| *position);
    assert!(from.get(&place).is_none_or(|(_, mark)| first_position(mark) == 0));
    if position < low {
        return Err(SourceError::new(format!("{} begins at {low}, after {position}", SOURCES[source])));
    }
    let said = said.clone();
    let reader = SimReader { said, source, position, end, dice, gate: Gate::open(), is_dead: Box::new(is_dead) };
    Ok(OpenReader {
        reader: Box::new(reader),
        partitions: vec![(SOURCES[source].into(), "0".into())],
        tables: vec![(source, false)],
    })
}

impl Reader for SimReader {
    fn wait_at(&mut self, gate: Gate) {
        self.gate = gate;
    }

    fn poll(&mut self, _: Duration) -> Result<Poll, SourceError> {
        if (self.is_dead)() {
            return Err(SourceError::new("the process is gone"));
        }
        if self.position >= self.end {
            return Ok(Poll::End);
        }
        if self.position >= self.gate.limit(SOURCES[self.source], "0") || self.dice.between(0, 5) == 0 {
            std::thread::sleep(Duration::from_micros(200));
            return Ok(Poll::Idle);
        }
        let count = self.dice.between(1, 9) as u64;
        let end = (self.position + count).min(self.end);
        let records = self.said.0[self.source][self.position as usize..end as usize].to_vec();
        self.position = end;
        Ok(Poll::Batch(Batch {
            source: SOURCES[self.source].into(),
            partition: "0".into(),
            records,
            position: end,
            mark: MARK.into(),
        }))
    }

    fn remaining(&self) -> Vec<(Arc<str>, Arc<str>, Option<u64>)> {
        vec![(SOURCES[self.source].into(), "0".into(), Some(self.end - self.position))]
    }
}
