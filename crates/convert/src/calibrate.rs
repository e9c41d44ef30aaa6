//! What a network's values hold over a set of inputs, and the grids chosen from that.

mod company;
mod demand;
mod grids;
mod histogram;
mod reader;
#[cfg(test)]
mod tests;
pub(crate) mod ties;

pub use demand::Demand;
pub use grids::{ChannelScales, GridRules, RangeRule, choose_grids};
pub use histogram::{Histogram, Tails};
pub use reader::DenseReader;
pub use ties::Ties;

/// Bins on each side of a channel's histogram.
const CHANNEL_BINS: usize = 512;

/// Everything that was seen of one value.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Each channel (last axis).
    pub channels: Vec<ChannelObservation>,
    /// Elements a channel that were seen.
    pub count: u64,
}

/// What was seen of one channel.
#[derive(Clone, Debug)]
pub struct ChannelObservation {
    /// Least.
    pub low: f32,
    /// Greatest.
    pub high: f32,
    sum: f64,
    squares: f64,
    histogram: Histogram,
}

impl Observation {
    /// Nothing seen yet of a value with so many channels.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        let nothing = ChannelObservation {
            low: f32::INFINITY,
            high: f32::NEG_INFINITY,
            sum: 0.0,
            squares: 0.0,
            histogram: Histogram::new(CHANNEL_BINS),
        };
        Self { channels: vec![nothing; channels], count: 0 }
    }

    /// Takes in one tensor, channels last.
    pub fn add(&mut self, elements: &[f32]) {
        let channels = self.channels.len();
        self.count += (elements.len() / channels) as u64;
        for (index, channel) in self.channels.iter_mut().enumerate() {
            let values = || elements.iter().skip(index).step_by(channels).copied();
            let (mut low, mut high, mut sum, mut squares) = (channel.low, channel.high, 0.0, 0.0);
            for x in values() {
                low = low.min(x);
                high = high.max(x);
                sum += f64::from(x);
                squares += f64::from(x) * f64::from(x);
            }
            (channel.low, channel.high) = (low, high);
            channel.sum += sum;
            channel.squares += squares;
            channel.histogram.add(values(), low.abs().max(high.abs()));
        }
    }

    /// Least and greatest of all elements.
    #[must_use]
    pub fn range(&self) -> (f32, f32) {
        let wider =
            |(low, high): (f32, f32), channel: &ChannelObservation| (low.min(channel.low), high.max(channel.high));
        self.channels.iter().fold((f32::INFINITY, f32::NEG_INFINITY), wider)
    }

    /// As if each channel had been `factor(channel)` times what it was.
    #[must_use]
    pub fn scaled(&self, factor: impl Fn(usize) -> f64) -> Self {
        let channel = |(index, channel): (usize, &ChannelObservation)| {
            let factor = factor(index);
            ChannelObservation {
                low: (f64::from(channel.low) * factor) as f32,
                high: (f64::from(channel.high) * factor) as f32,
                sum: channel.sum * factor,
                squares: channel.squares * factor * factor,
                histogram: channel.histogram.scaled(factor),
            }
        };
        Self { channels: self.channels.iter().enumerate().map(channel).collect(), count: self.count }
    }

    /// Mean of a channel.
    #[must_use]
    pub fn mean(&self, channel: usize) -> f64 {
        self.channels[channel].sum / self.count.max(1) as f64
    }

    /// Mean square of a channel.
    #[must_use]
    pub fn mean_square(&self, channel: usize) -> f64 {
        self.channels[channel].squares / self.count.max(1) as f64
    }
}
