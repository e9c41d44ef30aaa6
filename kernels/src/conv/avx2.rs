//! `conv_i8i8i32_4x16x4_avx2`: the matrix product's inner loop over windows.

use super::{Task, scalar};
use crate::bands::Windows;
use crate::gemm::avx2::{K_MAX, picture, sweep};
use crate::narrow;

#[target_feature(enable = "avx2")]
pub(super) fn run(mut task: Task<'_>) {
    if task.gemm.k > K_MAX {
        return scalar::run(task); // no network has such a layer
    }
    if narrow::fits(task.geometry) {
        let Task { geometry, rows, input, pad_value, .. } = task;
        let windows = narrow::Windows { geometry, rows, input, pad_value };
        return picture::sweep(&windows, task.gemm, &mut task.output);
    }
    let windows = Windows::new(task.geometry, task.rows, task.input, task.pad_value);
    sweep(&windows, task.gemm, &mut task.output);
}
