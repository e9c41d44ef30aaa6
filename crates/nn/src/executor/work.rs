//! One step with everything looked up, and how it calls its kernel.

use std::ops::Range;

use clawdbot_kernels::add::{Add, add};
use clawdbot_kernels::conv::conv;
use clawdbot_kernels::conv_f16::{self, ConvF16, conv_f16};
use clawdbot_kernels::depthwise::{self, Depthwise, depthwise};
use clawdbot_kernels::depthwise_f16::{self, DepthwiseF16, depthwise_f16};
use clawdbot_kernels::dequantize::{self, dequantize};
use clawdbot_kernels::epilogue::{Activation, Output, Requantize, Residual};
use clawdbot_kernels::gemm::{Gemm, gemm};
use clawdbot_kernels::geometry::Geometry;
use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::pool::{self, Pool, pool};
use clawdbot_kernels::quantize::{self, quantize};

use super::bands::{Rows, in_bands};
use super::floats;
use super::memory::Memory;
use crate::workers::Workers;

/// What all steps share during a run.
pub(super) struct Context<'a> {
    pub(super) isa: Isa,
    pub(super) workers: &'a Workers,
    /// The model's bytes: every tensor's range counts in them.
    pub(super) tensors: &'a [u8],
}

impl<'a> Context<'a> {
    /// The elements of a tensor; verification proved its type, and the bundle its alignment.
    fn tensor<T: bytemuck::Pod>(&self, range: &Range<usize>) -> &'a [T] {
        bytemuck::cast_slice(&self.tensors[range.clone()])
    }
}

/// An operand in the arena.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) range: Range<usize>,
    /// Elements from pixel to pixel.
    pub(super) stride: usize,
}

/// Where an INT8 layer's tensors lie.
#[derive(Clone, Debug)]
pub(super) struct Quantized {
    pub(super) weights: Range<usize>,
    pub(super) bias: Range<usize>,
    pub(super) scale: Range<usize>,
    pub(super) column_sums: Range<usize>,
}

/// How an I8 result is made.
#[derive(Clone, Debug)]
pub(super) struct Epilogue {
    pub(super) zero_point: i32,
    pub(super) low: i8,
    pub(super) high: i8,
    pub(super) table: Option<Range<usize>>,
    pub(super) residual: Option<Fused>,
}

/// A residual that is added in the epilogue.
#[derive(Clone, Debug)]
pub(super) struct Fused {
    pub(super) operand: Operand,
    /// Its scale / the result's.
    pub(super) scale: f32,
    pub(super) zero_point: i32,
}

/// Where an F16 layer's tensors lie, and its numbers.
#[derive(Clone, Debug)]
pub(super) struct Halves {
    pub(super) weights: Range<usize>,
    pub(super) bias: Range<usize>,
    pub(super) pad_value: f32,
    pub(super) low: f32,
    pub(super) high: f32,
}

/// An INT8 dense layer.
#[derive(Clone, Debug)]
pub(super) struct Dense {
    pub(super) input: Operand,
    /// Of all its pixels in a row when `pointwise`.
    pub(super) geometry: Geometry,
    pub(super) pointwise: bool,
    pub(super) pad_value: i8,
    pub(super) k: usize,
    pub(super) n: usize,
    pub(super) tensors: Quantized,
    /// `None` for an F32 result.
    pub(super) epilogue: Option<Epilogue>,
    pub(super) output_stride: usize,
    pub(super) rows: Rows,
}

/// One step. Boxed where the numbers are many.
#[derive(Debug)]
pub(super) enum Work {
    Dense(Box<Dense>),
    Depthwise {
        layer: Box<Dense>,
        epilogue: Epilogue,
    },
    DenseF16 {
        input: Operand,
        geometry: Geometry,
        n: usize,
        layer: Halves,
        residual: Option<Operand>,
        rows: Rows,
    },
    DepthwiseF16 {
        input: Operand,
        geometry: Geometry,
        layer: Halves,
        rows: Rows,
    },
    AddI8 {
        inputs: [Operand; 2],
        scales: [f32; 2],
        zero_points: [i32; 2],
        epilogue: Epilogue,
        rows: Rows,
    },
    AddF32 {
        inputs: [Operand; 2],
        bounds: [f32; 2],
        rows: Rows,
    },
    Quantize {
        input: Operand,
        channels: usize,
        inverse_scale: Vec<f32>,
        zero_point: i32,
        rows: Rows,
    },
    Dequantize {
        input: Operand,
        channels: usize,
        scale: Vec<f32>,
        zero_point: i32,
        rows: Rows,
    },
    PoolI8 {
        input: Operand,
        pool: Pool,
    },
    PoolF32 {
        input: Operand,
    },
    /// The result is its input's memory.
    Alias,
    /// Each input with the elements that it adds to a row of `total`.
    Concatenate {
        inputs: Vec<(Operand, usize)>,
        total: usize,
    },
    Logistic {
        input: Operand,
    },
    Softmax {
        input: Operand,
        channels: usize,
    },
}

impl Work {
    /// Makes `output`, the step's result in the arena, from what lies in `memory`.
    pub(super) fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let isa = context.isa;
        match self {
            Self::Dense(layer) => layer.run(context, memory, output),
            Self::Depthwise { layer, epilogue } => layer.run_depthwise(epilogue, context, memory, output),
            Self::DenseF16 { .. } | Self::DepthwiseF16 { .. } => self.run_f16(context, memory, output),
            Self::AddI8 { .. } => self.run_add_i8(context, memory, output),
            Self::AddF32 { inputs, bounds, rows } => {
                let [a, b] = [memory.f32(&inputs[0].range), memory.f32(&inputs[1].range)];
                in_bands(context.workers, *rows, bytemuck::cast_slice_mut(output), |band, output| {
                    floats::add(&a[band.clone()], &b[band], *bounds, output);
                });
            }
            Self::Quantize { .. } | Self::Dequantize { .. } => self.run_conversion(context, memory, output),
            Self::PoolI8 { input, pool: numbers } => {
                let (input, output) = (memory.i8(&input.range), bytemuck::cast_slice_mut(output));
                pool(isa, pool::Task::I8 { input, pool: *numbers, output });
            }
            Self::PoolF32 { input } => {
                let (input, output) = (memory.f32(&input.range), bytemuck::cast_slice_mut(output));
                pool(isa, pool::Task::F32 { input, output });
            }
            Self::Alias => {}
            Self::Concatenate { inputs, total } => {
                let output = bytemuck::cast_slice_mut(output);
                let mut start = 0;
                for (input, length) in inputs {
                    floats::place(memory.f32(&input.range), *length, start, *total, output);
                    start += length;
                }
            }
            Self::Logistic { input } => floats::logistic(memory.f32(&input.range), bytemuck::cast_slice_mut(output)),
            Self::Softmax { input, channels } => {
                floats::softmax(memory.f32(&input.range), *channels, bytemuck::cast_slice_mut(output));
            }
        }
    }

    fn run_f16(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let isa = context.isa;
        let output = bytemuck::cast_slice_mut(output);
        match self {
            Self::DenseF16 { input, geometry, n, layer, residual, rows } => {
                let (weights, bias) = (context.tensor(&layer.weights), context.tensor(&layer.bias));
                let Halves { pad_value, low, high, .. } = *layer;
                let conv = ConvF16 { n: *n, weights, bias, pad_value, low, high };
                let input = memory.f32(&input.range);
                let residual = residual.as_ref().map(|residual| memory.f32(&residual.range));
                in_bands(context.workers, *rows, output, |band, output| {
                    let residual = residual.map(|all| &all[band.start * rows.elements..band.end * rows.elements]);
                    conv_f16(isa, conv_f16::Task { geometry, rows: band, input, conv: &conv, residual, output });
                });
            }
            Self::DepthwiseF16 { input, geometry, layer, rows } => {
                let (weights, bias) = (context.tensor(&layer.weights), context.tensor(&layer.bias));
                let Halves { pad_value, low, high, .. } = *layer;
                let depthwise = DepthwiseF16 { weights, bias, pad_value, low, high };
                let input = memory.f32(&input.range);
                in_bands(context.workers, *rows, output, |band, output| {
                    let depthwise = &depthwise;
                    depthwise_f16(isa, depthwise_f16::Task { geometry, rows: band, input, depthwise, output });
                });
            }
            _ => {}
        }
    }

    fn run_add_i8(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let Self::AddI8 { inputs, scales, zero_points, epilogue, rows } = self else { return };
        let [a, b] = [memory.i8(&inputs[0].range), memory.i8(&inputs[1].range)];
        let Epilogue { zero_point, low, high, .. } = *epilogue;
        let table = epilogue.table(context);
        let numbers = Add { scales: *scales, zero_points: *zero_points, zero_point, low, high, table };
        in_bands(context.workers, *rows, bytemuck::cast_slice_mut(output), |band, output| {
            add(context.isa, &a[band.clone()], &b[band], &numbers, output);
        });
    }

    fn run_conversion(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        match self {
            Self::Quantize { input, channels, inverse_scale, zero_point, rows } => {
                let (channels, zero_point, output_stride) = (*channels, *zero_point, rows.elements);
                let input = memory.f32(&input.range);
                in_bands(context.workers, *rows, bytemuck::cast_slice_mut(output), |band, output| {
                    let input = &input[band.start * channels..band.end * channels];
                    let task = quantize::Task { channels, input, inverse_scale, zero_point, output, output_stride };
                    quantize(context.isa, task);
                });
            }
            Self::Dequantize { input, channels, scale, zero_point, rows } => {
                let (channels, zero_point, input_stride) = (*channels, *zero_point, input.stride);
                let input = memory.i8(&input.range);
                in_bands(context.workers, *rows, bytemuck::cast_slice_mut(output), |band, output| {
                    let input = &input[band.start * input_stride..band.end * input_stride];
                    dequantize(
                        context.isa,
                        dequantize::Task { channels, input, input_stride, scale, zero_point, output },
                    );
                });
            }
            _ => {}
        }
    }
}

impl Epilogue {
    fn table<'a>(&self, context: &Context<'a>) -> Option<&'a [i8; 256]> {
        self.table.as_ref().and_then(|table| context.tensor::<i8>(table).first_chunk())
    }

    /// The law's numbers for a band of the result that begins at `pixel`.
    fn requantize<'a>(
        &self,
        context: &Context<'a>,
        memory: &Memory<'a>,
        scale: &'a [f32],
        pixel: usize,
    ) -> Requantize<'a> {
        let residual = self.residual.as_ref().map(|residual| {
            let stride = residual.operand.stride;
            let data = &memory.i8(&residual.operand.range)[pixel * stride..];
            Residual { data, stride, scale: residual.scale, zero_point: residual.zero_point }
        });
        let Self { zero_point, low, high, .. } = *self;
        let activation = self.table(context).map_or(Activation::Clamp, Activation::Table);
        Requantize { scale, zero_point, low, high, activation, residual }
    }
}

impl Dense {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let scale = context.tensor(&self.tensors.scale);
        let stride = self.output_stride;
        if let Some(epilogue) = &self.epilogue {
            in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, data| {
                let pixel = band.start * self.rows.elements / stride;
                let requantize = epilogue.requantize(context, memory, scale, pixel);
                self.band(context, memory, band, Output::I8 { data, stride, requantize });
            });
        } else {
            let (low, high) = (f32::NEG_INFINITY, f32::INFINITY);
            in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, data| {
                self.band(context, memory, band, Output::F32 { data, stride, scale, low, high });
            });
        }
    }

    fn band(&self, context: &Context<'_>, memory: &Memory<'_>, band: Range<usize>, output: Output<'_>) {
        let weights = Gemm {
            k: self.k,
            n: self.n,
            weights: context.tensor(&self.tensors.weights),
            bias: context.tensor(&self.tensors.bias),
            column_sums: context.tensor(&self.tensors.column_sums),
        };
        let input = memory.i8(&self.input.range);
        if self.pointwise {
            let stride = self.input.stride;
            gemm(context.isa, band.len(), &input[band.start * stride..band.end * stride], stride, &weights, output);
        } else {
            conv(context.isa, &self.geometry, band, input, self.pad_value, &weights, output);
        }
    }

    fn run_depthwise(&self, epilogue: &Epilogue, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let weights = Depthwise {
            weights: context.tensor(&self.tensors.weights),
            bias: context.tensor(&self.tensors.bias),
            pad_value: self.pad_value,
        };
        let (scale, input) = (context.tensor(&self.tensors.scale), memory.i8(&self.input.range));
        let (geometry, output_stride) = (&self.geometry, self.output_stride);
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |rows, output| {
            let pixel = rows.start * self.rows.elements / output_stride;
            let requantize = epilogue.requantize(context, memory, scale, pixel);
            let depthwise = &weights;
            let task = depthwise::Task { geometry, rows, input, depthwise, requantize, output, output_stride };
            self::depthwise(context.isa, task);
        });
    }
}
