//! Integer imports within one step a layer: every layer of every full-integer file, fed with what it really reads, against the
//! exact result of the file's own numbers.

use std::collections::BTreeMap;

use clawdbot_nn::program;
use clawdbot_nn::reference;

use super::quantised::lowered;
use super::*;
use crate::fixtures::Picture;

/// Output channels of a convolution that are computed exactly; of more, every k-th is. (The reference is slow.)
const CHANNELS_MAX: usize = 12;

/// How far a layer's results lie from the exact ones, in steps of the result's grid. Rounding alone makes 0.5.
struct Distance {
    name: String,
    kind: Kind,
    /// The largest.
    steps: f32,
    /// Results that are more than one step off, and all.
    beyond: [usize; 2],
}

/// Why results may lie further away than rounding takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// They may not.
    Exact,
    /// Channels whose unsigned weights need more than 7 bits and a sign, and so have coarser steps.
    Coarse,
    /// Layers with SiLU and the like, which is a table of 64 bytes over the sum.
    Bump,
    /// Layers over the picture: padding means 0 there, which no grey level is.
    Border,
}

/// A node alone, a convolution with fewer output channels; and the channels that are left, if not all.
fn alone(graph: &Graph, node: &Node) -> (Graph, Option<Vec<usize>>) {
    let inputs = node.inputs.iter().copied().filter(|input| !graph.constants.contains_key(input)).collect();
    let constants = node.inputs.iter().filter_map(|input| Some((*input, graph.constants.get(input)?.clone())));
    let mut alone = Graph {
        values: graph.values.clone(),
        constants: constants.collect(),
        nodes: vec![node.clone()],
        inputs,
        outputs: vec![node.output],
        ..Graph::default()
    };
    let (Op::Convolution { .. }, Some(&channels)) = (&node.op, graph.values[node.output.0].shape.last()) else {
        return (alone, None);
    };
    if channels <= CHANNELS_MAX {
        return (alone, None);
    }
    let left: Vec<usize> = (0..channels).step_by(channels.div_ceil(CHANNELS_MAX)).collect();
    for &constant in &node.inputs[1..3] {
        let old = &graph.constants[&constant];
        let row = old.as_f32().unwrap().len() / channels;
        let rows = left.iter().flat_map(|n| &old.as_f32().unwrap()[n * row..][..row]);
        let mut shape = old.shape().to_vec();
        shape[0] = left.len();
        alone.constants.insert(constant, Tensor::new(shape, Elements::F32(rows.copied().collect())).unwrap());
    }
    if let Some(&residual) = node.inputs.get(3) {
        *alone.values[residual.0].shape.last_mut().unwrap() = left.len();
    }
    *alone.values[node.output.0].shape.last_mut().unwrap() = left.len();
    (alone, Some(left))
}

/// The elements of `left` channels out of as many as `channels`.
fn thinned(all: &[f32], channels: usize, left: &[usize]) -> Vec<f32> {
    all.chunks_exact(channels).flat_map(|pixel| left.iter().map(|&n| pixel[n])).collect()
}

/// Of every layer of a file's network over a picture.
fn distances(path: &str, picture: &Picture) -> Option<Vec<Distance>> {
    let (graph, lowered) = lowered(path)?;
    let mut network = Network::new(&lowered, &compute()).unwrap();
    let mut seen = BTreeMap::new();
    let sample = Sample::Picture(picture.bytes());
    network.observe(&sample, &mut |value, reals| drop(seen.insert(value, reals.to_vec()))).unwrap();
    // What a graph's value really is, as the integers stand for it.
    let real = |value: &ValueId| {
        let twin = lowered.quantized.get(value).or_else(|| lowered.floats.get(value));
        twin.and_then(|twin| seen.get(twin))
            .unwrap_or_else(|| panic!("{path}: {} is unknown", graph.values[value.0].name))
    };
    let mut found = Vec::new();
    for node in &graph.nodes {
        let Some(&output) = lowered.quantized.get(&node.output) else { continue };
        let step = lowered.program.steps.iter().find(|step| step.output == output).unwrap();
        if matches!(step.op, program::Op::Quantize) {
            continue;
        }
        let (single, left) = alone(&graph, node);
        let inputs: Vec<Tensor> = single
            .inputs
            .iter()
            .enumerate()
            .map(|(at, input)| {
                let (value, mut reals) = (&graph.values[input.0], real(input).clone());
                if let (Some(left), true) = (&left, at > 0) {
                    reals = thinned(&reals, *value.shape.last().unwrap(), left);
                }
                Tensor::new(single.values[input.0].shape.clone(), Elements::F32(reals)).unwrap()
            })
            .collect();
        let exact = reference::run(&single, &inputs).unwrap().remove(0);
        let value = &lowered.program.values[output.0];
        let results = match &left {
            Some(left) => thinned(&seen[&output], *value.shape.last().unwrap(), left),
            None => seen[&output].clone(),
        };
        let [scale] = value.scale[..] else { panic!("{path}: `{}` has a scale a channel", node.name) };
        let [low, high] = [-128, 127].map(|end| scale * (end - value.zero_point) as f32);
        let coarse = coarse_channels(&graph, node, &left);
        let kind = |channel: usize| match node.op {
            Op::Convolution { activation, .. } | Op::DepthwiseConvolution { activation, .. }
                if !activation.is_clamp() =>
            {
                Kind::Bump
            }
            _ if coarse.get(channel) == Some(&true) => Kind::Coarse,
            _ if node.inputs.contains(&graph.inputs[0]) => Kind::Border,
            _ => Kind::Exact,
        };
        let channels = exact.shape().last().copied().unwrap();
        let mut kinds: BTreeMap<u8, Distance> = BTreeMap::new();
        for (at, (exact, found)) in exact.as_f32().unwrap().iter().zip(&results).enumerate() {
            let kind = kind(at % channels);
            let (name, beyond) = (node.name.clone(), [0; 2]);
            let entry = kinds.entry(kind as u8).or_insert(Distance { name, kind, steps: 0.0, beyond });
            let steps = (exact.clamp(low, high) - found).abs() / scale;
            entry.steps = entry.steps.max(steps);
            entry.beyond[0] += usize::from(steps > 1.0);
            entry.beyond[1] += 1;
        }
        found.extend(kinds.into_values());
    }
    Some(found)
}

/// For each output channel (of those that are `left`) whether its weights lie beyond 127 of the file's steps.
fn coarse_channels(graph: &Graph, node: &Node, left: &Option<Vec<usize>>) -> Vec<bool> {
    let Some((arrangement, weights)) = crate::quantize::arrangement(&node.op).zip(node.inputs.get(1)) else {
        return Vec::new();
    };
    let Some(grid) = graph.quantizations.get(weights) else { return Vec::new() };
    let weights = graph.constant_f32(*weights).unwrap();
    let channels = graph.values[node.output.0].shape.last().copied().unwrap();
    let is_coarse = |n: usize| {
        let scale = grid.scale[n % grid.scale.len()];
        arrangement.places(n, channels, weights.len()).any(|at| (weights[at] / scale).round().abs() > 127.0)
    };
    let all = 0..channels;
    left.clone().unwrap_or_else(|| all.collect()).into_iter().map(is_coarse).collect()
}

/// Over a file: the largest distance of a kind, and the share of its results that are more than a step off.
fn summary(found: &[Distance], kind: Kind) -> (f32, f32) {
    let of_kind = || found.iter().filter(|layer| layer.kind == kind);
    let worst = of_kind().map(|layer| layer.steps).fold(0.0, f32::max);
    let [beyond, all] = [0, 1].map(|at| of_kind().map(|layer| layer.beyond[at]).sum::<usize>());
    (worst, beyond as f32 / all.max(1) as f32)
}

/// Path, rows and columns, a picture; and what is further off than rounding takes it: at most so many steps, and this share of its
/// kind's results more than one. As measured on 2026-11-28, with a tenth on top.
type Case = (&'static str, [usize; 2], &'static str, Option<(Kind, f32, f32)>);

const CASES: [Case; 8] = [
    ("misc/resnet8_cifar_int8.tflite", [32; 2], "classify/bird.bmp", None),
    ("misc/vww_96_int8.tflite", [96; 2], "classify/cat.bmp", None),
    ("classify/tf2_mobilenet_v2_1.0_224_ptq.tflite", [224; 2], "classify/cat.bmp", None),
    ("classify/mobilenet_v1_0.25_128_quant.tflite", [128; 2], "classify/cat.bmp", Some((Kind::Coarse, 10.9, 0.11))),
    ("classify/mobilenet_v2_1.0_224_quant.tflite", [224; 2], "classify/cat.bmp", Some((Kind::Coarse, 5.3, 0.0196))),
    (
        "detect/ssd-traffic/traffic_model.tflite",
        [256; 2],
        "detect/ssd-traffic/0001.bmp",
        Some((Kind::Coarse, 8.3, 0.038)),
    ),
    ("misc/movenet_single_pose_lightning_ptq.tflite", [192; 2], "misc/squat.bmp", Some((Kind::Border, 4.2, 0.000_076))),
    ("detect/yolox-nano/yolox_nano_416_int8_naive.tflite", [416; 2], "misc/squat.bmp", Some((Kind::Bump, 3.5, 0.0196))),
];

/// LiteRT 2.3.0's own results, of the inputs that it read, lie up to 0.500 steps from the exact ones (its default kernels) or 0.750
/// (its reference kernels) in the five networks that were measured (the classifiers and the two small ones): ours, up to 0.500, are
/// within a step of either.
#[test]
fn every_layer_is_within_a_step_of_the_exact_result() {
    for (path, size, picture, further) in CASES {
        let Some(bmp) = data(picture) else { return };
        let Some(found) = distances(path, &Picture::bmp(&bmp).resized(size)) else { return };
        for layer in found.iter().filter(|layer| further.is_none_or(|(kind, ..)| layer.kind != kind)) {
            assert!(layer.steps < 0.501, "{path}: `{}` is {} steps off ({:?})", layer.name, layer.steps, layer.kind);
        }
        if let Some((kind, steps, share)) = further {
            let found = summary(&found, kind);
            assert!(found.0 < steps && found.1 < share, "{path}: {found:?} of {kind:?}");
        }
    }
}
