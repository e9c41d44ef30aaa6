//! `depthwise_i8i8i32_4x16_avx_vnni`: four pixels by sixteen channels, four products at once by `vpdpbusd`.
//!
//! The cells of a column are interleaved four by four and made unsigned by adding 128, as in the matrix product; sums
//! start with 128 times the weights less. Missing cells are zeros and meet zero weights. Windows that are not 3x3 or 5x5
//! at steps of 1 or 2 are AVX2's.
//!
//! Interleaving leaves registers in *halves' order*: channels 0-3, 8-11 and 4-7, 12-15. Sums are put right at the end.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_setzero_si128, _mm256_cvtepu8_epi16, _mm256_dpbusd_avx_epi32, _mm256_or_si256,
    _mm256_permute2x128_si256, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_slli_epi16, _mm256_sub_epi32,
    _mm256_unpackhi_epi16, _mm256_unpacklo_epi16, _mm256_xor_si256,
};

use super::avx2::BLOCK;
use super::{Depthwise, Task, avx2};
use crate::epilogue::Output;
use crate::epilogue::avx2::{Block, NO_SUMS, leave};
use crate::lines::{COLUMNS, Picture, strips, walk};
use crate::x86::{load_16, load_32, load_i32x8, store_32};

/// Pixels of a tile.
const TILE: usize = 4;

/// Registers that a column needs: seven cells, 5 and a step of 2, make two fours of two halves.
const REGISTERS: usize = 4;

/// Columns of a strip.
type Columns = [[[u8; 32]; COLUMNS]; REGISTERS];

/// What each of G fours of each of K columns is multiplied with, by halves of a block.
type Weights<const K: usize, const G: usize> = [[[__m256i; K]; 2]; G];

#[target_feature(enable = "avx2,avxvnni")]
pub(super) fn run(task: Task<'_>) {
    if !task.geometry.channels.is_multiple_of(BLOCK) {
        return avx2::run(task);
    }
    match (task.geometry.kernel, task.geometry.stride) {
        ([3, 3], [1, 1]) => windows::<3, 4, 1, 1, 2>(task),
        ([3, 3], [2, 2]) => windows::<3, 3, 1, 2, 1>(task), // two rows would need three fours
        ([5, 5], [1, 1]) => windows::<5, 6, 2, 1, 2>(task),
        ([5, 5], [2, 2]) => windows::<5, 7, 2, 2, 2>(task),
        _ => avx2::run(task),
    }
}

/// Windows of K x K cells, S apart; columns of L cells; G fours for a window; H output rows at a time.
#[inline(never)]
#[target_feature(enable = "avx2,avxvnni")]
fn windows<const K: usize, const L: usize, const G: usize, const S: usize, const H: usize>(task: Task<'_>) {
    let padding = [task.depthwise.pad_value; BLOCK];
    let Task { geometry, rows, input, depthwise, requantize, output, output_stride } = task;
    let picture = Picture { geometry, input, padding: &padding };
    let width = geometry.output_width;
    let mut output = Output::I8 { data: output, stride: output_stride, requantize };
    let (mut columns, mut sums) = ([[[0; 32]; COLUMNS]; REGISTERS], NO_SUMS);
    walk::<i8, BLOCK>(geometry, &rows, |channel, group| {
        let weights = [
            arrange::<K, G>(depthwise, channel, geometry.channels, 0),
            arrange::<K, G>(depthwise, channel, geometry.channels, S),
        ];
        let start = start(depthwise, channel, &weights[0]);
        let finish = Block::<2>::new(&output, channel, geometry.channels);
        strips(geometry, &rows, channel, (group, H), |strip| {
            picture.columns::<K, L>(strip, |column, cells| interleave(cells, column, &mut columns));
            for (row, weights) in weights.iter().enumerate().take(strip.rows) {
                let mut free = &mut sums[..];
                for x in (0..strip.pixels).step_by(TILE) {
                    let now = TILE.min(strip.pixels - x);
                    let target;
                    (target, free) = free.split_at_mut(2 * now);
                    match now {
                        1 => tile::<1, K, G, S>(&columns, x, weights, start, target),
                        2 => tile::<2, K, G, S>(&columns, x, weights, start, target),
                        3 => tile::<3, K, G, S>(&columns, x, weights, start, target),
                        _ => tile::<TILE, K, G, S>(&columns, x, weights, start, target),
                    }
                }
                finish.finish(&sums, strip.first + row * width, strip.pixels, &mut output);
            }
        });
    });
}

/// The weights of a block for windows that begin `skip` cells below the first.
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
    for (four, weights) in weights.iter_mut().enumerate() {
        for column in 0..K {
            let mut cells = [_mm_setzero_si128(); 4];
            for (index_in_four, cell) in cells.iter_mut().enumerate() {
                let row = (4 * four + index_in_four).wrapping_sub(skip);
                if row < K {
                    *cell = load_16(&taps[(row * K + column) * blocks + index]);
                }
            }
            let [first, second] = fours(cells);
            weights[0][column] = first;
            weights[1][column] = second;
        }
    }
    weights
}

/// What the sums of a block start with.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn start<const K: usize, const G: usize>(
    depthwise: &Depthwise<'_>,
    channel: usize,
    weights: &Weights<K, G>,
) -> [__m256i; 2] {
    let (biases, _) = depthwise.bias[channel..].as_chunks::<8>();
    let mut start = turned([load_i32x8(&biases[0]), load_i32x8(&biases[1])]);
    for (half, start) in start.iter_mut().enumerate() {
        let mut surplus = _mm256_setzero_si256();
        for weights in weights {
            for &weights in &weights[half] {
                surplus = _mm256_dpbusd_avx_epi32(surplus, _mm256_set1_epi8(-128), weights);
            }
        }
        *start = _mm256_sub_epi32(*start, surplus);
    }
    start
}

/// Four cells of sixteen channels, channel by channel, in halves' order. By whole registers: what is stored by halves
/// could not be loaded as a whole for some time.
#[inline]
#[target_feature(enable = "avx2")]
fn fours(cells: [__m128i; 4]) -> [__m256i; 2] {
    let mut pairs = [_mm256_setzero_si256(); 2];
    for (pair, cells) in pairs.iter_mut().zip(cells.as_chunks::<2>().0) {
        let upper = _mm256_slli_epi16::<8>(_mm256_cvtepu8_epi16(cells[1]));
        *pair = _mm256_or_si256(_mm256_cvtepu8_epi16(cells[0]), upper);
    }
    [_mm256_unpacklo_epi16(pairs[0], pairs[1]), _mm256_unpackhi_epi16(pairs[0], pairs[1])]
}

/// From halves' order to order, and back.
#[inline]
#[target_feature(enable = "avx2")]
fn turned([first, second]: [__m256i; 2]) -> [__m256i; 2] {
    [_mm256_permute2x128_si256::<0x20>(first, second), _mm256_permute2x128_si256::<0x31>(first, second)]
}

/// Lays out the cells of one column.
#[inline]
#[target_feature(enable = "avx2")]
fn interleave<const L: usize>(cells: [&[i8; BLOCK]; L], column: usize, columns: &mut Columns) {
    let more = _mm256_set1_epi8(-128);
    for four in 0..L.div_ceil(4) {
        let mut values = [_mm_setzero_si128(); 4];
        for (value, cell) in values.iter_mut().zip(&cells[4 * four..]) {
            *value = load_16(cell);
        }
        let [first, second] = fours(values);
        store_32(&mut columns[2 * four][column], _mm256_xor_si256(first, more));
        store_32(&mut columns[2 * four + 1][column], _mm256_xor_si256(second, more));
    }
}

/// Leaves the sums of P pixels from the strip's pixel `x` on in `target`.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn tile<const P: usize, const K: usize, const G: usize, const S: usize>(
    columns: &Columns,
    x: usize,
    weights: &Weights<K, G>,
    start: [__m256i; 2],
    target: &mut [[i32; 8]],
) {
    let mut sums = [start; P];
    for half in 0..2 {
        for four in 0..G {
            let cells = &columns[2 * four + half][x * S..][..(P - 1) * S + K];
            let weights = &weights[four][half];
            for (column, cell) in cells.iter().enumerate() {
                let cell = load_32(cell);
                for pixel in 0..P {
                    if column >= pixel * S && column < pixel * S + K {
                        let weight = weights[column - pixel * S];
                        sums[pixel][half] = _mm256_dpbusd_avx_epi32(sums[pixel][half], cell, weight);
                    }
                }
            }
        }
    }
    for sums in &mut sums {
        *sums = turned(*sums);
    }
    leave(&sums, target);
}
