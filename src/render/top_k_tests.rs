use std::collections::BTreeMap;

use super::*;

/// Follows random changes of one group, and compares with the window of the sorted members.
fn follow(window: Window, keys: u64, steps: usize, seed: u64) {
    let mut state = TopK { window, groups: HashMap::new() };
    let mut members: BTreeMap<u64, i64> = BTreeMap::new();
    let mut shown: BTreeMap<Row, i64> = BTreeMap::new();
    let mut random = seed;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    for step in 0..steps {
        let mut epoch: BTreeMap<u64, i64> = BTreeMap::new();
        for _ in 0..=below(4) {
            *epoch.entry(below(keys)).or_default() += below(7) as i64 - 3;
        }
        let mut values = Vec::new();
        for (key, diff) in epoch {
            let count = members.entry(key).or_default();
            let diff = diff.max(-*count);
            *count += diff;
            if diff != 0 {
                values.push((Row::pack([Datum::Bytes(&key.to_be_bytes()), Datum::Int(key as i64)]), diff));
            }
        }
        values.sort();
        let mut output = Changes::default();
        state.update(Row::default().as_ref(), &values, &mut output);
        for (row, diff) in output.rows {
            assert_ne!(diff, 0);
            *shown.entry(row).or_default() += diff;
        }
        shown.retain(|_, count| *count != 0);
        let all = members.iter().flat_map(|(key, count)| std::iter::repeat_n(*key, *count as usize));
        let mut expected: BTreeMap<Row, i64> = BTreeMap::new();
        for key in all.skip(window.offset as usize).take((window.end - window.offset).min(1 << 40) as usize) {
            *expected.entry(Row::pack([Datum::Int(key as i64)])).or_default() += 1;
        }
        assert_eq!(shown, expected, "step {step} of {window:?}");
    }
}

#[test]
fn the_window_is_what_sorting_would_show() {
    for (offset, limit) in [(0_i64, 1_i64), (0, 3), (2, 1), (2, 5), (1, 40), (7, 0)] {
        follow(Window { offset, end: offset + limit }, 12, 400, (offset * 7 + limit) as u64);
    }
    follow(Window { offset: 3, end: i64::MAX }, 12, 400, 1);
    follow(Window { offset: 0, end: i64::MAX }, 5, 200, 2);
}
