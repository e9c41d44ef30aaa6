//! Sums and products of two values, and of a value and constants.

use std::ops::Range;

use clawdbot_kernels::activate::{Function, activate};
use clawdbot_kernels::add::{self, Add};
use clawdbot_kernels::multiply::{Multiply, Task, multiply};

use super::epilogue::Epilogue;
use super::functions::function;
use super::preparation::{CHEAP, Preparation};
use super::{Context, Operand, Run};
use crate::executor::bands::{Rows, in_bands};
use crate::executor::memory::Memory;
use crate::program::{Activation, QuantizedEpilogue};

/// I8 + I8.
#[derive(Debug)]
pub(super) struct AddI8 {
    inputs: [Operand; 2],
    scales: [f32; 2],
    zero_points: [i32; 2],
    epilogue: Epilogue,
    /// Channels, with those that pad them where all three have them.
    width: usize,
    rows: Rows,
}

impl AddI8 {
    pub(super) fn new(preparation: &Preparation<'_>, epilogue: &QuantizedEpilogue) -> Option<Self> {
        let (a, b, output) = (preparation.input(0)?, preparation.input(1)?, preparation.output());
        let inputs = [preparation.operand(0)?, preparation.operand(1)?];
        let stride = preparation.output_stride();
        let alike = stride == output.stride() && inputs.iter().all(|input| input.stride == stride);
        let scale = output.scale.first()?;
        Some(Self {
            inputs,
            scales: [a.scale.first()? / scale, b.scale.first()? / scale],
            zero_points: [a.zero_point, b.zero_point],
            epilogue: Epilogue::new(preparation, epilogue)?,
            width: if alike { stride } else { output.channels() },
            rows: preparation.pixels(CHEAP),
        })
    }
}

impl Run for AddI8 {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let [a, b] = &self.inputs;
        let [a_data, b_data]: [&[i8]; 2] = [memory.elements(&a.range), memory.elements(&b.range)];
        let Epilogue { zero_point, low, high, .. } = self.epilogue;
        let (scales, zero_points, table) = (self.scales, self.zero_points, self.epilogue.table());
        let numbers = Add { scales, zero_points, zero_point, low, high, table };
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, output| {
            let task = add::Task {
                rows: band.len(),
                width: self.width,
                a: &a_data[band.start * a.stride..],
                a_stride: a.stride,
                b: &b_data[band.start * b.stride..],
                b_stride: b.stride,
                add: &numbers,
                output,
                output_stride: self.rows.elements,
            };
            add::add(context.isa, task);
        });
    }
}

/// I8 x I8.
#[derive(Debug)]
pub(super) struct MultiplyI8 {
    inputs: [Operand; 2],
    /// The second factor is one pixel.
    pixel: bool,
    scale: f32,
    zero_points: [i32; 2],
    epilogue: Epilogue,
    channels: usize,
    rows: Rows,
}

impl MultiplyI8 {
    pub(super) fn new(preparation: &Preparation<'_>, epilogue: &QuantizedEpilogue) -> Option<Self> {
        let (a, b, output) = (preparation.input(0)?, preparation.input(1)?, preparation.output());
        Some(Self {
            inputs: [preparation.operand(0)?, preparation.operand(1)?],
            pixel: b.pixels() == 1,
            scale: a.scale.first()? * b.scale.first()? / output.scale.first()?,
            zero_points: [a.zero_point, b.zero_point],
            epilogue: Epilogue::new(preparation, epilogue)?,
            channels: output.channels(),
            rows: preparation.pixels(CHEAP),
        })
    }
}

impl Run for MultiplyI8 {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let [a, b] = &self.inputs;
        let [a_data, b_data]: [&[i8]; 2] = [memory.elements(&a.range), memory.elements(&b.range)];
        let Epilogue { zero_point, low, high, .. } = self.epilogue;
        let (scale, zero_points, table) = (self.scale, self.zero_points, self.epilogue.table());
        let numbers = Multiply { scale, zero_points, zero_point, low, high, table };
        let b_stride = if self.pixel { 0 } else { b.stride };
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, output| {
            multiply(
                context.isa,
                Task {
                    rows: band.len(),
                    channels: self.channels,
                    a: &a_data[band.start * a.stride..],
                    a_stride: a.stride,
                    b: &b_data[band.start * b_stride..],
                    b_stride,
                    multiply: &numbers,
                    output,
                    output_stride: self.rows.elements,
                },
            );
        });
    }
}

/// F32 + F32 or F32 x F32.
#[derive(Debug)]
pub(super) struct PairF32 {
    inputs: [Operand; 2],
    make: fn(f32, f32) -> f32,
    function: Option<Function>,
    rows: Rows,
}

impl PairF32 {
    pub(super) fn add(preparation: &Preparation<'_>, activation: Activation) -> Option<Self> {
        let function = (activation != Activation::None).then(|| function(activation));
        Some(Self { function, ..Self::new(preparation, |a, b| a + b)? })
    }

    pub(super) fn multiply(preparation: &Preparation<'_>) -> Option<Self> {
        Self::new(preparation, |a, b| a * b)
    }

    fn new(preparation: &Preparation<'_>, make: fn(f32, f32) -> f32) -> Option<Self> {
        let inputs = [preparation.operand(0)?, preparation.operand(1)?];
        Some(Self { inputs, make, function: None, rows: preparation.pixels(CHEAP) })
    }
}

impl Run for PairF32 {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let [a, b]: [&[f32]; 2] = [0, 1].map(|input: usize| memory.elements(&self.inputs[input].range));
        let channels = self.rows.elements;
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, output| {
            let a = &a[band.start * channels..];
            // A second operand of one pixel serves all pixels.
            let start = if b.len() == channels { 0 } else { band.start * channels };
            for (row, output) in output.chunks_exact_mut(channels).enumerate() {
                let (a, b) = (&a[row * channels..], &b[if b.len() == channels { 0 } else { start + row * channels }..]);
                output.iter_mut().zip(a).zip(b).for_each(|((output, &a), &b)| *output = (self.make)(a, b));
                if let Some(function) = self.function {
                    activate(context.isa, function, output);
                }
            }
        });
    }
}

/// F32 x factors + offsets.
#[derive(Debug)]
pub(super) struct AffineF32 {
    input: Operand,
    factors: Range<usize>,
    offsets: Range<usize>,
    function: Option<Function>,
    rows: Rows,
}

impl AffineF32 {
    pub(super) fn new(
        preparation: &Preparation<'_>,
        [factors, offsets]: [&str; 2],
        activation: Activation,
    ) -> Option<Self> {
        Some(Self {
            input: preparation.operand(0)?,
            factors: preparation.tensor(factors)?,
            offsets: preparation.tensor(offsets)?,
            function: (activation != Activation::None).then(|| function(activation)),
            rows: preparation.pixels(CHEAP),
        })
    }
}

impl Run for AffineF32 {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let (factors, offsets): (&[f32], &[f32]) = (context.tensor(&self.factors), context.tensor(&self.offsets));
        let input: &[f32] = memory.elements(&self.input.range);
        let channels = self.rows.elements;
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, output| {
            let input = &input[band.start * channels..];
            for (output, input) in output.chunks_exact_mut(channels).zip(input.chunks_exact(channels)) {
                let constants = factors.iter().zip(offsets);
                for ((output, x), (factor, offset)) in output.iter_mut().zip(input).zip(constants) {
                    *output = x * factor + offset;
                }
                if let Some(function) = self.function {
                    activate(context.isa, function, output);
                }
            }
        });
    }
}
