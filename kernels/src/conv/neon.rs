//! `conv_i8i8i32_4x8x8_neon`: the matrix product's inner loop over windows.

use super::{Task, scalar};
use crate::gemm::neon::sweep;
use crate::rows::{GATHERED, GATHERED_K_MAX, Matrix, Rows, Windows};

#[target_feature(enable = "neon")]
pub(super) fn run(mut task: Task<'_>) {
    if task.geometry.channels == 4 {
        return run_narrow(task);
    }
    let windows = Windows::new(task.geometry, task.rows, task.input, task.pad_value);
    sweep(&windows, task.gemm, &mut task.output);
}

/// Four channels: the windows are gathered band by band.
#[target_feature(enable = "neon")]
fn run_narrow(mut task: Task<'_>) {
    let k = task.gemm.k;
    if k > GATHERED_K_MAX {
        return scalar::run(task); // a window of more than 256 cells over a picture: no network has one
    }
    let windows = Windows::new(task.geometry, task.rows, task.input, task.pad_value);
    let mut buffer = [0; GATHERED];
    let mut first = 0;
    while first < windows.count() {
        let rows = windows.gather(first, k, &mut buffer);
        let matrix = Matrix { rows, width: k, stride: k, input: &buffer };
        sweep(&matrix, task.gemm, &mut task.output.below(first));
        first += rows;
    }
}
