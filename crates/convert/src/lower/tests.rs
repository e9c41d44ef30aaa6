//! Lowered programs against what the networks really compute.

mod generated;
mod one_step;
mod quantised;

use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use clawdbot_nn::reference;
use clawdbot_nn::tensor::{Elements, Tensor};
use clawdbot_nn::workers::Workers;

use super::*;
use crate::calibrate::{Observation, choose_grids};
use crate::fixtures::{data, npz_f32};
use crate::importers::tflite;
use crate::means::Means;
use crate::network::{Compute, Network, Sample};
use crate::quantize::quantize_layers;
use crate::simplify::simplify;
use crate::snr::NoiseMeter;

fn compute() -> Compute {
    Compute { isa: Isa::detect(), workers: Arc::new(Workers::new()) }
}

/// The tiny network of `path`, its input (NHWC) and what PyTorch made of it.
fn tiny(path: &str) -> Option<(Graph, Vec<f32>, Vec<f32>)> {
    let (network, archive) = (data(path)?, data("tiny/cnn_ref.npz")?);
    let (shape, planes) = npz_f32(&archive, "x");
    assert_eq!(shape, [1, 3, 32, 32]);
    let pixels = (0..planes.len()).map(|at| planes[at % 3 * 1024 + at / 3]).collect();
    Some((tflite::import(&network).unwrap(), pixels, npz_f32(&archive, "y").1))
}

fn largest_difference(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    found.iter().zip(wanted).map(|(found, wanted)| (found - wanted).abs()).fold(0.0, f32::max)
}

/// What one run of the reference shows of every value.
fn seen(graph: &Graph, input: &Tensor) -> BTreeMap<ValueId, Observation> {
    let values = reference::run_all(graph, std::slice::from_ref(input)).unwrap();
    let seen = values.iter().chain([(&graph.inputs[0], input)]).map(|(&value, tensor)| {
        let mut seen = Observation::new(tensor.shape().last().copied().unwrap());
        seen.add(tensor.as_f32().unwrap());
        (value, seen)
    });
    seen.collect()
}

#[test]
fn imported_networks_agree_with_pytorch() {
    for (path, tolerance) in [("tiny/cnn_float32.tflite", 1e-5), ("tiny/cnn_float16.tflite", 5e-4)] {
        let Some((graph, pixels, wanted)) = tiny(path) else { return };
        let input = Tensor::new(vec![1, 32, 32, 3], Elements::F32(pixels)).unwrap();
        for graph in [graph.clone(), simplify(graph)] {
            let outputs = reference::run(&graph, std::slice::from_ref(&input)).unwrap();
            let difference = largest_difference(outputs[0].as_f32().unwrap(), &wanted);
            assert!(difference < tolerance, "{path}: {difference}");
        }
    }
}

#[test]
fn a_float_program_agrees_with_pytorch() {
    let Some((graph, pixels, wanted)) = tiny("tiny/cnn_float32.tflite") else { return };
    let graph = simplify(graph);
    let nothing = BTreeMap::new();
    let precision = vec![Precision::F16; graph.nodes.len()];
    let plan =
        Plan { precision, grids: &nothing, layers: &BTreeMap::new(), input: InputForm::Float, exact_outputs: true };
    let lowered = lower(&graph, &plan).unwrap();
    let outputs = Network::new(&lowered, &compute()).unwrap().run(&Sample::Floats(pixels)).unwrap();
    let difference = largest_difference(&outputs[0], &wanted);
    assert!(difference < 1e-3, "{difference}");
}

/// Every mixture of precisions computes the same network, within what INT8 costs.
#[test]
fn int8_programs_are_close_to_pytorch_wherever_the_seams_lie() {
    let Some((graph, pixels, wanted)) = tiny("tiny/cnn_float32.tflite") else { return };
    let graph = simplify(graph);
    let input = Tensor::new(vec![1, 32, 32, 3], Elements::F32(pixels.clone())).unwrap();
    let seen = seen(&graph, &input);
    let grids = choose_grids(&graph, &seen, InputForm::Float, Means::ALL.grids);
    let layers = quantize_layers(&graph, &grids, &seen, &BTreeMap::new(), Means::ALL.weights);
    for pattern in [0_u32, 0b1010_1010_1010, 0b0101_0101_0101, 0b1100_1100_1100, 0b1110_0111_1110] {
        let half = |index: usize| pattern >> (index % 12) & 1 == 1;
        let choose = |index| if half(index) { Precision::F16 } else { Precision::Int8 };
        let precision = (0..graph.nodes.len()).map(choose).collect();
        let plan = Plan { precision, grids: &grids, layers: &layers, input: InputForm::Float, exact_outputs: true };
        let lowered = lower(&graph, &plan).unwrap();
        let output = Network::new(&lowered, &compute()).unwrap().run(&Sample::Floats(pixels.clone())).unwrap();
        let mut meter = NoiseMeter::default();
        meter.add(&wanted, output[0].iter().copied());
        assert!(meter.decibels() > 28.0, "{pattern:b}: {:.1} dB", meter.decibels());
    }
}

#[test]
fn a_layer_between_integers_and_floats_stays_exact() {
    let Some((graph, pixels, _)) = tiny("tiny/cnn_float32.tflite") else { return };
    let graph = simplify(graph);
    let input = Tensor::new(vec![1, 32, 32, 3], Elements::F32(pixels)).unwrap();
    let seen = seen(&graph, &input);
    let grids = choose_grids(&graph, &seen, InputForm::Float, Means::ALL.grids);
    let layers = quantize_layers(&graph, &grids, &seen, &BTreeMap::new(), Means::ALL.weights);
    let precision = vec![Precision::Int8; graph.nodes.len()];
    let lowered = lower(
        &graph,
        &Plan { precision, grids: &grids, layers: &layers, input: InputForm::Float, exact_outputs: true },
    )
    .unwrap();
    // The last layer is read by floats only, so its accumulators are not requantised.
    let last = lowered.program.steps.iter().rev().find(|step| matches!(step.op, program::Op::ConvolutionI8 { .. }));
    assert_eq!(lowered.program.values[last.unwrap().output.0].data_type, DataType::F32);
    let dequantize = lowered.program.steps.iter().any(|step| step.op == program::Op::Dequantize);
    assert!(!dequantize, "an INT8 network from end to end has nothing to dequantise");
}

#[test]
fn values_that_were_not_calibrated_are_named() {
    let Some((graph, ..)) = tiny("tiny/cnn_float32.tflite") else { return };
    let precision = vec![Precision::Int8; graph.nodes.len()];
    let graph = simplify(graph);
    let nothing = BTreeMap::new();
    let plan =
        Plan { precision, grids: &nothing, layers: &BTreeMap::new(), input: InputForm::Float, exact_outputs: true };
    let message = lower(&graph, &plan).unwrap_err().to_string();
    assert!(message.contains("`x` was not calibrated"), "{message}");
}
