use super::*;

fn place(commit: Option<i64>, lsn: i64) -> Place {
    Place { server: 1, commit, lsn, op: b'c' }
}

/// Judges changes (commit, lsn, time, identity) one by one: `+` new, `-` again.
fn judged(has_key: bool, changes: &[(Option<i64>, i64, i64, u64)]) -> String {
    let mut mark: Option<Mark> = None;
    let judge = |(commit, lsn, time, identity): &(Option<i64>, i64, i64, u64)| {
        let verdict = match &mut mark {
            Some(mark) => mark.judge(place(*commit, *lsn), Some(*time), *identity, has_key),
            None => {
                mark = Some(Mark::new(place(*commit, *lsn), Some(*time), *identity));
                Verdict::New
            }
        };
        if verdict == Verdict::New { '+' } else { '-' }
    };
    changes.iter().map(judge).collect()
}

#[test]
fn what_comes_again_after_a_restart_is_known() {
    let first = [(None, 10, 1, 1), (Some(12), 20, 2, 2), (Some(22), 30, 3, 3)];
    let all: Vec<_> = first.iter().chain(&first).chain(&[(Some(32), 40, 4, 4)]).copied().collect();
    assert_eq!(judged(true, &all), "+++---+");
}

#[test]
fn a_first_transaction_that_comes_again_is_known_though_a_later_one_has_lower_positions() {
    // The one that committed second had begun first; the connector that is back does not tell the commit before the first.
    let first = [(Some(5), 20, 1, 1), (Some(25), 10, 2, 2)];
    let again = [(None, 20, 1, 1), (Some(25), 10, 2, 2), (Some(35), 12, 3, 3)];
    let all: Vec<_> = first.into_iter().chain(again).collect();
    assert_eq!(judged(true, &all), "++--+");
}

#[test]
fn a_long_transaction_has_lower_positions_after_a_later_commit() {
    // The changes of the transaction that committed last lie before those of the one that committed first.
    assert_eq!(judged(true, &[(Some(5), 20, 1, 1), (Some(25), 10, 2, 2), (Some(25), 11, 2, 3)]), "+++");
}

#[test]
fn changes_at_one_position_are_told_apart_by_their_keys() {
    assert_eq!(
        judged(true, &[(Some(5), 10, 1, 1), (Some(5), 10, 1, 2), (Some(5), 10, 1, 1), (Some(5), 10, 1, 2)]),
        "++--"
    );
}

#[test]
fn equal_rows_without_a_key_are_counted() {
    let copy = [(Some(5), 10, 1, 7), (Some(5), 10, 1, 7)];
    assert_eq!(judged(false, &copy), "++", "two equal rows of one COPY");
    let mut all = vec![(Some(1), 4, 1, 1)];
    all.extend(copy);
    all.push((Some(1), 4, 1, 1)); // back
    all.extend(copy);
    all.push((Some(5), 10, 1, 7)); // a third, which had not come before the restart
    assert_eq!(judged(false, &all), "+++---+");
}

#[test]
fn a_server_that_was_set_back_or_is_another_begins_anew() {
    assert_eq!(judged(true, &[(Some(100), 110, 5, 1), (Some(50), 60, 9, 2), (Some(60), 70, 10, 3)]), "+++");
    let mut mark = Mark::new(place(Some(100), 110), Some(5), 1);
    let other = Place { server: 2, ..place(Some(1), 2) };
    assert_eq!(mark.judge(other, Some(1), 1, true), Verdict::New);
}

#[test]
fn marks_survive() {
    let mut mark = Mark::new(place(None, -3), None, 9);
    mark.judge(place(Some(4), 5), Some(6), u64::MAX, true);
    mark.judge(place(Some(4), 5), Some(6), 8, true);
    let mut bytes = Vec::new();
    mark.pack(&mut bytes);
    assert_eq!(Mark::unpack(&mut Bytes(&bytes)), Some(mark));
    assert_eq!(Mark::unpack(&mut Bytes(&bytes[..bytes.len() - 1])), None);
}

#[test]
fn sequences_as_they_are_written() {
    assert_eq!(sequence(r#"[null,\"199941384\"]"#), Some((None, 199_941_384)));
    assert_eq!(sequence(r#"["58256080","58256184"]"#), Some((Some(58_256_080), 58_256_184)));
    assert_eq!(sequence("[]"), None);
    assert_eq!(sequence(r#"["1","2","3"]"#), None);
    assert_ne!(identity(b'c', &[b"1"]), identity(b'd', &[b"1"]));
}
