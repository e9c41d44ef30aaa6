#![expect(clippy::cast_precision_loss, reason = "small numbers for the input")]

use super::{
    chain_pools, fold_affine, fold_constants, fold_pads, fold_unshuffles, fuse_activations, fuse_gates, fuse_residuals,
    merge_slices, remove_dead, simplify,
};
use crate::graph::{Activation, Graph, Node, Op, Value, ValueId, Window};
use crate::reference;
use crate::tensor::{Elements, Tensor};

const CELL: Window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
const SQUARE: Window = Window { kernel: [3, 3], stride: [1, 1], padding: [0; 4] };
const NONE: Activation = Activation::None;

/// A graph under construction over one input `[1][5][4][3]`.
struct Builder(Graph);

impl Builder {
    fn new() -> Self {
        let values = vec![Value { name: String::from("x"), shape: vec![1, 5, 4, 3] }];
        Self(Graph { values, inputs: vec![ValueId(0)], ..Graph::default() })
    }

    /// Numbers that look random, in -1..=1.
    fn constant(&mut self, shape: &[usize]) -> ValueId {
        let start = self.0.values.len() * 37;
        let numbers = (0..shape.iter().product::<usize>()).map(|at| ((start + at * 89) % 201) as f32 / 100.0 - 1.0);
        let tensor = Tensor::new(shape.to_vec(), Elements::F32(numbers.collect())).unwrap();
        self.0.add_constant(format!("c{start}"), tensor)
    }

    fn node(&mut self, op: Op, inputs: Vec<ValueId>, shape: &[usize]) -> ValueId {
        let output = ValueId(self.0.values.len());
        self.0.values.push(Value { name: format!("v{}", output.0), shape: shape.to_vec() });
        let name = format!("n{}", self.0.nodes.len());
        self.0.nodes.push(Node { name, op, inputs, output });
        output
    }

    /// A bare convolution of a cell to `n` channels.
    fn convolution(&mut self, x: ValueId, n: usize, activation: Activation) -> ValueId {
        let shape = self.0.values[x.0].shape.clone();
        let inputs = vec![x, self.constant(&[n, 1, 1, shape[3]]), self.constant(&[n])];
        let op = Op::Convolution { window: CELL, activation, pad_value: 0.0, residual: false };
        self.node(op, inputs, &[1, shape[1], shape[2], n])
    }

    fn depthwise(&mut self, x: ValueId, window: Window, activation: Activation) -> ValueId {
        let shape = self.0.values[x.0].shape.clone();
        let side = |axis: usize| {
            let padded = shape[axis + 1] + window.padding[axis] + window.padding[axis + 2];
            (padded - window.kernel[axis]) / window.stride[axis] + 1
        };
        let [height, width] = [side(0), side(1)];
        let inputs =
            vec![x, self.constant(&[window.kernel[0], window.kernel[1], shape[3]]), self.constant(&[shape[3]])];
        self.node(Op::DepthwiseConvolution { window, activation }, inputs, &[1, height, width, shape[3]])
    }

    fn clamp(&mut self, x: ValueId, activation: Activation) -> ValueId {
        let shape = self.0.values[x.0].shape.clone();
        self.node(Op::Activate(activation), vec![x], &shape)
    }

    fn add(&mut self, a: ValueId, b: ValueId, activation: Activation) -> ValueId {
        let shape = self.0.values[a.0].shape.clone();
        self.node(Op::Add { activation }, vec![a, b], &shape)
    }

    fn multiply(&mut self, x: ValueId, factors: usize) -> ValueId {
        let shape = self.0.values[x.0].shape.clone();
        let factors = self.constant(&[factors]);
        self.node(Op::Multiply, vec![x, factors], &shape)
    }

    fn pad(&mut self, x: ValueId, cells: [usize; 4]) -> ValueId {
        let shape = self.0.values[x.0].shape.clone();
        let padded = [1, shape[1] + cells[0] + cells[2], shape[2] + cells[1] + cells[3], shape[3]];
        self.node(Op::Pad(cells), vec![x], &padded)
    }

    fn graph(mut self, outputs: &[ValueId]) -> Graph {
        self.0.outputs = outputs.to_vec();
        self.0
    }
}

fn operators(graph: &Graph) -> Vec<&'static str> {
    let name = |node: &Node| match node.op {
        Op::Convolution { residual: false, .. } => "convolution",
        Op::Convolution { residual: true, .. } => "residual",
        Op::DepthwiseConvolution { .. } => "depthwise",
        Op::Add { .. } => "add",
        Op::Multiply => "multiply",
        Op::Activate(_) => "clamp",
        Op::Reshape => "reshape",
        Op::Pad(_) => "pad",
        _ => "other",
    };
    graph.nodes.iter().map(name).collect()
}

/// Runs `pass`; the operators left must be `expected`, and the results as they were.
#[track_caller]
fn check(pass: fn(Graph) -> Graph, graph: Graph, expected: &[&str]) {
    let numbers = (0..60).map(|at| ((at * 71) % 101) as f32 / 20.0 - 2.5);
    let input = [Tensor::new(vec![1, 5, 4, 3], Elements::F32(numbers.collect())).unwrap()];
    let before = reference::run(&graph, &input).unwrap();
    let passed = pass(graph);
    let after = reference::run(&passed, &input).unwrap();
    assert_eq!(operators(&passed), expected);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.shape(), after.shape());
        for (a, b) in before.as_f32().unwrap().iter().zip(after.as_f32().unwrap()) {
            assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{a} became {b}");
        }
    }
}

#[test]
fn pools_of_several_sizes_become_a_chain() {
    let mut builder = Builder::new();
    let pool = |side: usize| Window { kernel: [side; 2], stride: [1; 2], padding: [(side - 1) / 2; 4] };
    let inputs: Vec<ValueId> =
        [3, 5, 9].map(|side| builder.node(Op::MaxPool(pool(side)), vec![ValueId(0)], &[1, 5, 4, 3])).to_vec();
    let other = Window { padding: [1, 1, 0, 0], ..pool(2) };
    let lopsided = builder.node(Op::MaxPool(other), vec![ValueId(0)], &[1, 5, 4, 3]);
    builder.0.outputs = inputs;
    builder.0.outputs.push(lopsided);
    let graph = builder.0;
    check(chain_pools, graph.clone(), &["other"; 4]);
    let sides = chain_pools(graph).nodes.into_iter().map(|node| match node.op {
        Op::MaxPool(window) => (window.kernel[0], node.inputs[0]),
        other => panic!("{other:?}"),
    });
    assert_eq!(sides.collect::<Vec<_>>(), [(3, ValueId(0)), (3, ValueId(1)), (5, ValueId(2)), (2, ValueId(0))]);
}

#[test]
fn clamps_become_activations() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 4, NONE);
    let b = builder.clamp(a, Activation::Relu6);
    let c = builder.depthwise(b, SQUARE, Activation::Relu);
    let d = builder.clamp(c, Activation::Relu6);
    let e = builder.add(d, d, NONE);
    let f = builder.clamp(e, Activation::Relu);
    check(fuse_activations, builder.graph(&[f]), &["convolution", "depthwise", "add"]);
}

#[test]
fn a_clamp_stays_where_the_sum_is_wanted_too() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 4, NONE);
    let b = builder.clamp(a, Activation::Relu);
    let c = builder.add(a, b, NONE);
    check(fuse_activations, builder.graph(&[c]), &["convolution", "clamp", "add"]);
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 4, NONE);
    let b = builder.clamp(a, Activation::Relu);
    check(fuse_activations, builder.graph(&[a, b]), &["convolution", "clamp"]);
    let mut builder = Builder::new();
    let a = builder.clamp(ValueId(0), Activation::Relu);
    check(fuse_activations, builder.graph(&[a]), &["clamp"]);
}

#[test]
fn factors_and_offsets_go_into_the_convolution() {
    for factors in [1, 4] {
        let mut builder = Builder::new();
        let a = builder.convolution(ValueId(0), 4, NONE);
        let b = builder.multiply(a, factors);
        check(fold_affine, builder.graph(&[b]), &["convolution"]);
    }
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 6, NONE);
    let b = builder.depthwise(a, CELL, Activation::Relu6);
    let c = builder.depthwise(b, SQUARE, NONE);
    let d = builder.depthwise(c, CELL, NONE);
    let e = builder.multiply(d, 6);
    check(fold_affine, builder.graph(&[e]), &["convolution", "depthwise"]);
}

#[test]
fn an_offset_leaves_the_weights_and_their_steps_alone() {
    for count in [1, 6] {
        let mut builder = Builder::new();
        let a = builder.convolution(ValueId(0), 6, NONE);
        let offsets = builder.constant(&[count]);
        let b = builder.node(Op::Add { activation: Activation::Relu }, vec![a, offsets], &[1, 5, 4, 6]);
        let graph = builder.graph(&[b]);
        let weights = graph.nodes[0].inputs[1];
        assert_eq!(fold_affine(graph.clone()).nodes[0].inputs[1], weights);
        check(fold_affine, graph, &["convolution"]);
    }
}

#[test]
fn factors_stay_behind_an_activation_a_second_reader_and_a_window() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 4, Activation::Relu);
    let b = builder.multiply(a, 4);
    check(fold_affine, builder.graph(&[b]), &["convolution", "multiply"]);
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 4, NONE);
    let b = builder.multiply(a, 4);
    let c = builder.add(a, b, NONE);
    check(fold_affine, builder.graph(&[c]), &["convolution", "multiply", "add"]);
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 4, NONE);
    let strided = Window { stride: [2, 2], ..CELL };
    let b = builder.depthwise(a, strided, NONE);
    check(fold_affine, builder.graph(&[b]), &["convolution", "depthwise"]);
}

#[test]
fn weights_that_two_convolutions_share_are_folded_for_one() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 4, NONE);
    let (weights, bias) = (builder.0.nodes[0].inputs[1], builder.0.nodes[0].inputs[2]);
    let op = builder.0.nodes[0].op.clone();
    let b = builder.node(op, vec![ValueId(0), weights, bias], &[1, 5, 4, 4]);
    let c = builder.multiply(a, 4);
    let d = builder.add(b, c, NONE);
    check(fold_affine, builder.graph(&[d]), &["convolution", "convolution", "add"]);
}

#[test]
fn a_residual_sum_becomes_part_of_its_later_convolution() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 3, NONE);
    let b = builder.convolution(a, 3, NONE);
    let c = builder.add(b, ValueId(0), Activation::Relu);
    let d = builder.convolution(c, 5, NONE);
    let e = builder.convolution(c, 5, NONE);
    let f = builder.add(d, e, NONE);
    check(fuse_residuals, builder.graph(&[f]), &["convolution", "residual", "convolution", "residual"]);
}

#[test]
fn a_residual_sum_waits_for_an_addend_that_is_made_after_the_convolution() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 3, NONE);
    let b = builder.depthwise(ValueId(0), CELL, NONE);
    let c = builder.add(a, b, NONE);
    check(fuse_residuals, builder.graph(&[c]), &["depthwise", "residual"]);
}

#[test]
fn a_sum_stays_where_the_convolution_is_not_bare_or_read_twice() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 3, Activation::Relu);
    let b = builder.add(a, ValueId(0), NONE);
    check(fuse_residuals, builder.graph(&[b]), &["convolution", "add"]);
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 3, NONE);
    let b = builder.add(a, a, NONE);
    check(fuse_residuals, builder.graph(&[b]), &["convolution", "add"]);
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 3, NONE);
    let b = builder.add(a, ValueId(0), NONE);
    check(fuse_residuals, builder.graph(&[a, b]), &["convolution", "add"]);
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 3, NONE);
    let b = builder.add(a, ValueId(0), NONE);
    let c = builder.add(b, ValueId(0), NONE);
    check(fuse_residuals, builder.graph(&[c]), &["residual", "add"]);
}

#[test]
fn padding_becomes_part_of_the_window() {
    let mut builder = Builder::new();
    let a = builder.pad(ValueId(0), [1, 2, 0, 1]);
    let b = builder.depthwise(a, SQUARE, NONE);
    let c = builder.depthwise(a, Window { stride: [1, 1], padding: [1, 0, 1, 0], ..SQUARE }, NONE);
    let d = builder.depthwise(c, Window { kernel: [3, 1], ..SQUARE }, NONE);
    check(fold_pads, builder.graph(&[b, d]), &["depthwise", "depthwise", "depthwise"]);
}

#[test]
fn padding_stays_where_it_does_not_fit() {
    let mut builder = Builder::new();
    let a = builder.pad(ValueId(0), [1, 1, 1, 1]);
    let b = builder.convolution(a, 2, NONE);
    check(fold_pads, builder.graph(&[b]), &["pad", "convolution"]);
    let mut builder = Builder::new();
    let a = builder.pad(ValueId(0), [1, 1, 1, 1]);
    let b = builder.depthwise(a, SQUARE, NONE);
    check(fold_pads, builder.graph(&[a, b]), &["pad", "depthwise"]);
    let mut builder = Builder::new();
    let a = builder.pad(ValueId(0), [1, 1, 1, 1]);
    let b = builder.depthwise(a, SQUARE, NONE);
    let c = builder.clamp(a, Activation::Relu);
    check(fold_pads, builder.graph(&[b, c]), &["pad", "depthwise", "clamp"]);
}

#[test]
fn a_window_that_pads_with_something_else_keeps_its_padding() {
    let mut builder = Builder::new();
    let a = builder.pad(ValueId(0), [1, 1, 0, 0]);
    let inputs = vec![a, builder.constant(&[2, 3, 3, 3]), builder.constant(&[2])];
    let window = Window { padding: [0, 0, 1, 1], ..SQUARE };
    let op = Op::Convolution { window, activation: NONE, pad_value: 0.5, residual: false };
    let b = builder.node(op, inputs, &[1, 5, 4, 2]);
    check(fold_pads, builder.graph(&[b]), &["pad", "convolution"]);
}

#[test]
fn constants_are_computed_and_idle_nodes_skipped() {
    let mut builder = Builder::new();
    let constant = builder.constant(&[3]);
    let doubled = builder.add(constant, constant, NONE);
    let a = builder.node(Op::Multiply, vec![ValueId(0), doubled], &[1, 5, 4, 3]);
    let b = builder.node(Op::Reshape, vec![a], &[1, 5, 4, 3]);
    let c = builder.clamp(b, NONE);
    let d = builder.pad(c, [0; 4]);
    let e = builder.clamp(d, Activation::Relu);
    check(fold_constants, builder.graph(&[e]), &["multiply", "clamp"]);
}

#[test]
fn an_output_keeps_the_node_that_makes_it() {
    let mut builder = Builder::new();
    let constant = builder.constant(&[3]);
    let a = builder.add(constant, constant, NONE);
    let b = builder.clamp(ValueId(0), NONE);
    check(fold_constants, builder.graph(&[a, b]), &["add", "clamp"]);
}

#[test]
fn dead_nodes_and_constants_go() {
    let mut builder = Builder::new();
    let a = builder.clamp(ValueId(0), Activation::Relu);
    let b = builder.convolution(a, 4, NONE);
    let _unread = builder.clamp(b, Activation::Relu);
    let graph = builder.graph(&[a]);
    assert_eq!(graph.constants.len(), 2);
    assert!(remove_dead(graph.clone()).constants.is_empty());
    check(remove_dead, graph, &["clamp"]);
}

#[test]
fn a_mobile_block_becomes_three_layers() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 12, NONE);
    let b = builder.depthwise(a, CELL, NONE);
    let c = builder.clamp(b, Activation::Relu6);
    let d = builder.pad(c, [1, 1, 1, 1]);
    let e = builder.depthwise(d, SQUARE, NONE);
    let f = builder.multiply(e, 12);
    let g = builder.clamp(f, Activation::Relu6);
    let h = builder.convolution(g, 3, NONE);
    let i = builder.multiply(h, 3);
    let j = builder.add(ValueId(0), i, NONE);
    check(simplify, builder.graph(&[j]), &["convolution", "depthwise", "residual"]);
}

#[test]
fn a_value_times_its_own_sigmoid_is_an_activation() {
    for (gate, fused) in [
        (Activation::Logistic, Activation::Silu),
        (Activation::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 }, Activation::HardSwish),
    ] {
        for swapped in [false, true] {
            let mut builder = Builder::new();
            let a = builder.convolution(ValueId(0), 4, NONE);
            let b = builder.clamp(a, gate);
            let inputs = if swapped { vec![b, a] } else { vec![a, b] };
            let c = builder.node(Op::Multiply, inputs, &[1, 5, 4, 4]);
            let graph = remove_dead(fuse_gates(builder.graph(&[c])));
            assert_eq!(graph.nodes[1].op, Op::Activate(fused));
            assert_eq!(operators(&simplify(graph)), ["convolution"]);
        }
    }
}

#[test]
fn another_values_sigmoid_stays_a_factor() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 4, NONE);
    let b = builder.convolution(ValueId(0), 4, NONE);
    let gate = builder.clamp(b, Activation::Logistic);
    let c = builder.node(Op::Multiply, vec![a, gate], &[1, 5, 4, 4]);
    let graph = simplify(builder.graph(&[c]));
    assert_eq!(operators(&graph), ["convolution", "convolution", "clamp", "multiply"]);
}

/// Rows, then columns, as TensorFlow slices; the order of the cells is YOLOX's.
#[test]
fn an_unshuffle_goes_into_the_convolution_behind_it() {
    let mut builder = Builder::new();
    builder.0.values[0].shape = vec![1, 6, 4, 3];
    let slice = |builder: &mut Builder, x, begin: [usize; 4], step: [usize; 4], shape: &[usize]| {
        let op = Op::Slice { begin: begin.to_vec(), step: step.to_vec() };
        builder.node(op, vec![x], shape)
    };
    let mut parts = Vec::new();
    for column in [0, 1] {
        for row in [0, 1] {
            let rows = slice(&mut builder, ValueId(0), [0, row, 0, 0], [1, 2, 1, 1], &[1, 3, 4, 3]);
            parts.push(slice(&mut builder, rows, [0, 0, column, 0], [1, 1, 2, 1], &[1, 3, 2, 3]));
        }
    }
    let joined = builder.node(Op::Concatenate { axis: 3 }, parts, &[1, 3, 2, 12]);
    let inputs = vec![joined, builder.constant(&[5, 3, 3, 12]), builder.constant(&[5])];
    let window = Window { kernel: [3, 3], stride: [1, 1], padding: [1; 4] };
    let op = Op::Convolution { window, activation: NONE, pad_value: 0.0, residual: false };
    let output = builder.node(op, inputs, &[1, 3, 2, 5]);
    let graph = builder.graph(&[output]);

    let numbers = (0..72).map(|at| ((at * 71) % 101) as f32 / 20.0 - 2.5).collect();
    let input = [Tensor::new(vec![1, 6, 4, 3], Elements::F32(numbers)).unwrap()];
    let before = reference::run(&graph, &input).unwrap();
    let graph = remove_dead(fold_unshuffles(merge_slices(graph)));
    let after = reference::run(&graph, &input).unwrap();
    let [node] = &graph.nodes[..] else { panic!("{:?}", operators(&graph)) };
    let Op::Convolution { window, .. } = &node.op else { panic!("{:?}", node.op) };
    assert_eq!(*window, Window { kernel: [6, 6], stride: [2, 2], padding: [2; 4] });
    for (a, b) in before[0].as_f32().unwrap().iter().zip(after[0].as_f32().unwrap()) {
        assert!((a - b).abs() <= 1e-4, "{a} became {b}");
    }
}
