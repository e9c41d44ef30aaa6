//! Inputs through the float network, and everything that is remembered of them.

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Op, ValueId};
use clawdbot_nn::program;

use super::{ConvertError, Draft, Progress};
use crate::calibrate::Observation;
use crate::moments::Moments;
use crate::network::{Compute, Network, Sample};

/// Calibration inputs that noise is measured with: enough to rank layers, few enough to wait for.
const MEASURED_INPUTS_MAX: usize = 4;

/// What was seen of a network in floats.
#[derive(Clone, Debug, Default)]
pub struct Calibration {
    /// Inputs that were seen.
    pub inputs: usize,
    /// Of every value.
    pub seen: BTreeMap<ValueId, Observation>,
    /// Of the input of every node with weights, where it is not too wide.
    pub moments: BTreeMap<usize, Moments>,
    /// The inputs that noise is measured with.
    pub samples: Vec<Sample>,
    /// What the float network makes of each of them.
    pub exact: Vec<Vec<Vec<f32>>>,
}

impl Draft {
    /// Runs every input through the float network and looks at all values. `inputs` gives them by number until there are no
    /// more.
    ///
    /// # Errors
    /// When the float program cannot be made or run.
    pub fn calibrate(
        &self,
        compute: &Compute,
        inputs: &mut dyn FnMut(usize) -> Option<Sample>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Calibration, ConvertError> {
        let float = self.lower_float()?;
        let mut network = Network::new(&float, compute)?;
        let names: BTreeMap<program::ValueId, ValueId> =
            float.floats.iter().map(|(&graph, &made)| (made, graph)).collect();
        let mut seen: BTreeMap<ValueId, Observation> = BTreeMap::new();
        let mut moments: BTreeMap<usize, Option<Moments>> = BTreeMap::new();
        let mut made = Calibration::default();
        while let Some(sample) = inputs(made.inputs) {
            network.observe(&sample, &mut |value, elements| {
                let Some(&value) = names.get(&value) else { return };
                let shape = &self.graph.values[value.0].shape;
                let channels = shape.last().copied().unwrap_or(1);
                self.add_moments(&mut moments, value, elements, made.inputs);
                seen.entry(value).or_insert_with(|| Observation::new(channels)).add(elements);
            })?;
            if made.samples.len() < MEASURED_INPUTS_MAX {
                made.exact.push(network.run(&sample)?);
                made.samples.push(sample);
            }
            made.inputs += 1;
            progress(Progress::Calibrated(made.inputs));
        }
        made.seen = seen;
        made.moments = moments.into_iter().filter_map(|(node, moments)| Some((node, moments?))).collect();
        Ok(made)
    }

    /// Takes a value into the moments of every layer that reads it.
    fn add_moments(
        &self,
        moments: &mut BTreeMap<usize, Option<Moments>>,
        value: ValueId,
        elements: &[f32],
        count: usize,
    ) {
        let shape = &self.graph.values[value.0].shape;
        for (index, node) in self.graph.nodes.iter().enumerate().filter(|(_, node)| node.inputs.first() == Some(&value))
        {
            let (window, pad_value, depthwise) = match &node.op {
                Op::Convolution { window, pad_value, .. } => (window, *pad_value, false),
                Op::DepthwiseConvolution { window, .. } => (window, 0.0, true),
                _ => continue,
            };
            let Some(&[_, _, _, channels]) = shape.get(..) else { continue };
            let slot = moments.entry(index).or_insert_with(|| Moments::new(window, channels, depthwise));
            if let Some(moments) = slot {
                moments.add(elements, shape, window, pad_value, count);
            }
        }
    }
}
