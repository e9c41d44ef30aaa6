//! The one way to end a source's thread: a flag that can be waited on, so that no pause delays the shutdown.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A request to stop, shared by clones; once made it stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    requested: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// A stop that nobody has requested yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Asks everyone who looks at, or waits on, this stop to end.
    pub(crate) fn request(&self) {
        *self.shared.requested.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.changed.notify_all();
    }

    /// Whether somebody asked.
    pub(crate) fn is_requested(&self) -> bool {
        *self.shared.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pauses for `duration`, or until a stop is requested, whichever comes first; true when one is requested.
    pub(crate) fn wait(&self, duration: Duration) -> bool {
        let requested = self.shared.requested.lock().unwrap_or_else(PoisonError::into_inner);
        let (requested, _) = self
            .shared
            .changed
            .wait_timeout_while(requested, duration, |requested| !*requested)
            .unwrap_or_else(PoisonError::into_inner);
        *requested
    }
}

#[cfg(test)]
mod tests;
