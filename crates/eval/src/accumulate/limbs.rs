//! A big integer in lanes: 32 bits in each, with the sign of what was added.
//!
//! ```text
//!   limb   0    1   …  near-1 │ near  near+1  …
//!   lane  first …             │ more  more+1  …
//! ```
//!
//! The near limbs, those that common values use, lie among the other aggregates' near lanes; the others lie further on, where
//! zeros cost nothing.

use row::Numeric;

/// Bits per limb.
pub const LIMB_BITS: u32 = 32;

/// Where the limbs of one number lie.
#[derive(Clone, Copy, Debug)]
pub struct Limbs {
    pub first: usize,
    pub near: usize,
    pub more: usize,
    pub count: usize,
}

impl Limbs {
    pub fn lane(&self, limb: usize) -> usize {
        if limb < self.near { self.first + limb } else { self.more + limb - self.near }
    }

    /// Adds `sign * magnitude`, which fits.
    pub fn add(&self, magnitude: u128, sign: i64, lanes: &mut [i64]) {
        let mut left = magnitude;
        for limb in 0..self.count {
            if left == 0 {
                break;
            }
            lanes[self.lane(limb)] += sign * (left & u128::from(u32::MAX)) as i64;
            left >>= LIMB_BITS;
        }
    }

    /// Adds a finite numeric as its mantissa at `scale`. False: it has more digits than there is room for, before or after the
    /// point, and nothing was added.
    pub fn add_numeric(&self, value: &Numeric, scale: u16, lanes: &mut [i64]) -> bool {
        let Some(bytes) = mantissa(value, scale).filter(|bytes| bytes.len() <= self.count * 4) else { return false };
        let sign = if value.is_negative() { -1 } else { 1 };
        for (limb, chunk) in bytes.chunks(4).enumerate() {
            let mut four = [0; 4];
            four[..chunk.len()].copy_from_slice(chunk);
            lanes[self.lane(limb)] += sign * i64::from(u32::from_le_bytes(four));
        }
        true
    }

    /// The sum in two's complement, little-endian: carries are settled here. `lanes` may be cut short behind its last lane that
    /// is not zero.
    pub fn to_le_bytes(self, lanes: &[i64]) -> Vec<u8> {
        let mut carry: i128 = 0;
        let mut bytes = Vec::with_capacity(self.count * 4 + 16);
        for limb in 0..self.count {
            carry += i128::from(lanes.get(self.lane(limb)).copied().unwrap_or(0));
            bytes.extend_from_slice(&(carry as u32).to_le_bytes());
            carry >>= LIMB_BITS;
        }
        bytes.extend_from_slice(&carry.to_le_bytes());
        bytes
    }
}

/// The magnitude of a numeric's mantissa at a scale; None when digits would be lost.
fn mantissa(value: &Numeric, scale: u16) -> Option<Vec<u8>> {
    if value.scale() > scale {
        return None;
    }
    value.abs().rescale(scale).ok().map(|rescaled| rescaled.big_parts().0)
}
