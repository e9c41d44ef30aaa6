//! What one camera's thread does and did, for `health` and `stats`: written by its supervisor, read by anyone.

use std::sync::{Mutex, PoisonError};

use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::counters::Counter;

/// Counters and status of one camera.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Frames handed to the queue.
    pub(crate) frames_captured: Counter,
    /// Frames that the driver dropped before they reached us: gaps in its sequence numbers.
    pub(crate) frames_dropped_by_kernel: Counter,
    /// Frames, or pictures of a replay, that were broken or of a kind we do not read.
    pub(crate) frames_bad: Counter,
    /// Good frames left out on purpose: older than the newest at hand, or above the wanted rate.
    pub(crate) frames_skipped: Counter,
    /// Good frames lost because every buffer of the pool was in use.
    pub(crate) frames_without_buffer: Counter,
    /// Times that the camera was opened, or tried to be.
    pub(crate) attempts: Counter,
    status: Mutex<Status>,
}

#[derive(Clone, Debug, Default)]
struct Status {
    online: bool,
    ended: bool,
    description: Option<String>,
    last_error: Option<String>,
    last_frame_at: Option<Monotonic>,
    attempts_failed_in_a_row: u32,
}

/// One camera's state at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Whether frames arrive.
    pub(crate) online: bool,
    /// Whether a replay without `loop` is over.
    pub(crate) ended: bool,
    /// What was agreed with the camera: `MJPG 1280x720 at 15 frames/s`.
    pub(crate) description: Option<String>,
    /// Why it is, or last was, offline.
    pub(crate) last_error: Option<String>,
    /// When the last frame was handed on.
    pub(crate) last_frame_at: Option<Monotonic>,
    /// Openings tried in a row without a frame; 0 while online.
    pub(crate) attempts_failed_in_a_row: u32,
    /// See [`State::attempts`].
    pub(crate) attempts: u64,
    /// See [`State::frames_captured`].
    pub(crate) frames_captured: u64,
    /// See [`State::frames_dropped_by_kernel`].
    pub(crate) frames_dropped_by_kernel: u64,
    /// See [`State::frames_bad`].
    pub(crate) frames_bad: u64,
    /// See [`State::frames_skipped`].
    pub(crate) frames_skipped: u64,
    /// See [`State::frames_without_buffer`].
    pub(crate) frames_without_buffer: u64,
}

impl State {
    /// The state of a camera that was not opened yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// All of it, now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Snapshot {
            online: status.online,
            ended: status.ended,
            description: status.description,
            last_error: status.last_error,
            last_frame_at: status.last_frame_at,
            attempts_failed_in_a_row: status.attempts_failed_in_a_row,
            attempts: self.attempts.get(),
            frames_captured: self.frames_captured.get(),
            frames_dropped_by_kernel: self.frames_dropped_by_kernel.get(),
            frames_bad: self.frames_bad.get(),
            frames_skipped: self.frames_skipped.get(),
            frames_without_buffer: self.frames_without_buffer.get(),
        }
    }

    pub(super) fn opened(&self, description: String) {
        self.change(|status| status.description = Some(description));
    }

    pub(super) fn frame(&self, at: Monotonic) {
        self.frames_captured.increment();
        self.change(|status| {
            status.online = true;
            status.last_frame_at = Some(at);
            status.attempts_failed_in_a_row = 0;
        });
    }

    pub(super) fn failed(&self, error: String) {
        self.change(|status| {
            status.online = false;
            status.last_error = Some(error);
            status.attempts_failed_in_a_row = status.attempts_failed_in_a_row.saturating_add(1);
        });
    }

    pub(super) fn ended(&self) {
        self.change(|status| status.ended = true);
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
