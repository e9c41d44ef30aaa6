//! Takes activations that bend back out of the layers that they were fused into: only to see what the fusion is worth.

use clawdbot_nn::graph::{Activation, Graph, Node, Op, Value, ValueId};

/// Every activation of a convolution that is more than bounds becomes a node of its own.
pub(crate) fn unfuse_activations(mut graph: Graph) -> Graph {
    for mut node in std::mem::take(&mut graph.nodes) {
        let taken = match &mut node.op {
            Op::Convolution { activation, .. } | Op::DepthwiseConvolution { activation, .. }
                if !activation.is_clamp() =>
            {
                Some(std::mem::replace(activation, Activation::None))
            }
            _ => None,
        };
        let Some(activation) = taken else {
            graph.nodes.push(node);
            continue;
        };
        let sums = ValueId(graph.values.len());
        let Value { name, shape } = graph.values[node.output.0].clone();
        graph.values.push(Value { name: format!("{name} (before activation)"), shape });
        let after = Node {
            name: format!("{} activation", node.name),
            op: Op::Activate(activation),
            inputs: vec![sums],
            output: std::mem::replace(&mut node.output, sums),
        };
        graph.nodes.extend([node, after]);
    }
    graph
}

#[cfg(test)]
mod tests {
    use clawdbot_nn::graph::Window;
    use clawdbot_nn::reference;
    use clawdbot_nn::tensor::{Elements, Tensor};

    use super::*;

    fn tensor(shape: &[usize], elements: &[f32]) -> Tensor {
        Tensor::new(shape.to_vec(), Elements::F32(elements.to_vec())).unwrap()
    }

    /// One pixel of two channels through a 1x1 convolution with `activation`.
    fn network(activation: Activation) -> Graph {
        let mut graph = Graph::default();
        let value = |name: &str| Value { name: name.to_owned(), shape: vec![1, 1, 1, 2] };
        graph.values = vec![value("x"), value("y")];
        (graph.inputs, graph.outputs) = (vec![ValueId(0)], vec![ValueId(1)]);
        let weights = graph.add_constant("w".to_owned(), tensor(&[2, 1, 1, 2], &[1.0, -2.0, 0.5, 3.0]));
        let bias = graph.add_constant("b".to_owned(), tensor(&[2], &[0.25, -1.0]));
        let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
        let op = Op::Convolution { window, activation, pad_value: 0.0, residual: false };
        let inputs = vec![ValueId(0), weights, bias];
        graph.nodes.push(Node { name: "layer".to_owned(), op, inputs, output: ValueId(1) });
        graph
    }

    #[test]
    fn the_network_stays_the_same() {
        for (activation, nodes) in [(Activation::Silu, 2), (Activation::Leaky(0.1), 2), (Activation::Relu6, 1)] {
            let fused = network(activation);
            let unfused = unfuse_activations(fused.clone());
            assert_eq!(unfused.nodes.len(), nodes, "{activation:?}");
            let run = |graph: &Graph| reference::run(graph, &[tensor(&[1, 1, 1, 2], &[0.7, 1.1])]).unwrap();
            assert_eq!(run(&fused), run(&unfused), "{activation:?}");
        }
    }
}
