//! `add_i8i8i8_32_avx2`: thirty-two values at a time, which are packed and clamped together.

use std::arch::x86_64::{_mm256_add_ps, _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps};

use super::{Task, scalar};
use crate::epilogue::avx2::{Clamp, centred, eight, look_up};
use crate::x86::store_32;

#[target_feature(enable = "avx2")]
pub(super) fn run(task: Task<'_>) {
    let add = task.add;
    let clamp = Clamp::new(&add.grid());
    let scales = add.scales.map(|scale| _mm256_set1_ps(scale));
    let zero_points = add.zero_points.map(|zero_point| _mm256_set1_epi32(zero_point));
    task.for_each(|a, b, output| {
        let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
        let (outputs, output) = output.as_chunks_mut::<32>();
        for ((output, a), b) in outputs.iter_mut().zip(a).zip(b) {
            let mut sums = [_mm256_setzero_ps(); 4];
            for (index, sum) in sums.iter_mut().enumerate() {
                let a = _mm256_mul_ps(centred(eight(a, 8 * index), zero_points[0]), scales[0]);
                let b = _mm256_mul_ps(centred(eight(b, 8 * index), zero_points[1]), scales[1]);
                *sum = _mm256_add_ps(a, b);
            }
            store_32(output, clamp.bytes::<false>([sums[0], sums[1]], [sums[2], sums[3]]));
            if let Some(table) = add.table {
                look_up(table, output);
            }
        }
        if !output.is_empty() {
            scalar::sums(a_tail, b_tail, add, output);
        }
    });
}
