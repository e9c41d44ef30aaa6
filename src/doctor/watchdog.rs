//! Whether something restarts the board when the kernel itself hangs.

use super::finding::{Check, Finding};
use super::machine::Machine;

/// The bit of `bootstatus` that says: this boot came from the watchdog (`WDIOF_CARDRESET`).
const CAUSED_BY_WATCHDOG: i64 = 0x20;

/// What the first watchdog says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Watchdog {
    /// What it is; `None`: there is none.
    pub(super) identity: Option<String>,
    /// Whether somebody has started it.
    pub(super) is_active: Option<bool>,
    pub(super) timeout_s: Option<i64>,
    /// Whether it restarted the board the last time.
    pub(super) fired: bool,
    pub(super) is_raspberry_pi: bool,
}

pub(super) fn gather(machine: &Machine<'_>) -> Watchdog {
    let is_raspberry_pi = machine.is_raspberry_pi(None);
    let Some(name) = machine.names("/sys/class/watchdog").into_iter().next() else {
        // A kernel may have the device and not the files about it.
        let identity = machine.exists("/dev/watchdog").then(|| "/dev/watchdog".to_owned());
        return Watchdog { identity, is_raspberry_pi, ..Watchdog::default() };
    };
    let file = |file: &str| format!("/sys/class/watchdog/{name}/{file}");
    Watchdog {
        identity: Some(machine.text(file("identity")).unwrap_or_else(|| name.clone())),
        is_active: machine.text(file("state")).map(|state| state == "active"),
        timeout_s: machine.number(file("timeout")),
        fired: machine.number(file("bootstatus")).is_some_and(|status| status & CAUSED_BY_WATCHDOG != 0),
        is_raspberry_pi,
    }
}

pub(super) fn judge(watchdog: &Watchdog) -> Finding {
    let check = Check::Watchdog;
    let Some(identity) = &watchdog.identity else {
        return Finding::note(
            check,
            "there is none: a board whose kernel hangs stays so until somebody comes",
            if watchdog.is_raspberry_pi {
                "write `dtparam=watchdog=on` into config.txt and restart the board"
            } else {
                "see whether the kernel has a watchdog driver for this board (`modprobe softdog` is better than nothing)"
            },
        );
    };
    let timeout = watchdog.timeout_s.map_or_else(String::new, |seconds| format!(", {seconds} s"));
    let seen = format!("{identity}{timeout}");
    if watchdog.fired {
        return Finding::warning(
            check,
            format!("{seen}; it restarted the board the last time"),
            "look for the reason in `journalctl -b -1` (kept only with `Storage=persistent`), and at the supply",
        );
    }
    match watchdog.is_active {
        Some(true) => Finding::ok(check, format!("{seen}, kept by the system")),
        Some(false) => Finding::note(
            check,
            format!("{seen}, but nobody has started it"),
            "write `RuntimeWatchdogSec=14` under `[Manager]` into /etc/systemd/system.conf.d/watchdog.conf and restart \
             the board; more than 15 s means none on older kernels",
        ),
        None => Finding::unknown(
            check,
            format!("{seen}; whether somebody has started it does not show"),
            "ask `systemctl show -p RuntimeWatchdogUSec`",
        ),
    }
}

#[cfg(test)]
mod tests;
