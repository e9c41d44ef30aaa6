//! From a network's outputs back to the layers that predict, and cutting it there.
//!
//! What an exporter puts behind the prediction layers (sigmoids, slices, reshapes, transposes, concatenations) carries numbers
//! about and changes none but by the sigmoid; a head reads the layers' sums as they are and does without.

use std::collections::BTreeSet;

use clawdbot_nn::graph::{Activation, Graph, Op, ValueId};
use clawdbot_nn::passes;

/// Channels of a prediction layer, on their way to an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The convolution's result.
    pub(super) value: ValueId,
    /// Rows and columns.
    pub(super) cells: [usize; 2],
    /// Its first channel here, and how many there are.
    pub(super) channels: [usize; 2],
    /// Whether a sigmoid follows.
    pub(super) sigmoid: bool,
}

impl Leaf {
    /// Whether these are all of the layer's channels.
    pub(super) fn is_whole(&self, graph: &Graph) -> bool {
        graph.values[self.value.0].shape.last() == Some(&self.channels[1])
    }

    /// Pixels from cell to cell in a picture of `size`, both ways: a power of two; `None` if there is none that fits.
    pub(super) fn stride(&self, size: [usize; 2]) -> Option<usize> {
        (2..=7).map(|power| 1 << power).find(|&stride| self.cells == size.map(|side| side.div_ceil(stride)))
    }
}

/// The prediction layers behind all outputs, in order; `None` when anything but moving and sigmoids lies between.
pub(super) fn leaves(graph: &Graph) -> Option<Vec<Leaf>> {
    let mut leaves = Vec::new();
    for &output in &graph.outputs {
        leaves.extend(behind(graph, output)?);
    }
    Some(leaves)
}

/// The prediction layers behind one value.
pub(super) fn behind(graph: &Graph, value: ValueId) -> Option<Vec<Leaf>> {
    let node = &graph.nodes[graph.producer(value)?];
    match &node.op {
        Op::Convolution {
            activation: activation @ (Activation::None | Activation::Logistic), residual: false, ..
        } => {
            let &[1, rows, columns, channels] = graph.values[value.0].shape.get(..)? else { return None };
            let sigmoid = *activation == Activation::Logistic;
            Some(vec![Leaf { value, cells: [rows, columns], channels: [0, channels], sigmoid }])
        }
        Op::Activate(Activation::Logistic) => {
            let mut leaves = behind(graph, node.inputs[0])?;
            let twice = leaves.iter().any(|leaf| leaf.sigmoid);
            leaves.iter_mut().for_each(|leaf| leaf.sigmoid = true);
            (!twice).then_some(leaves)
        }
        Op::Reshape | Op::Transpose { .. } => behind(graph, node.inputs[0]),
        Op::Concatenate { .. } => {
            let parts = node.inputs.iter().map(|&input| behind(graph, input)).collect::<Option<Vec<_>>>()?;
            Some(parts.concat())
        }
        Op::Slice { begin, step } => {
            let [mut leaf] = <[Leaf; 1]>::try_from(behind(graph, node.inputs[0])?).ok()?;
            let from = &graph.values[node.inputs[0].0].shape;
            let to = &graph.values[value.0].shape;
            let (last, first) = (from.len().checked_sub(1)?, *begin.last()?);
            // Only channels may be cut, not cells.
            let channels_only = from[..last] == to[..last] && step.iter().all(|&step| step == 1);
            if !channels_only || from[last] != leaf.channels[1] || leaf.sigmoid {
                return None;
            }
            leaf.channels = [leaf.channels[0] + first, to[last]];
            Some(leaf).map(|leaf| vec![leaf])
        }
        _ => None,
    }
}

/// Ends the network in `outputs`, in order, and drops what nobody needs any more.
pub(super) fn cut(graph: &mut Graph, outputs: &[ValueId]) {
    graph.outputs = outputs.to_vec();
    let ends: BTreeSet<ValueId> = outputs.iter().copied().collect();
    for node in graph.nodes.iter_mut().filter(|node| ends.contains(&node.output)) {
        if let Op::Convolution { activation: activation @ Activation::Logistic, .. } = &mut node.op {
            *activation = Activation::None;
            // The grid was that of the sigmoid.
            graph.quantizations.remove(&node.output);
        }
    }
    *graph = passes::remove_dead(std::mem::take(graph));
}

/// The name of a value.
pub(super) fn name(graph: &Graph, value: ValueId) -> String {
    graph.values[value.0].name.clone()
}
