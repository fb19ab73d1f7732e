use row::ScalarType;

use super::*;
use crate::sink::{TableColumn, TableProperties};

fn table() -> TableSpec {
    TableSpec {
        model: "model.shop.m".into(),
        schema: "marts".into(),
        name: "m".into(),
        columns: vec![
            TableColumn { name: "id".into(), ty: ScalarType::Int64, nullable: false },
            TableColumn { name: "name".into(), ty: ScalarType::Text, nullable: true },
        ],
        key: Some(vec![0]),
        fingerprint: "f".into(),
        compiled_sql: "select 1".into(),
        properties: TableProperties::default(),
    }
}

fn row(id: i64, name: &str) -> Row {
    Row::pack([Datum::Int(id), Datum::Text(name)])
}

#[test]
fn a_row_that_changes_is_one_update() {
    let delta = [(row(2, "b"), 1), (row(1, "x"), -1), (row(2, "a"), -1), (row(3, "n"), 1)];
    let changes = by_key(&table(), &[0], &delta).expect("a key");
    assert_eq!(changes.updates, [&row(2, "b")]);
    assert_eq!(changes.deletes, [&row(1, "x")]);
    assert_eq!(changes.inserts, [&row(3, "n")]);
}

#[test]
fn two_rows_of_one_key_are_refused_by_name() {
    let delta = [(row(2, "b"), 1), (row(2, "a"), 1)];
    let error = by_key(&table(), &[0], &delta).expect_err("two rows of one key").to_string();
    assert!(error.contains("model.shop.m") && error.contains("(id)"), "{error}");
    assert!(by_key(&table(), &[0], &[(row(1, "a"), 2)]).is_err());
}

#[test]
fn copies_add_up() {
    let delta = [(row(2, "b"), 3), (row(1, "x"), -2), (row(5, "z"), 0)];
    let changes = by_copies(&delta);
    assert_eq!(changes.deleted(), 2);
    assert_eq!(changes.inserts, [(&delta[0].0, 3)]);
    assert_eq!(changes.deletes, [(&delta[1].0, 2)]);
}
