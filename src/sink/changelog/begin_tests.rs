use super::*;

fn carried(model: &str, since: u64) -> Carried {
    Carried { model: model.into(), topic: format!("marts.{model}"), shape: "debezium [\"id\"]".into(), since }
}

/// One table `a`: what the sink and Kafka know of it, and what follows. `waiting` are the cuts in the outbox.
fn check(known: &[Carried], waiting: &[u64], position: Option<u64>, topic: &str, expected: Result<Option<u64>, &str>) {
    let waiting: Vec<_> = waiting.iter().map(|seq| WaitingCut { seq: *seq, records: 1, bytes: 1 }).collect();
    let made = if topic == "missing" { vec!["marts.a".to_owned()] } else { Vec::new() };
    let known = Known { carried: known, waiting: &waiting, seq: 10, position, made: &made };
    let found = begins(&[carried("a", 0)], &known, |_| Ok(topic == "empty"));
    match (found, expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found, [expected]),
        (Err(BrokerError::Refused { message, .. }), Err(expected)) => {
            assert!(message.contains(expected), "{message}");
        }
        (found, expected) => panic!("{found:?} is not {expected:?}"),
    }
}

#[test]
fn a_new_topic_begins_and_one_with_records_is_refused() {
    check(&[], &[], None, "missing", Ok(None));
    check(&[], &[], Some(9), "empty", Ok(None));
    check(&[], &[], Some(9), "filled", Err("the topic marts.a holds records already"));
}

#[test]
fn a_topic_that_was_shipped_goes_on_unless_it_was_deleted() {
    check(&[carried("a", 4)], &[], Some(9), "filled", Ok(Some(4)));
    check(&[carried("a", 4)], &[10], Some(9), "missing", Ok(None));
    // It was made again by a process that died before its first cut.
    check(&[carried("a", 4)], &[10], Some(9), "empty", Ok(None));
}

#[test]
fn a_beginning_that_waits_in_the_outbox_goes_on() {
    check(&[carried("a", 4)], &[4, 5], None, "empty", Ok(Some(4)));
    check(&[carried("a", 4)], &[3, 5], Some(2), "missing", Ok(Some(4)));
}

#[test]
fn a_lost_position_begins_anew_only_on_empty_topics() {
    check(&[carried("a", 4)], &[8], None, "missing", Ok(None));
    check(&[carried("a", 4)], &[], None, "filled", Err("holds records already"));
}

#[test]
fn another_key_or_envelope_begins_anew() {
    let mut other = carried("a", 4);
    other.shape = "upsert [\"id\"]".into();
    check(&[other.clone()], &[], Some(9), "filled", Err("holds records already"));
    check(&[other], &[], Some(9), "empty", Ok(None));
}

#[test]
fn a_sink_that_was_set_back_is_refused() {
    check(&[carried("a", 4)], &[], Some(11), "filled", Err("goes up to cut 11, but the sink is at cut 10"));
}
