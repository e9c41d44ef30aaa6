//! The seams between precisions.

use clawdbot_kernels::dequantize::{self, dequantize};
use clawdbot_kernels::quantize::{self, quantize};

use super::preparation::{CHEAP, Preparation};
use super::{Context, Operand, Run};
use crate::executor::bands::{Rows, in_bands};
use crate::executor::memory::Memory;

/// F32 -> I8.
#[derive(Debug)]
pub(super) struct Quantize {
    input: Operand,
    channels: usize,
    inverse_scale: Vec<f32>,
    zero_point: i32,
    rows: Rows,
}

impl Quantize {
    pub(super) fn new(preparation: &Preparation<'_>) -> Option<Self> {
        let output = preparation.output();
        Some(Self {
            input: preparation.operand(0)?,
            channels: output.channels(),
            inverse_scale: output.scale.iter().map(|scale| 1.0 / scale).collect(),
            zero_point: output.zero_point,
            rows: preparation.pixels(CHEAP),
        })
    }
}

impl Run for Quantize {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let (channels, zero_point, output_stride) = (self.channels, self.zero_point, self.rows.elements);
        let inverse_scale = &self.inverse_scale;
        let input: &[f32] = memory.elements(&self.input.range);
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, output| {
            let input = &input[band.start * channels..band.end * channels];
            quantize(context.isa, quantize::Task { channels, input, inverse_scale, zero_point, output, output_stride });
        });
    }
}

/// I8 -> F32.
#[derive(Debug)]
pub(super) struct Dequantize {
    input: Operand,
    channels: usize,
    scale: Vec<f32>,
    zero_point: i32,
    rows: Rows,
}

impl Dequantize {
    pub(super) fn new(preparation: &Preparation<'_>) -> Option<Self> {
        let input = preparation.input(0)?;
        Some(Self {
            input: preparation.operand(0)?,
            channels: input.channels(),
            scale: input.scale.clone(),
            zero_point: input.zero_point,
            rows: preparation.pixels(CHEAP),
        })
    }
}

impl Run for Dequantize {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let (channels, zero_point, input_stride) = (self.channels, self.zero_point, self.input.stride);
        let scale = &self.scale;
        let input: &[i8] = memory.elements(&self.input.range);
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, output| {
            let input = &input[band.start * input_stride..(band.end * input_stride).min(input.len())];
            dequantize(context.isa, dequantize::Task { channels, input, input_stride, scale, zero_point, output });
        });
    }
}
