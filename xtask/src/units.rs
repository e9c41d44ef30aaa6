//! `cargo xtask units`: checks the systemd files with systemd's own tools; nothing is installed and no systemd runs.

use crate::Outcome;
use crate::process::{self, repository_root};

/// The unit's path below the repository's root.
const UNIT: &str = "systemd/clawdbot.service";
/// The card image's own.
const FIRST_BOOT: &str = "systemd/clawdbot-first-boot.service";
/// The highest exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE_TENTHS_MAX: &str = "--threshold=20";
/// The daemon's place on a board, and what stands in for it here: `verify` wants every command to exist.
const INSTALLED_AS: &str = "ExecStart=/usr/bin/clawdbot ";
const STANDS_IN: &str = "ExecStart=/bin/true ";

/// Verifies the unit, prints its exposure, and lets `systemd-sysusers` read the user's definition.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    process::refuse_arguments(arguments)?;
    for unit in [UNIT, FIRST_BOOT] {
        let text = std::fs::read_to_string(repository_root().join(unit))
            .map_err(|error| format!("cannot read {unit}: {error}"))?;
        verify(&text).map_err(|error| format!("{unit}: {error}"))?;
        println!("systemd-analyze verify {unit}: clean");
    }
    exposure()?;
    // systemd-sysusers wants a whole path.
    let users = repository_root().join("systemd/sysusers.d/clawdbot.conf");
    process::run(process::command("systemd-sysusers", &["--dry-run"]).arg(users))
}

/// Prints what `systemd-analyze security` thinks of the unit, and wants it at most 2.0.
fn exposure() -> Outcome {
    let arguments = ["security", "--offline=true", "--no-pager", EXPOSURE_TENTHS_MAX, UNIT];
    let mut command = process::command("systemd-analyze", &arguments);
    let output = command.output().map_err(|error| format!("cannot start systemd-analyze: {error}"))?;
    let report = String::from_utf8_lossy(&output.stdout);
    let verdict = report.lines().find(|line| line.contains("Overall exposure level")).unwrap_or("no verdict");
    println!("{verdict}");
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{UNIT} is more exposed than 2.0; `{}` says by what", process::shown(&command)))
}

/// `systemd-analyze verify` ends with 0 for many a warning, so anything that it says is an error here.
fn verify(unit: &str) -> Outcome {
    if !unit.contains(INSTALLED_AS) {
        return Err(format!("it does not begin its command with {INSTALLED_AS:?}"));
    }
    let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
    let copy = folder.path().join("clawdbot-checked.service");
    std::fs::write(&copy, unit.replace(INSTALLED_AS, STANDS_IN))
        .map_err(|error| format!("cannot write {}: {error}", copy.display()))?;
    let mut command = process::command("systemd-analyze", &["verify"]);
    command.arg(&copy);
    let output = command.output().map_err(|error| format!("cannot start systemd-analyze: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && said.trim().is_empty() {
        return Ok(());
    }
    Err(format!("systemd-analyze verify is not content:\n{said}"))
}

#[cfg(test)]
mod tests;
