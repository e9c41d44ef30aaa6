//! From logits to the next token: the same seed gives the same tokens on every processor.
//!
//! The law, in this order (that of vLLM and transformers, for which model cards name their values):
//!
//! 1. NaN is -infinity, +infinity the largest finite number; tokens that the mask forbids drop out.
//! 2. Penalties on tokens of the window (the last `penalty_window` accepted): a positive logit is divided by
//!    `repetition_penalty`, a negative one multiplied (Keskar et al., "CTRL", 2019); then minus `frequency_penalty` x
//!    (times it occurs) and minus `presence_penalty`.
//! 3. Temperature 0: the highest logit, of equals the lowest id. Else weight = exp((logit - highest) / temperature).
//! 4. `top_k` best; of these the fewest best whose weights reach `top_p` of the sum (Holtzman et al., 2019); of these all
//!    with at least `min_p` of the best one's weight (Nguyen et al., 2024). The best always stays.
//! 5. One number of [`Random`] falls into the sum of what is left, best first (by id if neither `top_k` nor `top_p` cuts).
//!
//! Ties go by the lowest id, exp is libm's (its bits depend on no processor), sums run in one order. One random number is
//! taken a token, none at temperature 0, so drafts that are accepted leave the stream where single steps leave it.
//!
//! Memory is taken when a sampler is made: 14 bytes a token of the vocabulary. [`Sampler::sample`] allocates nothing.

pub mod mask;
mod options;
mod random;
mod window;

use mask::TokenMask;
pub use options::{Sampling, SamplingError, SamplingOptions};
pub use random::Random;
use window::Window;

#[cfg(test)]
mod tests;

/// Why no token can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// The model and the sampler disagree on the vocabulary.
    #[error("{found} logits for a vocabulary of {expected} tokens: the sampler was made for another model")]
    Length {
        /// Logits given.
        found: usize,
        /// Tokens of the vocabulary.
        expected: usize,
    },
    /// The network computed nonsense.
    #[error("every logit is NaN or -infinity: the model's weights or its cache are broken; convert the model again")]
    NoNumber,
    /// The mask leaves nothing over.
    #[error("no token is both allowed by the constraint and possible for the model; simplify the schema")]
    NothingAllowed,
}

/// A token that may be next.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    id: u32,
    logit: f32,
    /// exp((logit - highest) / temperature), 0..=1.
    weight: f32,
}

/// Chooses the tokens of one slot.
#[derive(Debug, Clone)]
pub struct Sampler {
    sampling: Sampling,
    random: Random,
    window: Window,
    candidates: Vec<Candidate>,
    vocabulary: usize,
}

impl Sampler {
    /// A sampler for logits of `vocabulary` tokens.
    #[must_use]
    pub fn new(sampling: Sampling, vocabulary: usize) -> Self {
        Self {
            random: Random::new(sampling.options().seed),
            window: Window::new(sampling.options().penalty_window, vocabulary),
            candidates: Vec::with_capacity(vocabulary),
            sampling,
            vocabulary,
        }
    }

    /// Begins a new answer with other parameters; takes memory only if the penalties' window grows.
    pub fn restart(&mut self, sampling: Sampling) {
        self.random = Random::new(sampling.options().seed);
        self.window.restart(sampling.options().penalty_window);
        self.sampling = sampling;
    }

    /// Notes a token of the prompt or the answer for the penalties. Ids beyond the vocabulary are ignored.
    pub fn accept(&mut self, id: u32) {
        self.window.push(id);
    }

    /// The next token. The caller [accepts](Self::accept) what it keeps.
    ///
    /// # Errors
    /// When the number of logits is wrong or no token is possible.
    pub fn sample(&mut self, logits: &[f32], allowed: Option<&TokenMask>) -> Result<u32, SampleError> {
        if logits.len() != self.vocabulary {
            return Err(SampleError::Length { found: logits.len(), expected: self.vocabulary });
        }
        self.gather(logits, allowed);
        let Some(best) = self.best() else {
            let hopeless = !logits.iter().any(|logit| *logit > f32::NEG_INFINITY);
            return Err(if hopeless { SampleError::NoNumber } else { SampleError::NothingAllowed });
        };
        if self.sampling.options().temperature == 0.0 {
            return Ok(best.id);
        }
        let total = self.shortlist(best.logit);
        self.cut(total);
        Ok(self.draw())
    }

    /// Steps 1 and 2: the possible tokens with their penalised logits, by id.
    fn gather(&mut self, logits: &[f32], allowed: Option<&TokenMask>) {
        self.candidates.clear();
        for (id, &logit) in (0_u32..).zip(logits) {
            let possible = logit > f32::NEG_INFINITY && allowed.is_none_or(|mask| mask.allows(id));
            if possible {
                // + 0.0 turns -0.0 into 0.0, so that both are one value to every comparison.
                let logit = self.sampling.penalised(logit.min(f32::MAX), self.window.count(id)) + 0.0;
                self.candidates.push(Candidate { id, logit, weight: 0.0 });
            }
        }
    }

    /// The highest logit, the lowest id of equals.
    fn best(&self) -> Option<Candidate> {
        // Candidates stand by id, so a later one must be higher to win.
        self.candidates.iter().copied().reduce(|best, next| if next.logit > best.logit { next } else { best })
    }

    /// Step 3 and `top_k`: weights, and their sum. Best first if `top_k` cut, else by id.
    fn shortlist(&mut self, highest: f32) -> f64 {
        let options = self.sampling.options();
        let count = usize::try_from(options.top_k).unwrap_or(usize::MAX);
        if count > 0 && count < self.candidates.len() {
            self.candidates.select_nth_unstable_by(count - 1, better);
            self.candidates.truncate(count);
            self.candidates.sort_unstable_by(better);
        }
        let scale = 1.0 / f64::from(options.temperature);
        let mut total = 0.0;
        for candidate in &mut self.candidates {
            #[expect(clippy::cast_possible_truncation, reason = "0..=1 rounds to f32")]
            let weight = libm::exp((f64::from(candidate.logit) - f64::from(highest)) * scale) as f32;
            candidate.weight = weight;
            total += f64::from(weight);
        }
        total
    }

    /// `top_p`, then `min_p`.
    fn cut(&mut self, total: f64) {
        let (top_p, min_p) = (self.sampling.options().top_p, self.sampling.options().min_p);
        if top_p < 1.0 {
            let kept = self.nucleus(f64::from(top_p) * total);
            self.candidates.truncate(kept);
        }
        if min_p > 0.0 {
            self.candidates.retain(|candidate| candidate.weight >= min_p);
        }
    }

    /// Brings the best to the front, in order, until their weights reach `mass`; their number, at least 1. More and more
    /// are sorted: most often a few dozen are enough, of a hundred thousand.
    fn nucleus(&mut self, mass: f64) -> usize {
        let all = self.candidates.len();
        let mut sorted = 64.min(all);
        loop {
            if sorted < all {
                self.candidates.select_nth_unstable_by(sorted - 1, better);
            }
            self.candidates[..sorted].sort_unstable_by(better);
            let mut sum = 0.0;
            for (index, candidate) in self.candidates[..sorted].iter().enumerate() {
                sum += f64::from(candidate.weight);
                if sum >= mass {
                    return index + 1;
                }
            }
            if sorted == all {
                // Rounding alone kept the sum below.
                return all;
            }
            sorted = (4 * sorted).min(all);
        }
    }

    /// Step 5.
    fn draw(&mut self) -> u32 {
        let total: f64 = self.candidates.iter().map(|candidate| f64::from(candidate.weight)).sum();
        let mut left = self.random.unit() * total;
        // Rounding may leave a rest behind the last one: then the last with a weight it is.
        let mut chosen = self.candidates[0].id;
        for candidate in self.candidates.iter().filter(|candidate| candidate.weight > 0.0) {
            chosen = candidate.id;
            left -= f64::from(candidate.weight);
            if left < 0.0 {
                break;
            }
        }
        chosen
    }
}

/// Higher logits first, of equals the lower id: a total order, so that every sort has one result.
fn better(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    b.logit.total_cmp(&a.logit).then(a.id.cmp(&b.id))
}
