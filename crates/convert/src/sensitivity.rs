//! Finds the layers that INT8 would hurt, and keeps as many of them in FP16 as it takes.
//!
//! Each unit is quantised alone, the rest of the network staying in floats, and the noise at the network's outputs is
//! measured over a few pictures. (Leave-one-out from "all INT8" was tried: beneath the noise of all other layers the
//! difference that one layer makes is mostly chance.) Noise of layers adds up nearly independently, so the units that are
//! loudest for their cost go back to FP16, one after the other, until every output is as clean as asked.

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Graph, Op, ValueId};

use crate::lower::{InputForm, LowerError, Plan, Precision, has_int8, lower};
use crate::network::{Compute, Network, RunError, Sample};
use crate::quantize::{QuantizedLayer, ValueGrid};
use crate::snr::NoiseMeter;

/// The noise that `mixed` allows at the worst output, unless told otherwise.
pub const OUTPUT_SNR_DB_MIN: f64 = 25.0;
/// What the seams around a unit in FP16 cost, as a share of all multiplications: two more passes over its values.
const SEAM_COST: f64 = 0.005;
/// Share of the multiplications that may stay in FP16: beyond it the network has no business in `mixed`.
pub const F16_SHARE_MAX: f64 = 0.25;

/// Why the analysis failed.
#[derive(Debug, thiserror::Error)]
pub enum SensitivityError {
    /// A program could not be made.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// A program could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// What the analysis has to work with.
pub struct Subject<'a> {
    /// After passes.
    pub graph: &'a Graph,
    /// From calibration.
    pub grids: &'a BTreeMap<ValueId, ValueGrid>,
    /// Of its nodes with weights.
    pub layers: &'a BTreeMap<usize, QuantizedLayer>,
    /// See [`crate::means::Means::exact_outputs`].
    pub exact_outputs: bool,
    /// How the input arrives.
    pub input: InputForm,
    /// What to compute with.
    pub compute: &'a Compute,
    /// What to measure with.
    pub samples: &'a [Sample],
    /// For each sample, what the float network makes of it.
    pub exact: &'a [Vec<Vec<f32>>],
}

/// A layer that was judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// Index of the node.
    pub node: usize,
    /// Noise over signal at each output with only this node in INT8.
    pub noise: Vec<f64>,
}

impl Subject<'_> {
    /// Noise over signal at each output under a choice of precisions.
    ///
    /// # Errors
    /// When the program cannot be made or run.
    pub fn noise(&self, precision: &[Precision]) -> Result<Vec<f64>, SensitivityError> {
        let (grids, layers, precision) = (self.grids, self.layers, precision.to_vec());
        let plan = Plan { precision, grids, layers, input: self.input, exact_outputs: self.exact_outputs };
        let mut network = Network::new(&lower(self.graph, &plan)?, self.compute)?;
        let mut meters = vec![NoiseMeter::default(); self.graph.outputs.len()];
        for (sample, exact) in self.samples.iter().zip(self.exact) {
            let outputs = network.run(sample)?;
            for ((meter, exact), output) in meters.iter_mut().zip(exact).zip(&outputs) {
                meter.add(exact, output.iter().copied());
            }
        }
        Ok(meters.iter().map(NoiseMeter::noise_to_signal).collect())
    }

    /// Quantises each unit alone. `progress` is told (done, of how many).
    ///
    /// # Errors
    /// When a program cannot be made or run.
    pub fn probe(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<Vec<Unit>, SensitivityError> {
        let nodes = &self.graph.nodes;
        let units: Vec<usize> = (0..nodes.len()).filter(|&index| has_int8(self.graph, &nodes[index])).collect();
        let total = units.len();
        let mut probed = Vec::with_capacity(total);
        for node in units {
            let mut precision = vec![Precision::F16; nodes.len()];
            precision[node] = Precision::Int8;
            let noise = self.noise(&precision)?;
            probed.push(Unit { node, noise });
            progress(probed.len(), total);
        }
        Ok(probed)
    }

    /// Keeps the units that are loudest for their cost in FP16 until every output has `snr_db_min`, or until
    /// [`F16_SHARE_MAX`] of the multiplications are in FP16. `noise` is that of all INT8. Answers the precisions and the
    /// noise over signal at each output.
    ///
    /// # Errors
    /// When a program cannot be made or run.
    pub fn choose(
        &self,
        mut noise: Vec<f64>,
        units: &[Unit],
        snr_db_min: f64,
    ) -> Result<(Vec<Precision>, Vec<f64>), SensitivityError> {
        let allowed = 10.0_f64.powf(-snr_db_min / 10.0);
        let nodes = &self.graph.nodes;
        let total: f64 = nodes.iter().map(|node| multiplications(self.graph, node)).sum();
        let cost = |unit: &Unit| multiplications(self.graph, &nodes[unit.node]) / total.max(1.0) + SEAM_COST;
        let loudness = |unit: &Unit| worst(&unit.noise) / cost(unit);
        let mut order: Vec<&Unit> = units.iter().collect();
        order.sort_by(|a, b| loudness(b).total_cmp(&loudness(a)));
        let mut precision = vec![Precision::Int8; nodes.len()];
        let mut share = 0.0;
        for unit in order {
            if worst(&noise) <= allowed {
                break;
            }
            if share + cost(unit) > F16_SHARE_MAX {
                continue;
            }
            precision[unit.node] = Precision::F16;
            let trial = self.noise(&precision)?;
            // A unit that was loud alone may not be heard beneath the others.
            if worst(&trial) < worst(&noise) {
                share += cost(unit);
                noise = trial;
            } else {
                precision[unit.node] = Precision::Int8;
            }
        }
        Ok((precision, noise))
    }
}

/// Noise over signal at the output that suffers most.
pub(crate) fn worst(noise: &[f64]) -> f64 {
    noise.iter().copied().fold(0.0, f64::max)
}

/// Multiplications that a node costs.
#[must_use]
pub fn multiplications(graph: &Graph, node: &clawdbot_nn::graph::Node) -> f64 {
    let output = &graph.values[node.output.0].shape;
    let pixels: usize = output.iter().rev().skip(1).product();
    let weights = node.inputs.get(1).and_then(|value| graph.constants.get(value));
    let weights: usize = weights.map_or(0, |tensor| tensor.shape().iter().product());
    match node.op {
        Op::Convolution { .. } | Op::DepthwiseConvolution { .. } => pixels as f64 * weights as f64,
        _ => 0.0,
    }
}
