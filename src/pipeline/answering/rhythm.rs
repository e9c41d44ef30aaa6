//! How large an item of the language model's work may be, so that a frame that is due waits no longer than two
//! milliseconds for it.
//!
//! Nobody knows beforehand how fast a board multiplies, or how much else it does, so the size follows what is measured: it
//! shrinks when more than one item in fifty takes too long, and grows slowly while all of them are short.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clawdbot_flow::clock::{Clock, Monotonic};

#[cfg(test)]
mod tests;

/// An item may take so long.
pub(super) const ITEM_MAX: Duration = Duration::from_millis(2);
/// One that takes no longer than this leaves room for a larger one.
const ITEM_SHORT: Duration = Duration::from_micros(1_400);
/// Multiplications of the first items: a third of a millisecond on four Cortex-A72.
const MACS_FIRST: usize = 4 << 20;
/// Never fewer: below this the handing out costs more than the work.
const MACS_MIN: usize = 64 << 10;
/// Never more: no board of ours does so many in two milliseconds.
const MACS_MAX: usize = 1 << 30;

/// See the module.
#[derive(Debug)]
pub(super) struct Rhythm {
    macs: usize,
}

/// Watches the items of one pass.
pub(super) struct Watch<'a> {
    clock: &'a dyn Clock,
    /// When the present item began, in microseconds.
    begun: AtomicU64,
    items: AtomicU64,
    long: AtomicU64,
    longest: AtomicU64,
}

impl Rhythm {
    pub(super) const fn new() -> Self {
        Self { macs: MACS_FIRST }
    }

    /// Multiplications of an item.
    pub(super) const fn macs(&self) -> usize {
        self.macs
    }

    /// Learns from a pass.
    pub(super) fn learn(&mut self, watch: &Watch<'_>) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        if 50 * read(&watch.long) > read(&watch.items) {
            self.macs = (self.macs / 5 * 4).max(MACS_MIN);
        } else if Duration::from_micros(read(&watch.longest)) < ITEM_SHORT {
            self.macs = (self.macs + self.macs / 16).min(MACS_MAX);
        }
    }
}

impl<'a> Watch<'a> {
    pub(super) fn new(clock: &'a dyn Clock) -> Self {
        let begun = AtomicU64::new(micros(clock.monotonic()));
        let count = || AtomicU64::new(0);
        Self { clock, begun, items: count(), long: count(), longest: count() }
    }

    /// An item has ended.
    pub(super) fn ended(&self) {
        let took = micros(self.clock.monotonic()).saturating_sub(self.begun.load(Ordering::Relaxed));
        self.items.fetch_add(1, Ordering::Relaxed);
        self.long.fetch_add(u64::from(Duration::from_micros(took) > ITEM_MAX), Ordering::Relaxed);
        self.longest.fetch_max(took, Ordering::Relaxed);
    }

    /// The next one begins.
    pub(super) fn begin(&self) {
        self.begun.store(micros(self.clock.monotonic()), Ordering::Relaxed);
    }
}

fn micros(at: Monotonic) -> u64 {
    u64::try_from(at.since_origin().as_micros()).unwrap_or(u64::MAX)
}
