//! Sum of two INT8 tensors of one shape and layout in real numbers.
//!
//! `f = f32(a - a_zero_point) * a_scale + f32(b - b_zero_point) * b_scale` (three roundings, no fused multiply-add), then
//! the law of [`crate::epilogue`] from the clamp on. All slices have one length; ranges -128..=127; no alignment.

use crate::epilogue::Grid;
use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

/// The numbers of a sum.
#[derive(Clone, Copy, Debug)]
pub struct Add<'a> {
    /// Scale of each addend / scale of the result.
    pub scales: [f32; 2],
    /// Each addend's q of real 0.
    pub zero_points: [i32; 2],
    /// The result's q of real 0.
    pub zero_point: i32,
    /// Smallest result before the table.
    pub low: i8,
    /// Largest result before the table.
    pub high: i8,
    /// Maps q to the result at `q + 128`.
    pub table: Option<&'a [i8; 256]>,
}

impl<'a> Add<'a> {
    pub(crate) const fn grid(&self) -> Grid<'a> {
        Grid { zero_point: self.zero_point, low: self.low, high: self.high, table: self.table }
    }
}

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// One addend.
    pub a: &'a [i8],
    /// The other.
    pub b: &'a [i8],
    /// The numbers.
    pub add: &'a Add<'a>,
    /// The result.
    pub output: &'a mut [i8],
}

/// The operator.
#[derive(Debug)]
pub enum AddI8 {}

impl Operator for AddI8 {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<AddI8>] = &[
    Variant { name: "add_i8i8i8_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "add_i8i8i8_16_neon", isa: Isa::Neon, tile: &[16], body: on_arm!(neon::run) },
    Variant { name: "add_i8i8i8_32_avx2", isa: Isa::Avx2, tile: &[32], body: on_x86!(avx2::run) },
];

/// `output = law(a + b)`; see the module.
///
/// # Panics
/// When the slices differ in length, or `isa` is not available here.
pub fn add(isa: Isa, a: &[i8], b: &[i8], add: &Add<'_>, output: &mut [i8]) {
    let lengths = [a.len(), b.len(), output.len()];
    assert!(lengths[0] == lengths[1] && lengths[0] == lengths[2], "slices of one length, not {lengths:?}");
    add.grid().check();
    choose(VARIANTS, isa).run(Task { a, b, add, output });
}
