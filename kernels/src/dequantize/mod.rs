//! INT8 to F32: `x = f32(q - zero_point) * scale`, one rounding.
//!
//! | argument | shape | layout | range |
//! |---|---|---|---|
//! | input | `[rows][channels]` | `input_stride` elements from row to row | -128..=127 |
//! | scale | `[1]` or `[channels]` | | normal |
//! | output | `[rows][channels]` | dense f32 | |

use crate::epilogue::check_rows;
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
    /// What to dequantise.
    pub input: &'a [i8],
    /// Elements from row to row of the input.
    pub input_stride: usize,
    /// One number, or one a channel.
    pub scale: &'a [f32],
    /// The q of real 0.
    pub zero_point: i32,
    /// Where it goes.
    pub output: &'a mut [f32],
}

/// The operator.
#[derive(Debug)]
pub enum Dequantize {}

impl Operator for Dequantize {
    type Task<'a> = Task<'a>;
}

/// From the plainest to the best.
pub const VARIANTS: &[Variant<Dequantize>] = &[
    Variant { name: "dequantize_i8f32_scalar", isa: Isa::Scalar, tile: &[], body: Some(scalar::run) },
    Variant { name: "dequantize_i8f32_16_neon", isa: Isa::Neon, tile: &[16], body: on_arm!(neon::run) },
    Variant { name: "dequantize_i8f32_8_avx2", isa: Isa::Avx2, tile: &[8], body: on_x86!(avx2::run) },
];

/// Runs `task`; see the module.
///
/// # Panics
/// When a slice does not fit its shape, or `isa` is not available here.
pub fn dequantize(isa: Isa, task: Task<'_>) {
    if task.output.is_empty() {
        return;
    }
    assert!(task.channels > 0 && task.output.len().is_multiple_of(task.channels), "rows of {} channels", task.channels);
    let scales = task.scale.len();
    assert!(scales == 1 || scales == task.channels, "{scales} scales for {} channels", task.channels);
    check_rows("input", task.input.len(), task.input_stride, task.output.len() / task.channels, task.channels);
    choose(VARIANTS, isa).run(task);
}
