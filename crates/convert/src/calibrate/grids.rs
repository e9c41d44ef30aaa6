//! The grid of every value: from what was seen of it, from who reads it, and under a rule.

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Activation, Graph, Node, Op, ValueId};

use super::company::Company;
use super::ties::moves;
use super::{Demand, Observation, Ties};
use crate::lower::{InputForm, has_int8};
use crate::quantize::ValueGrid;

/// Where the ends of a range lie.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeRule {
    /// At what was seen.
    MinMax,
    /// Beyond all but this share of what was seen, on each side.
    Percentile(f64),
    /// Where the sum of clipping and rounding errors, weighted by what the readers mind, is least.
    LeastError,
}

/// Which values get a scale for each channel.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelScales {
    /// None.
    Nowhere,
    /// Those that only depthwise convolutions read, whose weights take the scales up for nothing.
    Depthwise,
    /// These, and those that convolutions read, unless a bump made them; there the scales go as far from one for all to each
    /// its own as costs least, since what they win for the value the weights lose.
    Weighed,
}

/// How grids are chosen.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct GridRules {
    /// Ends of the ranges.
    pub range: RangeRule,
    /// Whether real 0 may lie on another step than 0.
    pub zero_points: bool,
    /// Scales a channel.
    pub channels: ChannelScales,
}

impl GridRules {
    /// What the converter does; `docs/reference/accuracy.md` says what each is worth.
    pub const DEFAULT: Self =
        Self { range: RangeRule::LeastError, zero_points: true, channels: ChannelScales::Weighed };
}

/// Chooses a grid for every value of `graph` that INT8 nodes may meet; `input` says what the network's inputs are.
#[must_use]
pub fn choose_grids(
    graph: &Graph,
    seen: &BTreeMap<ValueId, Observation>,
    input: InputForm,
    rules: GridRules,
) -> BTreeMap<ValueId, ValueGrid> {
    let mut ties = Ties::of(graph);
    for value in ties.values() {
        let free = match rules.channels {
            ChannelScales::Nowhere => false,
            ChannelScales::Depthwise => only_depthwise_reads(graph, value),
            ChannelScales::Weighed => only_depthwise_reads(graph, value) || !is_bump(graph, value),
        };
        if !free {
            ties.unify(value);
        }
    }
    let demand = Demand::of(graph, seen);
    let mut companies: BTreeMap<ValueId, Vec<ValueId>> = BTreeMap::new();
    for (value, first) in ties.companies() {
        companies.entry(first).or_default().push(value);
    }
    let mut grids = BTreeMap::new();
    for values in companies.into_values() {
        let picture = input == InputForm::Picture && values.iter().any(|value| graph.inputs.first() == Some(value));
        let chosen = if picture {
            None
        } else {
            Company::new(graph, &values, seen, &demand, &mut ties).map(|company| company.choose(rules))
        };
        for value in values {
            let grid = match &chosen {
                _ if picture => ValueGrid { scales: vec![1.0], zero_point: -128 },
                Some(chosen) => chosen.grid(value, &mut ties),
                None => continue,
            };
            grids.insert(value, grid);
        }
    }
    grids
}

/// Whether nothing but INT8 depthwise convolutions reads a value, or what its steps are handed on to.
pub(super) fn only_depthwise_reads(graph: &Graph, value: ValueId) -> bool {
    let mut readers = graph.readers(value).map(|reader| &graph.nodes[reader]).peekable();
    let fits = |node: &Node| match node.op {
        Op::DepthwiseConvolution { .. } => has_int8(graph, node),
        _ => moves(graph, node).is_some() && has_int8(graph, node) && only_depthwise_reads(graph, node.output),
    };
    readers.peek().is_some() && !graph.outputs.contains(&value) && readers.all(fits)
}

/// Whether a value comes out of the epilogue's bump. Measured on YOLOX-Nano: unlike scales of such values raise the decibels at
/// the outputs, yet AP and recall on train fall (0.430 to 0.414, 0.488 to 0.480). A guess at why, not proven: the bump's table
/// has 64 entries, so that results near 0 are off by about 0.018 (root of the mean square; SiLU) whatever their scale.
fn is_bump(graph: &Graph, value: ValueId) -> bool {
    if is_copy(graph, value) {
        let producer = graph.producer(value).map(|producer| &graph.nodes[producer]);
        return producer.is_some_and(|producer| producer.inputs.iter().any(|&input| is_bump(graph, input)));
    }
    matches!(activation(graph, value), Activation::Silu | Activation::HardSwish | Activation::Gelu)
}

/// Whether a value's steps are those of an input of the node that makes it.
pub(super) fn is_copy(graph: &Graph, value: ValueId) -> bool {
    let moved = |node: &Node| moves(graph, node).is_some() && has_int8(graph, node);
    graph.producer(value).is_some_and(|producer| moved(&graph.nodes[producer]))
}

/// The activation of what makes `value`.
pub(super) fn activation(graph: &Graph, value: ValueId) -> Activation {
    match graph.producer(value).map(|producer| &graph.nodes[producer].op) {
        Some(
            Op::Convolution { activation, .. } | Op::DepthwiseConvolution { activation, .. } | Op::Add { activation },
        ) => *activation,
        _ => Activation::None,
    }
}
