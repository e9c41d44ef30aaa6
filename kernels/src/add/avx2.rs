//! `add_i8i8i8_8_avx2`: eight values at a time.

use std::arch::x86_64::{_mm256_add_ps, _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps};

use super::{Task, scalar};
use crate::epilogue::avx2::{Quantizer, centred};

#[target_feature(enable = "avx2")]
pub(super) fn run(task: Task<'_>) {
    let Task { a, b, add, output } = task;
    let quantizer = Quantizer::new(&add.grid());
    let scales = add.scales.map(|scale| _mm256_set1_ps(scale));
    let zero_points = add.zero_points.map(|zero_point| _mm256_set1_epi32(zero_point));
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let (outputs, output) = output.as_chunks_mut::<8>();
    for ((output, a), b) in outputs.iter_mut().zip(a).zip(b) {
        let a = _mm256_mul_ps(centred(a, zero_points[0]), scales[0]);
        let b = _mm256_mul_ps(centred(b, zero_points[1]), scales[1]);
        quantizer.store(_mm256_add_ps(a, b), output);
    }
    scalar::run(Task { a: a_tail, b: b_tail, add, output });
}
