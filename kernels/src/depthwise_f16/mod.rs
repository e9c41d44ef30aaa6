//! Depthwise convolution with weights stored as binary16 and computed in f32.
//!
//! | argument | shape | layout | range | alignment |
//! |---|---|---|---|---|
//! | input | `[input_height][input_width][channels]`, all of it | dense, f32 | finite | none |
//! | weights | `[taps][channels]` | dense binary16 bits, no packing | finite | none |
//! | bias | `[channels]` | dense, f32 | finite | none |
//! | output | `[rows][output_width][channels]` | dense, of the asked rows only | | none |
//!
//! `result = min(max(bias[c] + sum of cell * weight, low), high)`; a cell outside of the input holds `pad_value`. Rounding
//! as in [`crate::conv_f16`] with K = taps.

use std::ops::Range;

use crate::geometry::Geometry;
use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

/// The weights and what surrounds the sum.
#[derive(Clone, Copy, Debug)]
pub struct DepthwiseF16<'a> {
    /// Bits.
    pub weights: &'a [u16],
    /// What each sum starts with.
    pub bias: &'a [f32],
    /// What a cell of padding holds.
    pub pad_value: f32,
    /// Smallest result, may be minus infinity.
    pub low: f32,
    /// Largest result, may be infinity.
    pub high: f32,
}

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// Sizes.
    pub geometry: &'a Geometry,
    /// Output rows to make.
    pub rows: Range<usize>,
    /// The whole input.
    pub input: &'a [f32],
    /// The weights.
    pub depthwise: &'a DepthwiseF16<'a>,
    /// The results of `rows`.
    pub output: &'a mut [f32],
}

/// The operator.
#[derive(Debug)]
pub enum DepthF16 {}

impl Operator for DepthF16 {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<DepthF16>] = &[
    Variant { name: "depthwise_f16_f32f16f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "depthwise_f16_f32f16f32_4x8_neon", isa: Isa::Neon, tile: &[4, 8], body: on_arm!(neon::run) },
    Variant { name: "depthwise_f16_f32f16f32_4x8_avx2", isa: Isa::Avx2, tile: &[4, 8], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice is shorter than its shape says, or `isa` is not available here.
pub fn depthwise_f16(isa: Isa, task: Task<'_>) {
    let (geometry, weights) = (task.geometry, task.depthwise);
    geometry.check(task.input.len(), &task.rows);
    let (taps, channels) = (geometry.taps(), geometry.channels);
    assert!(weights.weights.len() >= taps * channels, "{} weights for {taps} x {channels}", weights.weights.len());
    assert!(weights.bias.len() >= channels, "{} biases for {channels} channels", weights.bias.len());
    let results = task.rows.len() * geometry.output_width * channels;
    assert!(task.output.len() >= results, "room for {} of {results} results", task.output.len());
    choose(VARIANTS, isa).run(task);
}
