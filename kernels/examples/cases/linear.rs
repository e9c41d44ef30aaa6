//! The linear layers of a language model, and one whole model's, on made-up bytes.

use clawdbot_kernels::group_quantize::{self, group_quantize};
use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::linear::{Activations, GROUP, ROWS, Task};
use clawdbot_kernels::linear_f16::{self, linear_f16};
use clawdbot_kernels::linear_i4::{self, linear_i4};
use clawdbot_kernels::linear_i8::{self, linear_i8};

/// Single calls.
const CALLS: [(&str, Linear); 9] = [
    ("linear int4 1x1024x256", Linear::new(Weights::I4, 1, 1024, 256)),
    ("linear int4 4x1024x256", Linear::new(Weights::I4, 4, 1024, 256)),
    ("linear int4 32x1024x256", Linear::new(Weights::I4, 32, 1024, 256)),
    ("linear int8 1x1024x256", Linear::new(Weights::I8, 1, 1024, 256)),
    ("linear int8 4x1024x256", Linear::new(Weights::I8, 4, 1024, 256)),
    ("linear int8 32x1024x256", Linear::new(Weights::I8, 32, 1024, 256)),
    ("linear f16 1x1024x256", Linear::new(Weights::F16, 1, 1024, 256)),
    ("linear f16 32x1024x256", Linear::new(Weights::F16, 32, 1024, 256)),
    ("group quantize 32x1024", Linear::new(Weights::Quantize, 32, 1024, 0)),
];

/// Name and layers of all.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, Vec<Linear>)> {
    let models = [
        ("model SmolLM2-135M int4 1 token", smollm2_135m(Weights::I4, 1)),
        ("model SmolLM2-135M int4 32 tokens", smollm2_135m(Weights::I4, 32)),
        ("model SmolLM2-135M int8 1 token", smollm2_135m(Weights::I8, 1)),
        ("model SmolLM2-135M int8 32 tokens", smollm2_135m(Weights::I8, 32)),
    ];
    CALLS.into_iter().map(|(name, linear)| (name, vec![linear])).chain(models)
}

/// What a layer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weights {
    I4,
    I8,
    F16,
    /// None: it quantises K values a token.
    Quantize,
}

/// One call: tokens, K and N.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear {
    weights: Weights,
    tokens: usize,
    k: usize,
    n: usize,
}

impl Linear {
    const fn new(weights: Weights, tokens: usize, k: usize, n: usize) -> Self {
        Self { weights, tokens, k, n }
    }

    /// Multiplications of one call.
    pub(crate) const fn products(&self) -> usize {
        if matches!(self.weights, Weights::Quantize) { 0 } else { self.tokens * self.k * self.n }
    }

    /// Everything made up; what is answered makes one call. Any byte is a weight, and these are scales, too.
    pub(crate) fn prepare(self) -> Box<dyn FnMut()> {
        let isa = Isa::detect();
        let Self { tokens, k, n, .. } = self;
        let input = vec![0.75_f32; tokens * k];
        let (mut quants, scales) = (vec![3_i8; tokens * k], vec![0.01_f32; tokens * k / GROUP]);
        let mut corrections = vec![-8 * 96; scales.len()];
        let mut output = vec![0.0; tokens * n];
        let blocks = |block: usize| vec![0x2a_u8; n / ROWS * (k / GROUP) * block];
        match self.weights {
            Weights::I4 => {
                let weights = blocks(linear_i4::BLOCK);
                Box::new(move || {
                    let (quants, scales, corrections) = (&quants[..], &scales[..], &corrections[..]);
                    let activations = Activations { tokens, quants, scales, corrections };
                    linear_i4(isa, Task { activations, weights: &weights, output: &mut output });
                })
            }
            Weights::I8 => {
                let weights = blocks(linear_i8::BLOCK);
                Box::new(move || {
                    let (quants, scales, corrections) = (&quants[..], &scales[..], &corrections[..]);
                    let activations = Activations { tokens, quants, scales, corrections };
                    linear_i8(isa, Task { activations, weights: &weights, output: &mut output });
                })
            }
            Weights::F16 => {
                let weights = vec![0x2a2a_u16; n * k];
                Box::new(move || {
                    let (input, output) = (&input[..], &mut output[..]);
                    linear_f16(isa, linear_f16::Task { tokens, input, weights: &weights, output });
                })
            }
            Weights::Quantize => {
                let mut scales = scales;
                Box::new(move || {
                    let (input, quants) = (&input[..], &mut quants[..]);
                    let (scales, corrections) = (&mut scales[..], &mut corrections[..]);
                    group_quantize(isa, group_quantize::Task { tokens, input, quants, scales, corrections });
                })
            }
        }
    }
}

/// The linear layers of SmolLM2-135M (30 layers of 576, 3 heads of 64 for keys and values, 1536 between, 49152 words) and
/// what quantises before them, for some tokens, of which the last one only meets the words. Source: the model's `config.json`.
fn smollm2_135m(weights: Weights, tokens: usize) -> Vec<Linear> {
    let quantize = |k| Linear::new(Weights::Quantize, tokens, k, 0);
    let layer = |k, n| Linear::new(weights, tokens, k, n);
    let block = [
        quantize(576),
        layer(576, 576 + 2 * 192),
        quantize(576),
        layer(576, 576),
        quantize(576),
        layer(576, 2 * 1536),
        quantize(1536),
        layer(1536, 576),
    ];
    let mut layers = block.repeat(30);
    layers.extend([Linear::new(Weights::Quantize, 1, 576, 0), Linear::new(weights, 1, 576, 49152)]);
    layers
}
