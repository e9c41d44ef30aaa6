//! `gemm_i8i8i32_4x16x4_avx2`: `vpmaddubsw` of |a| and sign(w, a), which is exact: two products of at most 128 x 127 fit
//! 16 bits. `vpmaddwd` with ones then adds pairs of them into 32 bits.
//!
//! Groups of four activations lie beside their magnitudes; both are spread over a register by broadcasting loads. Sixteen
//! output channels are two registers of weights just as the bundle holds them, and eight registers of sums.
//!
//! The other exact form multiplies 16-bit numbers by `vpmaddwd`. It takes as many instructions a product, but weights
//! must be widened and rearranged first; `docs/reference/kernels.md` has the measurements of both.

use std::arch::x86_64::{
    __m256i, _mm_abs_epi8, _mm_cvtsi32_si128, _mm_unpacklo_epi32, _mm256_abs_epi8, _mm256_add_epi32,
    _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_setzero_si256, _mm256_sign_epi8, _mm256_unpackhi_epi32, _mm256_unpacklo_epi32,
};

use super::{Gemm, Task, scalar};
use crate::bands::{self, Band, GROUPS, GROUPS_MAX, Matrix, Source, cut, short, tile_rows, without_padding};
use crate::epilogue::Output;
use crate::epilogue::avx2::{Block, NO_SUMS, Sums, WAITING, leave};
use crate::x86::{load_32, load_i32x8, store_8, store_16};

pub(crate) mod picture;

/// Rows of a tile.
const ROWS: usize = 4;

/// Longest row.
pub(crate) const K_MAX: usize = 4 * GROUPS_MAX;

/// Four activations and their magnitudes.
type Group = [u8; 8];

#[target_feature(enable = "avx2")]
pub(super) fn run(mut task: Task<'_>) {
    if task.gemm.k > K_MAX {
        return scalar::run(task); // no network has such a layer
    }
    let matrix = Matrix { rows: task.rows, width: task.gemm.k, stride: task.input_stride, input: task.input };
    sweep(&matrix, task.gemm, &mut task.output);
}

/// All rows of `source` by all output channels.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sweep(source: &impl Source<i8>, gemm: &Gemm<'_>, output: &mut Output<'_>) {
    if short(gemm.k / 4) {
        sweep_in(&mut [[0; 8]; GROUPS], source, gemm, output);
    } else {
        sweep_in(&mut [[0; 8]; GROUPS_MAX], source, gemm, output);
    }
}

/// [`sweep`] with bands in `buffer`.
#[inline]
#[target_feature(enable = "avx2")]
fn sweep_in(buffer: &mut [Group], source: &impl Source<i8>, gemm: &Gemm<'_>, output: &mut Output<'_>) {
    let convert = |elements: &[i8], groups: &mut [Group]| convert(elements, groups);
    let mut sums = NO_SUMS;
    bands::sweep::<i8, Group, 4>(buffer, source, [gemm.k / 4, gemm.n], convert, |band, n| {
        if gemm.n - n > 8 {
            panel::<2>(&band, gemm, n, &mut sums, output);
        } else {
            panel::<1>(&band, gemm, n, &mut sums, output);
        }
    });
}

/// Puts each four elements and their magnitudes side by side.
#[inline]
#[target_feature(enable = "avx2")]
fn convert(elements: &[i8], groups: &mut [Group]) {
    let (chunks, rest) = elements.as_chunks::<32>();
    let (eights, groups) = groups[..elements.len() / 4].as_chunks_mut::<8>();
    for (chunk, eight) in chunks.iter().zip(eights) {
        let values = load_32(chunk);
        let magnitudes = _mm256_abs_epi8(values);
        let even = _mm256_unpacklo_epi32(values, magnitudes);
        let odd = _mm256_unpackhi_epi32(values, magnitudes);
        let (halves, _) = eight.as_flattened_mut().as_chunks_mut::<16>();
        store_16(&mut halves[0], _mm256_castsi256_si128(even));
        store_16(&mut halves[1], _mm256_castsi256_si128(odd));
        store_16(&mut halves[2], _mm256_extracti128_si256::<1>(even));
        store_16(&mut halves[3], _mm256_extracti128_si256::<1>(odd));
    }
    for (four, group) in rest.as_chunks::<4>().0.iter().zip(groups) {
        let values = _mm_cvtsi32_si128(i32::from_ne_bytes(four.map(i8::cast_unsigned)));
        store_8(group, _mm_unpacklo_epi32(values, _mm_abs_epi8(values)));
    }
}

/// What the sums of B x 8 output channels from `n` on start with.
#[inline]
#[target_feature(enable = "avx2")]
fn start<const B: usize>(gemm: &Gemm<'_>, n: usize) -> [__m256i; B] {
    let mut start = [_mm256_setzero_si256(); B];
    for (start, bias) in start.iter_mut().zip(gemm.bias[n..].as_chunks::<8>().0) {
        *start = load_i32x8(bias);
    }
    start
}

/// The rows of a band by B x 8 output channels from `n` on.
#[inline(never)]
#[target_feature(enable = "avx2")]
fn panel<const B: usize>(band: &Band<'_, Group>, gemm: &Gemm<'_>, n: usize, sums: &mut Sums, output: &mut Output<'_>) {
    let (weights, start) = (without_padding(gemm.blocks(n)), start(gemm, n));
    let block = Block::<B>::new(output, n, gemm.n);
    for first in (0..band.rows).step_by(WAITING) {
        let rows = (band.rows - first).min(WAITING);
        let (mut row, mut free) = (0, &mut sums[..]);
        while row < rows {
            let (now, at) = (tile_rows(rows - row, ROWS), first + row);
            let place;
            (place, free) = free.split_at_mut(now * B);
            match now {
                1 => tile::<1, B>(band.tile(at), weights, start, place),
                2 => tile::<2, B>(band.tile(at), weights, start, place),
                3 => tile::<3, B>(band.tile(at), weights, start, place),
                _ => tile::<ROWS, B>(band.tile(at), weights, start, place),
            }
            row += now;
        }
        block.finish(sums, band.first + first, rows, output);
    }
}

/// Leaves the sums of R rows by B x 8 output channels in `target`.
#[inline]
#[target_feature(enable = "avx2")]
fn tile<const R: usize, const B: usize>(
    rows: [&[Group]; R],
    weights: [&[[i8; 32]]; B],
    start: [__m256i; B],
    target: &mut [[i32; 8]],
) {
    let mut sums = [start; R];
    accumulate(&mut sums, rows, weights);
    leave(&sums, target);
}

/// Adds the products of R rows by B x 8 output channels.
#[inline]
#[target_feature(enable = "avx2")]
fn accumulate<const R: usize, const B: usize>(
    sums: &mut [[__m256i; B]; R],
    rows: [&[Group]; R],
    weights: [&[[i8; 32]]; B],
) {
    let ones = _mm256_set1_epi16(1);
    let steps = weights[0].len();
    let (rows, weights) = (cut(rows, steps), cut(weights, steps));
    for step in 0..steps {
        let mut panel = [_mm256_setzero_si256(); B];
        for block in 0..B {
            panel[block] = load_32(&weights[block][step]);
        }
        for row in 0..R {
            let [a, b, c, d, e, f, g, h] = rows[row][step];
            let values = _mm256_set1_epi32(i32::from_ne_bytes([a, b, c, d]));
            let magnitudes = _mm256_set1_epi32(i32::from_ne_bytes([e, f, g, h]));
            for block in 0..B {
                let signed = _mm256_sign_epi8(panel[block], values);
                let pairs = _mm256_maddubs_epi16(magnitudes, signed);
                sums[row][block] = _mm256_add_epi32(sums[row][block], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
}
