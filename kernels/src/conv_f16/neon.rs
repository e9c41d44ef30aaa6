//! `conv_f16_f32f16f32_8x8x4_neon`: weights widened by `fcvtl`, `fmla` by lane.
//!
//! Eight rows by eight channels are 16 sum registers; a register of a row holds four steps along K.

use std::arch::aarch64::{float32x4_t, vaddq_f32, vdupq_n_f32, vfmaq_laneq_f32, vfmaq_n_f32, vmaxq_f32, vminq_f32};

use super::tile::{self, ROWS};
use super::{ConvF16, Task};
use crate::arm::{load_f16x8, load_f32x4, store_f32x4};
use crate::rows::{Cursor, Dense, Rows, Windows};

/// Of each row: channels 0-3 and 4-7.
type Sums<const R: usize> = [[float32x4_t; 2]; R];

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    let Task { geometry, rows, input, conv, residual, output } = task;
    let layer = Layer { conv, k: geometry.taps() * geometry.channels, residual };
    if geometry.is_dense() {
        let width = geometry.channels;
        let pixels = rows.start * geometry.input_width..rows.end * geometry.input_width;
        layer.panels(&Dense { input: &input[pixels.start * width..pixels.end * width], width }, output);
    } else {
        layer.panels(&Windows::new(geometry, rows, input, conv.pad_value), output);
    }
}

/// What all panels share.
struct Layer<'a> {
    conv: &'a ConvF16<'a>,
    k: usize,
    residual: Option<&'a [f32]>,
}

impl Layer<'_> {
    #[inline(never)]
    #[target_feature(enable = "neon")]
    fn panels(&self, source: &impl Rows<f32>, output: &mut [f32]) {
        let Self { conv, k, residual } = *self;
        for n in (0..conv.n).step_by(8) {
            let panel = Panel { conv, n, weights: &conv.weights[n * k..][..8 * k], residual };
            let mut row = 0;
            while row < source.count() {
                row += match source.count() - row {
                    1 => panel.some::<1>(source, row, output),
                    2 => panel.some::<2>(source, row, output),
                    3 => panel.some::<3>(source, row, output),
                    4..ROWS => panel.some::<4>(source, row, output),
                    _ => panel.all(source, row, output),
                };
            }
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
    /// [`ROWS`] rows; answers them.
    #[inline(never)]
    #[target_feature(enable = "neon")]
    fn all(&self, source: &impl Rows<f32>, row: usize, output: &mut [f32]) -> usize {
        let mut sums = [self.bias(); ROWS];
        let mut cursor = source.cursor::<ROWS>(row);
        let mut weights = self.weights.as_chunks::<8>().0;
        while let Some(rows) = cursor.next() {
            let (piece, rest) = weights.split_at(rows[0].len());
            tile::multiply(&mut sums, rows, piece);
            weights = rest;
        }
        self.store(sums, row, output);
        ROWS
    }

    /// R rows; answers R.
    #[inline(never)]
    #[target_feature(enable = "neon")]
    fn some<const R: usize>(&self, source: &impl Rows<f32>, row: usize, output: &mut [f32]) -> usize {
        let mut sums = [self.bias(); R];
        let mut cursor = source.cursor::<R>(row);
        let mut weights = self.weights;
        while let Some(rows) = cursor.next() {
            let (piece, rest) = weights.split_at(rows[0].len() * 8);
            multiply(&mut sums, rows, piece);
            weights = rest;
        }
        self.store(sums, row, output);
        R
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn bias(&self) -> [float32x4_t; 2] {
        let (bias, _) = self.conv.bias[self.n..][..8].as_chunks::<4>();
        [load_f32x4(&bias[0]), load_f32x4(&bias[1])]
    }

    /// R rows from `row` on: the residual, the bounds, and as many channels as there are.
    #[inline]
    #[target_feature(enable = "neon")]
    fn store<const R: usize>(&self, sums: Sums<R>, row: usize, output: &mut [f32]) {
        let (low, high) = (vdupq_n_f32(self.conv.low), vdupq_n_f32(self.conv.high));
        let bounded = |sum: float32x4_t| vminq_f32(vmaxq_f32(sum, low), high);
        let count = (self.conv.n - self.n).min(8);
        for (index, sums) in sums.into_iter().enumerate() {
            let start = (row + index) * self.conv.n + self.n;
            let target = &mut output[start..][..count];
            let residual = self.residual.map(|residual| &residual[start..][..count]);
            if let Some(target) = target.first_chunk_mut::<8>() {
                let mut sums = sums;
                if let Some(residual) = residual {
                    let (residual, _) = residual.as_chunks::<4>();
                    sums = [0, 1].map(|half| vaddq_f32(sums[half], load_f32x4(&residual[half])));
                }
                let (halves, _) = target.as_chunks_mut::<4>();
                store_f32x4(&mut halves[0], bounded(sums[0]));
                store_f32x4(&mut halves[1], bounded(sums[1]));
                continue;
            }
            let mut addends = [[0.0; 4]; 2];
            if let Some(residual) = residual {
                addends.as_flattened_mut()[..count].copy_from_slice(residual);
            }
            let mut results = [[0.0; 4]; 2];
            for half in 0..2 {
                store_f32x4(&mut results[half], bounded(vaddq_f32(sums[half], load_f32x4(&addends[half]))));
            }
            target.copy_from_slice(&results.as_flattened()[..count]);
        }
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
