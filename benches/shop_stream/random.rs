//! Random numbers that are the same everywhere.

/// SplitMix64: one word of state, good enough to draw a shop.
pub struct Random(u64);

impl Random {
    /// A stream of its own for each purpose, so that drawing more of one thing leaves the others as they were.
    pub fn new(seed: u64, purpose: &str) -> Random {
        let mut state = seed;
        for byte in purpose.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Random(state)
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// In [0, `bound`).
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound)) >> 64) as u64
    }

    /// A place in `list`.
    pub fn index(&mut self, list: &[impl Sized]) -> usize {
        self.below(list.len() as u64) as usize
    }

    /// A number near 0 with variance 1: the sum of twelve units, which needs no logarithm.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// Draws places with given weights.
pub struct Weighted {
    /// Sum of the weights up to and including each place.
    cumulated: Vec<u64>,
}

impl Weighted {
    pub fn new(weights: impl IntoIterator<Item = u64>) -> Weighted {
        let mut sum = 0;
        let cumulated = weights.into_iter().map(|weight| {
            sum += weight;
            sum
        });
        Weighted { cumulated: cumulated.collect() }
    }

    pub fn pick(&self, random: &mut Random) -> usize {
        let total = self.cumulated.last().copied().unwrap_or(0);
        let drawn = random.below(total);
        self.cumulated.partition_point(|sum| *sum <= drawn)
    }
}

/// Weights `(rank + shift) ^ -exponent` for ranks handed out at random, exponent 1 or (nearly) 1.1.
pub fn zipf(random: &mut Random, places: usize, shift: f64, steeper: bool) -> Weighted {
    let weight = |rank: usize| {
        let x = rank as f64 + shift;
        let x = if steeper { x * tenth_root(x) } else { x };
        ((1u64 << 40) as f64 / x) as u64
    };
    let mut weights: Vec<u64> = (1..=places).map(weight).collect();
    random.shuffle(&mut weights);
    Weighted::new(weights)
}

/// Nearly `x ^ 0.1`: 1/16 + 1/32 + 1/256 + 1/512 = 0.0996.
fn tenth_root(x: f64) -> f64 {
    let mut root = x;
    let mut product = 1.0;
    for halvings in 1..=9 {
        root = root.sqrt();
        if matches!(halvings, 4 | 5 | 8 | 9) {
            product *= root;
        }
    }
    product
}

/// Nearly `e ^ x`, from multiplications alone.
pub fn exp(x: f64) -> f64 {
    let mut power = 1.0 + x / 1024.0;
    for _ in 0..10 {
        power *= power;
    }
    power
}
