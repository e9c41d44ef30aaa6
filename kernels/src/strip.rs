//! Windows over a picture of three channels, the first layer of a network, as rows of a matrix without a copy of each.
//!
//! A picture has four bytes a pixel, the last of which meets weights of zero. A *strip* holds what the windows of some
//! neighbouring output pixels see: column after column, of each the cells from top to bottom, of each three bytes. So a
//! window is one piece, as long as its real products, and those of neighbours overlap: rows of a matrix that begin a few
//! columns apart. The weights are put into the same order, once a call.

use std::arch::aarch64::{int8x16_t, int8x16x3_t, uint8x16_t, vqtbl3q_s8, vqtbx3q_s8};

use crate::arm::{load_i8x16, load_u8x16, store_i8x16};
use crate::conv::Task;
use crate::gemm::Gemm;
use crate::geometry::Geometry;
use crate::strided::{Group, Lines, Strided};

/// Bytes of columns in a strip: well within the first cache.
const BYTES: usize = 8192;

/// What is written behind the last column, or read behind the last window.
const SLACK: usize = 64;

/// Groups of weights that there is room for.
const GROUPS: usize = 256;

/// Real channels.
const CHANNELS: usize = 3;

/// Room for the weights in the order of a strip.
pub(crate) const fn room() -> [Group; GROUPS] {
    [[0; 32]; GROUPS]
}

/// The weights of `task` in the order of a strip, put into `room`, which is zero. `None` if strips are not made for such
/// windows: of other heights, too many weights, or a fourth channel.
pub(crate) fn reordered<'r>(task: &Task<'r>, room: &'r mut [Group; GROUPS]) -> Option<Gemm<'r>> {
    let [height, width] = task.geometry.kernel;
    let k = (height * width * CHANNELS).next_multiple_of(8);
    let panels = task.gemm.n.div_ceil(8);
    if !matches!(height, 3 | 6) || width * height * CHANNELS > BYTES / 4 || panels * k / 4 > GROUPS {
        return None;
    }
    for ((_, source), target) in task.gemm.panels(0).zip(room.chunks_exact_mut(k / 4)) {
        for (tap, group) in source.iter().take(height * width).enumerate() {
            let first = ((tap % width) * height + tap / width) * CHANNELS;
            for (n, weights) in group.as_chunks::<4>().0.iter().enumerate() {
                if weights[CHANNELS] != 0 {
                    return None;
                }
                for (channel, &weight) in weights[..CHANNELS].iter().enumerate() {
                    let k = first + channel;
                    target[k / 4][n * 4 + k % 4] = weight;
                }
            }
        }
    }
    Some(Gemm { k, weights: room.as_flattened(), ..*task.gemm })
}

/// The buffer, and the picture that it is filled from.
pub(crate) struct Strip<'a> {
    geometry: &'a Geometry,
    input: &'a [i8],
    pad_value: i8,
    /// Bytes a column.
    column: usize,
    buffer: [i8; BYTES + SLACK],
}

impl<'a> Strip<'a> {
    pub(crate) const fn new(task: &Task<'a>) -> Self {
        let column = task.geometry.kernel[0] * CHANNELS;
        Self {
            geometry: task.geometry,
            input: task.input,
            pad_value: task.pad_value,
            column,
            buffer: [0; BYTES + SLACK],
        }
    }

    /// How many neighbouring output pixels there is room for.
    pub(crate) const fn pixels(&self) -> usize {
        (BYTES / self.column - self.geometry.kernel[1]) / self.geometry.stride[1] + 1
    }

    /// The windows of the output pixels `x..x + pixels` of row y, as rows of `k` elements.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn windows(&mut self, y: usize, x: usize, pixels: usize, k: usize) -> Strided<'_> {
        let Geometry { input_width, kernel, stride, padding_left, .. } = *self.geometry;
        let wanted = (pixels - 1) * stride[1] + kernel[1];
        let first = x * stride[1];
        let before = padding_left.saturating_sub(first).min(wanted);
        let column = (first + before).saturating_sub(padding_left);
        let inside = input_width.saturating_sub(column).min(wanted - before);
        self.buffer[..before * self.column].fill(self.pad_value);
        if kernel[0] == 3 {
            self.fill::<1, 3>(y, column, before, inside);
        } else {
            self.fill::<2, 5>(y, column, before, inside);
        }
        self.buffer[(before + inside) * self.column..wanted * self.column].fill(self.pad_value);
        Strided {
            input: &self.buffer,
            start: 0,
            row_stride: stride[1] * self.column,
            pieces: 1,
            piece_stride: 0,
            length: k,
        }
    }

    /// Fills `count` columns of the buffer from its column `at` on with those of the picture from `column` on, four at a
    /// time: T times three rows, which are O registers of bytes and less.
    #[target_feature(enable = "neon")]
    fn fill<const T: usize, const O: usize>(&mut self, y: usize, column: usize, at: usize, count: usize) {
        let top = (y * self.geometry.stride[0]).wrapping_sub(self.geometry.padding_top);
        if count < 4 {
            return self.fill_cells(top, column, at, count);
        }
        let index = const { index::<T, O>() }.map(|table| registers(&table));
        let padding = [self.pad_value; 16];
        let Geometry { input_height, input_width, .. } = *self.geometry;
        let input = self.input;
        let lines = |column: usize, groups: usize| {
            std::array::from_fn::<_, T, _>(|table| {
                let line = |line: usize| {
                    let row = top.wrapping_add(3 * table + line);
                    let inside = row < input_height;
                    if inside { (input, (row * input_width + column) * 4, 16) } else { (&padding[..], 0, 0) }
                };
                Lines::new([line(0), line(1), line(2)], groups)
            })
        };
        // What is more than whole fours is made first, and its last columns again.
        let odd = count % 4;
        if odd > 0 {
            write::<T, O>(&mut lines(column, 1), &index, &mut self.buffer[at * self.column..]);
        }
        let mut lines = lines(column + odd, count / 4);
        let mut start = (at + odd) * self.column;
        while lines[0].has::<1>() {
            write::<T, O>(&mut lines, &index, &mut self.buffer[start..]);
            start += 4 * self.column;
        }
    }

    /// The same, cell by cell; row `top` of the picture may be a negative one that wrapped.
    #[cold]
    fn fill_cells(&mut self, top: usize, column: usize, at: usize, count: usize) {
        let Geometry { input_height, input_width, kernel, .. } = *self.geometry;
        for index in 0..count {
            for line in 0..kernel[0] {
                let row = top.wrapping_add(line);
                let cell = &mut self.buffer[(at + index) * self.column + line * CHANNELS..][..CHANNELS];
                if row < input_height {
                    cell.copy_from_slice(&self.input[(row * input_width + column + index) * 4..][..CHANNELS]);
                } else {
                    cell.fill(self.pad_value);
                }
            }
        }
    }
}

/// Where the bytes of four columns of T times three rows come from: for each table of three rows of four pixels, each
/// register of the result; 255 where a byte comes from another table, or is behind the columns.
const fn index<const T: usize, const O: usize>() -> [[[u8; 16]; O]; T] {
    let mut index = [[[255; 16]; O]; T];
    let column = 3 * T * CHANNELS;
    let mut byte = 0;
    while byte < 4 * column {
        let row = byte % column / CHANNELS;
        let place = (row % 3) * 16 + byte / column * 4 + byte % CHANNELS;
        index[row / 3][byte / 16][byte % 16] = place as u8;
        byte += 1;
    }
    index
}

#[inline]
#[target_feature(enable = "neon")]
fn registers<const O: usize>(bytes: &[[u8; 16]; O]) -> [uint8x16_t; O] {
    let mut registers = [load_u8x16(&bytes[0]); O];
    for (register, bytes) in registers.iter_mut().zip(bytes) {
        *register = load_u8x16(bytes);
    }
    registers
}

/// Writes the next four columns, and some bytes of no account behind them.
#[inline]
#[target_feature(enable = "neon")]
fn write<const T: usize, const O: usize>(
    lines: &mut [Lines<'_, 3>; T],
    index: &[[uint8x16_t; O]; T],
    target: &mut [i8],
) {
    let mut columns = [load_i8x16(&[0; 16]); O];
    for (table, (lines, index)) in lines.iter_mut().zip(index).enumerate() {
        let [a, b, c]: [int8x16_t; 3] = lines.next();
        let rows = int8x16x3_t(a, b, c);
        for (column, index) in columns.iter_mut().zip(index) {
            *column = if table == 0 { vqtbl3q_s8(rows, *index) } else { vqtbx3q_s8(*column, rows, *index) };
        }
    }
    let (target, _) = target[..O * 16].as_chunks_mut::<16>();
    for (target, column) in target.iter_mut().zip(columns) {
        store_i8x16(target, column);
    }
}
