//! Scales channels that nothing bends to like sizes.
//!
//! Where a channel goes from convolutions to convolutions through nothing but sums, ReLUs without an upper bound, pools and
//! moves, it may be divided by any number above 0: the weights that make it are divided, too, and those that read it
//! multiplied, and the network stays what it was. A channel a hundred times louder than those beside it, as the sums of
//! residual blocks have them, so no longer takes all steps of the value for itself. What that wins for the values it costs
//! the weights that read them, so each set of connected values is scaled only as far as pays. Source: Nagel et al.,
//! "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, here over whole residual chains and
//! with what was seen in place of what the weights promise.

mod chains;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Graph, Op, ValueId};
use clawdbot_nn::tensor::{Elements, Tensor};

use crate::calibrate::{Demand, DenseReader, Observation};
use crate::draft::Calibration;
use chains::Chain;

/// A channel that hardly ever fired may still do so: it is not raised by more than this.
const RAISE_MAX: f64 = 64.0;
/// How far channels may be scaled: not at all (0) to all alike (1).
const SHARES: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];

/// What the channels of each value are divided by, for values where that is not 1 throughout; above 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Factors(BTreeMap<ValueId, Vec<f64>>);

impl Factors {
    /// The factors of least cost for what was `seen`.
    pub(crate) fn choose(graph: &Graph, seen: &BTreeMap<ValueId, Observation>) -> Self {
        let mut factors = Self::default();
        if !graph.quantizations.is_empty() {
            // The file's own steps would not fit other numbers.
            return factors;
        }
        let demand = Demand::of(graph, seen);
        for chain in chains::chains(graph) {
            let prices = Prices::of(graph, seen, &demand, &chain);
            let loudness = chain.loudness(seen);
            let scaled = |share: f64| -> BTreeMap<usize, f64> {
                loudness.iter().map(|(&set, loud)| (set, loud.max(1.0 / RAISE_MAX).powf(share))).collect()
            };
            let tried = SHARES.map(scaled).into_iter().map(|scaled| (prices.cost(&chain, &scaled), scaled));
            let best = tried.min_by(|a, b| a.0.total_cmp(&b.0));
            let Some((_, scaled)) = best.filter(|(_, scaled)| scaled.values().any(|&factor| factor != 1.0)) else {
                continue;
            };
            factors.0.extend(chain.values.keys().map(|&value| (value, chain.factors(value, &scaled))));
        }
        factors
    }

    fn of(&self, value: ValueId, channel: usize) -> f64 {
        self.0.get(&value).map_or(1.0, |factors| factors[channel])
    }

    /// The network with its channels divided.
    pub(crate) fn apply(&self, mut graph: Graph) -> Graph {
        for index in 0..graph.nodes.len() {
            let node = &graph.nodes[index];
            let depthwise = match node.op {
                Op::Convolution { .. } => false,
                Op::DepthwiseConvolution { .. } => true,
                _ => continue,
            };
            let (x, y) = (node.inputs[0], node.output);
            if !self.0.contains_key(&x) && !self.0.contains_key(&y) {
                continue;
            }
            let constants = [1, 2].map(|input| graph.constant_f32(node.inputs[input]).map(<[f32]>::to_vec));
            let [Some(mut weights), Some(mut bias)] = constants else { continue };
            let channels = graph.values[x.0].shape.last().copied().unwrap_or(1);
            let depth = weights.len() / bias.len().max(1);
            for (place, weight) in weights.iter_mut().enumerate() {
                let (n, c) = if depthwise {
                    (place % bias.len(), place % bias.len())
                } else {
                    (place / depth, place % channels)
                };
                *weight = (f64::from(*weight) * self.of(x, c) / self.of(y, n)) as f32;
            }
            bias.iter_mut().enumerate().for_each(|(n, bias)| *bias = (f64::from(*bias) / self.of(y, n)) as f32);
            self.replace(&mut graph, index, [weights, bias]);
        }
        graph
    }

    /// Gives a node weights and bias of its own: another one may share the old ones.
    fn replace(&self, graph: &mut Graph, index: usize, made: [Vec<f32>; 2]) {
        for (input, elements) in [1, 2].into_iter().zip(made) {
            let old = graph.nodes[index].inputs[input];
            let value = &graph.values[old.0];
            let name = format!("{} (equalised for {})", value.name, graph.nodes[index].name);
            if let Ok(tensor) = Tensor::new(value.shape.clone(), Elements::F32(elements)) {
                graph.nodes[index].inputs[input] = graph.add_constant(name, tensor);
            }
        }
    }

    /// What would have been seen of the network with its channels divided.
    pub(crate) fn seen_through(&self, graph: &Graph, mut calibration: Calibration) -> Calibration {
        for &value in self.0.keys() {
            if let Some(seen) = calibration.seen.get_mut(&value) {
                *seen = seen.scaled(|c| 1.0 / self.of(value, c));
            }
        }
        for (&node, moments) in &mut calibration.moments {
            let x = graph.nodes[node].inputs[0];
            if self.0.contains_key(&x) {
                *moments = moments.scaled(|c| (1.0 / self.of(x, c)) as f32);
            }
        }
        calibration
    }
}

/// What a chain's values and the weights that read them cost.
struct Prices {
    /// Of each value: what was seen to be its channels' largest, and how much its readers mind an error.
    values: BTreeMap<ValueId, Vec<(f64, f64)>>,
    readers: Vec<(ValueId, DenseReader)>,
}

impl Prices {
    fn of(graph: &Graph, seen: &BTreeMap<ValueId, Observation>, demand: &Demand, chain: &Chain) -> Self {
        let known = chain.values.keys().filter_map(|&value| Some((value, seen.get(&value)?)));
        let price = |(value, observed): (ValueId, &Observation)| {
            let one = |c: usize| (peak(observed, c), demand.channel(value, c));
            (value, (0..observed.channels.len()).map(one).collect())
        };
        let reads = graph.nodes.iter().filter_map(|node| {
            let x = *node.inputs.first().filter(|x| chain.values.contains_key(x))?;
            Some((x, DenseReader::of(graph, node, seen.get(&x)?, seen.get(&node.output)?)?))
        });
        Self { values: known.map(price).collect(), readers: reads.collect() }
    }

    /// Noise over signal of all readers' results when the chain's sets are divided by `scaled`.
    fn cost(&self, chain: &Chain, scaled: &BTreeMap<usize, f64>) -> f64 {
        let mut cost = 0.0;
        for (&value, channels) in &self.values {
            let factors = chain.factors(value, scaled);
            let pairs = || channels.iter().zip(&factors);
            let step = pairs().fold(0.0_f64, |most, ((peak, _), factor)| most.max(peak / factor)) / 127.0;
            cost += pairs().map(|((_, demand), factor)| demand * (step * factor).powi(2) / 12.0).sum::<f64>();
        }
        let weights = self.readers.iter().map(|(value, reader)| reader.noise(&chain.factors(*value, scaled)));
        cost + weights.sum::<f64>()
    }
}

/// The largest magnitude that was seen of a channel.
fn peak(seen: &Observation, channel: usize) -> f64 {
    f64::from(seen.channels[channel].low.abs().max(seen.channels[channel].high.abs()))
}
