//! What a network's values hold over a set of inputs: extremes, means and histograms, and the grids chosen from them.

mod grids;
mod histogram;
#[cfg(test)]
mod tests;

pub use grids::choose_grids;
pub use histogram::Histogram;

use crate::quantize::Grid;

/// What a few inputs show of one channel is less of its range than they show of a whole value's.
const MARGIN: f32 = 1.25;
/// A channel that hardly ever fired may still do so: it gets at least this share of the whole value's range.
const CHANNEL_SHARE_MIN: f32 = 1.0 / 16.0;

/// Everything that was seen of one value.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Least and greatest element of each channel (last axis).
    pub channels: Vec<ChannelRange>,
    /// All elements.
    pub histogram: Histogram,
    /// Elements a channel that were seen.
    pub count: u64,
}

/// What was seen of one channel.
#[derive(Clone, Copy, Debug)]
pub struct ChannelRange {
    /// Least.
    pub low: f32,
    /// Greatest.
    pub high: f32,
    sum: f64,
    squares: f64,
}

impl Observation {
    /// Nothing seen yet of a value with so many channels.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        let nothing = ChannelRange { low: f32::INFINITY, high: f32::NEG_INFINITY, sum: 0.0, squares: 0.0 };
        Self { channels: vec![nothing; channels], histogram: Histogram::default(), count: 0 }
    }

    /// Takes in one tensor, channels last.
    pub fn add(&mut self, elements: &[f32]) {
        let mut largest = 0.0_f32;
        for pixel in elements.chunks_exact(self.channels.len()) {
            for (channel, &x) in self.channels.iter_mut().zip(pixel) {
                channel.low = channel.low.min(x);
                channel.high = channel.high.max(x);
                channel.sum += f64::from(x);
                channel.squares += f64::from(x) * f64::from(x);
                largest = largest.max(x.abs());
            }
            self.count += 1;
        }
        self.histogram.add(elements.iter().copied(), largest);
    }

    /// Least and greatest of all elements.
    #[must_use]
    pub fn range(&self) -> (f32, f32) {
        let wider = |(low, high): (f32, f32), channel: &ChannelRange| (low.min(channel.low), high.max(channel.high));
        self.channels.iter().fold((f32::INFINITY, f32::NEG_INFINITY), wider)
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

    /// The grid of least square error for the whole value.
    #[must_use]
    pub fn grid(&self) -> Grid {
        let (low, high) = self.range();
        self.histogram.best_grid(low, high)
    }

    /// A scale for each channel, and one zero point for all; each channel's range is [`MARGIN`] wider than what was seen
    /// of it, but no wider than the whole value's.
    ///
    /// `None` unless no element is negative (a ReLU's result): with both signs, channels of unlike balance would each
    /// want a zero point of their own.
    #[must_use]
    pub fn channel_grids(&self) -> Option<(Vec<f32>, i32)> {
        let (low, high) = self.range();
        if low < 0.0 || high <= 0.0 {
            return None;
        }
        let end = |channel: &ChannelRange| (channel.high * MARGIN).clamp(high * CHANNEL_SHARE_MIN, high);
        Some((self.channels.iter().map(|channel| Grid::over(0.0, end(channel)).scale).collect(), -128))
    }
}
