//! Signal-to-noise ratio: how much of a result is left after quantisation.

/// Sums over pairs of an exact and a quantised result.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoiseMeter {
    count: f64,
    sum: f64,
    squares: f64,
    noise: f64,
}

impl NoiseMeter {
    /// Takes in one result.
    pub fn add(&mut self, exact: &[f32], quantised: impl Iterator<Item = f32>) {
        for (&exact, quantised) in exact.iter().zip(quantised) {
            let (exact, error) = (f64::from(exact), f64::from(quantised) - f64::from(exact));
            self.count += 1.0;
            self.sum += exact;
            self.squares += exact * exact;
            self.noise += error * error;
        }
    }

    /// Power of the noise over power of the signal. The signal is what differs from its own mean: a constant offset (the
    /// background's logits) carries no information.
    #[must_use]
    pub fn noise_to_signal(&self) -> f64 {
        let signal = self.squares - self.sum * self.sum / self.count.max(1.0);
        if self.noise == 0.0 { 0.0 } else { self.noise / signal.max(f64::MIN_POSITIVE) }
    }

    /// In decibels; infinite where nothing was lost.
    #[must_use]
    pub fn decibels(&self) -> f64 {
        -10.0 * self.noise_to_signal().log10()
    }
}
