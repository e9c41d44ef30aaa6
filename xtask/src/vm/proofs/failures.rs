//! What goes wrong with the daemon, and how it comes back.

use std::time::Duration;

use super::super::guest::until;
use super::super::house::House;
use super::{CONFIGURATION, OPEN_ROOT, UNIT};

/// Whoever loops starts again every two seconds (`RestartSec=`): so long is waited whether it does.
const QUIET: Duration = Duration::from_secs(10);

/// SIGKILL: nothing of the daemon's own could run.
pub(super) fn killed(house: &mut House) -> Result<String, String> {
    let took = comes_back(house, "SIGKILL")?;
    Ok(format!("active again after {took:.1} s"))
}

/// SIGSTOP: it neither ends nor moves, so the watchdog must see it.
pub(super) fn hung(house: &mut House) -> Result<String, String> {
    let took = comes_back(house, "SIGSTOP")?;
    let journal = house.command(&format!("journalctl --unit {UNIT} --no-pager"))?;
    if !journal.contains("Watchdog timeout") {
        return Err("it came back, but the journal does not say that the watchdog did it".to_owned());
    }
    Ok(format!("the watchdog saw it; active again after {took:.1} s"))
}

/// Sends a signal and waits for another process of the same unit; gives the seconds.
fn comes_back(house: &House, signal: &str) -> Result<f64, String> {
    let names = ["MainPID", "NRestarts", "ActiveState"];
    let [before, restarts, _] = house.properties(UNIT, names)?;
    let started = crate::vm::now();
    house.command(&format!("systemctl kill --signal={signal} {UNIT}"))?;
    until("it did not come back", || {
        let [now, again, state] = house.properties(UNIT, names)?;
        Ok((now != before && now != "0" && again != restarts && state == "active").then_some(()))
    })?;
    Ok(started.elapsed().as_secs_f64())
}

/// A wrong value: the reason stands where one looks first, and it is not tried again and again.
pub(super) fn bad_configuration(house: &mut House) -> Result<String, String> {
    house.command(OPEN_ROOT)?;
    house.command(&format!("cp -p {CONFIGURATION} /root/kept && printf \"[mqtt]\\nport = 0\\n\" > {CONFIGURATION}"))?;
    house.command(&format!("systemctl restart {UNIT} || true"))?;
    until("the unit did not fail", || {
        let [state] = house.properties(UNIT, ["ActiveState"])?;
        Ok((state == "failed").then_some(()))
    })?;
    let names = ["ExecMainStatus", "NRestarts", "ActiveState"];
    let before = house.properties(UNIT, names)?;
    if before[0] != "78" {
        return Err(format!("it ended with {}, not with 78", before[0]));
    }
    let status = house.command(&format!("systemctl status --no-pager --full {UNIT} || true"))?;
    let reason = status
        .lines()
        .find(|line| line.contains("mqtt.port"))
        .ok_or_else(|| format!("the status does not name the key:\n{status}"))?;
    let reason = reason.split_once("]: ").map_or(reason, |(_, reason)| reason).trim().to_owned();
    std::thread::sleep(QUIET);
    if house.properties(UNIT, names)? != before {
        return Err("it is started again, though that cannot help".to_owned());
    }
    house.command(&format!(
        "cp -p /root/kept {CONFIGURATION} && systemctl reset-failed {UNIT} && systemctl start {UNIT}"
    ))?;
    Ok(format!("`systemctl status` says {reason:?}; not tried again; right again, it runs"))
}

/// A wrong file on the boot partition changes nothing, and says so there.
pub(super) fn bad_first_boot_file(house: &mut House) -> Result<String, String> {
    let unit = "clawdbot-first-boot.service";
    let sum = format!("sha256sum {CONFIGURATION}");
    let before = house.command(&sum)?;
    house
        .command("printf \"[board]\\nhostname = \\\"x y\\\"\\n[mqtt]\\nport = 0\\n\" > /boot/firmware/clawdbot.toml")?;
    house.command(&format!("systemctl restart {unit} || true"))?;
    let text = house.command("cat /boot/firmware/clawdbot-error.txt")?;
    for key in ["clawdbot.toml:2: board.hostname", "clawdbot.toml:4: mqtt.port"] {
        if !text.contains(key) {
            return Err(format!("clawdbot-error.txt does not name {key}:\n{text}"));
        }
    }
    if house.command(&sum)? != before {
        return Err("the daemon's configuration was changed all the same".to_owned());
    }
    // Mended, it is taken, and the complaint goes away.
    house.command(&format!(
        "printf \"[board]\\nhostname = \\\"porch\\\"\\n\" > /boot/firmware/clawdbot.toml; systemctl restart {unit}"
    ))?;
    let names = house.command("ls /boot/firmware")?;
    if names.contains("clawdbot-error.txt")
        || names.lines().any(|name| name == "clawdbot.toml")
        || house.command(&sum)? != before
    {
        return Err(format!("mended, it was not taken as it should: {names}"));
    }
    Ok("clawdbot-error.txt names both keys with their lines; mended, it goes away".to_owned())
}
