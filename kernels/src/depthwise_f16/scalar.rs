//! `depthwise_f16_f32f16f32_scalar`: the law.

use super::Task;
use crate::float16::widen;

impl Task<'_> {
    /// The result of one channel of output cell (y, x).
    pub(crate) fn value(&self, y: usize, x: usize, channel: usize) -> f32 {
        let channels = self.geometry.channels;
        let mut sum = self.depthwise.bias[channel];
        for tap in 0..self.geometry.taps() {
            let pixel = self.geometry.pixel(y, x, tap);
            let value = pixel.map_or(self.depthwise.pad_value, |pixel| self.input[pixel * channels + channel]);
            sum += value * widen(self.depthwise.weights[tap * channels + channel]);
        }
        sum.max(self.depthwise.low).min(self.depthwise.high)
    }
}

pub(super) fn run(task: Task<'_>) {
    let mut at = 0;
    for y in task.rows.clone() {
        for x in 0..task.geometry.output_width {
            for channel in 0..task.geometry.channels {
                task.output[at] = task.value(y, x, channel);
                at += 1;
            }
        }
    }
}
