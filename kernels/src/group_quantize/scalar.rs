//! `group_quantize_f32i8_scalar`: the law.

use super::{Task, scale_and_inverse};
use crate::linear::{GROUP, float_index};

pub(super) fn run(task: Task<'_>) {
    let Task { tokens, input, quants, scales, corrections } = task;
    for (index, quants) in quants.chunks_exact_mut(GROUP).enumerate() {
        let (group, token) = (index / tokens, index % tokens);
        let value = |at| input[float_index(tokens, group * GROUP + at, token)];
        let largest = (0..GROUP).fold(0.0_f32, |most, at| most.max(value(at).abs()));
        let [scale, inverse] = scale_and_inverse(largest);
        for (at, quant) in quants.iter_mut().enumerate() {
            *quant = (value(at) * inverse).round_ties_even() as i8;
        }
        scales[index] = scale;
        corrections[index] = -8 * quants.iter().map(|&quant| i32::from(quant)).sum::<i32>();
    }
}
