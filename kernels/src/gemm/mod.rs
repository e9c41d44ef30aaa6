//! INT8 matrix product: the 1x1 convolution of stride 1, straight on the NHWC tensor.
//!
//! | argument | shape | layout | range | alignment |
//! |---|---|---|---|---|
//! | input | `[rows][K]` | `input_stride` elements from row to row | -128..=127 | none |
//! | weights | `[N][K]` | `[N/8][K/4][8][4]`, N padded to 8 by zeros ([`pack`]) | -127..=127 | none |
//! | bias | `[N padded to 8]` | dense; -zero point x column sum is in it | any that keeps acc in i32 | none |
//! | output | `[rows][N]` | see [`Output`]; only n < N is written | | none |
//!
//! `acc[r][n] = bias[n] + sum over k of input[r][k] * weights[n][k]` in i32, exact; then the law of [`crate::epilogue`].
//! K is a multiple of 8: the input's channel stride, whose extra channels meet zero weights. An input of 4 channels has
//! too short a row and goes through [`crate::conv`]. Two products of -128 x 127 fit 16 bits (32512), which the NEON
//! variant relies on: a weight of -128 is out of range.

use crate::epilogue::{Output, check_rows};
use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};
#[cfg(target_arch = "aarch64")]
use crate::strided::{Group, Strided};

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx_vnni;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon_dotprod;
pub mod pack;
pub(crate) mod scalar;

/// The weights of a convolution. See the table above; for a k x k convolution K = taps x channel stride, tap by tap,
/// padded to a multiple of 8.
#[derive(Clone, Copy, Debug)]
pub struct Gemm<'a> {
    /// Products a result.
    pub k: usize,
    /// Output channels.
    pub n: usize,
    /// Packed.
    pub weights: &'a [i8],
    /// What each sum starts with.
    pub bias: &'a [i32],
    /// Sum of each output channel's weights, `[N padded to 8]`: for dot products of unsigned by signed bytes.
    pub column_sums: &'a [i32],
}

impl<'a> Gemm<'a> {
    /// The weights of 8 output channels after the other from `from` on, each with its first channel.
    #[cfg(target_arch = "aarch64")]
    #[inline]
    pub(crate) fn panels(&self, from: usize) -> impl Iterator<Item = (usize, &'a [Group])> {
        let panel = self.k / 4;
        let groups = self.weights.as_chunks::<32>().0;
        let panels = (from..self.n).step_by(8);
        panels.map(move |n| (n, &groups[n / 8 * panel..][..panel]))
    }

    /// The weights of the 16 output channels from `n` on: of the first eight, then of the others.
    #[cfg(target_arch = "aarch64")]
    #[inline]
    pub(crate) fn sixteen(&self, n: usize) -> &'a [Group] {
        let panel = self.k / 4;
        &self.weights.as_chunks::<32>().0[n / 8 * panel..][..2 * panel]
    }

    /// Panics unless the slices have the packed lengths.
    pub(crate) fn check(&self) {
        let n_padded = self.n.next_multiple_of(8);
        assert!(self.k.is_multiple_of(8), "K = {} is no multiple of 8", self.k);
        assert!(self.weights.len() >= n_padded * self.k, "{} weights for {n_padded} x {}", self.weights.len(), self.k);
        assert!(self.bias.len() >= n_padded, "{} biases for {n_padded} channels", self.bias.len());
        assert!(self.column_sums.len() >= n_padded, "{} column sums for {n_padded}", self.column_sums.len());
    }

    /// The weights of B x 8 output channels from `n` on, by groups of four along K.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn blocks<const B: usize>(&self, n: usize) -> [&[[i8; 32]]; B] {
        std::array::from_fn(|block| self.weights[(n + 8 * block) * self.k..][..8 * self.k].as_chunks::<32>().0)
    }
}

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// Rows of input and output.
    pub rows: usize,
    /// See the module's table.
    pub input: &'a [i8],
    /// Elements from row to row of the input.
    pub input_stride: usize,
    /// The weights.
    pub gemm: &'a Gemm<'a>,
    /// Where results go.
    pub output: Output<'a>,
}

#[cfg(target_arch = "aarch64")]
impl<'a> Task<'a> {
    /// The input as a source of tiles.
    #[inline]
    pub(crate) const fn source(&self) -> Strided<'a> {
        Strided {
            input: self.input,
            start: 0,
            row_stride: self.input_stride,
            pieces: 1,
            piece_stride: 0,
            length: self.gemm.k,
        }
    }
}

/// The operator.
#[derive(Debug)]
pub enum GemmI8 {}

impl Operator for GemmI8 {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<GemmI8>] = &[
    Variant { name: "gemm_i8i8i32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "gemm_i8i8i32_4x8x8_neon", isa: Isa::Neon, tile: &[4, 8, 8], body: on_arm!(neon::run) },
    Variant {
        name: "gemm_i8i8i32_6x16x16_neon_dotprod",
        isa: Isa::NeonDotprod,
        tile: &[6, 16, 16],
        body: on_arm!(neon_dotprod::run),
    },
    Variant { name: "gemm_i8i8i32_4x16x4_avx2", isa: Isa::Avx2, tile: &[4, 16, 4], body: on_x86!(avx2::matrix) },
    Variant {
        name: "gemm_i8i8i32_6x16x4_avx_vnni",
        isa: Isa::AvxVnni,
        tile: &[6, 16, 4],
        body: on_x86!(avx_vnni::matrix),
    },
];

/// `output = law(input x weights + bias)`; see the module.
///
/// # Panics
/// When a slice is shorter than its shape says, or `isa` is not available here.
pub fn gemm(isa: Isa, rows: usize, input: &[i8], input_stride: usize, gemm: &Gemm<'_>, output: Output<'_>) {
    gemm.check();
    check_rows("input", input.len(), input_stride, rows, gemm.k);
    output.check(rows, gemm.n);
    choose(VARIANTS, isa).run(Task { rows, input, input_stride, gemm, output });
}
