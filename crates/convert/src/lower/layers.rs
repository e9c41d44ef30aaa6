//! One layer at a time: packs its constants and appends its step.

use clawdbot_kernels::{conv_f16, depthwise, gemm};
use clawdbot_nn::graph::{Activation, Node, Op, ValueId, Window};
use clawdbot_nn::model::PackedTensor;
use clawdbot_nn::program::{self, QuantizedActivation, QuantizedEpilogue, QuantizedWeights, channel_stride};
use clawdbot_nn::tensor::DataType;
use half::f16;

use super::{LowerError, Lowering};
use crate::quantize::{Arrangement, Grid};

/// The scales of a value of the program, as one for each of `channels`.
fn channel_scales(value: &program::Value, channels: usize) -> Vec<f32> {
    if let [scale] = value.scale[..] { vec![scale; channels] } else { value.scale.clone() }
}

const fn window(window: &Window) -> program::Window {
    program::Window { kernel: window.kernel, stride: window.stride, padding: window.padding }
}

/// The bounds of q that an activation comes down to in the grid of `result`.
fn epilogue(activation: Activation, result: &program::Value) -> QuantizedEpilogue {
    let [scale] = result.scale[..] else {
        // A scale a channel (or none, for floats): only zeros and what is above exist, and each channel's range ends below
        // the activation's bound.
        return QuantizedEpilogue::whole();
    };
    let grid = Grid { scale, zero_point: result.zero_point };
    let (low, high) = activation.bounds();
    let low = if low.is_finite() { grid.step(low) } else { i8::MIN };
    let high = if high.is_finite() { grid.step(high) } else { i8::MAX };
    QuantizedEpilogue { low, high, activation: QuantizedActivation::Clamp }
}

impl Lowering<'_> {
    /// Appends an INT8 node.
    pub(super) fn int8(&mut self, index: usize) -> Result<(), LowerError> {
        let node = &self.graph.nodes[index];
        let x = self.int8_value(node.inputs[0])?;
        match &node.op {
            Op::Convolution { window: view, activation, pad_value, residual } => {
                let residual = if *residual { Some(self.int8_value(node.inputs[3])?) } else { None };
                // A result that only floats read leaves the accumulator as it is: box and class outputs stay exact.
                let floats = *activation == Activation::None
                    && residual.is_none()
                    && self.has_float_reader(node.output)
                    && !self.has_int8_reader(node.output);
                let output = if floats { self.float_result(node.output) } else { self.int8_result(node.output)? };
                let tensors = self.quantized_tensors(index, x, output, Arrangement::ChannelFirst)?;
                let epilogue = epilogue(*activation, &self.result.program.values[output.0]);
                let input = &self.result.program.values[x.0];
                let pad_value = Grid { scale: input.scale[0], zero_point: input.zero_point }.step(*pad_value);
                let op = program::Op::ConvolutionI8 { window: window(view), pad_value, tensors, epilogue };
                self.step(node.name.clone(), op, std::iter::once(x).chain(residual).collect(), output);
            }
            Op::DepthwiseConvolution { window: view, activation } => {
                let output = self.int8_result(node.output)?;
                let tensors = self.quantized_tensors(index, x, output, Arrangement::ChannelLast)?;
                let epilogue = epilogue(*activation, &self.result.program.values[output.0]);
                let pad_value = Grid { scale: 1.0, zero_point: self.result.program.values[x.0].zero_point }.step(0.0);
                let op = program::Op::DepthwiseI8 { window: window(view), pad_value, tensors, epilogue };
                self.step(node.name.clone(), op, vec![x], output);
            }
            Op::Add { activation } => {
                let other = self.int8_value(node.inputs[1])?;
                let output = self.int8_result(node.output)?;
                let op = program::Op::AddI8 { epilogue: epilogue(*activation, &self.result.program.values[output.0]) };
                self.step(node.name.clone(), op, vec![x, other], output);
            }
            _ => {
                let output = self.int8_result(node.output)?;
                self.step(node.name.clone(), program::Op::GlobalAveragePool, vec![x], output);
            }
        }
        Ok(())
    }

    fn float_result(&mut self, value: ValueId) -> program::ValueId {
        self.new_value(value, "", DataType::F32, Vec::new(), 0)
    }

    fn int8_result(&mut self, value: ValueId) -> Result<program::ValueId, LowerError> {
        let grid = self.grid(value)?;
        Ok(self.new_value(value, "", DataType::I8, grid.scales.clone(), grid.zero_point))
    }

    /// Packs the weights of INT8 node `index`; answers their names.
    fn quantized_tensors(
        &mut self,
        index: usize,
        x: program::ValueId,
        output: program::ValueId,
        arrangement: Arrangement,
    ) -> Result<QuantizedWeights, LowerError> {
        let node = &self.graph.nodes[index];
        let layer = self.plan.layers.get(&index);
        let layer = layer.ok_or_else(|| LowerError::NotCalibrated { value: node.name.clone() })?;
        let values = &self.result.program.values;
        let (input, result) = (&values[x.0], &values[output.0]);
        let (n, channels, zero_point) = (layer.bias.len(), input.channels(), input.zero_point);
        let output_scales = if result.data_type == DataType::I8 { channel_scales(result, n) } else { vec![1.0; n] };
        let depth = layer.steps.len() / n;
        let (sums, packed) = match arrangement {
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
        };
        let mut bias = vec![0_i32; sums.len()];
        let mut scale = vec![0.0_f32; sums.len()];
        for index in 0..n {
            let steps = (layer.bias[index] / layer.step[index]).round_ties_even();
            // Saturating: `quantize_layers` left room, and what still overflows the program's verification refuses.
            bias[index] = (steps - f64::from(zero_point) * f64::from(sums[index])) as i32;
            let multiplier = (layer.step[index] / f64::from(output_scales[index])) as f32;
            scale[index] = multiplier.max(f32::MIN_POSITIVE);
        }
        let names = QuantizedWeights {
            weights: format!("{}.weights", node.name),
            bias: format!("{}.bias", node.name),
            scale: format!("{}.scale", node.name),
            column_sums: format!("{}.column_sums", node.name),
        };
        let shape = vec![sums.len()];
        let tensors = &mut self.result.tensors;
        tensors.insert(names.weights.clone(), packed);
        tensors.insert(names.bias.clone(), PackedTensor::from_i32(shape.clone(), &bias)?);
        tensors.insert(names.scale.clone(), PackedTensor::from_f32(shape.clone(), &scale)?);
        tensors.insert(names.column_sums.clone(), PackedTensor::from_i32(shape, &sums)?);
        Ok(names)
    }

    /// Appends a node in floats.
    pub(super) fn float(&mut self, node: &Node) -> Result<(), LowerError> {
        let op = self.float_operator(node)?;
        let values = match node.op {
            Op::Convolution { residual: true, .. } => vec![node.inputs[0], node.inputs[3]],
            Op::Convolution { .. } | Op::DepthwiseConvolution { .. } => vec![node.inputs[0]],
            _ => node.inputs.iter().copied().filter(|value| !self.graph.constants.contains_key(value)).collect(),
        };
        let inputs = values.into_iter().map(|value| self.float_value(value)).collect::<Result<Vec<_>, _>>()?;
        let output = self.float_result(node.output);
        self.step(node.name.clone(), op, inputs, output);
        Ok(())
    }

    fn float_operator(&mut self, node: &Node) -> Result<program::Op, LowerError> {
        let graph = self.graph;
        let constant = node.inputs.iter().find_map(|value| graph.constant_f32(*value));
        Ok(match &node.op {
            Op::Convolution { window: view, activation, pad_value, .. } => {
                let (weights, bias) = self.store_dense(node)?;
                let (window, pad_value, activation) = (window(view), *pad_value, *activation);
                program::Op::ConvolutionF16 { window, pad_value, weights, bias, activation }
            }
            Op::DepthwiseConvolution { window: view, activation } => {
                let (weights, bias) = self.store_depthwise(node, self.constant(node, 1)?, self.constant(node, 2)?)?;
                let (window, activation) = (window(view), *activation);
                program::Op::DepthwiseF16 { window, pad_value: 0.0, weights, bias, activation }
            }
            Op::Multiply => match constant {
                Some(factors) => self.affine(node, factors, &[0.0], Activation::None)?,
                None => program::Op::MultiplyF32,
            },
            Op::Add { activation } => match constant {
                Some(offsets) => self.affine(node, &[1.0], offsets, *activation)?,
                None => program::Op::AddF32 { activation: *activation },
            },
            Op::Activate(activation) => program::Op::ActivateF32 { activation: *activation },
            Op::GlobalAveragePool => program::Op::GlobalAveragePool,
            Op::MaxPool(view) => program::Op::MaxPool { window: window(view) },
            Op::AveragePool { window: view, padding_counts } => {
                program::Op::AveragePool { window: window(view), padding_counts: *padding_counts }
            }
            Op::Resize(sampling) => program::Op::Resize { sampling: *sampling },
            Op::Slice { begin, step } => program::Op::Slice { begin: begin.clone(), step: step.clone() },
            Op::Transpose { order } => program::Op::Transpose { order: order.clone() },
            Op::ChannelShuffle { groups } => program::Op::ChannelShuffle { groups: *groups },
            Op::Pad(cells) => program::Op::Pad { cells: *cells },
            Op::Reshape => program::Op::Reshape,
            Op::Concatenate { axis } => program::Op::Concatenate { axis: *axis },
            Op::Softmax => program::Op::Softmax,
        })
    }

    /// x * factors + offsets, each one or one a channel.
    fn affine(
        &mut self,
        node: &Node,
        factors: &[f32],
        offsets: &[f32],
        activation: Activation,
    ) -> Result<program::Op, LowerError> {
        let channels = self.graph.values[node.output.0].shape.last().copied().unwrap_or(1);
        let mut store = |part: &str, numbers: &[f32]| -> Result<String, LowerError> {
            let all = if let [number] = numbers { vec![*number; channels] } else { numbers.to_vec() };
            let name = format!("{}.{part}", node.name);
            self.result.tensors.insert(name.clone(), PackedTensor::from_f32(vec![all.len()], &all)?);
            Ok(name)
        };
        let (factors, offsets) = (store("factors", factors)?, store("offsets", offsets)?);
        Ok(program::Op::AffineF32 { factors, offsets, activation })
    }

    /// FP16 weights `[N/8][K][8]` and bias `[N padded to 8]`.
    fn store_dense(&mut self, node: &Node) -> Result<(String, String), LowerError> {
        let (weights, bias) = (self.constant(node, 1)?, self.constant(node, 2)?);
        let (n, depth) = (bias.len(), weights.len() / bias.len());
        let packed = conv_f16::pack::pack(&halves(node, weights)?, n, depth);
        let mut padded = bias.to_vec();
        padded.resize(n.next_multiple_of(8), 0.0);
        self.store_floats(node, PackedTensor::from_f16_bits(vec![n.div_ceil(8), depth, 8], &packed)?, &padded)
    }

    /// FP16 weights `[taps][C]` and bias `[C]`.
    fn store_depthwise(&mut self, node: &Node, weights: &[f32], bias: &[f32]) -> Result<(String, String), LowerError> {
        let shape = vec![weights.len() / bias.len(), bias.len()];
        self.store_floats(node, PackedTensor::from_f16_bits(shape, &halves(node, weights)?)?, bias)
    }

    fn store_floats(
        &mut self,
        node: &Node,
        weights: PackedTensor,
        bias: &[f32],
    ) -> Result<(String, String), LowerError> {
        let names = (format!("{}.weights", node.name), format!("{}.bias", node.name));
        self.result.tensors.insert(names.0.clone(), weights);
        self.result.tensors.insert(names.1.clone(), PackedTensor::from_f32(vec![bias.len()], bias)?);
        Ok(names)
    }
}

fn halves(node: &Node, weights: &[f32]) -> Result<Vec<u16>, LowerError> {
    let half = |&weight: &f32| {
        let half = f16::from_f32(weight);
        let fits = half.is_finite();
        fits.then(|| half.to_bits()).ok_or_else(|| LowerError::HalfOverflow { node: node.name.clone(), weight })
    };
    weights.iter().map(half).collect()
}
