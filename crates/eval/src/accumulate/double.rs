//! An exact sum of doubles: a fixed-point number that spans every exponent, in limbs of 32 bits.
//!
//! After Kulisch ("long accumulator"): a double is a 53-bit integer times a power of two between 2^-1074 and 2^971, so it falls
//! into at most three neighbouring limbs of a number with 2^-1074 as its unit. The sum is rounded once, when it is read. A square
//! falls into at most five limbs of a number with 2^-2148 as its unit.
//!
//! The limbs are turned so that those of common magnitudes come first: values from about 10^-9 to 10^33 with all their bits.

use smallvec::SmallVec;

/// Limbs of the number, then counts of NaN, infinity and minus infinity.
pub const LANES: usize = LIMBS + 3;
/// Limbs of the sum of squares.
pub const SQUARE_LIMBS: usize = 134;
/// The lanes of a sum and of a sum of squares that common values use.
pub const NEAR: usize = 6;
pub const SQUARE_NEAR: usize = 9;
/// The exponent of the unit.
pub const UNIT_EXPONENT: i64 = -1074;
const LIMBS: usize = 67;
/// The limbs that lie in the first lanes.
const FIRST_LIMB: usize = 31;
const FIRST_SQUARE_LIMB: usize = 62;
const NAN: usize = LIMBS;
const INFINITY: usize = LIMBS + 1;
const NEG_INFINITY: usize = LIMBS + 2;

fn place(limb: usize) -> usize {
    (limb + LIMBS - FIRST_LIMB) % LIMBS
}

fn square_place(limb: usize) -> usize {
    (limb + SQUARE_LIMBS - FIRST_SQUARE_LIMB) % SQUARE_LIMBS
}

/// A finite double as (sign, mantissa, shift): sign · mantissa · 2^(shift - 1074).
fn parts(value: f64) -> (i64, u64, u32) {
    let bits = value.to_bits();
    let sign = if bits >> 63 == 1 { -1 } else { 1 };
    let exponent = (bits >> 52 & 0x7FF) as u32;
    let fraction = bits & ((1 << 52) - 1);
    // A subnormal has no hidden bit and the exponent of the least normal number.
    if exponent == 0 { (sign, fraction, 0) } else { (sign, fraction | 1 << 52, exponent - 1) }
}

/// Adds one double: calls `add(lane, amount)` for each lane it touches.
pub fn add(value: f64, mut add: impl FnMut(usize, i64)) {
    if value.is_nan() {
        return add(NAN, 1);
    }
    if value.is_infinite() {
        return add(if value > 0.0 { INFINITY } else { NEG_INFINITY }, 1);
    }
    let (sign, mantissa, shift) = parts(value);
    let mut wide = u128::from(mantissa) << (shift % 32);
    let mut limb = (shift / 32) as usize;
    while wide != 0 {
        add(place(limb), sign * (wide & u128::from(u32::MAX)) as i64);
        wide >>= 32;
        limb += 1;
    }
}

/// Adds the square of a finite double.
pub fn add_square(value: f64, mut add: impl FnMut(usize, i64)) {
    let (_, mantissa, shift) = parts(value);
    let square = u128::from(mantissa) * u128::from(mantissa);
    let limb = (shift / 16) as usize;
    for (half, limb) in [(square & u128::from(u64::MAX), limb), (square >> 64, limb + 2)] {
        let (mut wide, mut limb) = (half << (2 * shift % 32), limb);
        while wide != 0 {
            add(square_place(limb), (wide & u128::from(u32::MAX)) as i64);
            wide >>= 32;
            limb += 1;
        }
    }
}

/// Whether an input was NaN or infinite.
pub fn has_special(lane: impl Fn(usize) -> i64) -> bool {
    [NAN, INFINITY, NEG_INFINITY].iter().any(|special| lane(*special) > 0)
}

/// An exact sum from some limb on, those below being zero: two's complement, little-endian.
pub struct Settled {
    pub first_limb: usize,
    pub bytes: SmallVec<[u8; 64]>,
}

/// The sum of the finite values in units of 2^-1074. `is_near`: no lanes but the near ones differ from zero.
pub fn sum_bytes(lane: impl Fn(usize) -> i64, is_near: bool) -> Settled {
    let limbs = if is_near { FIRST_LIMB..FIRST_LIMB + NEAR } else { 0..LIMBS };
    Settled { first_limb: limbs.start, bytes: settle(limbs.map(|limb| lane(place(limb)))) }
}

/// The sum of their squares in units of 2^-2148.
pub fn square_bytes(lane: impl Fn(usize) -> i64, is_near: bool) -> Settled {
    let limbs = if is_near { FIRST_SQUARE_LIMB..FIRST_SQUARE_LIMB + SQUARE_NEAR } else { 0..SQUARE_LIMBS };
    Settled { first_limb: limbs.start, bytes: settle(limbs.map(|limb| lane(square_place(limb)))) }
}

fn settle(limbs: impl Iterator<Item = i64>) -> SmallVec<[u8; 64]> {
    let mut carry: i128 = 0;
    let mut bytes = SmallVec::new();
    for limb in limbs {
        carry += i128::from(limb);
        bytes.extend_from_slice(&(carry as u32).to_le_bytes());
        carry >>= 32;
    }
    bytes.extend_from_slice(&carry.to_le_bytes());
    bytes
}

/// An exact sum, read from its lanes.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    /// NaN or an infinity, which the finite values cannot change.
    special: Option<f64>,
    negative: bool,
    /// The magnitude, little-endian, with 2^-1074 as its unit.
    limbs: [u32; LIMBS + 3],
}

/// Reads the lanes. `is_near`: none but the near ones differ from zero.
pub fn finish(lane: impl Fn(usize) -> i64, is_near: bool) -> Sum {
    let (low, high) = if is_near { (FIRST_LIMB, FIRST_LIMB + NEAR) } else { (0, LIMBS) };
    let special = match (lane(NAN) > 0, lane(INFINITY) > 0, lane(NEG_INFINITY) > 0) {
        (false, false, false) => None,
        (false, true, false) => Some(f64::INFINITY),
        (false, false, true) => Some(f64::NEG_INFINITY),
        _ => Some(f64::NAN),
    };
    let mut limbs = [0_u32; LIMBS + 3];
    let mut carry: i128 = 0;
    // What is carried out of the last limb fits three more.
    for (i, limb) in limbs.iter_mut().enumerate().take(high + 3).skip(low) {
        if i < high {
            carry += i128::from(lane(place(i)));
        }
        *limb = carry as u32;
        carry >>= 32;
    }
    let negative = carry < 0;
    if negative {
        let mut borrow = true;
        for limb in &mut limbs[low..high + 3] {
            let (value, overflow) = (!*limb).overflowing_add(u32::from(borrow));
            *limb = value;
            borrow = overflow;
        }
    }
    Sum { special, negative, limbs }
}

impl Sum {
    /// Whether an input was infinite or NaN.
    pub fn is_infinite(&self) -> bool {
        self.special.is_some()
    }

    /// The nearest double, ties to even.
    pub fn to_f64(self) -> f64 {
        self.special.unwrap_or_else(|| signed(self.negative, round(&self.limbs, false)))
    }
}

/// The nearest double to `sum / count`, ties to even.
pub fn divide(sum: Sum, count: i64) -> f64 {
    if let Some(special) = sum.special {
        return special;
    }
    // Long division one 32-bit digit at a time: what is left over only says that the true quotient is a little more.
    let divisor = count as u128;
    let mut remainder: u128 = 0;
    let mut quotient = [0_u32; LIMBS + 3];
    let top = sum.limbs.iter().rposition(|limb| *limb != 0).map_or(0, |top| top + 1);
    let mut digits = 0;
    for i in (0..top).rev() {
        let dividend = remainder << 32 | u128::from(sum.limbs[i]);
        // Counts are small, and then so is the dividend.
        (quotient[i], remainder) = match (u64::try_from(dividend), u64::try_from(divisor)) {
            (Ok(dividend), Ok(divisor)) => ((dividend / divisor) as u32, u128::from(dividend % divisor)),
            _ => ((dividend / divisor) as u32, dividend % divisor),
        };
        digits += usize::from(digits > 0 || quotient[i] != 0);
        if digits == QUOTIENT_DIGITS {
            // More than a double holds: the rest only says whether there is one.
            let rest = remainder != 0 || sum.limbs[..i].iter().any(|limb| *limb != 0);
            return signed(sum.negative, round(&quotient, rest));
        }
    }
    signed(sum.negative, round_quotient(&quotient, remainder, divisor))
}

/// Digits of 32 bits from the first that is not zero: at least 65 bits.
const QUOTIENT_DIGITS: usize = 3;

fn signed(negative: bool, value: f64) -> f64 {
    if negative { -value } else { value }
}

/// Below the unit a double has no bits, so a quotient that is not exact rounds on its remainder at the unit, and else on the
/// remainder as a sticky bit.
fn round_quotient(quotient: &[u32; LIMBS + 3], remainder: u128, divisor: u128) -> f64 {
    let top =
        quotient.iter().rposition(|limb| *limb != 0).map_or(0, |i| i * 32 + 32 - quotient[i].leading_zeros() as usize);
    if top > 53 {
        return round(quotient, remainder != 0);
    }
    // The quotient fits 53 bits: the remainder decides the last one.
    let whole = u64::from(quotient[0]) | u64::from(quotient[1]) << 32;
    let up = match (remainder * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => whole & 1,
        std::cmp::Ordering::Greater => 1,
    };
    (whole + up) as f64 * f64::from_bits(1)
}

/// Rounds a magnitude to the nearest double; `sticky` says that the true value is a little more.
fn round(limbs: &[u32; LIMBS + 3], sticky: bool) -> f64 {
    let Some(top_limb) = limbs.iter().rposition(|limb| *limb != 0) else { return 0.0 };
    let top = top_limb * 32 + 31 - limbs[top_limb].leading_zeros() as usize;
    let bit = |i: usize| (limbs[i / 32] >> (i % 32)) & 1;
    if top < 53 {
        // At most 53 bits from the unit up: exact.
        let whole = u64::from(limbs[0]) | u64::from(limbs[1]) << 32;
        return whole as f64 * f64::from_bits(1);
    }
    let low = top - 52;
    let limb = |i: usize| u128::from(limbs.get(i).copied().unwrap_or(0));
    let wide = limb(low / 32) | limb(low / 32 + 1) << 32 | limb(low / 32 + 2) << 64;
    let mut mantissa = (wide >> (low % 32)) as u64 & ((1 << 53) - 1);
    let half = bit(low - 1) == 1;
    let (whole_limbs, bits) = ((low - 1) / 32, (low - 1) % 32);
    let is_below = || limbs[whole_limbs] & ((1 << bits) - 1) != 0 || limbs[..whole_limbs].iter().any(|limb| *limb != 0);
    let below = half && (sticky || is_below());
    if half && (below || mantissa & 1 == 1) {
        mantissa += 1;
    }
    // mantissa * 2^(low - 1074); the exponent field counts from the least subnormal, and a carry out of the mantissa goes
    // into it by itself.
    let biased = low as u64;
    if biased >= 2046 {
        return f64::INFINITY;
    }
    let bits = (biased << 52) + mantissa;
    let value = f64::from_bits(bits);
    if value.is_nan() { f64::INFINITY } else { value }
}
