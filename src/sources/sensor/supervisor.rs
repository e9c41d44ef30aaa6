//! One thread that looks after all sensors: reads what is due, tells what is news, keeps what health asks for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clawdbot_flow::clock::{Clock, Monotonic};
use clawdbot_flow::counters::Counter;
use clawdbot_flow::reading::Reading;
use clawdbot_flow::rooted::Root;

use super::channel;
use super::schedule::Schedule;
use super::{Kind, Options};
use crate::sources::stop::Stop;

/// What the sensors' thread borrows from `app`.
pub(crate) struct Lent<'a> {
    /// The time.
    pub(crate) clock: &'a dyn Clock,
    /// Ends the thread at once when requested.
    pub(crate) stop: &'a Stop,
    /// Where `/sys` is.
    pub(crate) root: &'a Root,
    /// What health reads: one for each of the sensors, in their order.
    pub(crate) states: &'a [State],
    /// Called with each reading that is news; must not block.
    pub(crate) report: &'a dyn Fn(Reading),
    /// Called about once a second while the thread is well.
    pub(crate) heartbeat: &'a dyn Fn(),
}

/// What one sensor says, for `health`: written by the sensors' thread, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Looks that gave a value.
    pub(crate) reads: Counter,
    /// Looks that gave none.
    pub(crate) failures: Counter,
    last: Mutex<Last>,
}

#[derive(Clone, Debug, Default)]
struct Last {
    value: Option<f64>,
    absent_reason: Option<String>,
    at: Option<Monotonic>,
}

/// One sensor's state at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// The value at the last look; `None`: there is none.
    pub(crate) value: Option<f64>,
    /// Why there is none, and what to do.
    pub(crate) absent_reason: Option<String>,
    /// When it was last looked at; `None`: not yet.
    pub(crate) at: Option<Monotonic>,
    /// See [`State::reads`].
    pub(crate) reads: u64,
    /// See [`State::failures`].
    pub(crate) failures: u64,
}

impl State {
    /// The state of a sensor that was not looked at yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// All of it, now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Snapshot {
            value: last.value,
            absent_reason: last.absent_reason,
            at: last.at,
            reads: self.reads.get(),
            failures: self.failures.get(),
        }
    }

    /// Keeps what a look gave; true when a reason for absence is new.
    fn saw(&self, at: Monotonic, seen: Result<f64, String>) -> bool {
        let (value, absent_reason) = match seen {
            Ok(value) => {
                self.reads.increment();
                (Some(value), None)
            }
            Err(reason) => {
                self.failures.increment();
                (None, Some(reason))
            }
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = absent_reason.is_some() && last.absent_reason != absent_reason;
        *last = Last { value, absent_reason, at: Some(at) };
        is_new
    }
}

/// One sensor with its rhythm.
#[derive(Debug)]
pub(crate) struct Sensor<'a> {
    options: &'a Options,
    schedule: Schedule,
}

impl<'a> Sensor<'a> {
    /// A sensor that is due at once.
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options, schedule: Schedule::new(options) }
    }

    /// Looks, when it is time, through `read`, keeps what was seen in `state`, and gives the reading when it is news.
    pub(crate) fn poll(
        &mut self,
        clock: &dyn Clock,
        state: &State,
        read: impl FnOnce(&Kind) -> Result<f64, String>,
    ) -> Option<Reading> {
        let now = clock.monotonic();
        if !self.schedule.is_due(now) {
            return None;
        }
        let seen = read(&self.options.kind);
        let value = seen.as_ref().ok().copied();
        let is_news = self.schedule.saw(now, value);
        let reason = seen.as_ref().err().cloned();
        if state.saw(now, seen)
            && let Some(reason) = reason
        {
            tracing::warn!(sensor = self.options.id, "no reading: {reason}");
        }
        value.filter(|_| is_news).map(|value| Reading {
            sensor: self.options.id.clone(),
            value,
            unit: self.options.unit.clone(),
            read_at: now,
            read_wall: clock.wall(),
        })
    }
}

/// The longest pause, so that heartbeats go on.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Reads `sensors` until a stop is requested. Blocks: `app` gives it a thread.
pub(crate) fn run(sensors: &[Options], lent: &Lent<'_>) {
    let mut sensors: Vec<(Sensor<'_>, &State)> = sensors.iter().map(Sensor::new).zip(lent.states).collect();
    loop {
        (lent.heartbeat)();
        for (sensor, state) in &mut sensors {
            let read = |kind: &Kind| channel::read(lent.root, kind).map_err(|error| error.to_string());
            if let Some(reading) = sensor.poll(lent.clock, state, read) {
                (lent.report)(reading);
            }
        }
        let now = lent.clock.monotonic();
        let pause = sensors.iter().map(|(sensor, _)| sensor.schedule.time_left(now)).min().unwrap_or(PAUSE_MAX);
        if lent.stop.wait(pause.clamp(Duration::from_millis(1), PAUSE_MAX)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
