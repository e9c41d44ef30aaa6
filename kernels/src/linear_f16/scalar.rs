//! `linear_f16_f32f16f32_scalar`: the law.

use super::Task;
use crate::float16::widen;
use crate::linear::{ROWS, float_index};

pub(super) fn run(task: Task<'_>) {
    let Task { tokens, input, weights, output } = task;
    let k = input.len() / tokens;
    for (index, result) in output.iter_mut().enumerate() {
        let (panel, token, row) = (index / (tokens * ROWS), index / ROWS % tokens, index % ROWS);
        *result = 0.0;
        for at in 0..k {
            let weight = widen(weights[(panel * k + at) * ROWS + row]);
            *result = weight.mul_add(input[float_index(tokens, at, token)], *result);
        }
    }
}
