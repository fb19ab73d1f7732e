//! Functions of numbers.
//!
//! 1. A numeric rounds half away from zero, a double half to even: as PostgreSQL does.
//! 2. An integer argument of a function that has no integer form goes to `double precision`, its category's preferred type.

use row::{Datum, Numeric};

use super::Param::{Float64, Int32, Int64};
use super::arithmetic::{integer, numeric};
use super::{Implementation, Param, Value, fail, partial, total, unwrap_f64, unwrap_i32, unwrap_numeric};
use crate::EvalError;

const NUMERIC: Param = Param::Numeric;

pub(super) const ROWS: &[Implementation] = &[
    partial("ceil", &[NUMERIC], NUMERIC, |a, _| one(a, Numeric::ceil)),
    total("ceil", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).ceil()))),
    partial("ceiling", &[NUMERIC], NUMERIC, |a, _| one(a, Numeric::ceil)),
    total("ceiling", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).ceil()))),
    partial("floor", &[NUMERIC], NUMERIC, |a, _| one(a, Numeric::floor)),
    total("floor", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).floor()))),
    partial("round", &[NUMERIC], NUMERIC, |a, _| one(a, |x| x.round(0))),
    total("round", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).round_ties_even()))),
    partial("round", &[NUMERIC, Int32], NUMERIC, |a, _| one(a, |x| x.round(unwrap_i32(&a[1])))),
    partial("trunc", &[NUMERIC], NUMERIC, |a, _| one(a, |x| x.trunc(0))),
    total("trunc", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).trunc()))),
    partial("trunc", &[NUMERIC, Int32], NUMERIC, |a, _| one(a, |x| x.trunc(unwrap_i32(&a[1])))),
    total("sign", &[NUMERIC], NUMERIC, |a, _| Ok(Datum::Numeric(unwrap_numeric(&a[0]).sign()))),
    total("sign", &[Float64], Float64, |a, _| {
        let value = unwrap_f64(&a[0]);
        Ok(Datum::Float64(if value == 0.0 || value.is_nan() { value.abs() } else { value.signum() }))
    }),
    total("scale", &[NUMERIC], Int32, |a, _| {
        let value = unwrap_numeric(&a[0]);
        Ok(if value.is_nan() || value.is_infinite() { Datum::Null } else { Datum::Int(i64::from(value.scale())) })
    }),
    total("trim_scale", &[NUMERIC], NUMERIC, |a, _| Ok(Datum::Numeric(unwrap_numeric(&a[0]).clone().normalized()))),
    partial("div", &[NUMERIC, NUMERIC], NUMERIC, |a, _| {
        let (left, right) = (unwrap_numeric(&a[0]), unwrap_numeric(&a[1]));
        numeric(a, |_, _| whole_quotient(left, right))
    }),
    partial("sqrt", &[Float64], Float64, |a, _| square_root(unwrap_f64(&a[0]))),
    partial("sqrt", &[NUMERIC], NUMERIC, |a, _| one(a, Numeric::sqrt)),
    total("cbrt", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).cbrt()))),
    partial("exp", &[Float64], Float64, |a, _| exponential(unwrap_f64(&a[0]))),
    partial("exp", &[NUMERIC], NUMERIC, |a, _| one(a, Numeric::exp)),
    partial("ln", &[Float64], Float64, |a, _| logarithm(unwrap_f64(&a[0]), f64::ln)),
    partial("ln", &[NUMERIC], NUMERIC, |a, _| one(a, Numeric::ln)),
    partial("log", &[Float64], Float64, |a, _| logarithm(unwrap_f64(&a[0]), f64::log10)),
    partial("log10", &[Float64], Float64, |a, _| logarithm(unwrap_f64(&a[0]), f64::log10)),
    partial("log", &[NUMERIC], NUMERIC, |a, _| one(a, Numeric::log10)),
    partial("log10", &[NUMERIC], NUMERIC, |a, _| one(a, Numeric::log10)),
    partial("log", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, |base, x| x.log(base))),
    partial("power", &[Float64, Float64], Float64, |a, _| power(a)),
    partial("power", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, Numeric::power)),
    partial("pow", &[Float64, Float64], Float64, |a, _| power(a)),
    partial("pow", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, Numeric::power)),
    total("pi", &[], Float64, |_, _| Ok(Datum::Float64(std::f64::consts::PI))),
    partial("degrees", &[Float64], Float64, |a, _| finite(unwrap_f64(&a[0]), |x| x / (std::f64::consts::PI / 180.0))),
    partial("radians", &[Float64], Float64, |a, _| finite(unwrap_f64(&a[0]), |x| x * (std::f64::consts::PI / 180.0))),
    partial("sin", &[Float64], Float64, |a, _| trigonometric(unwrap_f64(&a[0]), f64::sin)),
    partial("cos", &[Float64], Float64, |a, _| trigonometric(unwrap_f64(&a[0]), f64::cos)),
    partial("tan", &[Float64], Float64, |a, _| trigonometric(unwrap_f64(&a[0]), f64::tan)),
    partial("asin", &[Float64], Float64, |a, _| inverse(unwrap_f64(&a[0]), f64::asin)),
    partial("acos", &[Float64], Float64, |a, _| inverse(unwrap_f64(&a[0]), f64::acos)),
    total("atan", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).atan()))),
    total("atan2", &[Float64, Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).atan2(unwrap_f64(&a[1]))))),
    partial("width_bucket", &[NUMERIC, NUMERIC, NUMERIC, Int32], Int32, |a, _| width_bucket_numeric(a)),
    partial("width_bucket", &[Float64, Float64, Float64, Int32], Int32, |a, _| width_bucket_double(a)),
    total("||/", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).cbrt()))),
    partial("|/", &[Float64], Float64, |a, _| square_root(unwrap_f64(&a[0]))),
    total("min_scale", &[NUMERIC], Int32, |a, _| {
        let value = unwrap_numeric(&a[0]).clone().normalized();
        Ok(if value.is_nan() || value.is_infinite() { Datum::Null } else { Datum::Int(i64::from(value.scale())) })
    }),
    partial("factorial", &[Int64], NUMERIC, |a, _| factorial(a[0].unwrap_int())),
    partial("lcm", &[Int32, Int32], Int32, |a, _| match lcm(a) {
        Some(multiple) => integer(multiple),
        None => fail("integer out of range"),
    }),
    partial("lcm", &[Int64, Int64], Int64, |a, _| super::arithmetic::big(lcm(a))),
    partial("lcm", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, lcm_numeric)),
    partial("gcd", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, gcd_numeric)),
    partial("gcd", &[Int32, Int32], Int32, |a, _| integer(gcd(a[0].unwrap_int(), a[1].unwrap_int()))),
    partial("gcd", &[Int64, Int64], Int64, |a, _| {
        let divisor = gcd_wide(i128::from(a[0].unwrap_int()), i128::from(a[1].unwrap_int()));
        super::arithmetic::big(i64::try_from(divisor).ok())
    }),
];

fn one<'a, E: std::fmt::Display>(
    args: &[Datum<'a>],
    operation: impl FnOnce(&Numeric) -> Result<Numeric, E>,
) -> Value<'a> {
    operation(unwrap_numeric(&args[0])).map(Datum::Numeric).map_err(EvalError::from_value)
}

/// `div`: the quotient without its fraction, exact however long it is.
fn whole_quotient(left: &Numeric, right: &Numeric) -> Result<Numeric, row::numeric::NumericError> {
    if left.is_nan() || right.is_nan() || left.is_infinite() || right.is_infinite() || right.is_zero() {
        return left.div(right)?.trunc(0);
    }
    // Without its remainder the dividend is a multiple of the divisor, so the quotient is whole and no rounding can show.
    left.sub(&left.rem(right)?)?.div(right)?.round(0)
}

fn finite<'a>(value: f64, operation: fn(f64) -> f64) -> Value<'a> {
    let result = operation(value);
    if result.is_infinite() && !value.is_infinite() {
        return fail("value out of range: overflow");
    }
    Ok(Datum::Float64(result))
}

fn square_root<'a>(value: f64) -> Value<'a> {
    if value < 0.0 { fail("cannot take square root of a negative number") } else { Ok(Datum::Float64(value.sqrt())) }
}

fn exponential<'a>(value: f64) -> Value<'a> {
    let result = value.exp();
    if result.is_infinite() && !value.is_infinite() {
        return fail("value out of range: overflow");
    }
    if result == 0.0 && !value.is_infinite() {
        return fail("value out of range: underflow");
    }
    Ok(Datum::Float64(result))
}

fn logarithm<'a>(value: f64, operation: fn(f64) -> f64) -> Value<'a> {
    if value == 0.0 {
        return fail("cannot take logarithm of zero");
    }
    if value < 0.0 {
        return fail("cannot take logarithm of a negative number");
    }
    Ok(Datum::Float64(operation(value)))
}

fn trigonometric<'a>(value: f64, operation: fn(f64) -> f64) -> Value<'a> {
    if value.is_infinite() { fail("input is out of range") } else { Ok(Datum::Float64(operation(value))) }
}

fn inverse<'a>(value: f64, operation: fn(f64) -> f64) -> Value<'a> {
    if value.abs() > 1.0 { fail("input is out of range") } else { Ok(Datum::Float64(operation(value))) }
}

pub(super) fn power<'a>(args: &[Datum<'a>]) -> Value<'a> {
    let (base, exponent) = (unwrap_f64(&args[0]), unwrap_f64(&args[1]));
    if base == 0.0 && exponent < 0.0 {
        return fail("zero raised to a negative power is undefined");
    }
    if base < 0.0 && base.is_finite() && exponent.is_finite() && exponent.fract() != 0.0 {
        return fail("a negative number raised to a non-integer power yields a complex result");
    }
    let result = base.powf(exponent);
    if result.is_infinite() && base.is_finite() && exponent.is_finite() {
        return fail("value out of range: overflow");
    }
    if result == 0.0 && base != 0.0 && base.is_finite() && exponent.is_finite() {
        return fail("value out of range: underflow");
    }
    Ok(Datum::Float64(result))
}

fn bucket_count(datum: &Datum<'_>) -> Result<i64, EvalError> {
    match datum.unwrap_int() {
        count if count <= 0 => fail("count must be greater than zero"),
        count => Ok(count),
    }
}

fn width_bucket_numeric<'a>(args: &[Datum<'a>]) -> Value<'a> {
    let count = bucket_count(&args[3])?;
    let [operand, low, high] = [0, 1, 2].map(|index| unwrap_numeric(&args[index]));
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return fail("operand, lower bound, and upper bound cannot be NaN");
    }
    if low.is_infinite() || high.is_infinite() {
        return fail("lower and upper bounds must be finite");
    }
    // A falling range is the rising one seen in a mirror.
    let (operand, low, high) = match low.cmp(high) {
        std::cmp::Ordering::Equal => return fail("lower bound cannot equal upper bound"),
        std::cmp::Ordering::Less => (operand.clone(), low.clone(), high.clone()),
        std::cmp::Ordering::Greater => (operand.neg(), low.neg(), high.neg()),
    };
    if operand.cmp(&low).is_lt() {
        return Ok(Datum::Int(0));
    }
    if operand.cmp(&high).is_ge() {
        return integer(count + 1);
    }
    let bucket = (|| whole_quotient(&operand.sub(&low)?.mul(&Numeric::from_i64(count))?, &high.sub(&low)?))()
        .map_err(EvalError::from_value)?;
    integer(bucket.to_i64_rounded().unwrap_or(count) + 1)
}

fn width_bucket_double<'a>(args: &[Datum<'a>]) -> Value<'a> {
    let count = bucket_count(&args[3])?;
    let [operand, low, high] = [0, 1, 2].map(|index| unwrap_f64(&args[index]));
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return fail("operand, lower bound, and upper bound cannot be NaN");
    }
    if low.is_infinite() || high.is_infinite() {
        return fail("lower and upper bounds must be finite");
    }
    if low == high {
        return fail("lower bound cannot equal upper bound");
    }
    let (operand, low, high) = if low < high { (operand, low, high) } else { (-operand, -low, -high) };
    if operand < low {
        return Ok(Datum::Int(0));
    }
    if operand >= high {
        return integer(count + 1);
    }
    // Rounding must not push the topmost operand out of the last bucket.
    let bucket = ((operand - low) / (high - low) * count as f64) as i64;
    integer(bucket.min(count - 1) + 1)
}

fn gcd(a: i64, b: i64) -> i64 {
    gcd_wide(i128::from(a), i128::from(b)) as i64
}

fn gcd_wide(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.abs()
}

/// The least common multiple; `None` beyond 64 bits.
fn lcm(args: &[Datum<'_>]) -> Option<i64> {
    let (a, b) = (i128::from(args[0].unwrap_int()), i128::from(args[1].unwrap_int()));
    if a == 0 || b == 0 {
        return Some(0);
    }
    i64::try_from((a / gcd_wide(a, b) * b).abs()).ok()
}

fn gcd_numeric(a: &Numeric, b: &Numeric) -> Result<Numeric, row::numeric::NumericError> {
    let scale = a.scale().max(b.scale());
    if a.is_nan() || b.is_nan() || a.is_infinite() || b.is_infinite() {
        return a.add(b)?.sub(&a.add(b)?);
    }
    let (mut a, mut b) = (a.abs(), b.abs());
    while !b.is_zero() {
        (a, b) = (b.clone(), a.rem(&b)?);
    }
    a.rescale(scale)
}

fn lcm_numeric(a: &Numeric, b: &Numeric) -> Result<Numeric, row::numeric::NumericError> {
    let scale = a.scale().max(b.scale());
    let divisor = gcd_numeric(a, b)?;
    if divisor.is_nan() || divisor.is_zero() {
        return if divisor.is_nan() { Ok(divisor) } else { Numeric::from_i64(0).rescale(scale) };
    }
    whole_quotient(a, &divisor)?.mul(b)?.abs().rescale(scale)
}

fn factorial<'a>(number: i64) -> Value<'a> {
    if number < 0 {
        return fail("factorial of a negative number is undefined");
    }
    if number > 32_177 {
        return fail("value overflows numeric format");
    }
    let mut product = Numeric::from_i64(1);
    for factor in 2..=number {
        product = product.mul(&Numeric::from_i64(factor)).map_err(EvalError::from_value)?;
    }
    Ok(Datum::Numeric(product))
}
