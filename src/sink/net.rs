//! Adds up the changes of one table: what came and went within a cut leaves nothing.
//!
//! ```text
//!   (7,'a') +1   (9,'x') -1   (7,'a') -1   (9,'y') +1   ──sorted by their bytes, once──>   (9,'x') -1   (9,'y') +1
//! ```
//!
//! 1. Rows leave in the order of their bytes, no row twice, none with a diff of 0.
//! 2. No row is cloned. Sorting compares numbers, and looks at a row only where two of them are equal.

use row::{Diff, Row};

/// The first eight bytes as a number, which is ordered as they are; zeros follow fewer bytes.
#[inline]
pub fn head(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    match bytes.first_chunk::<8>() {
        Some(first) => eight = *first,
        None => eight[..bytes.len()].copy_from_slice(bytes),
    }
    u64::from_be_bytes(eight)
}

/// Adds up the diffs of equal rows.
pub fn add_up(updates: &mut Vec<(Row, Diff)>) {
    let bytes = |at: usize| updates[at].0.bytes();
    let mut order: Vec<(u64, usize)> = (0..updates.len()).map(|at| (head(bytes(at)), at)).collect();
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| bytes(a.1).cmp(bytes(b.1))));
    let mut net: Vec<(Row, Diff)> = Vec::with_capacity(order.len());
    let mut last_head = None;
    for (head, at) in order {
        let (row, diff) = &mut updates[at];
        match net.last_mut().filter(|(last, _)| last_head == Some(head) && last.bytes() == row.bytes()) {
            Some((_, sum)) => *sum += *diff,
            None => {
                if net.last().is_some_and(|(_, sum)| *sum == 0) {
                    net.pop();
                }
                net.push((std::mem::take(row), *diff));
                last_head = Some(head);
            }
        }
    }
    if net.last().is_some_and(|(_, sum)| *sum == 0) {
        net.pop();
    }
    *updates = net;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use row::Datum;

    use super::*;

    fn row(id: i64, text: &str) -> Row {
        Row::pack([Datum::Int(id), Datum::Text(text)])
    }

    #[test]
    fn what_came_and_went_leaves_nothing() {
        let mut updates =
            vec![(row(7, "a"), 1), (row(9, "x"), -1), (row(7, "a"), -1), (row(9, "y"), 1), (row(1, ""), 0)];
        add_up(&mut updates);
        assert_eq!(updates, [(row(9, "x"), -1), (row(9, "y"), 1)]);
        let mut nothing = vec![(row(7, "a"), 2), (row(7, "a"), -2)];
        add_up(&mut nothing);
        assert!(nothing.is_empty());
    }

    proptest! {
        #[test]
        fn it_adds_up_as_differential_does(changes in prop::collection::vec((0i64..300, "[ab]{0,9}", -2i64..3), 0..200)) {
            let mut ours: Vec<_> = changes.iter().map(|(id, text, diff)| (row(*id, text), *diff)).collect();
            let mut theirs = ours.clone();
            add_up(&mut ours);
            differential_dataflow::consolidation::consolidate(&mut theirs);
            prop_assert_eq!(ours, theirs);
        }
    }
}
