//! By how much rotary position embedding turns: angles of each position, as the cosines and sines that the kernel takes.

#[cfg(test)]
mod tests;

use clawdbot_nn::metadata::language::{Rope, RopeScaling};

/// The frequencies of one [`Rope`], worked out once.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotation {
    /// Radians a position, for each pair of values.
    frequencies: Vec<f64>,
    /// What cosines and sines are multiplied with.
    magnitude: f64,
}

impl Rotation {
    /// Of `rope`, for a cache of at most `positions` (which decides LongRoPE's factors once and for all, so that a position's
    /// angle does not depend on what follows it).
    #[must_use]
    pub fn new(rope: &Rope, positions: usize) -> Self {
        let half = rope.dimensions / 2;
        let theta = f64::from(rope.theta);
        let plain = |pair: usize| libm::pow(theta, -2.0 * pair as f64 / rope.dimensions as f64);
        let mut frequencies: Vec<f64> = (0..half).map(plain).collect();
        let mut magnitude = 1.0;
        match &rope.scaling {
            RopeScaling::None => {}
            RopeScaling::Linear { factor } => frequencies.iter_mut().for_each(|f| *f /= f64::from(*factor)),
            &RopeScaling::Llama3 { factor, low, high, original_context } => {
                let [factor, low, high] = [factor, low, high].map(f64::from);
                frequencies.iter_mut().for_each(|f| *f = llama3(*f, factor, [low, high], original_context as f64));
            }
            &RopeScaling::Yarn { factor, beta_fast, beta_slow, original_context, magnitude: wanted, truncate } => {
                let limits = [beta_fast, beta_slow].map(|beta| {
                    let turns = original_context as f64 / (f64::from(beta) * std::f64::consts::TAU);
                    rope.dimensions as f64 * libm::log(turns) / (2.0 * libm::log(theta))
                });
                yarn(&mut frequencies, f64::from(factor), limits, truncate);
                magnitude = f64::from(wanted);
            }
            RopeScaling::LongRope { short, long, original_context, magnitude: wanted } => {
                let factors = if positions > *original_context { long } else { short };
                divide(&mut frequencies, factors);
                magnitude = f64::from(*wanted);
            }
            RopeScaling::Factors { factors } => divide(&mut frequencies, factors),
        }
        Self { frequencies, magnitude }
    }

    /// Pairs of values that are turned: half the rotary dimensions.
    #[must_use]
    pub const fn pairs(&self) -> usize {
        self.frequencies.len()
    }

    /// Cosines and sines of one position's angles, one a pair.
    ///
    /// # Panics
    /// When a slice has another length.
    #[expect(clippy::cast_possible_truncation, reason = "a cosine rounds to f32")]
    pub fn angles(&self, position: usize, cos: &mut [f32], sin: &mut [f32]) {
        assert!(cos.len() == self.pairs() && sin.len() == self.pairs(), "tables of other than {} pairs", self.pairs());
        for ((frequency, cos), sin) in self.frequencies.iter().zip(cos).zip(sin) {
            let (s, c) = libm::sincos(position as f64 * frequency);
            *cos = (c * self.magnitude) as f32;
            *sin = (s * self.magnitude) as f32;
        }
    }
}

/// See [`RopeScaling::Llama3`].
fn llama3(frequency: f64, factor: f64, [low, high]: [f64; 2], context: f64) -> f64 {
    let turns = context * frequency / std::f64::consts::TAU;
    // Turns within the original context: many are kept, few are stretched.
    if turns > high {
        frequency
    } else if turns < low {
        frequency / factor
    } else {
        let share = (turns - low) / (high - low);
        (1.0 - share) * frequency / factor + share * frequency
    }
}

/// See [`RopeScaling::Yarn`].
fn yarn(frequencies: &mut [f64], factor: f64, [low, high]: [f64; 2], truncate: bool) {
    let last = (2 * frequencies.len() - 1) as f64;
    let (low, high) = if truncate { (low.floor(), high.ceil()) } else { (low, high) };
    let low = low.max(0.0);
    let high = high.min(last).max(low + 0.001);
    for (pair, frequency) in frequencies.iter_mut().enumerate() {
        let stretched = ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0);
        *frequency = *frequency * (1.0 - stretched) + *frequency / factor * stretched;
    }
}

fn divide(frequencies: &mut [f64], factors: &[f32]) {
    for (frequency, factor) in frequencies.iter_mut().zip(factors) {
        *frequency /= f64::from(*factor);
    }
}
