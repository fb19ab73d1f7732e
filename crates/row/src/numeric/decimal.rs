//! Powers of ten, rounding and digit counting, shared by the operations.

use dashu_int::ops::{DivRem, UnsignedAbs};
use dashu_int::{IBig, Sign, UBig};

use super::{Numeric, Repr};

/// 10^0 ..= 10^38, all that an i128 holds.
pub(super) const POW10: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut n = 1;
    while n < 39 {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

pub(super) fn pow10(exponent: u32) -> UBig {
    match POW10.get(exponent as usize) {
        Some(power) => UBig::from(*power as u128),
        None => UBig::from(10_u8).pow(exponent as usize),
    }
}

/// Quotient rounded half away from zero. The divisor is not zero.
pub(super) fn div_round(dividend: i128, divisor: i128) -> i128 {
    let (quotient, remainder) = match (i64::try_from(dividend), i64::try_from(divisor)) {
        // The hardware divides 64 bits; -1 is left out because i64::MIN / -1 does not fit.
        (Ok(a), Ok(b)) if b != -1 => (i128::from(a / b), i128::from(a % b)),
        _ => (dividend / divisor, dividend % divisor),
    };
    let (remainder, divisor_size) = (remainder.unsigned_abs(), divisor.unsigned_abs());
    if remainder >= divisor_size - remainder {
        quotient + if (dividend < 0) == (divisor < 0) { 1 } else { -1 }
    } else {
        quotient
    }
}

/// Quotient rounded half away from zero. The divisor is not zero.
pub(super) fn div_round_big(dividend: &IBig, divisor: &IBig) -> IBig {
    let negative = (dividend.sign() == Sign::Negative) != (divisor.sign() == Sign::Negative);
    let divisor = divisor.unsigned_abs();
    let (quotient, remainder) = dividend.unsigned_abs().div_rem(&divisor);
    let quotient = if (remainder << 1_usize) >= divisor { quotient + UBig::ONE } else { quotient };
    signed(negative, quotient)
}

pub(super) fn signed(negative: bool, magnitude: UBig) -> IBig {
    IBig::from_parts(if negative { Sign::Negative } else { Sign::Positive }, magnitude)
}

/// Both mantissas at the greater scale, when they fit.
#[inline]
pub(super) fn align_small(a: i128, a_scale: u16, b: i128, b_scale: u16) -> Option<(i128, i128, u16)> {
    if a_scale == b_scale {
        Some((a, b, a_scale))
    } else if a_scale < b_scale {
        Some((a.checked_mul(*POW10.get(usize::from(b_scale - a_scale))?)?, b, b_scale))
    } else {
        Some((a, b.checked_mul(*POW10.get(usize::from(a_scale - b_scale))?)?, a_scale))
    }
}

/// Both mantissas of finite values at the greater scale.
pub(super) fn align_big(a: &Numeric, b: &Numeric) -> (IBig, IBig, u16) {
    let (mut a, a_scale) = a.integer().expect("a finite value");
    let (mut b, b_scale) = b.integer().expect("a finite value");
    if a_scale < b_scale {
        a *= IBig::from(pow10(u32::from(b_scale - a_scale)));
    } else {
        b *= IBig::from(pow10(u32::from(a_scale - b_scale)));
    }
    (a, b, a_scale.max(b_scale))
}

/// Takes away trailing zeros after the point.
pub(super) fn strip_zeros(mut mantissa: i128, mut scale: u16) -> (i128, u16) {
    if mantissa == 0 {
        return (0, 0);
    }
    while scale > 0 {
        if let Ok(small) = i64::try_from(mantissa) {
            let mut small = small;
            while scale > 0 && small % 10 == 0 {
                small /= 10;
                scale -= 1;
            }
            return (i128::from(small), scale);
        }
        if mantissa % 10 != 0 {
            break;
        }
        mantissa /= 10;
        scale -= 1;
    }
    (mantissa, scale)
}

/// Takes away trailing zeros after the point, by halving steps: a few divisions whatever the number of zeros.
pub(super) fn strip_zeros_big(mut mantissa: IBig, mut scale: u16) -> (IBig, u16) {
    let mut step = 8192_u16;
    while step > 0 {
        if step <= scale {
            let (quotient, remainder) = (&mantissa).div_rem(&IBig::from(pow10(u32::from(step))));
            if remainder.is_zero() {
                mantissa = quotient;
                scale -= step;
                continue;
            }
        }
        step /= 2;
    }
    (mantissa, scale)
}

/// The head of a nonzero finite value as PostgreSQL stores it, in base 10000.
///
/// Result scales depend on it, so `1.0/3` and `100.0/3` differ in how many digits they show.
#[derive(Clone, Copy)]
pub(super) struct Base10000 {
    /// The first digit stands for 10000^weight.
    pub weight: i32,
    /// The first four digits, joined.
    pub head: u64,
}

impl Base10000 {
    /// Decimal digits that fill the head whatever the length of its first digit.
    const HEAD_DIGITS: usize = 16;

    /// `None` for zero, NaN and infinities.
    pub fn of(value: &Numeric) -> Option<Base10000> {
        let (head, digits, scale) = match &value.0 {
            Repr::Small { mantissa: 0, .. } => return None,
            Repr::Small { mantissa, scale } => {
                let magnitude = mantissa.unsigned_abs();
                let digits = magnitude.ilog10() as usize + 1;
                let excess = digits.saturating_sub(Self::HEAD_DIGITS);
                (magnitude / POW10[excess] as u128, digits, *scale)
            }
            Repr::Big(big) => {
                let text = (&big.mantissa).unsigned_abs().to_string();
                let head = text.bytes().take(Self::HEAD_DIGITS);
                let head = head.fold(0_u128, |head, digit| head * 10 + u128::from(digit - b'0'));
                (head, text.len(), big.scale)
            }
            _ => return None,
        };
        // The first decimal digit stands for 10^exponent; it opens a base-10000 digit of 1 to 4 decimal ones.
        let exponent = digits as i32 - 1 - i32::from(scale);
        let weight = exponent.div_euclid(4);
        let first_len = (exponent - weight * 4 + 1) as usize;
        let padded = head * POW10[Self::HEAD_DIGITS - digits.min(Self::HEAD_DIGITS)] as u128;
        Some(Base10000 { weight, head: (padded / POW10[4 - first_len] as u128) as u64 })
    }

    pub fn first(&self) -> u32 {
        (self.head / 1_000_000_000_000) as u32
    }

    /// The first two digits, joined.
    pub fn first_two(&self) -> u32 {
        (self.head / 100_000_000) as u32
    }
}
