//! `dequantize_i8f32_16_neon`: sixteen values at a time.

use std::arch::aarch64::{vdupq_n_f32, vdupq_n_s8, vmulq_f32};

use super::Task;
use crate::arm::{load_f32x4, load_i8x16, store_f32x4};
use crate::epilogue::neon::centred;

#[target_feature(enable = "neon")]
pub(super) fn run(mut task: Task<'_>) {
    let zero_point = vdupq_n_s8(task.zero_point as i8);
    let output = std::mem::take(&mut task.output);
    let blocked = task.channels - task.channels % 16;
    for (row, output) in output.chunks_exact_mut(task.channels).enumerate() {
        let input = &task.input[row * task.input_stride..][..task.channels];
        for channel in (0..blocked).step_by(16) {
            let values = centred(load_i8x16(&input[channel..].as_chunks::<16>().0[0]), zero_point);
            let (targets, _) = output[channel..channel + 16].as_chunks_mut::<4>();
            for quad in 0..4 {
                let scale = match task.scale {
                    [one] => vdupq_n_f32(*one),
                    each => load_f32x4(&each[channel + 4 * quad..].as_chunks::<4>().0[0]),
                };
                store_f32x4(&mut targets[quad], vmulq_f32(values[quad], scale));
            }
        }
        for channel in blocked..task.channels {
            output[channel] = task.value(input[channel], channel);
        }
    }
}
