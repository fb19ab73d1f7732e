//! Hyperbolic functions and the cotangent, in double precision.

use row::Datum;

use super::Param::Float64;
use super::{Implementation, Value, fail, partial, total, unwrap_f64};

pub(super) const ROWS: &[Implementation] = &[
    total("sinh", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).sinh()))),
    total("cosh", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).cosh()))),
    total("tanh", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).tanh()))),
    total("asinh", &[Float64], Float64, |a, _| Ok(Datum::Float64(unwrap_f64(&a[0]).asinh()))),
    partial("acosh", &[Float64], Float64, |a, _| inside(unwrap_f64(&a[0]), |x| x >= 1.0, f64::acosh)),
    partial("atanh", &[Float64], Float64, |a, _| inside(unwrap_f64(&a[0]), |x| (-1.0..=1.0).contains(&x), f64::atanh)),
    partial("cot", &[Float64], Float64, |a, _| inside(unwrap_f64(&a[0]), |x| !x.is_infinite(), |x| 1.0 / x.tan())),
];

fn inside<'a>(value: f64, holds: fn(f64) -> bool, function: fn(f64) -> f64) -> Value<'a> {
    if value.is_nan() || holds(value) { Ok(Datum::Float64(function(value))) } else { fail("input is out of range") }
}
