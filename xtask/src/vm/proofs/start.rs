//! From the first boot to the first detection.

use super::super::house::{HOSTNAME, House, SECRETS};
use super::{CONFIGURATION, UNIT, check_mounts};
use crate::vm::guest::until;

/// The highest exposure that `systemd-analyze security` may find.
const EXPOSURE_MAX: f64 = 2.0;
/// The data partition has grown over the rest of a card of 8 GiB.
const DATA_BYTES_MIN: u64 = 4 << 30;

/// The machine boots; the file's settings hold at once, it is not read again, and its passwords are gone.
pub(super) fn first_boot_file_is_taken(house: &mut House) -> Result<String, String> {
    house.boot()?;
    let took = house.guest()?.age().as_secs_f64();
    expect("the host name", HOSTNAME, &house.command("hostname")?)?;
    expect("the time zone", "/usr/share/zoneinfo/Europe/Berlin", &house.command("readlink /etc/localtime")?)?;
    let mode = house.command(&format!("stat --format=%a:%U:%G {CONFIGURATION}"))?;
    expect("the configuration's mode", "640:root:clawdbot", &mode)?;
    let names = house.command("ls /boot/firmware")?;
    for (name, is_wanted) in [("clawdbot.toml", false), ("clawdbot.imported.toml", true), ("clawdbot-error.txt", false)]
    {
        if names.lines().any(|line| line == name) != is_wanted {
            return Err(format!("{name} on the boot partition should {}be there", if is_wanted { "" } else { "not " }));
        }
    }
    // The whole partition, not only its files: an old copy would lie between them.
    for secret in SECRETS {
        let count = house.command(&format!(
            "sync; grep --text --count --fixed-strings {secret} $(findmnt -no SOURCE /boot/firmware) || true"
        ))?;
        expect(&format!("{secret} on the boot partition"), "0", &count)?;
    }
    Ok(format!("{HOSTNAME} lets its owner in after {took:.1} s; no password is left on the boot partition"))
}

/// systemd counts from the kernel's start.
pub(super) fn service_is_active(house: &mut House) -> Result<String, String> {
    until("the unit was not active", || {
        let [state] = house.properties(UNIT, ["ActiveState"])?;
        Ok((state == "active").then_some(()))
    })?;
    let [entered, begun, memory] = house
        .properties(UNIT, ["ActiveEnterTimestampMonotonic", "ExecMainStartTimestampMonotonic", "MemoryCurrent"])?;
    let seconds = |text: &str| {
        text.parse::<f64>().map(|microseconds| microseconds / 1e6).map_err(|_| format!("systemd says {text:?}"))
    };
    let (entered, begun) = (seconds(&entered)?, seconds(&begun)?);
    let mebibytes =
        memory.parse::<f64>().map_err(|_| format!("the unit's memory is {memory:?}: is its controller on?"))?
            / 1048576.0;
    Ok(format!("{entered:.1} s after the kernel's start, {:.1} s after its own; {mebibytes:.0} MiB", entered - begun))
}

/// What the clip shows comes out of a broker on another machine.
pub(super) fn detections_arrive(house: &mut House) -> Result<String, String> {
    let event = house.broker.next(&format!("clawdbot/v1/{HOSTNAME}/camera/clip/event"), false)?;
    let label = event["data"]["label"].as_str().ok_or_else(|| format!("an event without a label: {event}"))?;
    let score = event["data"]["score"].as_f64().ok_or_else(|| format!("an event without a score: {event}"))?;
    Ok(format!("{label:?} ({score:.2}), {} s after the machine's start", house.guest()?.age().as_secs()))
}

/// The unit as it runs here, not as it stands in the file.
pub(super) fn unit_is_confined(house: &mut House) -> Result<String, String> {
    let text = house.command(&format!("systemd-analyze security --no-pager {UNIT} | tail -1"))?;
    let exposure = exposure(&text).ok_or_else(|| format!("systemd-analyze says {text:?}"))?;
    if exposure > EXPOSURE_MAX {
        return Err(format!("its exposure is {exposure}, and {EXPOSURE_MAX} is the most"));
    }
    Ok(format!("exposure {exposure}"))
}

/// What the image promises beside the daemon.
pub(super) fn board_is_set_up(house: &mut House) -> Result<String, String> {
    let bytes = house.command("findmnt --bytes --noheadings --output SIZE /var/lib/clawdbot")?;
    let bytes: u64 = bytes.trim().parse().map_err(|_| format!("/var/lib/clawdbot is no mount: {bytes:?}"))?;
    if bytes < DATA_BYTES_MIN {
        return Err(format!("/var/lib/clawdbot has {bytes} bytes: it did not grow over the card"));
    }
    for (what, command, wanted) in [
        ("memory limits", "cat /sys/fs/cgroup/cgroup.controllers", "memory"),
        ("swap in memory", "swapon --show=NAME --noheadings", "/dev/zram0"),
        ("the watchdog's time", "grep -h ^RuntimeWatchdogSec /etc/systemd/system.conf.d/*", "14"),
        ("the journal in memory", "journalctl --header | grep -m1 'File path'", "/run/log/journal/"),
        ("the name in the network", "journalctl --unit avahi-daemon", "clawdbot on porch"),
        ("a Wi-Fi profile", "grep -c \" ssid=\" /etc/wpa_supplicant/wpa_supplicant-wlan0.conf", "1"),
        ("no password for SSH", "sshd -T | grep ^passwordauthentication", "no"),
        ("host keys of its own", "ls /etc/ssh", "ssh_host_ed25519_key"),
    ] {
        let text = house.command(command)?;
        if !text.contains(wanted) {
            return Err(format!("{what}: `{command}` does not say {wanted:?}, but {text:?}"));
        }
    }
    check_mounts(house)?;
    let failed = house.command("systemctl list-units --failed --no-legend --plain")?;
    expect("units that failed", "", &failed)?;
    Ok(format!("state on {} MiB, swap in memory, memory limits, mDNS, no unit failed", bytes >> 20))
}

fn expect(what: &str, wanted: &str, seen: &str) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{what}: {seen:?}, not {wanted:?}")) }
}

/// `Overall exposure level for clawdbot.service: 1.9 OK`, with an arrow before it and a face behind.
fn exposure(text: &str) -> Option<f64> {
    text.split_once("exposure level")?.1.split_whitespace().find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::exposure;

    #[test]
    fn the_verdict_is_read() {
        assert_eq!(exposure("→ Overall exposure level for clawdbot.service: 1.9 OK 🙂"), Some(1.9));
        assert_eq!(exposure("Unit not found"), None);
    }
}
