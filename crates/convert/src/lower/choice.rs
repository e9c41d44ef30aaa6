//! Which nodes are computed in INT8.
//!
//! Most operators have an INT8 form. Some of them compute, and are worth it by themselves. The others only move numbers or
//! look one up for each: they follow what reads them, so that a network's last reshapes and sigmoids stay in floats, and the
//! convolutions before them leave their accumulators unrounded.

use std::collections::BTreeSet;

use clawdbot_nn::graph::{Activation, Graph, Node, Op, ValueId};

use super::{Lowering, Precision, bump};

/// What INT8 means to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// It multiplies or adds.
    Computes,
    /// It moves steps, or looks them up.
    Follows,
    /// There is none.
    None,
}

fn form(graph: &Graph, node: &Node) -> Form {
    let shape = |value: ValueId| &graph.values[value.0].shape[..];
    let constant = node.inputs.iter().find_map(|input| graph.constant_f32(*input));
    match &node.op {
        // A bump or a slope leaves no room for a residual in the epilogue; `simplify` sees to it that none is asked for.
        Op::Convolution { activation, residual: true, .. } | Op::Add { activation }
            if !activation.is_clamp() && constant.is_none_or(|_| node.inputs.len() > 2) =>
        {
            Form::None
        }
        Op::Convolution { .. } => Form::Computes,
        // Up to 4 channels lie in a stride of 4, where depthwise kernels want 16.
        Op::DepthwiseConvolution { .. } if shape(node.output).last() > Some(&4) => Form::Computes,
        Op::Add { .. } | Op::Multiply => match constant {
            None => Form::Computes,
            Some([_]) => Form::Follows,
            Some(_) => Form::None,
        },
        Op::GlobalAveragePool | Op::AveragePool { .. } => Form::Computes,
        Op::MaxPool(_)
        | Op::Resize(_)
        | Op::Slice { .. }
        | Op::Transpose { .. }
        | Op::ChannelShuffle { .. }
        | Op::Activate(_)
        | Op::Reshape
        | Op::Concatenate { .. }
        | Op::Pad(_) => Form::Follows,
        Op::DepthwiseConvolution { .. } | Op::Softmax => Form::None,
    }
}

/// Whether the executor can compute a node in INT8, and it is of use: a node that only moves numbers is computed in INT8
/// where that leads to one that computes.
#[must_use]
pub fn has_int8(graph: &Graph, node: &Node) -> bool {
    match form(graph, node) {
        Form::Computes => true,
        Form::Follows => leads_to(graph, node.output, &|reader| form(graph, &graph.nodes[reader]) == Form::Computes),
        Form::None => false,
    }
}

/// Whether nodes that follow lead from `value` to one that `computes`.
fn leads_to(graph: &Graph, value: ValueId, computes: &dyn Fn(usize) -> bool) -> bool {
    let (mut left, mut known) = (vec![value], BTreeSet::new());
    while let Some(value) = left.pop() {
        for reader in graph.readers(value) {
            let node = &graph.nodes[reader];
            if computes(reader) {
                return true;
            }
            if form(graph, node) == Form::Follows && known.insert(node.output) {
                left.push(node.output);
            }
        }
    }
    false
}

impl Lowering<'_> {
    /// How each node is computed under the plan.
    pub(super) fn choose(&mut self) {
        let graph = self.graph;
        let computes = |index: usize| {
            let node = &graph.nodes[index];
            let wanted = self.plan.precision[index] == Precision::Int8;
            wanted && form(graph, node) == Form::Computes && self.has_epilogue(node)
        };
        let follows = |index: usize| {
            let node = &graph.nodes[index];
            let wanted = self.plan.precision[index] == Precision::Int8;
            wanted && form(graph, node) == Form::Follows && leads_to(graph, node.output, &computes)
        };
        let int8 = |index| computes(index) || follows(index);
        let choose = |index| if int8(index) { Precision::Int8 } else { Precision::F16 };
        let chosen = (0..graph.nodes.len()).map(choose).collect();
        self.precision = chosen;
    }

    /// Whether the epilogue has the node's activation in the grid of its result; see [`bump::choose`].
    fn has_epilogue(&self, node: &Node) -> bool {
        let (Op::Convolution { activation, .. } | Op::DepthwiseConvolution { activation, .. }) = node.op else {
            return true;
        };
        let grid = self.plan.grids.get(&node.output);
        !is_bump(activation) || grid.is_none_or(|grid| bump::choose(activation, grid).is_some())
    }
}

/// Whether relu(x) - activation(x) is even.
pub(super) const fn is_bump(activation: Activation) -> bool {
    matches!(activation, Activation::Silu | Activation::HardSwish | Activation::Gelu)
}
