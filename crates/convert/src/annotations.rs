//! Networks that come quantised: the grids and steps that the file gives, in place of what calibration would choose.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use clawdbot_nn::graph::{Graph, Op, Sampling, ValueId};

use crate::lower::has_int8;
use crate::quantize::{QuantizedLayer, ValueGrid, arrangement};

/// A bias may use this many steps, which leaves as much again of an i32 to the sum of products.
const BIAS_STEPS_MAX: f64 = (1_u64 << 30) as f64;
/// The most steps of a weight on either side of 0.
const STEPS_MAX: f64 = 127.0;

/// Whether every value that an INT8 node reads or makes has a grid, so that nothing needs to be calibrated.
#[must_use]
pub fn is_complete(graph: &Graph) -> bool {
    let mut nodes = graph.nodes.iter().filter(|node| has_int8(graph, node)).peekable();
    let known = |value: &ValueId| graph.constants.contains_key(value) || graph.quantizations.contains_key(value);
    nodes.peek().is_some() && nodes.all(|node| node.inputs.iter().chain([&node.output]).all(known))
}

/// The grids that the file gives to values. One that a concatenation alone reads takes over that one's grid, if its own is
/// no coarser: what makes it rounds but once then.
#[must_use]
pub fn grids(graph: &Graph) -> BTreeMap<ValueId, ValueGrid> {
    let annotated = graph.quantizations.iter().filter(|(value, _)| !graph.constants.contains_key(value));
    let own = |(&value, grid): (&ValueId, &clawdbot_nn::graph::Quantization)| {
        (value, ValueGrid { scales: grid.scale.clone(), zero_point: grid.zero_point })
    };
    let mut grids: BTreeMap<ValueId, ValueGrid> = annotated.map(own).collect();
    for node in graph.nodes.iter().filter(|node| matches!(node.op, Op::Concatenate { .. }) && has_int8(graph, node)) {
        let Some(whole) = grids.get(&node.output).cloned() else { continue };
        for &input in &node.inputs {
            let rounds = graph.producer(input).is_some_and(|producer| rounds(&graph.nodes[producer].op));
            let finer = grids.get(&input).is_some_and(|own| own.scales.len() == 1 && own.scales <= whole.scales);
            if rounds && finer && whole.scales.len() == 1 && graph.only_reader(input).is_some() {
                grids.insert(input, whole.clone());
            }
        }
    }
    grids
}

/// Hands grids of the file on, against the flow: what a value without a grid of its own is only moved to (joined, resized, pooled), it
/// is rounded to at once, as the file means it. Elsewhere `grids`, which calibration chose, stay.
pub fn hand_back(graph: &Graph, grids: &mut BTreeMap<ValueId, ValueGrid>) {
    let moves = |op: &Op| {
        matches!(
            op,
            Op::Concatenate { .. } | Op::MaxPool(_) | Op::Resize(Sampling::Nearest { .. }) | Op::ChannelShuffle { .. }
        )
    };
    let mut known: BTreeSet<ValueId> = graph.quantizations.keys().copied().collect();
    for node in graph.nodes.iter().rev().filter(|node| moves(&node.op) && has_int8(graph, node)) {
        let Some(whole) = grids.get(&node.output).filter(|_| known.contains(&node.output)).cloned() else { continue };
        for &input in node.inputs.iter().filter(|input| !graph.constants.contains_key(input)) {
            if known.insert(input) {
                grids.insert(input, whole.clone());
            }
        }
    }
}

/// Whether an operator makes steps of its own rather than handing on those that it reads.
const fn rounds(op: &Op) -> bool {
    matches!(
        op,
        Op::Convolution { .. }
            | Op::DepthwiseConvolution { .. }
            | Op::Add { .. }
            | Op::Multiply
            | Op::GlobalAveragePool
            | Op::AveragePool { .. }
            | Op::Activate(_)
    )
}

/// The layers whose weights the file gives as steps, for inputs that have one scale in `grids`.
///
/// Steps that fit -127..=127 are taken as they are, to the last bit. An output channel with others (unsigned weights far
/// from their zero point) gets a coarser step, and is rounded so that its errors sum up to nearly nothing: they are
/// multiplied with inputs that are, for the most part, on one side of 0.
#[must_use]
pub fn layers(graph: &Graph, grids: &BTreeMap<ValueId, ValueGrid>) -> BTreeMap<usize, QuantizedLayer> {
    let indices = (0..graph.nodes.len()).filter(|&index| has_int8(graph, &graph.nodes[index]));
    let layer = |index: usize| {
        let weights = graph.nodes[index].inputs.get(1)?;
        Some((index, layer(graph, grids, index, &graph.quantizations.get(weights)?.scale)?))
    };
    indices.filter_map(layer).collect()
}

/// As [`layers`], and those whose weights have no steps of their own (copies, factors that an importer wrote out), which get
/// the steps that just reach their largest: for networks that are never calibrated.
#[must_use]
pub fn all_layers(graph: &Graph, grids: &BTreeMap<ValueId, ValueGrid>) -> BTreeMap<usize, QuantizedLayer> {
    let indices = (0..graph.nodes.len()).filter(|&index| has_int8(graph, &graph.nodes[index]));
    let layer = |index: usize| {
        let node = &graph.nodes[index];
        let scale = graph.quantizations.get(node.inputs.get(1)?).map(|grid| grid.scale.clone());
        let scale = scale.or_else(|| reaching_scale(graph, index))?;
        Some((index, layer(graph, grids, index, &scale)?))
    };
    indices.filter_map(layer).collect()
}

/// A step an output channel of which the largest weight is [`STEPS_MAX`].
fn reaching_scale(graph: &Graph, index: usize) -> Option<Vec<f32>> {
    let node = &graph.nodes[index];
    let arrangement = arrangement(&node.op)?;
    let (weights, bias) = (graph.constant_f32(node.inputs[1])?, graph.constant_f32(*node.inputs.get(2)?)?);
    let largest = |n| arrangement.places(n, bias.len(), weights.len()).map(|at| weights[at].abs()).fold(0.0, f32::max);
    let step = |n| Some(largest(n) / STEPS_MAX as f32).filter(|step| step.is_normal()).unwrap_or(1.0);
    Some((0..bias.len()).map(step).collect())
}

fn layer(graph: &Graph, grids: &BTreeMap<ValueId, ValueGrid>, index: usize, scale: &[f32]) -> Option<QuantizedLayer> {
    let node = &graph.nodes[index];
    let arrangement = arrangement(&node.op)?;
    let (weights, bias) = (graph.constant_f32(node.inputs[1])?, graph.constant_f32(*node.inputs.get(2)?)?);
    let [input] = grids.get(&node.inputs[0])?.scales[..] else { return None };
    if scale.len() != bias.len() {
        return None;
    }
    let mut steps = vec![0_i8; weights.len()];
    let mut sizes = Vec::with_capacity(bias.len());
    for (n, &own) in scale.iter().enumerate() {
        let places: Vec<usize> = arrangement.places(n, bias.len(), weights.len()).collect();
        let channel: Vec<f64> = places.iter().map(|&place| f64::from(weights[place])).collect();
        // A step so fine that the bias would not fit 32 bits is made coarser.
        let least = f64::from(bias[n].abs()) / BIAS_STEPS_MAX / f64::from(input);
        let (size, rounded) = channel_steps(&channel, f64::from(own).max(least));
        places.iter().zip(rounded).for_each(|(&place, step)| steps[place] = step);
        sizes.push(f64::from(input) * size);
    }
    Some(QuantizedLayer { steps, step: sizes, bias: bias.iter().copied().map(f64::from).collect() })
}

/// The step of an output channel's weights, and how many of it each weight is.
fn channel_steps(channel: &[f64], own: f64) -> (f64, Vec<i8>) {
    let largest = channel.iter().fold(0.0_f64, |largest, weight| largest.max(weight.abs()));
    if (largest / own).round() <= STEPS_MAX {
        return (own, channel.iter().map(|weight| (weight / own).round_ties_even() as i8).collect());
    }
    let size = largest / STEPS_MAX;
    let exact: Vec<f64> = channel.iter().map(|weight| weight / size).collect();
    let mut steps: Vec<f64> = exact.iter().map(|exact| exact.round_ties_even()).collect();
    let missing: f64 = exact.iter().zip(&steps).map(|(exact, step)| exact - step).sum();
    // Those that lie nearest to the next step in the missing direction go there.
    let mut order: Vec<usize> = (0..steps.len()).collect();
    let cost = |at: usize| (steps[at] - exact[at]) * missing.signum();
    order.sort_by(|&a, &b| cost(a).total_cmp(&cost(b)));
    let within = |step: f64| step.abs() <= STEPS_MAX;
    let count = missing.abs().round() as usize;
    let moved: Vec<usize> = order.into_iter().filter(|&at| within(steps[at] + missing.signum())).take(count).collect();
    moved.into_iter().for_each(|at| steps[at] += missing.signum());
    (size, steps.into_iter().map(|step| step as i8).collect())
}
