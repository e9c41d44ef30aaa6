//! Functions of single elements, and of rows.

use clawdbot_kernels::activate::{self, activate};

use super::epilogue::table;
use super::preparation::{CHEAP, Preparation};
use super::{Context, Operand, Run};
use crate::executor::bands::{Rows, in_bands};
use crate::executor::memory::Memory;
use crate::program::Activation;

/// What the kernels call an activation.
pub(super) fn function(activation: Activation) -> activate::Function {
    use activate::Function as F;
    match activation {
        Activation::None | Activation::Relu | Activation::Relu6 | Activation::Clip { .. } => {
            let (low, high) = activation.bounds();
            F::Clamp { low, high }
        }
        Activation::Leaky(slope) => F::Leaky { slope },
        Activation::Silu => F::Silu,
        Activation::HardSwish => F::HardSwish,
        Activation::HardSigmoid { slope, offset } => F::HardSigmoid { slope, offset },
        Activation::Logistic => F::Logistic,
        Activation::Tanh => F::Tanh,
        Activation::Gelu => F::Gelu,
    }
}

/// I8 by a table.
#[derive(Debug)]
pub(super) struct Table {
    input: Operand,
    table: Box<[i8; 256]>,
    channels: usize,
    rows: Rows,
}

impl Table {
    pub(super) fn new(preparation: &Preparation<'_>, name: &str) -> Option<Self> {
        let (input, table) = (preparation.operand(0)?, table(preparation, name)?);
        Some(Self { input, table, channels: preparation.output().channels(), rows: preparation.pixels(CHEAP) })
    }
}

impl Run for Table {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let input: &[i8] = memory.elements(&self.input.range);
        let stride = self.input.stride;
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, output: &mut [i8]| {
            let rows = input[band.start * stride..].chunks(stride);
            for (output, input) in output.chunks_mut(self.rows.elements).zip(rows) {
                for (output, &q) in output[..self.channels].iter_mut().zip(input) {
                    *output = self.table[usize::from(q.cast_unsigned() ^ 0x80)];
                }
            }
        });
    }
}

/// F32 by a formula.
#[derive(Debug)]
pub(super) struct Function {
    input: Operand,
    function: activate::Function,
    rows: Rows,
}

impl Function {
    pub(super) fn new(preparation: &Preparation<'_>, activation: Activation) -> Option<Self> {
        Some(Self { input: preparation.operand(0)?, function: function(activation), rows: preparation.pixels(CHEAP) })
    }
}

impl Run for Function {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let input: &[f32] = memory.elements(&self.input.range);
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, output| {
            let start = band.start * self.rows.elements;
            output.copy_from_slice(&input[start..start + output.len()]);
            activate(context.isa, self.function, output);
        });
    }
}

/// Softmax over the last axis. A network has one of it, over a few numbers, so libm's exponential does.
#[derive(Debug)]
pub(super) struct Softmax {
    input: Operand,
    channels: usize,
}

impl Softmax {
    pub(super) fn new(preparation: &Preparation<'_>) -> Option<Self> {
        Some(Self { input: preparation.operand(0)?, channels: preparation.output().channels() })
    }
}

impl Run for Softmax {
    fn run(&self, _: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let (input, output): (&[f32], &mut [f32]) =
            (memory.elements(&self.input.range), bytemuck::cast_slice_mut(output));
        let rows = input.chunks_exact(self.channels);
        for (output, input) in output.chunks_exact_mut(self.channels).zip(rows) {
            let max = input.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            output.iter_mut().zip(input).for_each(|(output, x)| *output = libm::expf(x - max));
            let sum: f32 = output.iter().sum();
            output.iter_mut().for_each(|output| *output /= sum);
        }
    }
}
