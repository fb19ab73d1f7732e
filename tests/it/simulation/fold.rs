//! A table from its changelog, as any consumer would make it.

use std::collections::BTreeMap;

use livemart::sink::changelog::OutboxRecord;
use row::{Datum, Row, calendar};
use serde_json::Value as Json;

/// Rows and copies, of one topic's records in order.
pub fn table<'a>(records: impl Iterator<Item = &'a OutboxRecord>) -> BTreeMap<Row, i64> {
    let mut keyed: BTreeMap<String, Row> = BTreeMap::new();
    let mut counted: BTreeMap<Row, i64> = BTreeMap::new();
    for OutboxRecord { key, value, .. } in records {
        let value: Json = value.as_ref().map_or(Json::Null, |value| serde_json::from_str(value).expect("it is JSON"));
        let has_envelope = value.get("op").is_some();
        if key.starts_with("{\"row\":") {
            for (side, copies) in [("before", -1), ("after", 1)] {
                let row = &value[side];
                if !row.is_null() {
                    *counted.entry(row_of(row)).or_default() += copies;
                }
            }
            continue;
        }
        let known = keyed.get(key);
        if has_envelope {
            let before = Some(&value["before"]).filter(|before| !before.is_null()).map(row_of);
            assert_eq!(known, before.as_ref(), "the row before is the row that was told last");
        }
        let row = if has_envelope { &value["after"] } else { &value };
        match row.is_null() {
            true => drop(keyed.remove(key)),
            false => drop(keyed.insert(key.clone(), row_of(row))),
        }
    }
    counted.retain(|_, copies| *copies != 0);
    assert!(counted.values().all(|copies| *copies > 0), "no row goes that was not there");
    for row in keyed.into_values() {
        *counted.entry(row).or_default() += 1;
    }
    counted
}

/// Numbers are bigint here, and texts are dates.
fn row_of(json: &Json) -> Row {
    let columns = json.as_object().expect("a row").values();
    Row::pack(columns.map(|value| match value {
        Json::Number(number) => Datum::Int(number.as_i64().expect("a bigint")),
        Json::String(text) => Datum::Date(calendar::parse_date(text).expect("a date")),
        _ => Datum::Null,
    }))
}
