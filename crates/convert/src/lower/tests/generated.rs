//! Every operator, alone between two convolutions, in floats and in integers, against the reference.

use clawdbot_nn::graph::{Activation, Coordinates, Graph, Node, Op, Quantization, Sampling, Value, ValueId, Window};
use clawdbot_nn::reference;
use clawdbot_nn::tensor::{Elements, Tensor};

use super::{InputForm, Lowered, Plan, Precision, compute, lower};
use crate::annotations;
use crate::network::{Network, Sample};
use crate::quantize::Grid;

const NONE: Activation = Activation::None;

/// A graph under construction over one input `[1][6][5][6]`.
struct Builder {
    graph: Graph,
    state: u64,
}

impl Builder {
    fn new() -> Self {
        let values = vec![Value { name: String::from("x"), shape: vec![1, 6, 5, 6] }];
        let graph = Graph { values, inputs: vec![ValueId(0)], ..Graph::default() };
        Self { graph, state: 0x9E37_79B9_7F4A_7C15 }
    }

    /// Even in -1..1.
    fn random(&mut self) -> f32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }

    fn constant(&mut self, shape: &[usize]) -> ValueId {
        let numbers = (0..shape.iter().product()).map(|_| self.random()).collect();
        let name = format!("c{}", self.graph.values.len());
        self.graph.add_constant(name, Tensor::new(shape.to_vec(), Elements::F32(numbers)).unwrap())
    }

    fn node(&mut self, op: Op, inputs: Vec<ValueId>, shape: &[usize]) -> ValueId {
        let output = ValueId(self.graph.values.len());
        self.graph.values.push(Value { name: format!("v{}", output.0), shape: shape.to_vec() });
        let name = format!("n{}", self.graph.nodes.len());
        self.graph.nodes.push(Node { name, op, inputs, output });
        output
    }

    fn shape(&self, value: ValueId) -> Vec<usize> {
        self.graph.values[value.0].shape.clone()
    }

    fn convolution(&mut self, x: ValueId, n: usize, activation: Activation, residual: Option<ValueId>) -> ValueId {
        let shape = self.shape(x);
        let mut inputs = vec![x, self.constant(&[n, 3, 3, shape[3]]), self.constant(&[n])];
        inputs.extend(residual);
        let window = Window { kernel: [3, 3], stride: [1, 1], padding: [1; 4] };
        let op = Op::Convolution { window, activation, pad_value: 0.0, residual: residual.is_some() };
        self.node(op, inputs, &[1, shape[1], shape[2], n])
    }

    fn depthwise(&mut self, x: ValueId, activation: Activation) -> ValueId {
        let shape = self.shape(x);
        let inputs = vec![x, self.constant(&[3, 3, shape[3]]), self.constant(&[shape[3]])];
        let window = Window { kernel: [3, 3], stride: [1, 1], padding: [1; 4] };
        self.node(Op::DepthwiseConvolution { window, activation }, inputs, &shape)
    }
}

/// Gives every activation the grid of what the reference sees of it, and every weight steps of its channel's largest.
fn annotate(graph: &mut Graph, input: &Tensor) {
    let seen = reference::run_all(graph, std::slice::from_ref(input)).unwrap();
    for (value, tensor) in seen {
        let all = tensor.as_f32().unwrap();
        let ends = |(low, high): (f32, f32), &x: &f32| (low.min(x), high.max(x));
        let (low, high) = all.iter().fold((0.0, 0.0), ends);
        let grid = Grid::over(low, high);
        graph.quantizations.insert(value, Quantization { scale: vec![grid.scale], zero_point: grid.zero_point });
    }
    for node in graph.nodes.clone() {
        let Some(arrangement) = crate::quantize::arrangement(&node.op) else { continue };
        let channels = graph.constant_f32(node.inputs[2]).unwrap().len();
        let weights = graph.constant_f32(node.inputs[1]).unwrap();
        let largest =
            |n| arrangement.places(n, channels, weights.len()).map(|at| weights[at].abs()).fold(0.0, f32::max);
        let scale = (0..channels).map(|n| largest(n) / 127.0).collect();
        graph.quantizations.insert(node.inputs[1], Quantization { scale, zero_point: 0 });
    }
}

fn lowered(graph: &Graph, precision: Precision) -> Lowered {
    let grids = annotations::grids(graph);
    let layers = annotations::layers(graph, &grids);
    let precision = vec![precision; graph.nodes.len()];
    lower(graph, &Plan { precision, grids: &grids, layers: &layers, input: InputForm::Float, exact_outputs: true })
        .unwrap()
}

/// Runs the graph in floats and in integers. `steps`: no element of an integer result is further from the reference than so
/// many times the spread of the results over 255. Answers the names of the integer program's operators.
#[track_caller]
fn check(mut builder: Builder, outputs: &[ValueId], steps: f32) -> Vec<String> {
    builder.graph.outputs = outputs.to_vec();
    let numbers: Vec<f32> = (0..180).map(|_| 2.0 * builder.random()).collect();
    let input = Tensor::new(vec![1, 6, 5, 6], Elements::F32(numbers.clone())).unwrap();
    let mut graph = builder.graph;
    annotate(&mut graph, &input);
    let wanted = reference::run(&graph, std::slice::from_ref(&input)).unwrap();
    for precision in [Precision::F16, Precision::Int8] {
        let lowered = lowered(&graph, precision);
        let results = Network::new(&lowered, &compute()).unwrap().run(&Sample::Floats(numbers.clone())).unwrap();
        for (wanted, result) in wanted.iter().zip(&results) {
            let wanted = wanted.as_f32().unwrap();
            let ends = wanted.iter().fold((0.0_f32, 0.0_f32), |(low, high), &x| (low.min(x), high.max(x)));
            let allowed = (ends.1 - ends.0) * if precision == Precision::F16 { 2e-3 } else { steps / 255.0 };
            assert_eq!(wanted.len(), result.len());
            for (at, (wanted, result)) in wanted.iter().zip(result).enumerate() {
                let error = (wanted - result).abs();
                assert!(error <= allowed, "{precision:?} element {at}: {result} for {wanted}, {error} > {allowed}");
            }
        }
    }
    let steps = lowered(&graph, Precision::Int8).program.steps;
    let name = |op| serde_json::to_value(&op).unwrap()["op"].as_str().unwrap().to_owned();
    steps.into_iter().map(|step| name(step.op)).collect()
}

/// `op` between two convolutions: from `[1][6][5][8]` to `shape`.
#[track_caller]
fn check_between(op: Op, shape: &[usize], steps: f32) -> Vec<String> {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 8, NONE, None);
    let b = builder.node(op, vec![a], shape);
    let c = builder.convolution(b, 5, NONE, None);
    check(builder, &[c], steps)
}

#[test]
fn activations_of_layers() {
    for activation in [
        NONE,
        Activation::Relu,
        Activation::Relu6,
        Activation::Clip { low: -1.0, high: 2.5 },
        Activation::Leaky(0.1),
        Activation::Silu,
        Activation::HardSwish,
        Activation::Gelu,
    ] {
        let mut builder = Builder::new();
        let a = builder.convolution(ValueId(0), 9, activation, None);
        let b = builder.depthwise(a, activation);
        let c = builder.convolution(b, 5, NONE, None);
        let steps = check(builder, &[c], 8.0);
        assert_eq!(steps, ["quantize", "convolution_i8", "depthwise_i8", "convolution_i8"], "{activation:?}");
    }
}

#[test]
fn an_activation_that_only_floats_read_is_computed_in_floats() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 9, Activation::Silu, None);
    let steps = check(builder, &[a], 3.0);
    assert_eq!(steps, ["quantize", "convolution_i8", "activate_f32"]);
}

#[test]
fn activations_alone() {
    for activation in [
        Activation::Relu,
        Activation::Leaky(0.3),
        Activation::Silu,
        Activation::HardSigmoid { slope: 0.2, offset: 0.5 },
        Activation::Logistic,
        Activation::Tanh,
    ] {
        let steps = check_between(Op::Activate(activation), &[1, 6, 5, 8], 12.0);
        assert_eq!(steps, ["quantize", "convolution_i8", "activate_i8", "convolution_i8"], "{activation:?}");
    }
}

#[test]
fn pools_and_resizes() {
    let window = Window { kernel: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1] };
    let steps = check_between(Op::MaxPool(window), &[1, 3, 3, 8], 8.0);
    assert_eq!(steps[2..4], ["max_pool", "activate_i8"], "a pool's result has another grid here than its input");
    for padding_counts in [false, true] {
        check_between(Op::AveragePool { window, padding_counts }, &[1, 3, 3, 8], 8.0);
    }
    check_between(Op::GlobalAveragePool, &[1, 1, 1, 8], 8.0);
    for coordinates in [Coordinates::Asymmetric, Coordinates::HalfPixel, Coordinates::AlignCorners] {
        check_between(Op::Resize(Sampling::Bilinear(coordinates)), &[1, 12, 10, 8], 8.0);
        let nearest = Sampling::Nearest { coordinates, floor: coordinates == Coordinates::Asymmetric };
        check_between(Op::Resize(nearest), &[1, 12, 10, 8], 8.0);
    }
}

#[test]
fn movements() {
    check_between(Op::Slice { begin: vec![0, 1, 0, 2], step: vec![1, 2, 1, 3] }, &[1, 3, 5, 2], 8.0);
    check_between(Op::ChannelShuffle { groups: 2 }, &[1, 6, 5, 8], 8.0);
    check_between(Op::Pad([1, 0, 2, 3]), &[1, 9, 8, 8], 8.0);
    check_between(Op::Transpose { order: vec![0, 2, 1, 3] }, &[1, 5, 6, 8], 8.0);
    check_between(Op::Reshape, &[1, 5, 4, 12], 8.0);
}

#[test]
fn sums_products_and_concatenations() {
    for activation in [NONE, Activation::Relu] {
        let mut builder = Builder::new();
        let a = builder.convolution(ValueId(0), 8, NONE, None);
        let b = builder.convolution(ValueId(0), 8, Activation::Relu, None);
        let c = builder.node(Op::Add { activation }, vec![a, b], &[1, 6, 5, 8]);
        let d = builder.convolution(c, 8, activation, Some(a));
        let e = builder.node(Op::Multiply, vec![d, b], &[1, 6, 5, 8]);
        let f = builder.node(Op::Concatenate { axis: 3 }, vec![e, b], &[1, 6, 5, 16]);
        let g = builder.convolution(f, 5, NONE, None);
        let steps = check(builder, &[g], 12.0);
        assert_eq!(steps.iter().filter(|step| *step == "activate_i8").count(), 1, "{steps:?}");
    }
}

#[test]
fn squeeze_and_excitation() {
    let mut builder = Builder::new();
    let a = builder.depthwise(ValueId(0), Activation::HardSwish);
    let pooled = builder.node(Op::GlobalAveragePool, vec![a], &[1, 1, 1, 6]);
    let cell = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
    let inputs = vec![pooled, builder.constant(&[6, 1, 1, 6]), builder.constant(&[6])];
    let op = Op::Convolution { window: cell, activation: NONE, pad_value: 0.0, residual: false };
    let squeezed = builder.node(op, inputs, &[1, 1, 1, 6]);
    let gate = builder.node(Op::Activate(Activation::Logistic), vec![squeezed], &[1, 1, 1, 6]);
    let b = builder.node(Op::Multiply, vec![a, gate], &[1, 6, 5, 6]);
    let c = builder.convolution(b, 5, NONE, None);
    check(builder, &[c], 10.0);
}

#[test]
fn constants_of_one_number_are_looked_up() {
    for op in [Op::Multiply, Op::Add { activation: Activation::Relu }] {
        let mut builder = Builder::new();
        let a = builder.convolution(ValueId(0), 8, NONE, None);
        let number = builder.constant(&[1]);
        let b = builder.node(op, vec![a, number], &[1, 6, 5, 8]);
        let c = builder.convolution(b, 5, NONE, None);
        assert_eq!(check(builder, &[c], 8.0)[2], "activate_i8");
    }
}

/// Nothing is rounded behind the last convolution.
#[test]
fn what_leads_to_no_integers_stays_in_floats() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 8, NONE, None);
    let b = builder.node(Op::Reshape, vec![a], &[1, 30, 8]);
    let c = builder.node(Op::Activate(Activation::Logistic), vec![b], &[1, 30, 8]);
    let d = builder.node(Op::Concatenate { axis: 1 }, vec![c, b], &[1, 60, 8]);
    let steps = check(builder, &[d], 3.0);
    assert_eq!(steps, ["quantize", "convolution_i8", "reshape", "activate_f32", "concatenate"]);
}

#[test]
fn outputs_of_the_middle_are_read_twice() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 8, Activation::Silu, None);
    let b = builder.convolution(a, 5, NONE, None);
    let steps = check(builder, &[b, a], 6.0);
    assert_eq!(steps, ["quantize", "convolution_i8", "convolution_i8", "dequantize"]);
}

/// Where a step of the result is finer than the bump's table can be, the layer is computed in floats.
#[test]
fn a_bump_that_is_too_fine_is_computed_in_floats() {
    let mut builder = Builder::new();
    let a = builder.convolution(ValueId(0), 8, Activation::Silu, None);
    for input in [1, 2] {
        let constant = builder.graph.nodes[0].inputs[input];
        let old = builder.graph.constants[&constant].clone();
        let small = old.as_f32().unwrap().iter().map(|number| number / 500.0).collect();
        builder.graph.constants.insert(constant, Tensor::new(old.shape().to_vec(), Elements::F32(small)).unwrap());
    }
    let b = builder.depthwise(a, NONE);
    let c = builder.convolution(b, 5, NONE, None);
    let steps = check(builder, &[c], 8.0);
    assert_eq!(steps, ["convolution_f16", "quantize", "depthwise_i8", "convolution_i8"]);
}
