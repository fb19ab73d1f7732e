//! PostgreSQL's `numeric`: a decimal mantissa and a display scale, exact, with NaN and both infinities.
//!
//! ```text
//!   text ──parse──> mantissa · 10^-scale ──Display──> text, digit for digit as PostgreSQL prints it
//!                    │        │
//!                    │        └─ 0..=16383 digits shown after the point
//!                    └─ an i128 while it fits (the fast path), a big integer beyond it
//! ```
//!
//! 1. A mantissa that fits an `i128` is always held in one, so a value with a scale has one packed form.
//! 2. Equality, order and hash are by value: `1.0 = 1.00`, NaN equals NaN and is above infinity.
//! 3. Results carry PostgreSQL's scales, and its limits (131072 digits before the point, 16383 after) bound every allocation.

mod arithmetic;
mod decimal;
mod error;
mod functions;
mod order_key;
mod text;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use dashu_int::{IBig, Sign, UBig};

pub use error::NumericError;

use decimal::{POW10, pow10};

/// Digits that PostgreSQL allows after the point.
pub const SCALE_MAX: u16 = 16383;
/// Digits that PostgreSQL allows before the point.
pub const INTEGER_DIGITS_MAX: u32 = 131_072;

/// A PostgreSQL `numeric`.
#[derive(Clone)]
pub struct Numeric(Repr);

#[derive(Clone)]
enum Repr {
    Small {
        mantissa: i128,
        scale: u16,
    },
    /// The mantissa does not fit an i128.
    Big(Box<BigDecimal>),
    NaN,
    Infinity,
    NegInfinity,
}

#[derive(Clone)]
struct BigDecimal {
    mantissa: IBig,
    scale: u16,
}

impl Numeric {
    pub const NAN: Numeric = Numeric(Repr::NaN);
    pub const INFINITY: Numeric = Numeric(Repr::Infinity);
    pub const NEG_INFINITY: Numeric = Numeric(Repr::NegInfinity);
    pub const ZERO: Numeric = Numeric::from_parts(0, 0);
    pub const ONE: Numeric = Numeric::from_parts(1, 0);

    /// mantissa / 10^scale. The scale is at most `SCALE_MAX`.
    pub const fn from_parts(mantissa: i128, scale: u16) -> Numeric {
        Numeric(Repr::Small { mantissa, scale })
    }

    /// From `big_parts`.
    pub fn from_big_parts(mantissa_le_bytes: &[u8], scale: u16) -> Numeric {
        Numeric::from_integer(IBig::from_le_bytes(mantissa_le_bytes), scale)
    }

    pub const fn from_i64(value: i64) -> Numeric {
        Numeric::from_parts(value as i128, 0)
    }

    pub const fn from_i128(value: i128) -> Numeric {
        Numeric::from_parts(value, 0)
    }

    /// (mantissa, scale) when the mantissa fits an i128. A value that fits is always in this form.
    pub fn small_parts(&self) -> Option<(i128, u16)> {
        match self.0 {
            Repr::Small { mantissa, scale } => Some((mantissa, scale)),
            _ => None,
        }
    }

    /// Two's complement little-endian mantissa bytes (least length) and scale of any finite value.
    ///
    /// Panics on NaN and infinities: they have no mantissa, and callers look for them first.
    pub fn big_parts(&self) -> (Vec<u8>, u16) {
        let (mantissa, scale) = self.integer().expect("a finite value");
        (mantissa.to_le_bytes().into_vec(), scale)
    }

    pub fn is_nan(&self) -> bool {
        matches!(self.0, Repr::NaN)
    }

    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::Infinity | Repr::NegInfinity)
    }

    /// Below zero; false for NaN.
    pub fn is_negative(&self) -> bool {
        self.signum() < 0 && !self.is_nan()
    }

    pub fn is_zero(&self) -> bool {
        matches!(self.0, Repr::Small { mantissa: 0, .. })
    }

    /// Digits shown after the point; 0 for NaN and infinities.
    pub fn scale(&self) -> u16 {
        match &self.0 {
            Repr::Small { scale, .. } => *scale,
            Repr::Big(big) => big.scale,
            _ => 0,
        }
    }

    /// Equal values give equal results: no trailing zeros after the point.
    pub fn normalized(self) -> Numeric {
        match self.0 {
            Repr::Small { mantissa, scale } => {
                let (mantissa, scale) = decimal::strip_zeros(mantissa, scale);
                Numeric::from_parts(mantissa, scale)
            }
            Repr::Big(big) => {
                let (mantissa, scale) = decimal::strip_zeros_big(big.mantissa, big.scale);
                Numeric::from_integer(mantissa, scale)
            }
            special => Numeric(special),
        }
    }

    /// The value as PostgreSQL casts it to bigint, half away from zero; `None` for NaN, infinities and what does not fit.
    pub fn to_i64_rounded(&self) -> Option<i64> {
        i64::try_from(self.to_i128_rounded()?).ok()
    }

    /// As `to_i64_rounded`, in 128 bits.
    pub fn to_i128_rounded(&self) -> Option<i128> {
        if let Repr::Small { mantissa, scale: 0 } = self.0 {
            return Some(mantissa);
        }
        match self.round(0).ok()?.0 {
            Repr::Small { mantissa, .. } => Some(mantissa),
            _ => None,
        }
    }

    /// -1, 0 or 1; NaN counts as 1, being above everything.
    fn signum(&self) -> i32 {
        match &self.0 {
            Repr::Small { mantissa, .. } => mantissa.signum() as i32,
            Repr::Big(big) if big.mantissa.sign() == Sign::Negative => -1,
            Repr::NegInfinity => -1,
            Repr::Big(_) | Repr::NaN | Repr::Infinity => 1,
        }
    }

    fn is_finite(&self) -> bool {
        matches!(self.0, Repr::Small { .. } | Repr::Big(_))
    }

    /// Mantissa and scale of a finite value.
    fn integer(&self) -> Option<(IBig, u16)> {
        match &self.0 {
            Repr::Small { mantissa, scale } => Some((IBig::from(*mantissa), *scale)),
            Repr::Big(big) => Some((big.mantissa.clone(), big.scale)),
            _ => None,
        }
    }

    /// The canonical form of mantissa / 10^scale; the caller vouches for the limits.
    fn from_integer(mantissa: IBig, scale: u16) -> Numeric {
        match i128::try_from(&mantissa) {
            Ok(mantissa) => Numeric::from_parts(mantissa, scale),
            Err(_) => Numeric(Repr::Big(Box::new(BigDecimal { mantissa, scale }))),
        }
    }

    /// The canonical form, or the error that PostgreSQL gives for a number beyond its format.
    fn checked(mantissa: IBig, scale: u32) -> Result<Numeric, NumericError> {
        let Some(scale) = u16::try_from(scale).ok().filter(|scale| *scale <= SCALE_MAX) else {
            return Err(NumericError::Overflow);
        };
        let value = Numeric::from_integer(mantissa, scale);
        if let Repr::Big(big) = &value.0 {
            let digits_max = INTEGER_DIGITS_MAX + u32::from(scale);
            // Only a number with nearly as many bits as 10^digits_max needs the exact look.
            let magnitude: UBig = big.mantissa.clone().into_parts().1;
            let bits = dashu_int::ops::BitTest::bit_len(&magnitude) as f64;
            if bits > f64::from(digits_max) * std::f64::consts::LOG2_10 - 1.0 && magnitude >= pow10(digits_max) {
                return Err(NumericError::Overflow);
            }
        }
        Ok(value)
    }
}

impl Default for Numeric {
    fn default() -> Numeric {
        Numeric::ZERO
    }
}

impl From<i64> for Numeric {
    fn from(value: i64) -> Numeric {
        Numeric::from_i64(value)
    }
}

impl Ord for Numeric {
    /// By value: 1.0 equals 1.00; NaN equals NaN and is greatest.
    fn cmp(&self, other: &Numeric) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Small { mantissa: a, scale: a_scale }, Repr::Small { mantissa: b, scale: b_scale }) => {
                cmp_small(*a, *a_scale, *b, *b_scale)
            }
            (Repr::NaN, Repr::NaN) | (Repr::Infinity, Repr::Infinity) | (Repr::NegInfinity, Repr::NegInfinity) => {
                Ordering::Equal
            }
            (Repr::NaN, _) | (_, Repr::NegInfinity) => Ordering::Greater,
            (_, Repr::NaN) | (Repr::NegInfinity, _) => Ordering::Less,
            (Repr::Infinity, _) => Ordering::Greater,
            (_, Repr::Infinity) => Ordering::Less,
            _ => {
                let signs = self.signum().cmp(&other.signum());
                if signs != Ordering::Equal {
                    return signs;
                }
                let (a, b, _) = decimal::align_big(self, other);
                a.cmp(&b)
            }
        }
    }
}

fn cmp_small(a: i128, a_scale: u16, b: i128, b_scale: u16) -> Ordering {
    if a_scale == b_scale || a.signum() != b.signum() {
        return a.cmp(&b);
    }
    // An overflow means that the scaled side has the greater magnitude, whatever the other is.
    let sign = if a < 0 { Ordering::Less } else { Ordering::Greater };
    let scaled = |value: i128, by: u16| POW10.get(usize::from(by)).and_then(|power| value.checked_mul(*power));
    if a == 0 {
        Ordering::Equal
    } else if a_scale < b_scale {
        scaled(a, b_scale - a_scale).map_or(sign, |a| a.cmp(&b))
    } else {
        scaled(b, a_scale - b_scale).map_or(sign.reverse(), |b| a.cmp(&b))
    }
}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Numeric) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Numeric) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl Hash for Numeric {
    /// Hashes the value without its trailing zeros, so that equal values hash alike.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.clone().normalized().0 {
            Repr::Small { mantissa, scale } => (mantissa, scale).hash(state),
            Repr::Big(big) => (big.mantissa, big.scale).hash(state),
            Repr::NaN => 0_u8.hash(state),
            Repr::Infinity => 1_u8.hash(state),
            Repr::NegInfinity => 2_u8.hash(state),
        }
    }
}

#[cfg(test)]
#[path = "numeric_tests.rs"]
mod tests;
