//! How much of a difference between two detectors is chance: the paired bootstrap (Efron and Tibshirani, An Introduction to
//! the Bootstrap, chapter 13) over pictures.
//!
//! Other pictures would have given other figures. As many as there are, drawn from them with replacement, stand for such
//! others; both detectors are judged on the same draw, so what makes a picture hard for both does not count.

use crate::average_precision::{Judged, Scored};
use crate::coco::Annotations;

#[cfg(test)]
mod tests;

/// Draws; the bounds of the interval then rest on fifty of them each.
const DRAWS: usize = 1000;
/// One draw in so many lies below the interval, and one above it.
const TAIL: usize = 20;

/// Detections, and the categories (indices) that their detector can know.
#[derive(Clone, Copy, Debug)]
pub struct Contestant<'a> {
    /// All of them.
    pub detections: &'a [Scored],
    /// See [`evaluate`](crate::average_precision::evaluate).
    pub categories: &'a [usize],
}

/// A difference of mean average precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// On the pictures as they are.
    pub measured: f64,
    /// Nine of ten draws lie between this one and the next.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// Share of the draws in which the first is better than the second, 0..=1.
    pub better: f64,
}

/// How much better the mean average precision of the first is than that of the second. `None` where no category has objects.
/// The same `seed` gives the same answer.
#[must_use]
pub fn difference(annotations: &Annotations, contestants: [Contestant<'_>; 2], seed: u64) -> Option<Difference> {
    let judged = contestants.map(|contestant| Judged::new(annotations, contestant.detections, contestant.categories));
    let of = |pictures: &[usize]| {
        let [first, second] = [0, 1].map(|index: usize| judged[index].report(pictures).mean);
        Some(first?.average_precision - second?.average_precision)
    };
    let mut pictures: Vec<usize> = (0..annotations.images.len()).collect();
    let measured = of(&pictures)?;
    let (mut random, count) = (SplitMix(seed), pictures.len());
    let mut draws = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        pictures.fill_with(|| random.below(count));
        // A draw may hold no object at all.
        draws.extend(of(&pictures));
    }
    draws.sort_by(f64::total_cmp);
    let last = draws.len().checked_sub(1)?;
    let better = draws.iter().filter(|difference| **difference > 0.0).count() as f64 / draws.len() as f64;
    Some(Difference { measured, low: draws[last / TAIL], high: draws[last - last / TAIL], better })
}

/// Steele, Lea and Flood's SplitMix64: small, and good enough to draw by.
struct SplitMix(u64);

impl SplitMix {
    /// 0..count.
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = mixed ^ (mixed >> 31);
        // The upper half of a wide product: even to within count / 2^64.
        usize::try_from((u128::from(mixed) * count as u128) >> 64).unwrap_or_default()
    }
}
