//! Rows of a picture, sixteen channels of them, side by side and with their padding: what a depthwise kernel slides over
//! without asking where the border is.

use crate::geometry::Geometry;
use crate::strided::cells;

/// Channels at a time.
pub(super) const BLOCK: usize = 16;

/// Sixteen channels of a pixel.
pub(super) type Cell = [i8; BLOCK];

/// Output columns at a time: what a line has room for, and even.
pub(super) const fn columns(stride: usize) -> usize {
    128 / stride
}

/// Cells a line: the windows of [`columns`] pixels up to 7 wide, even.
pub(super) const LINE: usize = 136;

/// The last K lines, in a ring: input row r is line r modulo K.
pub(super) struct Lines<const K: usize>([[Cell; LINE]; K]);

/// Which part of a picture the lines hold.
pub(super) struct Part<'a> {
    pub(super) geometry: &'a Geometry,
    pub(super) input: &'a [i8],
    pub(super) pad_value: i8,
    /// First of the channels.
    pub(super) channel: usize,
    /// How many of the sixteen there are.
    pub(super) count: usize,
    /// First output column.
    pub(super) column: usize,
    /// How many output columns.
    pub(super) width: usize,
}

impl<const K: usize> Lines<K> {
    pub(super) const fn new() -> Self {
        Self([[[0; BLOCK]; LINE]; K])
    }

    /// The lines that the windows of output row y see, from the top. Those that output row `y - 1` did not see are filled;
    /// all where `first`.
    #[inline(always)]
    pub(super) fn at(&mut self, part: &Part<'_>, y: usize, first: bool) -> [&[Cell; LINE]; K] {
        let stride = part.geometry.stride[0];
        let top = y * stride;
        let fresh = if first { K } else { stride.min(K) };
        // K above the true row, so that no row of padding is negative.
        for row in top + K - fresh..top + K {
            part.fill(&mut self.0[row % K], row.wrapping_sub(part.geometry.padding_top));
        }
        std::array::from_fn(|tap| &self.0[(top + tap) % K])
    }
}

impl Part<'_> {
    /// Fills a line with the cells of input row `row`, which is padding where there is no such row.
    #[inline(never)]
    fn fill(&self, line: &mut [Cell; LINE], row: usize) {
        let geometry = self.geometry;
        let wanted = (self.width - 1) * geometry.stride[1] + geometry.kernel[1];
        let line = &mut line[..wanted];
        let padding = [self.pad_value; BLOCK];
        if row >= geometry.input_height {
            return line.fill(padding);
        }
        let first = self.column * geometry.stride[1];
        let left = geometry.padding_left.saturating_sub(first).min(wanted);
        let column = (first + left).saturating_sub(geometry.padding_left);
        let inside = geometry.input_width.saturating_sub(column).min(wanted - left);
        let (before, rest) = line.split_at_mut(left);
        let (within, after) = rest.split_at_mut(inside);
        before.fill(padding);
        after.fill(padding);
        let start = (row * geometry.input_width + column) * geometry.channels + self.channel;
        if self.count == BLOCK {
            for (cell, source) in within.iter_mut().zip(cells::<_, BLOCK>(self.input, start, geometry.channels, inside))
            {
                *cell = *source;
            }
        } else {
            for (index, cell) in within.iter_mut().enumerate() {
                cell[..self.count].copy_from_slice(&self.input[start + index * geometry.channels..][..self.count]);
            }
        }
    }
}
