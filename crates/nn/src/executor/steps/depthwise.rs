//! Depthwise INT8 convolutions.

use clawdbot_kernels::depthwise::{Depthwise as Weights, Task, depthwise};
use clawdbot_kernels::geometry::Geometry;

use super::dense::Tensors;
use super::epilogue::Epilogue;
use super::preparation::Preparation;
use super::{Context, Operand, Run};
use crate::executor::bands::{Rows, in_bands};
use crate::executor::memory::Memory;
use crate::program::{QuantizedEpilogue, QuantizedWeights, Window};

/// See the module.
#[derive(Debug)]
pub(super) struct Depthwise {
    input: Operand,
    geometry: Geometry,
    pad_value: i8,
    tensors: Tensors,
    epilogue: Epilogue,
    output_stride: usize,
    rows: Rows,
}

impl Depthwise {
    pub(super) fn new(
        preparation: &Preparation<'_>,
        window: Window,
        pad_value: i8,
        tensors: &QuantizedWeights,
        epilogue: &QuantizedEpilogue,
    ) -> Option<Self> {
        Some(Self {
            input: preparation.operand(0)?,
            geometry: preparation.geometry(window)?,
            pad_value,
            tensors: Tensors::new(preparation, tensors)?,
            epilogue: Epilogue::new(preparation, epilogue)?,
            output_stride: preparation.output_stride(),
            rows: preparation.picture_rows(window.kernel[0] * window.kernel[1]),
        })
    }
}

impl Run for Depthwise {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let weights = Weights {
            weights: context.tensor(&self.tensors.weights),
            bias: context.tensor(&self.tensors.bias),
            pad_value: self.pad_value,
        };
        let scale = context.tensor(&self.tensors.scale);
        let (geometry, output_stride) = (&self.geometry, self.output_stride);
        let input = memory.elements(&self.input.range);
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |rows, output| {
            let pixel = rows.start * geometry.output_width;
            let requantize = self.epilogue.requantize(context, memory, scale, pixel);
            let task = Task { geometry, rows, input, depthwise: &weights, requantize, output, output_stride };
            depthwise(context.isa, task);
        });
    }
}
