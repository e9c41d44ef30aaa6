//! Channels that may be scaled together, because nothing on their way bends them.

use std::collections::{BTreeMap, BTreeSet};

use clawdbot_nn::graph::{Activation, Graph, Node, Op, ValueId};

use super::peak;
use crate::calibrate::ties::moves;
use crate::calibrate::{Observation, Ties};

/// Connected values, of which each set of channels may be divided by a number of its own.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// For each channel its set; `None` where it must stay as it is.
    pub(super) values: BTreeMap<ValueId, Vec<Option<usize>>>,
}

impl Chain {
    /// For each set, how loud it gets at most beside the loudest channel of a value that it is part of: 0 to 1.
    pub(super) fn loudness(&self, seen: &BTreeMap<ValueId, Observation>) -> BTreeMap<usize, f64> {
        let mut loudness: BTreeMap<usize, f64> = BTreeMap::new();
        for (value, sets) in &self.values {
            let Some(observed) = seen.get(value) else { continue };
            let loudest = (0..sets.len()).map(|c| peak(observed, c)).fold(f64::MIN_POSITIVE, f64::max);
            for (c, set) in sets.iter().enumerate() {
                let Some(set) = *set else { continue };
                let most = loudness.entry(set).or_default();
                *most = most.max(peak(observed, c) / loudest);
            }
        }
        loudness
    }

    /// What each channel of a value of the chain is divided by when the sets are divided by `scaled`.
    pub(super) fn factors(&self, value: ValueId, scaled: &BTreeMap<usize, f64>) -> Vec<f64> {
        let factor = |set: &Option<usize>| set.and_then(|set| scaled.get(&set)).copied().unwrap_or(1.0);
        self.values[&value].iter().map(factor).collect()
    }
}

/// All chains of a network.
pub(super) fn chains(graph: &Graph) -> Vec<Chain> {
    let mut sets = Sets { ties: Ties::none(graph), fixed: BTreeSet::new() };
    graph.nodes.iter().for_each(|node| sets.node(graph, node));
    graph.inputs.iter().chain(&graph.outputs).for_each(|&value| sets.fix(value));
    let Sets { mut ties, fixed } = sets;
    let fixed: BTreeSet<usize> = fixed.into_iter().map(|(value, c)| ties.set(value, c)).collect();
    let mut chains: BTreeMap<ValueId, Chain> = BTreeMap::new();
    for (value, first) in ties.companies() {
        let count = ties.channels(value);
        let set = |c| Some(ties.set(value, c)).filter(|set| !fixed.contains(set));
        let channels: Vec<Option<usize>> = (0..count).map(set).collect();
        if channels.iter().any(Option::is_some) {
            chains.entry(first).or_insert_with(|| Chain { values: BTreeMap::new() }).values.insert(value, channels);
        }
    }
    chains.into_values().collect()
}

struct Sets {
    ties: Ties,
    /// Channels that must stay as they are.
    fixed: BTreeSet<(ValueId, usize)>,
}

impl Sets {
    fn node(&mut self, graph: &Graph, node: &Node) {
        let (x, y) = (node.inputs[0], node.output);
        match &node.op {
            Op::Convolution { activation, pad_value, residual, .. } => {
                self.weights(graph, node, *activation);
                if *pad_value != 0.0 {
                    self.fix(x);
                }
                if *residual {
                    self.alike(node.inputs[3], y);
                }
            }
            Op::DepthwiseConvolution { activation, .. } => self.weights(graph, node, *activation),
            Op::Add { activation } if keeps_size(*activation) => self.sum(graph, node),
            Op::Activate(activation) if keeps_size(*activation) => self.alike(x, y),
            Op::AveragePool { .. } | Op::GlobalAveragePool => self.alike(x, y),
            Op::Transpose { .. } => self.fix_all(node),
            _ => match moves(graph, node).filter(|moves| moves.len() == self.ties.channels(y)) {
                Some(moves) => moves.into_iter().for_each(|(from, to)| self.ties.tie(from, (y, to))),
                None => self.fix_all(node),
            },
        }
    }

    /// A layer with weights frees what goes in from what comes out.
    fn weights(&mut self, graph: &Graph, node: &Node, activation: Activation) {
        let known = node.inputs[1..].iter().take(2).all(|&input| graph.constant_f32(input).is_some());
        if !known {
            self.fix(node.inputs[0]);
        }
        if !known || !keeps_size(activation) {
            self.fix(node.output);
        }
    }

    fn sum(&mut self, graph: &Graph, node: &Node) {
        let one_shape = |&input: &ValueId| graph.values[input.0].shape == graph.values[node.output.0].shape;
        if node.inputs.iter().any(|input| graph.constants.contains_key(input)) || !node.inputs.iter().all(one_shape) {
            return self.fix_all(node);
        }
        node.inputs.iter().for_each(|&input| self.alike(input, node.output));
    }

    /// Ties channel by channel.
    fn alike(&mut self, a: ValueId, b: ValueId) {
        if self.ties.channels(a) != self.ties.channels(b) {
            self.fix(a);
            return self.fix(b);
        }
        (0..self.ties.channels(a)).for_each(|c| self.ties.tie((a, c), (b, c)));
    }

    fn fix_all(&mut self, node: &Node) {
        node.inputs.iter().chain([&node.output]).for_each(|&value| self.fix(value));
    }

    fn fix(&mut self, value: ValueId) {
        self.fixed.extend((0..self.ties.channels(value)).map(|c| (value, c)));
    }
}

/// Whether a(s x) = s a(x) for every s above 0.
fn keeps_size(activation: Activation) -> bool {
    matches!(activation, Activation::None | Activation::Relu | Activation::Leaky(_))
}
