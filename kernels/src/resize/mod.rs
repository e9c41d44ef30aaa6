//! A picture with other sides: each pixel is one of the input's, or lies between four of them. Bytes or floats.
//!
//! | argument | shape | layout |
//! |---|---|---|
//! | input | `[..][input_width][channels]`, all of it | `input_stride` elements from pixel to pixel |
//! | down | one for each output row of the call | the input rows that it lies between |
//! | right | one for each output column | the input columns that it lies between |
//! | output | `[down][right][channels]` | `output_stride` from pixel to pixel; only the channels are written |
//!
//! With w = [`Between::share`] of the second cell, first across, then down: F32 `line = first + (second - first) * w`, twice,
//! no fused multiply-add. INT8, in i32: `line = first * (2048 - v) + second * v` with v = round(2048 * w), then
//! `(upper * (2048 - v) + lower * v + 2^21) >> 22`; the result has the input's scale and zero point. Where all shares are 0
//! the pixels are copied.

use crate::epilogue::check_rows;
use crate::isa::{Isa, Operator, Variant, choose};

mod scalar;

/// Two cells of a side and where between them a result lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Between {
    /// The nearer to the start.
    pub first: u32,
    /// The other.
    pub second: u32,
    /// 0 for the first, 1 for the second.
    pub share: f32,
}

/// A resizing of elements of one type.
#[derive(Debug)]
pub struct Resize<'a, T> {
    /// The whole input.
    pub input: &'a [T],
    /// Pixels a row of the input.
    pub input_width: usize,
    /// Elements from pixel to pixel of the input.
    pub input_stride: usize,
    /// Channels of a pixel.
    pub channels: usize,
    /// See the module.
    pub down: &'a [Between],
    /// See the module.
    pub right: &'a [Between],
    /// The results.
    pub output: &'a mut [T],
    /// Elements from pixel to pixel of the output.
    pub output_stride: usize,
}

/// One call.
#[derive(Debug)]
pub enum Task<'a> {
    /// Bytes.
    I8(Resize<'a, i8>),
    /// Floats.
    F32(Resize<'a, f32>),
}

/// The operator.
#[derive(Debug)]
pub enum Resizing {}

impl Operator for Resizing {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best. The compiler makes vectors of the reference's inner loop over channels.
pub const VARIANTS: &[Variant<Resizing>] =
    &[Variant { name: "resize_i8f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) }];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice is shorter than its shape says.
pub fn resize(isa: Isa, task: Task<'_>) {
    match &task {
        Task::I8(resize) => resize.check(),
        Task::F32(resize) => resize.check(),
    }
    choose(VARIANTS, isa).run(task);
}

impl<T> Resize<'_, T> {
    fn check(&self) {
        let end =
            |cells: &[Between]| cells.iter().map(|cell| cell.first.max(cell.second) as usize + 1).max().unwrap_or(0);
        assert!(end(self.right) <= self.input_width, "columns beyond {}", self.input_width);
        let pixels = end(self.down) * self.input_width;
        check_rows("input", self.input.len(), self.input_stride, pixels, self.channels);
        let results = self.down.len() * self.right.len();
        check_rows("output", self.output.len(), self.output_stride, results, self.channels);
    }
}
