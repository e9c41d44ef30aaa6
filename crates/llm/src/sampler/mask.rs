//! Which tokens may be next: one bit a token.

/// Allowed tokens of a vocabulary; id `n` is bit `n % 32` of word `n / 32`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenMask {
    words: Vec<u32>,
}

impl TokenMask {
    /// Allows nothing of `vocabulary` tokens.
    #[must_use]
    pub fn none(vocabulary: usize) -> Self {
        Self { words: vec![0; vocabulary.div_ceil(32)] }
    }

    /// Whether token `id` may be next; ids beyond the vocabulary may not.
    #[must_use]
    pub fn allows(&self, id: u32) -> bool {
        self.words.get(word(id)).is_some_and(|bits| bits >> (id % 32) & 1 == 1)
    }

    /// Allows token `id`; ids beyond the vocabulary are ignored.
    pub fn allow(&mut self, id: u32) {
        if let Some(bits) = self.words.get_mut(word(id)) {
            *bits |= 1 << (id % 32);
        }
    }

    /// Takes over as many words as fit, each of 32 tokens from the lowest id; what `words` does not reach is forbidden.
    pub fn set_words(&mut self, words: &[u32]) {
        let shared = words.len().min(self.words.len());
        self.words[..shared].copy_from_slice(&words[..shared]);
        self.words[shared..].fill(0);
    }
}

fn word(id: u32) -> usize {
    usize::try_from(id / 32).unwrap_or(usize::MAX)
}
