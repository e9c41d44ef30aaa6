//! How large an item of the language model's work may be, so that a frame that is due waits no longer than two
//! milliseconds for it.
//!
//! Nobody knows beforehand how fast a board multiplies, or how much else it does, so the size follows what is measured: it
//! shrinks when more than one item in fifty takes too long, and grows slowly while all of them are short.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clawdbot_flow::clock::{Clock, Monotonic};
use clawdbot_llm::pace::Pace;

use crate::pipeline::way::Way;

#[cfg(test)]
mod tests;

/// An item may take so long.
pub(crate) const ITEM_MAX: Duration = Duration::from_millis(2);
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
pub(crate) struct Rhythm {
    macs: usize,
    beside_cameras: bool,
}

/// Watches the items of one pass.
struct Watch<'a> {
    clock: &'a dyn Clock,
    /// When the present item began, in microseconds.
    begun: AtomicU64,
    items: AtomicU64,
    long: AtomicU64,
    longest: AtomicU64,
}

impl Rhythm {
    /// Nothing is known yet. Without cameras there is nobody to be let go first but who cancels, and items are whole matrices.
    pub(crate) const fn new(beside_cameras: bool) -> Self {
        Self { macs: MACS_FIRST, beside_cameras }
    }

    /// Multiplications of an item.
    pub(crate) const fn macs(&self) -> usize {
        if self.beside_cameras { self.macs } else { usize::MAX }
    }

    /// Runs `pass` cut into items: between two of them frames that are due on `way` go first, and then `go_on` is asked. Learns
    /// from it how large the items of the next one may be.
    pub(crate) fn pass<R>(
        &mut self,
        way: &Way,
        clock: &dyn Clock,
        go_on: &(dyn Fn() -> bool + Sync),
        pass: impl FnOnce(Pace<'_>) -> R,
    ) -> R {
        let working = way.begin(clock);
        let watch = Watch::new(clock);
        let between = || {
            watch.ended();
            way.give_way(clock);
            let goes_on = go_on();
            watch.begin();
            goes_on
        };
        let done = || working.rest();
        let result = pass(Pace { item_macs: self.macs(), between: &between, done: &done });
        drop(working);
        self.learn(&watch);
        result
    }

    /// Learns from a pass.
    fn learn(&mut self, watch: &Watch<'_>) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        if 50 * read(&watch.long) > read(&watch.items) {
            self.macs = (self.macs / 5 * 4).max(MACS_MIN);
        } else if Duration::from_micros(read(&watch.longest)) < ITEM_SHORT {
            self.macs = (self.macs + self.macs / 16).min(MACS_MAX);
        }
    }
}

impl<'a> Watch<'a> {
    fn new(clock: &'a dyn Clock) -> Self {
        let begun = AtomicU64::new(micros(clock.monotonic()));
        let count = || AtomicU64::new(0);
        Self { clock, begun, items: count(), long: count(), longest: count() }
    }

    /// An item has ended.
    fn ended(&self) {
        let took = micros(self.clock.monotonic()).saturating_sub(self.begun.load(Ordering::Relaxed));
        self.items.fetch_add(1, Ordering::Relaxed);
        self.long.fetch_add(u64::from(Duration::from_micros(took) > ITEM_MAX), Ordering::Relaxed);
        self.longest.fetch_max(took, Ordering::Relaxed);
    }

    /// The next one begins.
    fn begin(&self) {
        self.begun.store(micros(self.clock.monotonic()), Ordering::Relaxed);
    }
}

fn micros(at: Monotonic) -> u64 {
    u64::try_from(at.since_origin().as_micros()).unwrap_or(u64::MAX)
}
