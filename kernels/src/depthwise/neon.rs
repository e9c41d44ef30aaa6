//! `depthwise_i8i8i32_1x16_neon`: sixteen channels of a pixel at a time.
//!
//! Two taps share a 16-bit lane (`smull`, `smlal`: at most 2 x 128 x 127 = 32512), then `saddw` takes them to 32 bits. A
//! 3x3 window that lies inside of the input has its nine weights in registers and no test of its cells.

use std::arch::aarch64::{
    int8x16_t, int16x8_t, int32x4_t, vaddw_high_s16, vaddw_s16, vdupq_n_s8, vget_low_s8, vget_low_s16, vmlal_s8,
    vmull_s8,
};

use super::{Task, scalar};
use crate::arm::{load_i8x16, load_i32x4, multiply_add_high, multiply_high};
use crate::epilogue::neon::Requantizer;
use crate::geometry::Geometry;

/// Channels a block.
const BLOCK: usize = 16;

/// Sums of sixteen channels.
type Sums = [int32x4_t; 4];

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    if !task.geometry.channels.is_multiple_of(BLOCK) {
        return scalar::run(task); // a picture of up to 4 channels: no network has such a layer
    }
    let Task { geometry, rows, input, depthwise, requantize, output, output_stride } = task;
    let columns = geometry.columns_inside();
    let (input, weights) = (input.as_chunks::<BLOCK>().0, depthwise.weights.as_chunks::<BLOCK>().0);
    let blocks = geometry.channels / BLOCK;
    for block in 0..blocks {
        let (bias, _) = depthwise.bias[block * BLOCK..][..BLOCK].as_chunks::<4>();
        let bias = [0, 1, 2, 3].map(|quad| load_i32x4(&bias[quad]));
        let requantizers = [0, 8].map(|half| Requantizer::new(&requantize, block * BLOCK + half, 8));
        let window = Window { geometry, input, block, blocks, weights, pad_value: depthwise.pad_value };
        let nine: Option<[_; 9]> =
            (geometry.kernel == [3, 3]).then(|| [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|tap| window.weight(tap)));
        let mut pixel = 0;
        for y in rows.clone() {
            let inside = nine.as_ref().zip(geometry.rows_inside(y));
            for x in 0..geometry.output_width {
                let sums = match inside {
                    Some((nine, top)) if columns.contains(&x) => window.inside(bias, nine, top, x),
                    _ => window.anywhere(bias, y, x),
                };
                let target = &mut output[pixel * output_stride..];
                requantizers[0].store([sums[0], sums[1]], pixel, target);
                requantizers[1].store([sums[2], sums[3]], pixel, target);
                pixel += 1;
            }
        }
    }
}

/// The windows of sixteen channels; pictures and weights as blocks of sixteen.
struct Window<'a> {
    geometry: &'a Geometry,
    input: &'a [[i8; BLOCK]],
    block: usize,
    blocks: usize,
    weights: &'a [[i8; BLOCK]],
    pad_value: i8,
}

impl Window<'_> {
    #[inline]
    #[target_feature(enable = "neon")]
    fn weight(&self, tap: usize) -> int8x16_t {
        load_i8x16(&self.weights[tap * self.blocks + self.block])
    }

    /// The window of column x, which lies inside of the input, as do the rows from `top` on.
    #[inline]
    #[target_feature(enable = "neon")]
    fn inside(&self, sums: Sums, weights: &[int8x16_t; 9], top: usize, x: usize) -> Sums {
        let left = x * self.geometry.stride[1] - self.geometry.padding_left;
        let mut first = (top * self.geometry.input_width + left) * self.blocks + self.block;
        let mut cells = [vdupq_n_s8(0); 9];
        for row in cells.as_chunks_mut::<3>().0 {
            let line = &self.input[first..=first + 2 * self.blocks];
            *row = [0, self.blocks, 2 * self.blocks].map(|at| load_i8x16(&line[at]));
            first += self.geometry.input_width * self.blocks;
        }
        let mut sums = sums;
        for pair in [0, 2, 4, 6] {
            sums = add_two(sums, [cells[pair], cells[pair + 1]], [weights[pair], weights[pair + 1]]);
        }
        add_one(sums, cells[8], weights[8])
    }

    /// Any window at any place.
    #[inline]
    #[target_feature(enable = "neon")]
    fn anywhere(&self, sums: Sums, y: usize, x: usize) -> Sums {
        let mut sums = sums;
        for tap in 0..self.geometry.taps() {
            let cell = match self.geometry.pixel(y, x, tap) {
                Some(pixel) => load_i8x16(&self.input[pixel * self.blocks + self.block]),
                None => vdupq_n_s8(self.pad_value),
            };
            sums = add_one(sums, cell, self.weight(tap));
        }
        sums
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn add_two(sums: Sums, cells: [int8x16_t; 2], weights: [int8x16_t; 2]) -> Sums {
    let low = vmull_s8(vget_low_s8(cells[0]), vget_low_s8(weights[0]));
    let high = multiply_high(cells[0], weights[0]);
    let low = vmlal_s8(low, vget_low_s8(cells[1]), vget_low_s8(weights[1]));
    let high = multiply_add_high(high, cells[1], weights[1]);
    widen(sums, low, high)
}

#[inline]
#[target_feature(enable = "neon")]
fn add_one(sums: Sums, cell: int8x16_t, weight: int8x16_t) -> Sums {
    widen(sums, vmull_s8(vget_low_s8(cell), vget_low_s8(weight)), multiply_high(cell, weight))
}

#[inline]
#[target_feature(enable = "neon")]
fn widen(sums: Sums, low: int16x8_t, high: int16x8_t) -> Sums {
    [
        vaddw_s16(sums[0], vget_low_s16(low)),
        vaddw_high_s16(sums[1], low),
        vaddw_s16(sums[2], vget_low_s16(high)),
        vaddw_high_s16(sums[3], high),
    ]
}
