//! All operators and all kernels, for those who list them: tests, benches, `clawdbot kernels`.

use crate::isa::{Isa, Operator as Kind, Variant};
use crate::{
    activate, add, add_f32, argmax, attention, average_pool, blend, conv, conv_f16, depthwise, depthwise_f16,
    dequantize, gemm, group_quantize, kv_store, linear_f16, linear_i4, linear_i8, max_pool, multiply, pool, quantize,
    resample, resize, rms_norm, rope, shuffle, swiglu,
};

/// A variant as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// See [`crate::name`].
    pub name: &'static str,
    /// What it needs.
    pub isa: Isa,
    /// See [`Variant::tile`].
    pub tile: &'static [usize],
    /// Whether this build holds it and this processor can run it.
    pub runnable: bool,
}

/// An operator as others see it.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// The folder under `kernels/src`.
    pub name: &'static str,
    /// What it computes, in a few words.
    pub purpose: &'static str,
    list: fn() -> Vec<Kernel>,
}

impl Operator {
    /// Its variants, from the plainest to the best, those for other processors too.
    #[must_use]
    pub fn kernels(&self) -> Vec<Kernel> {
        (self.list)()
    }

    /// The variant that a processor with `isa` runs, whatever this build is for.
    ///
    /// # Panics
    /// Never: the reference, which all instruction sets include, stands first in each table.
    #[must_use]
    pub fn choice(&self, isa: Isa) -> Kernel {
        let fitting = self.kernels().into_iter().rev().find(|kernel| isa.includes(kernel.isa));
        fitting.expect("the reference is in every table")
    }
}

/// All of them, in the order of the documentation.
pub const OPERATORS: &[Operator] = &[
    Operator { name: "gemm", purpose: "INT8 1x1 convolution", list: || list(gemm::VARIANTS) },
    Operator { name: "conv", purpose: "INT8 convolution, any window", list: || list(conv::VARIANTS) },
    Operator { name: "depthwise", purpose: "INT8 depthwise convolution", list: || list(depthwise::VARIANTS) },
    Operator { name: "add", purpose: "sum of two INT8 tensors", list: || list(add::VARIANTS) },
    Operator { name: "multiply", purpose: "product of two INT8 tensors", list: || list(multiply::VARIANTS) },
    Operator { name: "pool", purpose: "global average", list: || list(pool::VARIANTS) },
    Operator { name: "max_pool", purpose: "maximum under a window", list: || list(max_pool::VARIANTS) },
    Operator { name: "average_pool", purpose: "mean under a window", list: || list(average_pool::VARIANTS) },
    Operator { name: "resize", purpose: "other sides: nearest, bilinear", list: || list(resize::VARIANTS) },
    Operator { name: "shuffle", purpose: "channel shuffle", list: || list(shuffle::VARIANTS) },
    Operator { name: "conv_f16", purpose: "F16-stored convolution", list: || list(conv_f16::VARIANTS) },
    Operator {
        name: "depthwise_f16",
        purpose: "F16-stored depthwise convolution",
        list: || list(depthwise_f16::VARIANTS),
    },
    Operator { name: "activate", purpose: "activations of floats", list: || list(activate::VARIANTS) },
    Operator { name: "quantize", purpose: "F32 to INT8", list: || list(quantize::VARIANTS) },
    Operator { name: "dequantize", purpose: "INT8 to F32", list: || list(dequantize::VARIANTS) },
    Operator { name: "blend", purpose: "between two rows of a picture", list: || list(blend::VARIANTS) },
    Operator { name: "resample", purpose: "a row to the network's input", list: || list(resample::VARIANTS) },
    Operator { name: "linear_i4", purpose: "INT4 linear layer", list: || list(linear_i4::VARIANTS) },
    Operator { name: "linear_i8", purpose: "INT8 linear layer", list: || list(linear_i8::VARIANTS) },
    Operator { name: "linear_f16", purpose: "F16-stored linear layer", list: || list(linear_f16::VARIANTS) },
    Operator { name: "group_quantize", purpose: "F32 to INT8 in groups", list: || list(group_quantize::VARIANTS) },
    Operator { name: "rms_norm", purpose: "root mean square normalisation", list: || list(rms_norm::VARIANTS) },
    Operator { name: "rope", purpose: "rotary position embedding", list: || list(rope::VARIANTS) },
    Operator { name: "kv_store", purpose: "keys and values into pages", list: || list(kv_store::VARIANTS) },
    Operator { name: "attention", purpose: "attention over pages", list: || list(attention::VARIANTS) },
    Operator { name: "swiglu", purpose: "gate of a feed-forward layer", list: || list(swiglu::VARIANTS) },
    Operator { name: "add_f32", purpose: "sum of floats, bias", list: || list(add_f32::VARIANTS) },
    Operator { name: "argmax", purpose: "place of the largest logit", list: || list(argmax::VARIANTS) },
];

fn list<O: Kind>(variants: &[Variant<O>]) -> Vec<Kernel> {
    let kernel = |variant: &Variant<O>| Kernel {
        name: variant.name,
        isa: variant.isa,
        tile: variant.tile,
        runnable: variant.runnable(),
    };
    variants.iter().map(kernel).collect()
}
