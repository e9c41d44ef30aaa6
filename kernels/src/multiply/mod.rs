//! Product of two INT8 tensors in real numbers; the second may be one pixel that all pixels of the first are multiplied with
//! (squeeze and excitation).
//!
//! `f = f32((a - a_zero_point) * (b - b_zero_point)) * scale`, then the law of [`crate::epilogue`] from the clamp on.
//!
//! | argument | shape | layout |
//! |---|---|---|
//! | a | `[rows][channels]` | `a_stride` elements from row to row |
//! | b | `[rows][channels]`, or `[channels]` | `b_stride` from row to row, 0 for one row that serves all |
//! | output | `[rows][channels]` | `output_stride` from row to row; only the channels are written |

use crate::epilogue::{Grid, check_rows};
use crate::isa::{Isa, Operator, Variant, choose};

mod scalar;

/// The numbers of a product.
#[derive(Clone, Copy, Debug)]
pub struct Multiply<'a> {
    /// Scale of a x scale of b / scale of the result.
    pub scale: f32,
    /// Each factor's q of real 0.
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

impl<'a> Multiply<'a> {
    pub(crate) const fn grid(&self) -> Grid<'a> {
        Grid { zero_point: self.zero_point, low: self.low, high: self.high, table: self.table }
    }
}

/// One call. See the module's table.
#[derive(Debug)]
pub struct Task<'a> {
    /// Rows of the result.
    pub rows: usize,
    /// Elements of a row.
    pub channels: usize,
    /// One factor.
    pub a: &'a [i8],
    /// See the table.
    pub a_stride: usize,
    /// The other.
    pub b: &'a [i8],
    /// See the table.
    pub b_stride: usize,
    /// The numbers.
    pub multiply: &'a Multiply<'a>,
    /// The result.
    pub output: &'a mut [i8],
    /// See the table.
    pub output_stride: usize,
}

/// The operator.
#[derive(Debug)]
pub enum MultiplyI8 {}

impl Operator for MultiplyI8 {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<MultiplyI8>] =
    &[Variant { name: "multiply_i8i8i8_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) }];

/// `output = law(a * b)`; see the module.
///
/// # Panics
/// When a slice is shorter than its shape says.
pub fn multiply(isa: Isa, task: Task<'_>) {
    task.multiply.grid().check();
    check_rows("first factor", task.a.len(), task.a_stride, task.rows, task.channels);
    let factors = if task.b_stride == 0 { task.rows.min(1) } else { task.rows };
    check_rows("second factor", task.b.len(), task.b_stride, factors, task.channels);
    check_rows("output", task.output.len(), task.output_stride, task.rows, task.channels);
    choose(VARIANTS, isa).run(task);
}
