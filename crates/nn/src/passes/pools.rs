//! Pools of several sizes over one value (spatial pyramid pooling) become a chain of small ones.
//!
//! The largest of a square of 9 cells is the largest among the largest of squares of 5 cells whose centres lie in a square of
//! 5: `max_9 = max_5(max_5)`, at borders too, since between a cell and a centre there is always a centre inside the picture. Three
//! pools of 5, 9 and 13 then look at 3 x 25 cells instead of 25 + 81 + 169.

use crate::graph::{Graph, Op, Window};

/// Lets each [`Op::MaxPool`] of stride 1 that keeps its input's size begin where the largest smaller one of the same input,
/// that is known by then, ends.
#[must_use]
pub fn chain_pools(mut graph: Graph) -> Graph {
    for at in 0..graph.nodes.len() {
        let Some(side) = side_of(&graph, at) else { continue };
        let input = graph.nodes[at].inputs[0];
        // Earlier nodes were changed already: what they were is found by their output's size over the same source.
        let smaller = (0..at)
            .filter_map(|other| Some((reach(&graph, other, input)?, graph.nodes[other].output)))
            .filter(|&(reach, _)| reach < side)
            .max_by_key(|&(reach, _)| reach);
        if let Some((reach, output)) = smaller {
            let kernel = side - reach + 1;
            let padding = (kernel - 1) / 2;
            let window = Window { kernel: [kernel; 2], stride: [1; 2], padding: [padding; 4] };
            graph.nodes[at].op = Op::MaxPool(window);
            graph.nodes[at].inputs = vec![output];
        }
    }
    graph
}

/// The side of a max pool that this pass understands.
fn side_of(graph: &Graph, at: usize) -> Option<usize> {
    let Op::MaxPool(Window { kernel: [high, wide], stride: [1, 1], padding }) = graph.nodes[at].op else { return None };
    let fits = high == wide && high % 2 == 1 && padding == [(high - 1) / 2; 4];
    fits.then_some(high)
}

/// The side of the square of `source`'s cells that the node at `at` is the largest of, through a chain of pools.
fn reach(graph: &Graph, at: usize, source: crate::graph::ValueId) -> Option<usize> {
    let (mut at, mut reach) = (at, 1);
    loop {
        reach += side_of(graph, at)? - 1;
        let input = graph.nodes[at].inputs[0];
        if input == source {
            return Some(reach);
        }
        at = graph.producer(input).filter(|&producer| producer < at)?;
    }
}
