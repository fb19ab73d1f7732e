use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;

use proptest::prelude::*;

use super::*;
use crate::NumericTypmod;
use crate::strategies::{any_numeric, finite_numeric};

fn n(text: &str) -> Numeric {
    Numeric::parse(text).expect("a numeric")
}

fn check(result: Result<Numeric, NumericError>, expected: &str) {
    let shown = match result {
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(shown, expected);
}

#[test]
fn quotients_show_as_many_digits_as_postgres() {
    check(n("10.00").div(&n("3")), "3.3333333333333333");
    check(n("100.0").div(&n("3")), "33.3333333333333333");
    check(n("2").div(&n("3.0")), "0.66666666666666666667");
    check(n("1.00").div(&n("9999999.00")), "0.000000100000010000001000");
    check(n("12345678901234567890123456789.5").mul(&n("1.5")), "18518518351851851835185185184.25");
}

#[test]
fn a_sum_beyond_128_bits_comes_back_to_the_small_form() {
    let greatest = Numeric::from_i128(i128::MAX);
    let above = greatest.add(&Numeric::ONE).expect("a sum");
    assert_eq!(above.small_parts(), None);
    assert_eq!(above.to_string(), "170141183460469231731687303715884105728");
    assert_eq!(above.sub(&Numeric::ONE).expect("a difference").small_parts(), Some((i128::MAX, 0)));
    assert_eq!(Numeric::from_i128(i128::MIN).neg(), above);
    assert_eq!(above.neg().small_parts(), Some((i128::MIN, 0)));
}

#[test]
fn a_short_text_cannot_ask_for_much_memory() {
    for text in ["1e1000000", "1e131072", "1e-16384", "1e999999999999", "-1e2000000000"] {
        check(Numeric::parse(text), "value overflows numeric format");
    }
    assert_eq!(n("1e131071").to_string().len(), 131_072);
    assert_eq!(n("1e-16383").to_string().len(), 16_385);
    check(n("9e131071").add(&n("9e131071")), "value overflows numeric format");
    check(n("1e100000").mul(&n("1e100000")), "value overflows numeric format");
    check(n("10").power(&n("200000")), "value overflows numeric format");
    check(n("10").power(&n("2000000000")), "value overflows numeric format");
    check(n("1e-10000").mul(&n("1e-10000")), &format!("0.{}", "0".repeat(16_383)));
}

#[test]
fn a_field_overflow_says_what_fits() {
    let typmod = NumericTypmod { precision: 4, scale: 2 };
    let error = n("99.995").with_typmod(typmod).expect_err("an overflow");
    assert_eq!(error.to_string(), "numeric field overflow");
    assert_eq!(
        error.detail().as_deref(),
        Some("A field with precision 4, scale 2 must round to an absolute value less than 10^2.")
    );
    let error = Numeric::INFINITY.with_typmod(typmod).expect_err("an overflow");
    assert_eq!(error.detail().as_deref(), Some("A field with precision 4, scale 2 cannot hold an infinite value."));
    let error = n("1").with_typmod(NumericTypmod { precision: 2, scale: 2 }).expect_err("an overflow");
    assert_eq!(
        error.detail().as_deref(),
        Some("A field with precision 2, scale 2 must round to an absolute value less than 1.")
    );
    check(n("99.994").with_typmod(typmod), "99.99");
}

#[test]
fn rescaling_pads_and_rounds() {
    check(n("1.5").rescale(4), "1.5000");
    check(n("1.25").rescale(1), "1.3");
    check(n("-1.25").rescale(1), "-1.3");
    check(n("1e30").rescale(30), &format!("1{}.{}", "0".repeat(30), "0".repeat(30)));
    assert_eq!(n("2.5").to_i64_rounded(), Some(3));
    assert_eq!(n("-2.5").to_i64_rounded(), Some(-3));
    assert_eq!(n("9223372036854775807.5").to_i64_rounded(), None);
    assert_eq!(Numeric::NAN.to_i64_rounded(), None);
}

#[test]
fn nan_is_greatest_and_equals_itself() {
    let ascending = ["-Infinity", "-1e40", "-1", "0", "0.5", "1e40", "Infinity", "NaN"].map(n);
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            assert_eq!(a.cmp(b), i.cmp(&j), "{a} against {b}");
        }
    }
}

fn hash(value: &Numeric) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn key(value: &Numeric) -> Vec<u8> {
    let mut key = smallvec::SmallVec::new();
    value.push_order_key(&mut key);
    key.to_vec()
}

#[test]
fn order_keys_of_extremes_stand_in_line() {
    let texts = [
        "-Infinity",
        "-1e131071",
        "-1e200",
        "-1e170",
        "-100",
        "-99.5",
        "-10",
        "-1",
        "-1e-70",
        "-1e-90",
        "-1e-16383",
        "0",
        "1e-16383",
        "1e-90",
        "1e-80",
        "1e-70",
        "0.01",
        "0.1",
        "1",
        "1.5",
        "9.99",
        "10",
        "10.01",
        "99",
        "100",
        "1e100",
        "1e163",
        "1e164",
        "1e200",
        "1e131071",
        "Infinity",
        "NaN",
    ];
    for pair in texts.windows(2) {
        let (lower, upper) = (key(&n(pair[0])), key(&n(pair[1])));
        assert!(lower < upper, "{} before {}", pair[0], pair[1]);
        assert!(!upper.starts_with(&lower) && !lower.starts_with(&upper), "{} and {}", pair[0], pair[1]);
    }
}

/// Mantissas of both at one scale, by text alone.
fn digits_at(value: &Numeric, scale: usize) -> IBig {
    let text = value.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}{fraction:0<scale$}").parse().expect("digits")
}

proptest! {
    #[test]
    fn text_reads_back_as_the_same_digits(value in any_numeric()) {
        let read = n(&value.to_string());
        prop_assert_eq!(read.scale(), value.scale());
        prop_assert_eq!(read.to_string(), value.to_string());
        prop_assert_eq!(read.small_parts(), value.small_parts());
        prop_assert_eq!(read, value);
    }

    #[test]
    fn sums_and_products_are_those_of_integers(a in finite_numeric(), b in finite_numeric()) {
        let scale = usize::from(a.scale().max(b.scale()));
        let (x, y) = (digits_at(&a, scale), digits_at(&b, scale));
        prop_assert_eq!(digits_at(&a.add(&b).unwrap(), scale), &x + &y);
        prop_assert_eq!(digits_at(&a.sub(&b).unwrap(), scale), &x - &y);
        let product = digits_at(&a, a.scale().into()) * digits_at(&b, b.scale().into());
        prop_assert_eq!(digits_at(&a.mul(&b).unwrap(), (a.scale() + b.scale()).into()), product);
        prop_assert_eq!(a.cmp(&b), x.cmp(&y));
        if !b.is_zero() {
            prop_assert_eq!(digits_at(&a.rem(&b).unwrap(), scale), &x % &y);
            // |quotient · b - a| is at most half of the last digit times b.
            let quotient = a.div(&b).unwrap();
            let error = quotient.mul(&b).unwrap().sub(&a).unwrap().abs();
            let half = Numeric::from_parts(5, quotient.scale() + 1).mul(&b).unwrap().abs();
            prop_assert!(error <= half);
        }
    }

    #[test]
    fn roots_and_logarithms_undo_powers(mantissa in 1..10_i128.pow(20), scale in 0_u16..12) {
        let value = Numeric::from_parts(mantissa, scale);
        let root = value.sqrt().unwrap();
        let error = root.mul(&root).unwrap().sub(&value).unwrap().abs();
        let half = Numeric::from_parts(5, root.scale() + 1).mul(&root.mul(&n("2.01")).unwrap()).unwrap();
        prop_assert!(error <= half, "{} has root {}", value, root);
        let back = value.ln().unwrap().exp().unwrap();
        let relative = back.sub(&value).unwrap().abs().div(&value).unwrap();
        prop_assert!(relative < n("1e-13"), "{} came back as {}", value, back);
    }

    #[test]
    fn equal_values_share_hash_key_and_normal_form(value in finite_numeric(), zeros in 0_u16..40) {
        let padded = value.rescale(value.scale() + zeros).unwrap();
        prop_assert_eq!(&padded, &value);
        prop_assert_eq!(hash(&padded), hash(&value));
        prop_assert_eq!(key(&padded), key(&value));
        let (a, b) = (padded.normalized(), value.clone().normalized());
        prop_assert_eq!(a.to_string(), b.to_string());
        prop_assert_eq!(a.scale(), b.scale());
        prop_assert_eq!(a, value);
    }

    #[test]
    fn order_keys_compare_as_values(a in any_numeric(), b in any_numeric()) {
        prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        if a.cmp(&b) != Ordering::Equal {
            prop_assert!(!key(&a).starts_with(&key(&b)), "a key is a prefix of another");
        }
    }

    #[test]
    fn bytes_of_any_finite_value_read_back(value in finite_numeric()) {
        let (bytes, scale) = value.big_parts();
        let read = Numeric::from_big_parts(&bytes, scale);
        prop_assert_eq!(read.small_parts(), value.small_parts());
        prop_assert_eq!(read.to_string(), value.to_string());
    }

    #[test]
    fn doubles_keep_fifteen_digits(value in -1e15_f64..1e15) {
        let back = Numeric::from_f64(value).to_f64();
        prop_assert!((back - value).abs() <= value.abs() * 1e-14);
    }
}
