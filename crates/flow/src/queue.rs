//! Bounded queues between threads. Each names its bound and its drop rule where it is built, and counts its drops.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::counters::Counter;

/// What a full queue does with one item more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Throws away the oldest item: for frames and states, where only the latest counts.
    DropOldest,
    /// Refuses the new item and hands it back.
    Refuse,
}

/// Why [`Queue::pop`] came back without an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Nothing came within the time given.
    TimedOut,
    /// The queue was closed and is drained.
    Closed,
}

/// A queue of at most `bound` items, shared by clones.
#[derive(Debug)]
pub struct Queue<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    bound: usize,
    when_full: WhenFull,
    dropped: Counter,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Queue<T> {
    /// A queue of at most `bound` items (at least one). Its memory is taken now.
    #[must_use]
    pub fn new(bound: usize, when_full: WhenFull) -> Self {
        let bound = bound.max(1);
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State { items: VecDeque::with_capacity(bound), closed: false }),
                changed: Condvar::new(),
                bound,
                when_full,
                dropped: Counter::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds `item`. A full queue follows its rule; each item lost is counted.
    ///
    /// # Errors
    /// Hands `item` back when the queue is closed, or full and its rule is [`WhenFull::Refuse`].
    pub fn push(&self, item: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed {
            return Err(item);
        }
        if state.items.len() == self.shared.bound {
            self.shared.dropped.increment();
            match self.shared.when_full {
                WhenFull::Refuse => return Err(item),
                WhenFull::DropOldest => drop(state.items.pop_front()),
            }
        }
        state.items.push_back(item);
        drop(state);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Takes the oldest item, waiting up to `patience` for one.
    ///
    /// # Errors
    /// [`Empty`] says why there is none.
    pub fn pop(&self, patience: Duration) -> Result<T, Empty> {
        let state = self.lock();
        let (mut state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, patience, |state| state.items.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        match state.items.pop_front() {
            Some(item) => Ok(item),
            None if state.closed => Err(Empty::Closed),
            None => Err(Empty::TimedOut),
        }
    }

    /// Refuses new items from now on; those inside can still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.shared.changed.notify_all();
    }

    /// How many items were lost to a full queue.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.get()
    }

    /// How many items wait now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Whether nothing waits now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
