//! An activation after a sum becomes the sum's own.

use crate::graph::{Activation, Graph, Op};

/// Fuses each [`Op::Activate`] into the convolution or addition before it, where it is the only reader and an INT8 epilogue
/// has a form for it that works on the sum itself; the others (sigmoid and the like) stay nodes.
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
    let (Op::Activate(next), [input]) = (&node.op, &node.inputs[..]) else { return false };
    let (next, input, output) = (*next, *input, node.output);
    let alone = graph.only_reader(input) == Some(at);
    let Some(producer) = graph.producer(input).filter(|_| alone) else { return false };
    let producer = &mut graph.nodes[producer];
    // An epilogue that adds a second operand has bounds and no other form.
    let two_operands = matches!(producer.op, Op::Add { .. } | Op::Convolution { residual: true, .. });
    let Some(activation) = activation_mut(&mut producer.op) else { return false };
    let possible = |fused: &Activation| works_on_sums(*fused) && (fused.is_clamp() || !two_operands);
    let Some(fused) = activation.then(next).filter(possible) else { return false };
    *activation = fused;
    producer.output = output;
    true
}

fn activation_mut(op: &mut Op) -> Option<&mut Activation> {
    match op {
        Op::Convolution { activation, .. }
        | Op::DepthwiseConvolution { activation, .. }
        | Op::Add { activation }
        | Op::Activate(activation) => Some(activation),
        _ => None,
    }
}

const fn works_on_sums(activation: Activation) -> bool {
    matches!(activation, Activation::Leaky(_) | Activation::Silu | Activation::HardSwish | Activation::Gelu)
        || activation.is_clamp()
}
