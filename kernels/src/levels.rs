//! Rows of floats as bytes with one scale: the law of stored keys and values, and of queries.
//!
//! `m = max |x|`, `scale = m / 127`, `q = round_half_even(x * (127 / m))`; where m < 1e-30, whose inverse might be infinite,
//! all q are 0. |q| <= 127, because x * (127 / m) has rounded at most twice.

use crate::exponential::ROUND;
use crate::lanes::{Lanes, larger, largest};

/// Below, a row counts as zeros.
pub(crate) const SMALLEST: f32 = 1e-30;

/// The scale of a row, and what its values are multiplied by.
#[inline(always)]
pub(crate) fn grid(row: &[Lanes]) -> (f32, f32) {
    let mut most = [0.0_f32; 8];
    for chunk in row {
        for lane in 0..8 {
            most[lane] = larger(most[lane], chunk[lane].abs());
        }
    }
    of_largest(largest(most))
}

/// [`grid`] of a row whose largest magnitude is `most`.
#[inline(always)]
pub(crate) fn of_largest(most: f32) -> (f32, f32) {
    (most / 127.0, if most >= SMALLEST { 127.0 / most } else { 0.0 })
}

/// Eight values on the grid. Whatever x is, some byte comes out.
#[inline(always)]
pub(crate) fn levels(values: &Lanes, inverse: f32) -> [i8; 8] {
    // The lowest byte of a sum with 1.5 * 2^23 is the rounded integer's.
    values.map(|x| (x * inverse + ROUND).to_bits() as i8)
}
