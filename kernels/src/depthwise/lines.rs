//! What the x86 variants share: the order in which a depthwise convolution is walked, and its padding.
//!
//! The unit is a *strip*: some output pixels of one or two rows by sixteen channels. The cells that its windows see are
//! first laid out column by column in the form that the multiplications eat, padding included, so that the
//! multiplications meet no border, and two rows share what both see. Rows are walked in groups that fit the first cache, in a group block after block of channels, so that each
//! block's weights are laid out once a group.

use std::ops::Range;

use super::Task;
use crate::bands::cut;
use crate::geometry::Geometry;

/// Channels of a block.
pub(super) const BLOCK: usize = 16;

/// Output pixels of a strip.
pub(super) const PIXELS: usize = 32;

/// Columns that a strip's windows see, for a window of five cells and a step of two.
pub(super) const COLUMNS: usize = 2 * (PIXELS - 1) + 5;

/// Bytes of input that a group of rows reads.
const GROUP: usize = 24576;

/// The whole input, pixel after pixel, block after block.
#[derive(Clone, Copy)]
pub(super) struct Picture<'a> {
    geometry: &'a Geometry,
    input: &'a [[i8; BLOCK]],
    padding: &'a [i8; BLOCK],
}

/// Where a strip lies.
#[derive(Clone, Copy)]
pub(super) struct Strip {
    block: usize,
    y: usize,
    x: usize,
    /// Output rows: one or two.
    pub(super) rows: usize,
    /// Output pixels of a row.
    pub(super) pixels: usize,
    /// The first one's number among those of the asked rows.
    pub(super) first: usize,
}

impl<'a> Picture<'a> {
    pub(super) fn new(task: &Task<'a>, padding: &'a [i8; BLOCK]) -> Self {
        Self { geometry: task.geometry, input: task.input.as_chunks().0, padding }
    }

    /// Calls `column` with the number and the cells of each column that the windows of `strip` see. A column has L cells,
    /// the window is K wide.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn columns<const K: usize, const L: usize>(
        &self,
        strip: Strip,
        mut column: impl FnMut(usize, [&[i8; BLOCK]; L]),
    ) {
        let geometry = self.geometry;
        let blocks = geometry.channels / BLOCK;
        let length = (geometry.input_width - 1) * blocks + 1;
        // All lines of one length, so that one test serves all; those outside are empty.
        let mut lines: [&[[i8; BLOCK]]; L] = [&[]; L];
        let mut inside = true;
        for (index, line) in lines.iter_mut().enumerate() {
            let y = (strip.y * geometry.stride[0] + index).wrapping_sub(geometry.padding_top);
            if y < geometry.input_height {
                *line = &self.input[y * geometry.input_width * blocks + strip.block..][..length];
            } else {
                inside = false;
            }
        }
        let left = (strip.x * geometry.stride[1]).wrapping_sub(geometry.padding_left);
        let count = (strip.pixels - 1) * geometry.stride[1] + K;
        if inside {
            let lines = cut(lines, length);
            for index in 0..count {
                let x = left.wrapping_add(index);
                let mut cells = [self.padding; L];
                if x < geometry.input_width {
                    for (cell, line) in cells.iter_mut().zip(lines) {
                        *cell = &line[x * blocks];
                    }
                }
                column(index, cells);
            }
        } else {
            for index in 0..count {
                let x = left.wrapping_add(index);
                let mut cells = [self.padding; L];
                if x < geometry.input_width {
                    for (cell, line) in cells.iter_mut().zip(lines) {
                        *cell = line.get(x * blocks).unwrap_or(self.padding);
                    }
                }
                column(index, cells);
            }
        }
    }
}

/// Calls `block` for each block of channels of each group of rows.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn walk(geometry: &Geometry, rows: &Range<usize>, mut block: impl FnMut(usize, Range<usize>)) {
    if geometry.input_width == 0 || geometry.output_width == 0 {
        return;
    }
    let bytes = geometry.input_width * geometry.channels * geometry.stride[0];
    let group = (GROUP / bytes).max(1).next_multiple_of(2);
    let mut first = rows.start;
    while first < rows.end {
        let after = rows.end.min(first + group);
        for index in 0..geometry.channels / BLOCK {
            block(index, first..after);
        }
        first = after;
    }
}

/// Calls `strip` for each strip of up to `height` rows of `block` in the rows `group` of all `rows`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn strips(
    geometry: &Geometry,
    rows: &Range<usize>,
    block: usize,
    (group, height): (Range<usize>, usize),
    mut strip: impl FnMut(Strip),
) {
    for y in group.clone().step_by(height) {
        for x in (0..geometry.output_width).step_by(PIXELS) {
            let first = (y - rows.start) * geometry.output_width + x;
            let pixels = PIXELS.min(geometry.output_width - x);
            strip(Strip { block, y, x, rows: height.min(group.end - y), pixels, first });
        }
    }
}
