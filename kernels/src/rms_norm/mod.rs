//! Root mean square normalisation: of whole vectors, or of each head of them.
//!
//! `y[n] = (x[n] * inverse) * weight[n]` with `inverse = 1 / sqrt(sum / width + epsilon)`, where `sum` adds the squares of the
//! group's `width` values, fused, by the law of `lanes.rs`; square root and divisions are correctly rounded on every
//! ISA. A group is `width` values of one token: all N of them, or a head's (norms of queries and keys). Source: Zhang and
//! Sennrich, Root Mean Square Layer Normalization. For the form with 1 + weight the importer adds the 1.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | source, output | `[N][tokens]` | `[N/8][tokens][8]` f32 | any; NaN and infinity make that token's results unspecified |
//! | weight | `[width]`, used by each of N / width groups | f32, a multiple of 8 | any |
//! | epsilon | | | >= 0 |

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
    /// What to normalise; `None`: what `output` holds.
    pub source: Option<&'a [f32]>,
    /// One factor for each value of a group; its length is the width of a group.
    pub weight: &'a [f32],
    /// Added to the mean of squares.
    pub epsilon: f32,
    /// Where it goes.
    pub output: &'a mut [f32],
}

/// The operator.
#[derive(Debug)]
pub enum RmsNorm {}

impl Operator for RmsNorm {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<RmsNorm>] = &[
    Variant { name: "rms_norm_f32f32f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "rms_norm_f32f32f32_8_neon", isa: Isa::Neon, tile: &[8], body: on_arm!(neon::run) },
    Variant { name: "rms_norm_f32f32f32_8_avx2", isa: Isa::Avx2, tile: &[8], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice does not fit its shape, or `isa` is not available here.
pub fn rms_norm(isa: Isa, task: Task<'_>) {
    if task.output.is_empty() {
        return;
    }
    let (width, length) = (task.weight.len(), task.output.len());
    assert!(width > 0 && width.is_multiple_of(8), "{width} weights are no multiple of 8");
    assert!(length.is_multiple_of(width * task.tokens.max(1)), "{length} values of {} tokens", task.tokens);
    assert!(task.tokens > 0, "{length} values of no token");
    let source = task.source.map_or(length, <[f32]>::len);
    assert!(source == length, "{source} values to normalise into {length}");
    choose(VARIANTS, isa).run(task);
}
