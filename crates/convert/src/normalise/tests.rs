//! A folded network makes of grey levels what the plain one makes of normalised pixels.

use clawdbot_nn::graph::{Activation, Node, Value, Window};
use clawdbot_nn::reference;

use super::*;

/// x [1,4,4,3] -> convolution 3x3, 2 channels, one cell of padding.
fn graph() -> Graph {
    let value = |name: &str, shape: &[usize]| Value { name: name.to_owned(), shape: shape.to_vec() };
    let values =
        vec![value("x", &[1, 4, 4, 3]), value("w", &[2, 3, 3, 3]), value("b", &[2]), value("y", &[1, 4, 4, 2])];
    let weights = (0..54_u8).map(|index| f32::from(index % 11) - 5.0).collect();
    let constants = [
        (ValueId(1), Tensor::new(vec![2, 3, 3, 3], Elements::F32(weights)).unwrap()),
        (ValueId(2), Tensor::new(vec![2], Elements::F32(vec![0.5, -3.0])).unwrap()),
    ];
    let window = Window { kernel: [3, 3], stride: [1, 1], padding: [1, 1, 1, 1] };
    let op = Op::Convolution { window, activation: Activation::None, pad_value: 0.0, residual: false };
    let inputs = vec![ValueId(0), ValueId(1), ValueId(2)];
    let node = Node { name: "conv".to_owned(), op, inputs, output: ValueId(3) };
    let (inputs, outputs) = (vec![ValueId(0)], vec![ValueId(3)]);
    Graph { values, constants: constants.into(), nodes: vec![node], inputs, outputs, ..Graph::default() }
}

fn run(graph: &Graph, picture: Vec<f32>) -> Vec<f32> {
    let input = Tensor::new(vec![1, 4, 4, 3], Elements::F32(picture)).unwrap();
    reference::run(graph, &[input]).unwrap()[0].as_f32().unwrap().to_vec()
}

#[test]
fn folding_changes_nothing_but_the_input() {
    let grey: Vec<f32> = (0..48_u8).map(|index| f32::from(index * 5)).collect();
    let normalised = grey.iter().map(|grey| (grey - 127.5) / 127.5).collect();
    let mut folded = graph();
    fold(&mut folded, ValueId(0), &Normalisation { mean: vec![127.5], scale: vec![1.0 / 127.5] }).unwrap();
    for (folded, plain) in run(&folded, grey).iter().zip(run(&graph(), normalised)) {
        assert!((folded - plain).abs() < 1e-4, "{folded} for {plain}");
    }
}

#[test]
fn channels_may_differ() {
    let (mean, scale) = ([100.0, 110.0, 120.0], [0.1, 0.2, 0.3]);
    let mut folded = graph();
    fold(&mut folded, ValueId(0), &Normalisation { mean: mean.to_vec(), scale: scale.to_vec() }).unwrap();
    let grey = vec![50.0; 48];
    let normalised = (0..48).map(|index| (50.0 - mean[index % 3]) * scale[index % 3]).collect();
    let (folded, plain) = (run(&folded, grey), run(&graph(), normalised));
    // Only the inner pixels: padding knows one grey level, the channels' average.
    for pixel in [5, 6, 9, 10] {
        assert!((folded[2 * pixel] - plain[2 * pixel]).abs() < 1e-3, "{} for {}", folded[2 * pixel], plain[2 * pixel]);
    }
}

#[test]
fn what_cannot_be_folded_is_named() {
    let four = Normalisation { mean: vec![0.0; 4], scale: vec![1.0] };
    let error = fold(&mut graph(), ValueId(0), &four).unwrap_err();
    assert_eq!(error, NormaliseError::Channels { given: 4, channels: 3 });
    let mut other = graph();
    other.nodes[0].op = Op::Activate(Activation::Logistic);
    let message =
        fold(&mut other, ValueId(0), &Normalisation { mean: vec![0.0], scale: vec![0.5] }).unwrap_err().to_string();
    assert!(message.contains("`conv` reads the picture `x`"), "{message}");
    // Which is what the message advises where the network takes grey levels as they are.
    fold(&mut other, ValueId(0), &Normalisation { mean: vec![0.0], scale: vec![1.0] }).unwrap();
}

/// A quantised network's grid for its picture goes into its first layer, whose steps and zero stay what they were.
#[test]
fn the_steps_of_a_quantised_network_survive() {
    let Some(bytes) = crate::fixtures::data("classify/tf2_mobilenet_v2_1.0_224_ptq.tflite") else { return };
    let mut graph = crate::simplify::simplify(crate::importers::tflite::import(&bytes).unwrap());
    let input = graph.inputs[0];
    let grids = crate::annotations::grids(&graph);
    let before = crate::annotations::all_layers(&graph, &grids).remove(&0).unwrap();
    let grid = graph.quantizations[&input].clone();
    let normalisation = Normalisation { mean: vec![(grid.zero_point + 128) as f32], scale: grid.scale.clone() };
    fold(&mut graph, input, &normalisation).unwrap();
    let grids = crate::annotations::grids(&graph);
    assert_eq!((grids[&input].scales[0], grids[&input].zero_point), (1.0, -128));
    let after = crate::annotations::all_layers(&graph, &grids).remove(&0).unwrap();
    assert_eq!(before.steps, after.steps);
    let depth = before.steps.len() / before.bias.len();
    for (n, (old, new)) in before.bias.iter().zip(&after.bias).enumerate() {
        assert!((before.step[n] / after.step[n] - 1.0).abs() < 1e-6);
        // What the sums start at, with the zero point in it.
        let sum: f64 = before.steps[n * depth..][..depth].iter().map(|&step| f64::from(step)).sum();
        let (old, new) = ((old / before.step[n]).round(), (new / after.step[n]).round());
        assert_eq!(old - f64::from(grid.zero_point) * sum, new + 128.0 * sum, "channel {n}");
    }
    let Op::Convolution { pad_value, .. } = graph.nodes[0].op else { panic!("no convolution") };
    assert_eq!(pad_value, (grid.zero_point + 128) as f32);
}
