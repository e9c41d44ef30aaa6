//! INT4 weights times INT8 activations in groups of 32: a linear layer of a language model.
//!
//! | argument | shape | layout | range | alignment |
//! |---|---|---|---|---|
//! | activations | `[T][K]` | see [`crate::linear::Activations`] | -127..=127 | none |
//! | weights | `[N][K]` | `[N/8][K/32]` blocks of 144 bytes ([`pack`]), N padded to 8 | nibbles 0..=15, 8 less each; scales finite | none |
//! | output | `[T][N]` | `[N/8][T][8]`, all of it is written | | none |
//!
//! The law stands in [`crate::linear`]. Nibbles are multiplied as they are, unsigned; the activations' correction takes the
//! 8 off each. T is any number from 1 on and K any multiple of 32; N is what `output` says, so the caller hands over as many
//! rows, eight at a time, as one thread shall make.
//!
//! Products of a nibble and a quant are at most 1905, so 16 bits hold the 8 (NEON: of a lane) or 16 (AVX2: in pairs) of a
//! group of 32 that are summed in them, but no more: 30480 of 32767. A group is not longer for that reason.

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
pub enum LinearI4 {}

impl Operator for LinearI4 {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<LinearI4>] = &[
    Variant { name: "linear_i4_i8i4f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "linear_i4_i8i4f32_4x8x32_neon", isa: Isa::Neon, tile: &[4, 8, 32], body: on_arm!(neon::run) },
    Variant {
        name: "linear_i4_i8i4f32_8x8x32_neon_dotprod",
        isa: Isa::NeonDotprod,
        tile: &[8, 8, 32],
        body: on_arm!(neon_dotprod::run),
    },
    Variant { name: "linear_i4_i8i4f32_6x8x32_avx2", isa: Isa::Avx2, tile: &[6, 8, 32], body: on_x86!(avx2::run) },
    Variant {
        name: "linear_i4_i8i4f32_4x8x32_avx_vnni",
        isa: Isa::AvxVnni,
        tile: &[4, 8, 32],
        body: on_x86!(avx_vnni::run),
    },
];

/// `output = weights x activations`; see the module.
///
/// # Panics
/// When a slice has another length than its shape says, or `isa` is not available here.
pub fn linear_i4(isa: Isa, task: Task<'_>) {
    task.check(BLOCK);
    choose(VARIANTS, isa).run(task);
}
