//! `conv_f16_f32f16f32_scalar`: the law.

use super::Task;
use crate::float16::widen;

pub(super) fn run(task: Task<'_>) {
    let mut at = 0;
    for y in task.rows.clone() {
        for x in 0..task.geometry.output_width {
            for n in 0..task.conv.n {
                let sum = accumulate(&task, y, x, n) + task.residual.map_or(0.0, |residual| residual[at]);
                task.output[at] = sum.max(task.conv.low).min(task.conv.high);
                at += 1;
            }
        }
    }
}

fn accumulate(task: &Task<'_>, y: usize, x: usize, n: usize) -> f32 {
    let (channels, taps) = (task.geometry.channels, task.geometry.taps());
    let block = &task.conv.weights[n / 8 * (taps * channels * 8)..];
    let mut sum = task.conv.bias[n];
    for tap in 0..taps {
        let cell = task.geometry.pixel(y, x, tap).map(|pixel| &task.input[pixel * channels..][..channels]);
        for channel in 0..channels {
            let value = cell.map_or(task.conv.pad_value, |cell| cell[channel]);
            sum += value * widen(block[(tap * channels + channel) * 8 + n % 8]);
        }
    }
    sum
}
