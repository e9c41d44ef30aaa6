//! The best of what is above the threshold, in a list that never grows beyond a bound.

#[cfg(test)]
mod tests;

/// Candidates that go into suppression at most; the best ones.
pub const CANDIDATES_MAX: usize = 2048;

/// One class of one cell (or anchor) whose score is high enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    /// What candidates are ordered by: the score, or anything that grows with it.
    pub(super) rank: f32,
    /// Index of the cell or anchor.
    pub(super) cell: u32,
    /// Index of the label.
    pub(super) label: u16,
}

impl Candidate {
    /// Best first; a total order, so that the selection is the same everywhere.
    fn order(a: &Self, b: &Self) -> std::cmp::Ordering {
        b.rank.total_cmp(&a.rank).then(a.cell.cmp(&b.cell)).then(a.label.cmp(&b.label))
    }
}

/// See the module. Its memory is taken once.
#[derive(Debug)]
pub(super) struct Candidates {
    list: Vec<Candidate>,
}

impl Candidates {
    pub(super) fn new() -> Self {
        Self { list: Vec::with_capacity(2 * CANDIDATES_MAX) }
    }

    /// Forgets the last frame's.
    pub(super) fn clear(&mut self) {
        self.list.clear();
    }

    /// Takes one up; of too many the worst are dropped.
    pub(super) fn push(&mut self, candidate: Candidate) {
        if self.list.len() == 2 * CANDIDATES_MAX {
            self.list.select_nth_unstable_by(CANDIDATES_MAX, Candidate::order);
            self.list.truncate(CANDIDATES_MAX);
        }
        self.list.push(candidate);
    }

    /// The best ones, best first.
    pub(super) fn best(&mut self) -> &[Candidate] {
        self.list.sort_unstable_by(Candidate::order);
        self.list.truncate(CANDIDATES_MAX);
        &self.list
    }
}
