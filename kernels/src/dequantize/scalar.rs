//! `dequantize_i8f32_scalar`: the law.

use super::Task;

impl Task<'_> {
    /// The real value of `q` in `channel`.
    pub(crate) fn value(&self, q: i8, channel: usize) -> f32 {
        (i32::from(q) - self.zero_point) as f32 * self.scale[channel % self.scale.len()]
    }
}

pub(super) fn run(mut task: Task<'_>) {
    let output = std::mem::take(&mut task.output);
    for (row, output) in output.chunks_exact_mut(task.channels).enumerate() {
        for (channel, output) in output.iter_mut().enumerate() {
            *output = task.value(task.input[row * task.input_stride + channel], channel);
        }
    }
}
