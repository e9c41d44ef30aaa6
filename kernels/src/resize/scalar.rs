//! `resize_i8f32_scalar`: the law.

use super::{Between, Resize, Task};

/// A share of 1 in the integer law.
const WHOLE: i32 = 2048;

pub(super) fn run(task: Task<'_>) {
    match task {
        Task::I8(resize) => blend(resize, |[a, b, c, d], right, down| {
            let [v, w] = [right, down].map(|share| (share * WHOLE as f32).round_ties_even() as i32);
            let line = |first: i8, second: i8| i32::from(first) * (WHOLE - v) + i32::from(second) * v;
            ((line(a, b) * (WHOLE - w) + line(c, d) * w + (1 << 21)) >> 22) as i8
        }),
        Task::F32(resize) => blend(resize, |[a, b, c, d], right, down| {
            let line = |first: f32, second: f32, share: f32| first + (second - first) * share;
            line(line(a, b, right), line(c, d, right), down)
        }),
    }
}

fn blend<T: Copy>(resize: Resize<'_, T>, between: impl Fn([T; 4], f32, f32) -> T) {
    let Resize { input, input_width, input_stride, channels, down, right, output, output_stride } = resize;
    let places = down.iter().flat_map(|down| right.iter().map(move |right| (down, right)));
    for (output, (down, right)) in output.chunks_mut(output_stride).zip(places) {
        let output = &mut output[..channels];
        let cell = |y: u32, x: u32| &input[(y as usize * input_width + x as usize) * input_stride..][..channels];
        let corners = |at: &Between| [at.first, at.second];
        let ([top, bottom], [near, far]) = (corners(down), corners(right));
        let [a, b, c, d] = [cell(top, near), cell(top, far), cell(bottom, near), cell(bottom, far)];
        if down.share == 0.0 && right.share == 0.0 {
            output.copy_from_slice(a);
            continue;
        }
        for (channel, output) in output.iter_mut().enumerate() {
            *output = between([a[channel], b[channel], c[channel], d[channel]], right.share, down.share);
        }
    }
}
