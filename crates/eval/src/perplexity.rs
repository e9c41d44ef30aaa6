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
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit - most).exp()).sum();
        let surprise = sum.ln() - f64::from(logits[token as usize] - most);
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
