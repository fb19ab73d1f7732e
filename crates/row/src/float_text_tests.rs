use proptest::prelude::*;

use super::*;

#[test]
fn floats_switch_to_scientific_where_postgres_does() {
    for (value, text) in [
        (1.0, "1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e14, "100000000000000"),
        (1e15, "1e+15"),
        (1e20, "1e+20"),
        (1e-4, "0.0001"),
        (1e-5, "1e-05"),
        (1.5e-300, "1.5e-300"),
        (-0.0, "-0"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
        (5e-324, "5e-324"),
    ] {
        assert_eq!(format_float8(value), text);
    }
    for (value, text) in [(1e5_f32, "100000"), (1e6, "1e+06"), (0.1, "0.1"), (16_777_216.0, "1.6777216e+07")] {
        assert_eq!(format_float4(value), text);
    }
}

#[test]
fn what_is_no_float_is_refused_in_postgres_words() {
    let message = |text| parse_float8(text).expect_err("an error").to_string();
    assert_eq!(message("abc"), "invalid input syntax for type double precision: \"abc\"");
    assert_eq!(message("1e400"), "\"1e400\" is out of range for type double precision");
    assert_eq!(message("1e-400"), "\"1e-400\" is out of range for type double precision");
    let message = |text| parse_float4(text).expect_err("an error").to_string();
    assert_eq!(message("1e40"), "\"1e40\" is out of range for type real");
    assert_eq!(parse_float8(" -inf "), Ok(f64::NEG_INFINITY));
}

proptest! {
    #[test]
    fn doubles_read_back(bits: u64) {
        let value = f64::from_bits(bits);
        let read = parse_float8(&format_float8(value)).unwrap();
        prop_assert!(read.to_bits() == bits || (read.is_nan() && value.is_nan()));
    }

    #[test]
    fn reals_read_back(bits: u32) {
        let value = f32::from_bits(bits);
        let read = parse_float4(&format_float4(value)).unwrap();
        prop_assert!(read.to_bits() == bits || (read.is_nan() && value.is_nan()));
    }

    #[test]
    fn large_whole_doubles_read_back(value in (1_u64 << 53)..u64::MAX) {
        let value = value as f64;
        prop_assert_eq!(parse_float8(&format_float8(value)), Ok(value));
    }
}
