//! How far the wall clock can be trusted. Boards without an RTC start with the time of the last shutdown.

use std::fs;

use clawdbot_flow::rooted::Root;

/// What stands behind the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// A time server: the kernel says that its clock is synchronised, or systemd-timesyncd does.
    Ntp,
    /// No time server, but a battery-backed clock.
    Rtc,
    /// Neither: the time may be years off.
    Unsynced,
}

impl Trust {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ntp => "ntp",
            Self::Rtc => "rtc",
            Self::Unsynced => "unsynced",
        }
    }
}

/// Asks kernel and files under the injectable root.
#[derive(Debug)]
pub(super) struct TimeSync {
    root: Root,
    kernel: fn() -> Option<bool>,
}

impl TimeSync {
    /// Asks this machine's kernel, and the files under `root`.
    pub(super) fn new(root: &Root) -> Self {
        Self { root: root.clone(), kernel: kernel_is_synchronised }
    }

    /// How far the clock can be trusted now.
    pub(super) fn now(&self) -> Trust {
        let synchronised =
            (self.kernel)().unwrap_or_else(|| self.root.join("/run/systemd/timesync/synchronized").exists());
        if synchronised {
            Trust::Ntp
        } else if self.has_clock_with_battery() {
            Trust::Rtc
        } else {
            Trust::Unsynced
        }
    }

    /// Whether the kernel set the time from an RTC at boot (`hctosys` of one of them is 1): a Raspberry Pi 5 has an RTC
    /// that knows nothing without its battery.
    fn has_clock_with_battery(&self) -> bool {
        let Ok(clocks) = fs::read_dir(self.root.join("/sys/class/rtc")) else { return false };
        clocks.flatten().any(|clock| {
            let read = |name: &str| fs::read_to_string(clock.path().join(name)).unwrap_or_default();
            // An RTC that lost its power starts at its epoch.
            let year = read("date").split('-').next().and_then(|year| year.parse::<u32>().ok());
            read("hctosys").trim() == "1" && year.is_some_and(|year| year >= 2025)
        })
    }
}

/// Whether the kernel holds its clock synchronised; `None` when it does not say (the call is filtered: `ProtectClock`).
pub(crate) fn kernel_is_synchronised() -> Option<bool> {
    // SAFETY: `timex` is a plain struct of integers, for which all zeros is a valid value.
    let mut time: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `time` is a valid `timex` that we own, and `modes` is zero: the call only reads.
    let state = unsafe { libc::adjtimex(&raw mut time) };
    (state >= 0).then_some(time.status & libc::STA_UNSYNC == 0)
}

#[cfg(test)]
mod tests;
