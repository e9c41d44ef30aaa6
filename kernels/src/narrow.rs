//! Windows over a picture of four channels, the first layer of a network, without a copy of each window.
//!
//! A row of a window is a run of cells of a line, and a cell of four channels is a group as a multiplication eats it. So
//! lines are turned into groups once, with their padding, and tiles read their windows straight from them.

use std::ops::Range;

use crate::bands::PANEL;
use crate::geometry::Geometry;

/// Cells of a line in the buffer: two registers short of 2 KiB, so that lines do not all want the same place in the cache.
const CELLS: usize = 264;

/// Lines of the highest window.
const LINES: usize = 8;

/// Widest window: a strip has at least a hundred pixels at a step of two.
const WIDTH: usize = 16;

/// Lines of groups.
pub(crate) type Lines<T> = [[T; CELLS]; LINES];

/// An empty buffer of lines.
pub(crate) const fn lines<T: Copy>(group: T) -> Lines<T> {
    [[group; CELLS]; LINES]
}

/// Whether [`sweep`] takes such windows.
pub(crate) const fn fits(geometry: &Geometry) -> bool {
    let [height, width] = geometry.kernel;
    geometry.channels == 4 && height <= LINES && width <= WIDTH && geometry.stride[1] <= WIDTH
}

/// Some output pixels of a row, and the lines that their windows see.
pub(crate) struct Strip<'a, T> {
    lines: &'a [[T; CELLS]],
    width: usize,
    step: usize,
    /// How many pixels.
    pub(crate) pixels: usize,
    /// The first one's number among those of the asked rows.
    pub(crate) first: usize,
}

impl<'a, T> Strip<'a, T> {
    /// How many lines a window has, and cells in each.
    #[inline(always)]
    pub(crate) const fn window(&self) -> [usize; 2] {
        [self.lines.len(), self.width]
    }

    /// The cells of `line` in the windows of the pixels `x..x + R`.
    #[inline(always)]
    pub(crate) fn cells<const R: usize>(&self, line: usize, x: usize) -> [&'a [T]; R] {
        let line = &self.lines[line];
        let mut cells: [&[T]; R] = [&[]; R];
        for (pixel, slice) in cells.iter_mut().enumerate() {
            *slice = &line[(x + pixel) * self.step..][..self.width];
        }
        cells
    }
}

/// The picture and which of its windows are asked.
pub(crate) struct Windows<'a> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) rows: Range<usize>,
    pub(crate) input: &'a [i8],
    pub(crate) pad_value: i8,
}

/// Makes strip after strip in `lines` and hands each to `panel` with the first of each 16 of `n` output channels.
/// `convert` turns four elements each into a group.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sweep<T: Copy>(
    lines: &mut Lines<T>,
    windows: &Windows<'_>,
    n: usize,
    convert: impl Fn(&[i8], &mut [T]),
    mut panel: impl FnMut(&Strip<'_, T>, usize),
) {
    let Geometry { kernel, stride, padding_top, padding_left, output_width, .. } = *windows.geometry;
    let lines = &mut lines[..kernel[0]];
    let most = (CELLS - kernel[1]) / stride[1] + 1;
    let mut first = 0;
    for y in windows.rows.clone() {
        for x in (0..output_width).step_by(most) {
            let pixels = most.min(output_width - x);
            let cells = (pixels - 1) * stride[1] + kernel[1];
            for (index, line) in lines.iter_mut().enumerate() {
                let row = (y * stride[0] + index).wrapping_sub(padding_top);
                windows.line(
                    row,
                    (x * stride[1]).cast_signed() - padding_left.cast_signed(),
                    &mut line[..cells],
                    &convert,
                );
            }
            let strip = Strip { lines, width: kernel[1], step: stride[1], pixels, first };
            for n in (0..n).step_by(PANEL) {
                panel(&strip, n);
            }
            first += pixels;
        }
    }
}

impl Windows<'_> {
    /// Fills `line` with the cells of the picture's `row` from column `left` on; both may lie outside.
    #[inline(always)]
    fn line<T: Copy>(&self, row: usize, left: isize, line: &mut [T], convert: &impl Fn(&[i8], &mut [T])) {
        let Geometry { input_height, input_width, .. } = *self.geometry;
        let before = left.min(0).unsigned_abs().min(line.len());
        let start = left.max(0).cast_unsigned().min(input_width);
        let inside = if row < input_height { (input_width - start).min(line.len() - before) } else { 0 };
        let (padded, rest) = line.split_at_mut(before);
        let (seen, padded_after) = rest.split_at_mut(inside);
        if inside > 0 {
            convert(&self.input[(row * input_width + start) * 4..][..inside * 4], seen);
        }
        for cell in padded.iter_mut().chain(padded_after) {
            convert(&[self.pad_value; 4], std::slice::from_mut(cell));
        }
    }
}
