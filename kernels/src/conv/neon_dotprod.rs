//! `conv_i8i8i32_8x8x16_neon_dotprod`: the matrix product's inner loop over windows.

use super::Task;
use crate::gemm::neon_dotprod::sweep;
use crate::rows::{Gathered, Windows};

#[target_feature(enable = "neon,dotprod")]
pub(super) fn run(mut task: Task<'_>) {
    let windows = Windows::new(task.geometry, task.rows, task.input, task.pad_value);
    if task.geometry.channels == 4 {
        sweep(&Gathered(windows), task.gemm, &mut task.output);
    } else {
        sweep(&windows, task.gemm, &mut task.output);
    }
}
