//! `quantize_f32i8_scalar`: the law.

use super::Task;

pub(super) fn run(task: Task<'_>) {
    let grid = task.grid();
    for (row, input) in task.input.chunks_exact(task.channels).enumerate() {
        for (channel, &value) in input.iter().enumerate() {
            let inverse = task.inverse_scale[channel % task.inverse_scale.len()];
            task.output[row * task.output_stride + channel] = grid.quantize(value * inverse);
        }
    }
}
