//! Dense convolution with weights stored as binary16 and computed in f32: for fragile layers and for calibration.
//!
//! | argument | shape | layout | range | alignment |
//! |---|---|---|---|---|
//! | input | `[input_height][input_width][channels]`, all of it | dense, f32 | finite | none |
//! | weights | `[N][K]`, K = taps x channels | `[N/8][K][8]` of binary16 bits, N padded to 8 by zeros ([`pack`]) | finite | none |
//! | bias | `[N padded to 8]` | dense, f32 | finite | none |
//! | output, residual | `[rows][output_width][N]` | dense, of the asked rows only | | none |
//!
//! `result = min(max(bias[n] + sum of cell * weight + residual, low), high)`, where a cell outside of the input holds
//! `pad_value`. The order of additions and the use of fused multiply-add differ by ISA: results lie within
//! `(K + 2) * 2^-23 * (|bias| + sum of |cell * weight| + |residual|)` of the exact sum on every one, the standard bound of
//! recursive summation (Higham, Accuracy and Stability of Numerical Algorithms, 4.2).

use std::ops::Range;

use crate::geometry::Geometry;
use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod pack;
mod scalar;
#[cfg(target_arch = "aarch64")]
mod tile;

/// The weights and what surrounds the sum.
#[derive(Clone, Copy, Debug)]
pub struct ConvF16<'a> {
    /// Output channels.
    pub n: usize,
    /// Packed bits.
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
    pub conv: &'a ConvF16<'a>,
    /// Added before the clamp: same shape as the output.
    pub residual: Option<&'a [f32]>,
    /// The results of `rows`.
    pub output: &'a mut [f32],
}

/// The operator.
#[derive(Debug)]
pub enum DenseF16 {}

impl Operator for DenseF16 {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<DenseF16>] = &[
    Variant { name: "conv_f16_f32f16f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "conv_f16_f32f16f32_8x8x4_neon", isa: Isa::Neon, tile: &[8, 8, 4], body: on_arm!(neon::run) },
    Variant { name: "conv_f16_f32f16f32_6x16x1_avx2", isa: Isa::Avx2, tile: &[6, 16, 1], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice is shorter than its shape says, or `isa` is not available here.
pub fn conv_f16(isa: Isa, task: Task<'_>) {
    let (geometry, conv) = (task.geometry, task.conv);
    geometry.check(task.input.len(), &task.rows);
    let n_padded = conv.n.next_multiple_of(8);
    let k = geometry.taps() * geometry.channels;
    assert!(conv.weights.len() >= n_padded * k, "{} weights for {n_padded} x {k}", conv.weights.len());
    assert!(conv.bias.len() >= n_padded, "{} biases for {n_padded} channels", conv.bias.len());
    let results = task.rows.len() * geometry.output_width * conv.n;
    assert!(task.output.len() >= results, "room for {} of {results} results", task.output.len());
    let residual = task.residual.map_or(results, <[f32]>::len);
    assert!(residual >= results, "{residual} residuals for {results} results");
    choose(VARIANTS, isa).run(task);
}
