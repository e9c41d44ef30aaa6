//! What the x86 variants of depthwise convolutions share: the order in which they are walked, and padding.
//!
//! The unit is a *strip*: some output pixels of one or two rows by a block of channels. The cells that its windows see are
//! first laid out column by column in the form that the multiplications eat, padding included, so that the
//! multiplications meet no border, and two rows share what both see. Rows are walked in groups that fit the first cache, in a group block after block of channels, so that each
//! block's weights are laid out once a group.

use std::ops::Range;

use crate::geometry::Geometry;
use crate::x86::Columns;

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
        let count = (strip.pixels - 1) * stride[1] + K;
        let before = padding_left.saturating_sub(strip.x * stride[1]).min(count);
        let start = (strip.x * stride[1]).saturating_sub(padding_left);
        let inside = input_width.saturating_sub(start).min(count - before);
        let mut cells = Columns::<E, N, L>::new(self.padding, inside);
        for line in 0..L {
            let y = (strip.y * stride[0] + line).wrapping_sub(padding_top);
            if y < input_height && inside > 0 {
                let first = (y * input_width + start) * channels + strip.channel;
                cells.put(line, &self.input[first..], channels);
            }
        }
        for index in (0..before).chain(before + inside..count) {
            column(index, [self.padding; L]);
        }
        let mut index = before;
        while let Some(cells) = cells.next() {
            column(index, cells);
            index += 1;
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
