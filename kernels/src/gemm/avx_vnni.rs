//! `gemm_i8i8i32_6x16x4_avx_vnni`: `vpdpbusd`, four products of unsigned and signed bytes added into 32 bits at once.
//!
//! Activations become unsigned by adding 128, which is a flipped sign bit. Each sum then holds 128 times the sum of its
//! weights too much, so it starts with that much less. Sums may wrap around on the way, as integers do, and end right.

use std::arch::x86_64::{
    __m256i, _mm256_dpbusd_avx_epi32, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_slli_epi32,
    _mm256_sub_epi32, _mm256_xor_si256,
};

use super::avx2::K_MAX;
use super::{Gemm, Task, scalar};
use crate::bands::{self, Band, GROUPS, GROUPS_MAX, Matrix, Source, cut, short, tile_rows, without_padding};
use crate::epilogue::Output;
use crate::epilogue::avx2::{Block, NO_SUMS, Sums, WAITING, leave};
use crate::x86::{load_32, load_i32x8, store_32};

pub(crate) mod picture;

/// Rows of a tile.
const ROWS: usize = 6;

/// Four activations, each 128 more.
type Group = [u8; 4];

#[target_feature(enable = "avx2,avxvnni")]
pub(super) fn run(mut task: Task<'_>) {
    if task.gemm.k > K_MAX {
        return scalar::run(task); // no network has such a layer
    }
    let matrix = Matrix { rows: task.rows, width: task.gemm.k, stride: task.input_stride, input: task.input };
    sweep(&matrix, task.gemm, &mut task.output);
}

/// All rows of `source` by all output channels.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
pub(crate) fn sweep(source: &impl Source<i8>, gemm: &Gemm<'_>, output: &mut Output<'_>) {
    if short(gemm.k / 4) {
        sweep_in(&mut [[0; 4]; GROUPS], source, gemm, output);
    } else {
        sweep_in(&mut [[0; 4]; GROUPS_MAX], source, gemm, output);
    }
}

/// [`sweep`] with bands in `buffer`.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
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

/// Adds 128 to each element.
#[inline]
#[target_feature(enable = "avx2")]
fn convert(elements: &[i8], groups: &mut [Group]) {
    let (chunks, rest) = elements.as_chunks::<32>();
    let (targets, target) = groups.as_flattened_mut()[..elements.len()].as_chunks_mut::<32>();
    for (chunk, target) in chunks.iter().zip(targets) {
        store_32(target, _mm256_xor_si256(load_32(chunk), _mm256_set1_epi8(-128)));
    }
    for (four, target) in rest.as_chunks::<4>().0.iter().zip(target.as_chunks_mut::<4>().0) {
        *target = (u32::from_ne_bytes(four.map(i8::cast_unsigned)) ^ 0x8080_8080).to_ne_bytes();
    }
}

/// What the sums of B x 8 output channels from `n` on start with.
#[inline]
#[target_feature(enable = "avx2")]
fn start<const B: usize>(gemm: &Gemm<'_>, n: usize) -> [__m256i; B] {
    let mut start = [_mm256_setzero_si256(); B];
    let sums = gemm.column_sums[n..].as_chunks::<8>().0;
    for ((start, bias), sums) in start.iter_mut().zip(gemm.bias[n..].as_chunks::<8>().0).zip(sums) {
        *start = _mm256_sub_epi32(load_i32x8(bias), _mm256_slli_epi32::<7>(load_i32x8(sums)));
    }
    start
}

/// The rows of a band by B x 8 output channels from `n` on.
#[inline(never)]
#[target_feature(enable = "avx2,avxvnni")]
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
                4 => tile::<4, B>(band.tile(at), weights, start, place),
                5 => tile::<5, B>(band.tile(at), weights, start, place),
                _ => tile::<ROWS, B>(band.tile(at), weights, start, place),
            }
            row += now;
        }
        block.finish(sums, band.first + first, rows, output);
    }
}

/// Leaves the sums of R rows by B x 8 output channels in `target`.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
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
#[target_feature(enable = "avx2,avxvnni")]
fn accumulate<const R: usize, const B: usize>(
    sums: &mut [[__m256i; B]; R],
    rows: [&[Group]; R],
    weights: [&[[i8; 32]]; B],
) {
    let steps = weights[0].len();
    let (rows, weights) = (cut(rows, steps), cut(weights, steps));
    for step in 0..steps {
        let mut panel = [_mm256_setzero_si256(); B];
        for block in 0..B {
            panel[block] = load_32(&weights[block][step]);
        }
        for row in 0..R {
            let values = _mm256_set1_epi32(i32::from_ne_bytes(rows[row][step]));
            for block in 0..B {
                sums[row][block] = _mm256_dpbusd_avx_epi32(sums[row][block], values, panel[block]);
            }
        }
    }
}
