//! What was measured, and the report of it.

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Op, ValueId};
use clawdbot_nn::program;

use super::{Calibration, Conversion, ConvertError, Draft, Quantised, Target};
use crate::lower::{Lowered, Precision, has_int8, operator_name};
use crate::network::{Compute, Network};
use crate::report::{LayerReport, OutputReport, Report};
use crate::sensitivity::{Unit, multiplications, worst};
use crate::snr::NoiseMeter;

/// Everything that was measured on the way.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) calibration: Calibration,
    pub(super) quantised: Quantised,
    /// One a node; empty for a network in floats.
    pub(super) precision: Vec<Precision>,
    pub(super) units: Vec<Unit>,
    pub(super) output_noise: Vec<f64>,
    pub(super) layers: Vec<f64>,
}

impl Draft {
    /// Noise over signal of each node's result in the finished program.
    pub(super) fn layer_noise(
        &self,
        calibration: &Calibration,
        lowered: &Lowered,
        compute: &Compute,
    ) -> Result<Vec<f64>, ConvertError> {
        let float = self.lower_float()?;
        let mut network = Network::new(&float, compute)?;
        let mut quantised = Network::new(lowered, compute)?;
        let mut meters = vec![NoiseMeter::default(); self.graph.nodes.len()];
        // An input at a time and one value per node: the largest network's results are some tens of megabytes.
        for sample in &calibration.samples {
            let mut exact: BTreeMap<program::ValueId, Vec<f32>> = BTreeMap::new();
            network.observe(sample, &mut |value, elements| {
                exact.insert(value, elements.to_vec());
            })?;
            let mut results: BTreeMap<program::ValueId, Vec<f32>> = BTreeMap::new();
            quantised.observe(sample, &mut |value, elements| {
                results.insert(value, elements.to_vec());
            })?;
            for (node, meter) in self.graph.nodes.iter().zip(&mut meters) {
                let made = lowered.quantized.get(&node.output).or_else(|| lowered.floats.get(&node.output));
                let pair = float
                    .floats
                    .get(&node.output)
                    .and_then(|id| exact.get(id))
                    .zip(made.and_then(|id| results.get(id)));
                if let Some((exact, result)) = pair {
                    meter.add(exact, result.iter().copied());
                }
            }
        }
        Ok(meters.iter().map(NoiseMeter::noise_to_signal).collect())
    }

    pub(super) fn conclude(&self, target: Target, lowered: Lowered, measured: Measured) -> Conversion {
        let decibels = |noise: f64| Some(-10.0 * noise.log10()).filter(|decibels| decibels.is_finite());
        let precision = |index: usize| measured.precision.get(index).copied().unwrap_or(Precision::F16);
        let alone = |index| measured.units.iter().find(|unit| unit.node == index).map(|unit| worst(&unit.noise));
        let layer = |(index, node): (usize, &clawdbot_nn::graph::Node)| LayerReport {
            name: node.name.clone(),
            operator: operator_name(&node.op),
            precision: if has_int8(&self.graph, node) { precision(index) } else { Precision::F16 },
            multiplications: multiplications(&self.graph, node),
            alone_snr_db: alone(index).and_then(decibels),
            result_snr_db: measured.layers.get(index).copied().and_then(decibels),
            seen: measured.calibration.seen.get(&node.output).map(|seen| <[f32; 2]>::from(seen.range())),
            range: lowered
                .quantized
                .get(&node.output)
                .and_then(|_| measured.quantised.grids.get(&node.output))
                .map(|grid| grid.range().into()),
        };
        let counted = |node: &clawdbot_nn::graph::Node| !matches!(node.op, Op::Reshape | Op::Concatenate { .. });
        let layers = self.graph.nodes.iter().enumerate().filter(|(_, node)| counted(node)).map(layer).collect();
        let output = |(index, value): (usize, &ValueId)| OutputReport {
            name: self.graph.values[value.0].name.clone(),
            snr_db: measured.output_noise.get(index).copied().and_then(decibels),
        };
        let report = Report {
            source: self.origin.source_file.clone(),
            source_sha256: self.origin.source_sha256.clone(),
            format: self.format.name().to_owned(),
            precision: target.name().to_owned(),
            decisions: self.recipe.decisions.clone(),
            calibration_inputs: measured.calibration.inputs,
            measured_inputs: measured.calibration.samples.len(),
            outputs: self.graph.outputs.iter().enumerate().map(output).collect(),
            layers,
            tensor_bytes: lowered.tensors.values().map(|tensor| tensor.bytes().len()).sum(),
        };
        Conversion { lowered, vision: self.recipe.vision.clone(), origin: self.origin.clone(), report }
    }
}
