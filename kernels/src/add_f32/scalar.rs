//! `add_f32_f32f32_scalar`: the law.

use super::{Addend, Task};

pub(super) fn run(task: Task<'_>) {
    match task.addend {
        Addend::Tensor { data, factor } => {
            for (value, addend) in task.values.iter_mut().zip(data) {
                *value = addend.mul_add(factor, *value);
            }
        }
        Addend::Bias { data, tokens } => {
            let tiles = task.values.as_chunks_mut::<8>().0.chunks_exact_mut(tokens);
            for (tile, bias) in tiles.zip(data.as_chunks::<8>().0) {
                for values in tile {
                    for lane in 0..8 {
                        values[lane] += bias[lane];
                    }
                }
            }
        }
    }
}
