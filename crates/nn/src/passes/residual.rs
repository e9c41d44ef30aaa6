//! The sum at the end of a residual block becomes part of the convolution before it.

use crate::graph::{Activation, Graph, Op};

/// Fuses each [`Op::Add`] into a convolution that makes one of its addends, where the addition is the only reader of that
/// and the convolution has neither activation nor residual yet. In a network that came quantised the fused sum is not rounded
/// to the convolution's own grid any more, which is done where that grid is no coarser than the sum's, so that the result is
/// the file's to within a step. The fused convolution stands where the addition stood, so
/// the other addend is known by then.
#[must_use]
pub fn fuse_residuals(mut graph: Graph) -> Graph {
    let mut at = 0;
    while at < graph.nodes.len() {
        match candidate(&graph, at) {
            Some((producer, addend)) => {
                let output = graph.nodes[at].output;
                let Op::Add { activation: after } = graph.nodes[at].op else { break };
                let mut fused = graph.nodes[producer].clone();
                fused.inputs.push(addend);
                fused.output = output;
                if let Op::Convolution { activation, residual, .. } = &mut fused.op {
                    *activation = after;
                    *residual = true;
                }
                graph.nodes[at] = fused;
                graph.nodes.remove(producer);
            }
            None => at += 1,
        }
    }
    graph
}

/// For the addition at `at`: the convolution to fuse with, and the other addend. The later of two is taken: then the
/// order of execution stays as it was.
fn candidate(graph: &Graph, at: usize) -> Option<(usize, crate::graph::ValueId)> {
    let node = &graph.nodes[at];
    let (Op::Add { activation }, &[a, b]) = (&node.op, &node.inputs[..]) else { return None };
    if !activation.is_clamp() {
        return None;
    }
    let step = |value| graph.quantizations.get(&value).and_then(|grid| grid.scale.first());
    let fusable = |value, other| {
        if graph.constants.contains_key(&other) {
            return None;
        }
        if let (Some(own), Some(sum)) = (step(value), step(node.output))
            && own > sum
        {
            return None;
        }
        let producer = graph.producer(value).filter(|_| graph.only_reader(value) == Some(at))?;
        let bare =
            matches!(graph.nodes[producer].op, Op::Convolution { activation: Activation::None, residual: false, .. });
        bare.then_some((producer, other))
    };
    [fusable(a, b), fusable(b, a)].into_iter().flatten().max_by_key(|&(producer, _)| producer)
}
