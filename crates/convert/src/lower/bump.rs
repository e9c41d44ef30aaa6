//! The numbers of the epilogue's bump form (`clawdbot_kernels::epilogue`): a(x) = max(x, 0) - b(|x|), b out of a table.

#[cfg(test)]
mod tests;

use clawdbot_nn::graph::Activation;
use clawdbot_nn::reference::activated;

use super::choice::is_bump;
use crate::quantize::ValueGrid;

/// Entries of the table.
const ENTRIES: usize = 64;
/// Sizes of a step that are tried between the least possible and twice that.
const SIZES: u32 = 32;
/// Results are compared between -`REACH` and `REACH`, beyond which all of these functions are straight.
const REACH: f64 = 12.0;
/// So many times a real 1.
const SAMPLES: u32 = 64;
/// Points of a table entry's share of x that its mean is taken over.
const POINTS: u32 = 8;
/// The largest positive i16.
const WORD_MAX: f64 = 32_767.0;

/// What the law needs beside the layer's own numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bump {
    /// The real number that a step of p stands for.
    pub(super) step: f64,
    /// From |p| to the table's index.
    pub(super) index_shift: u32,
    /// b in steps of p.
    pub(super) table: [u8; ENTRIES],
    /// Bits behind the point before the last shift.
    pub(super) fraction: u32,
    /// One for each scale of the result.
    pub(super) gain: Vec<i16>,
}

/// The numbers of least mean square error for results in `grid`. `None` where the results' scale is so fine that a step of p
/// would have to be finer than the table's bytes allow (about 0.0011 for SiLU), and for activations without a bump.
pub(super) fn choose(activation: Activation, grid: &ValueGrid) -> Option<Bump> {
    if !is_bump(activation) {
        return None;
    }
    let scales = grid.scales.iter().copied().map(f64::from);
    let (finest, coarsest) = scales.fold((f64::INFINITY, 0.0_f64), |(low, high), it| (low.min(it), high.max(it)));
    // p must hold the largest result, and a byte the highest place of the bump.
    let highest = (1..64).map(|at| bump(activation, f64::from(at) / 32.0)).fold(0.0, f64::max);
    let least = (highest * 1.02 / 255.0).max(coarsest * f64::from(127 - grid.zero_point) / WORD_MAX);
    let most = finest * (WORD_MAX / 32_768.0);
    let sizes = (0..=SIZES).map(|size| least * (1.0 + f64::from(size) / f64::from(SIZES)));
    let mut best: Option<(f64, f64, u32)> = None;
    for step in sizes.filter(|&step| step <= most) {
        for index_shift in 1..=8 {
            let entry = step * f64::from(1_u32 << index_shift);
            if !(1.0..=2.0 * REACH).contains(&(entry * ENTRIES as f64)) {
                continue;
            }
            let error = error(activation, step, index_shift);
            if best.is_none_or(|(least, ..)| error < least) {
                best = Some((error, step, index_shift));
            }
        }
    }
    let (_, step, index_shift) = best?;
    let ratio = step / finest;
    let fraction = (0..=8).rev().find(|&bits| ratio * f64::from(1_u32 << (bits + 15)) <= WORD_MAX)?;
    let gain = |scale: f32| {
        let exact = step / f64::from(scale) * f64::from(1_u32 << (fraction + 15));
        exact.round_ties_even().clamp(1.0, WORD_MAX) as i16
    };
    let table = table(activation, step, index_shift);
    Some(Bump { step, index_shift, table, fraction, gain: grid.scales.iter().copied().map(gain).collect() })
}

fn bump(activation: Activation, x: f64) -> f64 {
    x - activated(x, activation)
}

/// The mean of the bump over what each index stands for, in steps.
fn table(activation: Activation, step: f64, index_shift: u32) -> [u8; ENTRIES] {
    let entry = step * f64::from(1_u32 << index_shift);
    std::array::from_fn(|index| {
        let start = (index as f64 - 0.5).max(0.0) * entry;
        let share = (index as f64 + 0.5) * entry - start;
        let at = |point: u32| start + share * (f64::from(point) + 0.5) / f64::from(POINTS);
        let mean = (0..POINTS).map(|point| bump(activation, at(point))).sum::<f64>() / f64::from(POINTS);
        (mean / step).round_ties_even().clamp(0.0, 255.0) as u8
    })
}

/// Mean square error of the law before its last rounding, in reals.
fn error(activation: Activation, step: f64, index_shift: u32) -> f64 {
    let table = table(activation, step, index_shift);
    let count = (REACH * f64::from(SAMPLES)) as u32;
    let square = |at: u32| {
        let x = f64::from(at) / f64::from(SAMPLES);
        let p = (x / step).round_ties_even();
        let index = ((p as usize) + (1 << index_shift >> 1)) >> index_shift;
        let looked_up = f64::from(table.get(index).copied().unwrap_or(0)) * step;
        // The same above and below 0, but for the rounding of p.
        (looked_up - bump(activation, x)).powi(2)
    };
    (0..count).map(square).sum::<f64>() / f64::from(count)
}
