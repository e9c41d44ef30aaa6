//! `multiply_i8i8i8_scalar`: the law.

use super::{Multiply, Task};

impl Multiply<'_> {
    /// The product of one pair.
    pub(crate) fn value(&self, a: i8, b: i8) -> i8 {
        let product = (i32::from(a) - self.zero_points[0]) * (i32::from(b) - self.zero_points[1]);
        self.grid().quantize(product as f32 * self.scale)
    }
}

pub(super) fn run(task: Task<'_>) {
    for row in 0..task.rows {
        let (a, b) = (&task.a[row * task.a_stride..], &task.b[row * task.b_stride..]);
        let output = &mut task.output[row * task.output_stride..][..task.channels];
        for ((output, &a), &b) in output.iter_mut().zip(a).zip(b) {
            *output = task.multiply.value(a, b);
        }
    }
}
