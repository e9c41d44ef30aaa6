//! How fast a language model reads a prompt and writes an answer: the passes over its weights alone, without tokenizer and sampler.

use std::time::Duration;

use clawdbot_flow::clock::Clock;
use clawdbot_llm::forward::{Forward, ForwardError, Span, Wanted};
use clawdbot_llm::kv_cache::{KvCache, Sequence};
use clawdbot_llm::pace::Pace;

/// Times of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The whole prompt.
    pub(crate) prompt: Duration,
    /// The whole answer, a token a pass.
    pub(crate) answer: Duration,
}

/// A made-up prompt and an answer to it, of which some may be computed already.
pub(crate) struct Talk<'a> {
    forward: &'a mut Forward,
    cache: &'a mut KvCache,
    sequence: Sequence,
    /// Prompt and answer.
    tokens: Vec<u32>,
    prompt: usize,
}

impl<'a> Talk<'a> {
    /// Nothing of `prompt` and `answer` tokens is computed yet.
    pub(crate) fn new(forward: &'a mut Forward, cache: &'a mut KvCache, [prompt, answer]: [usize; 2]) -> Self {
        let vocabulary = forward.model().architecture().vocabulary;
        // Any tokens cost the same; these run through the whole embedding.
        let token = |at: usize| u32::try_from(at * 7919 % vocabulary).unwrap_or(0);
        let tokens = (0..prompt + answer).map(token).collect();
        Self { forward, cache, sequence: Sequence::with_capacity(prompt + answer), tokens, prompt }
    }

    /// Computes the next pass at `pace`: as many tokens of the prompt as `forward` was made for, behind it one of the answer.
    /// Whether there was one left.
    ///
    /// # Errors
    /// When the cache or the context is too small for both, or `pace` broke it off.
    pub(crate) fn step(&mut self, pace: Pace<'_>) -> Result<bool, ForwardError> {
        let from = self.sequence.length();
        let pass = if self.reads() { self.forward.limits().tokens.min(self.prompt - from) } else { 1 };
        let Some(tokens) = self.tokens.get(from..from + pass) else { return Ok(false) };
        let logits = if from + pass < self.prompt { Wanted::None } else { Wanted::Last };
        let span = Span { sequence: &mut self.sequence, tokens, logits };
        self.forward.run(self.cache, &mut [span], pace)?;
        Ok(true)
    }

    /// Whether the prompt is not computed to its end.
    pub(crate) fn reads(&self) -> bool {
        self.sequence.length() < self.prompt
    }
}

impl Drop for Talk<'_> {
    fn drop(&mut self) {
        self.cache.release(&mut self.sequence);
    }
}

/// Reads a made-up prompt of `prompt` tokens in passes of the size that `forward` was made for, then computes `answer` tokens
/// one by one, after that prompt.
///
/// # Errors
/// When the cache or the context is too small for both.
pub(crate) fn run(
    forward: &mut Forward,
    cache: &mut KvCache,
    sizes: [usize; 2],
    clock: &dyn Clock,
) -> Result<Run, ForwardError> {
    let mut talk = Talk::new(forward, cache, sizes);
    let begun = clock.monotonic();
    while talk.reads() {
        talk.step(Pace::ALONE)?;
    }
    let read = clock.monotonic();
    while talk.step(Pace::ALONE)? {}
    let written = clock.monotonic();
    Ok(Run { prompt: read.since(begun), answer: written.since(read) })
}
