//! `swiglu_f32f32_scalar`: the law.

use super::{Function, Task};
use crate::exponential::exponential;

/// 2 sqrt(2 / pi).
pub(super) const SLOPE: f32 = 1.595_769;
/// 2 sqrt(2 / pi) * 0.044715.
pub(super) const BEND: f32 = 0.071_354_814;

pub(super) fn run(task: Task<'_>) {
    match task.function {
        Function::Silu => each(task, |x| x),
        Function::GeluTanh => each(task, |x| x * (x * x).mul_add(BEND, SLOPE)),
    }
}

fn each(task: Task<'_>, inner: impl Fn(f32) -> f32) {
    let tile = 8 * task.tokens;
    for (output, input) in task.output.chunks_exact_mut(tile).zip(task.input.chunks_exact(2 * tile)) {
        let (gate, up) = input.split_at(tile);
        let chunks = output.as_chunks_mut::<8>().0.iter_mut().zip(gate.as_chunks::<8>().0).zip(up.as_chunks::<8>().0);
        for ((output, gate), up) in chunks {
            for lane in 0..8 {
                let x = gate[lane];
                output[lane] = x / (1.0 + exponential(-inner(x))) * up[lane];
            }
        }
    }
}
