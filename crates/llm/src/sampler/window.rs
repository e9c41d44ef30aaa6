//! The last tokens and how often each of them occurs, for the penalties.

/// A ring of the last tokens with a count for each token of the vocabulary.
#[derive(Debug, Clone)]
pub(super) struct Window {
    ring: Vec<u32>,
    /// Where the oldest stands once the ring is full.
    oldest: usize,
    capacity: usize,
    counts: Vec<u16>,
}

impl Window {
    /// `capacity` is at most `u16::MAX` (checked in `options`), so a count cannot overflow.
    pub(super) fn new(capacity: u16, vocabulary: usize) -> Self {
        let capacity = usize::from(capacity);
        Self { ring: Vec::with_capacity(capacity), oldest: 0, capacity, counts: vec![0; vocabulary] }
    }

    pub(super) fn restart(&mut self, capacity: u16) {
        for id in self.ring.drain(..) {
            if let Some(count) = index(id).and_then(|at| self.counts.get_mut(at)) {
                *count = 0;
            }
        }
        self.capacity = usize::from(capacity);
        self.ring.reserve(self.capacity);
        self.oldest = 0;
    }

    pub(super) fn push(&mut self, id: u32) {
        let Some(count) = index(id).and_then(|at| self.counts.get_mut(at)) else {
            return;
        };
        if self.capacity == 0 {
            return;
        }
        if self.ring.len() < self.capacity {
            *count += 1;
            self.ring.push(id);
            return;
        }
        let gone = std::mem::replace(&mut self.ring[self.oldest], id);
        self.oldest = (self.oldest + 1) % self.capacity;
        // First down, then up: one token may be both.
        if let Some(count) = index(gone).and_then(|at| self.counts.get_mut(at)) {
            *count -= 1;
        }
        if let Some(count) = index(id).and_then(|at| self.counts.get_mut(at)) {
            *count += 1;
        }
    }

    pub(super) fn count(&self, id: u32) -> u16 {
        index(id).and_then(|at| self.counts.get(at)).copied().unwrap_or(0)
    }
}

fn index(id: u32) -> Option<usize> {
    usize::try_from(id).ok()
}
