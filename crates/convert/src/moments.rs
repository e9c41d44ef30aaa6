//! Second moments of what a layer's weights are multiplied with, and rounding that takes them into account.
//!
//! A layer's sum is w · x. Rounding w to q leaves the error (w - q) · x, of mean square eᵀHe with e = w - q and H = E[xxᵀ].
//! Activations behind a ReLU are far from independent (they share their brightness), so rounding each weight to its nearest
//! step is far from the least error: a weight rounded up wants its like rounded down. With H = RᵀR, R upper triangular, each
//! weight from the last to the first is rounded to the step nearest to what cancels the errors made so far (Babai's nearest
//! plane; what GPTQ computes: Frantar et al., "GPTQ", 2022; Chen et al., "The Geometry of LLM Quantization", 2025).

#[cfg(test)]
mod tests;

use clawdbot_nn::graph::Window;

/// Longest sums that are taken into account: H of longer ones takes too much memory and time for what it yields.
const DEPTH_MAX: usize = 1536;
/// Places of the window that are looked at in each input.
const PLACES: usize = 64;
/// Share of the mean diagonal that is added to it: what calibration did not show may still come.
const DAMPING: f64 = 0.01;
/// Share of the mean that stays in the moments. The bias takes back the error of the mean itself, but only as far as
/// calibration knows it.
const MEAN_SHARE: f64 = 0.1;

/// What was seen of one layer's input, for each group of weights that sees the same (all of a convolution; each channel of
/// a depthwise one).
#[derive(Clone, Debug)]
pub struct Moments {
    channels: usize,
    depth: usize,
    groups: usize,
    count: f64,
    /// `[groups][depth]`.
    sums: Vec<f32>,
    /// `[groups][depth][depth]`, of which the upper triangles are used.
    products: Vec<f32>,
}

/// The upper triangular R of a group, in an order of weights that leaves the important ones to the end (they are rounded
/// first, freely).
#[derive(Clone, Debug)]
pub struct Factor {
    /// Which weight stands at each place.
    order: Vec<usize>,
    /// `[depth][depth]`: each row divided by its diagonal element.
    rows: Vec<f32>,
}

impl Moments {
    /// Nothing seen yet of a convolution over `channels`; `None` for sums too long to be taken into account.
    #[must_use]
    pub fn new(window: &Window, channels: usize, depthwise: bool) -> Option<Self> {
        let taps = window.kernel[0] * window.kernel[1];
        let (depth, groups) = if depthwise { (taps, channels) } else { (taps * channels, 1) };
        let (sums, products) = (vec![0.0; groups * depth], vec![0.0; groups * depth * depth]);
        (depth <= DEPTH_MAX).then_some(Self { channels, depth, groups, count: 0.0, sums, products })
    }

    /// Takes in input number `index`: NHWC of `shape`, over which `window` slides; cells outside hold `pad_value`.
    pub fn add(&mut self, elements: &[f32], shape: &[usize], window: &Window, pad_value: f32, index: usize) {
        let &[_, height, width, channels] = shape else { return };
        let size = [height, width];
        let side = |axis: usize| {
            let padded = size[axis] + window.padding[axis] + window.padding[axis + 2];
            padded.saturating_sub(window.kernel[axis]) / window.stride[axis] + 1
        };
        let (rows, columns) = (side(0), side(1));
        let places = (rows * columns).min(PLACES);
        let mut patch = vec![0.0_f32; self.groups * self.depth];
        for place in 0..places {
            // Evenly spread, from another start in each input, so that all places get their turn.
            let at = (place * rows * columns / places + index * 7) % (rows * columns);
            let (y, x) = (at / columns * window.stride[0], at % columns * window.stride[1]);
            for tap in 0..window.kernel[0] * window.kernel[1] {
                let row = (y + tap / window.kernel[1]).checked_sub(window.padding[0]).filter(|&row| row < height);
                let column =
                    (x + tap % window.kernel[1]).checked_sub(window.padding[1]).filter(|&column| column < width);
                let pixel = row.zip(column).map(|(row, column)| (row * width + column) * channels);
                for channel in 0..channels {
                    let value = pixel.map_or(pad_value, |pixel| elements[pixel + channel]);
                    let slot = if self.groups == 1 { tap * channels + channel } else { channel * self.depth + tap };
                    patch[slot] = value;
                }
            }
            self.add_patch(&patch);
        }
    }

    fn add_patch(&mut self, patch: &[f32]) {
        self.count += 1.0;
        let depth = self.depth;
        for (group, patch) in patch.chunks_exact(depth).enumerate() {
            for (sum, x) in self.sums[group * depth..].iter_mut().zip(patch) {
                *sum += x;
            }
            let products = &mut self.products[group * depth * depth..(group + 1) * depth * depth];
            for (i, &x) in patch.iter().enumerate().filter(|&(_, &x)| x != 0.0) {
                for (product, y) in products[i * depth + i..(i + 1) * depth].iter_mut().zip(&patch[i..]) {
                    *product += x * y;
                }
            }
        }
    }

    /// As if channel c of the input had been `factor(c)` times what it was.
    #[must_use]
    pub fn scaled(&self, factor: impl Fn(usize) -> f32) -> Self {
        let mut scaled = self.clone();
        for group in 0..self.groups {
            let channel = |k: usize| if self.groups == 1 { k % self.channels } else { group };
            let factors: Vec<f32> = (0..self.depth).map(|k| factor(channel(k))).collect();
            let sums = &mut scaled.sums[group * self.depth..(group + 1) * self.depth];
            sums.iter_mut().zip(&factors).for_each(|(sum, factor)| *sum *= factor);
            let products = &mut scaled.products[group * self.depth.pow(2)..(group + 1) * self.depth.pow(2)];
            for (row, factor) in products.chunks_exact_mut(self.depth).zip(&factors) {
                row.iter_mut().zip(&factors).for_each(|(product, other)| *product *= factor * other);
            }
        }
        scaled
    }

    /// Mean of what weight `k` of `group` is multiplied with.
    #[must_use]
    pub fn mean(&self, group: usize, k: usize) -> f64 {
        f64::from(self.sums[group * self.depth + k]) / self.count.max(1.0)
    }

    /// R of a group (of the only one for a convolution).
    #[must_use]
    pub fn factor(&self, group: usize) -> Factor {
        let depth = self.depth;
        let raw = &self.products[group * depth * depth..(group + 1) * depth * depth];
        let moment = |i: usize, j: usize| {
            let product = f64::from(raw[i.min(j) * depth + i.max(j)]) / self.count.max(1.0);
            product - (1.0 - MEAN_SHARE) * self.mean(group, i) * self.mean(group, j)
        };
        let mut order: Vec<usize> = (0..depth).collect();
        order.sort_by(|&a, &b| moment(a, a).total_cmp(&moment(b, b)));
        let trace: f64 = (0..depth).map(|k| moment(k, k)).sum();
        let damping = (DAMPING * trace / depth as f64).max(1e-12);
        let mut rows = vec![0.0_f64; depth * depth];
        for (i, &a) in order.iter().enumerate() {
            for (j, &b) in order.iter().enumerate().skip(i) {
                rows[i * depth + j] = moment(a, b) + if i == j { damping } else { 0.0 };
            }
        }
        factorise(&mut rows, depth);
        Factor { order, rows: rows.into_iter().map(|element| element as f32).collect() }
    }
}

/// Cholesky's factorisation of a symmetric matrix whose upper triangle stands in `rows`; each row ends up divided by its
/// diagonal element.
fn factorise(rows: &mut [f64], depth: usize) {
    for k in 0..depth {
        let (above, below) = rows.split_at_mut((k + 1) * depth);
        let row = &mut above[k * depth..];
        let pivot = row[k].max(1e-12);
        for i in k + 1..depth {
            let factor = row[i] / pivot;
            if factor != 0.0 {
                let target = &mut below[(i - k - 1) * depth + i..(i - k) * depth];
                target.iter_mut().zip(&row[i..]).for_each(|(element, other)| *element -= factor * other);
            }
        }
        row[k..].iter_mut().for_each(|element| *element /= pivot);
    }
}

impl Factor {
    /// Rounds the weights of one output channel to steps of `scale`, -127..=127.
    #[must_use]
    pub fn round(&self, weights: &[f32], scale: f32) -> Vec<i8> {
        let depth = self.order.len();
        let mut errors = vec![0.0_f32; depth];
        let mut steps = vec![0_i8; depth];
        for k in (0..depth).rev() {
            let weight = weights[self.order[k]];
            let made = dot(&self.rows[k * depth + k + 1..(k + 1) * depth], &errors[k + 1..]);
            let step = ((weight + made) / scale).round_ties_even().clamp(-127.0, 127.0);
            steps[self.order[k]] = step as i8;
            errors[k] = weight - step * scale;
        }
        steps
    }
}

/// Eight sums side by side, which the compiler may put into one register.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (whole_a, whole_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = whole_a.remainder().iter().zip(whole_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in whole_a.zip(whole_b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}
