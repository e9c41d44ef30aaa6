//! `depthwise_i8i8i32_1x16_neon`: sixteen channels of a pixel at a time.
//!
//! Two taps share a 16-bit lane (`smull`, `smlal`: at most 2 x 128 x 127 = 32512), then `saddw` takes them to 32 bits. A
//! 3x3 window that lies inside of the input has its nine weights in registers and no test of its cells.

use std::arch::aarch64::{
    int8x16_t, int32x4_t, vaddq_s32, vaddw_high_s16, vaddw_s16, vdupq_n_s8, vdupq_n_s32, vget_low_s8, vget_low_s16,
    vmlal_high_s8, vmlal_s8, vmull_high_s8, vmull_s8,
};

use super::{Task, scalar};
use crate::arm::{load_i8x16, load_i32x4};
use crate::epilogue::neon::Requantizer;

/// Channels a block.
const BLOCK: usize = 16;

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    if !task.geometry.channels.is_multiple_of(BLOCK) {
        return scalar::run(task); // a picture of up to 4 channels: no network has such a layer
    }
    let Task { geometry, rows, input, depthwise, requantize, output, output_stride } = task;
    for channel in (0..geometry.channels).step_by(BLOCK) {
        let block = Block::new(&depthwise.bias[channel..][..BLOCK]);
        let requantizers = [0, 8].map(|half| Requantizer::new(&requantize, channel + half, 8));
        let window =
            Window { task: (geometry, input), channel, weights: depthwise.weights, pad_value: depthwise.pad_value };
        let nine = (geometry.kernel == [3, 3]).then(|| std::array::from_fn(|tap| window.weight(tap)));
        let mut pixel = 0;
        for y in rows.clone() {
            for x in 0..geometry.output_width {
                let inside = nine.as_ref().zip(geometry.inside(y, x));
                let sums = match inside {
                    Some((nine, corner)) => window.inside(nine, corner),
                    None => window.anywhere(y, x),
                };
                let target = &mut output[pixel * output_stride..];
                requantizers[0].store(block.finish(sums, 0), pixel, target);
                requantizers[1].store(block.finish(sums, 2), pixel, target);
                pixel += 1;
            }
        }
    }
}

/// Biases of sixteen channels.
struct Block {
    bias: [int32x4_t; 4],
}

impl Block {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(bias: &[i32]) -> Self {
        let (quads, _) = bias.as_chunks::<4>();
        Self { bias: [0, 1, 2, 3].map(|quad| load_i32x4(&quads[quad])) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn finish(&self, sums: [int32x4_t; 4], quad: usize) -> [int32x4_t; 2] {
        [quad, quad + 1].map(|quad| vaddq_s32(sums[quad], self.bias[quad]))
    }
}

/// The windows of sixteen channels.
struct Window<'a> {
    task: (&'a crate::geometry::Geometry, &'a [i8]),
    channel: usize,
    weights: &'a [i8],
    pad_value: i8,
}

impl Window<'_> {
    #[inline]
    #[target_feature(enable = "neon")]
    fn weight(&self, tap: usize) -> int8x16_t {
        load_i8x16(sixteen(self.weights, tap * self.task.0.channels + self.channel))
    }

    /// A window whose upper left cell is pixel `corner` and that lies inside of the input.
    #[inline]
    #[target_feature(enable = "neon")]
    fn inside(&self, weights: &[int8x16_t; 9], corner: usize) -> [int32x4_t; 4] {
        let (geometry, input) = self.task;
        let mut cells = [vdupq_n_s8(0); 9];
        for row in 0..3 {
            let start = (corner + row * geometry.input_width) * geometry.channels + self.channel;
            let line = &input[start..][..2 * geometry.channels + BLOCK];
            for column in 0..3 {
                cells[3 * row + column] = load_i8x16(sixteen(line, column * geometry.channels));
            }
        }
        let mut sums = [vdupq_n_s32(0); 4];
        for pair in 0..4 {
            sums = add_two(sums, [cells[2 * pair], cells[2 * pair + 1]], [weights[2 * pair], weights[2 * pair + 1]]);
        }
        add_one(sums, cells[8], weights[8])
    }

    /// Any window at any place.
    #[inline]
    #[target_feature(enable = "neon")]
    fn anywhere(&self, y: usize, x: usize) -> [int32x4_t; 4] {
        let (geometry, input) = self.task;
        let mut sums = [vdupq_n_s32(0); 4];
        for tap in 0..geometry.taps() {
            let cell = match geometry.pixel(y, x, tap) {
                Some(pixel) => load_i8x16(sixteen(input, pixel * geometry.channels + self.channel)),
                None => vdupq_n_s8(self.pad_value),
            };
            sums = add_one(sums, cell, self.weight(tap));
        }
        sums
    }
}

#[inline]
fn sixteen(source: &[i8], start: usize) -> &[i8; BLOCK] {
    &source[start..].as_chunks::<BLOCK>().0[0]
}

#[inline]
#[target_feature(enable = "neon")]
fn add_two(sums: [int32x4_t; 4], cells: [int8x16_t; 2], weights: [int8x16_t; 2]) -> [int32x4_t; 4] {
    let low = vmull_s8(vget_low_s8(cells[0]), vget_low_s8(weights[0]));
    let high = vmull_high_s8(cells[0], weights[0]);
    let low = vmlal_s8(low, vget_low_s8(cells[1]), vget_low_s8(weights[1]));
    let high = vmlal_high_s8(high, cells[1], weights[1]);
    widen(sums, low, high)
}

#[inline]
#[target_feature(enable = "neon")]
fn add_one(sums: [int32x4_t; 4], cell: int8x16_t, weight: int8x16_t) -> [int32x4_t; 4] {
    widen(sums, vmull_s8(vget_low_s8(cell), vget_low_s8(weight)), vmull_high_s8(cell, weight))
}

#[inline]
#[target_feature(enable = "neon")]
fn widen(
    sums: [int32x4_t; 4],
    low: std::arch::aarch64::int16x8_t,
    high: std::arch::aarch64::int16x8_t,
) -> [int32x4_t; 4] {
    [
        vaddw_s16(sums[0], vget_low_s16(low)),
        vaddw_high_s16(sums[1], low),
        vaddw_s16(sums[2], vget_low_s16(high)),
        vaddw_high_s16(sums[3], high),
    ]
}
