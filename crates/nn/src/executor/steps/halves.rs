//! Convolutions whose weights are stored as binary16 and computed in floats.

use std::ops::Range;

use clawdbot_kernels::activate::{Function, activate};
use clawdbot_kernels::conv_f16::{self, ConvF16, conv_f16};
use clawdbot_kernels::depthwise_f16::{self, DepthwiseF16, depthwise_f16};
use clawdbot_kernels::geometry::Geometry;

use super::functions::function;
use super::preparation::Preparation;
use super::{Context, Operand, Run};
use crate::executor::bands::{Rows, in_bands};
use crate::executor::memory::Memory;
use crate::program::{Activation, Window};

/// Floats that are activated while they are in the first cache.
const PIECE: usize = 4096;

/// Where a layer's tensors lie, and its numbers.
#[derive(Debug)]
pub(super) struct Layer {
    weights: Range<usize>,
    bias: Range<usize>,
    pad_value: f32,
    low: f32,
    high: f32,
    /// What the kernel's own clamp is not.
    function: Option<Function>,
}

impl Layer {
    pub(super) fn new(
        preparation: &Preparation<'_>,
        pad_value: f32,
        [weights, bias]: [&str; 2],
        activation: Activation,
    ) -> Option<Self> {
        let clamp = if activation.is_clamp() { activation } else { Activation::None };
        let (low, high) = clamp.bounds();
        Some(Self {
            weights: preparation.tensor(weights)?,
            bias: preparation.tensor(bias)?,
            pad_value,
            low,
            high,
            function: (!activation.is_clamp()).then(|| function(activation)),
        })
    }

    /// Cuts a band into pieces that stay in the first cache, and lets `compute` and then the function make each.
    fn pieces(
        &self,
        context: &Context<'_>,
        band: Range<usize>,
        row: usize,
        output: &mut [f32],
        compute: impl Fn(Range<usize>, &mut [f32]),
    ) {
        let Some(function) = self.function else { return compute(band, output) };
        let rows = (PIECE / row.max(1)).max(1);
        let starts = band.clone().step_by(rows);
        for (start, output) in starts.zip(output.chunks_mut((rows * row).max(1))) {
            compute(start..(start + rows).min(band.end), output);
            activate(context.isa, function, output);
        }
    }
}

/// Dense.
#[derive(Debug)]
pub(super) struct Dense {
    input: Operand,
    geometry: Geometry,
    n: usize,
    layer: Layer,
    residual: Option<Operand>,
    rows: Rows,
}

impl Dense {
    pub(super) fn new(preparation: &Preparation<'_>, window: Window, layer: Layer) -> Option<Self> {
        let taps = window.kernel[0] * window.kernel[1];
        Some(Self {
            input: preparation.operand(0)?,
            geometry: preparation.geometry(window)?,
            n: preparation.output().channels(),
            layer,
            residual: preparation.operand(1),
            rows: preparation.picture_rows(taps * preparation.input(0)?.channels()),
        })
    }
}

impl Run for Dense {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let (weights, bias) = (context.tensor(&self.layer.weights), context.tensor(&self.layer.bias));
        let Layer { pad_value, low, high, .. } = self.layer;
        let conv = ConvF16 { n: self.n, weights, bias, pad_value, low, high };
        let input = memory.elements(&self.input.range);
        let residual = self.residual.as_ref().map(|residual| memory.elements::<f32>(&residual.range));
        let (geometry, row) = (&self.geometry, self.rows.elements);
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, output| {
            self.layer.pieces(context, band, row, output, |rows, output| {
                let residual = residual.map(|all| &all[rows.start * row..rows.end * row]);
                conv_f16(context.isa, conv_f16::Task { geometry, rows, input, conv: &conv, residual, output });
            });
        });
    }
}

/// Depthwise.
#[derive(Debug)]
pub(super) struct Depthwise {
    input: Operand,
    geometry: Geometry,
    layer: Layer,
    rows: Rows,
}

impl Depthwise {
    pub(super) fn new(preparation: &Preparation<'_>, window: Window, layer: Layer) -> Option<Self> {
        let rows = preparation.picture_rows(window.kernel[0] * window.kernel[1]);
        let (input, geometry) = (preparation.operand(0)?, preparation.geometry(window)?);
        Some(Self { input, geometry, layer, rows })
    }
}

impl Run for Depthwise {
    fn run(&self, context: &Context<'_>, memory: &Memory<'_>, output: &mut [u8]) {
        let (weights, bias) = (context.tensor(&self.layer.weights), context.tensor(&self.layer.bias));
        let Layer { pad_value, low, high, .. } = self.layer;
        let weights = DepthwiseF16 { weights, bias, pad_value, low, high };
        let input = memory.elements(&self.input.range);
        let geometry = &self.geometry;
        in_bands(context.workers, self.rows, bytemuck::cast_slice_mut(output), |band, output| {
            self.layer.pieces(context, band, self.rows.elements, output, |rows, output| {
                let depthwise = &weights;
                depthwise_f16(context.isa, depthwise_f16::Task { geometry, rows, input, depthwise, output });
            });
        });
    }
}
