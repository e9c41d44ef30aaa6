//! `linear_i4_i8i4f32_scalar`: the law.

use super::Task;
use super::pack::{BLOCK, nibble};
use crate::linear::{GROUP, ROWS, SCALES, scale};

pub(super) fn run(task: Task<'_>) {
    let Task { activations, weights, output } = task;
    let (tokens, groups) = (activations.tokens, activations.groups());
    for (index, result) in output.iter_mut().enumerate() {
        let (panel, token, row) = (index / (tokens * ROWS), index / ROWS % tokens, index % ROWS);
        *result = 0.0;
        for group in 0..groups {
            let block = &weights[(panel * groups + group) * BLOCK..][..BLOCK];
            let at = group * tokens + token;
            let quants = &activations.quants[at * GROUP..][..GROUP];
            let products = quants.iter().enumerate().map(|(k, &x)| nibble(&block[SCALES..], row, k) * i32::from(x));
            let sum = activations.corrections[at] + products.sum::<i32>();
            *result = (sum as f32).mul_add(scale(block, row) * activations.scales[at], *result);
        }
    }
}
