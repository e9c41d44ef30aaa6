use std::collections::BTreeMap;

use super::{ReferenceError, run};
use crate::graph::{Activation, Graph, Node, Op, Value, ValueId, Window};
use crate::tensor::{Elements, Tensor};

fn tensor(shape: &[usize], elements: &[f32]) -> Tensor {
    Tensor::new(shape.to_vec(), Elements::F32(elements.to_vec())).unwrap()
}

/// The result of one operator: the first operand is the graph's input, the others are constants.
fn one(op: Op, operands: &[Tensor], shape: &[usize]) -> Result<Vec<f32>, ReferenceError> {
    let named = |at: usize, shape: &[usize]| Value { name: format!("v{at}"), shape: shape.to_vec() };
    let mut values: Vec<Value> = operands.iter().enumerate().map(|(at, x)| named(at, x.shape())).collect();
    values.push(named(operands.len(), shape));
    let constants: BTreeMap<ValueId, Tensor> =
        operands.iter().enumerate().skip(1).map(|(at, x)| (ValueId(at), x.clone())).collect();
    let output = ValueId(operands.len());
    let node = Node { name: String::from("one"), op, inputs: (0..operands.len()).map(ValueId).collect(), output };
    let graph = Graph {
        values,
        constants,
        nodes: vec![node],
        inputs: vec![ValueId(0)],
        outputs: vec![output],
        ..Graph::default()
    };
    run(&graph, &operands[..1]).map(|outputs| outputs[0].as_f32().unwrap().to_vec())
}

#[track_caller]
fn check(op: Op, operands: &[Tensor], shape: &[usize], expected: &[f32]) {
    assert_eq!(one(op, operands, shape).unwrap(), expected);
}

fn window(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 4]) -> Window {
    Window { kernel, stride, padding }
}

/// 1 2 3
/// 4 5 6
fn six() -> Tensor {
    tensor(&[1, 2, 3, 1], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
}

#[test]
fn convolutions_by_hand() {
    let convolution =
        |window, pad_value, activation| Op::Convolution { window, activation, pad_value, residual: false };
    let plain = |window| convolution(window, 0.0, Activation::None);
    let (sum, difference, zero) =
        (tensor(&[1, 2, 2, 1], &[1.0; 4]), tensor(&[1, 1, 2, 1], &[-1.0, 1.0]), tensor(&[1], &[0.0]));
    check(plain(window([2, 2], [1, 1], [0; 4])), &[six(), sum.clone(), zero.clone()], &[1, 1, 2, 1], &[12.0, 16.0]);
    check(
        plain(window([1, 2], [1, 2], [0; 4])),
        &[six(), difference, tensor(&[1], &[10.0])],
        &[1, 2, 1, 1],
        &[11.0, 11.0],
    );
    // Padding above and at the left, counted as 100.
    let op = convolution(window([2, 2], [2, 2], [1, 1, 0, 0]), 100.0, Activation::None);
    check(op, &[six(), sum.clone(), zero.clone()], &[1, 1, 2, 1], &[301.0, 205.0]);
    let op = convolution(window([2, 2], [1, 1], [0; 4]), 0.0, Activation::Relu6);
    check(op, &[six(), sum, tensor(&[1], &[-10.0])], &[1, 1, 2, 1], &[2.0, 6.0]);
    // Two output channels over two input channels.
    let weights = tensor(&[2, 1, 1, 2], &[1.0, 2.0, 3.0, 4.0]);
    let x = tensor(&[1, 1, 1, 2], &[5.0, 7.0]);
    check(
        plain(window([1, 1], [1, 1], [0; 4])),
        &[x.clone(), weights.clone(), tensor(&[2], &[0.5, 0.0])],
        &[1, 1, 1, 2],
        &[19.5, 43.0],
    );
    let op = Op::Convolution {
        window: window([1, 1], [1, 1], [0; 4]),
        activation: Activation::Relu,
        pad_value: 0.0,
        residual: true,
    };
    let residual = tensor(&[1, 1, 1, 2], &[-100.0, 1.0]);
    check(op, &[x, weights, tensor(&[2], &[0.0; 2]), residual], &[1, 1, 1, 2], &[0.0, 44.0]);
}

#[test]
fn depthwise_by_hand() {
    let x = tensor(&[1, 1, 2, 2], &[1.0, 10.0, 2.0, 20.0]);
    let weights = tensor(&[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let op = Op::DepthwiseConvolution { window: window([1, 2], [1, 1], [0, 1, 0, 0]), activation: Activation::None };
    check(op, &[x, weights, tensor(&[2], &[0.0, 1.0])], &[1, 1, 2, 2], &[3.0, 41.0, 7.0, 101.0]);
}

#[test]
fn the_other_operators_by_hand() {
    let x = tensor(&[1, 2, 2], &[-1.0, 2.0, 3.0, 8.0]);
    let shape = [1, 2, 2];
    check(Op::Add { activation: Activation::Relu6 }, &[x.clone(), x.clone()], &shape, &[0.0, 4.0, 6.0, 6.0]);
    check(Op::Multiply, &[x.clone(), tensor(&[2], &[2.0, 10.0])], &shape, &[-2.0, 20.0, 6.0, 80.0]);
    check(Op::Multiply, &[x.clone(), tensor(&[], &[-1.0])], &shape, &[1.0, -2.0, -3.0, -8.0]);
    check(Op::Activate(Activation::Relu6), std::slice::from_ref(&x), &shape, &[0.0, 2.0, 3.0, 6.0]);
    check(Op::Reshape, std::slice::from_ref(&x), &[4], &[-1.0, 2.0, 3.0, 8.0]);
    check(
        Op::Concatenate { axis: 2 },
        &[x.clone(), tensor(&[1, 2, 1], &[5.0, 6.0])],
        &[1, 2, 3],
        &[-1.0, 2.0, 5.0, 3.0, 8.0, 6.0],
    );
    check(
        Op::Concatenate { axis: 1 },
        &[x.clone(), tensor(&[1, 1, 2], &[5.0, 6.0])],
        &[1, 3, 2],
        &[-1.0, 2.0, 3.0, 8.0, 5.0, 6.0],
    );
    check(Op::Activate(Activation::Logistic), &[tensor(&[2], &[0.0, 100.0])], &[2], &[0.5, 1.0]);
    check(Op::Softmax, &[tensor(&[2, 2], &[3.0, 3.0, 1000.0, 0.0])], &[2, 2], &[0.5, 0.5, 1.0, 0.0]);
    check(Op::GlobalAveragePool, &[tensor(&[1, 1, 2, 2], &[1.0, 2.0, 3.0, 6.0])], &[1, 2], &[2.0, 4.0]);
    check(Op::Pad([1, 0, 0, 1]), &[tensor(&[1, 1, 2, 1], &[1.0, 2.0])], &[1, 2, 3, 1], &[0.0, 0.0, 0.0, 1.0, 2.0, 0.0]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let fault = Err(ReferenceError::Operands { node: String::from("one") });
    let op = Op::Convolution {
        window: window([1, 1], [1, 1], [0; 4]),
        activation: Activation::None,
        pad_value: 0.0,
        residual: false,
    };
    let (weights, bias) = (tensor(&[1, 1, 1, 1], &[1.0]), tensor(&[1], &[0.0]));
    assert_eq!(one(op.clone(), &[six(), weights.clone()], &[1, 2, 3, 1]), fault);
    assert_eq!(one(op.clone(), &[six(), weights.clone(), bias.clone()], &[1, 2, 3, 2]), fault);
    assert_eq!(one(op, &[tensor(&[6], &[0.0; 6]), weights, bias], &[1, 2, 3, 1]), fault);
    assert_eq!(one(Op::Add { activation: Activation::None }, &[six(), tensor(&[2], &[0.0; 2])], &[1, 2, 3, 1]), fault);
    assert_eq!(one(Op::Reshape, &[six()], &[5]), fault);
    assert_eq!(one(Op::Concatenate { axis: 9 }, &[six()], &[1, 2, 3, 1]), fault);
    assert_eq!(one(Op::Pad([1; 4]), &[six()], &[1, 2, 3, 1]), fault);
    let mut graph = Graph { inputs: vec![ValueId(0)], outputs: vec![ValueId(1)], ..Graph::default() };
    graph.values = ["x", "y"].iter().map(|name| Value { name: (*name).to_owned(), shape: vec![1] }).collect();
    let x = tensor(&[1], &[0.0]);
    assert_eq!(run(&graph, std::slice::from_ref(&x)), Err(ReferenceError::NoOutput(String::from("y"))));
    assert_eq!(run(&graph, &[]), Err(ReferenceError::InputCount { wanted: 1, given: 0 }));
    let error = run(&graph, &[tensor(&[2], &[0.0; 2])]).unwrap_err();
    assert!(error.to_string().contains("`x` is [1], [2] was given"), "{error}");
}
