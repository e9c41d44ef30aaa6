//! `depthwise_i8i8i32_scalar`: the law.

use super::Task;

pub(super) fn run(task: Task<'_>) {
    let width = task.geometry.output_width;
    for (row, y) in task.rows.clone().enumerate() {
        for x in 0..width {
            let pixel = row * width + x;
            for channel in 0..task.geometry.channels {
                let sum = accumulate(&task, y, x, channel);
                let value = task.requantize.value(sum, pixel, channel);
                task.output[pixel * task.output_stride + channel] = value;
            }
        }
    }
}

fn accumulate(task: &Task<'_>, y: usize, x: usize, channel: usize) -> i32 {
    let channels = task.geometry.channels;
    let padded = channels.next_multiple_of(16);
    let mut sum = task.depthwise.bias[channel];
    for tap in 0..task.geometry.taps() {
        let pixel = task.geometry.pixel(y, x, tap);
        let value = pixel.map_or(task.depthwise.pad_value, |pixel| task.input[pixel * channels + channel]);
        sum += i32::from(value) * i32::from(task.depthwise.weights[tap * padded + channel]);
    }
    sum
}
