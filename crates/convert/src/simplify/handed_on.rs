//! Factors in front of a depthwise convolution go into its weights. Whoever equalises a network's channels writes them there; as a
//! layer of their own they would have their input rounded with one scale for all channels, which is what they are meant to avoid.

use clawdbot_nn::graph::{Graph, Op};
use clawdbot_nn::tensor::{Elements, Tensor};

/// Lets each depthwise convolution do the work of an [`Op::Multiply`] by positive constants before it, which nothing else reads. A
/// grid that the file gives to the product goes with it.
pub(super) fn fold_factors_forward(mut graph: Graph) -> Graph {
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

/// Lets the reader of node `at` do its work; `None` when it cannot, and then nothing has changed.
fn fold(graph: &mut Graph, at: usize) -> Option<()> {
    let node = &graph.nodes[at];
    let (Op::Multiply, &[x, factors]) = (&node.op, &node.inputs[..]) else { return None };
    let product = node.output;
    let factors = graph.constant_f32(factors)?.to_vec();
    let reader = graph.only_reader(product)?;
    let (Op::DepthwiseConvolution { .. }, &[_, weights, _]) =
        (&graph.nodes[reader].op, &graph.nodes[reader].inputs[..])
    else {
        return None;
    };
    let old = graph.constants.get(&weights)?;
    let channels = *old.shape().last()?;
    let fits = factors.len() == channels && factors.iter().all(|factor| factor.is_normal() && *factor > 0.0);
    if !fits || graph.values[x.0].shape != graph.values[product.0].shape {
        return None;
    }
    let scaled = old.as_f32()?.iter().enumerate().map(|(at, weight)| weight * factors[at % channels]).collect();
    let scaled = Tensor::new(old.shape().to_vec(), Elements::F32(scaled)).ok()?;
    let grid = graph.quantizations.get(&weights).filter(|grid| grid.scale.len() == channels).cloned();
    // A new constant: others may share the old one.
    let name = format!("{}/scaled_weights", graph.nodes[reader].name);
    let weights = graph.add_constant(name, scaled);
    if let Some(mut grid) = grid {
        grid.scale.iter_mut().zip(&factors).for_each(|(scale, factor)| *scale *= factor);
        graph.quantizations.insert(weights, grid);
    }
    graph.quantizations.remove(&product);
    graph.nodes[reader].inputs[0] = x;
    graph.nodes[reader].inputs[1] = weights;
    Some(())
}
