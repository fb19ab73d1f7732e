//! Variance and standard deviation from two sums: of the values and of their squares.
//!
//! ```text
//!                n·Σx² - (Σx)²                                     n·n        for the population
//!   variance  =  ─────────────      both sums exact;   divisor  =
//!                   divisor                                        n·(n-1)    for a sample
//! ```
//!
//! 1. Of integers and numerics: PostgreSQL's own steps and scales, so its digits.
//! 2. Of doubles: the quotient of exact integers, rounded once to the nearest double, so that order, batching and retractions leave no
//!    trace. PostgreSQL adds up as it goes (Youngs and Cramer) and may differ in the last places. A standard deviation is the
//!    root of that double.

use dashu_int::ops::BitTest;
use dashu_int::{IBig, Sign, UBig};
use row::{Datum, Numeric, NumericError};

use super::double::{self, Settled};
use crate::{AggregateFunction, EvalError};

/// What of the sums is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    sample: bool,
    root: bool,
}

impl Wanted {
    /// None for other aggregates.
    pub fn of(function: AggregateFunction) -> Option<Wanted> {
        use AggregateFunction as F;
        Some(match function {
            F::VarSamp => Wanted { sample: true, root: false },
            F::VarPop => Wanted { sample: false, root: false },
            F::StddevSamp => Wanted { sample: true, root: true },
            F::StddevPop => Wanted { sample: false, root: true },
            _ => return None,
        })
    }

    /// Whether so many values say nothing.
    pub fn is_null(self, count: i64) -> bool {
        count < if self.sample { 2 } else { 1 }
    }

    fn divisor_factor(self, count: i64) -> i64 {
        if self.sample { count - 1 } else { count }
    }

    /// Over the sum of the values and the sum of their squares, whose scale is twice the values'.
    pub fn of_numerics(self, count: i64, sum: &Numeric, squares: &Numeric) -> Result<Datum<'static>, EvalError> {
        self.numeric(count, sum, squares).map(Datum::Numeric).map_err(EvalError::from_value)
    }

    fn numeric(self, count: i64, sum: &Numeric, squares: &Numeric) -> Result<Numeric, NumericError> {
        let n = Numeric::from_i64(count);
        let numerator = n.mul(squares)?.sub(&sum.mul(sum)?)?;
        if numerator <= Numeric::ZERO {
            return Ok(Numeric::ZERO);
        }
        let variance = numerator.div(&n.mul(&Numeric::from_i64(self.divisor_factor(count)))?)?;
        if self.root { variance.sqrt_to_scale(variance.scale()) } else { Ok(variance) }
    }

    /// Over exact sums: `sum` in units of 2^-1074, `squares`, which begin at twice its first limb, in units of 2^-2148.
    pub fn of_doubles(self, count: i64, sum: &Settled, squares: &Settled) -> Result<Datum<'static>, EvalError> {
        debug_assert_eq!(2 * sum.first_limb, squares.first_limb);
        // Values of common magnitudes leave the low limbs zero; without them the numbers are a few words long.
        let zeros = |bytes: &[u8]| bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len()) / 4;
        let skipped = zeros(&sum.bytes).min(zeros(&squares.bytes) / 2);
        let unused = sum.first_limb + skipped;
        let (sum, squares) = (&sum.bytes[4 * skipped..], &squares.bytes[8 * skipped..]);
        let (sum, squares) = (IBig::from_le_bytes(sum), IBig::from_le_bytes(squares));
        let numerator = IBig::from(count) * squares - &sum * &sum;
        let (sign, numerator) = numerator.into_parts();
        let variance = if sign == Sign::Negative {
            0.0
        } else {
            let divisor = UBig::from(count.unsigned_abs()) * UBig::from(self.divisor_factor(count).unsigned_abs());
            quotient(numerator, &divisor, 2 * double::UNIT_EXPONENT + 64 * unused as i64)
        };
        if variance.is_infinite() {
            return Err(EvalError::new("value out of range: overflow"));
        }
        Ok(Datum::Float64(if self.root { variance.sqrt() } else { variance }))
    }
}

/// The double nearest to `numerator / divisor * 2^exponent`, ties to even.
fn quotient(numerator: UBig, divisor: &UBig, exponent: i64) -> f64 {
    if numerator.is_zero() {
        return 0.0;
    }
    // A quotient of at least 66 bits, whose last bit is set when something is left over: it rounds as the true one does.
    let shift = (66 + divisor.bit_len() as i64 - numerator.bit_len() as i64).max(0);
    let shifted = numerator << shift as usize;
    let whole = &shifted / divisor;
    let is_exact = &whole * divisor == shifted;
    let low = exponent - shift;
    let top = low + whole.bit_len() as i64 - 1;
    // The weight of the last bit that the double has.
    let last = (top - 52).max(double::UNIT_EXPONENT);
    let cut = last - low;
    if cut > whole.bit_len() as i64 + 1 {
        return 0.0;
    }
    let cut = cut.max(0) as usize;
    let mut mantissa = u64::try_from(&whole >> cut).unwrap_or(u64::MAX);
    let half = cut > 0 && whole.bit(cut - 1);
    let below = !is_exact || whole.trailing_zeros().is_some_and(|zeros| zeros + 1 < cut);
    if half && (below || mantissa & 1 == 1) {
        mantissa += 1;
    }
    scaled(mantissa, last)
}

/// mantissa · 2^exponent for a mantissa of at most 54 bits that a double holds exactly, or infinity.
fn scaled(mantissa: u64, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let top = exponent + i64::from(63 - mantissa.leading_zeros());
    if top > 1023 {
        return f64::INFINITY;
    }
    // In two steps, as 2^exponent alone may be too small or too great for a double; both products are exact.
    let half = exponent / 2;
    mantissa as f64 * power_of_two(half) * power_of_two(exponent - half)
}

/// 2^exponent, which is normal.
fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}
