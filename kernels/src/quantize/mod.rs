//! F32 to INT8: `q = zero_point + round_half_even(clamp(x * inverse_scale, -128 - zero_point, 127 - zero_point))`, one
//! multiply.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | input | `[rows][channels]` | dense f32 | no NaN |
//! | `inverse_scale` | `[1]` or `[channels]` | 1 / scale, by the caller, so that the rounding is one everywhere | normal |
//! | output | `[rows][channels]` | `output_stride` elements from row to row; only `channels` of them are written | -128..=127 |

use crate::epilogue::{Grid, check_rows};
use crate::isa::{Isa, Operator, Variant, choose, on_arm, on_x86};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

/// One call.
#[derive(Debug)]
pub struct Task<'a> {
    /// Elements a row.
    pub channels: usize,
    /// What to quantise.
    pub input: &'a [f32],
    /// One number, or one a channel.
    pub inverse_scale: &'a [f32],
    /// The q of real 0.
    pub zero_point: i32,
    /// Where it goes.
    pub output: &'a mut [i8],
    /// Elements from row to row of the output.
    pub output_stride: usize,
}

impl Task<'_> {
    pub(crate) const fn grid(&self) -> Grid<'static> {
        Grid { zero_point: self.zero_point, low: i8::MIN, high: i8::MAX, table: None }
    }
}

/// The operator.
#[derive(Debug)]
pub enum Quantize {}

impl Operator for Quantize {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<Quantize>] = &[
    Variant { name: "quantize_f32i8_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "quantize_f32i8_16_neon", isa: Isa::Neon, tile: &[16], body: on_arm!(neon::run) },
    Variant { name: "quantize_f32i8_8_avx2", isa: Isa::Avx2, tile: &[8], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice does not fit its shape, or `isa` is not available here.
pub fn quantize(isa: Isa, task: Task<'_>) {
    if task.input.is_empty() {
        return;
    }
    assert!(task.channels > 0 && task.input.len().is_multiple_of(task.channels), "rows of {} channels", task.channels);
    let scales = task.inverse_scale.len();
    assert!(scales == 1 || scales == task.channels, "{scales} scales for {} channels", task.channels);
    let rows = task.input.len() / task.channels;
    check_rows("output", task.output.len(), task.output_stride, rows, task.channels);
    task.grid().check();
    choose(VARIANTS, isa).run(task);
}
