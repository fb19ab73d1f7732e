//! A difference that carries aggregates: a vector of integer lanes, added lane by lane.
//!
//! A count is one lane; a sum is one lane or several limbs of 32 bits, so that lanes never carry into each other and
//! never overflow within two thousand million rows. `eval::accumulate` decides what each lane means.

use differential_dataflow::difference::{Abelian, IsZero, Monoid, Multiply, Semigroup};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Lanes of a group's accumulators; missing lanes at the end are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Accum {
    lanes: SmallVec<[i64; 8]>,
}

impl Accum {
    /// From lanes; trailing zeros are dropped.
    pub fn new(lanes: &[i64]) -> Accum {
        let length = lanes.iter().rposition(|lane| *lane != 0).map_or(0, |last| last + 1);
        Accum { lanes: SmallVec::from_slice(&lanes[..length]) }
    }

    pub fn lanes(&self) -> &[i64] {
        &self.lanes
    }
}

impl IsZero for Accum {
    fn is_zero(&self) -> bool {
        self.lanes.iter().all(|lane| *lane == 0)
    }
}

impl Semigroup for Accum {
    #[inline]
    fn plus_equals(&mut self, other: &Accum) {
        if self.lanes.len() < other.lanes.len() {
            let mut longer = other.lanes.clone();
            longer.iter_mut().zip(&self.lanes).for_each(|(lane, more)| *lane = lane.wrapping_add(*more));
            self.lanes = longer;
        } else {
            self.lanes.iter_mut().zip(&other.lanes).for_each(|(lane, more)| *lane = lane.wrapping_add(*more));
        }
    }
}

impl Monoid for Accum {
    fn zero() -> Accum {
        Accum::default()
    }
}

impl Abelian for Accum {
    fn negate(&mut self) {
        for lane in &mut self.lanes {
            *lane = lane.wrapping_neg();
        }
    }
}

impl Multiply<i64> for Accum {
    type Output = Accum;

    #[inline]
    fn multiply(mut self, diff: &i64) -> Accum {
        if *diff != 1 {
            for lane in &mut self.lanes {
                *lane = lane.wrapping_mul(*diff);
            }
        }
        self
    }
}
