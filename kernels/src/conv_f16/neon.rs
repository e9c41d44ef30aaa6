//! `conv_f16_f32f16f32_8x8x4_neon`: weights widened by `fcvtl`, `fmla` by lane.
//!
//! Eight rows by eight channels are 16 sum registers; a register of a row holds four steps along K.

use std::arch::aarch64::{float32x4_t, vaddq_f32, vdupq_n_f32, vfmaq_laneq_f32, vfmaq_n_f32, vmaxq_f32, vminq_f32};

use super::{ConvF16, Task};
use crate::arm::{load_f16x8, load_f32x4, store_f32x4};
use crate::rows::{Cursor, Rows, Windows};

/// Rows of a tile.
const ROWS: usize = 8;

/// Of each row: channels 0-3 and 4-7.
type Sums<const R: usize> = [[float32x4_t; 2]; R];

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    let Task { geometry, rows, input, conv, residual, output } = task;
    let windows = Windows::new(geometry, rows, input, conv.pad_value);
    let k = geometry.taps() * geometry.channels;
    for n in (0..conv.n).step_by(8) {
        let panel = Panel { conv, n, weights: &conv.weights[n * k..][..8 * k], residual };
        let mut row = 0;
        while row < windows.count() {
            row += match windows.count() - row {
                1 => panel.tile::<1>(&windows, row, output),
                2 => panel.tile::<2>(&windows, row, output),
                3 => panel.tile::<3>(&windows, row, output),
                4..ROWS => panel.tile::<4>(&windows, row, output),
                _ => panel.tile::<ROWS>(&windows, row, output),
            };
        }
    }
}

/// Eight output channels from `n` on.
struct Panel<'a> {
    conv: &'a ConvF16<'a>,
    n: usize,
    weights: &'a [u16],
    residual: Option<&'a [f32]>,
}

impl Panel<'_> {
    /// R rows; answers R.
    #[inline]
    #[target_feature(enable = "neon")]
    fn tile<const R: usize>(&self, windows: &Windows<'_, f32>, row: usize, output: &mut [f32]) -> usize {
        let (bias, _) = self.conv.bias[self.n..][..8].as_chunks::<4>();
        let mut sums = [[load_f32x4(&bias[0]), load_f32x4(&bias[1])]; R];
        let mut cursor = windows.cursor::<R>(row);
        let mut weights = self.weights;
        while let Some(rows) = cursor.next() {
            let (piece, rest) = weights.split_at(rows[0].len() * 8);
            multiply(&mut sums, rows, piece);
            weights = rest;
        }
        for (index, sums) in sums.into_iter().enumerate() {
            self.store(sums, row + index, output);
        }
        R
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn store(&self, sums: [float32x4_t; 2], row: usize, output: &mut [f32]) {
        let count = (self.conv.n - self.n).min(8);
        let start = row * self.conv.n + self.n;
        let mut addends = [[0.0; 4]; 2];
        if let Some(residual) = self.residual {
            addends.as_flattened_mut()[..count].copy_from_slice(&residual[start..][..count]);
        }
        let (low, high) = (vdupq_n_f32(self.conv.low), vdupq_n_f32(self.conv.high));
        let mut results = [[0.0; 4]; 2];
        for half in 0..2 {
            let value = vaddq_f32(sums[half], load_f32x4(&addends[half]));
            store_f32x4(&mut results[half], vminq_f32(vmaxq_f32(value, low), high));
        }
        output[start..][..count].copy_from_slice(&results.as_flattened()[..count]);
    }
}

/// Adds the products of one piece along K.
#[inline]
#[target_feature(enable = "neon")]
fn multiply<const R: usize>(sums: &mut Sums<R>, rows: [&[f32]; R], weights: &[u16]) {
    let (steps, tail) = weights.as_chunks::<32>();
    let wide = rows.map(|row| &row.as_chunks::<4>().0[..steps.len()]);
    for (step, weights) in steps.iter().enumerate() {
        let values = wide.map(|row| load_f32x4(&row[step]));
        let (weights, _) = weights.as_chunks::<8>();
        lane::<0, R>(sums, &values, &weights[0]);
        lane::<1, R>(sums, &values, &weights[1]);
        lane::<2, R>(sums, &values, &weights[2]);
        lane::<3, R>(sums, &values, &weights[3]);
    }
    for (k, weights) in tail.as_chunks::<8>().0.iter().enumerate() {
        let weights = load_f16x8(weights);
        for (row, sums) in rows.iter().zip(sums.iter_mut()) {
            let value = row[steps.len() * 4 + k];
            *sums = [0, 1].map(|half| vfmaq_n_f32(sums[half], weights[half], value));
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn lane<const LANE: i32, const R: usize>(sums: &mut Sums<R>, values: &[float32x4_t; R], weights: &[u16; 8]) {
    let weights = load_f16x8(weights);
    for (value, sums) in values.iter().zip(sums.iter_mut()) {
        *sums = [0, 1].map(|half| vfmaq_laneq_f32::<LANE>(sums[half], weights[half], *value));
    }
}
