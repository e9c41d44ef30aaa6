//! `depthwise_f16_f32f16f32_4x8_neon`: four pixels by eight channels, `fmla`.
//!
//! Windows of 3x3 and 5x5 at steps of 1 and 2 read each cell once for the four pixels that see it, with their weights widened
//! beforehand; others are computed tap by tap, and so are channels beyond a multiple of eight.

use std::arch::aarch64::{float32x4_t, vdupq_n_f32, vfmaq_f32, vmaxq_f32, vminq_f32};
use std::ops::Range;

use super::{DepthwiseF16, Task};
use crate::arm::{load_f16x8, load_f32x4, store_f32x4};
use crate::geometry::Geometry;
use crate::strided::cells;

/// Channels of a block.
const BLOCK: usize = 8;

/// Pixels of a tile.
const TILE: usize = 4;

/// Bytes of input that a group of rows reads: half of a first cache of 64 KiB.
const GROUP: usize = 32768;

/// Eight channels.
type Eight = [float32x4_t; 2];

#[target_feature(enable = "neon")]
pub(super) fn run(mut task: Task<'_>) {
    let blocked = task.geometry.channels - task.geometry.channels % BLOCK;
    match (task.geometry.kernel, task.geometry.stride) {
        ([3, 3], [1, 1]) => windows::<3, 1>(&mut task, blocked),
        ([3, 3], [2, 2]) => windows::<3, 2>(&mut task, blocked),
        ([5, 5], [1, 1]) => windows::<5, 1>(&mut task, blocked),
        ([5, 5], [2, 2]) => windows::<5, 2>(&mut task, blocked),
        _ => anything(&mut task, blocked),
    }
    remainder(&mut task, blocked);
}

/// Windows of K x K cells, S apart: the channels before `blocked`, in groups of rows that stay in the cache.
#[inline(never)]
#[target_feature(enable = "neon")]
fn windows<const K: usize, const S: usize>(task: &mut Task<'_>, blocked: usize) {
    let Task { geometry, rows, input, depthwise, output } = task;
    let geometry = *geometry;
    let padding = [depthwise.pad_value; BLOCK];
    let bytes = geometry.input_width * geometry.channels * S * size_of::<f32>();
    let group = (GROUP / bytes.max(1)).max(4);
    for first in rows.clone().step_by(group) {
        for channel in (0..blocked).step_by(BLOCK) {
            let block = Block::<K>::new(depthwise, channel, geometry.channels);
            for y in first..rows.end.min(first + group) {
                let lines = Lines::<K, S>::new(geometry, input, &padding, [y, channel]);
                let start = (y - rows.start) * geometry.output_width * geometry.channels;
                row(&block, &lines, &mut output[start..][..geometry.output_width * geometry.channels]);
            }
        }
    }
}

/// A row of output pixels of one block.
#[inline(never)]
#[target_feature(enable = "neon")]
fn row<const K: usize, const S: usize>(block: &Block<K>, lines: &Lines<'_, K, S>, output: &mut [f32]) {
    let Geometry { channels, output_width, .. } = *lines.geometry;
    let mut store = |x: usize, sum: Eight| {
        let target = output[x * channels + block.channel..].first_chunk_mut::<BLOCK>().expect("eight channels");
        let (halves, _) = target.as_chunks_mut::<4>();
        for (half, sum) in halves.iter_mut().zip(sum) {
            store_f32x4(half, vminq_f32(vmaxq_f32(sum, block.low), block.high));
        }
    };
    let Range { start, end } = lines.geometry.columns_inside();
    let inside = if end - start < TILE { start..start } else { start..end };
    for x in (0..inside.start).chain(inside.end..output_width) {
        store(x, lines.window(block, x));
    }
    let mut x = inside.start;
    while x < inside.end {
        // The last tile reaches back into the one before it.
        x = x.min(inside.end - TILE);
        for (pixel, sum) in lines.tile(block, x).into_iter().enumerate() {
            store(x + pixel, sum);
        }
        x += TILE;
    }
}

/// What eight channels are computed with.
struct Block<const K: usize> {
    channel: usize,
    weights: [[Eight; K]; K],
    bias: Eight,
    low: float32x4_t,
    high: float32x4_t,
}

impl<const K: usize> Block<K> {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(depthwise: &DepthwiseF16<'_>, channel: usize, channels: usize) -> Self {
        let mut weights = [[[vdupq_n_f32(0.0); 2]; K]; K];
        for (tap, weight) in weights.as_flattened_mut().iter_mut().enumerate() {
            *weight = load_f16x8(eight(depthwise.weights, tap * channels + channel));
        }
        let bias = load(eight(depthwise.bias, channel));
        Self { channel, weights, bias, low: vdupq_n_f32(depthwise.low), high: vdupq_n_f32(depthwise.high) }
    }
}

/// The K lines of input that the windows of a row of output pixels see, those of padding included.
struct Lines<'a, const K: usize, const S: usize> {
    geometry: &'a Geometry,
    /// What a line lies in, where its first cell begins, and the distance from cell to cell: none where all are padding.
    lines: [(&'a [f32], usize, usize); K],
    padding: &'a [f32; BLOCK],
}

impl<'a, const K: usize, const S: usize> Lines<'a, K, S> {
    /// Those of row `y` of the output, for the block from `channel` on.
    fn new(geometry: &'a Geometry, input: &'a [f32], padding: &'a [f32; BLOCK], [y, channel]: [usize; 2]) -> Self {
        let line = |index: usize| {
            let row = (y * S + index).wrapping_sub(geometry.padding_top);
            if row < geometry.input_height {
                (input, row * geometry.input_width * geometry.channels + channel, geometry.channels)
            } else {
                (&padding[..], 0, 0)
            }
        };
        Self { geometry, lines: std::array::from_fn(line), padding }
    }

    /// The sums of [`TILE`] pixels from `x` on, whose windows lie inside of the lines.
    #[inline]
    #[target_feature(enable = "neon")]
    fn tile(&self, block: &Block<K>, x: usize) -> [Eight; TILE] {
        let left = x * S - self.geometry.padding_left;
        let mut sums = [block.bias; TILE];
        for ((source, start, stride), weights) in self.lines.iter().zip(&block.weights) {
            let line = cells::<_, BLOCK>(source, start + left * stride, *stride, (TILE - 1) * S + K);
            for (column, cell) in line.enumerate() {
                let cell = load(cell);
                for (pixel, sum) in sums.iter_mut().enumerate() {
                    if column >= pixel * S && column < pixel * S + K {
                        *sum = add_product(*sum, cell, weights[column - pixel * S]);
                    }
                }
            }
        }
        sums
    }

    /// The sums of pixel `x`, whose window may reach beyond the lines.
    #[inline]
    #[target_feature(enable = "neon")]
    fn window(&self, block: &Block<K>, x: usize) -> Eight {
        let mut sums = block.bias;
        for ((source, start, stride), weights) in self.lines.iter().zip(&block.weights) {
            for (index, weight) in weights.iter().enumerate() {
                let column = (x * S + index).wrapping_sub(self.geometry.padding_left);
                let cell = if column < self.geometry.input_width {
                    eight(source, start + column * stride)
                } else {
                    self.padding
                };
                sums = add_product(sums, load(cell), *weight);
            }
        }
        sums
    }
}

/// Any window and step, pixel by pixel and tap by tap: the channels before `blocked`.
#[target_feature(enable = "neon")]
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
#[target_feature(enable = "neon")]
fn block(task: &Task<'_>, y: usize, x: usize, channel: usize) -> [f32; BLOCK] {
    let (geometry, depthwise) = (task.geometry, task.depthwise);
    let mut sums = load(eight(depthwise.bias, channel));
    for tap in 0..geometry.taps() {
        let weights = load_f16x8(eight(depthwise.weights, tap * geometry.channels + channel));
        let cell = match geometry.pixel(y, x, tap) {
            Some(pixel) => load(eight(task.input, pixel * geometry.channels + channel)),
            None => [vdupq_n_f32(depthwise.pad_value); 2],
        };
        sums = add_product(sums, cell, weights);
    }
    let (low, high) = (vdupq_n_f32(depthwise.low), vdupq_n_f32(depthwise.high));
    let mut results = [0.0; BLOCK];
    let (halves, _) = results.as_chunks_mut::<4>();
    for (half, sum) in halves.iter_mut().zip(sums) {
        store_f32x4(half, vminq_f32(vmaxq_f32(sum, low), high));
    }
    results
}

#[inline]
#[target_feature(enable = "neon")]
fn add_product(sums: Eight, cell: Eight, weights: Eight) -> Eight {
    [vfmaq_f32(sums[0], cell[0], weights[0]), vfmaq_f32(sums[1], cell[1], weights[1])]
}

#[inline]
#[target_feature(enable = "neon")]
fn load(source: &[f32; BLOCK]) -> Eight {
    let (halves, _) = source.as_chunks::<4>();
    [load_f32x4(&halves[0]), load_f32x4(&halves[1])]
}

#[inline]
fn eight<T>(source: &[T], start: usize) -> &[T; BLOCK] {
    source[start..].first_chunk().expect("eight channels")
}
