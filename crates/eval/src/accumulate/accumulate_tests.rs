use proptest::prelude::*;
use row::{Datum, Numeric, NumericTypmod, ScalarType};

use super::*;
use crate::{AggregateCall, AggregateFunction};

fn call(function: AggregateFunction, arg_type: ScalarType, scale_max: Option<u16>) -> AggregateCall {
    AggregateCall {
        function,
        arg: Some(crate::Expr::Column(0)),
        returns: match arg_type {
            ScalarType::Int16 | ScalarType::Int32 if function == AggregateFunction::Sum => ScalarType::Int64,
            ScalarType::Float64 => ScalarType::Float64,
            _ => ScalarType::NUMERIC,
        },
        arg_type,
        more: Vec::new(),
        distinct: false,
        filter: None,
        order_by: Vec::new(),
        scale_max,
    }
}

fn over<'a>(call: AggregateCall, values: impl IntoIterator<Item = (Datum<'a>, i64)>) -> Datum<'static> {
    let accumulators = Accumulators::new(&[call]);
    let mut lanes = vec![0; accumulators.width()];
    for (value, count) in values {
        let mut one = vec![0; accumulators.width()];
        accumulators.add(0, &value, &mut one);
        lanes.iter_mut().zip(one).for_each(|(lane, amount)| *lane += amount * count);
    }
    accumulators.finish(0, &lanes).expect("the aggregate finishes")
}

fn numeric(text: &str) -> Datum<'static> {
    Datum::Numeric(Numeric::parse(text).expect("a numeric"))
}

fn text(datum: &Datum<'_>) -> String {
    match datum {
        Datum::Numeric(value) => value.to_string(),
        Datum::Float64(value) => row::float_text::format_float8(*value),
        Datum::Int(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn sum_of_money_keeps_its_scale_and_retractions_leave_nothing() {
    let money = ScalarType::Numeric(Some(NumericTypmod { precision: 12, scale: 2 }));
    let sum = call(AggregateFunction::Sum, money.clone(), Some(2));
    let values = [(numeric("10.25"), 1), (numeric("-0.10"), 3), (numeric("7.00"), 1), (numeric("7.00"), -1)];
    assert_eq!(text(&over(sum.clone(), values)), "9.95");
    assert!(over(sum, [(numeric("5.00"), 1), (numeric("5.00"), -1)]).is_null());
}

#[test]
fn average_of_integers_is_a_numeric_with_postgres_digits() {
    let average = call(AggregateFunction::Avg, ScalarType::Int32, None);
    assert_eq!(text(&over(average, [(Datum::Int(1), 1), (Datum::Int(2), 2)])), "1.6666666666666667");
}

#[test]
fn sum_of_bigint_goes_beyond_bigint() {
    let sum = call(AggregateFunction::Sum, ScalarType::Int64, None);
    assert_eq!(text(&over(sum, [(Datum::Int(i64::MAX), 1), (Datum::Int(1), 1)])), "9223372036854775808");
}

#[test]
fn sum_of_any_scale_shows_the_greatest_scale_that_is_there() {
    let sum = call(AggregateFunction::Sum, ScalarType::NUMERIC, None);
    let values = [(numeric("1.5"), 1), (numeric("0.12345678901234567890"), 1)];
    assert_eq!(text(&over(sum.clone(), values.clone())), "1.62345678901234567890");
    let [one, other] = values;
    assert_eq!(text(&over(sum, [one, other.clone(), (other.0, -1)])), "1.5");
}

#[test]
fn a_value_too_wide_fails_its_group_while_it_is_there() {
    let accumulators = Accumulators::new(&[call(AggregateFunction::Sum, ScalarType::NUMERIC, None)]);
    let mut lanes = vec![0; accumulators.width()];
    let wide = Numeric::parse(&format!("1{}", "0".repeat(90))).expect("a numeric");
    accumulators.add(0, &Datum::Numeric(wide), &mut lanes);
    assert!(accumulators.finish(0, &lanes).is_err());
}

#[test]
fn nan_and_infinities_come_and_go() {
    let sum = || call(AggregateFunction::Sum, ScalarType::Float64, None);
    let number = |value: f64| Datum::Float64(value);
    assert_eq!(text(&over(sum(), [(number(f64::INFINITY), 1), (number(1.0), 1)])), "Infinity");
    assert_eq!(text(&over(sum(), [(number(f64::INFINITY), 1), (number(f64::NEG_INFINITY), 1)])), "NaN");
    assert_eq!(text(&over(sum(), [(number(f64::NAN), 1), (number(f64::NAN), -1), (number(0.5), 1)])), "0.5");
}

#[test]
fn a_sum_of_doubles_is_exact_before_it_is_rounded() {
    let sum = call(AggregateFunction::Sum, ScalarType::Float64, None);
    let values = [1e300, 1.0, -1e300, 5e-324].map(|value| (Datum::Float64(value), 1));
    assert_eq!(text(&over(sum, values)), "1");
}

proptest! {
    #[test]
    fn one_double_comes_back_as_it_was(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let sum = call(AggregateFunction::Sum, ScalarType::Float64, None);
        let Datum::Float64(back) = over(sum, [(Datum::Float64(value), 1)]) else { panic!("a double") };
        prop_assert_eq!(back, value);
        let average = call(AggregateFunction::Avg, ScalarType::Float64, None);
        let Datum::Float64(back) = over(average, [(Datum::Float64(value), 3)]) else { panic!("a double") };
        prop_assert_eq!(back, value);
    }

    #[test]
    fn sums_of_integers_in_doubles_agree_with_integers(values in prop::collection::vec(-1_000_000_i64..1_000_000, 1..50)) {
        let sum = call(AggregateFunction::Sum, ScalarType::Float64, None);
        let total: i64 = values.iter().sum();
        let Datum::Float64(back) = over(sum, values.iter().map(|value| (Datum::Float64(*value as f64), 1))) else { panic!() };
        prop_assert_eq!(back, total as f64);
        let average = call(AggregateFunction::Avg, ScalarType::Float64, None);
        let Datum::Float64(back) = over(average, values.iter().map(|value| (Datum::Float64(*value as f64), 1))) else { panic!() };
        prop_assert_eq!(back, total as f64 / values.len() as f64);
    }

    #[test]
    fn two_doubles_round_as_the_hardware_does(a in any::<f64>(), b in any::<f64>()) {
        prop_assume!(a.is_finite() && b.is_finite() && (a + b).is_finite());
        let sum = call(AggregateFunction::Sum, ScalarType::Float64, None);
        let Datum::Float64(back) = over(sum, [(Datum::Float64(a), 1), (Datum::Float64(b), 1)]) else { panic!("a double") };
        prop_assert_eq!(back, a + b);
    }
}
