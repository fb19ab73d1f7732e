//! Random changes through joins by order and through recursions: after every epoch the maintained rows are the batch answer.
//!
//! Flow files are written from random changes and replayed in several ways; a failing case prints its file.

use livemart::testkit::flow_file::{FlowFile, Way};
use proptest::prelude::*;

const JOINS: &str = "\
source a(id bigint, k bigint, at bigint, least bigint)
source b(id bigint, k bigint, low bigint, high bigint)
model within
  select a.id as a, b.id as b, b.low from a join b on a.k = b.k and a.at >= b.low and a.at < b.high
model within_left
  select a.id as a, b.id as b, b.low from a left join b on a.k = b.k and a.at between b.low and b.high
model within_right
  select a.id as a, b.id as b, b.low from a right join b on a.k = b.k and a.at > b.low and a.at <= b.high
model within_full
  select a.id as a, b.id as b, b.low from a full join b on a.k = b.k and a.at > b.low and a.at < b.high
model around
  select * from a where exists (select 1 from b where b.k = a.k and b.low <= a.at and a.at <= b.high and b.id <> a.least)
model outside
  select * from a where not exists (select 1 from b where b.k = a.k and b.low < a.at)
model reversed
  select b.id as b, a.id as a, a.at from b left join a on b.low < a.at and a.least <= b.low
model one_end
  select a.id as a, b.id as b, b.low from a full join b on a.at <= b.low
model any_condition
  select a.id as a, b.id as b, b.low from a left join b on (a.at + b.low) % 3 = 0
model either_key
  select a.id as a, b.id as b, b.low, b.high from a full join b on a.k = b.k or a.at = b.low
model either_left
  select a.id as a, b.id as b, b.low, b.high from a left join b on a.id = b.id or (a.at = b.low and a.least < b.high)
model neither
  select * from a where not exists (select 1 from b where b.k = a.k or b.low = a.at)
model failing_left
  select a.id as a, b.id as b, b.low from a left join b on a.k = b.k and a.at >= b.low and 12 / (a.least - b.high) >= 0
model failing_right
  select a.id as a, b.id as b, b.low from a right join b on a.k = b.k and a.at >= b.low and 12 / (a.least - b.high) >= 0
model failing_full
  select a.id as a, b.id as b, b.low from a full join b on a.at >= b.low and 12 / (a.least - b.high) >= 0
model failing_end
  select a.id as a, b.id as b, b.low from a left join b on a.k = b.k and a.at > 12 / b.low
model latest
  select a.id, (select max(b.low) from b where b.k = a.k and b.low <= a.at) as latest from a
";

const RECURSIONS: &str = "\
source a(src bigint, dst bigint)
source b(n bigint, more bigint)
model reachable
  with recursive r as (select src, dst from a union select r.src, a.dst from r join a on a.src = r.dst) select * from r
model paths
  with recursive p as (
  select src, dst, 1 as length from a
  union all
  select p.src, a.dst, p.length + 1 from a join p on a.src = p.dst where p.length < 5)
  select * from p
model from_starts
  with recursive r(n, seen) as (
  select n, more from b
  union
  select a.dst, b.more from r join a on a.src = r.n left join b on b.n = a.dst)
  select * from r
model dead_ends
  with recursive r(n, depth) as (
  select n, 0 from b
  union all
  select r.n + 1, r.depth + 1 from r where r.depth < 6 and not exists (select 1 from a where a.src = r.n))
  select * from r
";

/// A change: which source, whether a row goes (the one chosen among those there), and the row that comes otherwise.
type Change = (bool, Option<usize>, Vec<Option<i64>>);

fn changes(width: usize, values: std::ops::Range<i64>) -> impl Strategy<Value = Vec<Vec<Change>>> {
    let value = prop_oneof![1 => Just(None), 9 => values.prop_map(Some)];
    let change = (any::<bool>(), proptest::option::weighted(0.4, 0..64_usize), prop::collection::vec(value, width));
    prop::collection::vec(prop::collection::vec(change, 1..6), 1..6)
}

/// The flow file of these changes. A row that goes is one that is there.
fn written(head: &str, epochs: &[Vec<Change>]) -> String {
    let mut text = head.to_owned();
    let mut there: [Vec<String>; 2] = Default::default();
    for (number, epoch) in epochs.iter().enumerate() {
        for (second, gone, row) in epoch {
            let name = if *second { "b" } else { "a" };
            let rows = &mut there[usize::from(*second)];
            match gone {
                Some(index) if !rows.is_empty() => {
                    let row = rows.swap_remove(index % rows.len());
                    text.push_str(&format!("- {name} {row}\n"));
                }
                _ => {
                    let values: Vec<String> =
                        row.iter().map(|value| value.map_or("null".to_owned(), |value| value.to_string())).collect();
                    rows.push(values.join(" "));
                    text.push_str(&format!("+ {name} {}\n", values.join(" ")));
                }
            }
        }
        text.push_str(&format!("@ {}\n", number + 1));
    }
    text
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let file = FlowFile::parse(text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
    for way in [Way::Batch, Way::FourWorkers, Way::Undone] {
        file.check(way).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn joins_by_order_are_their_batch_answer(epochs in changes(4, 0..5)) {
        check(&written(JOINS, &epochs))?;
    }

    #[test]
    fn recursions_are_their_batch_answer(epochs in changes(2, 0..5)) {
        check(&written(RECURSIONS, &epochs))?;
    }
}
