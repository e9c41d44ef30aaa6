//! `quantize_f32i8_16_neon`: sixteen values at a time.

use std::arch::aarch64::{float32x4_t, vdupq_n_f32, vmulq_f32};

use super::Task;
use crate::arm::load_f32x4;
use crate::epilogue::neon::Quantizer;

/// Values at a time.
const BLOCK: usize = 16;

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    let grid = task.grid();
    let quantizer = Quantizer::new(&grid);
    let blocked = task.channels - task.channels % BLOCK;
    for (row, input) in task.input.chunks_exact(task.channels).enumerate() {
        let output = &mut task.output[row * task.output_stride..][..task.channels];
        for channel in (0..blocked).step_by(BLOCK) {
            let mut values = load(&input[channel..]);
            let inverse = match task.inverse_scale {
                [one] => [vdupq_n_f32(*one); 4],
                each => load(&each[channel..]),
            };
            for (value, inverse) in values.iter_mut().zip(inverse) {
                *value = vmulq_f32(*value, inverse);
            }
            quantizer.store(values, &mut output[channel..].as_chunks_mut::<BLOCK>().0[0]);
        }
        for channel in blocked..task.channels {
            let inverse = task.inverse_scale[channel % task.inverse_scale.len()];
            output[channel] = grid.quantize(input[channel] * inverse);
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn load(source: &[f32]) -> [float32x4_t; 4] {
    let (quads, _) = source[..BLOCK].as_chunks::<4>();
    [load_f32x4(&quads[0]), load_f32x4(&quads[1]), load_f32x4(&quads[2]), load_f32x4(&quads[3])]
}
