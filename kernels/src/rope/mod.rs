//! Rotary position embedding, half-split, in place (Su et al., RoFormer; pairs as in GPT-NeoX).
//!
//! Of each head the first `rotary` values are turned in pairs i and i + rotary / 2:
//! `a' = fma(-b, sin, a * cos)`, `b' = fma(a, sin, b * cos)`. What is behind them stays.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | values | `[heads][head_dim][tokens]` | `[heads * head_dim/8][tokens][8]` f32 | any |
//! | cos, sin | `[tokens][rotary / 2]` | dense f32, of each token's own position | any; the caller's |
//! | `head_dim` | | multiple of 8 | |
//! | rotary | | multiple of 16, at most `head_dim` | |

use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod wide;

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// Tokens side by side.
    pub tokens: usize,
    /// Values a head.
    pub head_dim: usize,
    /// Values of a head that are turned.
    pub rotary: usize,
    /// Cosine of each token's angles.
    pub cos: &'a [f32],
    /// Sine of each token's angles.
    pub sin: &'a [f32],
    /// Any number of whole heads.
    pub values: &'a mut [f32],
}

/// The operator.
#[derive(Debug)]
pub enum Rope {}

impl Operator for Rope {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<Rope>] = &[
    Variant { name: "rope_f32f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "rope_f32f32_8_neon", isa: Isa::Neon, tile: &[8], body: on_arm!(neon::run) },
    Variant { name: "rope_f32f32_8_avx2", isa: Isa::Avx2, tile: &[8], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice does not fit its shape, or `isa` is not available here.
pub fn rope(isa: Isa, task: Task<'_>) {
    let Task { tokens, head_dim, rotary, .. } = task;
    if task.values.is_empty() || rotary == 0 {
        return;
    }
    assert!(head_dim > 0 && head_dim.is_multiple_of(8), "heads of {head_dim} values, which is no multiple of 8");
    assert!(rotary.is_multiple_of(16) && rotary <= head_dim, "{rotary} of {head_dim} values cannot be turned");
    assert!(tokens > 0 && task.values.len().is_multiple_of(head_dim * tokens), "{} values", task.values.len());
    let angles = tokens * (rotary / 2);
    assert!(task.cos.len() == angles && task.sin.len() == angles, "tables of other than {angles} angles");
    choose(VARIANTS, isa).run(task);
}
