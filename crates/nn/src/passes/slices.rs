//! Slices of slices, and the 2x2 unshuffle that some networks begin with (YOLOX's "focus").

use std::collections::BTreeSet;

use crate::graph::{Graph, Op, Quantization, ValueId, Window};
use crate::tensor::{Elements, Tensor};

/// Lets each [`Op::Slice`] of a slice read what that one reads. The inner one goes when nothing else reads it
/// ([`super::remove_dead`]).
#[must_use]
pub fn merge_slices(mut graph: Graph) -> Graph {
    for at in 0..graph.nodes.len() {
        while let Some((input, begin, step)) = merged(&graph, at) {
            graph.nodes[at].inputs = vec![input];
            graph.nodes[at].op = Op::Slice { begin, step };
        }
    }
    graph
}

/// The slice at `at` as one of what the slice before it reads.
fn merged(graph: &Graph, at: usize) -> Option<(ValueId, Vec<usize>, Vec<usize>)> {
    let (input, begin, step) = slice(graph, at)?;
    let (source, first, each) = slice(graph, graph.producer(input)?)?;
    let begin = begin.iter().zip(first).zip(each).map(|((begin, first), each)| first + begin * each).collect();
    let step = step.iter().zip(each).map(|(step, each)| step * each).collect();
    Some((source, begin, step))
}

fn slice(graph: &Graph, at: usize) -> Option<(ValueId, &[usize], &[usize])> {
    let node = &graph.nodes[at];
    let (Op::Slice { begin, step }, &[input]) = (&node.op, &node.inputs[..]) else { return None };
    Some((input, begin, step))
}

/// Folds each unshuffle (a picture's cells of b x b pixels, joined along the channels in any order) into the convolutions
/// behind it, where nothing else reads it: k x k taps over cells are (b k) x (b k) taps over pixels, b times as far apart.
#[must_use]
pub fn fold_unshuffles(mut graph: Graph) -> Graph {
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

/// The picture, the side of a cell, and the place in its cell that each group of channels comes from.
struct Unshuffle {
    x: ValueId,
    channels: usize,
    block: usize,
    places: Vec<[usize; 2]>,
}

fn fold(graph: &mut Graph, at: usize) -> Option<()> {
    let unshuffle = recognise(graph, at)?;
    let output = graph.nodes[at].output;
    let readers: Vec<usize> = graph.readers(output).collect();
    if readers.is_empty() || graph.outputs.contains(&output) {
        return None;
    }
    let folded: Option<Vec<_>> = readers.iter().map(|&reader| spread(graph, reader, output, &unshuffle)).collect();
    for (reader, (weights, grid, wider)) in readers.into_iter().zip(folded?) {
        let name = format!("{}/spread_weights", graph.nodes[reader].name);
        let weights = graph.add_constant(name, weights);
        if let Some(grid) = grid {
            graph.quantizations.insert(weights, grid);
        }
        let node = &mut graph.nodes[reader];
        (node.inputs[0], node.inputs[1]) = (unshuffle.x, weights);
        if let Op::Convolution { window, .. } = &mut node.op {
            *window = wider;
        }
    }
    Some(())
}

fn recognise(graph: &Graph, at: usize) -> Option<Unshuffle> {
    let node = &graph.nodes[at];
    let Op::Concatenate { axis: 3 } = node.op else { return None };
    let mut parts = Vec::new();
    for &input in &node.inputs {
        let (x, begin, step) = slice(graph, graph.producer(input)?)?;
        let (&[0, row, column, 0], &[1, block, across, 1]) = (begin, step) else { return None };
        let (&[1, height, width, channels], &[1, rows, columns, same]) =
            (&graph.values[x.0].shape[..], &graph.values[input.0].shape[..])
        else {
            return None;
        };
        let whole = [rows * block, columns * block] == [height, width] && same == channels;
        if block != across || !whole || row >= block || column >= block {
            return None;
        }
        parts.push((x, channels, block, [row, column]));
    }
    let &(x, channels, block, _) = parts.first()?;
    let places: Vec<[usize; 2]> = parts.iter().map(|part| part.3).collect();
    let distinct = places.iter().collect::<BTreeSet<_>>().len();
    let alike = parts.iter().all(|part| (part.0, part.2) == (x, block));
    let all = places.len() == block * block && distinct == places.len() && block > 1;
    (alike && all).then_some(Unshuffle { x, channels, block, places })
}

/// Weights over pixels, their grid, and the window of the convolution at `reader`.
fn spread(
    graph: &Graph,
    reader: usize,
    output: ValueId,
    unshuffle: &Unshuffle,
) -> Option<(Tensor, Option<Quantization>, Window)> {
    let node = &graph.nodes[reader];
    let Op::Convolution { window, .. } = &node.op else { return None };
    if node.inputs[0] != output || node.inputs.iter().filter(|&&input| input == output).count() != 1 {
        return None;
    }
    let old = graph.constants.get(&node.inputs[1])?;
    let &[n, high, wide, depth] = old.shape() else { return None };
    let &Unshuffle { channels, block, ref places, .. } = unshuffle;
    let side = wide * block;
    let mut new = vec![0.0; old.as_f32()?.len()];
    for (at, &weight) in old.as_f32()?.iter().enumerate() {
        let (channel, tap, kernel) = (at % depth, at / depth % (high * wide), at / depth / (high * wide));
        let [row, column] = places[channel / channels];
        let place = [tap / wide * block + row, tap % wide * block + column];
        new[((kernel * high * block + place[0]) * side + place[1]) * channels + channel % channels] = weight;
    }
    let wider = Window {
        kernel: window.kernel.map(|side| side * block),
        stride: window.stride.map(|step| step * block),
        padding: window.padding.map(|cells| cells * block),
    };
    let shape = vec![n, high * block, side, channels];
    let weights = Tensor::new(shape, Elements::F32(new)).ok()?;
    Some((weights, graph.quantizations.get(&node.inputs[1]).cloned(), wider))
}
