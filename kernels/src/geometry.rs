//! How a window slides over a picture: what dense and depthwise convolutions share.

use std::ops::Range;

/// Sizes of one convolution. The input is NHWC with `channels` elements from pixel to pixel.
///
/// Cell (y, x) of the output sees the input rows `y * stride[0] - padding_top ..+ kernel[0]` and likewise columns; cells
/// outside of the input count as padding, so bottom and right padding follow from the output's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Rows of the input.
    pub input_height: usize,
    /// Pixels a row of the input.
    pub input_width: usize,
    /// Elements from input pixel to input pixel (I8: the channel stride, 4 or a multiple of 16; F32: the channels).
    pub channels: usize,
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Step down and to the right, each at least 1.
    pub stride: [usize; 2],
    /// Rows of padding above.
    pub padding_top: usize,
    /// Columns of padding at the left.
    pub padding_left: usize,
    /// Rows of the output.
    pub output_height: usize,
    /// Pixels a row of the output.
    pub output_width: usize,
}

impl Geometry {
    /// Cells of the window.
    #[must_use]
    pub const fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether each window is one cell and output pixel p sees input pixel p: a matrix product.
    pub(crate) fn is_dense(&self) -> bool {
        self.taps() == 1
            && self.stride == [1, 1]
            && [self.padding_top, self.padding_left] == [0, 0]
            && [self.output_height, self.output_width] == [self.input_height, self.input_width]
    }

    /// The input pixel that `tap` (row-major in the window) of output cell (y, x) sees; `None` for padding.
    #[inline]
    pub(crate) fn pixel(&self, y: usize, x: usize, tap: usize) -> Option<usize> {
        let row = (y * self.stride[0] + tap / self.kernel[1]).checked_sub(self.padding_top)?;
        let column = (x * self.stride[1] + tap % self.kernel[1]).checked_sub(self.padding_left)?;
        (row < self.input_height && column < self.input_width).then_some(row * self.input_width + column)
    }

    /// The first input row of the windows of output row y, if all their rows lie inside of the input.
    #[cfg(target_arch = "aarch64")]
    pub(crate) fn rows_inside(&self, y: usize) -> Option<usize> {
        let top = (y * self.stride[0]).checked_sub(self.padding_top)?;
        (top + self.kernel[0] <= self.input_height).then_some(top)
    }

    /// The output columns whose windows lie inside of the input's columns.
    #[cfg(target_arch = "aarch64")]
    pub(crate) fn columns_inside(&self) -> Range<usize> {
        let first = self.padding_left.div_ceil(self.stride[1]);
        let room = (self.input_width + self.padding_left).checked_sub(self.kernel[1]);
        let after = room.map_or(0, |room| room / self.stride[1] + 1).min(self.output_width);
        first.min(after)..after
    }

    /// Panics unless `input` holds `length` = the whole input and `rows` are rows of the output.
    pub(crate) fn check(&self, input_length: usize, rows: &Range<usize>) {
        let needed = self.input_height * self.input_width * self.channels;
        assert!(input_length >= needed, "the input holds {input_length} elements, {needed} are needed");
        assert!(
            rows.start <= rows.end && rows.end <= self.output_height,
            "rows {rows:?} of an output with {} rows",
            self.output_height
        );
        assert!(self.stride[0] > 0 && self.stride[1] > 0 && self.kernel[1] > 0, "a window without width or step");
    }
}
