//! `quantize_f32i8_8_avx2`: eight values at a time.

use std::arch::x86_64::{_mm256_mul_ps, _mm256_set1_ps};

use super::Task;
use crate::epilogue::avx2::Quantizer;
use crate::x86::load_f32x8;

#[target_feature(enable = "avx2")]
pub(super) fn run(task: Task<'_>) {
    let grid = task.grid();
    let quantizer = Quantizer::new(&grid);
    let blocked = task.channels - task.channels % 8;
    for (row, input) in task.input.chunks_exact(task.channels).enumerate() {
        let output = &mut task.output[row * task.output_stride..][..task.channels];
        for channel in (0..blocked).step_by(8) {
            let inverse = match task.inverse_scale {
                [one] => _mm256_set1_ps(*one),
                each => load_f32x8(eight(each, channel)),
            };
            let scaled = _mm256_mul_ps(load_f32x8(eight(input, channel)), inverse);
            quantizer.store(scaled, &mut output[channel..].as_chunks_mut::<8>().0[0]);
        }
        for channel in blocked..task.channels {
            let inverse = task.inverse_scale[channel % task.inverse_scale.len()];
            output[channel] = grid.quantize(input[channel] * inverse);
        }
    }
}

#[inline]
fn eight(source: &[f32], start: usize) -> &[f32; 8] {
    &source[start..].as_chunks::<8>().0[0]
}
