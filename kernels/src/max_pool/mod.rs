//! Largest element under a window, channel by channel; bytes or floats. Padding is not looked at.
//!
//! | argument | shape | layout |
//! |---|---|---|
//! | input | `[input_height][input_width][channels]`, all of it | `geometry.channels` elements from pixel to pixel |
//! | output | `[rows][output_width][channels]`, the asked rows only | `output_stride` from pixel to pixel; only the channels are written |
//!
//! Every window must see a cell of the input, which paddings below the window's sides see to. Floats are no NaN. Comparing
//! is exact, so all variants are equal bit by bit (but for the sign of a zero).

use std::ops::Range;

use crate::epilogue::check_rows;
use crate::geometry::Geometry;
use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

/// A pool over elements of one type.
#[derive(Debug)]
pub struct Pool<'a, T> {
    /// Sizes; its `channels` are the elements from input pixel to input pixel.
    pub geometry: &'a Geometry,
    /// Output rows to make.
    pub rows: Range<usize>,
    /// Channels of a pixel.
    pub channels: usize,
    /// The whole input.
    pub input: &'a [T],
    /// The results of `rows`.
    pub output: &'a mut [T],
    /// Elements from output pixel to output pixel.
    pub output_stride: usize,
}

/// One call.
#[derive(Debug)]
pub enum Task<'a> {
    /// Bytes.
    I8(Pool<'a, i8>),
    /// Floats.
    F32(Pool<'a, f32>),
}

/// The operator.
#[derive(Debug)]
pub enum MaxPool {}

impl Operator for MaxPool {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best. The compiler makes vectors of the reference's inner loop over channels.
pub const VARIANTS: &[Variant<MaxPool>] = &[
    Variant { name: "max_pool_i8f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "max_pool_i8f32_16_neon", isa: Isa::Neon, tile: &[16], body: on_arm!(neon::run) },
    Variant { name: "max_pool_i8f32_32_avx2", isa: Isa::Avx2, tile: &[32], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice is shorter than its shape says.
pub fn max_pool(isa: Isa, task: Task<'_>) {
    match &task {
        Task::I8(pool) => pool.check(),
        Task::F32(pool) => pool.check(),
    }
    choose(VARIANTS, isa).run(task);
}

impl<T> Pool<'_, T> {
    fn check(&self) {
        let geometry = self.geometry;
        assert!(self.channels <= geometry.channels, "{} channels in {}", self.channels, geometry.channels);
        check_rows(
            "input",
            self.input.len(),
            geometry.channels,
            geometry.input_height * geometry.input_width,
            self.channels,
        );
        let pixels = self.rows.len() * geometry.output_width;
        check_rows("output", self.output.len(), self.output_stride, pixels, self.channels);
    }
}
