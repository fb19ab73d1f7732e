//! `+ - * / % ^`, unary `-`, `+`, `@`, and the bit operators, for numbers.
//!
//! 1. Integers never wrap: "smallint out of range", "integer out of range", "bigint out of range".
//! 2. Floats never turn infinite or zero silently: overflow and underflow are errors.

use row::{Datum, Numeric};

use super::Param::{Float32, Float64, Int16, Int32, Int64};
use super::{Implementation, Param, Value, fail, partial, total, unwrap_f64, unwrap_numeric};
use crate::EvalError;

const NUMERIC: Param = Param::Numeric;

pub(super) const ROWS: &[Implementation] = &[
    partial("+", &[Int16, Int16], Int16, |a, _| small(int(a).0 + int(a).1)),
    partial("+", &[Int32, Int32], Int32, |a, _| integer(int(a).0 + int(a).1)),
    partial("+", &[Int64, Int64], Int64, |a, _| big(int(a).0.checked_add(int(a).1))),
    // Only beyond 131,072 digits: a dataflow may move it as if it could not fail.
    total("+", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, Numeric::add)),
    partial("+", &[Float32, Float32], Float32, |a, _| real(a, |x, y| x + y, Op::Sum)),
    partial("+", &[Float64, Float64], Float64, |a, _| double(a, |x, y| x + y, Op::Sum)),
    partial("+", &[Float32, Float64], Float64, |a, _| double(a, |x, y| x + y, Op::Sum)),
    partial("+", &[Float64, Float32], Float64, |a, _| double(a, |x, y| x + y, Op::Sum)),
    partial("-", &[Int16, Int16], Int16, |a, _| small(int(a).0 - int(a).1)),
    partial("-", &[Int32, Int32], Int32, |a, _| integer(int(a).0 - int(a).1)),
    partial("-", &[Int64, Int64], Int64, |a, _| big(int(a).0.checked_sub(int(a).1))),
    // Only beyond 131,072 digits: a dataflow may move it as if it could not fail.
    total("-", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, Numeric::sub)),
    partial("-", &[Float32, Float32], Float32, |a, _| real(a, |x, y| x - y, Op::Sum)),
    partial("-", &[Float64, Float64], Float64, |a, _| double(a, |x, y| x - y, Op::Sum)),
    partial("-", &[Float32, Float64], Float64, |a, _| double(a, |x, y| x - y, Op::Sum)),
    partial("-", &[Float64, Float32], Float64, |a, _| double(a, |x, y| x - y, Op::Sum)),
    partial("*", &[Int16, Int16], Int16, |a, _| small(int(a).0 * int(a).1)),
    partial("*", &[Int32, Int32], Int32, |a, _| integer(int(a).0 * int(a).1)),
    partial("*", &[Int64, Int64], Int64, |a, _| big(int(a).0.checked_mul(int(a).1))),
    // Only beyond 131,072 digits: a dataflow may move it as if it could not fail.
    total("*", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, Numeric::mul)),
    partial("*", &[Float32, Float32], Float32, |a, _| real(a, |x, y| x * y, Op::Product)),
    partial("*", &[Float64, Float64], Float64, |a, _| double(a, |x, y| x * y, Op::Product)),
    partial("*", &[Float32, Float64], Float64, |a, _| double(a, |x, y| x * y, Op::Product)),
    partial("*", &[Float64, Float32], Float64, |a, _| double(a, |x, y| x * y, Op::Product)),
    partial("/", &[Int16, Int16], Int16, |a, _| small(int(a).0 / divisor(a)?)).unless(1, is_safe_divisor),
    partial("/", &[Int32, Int32], Int32, |a, _| integer(int(a).0 / divisor(a)?)).unless(1, is_safe_divisor),
    partial("/", &[Int64, Int64], Int64, |a, _| big(int(a).0.checked_div(divisor(a)?))).unless(1, is_safe_divisor),
    partial("/", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, Numeric::div)),
    partial("/", &[Float32, Float32], Float32, |a, _| real(a, |x, y| x / y, Op::Quotient)),
    partial("/", &[Float64, Float64], Float64, |a, _| double(a, |x, y| x / y, Op::Quotient)),
    partial("/", &[Float32, Float64], Float64, |a, _| double(a, |x, y| x / y, Op::Quotient)),
    partial("/", &[Float64, Float32], Float64, |a, _| double(a, |x, y| x / y, Op::Quotient)),
    partial("%", &[Int16, Int16], Int16, |a, _| remainder(a)).unless(1, is_not_zero),
    partial("%", &[Int32, Int32], Int32, |a, _| remainder(a)).unless(1, is_not_zero),
    partial("%", &[Int64, Int64], Int64, |a, _| remainder(a)).unless(1, is_not_zero),
    partial("%", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, Numeric::rem)),
    partial("mod", &[Int16, Int16], Int16, |a, _| remainder(a)).unless(1, is_not_zero),
    partial("mod", &[Int32, Int32], Int32, |a, _| remainder(a)).unless(1, is_not_zero),
    partial("mod", &[Int64, Int64], Int64, |a, _| remainder(a)).unless(1, is_not_zero),
    partial("mod", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, Numeric::rem)),
    partial("^", &[Float64, Float64], Float64, |a, _| super::math::power(a)),
    partial("^", &[NUMERIC, NUMERIC], NUMERIC, |a, _| numeric(a, Numeric::power)),
    partial("-", &[Int16], Int16, |a, _| small(-a[0].unwrap_int())),
    partial("-", &[Int32], Int32, |a, _| integer(-a[0].unwrap_int())),
    partial("-", &[Int64], Int64, |a, _| big(a[0].unwrap_int().checked_neg())),
    total("-", &[NUMERIC], NUMERIC, |a, _| Ok(Datum::Numeric(unwrap_numeric(&a[0]).neg()))),
    total("-", &[Float32], Float32, |a, _| Ok(Datum::Float32(-single(&a[0])))),
    total("-", &[Float64], Float64, |a, _| Ok(Datum::Float64(-unwrap_f64(&a[0])))),
    total("+", &[Int16], Int16, |a, _| Ok(a[0].clone())),
    total("+", &[Int32], Int32, |a, _| Ok(a[0].clone())),
    total("+", &[Int64], Int64, |a, _| Ok(a[0].clone())),
    total("+", &[NUMERIC], NUMERIC, |a, _| Ok(a[0].clone())),
    total("+", &[Float32], Float32, |a, _| Ok(a[0].clone())),
    total("+", &[Float64], Float64, |a, _| Ok(a[0].clone())),
    partial("@", &[Int16], Int16, |a, _| small(a[0].unwrap_int().abs())),
    partial("@", &[Int32], Int32, |a, _| integer(a[0].unwrap_int().abs())),
    partial("@", &[Int64], Int64, |a, _| big(a[0].unwrap_int().checked_abs())),
    total("@", &[NUMERIC], NUMERIC, |a, _| Ok(Datum::Numeric(unwrap_numeric(&a[0]).abs()))),
    total("@", &[Float32], Float32, |a, _| Ok(Datum::Float32(single(&a[0]).abs()))),
    total("@", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).abs()))),
    partial("abs", &[Int16], Int16, |a, _| small(a[0].unwrap_int().abs())),
    partial("abs", &[Int32], Int32, |a, _| integer(a[0].unwrap_int().abs())),
    partial("abs", &[Int64], Int64, |a, _| big(a[0].unwrap_int().checked_abs())),
    total("abs", &[NUMERIC], NUMERIC, |a, _| Ok(Datum::Numeric(unwrap_numeric(&a[0]).abs()))),
    total("abs", &[Float32], Float32, |a, _| Ok(Datum::Float32(single(&a[0]).abs()))),
    total("abs", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).abs()))),
    // The bits of a narrow integer are those of its sign-extended form, so one body serves all widths.
    total("&", &[Int16, Int16], Int16, |a, _| Ok(Datum::Int(int(a).0 & int(a).1))),
    total("&", &[Int32, Int32], Int32, |a, _| Ok(Datum::Int(int(a).0 & int(a).1))),
    total("&", &[Int64, Int64], Int64, |a, _| Ok(Datum::Int(int(a).0 & int(a).1))),
    total("|", &[Int16, Int16], Int16, |a, _| Ok(Datum::Int(int(a).0 | int(a).1))),
    total("|", &[Int32, Int32], Int32, |a, _| Ok(Datum::Int(int(a).0 | int(a).1))),
    total("|", &[Int64, Int64], Int64, |a, _| Ok(Datum::Int(int(a).0 | int(a).1))),
    total("#", &[Int16, Int16], Int16, |a, _| Ok(Datum::Int(int(a).0 ^ int(a).1))),
    total("#", &[Int32, Int32], Int32, |a, _| Ok(Datum::Int(int(a).0 ^ int(a).1))),
    total("#", &[Int64, Int64], Int64, |a, _| Ok(Datum::Int(int(a).0 ^ int(a).1))),
    total("~", &[Int16], Int16, |a, _| Ok(Datum::Int(!a[0].unwrap_int()))),
    total("~", &[Int32], Int32, |a, _| Ok(Datum::Int(!a[0].unwrap_int()))),
    total("~", &[Int64], Int64, |a, _| Ok(Datum::Int(!a[0].unwrap_int()))),
    // As the processor does it: the shift is taken modulo the width of the promoted operand.
    total("<<", &[Int16, Int32], Int16, |a, _| {
        Ok(Datum::Int(i64::from((int(a).0 as i32).wrapping_shl(int(a).1 as u32) as i16)))
    }),
    total("<<", &[Int32, Int32], Int32, |a, _| {
        Ok(Datum::Int(i64::from((int(a).0 as i32).wrapping_shl(int(a).1 as u32))))
    }),
    total("<<", &[Int64, Int32], Int64, |a, _| Ok(Datum::Int(int(a).0.wrapping_shl(int(a).1 as u32)))),
    total(">>", &[Int16, Int32], Int16, |a, _| {
        Ok(Datum::Int(i64::from((int(a).0 as i32).wrapping_shr(int(a).1 as u32) as i16)))
    }),
    total(">>", &[Int32, Int32], Int32, |a, _| {
        Ok(Datum::Int(i64::from((int(a).0 as i32).wrapping_shr(int(a).1 as u32))))
    }),
    total(">>", &[Int64, Int32], Int64, |a, _| Ok(Datum::Int(int(a).0.wrapping_shr(int(a).1 as u32)))),
];

fn int(args: &[Datum<'_>]) -> (i64, i64) {
    (args[0].unwrap_int(), args[1].unwrap_int())
}

/// Products of two 32-bit values fit 64 bits, so narrow operations compute there and check once.
pub(super) fn small<'a>(value: i64) -> Value<'a> {
    if i16::try_from(value).is_err() { fail("smallint out of range") } else { Ok(Datum::Int(value)) }
}

pub(super) fn integer<'a>(value: i64) -> Value<'a> {
    if i32::try_from(value).is_err() { fail("integer out of range") } else { Ok(Datum::Int(value)) }
}

pub(super) fn big<'a>(value: Option<i64>) -> Value<'a> {
    value.map(Datum::Int).ok_or_else(|| EvalError::new("bigint out of range"))
}

fn is_not_zero(divisor: &Datum<'_>) -> bool {
    divisor.unwrap_int() != 0
}

/// Dividing the least integer by -1 overflows.
fn is_safe_divisor(divisor: &Datum<'_>) -> bool {
    !matches!(divisor.unwrap_int(), 0 | -1)
}

fn divisor(args: &[Datum<'_>]) -> Result<i64, EvalError> {
    match args[1].unwrap_int() {
        0 => fail("division by zero"),
        divisor => Ok(divisor),
    }
}

fn remainder<'a>(args: &[Datum<'a>]) -> Value<'a> {
    Ok(Datum::Int(args[0].unwrap_int().wrapping_rem(divisor(args)?)))
}

/// Applies a numeric operation to two arguments.
pub(super) fn numeric<'a, E: std::fmt::Display>(
    args: &[Datum<'a>],
    operation: impl FnOnce(&Numeric, &Numeric) -> Result<Numeric, E>,
) -> Value<'a> {
    operation(unwrap_numeric(&args[0]), unwrap_numeric(&args[1])).map(Datum::Numeric).map_err(EvalError::from_value)
}

/// What may go wrong with a float operation.
#[derive(Clone, Copy)]
enum Op {
    Sum,
    Product,
    Quotient,
}

fn single(datum: &Datum<'_>) -> f32 {
    unwrap_f64(datum) as f32
}

fn double<'a>(args: &[Datum<'a>], operation: fn(f64, f64) -> f64, op: Op) -> Value<'a> {
    let (x, y) = (unwrap_f64(&args[0]), unwrap_f64(&args[1]));
    let result = operation(x, y);
    check_float(x, y, result, op)?;
    Ok(Datum::Float64(result))
}

fn real<'a>(args: &[Datum<'a>], operation: fn(f32, f32) -> f32, op: Op) -> Value<'a> {
    let (x, y) = (single(&args[0]), single(&args[1]));
    let result = operation(x, y);
    check_float(f64::from(x), f64::from(y), f64::from(result), op)?;
    Ok(Datum::Float32(result))
}

fn check_float(x: f64, y: f64, result: f64, op: Op) -> Result<(), EvalError> {
    if matches!(op, Op::Quotient) && y == 0.0 && !x.is_nan() {
        return fail("division by zero");
    }
    if result.is_infinite() && !x.is_infinite() && !y.is_infinite() {
        return fail("value out of range: overflow");
    }
    let is_underflow = match op {
        Op::Sum => false,
        Op::Product => result == 0.0 && x != 0.0 && y != 0.0,
        Op::Quotient => result == 0.0 && x != 0.0 && !y.is_infinite(),
    };
    if is_underflow { fail("value out of range: underflow") } else { Ok(()) }
}
