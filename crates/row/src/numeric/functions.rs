//! Square root, exponential, logarithms and powers, correctly rounded to the scale that PostgreSQL's `numeric.c` chooses.
//!
//! Between decimal input and decimal output the values are binary fixed point (`n / 2^bits`), where scaling is a shift.
//! `GUARD_BITS` more than the result needs are carried, so a result differs from the exactly rounded one only when the exact
//! digits run into a tie for twenty more places.

use dashu_int::ops::{BitTest, SquareRoot, UnsignedAbs};
use dashu_int::{IBig, Sign, UBig};

use super::arithmetic::{RESULT_SCALE_MAX, SIGNIFICANT_DIGITS_MIN, result_scale};
use super::decimal::{Base10000, div_round_big, pow10, signed};
use super::{Numeric, NumericError};

const GUARD_BITS: usize = 80;
/// The digits of PostgreSQL's constant: the scale of a result depends on where its products are cut.
#[allow(clippy::approx_constant)]
const LOG10_E: f64 = 0.434294481903252;
/// Natural logarithm of the least result that overflows, by PostgreSQL's own crude bound.
const EXP_ARGUMENT_MAX: f64 = 6000.0;

impl Numeric {
    /// The square root, with at least 16 significant digits and at least the scale of the input.
    pub fn sqrt(&self) -> Result<Numeric, NumericError> {
        if !self.is_finite() || self.is_negative() {
            return self.sqrt_to_scale(0);
        }
        let weight = Base10000::of(self).map_or(0, |digits| digits.weight);
        self.sqrt_to_scale(result_scale(SIGNIFICANT_DIGITS_MIN - ((weight + 1) * 2 - 1), &[self]))
    }

    /// The square root with so many digits after the point.
    pub fn sqrt_to_scale(&self, scale: u16) -> Result<Numeric, NumericError> {
        if self.is_negative() {
            return Err(NumericError::SquareRootOfNegative);
        }
        let Some((mantissa, input_scale)) = self.integer() else { return Ok(self.clone()) };
        // floor(2·sqrt(n)) says on which side of the half sqrt(n) lies.
        let shift = 2 * i32::from(scale) - i32::from(input_scale);
        let scaled = mantissa.unsigned_abs() << 2_usize;
        let scaled = if shift >= 0 { scaled * pow10(shift as u32) } else { scaled / pow10(shift.unsigned_abs()) };
        Numeric::checked(IBig::from((scaled.sqrt() + UBig::ONE) >> 1_usize), u32::from(scale))
    }

    /// e to the power of the value, with about 16 significant digits.
    pub fn exp(&self) -> Result<Numeric, NumericError> {
        let Some((mantissa, scale)) = self.integer() else {
            return Ok(if self.is_negative() { Numeric::ZERO } else { self.clone() });
        };
        let argument = self.to_f64();
        let weight = (argument * LOG10_E).clamp(-EXP_ARGUMENT_MAX, EXP_ARGUMENT_MAX) as i32;
        let result = result_scale(SIGNIFICANT_DIGITS_MIN - weight, &[self]);
        if argument.abs() >= EXP_ARGUMENT_MAX {
            return if argument > 0.0 { Err(NumericError::Overflow) } else { Ok(Numeric::from_parts(0, result)) };
        }
        let bits = decimal_bits(i32::from(result) + weight.abs() + 1);
        exp_fixed(&fixed(&mantissa, u32::from(scale), bits), bits, result)
    }

    /// The natural logarithm, with about 16 significant digits.
    pub fn ln(&self) -> Result<Numeric, NumericError> {
        self.check_logarithm()?;
        if !self.is_finite() {
            return Ok(self.clone());
        }
        let scale = result_scale(SIGNIFICANT_DIGITS_MIN - self.ln_weight(), &[self]);
        self.ln_to_scale(scale.into())
    }

    /// The logarithm of `self` to a base, with about 16 significant digits.
    pub fn log(&self, base: &Numeric) -> Result<Numeric, NumericError> {
        if self.is_nan() || base.is_nan() {
            return Ok(Numeric::NAN);
        }
        if self.is_negative() || base.is_negative() {
            return Err(NumericError::LogarithmOfNegative);
        }
        self.check_logarithm()?;
        base.check_logarithm()?;
        match (base.is_infinite(), self.is_infinite()) {
            (true, true) => return Ok(Numeric::NAN),
            (true, false) => return Ok(Numeric::ZERO),
            (false, true) => return Ok(Numeric::INFINITY),
            (false, false) => {}
        }
        let (base_weight, self_weight) = (base.ln_weight(), self.ln_weight());
        let scale = result_scale(SIGNIFICANT_DIGITS_MIN - (self_weight - base_weight), &[base, self]);
        let bits = decimal_bits(i32::from(scale) + self_weight.abs() + 2 * base_weight.abs() + 2);
        let dividend = self.ln_fixed(bits);
        let divisor = base.ln_fixed(bits);
        if divisor.is_zero() {
            return Err(NumericError::DivisionByZero);
        }
        let quotient = div_round_big(&(dividend * IBig::from(pow10(scale.into()))), &divisor);
        Numeric::checked(quotient, scale.into())
    }

    /// The base-10 logarithm.
    pub fn log10(&self) -> Result<Numeric, NumericError> {
        self.log(&Numeric::from_i64(10))
    }

    /// `self` to the power of `exponent`.
    pub fn power(&self, exponent: &Numeric) -> Result<Numeric, NumericError> {
        if let Some(result) = self.power_of_special(exponent)? {
            return Ok(result);
        }
        let integral = exponent.is_integral();
        if self.is_zero() && exponent.is_negative() {
            return Err(NumericError::ZeroToNegativePower);
        }
        if self.is_negative() && !integral {
            return Err(NumericError::NegativeToFraction);
        }
        if integral && let Some(exponent) = exponent.to_i64_rounded().and_then(|value| i32::try_from(value).ok()) {
            return self.power_int(exponent);
        }
        if self.is_zero() {
            return Ok(Numeric::from_parts(0, SIGNIFICANT_DIGITS_MIN as u16));
        }
        let negative = self.is_negative() && exponent.is_odd();
        let base = self.abs();
        // The weight of the result comes from a logarithm of about eight digits, as in PostgreSQL.
        let rough_scale = (8 - base.ln_weight()).max(0);
        let rough = base.ln_to_scale(rough_scale as u32)?.mul(exponent)?.round(rough_scale)?.to_f64();
        if rough.abs() > 2000.0 * 3.01 {
            let underflow = Numeric::from_parts(0, RESULT_SCALE_MAX as u16);
            return if rough > 0.0 { Err(NumericError::Overflow) } else { Ok(underflow) };
        }
        let weight = (rough * LOG10_E) as i32;
        let scale = result_scale(SIGNIFICANT_DIGITS_MIN - weight, &[self, exponent]);
        if rough.abs() >= EXP_ARGUMENT_MAX {
            return if rough > 0.0 { Err(NumericError::Overflow) } else { Ok(Numeric::from_parts(0, scale)) };
        }
        let Some((exponent_mantissa, exponent_scale)) = exponent.integer() else { return Ok(Numeric::NAN) };
        let exponent_digits = (&exponent_mantissa).unsigned_abs().bit_len() as i32 / 3 + 1 - i32::from(exponent_scale);
        let bits = decimal_bits(i32::from(scale) + weight.abs() + exponent_digits.max(0) + 2);
        let power = base.ln_fixed(bits) * exponent_mantissa / IBig::from(pow10(exponent_scale.into()));
        let result = exp_fixed(&power, bits, scale)?;
        Ok(if negative { result.neg() } else { result })
    }

    /// Powers that involve NaN or an infinity follow POSIX's `pow`. `None` when both are finite.
    fn power_of_special(&self, exponent: &Numeric) -> Result<Option<Numeric>, NumericError> {
        if self.is_finite() && exponent.is_finite() {
            return Ok(None);
        }
        if exponent.is_zero() || *self == Numeric::ONE {
            return Ok(Some(Numeric::ONE));
        }
        if self.is_nan() || exponent.is_nan() {
            return Ok(Some(Numeric::NAN));
        }
        if self.is_zero() && exponent.is_negative() {
            return Err(NumericError::ZeroToNegativePower);
        }
        if self.is_negative() && exponent.is_finite() && !exponent.is_integral() {
            return Err(NumericError::NegativeToFraction);
        }
        if self.is_zero() {
            return Ok(Some(Numeric::ZERO));
        }
        let grows = if exponent.is_infinite() {
            let size = self.abs();
            if size == Numeric::ONE {
                return Ok(Some(Numeric::ONE));
            }
            (size > Numeric::ONE) != exponent.is_negative()
        } else {
            !exponent.is_negative()
        };
        Ok(Some(match (grows, self.is_negative() && exponent.is_finite() && exponent.is_odd()) {
            (false, _) => Numeric::ZERO,
            (true, true) => Numeric::NEG_INFINITY,
            (true, false) => Numeric::INFINITY,
        }))
    }

    fn power_int(&self, exponent: i32) -> Result<Numeric, NumericError> {
        let scale = result_scale(SIGNIFICANT_DIGITS_MIN, &[self]);
        match exponent {
            0 => return Numeric::ONE.rescale(scale),
            1 => return self.rescale(scale),
            -1 => return Numeric::ONE.div_to_scale(self, scale),
            2 => return self.mul(self)?.rescale(scale),
            _ => {}
        }
        let (Some(digits), Some((mantissa, input_scale))) = (Base10000::of(self), self.integer()) else {
            return Ok(Numeric::from_parts(0, scale));
        };
        // PostgreSQL's early exits, with its own estimate of the result's weight.
        let weight = f64::from(exponent) * ((digits.head as f64).log10() + f64::from((digits.weight - 3) * 4));
        if weight > 3.0 * 32767.0 * 4.0 {
            return Err(NumericError::Overflow);
        }
        if weight + 1.0 < -f64::from(scale) {
            return Ok(Numeric::from_parts(0, scale));
        }
        let negative = mantissa.sign() == Sign::Negative && exponent % 2 != 0;
        let significant = (weight as i32 + i32::from(scale)).max(0) + 2;
        let bits = decimal_bits(significant) + 64;
        let times = exponent.unsigned_abs();
        let (numerator, up) = power_float(mantissa.unsigned_abs(), times, bits);
        let (denominator, down) = power_float(pow10(input_scale.into()), times, bits);
        let (numerator, up, denominator, down) =
            if exponent < 0 { (denominator, down, numerator, up) } else { (numerator, up, denominator, down) };
        let shift = up - down;
        if shift.unsigned_abs() > 4_000_000 {
            return if shift > 0 { Err(NumericError::Overflow) } else { Ok(Numeric::from_parts(0, scale)) };
        }
        let numerator = numerator * pow10(scale.into());
        let (numerator, denominator) = if shift >= 0 {
            (numerator << shift as usize, denominator)
        } else {
            (numerator, denominator << shift.unsigned_abs() as usize)
        };
        let magnitude = div_round_big(&IBig::from(numerator), &IBig::from(denominator)).unsigned_abs();
        Numeric::checked(signed(negative, magnitude), scale.into())
    }

    fn is_integral(&self) -> bool {
        match &self.clone().normalized().0 {
            super::Repr::Small { scale, .. } => *scale == 0,
            super::Repr::Big(big) => big.scale == 0,
            super::Repr::Infinity | super::Repr::NegInfinity => true,
            super::Repr::NaN => false,
        }
    }

    /// Of an integral value.
    fn is_odd(&self) -> bool {
        self.clone().normalized().integer().is_some_and(|(mantissa, _)| mantissa.unsigned_abs().bit(0))
    }

    fn check_logarithm(&self) -> Result<(), NumericError> {
        if self.is_negative() {
            Err(NumericError::LogarithmOfNegative)
        } else if self.is_zero() {
            Err(NumericError::LogarithmOfZero)
        } else {
            Ok(())
        }
    }

    /// PostgreSQL's estimate of the decimal weight of the natural logarithm of a positive value.
    fn ln_weight(&self) -> i32 {
        if *self >= Numeric::from_parts(9, 1) && *self <= Numeric::from_parts(11, 1) {
            // ln(1 + x) is about x.
            let distance = self.sub(&Numeric::ONE).ok().and_then(|distance| Base10000::of(&distance));
            return distance.map_or(0, |digits| digits.weight * 4 + digits.first().ilog10() as i32);
        }
        let Some(digits) = Base10000::of(self) else { return 0 };
        let ln = f64::from(digits.first_two()).ln() + f64::from((digits.weight - 1) * 4) * std::f64::consts::LN_10;
        ln.abs().log10() as i32
    }

    /// The natural logarithm of a positive finite value at a scale.
    fn ln_to_scale(&self, scale: u32) -> Result<Numeric, NumericError> {
        let bits = decimal_bits(scale as i32);
        let ln = self.ln_fixed(bits) * IBig::from(pow10(scale));
        Numeric::checked(div_round_big(&ln, &(IBig::ONE << bits)), scale)
    }

    /// The natural logarithm of a positive finite value, exact but for the last few bits.
    fn ln_fixed(&self, bits: usize) -> IBig {
        let Some((mantissa, scale)) = self.integer() else { return IBig::ZERO };
        let magnitude = mantissa.unsigned_abs();
        let denominator = pow10(scale.into());
        // value = f · 2^k with f between 1/2 and 2, and then f = g^(2^ROOTS) with g near 1, where the series is quick.
        const ROOTS: usize = 6;
        let bits_inside = bits + ROOTS + 24;
        let k = magnitude.bit_len() as i64 - denominator.bit_len() as i64;
        let shift = bits_inside as i64 - k;
        let mut f = if shift >= 0 {
            (magnitude << shift as usize) / denominator
        } else {
            magnitude / (denominator << shift.unsigned_abs() as usize)
        };
        for _ in 0..ROOTS {
            f = (f << bits_inside).sqrt();
        }
        let one = UBig::ONE << bits_inside;
        let numerator = IBig::from(f.clone()) - IBig::from(one.clone());
        let z = (numerator << bits_inside) / IBig::from(f + one);
        let ln_f = atanh_series(&z, bits_inside) << (ROOTS + 1);
        let ln = ln_f + ln_2(bits_inside) * IBig::from(k);
        ln >> (bits_inside - bits)
    }
}

/// Bits for so many decimal digits after the point, and the guard.
fn decimal_bits(digits: i32) -> usize {
    (digits.max(0) as usize * 3322).div_ceil(1000) + GUARD_BITS
}

/// mantissa / 10^scale in fixed point.
fn fixed(mantissa: &IBig, scale: u32, bits: usize) -> IBig {
    (mantissa << bits) / IBig::from(pow10(scale))
}

/// z + z³/3 + z⁵/5 + … for |z| well below 1.
fn atanh_series(z: &IBig, bits: usize) -> IBig {
    let square = (z * z) >> bits;
    let (mut power, mut sum) = (z.clone(), z.clone());
    for odd in (3_u64..).step_by(2) {
        power = (power * &square) >> bits;
        // A negative power rounds down to -1 for ever, never to 0.
        if (&power).unsigned_abs() <= UBig::ONE {
            break;
        }
        sum += &power / IBig::from(odd);
    }
    sum
}

/// ln 2 = 18 atanh(1/26) - 2 atanh(1/4801) + 8 atanh(1/8749).
fn ln_2(bits: usize) -> IBig {
    let inside = bits + 16;
    let atanh_of_inverse = |n: u32| atanh_series(&((IBig::ONE << inside) / IBig::from(n)), inside);
    let sum = atanh_of_inverse(26) * IBig::from(18) - atanh_of_inverse(4801) * IBig::from(2)
        + atanh_of_inverse(8749) * IBig::from(8);
    sum >> 16_usize
}

/// e^(argument / 2^bits) at a scale. The argument's magnitude is below about 6100.
fn exp_fixed(argument: &IBig, bits: usize, scale: u16) -> Result<Numeric, NumericError> {
    // e^a = 2^k · (e^(r / 2^HALVINGS))^(2^HALVINGS), with r = a - k ln 2.
    const HALVINGS: usize = 8;
    let inside = bits + 2 * HALVINGS + 24;
    let size = argument.unsigned_abs() << (inside - bits);
    let ln_2 = ln_2(inside).unsigned_abs();
    let k = usize::try_from(&size / &ln_2).map_err(|_| NumericError::Overflow)?;
    let r = (size - ln_2 * UBig::from(k)) >> HALVINGS;
    let mut term = UBig::ONE << inside;
    let mut e = term.clone();
    for n in 1_u32.. {
        term = ((term * &r) >> inside) / UBig::from(n);
        if term.is_zero() {
            break;
        }
        e += &term;
    }
    for _ in 0..HALVINGS {
        e = (&e * &e) >> inside;
    }
    let e = IBig::from(e << k);
    let power = IBig::from(pow10(scale.into()));
    let one = IBig::ONE << inside;
    let result = if argument.sign() == Sign::Negative {
        div_round_big(&(power * one), &e)
    } else {
        div_round_big(&(e * power), &one)
    };
    Numeric::checked(result, scale.into())
}

/// base^times as (m, e) for about m · 2^e, cut to `bits` bits; exact while it fits.
fn power_float(base: UBig, times: u32, bits: usize) -> (UBig, i64) {
    let cut = |value: UBig, exponent: i64| match value.bit_len().checked_sub(bits) {
        Some(excess) if excess > 0 => (value >> excess, exponent.saturating_add(excess as i64)),
        _ => (value, exponent),
    };
    let (mut square, mut square_exponent) = cut(base, 0);
    let (mut result, mut exponent) = (UBig::ONE, 0_i64);
    let mut left = times;
    loop {
        if left & 1 == 1 {
            (result, exponent) = cut(result * &square, exponent.saturating_add(square_exponent));
        }
        left >>= 1;
        if left == 0 {
            return (result, exponent);
        }
        (square, square_exponent) = cut(&square * &square, square_exponent.saturating_mul(2));
    }
}
