//! A factor and an offset for each channel after a convolution (a batch normalisation, as importers write it) go into its
//! weights and bias.

use crate::graph::{Activation, Graph, Op, ValueId, Window};
use crate::tensor::{Elements, Tensor};

/// What each channel is multiplied with, what is added then, and the activation after it.
struct Affine {
    factors: Vec<f32>,
    offsets: Vec<f32>,
    activation: Activation,
}

/// Folds each [`Op::Multiply`] by a constant, [`Op::Add`] of one, and each depthwise convolution of one cell, into the
/// convolution before it, where nothing else reads that and it has no activation and no residual.
#[must_use]
pub fn fold_affine(mut graph: Graph) -> Graph {
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

/// Lets the producer of the node at `at` do its work; `None` when it cannot, and then nothing has changed.
fn fold(graph: &mut Graph, at: usize) -> Option<()> {
    let node = &graph.nodes[at];
    let (input, output) = (*node.inputs.first()?, node.output);
    let producer = graph.producer(input).filter(|_| graph.only_reader(input) == Some(at))?;
    let dense = match &graph.nodes[producer].op {
        Op::Convolution { activation: Activation::None, residual: false, .. } => true,
        Op::DepthwiseConvolution { activation: Activation::None, .. } => false,
        _ => return None,
    };
    let &[_, weights, bias] = &graph.nodes[producer].inputs[..] else { return None };
    let old_bias = graph.constant_f32(bias)?;
    let channels = old_bias.len();
    let affine = affine(graph, at, channels)?;
    let factor = |channel: usize| affine.factors[channel % affine.factors.len()];
    let new_bias = old_bias.iter().enumerate().map(|(channel, bias)| bias * factor(channel) + affine.offsets[channel]);
    let new_bias = Tensor::new(vec![channels], Elements::F32(new_bias.collect())).ok()?;
    let old = graph.constants.get(&weights)?;
    let is_offset = affine.factors.iter().all(|factor| factor.to_bits() == 1.0_f32.to_bits());
    let depth = if dense { old.as_f32()?.len().checked_div(channels)? } else { 1 };
    let scaled = old.as_f32()?.iter().enumerate().map(|(at, weight)| weight * factor(at / depth.max(1) % channels));
    let new_weights = Tensor::new(old.shape().to_vec(), Elements::F32(scaled.collect())).ok()?;

    // New constants: others may share the old ones.
    let name = graph.nodes[producer].name.clone();
    let weights = if is_offset { weights } else { graph.add_constant(format!("{name}/folded_weights"), new_weights) };
    let bias = graph.add_constant(format!("{name}/folded_bias"), new_bias);
    let folded = &mut graph.nodes[producer];
    folded.inputs[1] = weights;
    folded.inputs[2] = bias;
    folded.output = output;
    if let Op::Convolution { activation, .. } | Op::DepthwiseConvolution { activation, .. } = &mut folded.op {
        *activation = affine.activation;
    }
    Some(())
}

/// The node at `at` as factors and offsets of `channels` channels.
fn affine(graph: &Graph, at: usize, channels: usize) -> Option<Affine> {
    const CELL: Window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
    let node = &graph.nodes[at];
    let constant = |input: Option<&ValueId>| input.and_then(|&input| graph.constant_f32(input));
    let factors = constant(node.inputs.get(1))?.to_vec();
    let fits = factors.len() == channels;
    match &node.op {
        Op::Multiply if fits || factors.len() == 1 => {
            Some(Affine { factors, offsets: vec![0.0; channels], activation: Activation::None })
        }
        Op::Add { activation } if fits || factors.len() == 1 => {
            let offsets = factors.iter().copied().cycle().take(channels).collect();
            Some(Affine { factors: vec![1.0], offsets, activation: *activation })
        }
        Op::DepthwiseConvolution { window, activation } if *window == CELL && fits => {
            let offsets = constant(node.inputs.get(2))?.to_vec();
            (offsets.len() == channels).then_some(Affine { factors, offsets, activation: *activation })
        }
        _ => None,
    }
}
