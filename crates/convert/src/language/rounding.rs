//! Which scale each 32 weights of a row get, and what rounding by it costs.
//!
//! With h the mean square of what a column reads, and columns taken as independent, rounding w to r adds noise of
//! `sum h (w - r)^2` to the row's result, whose own power is `sum h w^2`. Both widths try [`Grid::divisors`] of the signed largest
//! weight, then one step of least squares, `sum h w q / sum h q^2`, and keep the scale with the least noise. In INT4 either end of
//! -8..=7 may hold the largest weight, and it may be cut off. In INT8 cutting it off never pays, but of scales a little larger one
//! brings the weights that count nearer to whole numbers.

use clawdbot_kernels::linear::GROUP;
use clawdbot_nn::metadata::language::Precision;
use half::f16;

/// Whole numbers that weights become.
struct Grid {
    range: [f32; 2],
    /// What the signed largest weight of 32 may become.
    divisors: &'static [f32],
}

const INT8: Grid = Grid {
    range: [-127.0, 127.0],
    divisors: &[
        127.0, 126.5, 126.0, 125.5, 125.0, 124.5, 124.0, 123.5, 123.0, 122.5, 122.0, 121.5, 121.0, 120.5, 120.0, 119.5,
    ],
};
const INT4: Grid = Grid {
    range: [-8.0, 7.0],
    divisors: &[-10.0, -9.5, -9.0, -8.6, -8.3, -8.0, -7.7, -7.4, -7.0, -6.5, 9.5, 9.0, 8.5, 8.0, 7.6, 7.3, 7.0, 6.5],
};

/// Added to a number below 2^22 it leaves no room for a fraction.
const WHOLE: f32 = 12_582_912.0;

/// Power of results, and of what rounding adds to them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Noise {
    pub(super) signal: f64,
    pub(super) noise: f64,
}

impl Noise {
    /// Signal over noise in decibels; `None` where nothing was lost.
    pub(super) fn snr_db(self) -> Option<f64> {
        (self.noise > 0.0).then(|| 10.0 * (self.signal / self.noise).log10())
    }

    pub(super) fn add(&mut self, other: Self) {
        self.signal += other.signal;
        self.noise += other.noise;
    }
}

/// The scales (binary16 bits) of `rows`, each as long as `importance`, which has h of every column.
pub(super) fn scales(rows: &[f32], importance: &[f32], precision: Precision) -> Vec<u16> {
    let grid = match precision {
        Precision::F16 => return Vec::new(),
        Precision::Int8 => INT8,
        Precision::Int4 => INT4,
    };
    groups(rows, importance).map(|(values, weights)| grid.search(values, weights)).collect()
}

/// What rounding `rows` by `scales` costs.
pub(super) fn noise(rows: &[f32], importance: &[f32], (scales, precision): (&[u16], Precision)) -> Noise {
    let mut sum = Noise::default();
    let range = match precision {
        // Too little to be worth the time.
        Precision::F16 => return sum,
        Precision::Int8 => INT8.range,
        Precision::Int4 => INT4.range,
    };
    for ((values, weights), &scale) in groups(rows, importance).zip(scales) {
        let scale = f16::from_bits(scale).to_f32();
        for (&value, &weight) in values.iter().zip(weights) {
            let rounded = if scale == 0.0 { 0.0 } else { quant(value * scale.recip(), range) * scale };
            sum.add(power(value, weight, f64::from(value - rounded)));
        }
    }
    sum
}

fn power(value: f32, weight: f32, error: f64) -> Noise {
    let (value, weight) = (f64::from(value), f64::from(weight));
    Noise { signal: weight * value * value, noise: weight * error * error }
}

fn groups<'a>(rows: &'a [f32], importance: &'a [f32]) -> impl Iterator<Item = (&'a [f32; GROUP], &'a [f32; GROUP])> {
    rows.as_chunks().0.iter().zip(importance.as_chunks().0.iter().cycle())
}

/// The whole number next to `value`, ties to even, held to a range.
fn quant(value: f32, [low, high]: [f32; 2]) -> f32 {
    value.max(low).min(high) + WHOLE - WHOLE
}

impl Grid {
    fn search(&self, values: &[f32; GROUP], weights: &[f32; GROUP]) -> u16 {
        let most =
            values.iter().copied().fold(0.0, |most: f32, value| if value.abs() > most.abs() { value } else { most });
        // Where both ends reach as far, a sign would say nothing.
        let most = if self.range[0] == -self.range[1] { most.abs() } else { most };
        let mut best = (f32::INFINITY, 0);
        let mut consider = |scale: f32| {
            let bits = f16::from_f32(scale).to_bits();
            let found = self.cost(values, weights, f16::from_bits(bits).to_f32());
            if found < best.0 {
                best = (found, bits);
            }
        };
        self.divisors.iter().for_each(|divisor| consider(most / divisor));
        let scale = f16::from_bits(best.1).to_f32();
        let (mut above, mut below) = (0.0, 0.0);
        for (&value, &weight) in values.iter().zip(weights) {
            let quant = if scale == 0.0 { 0.0 } else { quant(value * scale.recip(), self.range) };
            above += weight * value * quant;
            below += weight * quant * quant;
        }
        if below > 0.0 {
            let refined = f16::from_f32(above / below);
            if self.cost(values, weights, refined.to_f32()) < best.0 {
                return refined.to_bits();
            }
        }
        best.1
    }

    /// Noise of 32 weights by a scale; infinite for one that is 0.
    fn cost(&self, values: &[f32; GROUP], weights: &[f32; GROUP], scale: f32) -> f32 {
        if scale == 0.0 || !scale.is_finite() {
            return f32::INFINITY;
        }
        let inverse = scale.recip();
        // Eight sums, so that the compiler may keep them in registers.
        let mut sums = [0.0; 8];
        for (values, weights) in values.as_chunks::<8>().0.iter().zip(weights.as_chunks::<8>().0) {
            for lane in 0..8 {
                let error = values[lane] - quant(values[lane] * inverse, self.range) * scale;
                sums[lane] += weights[lane] * error * error;
            }
        }
        sums.iter().sum()
    }
}
