//! What nobody reads goes.

use std::collections::BTreeSet;

use crate::graph::{Graph, ValueId};

/// Removes nodes that no output depends on, and constants that no node reads. Values keep their numbers.
#[must_use]
pub fn remove_dead(mut graph: Graph) -> Graph {
    let mut needed: BTreeSet<ValueId> = graph.outputs.iter().copied().collect();
    for at in (0..graph.nodes.len()).rev() {
        if needed.contains(&graph.nodes[at].output) {
            needed.extend(graph.nodes[at].inputs.iter().copied());
        } else {
            graph.nodes.remove(at);
        }
    }
    graph.constants.retain(|id, _| needed.contains(id));
    graph
}
