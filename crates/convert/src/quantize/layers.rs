//! The weights of a network's INT8 layers, under given grids of what they read.

use std::borrow::Cow;
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

/// How weights are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WeightRules {
    /// Whether scales are searched that clip the largest weights for the sake of the others.
    pub search: bool,
    /// Whether each weight takes back what rounding the others did.
    pub compensate: bool,
    /// Whether the bias takes back what rounding did to the mean of each sum.
    pub correct_bias: bool,
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
    rules: WeightRules,
) -> BTreeMap<usize, QuantizedLayer> {
    let mut layers = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| has_int8(graph, node)) {
        let Some(arrangement) = arrangement(&node.op) else { continue };
        let constants = [1, 2].map(|input| graph.constant_f32(node.inputs[input]));
        let [Some(weights), Some(bias)] = constants else { continue };
        let Some(grid) = grids.get(&node.inputs[0]) else { continue };
        let subject = Subject { weights, bias, arrangement, grid, rules };
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
    rules: WeightRules,
}

impl Subject<'_> {
    fn quantize(&self, seen: Option<&Observation>, moments: Option<&Moments>) -> QuantizedLayer {
        let channels = self.bias.len();
        let importance = |n: usize, k: usize| {
            seen.map_or(1.0, |seen| {
                let c = self.arrangement.channel(n, k, seen.channels.len());
                (seen.mean_square(c) / f64::from(self.share(c)).powi(2)).max(1e-12)
            })
        };
        let weights = self.absorbed();
        let mut made = quantize_weights(&weights, channels, self.arrangement, self.rules.search.then_some(&importance));
        let scaled = moments.map(|moments| match self.divided() {
            true => Cow::Owned(moments.scaled(|channel| 1.0 / self.share(channel))),
            false => Cow::Borrowed(moments),
        });
        if let Some(moments) = scaled.as_ref().filter(|_| self.rules.compensate) {
            made.compensate(&weights, self.arrangement, moments);
        }
        if let Some(moments) = scaled.as_ref().filter(|_| self.rules.correct_bias) {
            made.measure_shift(&weights, self.arrangement, moments);
        }
        let step = (0..channels).map(|n| self.fit_bias(n, &weights, &mut made)).collect();
        let bias = self.bias.iter().zip(&made.shift).map(|(&bias, shift)| f64::from(bias) - shift).collect();
        QuantizedLayer { steps: made.steps, step, bias }
    }

    /// Whether the weights of an output channel meet unlike scales.
    fn divided(&self) -> bool {
        self.arrangement == Arrangement::ChannelFirst && self.grid.scales.len() > 1
    }

    /// The input scale that goes into the step of the sum.
    fn input_scale(&self, n: usize) -> f32 {
        match self.arrangement {
            Arrangement::ChannelFirst => self.grid.scales.iter().copied().fold(0.0, f32::max),
            Arrangement::ChannelLast => self.grid.scale(n),
        }
    }

    /// The scale of input channel `c` over [`Self::input_scale`]: what the weights take up.
    fn share(&self, c: usize) -> f32 {
        if self.divided() { self.grid.scale(c) / self.input_scale(0) } else { 1.0 }
    }

    /// The weights with the input's scales in them.
    fn absorbed(&self) -> Cow<'_, [f32]> {
        if !self.divided() {
            return Cow::Borrowed(self.weights);
        }
        let channels = self.grid.scales.len();
        self.weights.iter().enumerate().map(|(place, weight)| weight * self.share(place % channels)).collect()
    }

    /// The step of output channel `n`'s sum; made coarser, with its weights, if the bias would not fit 32 bits otherwise.
    fn fit_bias(&self, n: usize, weights: &[f32], made: &mut ChannelWeights) -> f64 {
        let input = f64::from(self.input_scale(n));
        let step = input * f64::from(made.scale[n]);
        let needed = f64::from(self.bias[n].abs()) / BIAS_STEPS_MAX;
        if needed <= step {
            return step;
        }
        let scale = (needed / input * 1.001) as f32;
        for place in self.arrangement.places(n, self.bias.len(), weights.len()) {
            made.steps[place] = weight_step(weights[place], scale);
        }
        made.shift[n] = 0.0;
        input * f64::from(scale)
    }
}
