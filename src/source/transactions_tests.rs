use proptest::prelude::*;

use super::*;
use crate::source::Change;

/// Topics `a.orders` (0), `a.items` (1), `a.items` again (2), and that of marks (3).
fn assembler() -> Assembler {
    let topic = |name: &str| (format!("shop.a.{name}"), vec![name.to_owned()]);
    Assembler::new(vec![topic("orders"), topic("items"), topic("items"), ("shop.transaction".into(), vec![])], Some(3))
}

fn held(after: u64, member: Option<(&str, i64)>) -> Held {
    let record = Record { offset: after - 1, event_time: None, sequence: 0, delivery: None, change: Change::Skip };
    let member = member.map(|(id, commit)| Membership {
        id: id.into(),
        commit: (commit > 0).then_some(commit),
        lsn: None,
        order: None,
    });
    Held { after, bytes: 1, records: vec![record], member }
}

/// As `held`, with the change's number in its transaction.
fn nth(after: u64, id: &str, commit: i64, order: u64) -> Held {
    let mut held = held(after, Some((id, commit)));
    held.member.as_mut().expect("a member").order = Some(order);
    held
}

fn end(id: &str, commit: i64, orders: u64, items: u64) -> Ended {
    let counts = [("a.orders", orders), ("a.items", items), ("a.other", 3)];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    Ended { id: id.into(), commit: Some(commit), counts: counts.map(|(table, count)| (table.into(), count)).collect() }
}

/// Positions of what goes out: `0@2 1@1 3@1`.
fn out(assembler: &mut Assembler) -> String {
    let parts = assembler.next_group(Instant::now()).unwrap_or_default();
    parts.iter().map(|part| format!("{}@{}", part.partition, part.position)).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_transaction_goes_out_when_all_its_changes_and_its_end_are_here() {
    let mut held_back = assembler();
    held_back.push(0, held(1, Some(("1", 5)))).expect("room");
    held_back.push(1, held(1, Some(("1", 5)))).expect("room");
    assert_eq!(out(&mut held_back), "", "its END has not come");
    held_back.mark(2, Some(end("1", 9, 1, 2)));
    assert_eq!(out(&mut held_back), "", "an item is missing");
    held_back.push(2, held(1, Some(("1", 5)))).expect("room");
    held_back.push(0, held(2, Some(("2", 9)))).expect("room");
    assert_eq!(out(&mut held_back), "0@1 1@1 2@1 3@2");
    held_back.mark(4, Some(end("2", 12, 1, 0)));
    assert_eq!(out(&mut held_back), "0@2 3@4");
}

#[test]
fn records_outside_of_transactions_wait_for_nothing() {
    let mut held_back = assembler();
    held_back.push(0, held(1, None)).expect("room");
    held_back.push(0, held(2, Some(("1", 5)))).expect("room");
    held_back.push(0, held(3, None)).expect("room");
    assert_eq!(out(&mut held_back), "0@1");
    held_back.mark(1, None);
    assert_eq!(out(&mut held_back), "3@1", "a BEGIN says nothing");
    held_back.mark(2, Some(end("1", 9, 1, 0)));
    assert_eq!(out(&mut held_back), "0@3 3@2");
}

#[test]
fn what_a_restarted_connector_sends_again_holds_nobody_up() {
    let mut held_back = assembler();
    let all = |held_back: &mut Assembler, offset: u64| {
        held_back.push(0, held(offset, Some(("1", 5)))).expect("room");
        held_back.push(0, held(offset + 1, Some(("2", 9)))).expect("room");
        held_back.mark(offset, Some(end("1", 9, 1, 0)));
        held_back.mark(offset + 1, Some(end("2", 12, 1, 0)));
    };
    all(&mut held_back, 1);
    assert_eq!(out(&mut held_back), "0@2 3@2");
    all(&mut held_back, 3);
    assert_eq!(out(&mut held_back), "0@4 3@4");
    held_back.mark(5, Some(end("1", 9, 1, 0)));
    assert_eq!(out(&mut held_back), "3@5", "its changes have long passed");
}

#[test]
fn half_a_transaction_that_is_sent_again_is_not_a_whole_one() {
    let mut held_back = assembler();
    // Killed after the first of two changes; the same one comes first when the connector is back, and its commit is not told.
    held_back.push(0, nth(1, "4", 5, 1)).expect("room");
    held_back.push(0, nth(2, "4", 0, 1)).expect("room");
    held_back.mark(1, Some(end("4", 9, 2, 0)));
    assert_eq!(out(&mut held_back), "", "the second change is missing");
    held_back.push(0, nth(3, "4", 0, 2)).expect("room");
    assert_eq!(out(&mut held_back), "0@3 3@1");
}

#[test]
fn older_transactions_that_come_again_do_not_part_a_newer_one() {
    let mut held_back = assembler();
    held_back.push(0, nth(1, "3", 1, 1)).expect("room");
    held_back.mark(1, Some(end("3", 5, 1, 0)));
    assert_eq!(out(&mut held_back), "0@1 3@1");
    // Of transaction 4 one change of orders came before the connector was killed; now 3 comes again, and then all of 4.
    held_back.push(0, nth(2, "4", 5, 1)).expect("room");
    held_back.push(1, nth(1, "4", 5, 3)).expect("room");
    held_back.push(0, nth(3, "3", 1, 1)).expect("room");
    held_back.push(0, nth(4, "4", 5, 1)).expect("room");
    held_back.mark(2, Some(end("3", 5, 1, 0)));
    held_back.mark(3, Some(end("4", 9, 2, 1)));
    assert_eq!(out(&mut held_back), "3@2", "the second half of 4 is missing");
    held_back.push(0, nth(5, "4", 5, 2)).expect("room");
    assert_eq!(out(&mut held_back), "0@5 1@1 3@3");
    // Its item comes again, too, when all is over, and so does its END.
    held_back.mark(4, Some(end("4", 9, 2, 1)));
    assert_eq!(out(&mut held_back), "3@4", "nobody waits for what has gone out");
    held_back.push(1, nth(2, "4", 5, 3)).expect("room");
    held_back.push(0, nth(6, "4", 0, 1)).expect("room");
    assert_eq!(out(&mut held_back), "0@6 1@2");
}

#[test]
fn a_connector_that_passed_over_commits_does_not_let_a_change_go_early() {
    let mut held_back = assembler();
    held_back.push(0, nth(1, "1", 1, 1)).expect("room");
    held_back.mark(1, Some(end("1", 5, 1, 0)));
    held_back.push(0, nth(2, "2", 5, 1)).expect("room");
    held_back.mark(2, Some(end("2", 9, 1, 0)));
    assert_eq!(out(&mut held_back), "0@2 3@2");
    // It was restarted, and tells the commit of transaction 1 as the last one.
    held_back.push(0, nth(3, "3", 5, 1)).expect("room");
    assert_eq!(out(&mut held_back), "");
    held_back.mark(3, Some(end("2", 9, 1, 0)));
    assert_eq!(out(&mut held_back), "3@3", "an END that comes again");
    held_back.mark(4, Some(end("3", 12, 1, 1)));
    assert_eq!(out(&mut held_back), "", "an item is missing");
    held_back.push(1, nth(1, "3", 5, 2)).expect("room");
    assert_eq!(out(&mut held_back), "0@3 1@1 3@4");
}

#[test]
fn a_table_whose_topic_comes_later_is_waited_for() {
    let mut held_back = Assembler::new(vec![("shop.a.orders".into(), vec!["orders".into()])], None);
    held_back.expect(|table| table == "a.items");
    held_back.push(0, held(1, Some(("1", 5)))).expect("room");
    assert_eq!(out(&mut held_back), "");
    assert!(held_back.awaits_topic(), "nothing tells where transactions end");
    held_back.add("shop.transaction".into(), vec![], true);
    assert!(!held_back.awaits_topic());
    held_back.mark(1, Some(end("1", 9, 1, 1)));
    assert_eq!(out(&mut held_back), "");
    assert!(held_back.awaits_topic());
    held_back.add("shop.a.items".into(), vec!["items".into()], false);
    assert!(!held_back.awaits_topic());
    assert_eq!(out(&mut held_back), "", "its change has not come");
    held_back.push(2, held(1, Some(("1", 5)))).expect("room");
    assert_eq!(out(&mut held_back), "0@1 1@1 2@1");
}

#[test]
fn changes_whose_end_was_before_we_listened_are_let_go() {
    let mut held_back = assembler();
    held_back.push(0, held(1, Some(("1", 5)))).expect("room");
    held_back.push(0, held(2, Some(("2", 9)))).expect("room");
    assert_eq!(out(&mut held_back), "");
    held_back.mark(1, Some(end("2", 12, 1, 0)));
    assert_eq!(out(&mut held_back), "0@2 3@1");
}

#[test]
fn a_change_that_never_comes_is_passed_when_later_ones_have_come() {
    let mut held_back = assembler();
    held_back.mark(1, Some(end("1", 9, 2, 0)));
    held_back.push(0, held(1, Some(("1", 5)))).expect("room");
    assert_eq!(out(&mut held_back), "");
    held_back.push(0, held(2, Some(("2", 9)))).expect("room");
    assert_eq!(out(&mut held_back), "0@1 3@1");
}

#[test]
fn a_long_wait_says_for_what() {
    let mut held_back = assembler();
    held_back.mark(1, Some(end("77", 9, 2, 0)));
    held_back.push(0, held(1, Some(("77", 5)))).expect("room");
    let now = Instant::now();
    assert!(held_back.next_group(now).is_none());
    assert_eq!(held_back.obstacle(now), None);
    let reason = held_back.obstacle(now + 2 * PATIENCE).expect("it takes long");
    assert!(reason.contains("transaction 77") && reason.contains("1 of 2 changes of a.orders"), "{reason}");
    let mut endless = assembler();
    endless.push(1, held(1, Some(("78", 5)))).expect("room");
    assert!(endless.next_group(now).is_none());
    let reason = endless.obstacle(now + 2 * PATIENCE).expect("it takes long");
    assert!(reason.contains("transaction 78") && reason.contains("END"), "{reason}");
}

#[test]
fn what_is_held_is_bounded() {
    let mut held_back = assembler();
    for offset in 1..=AHEAD_RECORDS_MAX as u64 {
        assert!(held_back.wants(0));
        held_back.push(0, held(offset, Some((&(offset / 2).to_string(), 5)))).expect("room");
    }
    assert!(!held_back.wants(0), "it is far ahead of the others");
    assert!(held_back.wants(1));
    let large = Held { bytes: HELD_BYTES_MAX, ..held(1, Some(("9", 5))) };
    let error = held_back.push(1, large).expect_err("too much").to_string();
    assert!(error.contains("transaction 9") && error.contains("MiB"), "{error}");
}

#[test]
fn marks_as_debezium_writes_them() {
    let begin = r#"{"status":"BEGIN","id":"2809:58255264","event_count":null,"data_collections":null,"ts_ms":1}"#;
    assert_eq!(ended(Value::Object(begin)), None);
    let text = r#"{"status":"END","id":"2809:58255832","event_count":4,"data_collections":[{"data_collection":"public.customers","event_count":2},{"data_collection":"public.orders","event_count":2}],"ts_ms":1}"#;
    let counts = vec![("public.customers".to_owned(), 2), ("public.orders".to_owned(), 2)];
    assert_eq!(ended(Value::Object(text)), Some(Ended { id: "2809".into(), commit: Some(58_255_832), counts }));
    let block = Value::Object(r#"{"id":"2809:58255704","total_order":4,"data_collection_order":2}"#);
    assert_eq!(
        membership(Some(block), Some(7)),
        Some(Membership { id: "2809".into(), commit: Some(7), lsn: Some(58_255_704), order: Some(4) })
    );
    assert_eq!(membership(Some(Value::Null), None), None);
    let mysql = Value::Object(r#"{"id":"36a8:7","total_order":1}"#);
    assert_eq!(membership(Some(mysql), None).expect("a member").id, "36a8:7".into());
}

proptest! {
    /// Transfers between accounts, each a transaction of two rows in two topics; whatever the order in which partitions are read.
    #[test]
    fn money_is_never_seen_on_its_way(
        transfers in prop::collection::vec((any::<bool>(), any::<bool>()), 1..40),
        order in prop::collection::vec(0usize..4, 0..400),
    ) {
        let mut streams: [VecDeque<Held>; 3] = Default::default();
        let mut marks = VecDeque::new();
        for (number, (second, extra)) in transfers.iter().enumerate() {
            let (id, commit) = (number.to_string(), number as i64 * 10 + 1);
            let items = if *second { 2 } else { 1 };
            for at in [0, items] {
                let after = streams[at].len() as u64 + 1;
                streams[at].push_back(held(after, Some((&id, commit))));
            }
            if *extra {
                let mut free = held(streams[1].len() as u64 + 1, None);
                free.records[0].event_time = Some(0);
                streams[1].push_back(free);
            }
            marks.push_back(end(&id, commit + 10, 1, 1));
        }
        let mut held_back = assembler();
        let (mut seen, mut marked) = ([0u64; 3], 0u64);
        let tail = (0..4).cycle().take(400 * 4);
        for at in order.into_iter().chain(tail) {
            match at {
                3 => if let Some(ended) = marks.pop_front() {
                    marked += 1;
                    held_back.mark(marked, Some(ended));
                },
                at => if let Some(held) = streams[at].pop_front() {
                    held_back.push(at, held).expect("room");
                },
            }
            for part in held_back.next_group(Instant::now()).unwrap_or_default() {
                if part.partition < 3 {
                    let of = part.records.iter().filter(|record| record.event_time.is_none());
                    seen[part.partition] += of.count() as u64;
                }
            }
            // Each transfer debits in 0 and credits in 1 or 2.
            prop_assert_eq!(seen[0], seen[1] + seen[2]);
        }
        prop_assert_eq!(seen[0], transfers.len() as u64, "all have gone out");
    }
}
