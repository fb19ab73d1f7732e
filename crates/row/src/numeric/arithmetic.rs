//! The four operations, remainder and rounding, each with PostgreSQL's result scale.

use dashu_int::ops::{Abs, DivRem};
use dashu_int::{IBig, UBig};

use super::decimal::{Base10000, POW10, align_big, align_small, div_round, div_round_big, pow10};
use super::{Numeric, NumericError, Repr, SCALE_MAX};
use crate::NumericTypmod;

/// Least significant digits of a quotient.
pub(super) const SIGNIFICANT_DIGITS_MIN: i32 = 16;
/// Greatest scale that a quotient or a function result is given.
pub(super) const RESULT_SCALE_MAX: i32 = 1000;
/// `round` and `trunc` look no farther than this to either side of the point.
const ROUND_SCALE_MAX: i32 = 2000;

impl Numeric {
    /// The sum; its scale is the greater of both.
    #[inline]
    pub fn add(&self, other: &Numeric) -> Result<Numeric, NumericError> {
        if let (Repr::Small { mantissa: a, scale: a_scale }, Repr::Small { mantissa: b, scale: b_scale }) =
            (&self.0, &other.0)
            && let Some((a, b, scale)) = align_small(*a, *a_scale, *b, *b_scale)
            && let Some(sum) = a.checked_add(b)
        {
            return Ok(Numeric::from_parts(sum, scale));
        }
        self.add_slow(other)
    }

    #[cold]
    fn add_slow(&self, other: &Numeric) -> Result<Numeric, NumericError> {
        match (&self.0, &other.0) {
            (Repr::NaN, _)
            | (_, Repr::NaN)
            | (Repr::Infinity, Repr::NegInfinity)
            | (Repr::NegInfinity, Repr::Infinity) => Ok(Numeric::NAN),
            (Repr::Infinity | Repr::NegInfinity, _) => Ok(self.clone()),
            (_, Repr::Infinity | Repr::NegInfinity) => Ok(other.clone()),
            _ => {
                let (a, b, scale) = align_big(self, other);
                Numeric::checked(a + b, u32::from(scale))
            }
        }
    }

    /// The difference; its scale is the greater of both.
    #[inline]
    pub fn sub(&self, other: &Numeric) -> Result<Numeric, NumericError> {
        if let (Repr::Small { mantissa: a, scale: a_scale }, Repr::Small { mantissa: b, scale: b_scale }) =
            (&self.0, &other.0)
            && let Some((a, b, scale)) = align_small(*a, *a_scale, *b, *b_scale)
            && let Some(difference) = a.checked_sub(b)
        {
            return Ok(Numeric::from_parts(difference, scale));
        }
        self.add_slow(&other.neg())
    }

    /// The product; its scale is the sum of both.
    pub fn mul(&self, other: &Numeric) -> Result<Numeric, NumericError> {
        if let (Repr::Small { mantissa: a, scale: a_scale }, Repr::Small { mantissa: b, scale: b_scale }) =
            (&self.0, &other.0)
            && a_scale + b_scale <= SCALE_MAX
            && let Some(product) = a.checked_mul(*b)
        {
            return Ok(Numeric::from_parts(product, a_scale + b_scale));
        }
        let (Some((a, a_scale)), Some((b, b_scale))) = (self.integer(), other.integer()) else {
            return Ok(if self.is_nan() || other.is_nan() {
                Numeric::NAN
            } else {
                Numeric::infinity_of(self.signum() * other.signum())
            });
        };
        let scale = u32::from(a_scale + b_scale);
        let product = a * b;
        if scale <= u32::from(SCALE_MAX) {
            return Numeric::checked(product, scale);
        }
        let excess = IBig::from(pow10(scale - u32::from(SCALE_MAX)));
        Numeric::checked(div_round_big(&product, &excess), u32::from(SCALE_MAX))
    }

    /// The quotient, half away from zero, with at least 16 significant digits and at least the scale of both inputs.
    pub fn div(&self, other: &Numeric) -> Result<Numeric, NumericError> {
        if self.is_nan() || other.is_nan() {
            return Ok(Numeric::NAN);
        }
        if other.is_zero() {
            return Err(NumericError::DivisionByZero);
        }
        match (self.is_infinite(), other.is_infinite()) {
            (true, true) => return Ok(Numeric::NAN),
            (true, false) => return Ok(Numeric::infinity_of(self.signum() * other.signum())),
            (false, true) => return Ok(Numeric::ZERO),
            (false, false) => {}
        }
        self.div_to_scale(other, quotient_scale(self, other))
    }

    /// The quotient of finite values at a scale, half away from zero. The divisor is not zero.
    pub(super) fn div_to_scale(&self, other: &Numeric, scale: u16) -> Result<Numeric, NumericError> {
        let shift = i32::from(scale) + i32::from(other.scale()) - i32::from(self.scale());
        if let (Repr::Small { mantissa: a, .. }, Repr::Small { mantissa: b, .. }) = (&self.0, &other.0)
            && shift >= 0
            && let Some(power) = POW10.get(shift as usize)
            && let Some(dividend) = a.checked_mul(*power)
        {
            return Ok(Numeric::from_parts(div_round(dividend, *b), scale));
        }
        let (Some((a, _)), Some((b, _))) = (self.integer(), other.integer()) else { return Ok(Numeric::NAN) };
        let power = IBig::from(pow10(shift.unsigned_abs()));
        let quotient = if shift >= 0 { div_round_big(&(a * power), &b) } else { div_round_big(&a, &(b * power)) };
        Numeric::checked(quotient, u32::from(scale))
    }

    /// The remainder, with the sign of the dividend; its scale is the greater of both.
    pub fn rem(&self, other: &Numeric) -> Result<Numeric, NumericError> {
        if self.is_nan() || other.is_nan() {
            return Ok(Numeric::NAN);
        }
        if other.is_zero() {
            return Err(NumericError::DivisionByZero);
        }
        if self.is_infinite() {
            return Ok(Numeric::NAN);
        }
        if other.is_infinite() {
            return Ok(self.clone());
        }
        if let (Repr::Small { mantissa: a, scale: a_scale }, Repr::Small { mantissa: b, scale: b_scale }) =
            (&self.0, &other.0)
            && let Some((a, b, scale)) = align_small(*a, *a_scale, *b, *b_scale)
        {
            return Ok(Numeric::from_parts(a.checked_rem(b).unwrap_or(0), scale));
        }
        let (a, b, scale) = align_big(self, other);
        Numeric::checked(a % b, u32::from(scale))
    }

    pub fn neg(&self) -> Numeric {
        match &self.0 {
            Repr::Small { mantissa, scale } => match mantissa.checked_neg() {
                Some(mantissa) => Numeric::from_parts(mantissa, *scale),
                None => Numeric::from_integer(-IBig::from(*mantissa), *scale),
            },
            Repr::Big(big) => Numeric::from_integer(-&big.mantissa, big.scale),
            Repr::NaN => Numeric::NAN,
            Repr::Infinity => Numeric::NEG_INFINITY,
            Repr::NegInfinity => Numeric::INFINITY,
        }
    }

    pub fn abs(&self) -> Numeric {
        if self.is_negative() { self.neg() } else { self.clone() }
    }

    /// -1, 0 or 1, without digits after the point; NaN for NaN.
    pub fn sign(&self) -> Numeric {
        if self.is_nan() { Numeric::NAN } else { Numeric::from_i64(i64::from(self.signum())) }
    }

    /// Rounds half away from zero to `scale` digits after the point; a negative scale rounds before it.
    pub fn round(&self, scale: i32) -> Result<Numeric, NumericError> {
        self.to_scale(scale.clamp(-ROUND_SCALE_MAX, ROUND_SCALE_MAX), div_round, div_round_big)
    }

    /// Cuts to `scale` digits after the point.
    pub fn trunc(&self, scale: i32) -> Result<Numeric, NumericError> {
        let scale = scale.clamp(-ROUND_SCALE_MAX, ROUND_SCALE_MAX);
        self.to_scale(scale, |a, b| a / b, |a, b| a.div_rem(b).0)
    }

    /// The least integer not below the value.
    pub fn ceil(&self) -> Result<Numeric, NumericError> {
        let cut = self.trunc(0)?;
        if cut < *self { cut.add(&Numeric::ONE) } else { Ok(cut) }
    }

    /// The greatest integer not above the value.
    pub fn floor(&self) -> Result<Numeric, NumericError> {
        let cut = self.trunc(0)?;
        if cut > *self { cut.sub(&Numeric::ONE) } else { Ok(cut) }
    }

    /// The same value, rounded or padded with zeros to exactly `scale` digits after the point.
    pub fn rescale(&self, scale: u16) -> Result<Numeric, NumericError> {
        self.to_scale(i32::from(scale), div_round, div_round_big)
    }

    /// The cast to `numeric(precision, scale)`: rounds, then refuses more digits than there is room for.
    pub fn with_typmod(&self, typmod: NumericTypmod) -> Result<Numeric, NumericError> {
        let NumericTypmod { precision, scale } = typmod;
        if self.is_nan() {
            return Ok(Numeric::NAN);
        }
        let overflow = || NumericError::FieldOverflow { precision, scale, infinite: self.is_infinite() };
        if self.is_infinite() {
            return Err(overflow());
        }
        let rounded = self.to_scale(i32::from(scale), div_round, div_round_big)?;
        // The value is below 10^(precision - scale), so the mantissa is below that times its own scale.
        let mantissa_digits_max = i32::from(precision) - i32::from(scale.min(0));
        let fits = match &rounded.0 {
            Repr::Small { mantissa, .. } => match POW10.get(mantissa_digits_max.max(0) as usize) {
                Some(limit) => mantissa.unsigned_abs() < *limit as u128,
                None => true,
            },
            Repr::Big(big) => UBig::try_from((&big.mantissa).abs())
                .is_ok_and(|magnitude| magnitude < pow10(mantissa_digits_max.max(0) as u32)),
            _ => false,
        };
        if fits { Ok(rounded) } else { Err(overflow()) }
    }

    fn to_scale(
        &self,
        scale: i32,
        div: impl Fn(i128, i128) -> i128,
        div_big: impl Fn(&IBig, &IBig) -> IBig,
    ) -> Result<Numeric, NumericError> {
        if !self.is_finite() {
            return Ok(self.clone());
        }
        let shown = scale.max(0) as u32;
        let drop = i32::from(self.scale()) - scale;
        if let Repr::Small { mantissa, .. } = self.0 {
            let power = POW10.get(drop.unsigned_abs() as usize);
            if drop <= 0
                && shown <= u32::from(SCALE_MAX)
                && let Some(mantissa) = power.and_then(|power| mantissa.checked_mul(*power))
            {
                return Ok(Numeric::from_parts(mantissa, shown as u16));
            }
            if drop > 0 {
                // 10^39 is more than twice any i128.
                let Some(power) = power else { return Ok(Numeric::from_parts(0, shown as u16)) };
                let quotient = div(mantissa, *power);
                if scale >= 0 {
                    return Ok(Numeric::from_parts(quotient, shown as u16));
                }
                return Numeric::checked(IBig::from(quotient) * IBig::from(pow10(scale.unsigned_abs())), 0);
            }
        }
        let Some((mantissa, _)) = self.integer() else { return Ok(self.clone()) };
        let power = IBig::from(pow10(drop.unsigned_abs()));
        let mantissa = if drop <= 0 { mantissa * power } else { div_big(&mantissa, &power) };
        let mantissa = if scale < 0 { mantissa * IBig::from(pow10(scale.unsigned_abs())) } else { mantissa };
        Numeric::checked(mantissa, shown)
    }

    /// The infinity of a sign; NaN for 0, as in `Infinity * 0`.
    fn infinity_of(sign: i32) -> Numeric {
        match sign {
            1.. => Numeric::INFINITY,
            0 => Numeric::NAN,
            _ => Numeric::NEG_INFINITY,
        }
    }
}

/// How many digits a quotient shows. PostgreSQL counts in base-10000 digits, so the answer depends on where groups of four
/// digits begin: `100.0/3` shows 16 digits after the point and `1.0/3` shows 20.
fn quotient_scale(dividend: &Numeric, divisor: &Numeric) -> u16 {
    let zero = Base10000 { weight: 0, head: 0 };
    let a = Base10000::of(dividend).unwrap_or(zero);
    let b = Base10000::of(divisor).unwrap_or(zero);
    let quotient_weight = a.weight - b.weight - i32::from(a.first() <= b.first());
    let scale = SIGNIFICANT_DIGITS_MIN - quotient_weight * 4;
    result_scale(scale, &[dividend, divisor])
}

/// At least the scale of each input, within PostgreSQL's bounds.
pub(super) fn result_scale(scale: i32, inputs: &[&Numeric]) -> u16 {
    let scale = inputs.iter().fold(scale, |scale, input| scale.max(i32::from(input.scale())));
    scale.clamp(0, RESULT_SCALE_MAX) as u16
}
