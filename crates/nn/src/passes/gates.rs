//! A value times its own sigmoid is one activation, and a hard sigmoid that is written out is one too.

#[cfg(test)]
mod tests;

use crate::graph::{Activation, Graph, Op, ValueId, Window};

/// What is taken for 1/6.
const SIXTH: std::ops::Range<f32> = 0.166_666..0.166_667;

/// Replaces each [`Op::Multiply`] of x with its logistic by SiLU, and of x with its hard sigmoid (slope 1/6, offset 1/2) by
/// hard-swish. The gate itself goes when nothing else reads it ([`super::remove_dead`]).
#[must_use]
pub fn fuse_gates(graph: Graph) -> Graph {
    let mut graph = read_hard_sigmoids(graph);
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
    let producer = &graph.nodes[graph.producer(gate)?];
    let (Op::Activate(activation), true) = (&producer.op, producer.inputs == [x]) else { return None };
    match *activation {
        Activation::Logistic => Some(Activation::Silu),
        Activation::HardSigmoid { slope, offset: 0.5 } if SIXTH.contains(&slope) => Some(Activation::HardSwish),
        _ => None,
    }
}

/// Replaces ReLU6(x + 3) times 1/6 by a hard sigmoid, and x times ReLU6(x + 3) times 1/6 by hard-swish, as frameworks write them
/// that have no operator for these.
fn read_hard_sigmoids(mut graph: Graph) -> Graph {
    for at in 0..graph.nodes.len() {
        let node = &graph.nodes[at];
        let (Op::Multiply, &[of, factor]) = (&node.op, &node.inputs[..]) else { continue };
        if !uniform(&graph, factor).is_some_and(|factor| SIXTH.contains(&factor)) {
            continue;
        }
        let read = match raised(&graph, of) {
            Some(x) => Some((x, Activation::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 })),
            None => times_raised(&graph, of).map(|x| (x, Activation::HardSwish)),
        };
        if let Some((x, activation)) = read {
            graph.nodes[at].op = Op::Activate(activation);
            graph.nodes[at].inputs = vec![x];
        }
    }
    graph
}

/// The one number that a constant consists of.
fn uniform(graph: &Graph, constant: ValueId) -> Option<f32> {
    let all = graph.constant_f32(constant)?;
    let first = *all.first()?;
    all.iter().all(|number| number.to_bits() == first.to_bits()).then_some(first)
}

/// Of what x `value` is ReLU6(x + 3).
fn raised(graph: &Graph, value: ValueId) -> Option<ValueId> {
    const CELL: Window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
    let mut node = &graph.nodes[graph.producer(value)?];
    let mut wanted = Activation::Relu6;
    if node.op == Op::Activate(Activation::Relu6) {
        node = &graph.nodes[graph.producer(*node.inputs.first()?)?];
        wanted = Activation::None;
    }
    let three = |constant| uniform(graph, constant) == Some(3.0);
    match (&node.op, &node.inputs[..]) {
        (Op::Add { activation }, &[x, offset]) if *activation == wanted && three(offset) => Some(x),
        (Op::DepthwiseConvolution { window, activation }, &[x, weights, bias])
            if *activation == wanted && *window == CELL && uniform(graph, weights) == Some(1.0) && three(bias) =>
        {
            Some(x)
        }
        _ => None,
    }
}

/// Of what x `value` is x ReLU6(x + 3).
fn times_raised(graph: &Graph, value: ValueId) -> Option<ValueId> {
    let node = &graph.nodes[graph.producer(value)?];
    let (Op::Multiply, &[a, b]) = (&node.op, &node.inputs[..]) else { return None };
    if raised(graph, a) == Some(b) { Some(b) } else { (raised(graph, b) == Some(a)).then_some(a) }
}
