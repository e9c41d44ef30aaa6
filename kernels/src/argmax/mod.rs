//! The place of each token's largest logit; of equal ones the first.
//!
//! NaN is never the largest; where nothing is above minus infinity the place is 0.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | logits | `[N][tokens]` | `[N padded to 8 / 8][tokens][8]` f32 | any |
//! | count | | N without padding, below 2^31 | |
//! | places | `[tokens]` | | 0..count |

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
    /// Logits a token.
    pub count: usize,
    /// All of them.
    pub logits: &'a [f32],
    /// One place a token; its length is the number of tokens.
    pub places: &'a mut [u32],
}

/// The operator.
#[derive(Debug)]
pub enum Argmax {}

impl Operator for Argmax {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<Argmax>] = &[
    Variant { name: "argmax_f32i32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "argmax_f32i32_8_neon", isa: Isa::Neon, tile: &[8], body: on_arm!(neon::run) },
    Variant { name: "argmax_f32i32_8_avx2", isa: Isa::Avx2, tile: &[8], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice does not fit its shape, there is no logit, or `isa` is not available here.
pub fn argmax(isa: Isa, task: Task<'_>) {
    let (count, tokens) = (task.count, task.places.len());
    assert!(count > 0 && i32::try_from(count).is_ok(), "{count} logits");
    let length = count.next_multiple_of(8) * tokens;
    assert!(task.logits.len() == length, "{} logits, not {length}", task.logits.len());
    choose(VARIANTS, isa).run(task);
}
