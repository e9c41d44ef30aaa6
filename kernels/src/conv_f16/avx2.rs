//! `conv_f16_f32f16f32_8x8x1_avx2`: weights widened by `vcvtph2ps`, values broadcast on load.
//!
//! Eight rows by eight channels are eight sum registers, as many as two multipliers with a latency of four keep busy.

use std::arch::x86_64::{__m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps};

use super::{ConvF16, Task};
use crate::rows::{Cursor, Rows, Windows};
use crate::x86::{load_f16x8, load_f32x8, store_f32x8};

/// Rows of a tile.
const ROWS: usize = 8;

#[target_feature(enable = "avx2,fma,f16c")]
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
    #[target_feature(enable = "avx2,fma,f16c")]
    fn tile<const R: usize>(&self, windows: &Windows<'_, f32>, row: usize, output: &mut [f32]) -> usize {
        let bias = load_f32x8(&self.conv.bias[self.n..].as_chunks::<8>().0[0]);
        let mut sums = [bias; R];
        let mut cursor = windows.cursor::<R>(row);
        let mut weights = self.weights;
        while let Some(rows) = cursor.next() {
            let (piece, rest) = weights.split_at(rows[0].len() * 8);
            multiply(&mut sums, rows, piece);
            weights = rest;
        }
        for (index, sum) in sums.into_iter().enumerate() {
            self.store(sum, row + index, output);
        }
        R
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn store(&self, sum: __m256, row: usize, output: &mut [f32]) {
        let count = (self.conv.n - self.n).min(8);
        let start = row * self.conv.n + self.n;
        let mut addends = [0.0; 8];
        if let Some(residual) = self.residual {
            addends[..count].copy_from_slice(&residual[start..][..count]);
        }
        let (low, high) = (_mm256_set1_ps(self.conv.low), _mm256_set1_ps(self.conv.high));
        let value = _mm256_add_ps(sum, load_f32x8(&addends));
        let mut results = [0.0; 8];
        store_f32x8(&mut results, _mm256_min_ps(_mm256_max_ps(value, low), high));
        output[start..][..count].copy_from_slice(&results[..count]);
    }
}

/// Adds the products of one piece along K.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply<const R: usize>(sums: &mut [__m256; R], rows: [&[f32]; R], weights: &[u16]) {
    let (weights, _) = weights.as_chunks::<8>();
    let rows = rows.map(|row| &row[..weights.len()]);
    for (k, weights) in weights.iter().enumerate() {
        let weights = load_f16x8(weights);
        for (row, sum) in rows.iter().zip(sums.iter_mut()) {
            *sum = _mm256_fmadd_ps(_mm256_set1_ps(row[k]), weights, *sum);
        }
    }
}
