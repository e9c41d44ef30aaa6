//! Which channels of which values must lie on one scale, because an operator hands them on as they are.
//!
//! A channel of a value is a slot. Pooling (of the largest), resizing, shuffling, slicing and concatenating hand steps on as
//! they are, so what goes in and what comes out share scale and zero point. Where an operator knows one scale for the whole
//! value (sums of two values, tables), all its slots are tied to each other. Everything else is free.

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Activation, Graph, Node, Op, ValueId};

use crate::lower::has_int8;

/// Sets of slots. Values without a slot are constants.
#[derive(Clone, Debug)]
pub struct Ties {
    first: BTreeMap<ValueId, usize>,
    channels: BTreeMap<ValueId, usize>,
    parents: Vec<usize>,
}

impl Ties {
    /// What the INT8 operators of `graph` ask for.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let mut ties = Self::none(graph);
        for node in graph.nodes.iter().filter(|node| has_int8(graph, node)) {
            ties.node(graph, node);
        }
        ties
    }

    /// Every slot for itself.
    pub(crate) fn none(graph: &Graph) -> Self {
        let mut ties = Self { first: BTreeMap::new(), channels: BTreeMap::new(), parents: Vec::new() };
        for &value in graph.inputs.iter().chain(graph.nodes.iter().map(|node| &node.output)) {
            let channels = graph.values[value.0].shape.last().copied().unwrap_or(1);
            ties.first.insert(value, ties.parents.len());
            ties.channels.insert(value, channels);
            ties.parents.extend(ties.parents.len()..ties.parents.len() + channels);
        }
        ties
    }

    fn node(&mut self, graph: &Graph, node: &Node) {
        let (x, y) = (node.inputs[0], node.output);
        match &node.op {
            Op::Convolution { activation, residual, .. } => {
                if *residual {
                    self.unify(node.inputs[3]);
                }
                if *residual || is_table(*activation) {
                    self.unify(y);
                }
            }
            Op::DepthwiseConvolution { activation, .. } => {
                if is_table(*activation) {
                    self.unify(y);
                }
            }
            _ => match moves(graph, node) {
                Some(moves) => moves.into_iter().for_each(|(from, to)| self.tie(from, (y, to))),
                None => node.inputs.iter().chain([&y]).for_each(|&value| self.unify(value)),
            },
        }
        if matches!(node.op, Op::Transpose { .. })
            || matches!(node.op, Op::Reshape if self.channels(x) != self.channels(y))
        {
            self.unify(x);
            self.unify(y);
        }
    }

    /// All values but constants.
    #[must_use]
    pub fn values(&self) -> Vec<ValueId> {
        self.first.keys().copied().collect()
    }

    /// Channels of a value; 0 for a constant.
    #[must_use]
    pub fn channels(&self, value: ValueId) -> usize {
        self.channels.get(&value).copied().unwrap_or(0)
    }

    /// Gives a value one scale.
    pub fn unify(&mut self, value: ValueId) {
        (1..self.channels(value)).for_each(|c| self.tie((value, 0), (value, c)));
    }

    /// Puts two slots into one set.
    pub(crate) fn tie(&mut self, a: Slot, b: Slot) {
        let slot = |(value, c): Slot| self.first.get(&value).map(|first| first + c);
        let (Some(a), Some(b)) = (slot(a), slot(b)) else { return };
        let (a, b) = (self.find(a), self.find(b));
        self.parents[a.max(b)] = a.min(b);
    }

    fn find(&mut self, slot: usize) -> usize {
        let mut root = slot;
        while self.parents[root] != root {
            root = self.parents[root];
        }
        self.parents[slot] = root;
        root
    }

    /// The set of a slot, as the least slot in it.
    pub fn set(&mut self, value: ValueId, c: usize) -> usize {
        let slot = self.first.get(&value).map_or(0, |first| first + c);
        self.find(slot)
    }

    /// Values that are connected by any tie and so share a zero point: for each, the first value of its company.
    pub fn companies(&mut self) -> BTreeMap<ValueId, ValueId> {
        let values = self.values();
        let mut parents: BTreeMap<ValueId, ValueId> = values.iter().map(|&value| (value, value)).collect();
        let mut owner: BTreeMap<usize, ValueId> = BTreeMap::new();
        let root = |parents: &BTreeMap<ValueId, ValueId>, mut value: ValueId| {
            while parents[&value] != value {
                value = parents[&value];
            }
            value
        };
        for &value in &values {
            for c in 0..self.channels(value) {
                let set = self.set(value, c);
                let other = *owner.entry(set).or_insert(value);
                let (a, b) = (root(&parents, value), root(&parents, other));
                parents.insert(a.max(b), a.min(b));
            }
        }
        values.into_iter().map(|value| (value, root(&parents, value))).collect()
    }
}

/// A channel of a value.
pub(crate) type Slot = (ValueId, usize);

/// For an operator that hands steps on as they are: from which channel of which input each channel of its result comes (where
/// channels change into something else, one stands for all). `None` for operators that compute.
pub(crate) fn moves(graph: &Graph, node: &Node) -> Option<Vec<(Slot, usize)>> {
    let channels = |value: ValueId| graph.values[value.0].shape.last().copied().unwrap_or(1);
    let (x, y) = (*node.inputs.first()?, node.output);
    let from = |source: &dyn Fn(usize) -> usize| Some((0..channels(y)).map(|c| ((x, source(c)), c)).collect());
    match &node.op {
        Op::MaxPool(_) | Op::Resize(_) | Op::Pad(_) => from(&|c| c),
        Op::Reshape if channels(x) == channels(y) => from(&|c| c),
        Op::Reshape | Op::Transpose { .. } => Some(vec![((x, 0), 0)]),
        Op::Slice { begin, step } => {
            let (begin, step) = (begin.last().copied().unwrap_or(0), step.last().copied().unwrap_or(1));
            from(&|c| begin + c * step)
        }
        Op::ChannelShuffle { groups } => {
            let each = channels(x) / groups;
            from(&|c| c % groups * each + c / groups)
        }
        Op::Concatenate { axis } => {
            let along_channels = axis + 1 == graph.values[y.0].shape.len();
            let (mut moves, mut start) = (Vec::new(), 0);
            for &input in &node.inputs {
                moves.extend((0..channels(input)).map(|c| ((input, c), start + c)));
                start += if along_channels { channels(input) } else { 0 };
            }
            Some(moves)
        }
        _ => None,
    }
}

/// Whether an activation goes through a table of 256 results, which is one for all channels.
const fn is_table(activation: Activation) -> bool {
    matches!(activation, Activation::HardSigmoid { .. } | Activation::Logistic | Activation::Tanh)
}
