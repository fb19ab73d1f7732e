use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;
use crate::strategies::{TYPES, value_of_type};

/// ORDER BY said directly.
fn expected(a: &Datum<'_>, b: &Datum<'_>, direction: SortDirection) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if direction.nulls_first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) => expected(b, a, direction).reverse(),
        (false, false) if direction.descending => b.sql_cmp(a),
        (false, false) => a.sql_cmp(b),
    }
}

fn key(datum: &Datum<'_>, direction: SortDirection) -> Vec<u8> {
    let mut key = SmallVec::new();
    push_order_key(&mut key, datum, direction);
    key.to_vec()
}

#[test]
fn nulls_go_where_the_term_says() {
    let ascending = SortDirection::ASCENDING;
    assert!(key(&Datum::Null, ascending) > key(&Datum::Int(i64::MAX), ascending));
    let first = SortDirection { descending: true, nulls_first: true };
    assert!(key(&Datum::Null, first) < key(&Datum::Int(i64::MAX), first));
}

#[test]
fn a_text_with_a_zero_byte_sorts_after_its_prefix() {
    let ascending = SortDirection::ASCENDING;
    let texts = ["", "\0", "\0\0", "\0a", "a", "a\0", "a\0b", "aa", "b"];
    for pair in texts.windows(2) {
        let (lower, upper) = (key(&Datum::Text(pair[0]), ascending), key(&Datum::Text(pair[1]), ascending));
        assert!(lower < upper && !upper.starts_with(&lower), "{pair:?}");
    }
}

proptest! {
    #[test]
    fn keys_compare_as_order_by_does(
        (a, b) in (0..TYPES).prop_flat_map(|ty| (value_of_type(ty), value_of_type(ty))),
        descending: bool,
        nulls_first: bool,
    ) {
        let direction = SortDirection { descending, nulls_first };
        let (a, b) = (a.datum(), b.datum());
        let order = expected(&a, &b, direction);
        let (key_a, key_b) = (key(&a, direction), key(&b, direction));
        prop_assert_eq!(key_a.cmp(&key_b), order);
        prop_assert!(order.is_eq() || !key_a.starts_with(&key_b), "a key is a prefix of another");
    }

    #[test]
    fn keys_of_two_terms_compare_term_by_term(
        ((a, b), (c, d)) in (0..TYPES, 0..TYPES).prop_flat_map(|(first, second)| {
            ((value_of_type(first), value_of_type(second)), (value_of_type(first), value_of_type(second)))
        }),
    ) {
        let direction = SortDirection { descending: true, nulls_first: true };
        let joined = |first: &Datum<'_>, second: &Datum<'_>| {
            [key(first, direction), key(second, SortDirection::ASCENDING)].concat()
        };
        let order = expected(&a.datum(), &c.datum(), direction)
            .then(expected(&b.datum(), &d.datum(), SortDirection::ASCENDING));
        prop_assert_eq!(joined(&a.datum(), &b.datum()).cmp(&joined(&c.datum(), &d.datum())), order);
    }
}
