//! What the passes leave is the same network.

use clawdbot_nn::graph::{Activation, Graph, Node, Op, Quantization, Value, ValueId, Window};
use clawdbot_nn::reference;
use clawdbot_nn::tensor::{Elements, Tensor};

use super::simplify;

fn push(
    graph: &mut Graph,
    op: Op,
    mut inputs: Vec<ValueId>,
    constants: &[(&[usize], &[f32])],
    shape: &[usize],
) -> ValueId {
    let number = graph.nodes.len();
    for (shape, numbers) in constants {
        let tensor = Tensor::new(shape.to_vec(), Elements::F32(numbers.to_vec())).unwrap();
        inputs.push(graph.add_constant(format!("c{number}"), tensor));
    }
    graph.values.push(Value { name: format!("v{number}"), shape: shape.to_vec() });
    let output = ValueId(graph.values.len() - 1);
    graph.nodes.push(Node { name: format!("n{number}"), op, inputs, output });
    output
}

fn start(shape: &[usize]) -> Graph {
    let values = vec![Value { name: String::from("x"), shape: shape.to_vec() }];
    Graph { values, inputs: vec![ValueId(0)], ..Graph::default() }
}

/// The simplified graph; its results over some numbers are those of the graph.
fn simplified(graph: Graph) -> Graph {
    let shape = graph.values[0].shape.clone();
    let numbers = (0..shape.iter().product::<usize>()).map(|at| (at * 37 % 256) as f32).collect();
    let input = [Tensor::new(shape, Elements::F32(numbers)).unwrap()];
    let before = reference::run(&graph, &input).unwrap();
    let graph = simplify(graph);
    let after = reference::run(&graph, &input).unwrap();
    for (before, after) in before[0].as_f32().unwrap().iter().zip(after[0].as_f32().unwrap()) {
        assert!((before - after).abs() <= 1e-4 * before.abs().max(1.0), "{before} became {after}");
    }
    graph
}

const SQUARE: Window = Window { kernel: [2, 2], stride: [1, 1], padding: [1, 0, 0, 1] };

#[test]
fn a_normalisation_inside_the_network_goes_into_its_first_convolution() {
    // (x - 10) * 0.5 - 1, as MoveNet does it.
    let shape = [1, 3, 4, 3];
    let mut graph = start(&shape);
    let cell = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
    let offset = Op::DepthwiseConvolution { window: cell, activation: Activation::None };
    let ones: (&[usize], &[f32]) = (&[1, 1, 3], &[1.0; 3]);
    let a = push(&mut graph, offset.clone(), vec![ValueId(0)], &[ones, (&[3], &[-10.0; 3])], &shape);
    let b = push(&mut graph, Op::Multiply, vec![a], &[(&[1], &[0.5])], &shape);
    let c = push(&mut graph, offset, vec![b], &[ones, (&[3], &[-1.0; 3])], &shape);
    let weights: Vec<f32> = (0..24).map(|at| at as f32 / 8.0 - 1.0).collect();
    let convolution = Op::Convolution { window: SQUARE, activation: Activation::Relu, pad_value: 0.0, residual: false };
    let d = push(&mut graph, convolution, vec![c], &[(&[2, 2, 2, 3], &weights), (&[2], &[1.0, -1.0])], &[1, 3, 4, 2]);
    graph.outputs = vec![d];
    let graph = simplified(graph);
    let [node] = &graph.nodes[..] else { panic!("{:?}", graph.nodes) };
    assert!(matches!(node.op, Op::Convolution { pad_value: 12.0, .. }), "{:?}", node.op);
}

#[test]
fn an_offset_that_would_pad_unlike_stays() {
    let shape = [1, 3, 4, 2];
    let mut graph = start(&shape);
    let a =
        push(&mut graph, Op::Add { activation: Activation::None }, vec![ValueId(0)], &[(&[2], &[1.0, 2.0])], &shape);
    let convolution = Op::Convolution { window: SQUARE, activation: Activation::None, pad_value: 0.0, residual: false };
    let b = push(&mut graph, convolution, vec![a], &[(&[1, 2, 2, 2], &[1.0; 8]), (&[1], &[0.0])], &[1, 3, 4, 1]);
    graph.outputs = vec![b];
    assert_eq!(simplified(graph).nodes.len(), 2);
}

#[test]
fn factors_that_nothing_takes_in_become_a_layer() {
    let shape = [1, 3, 4, 5];
    let numbers = [1.0, -2.0, 0.5, 3.0, 4.0];
    for op in [Op::Multiply, Op::Add { activation: Activation::Relu }] {
        let mut graph = start(&shape);
        let a = push(&mut graph, op, vec![ValueId(0)], &[(&[5], &numbers)], &shape);
        graph.outputs = vec![a];
        assert!(matches!(simplified(graph).nodes[0].op, Op::DepthwiseConvolution { .. }));
    }
}

/// As quantisers write equalisation: an activation, factors, a depthwise layer whose weights have the factors' inverse.
#[test]
fn factors_before_a_depthwise_layer_go_into_its_weights() {
    let mut graph = start(&[1, 2, 2, 3]);
    let weights: Vec<f32> = (0..9).map(|at| at as f32 - 4.0).collect();
    let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
    let op = Op::Convolution { window, activation: Activation::Silu, pad_value: 0.0, residual: false };
    let shape: [usize; 4] = [1, 2, 2, 3];
    let a = push(&mut graph, op, vec![ValueId(0)], &[(&[3, 1, 1, 3], &weights), (&[3], &[0.5; 3])], &shape);
    let b = push(&mut graph, Op::Multiply, vec![a], &[(&[3], &[0.5, 2.0, 8.0])], &shape);
    let around = Window { kernel: [3, 3], stride: [1, 1], padding: [1; 4] };
    let op = Op::DepthwiseConvolution { window: around, activation: Activation::None };
    let weights: Vec<f32> = (0..27).map(|at| (at * 7 % 11) as f32 - 5.0).collect();
    let c = push(&mut graph, op, vec![b], &[(&[3, 3, 3], &weights), (&[3], &[0.0; 3])], &shape);
    let layer = graph.nodes[2].inputs[1];
    graph.quantizations.insert(layer, Quantization { scale: vec![1.0, 2.0, 3.0], zero_point: 0 });
    graph.quantizations.insert(b, Quantization { scale: vec![0.1], zero_point: 5 });
    graph.outputs = vec![c];
    let graph = simplified(graph);
    assert_eq!(graph.nodes.len(), 2);
    // What a factor was applied to has no grid of its own any more; the weights' steps grow with them.
    let scaled = &graph.quantizations[&graph.nodes[1].inputs[1]];
    assert_eq!(
        (&scaled.scale[..], graph.quantizations.contains_key(&graph.nodes[1].inputs[0])),
        (&[0.5, 4.0, 24.0][..], false)
    );
}
