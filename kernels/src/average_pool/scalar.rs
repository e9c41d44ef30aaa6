//! `average_pool_i8f32_scalar`: the law.

use super::{Task, Windows};

pub(super) fn run(task: Task<'_>) {
    match task {
        Task::I8 { windows, input, mean, output } => windows.fill(output, |cells, count| {
            let sum: i32 = cells.map(|at| i32::from(input[at]) - mean.input_zero_point).sum();
            mean.grid().quantize(sum as f32 * (mean.scale / count))
        }),
        Task::F32 { windows, input, output } => windows.fill(output, |cells, count| {
            let sum: f32 = cells.map(|at| input[at]).sum();
            sum * (1.0 / count)
        }),
    }
}

impl Windows<'_> {
    /// Makes each result of the indices of the cells under its window and their count.
    fn fill<T>(&self, output: &mut [T], make: impl Fn(&mut dyn Iterator<Item = usize>, f32) -> T) {
        let geometry = self.geometry;
        let places = self.rows.clone().flat_map(|y| (0..geometry.output_width).map(move |x| (y, x)));
        for (output, (y, x)) in output.chunks_mut(self.output_stride).zip(places) {
            let pixels = || (0..geometry.taps()).filter_map(|tap| geometry.pixel(y, x, tap));
            let count = if self.padding_counts { geometry.taps() } else { pixels().count() };
            for (channel, output) in output[..self.channels].iter_mut().enumerate() {
                let mut cells = pixels().map(|pixel| pixel * geometry.channels + channel);
                *output = make(&mut cells, count as f32);
            }
        }
    }
}
