use std::collections::BTreeMap;

use proptest::prelude::*;
use row::Datum;

use super::*;
use crate::source::testing::Sample;

fn row(id: i64, text: &str) -> Row {
    Row::pack([Datum::Int(id), if text.is_empty() { Datum::Null } else { Datum::Text(text) }])
}

fn key(id: i64) -> Row {
    Row::pack([Datum::Int(id)])
}

fn upsert(id: i64, text: &str) -> Change {
    Change::Upsert { table: 0, key: key(id), row: row(id, text) }
}

fn delete(id: i64) -> Change {
    Change::Delete { table: 0, key: key(id), moves: false }
}

fn malformed(id: Option<i64>) -> Change {
    Change::Malformed(Box::new(Malformed {
        table: Some(0),
        key: id.map(key),
        column: Some("status".into()),
        reason: "broken".into(),
        record: "{}".into(),
    }))
}

fn patch(id: i64, from: Option<i64>) -> Change {
    Change::Patch(Box::new(Patch {
        table: 0,
        key: key(id),
        row: row(id, ""),
        kept: vec![1],
        column: "status".into(),
        moved_from: from.map(key),
        record: "{}".into(),
    }))
}

/// A resolver with one partition index per number given to `say`.
struct Scene {
    resolver: Resolver,
    offsets: BTreeMap<u32, u64>,
}

impl Scene {
    fn new(table: &str, several_partitions: bool) -> Scene {
        let specs = Sample::new(table).specs();
        let resolver = Resolver::new(&specs, several_partitions.then_some(0));
        Scene { resolver, offsets: BTreeMap::new() }
    }

    fn keyed() -> Scene {
        Scene::new("orders *id:integer status:text", false)
    }

    /// What one record of a partition comes to, as text.
    fn say(&mut self, partition: u32, sequence: i64, change: Change) -> String {
        let offset = self.offsets.entry(partition).or_default();
        let record = Record { offset: *offset, event_time: None, delivery: None, sequence, change };
        *offset += 1;
        let mut out = Resolved::default();
        self.resolver.resolve(&"raw.orders".into(), &partition.to_string().into(), record, &mut out);
        show(&out)
    }
}

fn show(out: &Resolved) -> String {
    let updates = out.updates.iter().map(|(_, row, diff)| {
        let values: Vec<String> = row
            .iter()
            .map(|datum| match datum {
                Datum::Int(value) => value.to_string(),
                Datum::Text(value) => value.to_string(),
                _ => "null".into(),
            })
            .collect();
        format!("{diff:+} {}", values.join(" "))
    });
    let faults = out.faults.iter().map(|(fault, diff)| {
        let (key, column) = (fault.key.as_deref().unwrap_or("?"), fault.column.as_deref().unwrap_or("?"));
        format!("{diff:+} fault {key} {column} at {}/{}", fault.partition, fault.position)
    });
    updates.chain(faults).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_change_takes_back_the_row_before() {
    let mut scene = Scene::keyed();
    assert_eq!(scene.say(0, 0, upsert(1, "new")), "+1 1 new");
    assert_eq!(scene.say(0, 0, upsert(1, "paid")), "-1 1 new, +1 1 paid");
    assert_eq!(scene.say(0, 0, upsert(1, "paid")), "", "an equal row changes nothing");
    assert_eq!(scene.say(0, 0, delete(1)), "-1 1 paid");
    assert_eq!(scene.say(0, 0, delete(1)), "", "deleted already");
    assert_eq!(scene.say(0, 0, upsert(1, "again")), "+1 1 again");
    assert_eq!(scene.resolver.rows(0), 1);
}

#[test]
fn a_batch_comes_to_what_its_records_come_to_one_by_one() {
    let dice = |step: u64| step.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    let change = |step: u64| match dice(step) % 23 {
        0 => Change::Truncate { table: 0 },
        1..=4 => delete((dice(step + 1_000) % 40) as i64),
        5 => malformed(Some((dice(step + 1_000) % 40) as i64)),
        6 => patch((dice(step + 1_000) % 40) as i64, None),
        _ => upsert((dice(step + 1_000) % 40) as i64, ["new", "paid", ""][(dice(step + 2_000) % 3) as usize]),
    };
    let record = |offset| Record { offset, event_time: None, delivery: None, sequence: 0, change: change(offset) };
    let specs = Sample::new("orders *id:integer status:text").specs();
    let (mut one_by_one, mut at_once) = (Resolved::default(), Resolved::default());
    let mut resolver = Resolver::new(&specs, []);
    (0..1_000).for_each(|offset| resolver.resolve(&"raw".into(), &"0".into(), record(offset), &mut one_by_one));
    let mut resolver = Resolver::new(&specs, []);
    for from in (0..1_000).step_by(100) {
        let records = (from..from + 100).map(record).collect();
        let (source, partition, mark) = ("raw".into(), "0".into(), String::new());
        let batch = Batch { source, partition, records, position: from + 100, mark, group: None };
        resolver.resolve_batch(batch, &mut at_once);
    }
    assert!(at_once.updates.len() > 500 && !at_once.faults.is_empty());
    assert_eq!(at_once, one_by_one);
}

#[test]
fn within_a_partition_the_later_record_wins_whatever_its_sequence() {
    let mut scene = Scene::keyed();
    assert_eq!(scene.say(0, 9, upsert(1, "a")), "+1 1 a");
    assert_eq!(scene.say(0, 3, upsert(1, "b")), "-1 1 a, +1 1 b");
}

#[test]
fn a_stale_version_from_another_partition_loses() {
    let mut scene = Scene::new("orders *id:integer status:text", true);
    assert_eq!(scene.say(0, 9, upsert(1, "a")), "+1 1 a");
    assert_eq!(scene.say(1, 3, upsert(1, "old")), "");
    assert_eq!(scene.say(1, 10, upsert(1, "newer")), "-1 1 a, +1 1 newer");
    assert_eq!(scene.say(0, 11, delete(1)), "-1 1 newer");
    assert_eq!(scene.say(1, 10, upsert(1, "late")), "", "the deletion is remembered");
}

#[test]
fn of_equal_sequences_the_greater_partition_wins_by_number() {
    let mut scene = Scene::new("orders *id:integer status:text", true);
    assert_eq!(scene.say(10, 5, upsert(1, "ten")), "+1 1 ten");
    assert_eq!(scene.say(9, 5, upsert(1, "nine")), "", "10 is above 9 though \"10\" is below \"9\"");
}

#[test]
fn a_fault_leaves_the_row_and_heals_with_the_next_good_record() {
    let mut scene = Scene::keyed();
    scene.say(0, 0, upsert(1, "new"));
    assert_eq!(scene.say(0, 0, malformed(Some(1))), "+1 fault 1 status at 0/1");
    assert_eq!(scene.say(0, 0, malformed(Some(1))), "+1 fault 1 status at 0/2");
    assert_eq!(scene.say(0, 0, upsert(2, "x")), "+1 2 x");
    assert_eq!(
        scene.say(0, 0, upsert(1, "paid")),
        "-1 1 new, +1 1 paid, -1 fault 1 status at 0/1, -1 fault 1 status at 0/2"
    );
    assert_eq!(scene.say(0, 0, malformed(None)), "+1 fault ? status at 0/5");
    assert_eq!(scene.say(0, 0, malformed(Some(1))), "+1 fault 1 status at 0/6");
    assert_eq!(scene.say(0, 0, delete(1)), "-1 1 paid, -1 fault 1 status at 0/6", "a delete makes good too");
}

#[test]
fn a_fault_that_another_partition_has_made_good_already_is_none() {
    let mut scene = Scene::new("orders *id:integer status:text", true);
    scene.say(0, 9, upsert(1, "a"));
    assert_eq!(scene.say(1, 3, malformed(Some(1))), "");
    assert_eq!(scene.say(1, 12, malformed(Some(1))), "+1 fault 1 status at 1/1");
    assert_eq!(scene.say(0, 11, upsert(1, "b")), "-1 1 a, +1 1 b");
    assert_eq!(scene.say(0, 13, upsert(1, "c")), "-1 1 b, +1 1 c, -1 fault 1 status at 1/1");
}

#[test]
fn a_truncate_takes_everything_back_faults_too() {
    let mut scene = Scene::keyed();
    scene.say(0, 0, upsert(2, "b"));
    scene.say(0, 0, upsert(1, "a"));
    scene.say(0, 0, malformed(Some(3)));
    assert_eq!(scene.say(0, 0, Change::Truncate { table: 0 }), "-1 1 a, -1 2 b, -1 fault 3 status at 0/2");
    assert_eq!(scene.say(0, 0, upsert(1, "a")), "+1 1 a");
}

#[test]
fn a_truncate_among_several_partitions_is_set_aside() {
    let mut scene = Scene::new("orders *id:integer status:text", true);
    scene.say(0, 0, upsert(1, "a"));
    assert_eq!(scene.say(0, 0, Change::Truncate { table: 0 }), "+1 fault ? ? at 0/1");
    assert_eq!(scene.resolver.rows(0), 1);
}

#[test]
fn keyless_rows_keep_a_net_count() {
    let mut scene = Scene::new("clicks id:integer status:text", false);
    let insert = || Change::Insert { table: 0, row: row(1, "a") };
    let remove = || Change::Remove { table: 0, row: row(1, "a") };
    assert_eq!(scene.say(0, 0, insert()), "+1 1 a");
    assert_eq!(scene.say(0, 0, insert()), "+1 1 a");
    assert_eq!(scene.say(0, 0, remove()), "-1 1 a");
    assert_eq!(scene.say(0, 0, remove()), "-1 1 a");
    assert_eq!(scene.say(0, 0, remove()), "", "no copy is left: the count is -1");
    assert_eq!(scene.say(0, 0, insert()), "", "and back to none");
    assert_eq!(scene.say(0, 0, insert()), "+1 1 a");
    assert_eq!(scene.say(0, 0, insert()), "+1 1 a");
    assert_eq!(scene.say(0, 0, Change::Truncate { table: 0 }), "-2 1 a");
}

#[test]
fn append_only_rows_are_not_kept() {
    let mut scene = Scene::new("clicks(append) id:integer status:text", false);
    assert_eq!(scene.say(0, 0, Change::Insert { table: 0, row: row(1, "a") }), "+1 1 a");
    assert_eq!(scene.resolver.rows(0), 0);
}

#[test]
fn an_unchanged_large_value_comes_from_the_row_before_or_from_under_the_old_key() {
    let mut scene = Scene::keyed();
    scene.say(0, 0, upsert(1, "large"));
    assert_eq!(scene.say(0, 0, patch(1, None)), "", "nothing else changed");
    assert_eq!(scene.say(0, 0, delete(1)), "-1 1 large");
    assert_eq!(scene.say(0, 0, patch(9, Some(1))), "+1 9 large", "the key changed");
    assert_eq!(scene.say(0, 0, patch(5, None)), "+1 fault 5 status at 0/4", "no row to take it from");
    assert_eq!(scene.say(0, 0, patch(6, Some(4))), "+1 fault 6 status at 0/5");
    assert_eq!(scene.say(0, 0, upsert(5, "x")), "+1 5 x, -1 fault 5 status at 0/4");
}

/// One partition's records: keys, sequences and what becomes of the key.
fn history() -> impl Strategy<Value = Vec<(i64, i64, Option<u8>)>> {
    prop::collection::vec((0i64..3, 0i64..6, prop::option::of(0u8..4)), 0..12)
}

proptest! {
    #[test]
    fn the_order_in_which_partitions_are_read_does_not_show(histories in prop::collection::vec(history(), 1..4), seed in prop::collection::vec(0usize..4, 40)) {
        let play = |order: &[usize]| {
            let mut scene = Scene::new("orders *id:integer status:text", true);
            let mut left: BTreeMap<Row, i64> = BTreeMap::new();
            let mut next = vec![0; histories.len()];
            let rest = (0..histories.len()).flat_map(|at| std::iter::repeat_n(at, 12));
            for at in order.iter().map(|at| at % histories.len()).chain(rest) {
                let Some((id, sequence, value)) = histories[at].get(next[at]) else { continue };
                let change = match value {
                    Some(value) => upsert(*id, &format!("v{value}")),
                    None => delete(*id),
                };
                let record = Record { offset: next[at] as u64, event_time: None, delivery: None, sequence: *sequence, change };
                next[at] += 1;
                let mut out = Resolved::default();
                scene.resolver.resolve(&"s".into(), &at.to_string().into(), record, &mut out);
                for (_, row, diff) in out.updates {
                    *left.entry(row).or_default() += diff;
                }
            }
            left.retain(|_, count| *count != 0);
            left
        };
        let one = play(&[]);
        let other = play(&seed);
        prop_assert!(one.values().all(|count| *count == 1), "{:?}", one);
        prop_assert_eq!(one, other);
    }
}

#[test]
fn a_large_value_finds_its_key_s_old_row_in_another_partition_in_either_order() {
    let moves = |id| Change::Delete { table: 0, key: key(id), moves: true };
    for delete_first in [true, false] {
        let mut scene = Scene::new("orders *id:integer status:text", true);
        scene.say(0, 1, upsert(1, "large"));
        // An earlier life of the key does not count, nor does what it was before its last change.
        scene.say(0, 2, moves(1));
        scene.say(0, 3, upsert(1, "larger"));
        if delete_first {
            scene.say(0, 5, upsert(1, "largest"));
            assert_eq!(scene.say(0, 5, moves(1)), "-1 1 largest");
            assert_eq!(scene.say(1, 5, patch(9, Some(1))), "+1 9 largest");
        } else {
            assert_eq!(scene.say(1, 5, patch(9, Some(1))), "+1 fault 9 status at 1/0");
            assert_eq!(scene.say(1, 6, patch(9, None)), "+1 fault 9 status at 1/1");
            scene.say(0, 5, upsert(1, "largest"));
            let joined = "-1 1 largest, +1 9 largest, -1 fault 9 status at 1/0, -1 fault 9 status at 1/1";
            assert_eq!(scene.say(0, 5, moves(1)), joined);
        }
        assert_eq!(scene.resolver.rows(0), 1);
        assert!(scene.resolver.tables[0].faults.is_empty(), "what was set aside is made good");
    }
}

#[test]
fn a_row_that_waits_for_its_old_key_gives_way_to_what_comes_after_it() {
    let mut scene = Scene::new("orders *id:integer status:text", true);
    scene.say(0, 1, upsert(1, "large"));
    scene.say(1, 5, patch(9, Some(1)));
    scene.say(1, 6, delete(9));
    let gone = scene.say(0, 5, Change::Delete { table: 0, key: key(1), moves: true });
    assert_eq!(gone, "-1 1 large");
    assert_eq!(scene.resolver.rows(0), 0);
}

#[test]
fn a_second_partition_that_is_met_late_has_the_other_half_of_a_changed_key() {
    let mut scene = Scene::keyed();
    assert_eq!(scene.say(0, 5, patch(9, Some(1))), "+1 fault 9 status at 0/0");
    scene.say(1, 1, upsert(1, "large"));
    let joined = scene.say(1, 5, Change::Delete { table: 0, key: key(1), moves: true });
    assert_eq!(joined, "-1 1 large, +1 9 large, -1 fault 9 status at 0/0");
}
