//! `dequantize_i8f32_8_avx2`: eight values at a time.

use std::arch::x86_64::{_mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps};

use super::Task;
use crate::epilogue::avx2::centred;
use crate::x86::{load_f32x8, store_f32x8};

#[target_feature(enable = "avx2")]
pub(super) fn run(mut task: Task<'_>) {
    let zero_point = _mm256_set1_epi32(task.zero_point);
    let output = std::mem::take(&mut task.output);
    let blocked = task.channels - task.channels % 8;
    for (row, output) in output.chunks_exact_mut(task.channels).enumerate() {
        let input = &task.input[row * task.input_stride..][..task.channels];
        for channel in (0..blocked).step_by(8) {
            let values = centred(&input[channel..].as_chunks::<8>().0[0], zero_point);
            let scale = match task.scale {
                [one] => _mm256_set1_ps(*one),
                each => load_f32x8(&each[channel..].as_chunks::<8>().0[0]),
            };
            let target = &mut output[channel..].as_chunks_mut::<8>().0[0];
            store_f32x8(target, _mm256_mul_ps(values, scale));
        }
        for channel in blocked..task.channels {
            output[channel] = task.value(input[channel], channel);
        }
    }
}
