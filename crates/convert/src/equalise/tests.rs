//! Scaled networks compute what they did, loud channels come down, and what bends or leaves stays as it is.

use clawdbot_nn::graph::{Activation, Node, Value, Window};
use clawdbot_nn::reference;

use super::*;

const CHANNELS: usize = 8;

/// Numbers in -1..1, always the same.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from((state >> 16) as u16) / 32768.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[derive(Default)]
struct Builder(Graph);

impl Builder {
    fn value(&mut self) -> ValueId {
        let id = ValueId(self.0.values.len());
        self.0.values.push(Value { name: format!("v{}", id.0), shape: vec![1, 4, 4, CHANNELS] });
        id
    }

    fn constant(&mut self, shape: &[usize], elements: Vec<f32>) -> ValueId {
        self.0.add_constant("c".to_owned(), Tensor::new(shape.to_vec(), Elements::F32(elements)).unwrap())
    }

    /// A layer whose output channel 3 is `loud` times as loud as the others.
    fn layer(&mut self, x: ValueId, activation: Activation, loud: f32, residual: Option<ValueId>) -> ValueId {
        let mut weights = noise(CHANNELS * CHANNELS);
        weights[3 * CHANNELS..4 * CHANNELS].iter_mut().for_each(|weight| *weight *= loud);
        let shape = [CHANNELS, 1, 1, CHANNELS];
        let mut inputs = vec![x, self.constant(&shape, weights), self.constant(&[CHANNELS], noise(CHANNELS))];
        inputs.extend(residual);
        let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
        let residual = residual.is_some();
        self.node(Op::Convolution { window, activation, pad_value: 0.0, residual }, inputs)
    }

    fn depthwise(&mut self, x: ValueId, activation: Activation) -> ValueId {
        let inputs =
            vec![x, self.constant(&[1, 1, CHANNELS], noise(CHANNELS)), self.constant(&[CHANNELS], noise(CHANNELS))];
        let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
        self.node(Op::DepthwiseConvolution { window, activation }, inputs)
    }

    fn node(&mut self, op: Op, inputs: Vec<ValueId>) -> ValueId {
        let output = self.value();
        self.0.nodes.push(Node { name: format!("n{}", output.0), op, inputs, output });
        output
    }
}

/// A residual block between convolutions: input, first sum, second sum, the network.
fn residual_chain(bent: Activation) -> (ValueId, ValueId, Graph) {
    let mut builder = Builder::default();
    let x = builder.value();
    builder.0.inputs.push(x);
    let first = builder.layer(x, Activation::None, 100.0, None);
    let inner = builder.layer(first, bent, 1.0, None);
    let inner = builder.depthwise(inner, bent);
    let second = builder.layer(inner, Activation::None, 1.0, Some(first));
    let pooled = builder.node(Op::MaxPool(Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] }), vec![second]);
    let last = builder.layer(pooled, Activation::None, 1.0, None);
    builder.0.outputs.push(last);
    (first, second, builder.0)
}

fn input(graph: &Graph) -> Tensor {
    let shape = graph.values[graph.inputs[0].0].shape.clone();
    Tensor::new(shape.clone(), Elements::F32(noise(shape.iter().product()))).unwrap()
}

fn seen(graph: &Graph) -> BTreeMap<ValueId, Observation> {
    let all = reference::run_all(graph, &[input(graph)]).unwrap();
    let one = |(value, tensor): (ValueId, Tensor)| {
        let mut observed = Observation::new(CHANNELS);
        observed.add(tensor.as_f32().unwrap());
        (value, observed)
    };
    all.into_iter().map(one).collect()
}

#[test]
fn the_network_stays_what_it_was_and_the_loud_channel_comes_down() {
    for bent in [Activation::Relu6, Activation::Silu, Activation::Leaky(0.1)] {
        let (first, second, graph) = residual_chain(bent);
        let before = seen(&graph);
        let factors = Factors::choose(&graph, &before);
        let equalised = factors.apply(graph.clone());
        let output = |graph: &Graph| reference::run(graph, &[input(graph)]).unwrap()[0].as_f32().unwrap().to_vec();
        for (a, b) in output(&graph).iter().zip(output(&equalised)) {
            assert!((a - b).abs() < 1e-4 * a.abs().max(1.0), "{bent:?}: {a} became {b}");
        }
        let after = seen(&equalised);
        for value in [first, second] {
            let rest =
                |seen: &Observation| (0..CHANNELS).filter(|&c| c != 3).map(|c| peak(seen, c)).fold(0.0, f64::max);
            let [was, is] = [&before[&value], &after[&value]].map(|seen| peak(seen, 3) / rest(seen));
            let wanted = if value == first { was / 2.0 } else { was };
            assert!(was > 1.5 && is < wanted, "{bent:?}: {was} times as loud as the rest, then {is}");
        }
    }
}

/// What was seen before tells what would be seen after.
#[test]
fn observations_are_scaled_with_the_channels() {
    let (first, _, graph) = residual_chain(Activation::Relu6);
    let before = seen(&graph);
    let factors = Factors::choose(&graph, &before);
    let told = factors.seen_through(&graph, Calibration { seen: before, ..Calibration::default() }).seen;
    let after = seen(&factors.apply(graph));
    for c in 0..CHANNELS {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-4 * a.abs().max(1e-3), "channel {c}: {a} and {b}");
        close(told[&first].mean(c), after[&first].mean(c));
        close(told[&first].mean_square(c), after[&first].mean_square(c));
        close(peak(&told[&first], c), peak(&after[&first], c));
    }
}

#[test]
fn what_is_bent_or_leaves_the_network_stays() {
    let (first, second, graph) = residual_chain(Activation::Relu6);
    let mut leaving = graph.clone();
    leaving.outputs.push(second);
    let factors = Factors::choose(&leaving, &seen(&leaving));
    assert_eq!(factors, Factors::default(), "the sum is an output, and the first is tied to it");
    let factors = Factors::choose(&graph, &seen(&graph));
    assert!(factors.0.contains_key(&first) && factors.0.contains_key(&second));
    for node in &graph.nodes {
        let bent = matches!(&node.op, Op::Convolution { activation, .. } | Op::DepthwiseConvolution { activation, .. } if *activation == Activation::Relu6);
        assert!(!bent || !factors.0.contains_key(&node.output), "{}", node.name);
    }
}

#[test]
fn channels_that_are_alike_are_left_alone() {
    let mut builder = Builder::default();
    let x = builder.value();
    builder.0.inputs.push(x);
    let inner = builder.layer(x, Activation::None, 1.0, None);
    let last = builder.layer(inner, Activation::None, 1.0, None);
    builder.0.outputs.push(last);
    let mut seen = seen(&builder.0);
    let mut alike = Observation::new(CHANNELS);
    alike.add(&noise(64).into_iter().flat_map(|x| [x; CHANNELS]).collect::<Vec<f32>>());
    seen.insert(inner, alike);
    assert_eq!(Factors::choose(&builder.0, &seen), Factors::default());
}
