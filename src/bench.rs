//! The measurements behind `clawdbot bench`.

pub(crate) mod beside;
pub(crate) mod ceilings;
pub(crate) mod language;
pub(crate) mod preprocess;
pub(crate) mod roofline;
pub(crate) mod vision;

use std::time::Duration;

/// Times of some runs.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    sorted: Vec<Duration>,
}

impl Times {
    /// In any order.
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { sorted: times }
    }

    /// The shortest: what the machine can do when nobody disturbs it.
    pub(crate) fn least(&self) -> Duration {
        self.sorted.first().copied().unwrap_or_default()
    }

    /// The middle one: what one gets.
    pub(crate) fn median(&self) -> Duration {
        self.sorted.get(self.sorted.len() / 2).copied().unwrap_or_default()
    }

    /// The longest.
    pub(crate) fn longest(&self) -> Duration {
        self.sorted.last().copied().unwrap_or_default()
    }
}
