//! `conv_i8i8i32_4x8x8_neon`: the matrix product's inner loop over windows.

use super::Task;
use crate::gemm::neon::sweep;
use crate::rows::{Gathered, Windows};

#[target_feature(enable = "neon")]
pub(super) fn run(mut task: Task<'_>) {
    let windows = Windows::new(task.geometry, task.rows, task.input, task.pad_value);
    if task.geometry.channels == 4 {
        sweep(&Gathered(windows), task.gemm, &mut task.output);
    } else {
        sweep(&windows, task.gemm, &mut task.output);
    }
}
