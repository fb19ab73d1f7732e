//! What the tables must hold at given positions, by plain maps over the records.

use std::collections::BTreeMap;

use livemart::source::{Change, Positions};
use row::{Datum, Row};

use super::source::{PLACES, SOURCES, Said};

/// Rows by model, and how many records of orders are set aside.
pub type Tables = (BTreeMap<String, BTreeMap<Row, i64>>, i64);

pub fn tables_at(said: &Said, positions: &Positions, clock: i64) -> Tables {
    let mut orders: BTreeMap<i64, Option<i64>> = BTreeMap::new();
    let mut faults: BTreeMap<i64, i64> = BTreeMap::new();
    let (mut moves, mut clicks): (BTreeMap<Row, i64>, BTreeMap<i64, i64>) = Default::default();
    let first = |row: &Row| row.iter().next().map_or(0, |id| id.unwrap_int());
    let value = |row: &Row| row.iter().nth(1).map(|value| value.unwrap_int());
    // By key and partition: the last word, by what it is compared with.
    type Word = ((i64, usize, u64), Option<Option<i64>>);
    let mut words: BTreeMap<(i64, usize), Word> = BTreeMap::new();
    for (place, records) in said.records.iter().enumerate() {
        let (source, name) = PLACES[place];
        let end = positions.get(&(SOURCES[source].to_owned(), name.to_owned())).map_or(0, |(position, _)| *position);
        for record in &records[..end as usize] {
            if source == 0 && said.several {
                let rank = (record.sequence, place, record.offset);
                let word = match &record.change {
                    Change::Upsert { key, row, .. } => Some((first(key), Some(value(row)))),
                    Change::Delete { key, .. } => Some((first(key), None)),
                    _ => None,
                };
                words.extend(word.map(|(id, row)| ((id, place), (rank, row))));
                continue;
            }
            match &record.change {
                Change::Upsert { key, row, .. } => {
                    orders.insert(first(key), value(row));
                    faults.remove(&first(key));
                }
                Change::Delete { key, .. } => {
                    orders.remove(&first(key));
                    faults.remove(&first(key));
                }
                Change::Truncate { .. } => {
                    orders.clear();
                    faults.clear();
                }
                Change::Malformed(malformed) => {
                    if let Some(key) = &malformed.key {
                        *faults.entry(first(key)).or_default() += 1;
                    }
                }
                Change::Insert { table: 1, row } => *moves.entry(row.clone()).or_default() += 1,
                Change::Remove { row, .. } => *moves.entry(row.clone()).or_default() -= 1,
                Change::Insert { row, .. } => *clicks.entry(first(row)).or_default() += 1,
                _ => {}
            }
        }
    }
    let mut winners: BTreeMap<i64, Word> = BTreeMap::new();
    for ((id, _), word) in words {
        let winner = winners.entry(id).or_insert(word);
        if word.0 > winner.0 {
            *winner = word;
        }
    }
    orders.extend(winners.into_iter().filter_map(|(id, (_, row))| Some((id, row?))));
    let mut moved: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for (row, count) in moves.iter().filter(|(_, count)| **count > 0) {
        let of = moved.entry(first(row)).or_default();
        of.0 += count;
        of.1 += value(row).unwrap_or(0) * count;
    }
    let int = Datum::Int;
    let marts = orders.iter().map(|(id, value)| {
        let (count, sum) = moved.get(id).map_or((Datum::Int(0), Datum::Null), |(count, sum)| (int(*count), int(*sum)));
        (Row::pack([int(*id), value.map_or(Datum::Null, int), count, sum]), 1)
    });
    let day = Datum::Date(i32::try_from(clock.div_euclid(86_400_000_000)).expect("a day"));
    let today = Row::pack([day, Datum::Int(clicks.values().sum())]);
    let clicks = clicks.iter().map(|(id, count)| (Row::pack([int(*id), int(*count)]), 1));
    let tables = BTreeMap::from([
        ("mart".to_owned(), marts.collect()),
        ("clicks".to_owned(), clicks.collect()),
        ("today".to_owned(), BTreeMap::from([(today, 1)])),
    ]);
    (tables, faults.values().sum())
}
