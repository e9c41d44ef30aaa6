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

/// Reads a made-up prompt of `prompt` tokens in passes of the size that `forward` was made for, then computes `answer` tokens
/// one by one, after that prompt.
///
/// # Errors
/// When the cache or the context is too small for both.
pub(crate) fn run(
    forward: &mut Forward,
    cache: &mut KvCache,
    [prompt, answer]: [usize; 2],
    clock: &dyn Clock,
) -> Result<Run, ForwardError> {
    let vocabulary = forward.model().architecture().vocabulary;
    // Any tokens cost the same; these run through the whole embedding.
    let token = |at: usize| u32::try_from(at * 7919 % vocabulary).unwrap_or(0);
    let tokens: Vec<u32> = (0..prompt + answer).map(token).collect();
    let mut sequence = Sequence::with_capacity(prompt + answer);
    let pass = forward.limits().tokens;
    let begun = clock.monotonic();
    for (index, piece) in tokens[..prompt].chunks(pass).enumerate() {
        let last = (index + 1) * pass >= prompt;
        let logits = if last { Wanted::Last } else { Wanted::None };
        let span = Span { sequence: &mut sequence, tokens: piece, logits };
        forward.run(cache, &mut [span], Pace::ALONE)?;
    }
    let read = clock.monotonic();
    for token in tokens[prompt..].chunks(1) {
        let span = Span { sequence: &mut sequence, tokens: token, logits: Wanted::Last };
        forward.run(cache, &mut [span], Pace::ALONE)?;
    }
    let written = clock.monotonic();
    cache.release(&mut sequence);
    Ok(Run { prompt: read.since(begun), answer: written.since(read) })
}
