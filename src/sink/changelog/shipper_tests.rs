use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::super::shipping::Shipping;
use super::super::{Accident, Carried, MemoryLog, OutboxRecord, WaitingRecord};
use super::*;
use crate::time::Stage;

/// An outbox in memory; `owner` is who owns the sink.
#[derive(Clone, Default)]
struct Table(Arc<Mutex<(BTreeMap<(u64, u64), OutboxRecord>, String)>>);

struct TableOutbox {
    table: Table,
    owner: String,
}

impl Table {
    fn put(&self, seq: u64, records: u64) -> WaitingCut {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for n in 0..records {
            let record = OutboxRecord { topic: "t".into(), key: format!("{seq}.{n}"), value: None };
            inner.0.insert((seq, n), record);
        }
        WaitingCut { seq, records, bytes: records }
    }

    fn owned_by(&self, owner: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = owner.into();
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.len()
    }

    fn shipper(
        &self,
        owner: &str,
        log: &MemoryLog,
        accident: impl FnMut() -> Option<Accident> + Send + 'static,
    ) -> (Shipper, Arc<Status>) {
        let status = Shipping::status(Stage::Threads);
        let mut outbox = TableOutbox { table: self.clone(), owner: owner.into() };
        outbox.waiting().expect("it answers").into_iter().for_each(|cut| status.committed(cut));
        (Shipper::new(Box::new(outbox), Box::new(log.broker(accident)), status.clone()), status)
    }
}

impl Outbox for TableOutbox {
    fn carried(&mut self) -> Result<Vec<Carried>, SinkError> {
        Ok(Vec::new())
    }

    fn waiting(&mut self) -> Result<Vec<WaitingCut>, SinkError> {
        let inner = self.table.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cuts: Vec<WaitingCut> = Vec::new();
        for (seq, _) in inner.0.keys() {
            match cuts.last_mut() {
                Some(cut) if cut.seq == *seq => cut.records += 1,
                _ => cuts.push(WaitingCut { seq: *seq, records: 1, bytes: 0 }),
            }
        }
        Ok(cuts)
    }

    fn read(
        &mut self,
        after: (u64, Option<u64>),
        through: u64,
        records_max: usize,
    ) -> Result<Vec<WaitingRecord>, SinkError> {
        let inner = self.table.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = (after.0, after.1.unwrap_or(u64::MAX));
        let records = inner.0.iter().filter(|(at, _)| **at > after && at.0 <= through).take(records_max);
        Ok(records.map(|((seq, n), record)| WaitingRecord { seq: *seq, n: *n, record: record.clone() }).collect())
    }

    fn forget(&mut self, through: u64) -> Result<(), SinkError> {
        self.table.0.lock().unwrap_or_else(PoisonError::into_inner).0.retain(|(seq, _), _| *seq > through);
        Ok(())
    }

    fn is_ours(&mut self) -> Result<bool, SinkError> {
        Ok(self.table.0.lock().unwrap_or_else(PoisonError::into_inner).1 == self.owner)
    }
}

fn keys(log: &MemoryLog) -> Vec<String> {
    log.committed().into_iter().map(|shipped| shipped.record.key).collect()
}

#[test]
fn cuts_go_in_order_whole_and_once_whatever_call_fails() {
    for fails_at in 0..40 {
        for accident in [Accident::Away, Accident::AnswerLost] {
            let (table, log) = (Table::default(), MemoryLog::default());
            table.owned_by("a");
            let expected: Vec<String> = [(1, 2), (2, 3), (4, 1)]
                .into_iter()
                .flat_map(|(seq, records)| {
                    table.put(seq, records);
                    (0..records).map(move |n| format!("{seq}.{n}"))
                })
                .collect();
            let mut calls = 0;
            let trouble = move || {
                calls += 1;
                (calls == fails_at).then_some(accident)
            };
            let (mut shipper, _) = table.shipper("a", &log, trouble);
            let mut steps = 0;
            while shipper.step() != Step::Idle {
                steps += 1;
                assert!(steps < 10, "it comes to an end");
                assert!(matches!(log.position(), None | Some(4)), "what is committed are whole cuts");
            }
            assert_eq!(keys(&log), expected, "{accident:?} at call {fails_at}");
            assert_eq!((table.len(), log.position()), (0, Some(4)));
        }
    }
}

#[test]
fn a_process_that_died_before_it_deleted_is_followed_by_one_that_does() {
    let (table, log) = (Table::default(), MemoryLog::default());
    table.owned_by("a");
    table.put(1, 2);
    let (mut first, _) = table.shipper("a", &log, || None);
    assert_eq!(first.step(), Step::Shipped);
    // The deletion was lost with the process.
    table.put(1, 2);
    table.put(2, 1);
    let (mut second, _) = table.shipper("a", &log, || None);
    assert_eq!(second.step(), Step::Shipped);
    assert_eq!(second.step(), Step::Idle);
    assert_eq!(keys(&log), ["1.0", "1.1", "2.0"]);
    assert_eq!(table.len(), 0);
}

#[test]
fn a_cut_of_many_pages_is_one_transaction() {
    let (table, log) = (Table::default(), MemoryLog::default());
    table.owned_by("a");
    table.put(1, 2 * TRANSACTION_RECORDS + 3);
    table.put(2, 1);
    let (mut shipper, status) = table.shipper("a", &log, || None);
    assert_eq!(shipper.step(), Step::Shipped);
    assert_eq!((log.committed().len() as u64, log.position()), (2 * TRANSACTION_RECORDS + 3, Some(1)));
    assert_eq!(status.next_cuts(10).len(), 1);
    assert_eq!((shipper.step(), log.position()), (Step::Shipped, Some(2)));
}

#[test]
fn a_zombie_sends_nothing_and_the_owner_goes_on() {
    let (table, log) = (Table::default(), MemoryLog::default());
    table.owned_by("elder");
    table.put(1, 1);
    let (mut elder, elders) = table.shipper("elder", &log, || None);
    assert_eq!(elder.step(), Step::Shipped);
    // The elder stops; the younger takes over and ships.
    table.owned_by("younger");
    let second = table.put(2, 1);
    let (mut younger, youngers) = table.shipper("younger", &log, || None);
    assert_eq!(younger.step(), Step::Shipped);
    // The elder wakes up with a cut that it thinks is still to be shipped: it is fenced.
    elders.committed(second);
    assert_eq!(elder.step(), Step::Ended);
    // Another had just lost its connection: it opens the broker, which fences the younger, and only then sees whose sink it is.
    let (mut zombie, _) = table.shipper("elder", &log, || None);
    assert_eq!(zombie.step(), Step::Ended);
    youngers.committed(table.put(3, 1));
    assert_eq!(younger.step(), Step::Failed, "it was fenced");
    assert_eq!(younger.step(), Step::Shipped, "but it is the owner");
    assert_eq!(keys(&log), ["1.0", "2.0", "3.0"]);
}

#[test]
fn a_topic_that_was_deleted_while_the_broker_was_away_begins_with_the_next_cut_and_nothing_is_sent_before() {
    // Opening it fails, or what follows.
    for fails_at in 1..=2 {
        let (table, log) = (Table::default(), MemoryLog::default());
        table.owned_by("a");
        table.put(1, 2);
        let (mut first, _) = table.shipper("a", &log, || None);
        first.broker.make_topics(&["t".into()]).expect("it answers");
        assert_eq!(first.step(), Step::Shipped);
        log.delete_topic("t");
        let mut calls = 0;
        let (mut second, status) = table.shipper("a", &log, move || {
            calls += 1;
            (calls == fails_at).then_some(Accident::Away)
        });
        let carried = Carried { model: "m".into(), topic: "t".into(), shape: "upsert".into(), since: 1 };
        let question =
            || Question { wanted: vec![carried.clone()], carried: vec![carried.clone()], waiting: Vec::new(), seq: 1 };
        assert!(matches!(second.ask(&question()), Err(BrokerError::Unreachable(_))));
        second.ask_later(question());
        status.committed(table.put(2, 1));
        assert_eq!((second.step(), second.step()), (Step::Failed, Step::Failed));
        assert!(log.committed().is_empty());
        let shipping = Shipping::new(second, status.clone(), super::super::Limits { records_max: 0, bytes_max: 0 });
        assert_eq!(shipping.anew().map(|anew| anew.topics), Some(vec!["t".to_owned()]));
        assert!(shipping.owes_cut() && shipping.holds_back().is_none(), "reading goes on, for a cut is waited for");
        // It forgets what waited for the topic, and fills it.
        table.0.lock().unwrap_or_else(PoisonError::into_inner).0.clear();
        shipping.begun(vec![table.put(3, 4)]);
        assert!(!shipping.owes_cut() && shipping.holds_back().is_some());
        shipping.start();
        shipping.finish().expect("shipped");
        assert_eq!((keys(&log).len(), log.position()), (4, Some(3)));
        assert_eq!(shipping.backlog().records, 0);
    }
}

#[test]
fn records_that_somebody_deleted_are_missed() {
    let (table, log) = (Table::default(), MemoryLog::default());
    table.owned_by("a");
    table.put(1, 3);
    let (mut shipper, status) = table.shipper("a", &log, || None);
    table.0.lock().unwrap_or_else(PoisonError::into_inner).0.remove(&(1, 1));
    assert_eq!(shipper.step(), Step::Ended);
    let shipping = Shipping::new(shipper, status, super::super::Limits { records_max: 9, bytes_max: 9 });
    let error = shipping.end().expect("it has ended").to_string();
    assert!(error.contains("the outbox holds 2 of 3 records"), "{error}");
    assert!(log.committed().is_empty());
}
