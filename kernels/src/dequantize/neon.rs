//! `dequantize_i8f32_8_neon`: eight values at a time.

use std::arch::aarch64::{vdupq_n_f32, vdupq_n_s32, vmulq_f32};

use super::Task;
use crate::arm::{load_f32x4, store_f32x4};
use crate::epilogue::neon::centred;

#[target_feature(enable = "neon")]
pub(super) fn run(mut task: Task<'_>) {
    let zero_point = vdupq_n_s32(task.zero_point);
    let output = std::mem::take(&mut task.output);
    let blocked = task.channels - task.channels % 8;
    for (row, output) in output.chunks_exact_mut(task.channels).enumerate() {
        let input = &task.input[row * task.input_stride..][..task.channels];
        for channel in (0..blocked).step_by(8) {
            let values = centred(&input[channel..].as_chunks::<8>().0[0], zero_point);
            let (targets, _) = output[channel..channel + 8].as_chunks_mut::<4>();
            for half in 0..2 {
                let scale = match task.scale {
                    [one] => vdupq_n_f32(*one),
                    each => load_f32x4(&each[channel + 4 * half..].as_chunks::<4>().0[0]),
                };
                store_f32x4(&mut targets[half], vmulq_f32(values[half], scale));
            }
        }
        for channel in blocked..task.channels {
            output[channel] = task.value(input[channel], channel);
        }
    }
}
