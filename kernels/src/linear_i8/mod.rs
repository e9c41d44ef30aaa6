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

use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_dotprod;
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
pub const VARIANTS: &[Variant<LinearI8>] = &[
    Variant { name: "linear_i8_i8i8f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "linear_i8_i8i8f32_2x8x32_neon", isa: Isa::Neon, tile: &[2, 8, 32], body: on_arm!(neon::run) },
    Variant {
        name: "linear_i8_i8i8f32_4x8x32_neon_dotprod",
        isa: Isa::NeonDotprod,
        tile: &[4, 8, 32],
        body: on_arm!(neon_dotprod::run),
    },
    Variant { name: "linear_i8_i8i8f32_6x8x32_avx2", isa: Isa::Avx2, tile: &[6, 8, 32], body: on_x86!(avx2::run) },
    Variant {
        name: "linear_i8_i8i8f32_4x8x32_avx_vnni",
        isa: Isa::AvxVnni,
        tile: &[4, 8, 32],
        body: on_x86!(avx_vnni::run),
    },
];

/// `output = weights x activations`; see the module.
///
/// # Panics
/// When a slice has another length than its shape says, or `isa` is not available here.
pub fn linear_i8(isa: Isa, task: Task<'_>) {
    task.check(BLOCK);
    choose(VARIANTS, isa).run(task);
}
