//! Random numbers whose stream is part of the product: the same seed, the same numbers, on every machine, for ever.
//!
//! SplitMix64: number n (from 1) is a mix of `seed + n * 0x9e3779b97f4a7c15`, so the stream has a period of 2^64 and its
//! state is one word. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014. Not for secrets.

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number, 0..1 (1 excluded), a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit the mantissa exactly")]
        let fraction = (self.bits() >> 11) as f64;
        fraction / 9_007_199_254_740_992.0
    }
}
