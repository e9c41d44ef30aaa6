//! `pool_i8f32_scalar`: the law.

use super::{Pool, Task};

pub(super) fn run(task: Task<'_>) {
    match task {
        Task::I8 { input, pool, output } => integers(input, pool, output),
        Task::F32 { input, output } => floats(input, output),
    }
}

fn integers(input: &[i8], pool: Pool, output: &mut [i8]) {
    let channels = output.len();
    for (channel, output) in output.iter_mut().enumerate() {
        let values = input.iter().skip(channel).step_by(channels);
        let sum: i32 = values.map(|&q| i32::from(q) - pool.input_zero_point).sum();
        *output = pool.grid().quantize(sum as f32 * pool.scale);
    }
}

fn floats(input: &[f32], output: &mut [f32]) {
    let channels = output.len();
    let share = 1.0 / (input.len() / channels) as f32;
    for (channel, output) in output.iter_mut().enumerate() {
        let sum: f32 = input.iter().skip(channel).step_by(channels).sum();
        *output = sum * share;
    }
}
