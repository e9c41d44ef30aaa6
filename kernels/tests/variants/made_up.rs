//! Numbers made up from a seed, rich in extremes.

/// A source of numbers; the same seed makes the same ones.
pub(crate) struct Source(u64);

impl Source {
    /// From a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u32 {
        // Steele, Vigna: a multiplicative generator's upper half is good enough for test data.
        self.0 = self.0.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
        (self.0 >> 32) as u32
    }

    /// 0..limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }

    /// -128..=127, one in four at an end of the range.
    pub(crate) fn activations(&mut self, count: usize) -> Vec<i8> {
        let mut one = || match self.next() % 8 {
            0 => i8::MIN,
            1 => i8::MAX,
            _ => self.next() as i8,
        };
        (0..count).map(|_| one()).collect()
    }

    /// -127..=127, one in four at an end of the range.
    pub(crate) fn weights(&mut self, count: usize) -> Vec<i8> {
        self.activations(count).into_iter().map(|value| value.max(-127)).collect()
    }

    /// -limit..=limit.
    pub(crate) fn integers(&mut self, count: usize, limit: i32) -> Vec<i32> {
        (0..count).map(|_| (self.next() % (2 * limit as u32 + 1)) as i32 - limit).collect()
    }

    /// -1..1.
    pub(crate) fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next() as f32 / 2_f32.powi(31) - 1.0).collect()
    }

    /// Multipliers that let sums of about `2^sum_bits` land in and around the range, on ties, at nothing and far outside.
    pub(crate) fn scales(&mut self, count: usize, sum_bits: i32) -> Vec<f32> {
        // Where none is 1 or more, kernels may do without a bound.
        let large = if self.below(2) == 0 { 1e30 } else { 0.9 };
        let mut one = || match self.next() % 8 {
            0 => 0.5,
            1 => 0.25,
            2 => 1e-30,
            3 => large,
            _ => ((self.next() as f32 / 2_f32.powi(32) + 0.01) * 2_f32.powi(7 - sum_bits)).min(large),
        };
        (0..count).map(|_| one()).collect()
    }

    /// Positive multipliers with 15 bits behind the point, one in four the largest or the smallest.
    pub(crate) fn gains(&mut self, count: usize) -> Vec<i16> {
        let mut one = || match self.next() % 8 {
            0 => i16::MAX,
            1 => 1,
            _ => (self.next() % 0x7fff) as i16 + 1,
        };
        (0..count).map(|_| one()).collect()
    }

    /// A table with no pattern.
    pub(crate) fn table(&mut self) -> [i8; 256] {
        std::array::from_fn(|_| self.next() as i8)
    }
}
