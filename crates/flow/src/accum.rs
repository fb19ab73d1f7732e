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
    lanes: SmallVec<[i64; 7]>,
}

impl Accum {
    /// From all lanes; zeros at both ends are left out.
    pub fn new(lanes: &[i64]) -> Accum {
        let Some((start, lanes)) = used(lanes) else { return Accum::default() };
        Accum { start, lanes: SmallVec::from_slice(lanes) }
    }

    /// Takes all lanes out of a buffer, which is left with zeros.
    pub fn take(lanes: &mut [i64]) -> Accum {
        let accum = Accum::new(lanes);
        lanes[accum.start as usize..accum.end() as usize].fill(0);
        accum
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

    /// Widens the window to hold these lanes, too.
    fn reach(&mut self, from: u32, to: u32) {
        if self.lanes.is_empty() {
            *self = Accum { start: from, lanes: smallvec::smallvec![0; (to - from) as usize] };
        } else if self.start > from || self.end() < to {
            let (start, end) = (self.start.min(from), self.end().max(to));
            let wider = Accum { start, lanes: smallvec::smallvec![0; (end - start) as usize] };
            let narrower = std::mem::replace(self, wider);
            self.add_inside(narrower.start, &narrower.lanes, 1);
        }
    }

    /// Adds so many times lanes that lie inside the window.
    #[inline]
    fn add_inside(&mut self, start: u32, lanes: &[i64], times: Diff) {
        let at = (start - self.start) as usize;
        for (lane, more) in self.lanes[at..].iter_mut().zip(lanes) {
            *lane = lane.wrapping_add(more.wrapping_mul(times));
        }
    }
}

/// The lanes without the zeros at both ends, and the number of the first; None where all are zero.
fn used(lanes: &[i64]) -> Option<(u32, &[i64])> {
    // Most lanes of a wide group are zero: many at a time are looked at.
    let mut end = lanes.len();
    while let Some(last) = lanes[..end].last_chunk::<16>()
        && last.iter().fold(0, |any, lane| any | lane) == 0
    {
        end -= 16;
    }
    let start = lanes[..end].iter().position(|lane| *lane != 0)?;
    let end = lanes[..end].iter().rposition(|lane| *lane != 0).map_or(start, |last| last + 1);
    Some((start as u32, &lanes[start..end]))
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
        self.reach(other.start, other.end());
        self.add_inside(other.start, &other.lanes, 1);
    }

    /// Adds so many times all lanes of a row.
    pub fn add_times(&mut self, lanes: &[i64], times: Diff) {
        if let Some((start, lanes)) = used(lanes) {
            self.reach(start, start + lanes.len() as u32);
            self.add_inside(start, lanes, times);
        }
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
            let mut directly = Accum::default();
            order.iter().for_each(|i| directly.add_times(&parts[*i], 3));
            assert_eq!(lanes(&directly), [3, 6, 24, 12, 0, 21]);
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
