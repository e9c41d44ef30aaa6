//! How surprised a language model is by a text: exp of the mean of -ln p(token | those before it in its window).
//!
//! The text is cut into windows that do not overlap; the first token of each is given, the others are predicted. Figures are
//! comparable only for the same tokenizer, text and window (`models.md` section 4 has one for SmolLM2).

#[cfg(test)]
mod tests;

/// Sums over the tokens that were predicted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Perplexity {
    /// Tokens predicted.
    pub tokens: usize,
    /// Of -ln p.
    surprise: f64,
    squares: f64,
}

impl Perplexity {
    /// Counts one token: `logits` are those of the position before it.
    ///
    /// # Panics
    /// When `token` has no logit.
    pub fn add(&mut self, logits: &[f32], token: u32) {
        let surprise = normaliser(logits) - f64::from(logits[token as usize]);
        self.tokens += 1;
        self.surprise += surprise;
        self.squares += surprise * surprise;
    }

    /// exp of the mean surprise; NaN while nothing was counted.
    #[must_use]
    pub fn value(&self) -> f64 {
        (self.surprise / self.tokens as f64).exp()
    }

    /// Standard error of [`Perplexity::value`], as if tokens were independent.
    #[must_use]
    pub fn error(&self) -> f64 {
        let count = self.tokens as f64;
        let mean = self.surprise / count;
        let variance = (self.squares / count - mean * mean).max(0.0);
        self.value() * (variance / count).sqrt()
    }
}

/// What another model makes of the same tokens: how far its answers are from the first one's. Its errors are those of pairs, far
/// smaller than the errors of both perplexities, since either model finds the same tokens hard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Divergence {
    tokens: usize,
    /// Of what one model's surprise is above the reference's.
    excess: f64,
    squares: f64,
    divergence: f64,
}

impl Divergence {
    /// Counts one token by the reference's logits and the other model's, of the same vocabulary.
    ///
    /// # Panics
    /// When `token` has no logit.
    pub fn add(&mut self, reference: &[f32], logits: &[f32], token: u32) {
        let (before, after) = (normaliser(reference), normaliser(logits));
        let log_ratio = |(&one, &other): (&f32, &f32)| (f64::from(one) - before) - (f64::from(other) - after);
        let excess = log_ratio((&reference[token as usize], &logits[token as usize]));
        self.tokens += 1;
        self.excess += excess;
        self.squares += excess * excess;
        self.divergence +=
            reference.iter().zip(logits).map(|pair| (f64::from(*pair.0) - before).exp() * log_ratio(pair)).sum::<f64>();
    }

    /// By how much the perplexity is above the reference's: 0.01 for one percent. NaN while nothing was counted.
    #[must_use]
    pub fn change(&self) -> f64 {
        (self.excess / self.tokens as f64).exp_m1()
    }

    /// Standard error of [`Divergence::change`], as if tokens were independent.
    #[must_use]
    pub fn change_error(&self) -> f64 {
        let count = self.tokens as f64;
        let mean = self.excess / count;
        mean.exp() * ((self.squares / count - mean * mean).max(0.0) / count).sqrt()
    }

    /// Mean Kullback-Leibler divergence of the model from the reference, nats a token.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.divergence / self.tokens as f64
    }
}

/// ln of the sum of exp: what makes logits logarithms of probabilities.
fn normaliser(logits: &[f32]) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - most).exp()).sum();
    sum.ln() + f64::from(most)
}
