//! `shuffle_i8f32_scalar`: the law.

use super::{Shuffle, Task};

pub(super) fn run(task: Task<'_>) {
    match task {
        Task::I8(shuffle) => rows(shuffle),
        Task::F32(shuffle) => rows(shuffle),
    }
}

fn rows<T: Copy>(shuffle: Shuffle<'_, T>) {
    let Shuffle { rows, channels, groups, input, input_stride, output, output_stride } = shuffle;
    let in_group = channels / groups;
    for row in 0..rows {
        let input = &input[row * input_stride..][..channels];
        let output = &mut output[row * output_stride..][..channels];
        if groups == 2 {
            let (a, b) = input.split_at(in_group);
            for ((pair, &a), &b) in output.as_chunks_mut::<2>().0.iter_mut().zip(a).zip(b) {
                *pair = [a, b];
            }
        } else {
            for (channel, output) in output.iter_mut().enumerate() {
                *output = input[channel % groups * in_group + channel / groups];
            }
        }
    }
}
