//! The index against a sorted list, whatever comes and goes.

use proptest::prelude::*;
use row::{Datum, Numeric, Row, SortDirection, push_order_key};
use smallvec::SmallVec;

use crate::{Index, Weight};

/// A sorted list with every question answered the long way.
#[derive(Default)]
struct Model(Vec<(Vec<u8>, Row)>);

const LANES: usize = 3;

fn key(value: i64) -> Vec<u8> {
    let mut key: SmallVec<[u8; 32]> = SmallVec::new();
    let datum = if value % 7 == 0 { Datum::Null } else { Datum::Int(value / 2) };
    push_order_key(&mut key, &datum, SortDirection::ASCENDING);
    key.to_vec()
}

fn row(value: i64, other: i64) -> Row {
    let price = Numeric::from_parts(i128::from(other) * 10, 1 + (other % 2) as u16);
    Row::pack([Datum::Int(value), Datum::Text(&"x".repeat((other % 5) as usize)), Datum::Numeric(price)])
}

/// The third lane is used by few rows only, and then by large numbers.
fn lanes(row: &Row) -> [i64; LANES] {
    let value = row.iter().next().map_or(0, |datum| datum.unwrap_int());
    [1, value, if value % 11 == 0 { value << 32 } else { 0 }]
}

fn mark(row: &Row) -> Option<&[u8]> {
    (!row.bytes().len().is_multiple_of(3)).then(|| &row.bytes()[1..])
}

impl Model {
    fn change(&mut self, key: &[u8], row: &Row, diff: i64) -> i64 {
        for _ in 0..diff {
            self.0.push((key.to_vec(), row.clone()));
        }
        for _ in diff..0 {
            let at = self.0.iter().position(|entry| entry.0 == key && entry.1 == *row).expect("the model has it");
            self.0.remove(at);
        }
        self.0.sort_by(|a, b| {
            let columns = || {
                let mut pairs = a.1.iter().zip(b.1.iter()).map(|(a, b)| a.sql_cmp(&b));
                pairs.find(|order| order.is_ne()).unwrap_or_else(|| a.1.cmp(&b.1))
            };
            a.0.cmp(&b.0).then_with(columns)
        });
        self.0.iter().filter(|entry| entry.0 == key && entry.1 == *row).count() as i64
    }

    fn sum(&self, from: usize, to: usize) -> [i64; LANES] {
        let mut sum = [0; LANES];
        for (_, row) in &self.0[from..to] {
            sum.iter_mut().zip(lanes(row)).for_each(|(sum, lane)| *sum += lane);
        }
        sum
    }
}

fn change(index: &mut Index, key: &[u8], row: &Row, diff: i64) -> i64 {
    index.change(key, row.as_ref(), diff, Weight { lanes: &lanes(row), marks: &[mark(row), None] })
}

fn padded(lanes: &[i64]) -> [i64; LANES] {
    std::array::from_fn(|i| lanes.get(i).copied().unwrap_or(0))
}

fn check(index: &Index, model: &Model) {
    let rows = &model.0;
    assert_eq!(index.len(), rows.len() as i64);
    assert_eq!(index.is_empty(), rows.is_empty());
    let mut walked = Vec::new();
    let mut before: Option<Vec<u8>> = None;
    for entry in index.iter() {
        assert_eq!(entry.rank, walked.len() as i64);
        assert_eq!(entry.is_first_peer, before.as_deref() != Some(entry.key));
        let one = lanes(&entry.row.to_row());
        assert_eq!(padded(entry.lanes()), one.map(|lane| lane * entry.copies));
        before = Some(entry.key.to_vec());
        for _ in 0..entry.copies {
            walked.push((entry.key.to_vec(), entry.row.to_row()));
        }
    }
    assert_eq!(walked, *rows);
    let groups = |to: usize| (0..to).filter(|i| *i == 0 || rows[*i].0 != rows[i - 1].0).count() as i64;
    assert_eq!(index.peer_groups(), groups(rows.len()));
    assert_eq!(padded(&index.total()), model.sum(0, rows.len()));
    let step = rows.len() / 40 + 1;
    let (mut finder, mut walk) = (index.finder(), index.iter());
    for i in (0..=rows.len()).step_by(step) {
        // A little on, far on, and back.
        for rank in [i, i + 1, i / 2] {
            walk.seek(index, rank as i64);
            let found = walk.next().map(|entry| (entry.key.to_vec(), entry.row.to_row()));
            assert_eq!(found.as_ref(), rows.get(rank));
            if let Some((key, row)) = &found {
                assert_eq!(finder.find(key, row.as_ref()), index.find(key, row.as_ref()));
                let missing = Row::pack([Datum::Int(-1)]);
                assert_eq!(finder.find(key, missing.as_ref()), (index.rank(key, missing.as_ref()), 0));
            }
        }
        assert_eq!(padded(&index.sum_of_first(i as i64)), model.sum(0, i));
        assert_eq!(index.groups_among_first(i as i64), groups(i));
        let from = i / 3;
        assert_eq!(padded(&index.sum(from as i64, i as i64)), model.sum(from, i));
        let greatest = rows[from..i].iter().filter_map(|(_, row)| mark(row)).max();
        assert_eq!(index.greatest(0, from as i64, i as i64), greatest);
        assert_eq!(index.greatest(1, from as i64, i as i64), None);
        let Some((key, row)) = rows.get(i) else {
            assert!(index.at(i as i64).is_none());
            continue;
        };
        let entry = index.at(i as i64).expect("there is such a rank");
        assert_eq!((entry.key, entry.row), (&key[..], row.as_ref()));
        assert!(entry.rank <= i as i64 && (i as i64) < entry.rank + entry.copies);
        assert_eq!(index.rank(key, row.as_ref()), rows.iter().position(|entry| entry == &rows[i]).unwrap_or(0) as i64);
        let same = rows.iter().filter(|entry| *entry == &rows[i]).count() as i64;
        assert_eq!(index.rank_after(key, row.as_ref()), entry.rank + same);
        assert_eq!(index.ranks(key, row.as_ref()), (entry.rank, entry.rank + same));
        assert_eq!(index.rank_of_key(key), rows.iter().filter(|entry| entry.0 < *key).count() as i64);
        assert_eq!(index.rank_after_key(key), rows.iter().filter(|entry| entry.0 <= *key).count() as i64);
        // The values are not negative, so this only grows.
        let limit = model.sum(0, i)[1];
        let longest = (0..=rows.len()).rev().find(|rows| model.sum(0, *rows)[1] <= limit).unwrap_or(0);
        assert_eq!(index.longest_prefix(|_, lanes| padded(lanes)[1] <= limit), longest as i64);
        assert_eq!(index.longest_prefix(|rows, _| rows <= i as i64), i as i64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn it_answers_as_a_sorted_list_does(
        changes in prop::collection::vec((0_i64..90, 0_i64..4, 1_i64..4, any::<bool>()), 1..700),
    ) {
        let (mut index, mut model) = (Index::new(), Model::default());
        for (i, (value, other, copies, takes)) in changes.iter().enumerate() {
            let (key, row) = (key(*value), row(*value, *other));
            let held = index.copies(&key, row.as_ref());
            let diff = if *takes && held > 0 { -held.min(*copies) } else { *copies };
            prop_assert_eq!(change(&mut index, &key, &row, diff), model.change(&key, &row, diff));
            if i % 97 == 0 {
                check(&index, &model);
            }
        }
        check(&index, &model);
        // Everything goes again, from the middle outwards.
        while !model.0.is_empty() {
            let (key, row) = model.0[model.0.len() / 2].clone();
            let copies = index.copies(&key, row.as_ref());
            change(&mut index, &key, &row, -copies);
            model.change(&key, &row, -copies);
            if model.0.len() % 101 == 0 {
                check(&index, &model);
            }
        }
        check(&index, &model);
    }
}

#[test]
fn rows_that_come_in_order_fill_their_leaves_and_deep_trees_answer_too() {
    let mut index = Index::new();
    const ROWS: i64 = 30_000;
    let weigh = |i: i64| (Row::pack([Datum::Int(i)]), (i as u64).to_be_bytes());
    for i in 0..ROWS {
        let (row, key) = weigh(i);
        index.change(&key, row.as_ref(), 1, Weight { lanes: &[i], marks: &[] });
    }
    for i in (0..ROWS).step_by(613) {
        let (row, key) = weigh(i);
        assert_eq!(index.rank(&key, row.as_ref()), i);
        assert_eq!(padded(&index.sum_of_first(i))[0], i * (i - 1) / 2);
        assert_eq!(index.longest_prefix(|_, lanes| lanes.first().is_none_or(|sum| *sum <= i * (i - 1) / 2)), i.max(1));
    }
    for i in (0..ROWS).filter(|i| i % 10 != 0) {
        let (row, key) = weigh(i);
        index.change(&key, row.as_ref(), -1, Weight { lanes: &[i], marks: &[] });
    }
    assert_eq!(index.len(), ROWS / 10);
    assert_eq!(index.at(7).map(|entry| entry.row.to_row()), Some(weigh(70).0));
    assert_eq!(index.iter().count(), 3_000);
}

#[test]
fn a_stretch_of_rows_goes_leaf_by_leaf_and_leaves_no_hole() {
    const ROWS: i64 = 12_000;
    let place = |i: i64| (Row::pack([Datum::Int(i)]), (i as u64).to_be_bytes());
    // Whole inner nodes become empty, whose neighbours are too full to take what is left of them.
    let (up, down): (Vec<i64>, Vec<i64>) = ((3_100..6_500).collect(), (3_100..6_500).rev().collect());
    for goes in [up, down] {
        let mut index = Index::new();
        for i in 0..ROWS {
            let (row, key) = place(i);
            index.change(&key, row.as_ref(), 1, Weight::default());
        }
        for (gone, i) in (1..).zip(&goes) {
            let (row, key) = place(*i);
            index.change(&key, row.as_ref(), -1, Weight::default());
            if gone % 25 == 0 {
                assert_eq!(index.iter().count() as i64, ROWS - gone);
            }
        }
    }
}

#[test]
fn rows_of_many_kilobytes_lie_in_small_leaves() {
    let mut index = Index::new();
    let long = "y".repeat(9_000);
    for i in 0..200_i64 {
        let row = Row::pack([Datum::Int(i), Datum::Text(&long)]);
        index.change(&((i * 37 % 200) as u64).to_be_bytes(), row.as_ref(), 1, Weight::default());
    }
    assert_eq!(index.iter().map(|entry| entry.rank).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "more copies taken away")]
fn taking_what_is_not_there_is_the_callers_fault() {
    Index::new().change(&[1], Row::default().as_ref(), -1, Weight::default());
}
