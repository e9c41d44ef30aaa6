//! A histogram that grows with what it sees, and the range of least error under it.

use crate::quantize::Grid;

/// Bins on each side of zero.
const HALF: usize = 2048;
/// Candidate ends tried on each side.
const CANDIDATES: usize = 40;
/// The narrowest candidate as a share of what was seen.
const NARROWEST: f64 = 0.2;

/// Counts of values in bins of equal width around zero.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Width of a bin; 0 until something other than 0 was seen.
    width: f64,
    bins: Vec<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { width: 0.0, bins: vec![0; 2 * HALF] }
    }
}

impl Histogram {
    /// Counts `values`, of which none is larger than `largest` in magnitude. Exact zeros are left out: every grid holds
    /// them without error.
    pub fn add(&mut self, values: impl Iterator<Item = f32>, largest: f32) {
        let largest = f64::from(largest);
        if self.width == 0.0 {
            // Room to grow by a third before the bins must be merged.
            self.width = largest * 1.3 / HALF as f64;
        }
        while self.width > 0.0 && largest >= self.width * HALF as f64 {
            self.merge();
        }
        let inverse = if self.width > 0.0 { 1.0 / self.width } else { 0.0 };
        for value in values.filter(|&value| value != 0.0) {
            let bin = (f64::from(value) * inverse).floor() + HALF as f64;
            self.bins[bin.clamp(0.0, (2 * HALF - 1) as f64) as usize] += 1;
        }
    }

    /// Doubles the width: each bin takes two old ones, on its side of zero.
    fn merge(&mut self) {
        let old = std::mem::replace(&mut self.bins, vec![0; 2 * HALF]);
        for (index, count) in old.into_iter().enumerate() {
            self.bins[HALF / 2 + index / 2] += count;
        }
        self.width *= 2.0;
    }

    /// The (middle, count) of each bin that holds something.
    fn filled(&self) -> Vec<(f64, f64)> {
        let middle = |index: usize| (index as f64 - HALF as f64 + 0.5) * self.width;
        let filled = self.bins.iter().enumerate().filter(|&(_, &count)| count > 0);
        filled.map(|(index, &count)| (middle(index), count as f64)).collect()
    }

    /// The grid of least mean square error for values between `low` and `high`, which were really seen.
    ///
    /// Within the grid an error is uniform over a step, so its square is scale^2 / 12; beyond it the whole distance to
    /// the end counts. Both ends are tried over all candidates; the full range is one of them.
    #[must_use]
    pub fn best_grid(&self, low: f32, high: f32) -> Grid {
        let filled = self.filled();
        let shares = (0..CANDIDATES).map(|index| 1.0 - (1.0 - NARROWEST) * index as f64 / (CANDIDATES - 1) as f64);
        let ends = |end: f32| -> Vec<f64> {
            if end == 0.0 { vec![0.0] } else { shares.clone().map(|share| f64::from(end) * share).collect() }
        };
        let (lows, highs) = (ends(low.min(0.0)), ends(high.max(0.0)));
        let mut best = (f64::INFINITY, 0.0, 0.0);
        // Clipping errors of the two sides do not meet, so each is summed once per end.
        let below: Vec<f64> = lows.iter().map(|&end| clipped(&filled, |x| (end - x).max(0.0))).collect();
        let above: Vec<f64> = highs.iter().map(|&end| clipped(&filled, |x| (x - end).max(0.0))).collect();
        let total: f64 = filled.iter().map(|&(_, count)| count).sum();
        for (&low, below) in lows.iter().zip(&below) {
            for (&high, above) in highs.iter().zip(&above) {
                let scale = (high - low) / 255.0;
                let error = below + above + total * scale * scale / 12.0;
                if error < best.0 {
                    best = (error, low, high);
                }
            }
        }
        Grid::over(best.1 as f32, best.2 as f32)
    }
}

fn clipped(filled: &[(f64, f64)], distance: impl Fn(f64) -> f64) -> f64 {
    filled.iter().map(|&(x, count)| count * distance(x) * distance(x)).sum()
}
