//! Sequences of answers that have ended, remembered so that the next prompt with the same beginning need not compute it.

use crate::kv_cache::{KvCache, Sequence};

/// A remembered sequence.
#[derive(Debug)]
struct Kept {
    tokens: Vec<u32>,
    sequence: Sequence,
    /// When it was last of use, counted in uses; 0 while the place is empty.
    used: u64,
}

impl Kept {
    /// Tokens that it shares with all but the last of `prompt`.
    fn shared(&self, prompt: &[u32]) -> usize {
        let known = &self.tokens[..self.sequence.length().min(self.tokens.len())];
        known.iter().zip(&prompt[..prompt.len().saturating_sub(1)]).take_while(|(a, b)| a == b).count()
    }
}

/// A remembered beginning as bytes, to be kept on a disk. It means something to the same weights and the same format of keys
/// and values only; whoever keeps it keeps their identity beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// Their keys and values, whole pages.
    pub pages: Vec<u8>,
}

/// See the module. Their pages count as free: whoever needs pages gets them from the one longest without use.
#[derive(Debug)]
pub(super) struct Prefixes {
    kept: Vec<Kept>,
    clock: u64,
}

impl Prefixes {
    /// Of at most `places` sequences of at most `context` tokens.
    pub(super) fn new(places: usize, context: usize) -> Self {
        let empty =
            || Kept { tokens: Vec::with_capacity(context), sequence: Sequence::with_capacity(context), used: 0 };
        Self { kept: (0..places).map(|_| empty()).collect(), clock: 0 }
    }

    /// How many of `prompt`'s first tokens are remembered, all but its last at most.
    pub(super) fn known(&self, prompt: &[u32]) -> usize {
        self.kept.iter().map(|kept| kept.shared(prompt)).max().unwrap_or(0)
    }

    /// What is remembered of the beginning of `prompt`, as bytes.
    pub(super) fn export(&self, cache: &KvCache, prompt: &[u32]) -> Option<Snapshot> {
        let best = self.kept.iter().max_by_key(|kept| kept.shared(prompt))?;
        let length = best.shared(prompt);
        let snapshot = || Snapshot { tokens: prompt[..length].to_vec(), pages: cache.export(&best.sequence, length) };
        (length > 0).then(snapshot)
    }

    /// Makes `sequence`, which is empty, the longest remembered beginning of `prompt`, but for its last token: that one must be
    /// computed for its logits.
    pub(super) fn recall(&mut self, cache: &mut KvCache, prompt: &[u32], sequence: &mut Sequence) {
        let Some(best) = self.kept.iter_mut().max_by_key(|kept| kept.shared(prompt)) else { return };
        let length = best.shared(prompt);
        if length > 0 {
            self.clock += 1;
            best.used = self.clock;
            cache.fork(&best.sequence, length, sequence);
        }
    }

    /// Remembers `sequence`, whose positions hold `tokens`, and leaves it empty. One that begins with it already, or that it
    /// begins with, shares the place.
    pub(super) fn keep(&mut self, cache: &mut KvCache, tokens: &[u32], sequence: &mut Sequence) {
        let longer = self.kept.iter().any(|kept| kept.used > 0 && kept.tokens.starts_with(tokens));
        if longer || tokens.is_empty() {
            cache.release(sequence);
            return;
        }
        let place = |kept: &Kept| if tokens.starts_with(&kept.tokens) { 0 } else { kept.used };
        let Some(kept) = self.kept.iter_mut().min_by_key(|kept| place(kept)) else { return cache.release(sequence) };
        self.clock += 1;
        kept.used = self.clock;
        kept.tokens.clear();
        kept.tokens.extend_from_slice(tokens);
        cache.release(&mut kept.sequence);
        std::mem::swap(&mut kept.sequence, sequence);
    }

    /// Forgets until `pages` are free, as far as there is something to forget.
    pub(super) fn make_room(&mut self, cache: &mut KvCache, pages: usize) {
        while cache.pages_free() < pages {
            let Some(oldest) = self.kept.iter_mut().filter(|kept| kept.used > 0).min_by_key(|kept| kept.used) else {
                return;
            };
            cache.release(&mut oldest.sequence);
            oldest.tokens.clear();
            oldest.used = 0;
        }
    }
}
