//! Every way in which a hard sigmoid and a hard-swish are written out.

use super::fuse_gates;
use crate::graph::{Activation, Graph, Node, Op, Value, ValueId, Window};
use crate::passes::remove_dead;
use crate::reference;
use crate::tensor::{Elements, Tensor};

const SIXTH: f32 = 1.0 / 6.0;

/// Over x `[1][1][2][2]`.
struct Made(Graph);

impl Made {
    fn new() -> Self {
        let values = vec![Value { name: String::from("x"), shape: vec![1, 1, 2, 2] }];
        Self(Graph { values, inputs: vec![ValueId(0)], ..Graph::default() })
    }

    fn constant(&mut self, shape: &[usize], number: f32) -> ValueId {
        let elements = vec![number; shape.iter().product()];
        let name = format!("c{}", self.0.values.len());
        self.0.add_constant(name, Tensor::new(shape.to_vec(), Elements::F32(elements)).unwrap())
    }

    fn node(&mut self, op: Op, inputs: &[ValueId]) -> ValueId {
        let output = ValueId(self.0.values.len());
        self.0.values.push(Value { name: format!("v{}", output.0), shape: vec![1, 1, 2, 2] });
        self.0.nodes.push(Node { name: format!("n{}", output.0), op, inputs: inputs.to_vec(), output });
        output
    }

    /// x + 3, clamped to 0..6: by a sum with its own clamp, one with another node's, or a depthwise layer of ones.
    fn raised(&mut self, form: usize, offset: f32) -> ValueId {
        let x = ValueId(0);
        if form == 2 {
            let (ones, bias) = (self.constant(&[1, 1, 2], 1.0), self.constant(&[2], offset));
            let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
            return self.node(Op::DepthwiseConvolution { window, activation: Activation::Relu6 }, &[x, ones, bias]);
        }
        let three = self.constant(&[1], offset);
        if form == 1 {
            let sum = self.node(Op::Add { activation: Activation::None }, &[x, three]);
            return self.node(Op::Activate(Activation::Relu6), &[sum]);
        }
        self.node(Op::Add { activation: Activation::Relu6 }, &[x, three])
    }

    /// What is left of the graph that ends in `output`, after checking that it computes the same.
    fn fused(mut self, output: ValueId) -> Vec<Op> {
        self.0.outputs = vec![output];
        let input = Tensor::new(vec![1, 1, 2, 2], Elements::F32(vec![-4.0, -1.0, 0.5, 7.0])).unwrap();
        let before = reference::run(&self.0, std::slice::from_ref(&input)).unwrap();
        let graph = remove_dead(fuse_gates(self.0));
        let after = reference::run(&graph, &[input]).unwrap();
        let pairs = before[0].as_f32().unwrap().iter().zip(after[0].as_f32().unwrap());
        pairs.for_each(|(before, after)| assert!((before - after).abs() < 1e-6, "{before} became {after}"));
        graph.nodes.into_iter().map(|node| node.op).collect()
    }
}

#[test]
fn a_hard_sigmoid_is_read() {
    for (form, factors) in [(0, 1), (1, 1), (2, 2)] {
        let mut made = Made::new();
        let raised = made.raised(form, 3.0);
        let sixth = made.constant(&[factors], SIXTH);
        let gate = made.node(Op::Multiply, &[raised, sixth]);
        let wanted = Activation::HardSigmoid { slope: SIXTH, offset: 0.5 };
        assert_eq!(made.fused(gate), [Op::Activate(wanted)], "form {form}");
    }
}

#[test]
fn hard_swish_is_read_whatever_comes_first() {
    let x = ValueId(0);
    for form in 0..3 {
        let mut made = Made::new();
        let (raised, sixth) = (made.raised(form, 3.0), made.constant(&[1], SIXTH));
        let gate = made.node(Op::Multiply, &[raised, sixth]);
        let swish = made.node(Op::Multiply, &[x, gate]);
        assert_eq!(made.fused(swish), [Op::Activate(Activation::HardSwish)], "the gate first, form {form}");
        for product in [true, false] {
            let mut made = Made::new();
            let (raised, sixth) = (made.raised(form, 3.0), made.constant(&[1], SIXTH));
            let inputs = if product { [x, raised] } else { [raised, x] };
            let product = made.node(Op::Multiply, &inputs);
            let swish = made.node(Op::Multiply, &[product, sixth]);
            assert_eq!(made.fused(swish), [Op::Activate(Activation::HardSwish)], "the product first, form {form}");
        }
    }
}

#[test]
fn what_is_only_like_it_stays() {
    for (offset, factor) in [(2.5, SIXTH), (3.0, 0.2)] {
        let mut made = Made::new();
        let (raised, factor) = (made.raised(0, offset), made.constant(&[1], factor));
        let gate = made.node(Op::Multiply, &[raised, factor]);
        assert_eq!(made.fused(gate).len(), 2);
    }
}
