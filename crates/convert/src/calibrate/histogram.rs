//! A histogram that grows with what it sees, and what clipping would cost under it.

/// Counts of values in bins of equal width around zero, and what lies beyond each bin.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Bins on each side of zero.
    half: usize,
    /// Width of a bin; 0 until something other than 0 was seen.
    width: f64,
    bins: Vec<u32>,
}

impl Histogram {
    /// Nothing seen yet, `half` bins on each side of zero.
    #[must_use]
    pub fn new(half: usize) -> Self {
        Self { half, width: 0.0, bins: vec![0; 2 * half] }
    }

    /// Counts `values`, of which none is larger than `largest` in magnitude. Exact zeros are left out: every grid holds
    /// them without error.
    pub fn add(&mut self, values: impl Iterator<Item = f32>, largest: f32) {
        let largest = f64::from(largest);
        if self.width == 0.0 {
            // Room to grow by a third before the bins must be merged.
            self.width = largest * 1.3 / self.half as f64;
        }
        while self.width > 0.0 && largest >= self.width * self.half as f64 {
            self.merge();
        }
        let inverse = if self.width > 0.0 { (1.0 / self.width) as f32 } else { 0.0 };
        let last = 2 * self.half - 1;
        for value in values.filter(|&value| value != 0.0) {
            let bin = (value * inverse + self.half as f32) as usize;
            self.bins[bin.min(last)] += 1;
        }
    }

    /// As if every value had been `factor` times what it was; above 0.
    pub(super) fn scaled(&self, factor: f64) -> Self {
        Self { width: self.width * factor, ..self.clone() }
    }

    /// Doubles the width: each bin takes two old ones, on its side of zero.
    fn merge(&mut self) {
        let old = std::mem::replace(&mut self.bins, vec![0; 2 * self.half]);
        for (index, count) in old.into_iter().enumerate() {
            self.bins[self.half / 2 + index / 2] += count;
        }
        self.width *= 2.0;
    }

    /// Sums that answer what any clipping costs.
    #[must_use]
    pub fn tails(&self) -> Tails {
        let side = |bins: &mut dyn Iterator<Item = &u32>| {
            let mut sums = vec![[0.0; 3]; self.half + 1];
            for (index, &count) in bins.enumerate() {
                let (count, x) = (f64::from(count), (index as f64 + 0.5) * self.width);
                sums[index] = [count, count * x, count * x * x];
            }
            for index in (0..self.half).rev() {
                let beyond = sums[index + 1];
                sums[index].iter_mut().zip(beyond).for_each(|(sum, beyond)| *sum += beyond);
            }
            sums
        };
        let (below, above) = self.bins.split_at(self.half);
        Tails { width: self.width, below: side(&mut below.iter().rev()), above: side(&mut above.iter()) }
    }
}

/// For each bin edge, counting from zero outwards: how many values lie beyond it, the sum of their magnitudes and that of
/// their squares.
#[derive(Clone, Debug)]
pub struct Tails {
    width: f64,
    below: Vec<[f64; 3]>,
    above: Vec<[f64; 3]>,
}

impl Tails {
    /// Values other than 0 that were seen.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.below[0][0] + self.above[0][0]
    }

    /// Sum of the squares of the distances to `low..=high` (around 0) of what lies beyond.
    #[must_use]
    pub fn clipped(&self, low: f64, high: f64) -> f64 {
        self.beyond(&self.below, -low) + self.beyond(&self.above, high)
    }

    fn beyond(&self, side: &[[f64; 3]], end: f64) -> f64 {
        if self.width == 0.0 {
            return 0.0;
        }
        // The bin that the end lies in counts whole when its middle is beyond, else not at all.
        let index = (end / self.width + 0.5) as usize;
        let [count, sum, squares] = side.get(index).copied().unwrap_or_default();
        (end * end).mul_add(count, 2.0_f64.mul_add(-(end * sum), squares)).max(0.0)
    }

    /// The ends between which all but `share` of the values lie on each side (counted over all values, zeros among
    /// them: `seen` in all).
    #[must_use]
    pub fn percentile(&self, share: f64, seen: f64) -> (f64, f64) {
        let end = |side: &[[f64; 3]]| side.iter().rposition(|tail| tail[0] > share * seen).map_or(0, |index| index + 1);
        (-(end(&self.below) as f64) * self.width, end(&self.above) as f64 * self.width)
    }
}
