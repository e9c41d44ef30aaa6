//! Operators whose results depend on single elements, or on one axis.

use crate::graph::Activation;
use crate::tensor::Tensor;

pub(super) fn activate(x: &[f32], activation: Activation) -> Vec<f32> {
    x.iter().map(|&x| narrow(activated(f64::from(x), activation))).collect()
}

/// What `activation` makes of x, by the formulas of [`Activation`].
#[must_use]
pub fn activated(x: f64, activation: Activation) -> f64 {
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    match activation {
        Activation::None | Activation::Relu | Activation::Relu6 | Activation::Clip { .. } => {
            let (low, high) = activation.bounds();
            x.max(f64::from(low)).min(f64::from(high))
        }
        Activation::Leaky(slope) => x.max(f64::from(slope) * x),
        Activation::Silu => x * logistic(x),
        Activation::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::HardSigmoid { slope, offset } => f64::from(slope).mul_add(x, f64::from(offset)).clamp(0.0, 1.0),
        Activation::Logistic => logistic(x),
        Activation::Tanh => x.tanh(),
        Activation::Gelu => x * 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2),
    }
}

/// `make` of each element of x and its partner in `other`, which has the shape of x, one element, or one for each place of
/// x's last axis.
pub(super) fn pairs(x: &Tensor, other: &Tensor, make: impl Fn(f32, f32) -> f32) -> Option<Vec<f32>> {
    let (last, all) = (x.shape().last().copied().unwrap_or(1), other.as_f32()?);
    let channels = other.shape().last().copied().unwrap_or(1);
    let fits = other.shape() == x.shape() || all.len() == 1 || all.len() == last && channels == last;
    fits.then(|| Some(x.as_f32()?.iter().enumerate().map(|(at, &x)| make(x, all[at % all.len()])).collect()))?
}

pub(super) fn softmax(x: &Tensor) -> Option<Vec<f32>> {
    let channels = x.shape().last().copied().filter(|&channels| channels > 0)?;
    let mut result = Vec::with_capacity(x.as_f32()?.len());
    for row in x.as_f32()?.chunks_exact(channels) {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = row.iter().map(|&x| f64::from(x - max).exp()).collect();
        let sum: f64 = powers.iter().sum();
        result.extend(powers.iter().map(|power| narrow(power / sum)));
    }
    Some(result)
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
pub(super) const fn narrow(x: f64) -> f32 {
    x as f32
}
