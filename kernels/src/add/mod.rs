//! Sum of two INT8 tensors of one shape in real numbers.
//!
//! `f = f32(a - a_zero_point) * a_scale + f32(b - b_zero_point) * b_scale` (three roundings, no fused multiply-add), then
//! the law of [`crate::epilogue`] from the clamp on. Addends and result are `[rows][width]`, each with a stride of its own;
//! ranges -128..=127; no alignment.

use crate::epilogue::{Grid, check_rows};
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
    /// Rows of addends and result.
    pub rows: usize,
    /// Elements a row.
    pub width: usize,
    /// One addend.
    pub a: &'a [i8],
    /// Elements from row to row of it.
    pub a_stride: usize,
    /// The other.
    pub b: &'a [i8],
    /// Elements from row to row of it.
    pub b_stride: usize,
    /// The numbers.
    pub add: &'a Add<'a>,
    /// The result; only `width` elements of each row are written.
    pub output: &'a mut [i8],
    /// Elements from row to row of it.
    pub output_stride: usize,
}

impl Task<'_> {
    /// Calls `sum` with each row of both addends and of the result; with all at once where the rows follow each other.
    #[inline(always)]
    fn for_each(self, mut sum: impl FnMut(&[i8], &[i8], &mut [i8])) {
        let Task { mut rows, mut width, a, a_stride, b, b_stride, output, output_stride, .. } = self;
        if rows > 0 && [a_stride, b_stride, output_stride] == [width; 3] {
            (rows, width) = (1, rows * width);
        }
        for row in 0..rows {
            let (a, b) = (&a[row * a_stride..][..width], &b[row * b_stride..][..width]);
            sum(a, b, &mut output[row * output_stride..][..width]);
        }
    }
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
/// When a slice is shorter than its shape says, or `isa` is not available here.
pub fn add(isa: Isa, task: Task<'_>) {
    check_rows("first addend", task.a.len(), task.a_stride, task.rows, task.width);
    check_rows("second addend", task.b.len(), task.b_stride, task.rows, task.width);
    check_rows("sum", task.output.len(), task.output_stride, task.rows, task.width);
    task.add.grid().check();
    choose(VARIANTS, isa).run(task);
}
