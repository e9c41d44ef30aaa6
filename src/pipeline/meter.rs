//! How long things took: written by the thread that did them, read and reset by the one that reports.

pub(crate) mod spread;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Durations since the last [`Meter::take`], and how many there ever were.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    inner: Mutex<(Interval, u64)>,
}

/// Durations of one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Interval {
    /// How many.
    pub(crate) count: u64,
    /// Their sum.
    pub(crate) sum: Duration,
    /// The longest one.
    pub(crate) longest: Duration,
}

impl Interval {
    /// The mean in milliseconds; `None` when there was none.
    pub(crate) fn mean_ms(&self) -> Option<f64> {
        // A count of milliseconds in an interval of seconds is far below 2^52.
        #[expect(clippy::cast_precision_loss, reason = "a count of one interval")]
        let count = self.count as f64;
        (self.count > 0).then(|| self.sum.as_secs_f64() * 1e3 / count)
    }

    /// The longest one in milliseconds; `None` when there was none.
    pub(crate) fn longest_ms(&self) -> Option<f64> {
        (self.count > 0).then_some(self.longest.as_secs_f64() * 1e3)
    }
}

impl Meter {
    /// A meter that has seen nothing.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub(crate) fn add(&self, duration: Duration) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0.count += 1;
        inner.0.sum = inner.0.sum.saturating_add(duration);
        inner.0.longest = inner.0.longest.max(duration);
        inner.1 += 1;
    }

    /// What came since the last call.
    pub(crate) fn take(&self) -> Interval {
        std::mem::take(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// How many there ever were.
    pub(crate) fn total(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_begins_anew_and_the_total_goes_on() {
        let meter = Meter::new();
        assert_eq!(meter.take().mean_ms(), None);
        meter.add(Duration::from_millis(10));
        meter.add(Duration::from_millis(30));
        let interval = meter.take();
        assert_eq!((interval.mean_ms(), interval.longest_ms()), (Some(20.0), Some(30.0)));
        meter.add(Duration::from_millis(1));
        assert_eq!((meter.take().count, meter.total()), (1, 3));
    }
}
