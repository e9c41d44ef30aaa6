//! `conv_f16_f32f16f32_6x16x1_avx2`: weights widened by `vcvtph2ps`, values broadcast on load.
//!
//! Six rows by sixteen channels are twelve sum registers, more than the eight that two multipliers with a latency of four
//! keep busy, and each widened weight serves six rows.

use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps, _mm256_setzero_ps,
};

use super::{ConvF16, Task, scalar};
use crate::bands::{self, Band, GROUPS, GROUPS_MAX, Matrix, Source, Windows, cut, short, tile_rows};
use crate::x86::{load_f16x8, load_f32x8, store_f32x8};

/// Rows of a tile.
const ROWS: usize = 6;

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn run(task: Task<'_>) {
    let geometry = task.geometry;
    let k = geometry.taps() * geometry.channels;
    if k > GROUPS_MAX {
        return scalar::run(task); // no network has such a layer
    }
    let Task { rows, input, conv, residual, output, .. } = task;
    let layer = Layer { conv, k, residual };
    if geometry.is_dense() {
        let first = rows.start * geometry.input_width * k;
        let rows = rows.len() * geometry.input_width;
        layer.sweep(&Matrix { rows, width: k, stride: k, input: &input[first..] }, output);
    } else {
        layer.sweep(&Windows::new(geometry, rows, input, conv.pad_value), output);
    }
}

/// What all panels share.
struct Layer<'a> {
    conv: &'a ConvF16<'a>,
    k: usize,
    residual: Option<&'a [f32]>,
}

impl Layer<'_> {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn sweep(&self, source: &impl Source<f32>, output: &mut [f32]) {
        if short(self.k) {
            self.sweep_in(&mut [0.0; GROUPS], source, output);
        } else {
            self.sweep_in(&mut [0.0; GROUPS_MAX], source, output);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn sweep_in(&self, buffer: &mut [f32], source: &impl Source<f32>, output: &mut [f32]) {
        let convert = |elements: &[f32], groups: &mut [f32]| groups[..elements.len()].copy_from_slice(elements);
        bands::sweep::<f32, f32, 1>(buffer, source, [self.k, self.conv.n], convert, |band, n| {
            if self.conv.n - n > 8 {
                self.panel::<2>(band, n, output);
            } else {
                self.panel::<1>(band, n, output);
            }
        });
    }

    /// The rows of a band by B x 8 output channels from `n` on.
    #[inline(never)]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn panel<const B: usize>(&self, band: Band<'_, f32>, n: usize, output: &mut [f32]) {
        let weights = blocks(self.conv.weights, n, self.k);
        let mut start = [_mm256_setzero_ps(); B];
        for (start, bias) in start.iter_mut().zip(self.conv.bias[n..].as_chunks::<8>().0) {
            *start = load_f32x8(bias);
        }
        let mut row = 0;
        while row < band.rows {
            let rows = tile_rows(band.rows - row, ROWS);
            let at = (band.first + row) * self.conv.n + n;
            match rows {
                1 => self.store(&tile::<1, B>(band.tile(row), weights, start), at, n, output),
                2 => self.store(&tile::<2, B>(band.tile(row), weights, start), at, n, output),
                3 => self.store(&tile::<3, B>(band.tile(row), weights, start), at, n, output),
                4 => self.store(&tile::<4, B>(band.tile(row), weights, start), at, n, output),
                5 => self.store(&tile::<5, B>(band.tile(row), weights, start), at, n, output),
                _ => self.store(&tile::<ROWS, B>(band.tile(row), weights, start), at, n, output),
            }
            row += rows;
        }
    }

    /// Stores rows of sums of the channels from `n` on; the first result is `output[at]`.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn store<const R: usize, const B: usize>(&self, sums: &[[__m256; B]; R], at: usize, n: usize, output: &mut [f32]) {
        let (low, high) = (_mm256_set1_ps(self.conv.low), _mm256_set1_ps(self.conv.high));
        for (row, sums) in sums.iter().enumerate() {
            for (block, &sum) in sums.iter().enumerate() {
                let count = (self.conv.n - n - 8 * block).min(8);
                let start = at + row * self.conv.n + 8 * block;
                let mut value = sum;
                if let Some(residual) = self.residual {
                    let mut addends = [0.0; 8];
                    addends[..count].copy_from_slice(&residual[start..][..count]);
                    value = _mm256_add_ps(value, load_f32x8(&addends));
                }
                let value = _mm256_min_ps(_mm256_max_ps(value, low), high);
                match output[start..].first_chunk_mut::<8>() {
                    Some(target) if count == 8 => store_f32x8(target, value),
                    _ => {
                        let mut results = [0.0; 8];
                        store_f32x8(&mut results, value);
                        output[start..][..count].copy_from_slice(&results[..count]);
                    }
                }
            }
        }
    }
}

/// The weights of B x 8 output channels from `n` on, K by K.
#[inline(always)]
fn blocks<const B: usize>(weights: &[u16], n: usize, k: usize) -> [&[[u16; 8]]; B] {
    std::array::from_fn(|block| weights[(n + 8 * block) * k..][..8 * k].as_chunks::<8>().0)
}

/// The sums of R rows by B x 8 output channels.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn tile<const R: usize, const B: usize>(
    rows: [&[f32]; R],
    weights: [&[[u16; 8]]; B],
    start: [__m256; B],
) -> [[__m256; B]; R] {
    let mut sums = [start; R];
    let k = weights[0].len();
    let (rows, weights) = (cut(rows, k), cut(weights, k));
    for step in 0..k {
        let mut panel = [_mm256_setzero_ps(); B];
        for block in 0..B {
            panel[block] = load_f16x8(&weights[block][step]);
        }
        for row in 0..R {
            let value = _mm256_set1_ps(rows[row][step]);
            for block in 0..B {
                sums[row][block] = _mm256_fmadd_ps(value, panel[block], sums[row][block]);
            }
        }
    }
    sums
}
