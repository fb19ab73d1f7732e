//! Numerics as bytes whose memcmp order is the numeric order.

use std::fmt::Write;

use smallvec::SmallVec;

use super::{Numeric, Repr};

const ZERO: u8 = 0x80;
/// A positive number with a base-100 exponent below `EXPONENT_MIN`: three exponent bytes follow.
const TINY: u8 = 0x82;
const FIRST: u8 = 0x83;
const LAST: u8 = 0xFC;
/// A positive number with a greater exponent than one byte can say: three exponent bytes follow.
const HUGE: u8 = 0xFD;
const INFINITY: u8 = 0xFE;
const NAN: u8 = 0xFF;
const EXPONENT_MIN: i32 = -40;
const EXPONENT_MAX: i32 = EXPONENT_MIN + (LAST - FIRST) as i32;

impl Numeric {
    /// memcmp order = numeric order (NaN highest), prefix-free; equal values give equal keys.
    ///
    /// A positive number is its base-100 exponent, then its base-100 digits `d` as `2d + 1`, the last one as `2d`: the parity
    /// ends the key. A negative number is the complement of that.
    pub fn push_order_key(&self, key: &mut SmallVec<[u8; 32]>) {
        match &self.0 {
            Repr::Small { mantissa: 0, .. } => key.push(ZERO),
            Repr::NaN => key.push(NAN),
            Repr::Infinity => key.push(INFINITY),
            Repr::NegInfinity => key.push(!INFINITY),
            Repr::Small { mantissa, scale } => {
                let magnitude = mantissa.unsigned_abs();
                if let Ok(mut left) = u64::try_from(magnitude) {
                    // Nearly all: as `Display` has them, at a fraction of its price.
                    let mut digits = [b'0'; 20];
                    let mut at = digits.len();
                    while left > 0 {
                        at -= 1;
                        digits[at] += (left % 10) as u8;
                        left /= 10;
                    }
                    return push_digits(key, *mantissa < 0, &digits[at..], *scale);
                }
                let mut digits = Digits(SmallVec::new());
                // Writing digits to memory cannot fail.
                let _ = write!(digits, "{magnitude}");
                push_digits(key, *mantissa < 0, &digits.0, *scale);
            }
            Repr::Big(big) => {
                let text = big.mantissa.to_string();
                push_digits(key, self.is_negative(), text.trim_start_matches('-').as_bytes(), big.scale);
            }
        }
    }
}

struct Digits(SmallVec<[u8; 40]>);

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// `digits` are ASCII, without leading zeros.
fn push_digits(key: &mut SmallVec<[u8; 32]>, negative: bool, digits: &[u8], scale: u16) {
    let start = key.len();
    let exponent = digits.len() as i32 - 1 - i32::from(scale);
    let pair_exponent = exponent.div_euclid(2);
    match pair_exponent {
        EXPONENT_MIN..=EXPONENT_MAX => key.push((pair_exponent - EXPONENT_MIN) as u8 + FIRST),
        _ => {
            key.push(if pair_exponent < 0 { TINY } else { HUGE });
            key.extend_from_slice(&((pair_exponent + (1 << 23)) as u32).to_be_bytes()[1..]);
        }
    }
    let significant = digits.len() - digits.iter().rev().take_while(|digit| **digit == b'0').count();
    let (first, pairs) =
        digits[..significant].split_at(if exponent.rem_euclid(2) == 0 { 1 } else { 2.min(significant) });
    match first {
        [one] if exponent.rem_euclid(2) == 0 => key.push((one - b'0') * 2 + 1),
        [ten] => key.push((ten - b'0') * 20 + 1),
        _ => key.push(((first[0] - b'0') * 10 + first[1] - b'0') * 2 + 1),
    }
    for pair in pairs.chunks(2) {
        let tens = (pair[0] - b'0') * 10;
        let ones = pair.get(1).map_or(0, |digit| digit - b'0');
        key.push((tens + ones) * 2 + 1);
    }
    if let Some(last) = key.last_mut() {
        *last -= 1;
    }
    if negative {
        key[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}
