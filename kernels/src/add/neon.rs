//! `add_i8i8i8_16_neon`: sixteen values at a time.

use std::arch::aarch64::{vaddq_f32, vdupq_n_f32, vdupq_n_s8, vmulq_f32};

use super::{Task, scalar};
use crate::arm::load_i8x16;
use crate::epilogue::neon::{Quantizer, centred};

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    let add = task.add;
    let quantizer = Quantizer::new(&add.grid());
    let scales = [vdupq_n_f32(add.scales[0]), vdupq_n_f32(add.scales[1])];
    let zero_points = [vdupq_n_s8(add.zero_points[0] as i8), vdupq_n_s8(add.zero_points[1] as i8)];
    task.for_each(|a, b, output| {
        let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
        let (outputs, output) = output.as_chunks_mut::<16>();
        for ((output, a), b) in outputs.iter_mut().zip(a).zip(b) {
            let mut sums = centred(load_i8x16(a), zero_points[0]);
            for (sum, b) in sums.iter_mut().zip(centred(load_i8x16(b), zero_points[1])) {
                *sum = vaddq_f32(vmulq_f32(*sum, scales[0]), vmulq_f32(b, scales[1]));
            }
            quantizer.store(sums, output);
        }
        if !output.is_empty() {
            scalar::sums(a_tail, b_tail, add, output);
        }
    });
}
