//! `depthwise_i8i8i32_1x16_neon_dotprod`: windows of 3x3 by dot products, sixteen channels of a pixel at a time.
//!
//! A dot product wants four neighbouring bytes of one sum. So the three cells of a *column* of the window are laid side by
//! side, channel by channel, with a fourth byte that meets a weight of zero: one table look-up for four channels. A column
//! serves all windows that see it, so a pixel costs 12 `sdot` and, at a step of 1, one new column. Cells come straight from
//! the input; rows of padding are one cell that is read again and again.
//!
//! Other windows, and channels that are no whole sixteen, go the way of [`super::neon`].

use std::arch::aarch64::{
    int8x16_t, int8x16x3_t, int32x4_t, uint8x16_t, vaddq_u8, vandq_s8, vdupq_n_s8, vdupq_n_s32, vdupq_n_u8, vqtbl3q_s8,
    vreinterpretq_s8_s32,
};

use super::padded::BLOCK;
use super::{Task, neon};
use crate::arm::{load_i8x16, load_u8x16, store_i8x16};
use crate::dot::{Column, Window};
use crate::epilogue::form;
use crate::epilogue::neon::Pixels;
use crate::strided::{CellsMut, Lines};

/// Bytes of input that a group of rows reads: half of a first cache of 64 KiB.
const GROUP: usize = 32768;

/// Sums of sixteen channels.
type Sums = [int32x4_t; 4];

#[target_feature(enable = "neon,dotprod")]
pub(super) fn run(mut task: Task<'_>) {
    let geometry = task.geometry;
    let fits = geometry.kernel == [3, 3] && geometry.padding_left < 3 && geometry.input_width > 0;
    let step = if geometry.stride[0] == geometry.stride[1] { geometry.stride[1] } else { 0 };
    if !(fits && matches!(step, 1 | 2) && geometry.channels >= BLOCK) {
        return neon::run(task);
    }
    let after = geometry.channels / BLOCK * BLOCK;
    let group = (GROUP / (geometry.input_width * geometry.channels * step)).max(4);
    let rows = task.rows.clone();
    for first in rows.clone().step_by(group) {
        for channel in (0..after).step_by(BLOCK) {
            let block = Block::new(&task, channel);
            for y in first..rows.end.min(first + group) {
                let pixel = (y - rows.start) * geometry.output_width;
                if step == 1 {
                    by_form::<1>(&block, y, pixel, &mut task);
                } else {
                    by_form::<2>(&block, y, pixel, &mut task);
                }
            }
        }
    }
    if after < geometry.channels {
        neon::channels(task, after);
    }
}

/// Sixteen channels.
struct Block<'a> {
    channel: usize,
    window: Window,
    pixels: Pixels<'a>,
    /// A cell of padding.
    padding: [i8; BLOCK],
    form: u8,
}

impl<'a> Block<'a> {
    #[target_feature(enable = "neon")]
    fn new(task: &Task<'a>, channel: usize) -> Self {
        let padded = task.geometry.channels.next_multiple_of(BLOCK);
        let index = index();
        let bias = *task.depthwise.bias[channel..].first_chunk().expect("biases are padded to 16");
        let mut window = Window { bias, columns: [[[0; BLOCK]; 4]; 3] };
        for (x, column) in window.columns.iter_mut().enumerate() {
            let mut cells = [vdupq_n_s8(0); 3];
            for (y, cell) in cells.iter_mut().enumerate() {
                let weights = &task.depthwise.weights[(3 * y + x) * padded + channel..];
                *cell = load_i8x16(weights.first_chunk().expect("packed weights"));
            }
            let fourth = vreinterpretq_s8_s32(vdupq_n_s32(0x00ff_ffff));
            for (bytes, quad) in column.iter_mut().zip(side_by_side(cells, &index)) {
                store_i8x16(bytes, vandq_s8(quad, fourth));
            }
        }
        Self {
            channel,
            window,
            pixels: Pixels::new(task.depthwise.bias, &task.requantize, channel),
            padding: [task.depthwise.pad_value; BLOCK],
            form: task.requantize.form(),
        }
    }
}

/// Which bytes of three cells stand in the registers of a column.
#[inline]
#[target_feature(enable = "neon")]
fn index() -> [uint8x16_t; 4] {
    let first = load_u8x16(&[0, 16, 32, 0, 1, 17, 33, 1, 2, 18, 34, 2, 3, 19, 35, 3]);
    [0, 4, 8, 12].map(|channel| vaddq_u8(first, vdupq_n_u8(channel)))
}

/// A column of three cells.
#[inline]
#[target_feature(enable = "neon")]
fn side_by_side([a, b, c]: [int8x16_t; 3], index: &[uint8x16_t; 4]) -> Column {
    let cells = int8x16x3_t(a, b, c);
    [vqtbl3q_s8(cells, index[0]), vqtbl3q_s8(cells, index[1]), vqtbl3q_s8(cells, index[2]), vqtbl3q_s8(cells, index[3])]
}

/// The columns that the windows of a row of pixels see, from the left.
struct Columns<'a> {
    /// So many columns of padding come first.
    before: usize,
    lines: Lines<'a, 3>,
    padding: int8x16_t,
    index: [uint8x16_t; 4],
}

impl Columns<'_> {
    /// The next one, wherever it lies.
    #[inline]
    #[target_feature(enable = "neon")]
    fn next(&mut self) -> Column {
        if self.before == 0 && self.lines.has::<1>() {
            return self.inside();
        }
        self.before = self.before.saturating_sub(1);
        side_by_side([self.padding; 3], &self.index)
    }

    /// The next one, which lies inside of the picture. Ask [`Lines::has`] first.
    #[inline]
    #[target_feature(enable = "neon")]
    fn inside(&mut self) -> Column {
        side_by_side(self.lines.next(), &self.index)
    }
}

/// See [`row`].
#[target_feature(enable = "neon,dotprod")]
fn by_form<const S: usize>(block: &Block<'_>, y: usize, pixel: usize, task: &mut Task<'_>) {
    match block.form {
        form::CLAMP => row::<{ form::CLAMP }, S>(block, y, pixel, task),
        form::PLAIN => row::<{ form::PLAIN }, S>(block, y, pixel, task),
        form::RELU => row::<{ form::RELU }, S>(block, y, pixel, task),
        form::RESIDUAL => row::<{ form::RESIDUAL }, S>(block, y, pixel, task),
        form::LEAKY => row::<{ form::LEAKY }, S>(block, y, pixel, task),
        form::BUMP => row::<{ form::BUMP }, S>(block, y, pixel, task),
        _ => row::<{ form::OTHER }, S>(block, y, pixel, task),
    }
}

/// The pixels of row y of the output, the first of which is number `pixel`, at a step of S.
#[inline(never)]
#[target_feature(enable = "neon,dotprod")]
fn row<const FORM: u8, const S: usize>(block: &Block<'_>, y: usize, pixel: usize, task: &mut Task<'_>) {
    let (geometry, mut pixel) = (task.geometry, pixel);
    let mut lines = [(&block.padding[..], 0, 0); 3];
    for (index, line) in lines.iter_mut().enumerate() {
        let row = (y * S + index).wrapping_sub(geometry.padding_top);
        if row < geometry.input_height {
            let start = row * geometry.input_width * geometry.channels + block.channel;
            *line = (task.input, start, geometry.channels);
        }
    }
    let lines = Lines::new(lines, geometry.input_width);
    let padding = load_i8x16(&block.padding);
    let mut columns = Columns { before: geometry.padding_left, lines, padding, index: index() };
    let start = pixel * task.output_stride + block.channel;
    let mut targets = CellsMut::<BLOCK>::new(task.output, start, task.output_stride, geometry.output_width);
    let mut store = |sums: Sums, target: &mut [i8; BLOCK]| {
        if FORM == form::OTHER {
            block.pixels.store_other(sums, pixel, target);
        } else {
            block.pixels.store::<FORM>(sums, block.pixels.residual::<FORM>(pixel), target);
        }
        pixel += 1;
    };
    let mut a = columns.next();
    if S == 1 {
        let mut b = columns.next();
        while targets.has::<3>() && columns.lines.has::<3>() {
            let [first, second, third] = targets.next();
            let c = columns.inside();
            store(block.window.sums([&a, &b, &c]), first);
            a = columns.inside();
            store(block.window.sums([&b, &c, &a]), second);
            b = columns.inside();
            store(block.window.sums([&c, &a, &b]), third);
        }
        while targets.has::<1>() {
            let [target] = targets.next();
            let c = columns.next();
            store(block.window.sums([&a, &b, &c]), target);
            (a, b) = (b, c);
        }
    } else {
        while targets.has::<2>() && columns.before == 0 && columns.lines.has::<4>() {
            let [first, second] = targets.next();
            let (b, c) = (columns.inside(), columns.inside());
            store(block.window.sums([&a, &b, &c]), first);
            let b = columns.inside();
            a = columns.inside();
            store(block.window.sums([&c, &b, &a]), second);
        }
        while targets.has::<1>() {
            let [target] = targets.next();
            let (b, c) = (columns.next(), columns.next());
            store(block.window.sums([&a, &b, &c]), target);
            a = c;
        }
    }
}
