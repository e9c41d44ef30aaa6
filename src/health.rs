//! Whether the daemon is well, and telling systemd so.
//!
//! Every stage owns a [`Heart`] and beats it whenever it comes round. The watchdog is fed by [`supervise`], which looks
//! at all of them, not by a timer: a stage that hangs gets the daemon restarted. All calls that speak to
//! systemd do nothing where no service manager listens. Whoever has none asks for the sign of life that the daemon leaves.

mod heartbeats;
mod sign;

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use clawdbot_flow::clock::Clock;
use clawdbot_flow::rooted::Root;
use sd_notify::NotifyState;

pub(crate) use heartbeats::{Heartbeat, Heartbeats};
pub(crate) use sign::{RENEW_EVERY, Sign, SignOfLife};

/// How often the supervisor looks where no watchdog sets the pace.
const LOOK_EVERY_DEFAULT: Duration = Duration::from_secs(10);

/// What the process itself can say about its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vitals {
    /// Time since the daemon's start.
    pub(crate) uptime: Duration,
    /// Resident memory in bytes; `None` where /proc does not say.
    pub(crate) resident_bytes: Option<u64>,
    /// Every stage's heartbeat.
    pub(crate) heartbeats: Vec<Heartbeat>,
}

impl Vitals {
    /// The state now. `root` is where /proc begins.
    pub(crate) fn read(heartbeats: &Heartbeats, clock: &dyn Clock, root: &Root) -> Self {
        let now = clock.monotonic();
        Self { uptime: now.since_origin(), resident_bytes: resident_bytes(root), heartbeats: heartbeats.at(now) }
    }

    /// Whether every stage moved within its allowed silence.
    pub(crate) fn alive(&self) -> bool {
        self.heartbeats.iter().all(|heartbeat| !heartbeat.is_late())
    }
}

/// `VmRSS` of this process.
fn resident_bytes(root: &Root) -> Option<u64> {
    let status = fs::read_to_string(root.join("/proc/self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Tells systemd that everything that makes the daemon exists; camera and broker may still be on their way.
pub(crate) fn ready(status: &str) {
    report(tell_systemd(&[NotifyState::Ready, NotifyState::Status(status)]));
}

/// Tells systemd that the daemon is on its way out.
pub(crate) fn stopping() {
    report(tell_systemd(&[NotifyState::Stopping, NotifyState::Status("stopping")]));
}

fn tell_systemd(states: &[NotifyState<'_>]) -> io::Result<()> {
    sd_notify::notify(states)
}

fn report(outcome: io::Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "systemd cannot be told about the daemon's state; check NotifyAccess in the unit");
    }
}

/// Feeds systemd's watchdog while every stage beats, and names the stage that does not. Never ends: the caller drops it
/// at shutdown.
pub(crate) async fn supervise(heartbeats: Arc<Heartbeats>, clock: Arc<dyn Clock>) {
    let watchdog = sd_notify::watchdog_enabled();
    // systemd advises half the watchdog's time; a third leaves room for a late wake-up.
    let mut ticks = tokio::time::interval(watchdog.map_or(LOOK_EVERY_DEFAULT, |time| time / 3));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut supervisor = Supervisor::new(watchdog.is_some(), tell_systemd);
    loop {
        ticks.tick().await;
        supervisor.look(&heartbeats.at(clock.monotonic()));
    }
}

/// One look after another at the heartbeats.
struct Supervisor<F> {
    feeds_watchdog: bool,
    tell: F,
    /// Names of the stages that were late at the last look.
    late: Vec<String>,
}

impl<F: FnMut(&[NotifyState<'_>]) -> io::Result<()>> Supervisor<F> {
    const fn new(feeds_watchdog: bool, tell: F) -> Self {
        Self { feeds_watchdog, tell, late: Vec::new() }
    }

    fn look(&mut self, heartbeats: &[Heartbeat]) {
        let late: Vec<&Heartbeat> = heartbeats.iter().filter(|heartbeat| heartbeat.is_late()).collect();
        for heartbeat in &late {
            if !self.late.contains(&heartbeat.name) {
                tracing::error!(
                    stage = heartbeat.name,
                    silent_s = heartbeat.silent.as_secs_f64(),
                    silent_s_max = heartbeat.silent_max.as_secs_f64(),
                    "a stage hangs; the watchdog gets no sign of life until it moves"
                );
            }
        }
        self.late = late.iter().map(|heartbeat| heartbeat.name.clone()).collect();
        if self.feeds_watchdog && self.late.is_empty() {
            report((self.tell)(&[NotifyState::Watchdog]));
        }
    }
}

#[cfg(test)]
mod tests;
