//! What the x86 variants of depthwise convolutions share: the order in which they are walked, and padding.
//!
//! The unit is a *strip*: some output pixels of one or two rows by a block of channels. The cells that its windows see are
//! first laid out column by column in the form that the multiplications eat, padding included, so that the
//! multiplications meet no border, and two rows share what both see. Rows are walked in groups that fit the first cache, in a group block after block of channels, so that each
//! block's weights are laid out once a group.

use std::ops::Range;

use crate::bands::cut;
use crate::geometry::Geometry;

/// Output pixels of a strip.
pub(crate) const PIXELS: usize = 32;

/// Columns that a strip's windows see, for a window of five cells and a step of two.
pub(crate) const COLUMNS: usize = 2 * (PIXELS - 1) + 5;

/// Bytes of input that a group of rows reads.
const GROUP: usize = 24576;

/// The whole input, and what a cell of padding holds. N channels are a block.
#[derive(Clone, Copy)]
pub(crate) struct Picture<'a, E, const N: usize> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) input: &'a [E],
    pub(crate) padding: &'a [E; N],
}

/// Where a strip lies.
#[derive(Clone, Copy)]
pub(crate) struct Strip {
    /// The first channel.
    channel: usize,
    y: usize,
    x: usize,
    /// Output rows: one or two.
    pub(crate) rows: usize,
    /// Output pixels of a row.
    pub(crate) pixels: usize,
    /// The first one's number among those of the asked rows.
    pub(crate) first: usize,
}

impl<E, const N: usize> Picture<'_, E, N> {
    /// Calls `column` with the number and the cells of each column that the windows of `strip` see. A column has L cells,
    /// the window is K wide.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn columns<const K: usize, const L: usize>(
        &self,
        strip: Strip,
        mut column: impl FnMut(usize, [&[E; N]; L]),
    ) {
        let Geometry { input_height, input_width, channels, stride, padding_top, padding_left, .. } = *self.geometry;
        let length = (input_width - 1) * channels + N;
        // All lines of one length, so that one test serves all; those outside are empty.
        let mut lines: [&[E]; L] = [&[]; L];
        let mut inside = true;
        for (index, line) in lines.iter_mut().enumerate() {
            let y = (strip.y * stride[0] + index).wrapping_sub(padding_top);
            if y < input_height {
                *line = &self.input[y * input_width * channels + strip.channel..][..length];
            } else {
                inside = false;
            }
        }
        let left = (strip.x * stride[1]).wrapping_sub(padding_left);
        let count = (strip.pixels - 1) * stride[1] + K;
        if inside {
            let lines = cut(lines, length);
            for index in 0..count {
                let x = left.wrapping_add(index);
                let mut cells = [self.padding; L];
                if x < input_width {
                    for (cell, line) in cells.iter_mut().zip(lines) {
                        *cell = &line[x * channels..].as_chunks::<N>().0[0];
                    }
                }
                column(index, cells);
            }
        } else {
            for index in 0..count {
                let x = left.wrapping_add(index);
                let mut cells = [self.padding; L];
                if x < input_width {
                    for (cell, line) in cells.iter_mut().zip(lines).filter(|(_, line)| !line.is_empty()) {
                        *cell = &line[x * channels..].as_chunks::<N>().0[0];
                    }
                }
                column(index, cells);
            }
        }
    }
}

/// Calls `block` with the first channel of each block of N channels and each group of rows. Channels beyond the last whole
/// block are left to the caller.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn walk<E, const N: usize>(
    geometry: &Geometry,
    rows: &Range<usize>,
    mut block: impl FnMut(usize, Range<usize>),
) {
    if geometry.input_width == 0 || geometry.output_width == 0 {
        return;
    }
    let bytes = geometry.input_width * geometry.channels * geometry.stride[0] * size_of::<E>();
    let group = (GROUP / bytes).max(1).next_multiple_of(2);
    let mut first = rows.start;
    while first < rows.end {
        let after = rows.end.min(first + group);
        for index in 0..geometry.channels / N {
            block(index * N, first..after);
        }
        first = after;
    }
}

/// Calls `strip` for each strip of up to `height` rows of the block from `channel` on in the rows `group` of all `rows`.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn strips(
    geometry: &Geometry,
    rows: &Range<usize>,
    channel: usize,
    (group, height): (Range<usize>, usize),
    mut strip: impl FnMut(Strip),
) {
    for y in group.clone().step_by(height) {
        for x in (0..geometry.output_width).step_by(PIXELS) {
            let first = (y - rows.start) * geometry.output_width + x;
            let pixels = PIXELS.min(geometry.output_width - x);
            strip(Strip { channel, y, x, rows: height.min(group.end - y), pixels, first });
        }
    }
}
