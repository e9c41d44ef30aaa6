//! `depthwise_i8i8i32_1x16_neon`: sixteen channels of a pixel at a time.
//!
//! Two taps share a 16-bit lane (`smull`, `smlal`: at most 2 x 128 x 127 = 32512), then `saddw` takes them to 32 bits.
//! Windows of 3x3 slide over the input ([`super::slide`]), those of 5x5 over [`Lines`]; any other goes cell by cell.

use std::arch::aarch64::{
    int8x16_t, int16x8_t, int32x4_t, vaddw_high_s16, vaddw_s16, vdupq_n_s8, vdupq_n_s32, vget_low_s8, vget_low_s16,
    vmlal_s8, vmull_s8,
};

use super::Task;
use super::padded::{BLOCK, Cell, LINE, Lines, Part, columns};
use super::slide::{fits, slide};
use crate::arm::{load_i8x16, load_i32x4, multiply_add_high, multiply_high};
use crate::epilogue::form;
use crate::epilogue::neon::Pixels;
use crate::strided::cells_mut;

/// Steps of two cells that a line has room for; a constant, so that the compiler sees that windows lie within a line.
const PAIRS: usize = columns(2);

/// Sums of sixteen channels.
type Sums = [int32x4_t; 4];

slide!("neon");

#[target_feature(enable = "neon")]
pub(super) fn run(mut task: Task<'_>) {
    match (task.geometry.kernel, task.geometry.stride) {
        _ if fits(task.geometry) => {
            let after = sixteens(&mut task);
            anywhere(task, after);
        }
        ([5, 5], [1, 1]) => lines::<5, 6, 1>(task),
        ([5, 5], [2, 2]) => lines::<5, 6, 2>(task),
        _ => anywhere(task, 0),
    }
}

/// Cells of a window by columns.
type Column = [int8x16_t; 3];

/// A column is its cells.
type Index = ();

#[inline]
const fn index() -> Index {}

#[inline]
const fn column(cells: [int8x16_t; 3], (): &Index) -> Column {
    cells
}

/// Biases and weights, by columns.
struct Window {
    bias: Sums,
    columns: [Column; 3],
}

/// The numbers of the channels `channel..channel + 16`.
#[target_feature(enable = "neon")]
fn window(task: &Task<'_>, channel: usize) -> Window {
    let rows = weights::<3>(task, channel);
    let bias = task.depthwise.bias[channel..].first_chunk::<BLOCK>().expect("biases are padded to 16");
    let mut window = Window { bias: [vdupq_n_s32(0); 4], columns: [[rows[0][0]; 3]; 3] };
    for (bias, four) in window.bias.iter_mut().zip(bias.as_chunks::<4>().0) {
        *bias = load_i32x4(four);
    }
    for (x, column) in window.columns.iter_mut().enumerate() {
        *column = [rows[0][x], rows[1][x], rows[2][x]];
    }
    window
}

impl Window {
    /// The sums of a window.
    #[inline]
    #[target_feature(enable = "neon")]
    fn sums(&self, [a, b, c]: [&Column; 3]) -> Sums {
        let [u, v, w] = &self.columns;
        let sums = add_two(self.bias, [a[0], a[1]], [u[0], u[1]]);
        let sums = add_two(sums, [a[2], b[2]], [u[2], v[2]]);
        let sums = add_two(sums, [b[0], b[1]], [v[0], v[1]]);
        let sums = add_two(sums, [c[0], c[1]], [w[0], w[1]]);
        add_one(sums, c[2], w[2])
    }
}

/// K x K windows over padded lines at a stride of S; W = K + 1 cells in a row hold two windows at a stride of 1.
#[target_feature(enable = "neon")]
fn lines<const K: usize, const W: usize, const S: usize>(mut task: Task<'_>) {
    let geometry = task.geometry;
    let mut lines = Lines::<K>::new();
    for channel in (0..geometry.channels).step_by(BLOCK) {
        let pixels = Pixels::new(task.depthwise.bias, &task.requantize, channel);
        let weights = weights::<K>(&task, channel);
        let count = (geometry.channels - channel).min(BLOCK);
        let form = if count == BLOCK { task.requantize.form() } else { form::OTHER };
        for column in (0..geometry.output_width).step_by(columns(S)) {
            let part = Part {
                geometry,
                input: task.input,
                pad_value: task.depthwise.pad_value,
                channel,
                count,
                column,
                width: (geometry.output_width - column).min(columns(S)),
            };
            for y in task.rows.clone() {
                let lines = lines.at(&part, y, y == task.rows.start);
                let pixel = (y - task.rows.start) * geometry.output_width + column;
                match form {
                    form::CLAMP => line::<{ form::CLAMP }, K, W, S>(lines, &weights, &pixels, &part, pixel, &mut task),
                    form::PLAIN => line::<{ form::PLAIN }, K, W, S>(lines, &weights, &pixels, &part, pixel, &mut task),
                    form::RELU => line::<{ form::RELU }, K, W, S>(lines, &weights, &pixels, &part, pixel, &mut task),
                    form::RESIDUAL => {
                        line::<{ form::RESIDUAL }, K, W, S>(lines, &weights, &pixels, &part, pixel, &mut task)
                    }
                    form::LEAKY => line::<{ form::LEAKY }, K, W, S>(lines, &weights, &pixels, &part, pixel, &mut task),
                    form::BUMP => line::<{ form::BUMP }, K, W, S>(lines, &weights, &pixels, &part, pixel, &mut task),
                    form::BUMP_6 => {
                        line::<{ form::BUMP_6 }, K, W, S>(lines, &weights, &pixels, &part, pixel, &mut task)
                    }
                    form::BUMP_7 => {
                        line::<{ form::BUMP_7 }, K, W, S>(lines, &weights, &pixels, &part, pixel, &mut task)
                    }
                    _ => line_other::<K, S>(lines, &weights, &pixels, &part, pixel, &mut task),
                }
            }
        }
    }
}

/// The weights of sixteen channels.
#[inline]
#[target_feature(enable = "neon")]
fn weights<const K: usize>(task: &Task<'_>, channel: usize) -> [[int8x16_t; K]; K] {
    let padded = task.geometry.channels.next_multiple_of(BLOCK);
    let mut weights = [[vdupq_n_s8(0); K]; K];
    for (tap, weight) in weights.as_flattened_mut().iter_mut().enumerate() {
        *weight = load_i8x16(task.depthwise.weights[tap * padded + channel..].first_chunk().expect("packed weights"));
    }
    weights
}

/// A row of pixels of sixteen channels.
#[inline(never)]
#[target_feature(enable = "neon")]
fn line<const FORM: u8, const K: usize, const W: usize, const S: usize>(
    lines: [&[Cell; LINE]; K],
    weights: &[[int8x16_t; K]; K],
    pixels: &Pixels<'_>,
    part: &Part<'_>,
    pixel: usize,
    task: &mut Task<'_>,
) {
    let (stride, width) = (task.output_stride, part.width);
    let start = pixel * stride + part.channel;
    if S > 1 {
        for (x, [target]) in cells_mut::<BLOCK, 1>(task.output, start, stride, width.min(PAIRS)).enumerate() {
            let window = cut::<K, W>(&lines, x);
            pixels.store::<FORM>(
                line_sums(&window, 0, weights, pixels.bias),
                pixels.residual::<FORM>(pixel + x),
                target,
            );
        }
        return;
    }
    let pairs = (width / 2).min(PAIRS);
    for (step, [left, right]) in cells_mut::<BLOCK, 2>(task.output, start, stride, pairs).enumerate() {
        let (window, pixel) = (cut::<K, W>(&lines, step), pixel + 2 * step);
        pixels.store::<FORM>(line_sums(&window, 0, weights, pixels.bias), pixels.residual::<FORM>(pixel), left);
        pixels.store::<FORM>(line_sums(&window, 1, weights, pixels.bias), pixels.residual::<FORM>(pixel + 1), right);
    }
    if width % 2 == 1 {
        let last = line_sums(&cut::<K, W>(&lines, width / 2), 0, weights, pixels.bias);
        for [target] in cells_mut::<BLOCK, 1>(task.output, start + (width - 1) * stride, stride, 1) {
            pixels.store::<FORM>(last, pixels.residual::<FORM>(pixel + width - 1), target);
        }
    }
}

/// Cells 2 x `step` and W - 1 more of each line.
#[inline(always)]
fn cut<'a, const K: usize, const W: usize>(lines: &[&'a [Cell; LINE]; K], step: usize) -> [&'a [Cell; W]; K] {
    std::array::from_fn(|line| lines[line][2 * step..2 * step + W].first_chunk().expect("W cells"))
}

/// The same by the slow epilogue.
#[inline(never)]
#[target_feature(enable = "neon")]
fn line_other<const K: usize, const S: usize>(
    lines: [&[Cell; LINE]; K],
    weights: &[[int8x16_t; K]; K],
    pixels: &Pixels<'_>,
    part: &Part<'_>,
    pixel: usize,
    task: &mut Task<'_>,
) {
    for x in 0..part.width {
        let window = lines.map(|line| &line[x * S..]);
        let mut all = pixels.bias;
        for (line, weights) in window.iter().zip(weights) {
            for (cell, weight) in line.iter().zip(weights) {
                all = add_one(all, load_i8x16(cell), *weight);
            }
        }
        let target = &mut task.output[(pixel + x) * task.output_stride + part.channel..][..part.count];
        pixels.store_other(all, pixel + x, target);
    }
}

/// The sums of the window that begins `dx` cells to the right.
#[inline]
#[target_feature(enable = "neon")]
fn line_sums<const K: usize, const W: usize>(
    cells: &[&[Cell; W]; K],
    dx: usize,
    weights: &[[int8x16_t; K]; K],
    bias: Sums,
) -> Sums {
    // Loops of constant length over constant places, which the compiler unrolls.
    let mut sums = bias;
    for row in 0..K / 2 {
        let (near, far) = (2 * row, 2 * row + 1);
        for x in 0..K {
            let pair = [load_i8x16(&cells[near][x + dx]), load_i8x16(&cells[far][x + dx])];
            sums = add_two(sums, pair, [weights[near][x], weights[far][x]]);
        }
    }
    let (cells, weights) = (cells[K - 1], &weights[K - 1]);
    for x in 0..K / 2 {
        let pair = [load_i8x16(&cells[2 * x + dx]), load_i8x16(&cells[2 * x + 1 + dx])];
        sums = add_two(sums, pair, [weights[2 * x], weights[2 * x + 1]]);
    }
    add_one(sums, load_i8x16(&cells[K - 1 + dx]), weights[K - 1])
}

/// Any window at any place, cell by cell, of the channels from `from` on.
#[target_feature(enable = "neon")]
pub(super) fn anywhere(task: Task<'_>, from: usize) {
    let geometry = task.geometry;
    let padded = geometry.channels.next_multiple_of(BLOCK);
    for channel in (from..geometry.channels).step_by(BLOCK) {
        let pixels = Pixels::new(task.depthwise.bias, &task.requantize, channel);
        let count = (geometry.channels - channel).min(BLOCK);
        let mut pixel = 0;
        for y in task.rows.clone() {
            for x in 0..geometry.output_width {
                let mut sums = pixels.bias;
                for tap in 0..geometry.taps() {
                    let mut cell = [task.depthwise.pad_value; BLOCK];
                    if let Some(pixel) = geometry.pixel(y, x, tap) {
                        let source = &task.input[pixel * geometry.channels + channel..][..count];
                        cell[..count].copy_from_slice(source);
                    }
                    let weight = task.depthwise.weights[tap * padded + channel..].first_chunk();
                    sums = add_one(sums, load_i8x16(&cell), load_i8x16(weight.expect("packed weights")));
                }
                let target = &mut task.output[pixel * task.output_stride + channel..][..count];
                pixels.store_other(sums, pixel, target);
                pixel += 1;
            }
        }
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
