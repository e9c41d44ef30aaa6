//! `depthwise_i8i8i32_4x16_avx2`: four pixels by sixteen channels, products in 16 bits by `vpmaddwd`, which is exact.
//!
//! The cells of a column are interleaved two by two and widened, so that `vpmaddwd` multiplies and adds both into 32 bits.
//! Two output rows share the pairs: where a window begins in the middle of a pair, or ends there, a weight is zero. Windows of 3x3 and
//! 5x5 at steps of 1 and 2 are laid out like that, others are computed tap by tap.

use std::arch::x86_64::{
    __m256i, _mm_setzero_si128, _mm_unpackhi_epi8, _mm_unpacklo_epi8, _mm256_add_epi32, _mm256_cvtepi8_epi16,
    _mm256_madd_epi16, _mm256_setzero_si256,
};

use super::{Depthwise, Task, scalar};
use crate::epilogue::Output;
use crate::epilogue::avx2::{Block, NO_SUMS, leave};
use crate::lines::{COLUMNS, Picture, strips, walk};
use crate::x86::{load_16, load_32, load_i32x8, store_32};

/// Channels of a block.
pub(super) const BLOCK: usize = 16;

/// Pixels of a tile.
const TILE: usize = 4;

/// Output rows of a strip.
const HEIGHT: usize = 2;

/// Registers that a column needs: seven cells, 5 and a step of 2, make four pairs of two halves.
const REGISTERS: usize = 8;

/// Columns of a strip.
type Columns = [[[u8; 32]; COLUMNS]; REGISTERS];

/// What each of G pairs of each of K columns is multiplied with, by halves of a block.
type Weights<const K: usize, const G: usize> = [[[__m256i; K]; 2]; G];

#[target_feature(enable = "avx2")]
pub(super) fn run(task: Task<'_>) {
    if !task.geometry.channels.is_multiple_of(BLOCK) {
        return scalar::run(task); // a picture of up to 4 channels: no network has such a layer
    }
    match (task.geometry.kernel, task.geometry.stride) {
        ([3, 3], [1, 1]) => windows::<3, 4, 2, 1>(task),
        ([3, 3], [2, 2]) => windows::<3, 5, 2, 2>(task),
        ([5, 5], [1, 1]) => windows::<5, 6, 3, 1>(task),
        ([5, 5], [2, 2]) => windows::<5, 7, 3, 2>(task),
        _ => anything(task),
    }
}

/// Windows of K x K cells, S apart; columns of L cells; G pairs for a window.
#[inline(never)]
#[target_feature(enable = "avx2")]
fn windows<const K: usize, const L: usize, const G: usize, const S: usize>(task: Task<'_>) {
    let padding = [task.depthwise.pad_value; BLOCK];
    let Task { geometry, rows, input, depthwise, requantize, output, output_stride } = task;
    let picture = Picture { geometry, input, padding: &padding };
    let width = geometry.output_width;
    let mut output = Output::I8 { data: output, stride: output_stride, requantize };
    let (mut columns, mut sums) = ([[[0; 32]; COLUMNS]; REGISTERS], NO_SUMS);
    walk::<i8, BLOCK>(geometry, &rows, |channel, group| {
        let weights = [
            arrange::<K, G>(depthwise, channel, geometry.channels, 0),
            arrange::<K, G>(depthwise, channel, geometry.channels, S % 2),
        ];
        let (biases, _) = depthwise.bias[channel..].as_chunks::<8>();
        let start = [load_i32x8(&biases[0]), load_i32x8(&biases[1])];
        let finish = Block::<2>::new(&output, channel, geometry.channels);
        strips(geometry, &rows, channel, (group, HEIGHT), |strip| {
            picture.columns::<K, L>(strip, |column, cells| interleave(cells, column, &mut columns));
            for (row, weights) in weights.iter().enumerate().take(strip.rows) {
                let columns = &columns[row * S / 2 * 2..];
                let mut free = &mut sums[..];
                for x in (0..strip.pixels).step_by(TILE) {
                    let now = TILE.min(strip.pixels - x);
                    let target;
                    (target, free) = free.split_at_mut(2 * now);
                    match now {
                        1 => tile::<1, K, G, S>(columns, x, weights, start, target),
                        2 => tile::<2, K, G, S>(columns, x, weights, start, target),
                        3 => tile::<3, K, G, S>(columns, x, weights, start, target),
                        _ => tile::<TILE, K, G, S>(columns, x, weights, start, target),
                    }
                }
                finish.finish(&sums, strip.first + row * width, strip.pixels, &mut output);
            }
        });
    });
}

/// The weights of a block for windows that begin `skip` cells below the first of their first pair.
#[inline]
#[target_feature(enable = "avx2")]
fn arrange<const K: usize, const G: usize>(
    depthwise: &Depthwise<'_>,
    channel: usize,
    channels: usize,
    skip: usize,
) -> Weights<K, G> {
    let (taps, blocks, index) = (depthwise.weights.as_chunks::<BLOCK>().0, channels / BLOCK, channel / BLOCK);
    let mut weights = [[[_mm256_setzero_si256(); K]; 2]; G];
    for (pair, weights) in weights.iter_mut().enumerate() {
        for column in 0..K {
            let mut cells = [_mm_setzero_si128(); 2];
            for (index_in_pair, cell) in cells.iter_mut().enumerate() {
                let row = (2 * pair + index_in_pair).wrapping_sub(skip);
                if row < K {
                    *cell = load_16(&taps[(row * K + column) * blocks + index]);
                }
            }
            weights[0][column] = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(cells[0], cells[1]));
            weights[1][column] = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(cells[0], cells[1]));
        }
    }
    weights
}

/// Lays out the cells of one column.
#[inline]
#[target_feature(enable = "avx2")]
fn interleave<const L: usize>(cells: [&[i8; BLOCK]; L], column: usize, columns: &mut Columns) {
    for pair in 0..L.div_ceil(2) {
        let (first, second) = (load_16(cells[2 * pair]), load_16(cells[(2 * pair + 1).min(L - 1)]));
        store_32(&mut columns[2 * pair][column], _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(first, second)));
        store_32(&mut columns[2 * pair + 1][column], _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(first, second)));
    }
}

/// Leaves the sums of P pixels from the strip's pixel `x` on in `target`.
#[inline]
#[target_feature(enable = "avx2")]
fn tile<const P: usize, const K: usize, const G: usize, const S: usize>(
    columns: &[[[u8; 32]; COLUMNS]],
    x: usize,
    weights: &Weights<K, G>,
    start: [__m256i; 2],
    target: &mut [[i32; 8]],
) {
    let mut sums = [start; P];
    for half in 0..2 {
        for pair in 0..G {
            let cells = &columns[2 * pair + half][x * S..][..(P - 1) * S + K];
            let weights = &weights[pair][half];
            for (column, cell) in cells.iter().enumerate() {
                let cell = load_32(cell);
                for pixel in 0..P {
                    if column >= pixel * S && column < pixel * S + K {
                        let products = _mm256_madd_epi16(cell, weights[column - pixel * S]);
                        sums[pixel][half] = _mm256_add_epi32(sums[pixel][half], products);
                    }
                }
            }
        }
    }
    leave(&sums, target);
}

/// Any window and step, pixel by pixel and tap by tap.
#[inline(never)]
#[target_feature(enable = "avx2")]
fn anything(task: Task<'_>) {
    let Task { geometry, rows, input, depthwise, requantize, output, output_stride } = task;
    let mut output = Output::I8 { data: output, stride: output_stride, requantize };
    let (input, taps) = (input.as_chunks::<BLOCK>().0, depthwise.weights.as_chunks::<BLOCK>().0);
    let (padding, mut left) = ([depthwise.pad_value; BLOCK], NO_SUMS);
    let blocks = geometry.channels / BLOCK;
    for index in 0..blocks {
        let (biases, _) = depthwise.bias[index * BLOCK..].as_chunks::<8>();
        let finish = Block::<2>::new(&output, index * BLOCK, geometry.channels);
        let mut pixel = 0;
        for y in rows.clone() {
            for x in 0..geometry.output_width {
                let mut sums = [load_i32x8(&biases[0]), load_i32x8(&biases[1])];
                for tap in 0..geometry.taps() {
                    let cell = geometry.pixel(y, x, tap).map_or(&padding, |pixel| &input[pixel * blocks + index]);
                    let (cell, weight) = (load_16(cell), load_16(&taps[tap * blocks + index]));
                    let zero = load_16(&[0_i8; BLOCK]);
                    let low = [_mm_unpacklo_epi8(cell, zero), _mm_unpacklo_epi8(weight, zero)];
                    let high = [_mm_unpackhi_epi8(cell, zero), _mm_unpackhi_epi8(weight, zero)];
                    for (sum, [cell, weight]) in sums.iter_mut().zip([low, high]) {
                        let products = _mm256_madd_epi16(_mm256_cvtepi8_epi16(cell), _mm256_cvtepi8_epi16(weight));
                        *sum = _mm256_add_epi32(*sum, products);
                    }
                }
                leave(&[sums], &mut left);
                finish.finish(&left, pixel, 1, &mut output);
                pixel += 1;
            }
        }
    }
}
