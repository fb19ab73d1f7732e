use super::*;

fn typmod(precision: u16, scale: i16) -> Option<NumericTypmod> {
    Some(NumericTypmod { precision, scale })
}

fn check(text: &str, of: Option<NumericTypmod>, mantissa: i128, scale: u16) {
    let value = numeric(text, of).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(value.small_parts(), Some((mantissa, scale)), "{text}");
}

#[test]
fn the_scale_as_written_is_kept_without_a_declared_one() {
    check("12.50", None, 1250, 2);
    check("-0.01", None, -1, 2);
    check("0", None, 0, 0);
    check("-0", None, 0, 0);
    check("0.000", None, 0, 3);
    check("1.5e3", None, 1500, 0);
    check("15E-4", None, 15, 4);
    check(".5", None, 5, 1);
    check("99999999999999999999999999999999999999", None, 99999999999999999999999999999999999999, 0);
    check("12345678901234567890.123456789", None, 12345678901234567890123456789, 9);
}

#[test]
fn a_declared_scale_pads_and_rounds_half_away_from_zero() {
    check("12.3", typmod(10, 2), 1230, 2);
    check("12", typmod(4, 2), 1200, 2);
    check("12.345", typmod(10, 2), 1235, 2);
    check("-12.345", typmod(10, 2), -1235, 2);
    check("0.004", typmod(10, 2), 0, 2);
}

#[test]
fn more_digits_than_declared_are_refused() {
    for (text, of) in
        [("100.00", typmod(4, 2)), ("9.999", typmod(3, 2)), ("123456", typmod(5, 0)), ("100", typmod(4, 2))]
    {
        assert!(numeric(text, of).expect_err(text).contains("overflow"), "{text}");
    }
}

#[test]
fn thousands_of_zeros_of_a_negative_scale_are_rounded_away() {
    let text = format!("12300.{}", "0".repeat(2046));
    check(&text, typmod(5, -2), 12300, 0);
    check("12349", typmod(5, -2), 12300, 0);
    check("12350", typmod(5, -2), 12400, 0);
    check("49", typmod(5, -2), 0, 0);
}

#[test]
fn an_exponent_cannot_make_us_allocate_without_limit() {
    for text in ["1e999999999", "1e9223372036854775807", "1e200000"] {
        assert!(numeric(text, None).is_err(), "{text}");
    }
    check("0e999", None, 0, 0);
}

#[test]
fn what_is_no_number() {
    for text in ["", ".", "-", "abc", "1.2.3", "0x10", "1e", "BBo=", "--1", "1_000"] {
        assert!(numeric(text, None).expect_err(text).contains("is no number"), "{text}");
    }
}

#[test]
fn words_of_floats() {
    assert!(numeric("NaN", None).expect("nan").is_nan());
    assert!(numeric("-Infinity", None).expect("infinity").is_infinite());
    assert!(numeric("Infinity", typmod(10, 2)).is_err(), "PostgreSQL refuses it where a precision is declared");
}

#[test]
fn unscaled_bytes_of_debezium_and_connect() {
    let of = |bytes: &[u8], scale| unscaled(bytes, scale, None).expect("a decimal").small_parts();
    assert_eq!(of(&[4, 0x1A], 2), Some((1050, 2)));
    assert_eq!(of(&[0xFF], 2), Some((-1, 2)));
    assert_eq!(of(&[], 0), Some((0, 0)));
    assert_eq!(of(&[1], -3), Some((1000, 0)));
    assert_eq!(of(&[0x80, 0], 0), Some((-32768, 0)));
    assert!(unscaled(&[1], 40_000, None).is_err());
    assert!(unscaled(&[1; 100_000], 0, None).is_err());
}

#[test]
fn a_wrong_scale_of_two_thousand_digits_is_read_exactly() {
    // Debezium gives numeric(5,-2) the scale 2046: 12300 arrives as 12300 * 10^2046.
    let (mut bytes, _) = Numeric::parse("12300e2046").expect("a number").big_parts();
    bytes.reverse();
    let value = unscaled(&bytes, 2046, typmod(5, -2)).expect("fits");
    assert_eq!(value.small_parts(), Some((12300, 0)));
}

proptest::proptest! {
    #[test]
    fn the_short_way_gives_what_the_long_way_gives(whole in 0u32..2_000_000, fraction in "[0-9]{0,6}", negative: bool, scale in 0i16..8) {
        let sign = if negative { "-" } else { "" };
        let text = if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
        for of in [None, typmod(9, scale)] {
            let long = fit(Numeric::parse(&text).expect("a number"), of).ok().and_then(|value| value.small_parts());
            let short = numeric(&text, of).ok().and_then(|value| value.small_parts());
            proptest::prop_assert_eq!(long, short, "{}", text);
        }
    }

    #[test]
    fn any_text_gives_a_value_or_an_error(text in "\\PC{0,24}", precision in 1u16..40, scale in -5i16..40) {
        let _ = numeric(&text, None);
        let _ = numeric(&text, typmod(precision, scale));
    }
}
