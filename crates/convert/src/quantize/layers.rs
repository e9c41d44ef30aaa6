//! The weights of a network's INT8 layers, under given grids of what they read.

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Graph, Op, ValueId};

use super::{Arrangement, BIAS_STEPS_MAX, ChannelWeights, ValueGrid, quantize_weights, weight_step};
use crate::calibrate::Observation;
use crate::lower::has_int8;
use crate::moments::Moments;

/// One layer's numbers, ready to be packed: the sum of output channel n is `step[n]` x (`bias[n]` / `step[n]` +
/// sum over k of `steps[n][k]` x (q\[k\] - zero point)), q being the input's steps.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedLayer {
    /// As many as the layer has weights, in their order; -127..=127.
    pub steps: Vec<i8>,
    /// Real size of a step of the 32-bit sum, one an output channel: the input's scale is in it, and where the input has a
    /// scale a channel that is in `steps`, too.
    pub step: Vec<f64>,
    /// In reals, one an output channel; with what rounding did to the mean already taken back.
    pub bias: Vec<f64>,
}

/// How a layer's weights stand; `None` for a node without weights.
#[must_use]
pub const fn arrangement(op: &Op) -> Option<Arrangement> {
    match op {
        Op::Convolution { .. } => Some(Arrangement::ChannelFirst),
        Op::DepthwiseConvolution { .. } => Some(Arrangement::ChannelLast),
        _ => None,
    }
}

/// Quantises the weights of every layer that has an INT8 form and whose input has a grid; by node. `moments` of a node's
/// input, where there are any, make its rounding better, `seen` its scales. Slow, and the same for every choice of
/// precisions.
#[must_use]
pub fn quantize_layers(
    graph: &Graph,
    grids: &BTreeMap<ValueId, ValueGrid>,
    seen: &BTreeMap<ValueId, Observation>,
    moments: &BTreeMap<usize, Moments>,
) -> BTreeMap<usize, QuantizedLayer> {
    let mut layers = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| has_int8(graph, node)) {
        let Some(arrangement) = arrangement(&node.op) else { continue };
        let constants = [1, 2].map(|input| graph.constant_f32(node.inputs[input]));
        let [Some(weights), Some(bias)] = constants else { continue };
        let Some(grid) = grids.get(&node.inputs[0]) else { continue };
        let subject = Subject { weights, bias, arrangement, grid };
        layers.insert(index, subject.quantize(seen.get(&node.inputs[0]), moments.get(&index)));
    }
    layers
}

/// A layer in floats.
struct Subject<'a> {
    weights: &'a [f32],
    bias: &'a [f32],
    arrangement: Arrangement,
    /// Of the input.
    grid: &'a ValueGrid,
}

impl Subject<'_> {
    fn quantize(&self, seen: Option<&Observation>, moments: Option<&Moments>) -> QuantizedLayer {
        let channels = self.bias.len();
        let importance = |n: usize, k: usize| {
            seen.map_or(1.0, |seen| seen.mean_square(self.arrangement.channel(n, k, seen.channels.len())).max(1e-12))
        };
        let mut made = quantize_weights(self.weights, channels, self.arrangement, importance);
        if let Some(moments) = moments {
            made.compensate(self.weights, self.arrangement, moments);
        }
        let step = (0..channels).map(|n| self.fit_bias(n, &mut made)).collect();
        let bias = self.bias.iter().zip(&made.shift).map(|(&bias, shift)| f64::from(bias) - shift).collect();
        QuantizedLayer { steps: made.steps, step, bias }
    }

    /// The step of output channel `n`'s sum; made coarser, with its weights, if the bias would not fit 32 bits otherwise.
    fn fit_bias(&self, n: usize, made: &mut ChannelWeights) -> f64 {
        let input = match self.arrangement {
            Arrangement::ChannelFirst => self.grid.scale(0),
            Arrangement::ChannelLast => self.grid.scale(n),
        };
        let step = f64::from(input) * f64::from(made.scale[n]);
        let needed = f64::from(self.bias[n].abs()) / BIAS_STEPS_MAX;
        if needed <= step {
            return step;
        }
        let scale = (needed / f64::from(input) * 1.001) as f32;
        for place in self.arrangement.places(n, self.bias.len(), self.weights.len()) {
            made.steps[place] = weight_step(self.weights[place], scale);
        }
        made.shift[n] = 0.0;
        f64::from(input) * f64::from(scale)
    }
}
