//! `dequantize_i8f32_scalar`: the law.

use super::Task;

pub(super) fn run(task: Task<'_>) {
    for (row, output) in task.output.chunks_exact_mut(task.channels).enumerate() {
        for (channel, output) in output.iter_mut().enumerate() {
            let q = i32::from(task.input[row * task.input_stride + channel]) - task.zero_point;
            *output = q as f32 * task.scale[channel % task.scale.len()];
        }
    }
}
