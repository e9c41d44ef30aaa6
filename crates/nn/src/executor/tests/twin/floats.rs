//! What the float reference says. Bytes go through it as small whole floats, which operators that only move or compare leave
//! as they are.

use super::Data;
use crate::graph::{self, Graph, Node};
use crate::program::{Activation, Op, Program, Step, Value, Window};
use crate::reference;
use crate::tensor::{Elements, Tensor};

/// The result of `op` over operands of these shapes.
pub(super) fn run(op: graph::Op, operands: &[(Vec<usize>, Vec<f32>)], shape: &[usize]) -> Vec<f32> {
    let shapes = operands.iter().map(|(shape, _)| shape).chain([&shape.to_vec()]).cloned().collect::<Vec<_>>();
    let values = shapes.into_iter().enumerate().map(|(at, shape)| graph::Value { name: at.to_string(), shape });
    let inputs: Vec<graph::ValueId> = (0..operands.len()).map(graph::ValueId).collect();
    let output = graph::ValueId(operands.len());
    let graph = Graph {
        values: values.collect(),
        nodes: vec![Node { name: String::from("one"), op, inputs: inputs.clone(), output }],
        inputs,
        outputs: vec![output],
        ..Graph::default()
    };
    let tensor =
        |(shape, data): &(Vec<usize>, Vec<f32>)| Tensor::new(shape.clone(), Elements::F32(data.clone())).unwrap();
    let results = reference::run(&graph, &operands.iter().map(tensor).collect::<Vec<_>>()).unwrap();
    results[0].as_f32().unwrap().to_vec()
}

/// The activation of sums in double precision.
pub(super) fn activate(sums: impl Iterator<Item = f64>, activation: Activation) -> Data {
    let sums: Vec<f32> = sums.map(|sum| sum as f32).collect();
    let shape = vec![sums.len()];
    Data::F32(run(graph::Op::Activate(activation), &[(shape.clone(), sums)], &shape))
}

/// A step without tensors over F32, or one that moves or compares I8.
pub(super) fn plain(program: &Program, step: &Step, inputs: &[Data]) -> Data {
    let value = |id: usize| &program.values[id];
    let (x, out) = (value(step.inputs[0].0), value(step.output.0));
    let integers = matches!(inputs[0], Data::I8(_));
    // What a padded cell holds is the zero point.
    let offset = if integers { x.zero_point as f32 } else { 0.0 };
    let operands = step.inputs.iter().zip(inputs).map(|(id, data)| {
        let floats = match data {
            Data::I8(bytes) => bytes.iter().map(|&q| f32::from(q) - offset).collect(),
            Data::F32(floats) => floats.clone(),
        };
        (value(id.0).shape.clone(), floats)
    });
    let result = run(operator(&step.op, x), &operands.collect::<Vec<_>>(), &out.shape);
    if integers { Data::I8(result.iter().map(|&real| (real + offset) as i8).collect()) } else { Data::F32(result) }
}

fn operator(op: &Op, x: &Value) -> graph::Op {
    let view = |window: &Window| {
        let Window { kernel, stride, padding } = *window;
        graph::Window { kernel, stride, padding }
    };
    match op {
        Op::AddF32 { activation } => graph::Op::Add { activation: *activation },
        Op::MultiplyF32 => graph::Op::Multiply,
        Op::ActivateF32 { activation } => graph::Op::Activate(*activation),
        Op::GlobalAveragePool => graph::Op::GlobalAveragePool,
        Op::MaxPool { window } => graph::Op::MaxPool(view(window)),
        Op::AveragePool { window, padding_counts } => {
            graph::Op::AveragePool { window: view(window), padding_counts: *padding_counts }
        }
        Op::Resize { sampling } => graph::Op::Resize(*sampling),
        Op::Slice { begin, step } => graph::Op::Slice { begin: begin.clone(), step: step.clone() },
        Op::Transpose { order } => graph::Op::Transpose { order: order.clone() },
        Op::ChannelShuffle { groups } => graph::Op::ChannelShuffle { groups: *groups },
        Op::Pad { cells } => graph::Op::Pad(*cells),
        Op::Reshape => graph::Op::Reshape,
        Op::Concatenate { axis } => graph::Op::Concatenate { axis: *axis },
        Op::Softmax => graph::Op::Softmax,
        op => panic!("{op:?} over {x:?} is no float operator"),
    }
}
