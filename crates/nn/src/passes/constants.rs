//! What depends on constants alone is computed now.

use crate::graph::{Graph, Op};
use crate::reference;
use crate::tensor::Tensor;

/// Evaluates nodes whose inputs are all constants (not outputs of the graph: a node has to make these), and drops nodes that change nothing: a reshape to the same shape, a
/// clamp without bounds, padding by nothing.
#[must_use]
pub fn fold_constants(mut graph: Graph) -> Graph {
    let mut at = 0;
    while at < graph.nodes.len() {
        if evaluate(&mut graph, at) || skip(&mut graph, at) {
            graph.nodes.remove(at);
        } else {
            at += 1;
        }
    }
    graph
}

fn evaluate(graph: &mut Graph, at: usize) -> bool {
    let node = &graph.nodes[at];
    let operands: Option<Vec<&Tensor>> = node.inputs.iter().map(|input| graph.constants.get(input)).collect();
    let result = operands.filter(|operands| !operands.is_empty() && !graph.outputs.contains(&node.output));
    let Some(result) = result.and_then(|operands| reference::evaluate(graph, node, &operands)) else { return false };
    let output = node.output;
    graph.constants.insert(output, result);
    true
}

/// Lets whoever reads the result of the node at `at` read its input instead. Not where the caller wants the result: its
/// name would be lost.
fn skip(graph: &mut Graph, at: usize) -> bool {
    let node = &graph.nodes[at];
    let [input] = node.inputs[..] else { return false };
    let output = node.output;
    let idle = match node.op {
        Op::Reshape => graph.values[input.0].shape == graph.values[output.0].shape,
        Op::Activate(activation) => activation == crate::graph::Activation::None,
        Op::Pad(cells) => cells == [0; 4],
        _ => false,
    };
    if !idle || graph.outputs.contains(&output) {
        return false;
    }
    for reader in &mut graph.nodes {
        reader.inputs.iter_mut().filter(|read| **read == output).for_each(|read| *read = input);
    }
    true
}
