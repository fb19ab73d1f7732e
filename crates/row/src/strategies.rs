//! Random values for the tests of this crate.

use proptest::prelude::*;

use crate::calendar::{DATE_MAX, DATE_MIN, Interval, MICROS_PER_DAY, TIMESTAMP_MAX, TIMESTAMP_MIN};
use crate::{Datum, Numeric, OwnedDatum, Row};

/// Small and big mantissas with the scales that SQL meets, and trailing zeros often.
pub fn finite_numeric() -> impl Strategy<Value = Numeric> {
    let small = (any::<i64>(), 0_u32..64, 0_u16..12);
    let small = small.prop_map(|(mantissa, shift, scale)| Numeric::from_parts((mantissa >> shift).into(), scale));
    let wide = (any::<i128>(), 0_u32..128, 0_u16..300);
    let wide = wide.prop_map(|(mantissa, shift, scale)| Numeric::from_parts(mantissa >> shift, scale));
    let big = "-?[1-9][0-9]{30,80}(\\.[0-9]{1,60})?".prop_map(|text| Numeric::parse(&text).expect("digits"));
    let round = (-1000_i128..1000, 0_u32..20, 0_u16..10);
    let round = round.prop_map(|(head, zeros, scale)| Numeric::from_parts(head * 10_i128.pow(zeros), scale));
    // Close together, so that one's digits often begin with the other's.
    let near = (-30_i128..30, 0_u16..3).prop_map(|(mantissa, scale)| Numeric::from_parts(mantissa, scale));
    prop_oneof![3 => small, 1 => wide, 1 => big, 2 => round, 3 => near]
}

pub fn any_numeric() -> impl Strategy<Value = Numeric> {
    let special = prop_oneof![Just(Numeric::NAN), Just(Numeric::INFINITY), Just(Numeric::NEG_INFINITY)];
    prop_oneof![9 => finite_numeric(), 1 => special]
}

pub fn any_interval() -> impl Strategy<Value = Interval> {
    let near = (-30..30, -60..60, -3_i64..3);
    let near = near.prop_map(|(months, days, day)| Interval::new(months, days, day * MICROS_PER_DAY / 2));
    let far = (any::<i32>(), any::<i32>(), any::<i64>());
    prop_oneof![near, far.prop_map(|(months, days, micros)| Interval::new(months, days, micros))]
}

/// A value of the type with this number, or NULL: two of one number may be compared.
pub fn value_of_type(ty: usize) -> BoxedStrategy<OwnedDatum> {
    let value = match ty {
        0 => any::<bool>().prop_map(Datum::Bool).boxed(),
        1 => (any::<i64>(), 0_u32..64).prop_map(|(value, shift)| Datum::Int(value >> shift)).boxed(),
        2 => any_f32().prop_map(Datum::Float32).boxed(),
        3 => any_f64().prop_map(Datum::Float64).boxed(),
        4 => any_numeric().prop_map(Datum::Numeric).boxed(),
        5 => (DATE_MIN..=DATE_MAX).prop_map(Datum::Date).boxed(),
        6 => (0..=MICROS_PER_DAY).prop_map(Datum::Time).boxed(),
        7 => any_timestamp().prop_map(Datum::Timestamp).boxed(),
        8 => any_timestamp().prop_map(Datum::TimestampTz).boxed(),
        9 => any_interval().prop_map(Datum::Interval).boxed(),
        10 => {
            return nullable(
                "[a\0]{0,3}|[ab\0\u{e9}]{0,6}|.{0,300}".prop_map(|text| OwnedDatum::new(&Datum::Text(&text))),
            );
        }
        11 => {
            let bytes = prop_oneof![prop::collection::vec(0_u8..3, 0..6), prop::collection::vec(any::<u8>(), 0..40)];
            return nullable(bytes.prop_map(|bytes| OwnedDatum::new(&Datum::Bytes(&bytes))));
        }
        _ => {
            // Elements have one type, so that two arrays may be compared.
            let elements = prop::collection::vec(value_of_type(4), 0..4);
            return nullable(elements.prop_map(|values| {
                let row = Row::pack(values.iter().map(OwnedDatum::datum));
                OwnedDatum::new(&Datum::Array(row.as_ref()))
            }));
        }
    };
    nullable(value.prop_map(|datum| OwnedDatum::new(&datum)))
}

pub const TYPES: usize = 13;

fn nullable(value: impl Strategy<Value = OwnedDatum> + 'static) -> BoxedStrategy<OwnedDatum> {
    prop_oneof![9 => value, 1 => Just(OwnedDatum::null())].boxed()
}

fn any_timestamp() -> impl Strategy<Value = i64> {
    prop_oneof![3 => TIMESTAMP_MIN..=TIMESTAMP_MAX, 1 => -2_000_000_000_000_000..4_000_000_000_000_000_i64]
}

fn any_f64() -> impl Strategy<Value = f64> {
    prop_oneof![3 => any::<u64>().prop_map(f64::from_bits), 1 => Just(0.0), 1 => Just(-0.0), 2 => -100.0..100.0_f64]
}

fn any_f32() -> impl Strategy<Value = f32> {
    prop_oneof![3 => any::<u32>().prop_map(f32::from_bits), 1 => Just(0.0_f32), 1 => Just(-0.0_f32)]
}
