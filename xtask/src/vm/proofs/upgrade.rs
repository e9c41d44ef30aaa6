//! From the image's package to a later one, as a board's owner does it: copied there, and `apt-get install`.

use std::path::{Path, PathBuf};

use super::super::house::{HOSTNAME, House};
use super::{CONFIGURATION, OPEN_ROOT, UNIT};
use crate::process;
use crate::vm::guest::until;

/// A file that stands for what lies in the state directory: models, and what waits for the broker.
const STATE: &str = "/var/lib/clawdbot/models/kept.claw.safetensors";
/// Where the later package is put.
const PLACE: &str = "/root/later.deb";
/// What must be the same afterwards.
const KEPT: &str = "cd /var/lib/clawdbot && find . -type f -name install-id -o -type f -path '*models*' | sort | xargs sha256sum; \
                    sha256sum /etc/clawdbot/clawdbot.toml; stat --format=%a:%U:%G /etc/clawdbot/clawdbot.toml";

/// Configuration, id and models stay, the service runs the new version, and events arrive again.
pub(super) fn keeps_what_is_ours(house: &mut House) -> Result<String, String> {
    house.command(OPEN_ROOT)?;
    let before = version(house)?;
    house.command(&format!(
        "install -d -o clawdbot -g clawdbot $(dirname {STATE}); head -c 100000 /dev/urandom > {STATE}; \
         chown clawdbot: {STATE}"
    ))?;
    let kept = house.command(KEPT)?;
    let [process] = house.properties(UNIT, ["MainPID"])?;
    let later = house.later_package(&before)?;
    house.guest()?.send(&later, PLACE)?;
    // As with "keep your currently-installed version", the answer that dpkg offers first.
    house.command(&format!(
        "DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet \
         --option Dpkg::Options::=--force-confold {PLACE} < /dev/null && rm {PLACE}"
    ))?;
    let after = version(house)?;
    if after == before {
        return Err(format!("the package is still {before}"));
    }
    until("the upgrade did not start the service anew", || {
        let [now, state] = house.properties(UNIT, ["MainPID", "ActiveState"])?;
        Ok((now != process && now != "0" && state == "active").then_some(()))
    })?;
    let now = house.command(KEPT)?;
    if now != kept {
        return Err(format!("not everything was kept: before\n{kept}\nafter\n{now}"));
    }
    let event = house.broker.next(&format!("clawdbot/v1/{HOSTNAME}/camera/clip/event"), false)?;
    Ok(format!("{before} -> {after}; configuration, id and models as before, {} arrives", event["data"]["label"]))
}

fn version(house: &House) -> Result<String, String> {
    house.command("dpkg-query --show --showformat='${Version}' clawdbot")
}

/// The package at `original` again, as a later version with another default configuration.
pub(in crate::vm) fn repacked(original: &Path, version: &str, folder: &Path) -> Result<PathBuf, String> {
    let tree = folder.join("later");
    let mut unpack = process::command("dpkg-deb", &["--raw-extract"]);
    process::run(unpack.arg(original).arg(&tree))?;
    let change = |name: &str, edit: &dyn Fn(String) -> String| {
        let path = tree.join(name);
        let text =
            std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        std::fs::write(&path, edit(text)).map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    change("DEBIAN/control", &|text| with_version(&text, version))?;
    change(CONFIGURATION.trim_start_matches('/'), &|text| text + "# as of a later version\n")?;
    let package = folder.join("later.deb");
    let mut pack = process::command("dpkg-deb", &["--root-owner-group", "-Zgzip", "-z1", "--build"]);
    process::output(pack.arg(&tree).arg(&package))?;
    Ok(package)
}

/// The control file with another version.
fn with_version(control: &str, version: &str) -> String {
    let line = |line: &str| {
        if line.starts_with("Version:") { format!("Version: {version}\n") } else { format!("{line}\n") }
    };
    control.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::with_version;

    #[test]
    fn only_the_version_changes() {
        let control = "Package: clawdbot\nVersion: 0.1.0\nDepends: libc6 (>= 2.36)\nDescription: x\n more\n";
        assert_eq!(with_version(control, "0.1.0+later"), control.replace("0.1.0\n", "0.1.0+later\n"));
    }
}
