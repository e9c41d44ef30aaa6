//! The gate of a feed-forward layer: `y = f(gate) * up` (Shazeer, GLU Variants Improve Transformer).
//!
//! `f(x) = x / (1 + e^-z)`, one division; SiLU: z = x. GELU in its tanh form: `z = x * fma(x * x, 2c * 0.044715, 2c)` with
//! c = sqrt(2 / pi), since (1 + tanh u) / 2 = 1 / (1 + e^-2u). e^x by the law of `exponential.rs`.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | input | `[2F][tokens]` | `[2F/8][tokens][8]` f32; tile 2i holds gate rows 8i..8i+8, tile 2i + 1 up rows 8i..8i+8 | any |
//! | output | `[F][tokens]` | `[F/8][tokens][8]` f32 | |

use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod wide;

/// Which f.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// x / (1 + e^-x).
    Silu,
    /// GELU, by tanh.
    GeluTanh,
}

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// Which gate.
    pub function: Function,
    /// Tokens side by side.
    pub tokens: usize,
    /// Gate and up rows, in tiles by turns.
    pub input: &'a [f32],
    /// Where it goes.
    pub output: &'a mut [f32],
}

/// The operator.
#[derive(Debug)]
pub enum SwiGlu {}

impl Operator for SwiGlu {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<SwiGlu>] = &[
    Variant { name: "swiglu_f32f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "swiglu_f32f32_8_neon", isa: Isa::Neon, tile: &[8], body: on_arm!(neon::run) },
    Variant { name: "swiglu_f32f32_8_avx2", isa: Isa::Avx2, tile: &[8], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice does not fit its shape, or `isa` is not available here.
pub fn swiglu(isa: Isa, task: Task<'_>) {
    let (input, output) = (task.input.len(), task.output.len());
    assert!(input == 2 * output, "{input} gate and up values for {output} results");
    if output == 0 {
        return;
    }
    assert!(task.tokens > 0 && output.is_multiple_of(8 * task.tokens), "{output} results of {} tokens", task.tokens);
    choose(VARIANTS, isa).run(task);
}
