//! Mean under a window, channel by channel; bytes or floats.
//!
//! | argument | shape | layout |
//! |---|---|---|
//! | input | `[input_height][input_width][channels]`, all of it | `geometry.channels` elements from pixel to pixel |
//! | output | `[rows][output_width][channels]`, the asked rows only | `output_stride` from pixel to pixel; only the channels are written |
//!
//! With `count` = the window's cells inside of the input, or all of them where padding counts (as real zeros):
//! INT8: `acc = sum over the cells inside of (cell - input_zero_point)` in i32, then the law of [`crate::epilogue`] from the
//! clamp on, of `f32(acc) * (scale / f32(count))`. F32: `sum * (1 / count)`, the cells added row by row, so bit-equal
//! everywhere.

use std::ops::Range;

use crate::epilogue::{Grid, check_rows};
use crate::geometry::Geometry;
use crate::isa::{Isa, Operator, Variant, choose};

mod scalar;

/// What both types share.
#[derive(Clone, Debug)]
pub struct Windows<'a> {
    /// Sizes; its `channels` are the elements from input pixel to input pixel.
    pub geometry: &'a Geometry,
    /// Output rows to make.
    pub rows: Range<usize>,
    /// Channels of a pixel.
    pub channels: usize,
    /// Whether padding counts as zeros.
    pub padding_counts: bool,
    /// Elements from output pixel to output pixel.
    pub output_stride: usize,
}

/// The numbers of an INT8 mean.
#[derive(Clone, Copy, Debug)]
pub struct Mean {
    /// Input scale / output scale.
    pub scale: f32,
    /// The input's q of real 0.
    pub input_zero_point: i32,
    /// The result's q of real 0.
    pub zero_point: i32,
}

impl Mean {
    pub(crate) const fn grid(&self) -> Grid<'static> {
        Grid { zero_point: self.zero_point, low: i8::MIN, high: i8::MAX, table: None }
    }
}

/// One call.
#[derive(Debug)]
pub enum Task<'a> {
    /// Bytes.
    I8 {
        /// Sizes.
        windows: Windows<'a>,
        /// The whole input.
        input: &'a [i8],
        /// The numbers.
        mean: Mean,
        /// The results of the rows.
        output: &'a mut [i8],
    },
    /// Floats.
    F32 {
        /// Sizes.
        windows: Windows<'a>,
        /// The whole input.
        input: &'a [f32],
        /// The results of the rows.
        output: &'a mut [f32],
    },
}

/// The operator.
#[derive(Debug)]
pub enum AveragePool {}

impl Operator for AveragePool {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best. Networks have one or none of it.
pub const VARIANTS: &[Variant<AveragePool>] =
    &[Variant { name: "average_pool_i8f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) }];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice is shorter than its shape says.
pub fn average_pool(isa: Isa, task: Task<'_>) {
    let (windows, input, output) = match &task {
        Task::I8 { windows, input, mean, output } => {
            mean.grid().check();
            (windows, input.len(), output.len())
        }
        Task::F32 { windows, input, output } => (windows, input.len(), output.len()),
    };
    let geometry = windows.geometry;
    let pixels = geometry.input_height * geometry.input_width;
    check_rows("input", input, geometry.channels, pixels, windows.channels);
    let results = windows.rows.len() * geometry.output_width;
    check_rows("output", output, windows.output_stride, results, windows.channels);
    choose(VARIANTS, isa).run(task);
}
