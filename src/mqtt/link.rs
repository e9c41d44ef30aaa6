//! What the rest of the daemon may know about the connection: the client writes it, health and stats read it.

use std::sync::{Mutex, PoisonError};

use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::counters::Counter;

/// The connection as seen from outside; shared between the client and its readers.
#[derive(Debug, Default)]
pub(crate) struct Link {
    state: Mutex<LinkState>,
    /// Messages that [`super::Publisher::publish`] refused.
    pub(super) refused: Counter,
}

/// The connection at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkState {
    /// When the broker last said yes; `None` while there is no connection.
    pub(crate) connected_since: Option<Monotonic>,
    /// Connects tried since the start.
    pub(crate) attempts: u64,
    /// Why the last connection ended or could not be made, as a sentence that says what to do.
    pub(crate) last_error: Option<String>,
    /// When the next connect is due; `None` while connected or connecting.
    pub(crate) next_retry: Option<Monotonic>,
    /// Messages handed to the broker, repeats included.
    pub(crate) published: u64,
    /// QoS 1 messages that the broker has acknowledged.
    pub(crate) acknowledged: u64,
    /// Retained states that a newer value replaced before the broker had acknowledged them.
    pub(crate) superseded: u64,
    /// Messages lost: refused for want of room, pushed out of a full outbox, or QoS 0 while there was no connection.
    pub(crate) dropped: u64,
    /// QoS 1 messages that wait to be sent or acknowledged.
    pub(crate) queued: u64,
}

impl Link {
    /// The connection now.
    pub(crate) fn state(&self) -> LinkState {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        state.dropped = state.dropped.saturating_add(self.refused.get());
        state
    }

    /// Replaces what readers see.
    pub(super) fn set(&self, state: LinkState) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}
