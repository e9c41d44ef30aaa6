//! Who computes first: a frame that is due goes before the language model's next item of work.
//!
//! The language model asks [`Way::give_way`] between two items of at most some two milliseconds; a camera's thread holds a
//! [`Claim`] while it looks at a frame. As long as frames leave gaps, all its work falls into these, and a frame waits for the
//! end of one item at most: while it is decoded on its own thread, that item ends, and often it need not wait at all.
//!
//! Cameras that always have a frame due leave no gap, and the model would never answer. So waiting earns it time: a quarter
//! of what it waited, which is a fifth of all, and which work in gaps uses up. While it has time left it does not wait.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clawdbot_flow::clock::{Clock, Monotonic};

use super::meter::spread::SpreadMeter;

#[cfg(test)]
mod tests;

/// Of the time that the language model waited, one part in so many is its own.
const WAITED_PARTS: u32 = 4;
/// It never earns more at a time: a frame after a long one is not held up for long.
const EARNED_MAX: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Way {
    state: Mutex<State>,
    ended: Condvar,
    /// How long frames that came due while the language model computed waited, from the moment they were ready to be computed
    /// themselves, until it had ended its item; of several at once, the first.
    pub(crate) waits: SpreadMeter,
}

#[derive(Debug, Default)]
struct State {
    claims: usize,
    /// Claims that have ended, ever.
    ended: u64,
    /// The first of the present claims was made, and the language model has not stopped for it.
    held: bool,
    /// Since when that frame has wanted the compute threads.
    ready: Option<Monotonic>,
    /// Time that the language model may work beside a frame.
    earned: Duration,
    /// It waits.
    waiting: bool,
    /// When it began its present item.
    working_since: Option<Monotonic>,
}

/// A frame is being looked at until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim<'a>(&'a Way);

impl Way {
    /// A way that nobody claims.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A frame is due now.
    pub(crate) fn claim(&self) -> Claim<'_> {
        let mut state = self.lock();
        if state.claims == 0 {
            (state.held, state.ready) = (true, None);
        }
        state.claims += 1;
        Claim(self)
    }

    /// The language model begins to work; before that it waits like between two items. A frame that is due already has waited
    /// for none so far.
    pub(crate) fn begin(&self, clock: &dyn Clock) {
        let mut state = self.lock();
        let now = clock.monotonic();
        state.working_since = Some(now);
        state.ready = state.ready.map(|_| now);
        self.stop_for_frames(state, now, clock);
    }

    /// The language model has ended an item: waits until no frame is due, one has been looked at, or it has time of its own.
    /// Whether it waited.
    pub(crate) fn give_way(&self, clock: &dyn Clock) -> bool {
        let mut state = self.lock();
        let now = clock.monotonic();
        let worked = state.working_since.map_or(Duration::ZERO, |since| now.since(since));
        state.earned = state.earned.saturating_sub(worked);
        state.working_since = Some(now);
        if std::mem::take(&mut state.held) {
            self.waits.add(state.ready.take().map_or(Duration::ZERO, |ready| now.since(ready)));
        }
        self.stop_for_frames(state, now, clock)
    }

    /// Waits as [`Way::give_way`] says.
    fn stop_for_frames(&self, mut state: MutexGuard<'_, State>, now: Monotonic, clock: &dyn Clock) -> bool {
        if state.claims == 0 || !state.earned.is_zero() {
            return false;
        }
        let before = state.ended;
        (state.held, state.ready, state.waiting) = (false, None, true);
        while state.claims > 0 && state.ended == before {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting = false;
        let after = clock.monotonic();
        state.earned = (after.since(now) / WAITED_PARTS).min(EARNED_MAX);
        state.working_since = Some(after);
        true
    }

    /// Whether the language model waits for a frame.
    #[cfg(test)]
    pub(crate) fn is_waited_for(&self) -> bool {
        self.lock().waiting
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim<'_> {
    /// The frame wants the compute threads from now on; until then its own thread was enough.
    pub(crate) fn is_ready(&self, clock: &dyn Clock) {
        let mut state = self.0.lock();
        if state.held && state.ready.is_none() {
            state.ready = Some(clock.monotonic());
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.claims -= 1;
        state.ended += 1;
        // Nobody computed beside the frame, so it has waited for nobody.
        if state.claims == 0 {
            (state.held, state.ready) = (false, None);
        }
        drop(state);
        self.0.ended.notify_all();
    }
}
