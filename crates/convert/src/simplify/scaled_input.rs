//! Factors and offsets in front of a convolution (a normalisation inside the network) go into it.

use clawdbot_nn::graph::{Activation, Graph, Node, Op, Quantization, ValueId, Window};
use clawdbot_nn::tensor::{Elements, Tensor};

/// x' = x * factor + offset, in each channel.
struct Affine {
    x: ValueId,
    factors: Vec<f32>,
    offsets: Vec<f32>,
}

/// Folds each product by constants, and each depthwise convolution of one cell, into the dense convolutions behind it, where
/// nothing else reads it and its real 0, which pads them, comes from one and the same number in all channels.
pub(super) fn fold_scaled_inputs(mut graph: Graph) -> Graph {
    let mut at = 0;
    while at < graph.nodes.len() {
        // What precedes may become foldable only once what follows is gone.
        if fold(&mut graph, at).is_some() {
            graph.nodes.remove(at);
            at = at.saturating_sub(1);
        } else {
            at += 1;
        }
    }
    graph
}

fn fold(graph: &mut Graph, at: usize) -> Option<()> {
    let output = graph.nodes[at].output;
    let affine = affine(graph, &graph.nodes[at])?;
    let readers: Vec<usize> = graph.readers(output).collect();
    if readers.is_empty() || graph.outputs.contains(&output) {
        return None;
    }
    let padding = padding(&affine);
    for &reader in &readers {
        let node = &graph.nodes[reader];
        let Op::Convolution { window, pad_value, .. } = &node.op else { return None };
        let once = node.inputs.iter().filter(|&&input| input == output).count() == 1 && node.inputs[0] == output;
        let padded = window.padding != [0; 4];
        if !once || padded && (padding.is_none() || *pad_value != 0.0) {
            return None;
        }
    }
    let folded: Option<Vec<_>> =
        readers.iter().map(|&reader| constants(graph, &graph.nodes[reader], &affine)).collect();
    for (reader, (weights, bias, grid)) in readers.into_iter().zip(folded?) {
        let name = graph.nodes[reader].name.clone();
        let weights = graph.add_constant(format!("{name}/scaled_weights"), weights);
        let bias = graph.add_constant(format!("{name}/scaled_bias"), bias);
        if let Some(grid) = grid {
            graph.quantizations.insert(weights, grid);
        }
        let node = &mut graph.nodes[reader];
        (node.inputs[0], node.inputs[1], node.inputs[2]) = (affine.x, weights, bias);
        if let (Op::Convolution { pad_value, .. }, Some(padding)) = (&mut node.op, padding) {
            *pad_value = padding;
        }
    }
    Some(())
}

fn affine(graph: &Graph, node: &Node) -> Option<Affine> {
    const CELL: Window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
    let channels = graph.values[node.output.0].shape.last().copied()?;
    let spread = |numbers: &[f32]| match numbers {
        [one] => Some(vec![*one; channels]),
        _ => (numbers.len() == channels).then(|| numbers.to_vec()),
    };
    let x = *node.inputs.first().filter(|x| !graph.constants.contains_key(x))?;
    let constant = |input: usize| graph.constant_f32(*node.inputs.get(input)?);
    let (factors, offsets) = match &node.op {
        Op::Multiply => (spread(constant(1)?)?, vec![0.0; channels]),
        Op::Add { activation: Activation::None } => (vec![1.0; channels], spread(constant(1)?)?),
        Op::DepthwiseConvolution { window: CELL, activation: Activation::None } => {
            (spread(constant(1)?)?, spread(constant(2)?)?)
        }
        _ => return None,
    };
    Some(Affine { x, factors, offsets })
}

/// The number that becomes 0; `None` where the channels do not agree on it.
fn padding(affine: &Affine) -> Option<f32> {
    let mut zeros = affine.factors.iter().zip(&affine.offsets).map(|(factor, offset)| 0.0 - offset / factor);
    let first = zeros.next().filter(|zero| zero.is_finite())?;
    zeros.all(|zero| zero.to_bits() == first.to_bits()).then_some(first)
}

/// Weights, bias and the weights' grid of a convolution that reads x instead of x'.
fn constants(graph: &Graph, node: &Node, affine: &Affine) -> Option<(Tensor, Tensor, Option<Quantization>)> {
    let tensor = graph.constants.get(&node.inputs[1])?;
    let (weights, bias) = (tensor.as_f32()?, graph.constant_f32(node.inputs[2])?);
    let (channels, depth) = (affine.factors.len(), weights.len().checked_div(bias.len())?);
    if channels == 0 || depth % channels != 0 {
        return None;
    }
    let scaled = weights.iter().enumerate().map(|(at, weight)| weight * affine.factors[at % channels]).collect();
    let moved = weights.chunks_exact(depth).zip(bias).map(|(row, bias)| {
        let more = row.iter().enumerate().map(|(at, &w)| f64::from(w) * f64::from(affine.offsets[at % channels]));
        (f64::from(*bias) + more.sum::<f64>()) as f32
    });
    let bias = Tensor::new(vec![bias.len()], Elements::F32(moved.collect())).ok()?;
    let weights = Tensor::new(tensor.shape().to_vec(), Elements::F32(scaled)).ok()?;
    // Steps stay steps where all of an output channel's weights are multiplied alike.
    let factor = affine.factors[0];
    let alike = affine.factors.iter().all(|other| other.to_bits() == factor.to_bits());
    let grid = graph.quantizations.get(&node.inputs[1]).filter(|_| alike).map(|grid| Quantization {
        scale: grid.scale.iter().map(|scale| scale * factor.abs()).collect(),
        zero_point: 0,
    });
    let sound = |grid: &Quantization| grid.scale.iter().all(|scale| scale.is_normal());
    Some((weights, bias, grid.filter(sound)))
}
