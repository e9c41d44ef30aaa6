//! `gemm_i8i8i32_4x8x8_avx2`: products in 16 bits by `vpmaddwd`, which is exact for every value.
//!
//! A row's bytes are widened once a tile into a buffer; each group of 4 along K is then spread over a register by a
//! broadcasting load, and meets the same group of four output channels, widened on load. A register holds two partial
//! sums of four channels; one `vphaddd` a row after the whole of K finishes the job.
//!
//! The other exact form, `vpmaddubsw` of |a| and sign(w, a), is within 15 % on all makers' cores and slower on Intel's.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_hadd_epi32, _mm256_madd_epi16, _mm256_permute4x64_epi64,
    _mm256_setzero_si256,
};

use super::{Gemm, Task};
use crate::epilogue::Output;
use crate::epilogue::avx2::Block;
use crate::rows::{Cursor, Matrix, Rows};
use crate::x86::{load_i8x8, load_i8x16, splat_i16x4, store_i16x16};

/// Rows of a tile.
const ROWS: usize = 4;

/// Bytes of a row that are widened at a time.
const WIDENED: usize = 256;

/// Of each row: channels 0-3 and 4-7, two partial sums each.
type Sums<const R: usize> = [[__m256i; 2]; R];

#[target_feature(enable = "avx2")]
pub(super) fn run(mut task: Task<'_>) {
    let matrix = Matrix { rows: task.rows, width: task.gemm.k, stride: task.input_stride, input: task.input };
    sweep(&matrix, task.gemm, &mut task.output);
}

/// All rows of `source` by one panel of 8 output channels after the other, so that the panel stays in the first cache.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sweep<S: Rows<i8>>(source: &S, gemm: &Gemm<'_>, output: &mut Output<'_>) {
    let mut buffer = [[0; WIDENED]; ROWS];
    for n in (0..gemm.n).step_by(8) {
        let panel = &gemm.weights[n * gemm.k..][..8 * gemm.k];
        let block = Block::new(gemm.bias, output, n, gemm.n);
        let mut row = 0;
        while row < source.count() {
            row += match source.count() - row {
                1 => tile::<1, S>(source, row, panel, &mut buffer, &block, output),
                2 => tile::<2, S>(source, row, panel, &mut buffer, &block, output),
                3 => tile::<3, S>(source, row, panel, &mut buffer, &block, output),
                _ => tile::<ROWS, S>(source, row, panel, &mut buffer, &block, output),
            };
        }
    }
}

/// R rows by 8 channels; answers R.
#[inline]
#[target_feature(enable = "avx2")]
fn tile<const R: usize, S: Rows<i8>>(
    source: &S,
    row: usize,
    panel: &[i8],
    buffer: &mut [[i16; WIDENED]; ROWS],
    block: &Block<'_>,
    output: &mut Output<'_>,
) -> usize {
    let mut sums = [[_mm256_setzero_si256(); 2]; R];
    let mut cursor = source.cursor::<R>(row);
    let mut panel = panel;
    while let Some(rows) = cursor.next() {
        let length = rows[0].len();
        for start in (0..length).step_by(WIDENED) {
            let width = WIDENED.min(length - start);
            let (weights, rest) = panel.split_at(width * 8);
            for (buffer, row) in buffer.iter_mut().zip(rows) {
                widen(&row[start..][..width], buffer);
            }
            multiply(&mut sums, buffer, weights);
            panel = rest;
        }
    }
    for (index, [first, second]) in sums.into_iter().enumerate() {
        // Halves of a register do not mix in `vphaddd`: channels 0 1 4 5 | 2 3 6 7.
        let mixed = _mm256_hadd_epi32(first, second);
        block.store(_mm256_permute4x64_epi64::<0b11_01_10_00>(mixed), row + index, output);
    }
    R
}

/// Bytes to 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(source: &[i8], target: &mut [i16; WIDENED]) {
    let (sources, tail) = source.as_chunks::<16>();
    let (targets, _) = target.as_chunks_mut::<16>();
    for (source, target) in sources.iter().zip(targets.iter_mut()) {
        store_i16x16(target, _mm256_cvtepi8_epi16(load_i8x16(source)));
    }
    if let Some(tail) = tail.first_chunk::<8>() {
        store_i16x16(&mut targets[sources.len()], _mm256_cvtepi8_epi16(load_i8x8(tail)));
    }
}

/// Adds the products of one widened piece along K. `weights` are the panel's for it.
#[inline]
#[target_feature(enable = "avx2")]
fn multiply<const R: usize>(sums: &mut Sums<R>, rows: &[[i16; WIDENED]; ROWS], weights: &[i8]) {
    let (weights, _) = weights.as_chunks::<32>();
    let rows: [_; R] = std::array::from_fn(|row| &rows[row].as_chunks::<4>().0[..weights.len()]);
    for (step, weights) in weights.iter().enumerate() {
        let (quads, _) = weights.as_chunks::<16>();
        let quads = [0, 1].map(|quad| _mm256_cvtepi8_epi16(load_i8x16(&quads[quad])));
        for (row, sums) in rows.iter().zip(sums.iter_mut()) {
            let group = splat_i16x4(&row[step]);
            for half in 0..2 {
                sums[half] = _mm256_add_epi32(sums[half], _mm256_madd_epi16(group, quads[half]));
            }
        }
    }
}
