//! How much an error in each channel of a value matters to who reads it.

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Graph, Node, Op, ValueId};

use super::Observation;
use super::ties::moves;
use crate::quantize::{Arrangement, arrangement};

/// For each value and channel: by how much an error of mean square 1 there raises the noise over signal of the readers'
/// results, one reader deep (what copies steps is looked through).
#[derive(Clone, Debug)]
pub struct Demand(BTreeMap<ValueId, Vec<f64>>);

impl Demand {
    /// From a network's weights and the power of its values.
    #[must_use]
    pub fn of(graph: &Graph, seen: &BTreeMap<ValueId, Observation>) -> Self {
        let mut demand = Self(BTreeMap::new());
        for node in graph.nodes.iter().rev() {
            demand.add(graph, seen, node);
        }
        demand
    }

    /// Of channel `c` of `value`; tiny where nobody was found who reads it.
    #[must_use]
    pub fn channel(&self, value: ValueId, c: usize) -> f64 {
        self.0.get(&value).and_then(|channels| channels.get(c)).copied().unwrap_or_default().max(1e-9)
    }

    fn add(&mut self, graph: &Graph, seen: &BTreeMap<ValueId, Observation>, node: &Node) {
        if let Some(arrangement) = arrangement(&node.op) {
            self.add_weights(graph, seen, node, arrangement);
            if let (Op::Convolution { residual: true, .. }, Some(&residual)) = (&node.op, node.inputs.get(3)) {
                self.add_power(seen, residual);
            }
            return;
        }
        match moves(graph, node) {
            Some(moves) => {
                for ((x, from), to) in moves {
                    let demand = self.channel(node.output, to);
                    *self.slot(graph, x, from) += demand;
                }
            }
            None => node.inputs.iter().for_each(|&input| self.add_power(seen, input)),
        }
    }

    /// An error in an input channel reaches every output channel, as large as the weights between them.
    fn add_weights(
        &mut self,
        graph: &Graph,
        seen: &BTreeMap<ValueId, Observation>,
        node: &Node,
        arrangement: Arrangement,
    ) {
        let (Some(weights), Some(result)) = (graph.constant_f32(node.inputs[1]), seen.get(&node.output)) else {
            return;
        };
        let (outputs, inputs) = (result.channels.len(), channels(graph, node.inputs[0]));
        for (n, share) in shares(result).into_iter().enumerate() {
            for (k, place) in arrangement.places(n, outputs, weights.len()).enumerate() {
                let weight = f64::from(weights[place]);
                *self.slot(graph, node.inputs[0], arrangement.channel(n, k, inputs)) += weight * weight * share;
            }
        }
    }

    /// Who takes a value as it is minds an error as much in any channel.
    fn add_power(&mut self, seen: &BTreeMap<ValueId, Observation>, value: ValueId) {
        let Some(observed) = seen.get(&value) else { return };
        let channels = observed.channels.len();
        let power: f64 = (0..channels).map(|c| observed.mean_square(c)).sum();
        let entry = self.0.entry(value).or_insert_with(|| vec![0.0; channels]);
        entry.iter_mut().for_each(|demand| *demand += 1.0 / power.max(1e-12));
    }

    fn slot(&mut self, graph: &Graph, value: ValueId, c: usize) -> &mut f64 {
        let channels = channels(graph, value).max(c + 1);
        let slots = self.0.entry(value).or_default();
        if slots.len() < channels {
            slots.resize(channels, 0.0);
        }
        &mut slots[c]
    }
}

/// For each channel of a layer's result: how much noise over signal an error of mean square 1 in it is.
pub(super) fn shares(result: &Observation) -> Vec<f64> {
    let outputs = result.channels.len();
    let powers: Vec<f64> = (0..outputs).map(|n| result.mean_square(n)).collect();
    let mean = (powers.iter().sum::<f64>() / outputs.max(1) as f64).max(1e-12);
    // A silent channel's noise is noise all the same, but not to be divided by nothing.
    powers.iter().map(|power| 1.0 / (outputs as f64 * (power + mean))).collect()
}

fn channels(graph: &Graph, value: ValueId) -> usize {
    graph.values[value.0].shape.last().copied().unwrap_or(1)
}
