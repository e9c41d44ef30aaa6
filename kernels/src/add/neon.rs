//! `add_i8i8i8_8_neon`: eight values at a time.

use std::arch::aarch64::{vaddq_f32, vdupq_n_f32, vdupq_n_s32, vmulq_f32};

use super::{Task, scalar};
use crate::epilogue::neon::{Quantizer, centred};

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    let Task { a, b, add, output } = task;
    let quantizer = Quantizer::new(&add.grid());
    let scales = add.scales.map(|scale| vdupq_n_f32(scale));
    let zero_points = add.zero_points.map(|zero_point| vdupq_n_s32(zero_point));
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let (outputs, output) = output.as_chunks_mut::<8>();
    for ((output, a), b) in outputs.iter_mut().zip(a).zip(b) {
        let (a, b) = (centred(a, zero_points[0]), centred(b, zero_points[1]));
        let sum = |half: usize| vaddq_f32(vmulq_f32(a[half], scales[0]), vmulq_f32(b[half], scales[1]));
        quantizer.store([sum(0), sum(1)], output);
    }
    scalar::run(Task { a: a_tail, b: b_tail, add, output });
}
