//! What a row adds to its group: a vector of integer lanes, added lane by lane.
//!
//! A count is one lane; a sum is one lane or several limbs of 32 bits, so that lanes never carry into each other and
//! never overflow within two thousand million rows. `eval::accumulate` decides what each lane means.

use row::Diff;
use smallvec::SmallVec;

/// Lanes of a group's accumulators: a window of them, all others being zero.
///
/// What one row adds lies close together, so it takes no allocation however many lanes its group has.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Accum {
    start: u32,
    lanes: SmallVec<[i64; 3]>,
}

impl Accum {
    /// From all lanes; zeros at both ends are left out.
    pub fn new(lanes: &[i64]) -> Accum {
        let Some(start) = lanes.iter().position(|lane| *lane != 0) else { return Accum::default() };
        let end = lanes.iter().rposition(|lane| *lane != 0).map_or(start, |last| last + 1);
        Accum { start: start as u32, lanes: SmallVec::from_slice(&lanes[start..end]) }
    }

    /// Appends the lanes from the first on, up to the last that is not zero.
    pub fn write_to(&self, lanes: &mut Vec<i64>) {
        lanes.resize(lanes.len() + self.start as usize, 0);
        lanes.extend_from_slice(&self.lanes);
    }

    /// Whether every lane is left out.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    fn end(&self) -> u32 {
        self.start + self.lanes.len() as u32
    }

    /// Adds lanes that lie inside the window.
    fn add_inside(&mut self, other: &Accum) {
        let at = (other.start - self.start) as usize;
        for (lane, more) in self.lanes[at..].iter_mut().zip(&other.lanes) {
            *lane = lane.wrapping_add(*more);
        }
    }
}

impl Accum {
    pub fn is_zero(&self) -> bool {
        self.lanes.iter().all(|lane| *lane == 0)
    }

    /// Adds lane by lane.
    #[inline]
    pub fn add(&mut self, other: &Accum) {
        if other.lanes.is_empty() {
            return;
        }
        if self.lanes.is_empty() {
            *self = other.clone();
            return;
        }
        if self.start > other.start || self.end() < other.end() {
            let start = self.start.min(other.start);
            let end = self.end().max(other.end());
            let wider = Accum { start, lanes: smallvec::smallvec![0; (end - start) as usize] };
            let narrower = std::mem::replace(self, wider);
            self.add_inside(&narrower);
        }
        self.add_inside(other);
    }

    pub fn negate(&mut self) {
        for lane in &mut self.lanes {
            *lane = lane.wrapping_neg();
        }
    }

    /// So many times the lanes.
    #[inline]
    pub fn times(mut self, diff: Diff) -> Accum {
        if diff != 1 {
            for lane in &mut self.lanes {
                *lane = lane.wrapping_mul(diff);
            }
        }
        self
    }

    /// What the lanes take outside of the accumulator itself.
    pub fn heap_bytes(&self) -> usize {
        if self.lanes.spilled() { self.lanes.capacity() * size_of::<i64>() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(accum: &Accum) -> Vec<i64> {
        let mut lanes = Vec::new();
        accum.write_to(&mut lanes);
        while lanes.last() == Some(&0) {
            lanes.pop();
        }
        lanes
    }

    #[test]
    fn windows_add_wherever_they_lie() {
        let parts = [[0, 0, 5, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 7], [0, 2, 3, 4, 0, 0], [0; 6]];
        let mut order = [0, 1, 2, 3, 4];
        for _ in 0..parts.len() {
            order.rotate_left(1);
            let mut sum = Accum::default();
            order.iter().for_each(|i| sum.add(&Accum::new(&parts[*i])));
            assert_eq!(lanes(&sum), [1, 2, 8, 4, 0, 7]);
            let mut back = sum.clone();
            back.negate();
            sum.add(&back);
            assert!(sum.is_zero());
        }
    }

    #[test]
    fn a_diff_multiplies_every_lane() {
        assert_eq!(lanes(&Accum::new(&[0, 3, -4]).times(-2)), [0, -6, 8]);
    }
}
