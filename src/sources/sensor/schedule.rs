//! When to look at a sensor, and whether what was seen is worth telling. Pure: time and value come in.

use std::time::Duration;

use clawdbot_flow::clock::Monotonic;

use super::Options;

/// One sensor's rhythm.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    interval: Duration,
    interval_max: Duration,
    dead_band: f64,
    next_at: Option<Monotonic>,
    published: Option<(f64, Monotonic)>,
}

impl Schedule {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            interval: options.interval,
            interval_max: options.interval_max.max(options.interval),
            dead_band: options.dead_band,
            next_at: None,
            published: None,
        }
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self, now: Monotonic) -> bool {
        self.next_at.is_none_or(|next_at| now >= next_at)
    }

    /// How long until it is time to look.
    pub(super) fn time_left(&self, now: Monotonic) -> Duration {
        self.next_at.map_or(Duration::ZERO, |next_at| next_at.since(now))
    }

    /// Takes what was seen at `now` (`None`: the sensor gave no value); true when it is to be published.
    ///
    /// The first value after a start or an absence is always published.
    pub(super) fn saw(&mut self, now: Monotonic, value: Option<f64>) -> bool {
        // In step with the first look; after a delay of more than an interval (suspend) from now on.
        let in_step = self.next_at.unwrap_or(now).plus(self.interval);
        self.next_at = Some(if in_step > now { in_step } else { now.plus(self.interval) });
        let Some(value) = value else {
            self.published = None;
            return false;
        };
        let is_news = self.published.is_none_or(|(published, at)| {
            (value - published).abs() > self.dead_band || now.since(at) >= self.interval_max
        });
        if is_news {
            self.published = Some((value, now));
        }
        is_news
    }
}

#[cfg(test)]
mod tests;
