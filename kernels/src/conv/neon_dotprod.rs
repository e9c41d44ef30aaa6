//! `conv_i8i8i32_6x16x16_neon_dotprod`: the matrix product's inner loop over windows.

use super::{Task, scalar};
use crate::gemm::neon_dotprod::{picture, windows};
use crate::rows::GATHERED_K_MAX;

#[target_feature(enable = "neon,dotprod")]
pub(super) fn run(task: Task<'_>) {
    match task.geometry.channels {
        4 if task.gemm.k <= GATHERED_K_MAX => picture(task),
        4 => scalar::run(task), // a window of more than 256 cells over a picture: no network has one
        _ => windows(task),
    }
}
