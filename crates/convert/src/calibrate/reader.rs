//! What it costs a convolution when the channels of what it reads lie on unlike scales.

use clawdbot_nn::graph::{Graph, Node, Op};

use super::Observation;
use super::demand::shares;

/// Steps of the largest weight.
const STEPS: f64 = 127.0;

/// A convolution whose weights take up the scales of its input's channels, so that the weights of one output channel, which
/// have one step, spread.
#[derive(Clone, Debug)]
pub struct DenseReader {
    /// `[outputs][channels]`: the largest weight between them.
    largest: Vec<f64>,
    /// Of each output channel: what an error of mean square 1 is worth.
    shares: Vec<f64>,
    /// Of each input channel: the variance of what its weights are multiplied with, summed over them. (The bias takes back
    /// what rounding does to the mean.)
    variance: Vec<f64>,
}

impl DenseReader {
    /// `None` for a node that is no convolution; `x` and `y` are what was seen of its input and its result.
    #[must_use]
    pub fn of(graph: &Graph, node: &Node, x: &Observation, y: &Observation) -> Option<Self> {
        let (Op::Convolution { .. }, Some(weights)) = (&node.op, graph.constant_f32(*node.inputs.get(1)?)) else {
            return None;
        };
        let (channels, outputs) = (x.channels.len(), y.channels.len());
        let depth = weights.len() / outputs.max(1);
        let mut largest = vec![0.0_f64; outputs * channels];
        for (place, weight) in weights.iter().enumerate() {
            let slot = &mut largest[place / depth * channels + place % channels];
            *slot = slot.max(f64::from(weight.abs()));
        }
        let taps = (depth / channels.max(1)) as f64;
        let variance = (0..channels).map(|c| taps * (x.mean_square(c) - x.mean(c).powi(2)).max(0.0)).collect();
        Some(Self { largest, shares: shares(y), variance })
    }

    /// Noise over signal that rounding its weights makes when channel c of its input lies on a scale of `scales[c]`, all
    /// above 0.
    #[must_use]
    pub fn noise(&self, scales: &[f64]) -> f64 {
        let power: f64 = self.variance.iter().zip(scales).map(|(variance, scale)| variance / (scale * scale)).sum();
        let rows = self.largest.chunks_exact(scales.len().max(1));
        let step =
            |row: &[f64]| row.iter().zip(scales).fold(0.0, |most: f64, (weight, scale)| most.max(weight * scale));
        rows.zip(&self.shares).map(|(row, share)| share * (step(row) / STEPS).powi(2) / 12.0 * power).sum()
    }
}
