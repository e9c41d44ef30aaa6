//! Activations of floats, in place.
//!
//! Results lie within `2^-21 * max(|exact|, 1)` of the exact ones, those of SiLU, sigmoid and tanh within
//! `2^-21 * |exact| + 1.7e-38 * max(|x|, 1)` (powers below exp(-87) count as that). Only additions, multiplications, divisions, comparisons and moves of bits, none of them fused,
//! so all variants are equal bit by bit. The exponential: Cody and Waite's reduction and the polynomial of Cephes' `expf`;
//! tanh near 0: Cephes' `tanhf`; GELU's error function: Chebyshev fit of Numerical Recipes, section 6.2 (`erfcc`).

use crate::isa::{Isa, Operator, Variant, choose, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
mod scalar;

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// min(max(x, low), high).
    Clamp {
        /// May be minus infinity.
        low: f32,
        /// May be infinity.
        high: f32,
    },
    /// max(x, slope * x).
    Leaky {
        /// 0..=1.
        slope: f32,
    },
    /// x / (1 + exp(-x)).
    Silu,
    /// x * min(max(x + 3, 0), 6) / 6.
    HardSwish,
    /// min(max(slope * x + offset, 0), 1).
    HardSigmoid {
        /// Factor of x.
        slope: f32,
        /// Result at 0.
        offset: f32,
    },
    /// 1 / (1 + exp(-x)).
    Logistic,
    /// tanh(x).
    Tanh,
    /// x * Phi(x).
    Gelu,
}

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// What to apply.
    pub function: Function,
    /// To what.
    pub values: &'a mut [f32],
}

/// The operator.
#[derive(Debug)]
pub enum Activate {}

impl Operator for Activate {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best. NEON is part of every aarch64 build, so the reference's loops are vectors there.
pub const VARIANTS: &[Variant<Activate>] = &[
    Variant { name: "activate_f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "activate_f32_8_avx2", isa: Isa::Avx2, tile: &[8], body: on_x86!(avx2::run) },
];

/// `values = function(values)`; see the module.
///
/// # Panics
/// When `isa` is not available here.
pub fn activate(isa: Isa, function: Function, values: &mut [f32]) {
    choose(VARIANTS, isa).run(Task { function, values });
}
