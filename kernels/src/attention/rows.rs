//! A row: one query head of one token, with what its softmax has seen so far.

use std::ops::Range;

use super::Task;
use crate::lanes::Lanes;
use crate::pages::POSITIONS;

/// Rows that go through the pages together. More than that many query heads a key-value head are rare.
pub(super) const ROWS: usize = 8;
/// Rows of a kernel's tile.
pub(super) const TILE: usize = 4;
/// Largest weight.
pub(super) const LEVEL_MAX: f32 = 16383.0;

/// A number for each position of a block.
pub(super) type Block = [Lanes; POSITIONS / 8];

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The first of its chunks of eight, in queries and output; the next is `tokens` further.
    pub(super) chunk: usize,
    /// Visible positions.
    first: usize,
    end: usize,
    /// The largest score.
    pub(super) most: f32,
    /// The sum of weights.
    pub(super) total: f32,
}

impl Row {
    pub(super) const NONE: Self = Self { chunk: 0, first: 0, end: 0, most: f32::MIN, total: 0.0 };

    /// Number `index` of all rows of `task`: the heads of the first token, then those of the next.
    pub(super) fn new(task: &Task<'_>, index: usize) -> Self {
        let (token, head) = (index / task.heads, index % task.heads);
        let end = task.position + token + 1;
        let first = task.window.map_or(0, |window| end.saturating_sub(window));
        Self { chunk: head * (task.head_dim / 8) * task.tokens + token, first, end, ..Self::NONE }
    }

    /// The first positions of the pages that some of `rows` sees.
    pub(super) fn pages(rows: &[Self]) -> impl Iterator<Item = usize> + use<> {
        let first = rows.iter().map(|row| row.first).min().unwrap_or(0);
        let end = rows.iter().map(|row| row.end).max().unwrap_or(0);
        (first / POSITIONS * POSITIONS..end).step_by(POSITIONS)
    }

    /// What it sees of the page that begins at `start`, which may be nothing.
    pub(super) fn visible(&self, start: usize) -> Range<usize> {
        self.first.clamp(start, start + POSITIONS) - start..self.end.clamp(start, start + POSITIONS) - start
    }

    /// Divides what has been summed up by the sum of weights, given how eight values are multiplied.
    #[inline(always)]
    pub(super) fn finish(&self, task: &Task<'_>, output: &mut [Lanes], multiply: impl Fn(&mut Lanes, f32)) {
        let inverse = 1.0 / self.total;
        for chunk in output[self.chunk..].iter_mut().step_by(task.tokens).take(task.head_dim / 8) {
            multiply(chunk, inverse);
        }
    }
}
