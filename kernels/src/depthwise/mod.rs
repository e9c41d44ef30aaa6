//! INT8 depthwise convolution: each channel has its own window. Tuned for 3x3; any other window works.
//!
//! | argument | shape | layout | range | alignment |
//! |---|---|---|---|---|
//! | input | `[input_height][input_width][channels]`, all of it | dense; channels = the channel stride | -128..=127 | none |
//! | weights | `[taps][channels]` | `[taps][channels padded to 16]` ([`pack`]) | -127..=127 | none |
//! | bias, scale | `[channels padded to 16]` | dense; -zero point x column sum is in the bias | | none |
//! | output, residual | `[rows][output_width][channels]` | of the asked rows only | | none |
//!
//! `acc[y][x][c] = bias[c] + sum over taps of cell[c] * weight[c]` in i32, exact, where a cell outside of the input holds
//! `pad_value`; then the law of [`crate::epilogue`]. All `channels` of a pixel are written, those beyond the real ones too.

use std::ops::Range;

use crate::epilogue::{Requantize, check_rows};
use crate::geometry::Geometry;
use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_dotprod;
pub mod pack;
#[cfg(target_arch = "aarch64")]
mod padded;
mod scalar;
#[cfg(target_arch = "aarch64")]
mod slide;

/// Weights and what a cell of padding holds.
#[derive(Clone, Copy, Debug)]
pub struct Depthwise<'a> {
    /// Packed.
    pub weights: &'a [i8],
    /// What each sum starts with.
    pub bias: &'a [i32],
    /// What a cell of padding holds.
    pub pad_value: i8,
}

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// Sizes.
    pub geometry: &'a Geometry,
    /// Output rows to make.
    pub rows: Range<usize>,
    /// The whole input.
    pub input: &'a [i8],
    /// Weights.
    pub depthwise: &'a Depthwise<'a>,
    /// The law's numbers.
    pub requantize: Requantize<'a>,
    /// The results of `rows`: `[pixels][output_stride]`.
    pub output: &'a mut [i8],
    /// Elements from pixel to pixel.
    pub output_stride: usize,
}

/// The operator.
#[derive(Debug)]
pub enum DepthwiseI8 {}

impl Operator for DepthwiseI8 {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<DepthwiseI8>] = &[
    Variant { name: "depthwise_i8i8i32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "depthwise_i8i8i32_1x16_neon", isa: Isa::Neon, tile: &[1, 16], body: on_arm!(neon::run) },
    Variant {
        name: "depthwise_i8i8i32_1x16_neon_dotprod",
        isa: Isa::NeonDotprod,
        tile: &[1, 16],
        body: on_arm!(neon_dotprod::run),
    },
    Variant { name: "depthwise_i8i8i32_4x16_avx2", isa: Isa::Avx2, tile: &[4, 16], body: on_x86!(avx2::run) },
    Variant {
        name: "depthwise_i8i8i32_4x16_avx_vnni",
        isa: Isa::AvxVnni,
        tile: &[4, 16],
        body: on_x86!(avx_vnni::run),
    },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice is shorter than its shape says, or `isa` is not available here.
pub fn depthwise(isa: Isa, task: Task<'_>) {
    let (geometry, weights) = (task.geometry, task.depthwise);
    geometry.check(task.input.len(), &task.rows);
    let padded = geometry.channels.next_multiple_of(16);
    assert!(weights.weights.len() >= geometry.taps() * padded, "{} depthwise weights", weights.weights.len());
    assert!(weights.bias.len() >= padded, "{} biases for {padded} channels", weights.bias.len());
    let pixels = task.rows.len() * geometry.output_width;
    check_rows("output", task.output.len(), task.output_stride, pixels, geometry.channels);
    task.requantize.check(pixels, geometry.channels, padded);
    choose(VARIANTS, isa).run(task);
}
