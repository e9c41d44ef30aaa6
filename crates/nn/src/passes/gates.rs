//! A value times its own sigmoid is one activation.

use crate::graph::{Activation, Graph, Op, ValueId};

/// Replaces each [`Op::Multiply`] of x with its logistic by SiLU, and of x with its hard sigmoid (slope 1/6, offset 1/2) by
/// hard-swish. The gate itself goes when nothing else reads it ([`super::remove_dead`]).
#[must_use]
pub fn fuse_gates(mut graph: Graph) -> Graph {
    for at in 0..graph.nodes.len() {
        let node = &graph.nodes[at];
        let (Op::Multiply, &[a, b]) = (&node.op, &node.inputs[..]) else { continue };
        let fused = gated(&graph, a, b).map(|it| (a, it)).or_else(|| gated(&graph, b, a).map(|it| (b, it)));
        if let Some((x, activation)) = fused {
            graph.nodes[at].op = Op::Activate(activation);
            graph.nodes[at].inputs = vec![x];
        }
    }
    graph
}

/// What `x` times `gate` comes to, if `gate` is a sigmoid of `x`.
fn gated(graph: &Graph, x: ValueId, gate: ValueId) -> Option<Activation> {
    const SIXTH: std::ops::Range<f32> = 0.166_666..0.166_667;
    let producer = &graph.nodes[graph.producer(gate)?];
    let (Op::Activate(activation), true) = (&producer.op, producer.inputs == [x]) else { return None };
    match *activation {
        Activation::Logistic => Some(Activation::Silu),
        Activation::HardSigmoid { slope, offset: 0.5 } if SIXTH.contains(&slope) => Some(Activation::HardSwish),
        _ => None,
    }
}
