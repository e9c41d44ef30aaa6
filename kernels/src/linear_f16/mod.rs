//! Weights stored as binary16 times float activations: a linear layer of a language model that must not be quantised.
//!
//! | argument | shape | layout | range | alignment |
//! |---|---|---|---|---|
//! | input | `[T][K]` | `[K/8][T][8]` | finite | none |
//! | weights | `[N][K]` | `[N/8][K][8]` of binary16 bits, N padded to 8 by zeros ([`pack`]) | finite | none |
//! | output | `[T][N]` | `[N/8][T][8]`, all of it is written | | none |
//!
//! `y[t][n]` starts at 0; `y = fma(f32(weight[n][k]), input[t][k], y)` for k ascending, so results are the same bits on every
//! ISA and for every T. K is a multiple of 8; T and N as in [`crate::linear_i4`].

use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};
use crate::linear::{ROWS, panels};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod pack;
mod scalar;

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// T, at least 1.
    pub tokens: usize,
    /// The activations of all tokens.
    pub input: &'a [f32],
    /// Packed bits.
    pub weights: &'a [u16],
    /// Where results go.
    pub output: &'a mut [f32],
}

/// The operator.
#[derive(Debug)]
pub enum LinearF16 {}

impl Operator for LinearF16 {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<LinearF16>] = &[
    Variant { name: "linear_f16_f32f16f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "linear_f16_f32f16f32_8x8x8_neon", isa: Isa::Neon, tile: &[8, 8, 8], body: on_arm!(neon::run) },
    Variant { name: "linear_f16_f32f16f32_8x8x8_avx2", isa: Isa::Avx2, tile: &[8, 8, 8], body: on_x86!(avx2::run) },
];

/// `output = weights x input`; see the module.
///
/// # Panics
/// When a slice has another length than its shape says, or `isa` is not available here.
pub fn linear_f16(isa: Isa, task: Task<'_>) {
    let (tokens, input, weights) = (task.tokens, task.input.len(), task.weights.len());
    assert!(tokens > 0 && input.is_multiple_of(tokens * ROWS), "{input} activations of {tokens} tokens");
    let panels = panels(task.output.len(), tokens);
    assert!(weights == panels * ROWS * (input / tokens), "{weights} weights for {panels} x {ROWS} rows");
    choose(VARIANTS, isa).run(task);
}
