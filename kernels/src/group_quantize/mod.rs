//! F32 to INT8 with a scale for each 32 values of a token: what [`crate::linear_i4`] and [`crate::linear_i8`] eat.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | input | `[T][K]` | `[K/8][T][8]`, K a multiple of 32 | finite |
//! | quants | `[T][K]` | `[K/32][T][32]` | -127..=127 |
//! | scales | `[T][K/32]` | `[K/32][T]` | 0 or more |
//! | corrections | `[T][K/32]` | `[K/32][T]` | -8 times the sum of the 32 quants |
//!
//! With m the largest magnitude of the 32: `scale = m / 127`, `q = round_half_even(x * (127 / m))`, the division once a group.
//! Where m is below [`SMALLEST`], scale and quants are 0: there 127 / m would be no number. `|q|` can't pass 127: 127 / m
//! is too large by half a unit in the last place at most.
//!
//! Some groups, 32 values at a time, make contiguous pieces of all four, so threads may split them.

use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};
use crate::linear::GROUP;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

/// Below this all 32 count as 0: 2^-100.
pub const SMALLEST: f32 = f32::from_bits((127 - 100) << 23);

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// T, at least 1.
    pub tokens: usize,
    /// What to quantise.
    pub input: &'a [f32],
    /// Where the whole numbers go.
    pub quants: &'a mut [i8],
    /// Where their scales go.
    pub scales: &'a mut [f32],
    /// Where the corrections go.
    pub corrections: &'a mut [i32],
}

/// The operator.
#[derive(Debug)]
pub enum GroupQuantize {}

impl Operator for GroupQuantize {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<GroupQuantize>] = &[
    Variant { name: "group_quantize_f32i8_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "group_quantize_f32i8_32_neon", isa: Isa::Neon, tile: &[32], body: on_arm!(neon::run) },
    Variant { name: "group_quantize_f32i8_32_avx2", isa: Isa::Avx2, tile: &[32], body: on_x86!(avx2::run) },
];

/// The scale of a group whose largest magnitude this is, and what values are multiplied by.
pub(crate) const fn scale_and_inverse(largest: f32) -> [f32; 2] {
    if largest < SMALLEST { [0.0; 2] } else { [largest / 127.0, 127.0 / largest] }
}

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice has another length than its shape says, or `isa` is not available here.
pub fn group_quantize(isa: Isa, task: Task<'_>) {
    let (tokens, values) = (task.tokens, task.input.len());
    assert!(tokens > 0 && values.is_multiple_of(tokens * GROUP), "{values} values of {tokens} tokens");
    let (quants, scales, corrections) = (task.quants.len(), task.scales.len(), task.corrections.len());
    assert!(
        quants == values && scales == values / GROUP && corrections == scales,
        "room for {quants} quants, {scales} scales, {corrections} corrections of {values} values"
    );
    choose(VARIANTS, isa).run(task);
}
