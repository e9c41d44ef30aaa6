//! `rms_norm_f32f32f32_scalar`: the law.

use super::Task;
use crate::lanes::{self, Lanes};

pub(super) fn run(task: Task<'_>) {
    let Task { tokens, source, weight, epsilon, output } = task;
    let group = weight.len() * tokens;
    let (weights, _) = weight.as_chunks::<8>();
    for (index, output) in output.chunks_exact_mut(group).enumerate() {
        let (output, _) = output.as_chunks_mut::<8>();
        match source {
            Some(source) => {
                let (source, _) = source[index * group..][..group].as_chunks::<8>();
                for token in 0..tokens {
                    let inverse = inverse(&source[token..], tokens, weight.len(), epsilon);
                    let chunks = output[token..].iter_mut().step_by(tokens).zip(source[token..].iter().step_by(tokens));
                    for ((output, source), weight) in chunks.zip(weights) {
                        *output = scaled(*source, inverse, weight);
                    }
                }
            }
            None => {
                for token in 0..tokens {
                    let inverse = inverse(&output[token..], tokens, weight.len(), epsilon);
                    for (output, weight) in output[token..].iter_mut().step_by(tokens).zip(weights) {
                        *output = scaled(*output, inverse, weight);
                    }
                }
            }
        }
    }
}

/// What one token's values of a group are multiplied by.
fn inverse(chunks: &[Lanes], tokens: usize, width: usize, epsilon: f32) -> f32 {
    let mut sums = [0.0_f32; 8];
    for chunk in chunks.iter().step_by(tokens) {
        for lane in 0..8 {
            sums[lane] = chunk[lane].mul_add(chunk[lane], sums[lane]);
        }
    }
    1.0 / (lanes::sum(sums) / width as f32 + epsilon).sqrt()
}

fn scaled(values: Lanes, inverse: f32, weight: &Lanes) -> Lanes {
    std::array::from_fn(|lane| values[lane] * inverse * weight[lane])
}
