//! Who computes first: a frame that is due goes before the language model's next item of work.
//!
//! The language model asks [`Way::give_way`] between two items of at most some two milliseconds; a camera's thread holds a
//! [`Claim`] while it looks at a frame. As long as frames leave gaps, all its work falls into these, and a frame waits for the
//! end of one item at most: while it is decoded on its own thread, that item ends, and often it need not wait at all. It does wait
//! for that end: if both sides took turns at the compute threads step by step, each would pay for every change.
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
    /// A claim has ended.
    ended: Condvar,
    /// The language model has stopped for the first of the claims, or goes on beside it.
    decided: Condvar,
    /// How long frames that came due while the language model computed waited, from the moment they were ready to be computed
    /// themselves until they might; of several at once, the first.
    pub(crate) waits: SpreadMeter,
}

#[derive(Debug, Default)]
struct State {
    claims: usize,
    /// Claims that have ended, ever.
    ended: u64,
    /// The language model computes.
    computing: bool,
    /// The first of the present claims was made while the language model computed, which has not come to an item's end since.
    held: bool,
    /// Its frame wants the compute threads and waits for that end.
    ready: bool,
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
            (state.held, state.ready) = (state.computing, false);
        }
        state.claims += 1;
        Claim(self)
    }

    /// The language model begins to work; before that it waits like between two items. A frame that is due already waits for
    /// nothing.
    pub(crate) fn begin(&self, clock: &dyn Clock) -> Working<'_> {
        let now = clock.monotonic();
        let mut state = self.lock();
        state.working_since = Some(now);
        let (mut state, _) = self.stop_for_frames(state, now, clock);
        state.computing = true;
        drop(state);
        Working(self)
    }

    /// The language model has ended an item: waits until no frame is due, one has been looked at, or it has time of its own.
    /// Whether it waited.
    pub(crate) fn give_way(&self, clock: &dyn Clock) -> bool {
        let mut state = self.lock();
        let now = clock.monotonic();
        let worked = state.working_since.map_or(Duration::ZERO, |since| now.since(since));
        state.earned = state.earned.saturating_sub(worked);
        state.working_since = Some(now);
        self.decide(&mut state);
        let (mut state, waited) = self.stop_for_frames(state, now, clock);
        state.computing = true;
        waited
    }

    /// The first of the claims need not wait any longer.
    fn decide(&self, state: &mut State) {
        if !std::mem::take(&mut state.held) {
            return;
        }
        if std::mem::take(&mut state.ready) {
            self.decided.notify_all();
        } else {
            // It is still being decoded.
            self.waits.add(Duration::ZERO);
        }
    }

    /// Waits as [`Way::give_way`] says.
    fn stop_for_frames<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        now: Monotonic,
        clock: &dyn Clock,
    ) -> (MutexGuard<'a, State>, bool) {
        if state.claims == 0 || !state.earned.is_zero() {
            return (state, false);
        }
        let before = state.ended;
        (state.computing, state.waiting) = (false, true);
        while state.claims > 0 && state.ended == before {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting = false;
        let after = clock.monotonic();
        state.earned = (after.since(now) / WAITED_PARTS).min(EARNED_MAX);
        state.working_since = Some(after);
        (state, true)
    }

    /// Whether the language model waits for a frame.
    #[cfg(test)]
    pub(crate) fn is_waited_for(&self) -> bool {
        self.lock().waiting
    }

    /// Whether a frame waits for the end of the language model's item.
    #[cfg(test)]
    pub(crate) fn is_frame_waiting(&self) -> bool {
        self.lock().ready
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The language model works until this is dropped.
#[derive(Debug)]
pub(crate) struct Working<'a>(&'a Way);

impl Working<'_> {
    /// It needs the compute threads no more; what it does until the end of its work, it does on its own thread.
    pub(crate) fn rest(&self) {
        let mut state = self.0.lock();
        state.computing = false;
        self.0.decide(&mut state);
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.rest();
    }
}

impl Claim<'_> {
    /// The frame wants the compute threads from now on; until then its own thread was enough. Waits for the end of the item that
    /// the language model is at.
    pub(crate) fn is_ready(&self, clock: &dyn Clock) {
        let way = self.0;
        let mut state = way.lock();
        if !state.held {
            return;
        }
        let since = clock.monotonic();
        let first = !std::mem::replace(&mut state.ready, true);
        while state.held {
            state = way.decided.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        if first {
            way.waits.add(clock.monotonic().since(since));
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.claims -= 1;
        state.ended += 1;
        // It was gone before an item ended: a frame that could not be read.
        if state.claims == 0 {
            (state.held, state.ready) = (false, false);
        }
        drop(state);
        self.0.ended.notify_all();
    }
}
