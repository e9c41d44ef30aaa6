//! The grid of every value, from what was seen of it and who reads it.

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Graph, Op, ValueId};

use super::Observation;
use crate::lower::has_int8;
use crate::quantize::ValueGrid;

/// Chooses a grid for every value that was seen: one scale a channel where only depthwise convolutions read it (their
/// weights take the scales up for nothing), else one for the value.
#[must_use]
pub fn choose_grids(graph: &Graph, seen: &BTreeMap<ValueId, Observation>) -> BTreeMap<ValueId, ValueGrid> {
    let grid = |value: ValueId, seen: &Observation| {
        let channels = seen.channel_grids().filter(|_| only_depthwise_reads(graph, value));
        channels.map_or_else(|| seen.grid().into(), |(scales, zero_point)| ValueGrid { scales, zero_point })
    };
    seen.iter().map(|(&value, seen)| (value, grid(value, seen))).collect()
}

fn only_depthwise_reads(graph: &Graph, value: ValueId) -> bool {
    let mut readers = graph.readers(value).map(|reader| &graph.nodes[reader]).peekable();
    let depthwise =
        |node: &clawdbot_nn::graph::Node| matches!(node.op, Op::DepthwiseConvolution { .. }) && has_int8(graph, node);
    readers.peek().is_some() && !graph.outputs.contains(&value) && readers.all(depthwise)
}
