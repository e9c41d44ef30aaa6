//! The linear layers of a language model, their weights small enough for the second cache.

use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::linear::{Activations, GROUP, ROWS, Task};
use clawdbot_kernels::linear_f16::{self, linear_f16};
use clawdbot_kernels::linear_i4::{self, linear_i4};
use clawdbot_kernels::linear_i8::{self, linear_i8};

use crate::{bytes, cycles};

/// K and N.
const SIZE: [usize; 2] = [3072, 256];

/// Name, bytes of a block of weights (none: F16), tokens.
pub(crate) const LAYERS: &[(&str, Option<usize>, usize)] = &[
    ("linear int4 1 token", Some(linear_i4::BLOCK), 1),
    ("linear int4 4 tokens", Some(linear_i4::BLOCK), 4),
    ("linear int4 64 tokens", Some(linear_i4::BLOCK), 64),
    ("linear int8 1 token", Some(linear_i8::BLOCK), 1),
    ("linear int8 4 tokens", Some(linear_i8::BLOCK), 4),
    ("linear int8 64 tokens", Some(linear_i8::BLOCK), 64),
    ("linear f16 1 token", None, 1),
    ("linear f16 64 tokens", None, 64),
];

/// Products and cycles of a call.
pub(crate) fn pace(isa: Isa, block: Option<usize>, tokens: usize) -> (usize, f64) {
    let [k, n] = SIZE;
    let mut results = vec![0.0; tokens * n];
    let output = results.as_mut_slice();
    let groups = k / GROUP;
    let cycles = match block {
        None => {
            let (input, weights) = (vec![0.5; tokens * k], vec![0x3800; n * k]);
            cycles(|| linear_f16(isa, linear_f16::Task { tokens, input: &input, weights: &weights, output }))
        }
        Some(block) => {
            let (quants, scales, corrections) =
                (bytes(tokens * k), vec![0.01; tokens * groups], vec![7; tokens * groups]);
            let activations = Activations { tokens, quants: &quants, scales: &scales, corrections: &corrections };
            // Any byte is a weight, and these are scales, too.
            let weights = vec![0x2a; n / ROWS * groups * block];
            let linear = if block == linear_i4::BLOCK { linear_i4 } else { linear_i8 };
            cycles(|| linear(isa, Task { activations, weights: &weights, output }))
        }
    };
    (tokens * k * n, cycles)
}
