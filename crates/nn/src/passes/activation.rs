//! A clamp after a sum becomes the sum's own activation.

use crate::graph::{Activation, Graph, Op};

/// Fuses each [`Op::Clamp`] into the convolution or addition before it, where the clamp is the only reader.
#[must_use]
pub fn fuse_activations(mut graph: Graph) -> Graph {
    let mut at = 0;
    while at < graph.nodes.len() {
        if fuse(&mut graph, at) {
            graph.nodes.remove(at);
        } else {
            at += 1;
        }
    }
    graph
}

/// Lets the producer of the clamp at `at` do its work; false when it cannot.
fn fuse(graph: &mut Graph, at: usize) -> bool {
    let node = &graph.nodes[at];
    let (Op::Clamp(next), [input]) = (&node.op, &node.inputs[..]) else { return false };
    let (next, input, output) = (*next, *input, node.output);
    let alone = graph.only_reader(input) == Some(at);
    let Some(producer) = graph.producer(input).filter(|_| alone) else { return false };
    let producer = &mut graph.nodes[producer];
    let Some(activation) = activation_mut(&mut producer.op) else { return false };
    *activation = activation.then(next);
    producer.output = output;
    true
}

fn activation_mut(op: &mut Op) -> Option<&mut Activation> {
    match op {
        Op::Convolution { activation, .. }
        | Op::DepthwiseConvolution { activation, .. }
        | Op::Add { activation }
        | Op::Clamp(activation) => Some(activation),
        Op::Multiply
        | Op::GlobalAveragePool
        | Op::Reshape
        | Op::Concatenate { .. }
        | Op::Logistic
        | Op::Softmax
        | Op::Pad(_) => None,
    }
}
