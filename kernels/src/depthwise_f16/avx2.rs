//! `depthwise_f16_f32f16f32_4x8_avx2`: four pixels by eight channels, fused multiply-add.
//!
//! Windows of 3x3 and 5x5 at steps of 1 and 2 are laid out in columns, as in INT8, with their weights widened beforehand;
//! others are computed tap by tap, and so are channels beyond a multiple of eight.

use std::arch::x86_64::{__m256, _mm256_fmadd_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps, _mm256_setzero_ps};

use super::{DepthwiseF16, Task};
use crate::lines::{COLUMNS, Picture, strips, walk};
use crate::x86::{load_f16x8, load_f32x8, store_f32x8};

/// Channels of a block.
const BLOCK: usize = 8;

/// Pixels of a tile.
const TILE: usize = 4;

/// Output rows of a strip.
const HEIGHT: usize = 2;

/// Cells of the longest column: of two windows of five cells, two apart.
const CELLS: usize = 7;

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn run(mut task: Task<'_>) {
    let blocked = task.geometry.channels - task.geometry.channels % BLOCK;
    match (task.geometry.kernel, task.geometry.stride) {
        ([3, 3], [1, 1]) => windows::<3, 4, 1>(&mut task),
        ([3, 3], [2, 2]) => windows::<3, 5, 2>(&mut task),
        ([5, 5], [1, 1]) => windows::<5, 6, 1>(&mut task),
        ([5, 5], [2, 2]) => windows::<5, 7, 2>(&mut task),
        _ => anything(&mut task, blocked),
    }
    remainder(&mut task, blocked);
}

/// Windows of K x K cells, S apart; columns of L cells.
#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c")]
fn windows<const K: usize, const L: usize, const S: usize>(task: &mut Task<'_>) {
    let &mut Task { geometry, ref rows, input, depthwise, ref mut output } = task;
    let (width, channels) = (geometry.output_width, geometry.channels);
    let picture = Picture { geometry, input, padding: &[depthwise.pad_value; BLOCK] };
    let (low, high) = (_mm256_set1_ps(depthwise.low), _mm256_set1_ps(depthwise.high));
    let mut columns = [[[0.0; BLOCK]; COLUMNS]; CELLS];
    walk::<f32, BLOCK>(geometry, rows, |channel, group| {
        let weights = arrange::<K>(depthwise, channel, channels);
        let bias = load_f32x8(eight(depthwise.bias, channel));
        strips(geometry, rows, channel, (group, HEIGHT), |strip| {
            picture.columns::<K, L>(strip, |index, cells| {
                for (line, cell) in columns.iter_mut().zip(cells) {
                    line[index] = *cell;
                }
            });
            for row in 0..strip.rows {
                let mut x = 0;
                while x < strip.pixels {
                    // The last tile may reach beyond the strip: its columns hold old numbers, its results are dropped.
                    let sums = tile::<K, S>(&columns[row * S..], x, &weights, bias);
                    for (pixel, sum) in sums.into_iter().enumerate().take(strip.pixels - x) {
                        let start = (strip.first + row * width + x + pixel) * channels + channel;
                        let target = &mut output[start..].as_chunks_mut::<BLOCK>().0[0];
                        store_f32x8(target, _mm256_min_ps(_mm256_max_ps(sum, low), high));
                    }
                    x += TILE;
                }
            }
        });
    });
}

/// The weights of a block.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn arrange<const K: usize>(depthwise: &DepthwiseF16<'_>, channel: usize, channels: usize) -> [[__m256; K]; K] {
    let mut weights = [[_mm256_setzero_ps(); K]; K];
    for (row, weights) in weights.iter_mut().enumerate() {
        for (column, weight) in weights.iter_mut().enumerate() {
            *weight = load_f16x8(eight(depthwise.weights, (row * K + column) * channels + channel));
        }
    }
    weights
}

/// The sums of four pixels from the strip's pixel `x` on.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn tile<const K: usize, const S: usize>(
    lines: &[[[f32; BLOCK]; COLUMNS]],
    x: usize,
    weights: &[[__m256; K]; K],
    bias: __m256,
) -> [__m256; TILE] {
    let mut sums = [bias; TILE];
    for (line, weights) in lines.iter().zip(weights) {
        let cells = &line[x * S..][..(TILE - 1) * S + K];
        for (column, cell) in cells.iter().enumerate() {
            let cell = load_f32x8(cell);
            for (pixel, sum) in sums.iter_mut().enumerate() {
                if column >= pixel * S && column < pixel * S + K {
                    *sum = _mm256_fmadd_ps(cell, weights[column - pixel * S], *sum);
                }
            }
        }
    }
    sums
}

/// Any window and step, pixel by pixel and tap by tap: the channels before `blocked`.
#[target_feature(enable = "avx2,fma,f16c")]
fn anything(task: &mut Task<'_>, blocked: usize) {
    let mut start = 0;
    for y in task.rows.clone() {
        for x in 0..task.geometry.output_width {
            for channel in (0..blocked).step_by(BLOCK) {
                let results = block(task, y, x, channel);
                task.output[start + channel..][..BLOCK].copy_from_slice(&results);
            }
            start += task.geometry.channels;
        }
    }
}

/// The channels from `blocked` on.
fn remainder(task: &mut Task<'_>, blocked: usize) {
    let channels = task.geometry.channels;
    if blocked == channels {
        return;
    }
    let mut start = 0;
    for y in task.rows.clone() {
        for x in 0..task.geometry.output_width {
            for channel in blocked..channels {
                task.output[start + channel] = task.value(y, x, channel);
            }
            start += channels;
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn block(task: &Task<'_>, y: usize, x: usize, channel: usize) -> [f32; BLOCK] {
    let (geometry, depthwise) = (task.geometry, task.depthwise);
    let mut sum = load_f32x8(eight(depthwise.bias, channel));
    for tap in 0..geometry.taps() {
        let cell = match geometry.pixel(y, x, tap) {
            Some(pixel) => load_f32x8(eight(task.input, pixel * geometry.channels + channel)),
            None => _mm256_set1_ps(depthwise.pad_value),
        };
        let weights = load_f16x8(eight(depthwise.weights, tap * geometry.channels + channel));
        sum = _mm256_fmadd_ps(cell, weights, sum);
    }
    let (low, high) = (_mm256_set1_ps(depthwise.low), _mm256_set1_ps(depthwise.high));
    let mut results = [0.0; BLOCK];
    store_f32x8(&mut results, _mm256_min_ps(_mm256_max_ps(sum, low), high));
    results
}

#[inline]
fn eight<T>(source: &[T], start: usize) -> &[T; BLOCK] {
    &source[start..].as_chunks::<BLOCK>().0[0]
}
