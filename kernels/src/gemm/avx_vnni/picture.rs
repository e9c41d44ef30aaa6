//! Windows over a picture of four channels, each element 128 more.

use std::arch::x86_64::{__m256i, _mm_set1_epi8, _mm_xor_si128};

use super::{ROWS, accumulate, start};
use crate::bands::{part, tile_rows};
use crate::epilogue::Output;
use crate::epilogue::avx2::{Block, NO_SUMS, Sums, WAITING, leave};
use crate::gemm::Gemm;
use crate::gemm::avx2::picture::colours;
use crate::narrow::{self, BYTES, Lines, NO_GROUPS, Strip, Weights, Windows, no_lines};
use crate::x86::{load_16, store_16};

/// Weights of B x 8 output channels, how many lines of how many groups they have, and what the sums start with.
type Tile<'a, const B: usize> = ([&'a [[i8; 32]]; B], [usize; 2], [__m256i; B]);

/// The windows of all asked rows by all output channels.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
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
#[target_feature(enable = "avx2,avxvnni")]
fn by_cells<const P: usize, const S: usize>(
    windows: &Windows<'_>,
    gemm: &Gemm<'_>,
    weights: Weights<'_, P>,
    output: &mut Output<'_>,
) {
    let (mut lines, mut sums) = (no_lines(), NO_SUMS);
    let put = |lines: &mut Lines<BYTES>, at: [usize; 2], elements: &[i8]| put::<P>(lines, at, elements);
    narrow::sweep::<Lines<BYTES>, P>(&mut lines, windows, gemm.n, put, |lines, strip, n| {
        if gemm.n - n > 8 {
            panel::<2, P, S>(lines, strip, gemm, (weights, n), &mut sums, output);
        } else {
            panel::<1, P, S>(lines, strip, gemm, (weights, n), &mut sums, output);
        }
    });
}

/// Puts P bytes of each cell into `line`, 128 more.
#[inline]
#[target_feature(enable = "avx2")]
fn put<const P: usize>(lines: &mut Lines<BYTES>, [line, at]: [usize; 2], elements: &[i8]) {
    let line = &mut lines[line][at..];
    let (chunks, rest) = elements.as_chunks::<16>();
    for (index, chunk) in chunks.iter().enumerate() {
        let cells = _mm_xor_si128(load_16(chunk), _mm_set1_epi8(-128));
        let cells = if P == 3 { colours(cells) } else { cells };
        store_16(line[4 * P * index..].first_chunk_mut().expect("room for 16"), cells);
    }
    let done = 4 * P * chunks.len();
    for (index, cell) in rest.as_chunks::<4>().0.iter().enumerate() {
        for (channel, &value) in cell[..P].iter().enumerate() {
            line[done + P * index + channel] = value.cast_unsigned() ^ 0x80;
        }
    }
}

/// The pixels of a strip by B x 8 output channels from `n` on.
#[inline(never)]
#[target_feature(enable = "avx2,avxvnni")]
fn panel<const B: usize, const P: usize, const S: usize>(
    lines: &Lines<BYTES>,
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
                4 => window::<4, B, S>(lines, strip, at, weights, place),
                5 => window::<5, B, S>(lines, strip, at, weights, place),
                _ => window::<ROWS, B, S>(lines, strip, at, weights, place),
            }
            x += now;
        }
        block.finish(sums, strip.first + first, pixels, output);
    }
}

/// Leaves the sums of the windows of R pixels by B x 8 output channels in `place`.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn window<const R: usize, const B: usize, const S: usize>(
    lines: &Lines<BYTES>,
    strip: &Strip,
    x: usize,
    (blocks, [height, steps], start): Tile<'_, B>,
    place: &mut [[i32; 8]],
) {
    let mut sums = [start; R];
    let steps = if S == 0 { steps } else { S };
    for (index, line) in lines.iter().enumerate().take(height) {
        let cells = strip.cells::<R>(line, x, 4 * steps);
        let mut groups: [&[[u8; 4]]; R] = [&[]; R];
        for (groups, cells) in groups.iter_mut().zip(cells) {
            *groups = cells.as_chunks().0;
        }
        accumulate(&mut sums, groups, part(blocks, index * steps, steps));
    }
    leave(&sums, place);
}
