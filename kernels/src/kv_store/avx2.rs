//! `kv_store_f32i8_8_avx2`: the reference's loops, which the compiler turns into eight values at a time here.

use super::{Task, scalar};

#[target_feature(enable = "avx2,fma")]
pub(super) fn run(task: Task<'_>) {
    scalar::store(task);
}
