//! `add_i8i8i8_scalar`: the law.

use super::{Add, Task};

impl Add<'_> {
    /// The sum of one pair.
    pub(crate) fn value(&self, a: i8, b: i8) -> i8 {
        let a = (i32::from(a) - self.zero_points[0]) as f32 * self.scales[0];
        let b = (i32::from(b) - self.zero_points[1]) as f32 * self.scales[1];
        self.grid().quantize(a + b)
    }
}

pub(super) fn run(task: Task<'_>) {
    let add = task.add;
    task.for_each(|a, b, output| sums(a, b, add, output));
}

/// The sums of a row.
pub(super) fn sums(a: &[i8], b: &[i8], add: &Add<'_>, output: &mut [i8]) {
    for ((output, &a), &b) in output.iter_mut().zip(a).zip(b) {
        *output = add.value(a, b);
    }
}
