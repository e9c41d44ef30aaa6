//! Dense INT8 convolutions.

use std::ops::Range;

use clawdbot_kernels::conv::conv;
use clawdbot_kernels::epilogue::Output;
use clawdbot_kernels::gemm::{Gemm, gemm};
use clawdbot_kernels::geometry::Geometry;

use super::epilogue::Epilogue;
use super::preparation::Preparation;
use super::{Context, Operand, Run};
use crate::executor::bands::{Rows, in_bands};
use crate::executor::memory::Memory;
use crate::program::{QuantizedEpilogue, QuantizedWeights, Window, channel_stride};
use crate::tensor::DataType;

/// Where an INT8 layer's tensors lie.
#[derive(Clone, Debug)]
pub(super) struct Tensors {
    pub(super) weights: Range<usize>,
    pub(super) bias: Range<usize>,
    pub(super) scale: Range<usize>,
    column_sums: Range<usize>,
}

impl Tensors {
    pub(super) fn new(preparation: &Preparation<'_>, names: &QuantizedWeights) -> Option<Self> {
        Some(Self {
            weights: preparation.tensor(&names.weights)?,
            bias: preparation.tensor(&names.bias)?,
            scale: preparation.tensor(&names.scale)?,
            column_sums: preparation.tensor(&names.column_sums)?,
        })
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Dense {
    input: Operand,
    geometry: Geometry,
    /// A matrix product over all pixels in a row.
    pointwise: bool,
    pad_value: i8,
    k: usize,
    n: usize,
    tensors: Tensors,
    /// `None` for an F32 result.
    epilogue: Option<Epilogue>,
    output_stride: usize,
    rows: Rows,
}

impl Dense {
    pub(super) fn new(
        preparation: &Preparation<'_>,
        window: Window,
        pad_value: i8,
        tensors: &QuantizedWeights,
        epilogue: &QuantizedEpilogue,
    ) -> Option<Self> {
        let (input, output) = (preparation.operand(0)?, preparation.output());
        let taps = window.kernel[0] * window.kernel[1];
        let k = (taps * channel_stride(preparation.input(0)?.channels())).next_multiple_of(8);
        // A pixel of 4 channels is shorter than the 8 that a GEMM reads at once.
        let pointwise = window.is_pointwise() && input.stride.is_multiple_of(8);
        let integers = output.data_type == DataType::I8;
        Some(Self {
            geometry: preparation.geometry(window)?,
            pointwise,
            pad_value,
            k,
            n: output.channels(),
            tensors: Tensors::new(preparation, tensors)?,
            epilogue: if integers { Some(Epilogue::with_residual(preparation, epilogue)?) } else { None },
            output_stride: preparation.output_stride(),
            input,
            rows: if pointwise { preparation.pixels(k) } else { preparation.picture_rows(k) },
        })
    }

    fn band(&self, context: &Context<'_>, memory: &Memory<'_>, band: Range<usize>, output: Output<'_>) {
        let weights = Gemm {
            k: self.k,
            n: self.n,
            weights: context.tensor(&self.tensors.weights),
            bias: context.tensor(&self.tensors.bias),
            column_sums: context.tensor(&self.tensors.column_sums),
        };
        let input: &[i8] = memory.elements(&self.input.range);
        if self.pointwise {
            let stride = self.input.stride;
            gemm(context.isa, band.len(), &input[band.start * stride..], stride, &weights, output);
        } else {
            conv(context.isa, &self.geometry, band, input, self.pad_value, &weights, output);
        }
    }
}

impl Run for Dense {
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
}
