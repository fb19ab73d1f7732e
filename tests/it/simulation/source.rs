//! A log of records, the same for the same seed, and a reader of it that dies with its process.
//!
//! In half of the worlds orders come in two partitions: versions of a key are sent twice and out of order, and the greatest
//! (sequence, partition, offset) among the last words of the partitions wins.

use std::sync::Arc;
use std::time::Duration;

use livemart::plan::RelationId;
use livemart::source::{
    Batch, Change, Envelope, Gate, Malformed, OpenReader, Poll, Positions, Reader, Record, SourceColumn, SourceError,
    TableSpec, first_position,
};
use row::{Datum, Row, ScalarType};

use super::super::pipeline::history::Dice;

/// (table, its source) by index: orders and items by key, moves counted, clicks only added to.
pub const SOURCES: [&str; 3] = ["raw.orders", "raw.moves", "raw.clicks"];
/// Partitions, as (source, name).
pub const PLACES: [(usize, &str); 4] = [(0, "0"), (0, "1"), (1, "0"), (2, "0")];
pub const MARK: &str = "topic@0";

/// Everything that was ever said, by place.
pub struct Said {
    pub records: Vec<Vec<Record>>,
    /// Orders come in two partitions.
    pub several: bool,
}

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
    pub fn new(dice: &mut Dice, records: u64, several: bool) -> Said {
        let said = |place: usize| match place {
            1 if !several => Vec::new(),
            0 | 1 if several => (0..records).map(|offset| version(dice, offset)).collect(),
            place => (0..records).map(|offset| record(dice, PLACES[place].0, offset)).collect(),
        };
        Said { records: (0..PLACES.len()).map(said).collect(), several }
    }

    /// Where each place ends.
    pub fn ends(&self) -> Vec<u64> {
        self.records.iter().map(|records| records.len() as u64).collect()
    }
}

/// A word of one of several partitions about an order: late, early, or said before.
fn version(dice: &mut Dice, offset: u64) -> Record {
    let id = Datum::Int(dice.between(0, 12));
    let key = Row::pack([id.clone()]);
    let row = Row::pack([id, Datum::Int(dice.between(0, 6)), Datum::Int(dice.between(0, 100))]);
    let change = match dice.between(0, 10) {
        0..2 => Change::Delete { table: 0, key, moves: false },
        2 => Change::Skip,
        _ => Change::Upsert { table: 0, key, row },
    };
    let sequence = (offset as i64 + dice.between(-12, 12)).max(0) / 2;
    Record { offset, event_time: Some(offset as i64), sequence, delivery: None, change }
}

fn record(dice: &mut Dice, table: usize, offset: u64) -> Record {
    let id = Datum::Int(dice.between(0, 12));
    let row = Row::pack([id.clone(), Datum::Int(dice.between(0, 6)), Datum::Int(dice.between(0, 100))]);
    let key = Row::pack([id]);
    let throw = dice.between(0, 20);
    let change = match (table, throw) {
        (0, 0..4) => Change::Delete { table, key, moves: false },
        (0, 4) => Change::Malformed(Box::new(Malformed {
            table: Some(table),
            key: Some(key),
            column: Some("value".into()),
            reason: "bad".into(),
            record: "{}".into(),
        })),
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
    place: usize,
    position: u64,
    end: u64,
    dice: Dice,
    gate: Gate,
    is_dead: Box<dyn Fn() -> bool + Send>,
}

/// A reader of one partition from where `from` says; refused when the records from there on are gone.
pub fn open(
    said: &Arc<Said>,
    place: usize,
    (low, end): (u64, u64),
    from: &Positions,
    dice: Dice,
    is_dead: impl Fn() -> bool + Send + 'static,
) -> Result<OpenReader, SourceError> {
    let (source, name) = PLACES[place];
    let at = from.get(&(SOURCES[source].to_owned(), name.to_owned()));
    let position = at.map_or(low, |(position, _)| *position);
    assert!(at.is_none_or(|(_, mark)| first_position(mark) == 0));
    if position < low {
        return Err(SourceError::new(format!("{} begins at {low}, after {position}", SOURCES[source])));
    }
    let tables = vec![(source, source == 0 && said.several)];
    let said = said.clone();
    let reader = SimReader { said, place, position, end, dice, gate: Gate::open(), is_dead: Box::new(is_dead) };
    Ok(OpenReader { reader: Box::new(reader), partitions: vec![(SOURCES[source].into(), name.into())], tables })
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
        let (source, name) = PLACES[self.place];
        if self.position >= self.gate.limit(SOURCES[source], name) || self.dice.between(0, 5) == 0 {
            return Ok(Poll::Idle);
        }
        let count = self.dice.between(1, 9) as u64;
        let end = (self.position + count).min(self.end);
        let records = self.said.records[self.place][self.position as usize..end as usize].to_vec();
        self.position = end;
        Ok(Poll::Batch(Batch {
            source: SOURCES[source].into(),
            partition: name.into(),
            records,
            position: end,
            mark: MARK.into(),
            group: None,
        }))
    }

    fn remaining(&self) -> Vec<(Arc<str>, Arc<str>, Option<u64>)> {
        let (source, name) = PLACES[self.place];
        vec![(SOURCES[source].into(), name.into(), Some(self.end - self.position))]
    }
}
