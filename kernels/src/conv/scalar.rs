//! `conv_i8i8i32_scalar`: the law.

use super::Task;

pub(crate) fn run(mut task: Task<'_>) {
    let mut pixel = 0;
    for y in task.rows.clone() {
        for x in 0..task.geometry.output_width {
            for n in 0..task.gemm.n {
                let sum = accumulate(&task, y, x, n);
                task.output.put(pixel, n, sum);
            }
            pixel += 1;
        }
    }
}

fn accumulate(task: &Task<'_>, y: usize, x: usize, n: usize) -> i32 {
    let channels = task.geometry.channels;
    let mut sum = task.gemm.bias[n];
    for tap in 0..task.geometry.taps() {
        let cell = task.geometry.pixel(y, x, tap).map(|pixel| &task.input[pixel * channels..][..channels]);
        for channel in 0..channels {
            let value = cell.map_or(task.pad_value, |cell| cell[channel]);
            sum += i32::from(value) * task.gemm.weight(n, tap * channels + channel);
        }
    }
    sum
}
