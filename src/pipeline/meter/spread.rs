//! How durations are spread, in a fixed memory: where a mean would hide the one frame in a hundred that waited.
//!
//! Durations are counted in steps that grow with them, sixteen to each doubling from 16 us on, so a quantile is known to
//! 1/16 of itself; the longest is kept exactly.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Steps of each doubling.
const STEPS: u64 = 16;
/// Whole microseconds below [`STEPS`], and all doublings up to two minutes; what is longer counts with those.
const BUCKETS: usize = 16 * 24;

/// Durations by their length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    counts: [u32; BUCKETS],
    count: u64,
    longest: Duration,
}

impl Default for Spread {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], count: 0, longest: Duration::ZERO }
    }
}

impl Spread {
    /// Adds one.
    pub(crate) fn add(&mut self, duration: Duration) {
        let bucket = &mut self.counts[bucket(micros(duration))];
        *bucket = bucket.saturating_add(1);
        self.count += 1;
        self.longest = self.longest.max(duration);
    }

    /// How many.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The shortest duration that `percent` of all do not pass, rounded up by 1/16 at most; `None` when there was none.
    pub(crate) fn percentile(&self, percent: u64) -> Option<Duration> {
        let wanted = (self.count * percent.min(100)).div_ceil(100).max(1);
        let mut passed = 0;
        let found = self.counts.iter().position(|&count| {
            passed += u64::from(count);
            passed >= wanted
        })?;
        Some(Duration::from_micros(most(found)).min(self.longest))
    }

    /// The longest; `None` when there was none.
    pub(crate) fn longest(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.longest)
    }

    /// Adds all of `other`.
    pub(crate) fn join(&mut self, other: &Self) {
        for (count, others) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*others);
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }
}

/// A spread that one thread writes and another one reads.
#[derive(Debug, Default)]
pub(crate) struct SpreadMeter(Mutex<Spread>);

impl SpreadMeter {
    /// Adds one.
    pub(crate) fn add(&self, duration: Duration) {
        self.lock().add(duration);
    }

    /// What came since the last call.
    pub(crate) fn take(&self) -> Spread {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Spread> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Microseconds, rounded up: a percentile must not look shorter than it is.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// Where durations of so many microseconds are counted.
fn bucket(micros: u64) -> usize {
    let doublings = (micros / STEPS).checked_ilog2().map_or(0, |log| u64::from(log) + 1);
    // In the first row and in the second one a step is a microsecond, then two, four ...
    let step = (micros >> doublings.saturating_sub(1)) % STEPS;
    usize::try_from(doublings * STEPS + step).map_or(BUCKETS - 1, |at| at.min(BUCKETS - 1))
}

/// The most microseconds that bucket `at` counts.
const fn most(at: usize) -> u64 {
    let (row, step) = (at as u64 / STEPS, at as u64 % STEPS);
    if row == 0 { step } else { ((STEPS + step + 1) << (row - 1)) - 1 }
}
