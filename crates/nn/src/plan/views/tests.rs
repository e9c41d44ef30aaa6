use super::*;
use crate::program::{QuantizedEpilogue, Window};

fn value(name: &str, channels: usize) -> Value {
    let shape = vec![1, 4, 4, channels];
    Value { name: name.to_owned(), shape, data_type: DataType::I8, scale: vec![0.1], zero_point: 0 }
}

/// Values 0.. of these channels; steps as (operator, inputs, output); the last value is the output.
fn program(channels: &[usize], steps: Vec<(Op, Vec<usize>, usize)>) -> Program {
    let values = channels.iter().enumerate().map(|(at, &channels)| value(&at.to_string(), channels)).collect();
    let step = |(at, (op, inputs, output)): (usize, (Op, Vec<usize>, usize))| Step {
        name: at.to_string(),
        op,
        inputs: inputs.into_iter().map(ValueId).collect(),
        output: ValueId(output),
    };
    let outputs = vec![ValueId(channels.len() - 1)];
    Program { values, steps: steps.into_iter().enumerate().map(step).collect(), inputs: vec![ValueId(0)], outputs }
}

fn table() -> Op {
    Op::ActivateI8 { table: String::new() }
}

fn pool() -> Op {
    Op::MaxPool { window: Window { kernel: [3; 2], stride: [1; 2], padding: [1; 4] } }
}

const JOIN: Op = Op::Concatenate { axis: 3 };

fn cut(begin: usize) -> Op {
    Op::Slice { begin: vec![0, 0, 0, begin], step: vec![1; 4] }
}

fn places(program: &Program) -> Vec<(usize, usize)> {
    homes(program).iter().map(|home| (home.host, home.channel)).collect()
}

#[test]
fn parts_are_made_in_the_joint() {
    let steps = vec![(table(), vec![0], 1), (table(), vec![0], 2), (JOIN, vec![1, 2], 3), (table(), vec![3], 4)];
    let program = program(&[16, 24, 8, 32, 32], steps);
    assert_eq!(places(&program), [(0, 0), (3, 0), (3, 24), (3, 0), (4, 0)]);
}

#[test]
fn a_joint_of_joints_is_one_row() {
    let steps = vec![
        (table(), vec![0], 1),
        (table(), vec![0], 2),
        (JOIN, vec![1, 2], 3),
        (table(), vec![0], 4),
        (JOIN, vec![4, 3], 5),
        (table(), vec![5], 6),
    ];
    let program = program(&[16, 16, 16, 32, 8, 40, 40], steps);
    assert_eq!(places(&program), [(0, 0), (5, 8), (5, 24), (5, 8), (5, 0), (5, 0), (6, 0)]);
}

#[test]
fn what_is_read_to_make_another_part_stays_outside() {
    // Spatial pyramid pooling: the pools read the first part.
    let steps = vec![
        (table(), vec![0], 1),
        (pool(), vec![1], 2),
        (pool(), vec![1], 3),
        (JOIN, vec![1, 2, 3], 4),
        (table(), vec![4], 5),
    ];
    let program = program(&[16, 16, 16, 16, 48, 48], steps);
    assert_eq!(places(&program), [(0, 0), (4, 0), (2, 0), (3, 0), (4, 0), (5, 0)]);
}

#[test]
fn halves_of_a_row_stay_in_it() {
    let steps = vec![
        (Op::ChannelShuffle { groups: 2 }, vec![0], 1),
        (cut(0), vec![1], 2),
        (cut(16), vec![1], 3),
        (table(), vec![3], 4),
        (JOIN, vec![2, 4], 5),
        (table(), vec![5], 6),
    ];
    let program = program(&[32, 32, 16, 16, 16, 32, 32], steps);
    assert_eq!(places(&program), [(0, 0), (1, 0), (1, 0), (1, 16), (5, 16), (5, 0), (6, 0)]);
}

#[test]
fn the_same_part_twice_lies_there_once_or_not_at_all() {
    let steps = vec![(table(), vec![0], 1), (JOIN, vec![1, 1], 2), (table(), vec![2], 3)];
    // The second copy would be read from the row that is being written.
    assert_eq!(places(&program(&[16, 16, 32, 32], steps)), [(0, 0), (1, 0), (2, 0), (3, 0)]);
}

#[test]
fn windows_and_the_callers_values_want_their_own_rows() {
    let window = Window { kernel: [3; 2], stride: [1; 2], padding: [1; 4] };
    let tensors = crate::program::QuantizedWeights {
        weights: String::new(),
        bias: String::new(),
        scale: String::new(),
        column_sums: String::new(),
    };
    let depthwise = Op::DepthwiseI8 { window, pad_value: 0, tensors, epilogue: QuantizedEpilogue::whole() };
    let steps = vec![(table(), vec![0], 1), (depthwise, vec![1], 2), (JOIN, vec![1, 2, 0], 3), (table(), vec![3], 4)];
    assert_eq!(places(&program(&[16, 16, 16, 48, 48], steps)), [(0, 0), (1, 0), (3, 16), (3, 0), (4, 0)]);
}
