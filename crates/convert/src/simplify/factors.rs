//! A constant a channel that no convolution took in becomes a depthwise convolution of one cell, which has an INT8 form.

use clawdbot_nn::graph::{Activation, Graph, Op, ValueId, Window};
use clawdbot_nn::tensor::{Elements, Tensor};

/// Rewrites each [`Op::Multiply`] and [`Op::Add`] of a picture and a constant of several elements.
pub(super) fn factors_as_layers(mut graph: Graph) -> Graph {
    for at in 0..graph.nodes.len() {
        if let Some((inputs, activation)) = layer(&mut graph, at) {
            let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
            graph.nodes[at].op = Op::DepthwiseConvolution { window, activation };
            graph.nodes[at].inputs = inputs;
        }
    }
    graph
}

/// The inputs and the activation of the layer that does the work of node `at`.
fn layer(graph: &mut Graph, at: usize) -> Option<(Vec<ValueId>, Activation)> {
    let node = &graph.nodes[at];
    let activation = match node.op {
        Op::Add { activation } => activation,
        Op::Multiply => Activation::None,
        _ => return None,
    };
    let &[1, _, _, channels] = &graph.values[node.output.0].shape[..] else { return None };
    let constant = *node.inputs.iter().find(|input| graph.constants.contains_key(input))?;
    let x = *node.inputs.iter().find(|input| !graph.constants.contains_key(input))?;
    let numbers = graph.constant_f32(constant)?.to_vec();
    if numbers.len() != channels || channels == 1 {
        return None;
    }
    let (factors, offsets) =
        if node.op == Op::Multiply { (numbers, vec![0.0; channels]) } else { (vec![1.0; channels], numbers) };
    let name = node.name.clone();
    let mut add = |part: &str, shape: Vec<usize>, numbers: Vec<f32>| {
        let tensor = Tensor::new(shape, Elements::F32(numbers)).ok()?;
        Some(graph.add_constant(format!("{name}/{part}"), tensor))
    };
    let weights = add("factors", vec![1, 1, channels], factors)?;
    let bias = add("offsets", vec![channels], offsets)?;
    Some((vec![x, weights, bias], activation))
}
