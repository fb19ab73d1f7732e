//! Random numbers that are the same everywhere: whole numbers only.

/// SplitMix64: one word of state, good enough to draw a shop.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A stream of its own for each purpose and number, so that drawing more of one thing leaves the others as they were.
    pub fn new(seed: u64, purpose: &str, number: u64) -> Random {
        let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
        for byte in purpose.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mut random = Random(state ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93));
        random.word();
        random
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// In [low, high).
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low).max(1) as u128;
        low + ((u128::from(self.word()) * span) >> 64) as i64
    }

    /// True in so many of a thousand draws.
    pub fn permille(&mut self, of_thousand: i64) -> bool {
        self.between(0, 1000) < of_thousand
    }

    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.between(0, list.len() as i64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_two_purposes_differ_and_repeat() {
        let words = |purpose, number| -> Vec<u64> {
            let mut random = Random::new(7, purpose, number);
            (0..4).map(|_| random.word()).collect()
        };
        assert_eq!(words("orders", 1), words("orders", 1));
        assert_ne!(words("orders", 1), words("orders", 2));
        assert_ne!(words("orders", 1), words("clicks", 1));
    }

    #[test]
    fn draws_stay_between_their_bounds() {
        let mut random = Random::new(1, "bounds", 0);
        assert!((0..1000).all(|_| (-3..4).contains(&random.between(-3, 4))));
        assert_eq!(random.between(5, 5), 5);
    }
}
