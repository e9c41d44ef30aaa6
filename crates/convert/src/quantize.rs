//! From reals to steps: the grids of activations and the symmetric per-channel weights.

mod layers;
#[cfg(test)]
mod tests;

pub use layers::{QuantizedLayer, WeightRules, arrangement, quantize_layers};

use crate::moments::Moments;

/// Share of the largest weight that the range search tries, from all of it downwards.
const CLIP_STEPS: usize = 21;
/// Difference between two shares.
const CLIP_STEP: f64 = 0.02;
/// Step of the weights of a layer that has none but zeros.
const SILENT_SCALE: f32 = 1.0 / 1024.0;
/// A bias may use this many steps, which leaves as much again of an i32 to the sum of products.
const BIAS_STEPS_MAX: f64 = (1_u64 << 30) as f64;

/// How reals sit on the steps of an I8: r = scale * (q - `zero_point`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Real size of a step; a positive normal number.
    pub scale: f32,
    /// The q of real 0; -128..=127.
    pub zero_point: i32,
}

impl Grid {
    /// The grid whose 256 steps just cover `low..=high` (widened to hold 0, which must be a step: padding and ReLU want it).
    #[must_use]
    pub fn over(low: f32, high: f32) -> Self {
        let (low, high) = (f64::from(low.min(0.0)), f64::from(high.max(0.0)));
        let scale = ((high - low) / 255.0) as f32;
        if !scale.is_normal() {
            // Nothing but zeros: any step will do.
            return Self { scale: 1.0, zero_point: 0 };
        }
        let zero_point = (-128.0 - low / f64::from(scale)).round_ties_even().clamp(-128.0, 127.0);
        Self { scale, zero_point: zero_point as i32 }
    }

    /// The step nearest to a real, within -128..=127.
    #[must_use]
    pub fn step(&self, real: f32) -> i8 {
        let steps = f64::from(real) / f64::from(self.scale);
        (f64::from(self.zero_point) + steps.round_ties_even()).clamp(-128.0, 127.0) as i8
    }

    /// The reals of the first and the last step.
    #[must_use]
    pub fn range(&self) -> (f32, f32) {
        let real = |q: i32| (f64::from(self.scale) * f64::from(q - self.zero_point)) as f32;
        (real(-128), real(127))
    }
}

/// How a value lies on the steps of an I8: element r of channel c is scale(c) * (q - `zero_point`).
#[derive(Clone, Debug, PartialEq)]
pub struct ValueGrid {
    /// One for the value, or one a channel; positive normal numbers.
    pub scales: Vec<f32>,
    /// The q of real 0 in every channel; -128..=127.
    pub zero_point: i32,
}

impl ValueGrid {
    /// The scale of channel `c`.
    #[must_use]
    pub fn scale(&self, c: usize) -> f32 {
        if let [scale] = self.scales[..] { scale } else { self.scales[c] }
    }

    /// Channel `c`'s own grid.
    #[must_use]
    pub fn channel(&self, c: usize) -> Grid {
        Grid { scale: self.scale(c), zero_point: self.zero_point }
    }

    /// The least and the greatest real that any channel reaches.
    #[must_use]
    pub fn range(&self) -> (f32, f32) {
        let wider = |(low, high): (f32, f32), (less, more): (f32, f32)| (low.min(less), high.max(more));
        (0..self.scales.len()).map(|c| self.channel(c).range()).fold((0.0, 0.0), wider)
    }
}

impl From<Grid> for ValueGrid {
    fn from(grid: Grid) -> Self {
        Self { scales: vec![grid.scale], zero_point: grid.zero_point }
    }
}

/// Weights of one layer as steps.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelWeights {
    /// As many as there were weights, in the same order; -127..=127.
    pub steps: Vec<i8>,
    /// Real size of a step, one an output channel.
    pub scale: Vec<f32>,
    /// By how much rounding raises the mean of each output channel's sum, as far as that is known; the bias takes it back.
    pub shift: Vec<f64>,
}

impl ChannelWeights {
    /// Rounds the weights anew so that their errors cancel each other over inputs such as were seen.
    pub fn compensate(&mut self, weights: &[f32], arrangement: Arrangement, moments: &Moments) {
        let channels = self.scale.len();
        let mut factor = moments.factor(0);
        for n in 0..channels {
            let group = match arrangement {
                Arrangement::ChannelFirst => 0,
                Arrangement::ChannelLast => n,
            };
            if group > 0 {
                factor = moments.factor(group);
            }
            let places = arrangement.places(n, channels, weights.len());
            let channel: Vec<f32> = places.clone().map(|place| weights[place]).collect();
            let steps = factor.round(&channel, self.scale[n]);
            places.zip(steps).for_each(|(place, step)| self.steps[place] = step);
        }
    }

    /// Finds by how much rounding `weights` to these steps raises the mean of each output channel's sum.
    pub fn measure_shift(&mut self, weights: &[f32], arrangement: Arrangement, moments: &Moments) {
        let channels = self.scale.len();
        for n in 0..channels {
            let group = match arrangement {
                Arrangement::ChannelFirst => 0,
                Arrangement::ChannelLast => n,
            };
            let error = |(k, place): (usize, usize)| {
                let made = f64::from(self.steps[place]) * f64::from(self.scale[n]);
                (made - f64::from(weights[place])) * moments.mean(group, k)
            };
            self.shift[n] = arrangement.places(n, channels, weights.len()).enumerate().map(error).sum();
        }
    }
}

/// Where the weights of an output channel stand in a layer's tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// `[N][K]`: a channel's weights stand together.
    ChannelFirst,
    /// `[K][N]`: depthwise, a channel's weights are one column.
    ChannelLast,
}

impl Arrangement {
    /// The input channel, of `channels`, that weight `k` of output channel `n` is multiplied with.
    #[must_use]
    pub const fn channel(self, n: usize, k: usize, channels: usize) -> usize {
        match self {
            Self::ChannelFirst => k % channels,
            Self::ChannelLast => n,
        }
    }

    /// The places of channel `n`'s weights among `count` in `channels` channels.
    pub(crate) fn places(self, n: usize, channels: usize, count: usize) -> impl Iterator<Item = usize> + Clone {
        let depth = count / channels;
        (0..depth).map(move |k| match self {
            Self::ChannelFirst => n * depth + k,
            Self::ChannelLast => k * channels + n,
        })
    }
}

/// Quantises `weights` symmetrically, one scale for each of `channels`.
///
/// The scale is the one of least expected error of the layer's sums: an error of weight k counts `importance(k)` times,
/// the mean square of what that weight is multiplied with; without `importance` it is the one that the largest weight
/// needs. A channel of zeros still has a bias, which is counted in the same
/// steps: it gets the finest scale of the others.
#[must_use]
pub fn quantize_weights(
    weights: &[f32],
    channels: usize,
    arrangement: Arrangement,
    importance: Option<&dyn Fn(usize, usize) -> f64>,
) -> ChannelWeights {
    let mut steps = vec![0_i8; weights.len()];
    let mut scale = Vec::with_capacity(channels);
    let mut silent = Vec::new();
    for n in 0..channels {
        let places = arrangement.places(n, channels, weights.len());
        let channel: Vec<(f32, f64)> = places
            .clone()
            .enumerate()
            .map(|(k, place)| (weights[place], importance.map_or(1.0, |importance| importance(n, k))))
            .collect();
        let best = best_scale(&channel, importance.is_some()).unwrap_or_else(|| {
            silent.push(n);
            SILENT_SCALE
        });
        scale.push(best);
        for (place, &(weight, _)) in places.zip(&channel) {
            steps[place] = weight_step(weight, best);
        }
    }
    let loud = (0..channels).filter(|n| !silent.contains(n)).map(|n| scale[n]);
    let finest = loud.fold(f32::INFINITY, f32::min);
    if finest.is_finite() {
        silent.into_iter().for_each(|n| scale[n] = finest);
    }
    ChannelWeights { steps, shift: vec![0.0; scale.len()], scale }
}

fn weight_step(weight: f32, scale: f32) -> i8 {
    (f64::from(weight) / f64::from(scale)).round_ties_even().clamp(-127.0, 127.0) as i8
}

/// The scale of least weighted square error for one channel of (weight, importance); `None` for a channel of zeros.
fn best_scale(channel: &[(f32, f64)], search: bool) -> Option<f32> {
    let largest = channel.iter().fold(0.0_f32, |largest, (weight, _)| largest.max(weight.abs()));
    let whole = largest / 127.0;
    if !whole.is_normal() {
        return None;
    }
    let error = |scale: f32| -> f64 {
        let of = |&(weight, importance): &(f32, f64)| {
            let difference = f64::from(weight) - f64::from(scale) * f64::from(weight_step(weight, scale));
            importance * difference * difference
        };
        channel.iter().map(of).sum()
    };
    let mut best = (whole, error(whole));
    for step in 1..if search { CLIP_STEPS } else { 1 } {
        let scale = (f64::from(whole) * CLIP_STEP.mul_add(-(step as f64), 1.0)) as f32;
        let error = error(scale);
        if scale.is_normal() && error < best.1 {
            best = (scale, error);
        }
    }
    Some(best.0)
}
