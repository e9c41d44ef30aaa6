//! Nodes in floats.

use clawdbot_kernels::conv_f16;
use clawdbot_nn::graph::{Activation, Node, Op};
use clawdbot_nn::model::PackedTensor;
use clawdbot_nn::program;
use half::f16;

use super::layers::window;
use super::{LowerError, Lowering};

impl Lowering<'_> {
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
