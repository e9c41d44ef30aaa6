//! Padding before a convolution becomes part of its window.

use crate::graph::{Graph, Op, Window};

/// Folds each [`Op::Pad`] into the convolutions that read it, where all its readers are convolutions whose windows can
/// take it.
#[must_use]
pub fn fold_pads(mut graph: Graph) -> Graph {
    let mut at = 0;
    while at < graph.nodes.len() {
        if fold(&mut graph, at).is_some() {
            graph.nodes.remove(at);
        } else {
            at += 1;
        }
    }
    graph
}

fn fold(graph: &mut Graph, at: usize) -> Option<()> {
    let node = &graph.nodes[at];
    let (&Op::Pad(cells), &[input]) = (&node.op, &node.inputs[..]) else { return None };
    let output = node.output;
    if graph.outputs.contains(&output) {
        return None;
    }
    let readers: Vec<usize> = graph.readers(output).collect();
    let windows = readers.iter().map(|&reader| padded(&graph.nodes[reader].op, cells));
    let windows = windows.collect::<Option<Vec<Window>>>()?;
    // A value that is also read as weights or residual appears twice among a node's inputs.
    if readers.windows(2).any(|pair| pair[0] == pair[1]) {
        return None;
    }
    if readers.iter().any(|&reader| graph.nodes[reader].inputs[0] != output) {
        return None;
    }
    for (&reader, new) in readers.iter().zip(windows) {
        let reader = &mut graph.nodes[reader];
        reader.inputs[0] = input;
        if let Op::Convolution { window, .. } | Op::DepthwiseConvolution { window, .. } = &mut reader.op {
            *window = new;
        }
        if let Op::Convolution { pad_value, .. } = &mut reader.op {
            *pad_value = 0.0;
        }
    }
    Some(())
}

/// The window of `op` with `cells` more padding; `None` when it has none, pads with something else, or would see nothing
/// but padding somewhere.
fn padded(op: &Op, cells: [usize; 4]) -> Option<Window> {
    let window = match op {
        Op::Convolution { window, pad_value, .. } if window.padding == [0; 4] || *pad_value == 0.0 => window,
        Op::DepthwiseConvolution { window, .. } => window,
        _ => return None,
    };
    let padding: [usize; 4] = std::array::from_fn(|side| window.padding[side] + cells[side]);
    let fits = padding.iter().enumerate().all(|(side, &cells)| cells < window.kernel[side % 2]);
    fits.then_some(Window { padding, ..*window })
}
