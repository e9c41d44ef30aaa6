//! The shared passes, then what only lowering cares for.

mod factors;
mod handed_on;
mod scaled_input;
#[cfg(test)]
mod tests;
mod unfuse;

pub(crate) use unfuse::unfuse_activations;

use clawdbot_nn::graph::{Graph, Op};
use clawdbot_nn::passes;

/// Simplifies a graph as it comes from an importer.
pub(crate) fn simplify(graph: Graph) -> Graph {
    let graph = passes::simplify(graph);
    let graph = scaled_input::fold_scaled_inputs(graph);
    let graph = handed_on::fold_factors_forward(graph);
    let graph = factors::factors_as_layers(graph);
    let mut graph = passes::remove_dead(graph);
    drop_pixel_reshapes(&mut graph);
    graph
}

/// A pooled pixel `[1][C]` that is only reshaped to `[1][1][1][C]` gets that shape at once, so that INT8 can go on.
fn drop_pixel_reshapes(graph: &mut Graph) {
    let mut index = 0;
    while index < graph.nodes.len() {
        match producer_of_pixel(graph, index) {
            Some(producer) => {
                graph.nodes[producer].output = graph.nodes[index].output;
                graph.nodes.remove(index);
            }
            None => index += 1,
        }
    }
}

/// The pooling node whose result node `index` does nothing but reshape to a pixel.
fn producer_of_pixel(graph: &Graph, index: usize) -> Option<usize> {
    let node = &graph.nodes[index];
    let from = *node.inputs.first()?;
    let producer = graph.nodes.iter().position(|other| other.output == from)?;
    let readers = graph.nodes.iter().filter(|other| other.inputs.contains(&from)).count();
    let pixel = matches!(graph.values[node.output.0].shape[..], [1, 1, 1, _]);
    let only_reshaped = node.op == Op::Reshape && readers == 1 && !graph.outputs.contains(&from);
    (only_reshaped && pixel && graph.nodes[producer].op == Op::GlobalAveragePool).then_some(producer)
}
