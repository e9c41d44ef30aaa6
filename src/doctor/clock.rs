//! Whether the time is right: certificates, schedules and the order of events hang on it.

use std::time::Duration;

use clawdbot_flow::clock::Wall;

use super::finding::{Check, Finding};
use super::machine::Machine;

/// When this source was written, in seconds since 1970: no clock that is right shows less.
const WRITTEN: u64 = 1_795_910_400; // 2026-11-29
/// The build's own date where the builder gave it (reproducible-builds.org: SOURCE_DATE_EPOCH), which is later.
const BUILT: Option<&str> = option_env!("SOURCE_DATE_EPOCH");

/// What stands behind the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClockReading {
    pub(super) now: Wall,
    /// The earliest time that can be right.
    pub(super) built: Wall,
    /// Whether the kernel holds itself synchronised.
    pub(super) synchronised: Option<bool>,
    /// Whether systemd-timesyncd has been synchronised since the start.
    pub(super) timesyncd: bool,
    /// The clocks with a battery.
    pub(super) batteries: Vec<Battery>,
}

/// A clock that goes on without power, if it has a battery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Battery {
    pub(super) name: String,
    /// Its date, as it says.
    pub(super) date: Option<String>,
    /// Whether the kernel took the time from it at start.
    pub(super) was_used: bool,
}

pub(super) fn gather(machine: &Machine<'_>) -> ClockReading {
    let built = BUILT.and_then(|seconds| seconds.parse().ok()).unwrap_or(WRITTEN).max(WRITTEN);
    let clocks = machine.names("/sys/class/rtc").into_iter().map(|name| {
        let file = |file: &str| machine.text(format!("/sys/class/rtc/{name}/{file}"));
        Battery { date: file("date"), was_used: file("hctosys").as_deref() == Some("1"), name }
    });
    ClockReading {
        now: machine.clock.wall(),
        built: Wall::from_epoch(Duration::from_secs(built)),
        synchronised: machine.answers.synchronised,
        timesyncd: machine.exists("/run/systemd/timesync/synchronized"),
        batteries: clocks.collect(),
    }
}

pub(super) fn judge(reading: &ClockReading) -> Finding {
    let check = Check::Clock;
    let today = super::day(reading.now);
    if reading.now < reading.built {
        return Finding::problem(
            check,
            format!("it is {today} by the clock, but this program is from {}", super::day(reading.built)),
            "connect the board to a network with a time server (`timedatectl` shows it); until then TLS refuses certificates",
        );
    }
    let synchronised = reading.synchronised.or(reading.timesyncd.then_some(true));
    // An RTC that lost its power begins at its epoch.
    let year = |battery: &Battery| battery.date.as_deref()?.split('-').next()?.parse::<u32>().ok();
    let battery = reading.batteries.iter().find(|battery| year(battery).is_some_and(|year| year >= 2025));
    match (synchronised, battery) {
        (Some(true), Some(battery)) => {
            Finding::ok(check, format!("{today}, synchronised; {} keeps it without power", battery.name))
        }
        (Some(true), None) => Finding::ok(
            check,
            format!("{today}, synchronised; without power and network it stands still: no RTC keeps it"),
        ),
        (_, Some(battery)) if battery.was_used => Finding::note(
            check,
            format!("{today} from {}; no time server has confirmed it", battery.name),
            "let the board reach a time server (UDP port 123); `timedatectl` shows which it asks",
        ),
        (Some(false), _) => Finding::warning(
            check,
            format!("{today}, but nothing has confirmed it since the start, and no RTC has kept it"),
            "let the board reach a time server (UDP port 123), or give it an RTC with a battery",
        ),
        (None, _) => Finding::unknown(
            check,
            format!("{today}; the kernel does not tell whether it is synchronised"),
            "ask `timedatectl`; a sandbox may forbid the question (adjtimex)",
        ),
    }
}

#[cfg(test)]
mod tests;
