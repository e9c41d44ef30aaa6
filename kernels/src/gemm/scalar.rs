//! `gemm_i8i8i32_scalar`: the law.

use super::pack::packed_index;
use super::{Gemm, Task};

impl Gemm<'_> {
    /// Weight of product `k` of output channel `n`.
    pub(crate) fn weight(&self, n: usize, k: usize) -> i32 {
        i32::from(self.weights[packed_index(self.k, n, k)])
    }
}

pub(super) fn run(mut task: Task<'_>) {
    for row in 0..task.rows {
        let input = &task.input[row * task.input_stride..][..task.gemm.k];
        for n in 0..task.gemm.n {
            let products = input.iter().enumerate().map(|(k, &a)| i32::from(a) * task.gemm.weight(n, k));
            task.output.put(row, n, task.gemm.bias[n] + products.sum::<i32>());
        }
    }
}
