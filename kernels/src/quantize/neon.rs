//! `quantize_f32i8_8_neon`: eight values at a time.

use std::arch::aarch64::{float32x4_t, vdupq_n_f32, vmulq_f32};

use super::Task;
use crate::arm::load_f32x4;
use crate::epilogue::neon::Quantizer;

#[target_feature(enable = "neon")]
pub(super) fn run(task: Task<'_>) {
    let grid = task.grid();
    let quantizer = Quantizer::new(&grid);
    let blocked = task.channels - task.channels % 8;
    for (row, input) in task.input.chunks_exact(task.channels).enumerate() {
        let output = &mut task.output[row * task.output_stride..][..task.channels];
        for channel in (0..blocked).step_by(8) {
            let values = load_eight(&input[channel..]);
            let inverse = match task.inverse_scale {
                [one] => [vdupq_n_f32(*one); 2],
                each => load_eight(&each[channel..]),
            };
            let scaled = [0, 1].map(|half| vmulq_f32(values[half], inverse[half]));
            quantizer.store(scaled, &mut output[channel..].as_chunks_mut::<8>().0[0]);
        }
        for channel in blocked..task.channels {
            let inverse = task.inverse_scale[channel % task.inverse_scale.len()];
            output[channel] = grid.quantize(input[channel] * inverse);
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_eight(source: &[f32]) -> [float32x4_t; 2] {
    let (quads, _) = source[..8].as_chunks::<4>();
    [load_f32x4(&quads[0]), load_f32x4(&quads[1])]
}
