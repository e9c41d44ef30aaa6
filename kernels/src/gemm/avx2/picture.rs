//! Windows over a picture of four channels. A line's values are followed by their magnitudes.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_abs_epi8, _mm_setr_epi8, _mm_shuffle_epi8, _mm256_add_epi32, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_sign_epi8,
};

use super::{ROWS, start};
use crate::bands::{cut, part, tile_rows};
use crate::epilogue::Output;
use crate::epilogue::avx2::{Block, NO_SUMS, Sums, WAITING, leave};
use crate::gemm::Gemm;
use crate::narrow::{self, BYTES, Lines, NO_GROUPS, Strip, Weights, Windows, no_lines};
use crate::x86::{load_16, load_32, store_16};

/// Weights of B x 8 output channels, how many lines of how many groups they have, and what the sums start with.
type Tile<'a, const B: usize> = ([&'a [[i8; 32]]; B], [usize; 2], [__m256i; B]);

/// The windows of all asked rows by all output channels.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sweep(windows: &Windows<'_>, gemm: &Gemm<'_>, output: &mut Output<'_>) {
    let kernel = windows.geometry.kernel;
    match Weights::three(gemm, kernel, &mut NO_GROUPS.clone()) {
        Some(weights) => by_cells::<3, 5>(windows, gemm, weights, output),
        None if kernel[1] == 3 => by_cells::<4, 3>(windows, gemm, Weights::four(gemm, kernel), output),
        None => by_cells::<4, 0>(windows, gemm, Weights::four(gemm, kernel), output),
    }
}

/// The same with P bytes of each cell and S groups of each line, if S is not 0.
#[inline(never)]
#[target_feature(enable = "avx2")]
fn by_cells<const P: usize, const S: usize>(
    windows: &Windows<'_>,
    gemm: &Gemm<'_>,
    weights: Weights<'_, P>,
    output: &mut Output<'_>,
) {
    let (mut lines, mut sums) = (no_lines(), NO_SUMS);
    let put = |lines: &mut Lines<{ 2 * BYTES }>, at: [usize; 2], elements: &[i8]| put::<P>(lines, at, elements);
    narrow::sweep::<Lines<{ 2 * BYTES }>, P>(&mut lines, windows, gemm.n, put, |lines, strip, n| {
        if gemm.n - n > 8 {
            panel::<2, P, S>(lines, strip, gemm, (weights, n), &mut sums, output);
        } else {
            panel::<1, P, S>(lines, strip, gemm, (weights, n), &mut sums, output);
        }
    });
}

/// Three bytes of each of four cells, then four zeros.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn colours(cells: __m128i) -> __m128i {
    _mm_shuffle_epi8(cells, _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1))
}

/// Puts P bytes of each cell and their magnitudes into `line`.
#[inline]
#[target_feature(enable = "avx2")]
fn put<const P: usize>(lines: &mut Lines<{ 2 * BYTES }>, [line, at]: [usize; 2], elements: &[i8]) {
    let (values, magnitudes) = lines[line].split_at_mut(BYTES);
    let (values, magnitudes) = (&mut values[at..], &mut magnitudes[at..]);
    let (chunks, rest) = elements.as_chunks::<16>();
    for (index, chunk) in chunks.iter().enumerate() {
        let cells = if P == 3 { colours(load_16(chunk)) } else { load_16(chunk) };
        store_16(values[4 * P * index..].first_chunk_mut().expect("room for 16"), cells);
        store_16(magnitudes[4 * P * index..].first_chunk_mut().expect("room for 16"), _mm_abs_epi8(cells));
    }
    let done = 4 * P * chunks.len();
    for (index, cell) in rest.as_chunks::<4>().0.iter().enumerate() {
        for (channel, &value) in cell[..P].iter().enumerate() {
            values[done + P * index + channel] = value.cast_unsigned();
            magnitudes[done + P * index + channel] = value.unsigned_abs();
        }
    }
}

/// The pixels of a strip by B x 8 output channels from `n` on.
#[inline(never)]
#[target_feature(enable = "avx2")]
fn panel<const B: usize, const P: usize, const S: usize>(
    lines: &Lines<{ 2 * BYTES }>,
    strip: &Strip,
    gemm: &Gemm<'_>,
    (weights, n): (Weights<'_, P>, usize),
    sums: &mut Sums,
    output: &mut Output<'_>,
) {
    let weights = (weights.blocks(n), weights.window(), start(gemm, n));
    let block = Block::<B>::new(output, n, gemm.n);
    for first in (0..strip.pixels).step_by(WAITING) {
        let pixels = (strip.pixels - first).min(WAITING);
        let (mut x, mut free) = (0, &mut sums[..]);
        while x < pixels {
            let (now, at) = (tile_rows(pixels - x, ROWS), first + x);
            let place;
            (place, free) = free.split_at_mut(now * B);
            match now {
                1 => window::<1, B, S>(lines, strip, at, weights, place),
                2 => window::<2, B, S>(lines, strip, at, weights, place),
                3 => window::<3, B, S>(lines, strip, at, weights, place),
                _ => window::<ROWS, B, S>(lines, strip, at, weights, place),
            }
            x += now;
        }
        block.finish(sums, strip.first + first, pixels, output);
    }
}

/// Leaves the sums of the windows of R pixels by B x 8 output channels in `place`.
#[inline]
#[target_feature(enable = "avx2")]
fn window<const R: usize, const B: usize, const S: usize>(
    lines: &Lines<{ 2 * BYTES }>,
    strip: &Strip,
    x: usize,
    (blocks, [height, steps], start): Tile<'_, B>,
    place: &mut [[i32; 8]],
) {
    let mut sums = [start; R];
    let steps = if S == 0 { steps } else { S };
    for (index, line) in lines.iter().enumerate().take(height) {
        let cells = strip.cells::<R>(line, x, BYTES + 4 * steps);
        let mut values: [&[[u8; 4]]; R] = [&[]; R];
        let mut magnitudes = values;
        for (row, cells) in cells.into_iter().enumerate() {
            let (value, magnitude) = cells.split_at(BYTES);
            (values[row], magnitudes[row]) = (value.as_chunks().0, magnitude.as_chunks().0);
        }
        accumulate::<R, B, S>(&mut sums, [values, magnitudes], part(blocks, index * steps, steps));
    }
    leave(&sums, place);
}

/// Adds the products of R rows, values and magnitudes, by B x 8 output channels.
#[inline]
#[target_feature(enable = "avx2")]
fn accumulate<const R: usize, const B: usize, const S: usize>(
    sums: &mut [[__m256i; B]; R],
    [values, magnitudes]: [[&[[u8; 4]]; R]; 2],
    weights: [&[[i8; 32]]; B],
) {
    let ones = _mm256_set1_epi16(1);
    let steps = if S == 0 { weights[0].len() } else { S };
    let (values, magnitudes, weights) = (cut(values, steps), cut(magnitudes, steps), cut(weights, steps));
    for step in 0..steps {
        let mut panel = [_mm256_setzero_si256(); B];
        for block in 0..B {
            panel[block] = load_32(&weights[block][step]);
        }
        for row in 0..R {
            let value = _mm256_set1_epi32(i32::from_ne_bytes(values[row][step]));
            let magnitude = _mm256_set1_epi32(i32::from_ne_bytes(magnitudes[row][step]));
            for block in 0..B {
                let pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(panel[block], value));
                sums[row][block] = _mm256_add_epi32(sums[row][block], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
}
