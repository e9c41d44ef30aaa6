//! What is seen is remembered, the chosen grids are those of least error, and values that must share one do.

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Activation, Graph, Node, Op, Value, ValueId, Window};
use clawdbot_nn::tensor::{Elements, Tensor};

use super::*;
use crate::lower::InputForm;
use crate::means::Means;
use crate::quantize::ValueGrid;

const CELL: Window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
const RULES: GridRules = GridRules { channels: ChannelScales::Depthwise, ..GridRules::DEFAULT };

/// Numbers in -1..1, always the same.
fn noise(count: usize) -> impl Iterator<Item = f32> {
    let mut state = 1_u32;
    (0..count).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from((state >> 16) as u16) / 32768.0 - 1.0
    })
}

/// A graph under construction.
#[derive(Default)]
struct Builder(Graph);

impl Builder {
    fn value(&mut self, channels: usize) -> ValueId {
        let id = ValueId(self.0.values.len());
        self.0.values.push(Value { name: format!("v{}", id.0), shape: vec![1, 4, 4, channels] });
        id
    }

    fn input(&mut self, channels: usize) -> ValueId {
        let id = self.value(channels);
        self.0.inputs.push(id);
        id
    }

    fn node(&mut self, op: Op, inputs: Vec<ValueId>, channels: usize) -> ValueId {
        let output = self.value(channels);
        self.0.nodes.push(Node { name: format!("n{}", output.0), op, inputs, output });
        output
    }

    fn constant(&mut self, shape: &[usize]) -> ValueId {
        let ones = vec![1.0; shape.iter().product()];
        self.0.add_constant(String::from("c"), Tensor::new(shape.to_vec(), Elements::F32(ones)).unwrap())
    }

    fn convolution(&mut self, x: ValueId, n: usize, activation: Activation) -> ValueId {
        let channels = self.0.values[x.0].shape[3];
        let inputs = vec![x, self.constant(&[n, 1, 1, channels]), self.constant(&[n])];
        self.node(Op::Convolution { window: CELL, activation, pad_value: 0.0, residual: false }, inputs, n)
    }

    fn depthwise(&mut self, x: ValueId) -> ValueId {
        let n = self.0.values[x.0].shape[3];
        let inputs = vec![x, self.constant(&[1, 1, n]), self.constant(&[n])];
        self.node(Op::DepthwiseConvolution { window: CELL, activation: Activation::None }, inputs, n)
    }
}

/// The grids of `graph` when each value of `seen` held these elements.
fn grids(graph: &Graph, seen: &[(ValueId, Vec<f32>)], rules: GridRules) -> BTreeMap<ValueId, ValueGrid> {
    let observe = |(value, elements): &(ValueId, Vec<f32>)| {
        let mut seen = Observation::new(graph.values[value.0].shape[3]);
        seen.add(elements);
        (*value, seen)
    };
    choose_grids(graph, &seen.iter().map(observe).collect(), InputForm::Float, rules)
}

/// The grid of a value of one channel that a convolution reads.
fn grid(elements: &[f32]) -> ValueGrid {
    let mut builder = Builder::default();
    let x = builder.input(1);
    builder.convolution(x, 8, Activation::None);
    grids(&builder.0, &[(x, elements.to_vec())], RULES)[&x].clone()
}

/// Mean square error of `values` on a grid.
fn error(values: &[f32], grid: &ValueGrid) -> f64 {
    let grid = grid.channel(0);
    let of = |&value: &f32| {
        let real = f64::from(grid.scale) * f64::from(i32::from(grid.step(value)) - grid.zero_point);
        (f64::from(value) - real).powi(2)
    };
    values.iter().map(of).sum::<f64>() / values.len() as f64
}

#[test]
fn extremes_and_means_are_kept_for_each_channel() {
    let mut seen = Observation::new(2);
    seen.add(&[1.0, -1.0, 3.0, 0.0]);
    seen.add(&[2.0, -2.0]);
    assert_eq!(seen.range(), (-2.0, 3.0));
    assert_eq!((seen.channels[0].low, seen.channels[0].high), (1.0, 3.0));
    assert_eq!((seen.mean(0), seen.mean(1)), (2.0, -1.0));
    assert_eq!(seen.mean_square(1), 5.0 / 3.0);
}

#[test]
fn tails_know_what_clipping_costs() {
    let values: Vec<f32> = noise(20_000).map(|x| x * x * x * 5.0).collect();
    let mut histogram = Histogram::new(512);
    histogram.add(values.iter().copied(), 5.0);
    let tails = histogram.tails();
    assert_eq!(tails.count() as usize, values.iter().filter(|&&x| x != 0.0).count());
    for (low, high) in [(-5.0, 5.0), (-1.0, 3.0), (-0.2, 0.5), (0.0, 4.0)] {
        let distance = |&x: &f32| f64::from(x) - f64::from(x).clamp(low, high);
        let exact: f64 = values.iter().map(|x| distance(x).powi(2)).sum();
        assert!((tails.clipped(low, high) - exact).abs() <= exact * 0.02 + 1e-6, "{low} to {high}");
    }
    let (low, high) = tails.percentile(0.1, values.len() as f64);
    let beyond = |end: f64| values.iter().filter(|&&x| f64::from(x) > end).count() as f64 / values.len() as f64;
    assert!((beyond(high) - 0.1).abs() < 0.01 && (1.0 - beyond(low) - 0.1).abs() < 0.01, "{low} to {high}");
}

/// No other ends, tried on the values themselves and not on the histogram, make less error.
#[test]
fn the_chosen_grid_has_the_least_error() {
    let bell: Vec<f32> = noise(60_000).collect::<Vec<_>>().chunks(6).map(|x| x.iter().sum::<f32>().powi(3)).collect();
    let rectified: Vec<f32> = bell.iter().map(|x| x.max(0.0)).collect();
    for values in [bell, rectified] {
        let (low, high) = values.iter().fold((0.0_f32, 0.0_f32), |(low, high), &x| (low.min(x), high.max(x)));
        let over = |low, high| ValueGrid::from(crate::quantize::Grid::over(low, high));
        let ends = (1..=20).map(|share| f32::from(share as u8) / 20.0);
        let pairs = ends.clone().flat_map(|below| ends.clone().map(move |above| (below, above)));
        let least = pairs.map(|(below, above)| error(&values, &over(low * below, high * above)));
        let least = least.fold(f64::INFINITY, f64::min);
        let (chosen, whole) = (error(&values, &grid(&values)), error(&values, &over(low, high)));
        assert!(chosen < least * 1.1 && chosen <= whole, "{chosen:e} with {least:e} possible and {whole:e} unclipped");
    }
}

#[test]
fn a_histogram_grows_with_later_inputs() {
    let mut seen = Observation::new(1);
    seen.add(&noise(10_000).map(|x| x / 1000.0).collect::<Vec<_>>());
    seen.add(&noise(100_000).collect::<Vec<f32>>());
    let (low, high) = seen.channels[0].histogram.tails().percentile(0.05, 110_000.0);
    assert!((-1.0..-0.8).contains(&low) && (0.8..1.0).contains(&high), "{low} to {high}");
}

#[test]
fn nothing_but_zeros_is_harmless() {
    let grid = grid(&[0.0; 8]);
    assert!(grid.scale(0).is_normal());
    assert_eq!(i32::from(grid.channel(0).step(0.0)), grid.zero_point);
}

#[test]
fn a_value_that_is_never_negative_uses_all_steps() {
    assert_eq!(grid(&noise(10_000).map(|x| x.max(0.0) * 6.0).collect::<Vec<_>>()).zero_point, -128);
}

#[test]
fn naive_grids_are_symmetric_and_reach_what_was_seen() {
    let mut builder = Builder::default();
    let x = builder.input(8);
    builder.depthwise(x);
    let elements: Vec<f32> = noise(1600).map(|x| x.max(-0.25) * 127.0).collect();
    let largest = elements.iter().copied().fold(0.0, f32::max);
    let grid = &grids(&builder.0, &[(x, elements)], Means::naive().grids)[&x];
    assert_eq!((grid.zero_point, grid.scales.len()), (0, 1));
    assert!((grid.scales[0] * 127.0 - largest).abs() < 1e-3);
}

/// Both signs too: one zero point serves all channels, and each reaches what was seen of it.
#[test]
fn what_only_a_depthwise_layer_reads_has_a_scale_a_channel() {
    let mut builder = Builder::default();
    let x = builder.input(8);
    builder.depthwise(x);
    let size = |c: usize| f32::from(1_u8 << (c % 5));
    let elements: Vec<f32> = noise(8000).enumerate().map(|(at, x)| x.max(-0.3) * size(at % 8)).collect();
    let grid = &grids(&builder.0, &[(x, elements)], RULES)[&x];
    assert_eq!(grid.scales.len(), 8);
    for c in 0..8 {
        let (low, high) = grid.channel(c).range();
        assert!(low <= -0.28 * size(c) && high >= 0.95 * size(c), "channel {c}: {low} to {high}");
    }
    assert!(grid.scales[4] > 10.0 * grid.scales[0]);
    builder.convolution(x, 8, Activation::None);
    let again = grids(&builder.0, &[(x, noise(800).collect())], RULES);
    assert_eq!(again[&x].scales.len(), 1, "a dense reader wants one scale");
}

/// The last step of a channel is all that holds it at the bound of ReLU6.
#[test]
fn scales_a_channel_end_at_the_activations_bound() {
    let mut builder = Builder::default();
    let x = builder.input(8);
    let y = builder.convolution(x, 8, Activation::Relu6);
    builder.depthwise(y);
    let elements: Vec<f32> =
        noise(8000).enumerate().map(|(at, x)| (x * (at % 8) as f32 * 2.0).clamp(0.0, 6.0)).collect();
    let grid = &grids(&builder.0, &[(y, elements)], RULES)[&y];
    assert_eq!((grid.zero_point, grid.scales.len()), (-128, 8));
    assert!((0..8).all(|c| grid.channel(c).range().1 <= 6.0 + 1e-4), "{:?}", grid.scales);
}

#[test]
fn values_side_by_side_share_a_grid_through_all_that_moves_steps() {
    let mut builder = Builder::default();
    let (a, b) = (builder.input(8), builder.input(8));
    let pooled = builder.node(Op::MaxPool(CELL), vec![a], 8);
    let both = builder.node(Op::Concatenate { axis: 3 }, vec![pooled, b], 16);
    let shuffled = builder.node(Op::ChannelShuffle { groups: 2 }, vec![both], 16);
    let half = builder.node(Op::Slice { begin: vec![0, 0, 0, 8], step: vec![1; 4] }, vec![shuffled], 8);
    builder.convolution(half, 8, Activation::None);
    let seen = [(a, noise(800).map(|x| x * 9.0).collect()), (b, noise(800).collect())];
    let grids = grids(&builder.0, &seen, RULES);
    for value in [b, pooled, both, shuffled, half] {
        assert_eq!(grids[&value], grids[&a], "value {}", value.0);
    }
    assert!(grids[&a].range().1 > 6.0);
}

#[test]
fn channels_keep_their_scales_where_they_go() {
    let mut builder = Builder::default();
    let (a, b) = (builder.input(8), builder.input(8));
    let both = builder.node(Op::Concatenate { axis: 3 }, vec![a, b], 16);
    let shuffled = builder.node(Op::ChannelShuffle { groups: 2 }, vec![both], 16);
    builder.depthwise(shuffled);
    let size = |at: usize| 1.0 + (at % 8) as f32;
    let many = |factor: f32| noise(8000).enumerate().map(|(at, x)| x * size(at) * factor).collect::<Vec<f32>>();
    let seen = [(a, many(1.0)), (b, many(3.0))];
    let grids = grids(&builder.0, &seen, GridRules { channels: ChannelScales::Weighed, ..RULES });
    let scales = &grids[&shuffled].scales;
    assert_eq!(scales.len(), 16);
    for c in 0..8 {
        assert_eq!(scales[2 * c], grids[&a].scales[c], "channel {c} of the first");
        assert_eq!(scales[2 * c + 1], grids[&b].scales[c], "channel {c} of the second");
    }
}
