//! INT8 layers with weights: packs their constants and appends their steps.

use clawdbot_kernels::{depthwise, gemm};
use clawdbot_nn::graph::{Activation, Op, ValueId, Window};
use clawdbot_nn::model::PackedTensor;
use clawdbot_nn::program::{self, QuantizedEpilogue, QuantizedWeights, channel_stride};
use clawdbot_nn::tensor::DataType;

use super::bump::{self, Bump};
use super::epilogue::grid_of;
use super::{LowerError, Lowering};
use crate::quantize::{Arrangement, Grid, QuantizedLayer};

pub(super) const fn window(window: &Window) -> program::Window {
    program::Window { kernel: window.kernel, stride: window.stride, padding: window.padding }
}

/// What a layer's accumulators are multiplied with: their real step over that of the result, one an output channel.
fn multipliers(layer: &QuantizedLayer, result: &program::Value, bump: Option<&Bump>) -> Vec<f32> {
    let of = |(n, step): (usize, &f64)| {
        let result_step = match (bump, result.data_type) {
            (Some(bump), _) => bump.step,
            (None, DataType::I8) => f64::from(grid_of(result).scale(n)),
            (None, _) => 1.0,
        };
        ((step / result_step) as f32).max(f32::MIN_POSITIVE)
    };
    layer.step.iter().enumerate().map(of).collect()
}

impl Lowering<'_> {
    /// Appends an INT8 convolution, dense or depthwise.
    pub(super) fn layer(&mut self, index: usize) -> Result<(), LowerError> {
        let node = &self.graph.nodes[index];
        let x = self.int8_value(node.inputs[0])?;
        match &node.op {
            Op::Convolution { window: view, activation, pad_value, residual } => {
                let exact = self.plan.exact_outputs && !residual;
                if exact && self.has_float_reader(node.output) && !self.has_int8_reader(node.output) {
                    return self.unrounded(index, x);
                }
                let residual = if *residual { Some(self.int8_value(node.inputs[3])?) } else { None };
                if let Some(residual) = residual {
                    self.one_scale(&node.name, residual)?;
                }
                let output = self.int8_result(node.output)?;
                let (tensors, epilogue) =
                    self.store_layer(index, x, output, (Arrangement::ChannelFirst, *activation))?;
                let (window, pad_value) = (window(view), self.padding(x, *pad_value));
                let op = program::Op::ConvolutionI8 { window, pad_value, tensors, epilogue };
                self.step(node.name.clone(), op, std::iter::once(x).chain(residual).collect(), output);
            }
            Op::DepthwiseConvolution { window: view, activation } => {
                let output = self.int8_result(node.output)?;
                let (tensors, epilogue) =
                    self.store_layer(index, x, output, (Arrangement::ChannelLast, *activation))?;
                let (window, pad_value) = (window(view), self.padding(x, 0.0));
                let op = program::Op::DepthwiseI8 { window, pad_value, tensors, epilogue };
                self.step(node.name.clone(), op, vec![x], output);
            }
            _ => return Err(self.unsupported(node, "it has no weights")),
        }
        Ok(())
    }

    /// A convolution that only floats read leaves its accumulators as they are (box and class outputs stay exact); its
    /// activation is computed in floats.
    fn unrounded(&mut self, index: usize, x: program::ValueId) -> Result<(), LowerError> {
        let node = &self.graph.nodes[index];
        let Op::Convolution { window: view, activation, pad_value, .. } = &node.op else {
            return Err(self.unsupported(node, "only dense convolutions make floats of integers"));
        };
        let bare = *activation == Activation::None;
        let sums = if bare { self.float_result(node.output) } else { self.spare_value(node.output, " (sums)", None) };
        let arrangement = (Arrangement::ChannelFirst, Activation::None);
        let (tensors, epilogue) = self.store_layer(index, x, sums, arrangement)?;
        let (window, pad_value) = (window(view), self.padding(x, *pad_value));
        self.step(
            node.name.clone(),
            program::Op::ConvolutionI8 { window, pad_value, tensors, epilogue },
            vec![x],
            sums,
        );
        if !bare {
            let output = self.float_result(node.output);
            let op = program::Op::ActivateF32 { activation: *activation };
            self.step(format!("{} activation", node.name), op, vec![sums], output);
        }
        Ok(())
    }

    /// The step nearest to a real that pads `x`.
    fn padding(&self, x: program::ValueId, real: f32) -> i8 {
        let value = &self.result.program.values[x.0];
        // With a scale a channel only 0 is the same step in all; and a picture, which may pad with more, has one scale.
        let scale = value.scale.first().copied().unwrap_or(1.0);
        Grid { scale, zero_point: value.zero_point }.step(real)
    }

    pub(super) fn int8_result(&mut self, value: ValueId) -> Result<program::ValueId, LowerError> {
        let grid = self.grid(value)?;
        Ok(self.new_value(value, "", DataType::I8, grid.scales.clone(), grid.zero_point))
    }

    /// Packs the weights of INT8 node `index`, and what its epilogue needs.
    fn store_layer(
        &mut self,
        index: usize,
        x: program::ValueId,
        output: program::ValueId,
        (arrangement, activation): (Arrangement, Activation),
    ) -> Result<(QuantizedWeights, QuantizedEpilogue), LowerError> {
        let node = &self.graph.nodes[index];
        let layer = self.plan.layers.get(&index);
        let layer = layer.ok_or_else(|| LowerError::NotCalibrated { value: node.name.clone() })?;
        let input = &self.result.program.values[x.0];
        let (channels, zero_point) = (input.channels(), input.zero_point);
        let result = self.result.program.values[output.0].clone();
        let bump = bump::choose(activation, &grid_of(&result));
        let (sums, packed) = pack(layer, arrangement, channels)?;
        let mut bias = vec![0_i32; sums.len()];
        for (n, real) in layer.bias.iter().enumerate() {
            let steps = (real / layer.step[n]).round_ties_even();
            // Saturating: `quantize_layers` left room, and what still overflows the program's verification refuses.
            bias[n] = (steps - f64::from(zero_point) * f64::from(sums[n])) as i32;
        }
        let mut scale = multipliers(layer, &result, bump.as_ref());
        scale.resize(sums.len(), 0.0);
        let name = |part: &str| format!("{}.{part}", node.name);
        let names = QuantizedWeights {
            weights: name("weights"),
            bias: name("bias"),
            scale: name("scale"),
            column_sums: name("column_sums"),
        };
        let shape = vec![sums.len()];
        let tensors = &mut self.result.tensors;
        tensors.insert(names.weights.clone(), packed);
        tensors.insert(names.bias.clone(), PackedTensor::from_i32(shape.clone(), &bias)?);
        tensors.insert(names.scale.clone(), PackedTensor::from_f32(shape.clone(), &scale)?);
        tensors.insert(names.column_sums.clone(), PackedTensor::from_i32(shape, &sums)?);
        let epilogue = self.layer_epilogue(node, activation, &result, bump.as_ref())?;
        Ok((names, epilogue))
    }
}

/// Column sums and packed weights of a layer over `channels`.
fn pack(
    layer: &QuantizedLayer,
    arrangement: Arrangement,
    channels: usize,
) -> Result<(Vec<i32>, PackedTensor), LowerError> {
    let n = layer.bias.len();
    let depth = layer.steps.len() / n;
    Ok(match arrangement {
        Arrangement::ChannelFirst => {
            let (taps, stride) = (depth / channels, channel_stride(channels));
            let k = gemm::pack::packed_k(taps, stride);
            let shape = vec![n.div_ceil(8), k / 4, 8, 4];
            let packed = gemm::pack::pack(&layer.steps, n, taps, channels, stride);
            (gemm::pack::column_sums(&layer.steps, n), PackedTensor::from_i8(shape, &packed)?)
        }
        Arrangement::ChannelLast => {
            let shape = vec![depth, n.next_multiple_of(16)];
            let packed = depthwise::pack::pack(&layer.steps, depth, n);
            (depthwise::pack::column_sums(&layer.steps, n), PackedTensor::from_i8(shape, &packed)?)
        }
    })
}
