//! The law of a row's weights, in plain Rust.

use std::ops::Range;

use super::integers::{Dots, Levels};
use super::rows::{Block, LEVEL_MAX, Row};
use crate::exponential::{ROUND, exponential};
use crate::lanes::{self, larger, largest};
use crate::levels::SMALLEST;
use crate::pages::POSITIONS;

/// Weights of I8: see [`super::integers::Parts`].
pub(super) fn weigh_integers(row: &mut Row, dots: Dots<'_>, visible: &Range<usize>, target: &mut Levels) -> [f32; 2] {
    let [key_scales, value_scales] = dots.scales;
    let mut scores: Block = [[0.0; 8]; POSITIONS / 8];
    for ((score, &sum), scale) in scores.as_flattened_mut().iter_mut().zip(dots.sums).zip(key_scales.as_flattened()) {
        *score = sum as f32 * (scale * dots.factor);
    }
    let correction = weigh(row, &mut scores, dots.softcap, visible);
    [correction, levels(&scores, value_scales, target)]
}

/// Weights of F16: see [`super::floats::Parts`].
pub(super) fn weigh_floats(
    row: &mut Row,
    scores: &mut Block,
    (scale, softcap): (f32, Option<f32>),
    visible: &Range<usize>,
) -> f32 {
    for score in scores.as_flattened_mut() {
        *score *= scale;
    }
    weigh(row, scores, softcap, visible)
}

/// Turns scores into weights, and answers what everything before must be multiplied by.
fn weigh(row: &mut Row, scores: &mut Block, softcap: Option<f32>, visible: &Range<usize>) -> f32 {
    if let Some(cap) = softcap {
        for score in scores.as_flattened_mut() {
            *score = cap - 2.0 * cap / (1.0 + exponential(*score * (2.0 / cap)));
        }
    }
    let mut most = [row.most; 8];
    for (place, &score) in scores.as_flattened().iter().enumerate().filter(|(place, _)| visible.contains(place)) {
        most[place % 8] = larger(most[place % 8], score);
    }
    let most = largest(most);
    let correction = exponential(row.most - most);
    let mut sums = [0.0; 8];
    for (place, score) in scores.as_flattened_mut().iter_mut().enumerate() {
        *score = if visible.contains(&place) { exponential(*score - most) } else { 0.0 };
        sums[place % 8] += *score;
    }
    row.total = row.total.mul_add(correction, lanes::sum(sums));
    row.most = most;
    correction
}

/// Weights times the scales of the values as integers, and what one step of those is worth.
fn levels(weights: &Block, scales: &Block, target: &mut Levels) -> f32 {
    let products: Block =
        std::array::from_fn(|octet| std::array::from_fn(|lane| weights[octet][lane] * scales[octet][lane]));
    let mut most = [0.0; 8];
    for lanes in products {
        for (most, product) in most.iter_mut().zip(lanes) {
            *most = larger(*most, product);
        }
    }
    let most = largest(most);
    let inverse = if most >= SMALLEST { LEVEL_MAX / most } else { 0.0 };
    for (target, product) in target.iter_mut().zip(products.as_flattened()) {
        *target = ((product * inverse + ROUND).to_bits() & 0x3fff) as i16;
    }
    most / LEVEL_MAX
}
