//! INT8 dense convolution of any window and stride, by row pointers: no copy of the input is made.
//!
//! | argument | shape | layout | range | alignment |
//! |---|---|---|---|---|
//! | input | `[input_height][input_width][channels]`, all of it | dense; channels = 4 or a multiple of 8 | -128..=127 | none |
//! | weights | `[N][taps][channels]` | [`crate::gemm`]'s, K = taps x channels padded to 8 ([`pack`]) | -127..=127 | none |
//! | bias | `[N padded to 8]` | as [`crate::gemm`]'s | | none |
//! | output, residual | `[rows][output_width][N]` | of the asked rows only | | none |
//!
//! `acc[y][x][n] = bias[n] + sum over taps and channels of cell * weight` in i32, exact, where a cell outside of the input
//! holds `pad_value` in every channel; then the law of [`crate::epilogue`].

use std::ops::Range;

use crate::epilogue::Output;
use crate::gemm::Gemm;
pub use crate::gemm::pack;
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
pub(crate) mod scalar;
#[cfg(test)]
mod tests;

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// Sizes.
    pub geometry: &'a Geometry,
    /// Output rows to make.
    pub rows: Range<usize>,
    /// The whole input.
    pub input: &'a [i8],
    /// What a cell of padding holds.
    pub pad_value: i8,
    /// The weights.
    pub gemm: &'a Gemm<'a>,
    /// Where the results of `rows` go: the first pixel of `rows.start` is row 0.
    pub output: Output<'a>,
}

/// The operator.
#[derive(Debug)]
pub enum ConvI8 {}

impl Operator for ConvI8 {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<ConvI8>] = &[
    Variant { name: "conv_i8i8i32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "conv_i8i8i32_4x8x8_neon", isa: Isa::Neon, tile: &[4, 8, 8], body: on_arm!(neon::run) },
    Variant {
        name: "conv_i8i8i32_6x16x16_neon_dotprod",
        isa: Isa::NeonDotprod,
        tile: &[6, 16, 16],
        body: on_arm!(neon_dotprod::run),
    },
    Variant { name: "conv_i8i8i32_4x16x4_avx2", isa: Isa::Avx2, tile: &[4, 16, 4], body: on_x86!(avx2::run) },
    Variant {
        name: "conv_i8i8i32_6x16x4_avx_vnni",
        isa: Isa::AvxVnni,
        tile: &[6, 16, 4],
        body: on_x86!(avx_vnni::run),
    },
];

/// `output = law(input * weights + bias)` for `rows` of the output; see the module.
///
/// # Panics
/// When a slice is shorter than its shape says, or `isa` is not available here.
pub fn conv(
    isa: Isa,
    geometry: &Geometry,
    rows: Range<usize>,
    input: &[i8],
    pad_value: i8,
    gemm: &Gemm<'_>,
    output: Output<'_>,
) {
    let channels = geometry.channels;
    assert!(channels == 4 || channels.is_multiple_of(8), "{channels} channels: neither 4 nor a multiple of 8");
    geometry.check(input.len(), &rows);
    gemm.check();
    let k = pack::packed_k(geometry.taps(), channels);
    assert!(gemm.k == k, "K = {}, but the geometry says {k}", gemm.k);
    output.check(rows.len() * geometry.output_width, gemm.n);
    choose(VARIANTS, isa).run(Task { geometry, rows, input, pad_value, gemm, output });
}
