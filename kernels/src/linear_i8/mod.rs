//! INT8 weights times INT8 activations in groups of 32: a linear layer of a language model.
//!
//! | argument | shape | layout | range | alignment |
//! |---|---|---|---|---|
//! | activations | `[T][K]` | see [`crate::linear::Activations`] | -127..=127 | none |
//! | weights | `[N][K]` | `[N/8][K/32]` blocks of 272 bytes ([`pack`]), N padded to 8 | -127..=127, never -128; scales finite | none |
//! | output | `[T][N]` | `[N/8][T][8]`, all of it is written | | none |
//!
//! The law stands in [`crate::linear`]; T, K and N as in [`crate::linear_i4`]. Two products fit 16 bits (32258 of 32767),
//! which the NEON and AVX2 variants rely on.

use crate::isa::{Isa, Operator, Variant, choose};

pub mod pack;
mod scalar;

pub use crate::linear::Task;
pub use pack::BLOCK;

/// The operator.
#[derive(Debug)]
pub enum LinearI8 {}

impl Operator for LinearI8 {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<LinearI8>] =
    &[Variant { name: "linear_i8_i8i8f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) }];

/// `output = weights x activations`; see the module.
///
/// # Panics
/// When a slice has another length than its shape says, or `isa` is not available here.
pub fn linear_i8(isa: Isa, task: Task<'_>) {
    task.check(BLOCK);
    choose(VARIANTS, isa).run(task);
}
