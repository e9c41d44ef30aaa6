//! A row: one query head of one token, with what its softmax has seen so far. The part of the law that all ISAs share, so
//! that each compiles it for its own registers.

use std::ops::Range;

use super::Task;
use crate::exponential::{ROUND, exponential};
use crate::lanes::{self, Lanes, larger, largest};
use crate::levels::SMALLEST;
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
    most: f32,
    /// The sum of weights.
    total: f32,
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
    #[inline(always)]
    pub(super) fn visible(&self, start: usize) -> Range<usize> {
        self.first.clamp(start, start + POSITIONS) - start..self.end.clamp(start, start + POSITIONS) - start
    }

    /// Turns the scores of a block into weights, and answers what everything before must be multiplied by.
    #[inline(always)]
    pub(super) fn weigh(&mut self, scores: &mut Block, visible: &Range<usize>) -> f32 {
        let mut most = [self.most; 8];
        for (octet, scores) in scores.iter().enumerate() {
            for lane in 0..8 {
                let seen = is_in(octet * 8 + lane, visible);
                most[lane] = larger(most[lane], if seen { scores[lane] } else { f32::MIN });
            }
        }
        let most = largest(most);
        let correction = exponential(self.most - most);
        let mut sums = [0.0_f32; 8];
        for (octet, scores) in scores.iter_mut().enumerate() {
            for lane in 0..8 {
                let weight = exponential(scores[lane] - most);
                scores[lane] = if is_in(octet * 8 + lane, visible) { weight } else { 0.0 };
                sums[lane] += scores[lane];
            }
        }
        self.total = self.total.mul_add(correction, lanes::sum(sums));
        self.most = most;
        correction
    }

    /// Divides what has been summed up by the sum of weights.
    #[inline(always)]
    pub(super) fn finish(&self, tokens: usize, output: &mut [Lanes], chunks: usize) {
        let inverse = 1.0 / self.total;
        for chunk in output[self.chunk..].iter_mut().step_by(tokens).take(chunks) {
            for value in chunk {
                *value *= inverse;
            }
        }
    }
}

/// As one comparison, which vectors have.
#[inline(always)]
fn is_in(place: usize, visible: &Range<usize>) -> bool {
    (place as u32).wrapping_sub(visible.start as u32) < (visible.end - visible.start) as u32
}

/// Keeps scores within +- `cap`.
#[inline(always)]
pub(super) fn bend(scores: &mut Block, cap: f32) {
    let slope = 2.0 / cap;
    for score in scores.as_flattened_mut() {
        *score = cap - 2.0 * cap / (1.0 + exponential(*score * slope));
    }
}

/// Weights times the scales of the values as integers, and what one step of those is worth.
#[inline(always)]
pub(super) fn levels(weights: &Block, scales: &Block, target: &mut [i16; POSITIONS]) -> f32 {
    let mut products = [[0.0_f32; 8]; POSITIONS / 8];
    let mut most = [0.0_f32; 8];
    for octet in 0..POSITIONS / 8 {
        for lane in 0..8 {
            products[octet][lane] = weights[octet][lane] * scales[octet][lane];
            most[lane] = larger(most[lane], products[octet][lane]);
        }
    }
    let most = largest(most);
    let inverse = if most >= SMALLEST { LEVEL_MAX / most } else { 0.0 };
    for (target, product) in target.iter_mut().zip(products.as_flattened()) {
        *target = ((product * inverse + ROUND).to_bits() & 0x3fff) as i16;
    }
    most / LEVEL_MAX
}
