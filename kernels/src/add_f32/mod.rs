//! Sums of floats, in place: the residual stream, and biases.
//!
//! A tensor: `values[i] = fma(addend[i], factor, values[i])`; with a factor of 1 that is a plain sum, rounded once. A bias:
//! `values[n] += bias[n]` for every token.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | values | `[N][tokens]` | `[N/8][tokens][8]` f32 | any |
//! | tensor | as values | as values | any |
//! | bias | `[N]` | f32 | any |

use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod wide;

/// What is added.
#[derive(Clone, Copy, Debug)]
pub enum Addend<'a> {
    /// A tensor of the same shape.
    Tensor {
        /// Its values.
        data: &'a [f32],
        /// What they are multiplied by: 1, or a model's residual multiplier.
        factor: f32,
    },
    /// A number for each row.
    Bias {
        /// One a row.
        data: &'a [f32],
        /// Tokens side by side.
        tokens: usize,
    },
}

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// What is added.
    pub addend: Addend<'a>,
    /// To what.
    pub values: &'a mut [f32],
}

/// The operator.
#[derive(Debug)]
pub enum AddF32 {}

impl Operator for AddF32 {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<AddF32>] = &[
    Variant { name: "add_f32_f32f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "add_f32_f32f32_8_neon", isa: Isa::Neon, tile: &[8], body: on_arm!(neon::run) },
    Variant { name: "add_f32_f32f32_8_avx2", isa: Isa::Avx2, tile: &[8], body: on_x86!(avx2::run) },
];

/// `values += addend`; see the module.
///
/// # Panics
/// When a slice does not fit its shape, or `isa` is not available here.
pub fn add_f32(isa: Isa, addend: Addend<'_>, values: &mut [f32]) {
    let length = values.len();
    match addend {
        Addend::Tensor { data, .. } => assert!(data.len() == length, "{} addends to {length} values", data.len()),
        Addend::Bias { data, tokens } => {
            assert!(data.len().is_multiple_of(8), "{} biases are no multiple of 8", data.len());
            assert!(data.len() * tokens == length, "{} biases of {tokens} tokens for {length} values", data.len());
        }
    }
    if length > 0 {
        choose(VARIANTS, isa).run(Task { addend, values });
    }
}
