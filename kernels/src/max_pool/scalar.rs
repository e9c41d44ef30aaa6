//! `max_pool_i8f32_scalar`: the law.

use super::{Pool, Task};

pub(super) fn run(task: Task<'_>) {
    match task {
        Task::I8(pool) => largest(pool),
        Task::F32(pool) => largest(pool),
    }
}

fn largest<T: Copy + PartialOrd>(pool: Pool<'_, T>) {
    let Pool { geometry, rows, channels, input, output, output_stride } = pool;
    let places = rows.flat_map(|y| (0..geometry.output_width).map(move |x| (y, x)));
    for (output, (y, x)) in output.chunks_mut(output_stride).zip(places) {
        let output = &mut output[..channels];
        let mut pixels = (0..geometry.taps()).filter_map(|tap| geometry.pixel(y, x, tap));
        let Some(first) = pixels.next() else { continue };
        output.copy_from_slice(&input[first * geometry.channels..][..channels]);
        for pixel in pixels {
            for (largest, &cell) in output.iter_mut().zip(&input[pixel * geometry.channels..][..channels]) {
                *largest = if cell > *largest { cell } else { *largest };
            }
        }
    }
}
